"""What an operator sees of campaigns: drafts too, the audit trail, and how the stock stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from brandday.domain.campaign import Campaign, State
from brandday.domain.lottery import Moments, Prize, table_at
from brandday.domain.pacing import release_steps
from brandday.domain.trail import TrailEntry
from brandday.usecases.live_campaigns import read_summary
from brandday.usecases.lottery_ports import EntryCounts
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
class PrizeStatistics:
    """How a prize comes out against its plan.

    `odds` are those in force now, None where no roll decides. `expected` is odds times entries, for each version of the
    odds that was in force; None without odds. `released` counts the units whose time has come; None for winning
    moments, which are secret: who knew that one waits to be met could tell a friend.
    """

    prize: str
    odds: Fraction | None
    expected: Fraction | None
    released: int | None


@dataclass(frozen=True, slots=True)
class LotteryStatistics:
    """Entries so far (a second behind, and approximate: `count_entries`), and the prizes of an instant win."""

    entries: int
    prizes: tuple[PrizeStatistics, ...]


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
    lottery: LotteryStatistics | None = None


@dataclass(frozen=True, slots=True)
class InspectCampaign:
    """Looks at campaigns on behalf of an operator; all raise CampaignNotFound for one that does not exist."""

    campaigns: CampaignRecords
    refusals: RefusalCounts
    entries: EntryCounts
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
            self._lottery(campaign),
        )

    def _lottery(self, campaign: Campaign) -> LotteryStatistics | None:
        lottery, luck = campaign.lottery, campaign.luck
        if lottery is None or luck is None:
            return None
        now = self.now()
        counts = self.entries.load(campaign.id)
        tables = {table.version: table for table in luck.tables}
        in_force = table_at(luck.tables, now)

        def expected(prize: Prize) -> Fraction | None:
            if prize.odds is None:
                return None
            return sum(
                (tables[version].odds[prize.id] * count for version, count in counts.items() if version in tables),
                Fraction(),
            )

        def released(prize: Prize) -> int | None:
            if isinstance(prize.release, Moments):
                return None
            steps = release_steps(prize, luck.frozen, NO_SEED)
            return max((step.units for step in steps if step.at <= now), default=0)

        prizes = (
            PrizeStatistics(prize.id, in_force.odds.get(prize.id), expected(prize), released(prize))
            for prize in lottery.prizes
        )
        return LotteryStatistics(sum(counts.values()), tuple(prizes))


NO_SEED = b""
"""What plans of release that are no secret follow from."""
