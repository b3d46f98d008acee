"""What partners report about rewards, and what operators do about rewards and queues, over HTTP.

Operators' routes need a token with the scope `operator`. Partners have none: they sign what they send (Standard
Webhooks), and the id of their message makes it repeatable, so it needs no Idempotency-Key.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field

from brandday.domain.errors import (
    BrandDayError,
    CampaignNotFound,
    FieldError,
    RewardNotWaiting,
    SecondPersonRequired,
    SignatureInvalid,
    ValidationFailed,
)
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import MAX_WORDS, Report, RewardStatus
from brandday.domain.times import from_rfc3339, to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.address import plain_text
from brandday.entrypoints.http_input import (
    CURSOR,
    page_query,
    parse_body,
    read_choice,
    read_cursor,
    read_limit,
    wrong_query,
)
from brandday.entrypoints.routes import ID_FORMS, OPERATOR, Answer, Input, Output, Request, Route, Shape, can_be
from brandday.usecases.dead_letter_ports import QueueCounts, QueueName
from brandday.usecases.operate_rewards import OperateRewards, RewardAct, RewardSight
from brandday.usecases.redrive_queues import RedriveQueues
from brandday.usecases.take_reports import TakeReports

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 100
EARLY_MS: Final = 5 * 60 * 1000
"""How far a partner's clock may be ahead of ours."""

RFC3339: Final = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})"
_CAMPAIGN_ID: Final = ID_FORMS["campaign_id"][0]


@dataclass(frozen=True, slots=True)
class FulfilmentUseCases:
    """What these routes ask for."""

    operate: OperateRewards
    redrive_queues: RedriveQueues
    reports: TakeReports


class ReceiptInput(Input):
    """What became of a reward, by the partner who was given it."""

    status: Annotated[Literal["delivered", "returned"], Field(description="It has arrived, or has come back.")]
    at: Annotated[str, Field(max_length=40, pattern=f"^{RFC3339}$", description="When that was, RFC 3339.")]
    note: Annotated[
        Annotated[str, Field(max_length=MAX_WORDS), AfterValidator(plain_text)] | None,
        Field(description="Words for the shop's operators."),
    ] = None
    reward_id: Annotated[
        Annotated[str, Field(max_length=100)] | None,
        Field(description="The reward in the address once more: so it is signed, too, and cannot be exchanged."),
    ] = None


class ReportReceiptBody(Output):
    """The reward as it stands now; an older report than the one that counts changes nothing."""

    reward_id: str
    status: RewardStatus


class FulfilmentFields(Shape):
    """A reward on its way, as operators see it; times are RFC 3339 in UTC."""

    id: str
    campaign_id: str
    kind: RewardKind
    sku: str
    quantity: int
    shopper: Annotated[str, Field(description="The shopper's name in our tables, which is a hash.")]
    source: Annotated[str, Field(description="What it comes from: a reservation's id.")]
    order_id: str | None
    status: RewardStatus
    status_at: str
    created_at: str
    claim_until: str | None
    due_at: Annotated[str | None, Field(description="When it is given up; null unless it is pending.")]
    connector: Annotated[str | None, Field(description="Who takes it; null: the shop itself.")]
    destination: Annotated[str | None, Field(description="Where to; rewards of one destination fail together.")]
    delivery_id: Annotated[str, Field(description="What the partner knows a repetition by.")]
    cycle: Annotated[int, Field(description="How often it became pending.")]
    attempts: Annotated[int, Field(description="Deliveries tried since then.")]
    shipment: int
    words: Annotated[str | None, Field(description="What the partner said last.")]
    reference: Annotated[str | None, Field(description="What the partner calls it.")]
    approved_by: str | None
    reported_at: str | None
    has_address: bool

    @classmethod
    def of(cls, sight: RewardSight) -> Self:
        """The same, on the wire."""
        reward = sight.reward
        return cls(
            id=reward.id,
            campaign_id=reward.campaign_id,
            kind=reward.kind,
            sku=reward.sku,
            quantity=reward.quantity,
            shopper=reward.owner,
            source=reward.source,
            order_id=reward.order_id,
            status=reward.status,
            status_at=to_rfc3339(reward.status_at),
            created_at=to_rfc3339(reward.created_at),
            claim_until=to_rfc3339_or_none(reward.claim_until),
            due_at=to_rfc3339_or_none(reward.due_at),
            connector=sight.connector,
            destination=sight.destination,
            delivery_id=reward.delivery_id,
            cycle=reward.cycle,
            attempts=reward.attempts,
            shipment=reward.shipment,
            words=reward.words,
            reference=reward.reference,
            approved_by=reward.approved_by,
            reported_at=to_rfc3339_or_none(reward.reported_at),
            has_address=reward.address is not None,
        )


