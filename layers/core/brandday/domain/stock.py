"""Stock: who owns which unit, and why no unit is ever sold twice or lost.

A campaign's units are split over *shards*. A shard is one item that counts its free units **and** holds the
records of the shoppers who took the others, so taking a unit and recording who took it is one conditional write.
Here are the rules, pure functions over shard images; :mod:`brandday.domain.protocols` has the order in which a
request reads and writes.

Why it is right:

1. Every write states the records it saw (``before``) and fails as a whole if one of them has changed, so each
   shard moves from one consistent state to the next: ``free + held + sold == capacity + restocked`` per slot.
2. A shopper has one *home shard*, computed from the shopper's name. Every new attempt writes the home record on
   condition of the home record it saw, so a shopper's attempts are serialised there. A claim that has to be
   placed in another shard (overflow) is announced by a pointer in the home record *before* it is made. A pointer
   owns nothing: if the claim behind it was never made, whoever finds that out voids it in the other shard first,
   so that it cannot be made later either.
3. An entry only moves forward: ``held -> extended -> confirmed | expired | cancelled``, and ``confirmed ->
   cancelled`` when a prize that nobody claimed is taken back. Nothing that was released becomes live again; a late
   payment starts a new attempt. So what a protocol has read of a released claim stays true, however long it takes to
   act on it. A hold that is past its time but not yet marked could still be confirmed, therefore it is marked first,
   before a new attempt is made. That a sale was taken back meanwhile makes an answer too strict for once, and no more.
4. Every entry and pointer carries its *attempt*: the claim's time in milliseconds, and always higher than any
   attempt of that shopper seen before. Without it a released claim and a new one in the same shard look the same
   to a slow request, and the shopper ends up with two (tests/concurrency/test_interleavings.py finds it).
5. A claim that needs a pass is never before it: its attempt is not lower than the moment the pass was issued. So a pass
   that is not younger than the shopper's latest claim, live or released, has been used, and using it up takes no write
   of its own. What was released stays on record longer than a pass is good for (FORGET_AFTER_MS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from brandday.domain.shard import (
    CONFIRMED,
    EXPIRED,
    EXTENDED,
    HELD,
    POINTER,
    RELEASED,
    VOID,
    Entry,
    RecordChange,
    Shard,
    ShardWrite,
    decode_record,
    encode_entry,
    encode_record,
    is_restock_mark,
)

MAX_CHANGES = 100
"""How many records one write changes: DynamoDB takes 300 operators and 4 KB in an expression."""

SETTLE_AFTER_MS = 60 * 1000
"""How long an announced claim may be on its way before somebody else settles that it is not made."""

FORGET_AFTER_MS = 15 * 60 * 1000
"""Released records are kept at least this long: far beyond any request's life and any clock's error."""


class Pace(Protocol):
    """When units that exist may be taken: pools that open by and by, and days with a cap."""

    def reserved(self, slot: str, shard: int, now: int) -> int:
        """Return how many of the shard's units of a slot are not to be had before some time after ``now``."""

    def left_today(self, slot: str, shard: Shard, now: int) -> int | None:
        """Return how many more units may leave the shard today, as its records tell; None where no day has a cap."""


class _AtOnce:
    """Every unit may be taken at any time."""

    def reserved(self, slot: str, shard: int, now: int) -> int:  # noqa: ARG002 - a Pace
        return 0

    def left_today(self, slot: str, shard: Shard, now: int) -> int | None:  # noqa: ARG002 - a Pace
        return None


_AT_ONCE = _AtOnce()


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed about a campaign's claims: how long holds last (milliseconds), what shards can hold, and when."""

    hold_ms: int
    extended_ms: int
    capacity: Callable[[str, int], int]
    pace: Pace = _AT_ONCE

    def expires_at(self, entry: Entry) -> int:
        """Return when a held entry lapses, in epoch milliseconds."""
        return entry.attempt + (self.extended_ms if entry.state == EXTENDED else self.hold_ms)

    def is_due(self, entry: Entry, now: int) -> bool:
        """Whether this is a hold whose time is over; it may still be unmarked."""
        return entry.is_held and self.expires_at(entry) <= now


