"""Back-off on guessing: who has been wrong a few times waits, twice as long each time, until it is forgotten.

What counts are *different* wrong things (codes, tickets): a cart that asks again and again about the same mistyped
code is no guesser. Counts are kept by the hour and slide: of the hour before as much counts as the hour that has begun
leaves of it (the sliding-window counter), so that nothing has to be reset.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

HOUR_MS: Final = 60 * 60 * 1000

_TAG_BYTES: Final = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How many misses an hour are free, and how long the wait is after the first one that is not, and at most."""

    free: int
    first_ms: int
    longest_ms: int

    def wait_ms(self, misses: int) -> int:
        """Return how long to wait after so many misses: 0 while they are free, then twice as long with each."""
        beyond = misses - self.free
        if beyond <= 0:
            return 0
        doublings = min(beyond - 1, self.longest_ms.bit_length())  # no number that nobody needs
        return min(self.first_ms << doublings, self.longest_ms)


@dataclass(frozen=True, slots=True)
class Misses:
    """What one mark has been wrong about: how often by the hour (hours since the epoch), and when last (epoch ms).

    `tags` stand for what it was, in these hours; a network's are not kept.
    """

    counts: Mapping[int, int] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    latest: int = 0

    def count(self, now: int) -> int:
        """Return how many count at `now`."""
        hour, into = divmod(now, HOUR_MS)
        return self.counts.get(hour, 0) + self.counts.get(hour - 1, 0) * (HOUR_MS - into) // HOUR_MS

    def blocked_until(self, patience: Patience) -> int:
        """Return until when (epoch ms) nothing is looked at; it is fixed by the latest miss and those before."""
        return self.latest + patience.wait_ms(self.count(self.latest))

    def after(self, number: int, tags: Collection[str], now: int) -> Misses:
        """Return what there is after this many more."""
        hour = hour_of(now)
        kept = {each: count for each, count in self.counts.items() if each >= hour - 1}
        kept[hour] = kept.get(hour, 0) + number
        return Misses(kept, self.tags | frozenset(tags), max(self.latest, now))


def hour_of(now: int) -> int:
    """Return the hour since the epoch that a time (epoch ms) is in."""
    return now // HOUR_MS


def tag_of(mark: str, wrong: str) -> str:
    """Return what stands for something wrong that a mark has tried: 24 bits, enough to know it again."""
    digest = hashlib.blake2b(wrong.encode("utf-8", "surrogatepass"), digest_size=_TAG_BYTES, key=mark.encode())
    return base64.urlsafe_b64encode(digest.digest()).decode()
