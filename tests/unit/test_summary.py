"""The summary is the same whatever the order and number of deliveries, and never says "sold out" too early."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from brandday.domain.shard import Entry, Shard, encode_record
from brandday.domain.stock import Terms
from brandday.domain.summary import (
    CANDIDATES,
    SHARDS_PER_GROUP,
    ShardTally,
    Tally,
    combine,
    decode_subtotal,
    decode_tally,
    encode_subtotal,
    encode_tally,
    newer,
    subtotal,
    tally_shard,
)
from brandday.usecases.keep_summary import KeepSummary
from brandday.usecases.live_campaigns import read_summary
from tests.fakes.memory_campaigns import MemorySummaries

CAMPAIGN = "brand-day-2026-07"
TERMS = Terms(600_000, 900_000, lambda _slot, _shard: 30)
FEW = settings(max_examples=40, deadline=None)

counts = st.builds(Tally, *[st.integers(0, 60)] * 3)
tallies = st.builds(
    ShardTally,
    st.integers(1, 1000),
    st.dictionaries(st.sampled_from("0z"), counts, max_size=2),
    st.none() | st.integers(1, 2**43),
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, ShardTally]]:
    """Some shards of two groups, each with a few versions, the versions of a shard all different."""
    history = []
    for number in draw(st.lists(st.sampled_from([0, 1, 2, 255, 256, 300]), min_size=1, unique=True)):
        versions = draw(st.lists(tallies, min_size=1, max_size=4, unique_by=lambda tally: tally.version))
        history += [(number, tally) for tally in versions]
    return history


@given(tallies)
@FEW
def test_a_tally_is_stored_and_read_back_unchanged(tally: ShardTally) -> None:
    assert decode_tally(encode_tally(tally)) == tally


@given(st.dictionaries(st.integers(0, 300), tallies, max_size=6))
@FEW
def test_a_subtotal_is_stored_and_read_back_unchanged(of: dict[int, ShardTally]) -> None:
    total = subtotal(of)

    back = decode_subtotal(encode_subtotal(total))

    assert (back.version, back.slots, back.due) == (total.version, total.slots, total.due)
    assert {slot: of for slot, of in back.candidates.items() if of} == total.candidates
    assert all(len(known) <= CANDIDATES for known in total.candidates.values())


@given(histories(), st.randoms(use_true_random=False))
@FEW
def test_any_order_and_repetition_of_tallies_gives_the_same_summary(
    history: list[tuple[int, ShardTally]], chance: random.Random
) -> None:
    truth = {number: max((t for n, t in history if n == number), key=lambda t: t.version) for number, _ in history}
    deliveries = history + chance.choices(history, k=len(history))
    chance.shuffle(deliveries)
    summaries = MemorySummaries()
    keep = KeepSummary(summaries, lambda: 1)

    while deliveries:
        batch = dict([deliveries.pop()])
        while deliveries and deliveries[-1][0] not in batch and chance.random() < 0.5:
            batch |= [deliveries.pop()]
        keep(CAMPAIGN, batch)

    groups: dict[int, dict[int, ShardTally]] = {}
    for number, tally in truth.items():
        groups.setdefault(number // SHARDS_PER_GROUP, {})[number] = tally
    assert {group: summaries.load_group(CAMPAIGN, group)[1] for group in groups} == groups
    # The order of what is equally free may differ; what is counted may not.
    expected = combine(1, [subtotal(of) for of in groups.values()])
    kept = read_summary(summaries.attributes(CAMPAIGN))
    assert (kept.held, kept.sold, kept.due) == (expected.held, expected.sold, expected.due)


@given(*[st.dictionaries(st.integers(0, 4), tallies, max_size=4)] * 2)
@FEW
def test_of_two_tallies_the_newer_one_stays(known: dict[int, ShardTally], seen: dict[int, ShardTally]) -> None:
    merged = {**known, **newer(known, seen)}

    for number in known.keys() | seen.keys():
        versions = [of[number].version for of in (known, seen) if number in of]
        assert merged[number].version == max(versions)
    assert newer(merged, seen) == {}


def test_a_shard_is_counted_by_state_and_only_where_it_has_a_counter() -> None:
    def record(*states: str) -> str:
        return encode_record([Entry(state, "0", 2, at, "tagtag") for at, state in enumerate(states)]) or ""

    shard = Shard(
        7,
        3,
        {"0": 21},
        {"anne": record("h", "e"), "bobb": record("x"), "cynn": record("c", "d", ">", "v"), "r0.x": "5"},
    )

    assert tally_shard(shard, TERMS) == ShardTally(3, {"0": Tally(21, 4, 2)}, 600_000)


def test_sold_out_means_every_unit_and_restocked_units_count() -> None:
    sold = combine(1, [subtotal({0: ShardTally(1, {"0": Tally(0, 0, 10)}, None)})])
    held = combine(1, [subtotal({0: ShardTally(1, {"0": Tally(0, 1, 9)}, None)})])

    assert sold.is_sold_out("0", 10)
    assert not sold.is_sold_out("0", 11)
    assert not held.is_sold_out("0", 10)
    assert (held.free("0", 10), held.free("0", 12), held.free("0", 9)) == (0, 2, 0)


def test_a_thousand_shards_fit_one_item_per_group_and_the_subtotals_one_item() -> None:
    """DynamoDB's bound is 400 KB; a campaign of a million units and 36 SKUs has 33,334 shards in 131 groups."""
    tally = ShardTally(99_999, {slot: Tally(30, 30, 30) for slot in "0123456789abcdefghijklmnopqrstuvwxyz"}, 2**41)
    group = dict.fromkeys(range(SHARDS_PER_GROUP), tally)

    assert sum(len(encode_tally(of)) + 6 for of in group.values()) < 400_000
    assert 131 * len(encode_subtotal(subtotal(group))) < 400_000