class Claim(NamedTuple):
    """An entry together with the shard that has it."""

    shard: int
    entry: Entry


class Granted(NamedTuple):
    """The units are the shopper's."""

    claim: Claim


class Replayed(NamedTuple):
    """This very request (same idempotency key) was granted before."""

    claim: Claim


class Resumed(NamedTuple):
    """The shopper holds units of this SKU already, from another request."""

    claim: Claim


class KeyReused(NamedTuple):
    """The idempotency key belongs to a request for something else."""


class PassUsed(NamedTuple):
    """The pass is not younger than the shopper's latest claim (attempt ``latest``), none of which is this request's.

    ``tags`` are those of all the claims that are known.
    """

    latest: int
    tags: tuple[str, ...]


class LimitReached(NamedTuple):
    """With these units the shopper would own more than allowed; ``owned`` counts held and bought units.

    ``per`` is what the limit is for: ``sku`` or ``campaign``.
    """

    limit: int
    owned: int
    per: str


class NothingFree(NamedTuple):
    """No free unit was found; ``looked`` says whether other shards than the home shard were looked at."""

    looked: bool = False


class LostRace(NamedTuple):
    """Others were faster on the same items; trying again may succeed."""


type ClaimOutcome = Granted | Replayed | Resumed | KeyReused | PassUsed | LimitReached | NothingFree | LostRace


class ClaimRequest(NamedTuple):
    """A shopper's wish for ``quantity`` units of ``slot``.

    ``order_id`` is given when a late payment takes units again: then the entry is confirmed at once, and a live
    hold of the same SKU is not resumed, because it is another purchase. ``passed_at`` (epoch ms) is when the pass was
    issued that the campaign demands; None where it demands none.
    """

    name: str
    home: int
    slot: str
    quantity: int
    tag: str
    now: int
    slot_limit: int
    limit: int
    order_id: str | None = None
    passed_at: int | None = None

    def entry(self, known: Iterable[Entry] = ()) -> Entry:
        """Return the new entry; its attempt is higher than all ``known`` ones, and not before the pass."""
        attempt = max([self.now, self.passed_at or 0, *(entry.attempt + 1 for entry in known)])
        state = HELD if self.order_id is None else CONFIRMED
        return Entry(state, self.slot, self.quantity, attempt, self.tag, self.order_id)


def first_take(request: ClaimRequest, terms: Terms) -> ShardWrite:
    """Return the write that succeeds if the shopper has no record at home and enough is free there."""
    return ShardWrite(
        request.home,
        (RecordChange(request.name, None, encode_entry(request.entry())),),
        {request.slot: -request.quantity},
        {request.slot: terms.capacity(request.slot, request.home)},
        {request.slot: terms.pace.reserved(request.slot, request.home, request.now)},
    )


def judge(request: ClaimRequest, standing: Sequence[Claim], terms: Terms) -> ClaimOutcome | None:
    """Return the answer that the shopper's standing already decides, or None if units may be taken."""
    for claim in standing:
        if claim.entry.tag == request.tag:
            same = claim.entry.slot == request.slot and claim.entry.quantity == request.quantity
            return Replayed(claim) if same else KeyReused()
    latest = max((claim.entry.attempt for claim in standing), default=-1)
    if request.passed_at is not None and request.passed_at <= latest:
        return PassUsed(latest, tuple(claim.entry.tag for claim in standing))
    live = [claim for claim in standing if claim.entry.units and not terms.is_due(claim.entry, request.now)]
    if request.order_id is None:
        for claim in live:
            if claim.entry.slot == request.slot and claim.entry.is_held:
                return Resumed(claim)
    owned = sum(claim.entry.units for claim in live)
    owned_of_slot = sum(claim.entry.units for claim in live if claim.entry.slot == request.slot)
    if owned_of_slot + request.quantity > request.slot_limit:
        return LimitReached(request.slot_limit, owned_of_slot, "sku")
    if owned + request.quantity > request.limit:
        return LimitReached(request.limit, owned, "campaign")
    return None


