"""Lotteries of the end-to-end tests: how they are declared and entered, and what the stack has logged about them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx

from brandday_local.emulator import ACCESS_KEY, REGION, SECRET_KEY
from brandday_local.stack import LocalStack
from tests.e2e.fulfilment_rush import brandday


class Shopper:
    """Enters lotteries and looks at what has come of it."""

    def __init__(self, stack: LocalStack, name: str) -> None:
        self.name = name
        self._stack = stack
        self._token = stack.token(name, "shopper", channel="web")

    def enter(self, campaign: str, key: str) -> httpx.Response:
        return self.ask("POST", f"/v1/campaigns/{campaign}/entries", key=key)

    def ask(self, method: str, path: str, *, key: str = "") -> httpx.Response:
        headers = {"authorization": f"Bearer {self._token}"} | ({"idempotency-key": key} if key else {})
        return httpx.request(method, self._stack.api_url + path, headers=headers, timeout=30)

    def read(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def declaration(stack: LocalStack, campaign: str, **fields: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    webhook = {"connector": "webhook", "url": f"{stack.receiver_url}/webhook", "secret": "brandday/partner"}
    text = {"en": "As usual"}
    return {
        "id": campaign,
        "title": {"en": "Luck"},
        "mechanic": "lottery",
        "mode": "instant",
        "status": "published",
        "time_zone": "UTC",
        "starts_at": local(now - timedelta(minutes=1)),
        "ends_at": local(now + timedelta(days=2)),
        "channels": ["web"],
        "prizes": [
            {
                "prize": "CUP",
                "title": {"en": "Cup"},
                "stock": 2000,
                "odds": "1/1",
                "odds_between": ["0/1", "1/1"],
                "reward": {"kind": "digital"},
            }
        ],
        "entries": {"per_day": 30, "per_campaign": 30},
        "compliance": {
            "organiser": "Shop Ltd",
            "contact": "help@shop.example",
            "conditions": text,
            "claim_rules": text,
            "forfeiture": text,
        },
        "fulfilment": {"claim_until": local(now + timedelta(days=9)), "by_kind": {"digital": webhook}},
    } | fields


def local(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def apply(stack: LocalStack, folder: Path, document: dict[str, Any]) -> None:
    file = folder / f"{document['id']}.yaml"
    file.write_text(json.dumps(document), encoding="utf-8")  # which is YAML, too
    brandday(stack, "apply", str(file), "--yes")


def public(stack: LocalStack, path: str) -> Any:
    answer = httpx.get(f"{stack.api_url}{path}", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def seed_of(stack: LocalStack, campaign: str) -> bytes:
    """The secret itself, as nobody but the functions that decide can see it."""
    key = {"pk": {"S": f"SEED#{campaign}"}, "sk": {"S": "SEED"}}
    seed: bytes = stack.aws.tables.get_item(TableName=stack.campaign_table, Key=key)["Item"]["seed"]["B"]
    return seed


def logged(stack: LocalStack) -> str:
    """Everything that functions have logged so far."""
    session: Any = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=REGION)
    logs = session.client("logs", endpoint_url=stack.endpoint_url)
    lines = []
    for group in logs.describe_log_groups()["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            lines += [event["message"] for event in page["events"]]
    return "\n".join(lines)
