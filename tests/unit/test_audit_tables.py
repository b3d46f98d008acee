"""The audit's reader and command against an emulated DynamoDB; and that the audit is a judge of its own."""

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner

from brandday.adapters.reward_table import RewardTable
from brandday.domain import reward as rules
from brandday.domain.reward import Reward
from brandday_cli import audit_tables
from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_tables import DynamoAuditTables, DynamoRewardTables
from brandday_cli.main import app
from tests.fakes.plain_reward import plain_reward
from tests.unit.audit_world import NOW_MS, World, base36, entry, name_at_home

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoAuditTables]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="stock",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        client.create_table(
            TableName="campaigns",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        for shard in range(0, 250, 2):
            client.put_item(TableName="stock", Item={"pk": {"S": f"sale#{shard}"}, "v": {"N": str(shard)}})
        client.put_item(TableName="stock", Item={"pk": {"S": "other#0"}, "v": {"N": "1"}})
        client.put_item(TableName="campaigns", Item={"pk": {"S": "CAMPAIGN#sale"}, "sk": {"S": "CONFIG"}})
        client.put_item(TableName="campaigns", Item={"pk": {"S": "SUMMARY#sale"}, "sk": {"S": "00001"}})
        yield DynamoAuditTables(client, "stock", "campaigns")


def test_shards_come_in_order_over_several_batches_with_untouched_ones_as_none(tables: DynamoAuditTables) -> None:
    read = list(tables.read_shards("sale", range(250)))
    assert [number for number, _ in read] == list(range(250))
    assert all((item is None) == (number % 2 == 1) for number, item in read)
    assert read[248][1] == {"pk": {"S": "sale#248"}, "v": {"N": "248"}}


def test_shards_are_read_together(tables: DynamoAuditTables) -> None:
    read = tables.read_together("sale", [2, 3])
    assert read[2] == {"pk": {"S": "sale#2"}, "v": {"N": "2"}}
    assert not read[3]


def test_the_scan_keeps_to_its_campaign(tables: DynamoAuditTables) -> None:
    assert len(list(tables.scan_keys("sale"))) == 125


def test_config_and_summary_are_read_if_they_are_there(tables: DynamoAuditTables) -> None:
    assert tables.read_config("sale") is not None
    assert tables.read_config("missing") is None
    assert [chunk["sk"]["S"] for chunk in tables.read_summary_chunks("sale", 300)] == ["00001"]


# --- when DynamoDB is busy --------------------------------------------------------------------------------------


class BusyClient:
    """Throttles the first reads, leaves keys unprocessed once, then answers with nothing."""

    def __init__(self, throttles: int, code: str = "ThrottlingException") -> None:
        self.throttles, self.code, self.unprocessed = throttles, code, 1

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if self.throttles:
            self.throttles -= 1
            raise ClientError({"Error": {"Code": self.code, "Message": "slow down"}}, "BatchGetItem")
        self.unprocessed -= 1
        left = RequestItems if self.unprocessed >= 0 else {}
        return {"Responses": {"stock": []}, "UnprocessedKeys": left}


def read_one_shard(client: BusyClient) -> list[tuple[int, object]]:
    tables = DynamoAuditTables(cast("DynamoDBClient", client), "stock", "campaigns", sleep=lambda _: None)
    return list(tables.read_shards("sale", [0]))


def test_a_busy_database_is_asked_again() -> None:
    assert read_one_shard(BusyClient(throttles=3)) == [(0, None)]


def test_a_database_that_stays_busy_or_refuses_ends_the_audit() -> None:
    with pytest.raises(ClientError):
        read_one_shard(BusyClient(throttles=1000))
    refusing = BusyClient(throttles=1, code="AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        read_one_shard(refusing)


# --- the command ------------------------------------------------------------------------------------------------


def test_the_command_writes_the_promised_json_and_its_exit_code_tells(
    tables: DynamoAuditTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCK_TABLE", "stock")
    monkeypatch.setenv("CAMPAIGN_TABLE", "campaigns")
    client, world = boto3.client("dynamodb"), World()
    key = {"pk": {"S": "CAMPAIGN#small"}, "sk": {"S": "CONFIG"}}
    client.put_item(TableName="campaigns", Item={**key, **dict(world.read_config("small") or {})})

    sound = CliRunner().invoke(app, ["audit", "small", "--json"])
    assert sound.exit_code == 0, sound.output
    assert json.loads(sound.stdout)["ok"] is True

    record = {"v": {"N": "1"}, "f0": {"N": "3"}, name_at_home(0, 4): {"S": entry("h")}}
    client.put_item(TableName="stock", Item={"pk": {"S": "small#0"}, **record})
    broken = CliRunner().invoke(app, ["audit", "small", "--json", "--strict", "--scan"])
    assert broken.exit_code == 1
    document = json.loads(broken.stdout)
    assert list(document) == ["ok", "violations", "pools", "rewards", "entries", "coupons"]
    assert [violation["code"] for violation in document["violations"]] == [
        "stock_not_conserved",
        "summary_stale",
        "total_not_conserved",
    ]

    unknown = CliRunner().invoke(app, ["audit", "nothing"])
    assert unknown.exit_code == 1
    assert "There is nothing to audit" in unknown.stderr


# --- rewards ----------------------------------------------------------------------------------------------------


@pytest.fixture
def rewards(tables: DynamoAuditTables) -> DynamoRewardTables:
    """A table of rewards next to the others."""
    del tables
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="rewards",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gpk", "gsk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_status",
                "KeySchema": [
                    {"AttributeName": "gpk", "KeyType": "HASH"},
                    {"AttributeName": "gsk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return DynamoRewardTables(client, "stock", "rewards")


def life_of_a_reward(first: Reward) -> list[Reward]:
    """Every state a reward goes through that fails, is redriven, arrives, comes back and is sent once more."""
    at = NOW_MS
    sent = [rules.begin(first, at, needs_approval=False, has_connector=True)]
    steps: tuple[Callable[[Reward], Reward | None], ...] = (
        lambda reward: rules.lease(reward, "one", at, 1000),
        lambda reward: rules.fail(reward, "one", "no such member", at),
        lambda reward: rules.redrive(reward, at, 1000),
        lambda reward: rules.lease(reward, "two", at, 1000),
        lambda reward: rules.accept(reward, "two", "p-1", at),
        lambda reward: rules.report(reward, rules.Report.DELIVERED, at, at),
        lambda reward: rules.report(reward, rules.Report.RETURNED, at + 1, at),
        lambda reward: rules.redrive(reward, at, 1000),
        lambda reward: rules.lease(reward, "three", at, 1000),
        lambda reward: rules.accept(reward, "three", "p-2", at),
    )
    for step in steps:
        after = step(sent[-1])
        assert after is not None
        sent.append(after)
    return sent


def test_rewards_as_the_product_stores_them_are_sound_in_every_state(
    tables: DynamoAuditTables, rewards: DynamoRewardTables
) -> None:
    client, world, owner = boto3.client("dynamodb"), World(), name_at_home(0, 4)
    key = {"pk": {"S": "CAMPAIGN#sale"}, "sk": {"S": "CONFIG"}}
    client.put_item(TableName="campaigns", Item={**key, **dict(world.read_config("sale") or {})})
    for number in range(250):
        client.delete_item(TableName="stock", Key={"pk": {"S": f"sale#{number}"}})
    stock = {"pk": {"S": "sale#0"}, "v": {"N": "1"}, "f0": {"N": "2"}, owner: {"S": entry("c", suffix=".order-1")}}
    client.put_item(TableName="stock", Item=stock)
    first = plain_reward("sale", owner, NOW_MS)

    def audit() -> list[str]:
        findings = audit_campaign(tables, "sale", rewards=rewards, now_ms=lambda: NOW_MS, sleep=lambda _: None)
        return [violation.code for violation in findings.violations]

    assert audit() == ["reward_missing"]
    table = RewardTable(client, "rewards")
    assert table.create(first)
    for state in life_of_a_reward(first):
        before = table.get(first.id)
        assert before is not None
        assert table.save(before, state)
        assert audit() == [], state
    key = {"pk": {"S": owner}, "sk": {"S": f"{base36(NOW_MS, 8)}.sale"}}
    client.update_item(
        TableName="rewards",
        Key=key,
        UpdateExpression="SET accepted = :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
    )
    assert audit() == ["delivered_twice"]


@pytest.mark.usefixtures("rewards")
def test_the_command_takes_the_table_of_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_TABLE", "stock")
    monkeypatch.setenv("CAMPAIGN_TABLE", "campaigns")
    client, world = boto3.client("dynamodb"), World()
    key = {"pk": {"S": "CAMPAIGN#small"}, "sk": {"S": "CONFIG"}}
    client.put_item(TableName="campaigns", Item={**key, **dict(world.read_config("small") or {})})
    without = CliRunner().invoke(app, ["audit", "small", "--json"])
    assert json.loads(without.stdout)["rewards"] is None
    named = CliRunner().invoke(app, ["audit", "small", "--json", "--reward-table", "rewards"])
    assert json.loads(named.stdout)["rewards"] == {"confirmed_claims": 0, "by_status": {}}


# --- independence -----------------------------------------------------------------------------------------------


def test_the_audit_shares_no_code_with_what_it_judges() -> None:
    allowed = {"brandday.adapters.aws", "brandday.config.settings"}  # a client and the tables' names
    files = sorted(Path(audit_tables.__file__).parent.glob("audit*.py"))
    assert len(files) >= 8
    for file in files:
        imported = {
            node.module or ""
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "brandday"
        }
        assert imported <= allowed, file.name
