"""How the audit reads CouponTable, and the jobs beside the campaign: never a write."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from brandday_cli.audit_coupon_records import MOST_CODES
from brandday_cli.audit_records import RawItem
from brandday_cli.audit_tables import PatientReads

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


class CouponTableNames(NamedTuple):
    """The tables that the audit of coupons reads."""

    coupons: str
    stock: str
    campaigns: str


class DynamoCouponTables:
    """The real tables; ``sleep`` is for tests."""

    def __init__(
        self, client: "DynamoDBClient", tables: CouponTableNames, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._reads = PatientReads(client, sleep)
        self._client = client
        self._names = tables

    def read_part(self, campaign_id: str, part: int) -> Iterator[RawItem]:
        """Yield everything of one part of a campaign's coupons, as the index has it: a moment behind."""
        yield from self._pages(
            {
                "TableName": self._names.coupons,
                "IndexName": "by_campaign",
                "KeyConditionExpression": "gpk = :part",
                "ExpressionAttributeValues": {":part": {"S": f"{campaign_id}#{part}"}},
            }
        )

    def read_jobs(self, campaign_id: str) -> Iterator[RawItem]:
        """Yield what is kept of a campaign's jobs."""
        yield from self._pages(
            {
                "TableName": self._names.campaigns,
                "KeyConditionExpression": "pk = :jobs",
                "ExpressionAttributeValues": {":jobs": {"S": f"COUPONS#{campaign_id}"}},
                "ConsistentRead": True,
            }
        )

    def read_facts(self, ids: Sequence[str]) -> Iterator[RawItem]:
        """Yield the facts that are there, of up to 100 coupons, as they are now."""
        yield from self._reads.batch(self._names.coupons, [_key(each, "FACTS") for each in ids])

    def read_claims(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield the stock items."""
        yield from self._reads.shards(self._names.stock, campaign_id, shards)

    def read_moment(
        self, campaign_id: str, coupon: str | None, redemptions: Sequence[str], shard: int | None
    ) -> tuple[list[RawItem], RawItem | None]:
        """Return a coupon's items and all parts of up to nine redemptions, and a stock item, as they were at one
        moment.
        """
        table = self._names.coupons
        keys = [(table, _key(coupon, kind)) for kind in ("FACTS", "STATE") if coupon is not None]
        keys += [(table, _key(each, f"PART#{n:02d}")) for each in redemptions for n in range(MOST_CODES)]
        if shard is None:
            return [item for item in self._reads.together(keys) if item], None
        stock = (self._names.stock, {"pk": {"S": f"{campaign_id}#{shard}"}})
        *items, claims = self._reads.together([*keys, stock])
        return [item for item in items if item], claims

    def _pages(self, query: Any) -> Iterator[RawItem]:
        while True:
            answer = self._reads.call(lambda: self._client.query(**query))
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _key(pk: str, sort_key: str) -> RawItem:
    return {"pk": {"S": pk}, "sk": {"S": sort_key}}
