"""Guessers are slowed down: per shopper and per network, on wrong coupon codes and on forged tickets.

What it costs. Who guesses nothing that can be guessed: no call. A guess that was wrong, and a shared or imported code
(the ones that somebody can guess): one look at both marks. Something wrong that is new: one write per mark on top, and
only as long as the mark is not backing off, so that it is some twenty writes an hour for a shopper, however much is
guessed. While it is backing off, an environment that knows of it refuses from memory; one that does not looks once. Of
forged tickets each environment keeps the first few of a mark to itself: they cost no call at all.

Why nobody gets around it. A wait is fixed by what is stored, not by who has seen it. Two environments that look at the
same moment both write; the write returns what was there before, and the one that comes second refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from brandday.domain.backoff import HOUR_MS, Misses, Patience, tag_of
from brandday.domain.campaign import Shopper
from brandday.domain.coupon import CodeKind
from brandday.domain.errors import RateLimited
from brandday.domain.signals import SignalKind, Signals
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.ports import Clock
from brandday.usecases.recent import Recent

if TYPE_CHECKING:
    from brandday.domain.coupon_rules import Candidate


class Guessed(StrEnum):
    """What can be guessed; the one has nothing to do with the other."""

    CODES = "codes"
    TICKETS = "tickets"


type Patiences = Mapping[tuple[Guessed, SignalKind], Patience]

PATIENCE: Final[Patiences] = {
    (Guessed.CODES, SignalKind.SHOPPER): Patience(free=5, first_ms=2_000, longest_ms=HOUR_MS),
    # whole towns are behind one address: many typos are free, and nobody waits long for what others did
    (Guessed.CODES, SignalKind.NETWORK): Patience(free=200, first_ms=1_000, longest_ms=60_000),
    (Guessed.TICKETS, SignalKind.SHOPPER): Patience(free=5, first_ms=2_000, longest_ms=HOUR_MS),
    (Guessed.TICKETS, SignalKind.NETWORK): Patience(free=200, first_ms=1_000, longest_ms=60_000),
}
"""For whom what is counted, and how patiently. The shopper comes first."""

UNSHARED: Final = {Guessed.TICKETS: 5}
"""How many misses of a mark an environment keeps to itself: nobody ever guesses a ticket (128 bits), so that a look and
two writes are for those who go on trying.
"""

KEEP_MS: Final = 3 * HOUR_MS
"""How long misses are kept after the latest: they count for two hours at most."""

REMEMBERED: Final = 10_000
"""How many marks that are backing off an environment remembers."""

CODES_CASE: Final = "coupon.codes"
"""In place of a campaign, where cases about codes are kept: a code that is none belongs to no campaign."""

REASONS: Final[Mapping[str, str]] = {
    f"wrong_{what}": f"Different wrong {what}, more than an hour has free. It ends by itself; nobody can cut it short."
    for what in Guessed
}
"""What the reasons of such cases are, in words."""


class MissKey(NamedTuple):
    """Whose misses, and about what."""

    what: Guessed
    kind: SignalKind
    mark: str


class MissLog(Protocol):
    """Where misses are kept. Both methods raise TemporarilyOverloaded when the database is too busy."""

    def look(self, keys: Sequence[MissKey]) -> Mapping[MissKey, Misses]:
        """Return the misses of each, in one call; eventually consistent."""

    def note(self, key: MissKey, number: int, tags: Collection[str], now: int, forget_at: int) -> Misses:
        """Add misses, in one write that loses none; return what was there *before*, strongly consistent."""


class Cases(Protocol):
    """Opens cases (`open_case.OpenCase`)."""

    def reference(self, campaign_id: str, signals: Signals) -> str:
        """Return the reference of the shopper's case, whether there is one or not."""

    def __call__(self, campaign_id: str, signals: Signals, code: str, reasons: tuple[str, ...]) -> str:
        """Keep what has happened, at most once in a while; return the reference."""


@dataclass(frozen=True, slots=True)
class Guesser:
    """Who tries something: in which campaign (CODES_CASE for codes), and by which marks they are known."""

    what: Guessed
    campaign_id: str
    signals: Signals

    @property
    def keys(self) -> tuple[MissKey, ...]:
        """Whose misses count, the shopper's first."""
        marks = self.signals.marks
        return tuple(MissKey(what, kind, marks[kind]) for what, kind in PATIENCE if what is self.what and kind in marks)


