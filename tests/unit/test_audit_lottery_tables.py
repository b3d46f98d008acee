"""The audit of a lottery reads the real tables (an emulated DynamoDB) as it reads the fake ones."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_rules import Findings
from brandday_cli.audit_tables import DynamoAuditTables, DynamoLotteryTables, DynamoRewardTables, LotteryTableNames
from tests.unit.test_audit_draw import DrawWorld
from tests.unit.test_audit_lottery import ID, Lottery, lost_claim


def create(client: Any, name: str, *keys: str, index: bool = False) -> None:
    attributes = [*keys, *(("gpk", "gsk") if index else ())]
    secondary: dict[str, Any] = {
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_status",
                "KeySchema": [
                    {"AttributeName": "gpk", "KeyType": "HASH"},
                    {"AttributeName": "gsk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ]
    }
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in attributes],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
        **(secondary if index else {}),
    )


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        there = boto3.client("dynamodb")
        create(there, "stock", "pk")
        create(there, "campaigns", "pk", "sk")
        create(there, "entries", "pk", "sk")
        create(there, "rewards", "pk", "sk", index=True)
        yield there


def store(client: Any, world: Lottery) -> None:
    def put(table: str, item: Any) -> None:
        client.put_item(TableName=table, Item=item)

    put("campaigns", {"pk": {"S": f"CAMPAIGN#{ID}"}, "sk": {"S": "CONFIG"}, **world.config})
    put("campaigns", {"pk": {"S": f"SEED#{ID}"}, "sk": {"S": "SEED"}, "seed": {"B": world.seed}})
    for name, text in world.parts.items():
        put("campaigns", {"pk": {"S": f"DRAW#{ID}"}, "sk": {"S": name}, "text": {"S": text}})
    for item in world.items.values():
        put("stock", item)
    for name in world.records:
        put("entries", world.item(name))
    for item in world.rewards.values():
        put("rewards", item)


def audit(client: Any, world: Lottery) -> Findings:
    return audit_campaign(
        DynamoAuditTables(client, "stock", "campaigns"),
        ID,
        rewards=DynamoRewardTables(client, "stock", "rewards"),
        entries=DynamoLotteryTables(client, LotteryTableNames("entries", "stock", "campaigns", "rewards")),
        now_ms=lambda: world.now,
        sleep=lambda _: None,
    )


@pytest.mark.parametrize("kind", [lambda: Lottery(26), DrawWorld], ids=["instant", "draw"])
def test_an_honest_lottery_is_sound_in_the_tables(client: Any, kind: Callable[[], Lottery]) -> None:
    world = kind()
    store(client, world)
    findings = audit(client, world)
    assert findings.ok, findings.violations
    assert findings.entries is not None
    assert findings.entries.entrants == len(world.records)
    assert findings.entries.won.total() > 0


def test_what_is_wrong_is_read_again_in_one_transaction_and_named(client: Any) -> None:
    world = Lottery(26)
    lost_claim(world)
    store(client, world)
    assert [violation.code for violation in audit(client, world).violations] == ["win_without_unit"]


def test_an_exchanged_seed_is_named(client: Any) -> None:
    world = Lottery(26)
    world.seed = bytes(32)
    store(client, world)
    assert [violation.code for violation in audit(client, world).violations] == ["seed_changed"]
