"""An entry as its owner sees it, and what is left of an allowance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from brandday.domain.entrant import Entry, entry_id
from brandday.domain.entries_left import EntriesLeft


class EntryOutcome(StrEnum):
    """What an entry has come to."""

    TICKET = "ticket"
    """It takes part in a draw that decides later."""
    PENDING = "pending"
    """Its outcome is fixed, and whether the unit of its prize is to be had is being found out: ask again."""
    WON = "won"
    RETURNED = "returned"
    """It won, nobody claimed the prize in time, and it went back."""
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry, with what a shopper keeps in order to check it later: the table's hash and the seed's commitment.

    ``prize`` is what is (or was) won, ``title`` what it is called by language tag; ``reward_id`` is where it can be
    followed. ``slots`` is slot -> prize, for the links of the entry's chain.
    """

    campaign_id: str
    entrant: str
    number: int
    entry: Entry
    outcome: EntryOutcome
    table_hash: str
    commitment: str
    slots: Mapping[str, str]
    prize: str | None = None
    title: Mapping[str, str] | None = None
    is_consolation: bool = False
    reward_id: str | None = None

    @property
    def id(self) -> str:
        """The entry's public id."""
        return entry_id(self.campaign_id, self.entrant, self.number)


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of a request to enter; `replayed` if this very request was taken before."""

    entry: EntryView
    left: EntriesLeft
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class EntriesView:
    """All entries of a shopper in a campaign, how many are left, and how many chances were `earned`, used or not."""

    entrant: str
    entries: tuple[EntryView, ...]
    left: EntriesLeft
    earned: int


def outcome_of(entry: Entry, *, is_draw: bool) -> EntryOutcome:
    """Return what an entry has come to."""
    if is_draw and not entry.tries:
        return EntryOutcome.TICKET
    if entry.pending is not None:
        return EntryOutcome.PENDING
    if entry.won is None:
        return EntryOutcome.LOST
    return EntryOutcome(entry.won.fate)
