"""How long somebody waits who is wrong again and again, and how that is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.domain.backoff import HOUR_MS, Misses, Patience, tag_of

PATIENCE = Patience(free=5, first_ms=2_000, longest_ms=HOUR_MS)
NOON = 494_123 * HOUR_MS


@pytest.mark.parametrize(
    ("misses", "seconds"),
    [(0, 0), (5, 0), (6, 2), (7, 4), (8, 8), (15, 1024), (16, 2048), (17, 3600), (18, 3600), (10**9, 3600)],
)
def test_the_wait_doubles_up_to_the_longest(misses: int, seconds: int) -> None:
    assert PATIENCE.wait_ms(misses) == seconds * 1000


def test_a_wait_begins_with_the_latest_miss() -> None:
    misses = Misses().after(5, ["a"], NOON)
    assert misses.blocked_until(PATIENCE) == NOON
    assert misses.after(1, ["b"], NOON + 100).blocked_until(PATIENCE) == NOON + 100 + 2000


def test_misses_are_forgotten_little_by_little_in_the_hour_after() -> None:
    misses = Misses().after(8, [], NOON + HOUR_MS - 1)

    assert misses.count(NOON + HOUR_MS) == 8
    assert misses.count(NOON + HOUR_MS + HOUR_MS // 2) == 4
    assert misses.count(NOON + 2 * HOUR_MS) == 0
    assert misses.after(1, [], NOON + HOUR_MS * 3 // 2).blocked_until(PATIENCE) == NOON + HOUR_MS * 3 // 2


def test_what_is_too_old_to_count_is_not_carried_along() -> None:
    misses = Misses()
    for hour in range(50):
        misses = misses.after(1, [], NOON + hour * HOUR_MS)
    assert len(misses.counts) == 2


def test_a_tag_is_one_marks_own_and_says_nothing() -> None:
    assert tag_of("mark-1", "SUMMER20") == tag_of("mark-1", "SUMMER20") != tag_of("mark-2", "SUMMER20")
    assert len(tag_of("mark-1", "SUMMER20")) == 4
    assert tag_of("mark-1", "\ud800")


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 2 * HOUR_MS)), max_size=30))
def test_nobody_waits_longer_than_the_longest_or_for_a_miss_less(steps: list[tuple[int, int]]) -> None:
    now, misses = NOON, Misses()
    for number, later in steps:
        now += later
        more = misses.after(number, [], now)
        assert now <= more.blocked_until(PATIENCE) <= now + PATIENCE.longest_ms
        assert more.count(now) >= number
        assert PATIENCE.wait_ms(more.count(now)) >= PATIENCE.wait_ms(misses.count(now))
        misses = more
