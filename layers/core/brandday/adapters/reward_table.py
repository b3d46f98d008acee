"""Rewards in RewardTable: one item each, every change of it a put on condition of the version that was read.

The index `by_status` lists a campaign's rewards in parts, so that a sale that ends in a second does not queue up at one
of its keys; a page goes through the parts one after the other.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_condition_failure, overload_translated
from brandday.adapters.keys import (
    REWARD_INDEX,
    STATUS_PARTS,
    parse_reward_sort_key,
    reward_sort_key,
    status_key,
    status_part,
    status_prefix,
    status_range,
    status_sort_key,
)
from brandday.domain.fulfilment import RewardKind
from brandday.domain.layout import from_base64url, to_base64url
from brandday.domain.reward import Lease, Reward, RewardStatus
from brandday.domain.reward_id import parse_reward_id, reward_id
from brandday.usecases.reward_ports import Page

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Any]
"""An item as boto3's low-level client gives it: {"version": {"N": "3"}}."""

_IN_KEYS = frozenset(("id", "owner", "campaign_id"))
_MAX_KEY = 200
_STORED = tuple(field.name for field in fields(Reward) if field.name not in _IN_KEYS and field.name != "lease")


class _Range(NamedTuple):
    """Some sort keys of one partition of the index."""

    part: int
    prefix: str


class RewardTable:
    """Reads and writes rewards; every method raises TemporarilyOverloaded when the table is too busy."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def create(self, reward: Reward) -> bool:
        """Store a new reward; False if it is there already, which then stays as it is."""
        return self._put(reward, 1, {"ConditionExpression": "attribute_not_exists(pk)"})

    def get(self, reward_id: str) -> Reward | None:
        """Return a reward as it is at this moment, or None if there is none (or the id cannot be one)."""
        parsed = parse_reward_id(reward_id)
        if parsed is None:
            return None
        owner, at, campaign_id = parsed
        with overload_translated():
            answer = self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": owner}, "sk": {"S": reward_sort_key(at, campaign_id)}},
                ConsistentRead=True,
            )
        return decode_reward(answer["Item"]) if "Item" in answer else None

    def save(self, before: Reward, after: Reward) -> bool:
        """Replace `before` if nobody else has meanwhile; False, and nothing is written, if somebody has."""
        condition = {
            "ConditionExpression": "version = :seen",
            "ExpressionAttributeValues": {":seen": {"N": str(before.version)}},
        }
        return self._put(after, before.version + 1, condition)

    def of_owner(self, owner: str, *, limit: int, after: str | None = None) -> Page:
        """Return a shopper's rewards as they are at this moment, newest first."""
        start: dict[str, Any] = {}
        if after is not None:
            (sort_key,) = _read_cursor(after, str)
            start = {"ExclusiveStartKey": {"pk": {"S": owner}, "sk": {"S": sort_key}}}
        with overload_translated():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :owner",
                ExpressionAttributeValues={":owner": {"S": owner}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=limit + 1,  # one more tells whether there is another page
                **start,
            )
        items = answer["Items"]
        following = _cursor(items[limit - 1]["sk"]["S"]) if len(items) > limit else None
        return Page(tuple(map(decode_reward, items[:limit])), following)

    def in_status(
        self, campaign_id: str, status: RewardStatus, *, until: int | None = None, limit: int, after: str | None = None
    ) -> Page:
        """Return rewards of a campaign that came into a status up to `until` (epoch ms), the oldest first per part."""
        prefixes = [status_prefix(status)]
        if status is RewardStatus.FORFEITED:
            prefixes.append(status_prefix(status, owes=True))
        return self._page(campaign_id, prefixes, until, limit, after)

    def owing(self, campaign_id: str, *, limit: int, after: str | None = None) -> Page:
        """Return forfeited rewards of a campaign whose units have not gone back."""
        return self._page(campaign_id, [status_prefix(RewardStatus.FORFEITED, owes=True)], None, limit, after)

    def _page(self, campaign_id: str, prefixes: list[str], until: int | None, limit: int, after: str | None) -> Page:
        ranges = [_Range(part, prefix) for part in range(STATUS_PARTS) for prefix in prefixes]
        found: list[tuple[int, Item]] = []
        first, start = _index_position(campaign_id, ranges, after)
        for number in range(first, len(ranges)):
            more = True
            while more:
                answer = self._query(campaign_id, ranges[number], until, limit + 1 - len(found), start)
                found += [(number, item) for item in answer["Items"]]
                if len(found) > limit:
                    return Page(tuple(decode_reward(item) for _, item in found[:limit]), _position(*found[limit - 1]))
                start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]} if "LastEvaluatedKey" in answer else {}
                more = bool(start)
        return Page(tuple(decode_reward(item) for _, item in found), None)

    def _query(self, campaign_id: str, where: _Range, until: int | None, limit: int, start: dict[str, Any]) -> Any:
        first, last = status_range(where.prefix, until)
        with overload_translated():
            return self._client.query(
                TableName=self._table,
                IndexName=REWARD_INDEX,
                KeyConditionExpression="gpk = :part AND gsk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":part": {"S": status_key(campaign_id, where.part)},
                    ":first": {"S": first},
                    ":last": {"S": last},
                },
                Limit=limit,
                **start,
            )

    def _put(self, reward: Reward, version: int, condition: dict[str, Any]) -> bool:
        item = encode_reward(reward) | {"version": {"N": str(version)}}
        try:
            with overload_translated():
                self._client.put_item(TableName=self._table, Item=item, **condition)
        except ClientError as error:
            if is_condition_failure(error):
                return False
            raise
        return True


