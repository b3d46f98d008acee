"""The stream is told twice, out of order, with rubbish in it; the summary and the reminders come out right."""

import random
from typing import Any

import pytest

from brandday.adapters.stock_stream import read_change
from brandday.domain.errors import TemporarilyOverloaded
from brandday.entrypoints.on_stock_changed import build_handler
from brandday.usecases.project_stock import ShardChanged, new_holds_due
from tests.fakes.backend import EXTENDED_MS, HOLD_MS, OPENS, SALE, Backend, sale, sku
from tests.fakes.event_sources import deliver_stream, stream_record, stream_records
from tests.fakes.tap import failing


def _busy_day(seed: int = 1, shoppers: int = 40) -> Backend:
    """A sale with claims, overflow, cancellations, extensions and payments; nothing was projected yet."""
    backend = Backend(sale(sku("HERO", 20, 2), sku("MUG", 12, 2), shards=4))
    chance = random.Random(seed)
    environment = backend.environment()
    for number in range(shoppers):
        backend.clock.advance(chance.randint(1, 400))
        who = f"shopper-{number}"
        try:
            made = environment.reserve(who, chance.choice(["HERO", "MUG"]), chance.randint(1, 2)).reservation
        except Exception:  # noqa: S112  # refusals are part of the day
            continue
        act = chance.choice(["leave", "cancel", "extend", "pay"])
        if act == "cancel":
            environment.cancel(who, made.id)
        elif act == "extend":
            environment.extend(who, made.id)
        elif act == "pay":
            environment.confirm(made.id)
    backend.check()
    return backend


def _handler(backend: Backend, lines: list[Any] | None = None) -> Any:
    return build_handler(backend.projector(), read_change, write=(lines if lines is not None else []).append)


def _expect_summary_equals_truth(backend: Backend) -> None:
    for name in ("HERO", "MUG"):
        assert backend.summary_counts(name) == backend.counts(name)


