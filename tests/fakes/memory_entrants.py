"""Entrants' records in memory: the port `Entrants` without AWS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from brandday.domain.entrant import Entrant
from brandday.domain.lottery import Frozen
from brandday.usecases.lottery_ports import EntrantChanged


@dataclass
class MemoryEntrants:
    """All records by campaign and name, and every change there was, in order.

    ``behind`` are the records that reads see which are not consistent: nothing but what a test puts there.
    """

    records: dict[tuple[str, str], Entrant] = field(default_factory=dict)
    stream: list[EntrantChanged] = field(default_factory=list)
    behind: dict[tuple[str, str], Entrant | None] = field(default_factory=dict)

    def load(self, frozen: Frozen, name: str, *, consistent: bool) -> Entrant | None:
        """Return an entrant's record."""
        key = (frozen.campaign_id, name)
        if not consistent and key in self.behind:
            return self.behind[key]
        return self.records.get(key)

    def save(self, frozen: Frozen, before: Entrant | None, after: Entrant) -> bool:
        """Replace a record on condition of its version."""
        key = (frozen.campaign_id, after.name)
        known = self.records.get(key)
        if (known is None) != (before is None) or (known and before and known.version != before.version):
            return False
        stored = replace(after, version=1 if before is None else before.version + 1)
        self.records[key] = stored
        self.stream.append(EntrantChanged(frozen.campaign_id, known, stored))
        return True

    def bucket(self, frozen: Frozen, bucket: str) -> Iterator[Entrant]:
        """Yield the records of a bucket, in ASCII order of the names."""
        for key in sorted(self.records):
            if key[0] == frozen.campaign_id and key[1][: frozen.bucket_chars] == bucket:
                yield self.records[key]
