"""An entrant's record: all entries of one shopper in one campaign, and the rules of taking the next one.

Every function takes the record as it was read and returns it as it shall be. Whoever saves it does so on condition
that nothing came in between (`version`), and asks again if something did.

1. `take` writes the entry: number, time, table version, and the first prize it may have. From here on its luck is
   fixed: number and seed decide the roll, the record decides pity and caps, the time decides the version.
2. A prize that it may have is `pending` until its unit was claimed from the pool; then `won`, or it was not to be had
   (`miss`), and the next in the chain is pending. One entry at a time: while one is pending no other is taken, since
   its end decides about pity and caps.

The chain of an entry: the prize that its roll (or pity) hit; then prizes with winning moments, where a released unit
is said to be untaken; then the consolation. The first to be had is won, and the chain says why the others were not:

* `per_shopper`: the shopper has had as many as one may have; forfeited ones count, they had their chance.
* `not_released`: no unit's time had come when the entry was taken.
* `gone`: each unit whose time had come had been won by another entry when we looked (between the entry's time and the
  time that is noted with it).
* `day_full`: the same, but for units that the day's cap kept back.

An entry that wins nothing but the consolation is a miss; pity counts misses in a row, whatever they missed by. Who may
not have the pity prize any more (`per_shopper`) rolls like everybody else.

A claim is made in the name of the entry (`claim_name`) and at most one unit goes by that name, so repeating the steps
after a crash, by whomever, ends in the same record.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from brandday.domain.layout import SLOTS
from brandday.domain.lottery import MAX_ENTRIES, Frozen, Lottery, LotteryMode, Moments, PrizeTable, table_at
from brandday.domain.luck import hit, roll
from brandday.domain.pacing import Pacing, day_of
from brandday.domain.shard import NAME_LENGTH

MAX_GRANTS = 16
"""How many grants of earned chances one record holds."""

MAX_CHANCES = 35
"""Of one grant: written as one base36 digit."""

_PREFIX = "ent_"
_ENTRY_ID = re.compile(rf"ent_([a-z0-9][a-z0-9-]{{2,39}})\.([A-Za-z0-9_-]{{{NAME_LENGTH}}})\.([1-9][0-9]?)")


class Fate(StrEnum):
    """What became of one prize that an entry could have had."""

    PENDING = "pending"
    WON = "won"
    RETURNED = "returned"
    """Won, and the unit went back to the pool because nobody claimed the prize in time."""
    GONE = "gone"
    DAY_FULL = "day_full"
    PER_SHOPPER = "per_shopper"
    NOT_RELEASED = "not_released"


class Try(NamedTuple):
    """One link of an entry's chain: the prize's slot and what became of it.

    `at` (epoch ms) is the attempt of the claim that won, or when the pool was found empty; None where it needed no
    look at the pool. `shard` is where the unit is, `returned_at` when it went back.
    """

    slot: str
    fate: Fate
    at: int | None = None
    shard: int | None = None
    returned_at: int | None = None

    @property
    def is_win(self) -> bool:
        """Whether the prize was won, kept or not."""
        return self.fate in (Fate.WON, Fate.RETURNED)


class Entry(NamedTuple):
    """One entry: when it was taken (epoch ms), by which request, judged by which table version, and its chain."""

    at: int
    tag: str
    version: int
    tries: tuple[Try, ...] = ()

    @property
    def pending(self) -> Try | None:
        """The prize that is being claimed for it."""
        return self.tries[-1] if self.tries and self.tries[-1].fate is Fate.PENDING else None

    @property
    def won(self) -> Try | None:
        """What it won, kept or not."""
        return self.tries[-1] if self.tries and self.tries[-1].is_win else None


class Grant(NamedTuple):
    """Earned chances from outside; `tag` stands for the grantor's id, so that each counts once."""

    tag: str
    chances: int


