"""A hold's time has come: its units are back on sale, however often and however early somebody is reminded."""

import pytest

from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.stock import MAX_CHANGES
from brandday.entrypoints.on_hold_due import build_handler
from tests.fakes.backend import EXTENDED_MS, HOLD_MS, OPENS, SALE, Backend, sale, sku
from tests.fakes.event_sources import queue_event
from tests.fakes.memory_queue import MAX_DELAY_MS
from tests.fakes.tap import failing


def test_a_reminder_gives_the_units_back_in_the_second_the_hold_lapses() -> None:
    backend = Backend(sale(sku(stock=2)))
    environment = backend.environment()
    environment.reserve("ann")
    backend.clock.advance(5000)
    environment.reserve("bob")
    backend.project()

    backend.clock.now = OPENS + HOLD_MS - 1
    backend.remind()
    assert backend.counts() == (0, 2, 0)
    backend.clock.now = OPENS + HOLD_MS
    backend.remind()
    assert backend.counts() == (1, 1, 0)
    backend.clock.advance(5000)
    backend.remind()

    assert backend.counts() == (2, 0, 0)
    assert backend.queue.messages == []
    backend.check()


def test_a_reminder_delivered_again_does_nothing() -> None:
    backend = Backend()
    backend.environment().reserve("ann")
    backend.clock.now = OPENS + HOLD_MS
    backend.expirer()(SALE, 0, OPENS + HOLD_MS)
    backend.environment().reserve("bob")
    before = backend.stock.shard(0)

    for _ in range(3):
        backend.expirer()(SALE, 0, OPENS + HOLD_MS)

    assert backend.stock.shard(0) == before


def test_an_extended_or_paid_hold_outlives_its_first_reminder() -> None:
    backend = Backend(sale(sku(stock=2)))
    environment = backend.environment()
    extended, paid = environment.reserve("ann").reservation, environment.reserve("bob").reservation
    environment.extend("ann", extended.id)
    environment.confirm(paid.id)
    backend.project()

    backend.clock.now = OPENS + HOLD_MS
    backend.remind()
    assert backend.counts() == (0, 1, 1)
    backend.clock.now = OPENS + EXTENDED_MS
    backend.remind()
    assert backend.counts() == (1, 0, 1)


def test_a_reminder_that_comes_early_is_sent_again_until_the_hold_lapses() -> None:
    backend = Backend(sale(hold_seconds=3600, extend_seconds=0))
    backend.environment().reserve("ann")
    backend.project()
    rounds = 0

    while backend.counts() != (1, 0, 0):
        visible_at = min(at for at, _ in backend.queue.messages)
        assert backend.clock() < visible_at <= backend.clock() + MAX_DELAY_MS
        backend.clock.now = visible_at
        backend.remind()
        assert len(backend.queue.messages) == (visible_at < OPENS + 3_600_000)
        rounds += 1

    assert rounds == 4
    assert backend.clock() == OPENS + 3_600_000


def test_in_one_batch_each_shard_is_looked_at_once() -> None:
    backend = Backend(sale(sku(stock=60), shards=2))
    expire = build_handler(backend.expirer(), lambda _: None, write=lambda _: None)
    for number in range(10):
        backend.environment().reserve(f"shopper-{number}")
    backend.clock.now = OPENS + HOLD_MS
    backend.tap.calls.clear()

    answer = expire(queue_event(*[(SALE, number % 2, OPENS + HOLD_MS) for number in range(10)]), None)

    assert answer == {"batchItemFailures": []}
    assert backend.tap.count("stock.read") == backend.tap.count("stock.write") == 2
    assert backend.counts() == (60, 0, 0)


def test_a_shard_is_looked_at_again_in_the_next_batch() -> None:
    backend = Backend(sale(sku(stock=2)))
    expire = build_handler(backend.expirer(), lambda _: None, write=lambda _: None)
    backend.environment().reserve("ann")
    backend.clock.now = OPENS + HOLD_MS
    expire(queue_event((SALE, 0, OPENS + HOLD_MS)), None)
    backend.environment().reserve("bob")
    backend.clock.now = OPENS + 2 * HOLD_MS

    expire(queue_event((SALE, 0, OPENS + HOLD_MS)), None)

    assert backend.counts() == (2, 0, 0)


def test_how_late_the_latest_reminder_of_a_batch_was_is_measured() -> None:
    backend, lags = Backend(sale(sku(stock=60), shards=2)), list[int]()
    expire = build_handler(backend.expirer(), lags.append, write=lambda _: None)
    backend.clock.now = OPENS + HOLD_MS + 700
    expire(queue_event((SALE, 0, OPENS + HOLD_MS), (SALE, 1, OPENS + HOLD_MS + 500)), None)
    assert lags == [700]
    expire(queue_event((SALE, 0, backend.clock() + 60_000)), None)
    assert lags == [700], "nothing was due"


def test_more_lapsed_holds_than_one_write_can_change_are_all_given_back() -> None:
    """A shard that was restocked may have hundreds of holds; DynamoDB refuses a write with more than 300 operators."""
    count = 2 * MAX_CHANGES + 50
    backend = Backend(sale(sku(stock=1)))
    backend.operator().restock(SALE, "more", "HERO", count, "op")
    for number in range(count):
        backend.environment().reserve(f"shopper-{number}")
    backend.clock.now = OPENS + HOLD_MS
    backend.tap.calls.clear()

    backend.expirer()(SALE, 0, OPENS + HOLD_MS)

    assert backend.counts() == (count + 1, 0, 0)
    assert backend.tap.count("stock.write") == 3
    backend.check()


def test_only_the_messages_that_failed_come_again() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    expire = build_handler(backend.expirer(), lambda _: None, write=lambda _: None)
    for home in (0, 1):
        backend.environment().reserve(backend.shopper_at(home))
    backend.clock.now = OPENS + HOLD_MS
    event = queue_event((SALE, 0, OPENS + HOLD_MS), (SALE, 1, OPENS + HOLD_MS), ("no-such-sale", 0, OPENS))
    event["Records"] += [
        {"messageId": "rubbish", "body": "{"},
        {"messageId": "no-shard", "body": '{"campaign_id": "brand-day-2026-07", "due_at": 1}'},
        {"messageId": "list", "body": "[]"},
    ]

    with failing(backend.tap, "stock.write", TemporarilyOverloaded()):
        answer = expire(event, None)

    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    assert failed == ["message-0", "rubbish", "no-shard", "list"]
    assert backend.counts() == (1, 1, 0)
    assert expire(queue_event((SALE, 0, OPENS + HOLD_MS)), None) == {"batchItemFailures": []}
    assert backend.counts() == (2, 0, 0)


@pytest.mark.parametrize("released", ["cancelled", "paid"])
def test_a_late_reminder_for_what_is_released_or_paid_costs_one_read(released: str) -> None:
    backend = Backend()
    environment = backend.environment()
    made = environment.reserve("ann").reservation
    if released == "paid":
        environment.confirm(made.id)
    else:
        environment.cancel("ann", made.id)
    backend.clock.now = OPENS + HOLD_MS
    backend.tap.calls.clear()

    backend.expirer()(SALE, 0, OPENS + HOLD_MS)

    assert backend.tap.calls == ["campaigns.load", "stock.read"]
