"""Listings: what operators have put on the allow list or the block list, until when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from brandday.domain.risk import Listed
from brandday.domain.signals import SignalKind

LISTS_TRAIL = "~lists"
"""Where the audit trail of both lists is kept: no campaign can have this id."""


class ListingKey(NamedTuple):
    """Of what a listing is; a mark is on one list at most."""

    kind: SignalKind
    mark: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A mark that is on a list until `until` (epoch ms); `who` put it there `at` (epoch ms), in the act of this id.

    What was taken off is kept for a while with `until` in the past, so that taking it off can be repeated.
    """

    listed: Listed
    key: ListingKey
    until: int
    reason: str
    who: str
    at: int
    act: str

    def is_live(self, now: int) -> bool:
        """Whether it counts at `now`."""
        return now < self.until

    def says(self, other: Listing) -> bool:
        """Whether it says the same as another one, whoever put them there and when."""
        return (self.listed, self.key, self.until, self.reason) == (
            other.listed,
            other.key,
            other.until,
            other.reason,
        )
