"""One contract for everything that keeps coupons: the fake in memory and the tables, on each engine we have.

Races are another matter (tests/concurrency): moto is not atomic, so here everything happens one after the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from brandday.adapters.coupon_table import CouponTable
from brandday.adapters.keys import coupon_group
from brandday.adapters.stock_table import StockTable
from brandday.domain.coupon_record import UNTOUCHED, CouponFacts, CouponState, Part, PartStatus, UseState
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.layout import UNITS_PER_SHARD
from brandday.domain.redemption import USED
from brandday.domain.shard import CONFIRMED, Entry, RecordChange, Shard, ShardWrite, encode_entry
from brandday.usecases.coupon_ports import (
    CAMPAIGN_PARTS,
    CouponChange,
    Coupons,
    PartChange,
    StateChange,
    StockChange,
    StockReader,
    StoredCoupon,
)
from tests.engines import Engine, table_in
from tests.fakes.memory_coupons import MemoryCoupons

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ENTRY = "h01mhtpz000AbC-_9"
AT = 1_790_000_000_000


@dataclass
class Place:
    """Coupons, and the stock that their transactions write to; `client` and table names where there is a database."""

    coupons: Coupons
    stock: StockReader
    client: DynamoDBClient | None = None
    tables: tuple[str, str] = ("", "")


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each of the ways there are to keep coupons."""
    match request.param:
        case "memory":
            memory = MemoryCoupons()
            yield Place(memory, memory.stock)
        case "moto":
            with mock_aws():
                yield from _tables(Engine("moto", None))
        case name:
            yield from _tables(request.getfixturevalue(name))


def _tables(engine: Engine) -> Iterator[Place]:
    with (
        table_in(engine, "CouponTable") as coupon,
        table_in(engine, "StockTable") as stock,
        closing(engine.client()) as client,
    ):
        table = CouponTable(client, coupon.name, stock.name)
        yield Place(table, StockTable(client, stock.name), client, (coupon.name, stock.name))


@pytest.fixture
def new() -> Callable[[str], str]:
    """Names that no other test has, so that all tests of an engine can share its tables."""
    run = uuid.uuid4().hex[:12]
    return lambda name: f"{name}-{run}"


def facts(coupon_id: str, campaign_id: str, owner: str | None = None, issued_at: int = AT) -> CouponFacts:
    return CouponFacts(coupon_id, "7Q2MX0KD93TVHB5A", campaign_id, owner, "job:spring.1", issued_at, AT + 1000)


def part(redemption: str, campaign_id: str, number: int = 0, **changes: Any) -> Part:
    plain = Part(
        redemption=redemption,
        number=number,
        campaign_id=campaign_id,
        code="7Q2MX0KD93TVHB5A",
        coupon_id="cpn_a",
        claim=None,
        shopper="",
        order_id="order-1",
        status=PartStatus.LOCKED,
        at=AT,
        expires_at=AT + 900,
        discount=1234,
        currency="CNY",
        tag="AbC-_9",
    )
    return replace(plain, **changes)


LOCKED = CouponState(UseState.LOCKED, "rdm_1", AT, AT + 900)


def use_of(shard: int, name: str = "annAnnAnnAnn", capacity: int = 1) -> ShardWrite:
    return ShardWrite(shard, (RecordChange(name, None, ENTRY),), {"0": -1}, {"0": capacity})


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consistent", [True, False])
def test_coupons_come_back_as_they_were_written(place: Place, new: Callable[[str], str], consistent: bool) -> None:
    owned, bearer = facts(new("a"), new("sale"), "annAnnAnnAnn"), facts(new("b"), new("sale"))
    place.coupons.put_facts([owned, bearer])
    place.coupons.put_facts([bearer])

    found = place.coupons.load([bearer.id, new("nobody"), owned.id], consistent=consistent)

    assert found == {owned.id: StoredCoupon(owned, UNTOUCHED), bearer.id: StoredCoupon(bearer, UNTOUCHED)}
    assert place.coupons.load([], consistent=consistent) == {}


