"""The lists as operators keep them: rows right and wrong, repetitions, expiry, races, and the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.domain.errors import ListingNotFound, TemporarilyOverloaded, ValidationFailed
from brandday.domain.listing import Listing, ListingKey
from brandday.domain.risk import Listed
from brandday.domain.signals import SignalKind
from brandday.domain.times import to_rfc3339
from brandday.domain.trail import TrailEntry
from brandday.usecases.guard_desk_ports import MOST_LISTED
from brandday.usecases.keep_lists import (
    DAY_MS,
    DEFAULT_DAYS,
    MOST_DAYS,
    MOST_ROWS,
    REASON_LENGTH,
    VALUE_LENGTH,
    KeepLists,
    ListingProblem,
    Row,
    act_id,
    end_of_day,
    read_row,
)
from tests.fakes.declarations import DURING
from tests.fakes.memory_desk import MARKER, MemoryGuardDesk, RiskDesk

BLOCKED = Row("block", "device", "d-1", reason="a farm")
DEVICE = ListingKey(SignalKind.DEVICE, MARKER.mark(SignalKind.DEVICE, "d-1") or "")


@pytest.fixture
def desk() -> RiskDesk:
    return RiskDesk()


def test_a_value_is_listed_by_its_mark_until_the_end_of_a_day(desk: RiskDesk) -> None:
    (outcome,) = desk.lists.put([BLOCKED], "ann", "key")
    assert outcome.changed
    assert outcome.problem is None
    assert desk.kept.guard.listings == {
        DEVICE: Listing(
            Listed.BLOCK, DEVICE, end_of_day(DURING, DEFAULT_DAYS), "a farm", "ann", DURING, act_id("ann", "key")
        )
    }
    assert "d-1" not in repr(desk.kept), "values are not kept"


def test_the_same_again_changes_nothing_all_day_long(desk: RiskDesk) -> None:
    desk.lists.put([BLOCKED], "ann", "key")
    desk.clock.advance(3_600_000)
    (outcome,) = desk.lists.put([BLOCKED], "bob", "another key")
    assert not outcome.changed
    assert outcome.listing is not None
    assert outcome.listing.who == "ann"
    assert len(desk.kept.trail) == 1


@pytest.mark.parametrize(
    "other",
    [
        Row("allow", "device", "d-1", reason="a farm"),
        Row("block", "device", "d-1", reason="a tablet in a store"),
        Row("block", "device", "d-1", until="2026-12-24", reason="a farm"),
    ],
)
def test_something_else_about_the_same_replaces_it(desk: RiskDesk, other: Row) -> None:
    desk.lists.put([BLOCKED], "ann", "key")
    (outcome,) = desk.lists.put([other], "bob", "another key")
    assert outcome.changed
    assert desk.kept.guard.listings[DEVICE].who == "bob"
    (change,) = desk.kept.trail[-1].changes
    assert change.path == ("lists", "device", DEVICE.mark)
    assert change.before["reason"] == "a farm"
    assert change.after["reason"] == other.reason


def test_what_was_over_is_told_as_if_it_had_not_been_there(desk: RiskDesk) -> None:
    desk.lists.put([BLOCKED], "ann", "key")
    desk.clock.advance((DEFAULT_DAYS + 1) * DAY_MS)
    (outcome,) = desk.lists.put([BLOCKED], "ann", "another key")
    assert outcome.changed
    assert desk.kept.trail[-1].changes[0].before is None


def test_each_wrong_row_is_told_and_the_others_are_kept(desk: RiskDesk) -> None:
    rows = {
        Row("grey", "device", "d-1"): ListingProblem.UNKNOWN_LIST,
        Row("block", "gadget", "d-1"): ListingProblem.UNKNOWN_KIND,
        Row("block", "device"): ListingProblem.VALUE_MISSING,
        Row("block", "device", "d-1", DEVICE.mark): ListingProblem.VALUE_MISSING,
        Row("block", "email", "nobody"): ListingProblem.BAD_VALUE,
        Row("block", "phone", "12"): ListingProblem.BAD_VALUE,
        Row("block", "network", "300.1.1.1"): ListingProblem.BAD_VALUE,
        Row("block", "device", "d" * (VALUE_LENGTH + 1)): ListingProblem.BAD_VALUE,
        Row("block", "device", mark="short"): ListingProblem.BAD_VALUE,
        Row("block", "device", "d-2", until="soon"): ListingProblem.BAD_UNTIL,
        Row("block", "device", "d-2", until="2026-12-24T00:00:00"): ListingProblem.BAD_UNTIL,
        Row("block", "device", "d-2", until="2026-13-01"): ListingProblem.BAD_UNTIL,
        Row("block", "device", "d-2", until="9999-12-31"): ListingProblem.UNTIL_TOO_FAR,
        Row("block", "device", "d-2", until="2026-01-01"): ListingProblem.UNTIL_PAST,
        Row("block", "device", "d-2", until=to_rfc3339(DURING)): ListingProblem.UNTIL_PAST,
        Row(
            "block", "device", "d-2", until=to_rfc3339(end_of_day(DURING, MOST_DAYS) + 1)
        ): ListingProblem.UNTIL_TOO_FAR,
        Row("block", "device", "d-2", reason="r" * (REASON_LENGTH + 1)): ListingProblem.BAD_REASON,
        Row("block", "device", "d-2", reason="two\nlines"): ListingProblem.BAD_REASON,
        Row(" Block ", "DEVICE", "d-3 "): None,
        Row("allow", "device", "d-3"): ListingProblem.REPEATED,
        Row("allow", "shopper", "d-3"): None,
    }
    outcomes = desk.lists.put(list(rows), "ann", "key")
    assert [outcome.problem for outcome in outcomes] == list(rows.values())
    assert len(desk.kept.guard.listings) == 2


@pytest.mark.parametrize(
    ("kind", "typed", "again"),
    [
        ("email", "Jo.Doe+shop@GoogleMail.com", " jodoe@gmail.com"),
        ("phone", "+86 138 1234 5678", "+86-13812345678"),
        ("network", "203.0.113.7", "203.0.113.200"),
        ("address", "1 Test Road, Hangzhou", "1 TEST ROAD hangzhou"),
    ],
)
def test_another_spelling_is_the_same(desk: RiskDesk, kind: str, typed: str, again: str) -> None:
    rows = [Row("block", kind, typed), Row("block", kind, again)]
    assert [outcome.problem for outcome in desk.lists.put(rows, "ann", "key")] == [None, ListingProblem.REPEATED]


def test_a_date_is_meant_with_all_of_its_day(desk: RiskDesk) -> None:
    (outcome,) = desk.lists.put([Row("block", "device", "d-1", until="2026-12-24")], "ann", "key")
    assert outcome.listing is not None
    assert to_rfc3339(outcome.listing.until) == "2026-12-25T00:00:00.000Z"


def test_a_hundred_rows_are_put_and_each_of_their_transactions_has_its_entry(desk: RiskDesk) -> None:
    rows = [Row("block", "device", f"d-{number}") for number in range(MOST_ROWS)]
    assert all(outcome.changed for outcome in desk.lists.put(rows, "ann", "key"))
    assert [len(entry.changes) for entry in desk.kept.trail] == [MOST_LISTED, MOST_LISTED, 20]
    assert len({entry.id for entry in desk.kept.trail}) == 3
    assert not any(outcome.changed for outcome in desk.lists.put(rows, "ann", "key"))
    assert len(desk.kept.trail) == 3


def test_what_was_taken_off_does_not_count_and_can_be_taken_off_again_by_the_same_request(desk: RiskDesk) -> None:
    desk.lists.put([BLOCKED], "ann", "key")
    removed = desk.lists.remove(SignalKind.DEVICE, "d-1", "", "bob", "remove")
    assert removed.changed
    assert not desk.kept.guard.listings[DEVICE].is_live(desk.clock())
    assert desk.kept.trail[-1].changes[0].after is None
    assert not desk.lists.remove(SignalKind.DEVICE, "", DEVICE.mark, "bob", "remove").changed
    with pytest.raises(ListingNotFound):
        desk.lists.remove(SignalKind.DEVICE, "d-1", "", "bob", "another")
    assert len(desk.kept.trail) == 2


def test_what_cannot_be_a_value_is_refused_by_its_field(desk: RiskDesk) -> None:
    places = []
    for value, mark in (("", ""), ("nobody", ""), ("", "short")):
        with pytest.raises(ValidationFailed) as refused:
            desk.lists.remove(SignalKind.EMAIL, value, mark, "ann", "key")
        places += [(place.pointer, place.rule) for place in refused.value.errors]
    assert places == [("/value", "required"), ("/value", "bad_format"), ("/mark", "bad_format")]


def test_pages_have_what_counts_now(desk: RiskDesk) -> None:
    rows = [Row("allow" if number % 3 else "block", "device", f"d-{number}") for number in range(9)]
    desk.lists.put([*rows, Row("block", "email", "a@b.example", until="2026-11-30")], "ann", "key")
    desk.lists.remove(SignalKind.DEVICE, "d-1", "", "ann", "remove")
    assert len(_all(desk.lists)) == 9
    assert len(_all(desk.lists, SignalKind.DEVICE)) == 8
    assert len(_all(desk.lists, SignalKind.DEVICE, Listed.BLOCK)) == 3
    desk.clock.advance(30 * DAY_MS)
    assert {one.key.kind for one in _all(desk.lists)} == {SignalKind.DEVICE}
    with pytest.raises(ValidationFailed):
        desk.lists.page(None, None, 10, "nowhere")


def test_the_history_tells_the_latest_act_first(desk: RiskDesk) -> None:
    for number in range(5):
        desk.clock.advance(1)
        desk.lists.put([Row("block", "device", f"d-{number}")], "ann", f"key {number}")
    first = desk.lists.history(3, None)
    rest = desk.lists.history(3, first.next)
    ats = [entry.at for entry in (*first.entries, *rest.entries)]
    assert ats == sorted(ats, reverse=True)
    assert len(ats) == 5
    assert rest.next is None
    with pytest.raises(ValidationFailed):
        desk.lists.history(3, "nowhere")


@dataclass
class _Raced(MemoryGuardDesk):
    """Lists into which somebody else writes between a read and a write, so many times."""

    times: int = 1
    written: list[str] = field(default_factory=list)

    def put(self, changes: Mapping[ListingKey, tuple[Listing | None, Listing]], entry: TrailEntry) -> bool:
        if len(self.written) < self.times:
            self.written.append(f"race {len(self.written)}")
            other = Listing(Listed.ALLOW, DEVICE, DURING + DAY_MS, self.written[-1], "eve", DURING, self.written[-1])
            self.guard.listings[DEVICE] = other
        return super().put(changes, entry)


def test_what_somebody_else_did_meanwhile_is_told_as_what_was_before() -> None:
    kept = _Raced()
    lists = KeepLists(kept, MARKER.mark, lambda: DURING)
    lists.put([BLOCKED], "ann", "key")
    (entry,) = kept.trail
    assert entry.changes[0].before["reason"] == "race 0"
    assert kept.guard.listings[DEVICE].who == "ann"


def test_who_is_always_slower_is_told_to_try_again() -> None:
    lists = KeepLists(_Raced(times=99), MARKER.mark, lambda: DURING)
    with pytest.raises(TemporarilyOverloaded):
        lists.put([BLOCKED], "ann", "key")


@dataclass
class _Busy(MemoryGuardDesk):
    """A database that is too busy for one of the writes."""

    fails_at: int = 1
    writes: int = 0

    def put(self, changes: Mapping[ListingKey, tuple[Listing | None, Listing]], entry: TrailEntry) -> bool:
        at, self.writes = self.writes, self.writes + 1
        if at == self.fails_at:
            raise TemporarilyOverloaded
        return super().put(changes, entry)


@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_a_file_that_was_cut_off_anywhere_is_finished_by_repeating_it(fails_at: int) -> None:
    kept = _Busy(fails_at=fails_at)
    lists = KeepLists(kept, MARKER.mark, lambda: DURING)
    rows = [Row("block", "device", f"d-{number}") for number in range(MOST_ROWS)]
    with pytest.raises(TemporarilyOverloaded):
        lists.put(rows, "ann", "key")
    assert len(kept.guard.listings) == fails_at * MOST_LISTED
    outcomes = lists.put(rows, "ann", "key")
    assert [outcome.changed for outcome in outcomes] == [
        number >= fails_at * MOST_LISTED for number in range(MOST_ROWS)
    ]
    told = [change.path for entry in kept.trail for change in entry.changes]
    assert len(told) == len(set(told)) == len(kept.guard.listings) == MOST_ROWS


WORDS = st.one_of(st.text(max_size=20), st.sampled_from(["allow", "block", "device", "email", "2026-12-24", "", "d-1"]))


@given(st.builds(Row, WORDS, WORDS, WORDS, WORDS, WORDS, WORDS))
def test_any_row_is_a_listing_or_a_problem(row: Row) -> None:
    (outcome,) = RiskDesk().lists.put([row], "ann", "key")
    assert (outcome.listing is None) != (outcome.problem is None)
    if outcome.listing is not None:
        assert outcome.listing.key.mark
        assert DURING < outcome.listing.until <= end_of_day(DURING, MOST_DAYS)
        assert outcome.listing.reason.isprintable()


@given(st.dates(date(2026, 11, 10), date(2028, 11, 1)), st.integers(0, 86_399))
def test_any_day_and_any_moment_ahead_can_be_the_end(day: date, second: int) -> None:
    whole = read_row(Row("block", "device", "d", until=day.isoformat()), MARKER.mark, "ann", DURING, "act")
    assert whole.until % DAY_MS == 0
    moment = datetime.fromtimestamp(whole.until / 1000 - 1 - second, UTC).isoformat()
    exact = read_row(Row("block", "device", "d", until=moment), MARKER.mark, "ann", DURING, "act")
    assert exact.until == whole.until - 1000 - second * 1000


def _all(lists: KeepLists, kind: SignalKind | None = None, listed: Listed | None = None) -> list[Listing]:
    found: list[Listing] = []
    after: str | None = None
    while True:
        page = lists.page(kind, listed, 2, after)
        found += page.listings
        after = page.next
        if after is None:
            return found
