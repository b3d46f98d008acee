"""Races between processes, on every engine that can be trusted with them: outcomes are counted, and rows.

The negative control comes first: the naive way has to oversell in this very harness, or the rest proves nothing.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import pytest

from benchmarks.ours import CAMPAIGN, Shards, flash_sale, publish, shards
from benchmarks.patterns import GetThenPut, Pattern
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.guard_tallies import GuardTallies
from brandday.adapters.stock_table import StockTable
from brandday.domain.campaign import Shopper, Status
from brandday.domain.coupon import Validity
from brandday.domain.fulfilment import Fulfilment, RewardTerms
from brandday.domain.reservation_id import parse_reservation_id
from brandday.domain.shard import POINTER, Shard
from brandday.domain.tally import TallyKey
from brandday.usecases.coupon_facts import facts_of_claim
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.manage_reservation import ManageReservation
from brandday.usecases.operate_campaign import OperateCampaign
from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_tables import DynamoAuditTables
from tests.concurrency.limit_processes import GuardedTables, Taker, take
from tests.concurrency.processes import COUPON_KEYS, PROCESSES, Answer, Processes, Tap
from tests.engines import Engine, Tables, table_in
from tests.fakes.coupon_backend import coupon_terms, coupons
from tests.fakes.destinations import all_reachable
from tests.fakes.plain_gate import per_device

PAUSE_HOLDS_WITHIN_SECONDS = 2.0
SALES_OF_ONE = 5

SMALL, FULL = 300, 1000
"""Units on sale: a size that still bites, and that of a real hero product for `make soak`."""

sizes = pytest.mark.parametrize("stock", [SMALL, pytest.param(FULL, marks=pytest.mark.soak)])


@pytest.fixture(scope="session")
def processes() -> Iterator[Processes]:
    """Four processes, started once for all races."""
    with closing(Processes()) as four:
        yield four


@dataclass(frozen=True)
class Sale:
    """What the tables say of one campaign."""

    free: int
    held: int
    sold: int
    units_of: Counter[str]
    claims: frozenset[tuple[int, str, int]]


def open_sale(tables: Tables, stock: int, *, limit: int = 1, campaign_id: str = CAMPAIGN) -> None:
    """Publish a campaign that has just started."""
    now = time.time_ns() // 1_000_000
    campaign = flash_sale(stock, now - 1000, limit=limit, campaign_id=campaign_id)
    with closing(tables.engine.client()) as client:
        publish(client, tables.stock, tables.campaign, campaign, now)


def count(tables: Tables, stock: int, limit: int, campaign_id: str = CAMPAIGN) -> Sale:
    """Count the rows; fails at once if a shard does not add up or somebody owns more than allowed."""
    with closing(tables.engine.client()) as client:
        layout = CampaignTable(client, tables.campaign).load(campaign_id, consistent=True)[0].layout
        assert layout is not None
        written = {shard.number: shard for shard in shards(client, tables.stock, campaign_id)}
        findings = audit_campaign(DynamoAuditTables(client, tables.stock, tables.campaign), campaign_id)
    free, held, sold = 0, 0, 0
    units_of: Counter[str] = Counter()
    claims = set()
    for number in range(layout.shards):
        capacity = layout.capacity("0", number)
        shard = written.pop(number, Shard(number, 0, {}, {}))
        entries = [(name, entry) for name, entry in shard.entries() if entry.state != POINTER]
        held_here = sum(entry.units for _, entry in entries if entry.is_held)
        sold_here = sum(entry.units for _, entry in entries) - held_here
        assert shard.free.get("0", capacity) + held_here + sold_here == capacity, f"shard {number} does not add up"
        free, held, sold = free + shard.free.get("0", capacity), held + held_here, sold + sold_here
        for name, entry in entries:
            units_of[name] += entry.units
            if entry.units:
                claims.add((number, name, entry.attempt))
    assert not written, "shards outside the layout"
    assert free + held + sold == stock
    assert max(units_of.values(), default=0) <= limit
    assert findings.ok, findings.violations
    return Sale(free, held, sold, units_of, frozenset(claims))


def check_answers(answers: list[Answer], sale: Sale) -> None:
    """Every grant is a claim of its own in the tables, with its units; nothing else is."""
    granted = [answer for answer in answers if answer.code == "granted"]
    found = {parse_reservation_id(answer.reservation_id or "") for answer in granted}
    assert len(found) == len(granted), "two grants with one id"
    assert {tuple(parsed[1]) for parsed in found if parsed} == set(sale.claims)
    assert sum(answer.tap.quantity for answer in granted) == sale.units_of.total()
    ids = {answer.reservation_id for answer in granted}
    assert {answer.reservation_id for answer in answers if answer.code in {"replayed", "resumed"}} <= ids
    assert sum(answer.tap.quantity for answer in granted if answer.paid) == sale.sold


def owners_after_lockstep(pattern_of: Callable[[str], Pattern], engine: Engine, processes: Processes) -> list[int]:
    """Several sales of one unit each, four buyers at the same moment in every one: owners per sale."""
    owners = []
    for _ in range(SALES_OF_ONE):
        run = uuid.uuid4().hex[:10]
        pattern = pattern_of(run)
        with closing(engine.client()) as client:
            pattern.create(client, 1, time.time_ns() // 1_000_000)
            buyers = [f"buyer-{number}" for number in range(PROCESSES)]
            answers = processes.serve_pattern(pattern_of, run, engine, buyers)
            owners.append(len(pattern.claims(client)))
            pattern.drop(client)
        assert answers.count("granted") == owners[-1]
    return owners


def test_control_get_then_put_sells_one_unit_to_several_buyers(engine: Engine, processes: Processes) -> None:
    assert max(owners_after_lockstep(GetThenPut, engine, processes)) > 1


def test_one_unit_goes_to_one_of_the_buyers(engine: Engine, processes: Processes) -> None:
    assert owners_after_lockstep(Shards, engine, processes) == [1] * SALES_OF_ONE


def test_one_shopper_on_four_devices_at_the_same_moment_gets_one_reservation(
    fresh_tables: Tables, processes: Processes
) -> None:
    open_sale(fresh_tables, 30, limit=2)
    # The same key on even shoppers (an app that repeats itself), one per device on odd ones.
    taps = [
        Tap(f"shopper-{shopper}", f"key-{device if shopper % 2 else 0}")
        for shopper in range(20)
        for device in range(PROCESSES)
    ]

    answers = processes.serve(fresh_tables, taps, lockstep=True)

    sale = count(fresh_tables, 30, limit=2)
    check_answers(answers, sale)
    for shopper in range(20):
        of_shopper = [answer for answer in answers if answer.tap.shopper == f"shopper-{shopper}"]
        codes = Counter(answer.code for answer in of_shopper)
        assert codes["granted"] == 1
        ids = {answer.reservation_id for answer in of_shopper if answer.reservation_id}
        assert len(ids) == 1
        again = "resumed" if shopper % 2 else "replayed"
        assert set(codes) <= {"granted", again, "temporarily_overloaded"}


@sizes
def test_a_rush_with_double_taps_payments_and_two_units_each_sells_no_unit_twice(
    fresh_tables: Tables, processes: Processes, stock: int
) -> None:
    open_sale(fresh_tables, stock, limit=2)
    taps: list[Tap] = []
    for number in range(stock * 13 // 3):
        shopper, key = f"shopper-{number}", f"key-{number}"
        first = Tap(shopper, key, quantity=2 if number % 5 == 0 else 1, pays=number % 3 == 0)
        taps.append(first)
        if number % 4 == 1:
            taps.append(first)  # the same request again, from another process at about the same moment
        elif number % 4 == 2:
            taps.append(Tap(shopper, f"{key}-of-another-device"))

    answers = processes.serve(fresh_tables, taps)

    sale = count(fresh_tables, stock, limit=2)
    check_answers(answers, sale)
    codes = Counter(answer.code for answer in answers)
    assert codes["sold_out"] == 0, "not every unit was sold, so nobody may hear that"
    assert codes["granted"] > stock // 2
    assert codes["replayed"]
    assert codes["resumed"]
    assert codes["all_held"]


@sizes
@pytest.mark.parametrize("follow", [True, False], ids=["with the stream's projector", "projector stands still"])
def test_shoppers_who_come_back_as_told_buy_every_unit(
    fresh_tables: Tables, processes: Processes, follow: bool, stock: int
) -> None:
    open_sale(fresh_tables, stock)
    taps = [
        Tap(f"shopper-{number}", f"key-{number}", pays=True, comes_back=True) for number in range(stock * 105 // 100)
    ]
    pattern = Shards.of_tables(fresh_tables.stock, fresh_tables.campaign)
    with closing(fresh_tables.engine.client()) as client:
        project = pattern.background(client, lambda: time.time_ns() // 1_000_000)
        with processes.serving(fresh_tables, taps) as answers:
            deadline = time.monotonic() + 90
            while len(pattern.claims(client)) < stock and time.monotonic() < deadline:
                if follow:
                    project()
                time.sleep(0.1)
            processes.stop.set()
            served = answers()

    sale = count(fresh_tables, stock, limit=1)
    check_answers(served, sale)
    assert (sale.free, sale.held, sale.sold) == (0, 0, stock), "a unit was stranded"


@pytest.mark.parametrize("stock", [100, pytest.param(FULL, marks=pytest.mark.soak)])
def test_shoppers_who_come_back_as_told_take_every_coupon_and_no_two_of_them_the_same(
    fresh_tables: Tables, processes: Processes, stock: int
) -> None:
    """Demand of 105 %, some shoppers want two, some requests are sent twice at about the same moment."""
    now = time.time_ns() // 1_000_000
    terms = coupon_terms(
        quantity=stock, per_shopper=2, validity=Validity(now - 1000, now + 3_600_000), reward=RewardTerms()
    )
    campaign = coupons(terms, id=CAMPAIGN, starts_at=now - 1000, ends_at=now + 1_800_000, fulfilment=Fulfilment())
    taps = [
        Tap(f"shopper-{number % (stock * 6 // 7)}", f"key-{number}", comes_back=True, coupon=True)
        for number in range(stock * 105 // 100)
    ]
    pattern = Shards.of_tables(fresh_tables.stock, fresh_tables.campaign)
    with closing(fresh_tables.engine.client()) as client:
        publish(client, fresh_tables.stock, fresh_tables.campaign, replace(campaign, status=Status.DRAFT), now)
        project = pattern.background(client, lambda: time.time_ns() // 1_000_000)
        with processes.serving(fresh_tables, taps + taps[::5]) as answers:
            deadline = time.monotonic() + 90
            while len(pattern.claims(client)) < stock and time.monotonic() < deadline:
                project()
                time.sleep(0.1)
            processes.stop.set()
            served = answers()
        live = CampaignTable(client, fresh_tables.campaign).load(CAMPAIGN, consistent=True)[0]
        claims = [
            (shard.number, name, entry)
            for shard in shards(client, fresh_tables.stock)
            for name, entry in shard.entries()
            if entry.units
        ]

    sale = count(fresh_tables, stock, limit=2)
    assert (sale.free, sale.held, sale.sold) == (0, 0, stock), "a coupon was stranded"
    taken = {facts_of_claim(COUPON_KEYS, live, name, shard, entry.attempt) for shard, name, entry in claims}
    granted = [answer.reservation_id for answer in served if answer.code == "granted"]
    assert len(granted) == len(set(granted))
    assert {answer.reservation_id for answer in served if answer.reservation_id} == {facts.id for facts in taken}
    assert len({facts.code for facts in taken}) == stock
    assert any(answer.code == "replayed" for answer in served)


def test_nobody_gets_a_unit_later_than_2_seconds_after_a_pause(fresh_tables: Tables, processes: Processes) -> None:
    stock = 6000
    open_sale(fresh_tables, stock)
    pattern = Shards.of_tables(fresh_tables.stock, fresh_tables.campaign)
    with closing(fresh_tables.engine.client()) as client:
        operate = OperateCampaign(
            CampaignTable(client, fresh_tables.campaign),
            StockTable(client, fresh_tables.stock),
            lambda: time.time_ns() // 1_000_000,
            lambda size: uuid.uuid4().bytes[:size],
            all_reachable,
        )
        with processes.serving_a_crowd(fresh_tables) as answers:
            deadline = time.monotonic() + 60
            while len(pattern.claims(client)) < 200 and time.monotonic() < deadline:
                time.sleep(0.05)
            operate.pause(CAMPAIGN, "operator")
            paused_at = time.time()
            time.sleep(PAUSE_HOLDS_WITHIN_SECONDS + 1)
            processes.stop.set()
            served = answers()

    sale = count(fresh_tables, stock, limit=1)
    check_answers(served, sale)
    granted_at = [answer.at for answer in served if answer.code == "granted"]
    assert len(granted_at) >= 200
    assert sale.free > 0, "everything was sold before the pause could stop anybody"
    assert max(granted_at) - paused_at < PAUSE_HOLDS_WITHIN_SECONDS
    late = {answer.code for answer in served if answer.at > paused_at + PAUSE_HOLDS_WITHIN_SECONDS}
    assert late == {"campaign_paused"}


# --- limits over several shoppers -----------------------------------------------------------------------------

ACCOUNTS, PER_DEVICE = 40, 3


@contextmanager
def limited_sale(tables: Tables, *, naive: bool = False) -> Iterator[GuardedTables]:
    """A sale of 100 units, of which a device may have three."""
    now = time.time_ns() // 1_000_000
    with table_in(tables.engine, "GuardTable") as guard:
        campaign = replace(flash_sale(100, now - 1000), protection=per_device(PER_DEVICE))
        publish(guard.client, tables.stock, tables.campaign, campaign, now)
        yield GuardedTables(tables, guard.name, naive)


def live_and_named(guarded: GuardedTables) -> tuple[set[tuple[int, str, int]], set[tuple[int | None, str, int]]]:
    """Return the live claims in the shards, and the lines of the device's tally."""
    with closing(guarded.tables.engine.client()) as client:
        live = {
            (shard.number, name, entry.attempt)
            for shard in shards(client, guarded.tables.stock)
            for name, entry in shard.entries()
            if entry.units
        }
        tally = GuardTallies(client, guarded.guard, guarded.tables.stock).tallies([TALLY], consistent=True)[TALLY]
    return live, {(one.shard, one.name, one.at) for one in tally.taken}


