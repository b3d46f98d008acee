"""Release times: complete, in step with the layout's shards, and spread as the weights say."""

import hashlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from brandday.domain.layout import Layout
from brandday.domain.lottery import Allowance, Frozen, Lottery, LotteryMode, Moments, Prize, Rounds
from brandday.domain.luck import commitment
from brandday.domain.pacing import HOUR_MS, Pacing, PrizePace, Step, day_of, release_steps
from brandday.domain.shard import CANCELLED, CONFIRMED, Entry, Shard, encode_record
from tests.unit.chi_squared import is_fair
from tests.unit.lottery_world import COMPLIANCE, DAY_MS, START, frozen_of

SEED = hashlib.sha256(b"pace").digest()
FROZEN = frozen_of(SEED)
SLOT_NUMBERS = some.sampled_from("0159az")


def prize(stock: int, **fields: object) -> Prize:
    return Prize("mug", {"en": "A mug"}, stock, **fields)  # type: ignore[arg-type]


@given(SLOT_NUMBERS, some.integers(1, 40), some.integers(1, 500), some.data())
def test_units_lie_in_the_shards_where_the_layout_counts_them(
    slot: str, shards: int, stock: int, data: some.DataObject
) -> None:
    released = data.draw(some.integers(0, stock))
    pace = PrizePace(slot, stock, (Step(10, released), Step(20, stock)), None, shards)
    layout = Layout(bytes(16), shards, {"mug": slot}, {slot: stock})
    for shard in range(shards):
        where = [k for k in range(stock) if (7 * int(slot, 36) + k) % shards == shard]
        assert pace.reserved_in(shard, 9) == layout.capacity(slot, shard) == len(where)
        assert pace.released_in(shard, 10) == sum(k < released for k in where)
        assert pace.reserved_in(shard, 10) == sum(k >= released for k in where)
        assert pace.reserved_in(shard, 20) == 0


def test_a_unit_is_released_at_its_millisecond_and_not_before() -> None:
    pace = PrizePace("0", 3, (Step(10, 1), Step(20, 1), Step(20, 3)), None, 1)
    assert [pace.released(at) for at in (0, 9, 10, 19, 20, 99)] == [0, 0, 1, 1, 3, 3]


@given(some.integers(1, 200), some.integers(1, 30))
def test_rounds_share_the_stock_equally(stock: int, rounds: int) -> None:
    times = tuple(START + number * HOUR_MS for number in range(rounds))
    steps = release_steps(prize(stock, release=Rounds(times)), FROZEN, SEED)
    shares = [step.units - (steps[at - 1].units if at else 0) for at, step in enumerate(steps)]
    assert sum(shares) == stock
    assert max(shares) - min(shares) <= 1
    assert tuple(step.at for step in steps) == times


def moments(weights: tuple[int, ...], stock: int, frozen: Frozen = FROZEN) -> list[int]:
    return [step.at for step in release_steps(prize(stock, release=Moments(weights)), frozen, SEED)]


