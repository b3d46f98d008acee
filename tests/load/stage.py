"""What is set up before a run and judged after it: campaigns of the run's own, tokens, and the audit.

A run never touches campaigns that are there. It declares its own, named after the run, and ends them afterwards.
"""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from brandday_cli.client import AdminClient
from brandday_cli.failures import CommandFailed
from brandday_local.examples import command, environment
from brandday_local.stack import PARTNER_SECRET, LocalStack
from tests.load.bounds import Bounds, LoadRefused

TOKENS = "LOAD_TOKENS"
"""File with a shopper's token per line, for an API that is not the local stack's."""

OPERATOR_TOKEN, ORDERS_TOKEN = "BRANDDAY_TOKEN", "LOAD_ORDERS_TOKEN"
WEBHOOK, WEBHOOK_SECRET = "LOAD_WEBHOOK_URL", "LOAD_WEBHOOK_SECRET"
TABLES = ("STOCK_TABLE", "CAMPAIGN_TABLE", "REWARD_TABLE", "ENTRY_TABLE", "COUPON_TABLE")
CLAIMS = {"channel": "app", "tier": "gold", "region": "CN", "new_customer": "true"}
PATIENCE_SECONDS = 60
PRICE = {"amount": 990, "currency": "CNY"}


def utc(at: float) -> str:
    """A time as campaigns declare it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _common(campaign_id: str, mechanic: str, opens_at: float) -> dict[str, Any]:
    return {
        "id": campaign_id,
        "title": {"en": f"Load test {campaign_id}"},
        "mechanic": mechanic,
        "time_zone": "UTC",
        "starts_at": utc(opens_at),
        "ends_at": (datetime.fromtimestamp(opens_at, UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S"),
        "channels": ["app"],
    }


def flash_sale(campaign_id: str, stock: int, opens_at: float) -> dict[str, Any]:
    """A sale of one SKU, a unit per shopper, with holds of a minute."""
    return _common(campaign_id, "flash_sale", opens_at) | {
        "skus": [
            {
                "sku": "HERO",
                "title": {"en": "Hero"},
                "list_price": PRICE,
                "sale_price": PRICE,
                "stock": stock,
                "units_per_shopper": 1,
            }
        ],
        "limit_per_shopper": 1,
        "hold_seconds": 60,
    }


def coupons(campaign_id: str, quantity: int, opens_at: float) -> dict[str, Any]:
    """Coupons that shoppers take, five off."""
    return _common(campaign_id, "coupon", opens_at) | {
        "currency": "CNY",
        "code_kind": "unique",
        "issued_by": "shoppers",
        "quantity": quantity,
        "per_shopper": 1,
        "benefit": {"kind": "amount_off", "amount": {"amount": 500, "currency": "CNY"}},
    }


def lottery(campaign_id: str, stock: int, opens_at: float, webhook: tuple[str, str]) -> dict[str, Any]:
    """An instant win with one prize at one in ten; `webhook` is the address, and the secret, of who hands it over."""
    url, secret = webhook
    return _common(campaign_id, "lottery", opens_at) | {
        "mode": "instant",
        "prizes": [
            {
                "prize": "CUP",
                "title": {"en": "Cup"},
                "stock": stock,
                "odds": "1/10",
                "reward": {"kind": "digital"},
            }
        ],
        "entries": {"per_day": 3, "per_campaign": 3},
        "fulfilment": {"by_kind": {"digital": {"connector": "webhook", "url": url, "secret": secret}}},
        "compliance": {
            "organiser": "Load test",
            "contact": "ops@example.com",
            "conditions": {"en": "For a load test"},
            "claim_rules": {"en": "Nothing can be claimed"},
            "forfeiture": {"en": "Nothing is delivered"},
        },
    }


@dataclass
class Stage:
    """One run's campaigns and people. `names` are the campaigns by what they are (`sale`, `coupons`, `lottery`)."""

    url: str
    bounds: Bounds
    stack: LocalStack | None
    names: dict[str, str] = field(default_factory=dict)
    opens_at: float = 0.0
    _tokens: Iterator[str] = field(default_factory=lambda: iter(()))
    _orders: str = ""

    @classmethod
    def open(cls, url: str, bounds: Bounds) -> "Stage":
        """Find out who may act: the local stack's own issuer, or the tokens in the environment."""
        stack = _stack_at(url) if bounds.local else None
        stage = cls(url.rstrip("/"), bounds, stack)
        if stack is not None:
            issuer, run = stack.tokens, secrets.token_hex(3)
            stage._tokens = (issuer.mint(f"load-{run}-{number}", "shopper", **CLAIMS) for number in count())  # type: ignore[arg-type]
            stage._orders = stack.token("load-shop", "orders")
        elif file := os.environ.get(TOKENS):
            stage._tokens = iter(Path(file).read_text(encoding="utf-8").split())
            stage._orders = os.environ.get(ORDERS_TOKEN, "")
        else:
            raise LoadRefused(f"Give a file with one shopper's token per line in {TOKENS} (each user takes one)")
        return stage

    def operator(self) -> AdminClient:
        """The admin API."""
        token = self.stack.token("load-test", "operator") if self.stack else os.environ.get(OPERATOR_TOKEN, "")
        if not token:
            raise LoadRefused(f"Give an operator's token in {OPERATOR_TOKEN}: a run declares campaigns of its own")
        return AdminClient(self.url, token)

    def shopper(self) -> str:
        """A token of a shopper who has none of this run's things yet."""
        token = next(self._tokens, "")
        if not token:
            raise LoadRefused(f"{TOKENS} has fewer tokens than there are users")
        return token

    @property
    def webhook(self) -> tuple[str, str] | None:
        """Who hands prizes over, with the name of the secret: the local stack's partner, or who is named; else None."""
        if self.stack is not None:
            return f"{self.stack.receiver_url}/webhook", PARTNER_SECRET
        url, secret = os.environ.get(WEBHOOK), os.environ.get(WEBHOOK_SECRET)
        return (url, secret) if url and secret else None

    @property
    def orders(self) -> str:
        """The shop's token, "" if there is none: then nobody pays."""
        return self._orders

    def put_on(self, kind: str, declaration: Mapping[str, Any]) -> None:
        """Publish a campaign of this run."""
        operator = self.operator()
        operator.apply(declaration)
        operator.publish(declaration["id"])
        self.names[kind] = declaration["id"]

    def close(self) -> None:
        """End the run's campaigns: nothing of it stays on sale. An API that is still busy is given a minute."""
        for campaign_id in self.names.values():
            give_up_at = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    self.operator().end(campaign_id)
                    break
                except CommandFailed:
                    if time.monotonic() > give_up_at:
                        raise

    def audit(self, said_sold_out: bool) -> list[str]:
        """Return what `brandday audit` has against the run's campaigns; it reads the tables, not the API's word.

        Who was told "sold out" was told that nothing is left: units of the sale that are free or held afterwards make
        it a lie. Where the tables cannot be read (none is named in the environment), that is the answer.
        """
        if self.stack is None and not all(os.environ.get(name) for name in TABLES[:2]):
            return [f"not audited: name the tables in {', '.join(TABLES)} and give AWS credentials that may read them"]
        problems = []
        for kind, campaign_id in self.names.items():
            done = subprocess.run(
                [command(), "audit", campaign_id, "--json"],
                capture_output=True,
                text=True,
                check=False,
                env=os.environ if self.stack is None else environment(self.stack),
            )
            try:
                found = json.loads(done.stdout)
            except ValueError:
                problems.append(f"{campaign_id}: {(done.stdout + done.stderr).strip()[-800:]}")
                continue
            problems += [f"{campaign_id}: {violation}" for violation in found["violations"]]
            left = sum(pool["free"] + pool["held"] for pool in found["pools"])
            if kind == "sale" and said_sold_out and left:
                problems.append(f"{campaign_id}: said sold_out with {left} units left")
        return problems


def new_name(kind: str) -> str:
    """An id for a campaign of this run that nobody has."""
    return f"load-{kind}-{utc(time.time())[5:16].replace(':', '').replace('T', '-').lower()}-{secrets.token_hex(2)}"


def _stack_at(url: str) -> LocalStack:
    folder = os.environ.get("LOAD_STACK")
    stack = LocalStack.attach(Path(folder) if folder else None)
    if stack.api_url.rstrip("/") != url.rstrip("/"):
        raise LoadRefused(f"the local stack answers at {stack.api_url}, not at {url}; give it with --host")
    return stack
