"""How the audit reads the tables: consistent reads only, shard by shard, and never a write."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_overload
from brandday_cli.audit_records import RawItem

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import BatchGetItemOutputTypeDef

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


class DynamoAuditTables:
    """The real tables, through DynamoDB's low-level client; ``sleep`` is for tests."""

    def __init__(
        self,
        client: "DynamoDBClient",
        stock_table: str,
        campaign_table: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._client = client
        self._stock_table = stock_table
        self._campaign_table = campaign_table

    def read_config(self, campaign_id: str) -> RawItem | None:
        """Return the campaign's CONFIG item."""
        return self._get(f"CAMPAIGN#{campaign_id}", "CONFIG")

    def _get(self, pk: str, sk: str) -> RawItem | None:
        answer = self._patiently(
            lambda: self._client.get_item(
                TableName=self._campaign_table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
            )
        )
        return answer.get("Item")

    def read_shards(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield each shard's item in order, 100 to a call."""
        batch: list[int] = []
        for shard in shards:
            batch.append(shard)
            if len(batch) == BATCH_SIZE:
                yield from self._read_batch(campaign_id, batch)
                batch = []
        if batch:
            yield from self._read_batch(campaign_id, batch)

    def _read_batch(self, campaign_id: str, shards: list[int]) -> Iterator[tuple[int, RawItem | None]]:
        keys: list[dict[str, Any]] = [{"pk": {"S": f"{campaign_id}#{shard}"}} for shard in shards]
        found: dict[str, RawItem] = {}
        for attempt in range(MOST_TRIES):
            answer = self._get_batch(keys)
            found.update((item["pk"]["S"], item) for item in answer["Responses"].get(self._stock_table, []))
            if self._stock_table not in answer["UnprocessedKeys"]:
                break
            keys = [dict(key) for key in answer["UnprocessedKeys"][self._stock_table]["Keys"]]
            self._sleep(0.05 * 2**attempt)
        else:
            raise TimeoutError(f"DynamoDB left {len(keys)} shards unread after {MOST_TRIES} tries")
        for shard in shards:
            yield shard, found.get(f"{campaign_id}#{shard}")

    def _get_batch(self, keys: list[dict[str, Any]]) -> "BatchGetItemOutputTypeDef":
        return self._patiently(
            lambda: self._client.batch_get_item(
                RequestItems={self._stock_table: {"Keys": keys, "ConsistentRead": True}}
            )
        )

    def read_together(self, campaign_id: str, shards: Sequence[int]) -> dict[int, RawItem | None]:
        """Return the shards as of one moment; a transaction that a writer cancels is tried again."""
        answer = self._patiently(
            lambda: self._client.transact_get_items(
                TransactItems=[
                    {"Get": {"TableName": self._stock_table, "Key": {"pk": {"S": f"{campaign_id}#{shard}"}}}}
                    for shard in shards
                ]
            )
        )
        items: list[Mapping[str, Any]] = list(answer["Responses"])
        return {shard: item.get("Item") for shard, item in zip(shards, items, strict=True)}

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

    def _patiently[Answer](self, call: Callable[[], Answer]) -> Answer:
        """Make a read again while DynamoDB is too busy for it (a throttle, or a write to the same items)."""
        for attempt in range(MOST_TRIES - 1):
            try:
                return call()
            except ClientError as error:
                if not is_overload(error):
                    raise
                self._sleep(0.05 * 2**attempt)
        return call()