def test_more_facts_than_one_call_takes_are_all_written(place: Place, new: Callable[[str], str]) -> None:
    many = [facts(new(f"many-{number}"), new("sale")) for number in range(60)]
    place.coupons.put_facts(many)
    assert len(place.coupons.load([each.id for each in many[:50]], consistent=True)) == 50
    assert len(place.coupons.load([each.id for each in many[50:]], consistent=True)) == 10


def test_a_state_and_a_part_come_back_as_they_were_written(place: Place, new: Callable[[str], str]) -> None:
    coupon = facts(new("a"), new("sale"))
    place.coupons.put_facts([coupon])
    every = CouponState(UseState.REDEEMED, "rdm_1", AT, 7, "store-7", AT + 5, disabled=True)
    first = part(new("r"), new("sale"), store="store-7", claim="0.annAnnAnnAnn.0mhtpz00", coupon_id=None, of=2)
    second = part(new("r"), new("sale"), 1, status=PartStatus.ROLLED_BACK, returned=True, of=2)

    changes: list[CouponChange] = [
        StateChange(coupon, UNTOUCHED, every),
        PartChange(None, second),
        PartChange(None, first),
    ]
    assert place.coupons.transact(changes)

    assert place.coupons.load([coupon.id], consistent=True)[coupon.id].state == replace(every, version=1)
    assert place.coupons.parts(new("r")) == (replace(first, version=1), replace(second, version=1))
    assert place.coupons.parts(new("another")) == ()


# --- transactions -------------------------------------------------------------------------------------------


def test_a_transaction_over_both_tables_happens_whole(place: Place, new: Callable[[str], str]) -> None:
    sale, coupon = new("sale"), facts(new("a"), new("sale"))
    place.coupons.put_facts([coupon])
    changes: list[CouponChange] = [
        StateChange(coupon, UNTOUCHED, LOCKED),
        StockChange(sale, use_of(0)),
        PartChange(None, part(new("r"), sale)),
    ]

    assert place.coupons.transact(changes)

    assert place.stock.read(sale, (0,), consistent=True) == (Shard(0, 1, {"0": 0}, {"annAnnAnnAnn": ENTRY}),)
    assert place.coupons.load([coupon.id], consistent=True)[coupon.id].state.use is UseState.LOCKED
    assert len(place.coupons.parts(new("r"))) == 1


@pytest.mark.parametrize("refused", ["state", "part", "stock", "missing part"])
def test_what_is_refused_in_one_place_happens_in_none(place: Place, new: Callable[[str], str], refused: str) -> None:
    sale, coupon = new("sale"), facts(new("a"), new("sale"))
    place.coupons.put_facts([coupon])
    stale: dict[str, CouponChange] = {
        "state": StateChange(coupon, replace(UNTOUCHED, version=3), LOCKED),
        "part": PartChange(part(new("r"), sale, version=2), part(new("r"), sale)),
        "stock": StockChange(sale, use_of(0, capacity=0)),
        "missing part": PartChange(part(new("r"), sale, version=1), None),
    }
    good: dict[str, CouponChange] = {
        "state": StateChange(coupon, UNTOUCHED, LOCKED),
        "stock": StockChange(sale, use_of(0)),
        "part": PartChange(None, part(new("r"), sale)),
    }
    changes = [change for name, change in good.items() if name not in refused]

    assert not place.coupons.transact([*changes, stale[refused]])

    assert place.stock.read(sale, (0,), consistent=True) == (Shard(0, 0, {}, {}),)
    assert place.coupons.load([coupon.id], consistent=True)[coupon.id].state == UNTOUCHED
    assert place.coupons.parts(new("r")) == ()


