"""Clients of a local engine; the credentials are made up, so nothing here can reach an AWS account."""

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SESSION = boto3.Session("testing", "testing", region_name="us-east-1")


def client_of(endpoint_url: str, *, user_agent: str | None = None) -> "DynamoDBClient":
    """Return a client that never repeats a call by itself.

    With a `user_agent` the SDK does not put one together for every call, which is a third of a call's processor time:
    for harnesses that count units, not time.
    """
    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"}, parameter_validation=False, user_agent=user_agent
    )
    return SESSION.client("dynamodb", endpoint_url=endpoint_url, config=config)
