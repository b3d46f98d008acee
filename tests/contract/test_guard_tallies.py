"""One contract for tallies and what is written with them: the fake in memory and the tables, on each engine we have."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from brandday.adapters.entry_table import EntryTable
from brandday.adapters.guard_tallies import GuardTallies, decode_tally, encode_tally
from brandday.adapters.stock_table import StockTable
from brandday.domain.entrant import Entrant, Entry
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.layout import shopper_name
from brandday.domain.lottery import Frozen
from brandday.domain.shard import HELD, RecordChange, Refused, ShardWrite, Written, encode_entry
from brandday.domain.shard import Entry as Claim
from brandday.domain.tally import Taken, TalliesMoved, Tally, TallyKey, TallyWrite
from brandday.usecases.guard_ports import Tallies
from brandday.usecases.lottery_ports import Entrants
from brandday.usecases.ports import Stock
from tests.contract.test_entry_table import lottery
from tests.engines import Engine, table_in
from tests.fakes.memory_tallies import MemoryTallies

NOW = 1_793_000_000_000
FORGET_AT = 1_800_000_000
ANN = "-nnAnnAnnAnn"
CLAIM = Claim(HELD, "0", 1, NOW, "abcdef")


@dataclass(frozen=True)
class World:
    """Tallies with the tables they are written together with."""

    tallies: Tallies
    stock: Stock
    entrants: Entrants


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each of the ways there are to keep tallies; tests tell themselves apart by campaign."""
    match request.param:
        case "memory":
            memory = MemoryTallies()
            yield World(memory, memory.stock, memory.entrants)
        case "moto":
            with mock_aws():
                yield from _tables(Engine("moto", None))
        case name:
            yield from _tables(request.getfixturevalue(name))


def _tables(engine: Engine) -> Iterator[World]:
    with ExitStack() as stack:
        guard, stock, entries = (
            stack.enter_context(table_in(engine, kind)) for kind in ("GuardTable", "StockTable", "EntryTable")
        )
        tallies = GuardTallies(guard.client, guard.name, stock.name, entries.name)
        yield World(tallies, StockTable(stock.client, stock.name), EntryTable(entries.client, entries.name))


@pytest.fixture
def campaign() -> str:
    """A campaign of the test's own."""
    return f"sale-{uuid.uuid4().hex[:8]}"


def key(campaign: str, mark: str = "mark-of-a-device") -> TallyKey:
    return TallyKey(campaign, "per-device", mark)


def line(campaign: str, at: int = NOW) -> Taken:
    return Taken(campaign, ANN, at, 1, shard=3)


def take(claim: Claim = CLAIM, before: Claim | None = None, capacity: int = 2) -> ShardWrite:
    change = RecordChange(ANN, None if before is None else encode_entry(before), encode_entry(claim))
    return ShardWrite(3, (change,), {"0": -1}, {"0": capacity})


def add(of: TallyKey, version: int, *lines: Taken) -> TallyWrite:
    return TallyWrite(of, version, lines, FORGET_AT)


def test_what_was_never_written_is_empty(world: World, campaign: str) -> None:
    keys = [key(campaign), key(campaign, "another")]
    assert world.tallies.tallies(keys, consistent=True) == {each: Tally() for each in keys}


def test_a_claim_is_written_with_all_its_tallies(world: World, campaign: str) -> None:
    keys = [key(campaign), key(campaign, "another")]

    written = world.tallies.write_shard(campaign, take(), [add(each, 0, line(campaign)) for each in keys])

    assert isinstance(written, Written)
    assert world.stock.read(campaign, (3,), consistent=True)[0].free == {"0": 1}
    expected = Tally(1, (line(campaign),), FORGET_AT)
    assert world.tallies.tallies(keys, consistent=True) == dict.fromkeys(keys, expected)


def test_without_the_units_no_tally_is_written(world: World, campaign: str) -> None:
    refused = world.tallies.write_shard(campaign, take(capacity=0), [add(key(campaign), 0, line(campaign))])

    assert isinstance(refused, Refused)
    assert refused.image.number == 3
    assert refused.image.version == 0
    assert world.tallies.tallies([key(campaign)], consistent=True) == {key(campaign): Tally()}


def test_if_a_tally_has_moved_no_unit_is_taken_and_all_that_have_moved_are_shown(world: World, campaign: str) -> None:
    keys = [key(campaign), key(campaign, "another"), key(campaign, "third")]
    world.tallies.write_shard(campaign, take(), [add(each, 0, line(campaign)) for each in keys[:2]])
    again = Claim(HELD, "0", 1, NOW + 1, "another"[:6])
    write = ShardWrite(4, (RecordChange(ANN, None, encode_entry(again)),), {"0": -1}, {"0": 1})

    moved = world.tallies.write_shard(
        campaign, write, [add(each, version, line(campaign)) for each, version in zip(keys, (0, 5, 0), strict=True)]
    )

    there = Tally(1, (line(campaign),), FORGET_AT)
    assert moved == TalliesMoved({keys[0]: there, keys[1]: there})
    assert world.stock.read(campaign, (4,), consistent=True)[0].version == 0


