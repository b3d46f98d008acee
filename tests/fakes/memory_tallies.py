"""Tallies in memory: the port `Tallies` without AWS, over stock and entrants in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from brandday.domain.entrant import Entrant
from brandday.domain.lottery import Frozen
from brandday.domain.shard import Refused, ShardWrite, Written, apply
from brandday.domain.tally import TalliesMoved, Tally, TallyKey, TallyWrite
from tests.fakes.memory_entrants import MemoryEntrants
from tests.fakes.memory_stock import MemoryStock


@dataclass
class MemoryTallies:
    """All tallies by key. ``behind`` are those that reads see which are not consistent: what a test puts there."""

    stock: MemoryStock = field(default_factory=MemoryStock)
    entrants: MemoryEntrants = field(default_factory=MemoryEntrants)
    kept: dict[TallyKey, Tally] = field(default_factory=dict)
    behind: dict[TallyKey, Tally] = field(default_factory=dict)

    def tallies(self, keys: Sequence[TallyKey], *, consistent: bool) -> Mapping[TallyKey, Tally]:
        """Return all of the tallies."""
        old = {} if consistent else self.behind
        return {key: old.get(key, self.kept.get(key, Tally())) for key in keys}

    def write_shard(
        self, campaign_id: str, write: ShardWrite, tallies: Sequence[TallyWrite]
    ) -> Written | Refused | TalliesMoved:
        """Write both, or nothing."""
        shard = self.stock.shard(write.shard, campaign_id)
        if apply(shard, write) is None:
            return Refused(shard)
        if moved := self._moved(tallies):
            return TalliesMoved(moved)
        self.stock.write(campaign_id, write)
        self._save(tallies)
        return Written({})

    def save_entrant(
        self, frozen: Frozen, before: Entrant | None, after: Entrant, tallies: Sequence[TallyWrite]
    ) -> bool | TalliesMoved:
        """Save both, or nothing."""
        known = self.entrants.load(frozen, after.name, consistent=True)
        if (known.version if known else 0) != (before.version if before else 0):
            return False
        if moved := self._moved(tallies):
            return TalliesMoved(moved)
        self._save(tallies)
        return self.entrants.save(frozen, before, after)

    def _moved(self, tallies: Sequence[TallyWrite]) -> dict[TallyKey, Tally]:
        now = self.tallies([one.key for one in tallies], consistent=True)
        return {one.key: now[one.key] for one in tallies if now[one.key].version != one.version}

    def _save(self, tallies: Sequence[TallyWrite]) -> None:
        for one in tallies:
            self.kept[one.key] = Tally(one.version + 1, one.after, one.forget_at)
