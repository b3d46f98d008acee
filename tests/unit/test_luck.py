"""Rolls and slices: exact to the integer, fair at fixed seeds, and a biased sampler is noticed."""

import hashlib
import hmac
from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from brandday.domain.luck import (
    ROLL_RANGE,
    canonical,
    commitment,
    digest,
    draw_seed,
    hit,
    read_odds,
    roll,
    slices,
    write_odds,
)
from tests.unit.chi_squared import critical, is_fair

SEED = hashlib.sha256(b"a seed that does not change").digest()
ODDS = (Fraction(1, 100), Fraction(1, 7), Fraction(0), Fraction(1, 3))
ROLLS = 20_000

odds_of_a_table = some.lists(
    some.tuples(some.integers(0, 10**9), some.integers(1, 10**9)).map(lambda pair: Fraction(*pair)),
    min_size=1,
    max_size=36,
).map(lambda odds: [chance / max(1, sum(odds)) for chance in odds])


def test_critical_values_are_those_of_the_tables() -> None:
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.4, upper tail, 0.001
    for degrees, tabulated in {4: 18.467, 9: 27.877, 20: 45.315, 50: 86.661, 90: 137.208}.items():
        assert critical(degrees) == pytest.approx(tabulated, rel=0.02)


@given(odds_of_a_table)
def test_slices_begin_where_the_one_before_ended_to_the_integer(odds: list[Fraction]) -> None:
    ends = slices(odds)
    for index, (end, total) in enumerate(zip(ends, accumulate(odds), strict=True)):
        # The last integer inside is inside by the exact fraction, and the first outside is not.
        assert end == 0 or Fraction(end - 1, ROLL_RANGE) < total
        assert Fraction(end, ROLL_RANGE) >= total
        if odds[index]:
            first = ends[index - 1] if index else 0
            if first < end:
                assert hit(first, ends) == hit(end - 1, ends) == index
        if end < ends[-1]:
            assert hit(end, ends) != index


@given(odds_of_a_table)
def test_odds_that_add_up_to_one_leave_no_roll_out(odds: list[Fraction]) -> None:
    whole = [*odds, 1 - sum(odds, Fraction())]
    ends = slices(whole)
    assert ends[-1] == ROLL_RANGE
    assert hit(ROLL_RANGE - 1, ends) is not None
    assert all(before <= after for before, after in pairwise(ends))


def test_thirds_of_which_no_float_is_exact_share_the_whole_range() -> None:
    ends = slices([Fraction(1, 3)] * 3)
    assert ends[-1] == ROLL_RANGE
    assert [hit(at, ends) for at in (0, ends[0] - 1, ends[0], ends[1] - 1, ends[1], ROLL_RANGE - 1)] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]


def test_no_odds_hit_nothing_and_odds_of_one_always_hit() -> None:
    assert hit(0, slices([Fraction(0)])) is None
    assert hit(0, slices([])) is None
    assert hit(ROLL_RANGE - 1, slices([Fraction(1)])) == 0


@pytest.mark.parametrize("odds", [(Fraction(1), Fraction(1, 10**30)), (Fraction(-1, 2),)], ids=["over one", "negative"])
def test_impossible_odds_make_no_slices(odds: tuple[Fraction, ...]) -> None:
    with pytest.raises(ValueError, match="odds"):
        slices(odds)


def counts(sample: list[int | None]) -> list[int]:
    return [sample.count(index) for index in (*range(len(ODDS)), None)]


EXPECTED = (*ODDS, 1 - sum(ODDS, Fraction()))


def test_prizes_are_hit_as_often_as_their_odds_say() -> None:
    ends = slices(ODDS)
    assert is_fair(counts([hit(roll(SEED, "spring", f"n{at}", 1), ends) for at in range(ROLLS)]), EXPECTED)
    assert is_fair(counts([hit(roll(SEED, "spring", "one", at), ends) for at in range(ROLLS)]), EXPECTED)


def test_a_biased_sampler_fails_the_same_test() -> None:
    """Negative controls: the remainder of a byte, and odds rounded to one decimal."""
    ends = [end * 100 // ROLL_RANGE for end in slices(ODDS)]
    rolls = [roll(SEED, "spring", f"n{at}", 1) for at in range(ROLLS)]
    assert not is_fair(counts([hit((each % 256) % 100, ends) for each in rolls]), EXPECTED)
    rounded = slices(Fraction(round(float(chance) * 10), 10) for chance in ODDS)
    assert not is_fair(counts([hit(each, rounded) for each in rolls]), EXPECTED)


def test_a_roll_is_what_the_documentation_says() -> None:
    expected = hmac.new(SEED, b"spring|AbCdEfGhIjKl|7", "sha256").hexdigest()
    assert f"{roll(SEED, 'spring', 'AbCdEfGhIjKl', 7):064x}" == expected


def test_a_seed_is_promised_by_its_hash_and_joined_by_the_beacon() -> None:
    assert commitment(SEED) == hashlib.sha256(SEED).hexdigest()
    assert draw_seed(SEED, None) == SEED
    assert draw_seed(SEED, b"beacon") == hashlib.sha256(SEED + b"beacon").digest()
    with pytest.raises(ValueError, match="32 bytes"):
        commitment(b"short")


def test_there_is_one_text_of_a_value_and_no_float_has_any() -> None:
    assert canonical({"b": 1, "a": ["ü", None]}) == '{"a":["ü",null],"b":1}'.encode()
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()
    for value in (0.5, {"a": [1.0]}):
        with pytest.raises(TypeError):
            canonical(value)


def test_odds_are_written_in_lowest_terms_and_read_as_fractions_only() -> None:
    assert write_odds(Fraction(5, 100)) == "1/20"
    assert read_odds("5/100") == Fraction(1, 20)
    for text in ("0.05", "1/0", "1", "-1/2", "1/2/3", " 1/2", "1/²"):
        with pytest.raises(ValueError, match="no fraction"):
            read_odds(text)
