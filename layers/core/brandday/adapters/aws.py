"""The only maker of AWS clients, and the one place where AWS's trouble becomes an error of ours.

A client never retries by itself: a retried write may be the second one, and a shopper's request has no time
for it. The edge answers 503 with Retry-After instead, and the caller's repetition is safe because every write
is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore import __version__ as botocore_version
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from brandday.domain.errors import TemporarilyOverloaded

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

_OVERLOADED = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeout",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
CONDITION_FAILED = "ConditionalCheckFailedException"
TRANSACTION_CANCELED = "TransactionCanceledException"
_CONDITION_FAILED_REASON = "ConditionalCheckFailed"

_USER_AGENT = f"brandday Botocore/{botocore_version}"
"""A text of our own: botocore puts its own one together anew for every call, which takes 15 % of it."""


def dynamodb_client(timeout_ms: int) -> "DynamoDBClient":
    """A DynamoDB client that gives up after `timeout_ms`; AWS_ENDPOINT_URL points it elsewhere."""
    # Our adapters make all parameters; to check them once more takes 8 % of a call (docs/decisions/0010).
    unchecked = Config(parameter_validation=False)
    return boto3.client("dynamodb", config=_config(timeout_ms).merge(unchecked))


def sqs_client(timeout_ms: int, region: str | None = None) -> "SQSClient":
    """An SQS client that gives up after `timeout_ms`, for our own region unless another is named; AWS_ENDPOINT_URL
    points it elsewhere.
    """
    return boto3.client("sqs", region_name=region, config=_config(timeout_ms))


def kms_client(timeout_ms: int) -> "KMSClient":
    """A KMS client that gives up after `timeout_ms`; AWS_ENDPOINT_URL points it elsewhere."""
    return boto3.client("kms", config=_config(timeout_ms))


def secrets_client(timeout_ms: int) -> "SecretsManagerClient":
    """A Secrets Manager client that gives up after `timeout_ms`; AWS_ENDPOINT_URL points it elsewhere."""
    return boto3.client("secretsmanager", config=_config(timeout_ms))


def ses_client(timeout_ms: int) -> Any:
    """An SES client (API v2) that gives up after `timeout_ms`; AWS_ENDPOINT_URL points it elsewhere."""
    return boto3.client("sesv2", config=_config(timeout_ms))


@contextmanager
def overload_translated() -> Iterator[None]:
    """Turn throttles, transaction conflicts and time-outs into TemporarilyOverloaded.

    A failed condition is no overload and passes as it is, also when another item of the same transaction was
    busy: it is the more certain answer of the two.
    """
    try:
        yield
    except ClientError as error:
        if is_overload(error):
            raise TemporarilyOverloaded from error
        raise
    except (NoConnection, HTTPClientError) as error:
        raise TemporarilyOverloaded from error


def read_items(
    client: "DynamoDBClient", table: str, keys: Sequence[Any], *, consistent: bool
) -> Sequence[Mapping[str, Any]]:
    """Return those of the items (at most 100) that are there, in any order and in one call.

    TemporarilyOverloaded also if the table has left some of them unread: half an answer is none.
    """
    with overload_translated():
        page = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": consistent}})
    if page.get("UnprocessedKeys"):
        raise TemporarilyOverloaded
    return page["Responses"].get(table, ())


def transact(client: "DynamoDBClient", writes: Sequence[Any]) -> bool:
    """Do all writes (at most 100) or none: False if one of them was refused by its condition."""
    try:
        with overload_translated():
            client.transact_write_items(TransactItems=writes)
    except ClientError as error:
        if is_condition_failure(error):
            return False
        raise
    return True


def is_overload(error: ClientError) -> bool:
    """Whether AWS was too busy to answer, rather than refusing what was asked."""
    code = error_code(error)
    if code == TRANSACTION_CANCELED:
        reasons = cancellation_reasons(error)
        return _CONDITION_FAILED_REASON not in reasons and not _OVERLOADED.isdisjoint(reasons)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code in _OVERLOADED or status >= 500


def error_code(error: ClientError) -> str:
    """AWS's name for what went wrong."""
    return error.response.get("Error", {}).get("Code", "")


def cancellation_reasons(error: ClientError) -> list[str]:
    """Why each item of a cancelled transaction failed, in the order they were sent; "None" for those that did
    not.
    """
    return [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]


def cancellation_items(error: ClientError) -> list[dict[str, Any]]:
    """What was found in place of each item of a cancelled transaction; empty where it was not asked for."""
    return [dict(reason.get("Item", {})) for reason in error.response.get("CancellationReasons", [])]


def is_condition_failure(error: ClientError) -> bool:
    """Whether a write or a transaction was refused by a condition of its own."""
    code = error_code(error)
    if code == TRANSACTION_CANCELED:
        return _CONDITION_FAILED_REASON in cancellation_reasons(error)
    return code == CONDITION_FAILED


def _config(timeout_ms: int) -> Config:
    seconds = timeout_ms / 1000
    return Config(
        # Both can be spent on one call; together they are what a caller was promised.
        connect_timeout=seconds / 3,
        read_timeout=seconds * 2 / 3,
        retries={"total_max_attempts": 1, "mode": "standard"},
        tcp_keepalive=True,
        max_pool_connections=10,
        user_agent=_USER_AGENT,
    )
