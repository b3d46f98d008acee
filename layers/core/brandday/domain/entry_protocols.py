"""The protocols of entries: which reads and writes an entry, its prize and a prize's return take, in which order.

Like those of stock (:mod:`brandday.domain.protocols`) they are generators that do no I/O; the runtime drives them
(`usecases/settle_entries.py`), and the tests drive the very same ones through every order of events.

Why nobody wins twice and no unit is lost, whoever is killed wherever:

1. An entry is written before its unit is claimed, on condition of the record it was judged by. So its luck is fixed,
   and the record tells everybody who comes by that a unit may have been claimed.
2. A unit is claimed in the entry's name. The home shard of that name serialises all claims for the entry, whoever makes
   them: the shopper's request, its repetition, another request of the shopper, the stream's consumer.
3. That a pool is empty is written down *in the home shard* first: as a claim of that name that has no unit (`_close`).
   Otherwise somebody slow could still claim a unit that was returned or released meanwhile, for an entry whose record
   has long gone on, and that unit would be nobody's.
4. Only then the record says what became of it, on condition of the version that was read. Who loses that race reads
   the record again, and finds it decided, or another prize pending.
5. A prize goes back in the other order: the record first, then the unit. So nobody can win it while the record still
   says that it is somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from brandday.domain.entrant import (
    AllowanceUsed,
    Closed,
    Entrant,
    EntryRequest,
    Fate,
    Look,
    PassUsed,
    Replayed,
    Rules,
    Taken,
    Unsettled,
    claim_name,
    entry_id,
    give_back,
    miss,
    take,
    win,
)
from brandday.domain.layout import home_shard
from brandday.domain.protocols import Read, Write, claim, find_claims, take_back
from brandday.domain.shard import (
    CANCELLED,
    CONFIRMED,
    EXPIRED,
    LIVE,
    RecordChange,
    Shard,
    ShardWrite,
    Written,
    decode_record,
    encode_record,
)
from brandday.domain.stock import (
    ChangeOutcome,
    Claim,
    ClaimRef,
    ClaimRequest,
    Granted,
    LostRace,
    Missing,
    NothingFree,
    Terms,
    keep,
)
from brandday.domain.stock import Replayed as ClaimReplayed
from brandday.domain.stock import take as take_unit

MAX_RACES = 5
"""How often one request tries again after others were faster, at each thing it does."""

_CLOSED = {Fate.GONE: CANCELLED, Fate.DAY_FULL: EXPIRED}
"""The state of the claim without a unit that says why there was none."""
_FATES = {state: fate for fate, state in _CLOSED.items()}


class Load(NamedTuple):
    """Read the entrant's record; answered with it, or None if there is none."""

    consistent: bool = False


class Save(NamedTuple):
    """Replace the record; answered with whether it happened."""

    before: Entrant | None
    after: Entrant


class Ask(NamedTuple):
    """Ask what time it is and by which rules; answered with a :class:`Present`.

    ``entering``: raises instead if nobody may enter any more. A prize that is pending is settled whatever has become of
    the campaign.
    """

    entering: bool


class Plan(NamedTuple):
    """How to go about a claim: whether to write at once, where to look first, and all shards with released units, in
    pages; each proof begins anew with the first page.
    """

    write_first: bool
    hints: tuple[int, ...]
    pages: Callable[[], Iterable[tuple[int, ...]]]


class Present(NamedTuple):
    """The moment of an act: epoch ms, the rules, what is known of the pools for an entry of a time, and how to claim.

    ``noted`` is told what came of a claim.
    """

    now: int
    rules: Rules
    terms: Terms
    look: Callable[[int], Look]
    plan: Callable[[ClaimRequest], Plan]
    noted: Callable[[ClaimRequest, Decided], None]


class Won(NamedTuple):
    """The unit is the entry's: where it is, and the attempt of its claim."""

    shard: int
    attempt: int


class Nothing(NamedTuple):
    """Nothing was to be had, which was seen at ``at`` (epoch ms); ``fresh`` if it was seen by this very request."""

    fate: Fate
    at: int
    fresh: bool


type Decided = Won | Nothing


class Entered(NamedTuple):
    """The record with entry ``number`` decided; ``replayed`` if this request had been taken before."""

    entrant: Entrant
    number: int
    replayed: bool


