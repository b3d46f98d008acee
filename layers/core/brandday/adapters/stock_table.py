"""Shards in StockTable: one conditional write per :class:`~brandday.domain.shard.ShardWrite`.

API: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_condition_failure, overload_translated, read_items
from brandday.adapters.keys import parse_shard_key, shard_key
from brandday.domain.shard import Refused, Shard, ShardWrite, Written

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_COUNTER_LENGTH = 2

type Item = Mapping[str, Any]
"""An item as boto3's low-level client gives it: {"v": {"N": "3"}}."""


class StockTable:
    """Reads and writes shards; every method raises TemporarilyOverloaded when the table is too busy."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def read(self, campaign_id: str, shards: Sequence[int], *, consistent: bool) -> tuple[Shard, ...]:
        """Return the shards (at most 100) in the order asked for; one that was never written is empty, version 0."""
        if len(shards) == 1:
            with overload_translated():
                answer = self._client.get_item(
                    TableName=self._table,
                    Key={"pk": {"S": shard_key(campaign_id, shards[0])}},
                    ConsistentRead=consistent,
                )
            return (decode_shard(shards[0], answer.get("Item", {})),)
        keys = [{"pk": {"S": shard_key(campaign_id, shard)}} for shard in shards]
        read = read_items(self._client, self._table, keys, consistent=consistent)
        found = {parse_shard_key(item["pk"]["S"])[1]: item for item in read}
        return tuple(decode_shard(shard, found.get(shard, {})) for shard in shards)

    def write(self, campaign_id: str, write: ShardWrite) -> Written | Refused:
        """Do one write; a refusal comes with the shard as it is instead."""
        try:
            with overload_translated():
                answer = self._client.update_item(
                    **shard_update(self._table, campaign_id, write),
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            item: Item = error.response.get("Item", {})  # type: ignore[assignment]  # absent from the stubs
            return Refused(decode_shard(write.shard, item))
        new = answer["Attributes"]
        return Written({slot: int(new[f"f{slot}"]["N"]) for slot in write.free})


def shard_update(table: str, campaign_id: str, write: ShardWrite) -> Any:
    """Return a write as the parameters of UpdateItem, which are those of an Update in a transaction, too."""
    sets: list[str] = []
    removes: list[str] = []
    conditions: list[str] = []
    names: dict[str, str] = {}
    values: dict[str, Any] = {":one": {"N": "1"}}
    for at, change in enumerate(write.changes):
        names[f"#r{at}"] = change.name
        if change.before is None:
            conditions.append(f"attribute_not_exists(#r{at})")
        else:
            conditions.append(f"#r{at} = :b{at}")
            values[f":b{at}"] = {"S": change.before}
        if change.after is None:
            removes.append(f"#r{at}")
        else:
            sets.append(f"#r{at} = :a{at}")
            values[f":a{at}"] = {"S": change.after}
    for slot, delta in write.free.items():
        capacity = write.capacity[slot]
        sets.append(f"f{slot} = if_not_exists(f{slot}, :c{slot}) + :d{slot}")
        values[f":c{slot}"] = {"N": str(capacity)}
        values[f":d{slot}"] = {"N": str(delta)}
        if delta < 0:
            needed = write.floor.get(slot, 0) - delta
            values[f":n{slot}"] = {"N": str(needed)}
            enough = f"f{slot} >= :n{slot}"
            untouched = f"(attribute_not_exists(f{slot}) OR {enough})"
            conditions.append(untouched if capacity >= needed else enough)
    if write.version is not None:
        conditions.append("v = :v" if write.version else "attribute_not_exists(v)")
        if write.version:
            values[":v"] = {"N": str(write.version)}
    update = f"SET {', '.join(sets)} " if sets else ""
    if removes:
        update += f"REMOVE {', '.join(removes)} "
    return {
        "TableName": table,
        "Key": {"pk": {"S": shard_key(campaign_id, write.shard)}},
        "UpdateExpression": update + "ADD v :one",
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def decode_shard(number: int, item: Item) -> Shard:
    """Return the shard of an item in DynamoDB's typed form, as tables and streams give it."""
    free: dict[str, int] = {}
    records: dict[str, str] = {}
    version = 0
    for name, value in item.items():
        if "S" in value:
            records[name] = value["S"]
        elif name == "v":
            version = int(value["N"])
        elif name[0] == "f" and len(name) == _COUNTER_LENGTH:
            free[name[1]] = int(value["N"])
    records.pop("pk", None)
    return Shard(number, version, free, records)