class FulfilmentBody(FulfilmentFields, Output):
    """One reward on its way."""


class FulfilmentActBody(Output):
    """What an act on a reward came to."""

    fulfilment: FulfilmentFields
    changed: Annotated[bool, Field(description="False: it was done before.")]


class FulfilmentListBody(Output):
    """Rewards of a campaign, status by status; about a second behind."""

    fulfilments: list[FulfilmentFields]
    next: Annotated[str | None, Field(description="Send it as `after` for the next page; null: this is the last.")]


class QueueBody(Shape):
    """A queue's length, approximately; null where only dead letters queue."""

    name: QueueName
    waiting: Annotated[int | None, Field(description="Messages that can be worked on now.")]
    in_flight: Annotated[int | None, Field(description="Messages that are being worked on, or are tried again later.")]
    delayed: Annotated[int | None, Field(description="Messages that are not due yet.")]
    dead_letters: Annotated[int, Field(description="Messages that were given up.")]

    @classmethod
    def of(cls, name: QueueName, counts: QueueCounts) -> Self:
        """The same, on the wire."""
        return cls(name=name, **counts._asdict())


class QueueListBody(Output):
    """All queues."""

    queues: list[QueueBody]


class RedriveInput(Input):
    """How much at once, and where to go on."""

    limit: Annotated[
        int, Field(ge=1, le=MAX_LIMIT, description="Rewards (fulfilments), messages (holds) or shards (stream).")
    ] = DEFAULT_LIMIT
    cursor: Annotated[
        Annotated[str, Field(pattern=f"^{CURSOR.pattern}$")] | None, Field(description="`next` of the call before.")
    ] = None
    campaign_id: Annotated[
        Annotated[str, Field(pattern=f"^{_CAMPAIGN_ID}$")] | None,
        Field(description="fulfilments: only this campaign's rewards."),
    ] = None
    dry_run: Annotated[bool, Field(description="True: tell what would be done, change nothing.")] = False


class RedriveBody(Output):
    """What was done, or would be: counts of this call alone."""

    queue: QueueName
    dry_run: bool
    looked_at: Annotated[int, Field(description="Rewards (fulfilments), messages (holds) or shards (stream).")]
    redriven: Annotated[int, Field(description="Of these: sent anew; stream: rewards that were missing and are made.")]
    removed: Annotated[int, Field(description="Dead letters that are done with and gone.")]
    left: Annotated[int, Field(description="Dead letters that stand for something that is still not done.")]
    rewards: Annotated[list[str], Field(description="fulfilments: the rewards that were sent anew.")]
    next: Annotated[str | None, Field(description="Send it as `cursor` to go on; null: that was all.")]


def take_receipt(use_cases: FulfilmentUseCases, request: Request[bytes]) -> Answer:
    """200 with the status that stands, however often and in whatever order it is reported.

    Sign as Standard Webhooks says, over `webhook-id.webhook-timestamp.body`, with the secret that signs the webhooks of
    this reward's connector; the timestamp may be five minutes off. The report with the latest `at` counts.
    """
    reward_id = request.path["reward_id"]
    use_cases.reports.authenticate(reward_id, request.headers, request.body)
    receipt = parse_body(request.body, ReceiptInput)
    if receipt.reward_id not in (None, reward_id):
        raise SignatureInvalid
    at = _moment(receipt.at, use_cases.reports.now())
    reward = use_cases.reports(reward_id, Report(receipt.status), at, receipt.note or "")
    return Answer(ReportReceiptBody(reward_id=reward.id, status=reward.status))


def list_fulfilments(use_cases: FulfilmentUseCases, request: Request[None]) -> Answer:
    """200 with a page of the campaign's rewards in one status, or in all, one status after the other."""
    campaign_id = request.query["campaign_id"]
    if not can_be("campaign_id", campaign_id):
        raise wrong_query("campaign_id", "bad_format")
    page = use_cases.operate.list(
        campaign_id,
        read_choice(request.query, "status", RewardStatus),
        read_limit(request.query, default=DEFAULT_LIMIT, most=MAX_LIMIT),
        read_cursor(request.query),
    )
    return Answer(FulfilmentListBody(fulfilments=[FulfilmentFields.of(sight) for sight in page.items], next=page.next))


def get_fulfilment(use_cases: FulfilmentUseCases, request: Request[None]) -> Answer:
    """200 with the reward as it is now."""
    return Answer(FulfilmentBody.of(use_cases.operate.get(request.path["reward_id"])))


def approve_fulfilment(use_cases: FulfilmentUseCases, request: Request[None]) -> Answer:
    """200 with the reward, which may leave now. Whoever has ever applied its campaign may not approve it."""
    return _acted(use_cases.operate.approve(request.path["reward_id"], request.subject))


