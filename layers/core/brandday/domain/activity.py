"""Activity: how often, and by how many shoppers, something was tried; approximate, and one small item per signal.

*Attempts* are counted per limit in parts of its window, so that a window can slide. A part counts as long as any moment
of it is in the window: an estimate is never lower than what was counted in the window, and never higher than what was
counted in the window and one part (a sixth of it, or a second) before it. Fixed windows have one part and are exact.

*One write per request*, however many limits and rules look at it: a request is noted under one of its signals, drawn by
a hash with a chance of one in `weight`, and counts as that many there. So a count is right on average, as each request
adds ``weight * 1 / weight``, and exact where only one signal is needed. Elsewhere a limit gets a `margin`: who keeps it
is not to be refused because chance has counted them too often.

*How many shoppers* share a signal is estimated from which of 64 places were marked (linear counting: Whang,
Vander-Zanden, Taylor, A linear-time probabilistic counting algorithm, 1990): 12 % off with 100 shoppers, no more than
`MOST_DISTINCT` can be told. Where requests are drawn, it is a lower bound: a shopper counts once they were noted.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from brandday.domain.protection import Limit
from brandday.domain.signals import SignalKind

PLACES = 64
MOST_DISTINCT = round(PLACES * math.log(PLACES))
"""What is said when all places are marked: as many or more."""

PARTS = 6
"""Into how many parts a sliding window is divided, if they are seconds at least."""

NEW = 4
"""Signals that rules look at are noted as closely as if they had a limit like this until the shopper's place is marked;
then not at all.
"""

FRESH = 4
"""After about how many requests a shopper's places are marked."""

_SURE = 2.0
"""How many standard deviations a count has to be above a limit."""


class ActivityKey(NamedTuple):
    """Of what the activity is: the campaign or brand day (`Protection.scope`), the kind of signal, and its mark."""

    scope: str
    kind: SignalKind
    mark: str


class Part(NamedTuple):
    """A stretch of time that is counted as one for a limit: `seconds` from `begins_at` (epoch s) on; 0 is for ever."""

    limit: str
    seconds: int
    begins_at: int


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity item as read: weighted attempts by part, and the places marked."""

    counts: Mapping[Part, int] = field(default_factory=dict)
    places: frozenset[int] = frozenset()

    def estimate(self, limit: Limit, now: int) -> int:
        """Return how many attempts count for a limit at `now` (epoch ms)."""
        return sum(count for _, count in self._counting(limit, now))

    def frees_at(self, limit: Limit, below: float, now: int) -> int | None:
        """Return when (epoch ms) the estimate is below a number if nothing is added; None if that is never."""
        left = self.estimate(limit, now)
        if left < below:
            return now
        if limit.window is None:
            return None
        if not limit.window.sliding:
            return limit.window.ends_at(now)
        for part, count in self._counting(limit, now):
            left -= count
            if left < below:
                return (part.begins_at + part.seconds) * 1000 + limit.window.ms - 1
        return limit.window.ends_at(now)

    def distinct(self, place: int | None = None) -> int:
        """Return about how many shoppers were noted, and the one of this place."""
        marked = len(self.places if place is None else self.places | {place})
        return MOST_DISTINCT if marked >= PLACES else round(-PLACES * math.log(1 - marked / PLACES))

    def stale(self, limits: Iterable[Limit], now: int) -> tuple[Part, ...]:
        """Return the parts of these limits that will never count again."""
        known = {limit.name: limit for limit in limits}
        return tuple(part for part in self.counts if part.limit in known and not _counts(part, known[part.limit], now))

    def _counting(self, limit: Limit, now: int) -> list[tuple[Part, int]]:
        """Return what counts, the oldest first."""
        return sorted(
            (part, n) for part, n in self.counts.items() if part.limit == limit.name and _counts(part, limit, now)
        )


def part_of(limit: Limit, now: int) -> Part:
    """Return the part in which an attempt at `now` (epoch ms) counts."""
    seconds = _part_seconds(limit)
    if limit.window is None:
        return Part(limit.name, 0, 0)
    if limit.window.sliding:
        second = now // 1000
        return Part(limit.name, seconds, second - second % seconds)
    return Part(limit.name, seconds, limit.window.begins_at(now) // 1000)


def place_of(key: ActivityKey, shopper: str) -> int:
    """Return the place of a shopper (their mark) in an item; in each item another one."""
    return hashlib.blake2b(f"{key.mark}\0{shopper}".encode(), digest_size=1).digest()[0] % PLACES


class Note(NamedTuple):
    """What is added to an item: an attempt of this weight to each of the parts, and a place that is marked.

    `stale` parts are dropped; `forget_at` (epoch s) is when nobody needs the item.
    """

    parts: tuple[Part, ...]
    weight: int
    place: int
    stale: tuple[Part, ...]
    forget_at: int


@lru_cache(maxsize=256)
def weights(most: Sequence[int]) -> tuple[int, ...]:
    """Return per signal how many attempts one stands for, given the smallest limit of each.

    The chances (one in the weight) add up to 1 at most, and are such that all counts are about as exact, measured by
    their limits: the variance of a count of n is ``n * (weight - 1)``, and that is for ``n = most`` to be the same part
    of ``most`` squared everywhere. Small limits are counted closely, large ones sparsely.
    """
    if len(most) <= 1:
        return (1,) * len(most)
    factor = 1.0 / (2 * max(most))
    while True:
        chosen = tuple(math.ceil(1 + factor * each) for each in most)
        if math.fsum(1 / weight for weight in chosen) <= 1 + 1e-9:
            return chosen
        factor *= 1.05


def draw(seed: str, chances: Sequence[int]) -> int | None:
    """Return which of the signals a request is noted under, each with a chance of one in its weight; None for none.

    The seed must be one that nobody outside can compute, or somebody would choose when to come.
    """
    at = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest()) / 2**64
    for index, weight in enumerate(chances):
        at -= 1 / weight
        if at < 0:
            return index
    return None


def margin(most: int, weight: int, first: int) -> float:
    """Return how far above a limit a count has to be before somebody is refused: two standard deviations of what chance
    adds to it. Each attempt stands for `weight`, and the FRESH first ones for `first`.
    """
    fresh = min(most, FRESH)
    return _SURE * math.sqrt(fresh * (first - 1) + (most - fresh) * (weight - 1))


def _part_seconds(limit: Limit) -> int:
    if limit.window is None:
        return 0
    seconds = limit.window.ms // 1000
    return max(1, math.ceil(seconds / PARTS)) if limit.window.sliding else seconds


def _counts(part: Part, limit: Limit, now: int) -> bool:
    """Whether any moment of a part is in the window; parts of another length are of another window of that name."""
    if part.seconds != _part_seconds(limit):
        return False
    if limit.window is None:
        return True
    if limit.window.sliding:
        return (part.begins_at + part.seconds) * 1000 > limit.window.begins_at(now)
    return part.begins_at >= limit.window.begins_at(now) // 1000
