"""What all tests share: engines that speak DynamoDB, and fresh tables in them shaped by `template.yaml`.

Unit tests use none of this. A test that asks for an engine runs once on each; nothing has to be started by hand,
and nothing is left running. Engines and their clients never touch an AWS account: the credentials are made up.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from brandday_local.dynamodb_local import DynamoDbLocal, MinistackDynamoDb
from tests.engines import Engine, Tables, tables_in

for size in ("COLUMNS", "LINES"):
    # pytest-xdist tells its processes the size of a terminal that they do not have.
    os.environ.pop(size, None)


class ByWhatTheyShare(LoadScopeScheduling):
    """Deals tests out so that those of a file run in one process, because they share what they start; and all that need
    the local stack in the same one, because there is one stack.

    https://pytest-xdist.readthedocs.io/en/stable/distribution.html
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/e2e" if file.startswith("tests/e2e/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Let pytest-xdist deal them out like this."""
    return ByWhatTheyShare(config, log)


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
    with tables_in(engine) as tables:
        yield tables