TALLY = TallyKey(CAMPAIGN, "per-device", "phone")


def test_control_a_tally_that_is_looked_at_and_then_written_is_exceeded(
    fresh_tables: Tables, processes: Processes
) -> None:
    with limited_sale(fresh_tables, naive=True) as guarded:
        take(processes, guarded, [Taker(f"account-{number}", "phone") for number in range(3 * PROCESSES)])
        live, named = live_and_named(guarded)
    assert len(live) > PER_DEVICE
    assert not live <= named


def test_forty_accounts_on_one_device_get_three_units_and_after_cancelling_three_again(
    fresh_tables: Tables, processes: Processes
) -> None:
    with limited_sale(fresh_tables) as guarded, closing(fresh_tables.engine.client()) as client:
        manage = ManageReservation(
            LiveCampaigns(CampaignTable(client, fresh_tables.campaign), lambda: time.time_ns() // 1_000_000),
            StockTable(client, fresh_tables.stock),
            lambda: time.time_ns() // 1_000_000,
        )
        for visit in range(2):
            others = [Taker(f"other-{visit}-{number}", f"other-{visit}-{number}") for number in range(10)]
            farm = [Taker(f"account-{visit}-{number}", "phone") for number in range(ACCOUNTS)]
            answers = take(processes, guarded, [*farm, *others])
            granted = [(taker, answer) for taker, answer in answers if answer.startswith("rsv_")]
            assert sum(taker.device == "phone" for taker, _ in granted) == PER_DEVICE
            assert sum(taker.device != "phone" for taker, _ in granted) == len(others)
            assert {answer for _, answer in answers if not answer.startswith("rsv_")} == {"limit_reached"}
            live, named = live_and_named(guarded)
            ours = {parse_reservation_id(answer) for taker, answer in granted if taker.device == "phone"}
            assert {tuple(parsed[1]) for parsed in ours if parsed} <= live & named
            assert len(named) == PER_DEVICE, "what was cancelled is dropped"
            for taker, answer in granted:
                manage.cancel(Shopper(taker.shopper, channel="app"), answer)
