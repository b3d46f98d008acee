"""Rewards on their way, in memory: the port `FulfilmentQueue`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.reward_ports import Dispatch


@dataclass
class MemoryFulfilmentQueue:
    """All messages that were ever sent; `full` refuses all."""

    messages: list[Dispatch] = field(default_factory=list)
    full: bool = False

    def send(self, dispatches: Sequence[Dispatch]) -> None:
        """Take messages."""
        if self.full:
            raise TemporarilyOverloaded
        self.messages += dispatches
