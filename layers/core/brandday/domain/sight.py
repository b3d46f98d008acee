"""What one execution environment remembers of a campaign's shards, and what it does with that.

Memory only orders attempts and answers for about a second: it decides whether to write at once or to read first,
where to look when the home shard is empty, and which refusals need no database call. It never decides who owns a
unit. It may be stale in both directions; :mod:`brandday.domain.stock` is right whatever it says.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from brandday.domain.layout import Layout
from brandday.domain.shard import Shard
from brandday.domain.stock import ClaimRequest, Terms, next_due
from brandday.domain.summary import NO_SUMMARY, Summary

FRESH_MS = 1000
"""How long something seen may answer for the shard it was seen of."""

REMEMBER = 64
"""How many of the shards seen last are searched for free units: a bound on the time of one request."""

SUMMARY_OLD_MS = 3000
"""From this age on a summary may stand still, and what it says of other shards is tried out."""

LOOK_AT = 2
"""How many other shards one request looks at before it gives up for now: 2 sell as much as 4, and cost less."""

SURE_ENOUGH = 1.28
"""Write without reading when the home shard is empty with less than 10 % probability: a failed write costs as much
as ten reads. The figure is the 90 % point of the normal distribution, in standard deviations."""


class Refusal(StrEnum):
    """What memory may refuse without asking the database."""

    ALL_HELD = "all_held"
    SOLD_OUT = "sold_out"


@dataclass(slots=True)
class _Seen:
    at: int
    free: dict[str, int]
    names: str | None
    due: int | None


class Sight:
    """One environment's memory of one campaign; forget it when units are added to the campaign.

    All times are epoch milliseconds and handed in.
    """

    def __init__(self, layout: Layout, terms: Terms, opened_at: int) -> None:
        self._layout = layout
        self._terms = terms
        self._opened_at = opened_at
        self._seen: dict[int, _Seen] = {}
        self._closed: dict[str, dict[int, str]] = {}
        self._returns_from: Mapping[str, int] = {}
        self._level: dict[str, tuple[int, float]] = {}
        self._nothing_until: dict[str, int] = {}
        self._summary = NO_SUMMARY
        self._totals: Mapping[str, int] = layout.stock

    # --- what was seen ---

    def saw_summary(self, summary: Summary, totals: Mapping[str, int]) -> None:
        """Take note of a summary just read; ``totals`` are each slot's units in all."""
        if summary.version < self._summary.version:
            return
        self._summary = summary
        self._totals = totals
        for slot, total in totals.items():
            if not summary.is_sold_out(slot, total):
                self._closed.pop(slot, None)
            if self._level.get(slot, (0, 0.0))[0] <= summary.as_of:
                self._level[slot] = (summary.as_of, summary.free(slot, total) / total)

    def saw_returns_from(self, moments: Mapping[str, int]) -> None:
        """Take note from when on (epoch ms) sold units of a slot may come back; those of other slots never do.

        If the moments are others than before, units may have come back in between.
        """
        if moments != self._returns_from:
            self._returns_from = moments
            self._closed.clear()

    def saw_written(self, shard: int, free: Mapping[str, int], now: int) -> None:
        """Take note of what a write of ours has left in a shard."""
        seen = self._seen.pop(shard, None)
        known = seen.free if seen is not None else {}
        # Who else has got a record there since is not known, so this cannot refuse anybody.
        self._seen[shard] = _Seen(now, {**known, **free}, None, None)
        self._note_level(shard, free, now)

    def saw(self, shard: Shard, now: int) -> None:
        """Take note of a shard's image."""
        free = {slot: shard.free.get(slot, self._layout.capacity(slot, shard.number)) for slot in self._layout.stock}
        self._seen.pop(shard.number, None)
        self._seen[shard.number] = _Seen(now, free, _names_of(shard), next_due(shard, self._terms))
        self._note_level(shard.number, free, now)

    def saw_nothing_free(self, slot: str, now: int) -> None:
        """Take note that a request has looked elsewhere in vain."""
        self._nothing_until[slot] = now + FRESH_MS

    def saw_closed(self, slot: str, shard: Shard) -> None:
        """Take note of a consistent image of a shard read *after* the slot was known to be sold out."""
        self._closed.setdefault(slot, {})[shard.number] = _names_of(shard)

    def _note_level(self, shard: int, free: Mapping[str, int], now: int) -> None:
        for slot, left in free.items():
            capacity = self._layout.capacity(slot, shard)
            if capacity:
                _, level = self._level.get(slot, (0, left / capacity))
                self._level[slot] = (now, (level + left / capacity) / 2)

    # --- what follows from it ---

    def refusal(self, request: ClaimRequest) -> Refusal | None:
        """Return the refusal that needs no database call, or None if the database has to be asked.

        "Sold out" is final until prizes that nobody claimed may come back, so a home shard seen since then tells up to
        that moment that the shopper has no claim there. After it the shard is looked at each time: the shopper may
        have got a unit that came back.
        "All held" leans on what was seen within the last second; it invites to try again.
        """
        closed = self._closed.get(request.slot, {}).get(request.home)
        is_final = request.now < self._returns_from.get(request.slot, math.inf)
        if closed is not None and is_final and request.name not in closed:
            return Refusal.SOLD_OUT
        seen = self._fresh(request.home, request.now)
        if (
            seen is None
            or seen.names is None
            or request.name in seen.names
            or seen.free.get(request.slot, 0) >= request.quantity
            or (seen.due is not None and seen.due <= request.now)
            or self.elsewhere(request)
        ):
            return None
        return Refusal.ALL_HELD

    def has_no_record(self, home: int, name: str, now: int) -> bool:
        """Whether a shopper had neither claim nor pointer in their home shard when it was seen, a moment ago."""
        seen = self._fresh(home, now)
        return seen is not None and seen.names is not None and name not in seen.names

    def is_likely(self, request: ClaimRequest) -> bool:
        """Whether a write to the home shard will probably find enough units free."""
        capacity = self._layout.capacity(request.slot, request.home)
        expected = self._level_at(request.slot, request.now) * capacity
        seen = self._fresh(request.home, request.now)
        if seen is not None and request.slot in seen.free:
            expected = min(expected, seen.free[request.slot])
        expected -= request.quantity - 1
        # Shoppers choose shards like balls choose bins: what was taken from one is Poisson distributed.
        return expected >= SURE_ENOUGH * math.sqrt(max(0.0, capacity - expected))

    def elsewhere(self, request: ClaimRequest) -> tuple[int, ...]:
        """Return the few other shards in which to look for units, the most promising first."""
        slot, now = request.slot, request.now
        if self._nothing_until.get(slot, 0) > now:
            return ()
        fresh = {number: seen for number, seen in self._seen_lately(now) if slot in seen.free}
        known = [
            (seen.free[slot], number)
            for number, seen in fresh.items()
            if seen.free[slot] >= request.quantity or (seen.due is not None and seen.due <= now)
        ]
        summary = self._summary
        known += [
            (free, number)
            for number, free in summary.candidates.get(slot, ())
            if number not in fresh and free >= request.quantity
        ]
        chosen = [number for _, number in sorted(known, reverse=True)]
        some_left = self._level_at(slot, now) > 0 or now - summary.as_of > SUMMARY_OLD_MS
        lapsed = summary.due is not None and summary.due <= now
        if lapsed or (some_left and summary.free(slot, self._totals[slot])):
            # Shards nobody has told us about: start anywhere, so that not all look at the same, but not where a scarce
            # SKU never had a unit.
            first, count = self._layout.stocked(slot)
            start = now + request.home
            guesses = ((first + (start + at) % count) % self._layout.shards for at in range(min(count, 2 * LOOK_AT)))
            chosen += [number for number in guesses if number not in fresh]
        return tuple([number for number in dict.fromkeys(chosen) if number != request.home][:LOOK_AT])

    def _seen_lately(self, now: int) -> Iterator[tuple[int, _Seen]]:
        for number in islice(reversed(self._seen), REMEMBER):
            seen = self._seen[number]
            if now - seen.at > FRESH_MS:
                return
            yield number, seen

    def next_due(self, home: int, now: int) -> int | None:
        """Return when the next hold lapses, as far as is known."""
        seen = self._seen.get(home)
        dues = [due for due in (self._summary.due, seen.due if seen else None) if due is not None and due > now]
        return min(dues, default=None)

    def _level_at(self, slot: str, now: int) -> float:
        """Return which part of the units is probably still free, if sales go on at their average pace so far."""
        if slot not in self._level:
            return 1.0
        seen_at, level = self._level[slot]
        pace = (1.0 - level) / max(1, seen_at - self._opened_at)
        return max(0.0, level - pace * max(0, now - seen_at))

    def _fresh(self, shard: int, now: int) -> _Seen | None:
        seen = self._seen.get(shard)
        return seen if seen is not None and now - seen.at <= FRESH_MS else None


def _names_of(shard: Shard) -> str:
    # One string instead of a set: a campaign of a million units has 33,000 shards, and names have no spaces.
    return " ".join(shard.records)
