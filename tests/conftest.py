"""What all tests share: engines that speak DynamoDB, and fresh tables in them shaped by `template.yaml`.

Unit tests use none of this. A test that asks for an engine runs once on each; nothing has to be started by hand,
and nothing is left running. Engines and their clients never touch an AWS account: the credentials are made up.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config

from brandday_local.dynamodb_local import DynamoDbLocal, MinistackDynamoDb
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
        config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, max_pool_connections=50)
        return boto3.client("dynamodb", endpoint_url=self.endpoint_url, config=config)


@dataclass(frozen=True)
class Tables:
    """A pair of empty tables of their own for one test."""

    engine: Engine
    stock: str
    campaign: str


@pytest.fixture(scope="session", autouse=True)
def no_aws_account() -> Iterator[None]:
    """Nothing here can reach an AWS account: made-up credentials, and no profile of the developer's is read."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[Engine]:
    """AWS's own DynamoDB Local, shared by the tests of a session."""
    with DynamoDbLocal() as server:
        yield Engine("dynamodb_local", server.endpoint_url)


@pytest.fixture(scope="session")
def ministack_dynamodb() -> Iterator[Engine]:
    """The DynamoDB of the local stack's emulator, shared by the tests of a session."""
    with MinistackDynamoDb() as server:
        yield Engine("ministack", server.endpoint_url)


@pytest.fixture(params=["ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine that can be trusted with races, one after the other."""
    chosen: Engine = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def fresh_tables(engine: Engine) -> Iterator[Tables]:
    """A StockTable and a CampaignTable that are empty and nobody else's."""
    with _created(engine) as tables:
        yield tables


@contextmanager
def _created(engine: Engine) -> Iterator[Tables]:
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
