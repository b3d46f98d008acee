"""What was sealed and drawn, in CampaignTable: one item per part, each put on condition that there is none."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_condition_failure, overload_translated
from brandday.adapters.keys import draw_count_key, draw_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DrawTable:
    """Reads and writes the parts of seals and draws; every method raises TemporarilyOverloaded when it is too busy."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def keep(self, campaign_id: str, part: str, text: str) -> str:
        """Store a part unless there is one of that name; return the one that is there now, for good."""
        try:
            with overload_translated():
                self._client.put_item(
                    TableName=self._table,
                    Item={**_key(campaign_id, part), "text": {"S": text}},
                    ConditionExpression="attribute_not_exists(pk)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            there: str = error.response["Item"]["text"]["S"]  # type: ignore[typeddict-item]
            return there
        return text

    def read(self, campaign_id: str, part: str) -> str | None:
        """Return the text of a part, None if it is not there."""
        item = self._item(campaign_id, part)
        return None if item is None else item["text"]["S"]

    def list(self, campaign_id: str, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield all parts whose names begin with ``prefix``, and their texts, in order of names."""
        start: dict[str, Any] = {}
        while True:
            with overload_translated():
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                    ExpressionAttributeValues={":pk": {"S": draw_key(campaign_id)}, ":prefix": {"S": prefix}},
                    ConsistentRead=True,
                    **start,
                )
            for item in page["Items"]:
                yield item["sk"]["S"], item["text"]["S"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def count(self, campaign_id: str, what: str) -> int:
        """Return how many of something are done."""
        item = self._item(campaign_id, draw_count_key(what))
        return 0 if item is None else int(item["done"]["N"])

    def mark(self, campaign_id: str, what: str, done: int) -> None:
        """Remember how many are done; never goes back."""
        try:
            with overload_translated():
                self._client.put_item(
                    TableName=self._table,
                    Item={**_key(campaign_id, draw_count_key(what)), "done": {"N": str(done)}},
                    ConditionExpression="attribute_not_exists(pk) OR done < :done",
                    ExpressionAttributeValues={":done": {"N": str(done)}},
                )
        except ClientError as error:
            if not is_condition_failure(error):
                raise

    def _item(self, campaign_id: str, part: str) -> Any:
        with overload_translated():
            answer = self._client.get_item(TableName=self._table, Key=_key(campaign_id, part), ConsistentRead=True)
        return answer.get("Item")


def _key(campaign_id: str, part: str) -> dict[str, Any]:
    return {"pk": {"S": draw_key(campaign_id)}, "sk": {"S": part}}
