"""What marks have been wrong about, in GuardTable: one item per mark, forgotten three hours after the latest."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from brandday.adapters.aws import overload_translated, read_items
from brandday.adapters.keys import GUARD, backoff_key
from brandday.domain.backoff import Misses, hour_of
from brandday.usecases.back_off import MissKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_COUNT, _TAGS = "n", "t"
"""What an attribute begins with that has the count or the tags of an hour."""


class MissTable:
    """The port `MissLog`."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def look(self, keys: Sequence[MissKey]) -> Mapping[MissKey, Misses]:
        """Return the misses of each, in one call; eventually consistent."""
        read = read_items(self._client, self._table, [_key(key) for key in keys], consistent=False)
        found = {item["pk"]["S"]: _misses(item) for item in read}
        return {key: found.get(_key(key)["pk"]["S"], Misses()) for key in keys}

    def note(self, key: MissKey, number: int, tags: Collection[str], now: int, forget_at: int) -> Misses:
        """Add misses, in one write that loses none; return what was there before, strongly consistent."""
        hour = hour_of(now)
        adds = ", ".join([f"{_COUNT}{hour} :number"] + ([f"{_TAGS}{hour} :tags"] if tags else []))
        old = ", ".join(f"{letter}{hour - back}" for letter in (_COUNT, _TAGS) for back in (2, 3))
        values: dict[str, Any] = {
            ":number": {"N": str(number)},
            ":now": {"N": str(now)},
            ":forget_at": {"N": str(-(-forget_at // 1000))},  # DynamoDB counts in seconds
        }
        if tags:
            values[":tags"] = {"SS": sorted(tags)}
        with overload_translated():
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(key),
                UpdateExpression=f"ADD {adds} REMOVE {old} SET latest = :now, forget_at = :forget_at",
                ExpressionAttributeValues=values,
                ReturnValues="ALL_OLD",
            )
        return _misses(answer.get("Attributes", {}))


def _key(key: MissKey) -> dict[str, Any]:
    return {"pk": {"S": backoff_key(f"{key.what}.{key.kind}", key.mark)}, "sk": {"S": GUARD}}


def _misses(item: Mapping[str, Any]) -> Misses:
    counts = {int(name[1:]): int(value["N"]) for name, value in item.items() if _is_of_hour(name, _COUNT)}
    tags = [tag for name, value in item.items() if _is_of_hour(name, _TAGS) for tag in value["SS"]]
    return Misses(counts, frozenset(tags), int(item["latest"]["N"]) if "latest" in item else 0)


def _is_of_hour(name: str, letter: str) -> bool:
    return name.startswith(letter) and name[1:].isdecimal()
