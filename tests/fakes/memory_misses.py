"""What marks have been wrong about, in memory: the port `MissLog` without a database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from brandday.domain.backoff import Misses
from brandday.usecases.back_off import MissKey


@dataclass
class MemoryMisses:
    """Misses that all environments share; nothing is forgotten."""

    misses: dict[MissKey, Misses] = field(default_factory=dict)

    def look(self, keys: Sequence[MissKey]) -> Mapping[MissKey, Misses]:
        """Return the misses of each."""
        return {key: self.misses.get(key, Misses()) for key in keys}

    def note(self, key: MissKey, number: int, tags: Collection[str], now: int, forget_at: int) -> Misses:
        """Add misses; return what was there before."""
        assert forget_at > now
        before = self.misses.get(key, Misses())
        self.misses[key] = before.after(number, tags, now)
        return before
