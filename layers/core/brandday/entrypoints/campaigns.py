"""Campaigns over HTTP, as the public sees them, and whether this service is up. No token is needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import Field

from brandday.domain.beacon import out_at
from brandday.domain.campaign import Sku, State
from brandday.domain.campaign_view import Availability, CampaignView, LotteryView, PrizeView, TableView
from brandday.domain.fulfilment import RewardKind, RewardTerms
from brandday.domain.lottery import AtOnce, Draw, LotteryMode, Moments, ReleasePlan, Rounds
from brandday.domain.luck import write_odds
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.coupon_terms import CouponTermsBody
from brandday.entrypoints.money import MoneyBody
from brandday.entrypoints.routes import PUBLIC_FOR_A_SECOND, Answer, Output, Request, Route, Shape


@dataclass(frozen=True, slots=True)
class CampaignUseCases:
    """What these routes ask for."""

    list_campaigns: Callable[[], Sequence[CampaignView]]
    get_campaign: Callable[[str], CampaignView]


class RewardTermsBody(Shape):
    """What a unit is once it is the shopper's."""

    kind: RewardKind
    value: Annotated[MoneyBody | None, Field(description="What one is worth, if that is said.")]

    @classmethod
    def of(cls, reward: RewardTerms) -> Self:
        """The same, on the wire."""
        return cls(kind=reward.kind, value=None if reward.value is None else MoneyBody.of(reward.value))


class SkuBody(Shape):
    """One thing on sale; `title` by language tag."""

    sku: str
    title: dict[str, str]
    list_price: MoneyBody
    sale_price: MoneyBody
    units_per_shopper: int
    reward: RewardTermsBody
    availability: Availability

    @classmethod
    def of(cls, sku: Sku, availability: Availability) -> Self:
        """The same, on the wire."""
        return cls(
            sku=sku.sku,
            title=dict(sku.title),
            list_price=MoneyBody.of(sku.list_price),
            sale_price=MoneyBody.of(sku.sale_price),
            units_per_shopper=sku.units_per_shopper,
            reward=RewardTermsBody.of(sku.reward),
            availability=availability,
        )


class ReleaseBody(Shape):
    """When the units of a prize can be won."""

    plan: Annotated[
        Literal["all", "rounds", "moments"],
        Field(description="all: from the start; rounds: in equal shares; moments: at secret times."),
    ]
    times: Annotated[list[str] | None, Field(description="When each round begins; null but for rounds.")]
    hour_weights: Annotated[
        list[int] | None,
        Field(description="How many moments fall into each hour of the day, against each other; null but for moments."),
    ]

    @classmethod
    def of(cls, plan: ReleasePlan) -> Self:
        """The same, on the wire."""
        match plan:
            case AtOnce():
                return cls(plan="all", times=None, hour_weights=None)
            case Rounds(times):
                return cls(plan="rounds", times=list(map(to_rfc3339, times)), hour_weights=None)
            case Moments(weights):
                return cls(plan="moments", times=None, hour_weights=list(weights))


class PrizeBody(Shape):
    """One thing to be won; `title` by language tag."""

    prize: str
    title: dict[str, str]
    quantity: int
    odds: Annotated[
        str | None, Field(description="Of one entry at server_time, as an exact fraction; null where no roll decides.")
    ]
    odds_between: Annotated[
        list[str] | None,
        Field(description="From where to where the odds may change; null: not at all."),
    ]
    release: ReleaseBody
    per_day: Annotated[int | None, Field(description="Units that can be won on one local day, at most.")]
    per_shopper: Annotated[int | None, Field(description="Units that one shopper can win, at most.")]
    reward: RewardTermsBody
    availability: Annotated[Availability, Field(description="Whether there are units that nobody has won.")]

    @classmethod
    def of(cls, view: PrizeView) -> Self:
        """The same, on the wire."""
        prize = view.prize
        return cls(
            prize=prize.id,
            title=dict(prize.title),
            quantity=prize.stock,
            odds=None if view.odds is None else write_odds(view.odds),
            odds_between=None if prize.odds_between is None else list(map(write_odds, prize.odds_between)),
            release=ReleaseBody.of(prize.release),
            per_day=prize.per_day,
            per_shopper=prize.per_shopper,
            reward=RewardTermsBody.of(prize.reward),
            availability=view.availability,
        )


class PityBody(Shape):
    """Who has missed `after` times in a row wins `prize` with the next entry."""

    after: int
    prize: str


class AllowanceBody(Shape):
    """How often one shopper can enter; days are those of the campaign's time zone."""

    per_day: int
    per_campaign: int
    earned: Annotated[int, Field(description="Chances that can be earned on top.")]


class DrawTermsBody(Shape):
    """When winners are drawn, and who is asked when one does not answer."""

    at: str
    reserves: Annotated[int, Field(description="Places that are ranked behind the winners.")]
    beacon_round: Annotated[int | None, Field(description="The round of drand's chain quicknet that it waits for.")]
    beacon_out_at: Annotated[str | None, Field(description="When that round comes out.")]

    @classmethod
    def of(cls, draw: Draw) -> Self:
        """The same, on the wire."""
        return cls(
            at=to_rfc3339(draw.at),
            reserves=draw.reserves,
            beacon_round=None if draw.beacon is None else draw.beacon.round,
            beacon_out_at=None if draw.beacon is None else to_rfc3339(out_at(draw.beacon)),
        )


class TableBody(Shape):
    """One version of the odds: in force from `since` on; `hash` is that of the version as it is published."""

    version: int
    since: str
    hash: str

    @classmethod
    def of(cls, table: TableView) -> Self:
        """The same, on the wire."""
        return cls(version=table.version, since=to_rfc3339(table.since), hash=table.hash)


