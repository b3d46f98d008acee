"""How the audit reads the tables: consistent reads only, shard by shard, and never a write."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_overload
from brandday_cli.audit_records import RawItem
from brandday_cli.audit_reward_records import RewardKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

BATCH_SIZE = 100
"""Most keys of one BatchGetItem, and most items of one TransactGetItems."""

SHARDS_PER_SUMMARY_CHUNK = 256
MOST_TRIES = 10


class AuditTables(Protocol):
    """What the audit needs to read; tests hand in a fake."""

    def read_config(self, campaign_id: str, /) -> RawItem | None:
        """Return the campaign's CONFIG item."""

    def read_shards(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield each shard's item, or ``None`` where nobody has written one yet."""

    def read_together(self, campaign_id: str, shards: Sequence[int]) -> dict[int, RawItem | None]:
        """Return up to 100 shards as they were at one moment."""

    def read_summary_chunks(self, campaign_id: str, shards: int, /) -> Iterator[RawItem]:
        """Yield the campaign's summary chunk items."""

    def scan_keys(self, campaign_id: str) -> Iterator[str]:
        """Yield the key of every stock item of the campaign, by a scan of the whole table."""


class LotteryTableNames(NamedTuple):
    """The tables that the audit of a lottery reads."""

    entries: str
    stock: str
    campaigns: str
    rewards: str


class PatientReads:
    """Reads that are made again while DynamoDB is too busy for them; ``sleep`` is for tests."""

    def __init__(self, client: "DynamoDBClient", sleep: Callable[[float], None] = time.sleep) -> None:
        self.client = client
        self._sleep = sleep

    def call[Answer](self, call: Callable[[], Answer]) -> Answer:
        """Make a call again after a throttle, or after a write to the same items."""
        for attempt in range(MOST_TRIES - 1):
            try:
                return call()
            except ClientError as error:
                if not is_overload(error):
                    raise
                self._sleep(0.05 * 2**attempt)
        return call()

    def batch(self, table: str, keys: Sequence[RawItem]) -> Iterator[RawItem]:
        """Yield the items of up to 100 keys that are there, in any order; raises TimeoutError if some stay unread."""
        left: list[dict[str, Any]] = [dict(key) for key in keys]
        for attempt in range(MOST_TRIES):
            request: Any = {table: {"Keys": left, "ConsistentRead": True}}
            answer = self.call(lambda request=request: self.client.batch_get_item(RequestItems=request))  # type: ignore[misc]  # bound at once
            yield from answer["Responses"].get(table, [])
            if table not in answer["UnprocessedKeys"]:
                return
            left = [dict(key) for key in answer["UnprocessedKeys"][table]["Keys"]]
            self._sleep(0.05 * 2**attempt)
        raise TimeoutError(f"DynamoDB left {len(left)} items unread after {MOST_TRIES} tries")

    def shards(self, table: str, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield the stock item of each shard in the order given, or ``None``."""
        for numbers in itertools.batched(shards, BATCH_SIZE, strict=False):
            keys = [shard_key(campaign_id, number) for number in numbers]
            found = {item["pk"]["S"]: item for item in self.batch(table, keys)}
            for number, key in zip(numbers, keys, strict=True):
                yield number, found.get(key["pk"]["S"])

    def together(self, keys: Sequence[tuple[str, RawItem]]) -> list[RawItem | None]:
        """Return up to 100 items, by table and key, as they were at one moment."""
        gets: list[Any] = [{"Get": {"TableName": table, "Key": key}} for table, key in keys]
        answer = self.call(lambda: self.client.transact_get_items(TransactItems=gets))
        return [response.get("Item") for response in answer["Responses"]]


class DynamoAuditTables:
    """The real tables, through DynamoDB's low-level client; ``sleep`` is for tests."""

    def __init__(
        self,
        client: "DynamoDBClient",
        stock_table: str,
        campaign_table: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reads = PatientReads(client, sleep)
        self._client = client
        self._stock_table = stock_table
        self._campaign_table = campaign_table

    def read_config(self, campaign_id: str) -> RawItem | None:
        """Return the campaign's CONFIG item."""
        return self._get(f"CAMPAIGN#{campaign_id}", "CONFIG")

    def _get(self, pk: str, sk: str) -> RawItem | None:
        answer = self._reads.call(
            lambda: self._client.get_item(
                TableName=self._campaign_table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
            )
        )
        return answer.get("Item")

    def read_shards(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield each shard's item in order, 100 to a call."""
        yield from self._reads.shards(self._stock_table, campaign_id, shards)

    def read_together(self, campaign_id: str, shards: Sequence[int]) -> dict[int, RawItem | None]:
        """Return the shards as of one moment; a transaction that a writer cancels is tried again."""
        keys = [(self._stock_table, shard_key(campaign_id, shard)) for shard in shards]
        return dict(zip(shards, self._reads.together(keys), strict=True))

    def read_summary_chunks(self, campaign_id: str, shards: int) -> Iterator[RawItem]:
        """Yield the campaign's summary chunk items, one for each 256 shards."""
        for chunk in range((shards + SHARDS_PER_SUMMARY_CHUNK - 1) // SHARDS_PER_SUMMARY_CHUNK):
            item = self._get(f"SUMMARY#{campaign_id}", f"{chunk:05d}")
            if item is not None:
                yield item

    def scan_keys(self, campaign_id: str) -> Iterator[str]:
        """Yield the key of every stock item of the campaign; reads the whole table, so it is slow."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._stock_table,
            ConsistentRead=True,
            ProjectionExpression="pk",
            FilterExpression="begins_with(pk, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": f"{campaign_id}#"}},
        )
        for page in pages:
            for item in page["Items"]:
                yield item["pk"]["S"]


class DynamoRewardTables:
    """The real RewardTable, and the stock that its rewards come from; ``sleep`` is for tests."""

    def __init__(
        self,
        client: "DynamoDBClient",
        stock_table: str,
        reward_table: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reads = PatientReads(client, sleep)
        self._client = client
        self._stock_table = stock_table
        self._reward_table = reward_table

    def read_rewards(self, keys: Sequence[RewardKey]) -> Iterator[RawItem]:
        """Yield the rewards that are there, of up to 100, as they are now."""
        yield from self._reads.batch(self._reward_table, [key.as_item() for key in keys])

    def read_pair(self, campaign_id: str, shard: int, key: RewardKey) -> tuple[RawItem | None, RawItem | None]:
        """Return a stock item and a reward as they were at one moment."""
        item, reward = self._reads.together(
            [(self._stock_table, shard_key(campaign_id, shard)), (self._reward_table, key.as_item())]
        )
        return item, reward

    def read_claims(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield the stock items, 100 to a call."""
        yield from self._reads.shards(self._stock_table, campaign_id, shards)

    def read_index(self, campaign_id: str, bucket: int) -> Iterator[Sequence[RawItem]]:
        """Yield one bucket of the index by status, a page at a time."""
        query: Any = {
            "TableName": self._reward_table,
            "IndexName": "by_status",
            "KeyConditionExpression": "gpk = :bucket",
            "ExpressionAttributeValues": {":bucket": {"S": f"{campaign_id}#{bucket}"}},
        }
        while True:
            answer = self._reads.call(lambda: self._client.query(**query))
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


class DynamoLotteryTables:
    """The real EntryTable, with the stock and the rewards that its wins lead to; ``sleep`` is for tests."""

    def __init__(
        self,
        client: "DynamoDBClient",
        tables: LotteryTableNames,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._reads = PatientReads(client, sleep)
        self._client = client
        self._names = tables

    def read_seed(self, campaign_id: str) -> bytes | None:
        """Return the lottery's seed; ask for it only after the end."""
        key: Any = {"pk": {"S": f"SEED#{campaign_id}"}, "sk": {"S": "SEED"}}
        answer = self._reads.call(
            lambda: self._client.get_item(TableName=self._names.campaigns, Key=key, ConsistentRead=True)
        )
        return bytes(answer["Item"]["seed"]["B"]) if "Item" in answer else None

    def read_parts(self, campaign_id: str, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield the parts of a sealed list and a draw whose names begin with ``prefix``, and their texts, in order."""
        query: Any = {
            "TableName": self._names.campaigns,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":pk": {"S": f"DRAW#{campaign_id}"}, ":prefix": {"S": prefix}},
            "ConsistentRead": True,
        }
        yield from ((item["sk"]["S"], item["text"]["S"]) for item in self._pages(query))

    def _pages(self, query: Any) -> Iterator[RawItem]:
        while True:
            answer = self._reads.call(lambda: self._client.query(**query))
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def read_bucket(self, campaign_id: str, bucket: str) -> Iterator[RawItem]:
        """Yield all records of a bucket, in order of names, a page in memory at a time."""
        query: Any = {
            "TableName": self._names.entries,
            "KeyConditionExpression": "pk = :bucket",
            "ExpressionAttributeValues": {":bucket": {"S": f"{campaign_id}#{bucket}"}},
            "ConsistentRead": True,
        }
        yield from self._pages(query)

    def read_records(self, keys: Sequence[RawItem]) -> Iterator[RawItem]:
        """Yield the records that are there, of up to 100."""
        yield from self._reads.batch(self._names.entries, keys)

    def read_claims(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield the stock items, 100 to a call."""
        yield from self._reads.shards(self._names.stock, campaign_id, shards)

    def read_moment(
        self, campaign_id: str, record: RawItem, shards: Sequence[int], reward: RewardKey | None
    ) -> tuple[RawItem | None, dict[int, RawItem | None], RawItem | None]:
        """Return a record, some stock items and a reward (where one is asked for) as they were at one moment."""
        keys = [
            (self._names.entries, record),
            *((self._names.stock, shard_key(campaign_id, shard)) for shard in shards),
        ]
        if reward is not None:
            keys.append((self._names.rewards, reward.as_item()))
        found, *rest = self._reads.together(keys)
        return found, dict(zip(shards, rest, strict=False)), rest[-1] if reward is not None else None


def shard_key(campaign_id: str, shard: int) -> RawItem:
    """Return the key of a stock item."""
    return {"pk": {"S": f"{campaign_id}#{shard}"}}