def test_a_tally_that_is_gone_is_shown_as_empty(world: World, campaign: str) -> None:
    moved = world.tallies.write_shard(campaign, take(), [add(key(campaign), 7, line(campaign))])
    assert moved == TalliesMoved({key(campaign): Tally()})


def test_if_both_are_in_the_way_the_shard_comes_first(world: World, campaign: str) -> None:
    writes = [add(key(campaign), 0, line(campaign))]
    world.tallies.write_shard(campaign, take(), writes)

    refused = world.tallies.write_shard(campaign, take(), writes)

    assert isinstance(refused, Refused)
    assert refused.image.records == {ANN: encode_entry(CLAIM)}


def test_a_tally_is_replaced_by_what_follows_from_it(world: World, campaign: str) -> None:
    world.tallies.write_shard(campaign, take(), [add(key(campaign), 0, line(campaign))])
    later = CLAIM._replace(attempt=NOW + 9, tag="later-")

    world.tallies.write_shard(campaign, take(later, before=CLAIM), [add(key(campaign), 1, line(campaign, NOW + 9))])

    assert world.tallies.tallies([key(campaign)], consistent=True) == {
        key(campaign): Tally(2, (line(campaign, NOW + 9),), FORGET_AT)
    }


def test_an_entry_is_written_with_its_tallies_or_not_at_all(world: World, campaign: str) -> None:
    frozen: Frozen = lottery(campaign)
    name = shopper_name(bytes(16), "ann")
    first = Entrant(name, "owner", "ann", (Entry(NOW, "abcdef", 1),))
    one = Taken(campaign, name, NOW, 1, entry=1)

    assert world.tallies.save_entrant(frozen, None, first, [add(key(campaign), 0, one)]) is True
    assert world.tallies.save_entrant(frozen, None, first, [add(key(campaign), 0, one)]) is False
    stored = world.entrants.load(frozen, name, consistent=True)
    assert stored is not None
    second = Entrant(name, "owner", "ann", (*first.entries, Entry(NOW + 1, "ghijkl", 1)))
    moved = world.tallies.save_entrant(frozen, stored, second, [add(key(campaign), 0, one)])

    assert moved == TalliesMoved({key(campaign): Tally(1, (one,), FORGET_AT)})
    assert world.entrants.load(frozen, name, consistent=True) == stored


def test_twenty_lines_of_two_campaigns_stay_under_1_kb() -> None:
    lines = tuple(
        Taken("a-campaign-with-quite-a-long-name-2026-07" if number % 2 else "another", ANN, NOW, 3, shard=30_000)
        for number in range(19)
    )
    tally = Tally(12, (*lines, Taken("another", ANN, NOW, 1, entry=99)), FORGET_AT)

    item = encode_tally(tally)

    assert decode_tally(item) == tally
    assert sum(len(name) + len(next(iter(value.values()))) for name, value in item.items()) + 120 < 1024


@pytest.mark.parametrize(
    ("reasons", "overloaded"),
    [
        (["TransactionConflict", "None"], True),
        (["None", "TransactionConflict"], True),
        (["ThrottlingError", "None"], True),
        (["TransactionConflict", "ConditionalCheckFailed"], False),
        (["ValidationError", "None"], False),
    ],
)
def test_a_conflict_is_an_overload_and_a_failed_condition_is_the_surer_answer(
    reasons: list[str], overloaded: bool, campaign: str
) -> None:
    class Busy:
        def transact_write_items(self, **_: object) -> None:
            response = {
                "Error": {"Code": "TransactionCanceledException", "Message": "no"},
                "CancellationReasons": [{"Code": reason} for reason in reasons],
            }
            raise ClientError(response, "TransactWriteItems")  # type: ignore[arg-type]

    tallies = GuardTallies(Busy(), "GuardTable", "StockTable")  # type: ignore[arg-type]
    writes = [add(key(campaign), 1, line(campaign))]
    if overloaded:
        with pytest.raises(TemporarilyOverloaded):
            tallies.write_shard(campaign, take(), writes)
    elif "ConditionalCheckFailed" in reasons:
        assert tallies.write_shard(campaign, take(), writes) == TalliesMoved({key(campaign): Tally()})
    else:
        with pytest.raises(ClientError):
            tallies.write_shard(campaign, take(), writes)
