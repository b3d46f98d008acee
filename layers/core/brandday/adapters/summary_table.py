"""The summary's tallies and subtotals in CampaignTable."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_condition_failure, overload_translated
from brandday.adapters.keys import CAMPAIGN_COPIES, SUMMARY, campaign_key, summary_group_key, summary_key
from brandday.domain.summary import ShardTally, Subtotal, decode_tally, encode_subtotal, encode_tally

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class SummaryTable:
    """Keeps one item of tallies per group of shards, and one item with all subtotals of a campaign."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def load_group(self, campaign_id: str, group: int) -> tuple[int, dict[int, ShardTally]]:
        """Return a group's item version (0 if there is none) and the tallies of its shards."""
        with overload_translated():
            item = self._client.get_item(
                TableName=self._table, Key=_group_key(campaign_id, group), ConsistentRead=True
            ).get("Item", {})
        tallies = {
            int(name[1:]): decode_tally(value["S"]) for name, value in item.items() if name[0] == "s" and name != "sk"
        }
        return int(item["v"]["N"]) if "v" in item else 0, tallies

    def save_group(self, campaign_id: str, group: int, version: int, changed: Mapping[int, ShardTally]) -> bool:
        """Save changed tallies if the item still has ``version``; False if it has moved on."""
        values: dict[str, Any] = {f":s{number}": {"S": encode_tally(tally)} for number, tally in changed.items()}
        values |= {":one": {"N": "1"}}
        condition = "attribute_not_exists(v)"
        if version:
            condition = "v = :version"
            values[":version"] = {"N": str(version)}
        return self._update(
            _group_key(campaign_id, group),
            f"SET {', '.join(f's{number} = :s{number}' for number in changed)} ADD v :one",
            condition,
            values,
        )

    def save_subtotal(self, campaign_id: str, group: int, total: Subtotal, as_of: int) -> None:
        """Save a group's subtotal in each copy unless one as new is there; ``as_of`` is when it was made, in epoch ms.

        Whoever stops half-way is told of the same shards again by the stream, and fills in the rest.
        """
        for copy in range(CAMPAIGN_COPIES):
            self._update(
                {"pk": {"S": campaign_key(campaign_id, copy)}, "sk": {"S": SUMMARY}},
                f"SET c{group} = :total, v{group} = :version, as_of = :as_of",
                f"attribute_not_exists(v{group}) OR v{group} < :version",
                {
                    ":total": {"S": encode_subtotal(total)},
                    ":version": {"N": str(total.version)},
                    ":as_of": {"N": str(as_of)},
                },
            )

    def _update(self, key: Any, update: str, condition: str, values: Mapping[str, Any]) -> bool:
        try:
            with overload_translated():
                self._client.update_item(
                    TableName=self._table,
                    Key=key,
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=values,
                )
        except ClientError as error:
            if is_condition_failure(error):
                return False
            raise
        return True


def _group_key(campaign_id: str, group: int) -> Any:
    return {"pk": {"S": summary_key(campaign_id)}, "sk": {"S": summary_group_key(group)}}