def hours_hit(times: list[int]) -> list[int]:
    hours = [(at - FROZEN.days[day_of(FROZEN.days, at)]) // HOUR_MS for at in times]
    return [hours.count(hour) for hour in range(24)]


def test_moments_are_in_the_schedule_ascend_and_come_from_the_seed() -> None:
    times = moments((1,) * 24, 500)
    assert times == sorted(times) == moments((1,) * 24, 500)
    assert FROZEN.starts_at <= times[0] <= times[-1] < FROZEN.ends_at
    other = release_steps(prize(500, release=Moments()), FROZEN, bytes(32))
    assert [step.at for step in other] != times


def test_moments_fall_into_the_hours_by_their_weights() -> None:
    weights = (0, 0, 1, 5, 2, 1) * 4
    expected = [Fraction(weight, sum(weights)) for weight in weights]  # the schedule is three whole days
    assert is_fair(hours_hit(moments(weights, 5000)), expected)
    assert not is_fair(hours_hit(moments((1,) * 24, 5000)), [Fraction(w, 36) if w else Fraction(0) for w in weights])


def test_moments_spread_evenly_within_an_hour() -> None:
    minutes = [(at % HOUR_MS) // (HOUR_MS // 60) for at in moments((1, 3) * 12, 6000)]
    assert is_fair([minutes.count(minute) for minute in range(60)], [Fraction(1, 60)] * 60)


def test_moments_drawn_with_the_remainder_of_a_byte_fail_the_same_test() -> None:
    """Negative control."""
    times = [START + (digest % 256) % 60 for digest in (hash_of(unit) for unit in range(6000))]
    assert not is_fair([times.count(START + minute) for minute in range(60)], [Fraction(1, 60)] * 60)


def hash_of(unit: int) -> int:
    return int.from_bytes(hashlib.sha256(b"%d" % unit).digest())


def test_no_moment_falls_outside_a_schedule_that_begins_and_ends_within_hours() -> None:
    frozen = Frozen("spring", START + 1234, START + 5 * HOUR_MS + 77, (START - HOUR_MS,), 3, 1, commitment(SEED))
    times = moments((0, 1, 0, 0, 1, 0, 9) + (0,) * 17, 400, frozen)
    assert times[0] >= START + 1234
    assert times[-1] < frozen.ends_at
    assert {(at - frozen.days[0]) // HOUR_MS for at in times} <= {1, 4, 6}
    with pytest.raises(ValueError, match="no hour"):
        moments((0,) * 20 + (1,) * 4, 1, frozen)


@given(some.integers(1, 12), some.integers(1, 9), some.integers(0, 20))
def test_a_days_cap_is_split_without_rest_and_goes_round_all_shards(shards: int, cap: int, day: int) -> None:
    pace = PrizePace("3", 1000, (Step(0, 1000),), cap, shards)
    shares = [pace.share_in(shard, day) or 0 for shard in range(shards)]
    assert sum(shares) == cap
    assert max(shares) - min(shares) <= 1
    so_far = [sum(pace.share_in(shard, each) or 0 for each in range(day + 1)) for shard in range(shards)]
    assert max(so_far) - min(so_far) <= 1, "a shard that is passed over day after day would strand its units"


def test_what_is_left_of_a_day_is_counted_from_the_records_of_the_shard() -> None:
    lottery = Lottery(LotteryMode.INSTANT, (prize(9, odds=Fraction(1, 2), per_day=3),), Allowance(1, 1), COMPLIANCE)
    pacing = Pacing(lottery, frozen_of(SEED, shards=1), SEED)
    midnight = FROZEN.days[1]
    claims = {
        "before": Entry(CONFIRMED, "0", 1, midnight - 1, "tagtag", "a.1"),
        "first": Entry(CONFIRMED, "0", 1, midnight, "tagtag", "a.2"),
        "back": Entry(CANCELLED, "0", 1, midnight + 5, "tagtag"),
        "other": Entry(CONFIRMED, "1", 1, midnight + 5, "tagtag", "a.3"),
        "last": Entry(CONFIRMED, "0", 1, midnight + DAY_MS - 1, "tagtag", "a.4"),
    }
    shard = Shard(0, 1, {}, {name: encode_record([entry]) or "" for name, entry in claims.items()})
    assert pacing.left_today("0", shard, midnight - 1) == 2
    assert pacing.left_today("0", shard, midnight) == 1
    assert pacing.left_today("0", shard, midnight + DAY_MS) == 3
    assert pacing.reserved("0", 0, FROZEN.starts_at - 1) == 9
    assert pacing.reserved("0", 0, FROZEN.starts_at) == 0


def test_a_prize_without_a_cap_needs_no_image_of_its_shard() -> None:
    lottery = Lottery(LotteryMode.INSTANT, (prize(9, odds=Fraction(1, 2)),), Allowance(1, 1), COMPLIANCE)
    assert Pacing(lottery, FROZEN, SEED).left_today("0", Shard(0, 0, {}, {}), START) is None
