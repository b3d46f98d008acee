"""What operators do to campaigns, over HTTP. Every route needs a token with the scope `operator`.

Acts can be repeated: one that finds its work done changes nothing and says so (`Idempotent-Replayed: true`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from brandday.config.mechanics import any_campaign_file, parse_campaign, to_declaration
from brandday.config.parts import MAX_UNITS, SKU_ID
from brandday.config.problems import DocumentRefused
from brandday.domain.campaign import Campaign, State, Status
from brandday.domain.errors import (
    BrandDayError,
    CampaignChangeRefused,
    CampaignConflict,
    CampaignEnded,
    CampaignNotFound,
    CampaignNotPublished,
    FieldError,
    RestockConflict,
    ValidationFailed,
)
from brandday.domain.luck import write_odds
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.routes import OPERATOR, Answer, Input, Output, Request, Route, Shape
from brandday.entrypoints.trail_body import ChangeBody, TrailEntryBody
from brandday.usecases.inspect_campaign import (
    CampaignSight,
    InspectCampaign,
    LotteryStatistics,
    PrizeStatistics,
    SkuStatistics,
    Statistics,
)
from brandday.usecases.operate_campaign import Act, OperateCampaign

if TYPE_CHECKING:
    from brandday.config.campaign_file import CampaignFile
    from brandday.usecases.coupon_jobs import ManageCoupons
    from brandday.usecases.inspect_draw import InspectDraw

DOCUMENT_LIMIT_BYTES: Final = 128 * 1024
_ERRORS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class AdminUseCases:
    """What these routes ask for."""

    operate: OperateCampaign
    inspect: InspectCampaign
    draws: "InspectDraw"
    coupons: "ManageCoupons"


class CampaignDocument(RootModel[dict[str, Any]]):
    """A campaign as declared (`docs/campaign.schema.json`); `parse_campaign` checks it, with better words."""

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """In the API's documentation it is what its mechanic takes."""
        del core_schema
        return handler(any_campaign_file().__pydantic_core_schema__)


class RestockInput(Input):
    """Units to add; the same id with the same content adds them once."""

    id: Annotated[str, Field(pattern=SKU_ID, description="The operator's own id of this restock.")]
    sku: Annotated[str, Field(pattern=SKU_ID)]
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]


class RestockBody(Shape):
    """A restock; `done` once every shard has its part. Until then the same request takes up what is left."""

    id: str
    sku: str
    quantity: int
    at: str
    done: bool


class CampaignLine(Shape):
    """A campaign in a list. Times are RFC 3339 in UTC."""

    id: str
    title: dict[str, str]
    status: Annotated[Status, Field(description="What operators have made of it.")]
    state: Annotated[State, Field(description="What it is at server_time.")]
    version: Annotated[int, Field(description="Grows by one with every act.")]
    time_zone: str
    starts_at: str
    ends_at: str
    units: Annotated[int, Field(description="Initial and restocked units of all SKUs.")]

    @classmethod
    def of(cls, sight: CampaignSight) -> Self:
        """The same, on the wire."""
        return cls(**_line(sight.campaign, sight.state))


class TableRecord(Shape):
    """One version of a lottery's odds, as exact fractions by prize; in force from `since` on."""

    version: int
    since: str
    odds: dict[str, str]
    hash: Annotated[str, Field(description="SHA-256, in hex, of the version as it is published.")]


class LotteryRecord(Shape):
    """What a published lottery has promised. Its seed is nowhere in this API."""

    commitment: Annotated[str, Field(description="SHA-256 of the seed, in hex.")]
    tables: Annotated[list[TableRecord], Field(description="The oldest first.")]

    @classmethod
    def of(cls, campaign: Campaign) -> Self | None:
        """The same, on the wire; None for what is no lottery, or none that is published."""
        lottery, luck = campaign.lottery, campaign.luck
        if lottery is None or luck is None:
            return None
        return cls(
            commitment=luck.frozen.commitment,
            tables=[
                TableRecord(
                    version=table.version,
                    since=to_rfc3339(table.since),
                    odds={prize: write_odds(odds) for prize, odds in table.odds.items()},
                    hash=table.hash(lottery, luck.frozen),
                )
                for table in luck.tables
            ],
        )


