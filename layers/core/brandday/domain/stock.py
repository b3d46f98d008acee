"""Stock: who owns which unit, and why no unit is ever sold twice or lost.

A campaign's units are split over *shards*. A shard is one item that counts its free units **and** holds the
records of the shoppers who took the others, so taking a unit and recording who took it is one conditional write.
Everything here is pure: rules over shard images, and *protocols* (generators) that yield the reads and writes
they need and return an outcome. The runtime drives them against DynamoDB; the interleaving check in the tests
drives the very same generators against every possible order of events.

Why it is right:

1. Every write states the records it saw (``before``) and fails as a whole if one of them has changed, so each
   shard moves from one consistent state to the next: ``free + held + sold == capacity + restocked`` per slot.
2. A shopper has one *home shard*, computed from the shopper's name. Every new attempt writes the home record on
   condition of the home record it saw, so a shopper's attempts are serialised there. A claim that has to be
   placed in another shard (overflow) is announced by a pointer in the home record *before* it is made. A pointer
   owns nothing: if the claim behind it was never made, whoever finds that out voids it in the other shard first,
   so that it cannot be made later either.
3. An entry only moves forward: ``held -> extended -> confirmed | expired | cancelled``. Nothing that was released
   becomes live again; a late payment starts a new attempt. So what a protocol has read of a released claim stays
   true, however long it takes to act on it. A hold that is past its time but not yet marked could still be
   confirmed, therefore it is marked first, before a new attempt is made.
4. Every entry and pointer carries its *attempt*: the claim's time in milliseconds, and always higher than any
   attempt of that shopper seen before. Without it a released claim and a new one in the same shard look the same
   to a slow request, and the shopper ends up with two (tests/concurrency/test_interleavings.py finds it).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from brandday.domain.shard import (
    CANCELLED,
    CONFIRMED,
    EXPIRED,
    EXTENDED,
    HELD,
    POINTER,
    RELEASED,
    VOID,
    Entry,
    RecordChange,
    Refused,
    Shard,
    ShardWrite,
    Written,
    apply,
    decode_record,
    encode_entry,
    encode_record,
    is_restock_mark,
)

MAX_RACES = 3
"""How often one request tries again after another write of the same record came first."""

MAX_CHANGES = 100
"""How many records one write changes: DynamoDB takes 300 operators and 4 KB in an expression."""

SETTLE_AFTER_MS = 60 * 1000
"""How long an announced claim may be on its way before somebody else settles that it is not made."""

FORGET_AFTER_MS = 15 * 60 * 1000
"""Released records are kept at least this long: far beyond any request's life and any clock's error."""


# --- Effects: what a protocol asks of whoever drives it ---------------------------------------------------


class Read(NamedTuple):
    """Read these shards; answered with a tuple of ``Shard`` in the same order."""

    shards: tuple[int, ...]
    consistent: bool = False


class Write(NamedTuple):
    """Do one write; answered with ``Written`` or ``Refused``."""

    write: ShardWrite


type Effect = Read | Write
type Protocol[Outcome] = Generator[Effect, Any, Outcome]


@dataclass(frozen=True, slots=True)
class Terms:
    """What is fixed about a campaign's claims: how long holds last (milliseconds) and what shards can hold."""

    hold_ms: int
    extended_ms: int
    capacity: Callable[[str, int], int]

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


# --- Outcomes ---------------------------------------------------------------------------------------------


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


class LimitReached(NamedTuple):
    """With these units the shopper would own more than allowed; ``owned`` counts held and bought units.

    ``per`` is what the limit is for: ``sku`` or ``campaign``.
    """

    limit: int
    owned: int
    per: str


class NothingFree(NamedTuple):
    """No free unit was found where one was looked for."""


class LostRace(NamedTuple):
    """Others were faster on the same items; trying again may succeed."""


type ClaimOutcome = Granted | Replayed | Resumed | KeyReused | LimitReached | NothingFree | LostRace


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A shopper's wish for ``quantity`` units of ``slot``.

    ``order_id`` is given when a late payment takes units again: then the entry is confirmed at once, and a live
    hold of the same SKU is not resumed, because it is another purchase.
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

    def entry(self, known: Iterable[Entry] = ()) -> Entry:
        """Return the new entry; its attempt is higher than all ``known`` ones."""
        attempt = max([self.now, *(entry.attempt + 1 for entry in known)])
        state = HELD if self.order_id is None else CONFIRMED
        return Entry(state, self.slot, self.quantity, attempt, self.tag, self.order_id)


# --- Rules ------------------------------------------------------------------------------------------------


def first_take(request: ClaimRequest, terms: Terms) -> ShardWrite:
    """Return the write that succeeds if the shopper has no record at home and enough is free there."""
    return ShardWrite(
        request.home,
        (RecordChange(request.name, None, encode_entry(request.entry())),),
        {request.slot: -request.quantity},
        {request.slot: terms.capacity(request.slot, request.home)},
    )


