"""Our own way, through the product's real use cases and adapters: nothing here decides anything about stock."""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any, Self, override

from benchmarks.engine import SESSION
from benchmarks.patterns import GRANTED, Answer, Environment, Pattern, Reply
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.keys import parse_shard_key
from brandday.adapters.stock_stream import read_change
from brandday.adapters.stock_table import StockTable, decode_shard
from brandday.adapters.summary_table import SummaryTable
from brandday.domain.campaign import Campaign, Eligibility, LatePayment, Shopper, Sku
from brandday.domain.errors import AllHeld, SoldOut, TemporarilyOverloaded
from brandday.domain.money import Money
from brandday.domain.reservation_id import reservation_id
from brandday.domain.shard import Shard
from brandday.domain.stock import Claim
from brandday.usecases.keep_summary import KeepSummary
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.manage_reservation import ManageReservation
from brandday.usecases.operate_campaign import OperateCampaign
from brandday.usecases.project_stock import ProjectStock
from brandday.usecases.reserve_units import ReserveUnits
from brandday_local.template_tables import table_shape

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CAMPAIGN = "brand-day-rush"
SKU = "HERO"
STREAM_BATCH = 100
"""As in the template's event source mapping."""

_HOUR_MS = 3_600_000


class Shards(Pattern):
    """Shards that record their claims: one write per sale as long as the shopper's home shard has a unit."""

    name = "ours: shards with claims"
    oversells = False
    config_operation = "Query"

    def __init__(self, run: str) -> None:
        self.stock_table = f"Stock-{run}"
        self.campaign_table = f"Campaign-{run}"

    @classmethod
    def of_tables(cls, stock_table: str, campaign_table: str) -> Self:
        """Return the pattern over tables that are there already."""
        pattern = cls("")
        pattern.stock_table, pattern.campaign_table = stock_table, campaign_table
        return pattern

    @override
    def create(self, client: "DynamoDBClient", stock: int, now_ms: int) -> None:
        client.create_table(TableName=self.stock_table, **table_shape("StockTable"))
        client.create_table(TableName=self.campaign_table, **table_shape("CampaignTable"))
        publish(client, self.stock_table, self.campaign_table, flash_sale(stock, now_ms), now_ms)

    @override
    def environment(self, client: "DynamoDBClient", now: Callable[[], int]) -> Environment:
        campaigns = LiveCampaigns(CampaignTable(client, self.campaign_table), now)
        return _Environment(ReserveUnits(campaigns, StockTable(client, self.stock_table), now))

    @override
    def background(self, client: "DynamoDBClient", now: Callable[[], int]) -> Callable[[], None]:
        campaigns = LiveCampaigns(CampaignTable(client, self.campaign_table), now)
        keep_summary = KeepSummary(SummaryTable(client, self.campaign_table), now)
        project = ProjectStock(campaigns, keep_summary, _NoQueue(), now)
        stream = _Stream(client, self.stock_table)

        def follow() -> None:
            for records in batched(stream.new_records(), STREAM_BATCH, strict=False):
                project([change for record in records if (change := read_change(record)) is not None])

        return follow

    @override
    def settle(self, client: "DynamoDBClient", now_ms: int) -> None:
        campaigns = LiveCampaigns(CampaignTable(client, self.campaign_table), lambda: now_ms)
        manage = ManageReservation(campaigns, StockTable(client, self.stock_table), lambda: now_ms)
        for shard in shards(client, self.stock_table):
            for name, entry in shard.entries():
                if entry.units:
                    manage.confirm(reservation_id(CAMPAIGN, name, Claim(shard.number, entry)), "order")

    @override
    def claims(self, client: "DynamoDBClient") -> list[str]:
        return [
            name
            for shard in shards(client, self.stock_table)
            for name, entry in shard.entries()
            for _ in range(entry.units)
        ]

    @override
    def drop(self, client: "DynamoDBClient") -> None:
        client.delete_table(TableName=self.stock_table)
        client.delete_table(TableName=self.campaign_table)


