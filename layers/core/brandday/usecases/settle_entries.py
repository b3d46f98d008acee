"""Finishes what an entry has begun: claims the unit of a pending prize and records what became of it.

Whoever comes by does it: the request that wrote the entry, its repetition, another request of the shopper, and the
consumer of EntryTable's stream for those who do not come back.
"""

from collections.abc import Callable, Iterator
from itertools import batched

from brandday.domain.effects import run
from brandday.domain.entrant import Entrant
from brandday.domain.entry_protocols import (
    Ask,
    Decided,
    Effect,
    EntryProtocol,
    Load,
    Nothing,
    Plan,
    Present,
    Save,
    finish,
    return_prize,
)
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.layout import SLOTS
from brandday.domain.lottery import AtOnce, Frozen
from brandday.domain.pacing import PrizePace
from brandday.domain.protocols import Read, Write
from brandday.domain.stock import ClaimRequest, LostRace
from brandday.usecases.live_campaigns import LiveCampaign
from brandday.usecases.live_lotteries import LiveLotteries, LiveLottery
from brandday.usecases.lottery_ports import Entrants
from brandday.usecases.ports import SHARDS_PER_READ, Clock, Stock

BUSY_MS = 300

HINTS = 4
"""How many shards a claim looks at before all of them are."""

LIKELY = 4
"""Write without reading while at least one of so many released units is there: a failed write costs as much as ten
reads."""

type Asked = Callable[[Ask], Present]
"""Answers what time it is and by which rules."""


class Records:
    """Drives the protocols of entries against the tables."""

    def __init__(self, entrants: Entrants, stock: Stock) -> None:
        self._entrants = entrants
        self.stock = stock

    def drive[Outcome](self, protocol: EntryProtocol[Outcome], frozen: Frozen, name: str, asked: Asked) -> Outcome:
        """Do what a protocol of the entrant ``name`` asks for, one thing after the other; return its outcome."""

        def do(effect: Effect) -> object:
            match effect:
                case Load(consistent):
                    return self._entrants.load(frozen, name, consistent=consistent)
                case Save(before, after):
                    return self._entrants.save(frozen, before, after)
                case Ask():
                    return asked(effect)
                case Read(shards, consistent):
                    return self.stock.read(frozen.campaign_id, shards, consistent=consistent)
                case Write(write):
                    return self.stock.write(frozen.campaign_id, write)

        return run(protocol, do)


class SettleEntries:
    """Settles pending entries; one instance serves an execution environment."""

    def __init__(self, lotteries: LiveLotteries, records: Records, now: Clock) -> None:
        self._lotteries = lotteries
        self._records = records
        self._now = now

    def __call__(self, campaign_id: str, entrant: Entrant) -> Entrant:
        """Return an entrant's record with nothing pending, given one that may be a moment old.

        TemporarilyOverloaded if others were faster again and again: the entry is still pending then.
        """
        if not entrant.entries or not entrant.entries[-1].pending:
            return entrant

        def asked(_: Ask) -> Present:
            return present(self._lotteries.get(campaign_id), self._now())

        frozen = self._lotteries.get(campaign_id).state.frozen
        settling = finish(entrant, len(entrant.entries), consistent=False)
        settled = self._records.drive(settling, frozen, entrant.name, asked)
        if isinstance(settled, LostRace):
            raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)
        return settled


class ReturnPrizes:
    """Gives back the units of prizes that nobody claimed in time."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def __call__(self, live: LiveCampaign, entrant: str, number: int, now: int) -> bool:
        """Give back what an entry has won; whether it is done. It can be repeated, and continued by anybody."""
        luck = live.campaign.luck
        if luck is None:
            raise ValueError(f"{live.campaign.id} is no lottery")
        returning = return_prize(live.campaign.id, entrant, number, live.terms, now)
        outcome = self._records.drive(returning, luck.frozen, entrant, _asks_nothing)
        return not isinstance(outcome, LostRace)


def present(lottery: LiveLottery, now: int) -> Present:
    """Return what a protocol is told when it asks."""

    def noted(request: ClaimRequest, decided: Decided) -> None:
        if isinstance(decided, Nothing):
            if decided.fresh:
                lottery.saw_empty(request.slot, decided.fate, seen_at=decided.at, looked_at=request.now)
        else:
            lottery.saw_won(request.slot, request.now)

    def plan(request: ClaimRequest) -> Plan:
        return plan_claim(lottery, request)

    return Present(now, lottery.rules, lottery.terms, lottery.look, plan, noted)


def plan_claim(lottery: LiveLottery, request: ClaimRequest) -> Plan:
    """Return how to go about a claim, from what is known of the pool."""
    slot, now = request.slot, request.now
    prize = lottery.rules.lottery.prizes[SLOTS.index(slot)]
    pace = lottery.rules.pacing.by_prize[prize.id]
    released = pace.released(now)
    left = released - lottery.sold(slot)
    hints = [
        shard
        for shard, free in lottery.live.summary.candidates.get(slot, ())
        if free > pace.reserved_in(shard, now) and pace.released_in(shard, now)
    ]
    if not isinstance(prize.release, AtOnce):  # the units released last are the likeliest to be there
        hints = [pace.shard_of(unit) for unit in range(released - 1, max(-1, released - 1 - HINTS // 2), -1)] + hints
    chosen = tuple([shard for shard in dict.fromkeys(hints) if shard != request.home][:HINTS])
    return Plan(left * LIKELY >= released > 0, chosen, lambda: _pages(pace, released, request.home))


def _pages(pace: PrizePace, released: int, home: int) -> Iterator[tuple[int, ...]]:
    """Yield all shards with released units; each request begins elsewhere, so that not all want the same unit."""
    count = min(released, pace.shards)
    shards = (pace.shard_of((home + step) % count) for step in range(count))
    return batched(shards, SHARDS_PER_READ, strict=False)


def _asks_nothing(_: Ask) -> Present:
    raise AssertionError("a return needs no rules")
