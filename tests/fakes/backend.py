"""The whole backend over fakes: one world of data, as many execution environments as a test likes.

Time stands still until a test moves it, nothing happens in the background, and every call that would leave the
process goes through one tap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from brandday.domain.campaign import (
    Campaign,
    Eligibility,
    LatePayment,
    Shopper,
    Sku,
    Status,
)
from brandday.domain.errors import BrandDayError
from brandday.domain.layout import Layout, home_shard, plan_layout
from brandday.domain.money import Money
from brandday.domain.reservation import Outcome, Reservation
from brandday.domain.shard import CONFIRMED, Refused, Shard, ShardWrite, Written, is_restock_mark
from brandday.domain.stock import Terms
from brandday.domain.summary import Tally
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.browse_campaigns import BrowseCampaigns
from brandday.usecases.expire_holds import ExpireHolds
from brandday.usecases.guard_ports import Gate
from brandday.usecases.keep_summary import KeepSummary
from brandday.usecases.live_campaigns import LiveCampaigns, read_summary, terms_of
from brandday.usecases.manage_reservation import ManageReservation
from brandday.usecases.operate_campaign import OperateCampaign
from brandday.usecases.project_stock import ProjectStock, ShardChanged
from brandday.usecases.reserve_units import ReserveUnits
from brandday.usecases.sweep_stock import SweepStock
from tests.fakes.clock import SettableClock
from tests.fakes.destinations import all_reachable
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_queue import MemoryQueue
from tests.fakes.memory_stock import MemoryStock
from tests.fakes.memory_tallies import MemoryTallies
from tests.fakes.tap import Tap, tapped

SALE = "brand-day-2026-07"
OPENS = 1_783_526_400_000  # 2026-07-09T00:00:00+08:00
CLOSES = OPENS + 3 * 24 * 60 * 60 * 1000
HOLD_MS = 600_000
EXTENDED_MS = 900_000
SALT = bytes(range(16))


def sku(name: str = "HERO", stock: int = 1, per_shopper: int = 1) -> Sku:
    """Return something to sell."""
    return Sku(name, {"en": name}, Money(19_900, "CNY"), Money(9_950, "CNY"), stock, per_shopper)


def sale(*skus: Sku, shards: int | None = None, limit: int = 35, **changes: Any) -> Campaign:
    """Return a published campaign; `shards` overrides how many shards its stock would be split over."""
    chosen = skus or (sku(),)
    campaign = Campaign(
        id=SALE,
        title={"en": "Brand Day"},
        mechanic="flash_sale",
        time_zone="Asia/Shanghai",
        starts_at=OPENS,
        ends_at=CLOSES,
        channels=("web", "app"),
        skus=chosen,
        limit_per_shopper=limit,
        hold_seconds=HOLD_MS // 1000,
        extend_seconds=(EXTENDED_MS - HOLD_MS) // 1000,
        late_payment=LatePayment.RECLAIM,
        eligibility=Eligibility(),
        status=Status.PUBLISHED,
        version=1,
        layout=plan_layout(chosen, SALT),
    )
    campaign = replace(campaign, **changes)
    if shards is not None and campaign.layout is not None:
        campaign = replace(campaign, layout=replace(campaign.layout, shards=shards))
    return campaign


def web_shopper(shopper_id: str) -> Shopper:
    """Return somebody who may buy."""
    return Shopper(shopper_id, channel="web")


@dataclass
class StreamingStock(MemoryStock):
    """Stock in memory with a stream: what a write has changed is in the stream if, and only if, it happened."""

    stream: list[ShardChanged] = field(default_factory=list)

    def write(self, campaign_id: str, write: ShardWrite) -> Written | Refused:
        """Do one write, or say why not."""
        before = self.shard(write.shard, campaign_id)
        answer = super().write(campaign_id, write)
        if isinstance(answer, Written):
            after = self.shard(write.shard, campaign_id)
            self.stream.append(ShardChanged(campaign_id, before if before.version else None, after))
        return answer


@dataclass
class Environment:
    """One execution environment of the shoppers' functions, with its own memory."""

    live: LiveCampaigns
    reserve_units: ReserveUnits
    manage: ManageReservation
    browse: BrowseCampaigns

    def reserve(
        self,
        shopper: str | Shopper,
        name: str = "HERO",
        quantity: int = 1,
        key: str = "key-1",
        campaign: str = SALE,
        visit: Visit = NO_VISIT,
    ) -> Outcome:
        """Claim units for a shopper of the web channel, or for the one given."""
        who = web_shopper(shopper) if isinstance(shopper, str) else shopper
        return self.reserve_units(who, campaign, name, quantity, key, visit)

    def refused(
        self,
        shopper: str | Shopper,
        name: str = "HERO",
        quantity: int = 1,
        key: str = "key-1",
        visit: Visit = NO_VISIT,
    ) -> BrandDayError:
        """Claim units in vain; return the refusal."""
        try:
            outcome = self.reserve(shopper, name, quantity, key, visit=visit)
        except BrandDayError as refusal:
            return refusal
        raise AssertionError(f"was not refused: {outcome}")

    def get(self, shopper: str, reservation_id: str) -> Reservation:
        """Look at a reservation."""
        return self.manage.get(web_shopper(shopper), reservation_id)

    def cancel(self, shopper: str, reservation_id: str) -> Reservation:
        """Give a reservation back."""
        return self.manage.cancel(web_shopper(shopper), reservation_id)

    def extend(self, shopper: str, reservation_id: str) -> Reservation:
        """Extend a hold."""
        return self.manage.extend(web_shopper(shopper), reservation_id)

    def confirm(self, reservation_id: str, order_id: str = "order-1") -> Outcome:
        """Pay."""
        return self.manage.confirm(reservation_id, order_id)


