"""The safety net: what reminders and the stream have lost is made good within a minute."""

import pytest

from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.shard import HELD, POINTER, VOID, Entry, RecordChange, Refused, ShardWrite, encode_entry
from brandday.domain.stock import FORGET_AFTER_MS, MAX_CHANGES, SETTLE_AFTER_MS
from brandday.entrypoints.on_sweep_due import build_handler
from brandday.usecases.sweep_stock import AFTER_END_MS, FORGET_FROM
from tests.fakes.backend import CLOSES, EXTENDED_MS, HOLD_MS, OPENS, SALE, Backend, sale, sku, web_shopper
from tests.fakes.tap import failing


def test_a_hold_whose_reminder_was_lost_expires_all_the_same() -> None:
    backend = Backend(sale(sku(stock=2)))
    backend.environment().reserve("ann")
    backend.clock.advance(5000)
    backend.environment().reserve("bob")
    backend.stock.stream.clear()

    backend.clock.now = OPENS + HOLD_MS
    assert backend.sweeper()() == 1
    assert backend.counts() == (1, 1, 0)
    backend.check()


def test_a_summary_that_missed_the_stream_is_right_after_two_sweeps() -> None:
    backend = Backend(sale(sku(stock=300)))
    for number in range(120):
        made = backend.environment().reserve(f"shopper-{number}").reservation
        if number % 3 == 0:
            backend.environment().confirm(made.id)
    backend.stock.stream.clear()

    backend.clock.now = OPENS + HOLD_MS
    backend.sweeper()()
    backend.sweeper()()

    assert backend.summary_counts() == backend.counts() == (260, 0, 40)


def test_many_shards_are_read_a_hundred_at_a_time() -> None:
    backend = Backend(sale(sku(stock=250), shards=250))

    backend.sweeper()()

    assert backend.tap.count("stock.read") == 3
    assert backend.tap.count("stock.write") == 0


@pytest.mark.parametrize(
    ("now", "swept"),
    [
        (OPENS - 1, False),
        (OPENS, True),
        (CLOSES + EXTENDED_MS + AFTER_END_MS - 1, True),
        (CLOSES + EXTENDED_MS + AFTER_END_MS, False),
    ],
)
def test_a_campaign_is_swept_from_its_start_until_an_hour_after_its_last_hold(now: int, swept: bool) -> None:
    backend = Backend(now=now)

    backend.sweeper()()

    assert (backend.tap.count("stock.read") > 0) is swept


def test_old_released_records_are_forgotten_and_nobody_loses_a_unit_or_a_limit() -> None:
    count = 2 * FORGET_FROM
    backend = Backend(sale(sku(stock=count), shards=2))
    environment = backend.environment()
    kept = environment.confirm(environment.reserve("buyer").reservation.id).reservation
    for number in range(count):
        who = f"shopper-{number}"
        environment.cancel(who, environment.reserve(who).reservation.id)
    backend.clock.advance(FORGET_AFTER_MS + EXTENDED_MS)
    backend.sweeper()()
    assert sum(len(shard.records) for shard in backend.shards()) == count + 1, "not a millisecond too early"

    backend.clock.advance(count * 10)
    for _ in range(count // MAX_CHANGES + 1):
        backend.sweeper()()

    assert sum(len(shard.records) for shard in backend.shards()) < FORGET_FROM * 2
    assert environment.get("buyer", kept.id) == kept
    assert backend.counts() == (count - 1, 0, 1)
    backend.check()


def test_a_shard_with_more_old_records_than_one_write_can_drop_is_tidied_bit_by_bit() -> None:
    count = 3 * MAX_CHANGES
    backend = Backend(sale(sku(stock=30)))
    environment = backend.environment()
    for number in range(count):
        who = f"shopper-{number}"
        environment.cancel(who, environment.reserve(who).reservation.id)
    backend.clock.advance(FORGET_AFTER_MS + EXTENDED_MS + 1)

    left = []
    for _ in range(4):
        backend.sweeper()()
        left.append(len(backend.stock.shard(0).records))

    assert left == [count - MAX_CHANGES, count - 2 * MAX_CHANGES, 0, 0]
    backend.check()


def test_a_pointer_is_forgotten_only_after_its_claim_is_released() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    holder, ann = backend.shopper_at(0), backend.shopper_at(0, 1)
    environment = backend.environment()
    environment.reserve(holder)
    away = environment.confirm(environment.reserve(ann).reservation.id).reservation
    backend.clock.advance(10 * FORGET_AFTER_MS)
    sweeper, live = backend.sweeper(), environment.live.get(SALE)
    for number in range(2):
        sweeper._tidy(live, number)

    assert backend.layout.name_of(ann) in backend.stock.shard(0).records
    assert environment.reserve(ann).reservation == away
    backend.check()


def test_a_sweep_that_failed_is_made_good_by_the_next() -> None:
    backend = Backend()
    backend.environment().reserve("ann")
    backend.stock.stream.clear()
    backend.clock.now = OPENS + HOLD_MS
    sweep = build_handler(backend.sweeper(), write=lambda _: None)

    with failing(backend.tap, "stock.write", TemporarilyOverloaded()), pytest.raises(TemporarilyOverloaded):
        sweep({}, None)
    assert sweep({}, None) == {"shards": 1}

    assert backend.counts() == (1, 0, 0)


def test_what_a_killed_request_announced_is_withdrawn_and_cannot_be_made_any_more() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    name = backend.layout.name_of(web_shopper(backend.shopper_at(0)).id)
    pointer = Entry(POINTER, "0", 1, OPENS, "tagtag", shard=1)
    backend.stock.write(SALE, ShardWrite(0, (RecordChange(name, None, encode_entry(pointer)),), {}, {}))
    claim = encode_entry(pointer._replace(state=HELD, shard=None))
    slow = ShardWrite(1, (RecordChange(name, None, claim),), {"0": -1}, {"0": 1})

    backend.clock.now = OPENS + SETTLE_AFTER_MS - 1
    backend.sweeper()()
    assert backend.stock.shard(0).records == {name: encode_entry(pointer)}

    backend.clock.now = OPENS + SETTLE_AFTER_MS
    backend.sweeper()()
    assert [entry.state for _, entry in backend.stock.shard(0).entries()] == [VOID]
    assert isinstance(backend.stock.write(SALE, slow), Refused)
    assert backend.counts() == (2, 0, 0)


def test_a_pointer_whose_claim_is_there_stays() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    holder, ann = backend.shopper_at(0), backend.shopper_at(0, 1)
    environment = backend.environment()
    environment.reserve(holder)
    reservation = environment.reserve(ann).reservation
    before = backend.stock.shard(0).records

    backend.clock.advance(min(SETTLE_AFTER_MS, HOLD_MS - 1))
    backend.sweeper()()

    assert backend.stock.shard(0).records == before
    assert environment.get(ann, reservation.id) == reservation
