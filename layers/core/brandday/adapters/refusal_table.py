"""Counts of refusals by code, in a few items of CampaignTable per campaign."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from brandday.adapters.aws import overload_translated
from brandday.adapters.keys import refusals_key, refusals_part_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTS = 8
"""A thousand environments that report every five seconds make 25 writes a second per item."""


class RefusalTable:
    """Adds up what environments report; an environment always writes to the same part."""

    def __init__(self, client: "DynamoDBClient", table: str, part: int = 0) -> None:
        self._client = client
        self._table = table
        self._part = part % PARTS

    def add(self, campaign_id: str, counts: Mapping[str, int]) -> None:
        """Add counts by code; TemporarilyOverloaded if the table is too busy."""
        names = {f"#c{at}": code for at, code in enumerate(counts)}
        values: Any = {f":n{at}": {"N": str(count)} for at, count in enumerate(counts.values())}
        with overload_translated():
            self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": refusals_key(campaign_id)}, "sk": {"S": refusals_part_key(self._part)}},
                UpdateExpression="ADD " + ", ".join(f"#c{at} :n{at}" for at in range(len(counts))),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )

    def load(self, campaign_id: str) -> dict[str, int]:
        """Return the counts by code, over all environments."""
        with overload_translated():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": refusals_key(campaign_id)}},
            )
        counts: dict[str, int] = {}
        for item in answer["Items"]:
            for code, value in item.items():
                if "N" in value:
                    counts[code] = counts.get(code, 0) + int(value["N"])
        return counts
