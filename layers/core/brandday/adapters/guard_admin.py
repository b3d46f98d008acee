"""What only operators do with GuardTable: look at cases, keep the lists, lift a refusal; and the lists' audit trail.

A listing is two items in one transaction: the one that gates read, alone under its mark, and one beside all others, for
paging through. The act's entry in CampaignTable is part of the same transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from brandday.adapters.aws import overload_translated, transact
from brandday.adapters.campaign_table import decode_trail_entry, encode_trail_entry
from brandday.adapters.guard_table import decode_case
from brandday.adapters.keys import (
    GUARD,
    case_key,
    cases_key,
    listing_key,
    listing_place,
    listings_key,
    parse_listing_place,
    parse_trail_entry_key,
    trail_key,
)
from brandday.domain.listing import LISTS_TRAIL, Listing, ListingKey
from brandday.domain.refusal_case import Case
from brandday.domain.risk import Listed
from brandday.domain.signals import SignalKind
from brandday.domain.trail import TrailEntry
from brandday.usecases.guard_desk_ports import CasePage, ListingPage, TrailPage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE: Final = 1000
"""Cases per call: some hundred KB, so that a call stays far below its time-out."""

KEPT_AFTER_MS: Final = 24 * 60 * 60 * 1000
"""How long a listing stays after its time is over: what was taken off can be taken off again without a 404."""

_KEYS_PER_READ: Final = 100
"""DynamoDB's bound for BatchGetItem."""


