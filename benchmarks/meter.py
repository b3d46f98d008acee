"""Counts every call to DynamoDB and what it costs, at the SDK itself, so that nothing can be forgotten.

Units are the engine's own report (`ReturnConsumedCapacity=TOTAL` is put into every request). An error carries no
such report, neither on AWS nor on DynamoDB Local; for those, AWS's documented rule is applied:

* a write whose condition fails costs the write units of the item that is there, at least one
  (Developer Guide, "Working with items and attributes", conditional writes);
* a transaction writes each of its items twice, to prepare and to commit ("Transactions: how it works", capacity);
  one that is cancelled by a condition is counted as if it had done both, at the size of the items that are there.

Of a transaction of a single item half of the report is booked: DynamoDB Local 1.25.1 reports as much as for two.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READ_UNIT_PRICE = 0.2
"""Of a write unit: on demand, a million read request units cost a fifth of a million write request units."""

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
_READS = frozenset({"GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"})
_WRITE_UNIT_BYTES = 1024


@dataclass
class Usage:
    """Calls and units, added up."""

    calls: int = 0
    write_units: float = 0.0
    read_units: float = 0.0
    failed_writes: int = 0
    operations: Counter[str] = field(default_factory=Counter)

    @property
    def cost(self) -> float:
        """In write units, with read units at their price."""
        return self.write_units + READ_UNIT_PRICE * self.read_units

    def add(self, other: "Usage") -> None:
        """Add what another has used."""
        self.calls += other.calls
        self.write_units += other.write_units
        self.read_units += other.read_units
        self.failed_writes += other.failed_writes
        self.operations.update(other.operations)


class Meter:
    """Attached to a client, books each of its calls to whatever `account` names at that moment.

    `unmetered` is a second client of the same engine, for looking up how large the item of a failed write is.
    """

    def __init__(self, account: Callable[[], str], unmetered: "DynamoDBClient") -> None:
        self.accounts: dict[str, Usage] = {}
        self._account = account
        self._unmetered = unmetered

    def usage(self, account: str) -> Usage:
        """Return what was booked to `account` so far."""
        return self.accounts.setdefault(account, Usage())

    def attach(self, client: "DynamoDBClient") -> None:
        """Measure every call of `client` from now on."""
        self.attach_to(client.meta.events)

    def attach_to(self, events: Any) -> None:
        """Measure every call of the client that these events are of, or of all that a session makes from now on."""
        events.register("before-parameter-build.dynamodb", self._ask_for_units)
        events.register("after-call.dynamodb", self._book)

    def _ask_for_units(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        if model.name in _WRITES | _READS:
            params["ReturnConsumedCapacity"] = "TOTAL"
            context["metered_params"] = params

    def _book(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        if model.name not in _WRITES | _READS:
            return
        usage = self.usage(self._account())
        usage.calls += 1
        usage.operations[model.name] += 1
        if "Error" in parsed:
            usage.failed_writes += 1
            usage.write_units += self._units_of_failure(parsed, context["metered_params"])
        elif len(context["metered_params"].get("TransactItems", ())) == 1:
            usage.write_units += _reported(parsed) / 2
        elif model.name in _WRITES:
            usage.write_units += _reported(parsed)
        else:
            usage.read_units += _reported(parsed)

    def _units_of_failure(self, parsed: dict[str, Any], params: dict[str, Any]) -> float:
        match parsed["Error"]["Code"]:
            case "ConditionalCheckFailedException" if "Item" in parsed:  # it was asked for
                return _write_units(parsed["Item"])
            case "ConditionalCheckFailedException":
                return self._units_of_item(params)
            case "TransactionCanceledException":
                items = [next(iter(each.values())) for each in params["TransactItems"]]
                return sum(2 * self._units_of_item(item) for item in items)
            case code:
                raise AssertionError(f"no rule for what {code} costs")

    def _units_of_item(self, params: dict[str, Any]) -> int:
        """Return what a write of the item that is there costs."""
        key_or_item = params.get("Key") or params["Item"]
        key = {name: value for name, value in key_or_item.items() if name in {"pk", "sk"}}
        there = self._unmetered.get_item(TableName=params["TableName"], Key=key, ConsistentRead=True)
        return _write_units(there.get("Item", {}))


def _write_units(item: dict[str, Any]) -> int:
    return max(1, math.ceil(item_size(item) / _WRITE_UNIT_BYTES))


def item_size(item: dict[str, Any]) -> int:
    """Return an item's size in bytes by AWS's rule: names and values, two digits of a number to a byte."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    match value:
        case {"S": str(text)}:
            return len(text.encode())
        case {"N": str(number)}:
            return math.ceil(len(number.strip("-")) / 2) + 1
        case {"B": bytes(content)}:
            return len(content)
        case {"BOOL": _}:
            return 1
        case {"SS": list(texts)}:
            return sum(len(text.encode()) for text in texts)
    raise AssertionError(f"no rule for the size of {value}")


def _reported(parsed: dict[str, Any]) -> float:
    capacity = parsed["ConsumedCapacity"]  # missing would be a hole in the measurement: let it fail
    tables = capacity if isinstance(capacity, list) else [capacity]
    return float(sum(table["CapacityUnits"] for table in tables))
