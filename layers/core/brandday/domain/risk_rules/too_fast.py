"""A rule about timing that no person has."""

from dataclasses import dataclass
from typing import ClassVar

from brandday.domain.risk import Facts
from brandday.domain.risk_rules.options import WithOptions, number
from brandday.domain.signals import SignalKind


@dataclass(frozen=True, slots=True)
class TooFast(WithOptions):
    """The request came within so many milliseconds of the first moment at which it could be granted.

    People see the page change and move a hand: a reaction to something seen takes 200 to 300 ms, and the request's way
    comes on top. A script waits for the clock. (W. E. Hick, On the rate of gain of information, 1952.)
    """

    name: ClassVar[str] = "too_fast"

    within_ms: int = number("How soon is sooner than a person, after the opening.", least=1, most=60_000)

    def hits(self, facts: Facts) -> bool:
        """Whether it came that soon; before the opening nothing is asked for that could be granted."""
        return 0 <= facts.now - facts.opened_at < self.within_ms

    def looks_at(self) -> frozenset[SignalKind]:
        """No signals."""
        return frozenset()

    def explain(self) -> str:
        """What a hit says."""
        return f"The request came within {self.within_ms} ms of the opening, sooner than people do."