@pytest.mark.parametrize("seed", range(8))
def test_records_delivered_twice_and_out_of_order_give_the_summary_of_the_shards(seed: int) -> None:
    backend = _busy_day(seed)
    records = stream_records(backend.stock.stream)
    chance = random.Random(seed)
    deliveries = records + chance.sample(records, k=len(records) // 2)
    chance.shuffle(deliveries)

    while deliveries:
        size = chance.randint(1, 9)
        assert deliver_stream(_handler(backend), deliveries[:size]) == []
        deliveries = deliveries[size:]

    _expect_summary_equals_truth(backend)
    assert _due_of_reminders(backend) >= _due_of_holds(backend)


def test_with_half_of_the_records_the_summary_would_not_be_right() -> None:
    """The negative control: the test above can tell a wrong summary."""
    backend = _busy_day()
    deliver_stream(_handler(backend), stream_records(backend.stock.stream[: len(backend.stock.stream) // 2]))

    with pytest.raises(AssertionError):
        _expect_summary_equals_truth(backend)


def _due_of_reminders(backend: Backend) -> set[tuple[int, int]]:
    return {(shard, due) for _, (_, shard, due) in backend.queue.messages}


def _due_of_holds(backend: Backend) -> set[tuple[int, int]]:
    """Where and when each hold that stands now lapses, rounded up to the second as reminders are."""
    return {
        (shard.number, -(-backend.terms.expires_at(entry) // 1000) * 1000)
        for shard in backend.shards()
        for _, entry in shard.entries()
        if entry.is_held
    }


def test_every_hold_gets_a_reminder_and_an_extended_one_a_second_one() -> None:
    backend = Backend(sale(sku(stock=3), shards=1))
    environment = backend.environment()
    made = environment.reserve("ann").reservation
    backend.clock.advance(1001)
    environment.reserve("bob")
    environment.extend("ann", made.id)

    backend.project()

    assert [reminder for _, reminder in backend.queue.messages] == [
        (SALE, 0, OPENS + HOLD_MS),
        (SALE, 0, OPENS + HOLD_MS + 2000),
        (SALE, 0, OPENS + EXTENDED_MS),
    ]


def test_holds_of_the_same_shard_and_second_share_a_reminder() -> None:
    backend = Backend(sale(sku(stock=20), shards=1))
    environment = backend.environment()
    for number in range(20):
        environment.reserve(f"shopper-{number}")
        backend.clock.advance(1)

    backend.project()

    assert len(backend.queue.messages) == 2, "one for the first, and one for the other nineteen in the next second"


def test_what_is_released_or_paid_needs_no_reminder() -> None:
    backend = Backend(sale(sku(stock=3)))
    environment = backend.environment()
    made = environment.reserve("ann").reservation
    environment.cancel("ann", made.id)
    paid = environment.reserve("bob").reservation
    environment.confirm(paid.id)

    changes = backend.stock.stream

    assert [len(new_holds_due(change, backend.terms)) for change in changes] == [1, 0, 1, 0]


def test_a_hold_is_reminded_of_even_when_the_image_before_is_missing() -> None:
    backend = Backend(sale(sku(stock=3)))
    environment = backend.environment()
    environment.reserve("ann")
    environment.reserve("bob")
    last = backend.stock.stream[-1]

    assert new_holds_due(ShardChanged(SALE, None, last.after), backend.terms) == {OPENS + HOLD_MS}


# --- records that cannot be read ------------------------------------------------------------------------------


def _poisons() -> dict[str, Any]:
    def spoil(record: dict[str, Any], *path: str, value: Any) -> None:
        *way, last = path
        for step in way:
            record = record[step]
        record[last] = value

    return {
        "no_shard_number": lambda record: spoil(record, "dynamodb", "Keys", "pk", "S", value="nonsense"),
        "no_key": lambda record: spoil(record, "dynamodb", "Keys", value={}),
        "version_is_no_number": lambda record: spoil(record, "dynamodb", "NewImage", "v", value={"N": "many"}),
        "record_is_no_claim": lambda record: spoil(
            record, "dynamodb", "NewImage", "AAAAAAAAAAAA", value={"S": "h0-nonsense"}
        ),
        "record_is_empty": lambda record: spoil(record, "dynamodb", "NewImage", "AAAAAAAAAAAA", value={"S": "h"}),
    }


@pytest.mark.parametrize("poison", _poisons().values(), ids=_poisons().keys())
@pytest.mark.parametrize("position", [0, 5, -1], ids=["first", "middle", "last"])
def test_a_poison_record_ends_as_a_dead_letter_alone(poison: Any, position: int) -> None:
    backend = _busy_day()
    records = stream_records(backend.stock.stream)
    bad = stream_record(backend.stock.stream[position], 10_000)
    poison(bad)
    lines: list[Any] = []

    dead = deliver_stream(_handler(backend, lines), [*records[:position], bad, *records[position:]])

    assert dead == [bad]
    _expect_summary_equals_truth(backend)
    assert _due_of_reminders(backend) >= _due_of_holds(backend)


def test_an_unreadable_record_is_reported_by_its_number_and_those_before_it_are_done() -> None:
    backend = _busy_day()
    records = stream_records(backend.stock.stream)
    records[7]["dynamodb"]["Keys"]["pk"]["S"] = "nonsense"
    lines: list[Any] = []

    answer = _handler(backend, lines)({"Records": records}, None)

    assert answer == {"batchItemFailures": [{"itemIdentifier": records[7]["dynamodb"]["SequenceNumber"]}]}
    assert [line["level"] for line in lines] == ["ERROR", "INFO"]
    assert backend.summary_counts("HERO") != (20, 0, 0)


def test_shards_that_are_gone_or_of_no_campaign_are_passed_over() -> None:
    backend = _busy_day()
    gone = stream_record(backend.stock.stream[0], 0)
    del gone["dynamodb"]["NewImage"]
    stray = stream_record(ShardChanged("no-such-sale", None, backend.stock.stream[0].after), 1)

    assert read_change(gone["dynamodb"]) is None
    assert _handler(backend)({"Records": [gone, stray]}, None) == {"batchItemFailures": []}


@pytest.mark.parametrize("call", ["campaigns.load", "queue.send", "summaries.load_group", "summaries.save_subtotal"])
@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
def test_when_the_database_or_the_queue_is_busy_the_whole_batch_comes_again(call: str, committed: bool) -> None:
    backend = _busy_day()
    records = stream_records(backend.stock.stream)

    with failing(backend.tap, call, TemporarilyOverloaded(), committed=committed):
        answer = _handler(backend)({"Records": records}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]}
    assert deliver_stream(_handler(backend), records) == []

    _expect_summary_equals_truth(backend)
    assert _due_of_reminders(backend) >= _due_of_holds(backend)
