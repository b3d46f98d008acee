"""Stock in memory: the port `Stock` without a database, by the very rules that adapters have to follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from brandday.domain.protocols import Effect, Protocol, Read, Write
from brandday.domain.shard import Refused, Shard, ShardWrite, Written, apply
from brandday.usecases.drive import drive

CAMPAIGN = "brand-day-2026-07"


@dataclass
class MemoryStock:
    """All shards of all campaigns, by campaign and number, and every effect it was asked for, in order."""

    shards: dict[tuple[str, int], Shard] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)

    def shard(self, number: int, campaign_id: str = CAMPAIGN) -> Shard:
        """Return a shard as it is; this is no database call."""
        return self.shards.get((campaign_id, number)) or Shard(number, 0, {}, {})

    def read(self, campaign_id: str, shards: Sequence[int], *, consistent: bool) -> tuple[Shard, ...]:
        """Return these shards in the order asked for."""
        self.effects.append(Read(tuple(shards), consistent))
        return tuple(self.shard(number, campaign_id) for number in shards)

    def write(self, campaign_id: str, write: ShardWrite) -> Written | Refused:
        """Do one write, or say why not."""
        self.effects.append(Write(write))
        before = self.shard(write.shard, campaign_id)
        after = apply(before, write)
        if after is None:
            return Refused(before)
        self.shards[campaign_id, write.shard] = after
        return Written({slot: after.free[slot] for slot in write.free})

    def run[Outcome](self, protocol: Protocol[Outcome], campaign_id: str = CAMPAIGN) -> Outcome:
        """Drive a protocol to its end, undisturbed, and return its outcome."""
        return drive(protocol, self, campaign_id)