@dataclass(frozen=True, slots=True)
class Entrant:
    """The record of one entrant. `owner` and `sub` are who it is, for rewards; nothing published has them.

    `version` is 0 until it is stored, and counts its writes.
    """

    name: str
    owner: str
    sub: str
    entries: tuple[Entry, ...] = ()
    grants: tuple[Grant, ...] = ()
    version: int = 0

    @property
    def chances(self) -> int:
        """Earned chances, used or not."""
        return sum(grant.chances for grant in self.grants)

    def wins(self, slot: str) -> int:
        """How often the prize was won."""
        return sum(entry.won is not None and entry.won.slot == slot for entry in self.entries)

    def replaced(self, number: int, entry: Entry) -> Entrant:
        """The record with another entry `number` (from 1)."""
        return replace(self, entries=(*self.entries[: number - 1], entry, *self.entries[number:]))


@dataclass(frozen=True)
class Rules:
    """Everything that decides about entries; `seed` is None in a draw, whose entries need no luck yet."""

    lottery: Lottery
    frozen: Frozen
    tables: tuple[PrizeTable, ...]
    pacing: Pacing
    seed: bytes | None = field(repr=False)

    @cached_property
    def slots(self) -> dict[str, str]:
        """Prize id -> slot."""
        return dict(zip((prize.id for prize in self.lottery.prizes), SLOTS, strict=False))

    @cached_property
    def ends(self) -> dict[int, tuple[int, ...]]:
        """Table version -> ends of the slices."""
        return {table.version: table.ends(self.lottery) for table in self.tables}

    @cached_property
    def consolation(self) -> str | None:
        """The slot of the consolation prize."""
        return None if self.lottery.consolation is None else self.slots[self.lottery.consolation]

    def is_capped(self, entrant: Entrant, slot: str) -> bool:
        """Whether the entrant has had as many of a prize as one may have."""
        most = self.lottery.prizes[SLOTS.index(slot)].per_shopper
        return most is not None and entrant.wins(slot) >= most

    def released(self, slot: str, at: int) -> int:
        """How many units of a prize had their time at `at`."""
        return self.pacing.by_prize[self.lottery.prizes[SLOTS.index(slot)].id].released(at)


class Look(NamedTuple):
    """What is known of the pools before an entry is written; with nothing known, the pool is asked.

    `open_moments` are the slots of prizes with winning moments that seem to have a released unit nobody took;
    `empty` are pools of which it is proven that nothing was to be had at the entry's time, and why.
    """

    open_moments: tuple[str, ...] = ()
    empty: Mapping[str, Fate] = {}


class EntryRequest(NamedTuple):
    """A wish to enter: `tag` stands for the idempotency key, `now` is epoch ms.

    `passed_at` (epoch ms) is when the pass was issued that the campaign demands; None where it demands none.
    """

    tag: str
    now: int
    passed_at: int | None = None


class Taken(NamedTuple):
    """The record with the new entry, which is its last."""

    entrant: Entrant


class Replayed(NamedTuple):
    """This very request was taken before, as entry `number`."""

    number: int


class PassUsed(NamedTuple):
    """The pass is not younger than the latest entry (taken at `latest`), and no entry is this request's.

    `tags` are those of all entries.
    """

    latest: int
    tags: tuple[str, ...]


class Unsettled(NamedTuple):
    """Entry `number` still waits for its unit: finish it first."""

    number: int


class AllowanceUsed(NamedTuple):
    """No entry is left; the next day brings one at `until` (epoch ms), or only an earned chance does (None)."""

    until: int | None


class Closed(NamedTuple):
    """The entry would be at or after the end."""


type TakeOutcome = Taken | Replayed | PassUsed | Unsettled | AllowanceUsed | Closed


class KeyReused(NamedTuple):
    """The same id was granted with another number of chances before."""


class NoRoom(NamedTuple):
    """More chances than the lottery allows a shopper (`left` are), or more grants than a record holds (0)."""

    left: int


