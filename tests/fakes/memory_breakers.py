"""Circuit breakers and dead letters in memory: the ports `Breakers` and `DeadLetters`."""

from __future__ import annotations

from dataclasses import dataclass, field

from brandday.domain.breaker import Breaker
from brandday.usecases.reward_ports import Dispatch


@dataclass
class MemoryBreakers:
    """Breakers by destination."""

    breakers: dict[str, Breaker] = field(default_factory=dict)

    def load(self, destination: str) -> Breaker:
        """Return a breaker as it is."""
        return self.breakers.get(destination, Breaker())

    def save(self, destination: str, before: Breaker, after: Breaker) -> bool:
        """Replace a breaker on condition of its version."""
        if self.load(destination).version != before.version:
            return False
        self.breakers[destination] = after.at_version(before.version + 1)
        return True


@dataclass
class MemoryDeadLetters:
    """What was given up, and why."""

    letters: list[tuple[Dispatch, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    def bury(self, dispatch: Dispatch, reason: str) -> None:
        """Put a message there."""
        self.letters.append((dispatch, reason))

    def bury_unreadable(self, body: str, reason: str) -> None:
        """Put an unreadable message there."""
        self.unreadable.append((body, reason))
