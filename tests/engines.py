"""Engines that speak DynamoDB, and fresh tables in them shaped by `template.yaml`."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from brandday_local.template_tables import table_shape

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Engine:
    """Something that speaks DynamoDB; `endpoint_url` is None for one inside this process (moto)."""

    name: str
    endpoint_url: str | None

    def client(self) -> "DynamoDBClient":
        """A client that never repeats a call by itself, like those of the product."""
        config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        return session.client("dynamodb", endpoint_url=self.endpoint_url, config=config)


@dataclass(frozen=True)
class Tables:
    """A pair of empty tables that are nobody else's."""

    engine: Engine
    stock: str
    campaign: str


@contextmanager
def tables_in(engine: Engine) -> Iterator[Tables]:
    """Create a StockTable and a CampaignTable under new names, and delete them in the end."""
    client = engine.client()
    run = uuid.uuid4().hex[:12]
    tables = Tables(engine, f"StockTable-{run}", f"CampaignTable-{run}")
    client.create_table(TableName=tables.stock, **table_shape("StockTable"))
    client.create_table(TableName=tables.campaign, **table_shape("CampaignTable"))
    try:
        yield tables
    finally:
        client.delete_table(TableName=tables.stock)
        client.delete_table(TableName=tables.campaign)
        client.close()
