"""What seals and draws need from outside; adapters and the tests' fakes implement these."""

from collections.abc import Iterator
from typing import Protocol

from brandday.domain.lottery import Beacon
from brandday.domain.receipt import Randomness


class Draws(Protocol):
    """What was sealed and drawn (`domain/draw_record`). Every method raises TemporarilyOverloaded when the database is
    too busy, and reads what is there at this moment.
    """

    def keep(self, campaign_id: str, part: str, text: str) -> str:
        """Store a part unless there is one of that name; return the one that is there now, for good."""

    def read(self, campaign_id: str, part: str) -> str | None:
        """Return the text of a part, None if it is not there."""

    def list(self, campaign_id: str, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield all parts whose names begin with ``prefix``, and their texts, in order of names."""

    def count(self, campaign_id: str, what: str) -> int:
        """Return how many of something are done: what `mark` was told last, 0 if nothing."""

    def mark(self, campaign_id: str, what: str, done: int) -> None:
        """Remember how many are done; never goes back."""


class Beacons(Protocol):
    """The public randomness beacon."""

    def fetch(self, beacon: Beacon) -> Randomness:
        """Return the round, its signature verified; RoundMissing if it cannot be had, or not a genuine one."""

    def is_genuine(self, beacon: Beacon, randomness: Randomness) -> bool:
        """Whether this is that round, signed by the chain."""


class RoundMissing(Exception):
    """The beacon's round is not to be had; `str` of it says why. There is nothing to do but wait for it."""


class DrawDisagrees(Exception):
    """Something was computed that differs from what was stored for good; `str` of it says what.

    Nothing is overwritten and nothing goes on: a person has to look at it (docs/runbook.md).
    """
