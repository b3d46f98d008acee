"""Engines that speak DynamoDB, and fresh tables in them shaped by `template.yaml`."""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
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
        with _MAKING:
            return _session(self.endpoint_url).client("dynamodb", endpoint_url=self.endpoint_url, config=config)


_MAKING = Lock()
"""Sessions are not made for several threads; what they make is."""


@cache
def _session(_: str | None) -> boto3.Session:
    """One for all clients of an engine: it has read what DynamoDB is, which takes longer than most tests."""
    return boto3.Session("testing", "testing", region_name="us-east-1")


@dataclass(frozen=True)
class OneTable:
    """An empty table that is nobody else's, and a client of its engine."""

    client: "DynamoDBClient"
    name: str


@contextmanager
def table_in(engine: Engine, kind: str) -> Iterator[OneTable]:
    """Create a table under a new name, shaped like the one that `template.yaml` calls `kind`; delete it in the end."""
    with closing(engine.client()) as client:
        table = OneTable(client, f"{kind}-{uuid.uuid4().hex[:12]}")
        client.create_table(TableName=table.name, **table_shape(kind))
        try:
            yield table
        finally:
            client.delete_table(TableName=table.name)


@dataclass(frozen=True)
class Tables:
    """A pair of empty tables that are nobody else's."""

    engine: Engine
    stock: str
    campaign: str


@contextmanager
def tables_in(engine: Engine) -> Iterator[Tables]:
    """Create a StockTable and a CampaignTable under new names, and delete them in the end."""
    with table_in(engine, "StockTable") as stock, table_in(engine, "CampaignTable") as campaign:
        yield Tables(engine, stock.name, campaign.name)
