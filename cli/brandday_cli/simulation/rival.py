"""The usual alternative on the same arrivals: a counter item and a claim item for each shopper, in one transaction.

It is written as cheaply as the idea allows, with a sold-out flag for each environment, and modelled kindly: a
transaction keeps its items for 2 ms only. Others that touch the counter meanwhile are cancelled ("TransactionConflict",
Developer Guide, "DynamoDB Transactions: How it works"). Each item of a transaction costs two write units.
"""

import random
from collections import defaultdict

from brandday.domain.errors import TemporarilyOverloaded
from brandday_cli.simulation.crowd import Shoppers, shopper_of
from brandday_cli.simulation.day import Day
from brandday_cli.simulation.partitions import Partitions, Usage
from brandday_cli.simulation.tables import Latency
from brandday_cli.simulation.ticks import Ticks

NAME = "transaction: counter + claim"
KEPT_MS = 2
ATTEMPTS = 3
"""The SDK's default ("standard" retry mode): waits of up to 1 s and 2 s between them."""

_COUNTER = "stock"


class Conflict(Exception):
    """Another transaction has the counter."""


class NothingLeft(Exception):
    """The counter is at nought."""


class Rival:
    """One counter on sale. It knows no holds: what is taken stays taken."""

    name = NAME

    def __init__(self, ticks: Ticks, day: Day, dice: random.Random) -> None:
        self._ticks = ticks
        self._latency = Latency(ticks, dice, day.pace.call_least, day.pace.call_most)
        self._dice = dice
        self.stock_table = Partitions(ticks, day.warmth.stock_writes, day.warmth.stock_reads)
        self.usage: defaultdict[str, Usage] = defaultdict(Usage)
        self.free_units = day.stock
        self.sold_units = 0
        self.conflicts = 0
        self.wrong = 0
        self.held_while_free = 0
        self.stock = day.stock
        self._kept_until = 0

    def environment(self, shoppers: Shoppers) -> "_Environment":
        """Return a new environment; it has not been told yet that all is sold."""
        return _Environment(self, shoppers)

    def claim(self, shopper: int) -> None:
        """Take a unit; raises Conflict, NothingLeft, or TemporarilyOverloaded."""
        for attempt in range(ATTEMPTS):
            try:
                self._transact(shopper)
                return
            except (Conflict, TemporarilyOverloaded):
                if attempt + 1 == ATTEMPTS:
                    raise
                self._ticks.sleep(int(self._dice.random() * 2**attempt * 1000))

    def _transact(self, shopper: int) -> None:
        usage = self.usage["claims"]
        usage.calls += 1
        self._latency.pass_half()
        self.stock_table.write(_COUNTER, 2, usage)
        self.stock_table.write(f"claim#{shopper}", 2, usage)
        if self._ticks.now_ms < self._kept_until:
            self.conflicts += 1
            self._latency.pass_half()
            raise Conflict
        if not self.free_units:
            usage.refused_writes += 1
            self._latency.pass_half()
            raise NothingLeft
        self.free_units -= 1
        self._kept_until = self._ticks.now_ms + KEPT_MS
        self._ticks.sleep(KEPT_MS)
        self._latency.pass_half()


class _Environment:
    def __init__(self, rival: Rival, shoppers: Shoppers) -> None:
        self._rival = rival
        self._shoppers = shoppers
        self._sold_out = False

    def answers_at_once(self, request: int) -> bool:
        if self._sold_out and request >= 0:
            self._refuse()
            return True
        return False

    def serve(self, request: int) -> None:
        if request < 0:
            self._rival.sold_units += 1
            self._shoppers.paid()
            return
        try:
            self._rival.claim(shopper_of(request))
        except NothingLeft:
            self._sold_out = True
            self._refuse()
        except (Conflict, TemporarilyOverloaded):
            self._shoppers.throttled(request, None)
        else:
            self._shoppers.granted("")

    def _refuse(self) -> None:
        self._rival.wrong += self._rival.sold_units < self._rival.stock
        self._shoppers.sold_out()
