"""What the gate keeps, in memory: the ports `Visits` and `Cases` without a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from brandday.domain.activity import Activity, ActivityKey, Note
from brandday.domain.listing import Listing, ListingKey
from brandday.domain.refusal_case import Case
from brandday.domain.risk import Listed
from brandday.domain.signals import SignalKind
from brandday.usecases.guard_ports import Seen


@dataclass
class MemoryGuard:
    """All that the gates of all environments share."""

    activity: dict[ActivityKey, Activity] = field(default_factory=dict)
    listings: dict[ListingKey, Listing] = field(default_factory=dict)
    cases: dict[tuple[str, str], Case] = field(default_factory=dict)
    forget_at: dict[ActivityKey, int] = field(default_factory=dict)

    def look(self, marks: Mapping[SignalKind, str], activity: Sequence[ActivityKey], now: int) -> Seen:
        """Return what is known."""
        listed = {kind: self.listings.get(ListingKey(kind, mark)) for kind, mark in marks.items()}
        return Seen(
            {kind: listing.listed for kind, listing in listed.items() if listing is not None and listing.is_live(now)},
            {key: self.activity.get(key, Activity()) for key in activity},
        )

    def note(self, key: ActivityKey, note: Note) -> Activity:
        """Add an attempt."""
        before = self.activity.get(key, Activity())
        counts = {part: count for part, count in before.counts.items() if part not in note.stale}
        for part in note.parts:
            counts[part] = counts.get(part, 0) + note.weight
        self.activity[key] = Activity(counts, before.places | {note.place})
        self.forget_at[key] = note.forget_at
        return self.activity[key]

    def save(self, case: Case) -> None:
        """Keep a case; one that was lifted stays lifted."""
        key = (case.campaign_id, case.reference)
        before = self.cases.get(key)
        if before is not None and not case.replaces(before):
            return
        self.cases[key] = replace(case, lifted_at=None if before is None else before.lifted_at)

    # --- what tests do ---

    def put_on_list(self, listed: Listed, kind: SignalKind, mark: str, until: int = 2**53) -> None:
        """Put a mark on a list, as an operator would."""
        key = ListingKey(kind, mark)
        self.listings[key] = Listing(listed, key, until, "test", "ops", 0, "act")