def judge(request: ClaimRequest, standing: Sequence[Claim], terms: Terms) -> ClaimOutcome | None:
    """Return the answer that the shopper's standing already decides, or None if units may be taken."""
    for claim in standing:
        if claim.entry.tag == request.tag:
            same = claim.entry.slot == request.slot and claim.entry.quantity == request.quantity
            return Replayed(claim) if same else KeyReused()
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
    sale again the moment its hold lapses, not when somebody has swept.
    """
    own, free = _add(shard, request, added, live_pointers, terms)
    changes = [own]
    missing = -(shard.free.get(request.slot, terms.capacity(request.slot, shard.number)) + free[request.slot])
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
    return None if missing > 0 else _shard_write(shard.number, changes, free, terms)


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


# --- Protocols --------------------------------------------------------------------------------------------


def claim(
    request: ClaimRequest,
    terms: Terms,
    *,
    write_first: bool,
    elsewhere: Callable[[], tuple[int, ...]],
) -> Protocol[ClaimOutcome]:
    """Claim units for a shopper: one write when all goes well, two when the home shard is empty and others are not.

    ``write_first`` says that the first write is likely to succeed; otherwise the home shard is read before. What even
    a shopper without any claim may not have is never written blindly.
    ``elsewhere`` names the few shards worth a look once the home shard is known to be empty.
    """
    possible = judge(request, (), terms) is None and terms.capacity(request.slot, request.home) >= request.quantity
    if write_first and possible:
        result = yield Write(first_take(request, terms))
        if isinstance(result, Written):
            return Granted(Claim(request.home, request.entry()))
        home: Shard = result.image
    else:
        (home,) = yield Read((request.home,))
        if request.name in home.records:
            # An answer about the shopper's own claim must not be a moment old.
            (home,) = yield Read((request.home,), True)
    for _ in range(MAX_RACES):
        record = decode_record(home.records.get(request.name))
        standing = yield from _standing(request.name, record, home.number, terms, request.now)
        decided = judge(request, standing, terms)
        if decided is not None:
            return decided
        live_pointers = frozenset(found.entry.attempt for found in standing if found.entry.units)
        added = request.entry([*record, *(found.entry for found in standing)])
        write = take(home, request, added, live_pointers, terms)
        if write is not None:
            result = yield Write(write)
            if isinstance(result, Written):
                return Granted(Claim(home.number, added))
            home = result.image
            continue
        away = yield from _look_elsewhere(request, elsewhere(), added.attempt, terms)
        if away is None:
            return NothingFree()
        shard, added, write = away
        pointer = added._replace(state=POINTER, order_id=None, shard=shard)
        announced = point(home, request, pointer, live_pointers, terms)
        result = yield Write(announced)
        if isinstance(result, Written):
            result = yield Write(write)
            if isinstance(result, Written):
                return Granted(Claim(shard, added))
            placed = find(result.image, request.name, added.attempt)
            if placed is not None:  # by this very write, if it was sent twice: its pointer must stay
                return Replayed(Claim(shard, placed))
            yield Write(withdraw(_after(home, announced), request.name, pointer, terms))
            return LostRace()
        home = result.image
    return LostRace()


def _look_elsewhere(
    request: ClaimRequest, candidates: tuple[int, ...], attempt: int, terms: Terms
) -> Protocol[tuple[int, Entry, ShardWrite] | None]:
    """Return the first of the candidates that has the units, with the entry and the write that takes them."""
    images: tuple[Shard, ...] = (yield Read(candidates)) if candidates else ()
    for away in images:
        known = decode_record(away.records.get(request.name))
        added = request.entry([*known, request.entry()._replace(attempt=attempt - 1)])
        write = take(away, request, added, frozenset(), terms)
        if write is not None:
            return away.number, added, write
    return None


def _standing(name: str, record: Sequence[Entry], home: int, terms: Terms, now: int) -> Protocol[tuple[Claim, ...]]:
    """Return all claims that a home record stands for, following its pointers.

    What could still change behind a pointer is settled first: a hold that is due is marked, and a claim that is
    not there is made void, because the request that announced it may only be slow (points 2 and 3 above).
    """
    found = [Claim(home, entry) for entry in record if entry.is_claim]
    pointers = [entry for entry in record if entry.state == POINTER]
    if pointers:
        images: tuple[Shard, ...] = yield Read(tuple(sorted({entry.shard or 0 for entry in pointers})), True)
        shards = {image.number: image for image in images}
        for pointer in pointers:
            away = shards[pointer.shard or 0]
            while True:
                entry = find(away, name, pointer.attempt)
                if entry is None:
                    settle = void(away, name, pointer, terms, now)
                elif terms.is_due(entry, now):
                    settle = _move(away, name, entry, entry._replace(state=EXPIRED), terms)
                else:
                    settle = None
                if settle is None:
                    break
                result = yield Write(settle)
                away = _after(away, settle) if isinstance(result, Written) else result.image
            shards[away.number] = away
            if entry is not None:
                found.append(Claim(away.number, entry))
    return tuple(found)


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
    return _move(home, name, pointer, pointer._replace(state=VOID, shard=None), terms)


def settle(home: Shard, terms: Terms, now: int) -> Protocol[int]:
    """Withdraw the pointers of a home shard whose claims were announced a while ago and never made; return how many.

    That is what a request leaves behind that was killed between its two writes. It does no harm, but a pointer should
    lead to a claim. What is older than FORGET_AFTER_MS is left to :func:`forget_released`.
    """
    waiting = [
        (name, entry)
        for name, entry in home.entries()
        if entry.state == POINTER and SETTLE_AFTER_MS <= now - entry.attempt < FORGET_AFTER_MS
    ]
    settled = 0
    for name, pointer in waiting:
        (away,) = yield Read((pointer.shard or 0,), True)
        if find(away, name, pointer.attempt) is not None:
            continue
        write = void(away, name, pointer, terms, now)
        if write is not None and isinstance((yield Write(write)), Refused):
            continue  # made after all, or something else went on: the next sweep will tell
        if isinstance((yield Write(withdraw(home, name, pointer, terms))), Written):
            settled += 1
    return settled


def find(shard: Shard, name: str, attempt: int) -> Entry | None:
    """Return a shopper's claim of that attempt in a shard, or None: neither pointers nor void entries are claims."""
    for entry in decode_record(shard.records.get(name)):
        if entry.attempt == attempt and entry.is_claim:
            return entry
    return None


