"""The audit's reader against an emulated DynamoDB: consistent reads, in batches, missing items and all."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from brandday_cli.audit_tables import DynamoAuditTables


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
