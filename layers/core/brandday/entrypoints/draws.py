"""Lotteries over HTTP, as anybody sees them: what they promise, what they came to, and what the law wants published.

No token is needed. Entrants appear by the names they have in this one lottery; nothing here leads back to a shopper.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field

from brandday.domain.campaign import State
from brandday.domain.campaign_view import BeaconView, DrawView, RulesView, TableView
from brandday.domain.draw_record import Result, Seal
from brandday.domain.errors import ReceiptNotReady, WrongMechanic
from brandday.domain.lottery import LotteryMode
from brandday.domain.receipt_page import ReceiptPage
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.campaigns import LotteryBody
from brandday.entrypoints.draw_bodies import ResultBody, SealBody
from brandday.entrypoints.http_input import CURSOR, read_cursor, wrong_query
from brandday.entrypoints.routes import PUBLIC_FOR_A_SECOND, Answer, Output, Request, Route, Shape


@dataclass(frozen=True, slots=True)
class DrawUseCases:
    """What these routes ask for, by a campaign's id.

    get_seal and get_result: None until there is one. get_receipt(campaign id, cursor): None before it is
    published, ValueError for what is no cursor.
    """

    get_draw: Callable[[str], DrawView]
    get_seal: Callable[[str], Seal | None]
    get_result: Callable[[str], Result | None]
    get_receipt: Callable[[str, str | None], ReceiptPage | None]
    get_rules: Callable[[str], RulesView]


class DrawState(StrEnum):
    """How far a lottery is."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"
    SEALED = "sealed"
    DRAWN = "drawn"


class PrizeTableBody(Shape):
    """One version of the prize table; `hash` is the SHA-256 of `document` as canonical JSON."""

    version: int
    since: str
    hash: str
    document: Annotated[dict[str, Any], Field(description="Every rule that decides about outcomes; times in epoch ms.")]

    @classmethod
    def of(cls, table: TableView) -> Self:
        """The same, on the wire."""
        return cls(version=table.version, since=to_rfc3339(table.since), hash=table.hash, document=dict(table.document))


class BeaconBody(Shape):
    """The round of a public randomness beacon (drand) that the draw waits for."""

    chain: Annotated[str, Field(description="Hash of the chain, in hex.")]
    public_key: Annotated[str, Field(description="The chain's key, in hex.")]
    round: int
    out_at: str

    @classmethod
    def of(cls, beacon: BeaconView) -> Self:
        """The same, on the wire."""
        return cls(
            chain=beacon.chain,
            public_key=beacon.public_key,
            round=beacon.round,
            out_at=to_rfc3339(beacon.out_at),
        )


class DrawBody(Output):
    """What anybody needs to check a lottery. Times are RFC 3339 in UTC, hashes in hex."""

    campaign_id: str
    state: Annotated[DrawState, Field(description="How far it is at server_time; only a draw is ever `drawn`.")]
    mode: LotteryMode
    algorithm: Annotated[str, Field(description="Names every rule; another rule would have another name.")]
    commitment: Annotated[str, Field(description="SHA-256 of the seed, there since publication.")]
    tables: Annotated[list[PrizeTableBody], Field(description="All versions of the prize table, the oldest first.")]
    starts_at: str
    ends_at: str
    draw_at: Annotated[str | None, Field(description="Null for instant wins.")]
    beacon: BeaconBody | None
    sealed: Annotated[SealBody | None, Field(description="Null until the list is sealed.")]
    drawn: Annotated[ResultBody | None, Field(description="Null until the draw is held; always for instant wins.")]
    seed: Annotated[str | None, Field(description="Null until nothing can be decided by it any more.")]
    seed_from: Annotated[str, Field(description="When the seed is shown, at the earliest.")]


class DrawReceiptBody(Output):
    """A page of a receipt. Put the parts of all pages together: lists go on, objects are merged."""

    receipt: Annotated[dict[str, Any], Field(description="This page's part of the receipt.")]
    next: Annotated[str | None, Field(description="Send it as `after` for the next page; null: this is the last.")]


class RulesBody(Output):
    """What a prize promotion has to publish; texts are by language tag, times RFC 3339 in UTC."""

    campaign_id: str
    title: dict[str, str]
    state: State
    organiser: str
    contact: str
    conditions: Annotated[dict[str, str], Field(description="Who may take part, and how.")]
    claim_rules: Annotated[dict[str, str], Field(description="How a prize is claimed and handed over.")]
    forfeiture: Annotated[dict[str, str], Field(description="What becomes of prizes that nobody claims.")]
    time_zone: Annotated[str, Field(description="Days of the allowance and of caps begin at midnight there.")]
    starts_at: str
    ends_at: str
    claim_until: Annotated[str | None, Field(description="Until when a prize can be claimed; null: no limit.")]
    lottery: Annotated[LotteryBody, Field(description="Prizes, quantities, odds, allowance, and the draw if any.")]
    algorithm: str


