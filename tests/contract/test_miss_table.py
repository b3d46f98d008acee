"""One contract for what guessers have missed: the fake in memory and the table, on each engine we have."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing

import pytest
from moto import mock_aws

from brandday.adapters.miss_table import MissTable
from brandday.domain.backoff import HOUR_MS, Misses
from brandday.domain.signals import SignalKind
from brandday.usecases.back_off import KEEP_MS, Guessed, MissKey, MissLog
from tests.engines import Engine, table_in
from tests.fakes.memory_misses import MemoryMisses

NOON = 494_123 * HOUR_MS
HOUR = 494_123


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def log(request: pytest.FixtureRequest) -> Iterator[MissLog]:
    """Each of the ways there are to keep it."""
    match request.param:
        case "memory":
            yield MemoryMisses()
        case "moto":
            with mock_aws():
                yield from _in_table(Engine("moto", None))
        case name:
            yield from _in_table(request.getfixturevalue(name))


def _in_table(engine: Engine) -> Iterator[MissLog]:
    with table_in(engine, "GuardTable") as table, closing(engine.client()) as client:
        yield MissTable(client, table.name)


def key(kind: SignalKind = SignalKind.SHOPPER) -> MissKey:
    """Somebody whom nobody has seen before."""
    return MissKey(Guessed.CODES, kind, uuid.uuid4().hex[:16])


def note(log: MissLog, who: MissKey, number: int, *tags: str, now: int = NOON) -> Misses:
    return log.note(who, number, tags, now, now + KEEP_MS)


def test_who_has_missed_nothing_has_no_item_and_no_misses(log: MissLog) -> None:
    one, another = key(), key(SignalKind.NETWORK)
    assert log.look([one, another]) == {one: Misses(), another: Misses()}


def test_a_note_adds_and_says_what_was_there_before(log: MissLog) -> None:
    who = key()

    assert note(log, who, 2, "AAAA", "BBBB") == Misses()
    before = note(log, who, 1, "CCCC", now=NOON + 5)

    assert before == Misses({HOUR: 2}, frozenset(["AAAA", "BBBB"]), NOON)
    assert log.look([who]) == {who: before.after(1, ["CCCC"], NOON + 5)}


def test_a_network_has_no_tags(log: MissLog) -> None:
    who = key(SignalKind.NETWORK)
    note(log, who, 3)
    assert log.look([who]) == {who: Misses({HOUR: 3}, frozenset(), NOON)}


def test_what_is_too_old_to_count_goes(log: MissLog) -> None:
    who = key()
    for hour in range(4):
        note(log, who, 1, f"TAG{hour}", now=NOON + hour * HOUR_MS)

    (kept,) = log.look([who]).values()

    assert kept.counts == {HOUR + 2: 1, HOUR + 3: 1}
    assert kept.count(NOON + 3 * HOUR_MS) == 2
    assert {"TAG2", "TAG3"} <= kept.tags


def test_codes_and_tickets_and_kinds_of_marks_are_apart(log: MissLog) -> None:
    who = key()
    others = [who._replace(what=Guessed.TICKETS), who._replace(kind=SignalKind.NETWORK)]
    note(log, who, 1, "AAAA")
    assert log.look(others) == {other: Misses() for other in others}


def test_misses_of_a_long_time_ago_are_forgotten_by_themselves() -> None:
    with mock_aws():
        engine = Engine("moto", None)
        with table_in(engine, "GuardTable") as table, closing(engine.client()) as client:
            note(MissTable(client, table.name), key(), 1, "AAAA")
            (item,) = client.scan(TableName=table.name)["Items"]
    assert item["forget_at"] == {"N": str((NOON + KEEP_MS) // 1000)}
    assert "AAAA" in str(item)
