"""One contract for everything that keeps circuit breakers: the fake in memory and the table, on each engine."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from moto import mock_aws

from brandday.adapters.breaker_table import BreakerTable
from brandday.adapters.reward_stream import read_reward_change
from brandday.domain.breaker import Breaker
from brandday.usecases.delivery_ports import Breakers
from brandday_local.template_tables import table_shape
from tests.engines import Engine, table_in
from tests.fakes.memory_breakers import MemoryBreakers

PARTNER = "https://partner.example"
OPENED = Breaker(failures=5, openings=2, open_until=1_783_526_400_000, probe_until=1_783_526_460_000)


@pytest.fixture(
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)]
)
def breakers(request: pytest.FixtureRequest) -> Iterator[Breakers]:
    """Each of the ways there are to keep breakers."""
    match request.param:
        case "memory":
            yield MemoryBreakers()
        case "moto":
            with mock_aws():
                yield from _table(Engine("moto", None))
        case name:
            yield from _table(request.getfixturevalue(name))


def _table(engine: Engine) -> Iterator[Breakers]:
    with table_in(engine, "RewardTable") as table:
        yield BreakerTable(table.client, table.name)


def test_one_that_was_never_saved_is_closed(breakers: Breakers) -> None:
    assert breakers.load(PARTNER) == Breaker()


def test_what_was_saved_comes_back_under_the_next_version(breakers: Breakers) -> None:
    assert breakers.save(PARTNER, Breaker(), OPENED)
    assert breakers.load(PARTNER) == OPENED.at_version(1)
    assert breakers.save(PARTNER, OPENED.at_version(1), Breaker())
    assert breakers.load(PARTNER) == Breaker(version=2)
    assert breakers.load("https://other.example") == Breaker()


@pytest.mark.parametrize("seen", [0, 1, 3])
def test_who_saw_another_version_writes_nothing(breakers: Breakers, seen: int) -> None:
    assert breakers.save(PARTNER, Breaker(), Breaker(failures=1))
    assert breakers.save(PARTNER, Breaker(version=1), OPENED)

    assert not breakers.save(PARTNER, Breaker(version=seen), Breaker())
    assert breakers.load(PARTNER) == OPENED.at_version(2)


def test_who_lists_rewards_or_follows_them_meets_no_breaker() -> None:
    with mock_aws(), closing(Engine("moto", None).client()) as client:
        client.create_table(TableName="RewardTable", **table_shape("RewardTable"))
        BreakerTable(client, "RewardTable").save(PARTNER, Breaker(), OPENED)
        (item,) = client.scan(TableName="RewardTable")["Items"]

    assert not {"gpk", "gsk"} & set(item)
    assert PARTNER not in str(item)
    keys = {name: item[name] for name in ("pk", "sk")}
    assert read_reward_change({"Keys": keys, "NewImage": item, "SequenceNumber": "1"}) is None
