"""What an environment remembers may be wrong, so it only orders attempts, and never for longer than a second."""

import pytest

from brandday.domain.layout import Layout
from brandday.domain.shard import Entry, Shard, encode_record
from brandday.domain.sight import FRESH_MS, LOOK_AT, REMEMBER, Refusal, Sight
from brandday.domain.stock import ClaimRequest, Terms
from brandday.domain.summary import NO_SUMMARY, Summary

NOW = 1_783_526_400_000
OPENED = NOW - 60_000
SLOT = "0"
ME, OTHER = "meeeeeeeeeee", "otherrrrrrrr"
HOLD_MS = 600_000


def _layout(shards: int = 10, per_shard: int = 30) -> Layout:
    return Layout(bytes(16), shards, {"HERO": SLOT}, {SLOT: shards * per_shard})


def _sight(layout: Layout | None = None) -> Sight:
    layout = layout or _layout()
    return Sight(layout, Terms(HOLD_MS, HOLD_MS, layout.capacity), OPENED)


def _request(home: int = 0, quantity: int = 1, now: int = NOW) -> ClaimRequest:
    return ClaimRequest(ME, home, SLOT, quantity, "tagtag", now, 35, 35)


def _shard(number: int, free: int, *names: str, held_since: int = NOW, state: str = "h") -> Shard:
    records = {name: encode_record([Entry(state, SLOT, 1, held_since, "tagtag")]) or "" for name in names}
    return Shard(number, 1, {SLOT: free}, records)


def _summary(*, as_of: int = NOW, held: int = 0, sold: int = 0, due: int | None = None, **free: int) -> Summary:
    candidates = tuple((int(number[1:]), units) for number, units in free.items())
    return Summary(as_of, as_of, {SLOT: held}, {SLOT: sold}, {SLOT: candidates}, due)


# --- refusals without the database ----------------------------------------------------------------------------


def test_what_was_never_seen_refuses_nobody() -> None:
    sight = _sight()
    sight.saw_summary(_summary(held=300), {SLOT: 300})

    assert sight.refusal(_request()) is None


def test_an_empty_home_shard_refuses_for_a_second_when_nothing_is_known_to_be_free_elsewhere() -> None:
    sight = _sight()
    sight.saw_summary(_summary(held=300), {SLOT: 300})
    sight.saw(_shard(0, 0, OTHER), NOW)

    assert sight.refusal(_request()) is Refusal.ALL_HELD
    assert sight.refusal(_request(now=NOW + FRESH_MS)) is Refusal.ALL_HELD
    assert sight.refusal(_request(now=NOW + FRESH_MS + 1)) is None


@pytest.mark.parametrize("state", ["h", "c", "e", "d", ">"])
def test_a_shopper_with_any_record_at_home_is_never_refused_from_memory(state: str) -> None:
    sight = _sight()
    sight.saw_summary(_summary(held=300), {SLOT: 300})
    sight.saw(_shard(0, 0, ME, OTHER, state=state), NOW)
    sight.saw_closed(SLOT, _shard(0, 0, ME, OTHER, state=state))

    assert sight.refusal(_request()) is None


def test_a_shard_that_was_only_written_to_refuses_nobody() -> None:
    sight = _sight()
    sight.saw_summary(_summary(held=300), {SLOT: 300})
    sight.saw_written(0, {SLOT: 0}, NOW)

    assert sight.refusal(_request()) is None, "who else has a record there is not known"


def test_a_hold_that_has_lapsed_meanwhile_ends_the_refusal_in_that_millisecond() -> None:
    sight = _sight()
    sight.saw_summary(_summary(held=300), {SLOT: 300})
    lapses = NOW + 500
    sight.saw(_shard(0, 0, OTHER, held_since=lapses - HOLD_MS), NOW)

    assert sight.refusal(_request(now=lapses - 1)) is Refusal.ALL_HELD
    assert sight.refusal(_request(now=lapses)) is None


def test_units_known_elsewhere_end_the_refusal() -> None:
    sight = _sight()
    sight.saw_summary(_summary(held=300), {SLOT: 300})
    sight.saw(_shard(0, 0, OTHER), NOW)
    sight.saw(_shard(7, 1, OTHER), NOW)

    assert sight.refusal(_request()) is None
    assert sight.elsewhere(_request()) == (7,)
    assert sight.refusal(_request(quantity=2)) is Refusal.ALL_HELD