def encode_reward(reward: Reward) -> dict[str, Any]:
    """Return the item of a reward: what is None is left out, what is in the keys is nowhere else."""
    parsed = parse_reward_id(reward.id)
    if parsed is None or (parsed[0], parsed[2]) != (reward.owner, reward.campaign_id):
        raise ValueError(f"{reward.id!r} is not the id of a reward of {reward.owner!r} in {reward.campaign_id!r}")
    sort_key = reward_sort_key(parsed[1], reward.campaign_id)
    item = {
        "pk": {"S": reward.owner},
        "sk": {"S": sort_key},
        "gpk": {"S": status_key(reward.campaign_id, status_part(reward.owner))},
        "gsk": {"S": status_sort_key(reward.status, reward.status_at, sort_key, owes=reward.owes_units)},
    }
    item |= {name: _typed(getattr(reward, name)) for name in _STORED if getattr(reward, name) is not None}
    if reward.lease is not None:
        item |= {"lease_holder": {"S": reward.lease.holder}, "lease_until": {"N": str(reward.lease.until)}}
    return item


def decode_reward(item: Item) -> Reward:
    """Return the reward of an item in DynamoDB's typed form, as tables and streams give it; KeyError or ValueError if
    it is none.
    """
    owner = item["pk"]["S"]
    at, campaign_id = parse_reward_sort_key(item["sk"]["S"])
    stored = {name: _plain(item[name]) for name in _STORED if name in item}
    stored["kind"] = RewardKind(stored["kind"])
    stored["status"] = RewardStatus(stored["status"])
    lease = Lease(item["lease_holder"]["S"], int(item["lease_until"]["N"])) if "lease_holder" in item else None
    return Reward(id=reward_id(owner, at, campaign_id), owner=owner, campaign_id=campaign_id, lease=lease, **stored)


def _typed(value: str | int | bytes) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case _:
            return {"S": str(value)}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    if kind == "N":
        return int(inner)
    if kind == "B" and isinstance(inner, str):  # in a stream's event, which is JSON
        return base64.b64decode(inner)
    return inner


def _position(number: int, item: Item) -> str:
    return _cursor(number, item["pk"]["S"], item["sk"]["S"], item["gsk"]["S"])


def _index_position(campaign_id: str, ranges: list[_Range], after: str | None) -> tuple[int, dict[str, Any]]:
    """Return the number of the range a page begins in, and the key after which; ValueError for what is no cursor."""
    if after is None:
        return 0, {}
    number, owner, sort_key, index_key = _read_cursor(after, int, str, str, str)
    if not 0 <= number < len(ranges) or not index_key.startswith(ranges[number].prefix):
        raise ValueError("a cursor of another list")
    key = {"pk": owner, "sk": sort_key, "gpk": status_key(campaign_id, ranges[number].part), "gsk": index_key}
    return number, {"ExclusiveStartKey": {name: {"S": text} for name, text in key.items()}}


def _cursor(*parts: str | int) -> str:
    return to_base64url(json.dumps(parts, separators=(",", ":")).encode())


def _read_cursor(text: str, *kinds: type) -> list[Any]:
    """Return the parts of a cursor; ValueError if it has others than of these kinds."""
    try:
        parts = json.loads(from_base64url(text))
    except ValueError as error:
        raise ValueError("not a cursor") from error
    if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds) or "" in parts:
        raise ValueError("not a cursor")
    if any(isinstance(part, str) and not (part.isascii() and len(part) <= _MAX_KEY) for part in parts):
        raise ValueError("no key of ours")  # DynamoDB would take it for a mistake of the code
    return parts