class BackOff:
    """Slows guessers down; one instance serves an execution environment, one request at a time."""

    def __init__(
        self,
        misses: MissLog,
        cases: Cases,
        now: Clock,
        *,
        patience: Patiences = PATIENCE,
        remembered: int = REMEMBERED,
    ) -> None:
        self._misses = misses
        self._cases = cases
        self._now = now
        self._patience = patience
        self._blocked = Recent[MissKey, int](remembered)
        self._unshared = Recent[MissKey, int](remembered)

    def is_idle(self) -> bool:
        """Return whether this environment knows of nobody who is backing off: then there is nobody to ask for."""
        return not self._blocked

    def check(self, guesser: Guesser) -> None:
        """Raise RateLimited if it is known from memory that they are backing off."""
        now = self._now()
        for key in self._keys(guesser):
            until = self._blocked.get(key, 0)
            if until > now:
                raise self._refusal(guesser, until - now)
            if until:
                del self._blocked[key]

    def look(self, guesser: Guesser) -> Mapping[MissKey, Misses]:
        """Raise RateLimited if they are backing off, whoever has noted it; return what they have missed."""
        self.check(guesser)
        found = self._misses.look(self._keys(guesser))
        now, until = self._now(), 0
        for key, misses in found.items():
            until = max(until, self._remember(key, misses, now))
        if until:
            raise self._refusal(guesser, until - now)
        return found

    def note(self, guesser: Guesser, wrong: Collection[str], seen: Mapping[MissKey, Misses] | None = None) -> None:
        """Note what was wrong, as far as it is new; `seen` is what `look` has returned, which is done here otherwise.

        Raises RateLimited if they were backing off by now: then nobody may learn that it was wrong.
        """
        if self._keeps_to_itself(guesser):
            return
        known = self.look(guesser) if seen is None else seen
        number, now, until = 0, self._now(), 0
        for key in self._keys(guesser):
            before = known.get(key, Misses())
            tags: set[str] = set()
            if key.kind is SignalKind.SHOPPER:
                tags = {tag_of(key.mark, each) for each in wrong} - before.tags
                number = len(tags)
            if number:
                before = self._misses.note(key, number, tags, now, now + KEEP_MS)
                until = max(until, self._blocked_at(key, before, now))
                self._remember(key, before.after(number, tags, now), now)
        if until:
            raise self._refusal(guesser, until - now)
        if number and not self.is_idle() and any(self._blocked.get(key, 0) > now for key in self._keys(guesser)):
            self._cases(guesser.campaign_id, guesser.signals, RateLimited.code, (f"wrong_{guesser.what}",))

    def _keeps_to_itself(self, guesser: Guesser) -> bool:
        """Whether this is one of the first misses of all marks that this environment has met."""
        most = UNSHARED.get(guesser.what, 0)
        if not most:
            return False
        met = []
        for key in self._keys(guesser):
            met.append(self._unshared.get(key, 0) + 1)
            self._unshared[key] = met[-1]
        return all(number <= most for number in met)

    def _keys(self, guesser: Guesser) -> tuple[MissKey, ...]:
        """Whose misses count, the shopper's first."""
        marks = guesser.signals.marks
        counted = (kind for what, kind in self._patience if what is guesser.what and kind in marks)
        return tuple(MissKey(guesser.what, kind, marks[kind]) for kind in counted)

    def _remember(self, key: MissKey, misses: Misses, now: int) -> int:
        """Return until when they are backing off (0: they are not), and remember it."""
        until = self._blocked_at(key, misses, now)
        if until:
            self._blocked[key] = until
        return until

    def _blocked_at(self, key: MissKey, misses: Misses, now: int) -> int:
        until = misses.blocked_until(self._patience[key.what, key.kind])
        return until if until > now else 0

    def _refusal(self, guesser: Guesser, wait_ms: int) -> RateLimited:
        reference = self._cases.reference(guesser.campaign_id, guesser.signals)
        return RateLimited(retry_after_ms=wait_ms, reference=reference)


class CodeGuard:
    """The same for coupon codes: checking a cart, and redeeming.

    Codes of our own making are not guessed by anybody (65 bits), so that who has one is never asked who they are.
    """

    def __init__(self, back_off: BackOff, read_signals: Callable[[Shopper, Visit], Signals]) -> None:
        self._back_off = back_off
        self._read_signals = read_signals

    def check(self, shopper: Shopper, visit: Visit = NO_VISIT) -> None:
        """Raise RateLimited, before any code is looked up, if this environment knows that they are backing off."""
        if not self._back_off.is_idle():
            self._back_off.check(self._guesser(shopper, visit))

    def weigh(self, shopper: Shopper, visit: Visit, found: Mapping[str, Candidate | None]) -> None:
        """Count the codes that are none for the shopper, and raise RateLimited instead of saying what codes are while
        the shopper or their network is backing off. Nothing is done about codes that nobody can guess.
        """
        wrong = [code for code, candidate in found.items() if candidate is None]
        if not wrong and all(each is not None and _is_unguessable(each) for each in found.values()):
            return
        guesser = self._guesser(shopper, visit)
        seen = self._back_off.look(guesser)
        if wrong:
            self._back_off.note(guesser, wrong, seen)

    def _guesser(self, shopper: Shopper, visit: Visit) -> Guesser:
        # nothing else of a visit is looked at: what a shop has signed may not have to do with a cart
        signals = self._read_signals(Shopper(shopper.id), Visit(visit.address))
        return Guesser(Guessed.CODES, CODES_CASE, signals)


def _is_unguessable(candidate: Candidate) -> bool:
    return candidate.terms.code_kind is CodeKind.UNIQUE