def take(entrant: Entrant, request: EntryRequest, rules: Rules, look: Look = Look()) -> TakeOutcome:  # noqa: B008
    """Return what comes of a request to enter.

    Times within a record ascend: an entry written by an environment whose clock is behind gets the first free
    millisecond. The window and who may enter are checked by the caller. An entry is never before its pass, so a pass
    that is not younger than the latest entry has been used.
    """
    for number, entry in enumerate(entrant.entries, 1):
        if entry.tag == request.tag:
            return Replayed(number)
    latest = entrant.entries[-1].at if entrant.entries else -1
    if request.passed_at is not None and request.passed_at <= latest:
        return PassUsed(latest, tuple(entry.tag for entry in entrant.entries))
    if entrant.entries and entrant.entries[-1].pending:
        return Unsettled(len(entrant.entries))
    at = max(request.now, request.passed_at or 0, latest + 1)
    if at >= rules.frozen.ends_at:
        return Closed()
    refused = _allowance_used(entrant, at, rules)
    if refused is not None:
        return refused
    entry = Entry(at, request.tag, table_at(rules.tables, at).version)
    if rules.lottery.mode is LotteryMode.INSTANT:
        entry = _advance(entrant, len(entrant.entries) + 1, entry, rules, look)
    return Taken(replace(entrant, entries=(*entrant.entries, entry)))


def win(entrant: Entrant, number: int, shard: int, attempt: int) -> Entrant | None:
    """Return the record after the unit of entry `number` was claimed, or None if nothing is pending there."""
    entry = _entry(entrant, number)
    if entry is None or not (pending := entry.pending):
        return None
    won = Try(pending.slot, Fate.WON, attempt, shard)
    return entrant.replaced(number, entry._replace(tries=(*entry.tries[:-1], won)))


def miss(
    entrant: Entrant,
    number: int,
    fate: Fate,
    at: int,
    rules: Rules,
    look: Look = Look(),  # noqa: B008
) -> Entrant | None:
    """Return the record after the pool was found empty at `at` (epoch ms): the next prize of the chain is pending.

    `fate` is GONE or DAY_FULL. GONE must have been seen in every shard: a unit that lies in a shard nobody looked at
    is found by whoever checks the receipt. None if nothing is pending.
    """
    if fate not in (Fate.GONE, Fate.DAY_FULL):
        raise ValueError(f"a pool is found empty or at its cap, not {fate}")
    entry = _entry(entrant, number)
    if entry is None or not (pending := entry.pending):
        return None
    missed = entry._replace(tries=(*entry.tries[:-1], Try(pending.slot, fate, max(at, entry.at))))
    before = replace(entrant, entries=entrant.entries[: number - 1])
    return entrant.replaced(number, _advance(before, number, missed, rules, look))


def give_back(entrant: Entrant, number: int, at: int) -> Entrant | None:
    """Return the record after the unit that entry `number` won went back to the pool at `at`; None if it has none."""
    entry = _entry(entrant, number)
    if entry is None or (won := entry.won) is None or won.fate is not Fate.WON:
        return None
    returned = won._replace(fate=Fate.RETURNED, returned_at=at)
    return entrant.replaced(number, entry._replace(tries=(*entry.tries[:-1], returned)))


def grant(entrant: Entrant, given: Grant, rules: Rules) -> Entrant | Replayed | KeyReused | NoRoom:
    """Return the record with earned chances added; the same grant again changes nothing."""
    if not 1 <= given.chances <= MAX_CHANCES:
        raise ValueError(f"a grant has 1 to {MAX_CHANCES} chances")
    for number, known in enumerate(entrant.grants, 1):
        if known.tag == given.tag:
            return Replayed(number) if known == given else KeyReused()
    left = rules.lottery.allowance.earned - entrant.chances
    if given.chances > left or len(entrant.grants) >= MAX_GRANTS:
        return NoRoom(left if len(entrant.grants) < MAX_GRANTS else 0)
    return replace(entrant, grants=(*entrant.grants, given))


def hit_slot(entrant: Entrant, number: int, version: int, rules: Rules) -> str | None:
    """Return the slot of the prize that the luck of entry `number` hits; `entrant` has the entries before it."""
    pity = rules.lottery.pity
    if pity is not None and misses_in_a_row(entrant, rules.consolation) >= pity.after:
        slot = rules.slots[pity.prize]
        if not rules.is_capped(entrant, slot):
            return slot
    if rules.seed is None:
        raise ValueError("an instant win needs the seed")
    rolled = roll(rules.seed, rules.frozen.campaign_id, entrant.name, number)
    index = hit(rolled, rules.ends[version])
    return None if index is None else SLOTS[index]


