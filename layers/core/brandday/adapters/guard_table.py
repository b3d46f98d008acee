"""What gates look at and note in GuardTable, and the cases they open.

API: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html

To look is one call, of half a read unit per mark and activity; to note is one write unit. What operators do with the
same items is in `guard_admin.py`. `forget_at` only tidies: whether something counts any more is decided where it is
read.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from brandday.adapters.aws import overload_translated, read_items
from brandday.adapters.keys import GUARD, activity_key, case_key, listing_key
from brandday.domain.activity import Activity, ActivityKey, Note, Part
from brandday.domain.refusal_case import Case
from brandday.domain.risk import Listed, RiskMode
from brandday.domain.signals import SignalKind
from brandday.usecases.guard_ports import Seen

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_COUNT = "c."
"""What the name of every count begins with: limit, seconds and beginning of its part follow."""

_PLACES = "places"


class GuardTable:
    """Looks and notes; every method raises TemporarilyOverloaded when the table is too busy."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def look(self, marks: Mapping[SignalKind, str], activity: Sequence[ActivityKey], now: int) -> Seen:
        """Return what is known, eventually consistent; what has expired at `now` is not on a list."""
        listings = {kind: listing_key(kind, mark) for kind, mark in marks.items()}
        active = {key: activity_key(*key) for key in activity}
        keys = [_key(pk) for pk in (*listings.values(), *active.values())]
        items = {item["pk"]["S"]: item for item in self._read(keys)}
        return Seen(
            {
                kind: Listed(items[pk]["listed"]["S"])
                for kind, pk in listings.items()
                if pk in items and now < int(items[pk]["until"]["N"])
            },
            {key: decode_activity(items[pk]) if pk in items else Activity() for key, pk in active.items()},
        )

    def note(self, key: ActivityKey, note: Note) -> Activity:
        """Add an attempt, in one write that never loses one; return all that is noted then."""
        names = {"#places": _PLACES, "#forget": "forget_at"}
        values: Any = {
            ":place": {"NS": [str(note.place)]},
            ":weight": {"N": str(note.weight)},
            ":forget": {"N": str(note.forget_at)},
        }
        if not note.parts:
            del values[":weight"]
        added = {f"#part{at}": _count_name(part) for at, part in enumerate(note.parts)}
        dropped = {f"#stale{at}": _count_name(part) for at, part in enumerate(note.stale)}
        changes = [f"ADD #places :place{''.join(f', {name} :weight' for name in added)}", "SET #forget = :forget"]
        if dropped:
            changes.append(f"REMOVE {', '.join(dropped)}")
        with overload_translated():
            answer = self._client.update_item(
                TableName=self._table,
                Key=_key(activity_key(*key)),
                UpdateExpression=" ".join(changes),
                ExpressionAttributeNames=names | added | dropped,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )
        return decode_activity(answer["Attributes"])

    def save(self, case: Case) -> None:
        """Keep a case, in the place of an earlier one if that is to be replaced; one that was lifted stays lifted.

        It is looked for first: a read takes a tenth of what the write takes, and hundreds of environments refuse the
        same bot.
        """
        key: Any = {"pk": {"S": case_key(case.campaign_id, case.reference)}, "sk": {"S": case.reference}}
        if not all(case.replaces(decode_case(kept)) for kept in self._read([key])):
            return
        item = encode_case(case)
        with overload_translated():
            self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in item),
                ExpressionAttributeNames={f"#{name}": name for name in item},
                ExpressionAttributeValues={f":{name}": value for name, value in item.items()},
            )

    def _read(self, keys: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        """Return the items that are there, eventually consistent; the one way of reading that gates are allowed."""
        return read_items(self._client, self._table, keys, consistent=False)


def decode_activity(item: Mapping[str, Any]) -> Activity:
    """Return the activity of an item in DynamoDB's typed form."""
    counts = {_part(name): int(value["N"]) for name, value in item.items() if name.startswith(_COUNT)}
    return Activity(counts, frozenset(map(int, item[_PLACES]["NS"])) if _PLACES in item else frozenset())


def encode_case(case: Case) -> dict[str, Any]:
    """Return all of a case but whether it was lifted, which nobody but an operator writes."""
    return {
        "campaign": {"S": case.campaign_id},
        "at": {"N": str(case.at)},
        "mode": {"S": str(case.mode)},
        "code": {"S": case.code},
        "score": {"N": str(case.score)},
        "reasons": {"L": [{"S": reason} for reason in case.reasons]},
        "marks": {"M": {str(kind): {"S": mark} for kind, mark in case.marks.items()}},
        "forget_at": {"N": str(case.forget_at // 1000)},
    }


def decode_case(item: Mapping[str, Any]) -> Case:
    """Return the case of an item in DynamoDB's typed form."""
    return Case(
        reference=item["sk"]["S"],
        campaign_id=item["campaign"]["S"],
        at=int(item["at"]["N"]),
        mode=RiskMode(item["mode"]["S"]),
        code=item["code"]["S"],
        score=int(item["score"]["N"]),
        reasons=tuple(reason["S"] for reason in item["reasons"]["L"]),
        marks={SignalKind(kind): mark["S"] for kind, mark in item["marks"]["M"].items()},
        forget_at=int(item["forget_at"]["N"]) * 1000,
        lifted_at=int(item["lifted_at"]["N"]) if "lifted_at" in item else None,
    )


def _key(pk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": GUARD}}


def _count_name(part: Part) -> str:
    return f"{_COUNT}{part.limit}.{part.seconds}.{part.begins_at}"  # a limit's name has no dot


def _part(name: str) -> Part:
    limit, seconds, begins_at = name.removeprefix(_COUNT).split(".")
    return Part(limit, int(seconds), int(begins_at))