def test_each_change_needs_the_version_it_was_made_from(place: Place, new: Callable[[str], str]) -> None:
    coupon, mine = facts(new("a"), new("sale")), part(new("r"), new("sale"))
    place.coupons.put_facts([coupon])
    assert place.coupons.transact([StateChange(coupon, UNTOUCHED, LOCKED), PartChange(None, mine)])
    assert not place.coupons.transact([StateChange(coupon, UNTOUCHED, LOCKED)])
    assert not place.coupons.transact([PartChange(None, mine)])

    (stored,) = place.coupons.parts(mine.redemption)
    state = place.coupons.load([coupon.id], consistent=True)[coupon.id].state
    redeemed = replace(state, use=UseState.REDEEMED)
    done = replace(stored, status=PartStatus.REDEEMED)
    assert place.coupons.transact([StateChange(coupon, state, redeemed), PartChange(stored, done)])
    assert not place.coupons.transact([StateChange(coupon, state, redeemed)])
    assert not place.coupons.transact([PartChange(stored, None)])

    (stored,) = place.coupons.parts(mine.redemption)
    assert (stored.status, stored.version) == (PartStatus.REDEEMED, 2)
    assert place.coupons.transact([PartChange(stored, None)])
    assert place.coupons.parts(mine.redemption) == ()


# --- lists --------------------------------------------------------------------------------------------------


def test_an_owner_s_coupons_come_in_pages_the_newest_first(place: Place, new: Callable[[str], str]) -> None:
    owner = new("ann")
    mine = [facts(new(f"mine-{number}"), new("sale"), owner, AT + number) for number in range(5)]
    place.coupons.put_facts([*mine, facts(new("bearer"), new("sale")), facts(new("bob"), new("sale"), new("bob"))])

    pages: list[list[str]] = []
    after: str | None = None
    while not pages or after is not None:
        ids, after = place.coupons.of_owner(owner, 2, after)
        pages.append(list(ids))

    newest = [each.id for each in reversed(mine)]
    assert pages == [newest[:2], newest[2:4], newest[4:]]


