"""Tallies in GuardTable, and the transactions over them and a shard of StockTable or an entrant of EntryTable.

A tally is one item under its key; its lines are one compact text, about 30 bytes each, so that one of 20 lines stays
under 1 KB: with one tally a win costs 4 write units (a transaction counts double), and a failed transaction as much.

API: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html

A transaction that meets another one on the same item is cancelled with TransactionConflict: nothing was written and
nothing was decided, so that is an overload (503, try again). Where a condition has failed as well, that is the answer.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from brandday.adapters.aws import (
    TRANSACTION_CANCELED,
    cancellation_items,
    cancellation_reasons,
    error_code,
    is_condition_failure,
    overload_translated,
    read_items,
)
from brandday.adapters.entry_table import entrant_put
from brandday.adapters.keys import GUARD, tally_key
from brandday.adapters.stock_table import Item, decode_shard, shard_update
from brandday.domain.entrant import Entrant
from brandday.domain.lottery import Frozen
from brandday.domain.shard import ATTEMPT_LENGTH, Refused, ShardWrite, Written, to_base36
from brandday.domain.tally import Taken, TalliesMoved, Tally, TallyKey, TallyWrite

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONDITION_FAILED = "ConditionalCheckFailed"
_SHARD, _ENTRY = "s", "e"


class GuardTallies:
    """Reads tallies, and writes them with what they name; every method raises TemporarilyOverloaded when a table is too
    busy.

    ``entry_table`` is "" for functions that take no entries.
    """

    def __init__(self, client: "DynamoDBClient", guard_table: str, stock_table: str, entry_table: str = "") -> None:
        self._client = client
        self._guard_table = guard_table
        self._stock_table = stock_table
        self._entry_table = entry_table

    def tallies(self, keys: Sequence[TallyKey], *, consistent: bool) -> Mapping[TallyKey, Tally]:
        """Return all of the tallies; one that was never written is empty."""
        read = read_items(self._client, self._guard_table, [_key(key) for key in keys], consistent=consistent)
        found = {item["pk"]["S"]: decode_tally(item) for item in read}
        return {key: found.get(tally_key(*key), Tally()) for key in keys}

    def write_shard(
        self, campaign_id: str, write: ShardWrite, tallies: Sequence[TallyWrite]
    ) -> Written | Refused | TalliesMoved:
        """Do a write of stock together with its tallies, or nothing. If both are in its way, Refused comes first.

        What is left in the shard is not known afterwards: a transaction returns nothing.
        """
        update = {"Update": shard_update(self._stock_table, campaign_id, write)}
        refused = self._transact(update, tallies)
        if refused is None:
            return Written({})
        item, moved = refused
        return Refused(decode_shard(write.shard, item)) if item is not None else moved

    def save_entrant(
        self, frozen: Frozen, before: Entrant | None, after: Entrant, tallies: Sequence[TallyWrite]
    ) -> bool | TalliesMoved:
        """Save an entrant's record together with tallies, or nothing; False if the record has moved on."""
        refused = self._transact({"Put": entrant_put(self._entry_table, frozen, before, after)}, tallies)
        if refused is None:
            return True
        item, moved = refused
        return False if item is not None else moved

    def _transact(
        self, write: dict[str, Any], tallies: Sequence[TallyWrite]
    ) -> tuple[Item | None, TalliesMoved] | None:
        """Return None if it was done; otherwise what was found in place of the record, if that was in the way (empty
        if there is none), and the tallies that have moved.
        """
        writes: list[Any] = [write, *({"Put": self._put(one)} for one in tallies)]
        for each in writes:
            for parameters in each.values():
                parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        try:
            with overload_translated():
                self._client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if error_code(error) != TRANSACTION_CANCELED or not is_condition_failure(error):
                raise
            failed = [reason == _CONDITION_FAILED for reason in cancellation_reasons(error)]
            items = cancellation_items(error)
            moved = {
                one.key: decode_tally(item) if item else Tally()
                for one, has_failed, item in zip(tallies, failed[1:], items[1:], strict=True)
                if has_failed
            }
            return items[0] if failed[0] else None, TalliesMoved(moved)
        return None

    def _put(self, write: TallyWrite) -> dict[str, Any]:
        put: dict[str, Any] = {
            "TableName": self._guard_table,
            "Item": _key(write.key) | encode_tally(Tally(write.version + 1, write.after, write.forget_at)),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        if write.version:
            put["ConditionExpression"] = "v = :seen"
            put["ExpressionAttributeValues"] = {":seen": {"N": str(write.version)}}
        return put


def encode_tally(tally: Tally) -> dict[str, Any]:
    """Return the attributes of a tally but for its key: each campaign's id once, and a short text per line."""
    campaigns = list(dict.fromkeys(one.campaign_id for one in tally.taken))
    attributes = {"c": " ".join(campaigns), "t": " ".join(_encode(one, campaigns) for one in tally.taken)}
    return {name: {"S": text} for name, text in attributes.items() if text} | {
        "v": {"N": str(tally.version)},
        "forget_at": {"N": str(tally.forget_at)},
    }


def decode_tally(item: Item) -> Tally:
    """Return the tally of an item in DynamoDB's typed form; KeyError, IndexError or ValueError if it is none."""
    campaigns = item["c"]["S"].split(" ") if "c" in item else []
    lines = item["t"]["S"].split(" ") if "t" in item else []
    return Tally(int(item["v"]["N"]), tuple(_decode(line, campaigns) for line in lines), int(item["forget_at"]["N"]))


def _encode(one: Taken, campaigns: Sequence[str]) -> str:
    kind, number = (_SHARD, one.shard) if one.entry is None else (_ENTRY, one.entry)
    place = f"{kind}{to_base36(number or 0)}.{to_base36(campaigns.index(one.campaign_id))}"
    return f"{to_base36(one.at, ATTEMPT_LENGTH)}{to_base36(one.units)}{place}:{one.name}"


def _decode(line: str, campaigns: Sequence[str]) -> Taken:
    head, _, name = line.partition(":")
    at, units, kind = head[:ATTEMPT_LENGTH], head[ATTEMPT_LENGTH], head[ATTEMPT_LENGTH + 1]
    number, _, campaign = head[ATTEMPT_LENGTH + 2 :].partition(".")
    if kind not in (_SHARD, _ENTRY):
        raise ValueError(f"{line!r} is no line of a tally")
    place = int(number or "0", 36)
    return Taken(
        campaigns[int(campaign or "0", 36)],
        name,
        int(at, 36),
        int(units, 36),
        shard=place if kind == _SHARD else None,
        entry=place if kind == _ENTRY else None,
    )


def _key(key: TallyKey) -> dict[str, Any]:
    return {"pk": {"S": tally_key(*key)}, "sk": {"S": GUARD}}
