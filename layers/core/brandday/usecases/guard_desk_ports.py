"""What the operators' desk at the gate needs from outside: cases, lists, and the lists' audit trail.

Adapters and the tests' fakes implement these. Every method of a store raises TemporarilyOverloaded when the database is
too busy. What the gate itself needs is in `guard_ports.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from brandday.domain.listing import Listing, ListingKey
from brandday.domain.refusal_case import Case
from brandday.domain.signals import SignalKind
from brandday.domain.trail import TrailEntry

CASE_PARTS = 16
"""In how many parts a campaign's cases are kept."""

MOST_LISTED = 40
"""How many listings one act can put: each is two writes, and a transaction has at most 100."""


class CasePage(NamedTuple):
    """Some of the cases of a part, and where the next page begins (None after the last)."""

    cases: tuple[Case, ...]
    next: str | None


class KeptCases(Protocol):
    """The cases of all campaigns, to be looked at. A campaign's are in CASE_PARTS parts, each a fair sample of them."""

    def cases(self, campaign_id: str, part: int, after: str | None) -> CasePage:
        """Return a page of one of the parts; what is forgotten by now may still be in it."""

    def find(self, reference: str, campaign_ids: Sequence[str]) -> Case | None:
        """Return the case with this reference in any of the campaigns, as it is now; the latest if there were two."""


class ListingPage(NamedTuple):
    """Some of the listings, by kind and mark, and where the next page begins (None after the last)."""

    listings: tuple[Listing, ...]
    next: str | None


class TrailPage(NamedTuple):
    """Some acts, the latest first, and where the next page begins (None after the last)."""

    entries: tuple[TrailEntry, ...]
    next: str | None


class Lists(Protocol):
    """The allow list and the block list with their audit trail."""

    def listed(self, keys: Sequence[ListingKey]) -> Mapping[ListingKey, Listing]:
        """Return what there is of these (at most 100), as it is now; also what does not count any more."""

    def put(self, changes: Mapping[ListingKey, tuple[Listing | None, Listing]], entry: TrailEntry) -> bool:
        """Put listings in the place of what was read (None: nothing), and the entry into the trail, or nothing at all.

        False if one of them is not any more what was read. MOST_LISTED at most.
        """

    def lift(self, case: Case, at: int, change: tuple[Listing | None, Listing], entry: TrailEntry) -> bool:
        """Mark a case as lifted and put one listing, the same way."""

    def page(self, kind: SignalKind | None, limit: int, after: str | None) -> ListingPage:
        """Return a page of what is listed, also what does not count any more; ValueError if there is no such place."""

    def history(self, limit: int, after: str | None) -> TrailPage:
        """Return a page of what was done to the lists; ValueError if there is no such place."""


type MarkMaker = Callable[[SignalKind, str], str | None]
"""Returns the mark of a value as people type it, as gates make it; None if it can be none of this kind."""
