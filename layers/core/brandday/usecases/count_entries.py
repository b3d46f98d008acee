"""Counts entries for the operators' live view, from EntryTable's stream.

What was won need not be counted: the summary of the stock knows it exactly. Entries are added up here, one write for a
batch of the stream, by the version of the odds that they were judged by, so that the plan is exact for each.

For looking at, as the counts of refusals (decision 0004): a batch that is told again right away counts once, since it
begins with the same write; if another came in between, it may count twice. Nothing depends on the figures. What is
owed to anybody follows from the records, and `brandday audit` counts those.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.lottery_ports import EntrantChanged, EntryCounts


class CountEntries:
    """Does what is to be done with changes, and counts the entries among them once that is done."""

    def __init__(self, handle: Callable[[Sequence[EntrantChanged]], None], counts: EntryCounts) -> None:
        self._handle = handle
        self._counts = counts

    def __call__(self, changes: Sequence[EntrantChanged]) -> None:
        """Handle the changes, then count; a table that is too busy to count does not make the batch come again."""
        self._handle(changes)
        found: dict[str, Counter[int]] = {}
        marks: dict[str, str] = {}
        for campaign_id, before, after in changes:
            new = after.entries[0 if before is None else len(before.entries) :]
            if new:
                found.setdefault(campaign_id, Counter()).update(entry.version for entry in new)
                marks.setdefault(campaign_id, f"{after.name}.{after.version}")
        for campaign_id, counts in found.items():
            try:
                self._counts.add(campaign_id, counts, marks[campaign_id])
            except TemporarilyOverloaded:
                continue  # the rush that made it busy is what it would have counted: the view is a little short
