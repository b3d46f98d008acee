"""The protocols of stock: which reads and writes a claim, a payment, a cancellation takes, and in which order.

A protocol is a generator: it yields what it needs (:class:`Read`, :class:`Write`), is sent the answer, and returns an
outcome. It does no I/O itself. The runtime drives it against DynamoDB (`usecases/drive.py`); the interleaving check in
the tests drives the very same generators against every possible order of events. What may be written, and why that is
right, is in :mod:`brandday.domain.stock`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

from brandday.domain.shard import (
    CANCELLED,
    CONFIRMED,
    EXPIRED,
    EXTENDED,
    POINTER,
    RELEASED,
    Entry,
    Refused,
    Shard,
    ShardWrite,
    Written,
    apply,
    decode_record,
)
from brandday.domain.stock import (
    FORGET_AFTER_MS,
    SETTLE_AFTER_MS,
    Changed,
    ChangeOutcome,
    Claim,
    ClaimOutcome,
    ClaimRef,
    ClaimRequest,
    Granted,
    LostRace,
    Missing,
    NothingFree,
    NotPossible,
    Replayed,
    Terms,
    expire_due,
    find,
    first_take,
    judge,
    move,
    next_due,
    point,
    take,
    void,
    withdraw,
)

MAX_RACES = 3
"""How often one request tries again after another write of the same record came first."""


class Read(NamedTuple):
    """Read these shards; answered with a tuple of ``Shard`` in the same order."""

    shards: tuple[int, ...]
    consistent: bool = False


class Write(NamedTuple):
    """Do one write; answered with ``Written`` or ``Refused``."""

    write: ShardWrite


type Effect = Read | Write
type Protocol[Outcome] = Generator[Effect, Any, Outcome]


def claim(
    request: ClaimRequest,
    terms: Terms,
    *,
    write_first: bool,
    elsewhere: Callable[[], tuple[int, ...]],
) -> Protocol[ClaimOutcome]:
    """Claim units for a shopper: one write when all goes well, two when the home shard is empty and others are not.

    ``write_first`` says that the first write is likely to succeed; otherwise the home shard is read before. What even
    a shopper without any claim may not have is never written blindly; nor must be what has a cap for the day.
    ``elsewhere`` names the few shards worth a look once the home shard is known to be empty.
    """
    there = terms.capacity(request.slot, request.home) - terms.pace.reserved(request.slot, request.home, request.now)
    uncapped = terms.pace.left_today(request.slot, Shard(request.home, 0, {}, {}), request.now) is None
    possible = uncapped and judge(request, (), terms) is None and there >= request.quantity
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
        standing = yield from find_claims(request.name, record, home.number, terms, request.now)
        decided = judge(request, standing, terms)
        if decided is not None:
            return decided
        live_pointers = frozenset(found.entry.attempt for found in standing if found.entry.units)
        if request.passed_at is not None and standing:
            # The claim that is announced may not be made: then home has to know still up to when passes are used.
            live_pointers |= {max(found.entry.attempt for found in standing)}
        added = request.entry([*record, *(found.entry for found in standing)])
        write = take(home, request, added, live_pointers, terms)
        if write is not None:
            result = yield Write(write)
            if isinstance(result, Written):
                return Granted(Claim(home.number, added))
            home = result.image
            continue
        candidates = elsewhere()
        away = yield from look_elsewhere(request, candidates, added.attempt, terms)
        if away is None:
            return NothingFree(looked=bool(candidates))
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


def look_elsewhere(
    request: ClaimRequest, candidates: tuple[int, ...], attempt: int, terms: Terms
) -> Protocol[tuple[int, Entry, ShardWrite] | None]:
    """Return the fullest of the candidates that have the units, with the entry and the write that takes them.

    Others are on their way to the same few units: where there are more, the claim is more likely to be in time.
    """
    images: tuple[Shard, ...] = (yield Read(candidates)) if candidates else ()
    for away in sorted(
        images, key=lambda away: -away.free.get(request.slot, terms.capacity(request.slot, away.number))
    ):
        known = decode_record(away.records.get(request.name))
        added = request.entry([*known, request.entry()._replace(attempt=attempt - 1)])
        write = take(away, request, added, frozenset(), terms)
        if write is not None:
            return away.number, added, write
    return None


def find_claims(name: str, record: Sequence[Entry], home: int, terms: Terms, now: int) -> Protocol[tuple[Claim, ...]]:
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
                    settle = move(away, name, entry, entry._replace(state=EXPIRED), terms)
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


def take_back(ref: ClaimRef, terms: Terms, now: int) -> Protocol[ChangeOutcome]:
    """Give back the units of a sale because its prize was forfeited; repeatable, and a released claim stays as it is.

    Nobody but whoever has made the forfeit final may ask for it: the shopper loses the units.
    """

    def goal(entry: Entry) -> Entry | None:
        if entry.state in RELEASED:
            return entry
        return entry._replace(state=CANCELLED, order_id=None) if entry.state == CONFIRMED else None

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
        result = yield Write(move(shard, ref.name, entry, wanted or entry._replace(state=EXPIRED), terms))
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