class LotteryBody(Shape):
    """What can be won in a lottery and how, and what it has promised."""

    mode: Annotated[
        LotteryMode, Field(description="instant: an entry is decided at once; draw: winners are drawn later.")
    ]
    prizes: Annotated[list[PrizeBody], Field(description="The best one first.")]
    consolation: Annotated[str | None, Field(description="The prize of who wins no other, as long as there is any.")]
    pity: PityBody | None
    allowance: AllowanceBody
    draw: DrawTermsBody | None
    commitment: Annotated[str, Field(description="SHA-256 of the secret seed, in hex.")]
    table: Annotated[TableBody, Field(description="The version of the odds that is in force.")]
    next_table: Annotated[TableBody | None, Field(description="One that comes into force within seconds.")]

    @classmethod
    def of(cls, view: LotteryView) -> Self:
        """The same, on the wire."""
        lottery = view.lottery
        return cls(
            mode=lottery.mode,
            prizes=[PrizeBody.of(prize) for prize in view.prizes],
            consolation=lottery.consolation,
            pity=None if lottery.pity is None else PityBody(**lottery.pity._asdict()),
            allowance=AllowanceBody(**lottery.allowance._asdict()),
            draw=None if lottery.draw is None else DrawTermsBody.of(lottery.draw),
            commitment=view.commitment,
            table=TableBody.of(view.table),
            next_table=None if view.next_table is None else TableBody.of(view.next_table),
        )


class EligibilityBody(Shape):
    """Who may take part; an empty list leaves nobody out."""

    member_tiers: list[str]
    new_customers_only: bool
    regions: list[str]


class CampaignFields(Shape):
    """A campaign; it runs in `[starts_at, ends_at)`, RFC 3339 in UTC."""

    id: str
    title: dict[str, str]
    mechanic: str
    state: Annotated[State, Field(description="What the campaign is at server_time.")]
    time_zone: Annotated[str, Field(description="IANA name of the zone the schedule was made in.")]
    starts_at: str
    ends_at: str
    channels: list[str]
    eligibility: EligibilityBody
    limit_per_shopper: Annotated[
        int | None, Field(description="Units one shopper may have in this campaign; null for lotteries and coupons.")
    ]
    hold_seconds: Annotated[
        int | None, Field(description="How long a reservation is held for payment; null for lotteries and coupons.")
    ]
    extend_seconds: Annotated[
        int | None, Field(description="How much longer, once, when payment begins; null for lotteries and coupons.")
    ]
    claim_until: Annotated[
        str | None, Field(description="Until when winners of physical rewards can say where to send them.")
    ]
    skus: Annotated[list[SkuBody], Field(description="What is on sale; empty for lotteries and coupons.")]
    lottery: Annotated[LotteryBody | None, Field(description="What is to be won; null for what is no lottery.")]
    coupon: Annotated[CouponTermsBody | None, Field(description="What coupons give; null for what has none.")]


class CampaignBody(CampaignFields, Output):
    """One campaign."""


class CampaignListBody(Output):
    """All campaigns that are published and not long over."""

    campaigns: list[CampaignFields]


class HealthBody(Output):
    """The service answers."""

    status: Literal["ok"] = "ok"


def list_campaigns(use_cases: CampaignUseCases, _: Request[None]) -> Answer:
    """200 with all campaigns."""
    views = use_cases.list_campaigns()
    return Answer(CampaignListBody(campaigns=[_fields(view) for view in views]))


def get_campaign(use_cases: CampaignUseCases, request: Request[None]) -> Answer:
    """200 with the campaign."""
    view = use_cases.get_campaign(request.path["campaign_id"])
    return Answer(CampaignBody.model_construct(**dict(_fields(view))))


def get_health(_: CampaignUseCases, __: Request[None]) -> Answer:
    """200 as long as this function runs; it asks nobody else."""
    return Answer(HealthBody())


def _fields(view: CampaignView) -> CampaignFields:
    campaign = view.campaign
    is_sale = view.lottery is None and view.coupon is None
    return CampaignFields(
        id=campaign.id,
        title=dict(campaign.title),
        mechanic=campaign.mechanic,
        state=view.state,
        time_zone=campaign.time_zone,
        starts_at=to_rfc3339(campaign.starts_at),
        ends_at=to_rfc3339(campaign.over_at()),
        channels=list(campaign.channels),
        eligibility=EligibilityBody(
            member_tiers=list(campaign.eligibility.member_tiers),
            new_customers_only=campaign.eligibility.new_customers_only,
            regions=list(campaign.eligibility.regions),
        ),
        limit_per_shopper=campaign.limit_per_shopper if is_sale else None,
        hold_seconds=campaign.hold_seconds if is_sale else None,
        extend_seconds=campaign.extend_seconds if is_sale else None,
        claim_until=to_rfc3339_or_none(campaign.fulfilment.claim_until),
        skus=[SkuBody.of(sku, view.availability[sku.sku]) for sku in campaign.skus] if is_sale else [],
        lottery=None if view.lottery is None else LotteryBody.of(view.lottery),
        coupon=None if view.coupon is None else CouponTermsBody.of(view.coupon),
    )


ROUTES: Final = (
    Route(
        "GET",
        "/v1/campaigns",
        list_campaigns,
        "List the campaigns",
        CampaignListBody,
        cache_control=PUBLIC_FOR_A_SECOND,
        etag=True,
    ),
    Route(
        "GET",
        "/v1/campaigns/{campaign_id}",
        get_campaign,
        "Look at a campaign",
        CampaignBody,
        cache_control=PUBLIC_FOR_A_SECOND,
        etag=True,
    ),
    Route("GET", "/v1/health", get_health, "Ask whether the service is up", HealthBody),
)
"""The routes of CampaignsFunction."""
