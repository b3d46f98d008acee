"""The ways to sell limited stock that are compared, behind one interface.

The usual ones on DynamoDB, as AWS's post "Implement resource counters with Amazon DynamoDB" describes them
(https://aws.amazon.com/blogs/database/implement-resource-counters-with-amazon-dynamodb/): a counter item, and a record
of who took a unit. The post counts only; a shop has to know its buyers, so each has its claim written too. Each is
written as cheaply as its idea allows, and each environment remembers that it was told "sold out", as ours does.
"""

import hashlib
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, override

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
        client.put_item(TableName=self.table, Item={"pk": {"S": "stock"}, **self.counter(stock)})

    def counter(self, stock: int) -> dict[str, Any]:
        """Return what the counter item has besides its key."""
        return {"units": {"N": str(stock)}}

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

    def move_counter(self, by: int) -> dict[str, Any]:
        """Return the update that moves the counter on condition that it stays at zero or above."""
        return {
            "TableName": self.table,
            "Key": {"pk": {"S": "stock"}},
            "UpdateExpression": "SET units = units + :by",
            "ConditionExpression": "units >= :needed",
            "ExpressionAttributeValues": {":by": {"N": str(by)}, ":needed": {"N": str(max(0, -by))}},
        }

    def new_claim(self, shopper_id: str, now_ms: int) -> dict[str, Any]:
        """Return the put of a claim on condition that the shopper has none."""
        return {
            "TableName": self.table,
            "Item": {"pk": {"S": f"claim#{shopper_id}"}, "at": {"N": str(now_ms)}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }

    def put_claim(self, shopper_id: str, now_ms: int) -> Reply:
        """Put the claim for a unit that was taken; the unit goes back if the shopper has one already."""
        try:
            self.client.put_item(**self.new_claim(shopper_id, now_ms))
        except self.client.exceptions.ConditionalCheckFailedException:
            self.client.update_item(**self.move_counter(+1))
            return REFUSED
        return GRANTED

    def cancelled(self, response: Any) -> Reply:
        """Return the answer to a cancelled transaction whose first part was to lower the counter."""
        reasons = [reason.get("Code") for reason in response["CancellationReasons"]]
        if "TransactionConflict" in reasons:  # never from a local engine, but from AWS
            return Reply(Answer.TRY_AGAIN)
        self.sold_out = reasons[0] == "ConditionalCheckFailed"
        return REFUSED


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
        try:
            self.client.update_item(**self.move_counter(-1))
        except self.client.exceptions.ConditionalCheckFailedException:
            self.sold_out = True
            return REFUSED
        return self.put_claim(shopper_id, now_ms)


class OptimisticLock(_CounterPattern):
    """Reads the counter with its version, writes it one lower if the version is still the same, then puts the claim."""

    name = "optimistic lock, then claim"

    @override
    def counter(self, stock: int) -> dict[str, Any]:
        return {"units": {"N": str(stock)}, "version": {"N": "0"}}

    @override
    def environment(self, client: "DynamoDBClient", now: Callable[[], int]) -> Environment:
        return _OptimisticLock(client, self.table)


class _OptimisticLock(_CounterEnvironment):
    TRIES = 3
    """As often as ours, before the shopper is told to come back: the post retries, too, and leaves open how often."""

    @override
    def ask(self, shopper_id: str, now_ms: int) -> Reply:
        counter: Any = self.client.get_item(TableName=self.table, Key={"pk": {"S": "stock"}})["Item"]
        for _ in range(self.TRIES):
            if counter["units"]["N"] == "0":
                self.sold_out = True
                return REFUSED
            try:
                self.client.update_item(**self._lower(int(counter["units"]["N"]), int(counter["version"]["N"])))
            except self.client.exceptions.ConditionalCheckFailedException as failed:
                answer: Any = failed.response
                counter = answer["Item"]  # comes with the refusal, so that nobody needs to read again
            else:
                return self.put_claim(shopper_id, now_ms)
        return Reply(Answer.TRY_AGAIN)

    def _lower(self, units: int, version: int) -> dict[str, Any]:
        numbers = {":left": units - 1, ":next": version + 1, ":seen": version}
        return {
            "TableName": self.table,
            "Key": {"pk": {"S": "stock"}},
            "UpdateExpression": "SET units = :left, version = :next",
            "ConditionExpression": "version = :seen",
            "ExpressionAttributeValues": {name: {"N": str(number)} for name, number in numbers.items()},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


class CounterByToken(_CounterPattern):
    """Lowers the counter in a transaction with a client token, then puts the claim.

    The token makes a repeated decrement harmless for ten minutes, and so a crash between the two, if it is repeated by
    then. A transaction over both would need no token to be safe and costs more: that is the next one.
    """

    name = "transaction with client token, then claim"

    @override
    def environment(self, client: "DynamoDBClient", now: Callable[[], int]) -> Environment:
        return _CounterByToken(client, self.table)


class _CounterByToken(_CounterEnvironment):
    @override
    def ask(self, shopper_id: str, now_ms: int) -> Reply:
        token = hashlib.blake2b(f"{self.table} {shopper_id}".encode(), digest_size=18).hexdigest()  # 36 characters
        try:
            self.client.transact_write_items(
                TransactItems=[{"Update": self.move_counter(-1)}],  # type: ignore[typeddict-item]  # a plain dict
                ClientRequestToken=token,
            )
        except self.client.exceptions.TransactionCanceledException as cancelled:
            return self.cancelled(cancelled.response)
        return self.put_claim(shopper_id, now_ms)


class CounterWithClaim(_CounterPattern):
    """Lowers the counter and puts the claim in one transaction: the claim is the marker that makes it repeatable."""

    name = "transaction with marker item"

    @override
    def environment(self, client: "DynamoDBClient", now: Callable[[], int]) -> Environment:
        return _CounterWithClaim(client, self.table)


class _CounterWithClaim(_CounterEnvironment):
    @override
    def ask(self, shopper_id: str, now_ms: int) -> Reply:
        try:
            self.client.transact_write_items(
                TransactItems=[
                    {"Update": self.move_counter(-1)},  # type: ignore[typeddict-item]  # plain dicts
                    {"Put": self.new_claim(shopper_id, now_ms)},  # type: ignore[typeddict-item]
                ]
            )
        except self.client.exceptions.TransactionCanceledException as cancelled:
            return self.cancelled(cancelled.response)
        return GRANTED


class SetOfTakers(_CounterPattern):
    """Adds the shopper to a set in one item while that is smaller than the stock: one write, of a growing item."""

    name = "set of takers in one item"

    @override
    def environment(self, client: "DynamoDBClient", now: Callable[[], int]) -> Environment:
        return _SetOfTakers(client, self.table)

    @override
    def claims(self, client: "DynamoDBClient") -> list[str]:
        item = client.get_item(TableName=self.table, Key={"pk": {"S": "stock"}}, ConsistentRead=True)["Item"]
        return sorted(item.get("takers", {}).get("SS", ()))


class _SetOfTakers(_CounterEnvironment):
    @override
    def ask(self, shopper_id: str, now_ms: int) -> Reply:
        try:
            self.client.update_item(
                TableName=self.table,
                Key={"pk": {"S": "stock"}},
                UpdateExpression="ADD takers :one",
                ConditionExpression="attribute_not_exists(takers)"
                " OR (size(takers) < units AND NOT contains(takers, :shopper))",
                ExpressionAttributeValues={":one": {"SS": [shopper_id]}, ":shopper": {"S": shopper_id}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self.client.exceptions.ConditionalCheckFailedException as failed:
            answer: Any = failed.response
            item = answer["Item"]
            self.sold_out = len(item["takers"]["SS"]) >= int(item["units"]["N"])
            return REFUSED
        return GRANTED