type EnterOutcome = Entered | PassUsed | AllowanceUsed | Closed | LostRace

type Effect = Load | Save | Ask | Read | Write
type EntryProtocol[Outcome] = Generator[Effect, Any, Outcome]


def enter(newcomer: Entrant, tag: str, passed_at: int | None = None) -> EntryProtocol[EnterOutcome]:
    """Take an entry and find out what it wins: one read and one write if it is nothing.

    ``newcomer`` is the record of somebody who never entered, ``passed_at`` when their pass was issued. What an earlier
    request left pending is settled first.
    """
    consistent = False
    for _ in range(MAX_RACES):
        seen: Entrant | None = yield Load(consistent)
        entrant = newcomer if seen is None else seen
        present: Present = yield Ask(entering=True)
        outcome = take(entrant, EntryRequest(tag, present.now, passed_at), present.rules, present.look(present.now))
        match outcome:
            case Taken(after):
                if (yield Save(seen, after)):
                    entrant = stored(entrant, after)
                    return _entered((yield from settle(entrant, len(entrant.entries))), len(entrant.entries))
            case Replayed(number):
                settled = yield from finish(entrant, number, consistent=consistent)
                return _entered(settled, number, replayed=True)
            case Unsettled(number) if consistent:
                settled = yield from settle(entrant, number)
                if isinstance(settled, LostRace):
                    return settled
            case PassUsed() if consistent:
                return outcome
            case AllowanceUsed() | Closed() if consistent or not present.rules.lottery.allowance.earned:
                return outcome
        consistent = True  # what was read was old, or an answer must not be: a chance may have been granted meanwhile
    return LostRace()


def finish(entrant: Entrant, number: int, *, consistent: bool = True) -> EntryProtocol[Entrant | LostRace]:
    """Settle an entry as it is now, given a record that may be a moment old."""
    if entrant.entries[number - 1].pending and not consistent:
        entrant = yield Load(True)
    return (yield from settle(entrant, number))


def settle(entrant: Entrant, number: int) -> EntryProtocol[Entrant | LostRace]:
    """Find out what a pending entry wins, prize after prize of its chain; return the record that says so."""
    races = 0
    while pending := entrant.entries[number - 1].pending:
        present: Present = yield Ask(entering=False)
        entry, rules = entrant.entries[number - 1], present.rules
        if entry.version not in rules.ends:  # judged by somebody who knows newer odds than we do
            return LostRace()
        request = claim_request(rules, entrant.name, number, pending.slot, max(present.now, entry.at))
        plan = present.plan(request)
        if len(entry.tries) > 1:  # its name may be closed for the prize before, and then a blind write is refused
            plan = plan._replace(write_first=False)
        decided = yield from claim_prize(request, present.terms, plan)
        if isinstance(decided, LostRace):
            return decided
        present.noted(request, decided)
        after = (
            win(entrant, number, decided.shard, decided.attempt)
            if isinstance(decided, Won)
            else miss(entrant, number, decided.fate, decided.at, rules, present.look(entry.at))
        )
        if after is None:  # something is pending, and these rules only refuse where nothing is
            raise AssertionError("a pending entry could not be settled")
        if (yield Save(entrant, after)):
            entrant = stored(entrant, after)
            continue
        races += 1
        if races == MAX_RACES:
            return LostRace()
        entrant = yield Load(True)
    return entrant


def claim_prize(request: ClaimRequest, terms: Terms, plan: Plan) -> EntryProtocol[Decided | LostRace]:
    """Claim a unit in an entry's name, or prove that there is none and close that name for this prize."""
    hints, write_first = plan.hints, plan.write_first
    for _ in range(MAX_RACES):
        outcome = yield from claim(request, terms, write_first=write_first, elsewhere=lambda found=hints: found)  # type: ignore[misc]
        write_first = False
        match outcome:
            case Granted(claimed):
                return Won(claimed.shard, claimed.entry.attempt)
            case ClaimReplayed(claimed):
                return _decided(claimed)
            case LostRace():
                continue
            case NothingFree():
                found = yield from _look_everywhere(request, terms, plan.pages())
                if isinstance(found, int):
                    hints = (found,)
                    continue
                closed = yield from _close(request, found, terms)
                if closed is not None:
                    return closed
            case _:
                raise AssertionError(f"the claim of an entry came to {outcome}")
    return LostRace()


