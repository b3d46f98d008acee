"""How the audit reads a lottery: a decoder of its own, which shares no code with what writes the records.

The prize tables are put together in the form that is published, so that the script for those who trust nobody
(`verify_draw`) can judge what is stored here as it judges a receipt.
"""

import base64
import hashlib
import itertools
import json
import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from brandday_cli.audit_records import Plan, RawItem, UnreadableCampaign

ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
"""The characters of names and of stored numbers, in ASCII order."""

SLOTS = "0123456789abcdefghijklmnopqrstuvwxyz"
WON = "won"
RETURNED = "returned"
PENDING = "pending"
MOST_ENTRIES = 40

_ALGORITHM = "brandday-lottery-1"
_FATES = {
    "p": PENDING,
    "w": WON,
    "r": RETURNED,
    "g": "gone",
    "d": "day_full",
    "c": "per_shopper",
    "n": "not_released",
}
_TIMELESS = frozenset((PENDING, "per_shopper", "not_released"))
_NAME = re.compile(r"[A-Za-z0-9_-]{12}")
_NUMBER = re.compile(r"[A-Za-z0-9_-]+")
_ORDER = re.compile(r"([A-Za-z0-9_-]{12})\.([1-9][0-9]?)")


class EntryKey(NamedTuple):
    """Which entry of a campaign: whose, and which of theirs (from 1)."""

    entrant: str
    number: int


class Try(NamedTuple):
    """One prize that an entry could have had; times in epoch milliseconds."""

    prize: str
    fate: str
    at: int | None = None
    shard: int | None = None
    returned_at: int | None = None

    def document(self) -> dict[str, Any]:
        """Return it as a receipt has it."""
        return {name: value for name, value in self._asdict().items() if value is not None}


@dataclass(frozen=True)
class LotteryEntry:
    """One entry: when it was taken, by which version of the prize table it was judged, and what it tried to win."""

    at: int
    version: int
    tries: tuple[Try, ...]

    @property
    def pending(self) -> Try | None:
        """The prize that is being claimed for it."""
        return self.tries[-1] if self.tries and self.tries[-1].fate == PENDING else None

    @property
    def won(self) -> Try | None:
        """What it won, kept or not."""
        return self.tries[-1] if self.tries and self.tries[-1].fate in (WON, RETURNED) else None


@dataclass(frozen=True)
class Record:
    """One entrant with all that is stored of them; `faults` are what does not fit the format."""

    name: str
    owner: str
    subject: str = field(repr=False)
    entries: tuple[LotteryEntry, ...]
    chances: int
    faults: tuple[str, ...] = ()

    def entry(self, number: int) -> LotteryEntry | None:
        """Return entry `number`, if there is one."""
        return self.entries[number - 1] if 1 <= number <= len(self.entries) else None


@dataclass(frozen=True)
class LotteryPlan:
    """What a lottery's record promises. `tables` are the versions of its prize table as they are published; it was or
    will be `over_at` (epoch ms).
    """

    campaign_id: str
    tables: tuple[Mapping[str, Any], ...]
    bucket_chars: int
    commitment: str
    over_at: int
    owner_salt: bytes = field(repr=False)
    entrant_salt: bytes = field(repr=False)

    @property
    def first(self) -> Mapping[str, Any]:
        """The first version; the others change its odds and nothing else."""
        return self.tables[0]

    @property
    def is_draw(self) -> bool:
        """Whether entries are tickets, and nothing is won before the draw."""
        return bool(self.first["mode"] == "draw")

    @property
    def prizes(self) -> Mapping[str, Mapping[str, Any]]:
        """The prizes by id, in order."""
        return {prize["id"]: prize for prize in self.first["prizes"]}

    def buckets(self) -> Iterator[str]:
        """Yield the names of all buckets, in order."""
        yield from map("".join, itertools.product(ALPHABET, repeat=self.bucket_chars))

    def bucket_count(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self.buckets())

    def entry_id(self, key: EntryKey) -> str:
        """Return the public id of an entry."""
        return f"ent_{self.campaign_id}.{key.entrant}.{key.number}"

    def record_key(self, entrant: str) -> RawItem:
        """Return where an entrant's record has to be."""
        return {"pk": {"S": f"{self.campaign_id}#{entrant[: self.bucket_chars]}"}, "sk": {"S": entrant}}

    def claim_name(self, key: EntryKey) -> str:
        """Return the name under which the unit of an entry is claimed."""
        return _hash(self.entry_id(key))

    def version_at(self, at: int) -> int:
        """Return which version of the prize table is in force at a time."""
        return max([1, *(int(table["version"]) for table in self.tables if table["since_ms"] <= at)])

    def day_of(self, at: int) -> int:
        """Return which of the local days a time is in, from 0."""
        return bisect_right(self.first["days_ms"], at) - 1

    def names_of(self, subject: str) -> tuple[str, str]:
        """Return the names that a shopper has to go by: as an entrant, and as the owner of rewards."""
        return _hash(subject, self.entrant_salt), _hash(subject, self.owner_salt)


