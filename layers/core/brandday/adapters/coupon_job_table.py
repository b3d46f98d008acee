"""Jobs that make coupons, and how many coupons they are counted with, in CampaignTable."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from brandday.adapters.aws import is_condition_failure, overload_translated, transact
from brandday.adapters.campaign_table import encode_trail_entry
from brandday.adapters.coupon_table import encode_facts
from brandday.adapters.keys import COUPON_JOB, ISSUED, coupon_job_key, coupon_jobs_key
from brandday.domain.coupon_job import CouponJob, Issued, JobKind
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.trail import TrailEntry

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

type Item = Mapping[str, Any]
"""An item as boto3's low-level client gives it: {"count": {"N": "3"}}."""


class CouponJobTable:
    """Reads and writes jobs; every method raises TemporarilyOverloaded when the tables are too busy."""

    def __init__(self, client: "DynamoDBClient", campaign_table: str, coupon_table: str) -> None:
        self._client = client
        self._table = campaign_table
        self._coupon_table = coupon_table

    def get(self, campaign_id: str, name: str) -> CouponJob | None:
        """Return a job as it is now, or None if there is none of this name."""
        item = self._item(campaign_id, coupon_job_key(name))
        return None if item is None else _decode(campaign_id, item)

    def of_campaign(self, campaign_id: str) -> Sequence[CouponJob]:
        """Return all jobs of a campaign as they are now, in order of names."""
        jobs: list[CouponJob] = []
        start: dict[str, Any] = {}
        while True:
            with overload_translated():
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk AND begins_with(sk, :job)",
                    ExpressionAttributeValues={
                        ":pk": {"S": coupon_jobs_key(campaign_id)},
                        ":job": {"S": COUPON_JOB},
                    },
                    ConsistentRead=True,
                    **start,
                )
            jobs += [_decode(campaign_id, item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return jobs
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def issued(self, campaign_id: str) -> Issued:
        """Return what all jobs of a campaign are counted with, as it is now."""
        item = self._item(campaign_id, ISSUED)
        return Issued() if item is None else Issued(int(item["count"]["N"]), int(item["next_at"]["N"]))

    def create(self, job: CouponJob, before: Issued, entry: TrailEntry) -> bool:
        """Store a new job, count its coupons and its moments, and note the act; False if the count has moved, or there
        is a job of this name.
        """
        put_job = {
            "TableName": self._table,
            "Item": _encode(job),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        put_entry = {"TableName": self._table, "Item": encode_trail_entry(job.campaign_id, entry)}
        after = Issued(before.count + job.count, job.at + job.size)
        return transact(
            self._client, [{"Put": put_job}, self._count(job.campaign_id, before, after), {"Put": put_entry}]
        )

    def add(self, job: CouponJob, coupons: Sequence[CouponFacts], before: Issued) -> bool:
        """Write these coupons and count them; False if the count has moved, or one of the coupons is there."""
        count_job = {
            "TableName": self._table,
            "Key": _key(job.campaign_id, coupon_job_key(job.name)),
            "UpdateExpression": "ADD #count :more",
            "ConditionExpression": "attribute_exists(pk)",
            "ExpressionAttributeNames": {"#count": "count"},
            "ExpressionAttributeValues": {":more": {"N": str(len(coupons))}},
        }
        puts = [
            {
                "Put": {
                    "TableName": self._coupon_table,
                    "Item": encode_facts(facts),
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            }
            for facts in coupons
        ]
        after = Issued(before.count + len(coupons), before.next_at)
        return transact(self._client, [{"Update": count_job}, self._count(job.campaign_id, before, after), *puts])

    def mark(self, job: CouponJob, done: int) -> None:
        """Remember that a job's numbers below ``done`` are made; never goes back."""
        try:
            with overload_translated():
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(job.campaign_id, coupon_job_key(job.name)),
                    UpdateExpression="SET done = :done",
                    ConditionExpression="done < :done",
                    ExpressionAttributeValues={":done": {"N": str(done)}},
                )
        except ClientError as error:
            if not is_condition_failure(error):
                raise

    def record(self, campaign_id: str, entry: TrailEntry) -> None:
        """Note an act in the campaign's audit trail."""
        with overload_translated():
            self._client.put_item(TableName=self._table, Item=encode_trail_entry(campaign_id, entry))

    def _count(self, campaign_id: str, before: Issued, after: Issued) -> dict[str, Any]:
        # Any act moves one of the two numbers on, so together they are the item's version.
        item = {
            **_key(campaign_id, ISSUED),
            "count": {"N": str(after.count)},
            "next_at": {"N": str(after.next_at)},
        }
        put: dict[str, Any] = {"TableName": self._table, "Item": item}
        if before == Issued():
            return {"Put": put | {"ConditionExpression": "attribute_not_exists(pk)"}}
        return {
            "Put": put
            | {
                "ConditionExpression": "#count = :count AND next_at = :next",
                "ExpressionAttributeNames": {"#count": "count"},
                "ExpressionAttributeValues": {
                    ":count": {"N": str(before.count)},
                    ":next": {"N": str(before.next_at)},
                },
            }
        }

    def _item(self, campaign_id: str, sort_key: str) -> Item | None:
        with overload_translated():
            answer = self._client.get_item(TableName=self._table, Key=_key(campaign_id, sort_key), ConsistentRead=True)
        return answer.get("Item")


def _key(campaign_id: str, sort_key: str) -> dict[str, Any]:
    return {"pk": {"S": coupon_jobs_key(campaign_id)}, "sk": {"S": sort_key}}


def _encode(job: CouponJob) -> dict[str, Any]:
    return {
        **_key(job.campaign_id, coupon_job_key(job.name)),
        "name": {"S": job.name},
        "kind": {"S": str(job.kind)},
        "size": {"N": str(job.size)},
        "digest": {"S": job.digest},
        "at": {"N": str(job.at)},
        "count": {"N": str(job.count)},
        "done": {"N": str(job.done)},
    }


def _decode(campaign_id: str, item: Item) -> CouponJob:
    return CouponJob(
        campaign_id=campaign_id,
        name=item["name"]["S"],
        kind=JobKind(item["kind"]["S"]),
        size=int(item["size"]["N"]),
        digest=item["digest"]["S"],
        at=int(item["at"]["N"]),
        count=int(item["count"]["N"]),
        done=int(item["done"]["N"]),
    )
