"""Several projectors at once keep one summary."""

from collections.abc import Mapping

import pytest

from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.summary import SHARDS_PER_GROUP, ShardTally, Tally
from brandday.usecases.keep_summary import MAX_RACES, KeepSummary
from brandday.usecases.live_campaigns import read_summary
from tests.fakes.backend import SALE
from tests.fakes.memory_campaigns import MemorySummaries


def _tally(version: int, sold: int) -> ShardTally:
    return ShardTally(version, {"0": Tally(30 - sold, 0, sold)}, None)


class Overtaken(MemorySummaries):
    """Somebody else saves a group a few times just before we do."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.others = 0

    def save_group(self, campaign_id: str, group: int, version: int, changed: Mapping[int, ShardTally]) -> bool:
        """Let the other one in first."""
        if self.others < self.times:
            self.others += 1
            super().save_group(campaign_id, group, version, {99: _tally(self.others, self.others)})
        return super().save_group(campaign_id, group, version, changed)


def test_a_projector_that_was_overtaken_adds_to_what_the_other_has_saved() -> None:
    summaries = Overtaken(times=MAX_RACES - 1)

    KeepSummary(summaries, lambda: 5)(SALE, {1: _tally(1, 2)})

    kept = read_summary(summaries.attributes(SALE))
    assert kept.sold == {"0": 2 + MAX_RACES - 1}
    assert kept.as_of == 5


def test_a_projector_that_is_always_overtaken_leaves_it_to_a_later_try() -> None:
    with pytest.raises(TemporarilyOverloaded):
        KeepSummary(Overtaken(times=100), lambda: 5)(SALE, {1: _tally(1, 2)})


def test_shards_of_several_groups_are_kept_apart_and_added_up() -> None:
    summaries = MemorySummaries()

    KeepSummary(summaries, lambda: 5)(SALE, {0: _tally(1, 2), SHARDS_PER_GROUP: _tally(1, 3), 9999: _tally(1, 4)})

    assert sorted(group for _, group in summaries.groups) == [0, 1, 9999 // SHARDS_PER_GROUP]
    assert read_summary(summaries.attributes(SALE)).sold == {"0": 9}


def test_a_subtotal_that_was_never_saved_is_saved_by_the_next_delivery_of_the_same() -> None:
    summaries = MemorySummaries()
    summaries.save_group(SALE, 0, 0, {0: _tally(1, 2)})

    KeepSummary(summaries, lambda: 5)(SALE, {0: _tally(1, 2)})

    assert read_summary(summaries.attributes(SALE)).sold == {"0": 2}


def test_an_older_tally_changes_nothing() -> None:
    summaries = MemorySummaries()
    keep = KeepSummary(summaries, lambda: 5)
    keep(SALE, {0: _tally(7, 4)})

    keep(SALE, {0: _tally(6, 1)})

    assert read_summary(summaries.attributes(SALE)).sold == {"0": 4}
