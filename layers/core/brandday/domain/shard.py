"""Shards and the records in them: the stored text of claims, and the one shape of every write.

Pure: :func:`apply` says what a write does and when it is refused; adapters have to do exactly that, in one
conditional write. What may be written is decided in :mod:`brandday.domain.stock`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

HELD = "h"
EXTENDED = "x"
CONFIRMED = "c"
EXPIRED = "e"
CANCELLED = "d"
VOID = "v"
POINTER = ">"

LIVE = frozenset((HELD, EXTENDED, CONFIRMED))
RELEASED = frozenset((EXPIRED, CANCELLED, VOID))
"""Own nothing and never will again; a void entry was announced at home and never made."""

NAME_LENGTH = 12
ATTEMPT_LENGTH = 8
TAG_LENGTH = 6
_ATTEMPT_AT = 3
_TAG_AT = _ATTEMPT_AT + ATTEMPT_LENGTH
_SUFFIX_AT = _TAG_AT + TAG_LENGTH

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def to_base36(number: int, width: int = 1) -> str:
    """Return a non-negative ``number`` in base 36, left-padded with zeros to ``width`` characters."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text.rjust(width, "0")


class Entry(NamedTuple):
    """One claim of a shopper in a shard, or a pointer to the shard that has it.

    ``attempt`` is in epoch milliseconds; ``tag`` marks the idempotency key; ``order_id`` is set once confirmed;
    ``shard`` is set on pointers only.
    """

    state: str
    slot: str
    quantity: int
    attempt: int
    tag: str
    order_id: str | None = None
    shard: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether the units are set aside and not yet paid."""
        return self.state == HELD or self.state == EXTENDED

    @property
    def is_claim(self) -> bool:
        """Whether there is, or was, a claim: a pointer only leads to one, and a void entry says that there is none."""
        return self.state != POINTER and self.state != VOID

    @property
    def units(self) -> int:
        """Units this entry takes from its shard; pointers and released claims take none."""
        return self.quantity if self.state in LIVE else 0


def encode_entry(entry: Entry) -> str:
    """Return the stored text of an entry (17 ASCII characters, then the order id or the pointer's shard)."""
    text = entry.state + entry.slot + to_base36(entry.quantity) + to_base36(entry.attempt, ATTEMPT_LENGTH) + entry.tag
    if entry.order_id is not None:
        return f"{text}.{entry.order_id}"
    if entry.shard is not None:
        return f"{text}@{entry.shard}"
    return text


def decode_entry(text: str) -> Entry:
    """Return the entry of a stored text; raise ``ValueError`` if it is malformed."""
    suffix = text[_SUFFIX_AT:]
    return Entry(
        state=text[0],
        slot=text[1],
        quantity=int(text[2], 36),
        attempt=int(text[_ATTEMPT_AT:_TAG_AT], 36),
        tag=text[_TAG_AT:_SUFFIX_AT],
        order_id=suffix[1:] if suffix[:1] == "." else None,
        shard=int(suffix[1:]) if suffix[:1] == "@" else None,
    )


def encode_record(entries: Iterable[Entry]) -> str | None:
    """Return a shopper's record, or None when nothing is left of it."""
    return " ".join(map(encode_entry, entries)) or None


def decode_record(text: str | None) -> tuple[Entry, ...]:
    """Return the entries of a shopper's record; no record is no entries."""
    return tuple(map(decode_entry, text.split(" "))) if text else ()


def restock_mark(slot: str, restock_id: str) -> str:
    """Return the name under which a shard remembers what a restock added to it."""
    return f"r{slot}.{restock_id}"


def is_restock_mark(name: str) -> bool:
    """Whether an attribute is a restock's mark; shoppers' names have no dot."""
    return "." in name


@dataclass(frozen=True, slots=True)
class Shard:
    """What was read of one shard: units free per slot (a slot never written is absent) and all records."""

    number: int
    version: int
    free: Mapping[str, int]
    records: Mapping[str, str]

    def entries(self) -> Generator[tuple[str, Entry]]:
        """Yield ``(shopper name, entry)`` of every shopper; restock marks are left out."""
        for name, text in self.records.items():
            if not is_restock_mark(name):
                for entry in decode_record(text):
                    yield name, entry


class RecordChange(NamedTuple):
    """One attribute of a shard, as it was seen and as it shall be; None is absent."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class ShardWrite:
    """The one shape of every write: it happens whole if each record is as it was seen and enough units are free.

    ``free`` is the change of free units per slot; ``capacity`` the full capacity of these slots in this shard,
    which is what an absent counter stands for. ``floor`` is what must stay free of a slot that units are taken from;
    where it is not given, none need to. With a ``version`` nothing at all may have changed since it was seen.
    """

    shard: int
    changes: tuple[RecordChange, ...]
    free: Mapping[str, int]
    capacity: Mapping[str, int]
    floor: Mapping[str, int] = field(default_factory=dict)
    version: int | None = None


class Written(NamedTuple):
    """The write happened; ``free`` is what is left of the slots it touched."""

    free: Mapping[str, int]


class Refused(NamedTuple):
    """The write's condition did not hold; ``image`` is the shard as it was instead."""

    image: Shard


def apply(shard: Shard, write: ShardWrite) -> Shard | None:
    """Return the shard after ``write``, or None if its condition does not hold: the semantics adapters implement."""
    if any(shard.records.get(change.name) != change.before for change in write.changes):
        return None
    if write.version is not None and write.version != shard.version:
        return None
    free = dict(shard.free)
    for slot, delta in write.free.items():
        left = free.get(slot, write.capacity[slot]) + delta
        if delta < 0 and left < write.floor.get(slot, 0):
            return None
        free[slot] = left
    records = dict(shard.records)
    for change in write.changes:
        if change.after is None:
            records.pop(change.name, None)
        else:
            records[change.name] = change.after
    return Shard(shard.number, shard.version + 1, free, records)
