"""What a busy database looks like through StockTable, and what a write costs; no engine here ever is busy.

The answers are put in at the SDK's door, where AWS's would come in: everything of ours behind it runs.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from benchmarks.meter import Meter
from brandday.adapters.stock_table import StockTable
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.layout import UNITS_PER_SHARD, shopper_name
from brandday.domain.shard import HELD, Entry, RecordChange, ShardWrite, Written, encode_entry
from tests.engines import Engine, Tables, tables_in

LONGEST_CAMPAIGN_ID = "b" * 40
WRITE = ShardWrite(0, (RecordChange("AnnAnnAnnAnn", None, "a"),), {"0": -1}, {"0": 3})


@dataclass(frozen=True)
class _Status:
    status_code: int


def table_that_hears(answer: dict[str, Any] | Exception, status: int = 400) -> StockTable:
    """A table whose every call is answered with `answer`, or fails with it, before it leaves this process."""
    client = Engine("none", "http://127.0.0.1:1").client()

    def reply(**_: Any) -> Any:  # the stubs do not know that a handler may answer
        if isinstance(answer, Exception):
            raise answer
        return _Status(status), answer

    client.meta.events.register("before-call.dynamodb", reply)
    return StockTable(client, "StockTable")


def error(code: str, status: int = 400) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": "..."}, "ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (error("ProvisionedThroughputExceededException"), 400),
        (error("ThrottlingException"), 400),
        (error("RequestLimitExceeded"), 400),
        (error("TransactionConflictException"), 400),
        (error("InternalServerError", 500), 500),
        (error("ServiceUnavailable", 503), 503),
        (ReadTimeoutError(endpoint_url="https://dynamodb"), 0),
        (ConnectTimeoutError(endpoint_url="https://dynamodb"), 0),
    ],
    ids=lambda value: (
        "" if isinstance(value, int) else value["Error"]["Code"] if isinstance(value, dict) else type(value).__name__
    ),
)
def test_a_busy_database_is_an_overload_whatever_was_asked(answer: dict[str, Any] | Exception, status: int) -> None:
    stock = table_that_hears(answer, status)
    with pytest.raises(TemporarilyOverloaded):
        stock.write("campaign", WRITE)
    with pytest.raises(TemporarilyOverloaded):
        stock.read("campaign", (0,), consistent=True)
    with pytest.raises(TemporarilyOverloaded):
        stock.read("campaign", (0, 1), consistent=False)


def test_shards_left_unread_are_an_overload_and_not_empty_shards() -> None:
    keys = {"StockTable": {"Keys": [{"pk": {"S": "campaign#1"}}]}}
    stock = table_that_hears({"Responses": {"StockTable": []}, "UnprocessedKeys": keys}, 200)
    with pytest.raises(TemporarilyOverloaded):
        stock.read("campaign", (0, 1), consistent=False)


def test_a_mistake_of_ours_is_not_called_an_overload() -> None:
    with pytest.raises(Exception, match="ValidationException") as raised:
        table_that_hears(error("ValidationException")).write("campaign", WRITE)
    assert not isinstance(raised.value, TemporarilyOverloaded)


@pytest.fixture
def local_tables(dynamodb_local: Engine) -> Iterator[Tables]:
    with tables_in(dynamodb_local) as tables:
        yield tables


@pytest.mark.engine
def test_every_claim_of_a_full_shard_costs_one_write_unit(local_tables: Tables) -> None:
    with closing(local_tables.engine.client()) as client, closing(local_tables.engine.client()) as unmetered:
        meter = Meter(lambda: "claims", unmetered)
        meter.attach(client)
        stock = StockTable(client, local_tables.stock)
        for number in range(UNITS_PER_SHARD):
            record = encode_entry(Entry(HELD, "0", 1, 1_790_000_000_000 + number, "AbC-_9"))
            name = shopper_name(b"0123456789abcdef", f"shopper-{number}")
            write = ShardWrite(99_999, (RecordChange(name, None, record),), {"0": -1}, {"0": UNITS_PER_SHARD})
            assert isinstance(stock.write(LONGEST_CAMPAIGN_ID, write), Written)
    usage = meter.usage("claims")
    assert (usage.calls, usage.write_units) == (UNITS_PER_SHARD, UNITS_PER_SHARD)
