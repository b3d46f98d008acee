"""What the gate of a campaign needs from outside, and what the use cases of taking need from the gate.

Adapters and the tests' fakes implement these. Every method of a store raises TemporarilyOverloaded when the database is
too busy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from brandday.domain.activity import Activity, ActivityKey, Note
from brandday.domain.campaign import Shopper
from brandday.domain.entrant import Entrant
from brandday.domain.lottery import Frozen
from brandday.domain.protection import Limit, Protection
from brandday.domain.refusal_case import Case
from brandday.domain.risk import Listed
from brandday.domain.shard import Refused, ShardWrite, Written
from brandday.domain.signals import SignalKind, Signals
from brandday.domain.tally import TalliesMoved, Tally, TallyKey, TallyWrite, Wanted
from brandday.domain.visit import Visit
from brandday.usecases.live_campaigns import LiveCampaign

# --- what taking needs from the gate ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who was let in: when their pass was issued (epoch ms; None where none is needed), and the limits on wins that the
    write has to keep.

    A *pass* is a ticket, or the solution of a challenge. It is good for one claim: the claim's time is never before
    the pass's, so a pass that is not younger than the shopper's latest claim has been used (`domain/stock.judge`).
    """

    passed_at: int | None = None
    wanted: tuple[Wanted, ...] = ()


LET_IN = Admitted()


class Gate(Protocol):
    """Who may take something of a protected campaign. Refusals are AdmissionRefused."""

    def admit(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> Admitted:
        """Let a visit in, or raise why not. With tickets this takes no call; without, all the gate has to do."""

    def limit_reached(
        self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit, limit: Limit
    ) -> Exception:
        """Return the refusal of a win that a limit stands against; its reference can be looked up."""

    def is_exempt(self, live: LiveCampaign, shopper: Shopper, visit: Visit) -> bool:
        """Whether an operator has exempted a visit from limits: to be asked when one stands in the way. One call, and
        none if that was asked a moment ago.
        """


class Desk(Protocol):
    """Where tickets are given out, and challenges posed: the gate before the sale."""

    def enter(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> int | None:
        """Let a visit in: attempts, risk and challenge. Return when the challenge was posed that it has solved (epoch
        ms), None where it needed none; raises AdmissionRefused.
        """

    def score(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> int:
        """Return what the campaign's rules say about a visit, in their own weights; counts and records nothing."""


# --- what the gate needs from outside -----------------------------------------------------------------------------


class Tallies(Protocol):
    """Limits on wins, and the writes they are part of."""

    def tallies(self, keys: Sequence[TallyKey], *, consistent: bool) -> Mapping[TallyKey, Tally]:
        """Return all of the tallies; one that was never written is empty."""

    def write_shard(
        self, campaign_id: str, write: ShardWrite, tallies: Sequence[TallyWrite]
    ) -> Written | Refused | TalliesMoved:
        """Do a write of stock together with its tallies, or nothing. If both are in its way, Refused comes first."""

    def save_entrant(
        self, frozen: Frozen, before: Entrant | None, after: Entrant, tallies: Sequence[TallyWrite]
    ) -> bool | TalliesMoved:
        """Save an entrant's record together with tallies, or nothing; False if the record has moved on."""


class Seen(NamedTuple):
    """What is known of a visit's marks."""

    listed: Mapping[SignalKind, Listed]
    activity: Mapping[ActivityKey, Activity]


class Visits(Protocol):
    """What the gate looks at and notes: one call to look, one write to note."""

    def look(self, marks: Mapping[SignalKind, str], activity: Sequence[ActivityKey], now: int) -> Seen:
        """Return what is known, eventually consistent; what has expired at `now` is not on a list."""

    def note(self, key: ActivityKey, note: Note) -> Activity:
        """Add an attempt, in one write that never loses one; return all that is noted then."""


class Cases(Protocol):
    """Cases, by campaign and reference."""

    def save(self, case: Case) -> None:
        """Keep a case, in the place of an earlier one with its reference if that is to be replaced (`Case.replaces`);
        one that was lifted stays lifted.
        """


class MarkKeys(Protocol):
    """The secret behind marks and references; it never changes."""

    def __call__(self) -> bytes:
        """Return it; SecretMissing or SecretUnreadable (usecases/delivery_ports) as they are raised."""


class PassKeys(Protocol):
    """The secrets that tickets and challenges are signed with; they rotate."""

    def current(self) -> tuple[str, bytes]:
        """Return the id and the key to sign with."""

    def find(self, key_id: str) -> bytes | None:
        """Return a live key by its id; looks again, now and then, for one that is not known."""


type SignalReader = Callable[[Shopper, Visit], Signals]
"""Reads the signals of a visit; raises ShopSignalsInvalid for a header that the shop has not signed."""
