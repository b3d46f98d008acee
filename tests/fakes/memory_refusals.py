"""Counts of refusals in memory."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class MemoryRefusals:
    """What environments have reported, by campaign; `reports` counts how often."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    reports: int = 0

    def add(self, campaign_id: str, counts: Mapping[str, int]) -> None:
        """Add counts by code."""
        self.reports += 1
        self.counts.setdefault(campaign_id, Counter()).update(counts)

    def load(self, campaign_id: str) -> Mapping[str, int]:
        """Return the counts of one campaign."""
        return self.counts.get(campaign_id, {})