def return_prize(campaign_id: str, entrant: str, number: int, terms: Terms, now: int) -> EntryProtocol[ChangeOutcome]:
    """Give back the unit that an entry won, because its prize was forfeited; repeatable.

    ``Missing`` if it won nothing, or if the claim was forgotten because it went back long ago.
    """
    for _ in range(MAX_RACES):
        record: Entrant | None = yield Load(True)
        won = record.entries[number - 1].won if record is not None and number <= len(record.entries) else None
        if record is None or won is None or won.shard is None or won.at is None:
            return Missing()
        returned = give_back(record, number, max(now, won.at))
        if returned is None or (yield Save(record, returned)):
            name = claim_name(entry_id(campaign_id, entrant, number))
            return (yield from take_back(ClaimRef(won.shard, name, won.at), terms, now))
    return LostRace()


def claim_request(rules: Rules, entrant: str, number: int, slot: str, now: int) -> ClaimRequest:
    """Return the wish for a unit in the name of an entry: one, confirmed at once, with a mark of its own per prize."""
    name = claim_name(entry_id(rules.frozen.campaign_id, entrant, number))
    return ClaimRequest(
        name=name,
        home=home_shard(name, rules.frozen.shards),
        slot=slot,
        quantity=1,
        tag=f"entry{slot}",
        now=now,
        slot_limit=1,
        limit=1,
        order_id=f"{entrant}.{number}",
    )


def stored(before: Entrant, after: Entrant) -> Entrant:
    """Return the record as it is after ``after`` was saved in place of ``before``."""
    return replace(after, version=before.version + 1)


def _entered(settled: Entrant | LostRace, number: int, *, replayed: bool = False) -> Entered | LostRace:
    return settled if isinstance(settled, LostRace) else Entered(settled, number, replayed)


def _decided(claimed: Claim) -> Decided:
    entry = claimed.entry
    if entry.state == CONFIRMED:
        return Won(claimed.shard, entry.attempt)
    # Or a prize that was won and went back: then the record says so, and whoever asked has an old one.
    return Nothing(_FATES[entry.state], entry.attempt, fresh=False)


def _look_everywhere(
    request: ClaimRequest, terms: Terms, pages: Iterable[tuple[int, ...]]
) -> EntryProtocol[int | Nothing]:
    """Return a shard that has a unit to be had, or the proof that none has.

    The proof's time is not before any of the claims it rests on, whatever the clocks say.
    """
    fate, at = Fate.GONE, request.now
    for page in pages:
        images: Sequence[Shard] = yield Read(page, True)
        for image in images:
            if take_unit(image, request, request.entry(), frozenset(), terms) is not None:
                return image.number
            left_today = terms.pace.left_today(request.slot, image, request.now)
            free = image.free.get(request.slot, terms.capacity(request.slot, image.number))
            if left_today == 0 and free > terms.pace.reserved(request.slot, image.number, request.now):
                fate = Fate.DAY_FULL
            at = max([at, *(e.attempt for _, e in image.entries() if e.slot == request.slot and e.state in LIVE)])
    return Nothing(fate, at, fresh=True)


def _close(request: ClaimRequest, found: Nothing, terms: Terms) -> EntryProtocol[Decided | None]:
    """Write down at home that the entry gets no unit of this prize, unless a claim of it was made after all.

    From then on every claim for it is answered with that. None if others were faster, again and again.
    """
    (home,) = yield Read((request.home,), True)
    for _ in range(MAX_RACES):
        before = home.records.get(request.name)
        record = decode_record(before)
        standing: Sequence[Claim] = yield from find_claims(request.name, record, home.number, terms, request.now)
        for claimed in standing:
            if claimed.entry.tag == request.tag:
                return _decided(claimed)
        closed = request.entry([*record, *(other.entry for other in standing)])
        closed = closed._replace(state=_CLOSED[found.fate], attempt=max(closed.attempt, found.at), order_id=None)
        after = encode_record([*keep(record, request.slot, frozenset(), terms, request.now), closed])
        result = yield Write(ShardWrite(home.number, (RecordChange(request.name, before, after),), {}, {}))
        if isinstance(result, Written):
            return found
        home = result.image
    return None