def keep(entries: Iterable[Entry], slot: str, live_pointers: frozenset[int], terms: Terms, now: int) -> list[Entry]:
    """Return what stays of a shopper's record when a new attempt for ``slot`` is added.

    All holds that are due are marked expired, or a late payment could still confirm one and the shopper would own
    more than the limit. Pointers of the slot to released claims go, and of the released entries of the slot the
    latest claim stays, so that its reservation can still be looked up.
    """
    kept: list[Entry] = []
    released: Entry | None = None
    for entry in entries:
        if terms.is_due(entry, now):
            entry = entry._replace(state=EXPIRED)
        if entry.slot == slot and entry.state in RELEASED:
            if released is None or (released.is_claim, released.attempt) < (entry.is_claim, entry.attempt):
                released = entry
        elif entry.slot != slot or entry.state != POINTER or entry.attempt in live_pointers:
            kept.append(entry)
    return kept if released is None else [*kept, released]


def take(
    shard: Shard, request: ClaimRequest, added: Entry, live_pointers: frozenset[int], terms: Terms
) -> ShardWrite | None:
    """Return the write that gives the shopper the units of ``added`` in ``shard``, or None if too few are free.

    When too few are free, holds of other shoppers that are due give theirs back in the same write, so a unit is on
    sale again the moment its hold lapses, not when somebody has swept. Units that are not released yet stay; a day's
    cap is counted from the records, so such a write holds only for the image it was made from.
    """
    left_today = terms.pace.left_today(request.slot, shard, request.now)
    if left_today is not None and left_today < request.quantity:
        return None
    own, free = _add(shard, request, added, live_pointers, terms)
    changes = [own]
    floor = terms.pace.reserved(request.slot, shard.number, request.now)
    missing = floor - (shard.free.get(request.slot, terms.capacity(request.slot, shard.number)) + free[request.slot])
    for name in _names_due(shard, terms, request.now):
        if missing <= 0:
            break
        record = decode_record(shard.records[name])
        lapsed = _mark_due(record, terms, request.now)
        given = _freed(record, lapsed)
        if name != request.name and given.get(request.slot):
            changes.append(RecordChange(name, shard.records[name], encode_record(lapsed)))
            missing -= given[request.slot]
            for slot, units in given.items():
                free[slot] = free.get(slot, 0) + units
    if missing > 0:
        return None
    write = _shard_write(shard.number, changes, free, terms)
    return replace(write, floor={request.slot: floor}, version=None if left_today is None else shard.version)


def point(
    home: Shard, request: ClaimRequest, pointer: Entry, live_pointers: frozenset[int], terms: Terms
) -> ShardWrite:
    """Return the write that makes the home record point to a claim in another shard; it takes no units."""
    own, free = _add(home, request, pointer, live_pointers, terms)
    return _shard_write(home.number, [own], free, terms)


def _add(
    shard: Shard, request: ClaimRequest, added: Entry, live_pointers: frozenset[int], terms: Terms
) -> tuple[RecordChange, dict[str, int]]:
    before = shard.records.get(request.name)
    old = decode_record(before)
    new = [*keep(old, request.slot, live_pointers, terms, request.now), added]
    return RecordChange(request.name, before, encode_record(new)), _freed(old, new)


def _names_due(shard: Shard, terms: Terms, now: int) -> list[str]:
    return list(dict.fromkeys(name for name, entry in shard.entries() if terms.is_due(entry, now)))


def _freed(old: Iterable[Entry], new: Iterable[Entry]) -> dict[str, int]:
    """Return the units per slot that a record gives back (or takes, if negative) when it changes."""
    freed: dict[str, int] = {}
    for entry in old:
        freed[entry.slot] = freed.get(entry.slot, 0) + entry.units
    for entry in new:
        freed[entry.slot] = freed.get(entry.slot, 0) - entry.units
    return freed


def _shard_write(number: int, changes: Iterable[RecordChange], free: Mapping[str, int], terms: Terms) -> ShardWrite:
    moved = {slot: delta for slot, delta in free.items() if delta}
    return ShardWrite(number, tuple(changes), moved, {slot: terms.capacity(slot, number) for slot in moved})


def _mark_due(entries: Iterable[Entry], terms: Terms, now: int) -> list[Entry]:
    return [entry._replace(state=EXPIRED) if terms.is_due(entry, now) else entry for entry in entries]


