"""Operators' acts on rewards: the reward and the entry in its campaign's audit trail, in one transaction."""

from typing import TYPE_CHECKING, Any

from brandday.adapters.aws import overload_translated, transact
from brandday.adapters.campaign_table import encode_trail_entry
from brandday.adapters.keys import trail_key
from brandday.adapters.reward_table import encode_reward
from brandday.domain.reward import Reward
from brandday.domain.trail import TrailEntry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class RewardActs:
    """Writes acts and looks them up; every method raises TemporarilyOverloaded when the tables are too busy."""

    def __init__(self, client: "DynamoDBClient", reward_table: str, campaign_table: str) -> None:
        self._client = client
        self._reward_table = reward_table
        self._campaign_table = campaign_table

    def save(self, before: Reward, after: Reward, entry: TrailEntry) -> bool:
        """Replace `before` and add the entry, or neither: False if somebody else has replaced it meanwhile."""
        item = encode_reward(after) | {"version": {"N": str(before.version + 1)}}
        put_reward = {
            "TableName": self._reward_table,
            "Item": item,
            "ConditionExpression": "version = :seen",
            "ExpressionAttributeValues": {":seen": {"N": str(before.version)}},
        }
        put_entry = {"TableName": self._campaign_table, "Item": encode_trail_entry(after.campaign_id, entry)}
        writes: list[Any] = [{"Put": put_reward}, {"Put": put_entry}]
        return transact(self._client, writes)

    def has_done(self, campaign_id: str, who: str, act: str) -> bool:
        """Return whether `who` ever did `act` on the campaign: all of the trail is looked through, however long."""
        start: dict[str, Any] = {}
        while True:
            with overload_translated():
                answer = self._client.query(
                    TableName=self._campaign_table,
                    KeyConditionExpression="pk = :trail",
                    FilterExpression="who = :who AND act = :act",
                    ExpressionAttributeValues={
                        ":trail": {"S": trail_key(campaign_id)},
                        ":who": {"S": who},
                        ":act": {"S": act},
                    },
                    Select="COUNT",
                    ConsistentRead=True,
                    **start,
                )
            if answer["Count"]:
                return True
            if "LastEvaluatedKey" not in answer:
                return False
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
