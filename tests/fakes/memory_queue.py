"""Reminders in memory: the port `HoldQueue`, with delays as SQS keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from brandday.domain.errors import TemporarilyOverloaded

type Reminder = tuple[str, int, int]
"""Campaign id, shard, due in epoch milliseconds."""

MAX_DELAY_MS = 900_000


@dataclass
class MemoryQueue:
    """Messages with the time at which each may be received; `full` refuses all."""

    messages: list[tuple[int, Reminder]] = field(default_factory=list)
    full: bool = False

    def send(self, reminders: Sequence[Reminder], now: int) -> None:
        """Take reminders; each can be received at its time or after 15 minutes, whichever comes first."""
        if self.full:
            raise TemporarilyOverloaded
        self.messages += [(min(reminder[2], now + MAX_DELAY_MS), reminder) for reminder in reminders]

    def due(self, now: int) -> list[Reminder]:
        """Return what can be received by now; it stays in the queue until it is deleted."""
        return [reminder for visible_at, reminder in self.messages if visible_at <= now]

    def delete(self, reminder: Reminder) -> None:
        """Take one message out, because it was handled."""
        index = next(at for at, (_, known) in enumerate(self.messages) if known == reminder)
        del self.messages[index]
