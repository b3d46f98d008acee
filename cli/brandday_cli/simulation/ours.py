"""Our backend in the simulation: the product's own use cases, over simulated tables."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from brandday.domain.campaign import Campaign, Shopper
from brandday.domain.errors import AllHeld, BrandDayError, SoldOut, TemporarilyOverloaded
from brandday.usecases.expire_holds import ExpireHolds
from brandday.usecases.keep_summary import KeepSummary
from brandday.usecases.live_campaigns import REFRESH_MS, LiveCampaigns
from brandday.usecases.manage_reservation import ManageReservation
from brandday.usecases.project_stock import ProjectStock, ShardChanged
from brandday.usecases.reserve_units import ReserveUnits
from brandday_cli.simulation.crowd import Shoppers, is_first, shopper_of
from brandday_cli.simulation.day import Day
from brandday_cli.simulation.partitions import Partitions, Usage
from brandday_cli.simulation.tables import (
    Documents,
    Latency,
    Shards,
    SimulatedCampaigns,
    SimulatedStock,
    SimulatedSummaries,
)
from brandday_cli.simulation.ticks import Ticks

NAME = "ours: shards with claims"

_BATCH = 100
_RETRY_BATCH_MS = 100
_RETRY_EXPIRY_MS = 1000


class Ours:
    """One campaign on sale. `wrong` counts refusals that were not true when they were given; there must be none."""

    name = NAME
    takes_shortcuts = True

    def __init__(self, ticks: Ticks, day: Day, dice: random.Random) -> None:
        latency = Latency(ticks, dice, day.pace.call_least, day.pace.call_most)
        self._ticks = ticks
        self._day = day
        self._dice = dice
        self.stock_table = Partitions(ticks, day.warmth.stock_writes, day.warmth.stock_reads)
        self.campaign_table = Partitions(ticks, day.warmth.campaign_writes, day.warmth.campaign_reads)
        self.usage: defaultdict[str, Usage] = defaultdict(Usage)
        self.wrong = 0
        self.held_while_free = 0
        self._stream = _Stream(ticks, day, self._projector)
        self.shards = Shards(self.stock_table, latency, self._stream.follow)
        self.shards.free_units = day.stock
        self._documents = Documents(self.campaign_table, latency, day.campaign)
        self._timers = _Timers(ticks, self._expiry())

    @property
    def free_units(self) -> int:
        """Units that nobody holds, in truth."""
        return self.shards.free_units

    @property
    def sold_units(self) -> int:
        """Units that are paid, in truth."""
        return self.shards.sold_units

    def environment(self, shoppers: Shoppers) -> "_Environment":
        """Return a new environment; it remembers nothing yet."""
        return _Environment(self, self._ticks, self._day.campaign, self._documents, self._dice, shoppers)

    def _projector(self) -> Callable[[Sequence[ShardChanged]], None]:
        usage, now = self.usage["projector"], self._ticks.now
        campaigns = LiveCampaigns(SimulatedCampaigns(self._documents, usage, now()), now)
        keep_summary = KeepSummary(SimulatedSummaries(self._documents, usage), now)
        return ProjectStock(campaigns, keep_summary, self._timers, now)

    def _expiry(self) -> Callable[[], ExpireHolds]:
        def make() -> ExpireHolds:
            usage, now = self.usage["expiry"], self._ticks.now
            campaigns = LiveCampaigns(SimulatedCampaigns(self._documents, usage, now()), now)
            return ExpireHolds(campaigns, SimulatedStock(self.shards, usage), self._timers, now)

        return make


class _Environment:
    """The use cases of one environment.

    A new shopper is refused at once where the answer is certain: all is sold, the environment has met every home shard
    since, and its config is fresh. There the use case would look into its memory and no further.
    """

    def __init__(
        self,
        ours: Ours,
        ticks: Ticks,
        campaign: Campaign,
        documents: Documents,
        dice: random.Random,
        shoppers: Shoppers,
    ) -> None:
        now = ticks.now
        self._ours = ours
        self._ticks = ticks
        self._campaign = campaign
        self._campaigns = LiveCampaigns(SimulatedCampaigns(documents, ours.usage["config"], now()), now)
        self._reserve = ReserveUnits(self._campaigns, SimulatedStock(ours.shards, ours.usage["claims"]), now)
        self._manage = ManageReservation(self._campaigns, SimulatedStock(ours.shards, ours.usage["payments"]), now)
        self._shoppers = shoppers
        self._skus = [sku.sku for sku in campaign.skus]
        self._weights = [sku.stock for sku in campaign.skus]
        self._choose = dice.choices
        self._closed_homes: set[int] = set()
        self._certain_until = 0

    def answers_at_once(self, request: int) -> bool:
        if self._ticks.now_ms >= self._certain_until or not is_first(request):
            return False
        self._refuse_as_sold_out()
        return True

    def serve(self, request: int) -> None:
        if request < 0:
            self._confirm(request)
        else:
            self._claim(request)

    def _claim(self, request: int) -> None:
        shopper = f"s{shopper_of(request)}"
        sku = self._skus[0] if len(self._skus) == 1 else self._choose(self._skus, self._weights)[0]
        asked = Shopper(shopper, channel=self._campaign.channels[0])
        try:
            outcome = self._reserve(asked, self._campaign.id, sku, 1, shopper)
        except SoldOut:
            self._refuse_as_sold_out()
            self._note_closed(shopper)
        except AllHeld as held:
            self._ours.held_while_free += self._ours.free_units > 0
            self._shoppers.all_held(request, held.retry_after_ms)
        except TemporarilyOverloaded as busy:
            self._shoppers.throttled(request, busy.retry_after_ms)
        else:
            self._shoppers.granted(outcome.reservation.id)

    def _confirm(self, request: int) -> None:
        try:
            self._manage.confirm(self._shoppers.payment(request), "order")
            self._shoppers.paid()
        except TemporarilyOverloaded as busy:
            self._shoppers.throttled(request, busy.retry_after_ms)
        except BrandDayError:  # the hold was over: the shop refunds
            self._shoppers.answers["paid_late"] += 1

    def _refuse_as_sold_out(self) -> None:
        # Of several SKUs one is sold out before the others, and only all of them together are counted here.
        self._ours.wrong += len(self._skus) == 1 and self._ours.sold_units < self._weights[0]
        self._shoppers.sold_out()

    def _note_closed(self, shopper: str) -> None:
        layout = self._campaign.layout
        if layout is None or len(self._skus) > 1 or not self._ours.takes_shortcuts:
            return
        if len(self._closed_homes) < layout.shards:
            self._closed_homes.add(layout.home_of(shopper))
        else:  # just asked, so this asks nobody: what is known is fresh until then
            self._certain_until = self._campaigns.get(self._campaign.id).loaded_at + REFRESH_MS


class _Stream:
    """DynamoDB Streams and the projector behind it: so many lanes, each of them in order and in batches."""

    def __init__(self, ticks: Ticks, day: Day, make: Callable[[], Callable[[Sequence[ShardChanged]], None]]) -> None:
        self._ticks = ticks
        self._delay = day.pace.stream
        self._make = make
        self._lanes: list[_Lane] = []
        self._partitions = max(1, -(-day.warmth.stock_writes // 1000)) * day.stream_lanes
        self.most_waiting = 0

    def follow(self, change: ShardChanged) -> None:
        if not self._lanes:
            self._lanes = [_Lane(self._ticks, self._delay, self._make()) for _ in range(self._partitions)]
        lane = self._lanes[change.after.number % len(self._lanes)]
        lane.follow(change)


class _Lane:
    def __init__(self, ticks: Ticks, delay: int, project: Callable[[Sequence[ShardChanged]], None]) -> None:
        self._ticks = ticks
        self._delay = delay
        self._project = project
        self._changes: list[ShardChanged] = []
        self._works = False

    def follow(self, change: ShardChanged) -> None:
        self._changes.append(change)
        if not self._works:
            self._works = True
            self._ticks.call_at(self._ticks.now_ms + self._delay, lambda: self._ticks.begin(self._work))

    def _work(self) -> None:
        while self._changes:
            batch = self._changes[:_BATCH]
            try:
                self._project(batch)
            except TemporarilyOverloaded:
                self._ticks.sleep(_RETRY_BATCH_MS)
            else:
                del self._changes[: len(batch)]
        self._works = False


class _Timers:
    """The queue of hold timers, and the worker that looks at a shard when one of its holds is due."""

    def __init__(self, ticks: Ticks, make: Callable[[], ExpireHolds]) -> None:
        self._ticks = ticks
        self._make = make
        self._worker: ExpireHolds | None = None

    def send(self, reminders: Sequence[tuple[str, int, int]], now: int) -> None:
        for campaign_id, shard, due in reminders:
            self._ticks.call_at(max(due, now), self._look(campaign_id, shard, due))

    def _look(self, campaign_id: str, shard: int, due: int) -> Callable[[], None]:
        def look() -> None:
            self._worker = self._worker or self._make()
            try:
                self._worker(campaign_id, shard, due)
            except TemporarilyOverloaded:
                self._ticks.call_at(self._ticks.now_ms + _RETRY_EXPIRY_MS, self._look(campaign_id, shard, due))

        return lambda: self._ticks.begin(look)