class GuardAdmin:
    """Reads and writes for operators; every method raises TemporarilyOverloaded when the tables are too busy."""

    def __init__(self, client: "DynamoDBClient", guard_table: str, campaign_table: str) -> None:
        self._client = client
        self._guard_table = guard_table
        self._campaign_table = campaign_table

    def cases(self, campaign_id: str, part: int, after: str | None) -> CasePage:
        """Return a page of one of the parts of a campaign's cases, which may be a moment old."""
        pk = cases_key(campaign_id, part)
        items, last = self._query(self._guard_table, pk, PAGE, after, consistent=False)
        return CasePage(tuple(decode_case(item) for item in items), last)

    def find(self, reference: str, campaign_ids: Sequence[str]) -> Case | None:
        """Return the latest case with this reference in any of the campaigns."""
        keys = [{"pk": {"S": case_key(campaign_id, reference)}, "sk": {"S": reference}} for campaign_id in campaign_ids]
        found = [decode_case(item) for item in self._read(keys)]
        return max(found, key=lambda case: case.at, default=None)

    def listed(self, keys: Sequence[ListingKey]) -> Mapping[ListingKey, Listing]:
        """Return what there is of these."""
        items = self._read([_key(key) for key in keys])
        return {listing.key: listing for listing in map(_decode, items)}

    def put(self, changes: Mapping[ListingKey, tuple[Listing | None, Listing]], entry: TrailEntry) -> bool:
        """Put listings in the place of what was read, and the entry, or nothing: False if something has moved on."""
        writes = [write for before, after in changes.values() for write in self._listing_writes(before, after)]
        return transact(self._client, [*writes, self._entry_write(entry)])

    def lift(self, case: Case, at: int, change: tuple[Listing | None, Listing], entry: TrailEntry) -> bool:
        """Mark a case as lifted and put one listing, or nothing: False if something has moved on."""
        lifted = {
            "Update": {
                "TableName": self._guard_table,
                "Key": {"pk": {"S": case_key(case.campaign_id, case.reference)}, "sk": {"S": case.reference}},
                "UpdateExpression": "SET lifted_at = :at",
                "ConditionExpression": "attribute_exists(pk)",
                "ExpressionAttributeValues": {":at": {"N": str(at)}},
            }
        }
        return transact(self._client, [lifted, *self._listing_writes(*change), self._entry_write(entry)])

    def page(self, kind: SignalKind | None, limit: int, after: str | None) -> ListingPage:
        """Return a page of what is listed; ValueError if there is no such place."""
        if after is not None:
            parse_listing_place(after)
        prefix = "" if kind is None else listing_place(kind, "")
        items, last = self._query(self._guard_table, listings_key(), limit, after, prefix=prefix)
        return ListingPage(tuple(map(_decode, items)), last)

    def history(self, limit: int, after: str | None) -> TrailPage:
        """Return a page of what was done to the lists, the latest first; ValueError if there is no such place."""
        if after is not None and not all(parse_trail_entry_key(after)):
            raise ValueError(f"{after!r} is not the place of an act")
        items, last = self._query(self._campaign_table, trail_key(LISTS_TRAIL), limit, after, newest_first=True)
        return TrailPage(tuple(map(decode_trail_entry, items)), last)

    def _query(
        self,
        table: str,
        pk: str,
        limit: int,
        after: str | None,
        *,
        prefix: str = "",
        newest_first: bool = False,
        consistent: bool = True,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return the items of a page, and the sk after which the next one begins."""
        condition, values = "pk = :pk", {":pk": {"S": pk}}
        if prefix:
            condition += " AND begins_with(sk, :prefix)"
            values[":prefix"] = {"S": prefix}
        start: dict[str, Any] = {} if after is None else {"ExclusiveStartKey": {"pk": {"S": pk}, "sk": {"S": after}}}
        with overload_translated():
            answer = self._client.query(
                TableName=table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                Limit=limit,
                ScanIndexForward=not newest_first,
                ConsistentRead=consistent,
                **start,
            )
        last = answer["LastEvaluatedKey"]["sk"]["S"] if "LastEvaluatedKey" in answer else None
        return answer["Items"], last

    def _read(self, keys: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
        """Yield the items that are there, consistently, however many are asked for."""
        left = list(keys)
        while left:
            now, left = left[:_KEYS_PER_READ], left[_KEYS_PER_READ:]
            with overload_translated():
                answer = self._client.batch_get_item(
                    RequestItems={self._guard_table: {"Keys": now, "ConsistentRead": True}}
                )
            yield from answer["Responses"].get(self._guard_table, [])
            unread: Mapping[str, Any] = answer.get("UnprocessedKeys", {})
            if self._guard_table in unread:
                left += unread[self._guard_table]["Keys"]

    def _listing_writes(self, before: Listing | None, after: Listing) -> list[dict[str, Any]]:
        """Return the two puts of a listing; the first has the condition."""
        facts = _encode(after)
        condition: dict[str, Any] = (
            {"ConditionExpression": "attribute_not_exists(pk)"}
            if before is None
            else {"ConditionExpression": "act = :seen", "ExpressionAttributeValues": {":seen": {"S": before.act}}}
        )
        beside = {"pk": {"S": listings_key()}, "sk": {"S": listing_place(*after.key)}}
        return [
            {"Put": {"TableName": self._guard_table, "Item": {**_key(after.key), **facts}, **condition}},
            {"Put": {"TableName": self._guard_table, "Item": {**beside, **facts}}},
        ]

    def _entry_write(self, entry: TrailEntry) -> dict[str, Any]:
        return {"Put": {"TableName": self._campaign_table, "Item": encode_trail_entry(LISTS_TRAIL, entry)}}


def _key(key: ListingKey) -> dict[str, Any]:
    return {"pk": {"S": listing_key(*key)}, "sk": {"S": GUARD}}


def _encode(listing: Listing) -> dict[str, Any]:
    return {
        "kind": {"S": str(listing.key.kind)},
        "mark": {"S": listing.key.mark},
        "listed": {"S": str(listing.listed)},
        "until": {"N": str(listing.until)},
        "reason": {"S": listing.reason},
        "who": {"S": listing.who},
        "at": {"N": str(listing.at)},
        "act": {"S": listing.act},
        "forget_at": {"N": str((listing.until + KEPT_AFTER_MS) // 1000)},
    }


def _decode(item: Mapping[str, Any]) -> Listing:
    return Listing(
        listed=Listed(item["listed"]["S"]),
        key=ListingKey(SignalKind(item["kind"]["S"]), item["mark"]["S"]),
        until=int(item["until"]["N"]),
        reason=item["reason"]["S"],
        who=item["who"]["S"],
        at=int(item["at"]["N"]),
        act=item["act"]["S"],
    )
