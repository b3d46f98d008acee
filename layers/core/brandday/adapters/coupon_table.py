"""Coupons and redemptions in CouponTable, and the transactions over it and the shards of StockTable.

A coupon is two items, FACTS and STATE, under its id; a redemption is one item per part under its own. The index
`by_owner` is a shopper's wallet; `by_campaign` has everything of a campaign, spread over CAMPAIGN_PARTS keys.

API: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html

A transaction that meets another one on the same item is cancelled with TransactionConflict, not queued: nothing was
written and nothing was decided, so that is an overload (503, try again) and never a refusal. Shared codes are spread
over shards so that it stays rare.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import batched
from typing import TYPE_CHECKING, Any

from brandday.adapters.aws import overload_translated, read_items, transact
from brandday.adapters.keys import (
    COUPON_CAMPAIGN_INDEX,
    COUPON_FACTS,
    COUPON_OWNER_INDEX,
    COUPON_STATE,
    PART_PREFIX,
    coupon_group,
    coupon_group_key,
    coupon_group_sort_key,
    owner_sort_key,
    parse_coupon_group_sort_key,
    parse_owner_sort_key,
    parse_part_key,
    part_key,
)
from brandday.adapters.stock_table import Item, shard_update
from brandday.domain.coupon_record import UNTOUCHED, CouponFacts, CouponState, Part, PartStatus, UseState
from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.coupon_ports import (
    CAMPAIGN_PARTS,
    CampaignPage,
    CouponChange,
    PartChange,
    StateChange,
    StockChange,
    StoredCoupon,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH = 25
"""How many items one BatchWriteItem takes."""

_ROUNDS = 6
"""How often what a batch has left undone is sent again: after 50, 100 ... 800 ms."""

_PAGE = 500
_CURSOR = re.compile(r"[\x21-\x7e]{1,200}")

_FACTS = tuple(field.name for field in fields(CouponFacts) if field.name != "id")
_STATE = tuple(field.name for field in fields(CouponState))
_PART = tuple(field.name for field in fields(Part) if field.name not in ("redemption", "number"))


class CouponTable:
    """Reads and writes coupons and redemptions; every method raises TemporarilyOverloaded when tables are too busy."""

    def __init__(
        self, client: "DynamoDBClient", table: str, stock_table: str, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._table = table
        self._stock_table = stock_table
        self._pause = pause

    def load(self, ids: Sequence[str], *, consistent: bool) -> Mapping[str, StoredCoupon]:
        """Return those of the coupons (at most 50) that exist, by id: one call, whether they do or not."""
        if not ids:
            return {}
        keys = [_key(each, kind) for each in dict.fromkeys(ids) for kind in (COUPON_FACTS, COUPON_STATE)]
        read = read_items(self._client, self._table, keys, consistent=consistent)
        items = {(item["pk"]["S"], item["sk"]["S"]): item for item in read}
        return {
            each: StoredCoupon(
                decode_facts(items[each, COUPON_FACTS]),
                decode_state(items[each, COUPON_STATE]) if (each, COUPON_STATE) in items else UNTOUCHED,
            )
            for each in ids
            if (each, COUPON_FACTS) in items
        }

    def parts(self, redemption: str) -> tuple[Part, ...]:
        """Return a redemption's parts in order, as they are at this moment."""
        with overload_translated():
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :redemption AND begins_with(sk, :part)",
                ExpressionAttributeValues={":redemption": {"S": redemption}, ":part": {"S": PART_PREFIX}},
                ConsistentRead=True,
            )
        return tuple(map(decode_part, answer["Items"]))

    def transact(self, changes: Sequence[CouponChange]) -> bool:
        """Make all changes (at most 100) or none: False if one of them is refused by its condition."""
        return transact(self._client, [self._write(change) for change in changes])

    def put_facts(self, coupons: Iterable[CouponFacts]) -> None:
        """Write the facts of coupons; what a batch leaves undone is sent again, until that is hopeless."""
        items = {coupon.id: encode_facts(coupon) for coupon in coupons}
        for batch in batched(items.values(), _BATCH, strict=False):
            requests: Any = {self._table: [{"PutRequest": {"Item": item}} for item in batch]}
            for number in range(_ROUNDS):
                with overload_translated():
                    requests = self._client.batch_write_item(RequestItems=requests).get("UnprocessedItems")
                if not requests:
                    break
                if number + 1 < _ROUNDS:
                    self._pause(0.05 * 2**number)
            else:
                raise TemporarilyOverloaded

    def of_owner(self, owner: str, limit: int, after: str | None) -> tuple[Sequence[str], str | None]:
        """Return ids of an owner's coupons, the newest first, and where the next page begins; ValueError for an
        ``after`` that is no such place.
        """
        start: dict[str, Any] = {}
        if after is not None:
            _, coupon_id = parse_owner_sort_key(_checked(after))
            owned = {"gpk_owner": {"S": owner}, "gsk_owner": {"S": after}}
            start = {"ExclusiveStartKey": _key(coupon_id, COUPON_FACTS) | owned}
        with overload_translated():
            answer = self._client.query(
                TableName=self._table,
                IndexName=COUPON_OWNER_INDEX,
                KeyConditionExpression="gpk_owner = :owner",
                ExpressionAttributeValues={":owner": {"S": owner}},
                ScanIndexForward=False,
                Limit=limit + 1,  # one more tells whether there is another page
                **start,
            )
        items = answer["Items"]
        following = items[limit - 1]["gsk_owner"]["S"] if len(items) > limit else None
        return tuple(item["pk"]["S"] for item in items[:limit]), following

    def of_campaign(self, campaign_id: str, part: int, after: str | None) -> CampaignPage:
        """Return a page of all that is stored of a campaign's coupons in one part; ValueError for an ``after`` that is
        no such place.
        """
        group = {"S": coupon_group_key(campaign_id, part)}
        start: dict[str, Any] = {}
        if after is not None:
            pk, sort_key = parse_coupon_group_sort_key(_checked(after))
            start = {"ExclusiveStartKey": _key(pk, sort_key) | {"gpk": group, "gsk": {"S": after}}}
        with overload_translated():
            answer = self._client.query(
                TableName=self._table,
                IndexName=COUPON_CAMPAIGN_INDEX,
                KeyConditionExpression="gpk = :part",
                ExpressionAttributeValues={":part": group},
                Limit=_PAGE,
                **start,
            )
        facts, states, parts = [], {}, []
        for item in answer["Items"]:
            match item["sk"]["S"]:
                case kind if kind == COUPON_FACTS:
                    facts.append(decode_facts(item))
                case kind if kind == COUPON_STATE:
                    states[item["pk"]["S"]] = decode_state(item)
                case _:
                    parts.append(decode_part(item))
        last = answer.get("LastEvaluatedKey")
        return CampaignPage(facts, states, parts, last["gsk"]["S"] if last else None)

    def _write(self, change: CouponChange) -> Any:
        match change:
            case StockChange(campaign_id, write):
                return {"Update": shard_update(self._stock_table, campaign_id, write)}
            case StateChange(facts, before, after):
                item = encode_state(facts.id, facts.campaign_id, after) | {"version": _typed(before.version + 1)}
                return {"Put": {"TableName": self._table, "Item": item, **_unchanged(before.version)}}
            case PartChange(seen, Part() as part):
                version = 0 if seen is None else seen.version
                item = encode_part(part) | {"version": _typed(version + 1)}
                return {"Put": {"TableName": self._table, "Item": item, **_unchanged(version)}}
            case PartChange(Part() as seen):
                key = _key(seen.redemption, part_key(seen.number))
                return {"Delete": {"TableName": self._table, "Key": key, **_unchanged(seen.version)}}
            case _:
                raise ValueError("a change from nothing to nothing")