class CampaignRecord(CampaignLine):
    """A campaign with all that is kept about it."""

    document: Annotated[dict[str, Any], Field(description="As it could be applied again, with local times.")]
    restocks: list[RestockBody]
    shards: Annotated[int | None, Field(description="Over how many items the stock is split; null for drafts.")]
    lottery: Annotated[LotteryRecord | None, Field(description="Null for drafts, and for what is no lottery.")]
    applied_at: str | None
    published_at: str | None
    ended_at: str | None

    @classmethod
    def from_campaign(cls, campaign: Campaign, state: State) -> Self:
        """The same, on the wire."""
        return cls(
            **_line(campaign, state),
            document=to_declaration(campaign),
            restocks=[RestockBody(**restock.to_document()) for restock in campaign.restocks],
            shards=None if campaign.layout is None else campaign.layout.shards,
            lottery=LotteryRecord.of(campaign),
            applied_at=to_rfc3339_or_none(campaign.applied_at),
            published_at=to_rfc3339_or_none(campaign.published_at),
            ended_at=to_rfc3339_or_none(campaign.ended_at),
        )


class OperatorCampaignListBody(Output):
    """All campaigns, the latest to start first."""

    campaigns: list[CampaignLine]


class OperatorCampaignBody(Output):
    """One campaign."""

    campaign: CampaignRecord


class ActBody(Output):
    """What an act came to; no changes if it was done before."""

    campaign: CampaignRecord
    changes: list[ChangeBody]
    dry_run: Annotated[bool, Field(description="True: this is what would be; nothing was written.")] = False


class HistoryBody(Output):
    """The newest acts, the latest first."""

    entries: list[TrailEntryBody]


class SkuStatisticsBody(Shape):
    """How the units of one SKU stand: `free + held + sold == initial + restocked`."""

    sku: str
    initial: int
    restocked: int
    free: int
    held: int
    sold: int

    @classmethod
    def of(cls, statistics: SkuStatistics) -> Self:
        """The same, on the wire."""
        return cls(
            sku=statistics.sku,
            initial=statistics.initial,
            restocked=statistics.restocked,
            free=statistics.free,
            held=statistics.held,
            sold=statistics.sold,
        )


class PrizeStatisticsBody(Shape):
    """How a prize comes out against its plan; fractions are texts like `1/200`. What was won is `sold` of its SKU."""

    prize: str
    odds: Annotated[str | None, Field(description="In force now; null where no roll decides.")]
    expected: Annotated[str | None, Field(description="Odds times entries, exactly; null without odds.")]
    released: Annotated[int | None, Field(description="Units whose time has come; null: winning moments are secret.")]

    @classmethod
    def of(cls, statistics: PrizeStatistics) -> Self:
        """The same, on the wire."""
        return cls(
            prize=statistics.prize,
            odds=None if statistics.odds is None else write_odds(statistics.odds),
            expected=None if statistics.expected is None else write_odds(statistics.expected),
            released=statistics.released,
        )


class LotteryStatisticsBody(Shape):
    """How a lottery goes."""

    entries: Annotated[int, Field(description="So far; a second behind, and approximate.")]
    prizes: list[PrizeStatisticsBody]

    @classmethod
    def of(cls, statistics: LotteryStatistics) -> Self:
        """The same, on the wire."""
        return cls(entries=statistics.entries, prizes=[PrizeStatisticsBody.of(prize) for prize in statistics.prizes])