def _move(shard: Shard, name: str, old: Entry, new: Entry, terms: Terms) -> ShardWrite:
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


def look_up(ref: ClaimRef, terms: Terms, now: int) -> Protocol[Claim | None]:
    """Return a claim as it stands at ``now``; a hold past its time is reported as expired."""
    (shard,) = yield Read((ref.shard,), True)
    entry = find(shard, ref.name, ref.attempt)
    if entry is None:
        return None
    return Claim(ref.shard, entry._replace(state=EXPIRED) if terms.is_due(entry, now) else entry)


def confirm(ref: ClaimRef, order_id: str, terms: Terms, now: int, *, reclaim: bool) -> Protocol[ChangeOutcome]:
    """Make a hold a sale. With ``reclaim`` a hold that is late but not yet marked is still confirmed.

    ``NotPossible`` with an expired claim is the caller's cue for the late-payment policy.
    """

    def goal(entry: Entry) -> Entry | None:
        if entry.state == CONFIRMED:
            return entry if entry.order_id == order_id else None
        if terms.is_due(entry, now) and not reclaim:
            return None
        return entry._replace(state=CONFIRMED, order_id=order_id) if entry.is_held else None

    return (yield from _change(ref, goal, terms, now))


def cancel(ref: ClaimRef, terms: Terms, now: int) -> Protocol[ChangeOutcome]:
    """Give a hold back before it is paid; repeatable."""

    def goal(entry: Entry) -> Entry | None:
        if entry.state == CANCELLED:
            return entry
        if terms.is_due(entry, now):
            return None
        return entry._replace(state=CANCELLED) if entry.is_held else None

    return (yield from _change(ref, goal, terms, now))


def extend(ref: ClaimRef, terms: Terms, now: int) -> Protocol[ChangeOutcome]:
    """Extend a hold once, when payment begins; repeatable without extending it again."""

    def goal(entry: Entry) -> Entry | None:
        if terms.is_due(entry, now) or not entry.is_held:
            return None
        return entry._replace(state=EXTENDED)

    return (yield from _change(ref, goal, terms, now))


def _change(ref: ClaimRef, goal: Callable[[Entry], Entry | None], terms: Terms, now: int) -> Protocol[ChangeOutcome]:
    (shard,) = yield Read((ref.shard,), True)
    for _ in range(MAX_RACES):
        entry = find(shard, ref.name, ref.attempt)
        if entry is None:
            return Missing()
        wanted = goal(entry)
        if wanted == entry:
            return Changed(Claim(ref.shard, entry), replayed=True)
        if wanted is None and not terms.is_due(entry, now):
            return NotPossible(Claim(ref.shard, entry))
        # What is asked comes too late: the answer "expired" has to be final before it is given.
        result = yield Write(_move(shard, ref.name, entry, wanted or entry._replace(state=EXPIRED), terms))
        if isinstance(result, Written):
            if wanted is None:
                return NotPossible(Claim(ref.shard, entry._replace(state=EXPIRED)))
            return Changed(Claim(ref.shard, wanted), replayed=False)
        shard = result.image
    return LostRace()


def expire(number: int, terms: Terms, now: int) -> Protocol[int | None]:
    """Give back all due holds of a shard; return when its next hold lapses, or None if it has no other."""
    (shard,) = yield Read((number,), True)
    while True:
        write = expire_due(shard, terms, now)
        if write is None:
            return next_due(shard, terms)
        result = yield Write(write)
        shard = _after(shard, write) if isinstance(result, Written) else result.image


def _after(shard: Shard, write: ShardWrite) -> Shard:
    after = apply(shard, write)
    if after is None:  # the database has just accepted this very write on this very image
        raise AssertionError("a write was accepted that its own rules refuse")
    return after
