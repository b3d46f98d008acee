"""Orders that use coupons in separate processes, over the real use cases and tables.

The processes are those of the other races (`processes.py`). Next to the product's way there is the naive one, which
reads, checks and writes.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.coupon_table import CouponTable
from brandday.adapters.stock_table import StockTable
from brandday.domain.campaign import Shopper
from brandday.domain.errors import BrandDayError
from brandday.domain.order import Line, Order
from brandday.domain.redemption_id import ORDERS
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_codes import LiveCodes
from brandday.usecases.manage_rewards import Owners
from brandday.usecases.redeem_coupons import Purchase, RedeemCoupons
from brandday_local.template_tables import table_shape
from tests.concurrency import processes
from tests.concurrency.processes import ENVIRONMENTS, PROCESSES, Processes
from tests.engines import Engine

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CART = Order("CNY", (Line("TEA", "", 1, 10_000),), channel="web")
PATIENCE = 40
"""How often an order that is told that we are too busy tries again."""


@dataclass(frozen=True)
class CouponTables:
    """Empty tables that are nobody else's."""

    engine: Engine
    stock: str
    campaign: str
    coupon: str

    def coupons(self, client: "DynamoDBClient") -> CouponTable:
        return CouponTable(client, self.coupon, self.stock)

    def redeem(self, client: "DynamoDBClient") -> RedeemCoupons:
        """One environment, with its own memory."""
        campaigns, coupons, stock = (
            CampaignTable(client, self.campaign),
            self.coupons(client),
            StockTable(client, self.stock),
        )
        live = LiveCampaigns(campaigns, now)
        codes = LiveCodes(campaigns, coupons, live, stock, now)
        return RedeemCoupons(codes, live, coupons, stock, Owners(campaigns.known_salt), now)


class CouponProcesses(Processes):
    """Four processes that redeem coupons."""

    def redeem(self, tables: CouponTables, code: str, orders: Sequence[str]) -> list[str]:
        """Redeem one code for all orders, each of a shopper of its own; return what became of each: `redeemed`,
        `replayed` or the code of a refusal.
        """
        parts = [(tables, code, tuple(orders[number::PROCESSES])) for number in range(PROCESSES)]
        with contextmanager(self._running)(_redeem, parts) as answers:
            return answers()

    def redeem_naively(self, tables: CouponTables, uses: int, orders: Sequence[str]) -> list[str]:
        """Let orders redeem a code by looking whether there is a use left, and then writing that there is one less."""
        parts = [(tables, uses, tuple(orders[number::PROCESSES])) for number in range(PROCESSES)]
        with contextmanager(self._running)(_redeem_naively, parts) as answers:
            return answers()


@contextmanager
def coupon_tables(engine: Engine) -> Iterator[CouponTables]:
    """Create the tables of coupons under new names, and delete them in the end."""
    run = uuid.uuid4().hex[:12]
    names = {table: f"{table}-{run}" for table in ("StockTable", "CampaignTable", "CouponTable")}
    with closing(engine.client()) as client:
        for table, name in names.items():
            client.create_table(TableName=name, **table_shape(table))
        try:
            yield CouponTables(engine, *names.values())
        finally:
            for name in names.values():
                client.delete_table(TableName=name)


def now() -> int:
    return time.time_ns() // 1_000_000


def purchase(order_id: str) -> Purchase:
    """An order of a shopper of its own."""
    return Purchase(ORDERS, order_id, CART, Shopper(f"shopper-of-{order_id}", channel="web"), f"key-{order_id}")


def _redeem(tables: CouponTables, code: str, orders: Sequence[str]) -> list[str]:
    client = tables.engine.client()
    environments = [tables.redeem(client) for _ in range(ENVIRONMENTS)]
    processes._start.wait(processes._START_WITHIN_SECONDS)
    return [_patiently(environments[number % ENVIRONMENTS], code, order) for number, order in enumerate(orders)]


def _patiently(redeem: RedeemCoupons, code: str, order: str) -> str:
    for _ in range(PATIENCE):
        try:
            redeemed = redeem.redeem(purchase(order), [code])
        except BrandDayError as refused:
            if refused.code != "temporarily_overloaded":
                return refused.code
            time.sleep((refused.retry_after_ms or 1000) / 10_000)
            continue
        return "replayed" if redeemed.replayed else "redeemed"
    return "temporarily_overloaded"


def _redeem_naively(tables: CouponTables, uses: int, orders: Sequence[str]) -> list[str]:
    client = tables.engine.client()
    key: dict[str, Any] = {"pk": {"S": "naive"}, "sk": {"S": "COUNT"}}
    answers = []
    for _ in orders:
        processes._start.wait(processes._START_WITHIN_SECONDS)
        item = client.get_item(TableName=tables.coupon, Key=key, ConsistentRead=True).get("Item")
        used = 0 if item is None else int(item["n"]["N"])
        if used >= uses:
            answers.append("coupon_exhausted")
            continue
        client.put_item(TableName=tables.coupon, Item={**key, "n": {"N": str(used + 1)}})
        answers.append("redeemed")
    return answers