def _unchanged(version: int) -> dict[str, Any]:
    if version == 0:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {"ConditionExpression": "version = :seen", "ExpressionAttributeValues": {":seen": _typed(version)}}


def encode_facts(facts: CouponFacts) -> dict[str, Any]:
    """Return the item of a coupon's facts; only coupons with an owner are in the index of owners."""
    item = _item(facts.id, COUPON_FACTS, facts.campaign_id) | _stored(facts, _FACTS)
    if facts.owner is not None:
        item |= {"gpk_owner": {"S": facts.owner}, "gsk_owner": {"S": owner_sort_key(facts.issued_at, facts.id)}}
    return item


def decode_facts(item: Item) -> CouponFacts:
    """Return the facts of an item in DynamoDB's typed form."""
    return CouponFacts(id=item["pk"]["S"], **{name: _plain(item, name) for name in _FACTS})


def encode_state(coupon_id: str, campaign_id: str, state: CouponState) -> dict[str, Any]:
    """Return the item of a coupon's state."""
    return _item(coupon_id, COUPON_STATE, campaign_id) | _stored(state, _STATE)


def decode_state(item: Item) -> CouponState:
    """Return the state of an item in DynamoDB's typed form."""
    stored = {name: _plain(item, name) for name in _STATE}
    use = stored.pop("use")
    return CouponState(use=None if use is None else UseState(use), **stored)


def encode_part(part: Part) -> dict[str, Any]:
    """Return the item of a redemption's part."""
    return _item(part.redemption, part_key(part.number), part.campaign_id) | _stored(part, _PART)


def decode_part(item: Item) -> Part:
    """Return the part of an item in DynamoDB's typed form."""
    stored = {name: _plain(item, name) for name in _PART}
    status = PartStatus(stored.pop("status"))
    return Part(redemption=item["pk"]["S"], number=parse_part_key(item["sk"]["S"]), status=status, **stored)


def _item(pk: str, sort_key: str, campaign_id: str) -> dict[str, Any]:
    group = coupon_group_key(campaign_id, coupon_group(pk, CAMPAIGN_PARTS))
    return _key(pk, sort_key) | {"gpk": {"S": group}, "gsk": {"S": coupon_group_sort_key(pk, sort_key)}}


def _key(pk: str, sort_key: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sort_key}}


def _stored(record: object, names: Iterable[str]) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in names}
    return {name: _typed(value) for name, value in values.items() if value is not None}


def _typed(value: str | int) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case _:
            return {"S": str(value)}


def _plain(item: Item, name: str) -> Any:
    if name not in item:
        return None
    ((kind, inner),) = item[name].items()
    return int(inner) if kind == "N" else inner


def _checked(cursor: str) -> str:
    """Return a cursor that can be a key at all: DynamoDB would take another for a mistake of the code."""
    if _CURSOR.fullmatch(cursor) is None:
        raise ValueError("not a cursor")
    return cursor
