"""Brings tallies of shards into the summary: whoever has seen a shard may do it, in any order, any number of times."""

from collections.abc import Mapping

from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.summary import SHARDS_PER_GROUP, ShardTally, newer, subtotal
from brandday.usecases.ports import Clock, Summaries

MAX_RACES = 8
"""How often a group's item is read again because another projector was faster."""


class KeepSummary:
    """Merges what was seen of shards into the stored tallies and subtotals."""

    def __init__(self, summaries: Summaries, now: Clock) -> None:
        self._summaries = summaries
        self._now = now

    def __call__(self, campaign_id: str, seen: Mapping[int, ShardTally]) -> None:
        """Keep the newest tally of each shard; TemporarilyOverloaded if others were always faster."""
        groups: dict[int, dict[int, ShardTally]] = {}
        for number, tally in seen.items():
            groups.setdefault(number // SHARDS_PER_GROUP, {})[number] = tally
        for group, tallies in groups.items():
            self._merge(campaign_id, group, tallies)

    def _merge(self, campaign_id: str, group: int, tallies: Mapping[int, ShardTally]) -> None:
        for _ in range(MAX_RACES):
            version, known = self._summaries.load_group(campaign_id, group)
            changed = newer(known, tallies)
            if not changed or self._summaries.save_group(campaign_id, group, version, changed):
                # Also when nothing changed: whoever saved the tallies may have died before saving the subtotal.
                self._summaries.save_subtotal(campaign_id, group, subtotal({**known, **changed}), self._now())
                return
        raise TemporarilyOverloaded
