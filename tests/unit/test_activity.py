"""Counting at the gate: what is approximate is off by no more than is said, over many seeds."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import pairwise, product

import pytest

from brandday.domain.activity import (
    FRESH,
    MOST_DISTINCT,
    PARTS,
    PLACES,
    Activity,
    ActivityKey,
    Part,
    draw,
    margin,
    part_of,
    place_of,
    weights,
)
from brandday.domain.protection import Counted, Limit, Window
from brandday.domain.signals import SignalKind, mark_of

AT = 1_790_000_000_000
KEY = ActivityKey("sale", SignalKind.DEVICE, "padPadPadPadPadP")


def limit(seconds: int | None, *, sliding: bool = True, anchor: int = 0, most: int = 10) -> Limit:
    window = None if seconds is None else Window(seconds * 1000, sliding, anchor)
    return Limit("attempts", SignalKind.DEVICE, Counted.ATTEMPTS, most, window)


def noted(of: Limit, moments: list[int]) -> Activity:
    return Activity(Counter(part_of(of, moment) for moment in moments))


def counting_shoppers(many: int, key: ActivityKey = KEY) -> Activity:
    marks = (mark_of(b"key", SignalKind.SHOPPER, f"{key.mark}-{number}") for number in range(many))
    return Activity({}, frozenset(place_of(key, mark) for mark in marks))


# --- windows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1, 2, 5, 7, 60, 61, 3600])
def test_a_sliding_window_never_counts_less_and_at_most_one_part_more(seconds: int) -> None:
    chance = random.Random(seconds)
    of = limit(seconds)
    part_ms = max(1, math.ceil(seconds / PARTS)) * 1000
    more = 0
    for _ in range(300):
        now = AT + chance.randrange(3_600_000)
        moments = [now + chance.randrange(-3 * seconds * 1000, 1) for _ in range(chance.randrange(40))]
        within = sum(moment >= of.begins_at(now) for moment in moments)
        and_a_part = sum(moment > of.begins_at(now) - part_ms for moment in moments)
        estimate = noted(of, moments).estimate(of, now)
        assert within <= estimate <= and_a_part
        more += estimate > within
    assert more > 0, "or nothing was approximate"


@pytest.mark.parametrize("seconds", [1, 60, 86_400])
def test_a_fixed_window_is_exact(seconds: int) -> None:
    chance = random.Random(seconds)
    for _ in range(300):
        of = limit(seconds, sliding=False, anchor=chance.randrange(1000) * 1000)
        moments = [AT + chance.randrange(-3 * seconds * 1000, 1) for _ in range(chance.randrange(40))]
        assert noted(of, moments).estimate(of, AT) == sum(moment >= of.begins_at(AT) for moment in moments)


def test_without_a_window_everything_counts() -> None:
    of = limit(None)
    activity = noted(of, [0, AT])
    assert activity.estimate(of, AT) == 2
    assert activity.frees_at(of, 2, AT) is None
    assert activity.frees_at(of, 3, AT) == AT
    assert activity.stale([of], AT) == ()


@pytest.mark.parametrize("of", [limit(7), limit(60), limit(60, sliding=False, anchor=17_000)], ids=["7", "60", "fixed"])
def test_it_is_free_when_that_was_said_and_not_a_moment_earlier(of: Limit) -> None:
    chance = random.Random(7)
    waited = 0
    for _ in range(200):
        activity = noted(of, [AT + chance.randrange(-120_000, 1) for _ in range(chance.randrange(60))])
        below = chance.randrange(1, 12)
        free = activity.frees_at(of, below, AT)
        assert free is not None
        assert activity.estimate(of, free) < below
        if free > AT:
            waited += 1
            assert activity.estimate(of, free - 1) >= below
    assert waited > 15


def test_stale_parts_never_count_again_and_others_do() -> None:
    of = limit(60)
    old, new = part_of(of, AT - 200_000), part_of(of, AT - 60_000)
    activity = Activity({old: 3, new: 2, Part("attempts", 99, 0): 1, Part("another", 10, 0): 5})
    assert set(activity.stale([of], AT)) == {old, Part("attempts", 99, 0)}
    assert activity.estimate(of, AT) == 2


def test_limits_are_counted_apart_by_their_names() -> None:
    one, other = limit(60), Limit("other", SignalKind.DEVICE, Counted.ATTEMPTS, 3, Window(60_000, sliding=True))
    activity = Activity({part_of(one, AT): 2, part_of(other, AT): 5})
    assert (activity.estimate(one, AT), activity.estimate(other, AT)) == (2, 5)


def test_an_item_has_few_parts() -> None:
    of = limit(3600)
    parts = {part_of(of, AT + second * 1000) for second in range(3600)}
    assert len(parts) <= PARTS + 1


# --- how many shoppers --------------------------------------------------------------------------------------


def test_shoppers_are_counted_almost_exactly_while_they_are_few() -> None:
    assert [counting_shoppers(0).distinct(), counting_shoppers(1).distinct()] == [0, 1]
    assert Activity({}, frozenset({5})).distinct(5) == 1
    assert Activity({}, frozenset({5})).distinct(6) == 2


@pytest.mark.parametrize(("many", "off"), [(3, 0.10), (10, 0.10), (30, 0.10), (100, 0.15)])
def test_the_estimate_of_shoppers_is_right_on_average_and_off_by_little(many: int, off: float) -> None:
    told = [
        counting_shoppers(many, ActivityKey("sale", SignalKind.DEVICE, f"device-{seed}")).distinct()
        for seed in range(200)
    ]
    average = sum(told) / len(told)
    spread = math.sqrt(sum((each - many) ** 2 for each in told) / len(told))
    assert average == pytest.approx(many, rel=0.05)
    assert spread <= off * many


def test_when_all_places_are_marked_no_more_can_be_told() -> None:
    full = Activity({}, frozenset(range(PLACES)))
    assert full.distinct() == full.distinct(3) == MOST_DISTINCT == 266
    assert counting_shoppers(3000).distinct() == MOST_DISTINCT
    nearly = Activity({}, frozenset(range(PLACES - 1)))
    assert nearly.distinct() == MOST_DISTINCT, "one place free says as much as none"


def test_a_shopper_has_another_place_in_each_item() -> None:
    shoppers = [mark_of(b"key", SignalKind.SHOPPER, f"{number}") for number in range(2000)]
    here, there = (
        [place_of(ActivityKey("sale", SignalKind.DEVICE, mark), each) for each in shoppers] for mark in ("a", "b")
    )
    assert set(here) == set(range(PLACES))
    assert sum(a == b for a, b in zip(here, there, strict=True)) / len(shoppers) < 0.04


# --- one write for all --------------------------------------------------------------------------------------


SETS = [(10,), (10, 10), (10, 10, 10), (1, 1), (3, 60), (10, 20, 300), (4, 4, 10_000), (5,) * 7, (1, 10, 100, 1000)]


def test_one_signal_is_counted_exactly() -> None:
    assert weights(()) == ()
    assert weights((7,)) == (1,)
    assert draw("anything", ()) is None
    assert margin(10, 1, 1) == 0


@pytest.mark.parametrize("most", SETS)
def test_there_is_one_write_at_most_and_small_limits_are_counted_most_closely(most: tuple[int, ...]) -> None:
    chosen = weights(most)
    assert math.fsum(1 / weight for weight in chosen) <= 1 + 1e-9
    assert all(small[1] <= large[1] for small, large in pairwise(sorted(zip(most, chosen, strict=True))))
    if len(most) > 1:
        noise = [math.sqrt(each * (weight - 1)) / each for each, weight in zip(most, chosen, strict=True)]
        assert max(noise) <= 1.5, "no count is worth nothing"


@pytest.mark.parametrize("most", SETS)
def test_counts_are_right_on_average(most: tuple[int, ...]) -> None:
    requests = 8_000
    chosen = weights(most)
    counted: Counter[int] = Counter()
    for number in range(requests):
        index = draw(f"shopper-{number}", chosen)
        if index is not None:
            counted[index] += chosen[index]
    for index, weight in enumerate(chosen):
        sigma = math.sqrt(requests * (weight - 1))
        assert abs(counted[index] - requests) <= 4 * sigma + 1e-9


def test_two_kinds_of_requests_do_not_change_the_average() -> None:
    """New shoppers are drawn with other chances than known ones; each request adds one on average all the same."""
    first, then = weights((10, 4)), weights((10,))
    told = []
    for seed in range(3000):
        count = 0
        for number in range(8):
            chances = first if number < 2 else then
            index = draw(f"{seed}.{number}", chances)
            count += chances[0] if index == 0 else 0
        told.append(count)
    assert sum(told) / len(told) == pytest.approx(8, rel=0.02)


def refused_at(made: int, most: int, weight: int) -> float:
    """Return how likely somebody is refused who has made so many attempts."""
    hits = math.ceil((most + margin(most, weight, weight)) / weight)
    return _more_hits(made, weight, hits)


def _more_hits(made: int, weight: int, hits: int) -> float:
    return sum(math.comb(made, n) * (1 / weight) ** n * (1 - 1 / weight) ** (made - n) for n in range(hits, made + 1))


def test_who_keeps_a_limit_is_rarely_refused_and_who_keeps_half_of_it_hardly_ever() -> None:
    pairs = {(most, weights((most, other))[0]) for most, other in product(range(1, 60), repeat=2)}
    assert max(refused_at(most - 1, most, weight) for most, weight in pairs) < 0.04
    assert max(refused_at(most // 2, most, weight) for most, weight in pairs) < 0.001


def test_without_the_margin_chance_would_refuse_many() -> None:
    """The negative control: of those who keep a limit up to the last attempt, half."""
    assert _more_hits(9, 2, math.ceil(10 / 2)) == 0.5
    assert refused_at(9, 10, 2) < 0.04


def test_the_margin_grows_with_what_chance_adds() -> None:
    assert margin(10, 1, 3) == pytest.approx(2 * math.sqrt(FRESH * 2))
    assert margin(2, 3, 3) == pytest.approx(2 * math.sqrt(2 * 2))
    assert margin(10, 3, 3) > margin(10, 2, 2) > margin(10, 1, 1)
