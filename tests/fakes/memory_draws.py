"""What was sealed and drawn, in memory: the port `Draws`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class MemoryDraws:
    """All parts by campaign and name, and counts. `careless` puts without looking what is there: a negative control."""

    parts: dict[tuple[str, str], str] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    careless: bool = False

    def keep(self, campaign_id: str, part: str, text: str) -> str:
        """Store a part unless there is one; return the one that is there now."""
        if self.careless:
            self.parts[campaign_id, part] = text
        return self.parts.setdefault((campaign_id, part), text)

    def read(self, campaign_id: str, part: str) -> str | None:
        """Return a part."""
        return self.parts.get((campaign_id, part))

    def list(self, campaign_id: str, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield all parts whose names begin with a prefix, in order of names."""
        found = [(part, text) for (of, part), text in self.parts.items() if of == campaign_id]
        return iter(sorted(each for each in found if each[0].startswith(prefix)))

    def count(self, campaign_id: str, what: str) -> int:
        """Return how many are done."""
        return self.counts.get((campaign_id, what), 0)

    def mark(self, campaign_id: str, what: str, done: int) -> None:
        """Remember how many are done; never goes back."""
        self.counts[campaign_id, what] = max(done, self.count(campaign_id, what))
