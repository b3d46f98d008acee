"""Counts of a lottery's entries by table version, in a few items of CampaignTable per campaign."""

import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_condition_failure, overload_translated
from brandday.adapters.keys import entry_counts_key, entry_counts_part_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTS = 8
"""A hundred entries make one write, so 100,000 entries a second make 125 a second per item."""


class EntryCountTable:
    """Adds up what consumers of the stream have seen; the same mark always goes to the same part."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def add(self, campaign_id: str, counts: Mapping[int, int], mark: str) -> None:
        """Add counts by table version, unless ``mark`` was the last one that its part was given."""
        part = entry_counts_part_key(zlib.crc32(mark.encode()) % PARTS)
        values: Any = {f":n{version}": {"N": str(count)} for version, count in counts.items()}
        try:
            with overload_translated():
                self._client.update_item(
                    TableName=self._table,
                    Key={"pk": {"S": entry_counts_key(campaign_id)}, "sk": {"S": part}},
                    UpdateExpression="SET mark = :mark ADD "
                    + ", ".join(f"t{version} :n{version}" for version in counts),
                    ConditionExpression="attribute_not_exists(mark) OR mark <> :mark",
                    ExpressionAttributeValues={**values, ":mark": {"S": mark}},
                )
        except ClientError as error:
            if not is_condition_failure(error):
                raise

    def load(self, campaign_id: str) -> dict[int, int]:
        """Return the counts by table version, over all parts."""
        with overload_translated():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": entry_counts_key(campaign_id)}},
            )
        counts: dict[int, int] = {}
        for item in answer["Items"]:
            for name, value in item.items():
                if "N" in value:
                    counts[int(name[1:])] = counts.get(int(name[1:]), 0) + int(value["N"])
        return counts