class StatisticsBody(Output):
    """How the stock stood at `as_of` (null: nothing has happened yet); about a second behind."""

    campaign_id: str
    state: State
    as_of: str | None
    skus: list[SkuStatisticsBody]
    refusals: Annotated[
        dict[str, int], Field(description="Requests refused so far, by code; some seconds behind, and approximate.")
    ]
    lottery: Annotated[LotteryStatisticsBody | None, Field(description="Null unless it is a published lottery.")]

    @classmethod
    def of(cls, statistics: Statistics) -> Self:
        """The same, on the wire."""
        return cls(
            campaign_id=statistics.campaign_id,
            state=statistics.state,
            as_of=to_rfc3339_or_none(statistics.as_of),
            skus=[SkuStatisticsBody.of(sku) for sku in statistics.skus],
            refusals=dict(statistics.refusals),
            lottery=None if statistics.lottery is None else LotteryStatisticsBody.of(statistics.lottery),
        )


def list_campaigns(use_cases: AdminUseCases, _: Request[None]) -> Answer:
    """200 with all campaigns, drafts too."""
    return Answer(OperatorCampaignListBody(campaigns=[CampaignLine.of(sight) for sight in use_cases.inspect.list()]))


def get_campaign(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with the campaign, also when it is a draft."""
    sight = use_cases.inspect.show(_id(request))
    return Answer(OperatorCampaignBody(campaign=CampaignRecord.from_campaign(sight.campaign, sight.state)))


def apply_campaign(use_cases: AdminUseCases, request: Request[CampaignDocument]) -> Answer:
    """200 with the campaign and what was changed.

    `?dry_run=true` checks everything and writes nothing. `?version=3` applies only to the version that the
    operator has looked at (0: there was none), or answers `campaign_conflict`.
    """
    declared = _read_document(request.body.root, _id(request))
    dry_run = _read_flag(request.query, "dry_run")
    act = use_cases.operate.apply(
        declared.to_campaign(),
        request.subject,
        publish=declared.status == "published",
        dry_run=dry_run,
        expected_version=_read_number(request.query, "version"),
    )
    return _answer(use_cases, act, dry_run=dry_run)


def publish_campaign(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with the published campaign; its terms, its layout and a lottery's luck are frozen from now on."""
    return _answer(use_cases, use_cases.operate.publish(_id(request), request.subject))


def pause_campaign(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with the paused campaign; within two seconds nobody gets a unit any more."""
    return _answer(use_cases, use_cases.operate.pause(_id(request), request.subject))


def resume_campaign(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with the campaign, which goes on."""
    return _answer(use_cases, use_cases.operate.resume(_id(request), request.subject))


def end_campaign(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with the campaign, which is over for good; a scheduled draw still takes place at its time."""
    return _answer(use_cases, use_cases.operate.end(_id(request), request.subject))


def restock_campaign(use_cases: AdminUseCases, request: Request[RestockInput]) -> Answer:
    """200 with the restocked campaign, however often the same restock is asked for."""
    body = request.body
    act = use_cases.operate.restock(_id(request), body.id, body.sku, body.quantity, request.subject)
    return _answer(use_cases, act)


def get_history(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with the audit trail."""
    entries = use_cases.inspect.history(_id(request))
    return Answer(HistoryBody(entries=[TrailEntryBody.of(entry) for entry in entries]))


def get_statistics(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with free, held and sold units of every SKU."""
    return Answer(StatisticsBody.of(use_cases.inspect.statistics(_id(request))))


def _id(request: Request[Any]) -> str:
    return request.path["campaign_id"]


def _answer(use_cases: AdminUseCases, act: Act, *, dry_run: bool = False) -> Answer:
    state = act.campaign.state_at(use_cases.inspect.now())
    return Answer(
        ActBody(
            campaign=CampaignRecord.from_campaign(act.campaign, state),
            changes=[ChangeBody.of(change) for change in act.changes],
            dry_run=dry_run,
        ),
        headers={} if act.changes else {"Idempotent-Replayed": "true"},
    )


def _read_document(document: Mapping[str, Any], campaign_id: str) -> "CampaignFile":
    try:
        declared = parse_campaign(document)
    except DocumentRefused as refused:
        raise ValidationFailed(
            errors=[
                FieldError(problem.pointer[:200], "refused", {"reason": problem.message})
                for problem in refused.problems[:_ERRORS_SHOWN]
            ]
        ) from None
    if declared.id != campaign_id:
        raise ValidationFailed(errors=[FieldError("/id", "refused", {"reason": "must be the id in the address"})])
    return declared


def _read_flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false")
    if value not in ("true", "false"):
        raise _wrong_query(f"the query parameter {name} must be true or false")
    return value == "true"


def _read_number(query: Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 16):
        raise _wrong_query(f"the query parameter {name} must be a whole number")
    return int(value)


def _wrong_query(reason: str) -> ValidationFailed:
    return ValidationFailed(errors=[FieldError("", "refused", {"reason": reason})])


def _line(campaign: Campaign, state: State) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "title": dict(campaign.title),
        "status": campaign.status,
        "state": state,
        "version": campaign.version,
        "time_zone": campaign.time_zone,
        "starts_at": to_rfc3339(campaign.starts_at),
        "ends_at": to_rfc3339(campaign.over_at()),
        "units": sum(sku.stock + campaign.restocked(sku.sku) for sku in campaign.skus),
    }


_REPLAYED_HEADER: Final = {"Idempotent-Replayed": "`true` when there was nothing left to change."}


def _act(
    verb: str,
    handler: Any,
    summary: str,
    *errors: type[BrandDayError],
    body: type[BaseModel] | None = None,
) -> Route:
    return Route(
        "POST",
        f"/v1/admin/campaigns/{{campaign_id}}/{verb}",
        handler,
        summary,
        ActBody,
        scope=OPERATOR,
        body=body,
        needs_key=True,
        headers=_REPLAYED_HEADER,
        errors=(CampaignNotFound, CampaignConflict, *errors),
    )


def _look(path: str, handler: Any, summary: str, answer: type[Output], *errors: type[BrandDayError]) -> Route:
    return Route("GET", path, handler, summary, answer, scope=OPERATOR, errors=errors)


_ONE: Final = "/v1/admin/campaigns/{campaign_id}"

ROUTES: Final = (
    _look("/v1/admin/campaigns", list_campaigns, "List all campaigns, drafts too", OperatorCampaignListBody),
    _look(_ONE, get_campaign, "Look at a campaign as an operator", OperatorCampaignBody, CampaignNotFound),
    Route(
        "PUT",
        _ONE,
        apply_campaign,
        "Declare a campaign, or change it",
        ActBody,
        scope=OPERATOR,
        body=CampaignDocument,
        body_limit_bytes=DOCUMENT_LIMIT_BYTES,
        headers=_REPLAYED_HEADER,
        query={
            "dry_run": (bool, "True: check everything, tell what would change, write nothing."),
            "version": (int, "Apply only to the version that was looked at; 0: there was none."),
        },
        errors=(CampaignChangeRefused, CampaignConflict),
    ),
    _act("publish", publish_campaign, "Publish a draft", CampaignEnded, ValidationFailed),
    _act("pause", pause_campaign, "Pause a sale", CampaignEnded, CampaignNotPublished),
    _act("resume", resume_campaign, "Let a paused sale go on", CampaignEnded, CampaignNotPublished),
    _act("end", end_campaign, "End a sale for good", CampaignNotPublished),
    _act(
        "restocks",
        restock_campaign,
        "Add units",
        CampaignEnded,
        CampaignNotPublished,
        CampaignChangeRefused,
        RestockConflict,
        body=RestockInput,
    ),
    _look(f"{_ONE}/history", get_history, "Read the audit trail", HistoryBody, CampaignNotFound),
    _look(f"{_ONE}/statistics", get_statistics, "See how the stock stands", StatisticsBody, CampaignNotFound),
)
"""The routes of AdminFunction."""
