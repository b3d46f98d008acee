"""Tallies: who has what of a limit on wins. A tally is part of the write that wins, and says the truth by itself.

A tally is one item per limit and mark. It does not count: it *names* what was taken (`Taken`), so that a hold that was
released is found to count no more by looking at its shard, and neither cancelling nor expiry nor payment has to
touch the tally. Why it is exact:

1. A win and its line in each tally are written together or not at all, on condition of the tally that was seen
   (`version`), so a tally names every win of its mark, and never more than `most` that are live.
2. What was released never becomes live again (point 3 of :mod:`brandday.domain.stock`). So who finds a tally full looks
   at the claims it names, and drops those that are released in the write that adds the new one.
3. A campaign with such limits takes no late payments (`config/protection_part.py`): a claim that comes back by itself
   would have no line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from brandday.domain.protection import Limit
from brandday.domain.shard import RELEASED, Shard
from brandday.domain.stock import find

KEEP_LINES_MS = 60_000
"""How long lines stay after they have ceased to count: far beyond what clocks differ by."""


class Taken(NamedTuple):
    """Something that was taken at `at` (epoch ms): a claim of stock with its shard, or an entry of a lottery.

    `name` is the shopper's name in the shard; of an entry `entry` is its number and `shard` is None.
    """

    campaign_id: str
    name: str
    at: int
    units: int
    shard: int | None = None
    entry: int | None = None


class TallyKey(NamedTuple):
    """Of what a tally is: the campaign or brand day (`Protection.scope`), the limit's name, and the mark."""

    scope: str
    limit: str
    mark: str


@dataclass(frozen=True, slots=True)
class Tally:
    """A tally as it was read; version 0 is one that was never written. `forget_at` is in epoch seconds."""

    version: int = 0
    taken: tuple[Taken, ...] = ()
    forget_at: int = 0

    def counting(self, limit: Limit, now: int) -> tuple[Taken, ...]:
        """Return what still counts, as far as time decides it."""
        begins_at = limit.begins_at(now)
        return tuple(one for one in self.taken if one.at >= begins_at)

    def without(self, released: Iterable[Taken]) -> Tally:
        """Return the same without what is known to be released; the version stays that of what was read."""
        gone = frozenset(released)
        return Tally(self.version, tuple(one for one in self.taken if one not in gone), self.forget_at)

    def has_room(self, limit: Limit, new: Taken) -> bool:
        """Whether what is new keeps the limit, at its own time: what counts later counts, whatever the clocks say."""
        return sum(one.units for one in self.counting(limit, new.at)) + new.units <= limit.most

    def adding(self, limit: Limit, new: Taken) -> tuple[Taken, ...]:
        """Return the lines with a new one, without those that have long ceased to count."""
        since = limit.begins_at(max(0, new.at - KEEP_LINES_MS))
        return (*(one for one in self.taken if one.at >= since), new)


class Wanted(NamedTuple):
    """A limit that a win has to keep, and the tally it is written into."""

    limit: Limit
    key: TallyKey


class TallyWrite(NamedTuple):
    """A tally's change: `after` replaces what was read at `version`; `forget_at` (epoch s) is when nobody needs it."""

    key: TallyKey
    version: int
    after: tuple[Taken, ...]
    forget_at: int


class TalliesMoved(NamedTuple):
    """A write was refused because tallies had changed, by key as they are instead; nothing was written."""

    images: dict[TallyKey, Tally]


def is_released(one: Taken, shard: Shard) -> bool:
    """Whether a claim is released, given an image of its shard that is not older than the line.

    A claim that is not there (any more) was forgotten, and only released ones are.
    """
    entry = find(shard, one.name, one.at)
    return entry is None or entry.state in RELEASED
