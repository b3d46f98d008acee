"""What shoppers are refused is counted without a database call for each."""

from collections.abc import Mapping

from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.count_refusals import REPORT_MS, CountRefusals
from tests.fakes.clock import SettableClock
from tests.fakes.memory_refusals import MemoryRefusals


def test_refusals_are_added_up_and_reported_every_few_seconds() -> None:
    clock, table = SettableClock(REPORT_MS), MemoryRefusals()
    count = CountRefusals(table, clock)

    for _ in range(1000):
        count("sale", "sold_out")
    assert table.reports == 1

    clock.advance(REPORT_MS)
    count("sale", "all_held")

    assert table.reports == 2
    assert table.counts == {"sale": {"sold_out": 1000, "all_held": 1}}


def test_what_a_busy_table_did_not_take_is_reported_the_next_time() -> None:
    clock, table = SettableClock(REPORT_MS), _BusyOnce()
    count = CountRefusals(table, clock)

    count("sale", "sold_out")
    assert table.counts == {}
    clock.advance(REPORT_MS)
    count("sale", "sold_out")

    assert table.counts == {"sale": {"sold_out": 2}}


class _BusyOnce(MemoryRefusals):
    busy = True

    def add(self, campaign_id: str, counts: Mapping[str, int]) -> None:
        if self.busy:
            self.busy = False
            raise TemporarilyOverloaded
        super().add(campaign_id, counts)
