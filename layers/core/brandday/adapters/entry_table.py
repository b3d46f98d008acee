"""Entrants' records in EntryTable: one item each, every change of it a put on condition of the version that was read.

An item stays under 1 KB, so an entry costs one write unit however many there were before it.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_condition_failure, overload_translated
from brandday.adapters.keys import bucket_key
from brandday.domain.entrant import Entrant, decode_entries, decode_grants, encode_entries, encode_grants
from brandday.domain.lottery import Frozen

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Any]
"""An item as boto3's low-level client gives it: {"v": {"N": "3"}}."""


class EntryTable:
    """Reads and writes entrants' records; every method raises TemporarilyOverloaded when the table is too busy."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def load(self, frozen: Frozen, name: str, *, consistent: bool) -> Entrant | None:
        """Return an entrant's record, or None if there is none."""
        with overload_translated():
            answer = self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": _bucket_of(frozen, name)}, "sk": {"S": name}},
                ConsistentRead=consistent,
            )
        return decode_entrant(answer["Item"]) if "Item" in answer else None

    def save(self, frozen: Frozen, before: Entrant | None, after: Entrant) -> bool:
        """Replace ``before`` if nobody else has meanwhile; False, and nothing is written, if somebody has."""
        try:
            with overload_translated():
                self._client.put_item(**entrant_put(self._table, frozen, before, after))
        except ClientError as error:
            if is_condition_failure(error):
                return False
            raise
        return True

    def bucket(self, frozen: Frozen, bucket: str) -> Iterator[Entrant]:
        """Yield all records of a bucket as they are, in ASCII order of the names."""
        start: dict[str, Any] = {}
        while True:
            with overload_translated():
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :bucket",
                    ExpressionAttributeValues={":bucket": {"S": bucket_key(frozen.campaign_id, bucket)}},
                    ConsistentRead=True,
                    **start,
                )
            yield from map(decode_entrant, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def entrant_put(table: str, frozen: Frozen, before: Entrant | None, after: Entrant) -> Any:
    """Return a record's replacement as the parameters of PutItem, which are those of a Put in a transaction, too."""
    condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
    if before is not None:
        condition = {
            "ConditionExpression": "v = :seen",
            "ExpressionAttributeValues": {":seen": {"N": str(before.version)}},
        }
    version = 1 if before is None else before.version + 1
    item = {"pk": {"S": _bucket_of(frozen, after.name)}, **encode_entrant(after), "v": {"N": str(version)}}
    return {"TableName": table, "Item": item, **condition}


def _bucket_of(frozen: Frozen, name: str) -> str:
    return bucket_key(frozen.campaign_id, name[: frozen.bucket_chars])


def encode_entrant(entrant: Entrant) -> dict[str, Any]:
    """Return the attributes of a record but for its pk and version; what is empty is left out.

    The names are short because each item has them, and pays for them.
    """
    texts = {
        "sk": entrant.name,
        "o": entrant.owner,
        "u": entrant.sub,
        "e": encode_entries(entrant.entries),
        "g": encode_grants(entrant.grants),
    }
    return {name: {"S": text} for name, text in texts.items() if text}


def decode_entrant(item: Item) -> Entrant:
    """Return the record of an item in DynamoDB's typed form, as tables and streams give it; KeyError, IndexError or
    ValueError if it is none.
    """
    return Entrant(
        name=item["sk"]["S"],
        owner=item["o"]["S"],
        sub=item["u"]["S"],
        entries=decode_entries(item["e"]["S"]) if "e" in item else (),
        grants=decode_grants(item["g"]["S"]) if "g" in item else (),
        version=int(item["v"]["N"]),
    )
