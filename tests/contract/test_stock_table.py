"""One contract for everything that keeps shards: the fake in memory and the table, on each engine we have.

What a write does is defined by `brandday.domain.shard.apply`; the last test plays random histories against it.
Races are another matter (tests/concurrency): moto is not atomic, so here everything happens one after the other.
"""

import random
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from moto import mock_aws

from brandday.adapters.stock_table import StockTable
from brandday.domain.shard import RecordChange, Refused, Shard, ShardWrite, Written, apply
from brandday.usecases.ports import Stock
from tests.engines import Engine, tables_in
from tests.fakes.memory_stock import MemoryStock

ANN = "-nnAnnAnnAnn"  # names are base64url: they may begin with a digit, "-" or "_"
BOB = "0obBobBobBob"
ENTRY = "h01mhtpz000AbC-_9"


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def any_stock(request: pytest.FixtureRequest) -> Iterator[Stock]:
    """Each of the ways there are to keep shards."""
    match request.param:
        case "memory":
            yield MemoryStock()
        case "moto":
            with mock_aws():
                yield from _table(Engine("moto", None))
        case name:
            yield from _table(request.getfixturevalue(name))


def _table(engine: Engine) -> Iterator[Stock]:
    with tables_in(engine) as tables, closing(engine.client()) as client:
        yield StockTable(client, tables.stock)


@dataclass
class OneCampaign:
    """The shards of a campaign of its own for each test, so that all tests of an engine can share one table."""

    stock: Stock
    campaign_id: str

    def read(self, *shards: int, consistent: bool = True) -> tuple[Shard, ...]:
        return self.stock.read(self.campaign_id, shards, consistent=consistent)

    def now(self, shard: int) -> Shard:
        return self.read(shard)[0]

    def write(self, write: ShardWrite) -> Written | Refused:
        return self.stock.write(self.campaign_id, write)


@pytest.fixture
def shards(any_stock: Stock) -> OneCampaign:
    """Shards that were never written."""
    return OneCampaign(any_stock, f"brand-day-{uuid.uuid4().hex[:8]}")


def take(
    shard: int, name: str = ANN, *, units: int = 1, capacity: int = 3, slot: str = "0", before: str | None = None
) -> ShardWrite:
    """The usual write: one shopper takes units of a slot."""
    return ShardWrite(shard, (RecordChange(name, before, ENTRY),), {slot: -units}, {slot: capacity})


def change(
    shard: int, *changes: tuple[str, str | None, str | None], free: Mapping[str, int] | None = None
) -> ShardWrite:
    """A write of records; slots it gives units back to have a capacity of 3."""
    moved = free or {}
    return ShardWrite(shard, tuple(RecordChange(*each) for each in changes), moved, dict.fromkeys(moved, 3))


# --- reading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consistent", [True, False])
def test_a_shard_that_was_never_written_is_empty_at_version_0(shards: OneCampaign, consistent: bool) -> None:
    assert shards.read(7, consistent=consistent) == (Shard(7, 0, {}, {}),)


def test_shards_come_back_in_the_order_asked_for_with_the_missing_ones_empty(shards: OneCampaign) -> None:
    for number in (1, 2, 10):
        shards.write(take(number))

    numbers = (10, 3, 1, 0, 2)
    found = shards.read(*numbers)

    assert tuple(shard.number for shard in found) == numbers
    assert [shard.version for shard in found] == [1, 0, 1, 0, 1]


def test_a_shard_comes_back_as_it_was_written(shards: OneCampaign) -> None:
    shards.write(take(4, units=2, capacity=30))
    shards.write(take(4, BOB, slot="z", capacity=5))

    assert shards.now(4) == Shard(4, 2, {"0": 28, "z": 4}, {ANN: ENTRY, BOB: ENTRY})


def test_campaigns_do_not_share_shards(shards: OneCampaign) -> None:
    shards.write(take(1))
    assert shards.stock.read(f"{shards.campaign_id}-2", (1,), consistent=True) == (Shard(1, 0, {}, {}),)