def test_sold_out_never_ages_but_knows_only_the_shards_it_has_seen() -> None:
    sight = _sight()
    sight.saw_closed(SLOT, _shard(0, 0, OTHER))

    assert sight.refusal(_request(now=NOW + 3_600_000)) is Refusal.SOLD_OUT
    assert sight.refusal(_request(home=1)) is None


# --- where to look --------------------------------------------------------------------------------------------


def test_candidates_are_few_never_the_home_and_the_fullest_first() -> None:
    sight = _sight(_layout(shards=200))
    sight.saw_summary(_summary(held=5000, s3=2, s4=9, s5=1, s0=30), {SLOT: 6000})
    for number in range(20, 150):
        sight.saw(_shard(number, 0), NOW)

    for home in (0, 4, 199):
        chosen = sight.elsewhere(_request(home=home))
        assert len(chosen) == len(set(chosen)) <= LOOK_AT
        assert home not in chosen
    assert sight.elsewhere(_request(home=199))[:2] == (0, 4)


def test_what_was_seen_last_counts_more_than_the_summary() -> None:
    sight = _sight()
    sight.saw_summary(_summary(held=299, s3=1), {SLOT: 300})
    sight.saw(_shard(3, 0, OTHER), NOW)

    assert 3 not in sight.elsewhere(_request())


def test_after_looking_in_vain_nobody_looks_for_a_second() -> None:
    sight = _sight()
    sight.saw_summary(_summary(held=299, s3=1), {SLOT: 300})
    sight.saw_nothing_free(SLOT, NOW)

    assert sight.elsewhere(_request(now=NOW + FRESH_MS - 1)) == ()
    assert sight.elsewhere(_request(now=NOW + FRESH_MS)) != ()


def test_with_one_shard_there_is_no_elsewhere() -> None:
    assert _sight(_layout(shards=1)).elsewhere(_request()) == ()


def test_the_work_of_one_request_does_not_grow_with_what_is_remembered() -> None:
    sight = _sight(_layout(shards=5000))
    for number in range(5000):
        sight.saw(_shard(number, 1 if number == 0 else 0), NOW)
    sight.saw_summary(_summary(held=150_000), {SLOT: 150_000})

    looked_at = list(sight._seen_lately(NOW))

    assert len(looked_at) == REMEMBER
    assert {number for number, _ in looked_at} == set(range(5000 - REMEMBER, 5000)), "those seen last"


# --- whether to write at once ---------------------------------------------------------------------------------


def test_at_the_start_a_write_is_likely_to_succeed() -> None:
    assert _sight().is_likely(_request())


def test_a_shard_just_seen_empty_is_read_before_it_is_written() -> None:
    sight = _sight()
    sight.saw_written(0, {SLOT: 0}, NOW)

    assert not sight.is_likely(_request())
    assert sight.is_likely(_request(home=1, now=NOW)) or sight._level[SLOT][1] < 1


def test_more_units_are_less_likely_than_fewer() -> None:
    likely = [_sight().is_likely(_request(quantity=quantity)) for quantity in (1, 10, 20, 28, 35)]

    assert likely == sorted(likely, reverse=True)
    assert likely[0]
    assert not likely[-1]


def test_an_almost_sold_out_campaign_is_read_first_by_a_cold_environment() -> None:
    sight = _sight()
    sight.saw_summary(_summary(held=150, sold=140), {SLOT: 300})

    assert not sight.is_likely(_request())


def test_an_older_summary_changes_nothing() -> None:
    sight = _sight()
    sight.saw_summary(_summary(as_of=NOW, held=300), {SLOT: 300})
    sight.saw(_shard(0, 0, OTHER), NOW)
    sight.saw_summary(_summary(as_of=NOW - 1, held=0), {SLOT: 300})

    assert sight.refusal(_request()) is Refusal.ALL_HELD


# --- when to come back ----------------------------------------------------------------------------------------


def test_the_next_hold_to_lapse_is_the_earliest_that_is_known_and_not_over() -> None:
    sight = _sight()
    assert sight.next_due(0, NOW) is None
    sight.saw(_shard(0, 0, OTHER, held_since=NOW - HOLD_MS + 900), NOW)
    sight.saw_summary(_summary(held=300, due=NOW + 400), {SLOT: 300})

    assert sight.next_due(0, NOW) == NOW + 400
    assert sight.next_due(0, NOW + 400) == NOW + 900
    assert sight.next_due(1, NOW + 400) is None


def test_an_empty_summary_is_that_of_a_campaign_nobody_has_bought_from() -> None:
    assert NO_SUMMARY.free(SLOT, 300) == 300
    assert not NO_SUMMARY.is_sold_out(SLOT, 300)
