"""What operators need of the queues: how long they are, and the dead letters to be dealt with."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol


class QueueName(StrEnum):
    """What operators call the queues, whatever AWS does."""

    HOLDS = "holds"
    FULFILMENTS = "fulfilments"
    STREAM = "stream"


class QueueCounts(NamedTuple):
    """About how many messages there are: ready, being worked on, not yet due; None where only dead letters queue."""

    dead_letters: int
    waiting: int | None = None
    in_flight: int | None = None
    delayed: int | None = None


class DeadLetter(NamedTuple):
    """One message that was given up: `handle` is good for this receipt only, `sent_at` is in epoch ms."""

    handle: str
    body: str
    sent_at: int


class OperatedQueue(Protocol):
    """A queue and its dead letters. Every method raises TemporarilyOverloaded when it is too busy."""

    def counts(self) -> QueueCounts:
        """Return how many messages there are, approximately."""

    def receive(self, limit: int) -> Sequence[DeadLetter]:
        """Return some dead letters, at most `limit` (1 to 10), and hide them from others for a while.

        None means that there is none that is not hidden.
        """

    def send_back(self, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Put copies (of at most 10) where they came from; return those for which that is done."""

    def delete(self, letters: Sequence[DeadLetter]) -> None:
        """Remove at most 10 dead letters for good."""