def misses_in_a_row(entrant: Entrant, consolation: str | None) -> int:
    """Return how many entries were missed since the last real win."""
    count = 0
    for entry in reversed(entrant.entries):
        if entry.won is not None and entry.won.slot != consolation:
            break
        count += 1
    return count


def earned_used(entries: Iterable[Entry], days: Sequence[int], per_day: int, per_campaign: int) -> int:
    """Return how many of the entries used an earned chance: those beyond the allowance of their day or campaign."""
    free, used, today, day = 0, 0, 0, None
    for entry in entries:
        if day != (day := day_of(days, entry.at)):
            today = 0
        if today < per_day and free < per_campaign:
            today, free = today + 1, free + 1
        else:
            used += 1
    return used


def _allowance_used(entrant: Entrant, at: int, rules: Rules) -> AllowanceUsed | None:
    allowance, days = rules.lottery.allowance, rules.frozen.days
    if len(entrant.entries) >= MAX_ENTRIES:
        return AllowanceUsed(None)
    with_this = (*entrant.entries, Entry(at, "", 0))
    if earned_used(with_this, days, allowance.per_day, allowance.per_campaign) <= entrant.chances:
        return None
    tomorrow = day_of(days, at) + 1
    free = len(entrant.entries) - earned_used(entrant.entries, days, allowance.per_day, allowance.per_campaign)
    comes = free < allowance.per_campaign and tomorrow < len(days)
    return AllowanceUsed(days[tomorrow] if comes else None)


def _advance(before: Entrant, number: int, entry: Entry, rules: Rules, look: Look) -> Entry:
    """Return the entry with its chain gone on until a prize is pending or none is left."""
    by_now = {link.slot for link in entry.tries}
    for slot in _chain(before, number, entry, rules, look):
        if slot in by_now:
            continue
        link = Try(slot, Fate.PENDING)
        if rules.is_capped(before, slot):
            link = Try(slot, Fate.PER_SHOPPER)
        elif not rules.released(slot, entry.at):
            link = Try(slot, Fate.NOT_RELEASED)
        elif slot in look.empty:
            link = Try(slot, look.empty[slot], entry.at)
        entry = entry._replace(tries=(*entry.tries, link))
        if link.fate is Fate.PENDING:
            break
    return entry


def _chain(before: Entrant, number: int, entry: Entry, rules: Rules, look: Look) -> Iterator[str]:
    tried = [link.slot for link in entry.tries]
    if rules.consolation in tried:
        return  # the end of the chain: a moment that has come meanwhile is for another entry
    by_luck = hit_slot(before, number, entry.version, rules)
    if by_luck is not None:
        yield by_luck
    last = max((slot for slot in tried if slot != by_luck), default="")
    for prize in rules.lottery.prizes:
        slot = rules.slots[prize.id]
        # Moments are no promise to an entry, so those it cannot have leave no link in its chain.
        may = (
            slot > last and slot in look.open_moments and isinstance(prize.release, Moments) and slot not in look.empty
        )
        if may and rules.released(slot, entry.at) and not rules.is_capped(before, slot):
            yield slot
    if rules.consolation is not None:
        yield rules.consolation


def _entry(entrant: Entrant, number: int) -> Entry | None:
    return entrant.entries[number - 1] if 1 <= number <= len(entrant.entries) else None


# --- names ---


def entry_id(campaign_id: str, entrant: str, number: int) -> str:
    """Return the public id of an entry: ``ent_<campaign>.<entrant>.<number>``."""
    return f"{_PREFIX}{campaign_id}.{entrant}.{number}"


def parse_entry_id(text: str) -> tuple[str, str, int] | None:
    """Return campaign, entrant and number of an entry's id, or None if ``text`` cannot be one we gave out."""
    match = _ENTRY_ID.fullmatch(text)
    if match is None or int(match[3]) > MAX_ENTRIES:
        return None
    return match[1], match[2], int(match[3])