class _Environment(Environment):
    def __init__(self, reserve: ReserveUnits) -> None:
        self._reserve = reserve

    @override
    def claim(self, shopper_id: str, now_ms: int) -> Reply:
        shopper = Shopper(shopper_id, channel="app")
        try:
            self._reserve(shopper, CAMPAIGN, SKU, 1, f"key-of-{shopper_id}")
        except (AllHeld, SoldOut) as refused:
            return Reply(Answer.REFUSED, refused.retry_after_ms or 1000)
        except TemporarilyOverloaded as busy:
            return Reply(Answer.TRY_AGAIN, busy.retry_after_ms or 1000)
        return GRANTED


class _NoQueue:
    """Takes the timers of holds and drops them: none of them ends within a rush."""

    def send(self, reminders: Sequence[tuple[str, int, int]], now: int) -> None:
        """Drop them."""


class _Stream:
    """The new records of a table's stream, each once, in order per shard of the stream."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        arn = client.describe_table(TableName=table)["Table"]["LatestStreamArn"]
        self._streams: Any = SESSION.client(  # the stubs of this service are not installed
            "dynamodbstreams", endpoint_url=client.meta.endpoint_url
        )
        self._arn = arn
        self._seen: dict[str, str] = {}

    def new_records(self) -> Iterator[Any]:
        description = self._streams.describe_stream(StreamArn=self._arn)["StreamDescription"]
        for shard in description["Shards"]:
            iterator = self._iterator(shard["ShardId"])
            while iterator:
                try:
                    page = self._streams.get_records(ShardIterator=iterator)
                except self._streams.exceptions.TrimmedDataAccessException:
                    # DynamoDB Local says so, now and then, of records that it still has: asked for afresh next time,
                    # after the last one that was seen (https://github.com/aws/aws-sdk-java/issues/2923).
                    break
                iterator = page.get("NextShardIterator", "")
                for record in page["Records"]:
                    self._seen[shard["ShardId"]] = record["dynamodb"]["SequenceNumber"]
                    yield record["dynamodb"]
                if not page["Records"]:
                    break

    def _iterator(self, shard: str) -> str:
        # Asked for afresh each time: DynamoDB Local loses an iterator that was made while the stream was empty.
        where: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if shard in self._seen:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._seen[shard]}
        answer = self._streams.get_shard_iterator(StreamArn=self._arn, ShardId=shard, **where)
        return str(answer["ShardIterator"])


def flash_sale(
    stock: int, starts_at: int, *, limit: int = 1, hold_seconds: int = 600, campaign_id: str = CAMPAIGN
) -> Campaign:
    """Return a campaign of one SKU that starts at `starts_at` (epoch ms) and runs for an hour."""
    price = Money(990, "CNY")
    hero = Sku(SKU, {"en": "Hero"}, price, price, stock, units_per_shopper=limit)
    return Campaign(
        id=campaign_id,
        title={"en": "Rush"},
        mechanic="flash_sale",
        time_zone="Asia/Shanghai",
        starts_at=starts_at,
        ends_at=starts_at + _HOUR_MS,
        channels=("app",),
        skus=(hero,),
        limit_per_shopper=limit,
        hold_seconds=hold_seconds,
        extend_seconds=0,
        late_payment=LatePayment.REJECT,
        eligibility=Eligibility(),
    )


def publish(client: "DynamoDBClient", stock_table: str, campaign_table: str, campaign: Campaign, now_ms: int) -> None:
    """Apply and publish a campaign as an operator does; the same moment gives the same layout."""
    campaigns, stock = CampaignTable(client, campaign_table), StockTable(client, stock_table)
    operate = OperateCampaign(campaigns, stock, lambda: now_ms, random.Random(now_ms).randbytes, lambda _: ())
    operate.apply(campaign, "benchmark", publish=True)


def shards(client: "DynamoDBClient", stock_table: str, campaign_id: str = CAMPAIGN) -> Iterator[Shard]:
    """Yield every shard of a campaign that was ever written, as it is in the table."""
    for page in client.get_paginator("scan").paginate(TableName=stock_table, ConsistentRead=True):
        for item in page["Items"]:
            of_campaign, number = parse_shard_key(item["pk"]["S"])
            if of_campaign == campaign_id:
                yield decode_shard(number, item)