def expire_due(shard: Shard, terms: Terms, now: int) -> ShardWrite | None:
    """Return the write that gives back the holds of the shard whose time is over, or None if there is none.

    It takes MAX_CHANGES of them at once; the others are left for the next write.
    """
    changes: list[RecordChange] = []
    free: dict[str, int] = {}
    for name in _names_due(shard, terms, now)[:MAX_CHANGES]:
        record = decode_record(shard.records[name])
        lapsed = _mark_due(record, terms, now)
        changes.append(RecordChange(name, shard.records[name], encode_record(lapsed)))
        for slot, units in _freed(record, lapsed).items():
            free[slot] = free.get(slot, 0) + units
    return _shard_write(shard.number, changes, free, terms) if changes else None


def next_due(shard: Shard, terms: Terms) -> int | None:
    """Return when the shard's next hold lapses (epoch milliseconds), or None if it has no hold."""
    return min((terms.expires_at(entry) for _, entry in shard.entries() if entry.is_held), default=None)


def forget_released(
    shard: Shard, released_pointers: frozenset[tuple[str, int]], terms: Terms, now: int
) -> ShardWrite | None:
    """Return the write that drops records of which nothing is live, once they are old enough; None if there are none.

    ``released_pointers`` are the ``(name, attempt)`` of pointers whose claim is known to be released. Attempts are
    times, so a shopper who comes back later still gets a higher one than any that was forgotten.
    """
    oldest = now - FORGET_AFTER_MS - max(terms.hold_ms, terms.extended_ms)
    changes = []
    for name, text in shard.records.items():
        if not is_restock_mark(name) and all(
            entry.attempt < oldest
            and (entry.state in RELEASED or (entry.state == POINTER and (name, entry.attempt) in released_pointers))
            for entry in decode_record(text)
        ):
            changes.append(RecordChange(name, text, None))
    return ShardWrite(shard.number, tuple(changes[:MAX_CHANGES]), {}, {}) if changes else None


def void(shard: Shard, name: str, pointer: Entry, terms: Terms, now: int) -> ShardWrite | None:
    """Return the write that makes sure an announced claim is never made; None if nobody can make it any more."""
    before = shard.records.get(name)
    record = decode_record(before)
    is_void = any(entry.attempt == pointer.attempt for entry in record)
    if is_void or pointer.attempt < now - FORGET_AFTER_MS:
        return None
    after = encode_record([*record, pointer._replace(state=VOID, shard=None)])
    return _shard_write(shard.number, [RecordChange(name, before, after)], {}, terms)


def withdraw(home: Shard, name: str, pointer: Entry, terms: Terms) -> ShardWrite:
    """Return the write that makes a pointer void because its claim will not be made.

    It is not just taken out: the record would look as it did before, and a slow request could take it for that.
    """
    return move(home, name, pointer, pointer._replace(state=VOID, shard=None), terms)


def find(shard: Shard, name: str, attempt: int) -> Entry | None:
    """Return a shopper's claim of that attempt in a shard, or None: neither pointers nor void entries are claims."""
    for entry in decode_record(shard.records.get(name)):
        if entry.attempt == attempt and entry.is_claim:
            return entry
    return None


def move(shard: Shard, name: str, old: Entry, new: Entry, terms: Terms) -> ShardWrite:
    """Return the write that replaces one entry and gives back the units it no longer takes."""
    before = shard.records[name]
    after = encode_record(new if entry == old else entry for entry in decode_record(before))
    return _shard_write(shard.number, [RecordChange(name, before, after)], _freed([old], [new]), terms)


class Changed(NamedTuple):
    """The claim is as it was asked to be; ``replayed`` if it had been before."""

    claim: Claim
    replayed: bool


class Missing(NamedTuple):
    """There is no such claim."""


class NotPossible(NamedTuple):
    """The claim's state does not allow what was asked; nothing was changed, or a lapsed hold was given back."""

    claim: Claim


type ChangeOutcome = Changed | Missing | NotPossible | LostRace


class ClaimRef(NamedTuple):
    """Where a claim is: its own shard, the shopper's name and the attempt."""

    shard: int
    name: str
    attempt: int
