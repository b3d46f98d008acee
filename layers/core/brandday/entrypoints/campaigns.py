"""Campaigns over HTTP, as the public sees them, and whether this service is up. No token is needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, Field

from brandday.domain.campaign import Sku, State
from brandday.domain.campaign_view import Availability, CampaignView
from brandday.domain.fulfilment import RewardKind
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.money import MoneyBody
from brandday.entrypoints.routes import PUBLIC_FOR_A_SECOND, Answer, Output, Request, Route


@dataclass(frozen=True, slots=True)
class CampaignUseCases:
    """What these routes ask for."""

    list_campaigns: Callable[[], Sequence[CampaignView]]
    get_campaign: Callable[[str], CampaignView]


class RewardTermsBody(BaseModel):
    """What a unit is once it is the shopper's."""

    kind: RewardKind
    value: Annotated[MoneyBody | None, Field(description="What one is worth, if that is said.")]


class SkuBody(BaseModel):
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
            reward=RewardTermsBody(
                kind=sku.reward.kind, value=None if sku.reward.value is None else MoneyBody.of(sku.reward.value)
            ),
            availability=availability,
        )


class EligibilityBody(BaseModel):
    """Who may buy; an empty list leaves nobody out."""

    member_tiers: list[str]
    new_customers_only: bool
    regions: list[str]


class CampaignFields(BaseModel):
    """A campaign; the sale runs in `[starts_at, ends_at)`, RFC 3339 in UTC."""

    id: str
    title: dict[str, str]
    mechanic: str
    state: Annotated[State, Field(description="What the campaign is at server_time.")]
    time_zone: Annotated[str, Field(description="IANA name of the zone the schedule was made in.")]
    starts_at: str
    ends_at: str
    channels: list[str]
    eligibility: EligibilityBody
    limit_per_shopper: Annotated[int, Field(description="Units one shopper may have in this campaign.")]
    hold_seconds: Annotated[int, Field(description="How long a reservation is held for payment.")]
    extend_seconds: Annotated[int, Field(description="How much longer, once, when payment begins.")]
    claim_until: Annotated[
        str | None, Field(description="Until when winners of physical rewards can say where to send them.")
    ]
    skus: list[SkuBody]


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
        limit_per_shopper=campaign.limit_per_shopper,
        hold_seconds=campaign.hold_seconds,
        extend_seconds=campaign.extend_seconds,
        claim_until=to_rfc3339_or_none(campaign.fulfilment.claim_until),
        skus=[SkuBody.of(sku, view.availability[sku.sku]) for sku in campaign.skus],
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