def redrive_fulfilment(use_cases: FulfilmentUseCases, request: Request[None]) -> Answer:
    """200 with the reward, which is on its way once more; one that is on its way already stays as it is."""
    return _acted(use_cases.operate.redrive(request.path["reward_id"], request.subject))


def list_queues(use_cases: FulfilmentUseCases, _: Request[None]) -> Answer:
    """200 with the length of every queue."""
    counts = use_cases.redrive_queues.counts()
    return Answer(QueueListBody(queues=[QueueBody.of(name, counts[name]) for name in QueueName if name in counts]))


def redrive_queue(use_cases: FulfilmentUseCases, request: Request[RedriveInput]) -> Answer:
    """200 with what was done of what was given up; go on with `next` until it is null.

    holds: dead letters go back to their queue. fulfilments: failed rewards are sent anew, then dead letters of rewards
    that have not failed any more are removed. stream: the rewards of all campaigns that are live or ended lately are
    made again from their shards where they are missing, then the dead letters that were there before are removed.
    """
    body, name = request.body, QueueName(request.path["queue"])
    if body.campaign_id is not None and name is not QueueName.FULFILMENTS:
        reason = "only the queue fulfilments can be redriven for one campaign"
        raise ValidationFailed(errors=[FieldError("/campaign_id", "refused", {"reason": reason})])
    done = use_cases.redrive_queues(
        name,
        request.subject,
        limit=body.limit,
        cursor=body.cursor,
        campaign_id=body.campaign_id,
        dry_run=body.dry_run,
    )
    return Answer(
        RedriveBody(
            queue=name,
            dry_run=body.dry_run,
            looked_at=done.looked_at,
            redriven=done.redriven,
            removed=done.removed,
            left=done.left,
            rewards=list(done.rewards),
            next=done.next,
        ),
        noted={"queue": name, "dry_run": body.dry_run, "redriven": done.redriven, "removed": done.removed},
    )


def _acted(act: RewardAct) -> Answer:
    headers = {} if act.changed else {"Idempotent-Replayed": "true"}
    body = FulfilmentActBody(fulfilment=FulfilmentFields.of(act.sight), changed=act.changed)
    return Answer(body, headers=headers)


def _moment(text: str, now: int) -> int:
    try:
        at = from_rfc3339(text)
    except ValueError:
        at = -1
    if at < 0:
        raise ValidationFailed(errors=[FieldError("/at", "not_a_time")])
    if at > now + EARLY_MS:
        raise ValidationFailed(errors=[FieldError("/at", "in_future")])
    return at


def _act(verb: str, handler: Any, summary: str, *errors: type[BrandDayError]) -> Route:
    return Route(
        "POST",
        f"{_ONE}/{verb}",
        handler,
        summary,
        FulfilmentActBody,
        scope=OPERATOR,
        needs_key=True,
        headers={"Idempotent-Replayed": "`true` when there was nothing left to change."},
        errors=errors,
    )


_ALL: Final = "/v1/admin/fulfilments"
_ONE: Final = f"{_ALL}/{{reward_id}}"

ROUTES: Final = (
    Route(
        "POST",
        "/v1/fulfilments/{reward_id}/receipts",
        take_receipt,
        "Report what became of a reward",
        ReportReceiptBody,
        body=ReceiptInput,
        signed=True,
    ),
    Route(
        "GET",
        _ALL,
        list_fulfilments,
        "List the rewards of a campaign by status",
        FulfilmentListBody,
        scope=OPERATOR,
        needs_query=("campaign_id",),
        query={
            "campaign_id": (Annotated[str, Field(pattern=f"^{_CAMPAIGN_ID}$")], "Whose rewards."),
            "status": (RewardStatus, "Only these; all statuses, one after the other, if it is left out."),
            **page_query(default=DEFAULT_LIMIT, most=MAX_LIMIT),
        },
        errors=(CampaignNotFound,),
    ),
    Route("GET", _ONE, get_fulfilment, "Look at a reward as an operator", FulfilmentBody, scope=OPERATOR),
    _act("approve", approve_fulfilment, "Let a reward go as the second person", SecondPersonRequired, RewardNotWaiting),
    _act("redrive", redrive_fulfilment, "Send a failed or returned reward anew", RewardNotWaiting),
    Route("GET", "/v1/admin/queues", list_queues, "See how long the queues are", QueueListBody, scope=OPERATOR),
    Route(
        "POST",
        "/v1/admin/queues/{queue}/redrive",
        redrive_queue,
        "Do again what was given up",
        RedriveBody,
        scope=OPERATOR,
        body=RedriveInput,
        needs_key=True,
        errors=(CampaignNotFound,),
    ),
)
"""The routes of FulfilmentsFunction."""
