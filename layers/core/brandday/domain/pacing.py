"""When the units of a prize may be won: the plan that was committed to, as numbers that every environment computes.

Unit k of a prize (from 0) has a release time; times ascend with k. Unit k lives in shard ``(7 * slot + k) % shards``,
which is how :meth:`Layout.capacity` splits the stock, so each shard knows by itself how many of its units must stay:
those whose time has not come. Nothing has to run at a release: units are simply no longer held back.

A cap per day is split over the shards the same way, and goes on the next day where this one's last share ended: on day
d (from 0) shares j = d * cap ... (d + 1) * cap - 1 are in shard ``(7 * slot + j) % shards``. So no unit lies in a shard
that never has a share, and no shard needs to know what others gave out. A share that was not used is not carried over.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from brandday.domain.layout import SLOTS
from brandday.domain.lottery import HOURS, AtOnce, Frozen, Lottery, Moments, Prize, Rounds
from brandday.domain.luck import ROLL_RANGE, moment_roll
from brandday.domain.shard import LIVE, Shard

HOUR_MS = 60 * 60 * 1000
_SLOT_STRIDE = 7


class Step(NamedTuple):
    """From `at` (epoch ms) on, `units` in all are released."""

    at: int
    units: int


@dataclass(frozen=True)
class PrizePace:
    """The committed pace of one prize: `steps` ascend in time and units, the last one reaches `stock`."""

    slot: str
    stock: int
    steps: tuple[Step, ...]
    per_day: int | None
    shards: int

    @cached_property
    def _times(self) -> list[int]:
        return [step.at for step in self.steps]

    def released(self, at: int) -> int:
        """How many units' time has come at `at`."""
        index = bisect_right(self._times, at)
        return self.steps[index - 1].units if index else 0

    def released_in(self, shard: int, at: int) -> int:
        """How many of these are in `shard`."""
        return self._of_shard(0, self.released(at), shard)

    def reserved_in(self, shard: int, at: int) -> int:
        """How many units in `shard` have a time that has not come at `at`."""
        return self._of_shard(self.released(at), self.stock, shard)

    def shard_of(self, unit: int) -> int:
        """Where a unit (from 0) lives."""
        return (int(self.slot, 36) * _SLOT_STRIDE + unit) % self.shards

    def share_in(self, shard: int, day: int) -> int | None:
        """How many units may leave `shard` on a day (from 0); None without a cap per day."""
        return None if self.per_day is None else self._of_shard(day * self.per_day, (day + 1) * self.per_day, shard)

    def _of_shard(self, start: int, stop: int, shard: int) -> int:
        """How many of the numbers from start to stop (not included) are in the shard."""
        first = (shard - int(self.slot, 36) * _SLOT_STRIDE) % self.shards
        return -(-(stop - first) // self.shards) - -(-(start - first) // self.shards)


class Pacing:
    """The pace of all prizes of one lottery, in the words of the rules of stock (`stock.Pace`)."""

    def __init__(self, lottery: Lottery, frozen: Frozen, seed: bytes) -> None:
        self._days = frozen.days
        self.by_prize: Mapping[str, PrizePace] = {
            prize.id: PrizePace(slot, prize.stock, release_steps(prize, frozen, seed), prize.per_day, frozen.shards)
            for slot, prize in zip(SLOTS, lottery.prizes, strict=False)
        }
        self._by_slot = {pace.slot: pace for pace in self.by_prize.values()}

    def reserved(self, slot: str, shard: int, now: int) -> int:
        """How many units of `slot` in `shard` exist and may not be taken before some time after `now`."""
        return self._by_slot[slot].reserved_in(shard, now)

    def left_today(self, slot: str, shard: Shard, now: int) -> int | None:
        """How many more units of `slot` may leave `shard` on the day of `now`; None without a cap per day.

        Counted from the shard's own records by the times of the claims. A unit that came back is no longer taken, so
        it does not count: the day may give it to somebody else.
        """
        day = day_of(self._days, now)
        share = self._by_slot[slot].share_in(shard.number, day)
        if share is None:
            return None
        used = sum(
            entry.quantity
            for _, entry in shard.entries()
            if entry.slot == slot and entry.state in LIVE and day_of(self._days, entry.attempt) == day
        )
        return max(0, share - used)


def day_of(days: Sequence[int], at: int) -> int:
    """Return which of the local days (by their midnights) `at` is in, from 0; before the first is -1."""
    return bisect_right(days, at) - 1


def release_steps(prize: Prize, frozen: Frozen, seed: bytes) -> tuple[Step, ...]:
    """Return the steps in which a prize's units are released.

    Rounds share the stock equally; what cannot be shared goes to the earlier ones. Moments are secret until the seed is
    not: the time of a unit is drawn from the schedule, an hour of the day with twice the weight getting twice as many.
    ValueError if no hour with a weight is within the schedule.
    """
    match prize.release:
        case AtOnce():
            return (Step(frozen.starts_at, prize.stock),)
        case Rounds(times):
            return tuple(Step(at, -(-prize.stock * (done + 1) // len(times))) for done, at in enumerate(times))
        case Moments(weights):
            stretches = list(_stretches(frozen, weights))
            drawn = sorted(_moment(moment_roll(seed, prize.id, unit), stretches) for unit in range(prize.stock))
            return tuple(Step(at, units) for units, at in enumerate(drawn, 1))


class _Stretch(NamedTuple):
    starts_at: int
    ends_at: int
    weight: int
    mass_before: int


def _stretches(frozen: Frozen, weights: Sequence[int]) -> Iterator[_Stretch]:
    """The schedule cut at the hours of each day, with the mass (milliseconds times weight) that lies before.

    Hours are counted from local midnight: on the two days a year that are an hour longer or shorter, hours after the
    change are off by one, and a 25th hour has the weight of the 24th. The rule is the same for all who check it.
    """
    mass = 0
    for day, midnight in enumerate(frozen.days):
        next_midnight = frozen.days[day + 1] if day + 1 < len(frozen.days) else frozen.ends_at
        for start in range(midnight, next_midnight, HOUR_MS):
            begin, end = max(start, frozen.starts_at), min(start + HOUR_MS, next_midnight, frozen.ends_at)
            if begin < end:
                weight = weights[min((start - midnight) // HOUR_MS, HOURS - 1)]
                yield _Stretch(begin, end, weight, mass)
                mass += (end - begin) * weight


def _moment(rolled: int, stretches: Sequence[_Stretch]) -> int:
    last = stretches[-1]
    mass = last.mass_before + (last.ends_at - last.starts_at) * last.weight
    if not mass:
        raise ValueError("no hour that has a weight is within the schedule")
    # A 256-bit roll times a mass below 2^64: no millisecond is favoured by more than 2^-192.
    place = rolled * mass // ROLL_RANGE
    stretch = stretches[bisect_right(stretches, place, key=lambda each: each.mass_before) - 1]
    return stretch.starts_at + (place - stretch.mass_before) // stretch.weight