@pytest.mark.parametrize("cursor", ["", "x", "1#", "0001790000000#\x00", "é" * 20, "12#cpn_a"])
def test_what_is_no_place_in_a_list_is_refused(place: Place, cursor: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        place.coupons.of_owner("ann", 2, cursor)
    with pytest.raises(ValueError, match=r"\w"):
        place.coupons.of_campaign("sale", 0, cursor)


def test_a_campaign_s_parts_have_everything_once(place: Place, new: Callable[[str], str]) -> None:
    sale = new("sale")
    coupons = [facts(new(f"c-{number}"), sale) for number in range(40)]
    place.coupons.put_facts([*coupons, facts(new("other"), new("other"))])
    place.coupons.transact([StateChange(coupons[7], UNTOUCHED, LOCKED), PartChange(None, part(new("r"), sale))])

    pages = [place.coupons.of_campaign(sale, number, None) for number in range(CAMPAIGN_PARTS)]

    assert sorted(each.id for page in pages for each in page.facts) == sorted(each.id for each in coupons)
    assert {key: state.use for page in pages for key, state in page.states.items()} == {coupons[7].id: UseState.LOCKED}
    assert [each.redemption for page in pages for each in page.parts] == [new("r")]
    assert max(len(page.facts) for page in pages) < 20, "they are not spread"


def test_a_part_of_a_campaign_comes_in_pages(place: Place, new: Callable[[str], str]) -> None:
    if place.client is None:
        return  # the fake has one page
    one_part = [facts(each, new("sale")) for each in _of_part_0(new, 520)]
    place.coupons.put_facts(one_part)
    first = place.coupons.of_campaign(new("sale"), 0, None)
    assert first.next is not None
    second = place.coupons.of_campaign(new("sale"), 0, first.next)
    assert second.next is None
    assert len({each.id for page in (first, second) for each in page.facts}) == 520


def _of_part_0(new: Callable[[str], str], count: int) -> list[str]:
    found = (new(f"p-{number}") for number in range(100 * count))
    chosen = (each for each in found if coupon_group(each, CAMPAIGN_PARTS) == 0)
    return [next(chosen) for _ in range(count)]


# --- what it costs, and what busy means -----------------------------------------------------------------------


class _Metered:
    """A client that adds up the write units that its transactions cost."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.units = 0.0

    def transact_write_items(self, **call: Any) -> Any:
        answer = self._client.transact_write_items(**call, ReturnConsumedCapacity="TOTAL")
        # Where a transaction is over several tables, DynamoDB Local counts each item once for every table.
        tables = answer["ConsumedCapacity"]
        self.units += sum(table["CapacityUnits"] for table in tables) / len(tables)
        return answer


@pytest.mark.engine
def test_a_redemption_costs_8_write_units_for_a_coupon_and_6_for_a_shared_code(
    dynamodb_local: Engine, new: Callable[[str], str]
) -> None:
    """2 units for each item of a transaction, as all are below 1 KB, and 2 more for each that is in the index."""
    sale = new("sale")
    with contextmanager(_tables)(dynamodb_local) as place:
        assert place.client is not None
        meter = _Metered(place.client)
        table = CouponTable(meter, *place.tables)  # type: ignore[arg-type]

        def cost(*changes: CouponChange) -> float:
            before = meter.units
            assert table.transact(changes)
            return meter.units - before

        coupon = facts(new("a"), sale)
        assert cost(StateChange(coupon, UNTOUCHED, LOCKED), PartChange(None, part(new("r"), sale))) == 8
        assert cost(StockChange(sale, use_of(0, capacity=30)), PartChange(None, part(new("s"), sale))) == 6


def test_a_shard_full_of_redeemed_uses_is_below_what_one_write_unit_pays_for() -> None:
    text = encode_entry(Entry(CONFIRMED, "0", 1, AT, "AbC-_9", USED))
    names = [f"{number:012d}" for number in range(UNITS_PER_SHARD)]
    item = {"pk": "brand-day-2026-double-eleven#33333", "v": "100", "f0": "0", **dict.fromkeys(names, text)}
    assert sum(len(name) + len(value) for name, value in item.items()) < 1024


class _Busy:
    """A client whose transactions are cancelled for these reasons, and whose batches leave everything undone."""

    def __init__(self, *reasons: str) -> None:
        self._reasons = reasons
        self.batches = 0

    def transact_write_items(self, **_: Any) -> Any:
        response: Any = {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": [{"Code": reason} for reason in self._reasons],
        }
        raise ClientError(response, "TransactWriteItems")

    def batch_write_item(self, **call: Any) -> Any:
        self.batches += 1
        return {"UnprocessedItems": call["RequestItems"]}

    def batch_get_item(self, **call: Any) -> Any:
        return {"Responses": {}, "UnprocessedKeys": call["RequestItems"]}


def busy(*reasons: str) -> tuple[_Busy, CouponTable, list[float]]:
    client, pauses = _Busy(*reasons), list[float]()
    return client, CouponTable(client, "coupons", "stock", pauses.append), pauses  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_conflict_with_another_transaction_is_no_refusal(reason: str) -> None:
    _, table, _ = busy("None", reason)
    with pytest.raises(TemporarilyOverloaded):
        table.transact([StateChange(facts("a", "sale"), UNTOUCHED, LOCKED)])


def test_a_failed_condition_is_the_answer_also_beside_a_conflict() -> None:
    _, table, _ = busy("TransactionConflict", "ConditionalCheckFailed")
    assert table.transact([StateChange(facts("a", "sale"), UNTOUCHED, LOCKED)]) is False


def test_what_a_batch_leaves_undone_is_sent_again_for_a_while() -> None:
    client, table, pauses = busy()
    with pytest.raises(TemporarilyOverloaded):
        table.put_facts([facts("a", "sale")])
    assert client.batches == 6
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8]


def test_a_read_that_is_not_complete_is_no_answer() -> None:
    with pytest.raises(TemporarilyOverloaded):
        busy()[1].load(["a"], consistent=True)
