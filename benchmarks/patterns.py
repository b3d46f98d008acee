"""The ways to sell limited stock that are compared, behind one interface.

The first three are the usual ones on DynamoDB: a counter item, and an item per shopper that records the claim. Each
is written as cheaply as its idea allows, and each environment remembers that it was told "sold out", as ours does.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, override

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Answer(StrEnum):
    """What a shopper is told."""

    GRANTED = "granted"
    REFUSED = "refused"
    """Nothing left, as far as anybody knows: the answer that a rush gives most often."""
    TRY_AGAIN = "try_again"
    """Lost a race or met a busy database: may well succeed in a moment."""


class Reply(NamedTuple):
    """The answer, and when to come back if it was no."""

    answer: Answer
    retry_after_ms: int = 1000


GRANTED = Reply(Answer.GRANTED)
REFUSED = Reply(Answer.REFUSED)


class Environment(Protocol):
    """One Lambda environment: it serves one request at a time and shares its memory with nobody."""

    def claim(self, shopper_id: str, now_ms: int) -> Reply:
        """One shopper asks for one unit."""


class Pattern(Protocol):
    """One way to sell `stock` units, in tables of its own."""

    name: str
    oversells: bool
    """Known to: it is here as the negative control."""
    config_operation: str
    """With what an environment reads its config, at most once a second; it counts in the cost, not as a call of
    the shopper's who happened to come first. Empty if there is no config."""

    def create(self, client: "DynamoDBClient", stock: int, now_ms: int) -> None:
        """Create its tables, and whatever must be there before the sale starts."""

    def environment(self, client: "DynamoDBClient", now: Callable[[], int]) -> Environment:
        """Start an environment that remembers nothing yet; `now` is its wall clock in epoch milliseconds."""

    def background(self, client: "DynamoDBClient", now: Callable[[], int]) -> Callable[[], None] | None:
        """Return what its stream consumer does each time it is woken, or None if it has none."""

    def settle(self, client: "DynamoDBClient", now_ms: int) -> None:
        """Pay for every claim, where the pattern tells held from sold."""

    def claims(self, client: "DynamoDBClient") -> list[str]:
        """Return who owns a unit by what is in the tables, one name per unit."""

    def drop(self, client: "DynamoDBClient") -> None:
        """Delete its tables."""


class _CounterPattern(Pattern):
    """A counter item `stock` and an item `claim#shopper` for each claim, in one table."""

    name: str
    oversells = False
    config_operation = ""

    def __init__(self, run: str) -> None:
        self.table = f"Counter-{run}"

    @override
    def create(self, client: "DynamoDBClient", stock: int, now_ms: int) -> None:
        client.create_table(
            TableName=self.table,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.put_item(TableName=self.table, Item={"pk": {"S": "stock"}, "units": {"N": str(stock)}})

    @override
    def background(self, client: "DynamoDBClient", now: Callable[[], int]) -> None:
        return None

    @override
    def claims(self, client: "DynamoDBClient") -> list[str]:
        pages = client.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        keys = (item["pk"]["S"] for page in pages for item in page["Items"])
        return [key.removeprefix("claim#") for key in keys if key.startswith("claim#")]

    @override
    def drop(self, client: "DynamoDBClient") -> None:
        client.delete_table(TableName=self.table)


class _CounterEnvironment(Environment):
    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self.client = client
        self.table = table
        self.sold_out = False

    @override
    def claim(self, shopper_id: str, now_ms: int) -> Reply:
        if self.sold_out:
            return REFUSED
        return self.ask(shopper_id, now_ms)

    def ask(self, shopper_id: str, now_ms: int) -> Reply:
        raise NotImplementedError


class GetThenPut(_CounterPattern):
    """Reads the counter, then writes it one lower: what everybody writes first."""

    name = "get, then put"
    oversells = True

    @override
    def environment(self, client: "DynamoDBClient", now: Callable[[], int]) -> Environment:
        return _GetThenPut(client, self.table)


class _GetThenPut(_CounterEnvironment):
    @override
    def ask(self, shopper_id: str, now_ms: int) -> Reply:
        counter = self.client.get_item(TableName=self.table, Key={"pk": {"S": "stock"}})["Item"]
        free = int(counter["units"]["N"])
        if free <= 0:
            self.sold_out = True
            return REFUSED
        self.client.put_item(TableName=self.table, Item={"pk": {"S": "stock"}, "units": {"N": str(free - 1)}})
        self.client.put_item(TableName=self.table, Item={"pk": {"S": f"claim#{shopper_id}"}, "at": {"N": str(now_ms)}})
        return GRANTED


class CounterThenClaim(_CounterPattern):
    """Lowers the counter on condition that it is positive, then puts the claim. A crash in between loses a unit."""

    name = "counter, then claim"

    @override
    def environment(self, client: "DynamoDBClient", now: Callable[[], int]) -> Environment:
        return _CounterThenClaim(client, self.table)


class _CounterThenClaim(_CounterEnvironment):
    @override
    def ask(self, shopper_id: str, now_ms: int) -> Reply:
        failed = self.client.exceptions.ConditionalCheckFailedException
        try:
            self._move_counter(-1)
        except failed:
            self.sold_out = True
            return REFUSED
        try:
            self.client.put_item(
                TableName=self.table,
                Item={"pk": {"S": f"claim#{shopper_id}"}, "at": {"N": str(now_ms)}},
                ConditionExpression="attribute_not_exists(pk)",
            )
        except failed:  # this shopper has one already
            self._move_counter(+1)
            return REFUSED
        return GRANTED

    def _move_counter(self, by: int) -> None:
        self.client.update_item(
            TableName=self.table,
            Key={"pk": {"S": "stock"}},
            UpdateExpression="SET units = units + :by",
            ConditionExpression="units >= :needed",
            ExpressionAttributeValues={":by": {"N": str(by)}, ":needed": {"N": str(max(0, -by))}},
        )


class CounterWithClaim(_CounterPattern):
    """Lowers the counter and puts the claim in one transaction."""

    name = "transaction: counter + claim"

    @override
    def environment(self, client: "DynamoDBClient", now: Callable[[], int]) -> Environment:
        return _CounterWithClaim(client, self.table)


class _CounterWithClaim(_CounterEnvironment):
    @override
    def ask(self, shopper_id: str, now_ms: int) -> Reply:
        try:
            self.client.transact_write_items(
                TransactItems=[
                    {
                        "Update": {
                            "TableName": self.table,
                            "Key": {"pk": {"S": "stock"}},
                            "UpdateExpression": "SET units = units - :one",
                            "ConditionExpression": "units >= :one",
                            "ExpressionAttributeValues": {":one": {"N": "1"}},
                        }
                    },
                    {
                        "Put": {
                            "TableName": self.table,
                            "Item": {"pk": {"S": f"claim#{shopper_id}"}, "at": {"N": str(now_ms)}},
                            "ConditionExpression": "attribute_not_exists(pk)",
                        }
                    },
                ]
            )
        except self.client.exceptions.TransactionCanceledException as cancelled:
            reasons = [reason.get("Code") for reason in cancelled.response["CancellationReasons"]]
            if "TransactionConflict" in reasons:  # never from a local engine, but from AWS
                return Reply(Answer.TRY_AGAIN)
            self.sold_out = reasons[0] == "ConditionalCheckFailed"
            return REFUSED
        return GRANTED