class Backend:
    """One campaign's world. `tap` sees every call to stock, campaigns, summaries and queue."""

    def __init__(self, campaign: Campaign | None = None, *, now: int = OPENS) -> None:
        self.clock = SettableClock(now)
        self.tap = Tap()
        self.stock = StreamingStock()
        self.summaries = MemorySummaries()
        self.campaigns = MemoryCampaigns(self.summaries)
        self.queue = MemoryQueue()
        self.gate: Gate | None = None
        self.tallies = MemoryTallies(self.stock)
        self.put(campaign or sale())

    # --- the campaign ---

    def put(self, campaign: Campaign) -> None:
        """Make a campaign what it shall be, as an operator's act would."""
        self.campaigns.campaigns[campaign.id] = campaign

    def change(self, **changes: Any) -> None:
        """Change the campaign, as an operator's act would."""
        self.put(replace(self.campaign, **changes))

    @property
    def campaign(self) -> Campaign:
        """The campaign as it is."""
        return self.campaigns.campaigns[SALE]

    @property
    def layout(self) -> Layout:
        """How its stock is split."""
        layout = self.campaign.layout
        assert layout is not None
        return layout

    @property
    def terms(self) -> Terms:
        """The terms of its claims."""
        return terms_of(self.campaign, self.layout)

    def shopper_at(self, home: int, number: int = 0) -> str:
        """Return the id of a shopper (the `number`-th one) whose home is that shard."""
        found = (name for name in (f"shopper-{at}" for at in range(100_000)) if self.layout.home_of(name) == home)
        for _ in range(number):
            next(found)
        return next(found)

    # --- who acts ---

    def environment(self) -> Environment:
        """Return a cold execution environment."""
        campaigns = tapped(self.campaigns, "campaigns", self.tap)
        stock = tapped(self.stock, "stock", self.tap)
        live = LiveCampaigns(campaigns, self.clock)
        return Environment(
            live,
            ReserveUnits(live, stock, self.clock, self.gate, tapped(self.tallies, "tallies", self.tap)),
            ManageReservation(live, stock, self.clock),
            BrowseCampaigns(live, campaigns, self.clock),
        )

    def warm_environment(self) -> Environment:
        """Return an environment that has its config already."""
        environment = self.environment()
        environment.live.get(SALE)
        return environment

    def operator(self) -> OperateCampaign:
        """Return who restocks and pauses."""
        return OperateCampaign(
            tapped(self.campaigns, "campaigns", self.tap),
            tapped(self.stock, "stock", self.tap),
            self.clock,
            bytes,
            all_reachable,
        )

    def projector(self) -> ProjectStock:
        """Return a cold environment of the stream's consumer."""
        return ProjectStock(self._live(), self._keep_summary(), tapped(self.queue, "queue", self.tap), self.clock)

    def expirer(self) -> ExpireHolds:
        """Return a cold environment of the queue's consumer."""
        stock = tapped(self.stock, "stock", self.tap)
        return ExpireHolds(self._live(), stock, tapped(self.queue, "queue", self.tap), self.clock)

    def sweeper(self) -> SweepStock:
        """Return a cold environment of the schedule."""
        campaigns, stock = tapped(self.campaigns, "campaigns", self.tap), tapped(self.stock, "stock", self.tap)
        return SweepStock(self._live(), campaigns, stock, self._keep_summary(), self.clock)

    def _live(self) -> LiveCampaigns:
        return LiveCampaigns(tapped(self.campaigns, "campaigns", self.tap), self.clock)

    def _keep_summary(self) -> KeepSummary:
        return KeepSummary(tapped(self.summaries, "summaries", self.tap), self.clock)

    # --- what happens in the background, when a test says so ---

    def project(self) -> None:
        """Let the stream be projected to its end; a batch leaves the stream when it was projected."""
        while self.stock.stream:
            batch = self.stock.stream[:100]
            self.projector()(batch)
            del self.stock.stream[: len(batch)]

    def remind(self) -> None:
        """Let all reminders that are due be handled; a message leaves the queue when it was handled."""
        for reminder in self.queue.due(self.clock()):
            self.expirer()(*reminder)
            self.queue.delete(reminder)

    def settle(self) -> None:
        """Project, and let a second pass so that every environment looks again."""
        self.project()
        self.clock.advance(1000)

    # --- the truth ---

    def shards(self) -> list[Shard]:
        """Return all shards as they are."""
        return [self.stock.shard(number, SALE) for number in range(self.layout.shards)]

    def counts(self, name: str = "HERO") -> Tally:
        """Return the units of a SKU that are free, held and sold, counted in the shards."""
        slot = self.layout.slots[name]
        return _counts(self.layout, self.shards(), slot)

    def summary_counts(self, name: str = "HERO") -> Tally:
        """Return the same as the summary knows it."""
        slot = self.layout.slots[name]
        summary = read_summary(self.summaries.attributes(SALE))
        total = self.layout.stock[slot] + self.campaign.restocked(name)
        held, sold = summary.held.get(slot, 0), summary.sold.get(slot, 0)
        return Tally(total - held - sold, held, sold)

    def owned(self, shopper: str, name: str = "HERO") -> int:
        """Return the units of a SKU that a shopper owns, held or bought, wherever they are."""
        slot, of = self.layout.slots[name], self.layout.name_of(shopper)
        return sum(
            entry.units for shard in self.shards() for who, entry in shard.entries() if who == of and entry.slot == slot
        )

    def check(self, *, finished_restocks: bool = True) -> None:
        """Assert what must always hold: no unit lost or doubled, no shopper over a limit, no claim out of reach."""
        shards = self.shards()
        for slot, name in self.layout.skus.items():
            counts = _counts(self.layout, shards, slot)
            added = sum(
                int(text)
                for shard in shards
                for mark, text in shard.records.items()
                if is_restock_mark(mark) and mark.startswith(f"r{slot}.")
            )
            assert sum(counts) == self.layout.stock[slot] + added, (name, counts, added)
            assert min(counts) >= 0
            if finished_restocks:
                assert added == self.campaign.restocked(name)
        self._check_limits(shards)
        self._check_pointers(shards)

    def _check_limits(self, shards: Sequence[Shard]) -> None:
        now, owned = self.clock(), dict[tuple[str, str], int]()
        for shard in shards:
            for who, entry in shard.entries():
                if entry.state == CONFIRMED or (entry.is_held and not self.terms.is_due(entry, now)):
                    owned[who, entry.slot] = owned.get((who, entry.slot), 0) + entry.units
        for (who, slot), units in owned.items():
            wanted = self.campaign.sku(self.layout.skus[slot])
            assert wanted is not None
            assert units <= wanted.units_per_shopper, (who, slot, units)
        for who in {who for who, _ in owned}:
            assert sum(units for (of, _), units in owned.items() if of == who) <= self.campaign.limit_per_shopper

    def _check_pointers(self, shards: Sequence[Shard]) -> None:
        for shard in shards:
            for who, entry in shard.entries():
                home = home_shard(who, self.layout.shards)
                if entry.units and shard.number != home:
                    known = [(known.shard, known.attempt) for of, known in shards[home].entries() if of == who]
                    assert (shard.number, entry.attempt) in known, (who, entry)


def _counts(layout: Layout, shards: Sequence[Shard], slot: str) -> Tally:
    free = sum(shard.free.get(slot, layout.capacity(slot, shard.number)) for shard in shards)
    entries = [entry for shard in shards for _, entry in shard.entries() if entry.slot == slot]
    held = sum(entry.units for entry in entries if entry.is_held)
    return Tally(free, held, sum(entry.units for entry in entries if entry.state == CONFIRMED))