def decode_lottery(plan: Plan, config: RawItem) -> LotteryPlan | None:
    """Read the lottery of a campaign's CONFIG item; ``None`` if it is none. Raises ``UnreadableCampaign``."""
    try:
        document = json.loads(config["document"]["S"])
        if "lottery" not in document:
            return None
        lottery, luck = document["lottery"], json.loads(config["luck"]["S"])
        layout = json.loads(config["layout"]["S"])
        tables = tuple(_table(plan.campaign_id, lottery, luck, version) for version in luck["tables"])
        if not tables or any(prize["id"] not in plan.slots for prize in lottery["prizes"]):
            raise ValueError("a lottery needs a prize table, and a slot for each prize")
        return LotteryPlan(
            campaign_id=plan.campaign_id,
            tables=tables,
            bucket_chars=int(luck["bucket_chars"]),
            commitment=str(luck["commitment"]),
            over_at=min(int(luck["ends_at"]), _ended_at(config)),
            owner_salt=_salt(layout["salt"]),
            entrant_salt=_salt(luck["entry_salt"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableCampaign(f"the lottery of campaign {plan.campaign_id!r} is malformed: {error!r}") from error


def _ended_at(config: RawItem) -> int:
    if "ended_at" not in config:
        return sys.maxsize
    return int(datetime.fromisoformat(config["ended_at"]["S"]).timestamp() * 1000)


def _table(
    campaign_id: str, lottery: Mapping[str, Any], luck: Mapping[str, Any], version: Mapping[str, Any]
) -> dict[str, Any]:
    names = ("id", "title", "stock", "odds_between", "release", "per_day", "per_shopper")
    return {
        "algorithm": _ALGORITHM,
        "campaign": campaign_id,
        "mode": lottery["mode"],
        "version": int(version["version"]),
        "since_ms": int(version["since"]),
        "previous": version["previous"],
        "commitment": luck["commitment"],
        "starts_ms": int(luck["starts_at"]),
        "ends_ms": int(luck["ends_at"]),
        "days_ms": [int(midnight) for midnight in luck["days"]],
        "shards": int(luck["shards"]),
        "bucket_chars": int(luck["bucket_chars"]),
        "prizes": [
            {name: prize[name] for name in names} | {"odds": version["odds"].get(prize["id"])}
            for prize in lottery["prizes"]
        ],
        "consolation": lottery["consolation"],
        "pity": lottery["pity"],
        "allowance": lottery["allowance"],
        "draw": lottery["draw"],
    }


def decode_record(plan: LotteryPlan, item: RawItem) -> Record | str:
    """Decode one entrant's record; a string says why that cannot be done."""
    name = str(item["sk"]["S"])
    try:
        prize_of_slot = dict(zip(SLOTS, plan.prizes, strict=False))
        text = str(item["e"]["S"]) if "e" in item else ""
        record = Record(
            name=name,
            owner=str(item["o"]["S"]),
            subject=str(item["u"]["S"]),
            entries=tuple(_entry(part, prize_of_slot) for part in text.split(" ")) if text else (),
            chances=_chances(str(item["g"]["S"]) if "g" in item else ""),
            faults=tuple(_misfiled(plan, item, name)),
        )
        int(item["v"]["N"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        return f"the record of entrant {name} cannot be read: {error!r}"
    return record


def _misfiled(plan: LotteryPlan, item: RawItem, name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"{name!r} is no name of an entrant"
    elif item["pk"] != plan.record_key(name)["pk"]:
        yield f"it lies in {item['pk']['S']!r}, where nobody looks for {name}"
    unknown = set(item) - {"pk", "sk", "v", "o", "u", "e", "g"}
    if unknown:
        yield f"the attributes {sorted(unknown)} are none of the format's"


def _entry(text: str, prize_of_slot: Mapping[str, str]) -> LotteryEntry:
    at, version, tries, place = _number(text[:7], 7), _number(text[13:14], 1), [], 14

    def number(width: int) -> int:
        nonlocal place
        place += width
        return _number(text[place - width : place], width)

    while place < len(text):
        prize, letter = prize_of_slot[text[place]], text[place + 1]
        place += 2
        fate = _FATES[letter.lower()]
        if fate in _TIMELESS:
            tries.append(Try(prize, fate))
            continue
        shard = number(3) if fate in (WON, RETURNED) else None
        when = at + number(2) if letter.islower() else number(7)
        tries.append(Try(prize, fate, when, shard, number(7) if fate == RETURNED else None))
    return LotteryEntry(at, version, tuple(tries))


def _chances(text: str) -> int:
    if len(text) % 7:
        raise ValueError("the earned chances are not 7 characters each")
    return sum(int(text[at], 36) for at in range(6, len(text), 7))


def _number(text: str, width: int) -> int:
    if len(text) != width or not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number of {width} characters")
    number = 0
    for digit in text:
        number = number * 64 + ALPHABET.index(digit)
    return number


def parse_order(order: str | None) -> EntryKey | None:
    """Return the entry that a unit was claimed for, from the claim's order id."""
    match = _ORDER.fullmatch(order or "")
    return None if match is None or int(match[2]) > MOST_ENTRIES else EntryKey(match[1], int(match[2]))


def parse_entry_id(campaign_id: str, text: str) -> EntryKey | None:
    """Return the entry of an id, if it is one of the campaign's."""
    prefix = f"ent_{campaign_id}."
    return parse_order(text.removeprefix(prefix)) if text.startswith(prefix) else None


def _hash(text: str, key: bytes = b"") -> str:
    return base64.urlsafe_b64encode(hashlib.blake2b(text.encode(), key=key, digest_size=9).digest()).decode()


def _salt(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
