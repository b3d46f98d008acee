"""The operators' desk at the gate in memory: the ports `KeptCases` and `Lists` over what the gates keep, and a desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from brandday.adapters.phone_number import to_e164
from brandday.domain.campaign import Campaign
from brandday.domain.listing import Listing, ListingKey
from brandday.domain.protection import Protection
from brandday.domain.refusal_case import Case
from brandday.domain.signals import SignalKind
from brandday.domain.times import to_rfc3339
from brandday.domain.trail import TrailEntry
from brandday.entrypoints.admin_risk import RiskUseCases
from brandday.usecases.guard_desk_ports import CASE_PARTS, MOST_LISTED, CasePage, ListingPage, TrailPage
from brandday.usecases.keep_lists import KeepLists
from brandday.usecases.read_signals import Marker
from brandday.usecases.review_risk import ReviewRisk
from tests.fakes.clock import SettableClock
from tests.fakes.declarations import DURING, declared
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_guard import MemoryGuard

PAGE = 100
"""Cases per page."""


@dataclass
class MemoryGuardDesk:
    """Cases and lists of the gates, for operators; `trail` has the oldest act first."""

    guard: MemoryGuard = field(default_factory=MemoryGuard)
    trail: list[TrailEntry] = field(default_factory=list)

    def cases(self, campaign_id: str, part: int, after: str | None) -> CasePage:
        """Return a page of a part."""
        of_part = sorted(
            reference
            for campaign, reference in self.guard.cases
            if campaign == campaign_id and _part_of(reference) == part and (after is None or reference > after)
        )
        shown = of_part[:PAGE]
        found = tuple(self.guard.cases[campaign_id, reference] for reference in shown)
        return CasePage(found, shown[-1] if len(of_part) > PAGE else None)

    def find(self, reference: str, campaign_ids: Sequence[str]) -> Case | None:
        """Return the latest case with this reference."""
        there = (self.guard.cases.get((campaign_id, reference)) for campaign_id in campaign_ids)
        return max((case for case in there if case is not None), key=lambda case: case.at, default=None)

    def listed(self, keys: Sequence[ListingKey]) -> Mapping[ListingKey, Listing]:
        """Return what there is of these."""
        return {key: self.guard.listings[key] for key in keys if key in self.guard.listings}

    def put(self, changes: Mapping[ListingKey, tuple[Listing | None, Listing]], entry: TrailEntry) -> bool:
        """Put listings and the entry, or nothing."""
        assert len(changes) <= MOST_LISTED
        for key, (before, _) in changes.items():
            there = self.guard.listings.get(key)
            if (None if there is None else there.act) != (None if before is None else before.act):
                return False
        self.guard.listings |= {key: after for key, (_, after) in changes.items()}
        self.trail.append(entry)
        return True

    def lift(self, case: Case, at: int, change: tuple[Listing | None, Listing], entry: TrailEntry) -> bool:
        """Mark a case and put a listing, or nothing."""
        place = (case.campaign_id, case.reference)
        if place not in self.guard.cases or not self.put({change[1].key: change}, entry):
            return False
        self.guard.cases[place] = replace(self.guard.cases[place], lifted_at=at)
        return True

    def page(self, kind: SignalKind | None, limit: int, after: str | None) -> ListingPage:
        """Return a page in order of kinds and marks."""
        if after is not None and "#" not in after:
            raise ValueError("no place")
        places = {f"{key.kind}#{key.mark}": one for key, one in self.guard.listings.items() if kind in (None, key.kind)}
        wanted = sorted(place for place in places if after is None or place > after)
        shown = wanted[:limit]
        return ListingPage(tuple(places[place] for place in shown), shown[-1] if len(wanted) > limit else None)

    def history(self, limit: int, after: str | None) -> TrailPage:
        """Return a page, the latest first."""
        if after is not None and "#" not in after:
            raise ValueError("no place")
        places = {f"{to_rfc3339(entry.at)}#{entry.id}": entry for entry in self.trail}
        wanted = sorted((place for place in places if after is None or place < after), reverse=True)
        shown = wanted[:limit]
        return TrailPage(tuple(places[place] for place in shown), shown[-1] if len(wanted) > limit else None)


class FixedKey:
    """The port `MarkKeys`."""

    def __call__(self) -> bytes:
        """Return the key of all marks in tests."""
        return bytes(range(32))


MARKER: Final = Marker(FixedKey(), to_e164)
"""What makes marks, as everywhere."""


@dataclass
class RiskDesk:
    """A desk with one campaign, in the middle of it."""

    protection: Protection | None = None
    kept: MemoryGuardDesk = field(default_factory=MemoryGuardDesk)
    campaigns: MemoryCampaigns = field(default_factory=lambda: MemoryCampaigns(MemorySummaries()))
    clock: SettableClock = field(default_factory=lambda: SettableClock(DURING))

    def __post_init__(self) -> None:
        self.campaigns.campaigns[self.campaign.id] = self.campaign

    @property
    def campaign(self) -> Campaign:
        """Return the campaign."""
        return replace(declared(), protection=self.protection)

    @property
    def review(self) -> ReviewRisk:
        """Return what looks at cases."""
        return ReviewRisk(self.campaigns, self.kept, self.kept, self.clock)

    @property
    def lists(self) -> KeepLists:
        """Return what keeps the lists."""
        return KeepLists(self.kept, MARKER.mark, self.clock)

    @property
    def use_cases(self) -> RiskUseCases:
        """Return what the routes ask for."""
        return RiskUseCases(self.review, self.lists)

    def open(self, case: Case) -> Case:
        """Keep a case, as a gate would."""
        self.kept.guard.save(case)
        return case


def _part_of(reference: str) -> int:
    return sum(reference.encode()) % CASE_PARTS
