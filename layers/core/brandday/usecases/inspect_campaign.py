"""What an operator sees of campaigns: drafts too, the audit trail, and how the stock stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from brandday.domain.campaign import Campaign, State
from brandday.domain.trail import TrailEntry
from brandday.usecases.live_campaigns import read_summary
from brandday.usecases.ports import Campaigns, Clock


class CampaignRecords(Campaigns, Protocol):
    """Campaigns as stored, with their summaries and audit trails."""

    def history(self, campaign_id: str) -> Sequence[TrailEntry]:
        """Return the newest acts, the latest first."""


class RefusalCounts(Protocol):
    """What shoppers were refused, by code."""

    def load(self, campaign_id: str) -> Mapping[str, int]:
        """Return the counts of one campaign."""


@dataclass(frozen=True, slots=True)
class CampaignSight:
    """A campaign and what it is at the moment of looking."""

    campaign: Campaign
    state: State


@dataclass(frozen=True, slots=True)
class SkuStatistics:
    """How the units of one SKU stand: `free + held + sold == initial + restocked`."""

    sku: str
    initial: int
    restocked: int
    free: int
    held: int
    sold: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """How a campaign's stock stood when the summary was last kept: `as_of`, epoch ms; None if nothing has happened.

    `refusals` are requests by the code they were refused with; some seconds behind, and at most a few short.
    """

    campaign_id: str
    state: State
    as_of: int | None
    skus: tuple[SkuStatistics, ...]
    refusals: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class InspectCampaign:
    """Looks at campaigns on behalf of an operator; all raise CampaignNotFound for one that does not exist."""

    campaigns: CampaignRecords
    refusals: RefusalCounts
    now: Clock

    def show(self, campaign_id: str) -> CampaignSight:
        """The campaign as it is now."""
        campaign, _ = self.campaigns.load(campaign_id, consistent=True)
        return CampaignSight(campaign, campaign.state_at(self.now()))

    def list(self) -> tuple[CampaignSight, ...]:
        """All campaigns, the latest to start first."""
        sights = [self.show(campaign_id) for campaign_id in self.campaigns.list_ids()]
        return tuple(sorted(sights, key=lambda sight: (-sight.campaign.starts_at, sight.campaign.id)))

    def history(self, campaign_id: str) -> Sequence[TrailEntry]:
        """The campaign's newest acts, the latest first."""
        self.show(campaign_id)
        return self.campaigns.history(campaign_id)

    def statistics(self, campaign_id: str) -> Statistics:
        """How the stock stands, as the stream projector has counted it."""
        campaign, attributes = self.campaigns.load(campaign_id)
        summary = read_summary(attributes)
        slots = {} if campaign.layout is None else campaign.layout.slots
        skus = []
        for sku in campaign.skus:
            restocked = campaign.restocked(sku.sku)
            slot = slots.get(sku.sku, "")
            skus.append(
                SkuStatistics(
                    sku=sku.sku,
                    initial=sku.stock,
                    restocked=restocked,
                    free=summary.free(slot, sku.stock + restocked),
                    held=summary.held.get(slot, 0),
                    sold=summary.sold.get(slot, 0),
                )
            )
        return Statistics(
            campaign_id,
            campaign.state_at(self.now()),
            summary.as_of or None,
            tuple(skus),
            self.refusals.load(campaign_id),
        )
