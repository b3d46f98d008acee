"""Circuit breakers in RewardTable, one item for each destination.

The key has no campaign and no shopper in it, and no index attributes: nobody who lists rewards meets one.
"""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_condition_failure, overload_translated
from brandday.adapters.keys import BREAKER, breaker_key
from brandday.domain.breaker import Breaker

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_NUMBERS = {"f": "failures", "o": "openings", "u": "open_until", "p": "probe_until", "v": "version"}
"""Attribute in the table -> field."""


class BreakerTable:
    """Reads and writes breakers; every method raises TemporarilyOverloaded when the table is too busy."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def load(self, destination: str) -> Breaker:
        """Return a destination's breaker, strongly consistent; a closed one of version 0 if there is none."""
        with overload_translated():
            answer = self._client.get_item(TableName=self._table, Key=_key(destination), ConsistentRead=True)
        item = answer.get("Item", {})
        return Breaker(**{field: int(item[name]["N"]) for name, field in _NUMBERS.items() if name in item})

    def save(self, destination: str, before: Breaker, after: Breaker) -> bool:
        """Write `after` under the version that follows `before`'s; False if the item has another than `before`."""
        stored = after.at_version(before.version + 1)
        item: Any = _key(destination) | {name: {"N": str(getattr(stored, field))} for name, field in _NUMBERS.items()}
        unchanged: Any = (
            {"ConditionExpression": "v = :v", "ExpressionAttributeValues": {":v": {"N": str(before.version)}}}
            if before.version
            else {"ConditionExpression": "attribute_not_exists(pk)"}
        )
        with overload_translated():
            try:
                self._client.put_item(TableName=self._table, Item=item, **unchanged)
            except ClientError as error:
                if is_condition_failure(error):
                    return False
                raise
        return True


def _key(destination: str) -> dict[str, Any]:
    return {"pk": {"S": breaker_key(destination)}, "sk": {"S": BREAKER}}
