"""What handing over rewards needs from outside, besides the rewards and the connectors' tools."""

from collections.abc import Callable
from typing import Protocol

from brandday.domain.breaker import Breaker
from brandday.usecases.reward_ports import Dispatch

type Jitter = Callable[[], float]
"""Returns a random number from 0 up to 1."""

type NewHolder = Callable[[], str]
"""Returns a name for the holder of a lease that nobody has had before."""


class Breakers(Protocol):
    """The circuit breakers of all destinations, shared by all environments."""

    def load(self, destination: str) -> Breaker:
        """Return a destination's breaker as it is at this moment; a closed one if there is none yet."""

    def save(self, destination: str, before: Breaker, after: Breaker) -> bool:
        """Replace `before` if nobody else has meanwhile; False, and nothing is written, if somebody has."""


class DeadLetters(Protocol):
    """Where messages end whose rewards were given up, for people to look at."""

    def bury(self, dispatch: Dispatch, reason: str) -> None:
        """Put a message there; TemporarilyOverloaded unless it was taken."""

    def bury_unreadable(self, body: str, reason: str) -> None:
        """Put a message there that nobody could read, as it came."""
