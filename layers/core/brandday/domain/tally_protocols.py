"""The protocols of limits on wins: how the one write that wins takes its tallies along.

They wrap the protocols of stock and of entries (:mod:`brandday.domain.protocols`, `entry_protocols`), pass on whatever
those ask for, and replace one write: the one that takes units, or adds an entry. Like those they are generators without
I/O, which `usecases/guarded_writes.py` drives and the tests drive through every order of events. Why a tally is exact
is in :mod:`brandday.domain.tally`. Besides:

1. The record itself comes before the limits. Where a limit stands in the way, the shard (or the entrant's record) is
   looked at once more, so that the repetition of a request hears what it got, and who holds units already of them.
2. A hold that is due and not yet marked could still be paid, so it is marked before its line is dropped.
3. What is announced (a pointer) and then not made because of a limit is withdrawn by the protocol itself, as if others
   had been faster. As a rule it does not come to that: limits are looked at before anything is announced.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from brandday.domain.effects import run_within
from brandday.domain.entrant import Entrant
from brandday.domain.entry_protocols import EntryProtocol, Load, Save
from brandday.domain.protocols import MAX_RACES, Effect, Protocol, Read, Write, expire
from brandday.domain.shard import POINTER, Entry, Refused, Shard, ShardWrite, Written, apply, decode_record
from brandday.domain.stock import LostRace, Terms
from brandday.domain.tally import Taken, TalliesMoved, Tally, TallyKey, TallyWrite, Wanted, is_released

SHARDS_PER_LOOK = 100
"""How many shards one read may name."""


class ReadTallies(NamedTuple):
    """Read these tallies; answered with all of them by key, which may be a moment old."""

    keys: tuple[TallyKey, ...]


class WriteTallied(NamedTuple):
    """Do a write of stock together with its tallies; answered with ``Written``, ``Refused`` or ``TalliesMoved``."""

    write: ShardWrite
    tallies: tuple[TallyWrite, ...]


class SaveTallied(NamedTuple):
    """Replace an entrant's record, together with tallies; answered with whether it happened, or ``TalliesMoved``."""

    before: Entrant | None
    after: Entrant
    tallies: tuple[TallyWrite, ...]


class AskTerms(NamedTuple):
    """Ask for the terms of a campaign's claims; answered with them, or None if there is no such campaign."""

    campaign_id: str


class In(NamedTuple):
    """The same as ``effect``, of another campaign; answered like it."""

    campaign_id: str
    effect: Effect


type TallyEffect = ReadTallies | WriteTallied | SaveTallied | AskTerms | In
type TalliedProtocol[Outcome] = Generator[Any, Any, Outcome]
"""Asks for what the protocol within asks for, and for the effects above."""


