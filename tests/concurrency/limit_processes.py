"""Shoppers who share a device, in separate processes, over the real use case and tables; the gate believes them.

Next to the product's way there is the naive one, which looks at the tally and then writes.
"""

import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.ours import CAMPAIGN, SKU
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.guard_tallies import GuardTallies, encode_tally
from brandday.adapters.keys import GUARD, tally_key
from brandday.adapters.stock_table import StockTable
from brandday.domain.campaign import Shopper
from brandday.domain.errors import BrandDayError, TemporarilyOverloaded
from brandday.domain.shard import Refused, ShardWrite, Written
from brandday.domain.tally import TalliesMoved, Tally, TallyWrite
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.reserve_units import ReserveUnits
from tests.concurrency import processes
from tests.concurrency.processes import PROCESSES, Processes
from tests.engines import Tables
from tests.fakes.plain_gate import PlainGate, visit_with

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PATIENCE = 100
"""How often a shopper who is told to try again does so."""


@dataclass(frozen=True)
class GuardedTables:
    """Tables of a sale with limits, and whether to go about them the naive way."""

    tables: Tables
    guard: str
    naive: bool = False


@dataclass(frozen=True)
class Taker:
    """A shopper with a device."""

    shopper: str
    device: str


class NaiveTallies(GuardTallies):
    """Looks whether a tally is as it was, and then writes."""

    def write_shard(
        self, campaign_id: str, write: ShardWrite, tallies: Sequence[TallyWrite]
    ) -> Written | Refused | TalliesMoved:
        """Write one after the other what should be written together."""
        there = self.tallies([one.key for one in tallies], consistent=True)
        moved = {one.key: there[one.key] for one in tallies if there[one.key].version != one.version}
        if moved:
            return TalliesMoved(moved)
        written = StockTable(self._client, self._stock_table).write(campaign_id, write)
        if isinstance(written, Refused):
            return written
        for one in tallies:
            item = encode_tally(Tally(one.version + 1, one.after, one.forget_at))
            key = {"pk": {"S": tally_key(*one.key)}, "sk": {"S": GUARD}}
            self._client.put_item(TableName=self._guard_table, Item=key | item)
        return written


def take(four: Processes, guarded: GuardedTables, takers: Sequence[Taker]) -> list[tuple[Taker, str]]:
    """Let all of them claim a unit, dealt to the processes in turn; return the code or the reservation of each."""
    parts = [(guarded, tuple(takers[number::PROCESSES])) for number in range(PROCESSES)]
    with contextmanager(four._running)(_take, parts) as answers:
        return answers()


def _take(guarded: GuardedTables, takers: Sequence[Taker]) -> list[tuple[Taker, str]]:
    client = guarded.tables.engine.client()
    reserve = _environment(client, guarded)
    answers = []
    processes._start.wait(processes._START_WITHIN_SECONDS)
    for taker in takers:
        if guarded.naive:  # in lockstep, or the fault is a matter of luck
            processes._start.wait(processes._START_WITHIN_SECONDS)
        answers.append((taker, _claim(reserve, taker)))
    return answers


def _claim(reserve: ReserveUnits, taker: Taker) -> str:
    visit = visit_with(taker.device)
    for _ in range(PATIENCE):
        try:
            shopper = Shopper(taker.shopper, channel="app")
            return reserve(shopper, CAMPAIGN, SKU, 1, f"key-{taker.shopper}", visit).reservation.id
        except TemporarilyOverloaded:
            time.sleep(0.01)
        except BrandDayError as refused:
            return refused.code
    return "gave_up"


def _environment(client: "DynamoDBClient", guarded: GuardedTables) -> ReserveUnits:
    tables = guarded.tables
    tallies = (NaiveTallies if guarded.naive else GuardTallies)(client, guarded.guard, tables.stock)
    campaigns = LiveCampaigns(CampaignTable(client, tables.campaign), now)
    return ReserveUnits(campaigns, StockTable(client, tables.stock), now, PlainGate(), tallies)


def now() -> int:
    return time.time_ns() // 1_000_000