def get_draw(use_cases: DrawUseCases, request: Request[None]) -> Answer:
    """200 with what the lottery has promised and, after the end, with what it takes to check that it was kept."""
    campaign_id = request.path["campaign_id"]
    view = use_cases.get_draw(campaign_id)
    # The result is asked for first: nothing is ever shown as drawn from a list that is not shown as sealed.
    may_be_drawn = view.state is State.ENDED and view.mode is LotteryMode.DRAW
    result = use_cases.get_result(campaign_id) if may_be_drawn else None
    seal = use_cases.get_seal(campaign_id) if view.state is State.ENDED else None
    return Answer(
        DrawBody(
            campaign_id=view.campaign_id,
            state=_state(view.state, seal, result),
            mode=view.mode,
            algorithm=view.algorithm,
            commitment=view.commitment,
            tables=[PrizeTableBody.of(table) for table in view.tables],
            starts_at=to_rfc3339(view.starts_at),
            ends_at=to_rfc3339(view.over_at),
            draw_at=to_rfc3339_or_none(view.draw_at),
            beacon=None if view.beacon is None else BeaconBody.of(view.beacon),
            sealed=None if seal is None else SealBody.of(seal),
            drawn=None if result is None else ResultBody.of(result),
            seed=None if view.seed is None else view.seed.hex(),
            seed_from=to_rfc3339(view.seed_from),
        )
    )


def get_receipt(use_cases: DrawUseCases, request: Request[None]) -> Answer:
    """200 with a page of the receipt, from which anybody computes every outcome again."""
    campaign_id = request.path["campaign_id"]
    try:
        page = use_cases.get_receipt(campaign_id, read_cursor(request.query))
    except ValueError:
        raise wrong_query("after", "not_a_cursor") from None
    if page is None:
        use_cases.get_draw(campaign_id)  # what is no lottery will never have a receipt: WrongMechanic
        raise ReceiptNotReady
    return Answer(DrawReceiptBody(receipt=dict(page.receipt), next=page.next))


def get_rules(use_cases: DrawUseCases, request: Request[None]) -> Answer:
    """200 with prizes, quantities, odds, times, conditions and who is behind it."""
    return Answer(_rules(use_cases.get_rules(request.path["campaign_id"])))


def _state(state: State, seal: Seal | None, result: Result | None) -> DrawState:
    if result is not None:
        return DrawState.DRAWN
    return DrawState(state) if seal is None else DrawState.SEALED


def _rules(view: RulesView) -> RulesBody:
    compliance = view.compliance
    return RulesBody(
        campaign_id=view.campaign_id,
        title=dict(view.title),
        state=view.state,
        organiser=compliance.organiser,
        contact=compliance.contact,
        conditions=dict(compliance.conditions),
        claim_rules=dict(compliance.claim_rules),
        forfeiture=dict(compliance.forfeiture),
        time_zone=view.time_zone,
        starts_at=to_rfc3339(view.starts_at),
        ends_at=to_rfc3339(view.over_at),
        claim_until=to_rfc3339_or_none(view.claim_until),
        lottery=LotteryBody.of(view.lottery),
        algorithm=view.algorithm,
    )


_DRAW: Final = "/v1/campaigns/{campaign_id}/draw"
_PUBLIC: Final[Mapping[str, Any]] = {"cache_control": PUBLIC_FOR_A_SECOND, "etag": True}

ROUTES: Final = (
    Route(
        "GET",
        _DRAW,
        get_draw,
        "See what a lottery has promised, and what came of it",
        DrawBody,
        errors=(WrongMechanic,),
        **_PUBLIC,
    ),
    Route(
        "GET",
        f"{_DRAW}/receipt",
        get_receipt,
        "Read the receipt of a lottery that is over",
        DrawReceiptBody,
        errors=(WrongMechanic, ReceiptNotReady),
        query={"after": (Annotated[str, Field(pattern=f"^{CURSOR.pattern}$")], "`next` of the page before.")},
        **_PUBLIC,
    ),
    Route(
        "GET",
        "/v1/campaigns/{campaign_id}/rules",
        get_rules,
        "Read the rules of a lottery: prizes, odds, times, conditions, organiser",
        RulesBody,
        errors=(WrongMechanic,),
        **_PUBLIC,
    ),
)
"""The routes of DrawsFunction."""
