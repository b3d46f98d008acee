"""What operators do about coupons, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from brandday.usecases.coupon_jobs import ManageCoupons
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_codes import LiveCodes
from brandday.usecases.ports import Clock
from tests.fakes.memory_campaigns import MemoryCampaigns
from tests.fakes.memory_coupon_jobs import MemoryCouponJobs
from tests.fakes.memory_coupons import MemoryCoupons
from tests.fakes.memory_rewards import MemoryRewards
from tests.fakes.memory_stock import MemoryStock
from tests.fakes.tap import Tap, tapped


@dataclass
class CouponDesk:
    """Coupons, their jobs and their rewards; the tap sees every call to them."""

    campaigns: MemoryCampaigns
    stock: MemoryStock
    clock: Clock
    tap: Tap = field(default_factory=Tap)
    rewards: MemoryRewards = field(default_factory=MemoryRewards)
    coupons: MemoryCoupons = field(init=False)
    jobs: MemoryCouponJobs = field(init=False)

    def __post_init__(self) -> None:
        self.coupons = MemoryCoupons(self.stock)
        self.jobs = MemoryCouponJobs(self.coupons)

    def manage(self) -> ManageCoupons:
        """Return a cold environment of the operators' function."""
        live = LiveCampaigns(self.campaigns, self.clock)
        coupons = tapped(self.coupons, "coupons", self.tap)
        return ManageCoupons(
            campaigns=self.campaigns,
            coupons=coupons,
            jobs=tapped(self.jobs, "jobs", self.tap),
            rewards=tapped(self.rewards, "rewards", self.tap),
            codes=LiveCodes(self.campaigns, coupons, live, self.stock, self.clock),
            now=self.clock,
            random_bytes=bytes,
        )