class LimitStands(NamedTuple):
    """Nothing was taken: as much as a limit allows is taken already, and none of it is released."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Keeping:
    """Whose win has to keep which limits; ``now`` is epoch ms.

    ``name`` is the shopper's in the campaign's records, ``forget_at`` (epoch s) when nobody needs the tallies any more.
    ``full`` are tallies of which was seen a moment ago that there is no room and nothing to drop.
    """

    campaign_id: str
    name: str
    wanted: tuple[Wanted, ...]
    now: int
    forget_at: int
    full: frozenset[TallyKey] = frozenset()


def claim_within_limits[Outcome](
    protocol: Protocol[Outcome], home: int, keeping: Keeping
) -> TalliedProtocol[Outcome | LimitStands | LostRace]:
    """Go on like a protocol of stock, but take units only within the limits."""
    tallies, stands, answer = _Tallies(keeping), None, None
    while True:
        try:
            effect = protocol.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            # What looked like a lost race to the protocol was a limit, if one stood in the way of its last step.
            return stands if stands is not None and isinstance(outcome, LostRace) else outcome
        new = _new_entry(effect.write, keeping.name) if isinstance(effect, Write) else None
        if new is None or not isinstance(effect, Write):
            answer = yield effect
            continue
        shard = effect.write.shard if new.shard is None else new.shard
        taken = Taken(keeping.campaign_id, keeping.name, new.attempt, new.quantity, shard=shard)
        if new.state == POINTER:
            stands = yield from tallies.limit_against(taken)
            if stands is not None:
                return stands
            answer = yield effect
            continue
        answer = yield from _write(effect.write, taken, tallies)
        if isinstance(answer, LimitStands | LostRace):
            if shard == home:
                return answer
            stands = answer if isinstance(answer, LimitStands) else None
            images: tuple[Shard, ...] = yield Read((shard,), True)
            answer = Refused(images[0])


def enter_within_limits[Outcome](
    protocol: EntryProtocol[Outcome], keeping: Keeping
) -> TalliedProtocol[Outcome | LimitStands | LostRace]:
    """Go on like a protocol of entries, but add an entry only within the limits."""
    tallies, answer = _Tallies(keeping), None
    while True:
        try:
            effect = protocol.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        if not isinstance(effect, Save) or len(effect.after.entries) == _entries(effect.before):
            answer = yield effect
            continue
        answer = yield from _save(effect, tallies)
        if isinstance(answer, LimitStands | LostRace):
            return answer


class _Tallies:
    """What is known of the tallies while one request is on its way."""

    def __init__(self, keeping: Keeping) -> None:
        self.campaign_id = keeping.campaign_id
        self._keeping = keeping
        self._known: dict[TallyKey, Tally] = {}
        self._released: set[Taken] = set()

    def limit_against(self, new: Taken) -> TalliedProtocol[LimitStands | None]:
        """Return the limit that stands against it, once all that is released was dropped; None if there is room."""
        keeping = self._keeping
        for wanted in keeping.wanted:
            if wanted.key in keeping.full:
                return LimitStands(wanted)
        unknown = tuple(wanted.key for wanted in keeping.wanted if wanted.key not in self._known)
        if unknown:
            self._known |= yield ReadTallies(unknown)
        for wanted in keeping.wanted:
            if not self._tally(wanted).has_room(wanted.limit, new):
                counting = self._tally(wanted).counting(wanted.limit, new.at)
                self._released |= yield from released_of(counting, keeping.now)
                if not self._tally(wanted).has_room(wanted.limit, new):
                    return LimitStands(wanted)
        return None

    def writes(self, new: Taken) -> tuple[TallyWrite, ...]:
        """Return the changes of all tallies that go with it."""
        return tuple(
            TallyWrite(
                wanted.key,
                tally.version,
                tally.adding(wanted.limit, new),
                max(tally.forget_at, self._keeping.forget_at),
            )
            for wanted, tally in ((wanted, self._tally(wanted)) for wanted in self._keeping.wanted)
        )

    def moved(self, images: Mapping[TallyKey, Tally]) -> None:
        """Take note of tallies as they are by now."""
        self._known |= images

    def _tally(self, wanted: Wanted) -> Tally:
        return self._known[wanted.key].without(self._released)


def released_of(lines: tuple[Taken, ...], now: int) -> TalliedProtocol[frozenset[Taken]]:
    """Return those of the lines whose claim is released, for good; entries never are."""
    by_campaign: dict[str, list[Taken]] = {}
    for one in lines:
        if one.shard is not None:
            by_campaign.setdefault(one.campaign_id, []).append(one)
    released: set[Taken] = set()
    for campaign_id, claims in by_campaign.items():
        numbers = sorted({one.shard for one in claims if one.shard is not None})
        images: dict[int, Shard] = {}
        for start in range(0, len(numbers), SHARDS_PER_LOOK):
            page = tuple(numbers[start : start + SHARDS_PER_LOOK])
            images |= {image.number: image for image in (yield In(campaign_id, Read(page, True)))}
        terms: Terms | None = yield AskTerms(campaign_id)
        if terms is None:  # nobody can tell, so it counts
            continue
        for number, image in images.items():
            due = any(
                one.shard == number and name == one.name and entry.attempt == one.at and terms.is_due(entry, now)
                for name, entry in image.entries()
                for one in claims
            )
            if due:
                yield from run_within(expire(number, terms, now), partial(_in, campaign_id))
                (images[number],) = yield In(campaign_id, Read((number,), True))
        released |= {one for one in claims if one.shard is not None and is_released(one, images[one.shard])}
    return frozenset(released)


def _in(campaign_id: str, effect: Effect) -> TalliedProtocol[object]:
    return (yield In(campaign_id, effect))


def _write(
    write: ShardWrite, taken: Taken, tallies: _Tallies
) -> TalliedProtocol[Written | Refused | LimitStands | LostRace]:
    for _ in range(MAX_RACES):
        stands = yield from tallies.limit_against(taken)
        if stands is not None:
            images: tuple[Shard, ...] = yield Read((write.shard,), True)
            return stands if apply(images[0], write) is not None else Refused(images[0])
        result: Written | Refused | TalliesMoved = yield WriteTallied(write, tallies.writes(taken))
        if not isinstance(result, TalliesMoved):
            return result
        tallies.moved(result.images)
    return LostRace()


def _save(save: Save, tallies: _Tallies) -> TalliedProtocol[bool | LimitStands | LostRace]:
    added, number = save.after.entries[-1], len(save.after.entries)
    for _ in range(MAX_RACES):
        taken = Taken(tallies.campaign_id, save.after.name, added.at, 1, entry=number)
        stands = yield from tallies.limit_against(taken)
        if stands is not None:
            now: Entrant | None = yield Load(True)
            return stands if _version(now) == _version(save.before) else False
        result: bool | TalliesMoved = yield SaveTallied(save.before, save.after, tallies.writes(taken))
        if not isinstance(result, TalliesMoved):
            return result
        tallies.moved(result.images)
    return LostRace()


def _new_entry(write: ShardWrite, name: str) -> Entry | None:
    """Return what a write adds to the shopper's record: a claim that takes units, or the pointer that announces it."""
    for change in write.changes:
        if change.name == name:
            before = {entry.attempt for entry in decode_record(change.before)}
            for entry in decode_record(change.after):
                if entry.attempt not in before and (entry.units or entry.state == POINTER):
                    return entry
    return None


def _entries(entrant: Entrant | None) -> int:
    return 0 if entrant is None else len(entrant.entries)


def _version(entrant: Entrant | None) -> int:
    return 0 if entrant is None else entrant.version
