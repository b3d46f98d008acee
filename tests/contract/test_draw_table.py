"""One contract for everything that keeps what was sealed and drawn: the fake and the table, on each engine we have."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from moto import mock_aws

from brandday.adapters.draw_table import DrawTable
from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.draw_ports import Draws
from brandday_local.template_tables import table_shape
from tests.engines import Engine
from tests.fakes.memory_draws import MemoryDraws


@pytest.fixture(
    scope="module",
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)],
)
def draws(request: pytest.FixtureRequest) -> Iterator[Draws]:
    """Each of the ways there are to keep draws; tests tell themselves apart by campaign."""
    match request.param:
        case "memory":
            yield MemoryDraws()
        case "moto":
            with mock_aws():
                yield from _table(Engine("moto", None))
        case name:
            yield from _table(request.getfixturevalue(name))


def _table(engine: Engine) -> Iterator[Draws]:
    with closing(engine.client()) as client:
        name = f"CampaignTable-{uuid.uuid4().hex[:12]}"
        client.create_table(TableName=name, **table_shape("CampaignTable"))
        try:
            yield DrawTable(client, name)
        finally:
            client.delete_table(TableName=name)


@pytest.fixture
def campaign() -> str:
    """A campaign of the test's own."""
    return f"draw-{uuid.uuid4().hex[:8]}"


def test_a_part_is_written_once_and_whoever_comes_later_is_told_what_is_there(draws: Draws, campaign: str) -> None:
    assert draws.read(campaign, "seal") is None
    assert draws.keep(campaign, "seal", "one") == "one"
    assert draws.keep(campaign, "seal", "two") == "one"
    assert draws.keep(campaign, "seal", "one") == "one"
    assert draws.read(campaign, "seal") == "one"
    assert draws.read(f"{campaign}-2", "seal") is None


def test_of_many_who_write_at_once_one_does_and_all_are_told_the_same(draws: Draws, campaign: str) -> None:
    texts = [f"text {number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        told = set(pool.map(lambda text: draws.keep(campaign, "result", text), texts))
    assert len(told) == 1
    assert told <= set(texts)
    assert draws.read(campaign, "result") in told


def test_parts_are_listed_by_prefix_in_ascii_order(draws: Draws, campaign: str) -> None:
    names = ["group#-", "group#0", "group#A", "group#_", "group#a", "list#A#00000", "move#000009", "move#000010"]
    for name in reversed(names):
        draws.keep(campaign, name, f"text of {name}")
    assert [name for name, _ in draws.list(campaign, "group#")] == names[:5]
    assert list(draws.list(campaign, "move#")) == [(name, f"text of {name}") for name in names[-2:]]
    assert list(draws.list(campaign, "nothing#")) == []


def test_a_list_of_more_than_one_answer_is_whole(draws: Draws, campaign: str) -> None:
    for number in range(20):  # a query returns one MB
        draws.keep(campaign, f"place#{number:05d}", str(number % 10) * 75_000)
    found = list(draws.list(campaign, "place#"))
    assert [name for name, _ in found] == [f"place#{number:05d}" for number in range(20)]
    assert all(text == str(number % 10) * 75_000 for number, (_, text) in enumerate(found))


def test_counts_never_go_back(draws: Draws, campaign: str) -> None:
    assert draws.count(campaign, "winners") == 0
    for done, expected in ((3, 3), (12, 12), (7, 12), (12, 12), (100, 100)):
        draws.mark(campaign, "winners", done)
        assert draws.count(campaign, "winners") == expected
    assert draws.count(campaign, "moves") == 0


def test_an_empty_text_is_a_text(draws: Draws, campaign: str) -> None:
    assert draws.keep(campaign, "seal", "") == ""
    assert draws.keep(campaign, "seal", "late") == ""
    assert draws.read(campaign, "seal") == ""


def test_a_database_that_does_not_answer_is_an_overload() -> None:
    client: Any = Engine("nobody", "http://127.0.0.1:1").client()
    table = DrawTable(client, "CampaignTable")
    for call in (
        lambda: table.keep("c", "seal", "text"),
        lambda: table.read("c", "seal"),
        lambda: list(table.list("c", "seal")),
        lambda: table.count("c", "winners"),
        lambda: table.mark("c", "winners", 1),
    ):
        with pytest.raises(TemporarilyOverloaded):
            call()
    client.close()
