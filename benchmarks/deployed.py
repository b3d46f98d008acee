"""What functions find when they start, in this process: their settings, DynamoDB Local, and moto for secrets alone."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import boto3
from moto import mock_aws

from benchmarks.engine import client_of
from brandday_local.dynamodb_local import DynamoDbLocal
from brandday_local.template_tables import table_shape

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLES: Final = {
    "STOCK_TABLE": "StockTable",
    "CAMPAIGN_TABLE": "CampaignTable",
    "REWARD_TABLE": "RewardTable",
    "ENTRY_TABLE": "EntryTable",
    "COUPON_TABLE": "CouponTable",
    "GUARD_TABLE": "GuardTable",
}
"""Their names, by the variables that functions read."""

SECRETS: Final = {"MARK_SECRET": "MarkSecret", "PASS_SECRET": "PassSecret"}


@contextmanager
def deployed(settings: Mapping[str, str], secrets: Mapping[str, str]) -> "Iterator[DynamoDBClient]":
    """Have all tables, these secrets and settings besides, and a client to look; as it was before afterwards.

    Clients that are made of boto3's default session are DynamoDB Local's.
    """
    with DynamoDbLocal() as engine, mock_aws(config={"core": {"passthrough": {"services": ["dynamodb"]}}}):
        client = client_of(engine.endpoint_url)
        for table in TABLES.values():
            client.create_table(TableName=table, **table_shape(table))
        before, session = dict(os.environ), boto3.DEFAULT_SESSION
        os.environ |= {**TABLES, **SECRETS, **settings, "AWS_ENDPOINT_URL_DYNAMODB": engine.endpoint_url}
        boto3.DEFAULT_SESSION = boto3.Session("testing", "testing", region_name="us-east-1")
        for name in SECRETS.values():
            boto3.client("secretsmanager").create_secret(Name=name, SecretString=name * 5)
        for name, value in secrets.items():
            boto3.client("secretsmanager").create_secret(Name=name, SecretString=value)
        try:
            yield client
        finally:
            client.close()
            boto3.DEFAULT_SESSION = session
            os.environ.clear()
            os.environ |= before