# --- one write --------------------------------------------------------------------------------------------


def test_an_absent_slot_stands_for_its_full_capacity(shards: OneCampaign) -> None:
    assert shards.write(take(0, units=2, capacity=30)) == Written({"0": 28})
    assert shards.now(0).free == {"0": 28}


def test_capacity_counts_once_only(shards: OneCampaign) -> None:
    shards.write(take(0, capacity=3))
    assert shards.write(take(0, BOB, capacity=3)) == Written({"0": 1})


def test_a_granted_write_tells_what_is_left_of_the_slots_it_touched(shards: OneCampaign) -> None:
    shards.write(take(0, slot="1"))
    assert shards.write(take(0, BOB, slot="2", units=3)) == Written({"2": 0})


def test_each_write_adds_1_to_the_version_and_a_refused_one_does_not(shards: OneCampaign) -> None:
    for version, name in enumerate((ANN, BOB), start=1):
        shards.write(take(0, name))
        assert shards.now(0).version == version

    assert isinstance(shards.write(take(0, ANN)), Refused)
    assert shards.now(0).version == 2


def test_the_last_units_can_be_taken_and_not_one_more(shards: OneCampaign) -> None:
    assert shards.write(take(0, units=3, capacity=3)) == Written({"0": 0})
    assert shards.write(take(0, BOB, units=1, capacity=3)) == Refused(Shard(0, 1, {"0": 0}, {ANN: ENTRY}))


def test_more_than_is_left_is_refused_whole(shards: OneCampaign) -> None:
    shards.write(take(0, units=2, capacity=3))
    refused = shards.write(take(0, BOB, units=2, capacity=3))
    assert refused == Refused(Shard(0, 1, {"0": 1}, {ANN: ENTRY}))
    assert shards.now(0) == Shard(0, 1, {"0": 1}, {ANN: ENTRY})


def test_more_than_the_capacity_of_an_untouched_slot_is_refused(shards: OneCampaign) -> None:
    assert shards.write(take(0, units=4, capacity=3)) == Refused(Shard(0, 0, {}, {}))
    assert shards.now(0) == Shard(0, 0, {}, {})


def test_an_untouched_slot_of_a_shard_that_exists_is_refused_beyond_its_capacity(shards: OneCampaign) -> None:
    shards.write(take(0, slot="1"))
    assert isinstance(shards.write(take(0, BOB, slot="0", units=1, capacity=0)), Refused)


def test_a_slot_without_units_is_refused(shards: OneCampaign) -> None:
    assert shards.write(take(0, capacity=0)) == Refused(Shard(0, 0, {}, {}))


def test_a_refusal_shows_the_record_that_is_there_instead(shards: OneCampaign) -> None:
    shards.write(take(0))
    refused = shards.write(take(0))
    assert refused == Refused(Shard(0, 1, {"0": 2}, {ANN: ENTRY}))


@pytest.mark.parametrize(
    "nearly",
    [
        pytest.param(ENTRY.swapcase(), id="in another case"),
        pytest.param(ENTRY + " ", id="with a space more"),
        pytest.param(ENTRY[:-1], id="one character shorter"),
        pytest.param(f"{ENTRY} {ENTRY}", id="twice"),
        pytest.param(None, id="absent"),
    ],
)
def test_a_record_is_replaced_only_if_it_is_to_the_byte_what_was_seen(shards: OneCampaign, nearly: str | None) -> None:
    shards.write(take(0))
    refused = shards.write(change(0, (ANN, nearly, "x")))
    assert isinstance(refused, Refused)
    assert shards.now(0).records == {ANN: ENTRY}
    assert shards.write(change(0, (ANN, ENTRY, "x"))) == Written({})
    assert shards.now(0).records == {ANN: "x"}


def test_a_record_that_was_seen_but_is_gone_refuses_the_write(shards: OneCampaign) -> None:
    assert shards.write(change(0, (ANN, ENTRY, "x"))) == Refused(Shard(0, 0, {}, {}))