def claim_name(of_entry: str) -> str:
    """Return the name under which the unit of an entry (its id) is claimed: at most one goes by it in a pool."""
    raw = hashlib.blake2b(of_entry.encode(), digest_size=9).digest()
    return base64.urlsafe_b64encode(raw).decode()


# --- stored text ---

_DIGITS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_AT, _SHARD, _SOON = 7, 3, 2
_TAG_AT, _VERSION_AT, _TRIES_AT = 7, 13, 14
_SOON_MS = 64**_SOON

_LETTERS = {
    Fate.PENDING: "p",
    Fate.WON: "w",
    Fate.RETURNED: "r",
    Fate.GONE: "g",
    Fate.DAY_FULL: "d",
    Fate.PER_SHOPPER: "c",
    Fate.NOT_RELEASED: "n",
}
_FATES = {letter: fate for fate, letter in _LETTERS.items()}


def encode_entries(entries: Iterable[Entry]) -> str:
    """Return the stored text of a record's entries, 14 ASCII characters each and a space between.

    ``<time 7><tag 6><version 1>``, then for each link of the chain ``<slot><letter>``, the shard of a win in 3
    characters and the time of a win or a look as milliseconds after the entry in 2. Where these do not suffice the
    letter is a capital and times are written in full. Numbers are in base 64.
    """
    return " ".join(map(_encode_entry, entries))


def decode_entries(text: str) -> tuple[Entry, ...]:
    """Return the entries of a stored text; ValueError if it is malformed."""
    return tuple(map(_decode_entry, text.split(" "))) if text else ()


def encode_grants(grants: Iterable[Grant]) -> str:
    """Return the stored text of earned chances: 7 ASCII characters each."""
    return "".join(f"{given.tag}{SLOTS[given.chances]}" for given in grants)


def decode_grants(text: str) -> tuple[Grant, ...]:
    """Return the grants of a stored text."""
    return tuple(Grant(text[at : at + 6], int(text[at + 6], 36)) for at in range(0, len(text), 7))


def _encode_entry(entry: Entry) -> str:
    head = _to64(entry.at, _AT) + entry.tag + _to64(entry.version, 1)
    return head + "".join(_encode_try(link, entry.at) for link in entry.tries)


def _encode_try(link: Try, since: int) -> str:
    letter = _LETTERS[link.fate]
    if link.at is None:
        return link.slot + letter
    shard = "" if link.shard is None else _to64(link.shard, _SHARD)
    soon = 0 <= link.at - since < _SOON_MS and link.returned_at is None
    time = _to64(link.at - since, _SOON) if soon else _to64(link.at, _AT)
    back = "" if link.returned_at is None else _to64(link.returned_at, _AT)
    return link.slot + (letter if soon else letter.upper()) + shard + time + back


def _decode_entry(text: str) -> Entry:
    at, version = _from64(text[:_AT]), _from64(text[_VERSION_AT:_TRIES_AT])
    tries, place = [], _TRIES_AT

    def number(width: int) -> int:
        nonlocal place
        place += width
        return _from64(text[place - width : place])

    while place < len(text):
        slot, letter = text[place], text[place + 1]
        place += 2
        fate, soon = _FATES[letter.lower()], letter.islower()
        if fate in (Fate.PENDING, Fate.PER_SHOPPER, Fate.NOT_RELEASED):
            tries.append(Try(slot, fate))
            continue
        shard = number(_SHARD) if fate in (Fate.WON, Fate.RETURNED) else None
        when = at + number(_SOON) if soon else number(_AT)
        tries.append(Try(slot, fate, when, shard, number(_AT) if fate is Fate.RETURNED else None))
    return Entry(at, text[_TAG_AT:_VERSION_AT], version, tuple(tries))


def _to64(number: int, width: int) -> str:
    if not 0 <= number < 64**width:
        raise ValueError(f"{number} does not fit into {width} characters")
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 64)
        text = _DIGITS[digit] + text
    return text


def _from64(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 64 + _VALUES[digit]
    return number
