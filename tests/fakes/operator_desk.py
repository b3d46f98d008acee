"""Everything an operator works with, in memory: campaigns with their trails, stock, and a clock that stands still."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from brandday.domain.campaign import Campaign
from brandday.domain.errors import FieldError
from brandday.domain.fulfilment import Fulfilment
from brandday.domain.trail import TrailEntry
from brandday.entrypoints.admin import AdminUseCases
from brandday.usecases.inspect_campaign import InspectCampaign
from brandday.usecases.inspect_draw import InspectDraw
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.operate_campaign import OperateCampaign
from brandday.usecases.rehearse_draw import RehearseDraw
from tests.fakes.clock import SettableClock
from tests.fakes.coupon_desk import CouponDesk
from tests.fakes.declarations import BEFORE, declared
from tests.fakes.destinations import all_reachable
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_draws import MemoryDraws
from tests.fakes.memory_entrants import MemoryEntrants
from tests.fakes.memory_entry_counts import MemoryEntryCounts
from tests.fakes.memory_refusals import MemoryRefusals
from tests.fakes.memory_stock import MemoryStock

WHO = "operator-1"


class RecordedCampaigns(MemoryCampaigns):
    """Campaigns in memory whose trails can be read."""

    def history(self, campaign_id: str) -> Sequence[TrailEntry]:
        """Return the acts, the latest first."""
        return list(reversed(self.trails.get(campaign_id, [])))


@dataclass
class Desk:
    """An operator's desk an hour before the sale of `declarations` opens."""

    campaigns: RecordedCampaigns = field(default_factory=lambda: RecordedCampaigns(MemorySummaries()))
    stock: MemoryStock = field(default_factory=MemoryStock)
    clock: SettableClock = field(default_factory=lambda: SettableClock(BEFORE))
    refusals: MemoryRefusals = field(default_factory=MemoryRefusals)
    entries: MemoryEntryCounts = field(default_factory=MemoryEntryCounts)
    entrants: MemoryEntrants = field(default_factory=MemoryEntrants)
    draws: MemoryDraws = field(default_factory=MemoryDraws)
    check_destinations: Callable[[Fulfilment], Sequence[FieldError]] = all_reachable
    coupons: CouponDesk = field(init=False)

    def __post_init__(self) -> None:
        self.coupons = CouponDesk(self.campaigns, self.stock, self.clock)

    @property
    def operate(self) -> OperateCampaign:
        """Return the acts; randomness is all zeros."""
        return OperateCampaign(self.campaigns, self.stock, self.clock, bytes, self.check_destinations)

    @property
    def use_cases(self) -> AdminUseCases:
        """Return what the admin routes ask for."""
        live = LiveCampaigns(self.campaigns, self.clock)
        rehearse = RehearseDraw(live, self.entrants, self.draws, self.clock, bytes)
        return AdminUseCases(
            self.operate,
            InspectCampaign(self.campaigns, self.refusals, self.entries, self.clock),
            InspectDraw(live, self.draws, rehearse, self.clock),
            self.coupons.manage(),
        )

    def published(self) -> Campaign:
        """Declare and publish a campaign."""
        self.operate.apply(declared(), WHO, publish=True)
        return self.live()

    def live(self) -> Campaign:
        """Return the campaign as it is."""
        return self.campaigns.campaigns[declared().id]

    def acts(self) -> list[str]:
        """Return the acts of the trail, the first one first."""
        return [entry.act for entry in self.campaigns.trails.get(declared().id, [])]