def test_a_record_can_be_removed_and_its_units_given_back_in_one_write(shards: OneCampaign) -> None:
    shards.write(take(0, units=2))
    assert shards.write(change(0, (ANN, ENTRY, None), free={"0": 2})) == Written({"0": 3})
    assert shards.now(0) == Shard(0, 2, {"0": 3}, {})


def test_units_added_to_an_untouched_slot_come_on_top_of_its_capacity(shards: OneCampaign) -> None:
    assert shards.write(change(0, ("r0.spring", None, "5"), free={"0": 5})) == Written({"0": 8})
    assert shards.now(0).records == {"r0.spring": "5"}


def test_one_write_may_move_several_records_and_slots_or_none(shards: OneCampaign) -> None:
    shards.write(take(0, slot="1"))
    both = change(0, (ANN, ENTRY, "y"), (BOB, None, "z"), free={"1": 1, "2": -3})

    assert shards.write(both) == Written({"1": 3, "2": 0})
    after = Shard(0, 2, {"1": 3, "2": 0}, {ANN: "y", BOB: "z"})
    assert shards.now(0) == after

    second_is_stale = change(0, (ANN, "y", "yy"), (BOB, "stale", "zz"), free={"1": -1})
    assert shards.write(second_is_stale) == Refused(after)
    second_slot_is_empty = change(0, (ANN, "y", "yy"), free={"1": -1, "2": -1})
    assert shards.write(second_slot_is_empty) == Refused(after)
    assert shards.now(0) == after


def test_units_that_must_stay_are_not_taken_also_from_a_shard_never_written(shards: OneCampaign) -> None:
    assert shards.write(replace(take(0), floor={"0": 3})) == Refused(Shard(0, 0, {}, {}))
    assert shards.write(replace(take(0), floor={"0": 2})) == Written({"0": 2})
    assert shards.write(replace(take(0, BOB), floor={"0": 2})) == Refused(shards.now(0))
    assert shards.write(replace(take(0, BOB), floor={"0": 1})) == Written({"0": 1})


def test_a_write_that_names_a_version_wants_just_that(shards: OneCampaign) -> None:
    assert shards.write(replace(take(0), version=1)) == Refused(Shard(0, 0, {}, {}))
    assert shards.write(replace(take(0), version=0)) == Written({"0": 2})
    assert shards.write(replace(take(0, BOB), version=0)) == Refused(shards.now(0))
    assert shards.write(replace(take(0, BOB), version=1)) == Written({"0": 1})


# --- all of it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_random_histories_go_as_the_rules_say(shards: OneCampaign, seed: int) -> None:
    dice = random.Random(seed)
    model = [Shard(number, 0, {}, {}) for number in range(3)]
    outcomes = set()
    for _ in range(80):
        write = _random_write(dice, dice.choice(model))
        before, after = model[write.shard], apply(model[write.shard], write)
        answer = shards.write(write)
        if after is None:
            assert answer == Refused(before)
        else:
            assert answer == Written({slot: after.free[slot] for slot in write.free})
            model[write.shard] = after
        outcomes.add(type(answer))
    assert shards.read(0, 1, 2) == tuple(model)
    assert outcomes == {Written, Refused}, "the history was too tame to prove anything"


def _random_write(dice: random.Random, shard: Shard) -> ShardWrite:
    changes = []
    for name in dice.sample((ANN, BOB, "r0.spring"), dice.choice((1, 1, 1, 2))):
        seen = shard.records.get(name) if dice.random() < 0.85 else dice.choice((None, "a", "b"))
        changes.append(RecordChange(name, seen, dice.choice((None, "a", "b", "a b"))))
    slots = dice.sample("01z", dice.choice((0, 1, 1, 2)))
    free = {slot: dice.choice((-3, -2, -1, -1, 1, 2)) for slot in slots}
    return ShardWrite(
        shard.number,
        tuple(changes),
        free,
        {slot: int(slot, 36) % 7 for slot in slots},
        {slot: dice.choice((0, 0, 1, 3)) for slot in slots},
        dice.choice((None, None, shard.version, shard.version, shard.version + 1)),
    )
