"""Counts of entries in memory: the port `EntryCounts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from brandday.domain.errors import TemporarilyOverloaded


@dataclass
class MemoryEntryCounts:
    """Counts by campaign and table version, with the last mark of each campaign."""

    counts: dict[str, Counter[int]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    busy: bool = False

    def add(self, campaign_id: str, counts: Mapping[int, int], mark: str) -> None:
        """Add counts unless the mark was the last one."""
        if self.busy:
            raise TemporarilyOverloaded
        if self.marks.get(campaign_id) != mark:
            self.marks[campaign_id] = mark
            self.counts.setdefault(campaign_id, Counter()).update(counts)

    def load(self, campaign_id: str) -> Mapping[int, int]:
        """Return the counts of one campaign."""
        return dict(self.counts.get(campaign_id, {}))
