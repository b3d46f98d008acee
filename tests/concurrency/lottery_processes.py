"""Shoppers who enter a lottery in separate processes, over the real use cases and tables.

The processes are those of the other races (`processes.py`). Next to the product's way there is the naive one, which
looks and then writes: what these very checks find wrong with it is what they are worth.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult
from typing import TYPE_CHECKING, Any

from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.entry_table import EntryTable
from brandday.adapters.stock_table import StockTable
from brandday.domain.campaign import Shopper
from brandday.domain.errors import BrandDayError
from brandday.usecases.enter_lottery import EnterLottery
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_lotteries import LiveLotteries
from brandday.usecases.settle_entries import Records
from brandday_local.template_tables import table_shape
from tests.concurrency import processes
from tests.concurrency.processes import ENVIRONMENTS, PROCESSES, Processes
from tests.engines import Engine

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BUSY = "temporarily_overloaded"
PATIENCE = 50
"""How often a shopper who is told to try again does so."""


@dataclass(frozen=True)
class LotteryTables:
    """Empty tables that are nobody else's."""

    engine: Engine
    stock: str
    campaign: str
    entry: str

    def campaigns(self, client: "DynamoDBClient") -> CampaignTable:
        return CampaignTable(client, self.campaign)

    def entries(self, client: "DynamoDBClient") -> EntryTable:
        return EntryTable(client, self.entry)


@dataclass(frozen=True)
class Request:
    """One shopper's wish to enter, repeated with the same key as long as there is no answer to it."""

    shopper: str
    key: str


@dataclass(frozen=True)
class Reply:
    """What a request came to: an entry with its outcome and prize, or the code of a refusal."""

    request: Request
    code: str
    entry_id: str | None = None
    prize: str | None = None
    replayed: bool = False
    visits: int = 1


@dataclass(frozen=True)
class Replies:
    """Replies that are on their way."""

    running: AsyncResult[list[list[Reply]]]

    def ready(self) -> bool:
        return self.running.ready()

    def get(self) -> list[Reply]:
        return [reply for replies in self.running.get(600) for reply in replies]


class LotteryProcesses(Processes):
    """Four processes that enter lotteries."""

    def enter(
        self, tables: LotteryTables, campaign_id: str, requests: Sequence[Request], *, shift: int = 0
    ) -> list[Reply]:
        """Send the requests, dealt to the processes in turn, and return all replies; `shift` deals them otherwise."""
        with self.entering(tables, campaign_id, requests, shift=shift) as replies:
            return replies.get()

    @contextmanager
    def entering(
        self, tables: LotteryTables, campaign_id: str, requests: Sequence[Request], *, shift: int = 0
    ) -> Iterator[Replies]:
        """Do so while the caller does something else."""
        parts = [
            (tables, campaign_id, tuple(requests[(number + shift) % PROCESSES :: PROCESSES]))
            for number in range(PROCESSES)
        ]
        running: AsyncResult[list[list[Reply]]] = self._pool.starmap_async(_enter, parts, chunksize=1)
        yield Replies(running)

    def enter_naively(self, table: str, engine: Engine, requests: Sequence[Request], stock: int) -> list[Reply]:
        """Let shoppers enter who look at the counter, then write, all at the same moment."""
        parts = [(table, engine, tuple(requests[number::PROCESSES]), stock) for number in range(PROCESSES)]
        with contextmanager(self._running)(_enter_naively, parts) as replies:
            return replies()


@contextmanager
def lottery_tables(engine: Engine) -> Iterator[LotteryTables]:
    """Create the tables of a lottery under new names, and delete them in the end."""
    client, run = engine.client(), uuid.uuid4().hex[:12]
    names = {table: f"{table}-{run}" for table in ("StockTable", "CampaignTable", "EntryTable")}
    for table, name in names.items():
        client.create_table(TableName=name, **table_shape(table))
    try:
        yield LotteryTables(engine, *names.values())
    finally:
        for name in names.values():
            client.delete_table(TableName=name)
        client.close()


@contextmanager
def table_like(logical_id: str, client: "DynamoDBClient") -> Iterator[str]:
    """Create one empty table under a new name, and delete it in the end."""
    name = f"{logical_id}-{uuid.uuid4().hex[:12]}"
    client.create_table(TableName=name, **table_shape(logical_id))
    try:
        yield name
    finally:
        client.delete_table(TableName=name)


def now() -> int:
    return time.time_ns() // 1_000_000


def _environment(client: "DynamoDBClient", tables: LotteryTables) -> EnterLottery:
    campaigns, entrants = tables.campaigns(client), tables.entries(client)
    lotteries = LiveLotteries(LiveCampaigns(campaigns, now), campaigns)
    return EnterLottery(lotteries, entrants, Records(entrants, StockTable(client, tables.stock)), now)


def _enter(tables: LotteryTables, campaign_id: str, requests: Sequence[Request]) -> list[Reply]:
    client = tables.engine.client()
    environments = [_environment(client, tables) for _ in range(ENVIRONMENTS)]
    processes._start.wait(processes._START_WITHIN_SECONDS)
    return [
        _patiently(environments[number % ENVIRONMENTS], campaign_id, request) for number, request in enumerate(requests)
    ]


def _patiently(environment: EnterLottery, campaign_id: str, request: Request) -> Reply:
    for visit in range(1, PATIENCE + 1):
        try:
            entered = environment.enter(Shopper(request.shopper, channel="app"), campaign_id, request.key)
        except BrandDayError as refused:
            if refused.code == BUSY and visit < PATIENCE:
                time.sleep((refused.retry_after_ms or 1000) / 10_000)
                continue
            return Reply(request, refused.code, visits=visit)
        view = entered.entry
        return Reply(request, str(view.outcome), view.id, view.prize, entered.replayed, visit)
    raise AssertionError("unreachable")


# --- the naive way ---


def _enter_naively(table: str, engine: Engine, requests: Sequence[Request], stock: int) -> list[Reply]:
    client = engine.client()
    replies = []
    for request in requests:
        processes._start.wait(processes._START_WITHIN_SECONDS)
        replies.append(_look_then_write(client, table, request, stock))
    return replies


def _look_then_write(client: "DynamoDBClient", table: str, request: Request, stock: int) -> Reply:
    """One entry each, and as many prizes as there are: everything is looked at before it is written."""
    mine, counter = _key("entrants", request.shopper), _key("prizes", "won")
    if "Item" in client.get_item(TableName=table, Key=mine, ConsistentRead=True):
        return Reply(request, "entry_limit_reached")
    item = client.get_item(TableName=table, Key=counter, ConsistentRead=True).get("Item")
    won = 0 if item is None else int(item["n"]["N"])
    client.put_item(TableName=table, Item={**mine, "key": {"S": request.key}})
    if won >= stock:
        return Reply(request, "lost", request.key)
    client.put_item(TableName=table, Item={**counter, "n": {"N": str(won + 1)}})
    return Reply(request, "won", request.key, "PRIZE")


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}
