"""Asks the breaker of a destination before each delivery and tells it afterwards; remembers it for a moment.

A success is written only where failures are known of, so a destination that is well costs no writes. But then failures
of several environments, each between successes of its own, would add up as if they came in a row, and a partner who
answers four times of five would be left alone. So a failure that follows a success of the same environment begins the
count anew.
"""

from typing import NamedTuple

from brandday.domain.breaker import Breaker, BreakerRules, Gate, failed, gate, probe, succeeded, wait_ms
from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.delivery_ports import Breakers
from brandday.usecases.ports import Clock
from brandday.usecases.recent import Recent

REMEMBER_MS = 2000
"""How old the view of a breaker may be: that much longer a destination that has just gone down is tried."""

KEEP = 256
MAX_RACES = 3


class Permit(NamedTuple):
    """Go ahead; `probing` if everybody else waits for how this one ends."""

    probing: bool = False


class Wait(NamedTuple):
    """Not now; worth asking again after `wait_ms`."""

    wait_ms: int


class CircuitBreakers:
    """The breakers as one environment sees them."""

    def __init__(self, store: Breakers, now: Clock, rules: BreakerRules | None = None) -> None:
        self._store = store
        self._now = now
        self._rules = rules or BreakerRules()
        self._views = Recent[str, tuple[int, Breaker]](KEEP)
        self._went_well = Recent[str, bool](KEEP)

    def ask(self, destination: str) -> Permit | Wait:
        """Return whether something may be delivered to a destination now."""
        now = self._now()
        seen_at, breaker = self._views.get(destination, (0, None))
        if breaker is None or now - seen_at >= REMEMBER_MS or gate(breaker, now) is Gate.PROBE:
            breaker = self._look(destination)
        match gate(breaker, now):
            case Gate.PASS:
                return Permit()
            case Gate.WAIT:
                return Wait(wait_ms(breaker, now))
            case Gate.PROBE:
                probing = probe(breaker, now, self._rules)
                if probing is not None and self._save(destination, breaker, probing):
                    return Permit(probing=True)
                return Wait(REMEMBER_MS)

    def tell(self, destination: str, permit: Permit, *, is_down: bool) -> None:
        """Count how a delivery went. A count that is lost to a busy database does no harm, so nothing is raised."""
        try:
            self._tell(destination, permit, is_down)
        except TemporarilyOverloaded:
            self._views.pop(destination, None)

    def _tell(self, destination: str, permit: Permit, is_down: bool) -> None:
        breaker = self._views[destination][1] if destination in self._views else self._look(destination)
        anew = is_down and self._went_well.get(destination, False)
        self._went_well[destination] = not is_down
        for _ in range(MAX_RACES):
            if is_down:
                counted = breaker.cleared() if anew and breaker.is_closed else breaker
                after = failed(counted, self._now(), self._rules, probing=permit.probing)
            else:
                after = succeeded(breaker)
            if after is None or self._save(destination, breaker, after):
                return
            breaker = self._look(destination)

    def _look(self, destination: str) -> Breaker:
        return self._remember(destination, self._store.load(destination))

    def _save(self, destination: str, before: Breaker, after: Breaker) -> bool:
        saved = self._store.save(destination, before, after)
        if saved:
            self._remember(destination, after.at_version(before.version + 1))
        return saved

    def _remember(self, destination: str, breaker: Breaker) -> Breaker:
        self._views[destination] = (self._now(), breaker)
        return breaker
