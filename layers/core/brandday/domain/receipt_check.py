"""Whether a receipt is honest: what must hold of it, checked by the very rules that judged the entries.

`verify` runs `entrant`, `pacing` and `draw` over the published data; nothing that is deployed needs it. A second
implementation, `docs/verify_draw.py`, shares no code with it; a test holds the two against each other.

What must hold, and what for:

* The seed hashes to the commitment, each table to its hash, each version names the one before and changes only odds,
  within their bounds. So nobody chose the seed or the rules after they knew who entered.
* Each entrant's row hashes to its leaf, the leaves of a bucket to its root, those to the root of the list. So the list
  is the sealed one, and nothing in it was changed, added or left out since.
* Each entry is within the schedule and the allowance, judged by the version in force at its time, and its chain is what
  the rules make of its number, the seed and the entries before it.
* A prize was never won before its time, over its stock or over the cap of a day; per shard, as stock is kept.
* "Gone" is proven by others' wins: for an entry of time a that found the pool empty at g, at least as many wins of the
  prize were claimed until g, and not returned before a, as units had their time until a. A claim in flight has the time
  at which it was sent, which is before its unit was taken; clocks may differ by `CLOCK_ERROR_MS`. "Day full" is proven
  per shard: its units were taken, or its share of the day was.
* A forfeited unit is in the pool again from the time of its return: it may be won once more, and who finds the pool
  empty later is owed a win of it. For the cap of a day it no longer counts either.
* A winning moment is passed over by no entry that came more than `MOMENT_GRACE_MS` after it, and had nothing better:
  that long environments may take to hear that a unit is there.
* A draw's ranking, prizes by tier, reserves, and who moved up for whom follow from the seed and the sealed tickets.

What an operator could do, and who would see it:

* Choose another seed, other odds, other times: everybody, if the hashes are compared with those of before the start.
* Change, move or take away an entry after the seal: everybody. Before the seal: the shopper, who was given the facts of
  the entry (id, time, table version and hash, commitment) when it was taken, and finds it in the list or not
  (`check_proof`). There is no signature: it shows the shopper the fraud, and the world that somebody says so.
* Say "gone" while there are units: everybody.
* Delay an entry, or give a wrong time at once: nobody but the shopper, who knows when they entered. Within
  `MOMENT_GRACE_MS` of a winning moment the operator has a choice of who meets it.
* Enter themselves, under invented names and at the winning numbers, since they know the seed: nobody, as names are
  opaque. In a draw with a beacon it does not help: the list is sealed before anybody knows the numbers.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from brandday.domain.draw import (
    Bucket,
    Ranked,
    Step,
    Tickets,
    climb,
    leaf,
    list_root,
    next_reserve,
)
from brandday.domain.entrant import (
    AllowanceUsed,
    Closed,
    Entrant,
    Entry,
    EntryRequest,
    Fate,
    Grant,
    Look,
    Rules,
    Taken,
    Try,
    give_back,
    miss,
    parse_entry_id,
    take,
    win,
)
from brandday.domain.layout import SLOTS
from brandday.domain.lottery import (
    ALGORITHM,
    Frozen,
    Lottery,
    LotteryMode,
    Moments,
    odds_problems,
    read_tables,
)
from brandday.domain.luck import commitment, digest, draw_seed
from brandday.domain.pacing import Pacing, PrizePace, day_of
from brandday.domain.receipt import (
    FORMAT,
    MARK_LENGTH,
    MovedUp,
    entry_document,
    luck_of,
    path_document,
    ranking,
    row_leaf,
    seal,
)

CLOCK_ERROR_MS = 1000
"""How far the clocks of two environments may be apart; part of the algorithm."""

MOMENT_GRACE_MS = 5000
"""How long a winning moment may go unnoticed while entries come in; part of the algorithm."""

_FIELDS = ("format", "campaign", "seed", "beacon", "tables", "release", "sealed", "entrants")
_DRAW_FIELDS = ("winners", "reserves", "moved_up")
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Problem(NamedTuple):
    """One thing that does not verify: where it is in the receipt, and what is wrong with it."""

    where: str
    what: str


def verify(receipt: Mapping[str, Any]) -> list[Problem]:
    """Return everything that does not hold of a receipt; nothing if all of it does.

    What is not the sealed data is not judged: then the changed places are named, and nothing else.
    """
    try:
        changed = [*_changed_promises(receipt), *_changed_list(receipt)]
        if changed:
            return changed
        lottery, frozen, tables = read_tables(each["table"] for each in receipt["tables"])
        seed = bytes.fromhex(receipt["seed"])
        if lottery.mode is LotteryMode.DRAW:
            return list(_draw_problems(receipt, lottery, frozen, seed))
        rules = Rules(lottery, frozen, tables, Pacing(lottery, frozen, seed), seed)
        return list(_instant_problems(receipt, rules))
    except _MALFORMED as error:
        return [Problem("receipt", f"cannot be read: {error!r}")]


def _changed_promises(receipt: Mapping[str, Any]) -> Iterator[Problem]:
    tables = [each["table"] for each in receipt["tables"]]
    hashes = [each["hash"] for each in receipt["tables"]]
    first = tables[0]
    drawn = first["mode"] == LotteryMode.DRAW
    if set(receipt) != {*_FIELDS, *(_DRAW_FIELDS if drawn else ())}:
        yield Problem("receipt", "has not the fields that it should have")
    if receipt["format"] != FORMAT:
        yield Problem("format", f"is not {FORMAT}")
    if receipt["campaign"] != first["campaign"]:
        yield Problem("campaign", "is not the campaign of the prize table")
    for at, (table, stated) in enumerate(zip(tables, hashes, strict=True)):
        if digest(table) != stated:
            yield Problem(f"tables/{at + 1}", "does not have its hash: the table or the hash was changed")
        elif table["algorithm"] != ALGORITHM:
            yield Problem(f"tables/{at + 1}", f"is not of {ALGORITHM}")
        elif table["version"] != at + 1 or table["previous"] != (hashes[at - 1] if at else None):
            yield Problem(f"tables/{at + 1}", "does not follow the version before it")
        elif at and _without_odds(table) != _without_odds(first):
            yield Problem(f"tables/{at + 1}", "changes more than the odds")
        elif table["since_ms"] <= tables[at - 1]["since_ms"] if at else table["since_ms"] != table["starts_ms"]:
            yield Problem(f"tables/{at + 1}", "is not in force from the right time on")
        else:
            lottery, _, (_, *rest) = read_tables([first, table])
            for place, what in odds_problems(lottery, rest[0].odds):
                yield Problem(f"tables/{at + 1}", f"{place} {what}")
    if not _is_committed(receipt["seed"], first["commitment"]):
        yield Problem("seed", "does not hash to the commitment: the seed or the commitment was changed")
    beacon = receipt["beacon"]
    if (beacon is not None) != (drawn and first["draw"]["beacon"] is not None):
        yield Problem("beacon", "is not what the prize table says of it")
    if beacon is not None and not _is_of_round(beacon):
        yield Problem("beacon", "randomness is not the SHA-256 of the signature: one of them was changed")


def _without_odds(table: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {name: value for name, value in table.items() if name not in ("version", "since_ms", "previous")}
    return {**fixed, "prizes": [{**prize, "odds": prize["odds"] is None} for prize in table["prizes"]]}


def _is_committed(seed: Any, promised: Any) -> bool:
    try:
        raw = bytes.fromhex(seed)
        return bool(raw.hex() == seed and commitment(raw) == promised)
    except (TypeError, ValueError):
        return False


def _is_of_round(beacon: Mapping[str, Any]) -> bool:
    try:
        value = hashlib.sha256(bytes.fromhex(beacon["signature"])).hexdigest()
    except (KeyError, TypeError, ValueError):
        return False
    return bool(dict(beacon) == {"randomness": value, "signature": bytes.fromhex(beacon["signature"]).hex()})


def _changed_list(receipt: Mapping[str, Any]) -> Iterator[Problem]:
    rows, sealed, first = receipt["entrants"], receipt["sealed"], receipt["tables"][0]["table"]
    fields = (
        {"entrant", "tickets", "leaf"}
        if first["mode"] == LotteryMode.DRAW
        else {"entrant", "chances", "entries", "leaf"}
    )
    for at, row in enumerate(rows):
        if set(row) != fields or not isinstance(row["entrant"], str):
            yield Problem(f"entrants/{at}", "has not the fields that it should have")
            return
        if row_leaf(row).hex()[:MARK_LENGTH] != row["leaf"]:
            yield Problem(f"entrants/{row['entrant']}", "does not have its leaf: the row or its leaf was changed")
        if at and rows[at - 1]["entrant"] >= row["entrant"]:
            yield Problem(f"entrants/{row['entrant']}", "is out of order, or there twice")
    found = seal(rows, first["bucket_chars"])
    stated, computed = ({each["bucket"]: each for each in part["buckets"]} for part in (sealed, found))
    for name in sorted({*stated, *computed}):
        if stated.get(name) != computed.get(name):
            yield Problem(
                f"sealed/buckets/{name}",
                "does not have its hash or size: an entrant of it was changed, added or left out",
            )
    if (
        list_root(Bucket("", bytes.fromhex(each["root"]), each["entrants"]) for each in sealed["buckets"]).hex()
        != (sealed["root"])
    ):
        yield Problem("sealed/root", "is not the root of the buckets: it or one of them was changed")
    for size in ("entrants", "entries"):
        if sealed[size] != found[size]:
            yield Problem(f"sealed/{size}", f"says {sealed[size]}, but there are {found[size]}")
    names = [[each["bucket"] for each in part["buckets"]] for part in (sealed, found)]
    if set(sealed) != set(found) or (names[0] != names[1] and sorted(set(names[0])) == names[1]):
        yield Problem("sealed", "has other fields than it should have, or its buckets are out of order")


# --- a draw ---


def _draw_problems(receipt: Mapping[str, Any], lottery: Lottery, frozen: Frozen, seed: bytes) -> Iterator[Problem]:
    beacon = receipt["beacon"]
    randomness = None if beacon is None else bytes.fromhex(beacon["randomness"])
    tickets = [Tickets(row["entrant"], row["tickets"]) for row in receipt["entrants"]]
    most = lottery.allowance.per_campaign + lottery.allowance.earned
    for entrant, number in tickets:
        if not 1 <= number <= most:
            yield Problem(f"entrants/{entrant}", f"has {number} tickets, but a shopper may have 1 to {most}")
            return
    if receipt["release"] != {}:
        yield Problem("release", "has no place in a draw")
    expected = ranking(lottery, frozen, draw_seed(seed, randomness), tickets)
    for part in ("winners", "reserves"):
        yield from _differences(part, receipt[part], expected[part])
    yield from _moved_up_problems(receipt["moved_up"], expected)


def _differences(part: str, stated: Sequence[Any], expected: Sequence[Any]) -> Iterator[Problem]:
    if len(stated) != len(expected):
        yield Problem(part, f"has {len(stated)} places, but the ranking gives {len(expected)}")
    for at, (says, should) in enumerate(zip(stated, expected, strict=False), 1):
        if says != should:
            wrong = sorted(name for name in {*says, *should} if says.get(name) != should.get(name))
            yield Problem(f"{part}/{at}", f"{', '.join(wrong)}: the ranking gives {should['entrant']}")


def _moved_up_problems(moved: Sequence[Mapping[str, Any]], expected: Mapping[str, Any]) -> Iterator[Problem]:
    holds = {winner["entrant"]: winner["prize"] for winner in expected["winners"]}
    reserves = [
        Ranked(each["rank"], each["entrant"], each["ticket"], bytes.fromhex(each["key"]))
        for each in expected["reserves"]
    ]
    for at, step in enumerate(moved):
        reserve = next_reserve(reserves, at)
        if set(step) != set(MovedUp._fields):
            yield Problem(f"moved_up/{at + 1}", "has not the fields that it should have")
        elif holds.pop(step["forfeited"], None) != step["prize"]:
            yield Problem(f"moved_up/{at + 1}", f"{step['forfeited']} did not hold {step['prize']}")
        elif reserve is None or reserve.entrant != step["reserve"]:
            yield Problem(f"moved_up/{at + 1}", f"{step['reserve']} is not the next reserve")
        else:
            holds[reserve.entrant] = step["prize"]


# --- instant wins ---


class _Win(NamedTuple):
    at: int
    where: str
    day: int
    returned_at: int | None


@dataclass
class _Pool:
    """What the entries say of one prize's pool."""

    pace: PrizePace
    days: Sequence[int]
    wins: dict[int, list[_Win]] = field(default_factory=lambda: defaultdict(list))

    def close(self) -> None:
        """Put everything in order; nothing is added afterwards."""
        for wins in self.wins.values():
            wins.sort()
        every = [each for wins in self.wins.values() for each in wins]
        self._claimed = sorted(each.at for each in every)
        self._returned = sorted(each.returned_at for each in every if each.returned_at is not None)

    def taken(self, until: int, not_returned_before: int) -> int:
        """How many wins were claimed until a time and not returned before another."""
        return bisect_right(self._claimed, until) - bisect_left(self._returned, not_returned_before)

    def excesses(self) -> Iterator[Problem]:
        """Wins that no unit was there for."""
        for shard, wins in self.wins.items():
            for at, each in enumerate(wins):
                before = [other for other in wins[:at] if not _is_back(other, each.at + CLOCK_ERROR_MS)]
                if len(before) >= self.pace.released_in(shard, each.at):
                    yield Problem(each.where, f"won at {each.at}, when all units released in shard {shard} were taken")
                share = self.pace.share_in(shard, each.day)
                if share is not None and sum(other.day == each.day for other in before) >= share:
                    yield Problem(
                        each.where, f"won at {each.at}, when shard {shard} had given out its share of the day"
                    )

    def is_gone(self, since: int, until: int) -> bool:
        """Whether all units released at `since` had been won by `until`."""
        return self.taken(until + CLOCK_ERROR_MS, since - CLOCK_ERROR_MS) >= self.pace.released(since)

    def is_day_full(self, since: int, until: int) -> bool:
        """Whether in each shard the units released at `since`, or the day's share, had been won by `until`."""
        return all(self._is_full(shard, since, until) for shard in range(self.pace.shards))

    def _is_full(self, shard: int, since: int, until: int) -> bool:
        taken = [
            each
            for each in self.wins.get(shard, ())
            if each.at <= until + CLOCK_ERROR_MS and not _is_back(each, since - CLOCK_ERROR_MS)
        ]
        # The day of the entry, or the one in which the pool was looked at: midnight may be in between.
        today = {day_of(self.days, since), day_of(self.days, until)}
        shares = [(self.pace.share_in(shard, day), sum(each.day == day for each in taken)) for day in today]
        return len(taken) >= self.pace.released_in(shard, since) or any(
            share is not None and used >= share for share, used in shares
        )

    def is_open(self, since: int, turn: int) -> bool:
        """Whether a unit whose moment was long past at `since` was not taken at `turn`."""
        return self.pace.released(since - MOMENT_GRACE_MS) > self.taken(
            turn + CLOCK_ERROR_MS, turn - MOMENT_GRACE_MS - CLOCK_ERROR_MS
        )


def _is_back(each: _Win, by: int) -> bool:
    return each.returned_at is not None and each.returned_at < by


def _instant_problems(receipt: Mapping[str, Any], rules: Rules) -> Iterator[Problem]:
    prizes, days = rules.lottery.prizes, rules.frozen.days
    for prize_id, pace in rules.pacing.by_prize.items():
        if receipt["release"].get(prize_id) != [list(step) for step in pace.steps]:
            yield Problem(f"release/{prize_id}", "is not what follows from the table and the seed")
    for prize_id in set(receipt["release"]) - set(rules.slots):
        yield Problem(f"release/{prize_id}", "is none of the prizes")
    pools = {rules.slots[prize.id]: _Pool(rules.pacing.by_prize[prize.id], days) for prize in prizes}
    records = []
    for row in receipt["entrants"]:
        record, where = Entrant(row["entrant"], "", "", (), (Grant("", row["chances"]),)), f"entrants/{row['entrant']}"
        if not 0 <= row["chances"] <= rules.lottery.allowance.earned:
            yield Problem(where, f"has {row['chances']} earned chances, more than the lottery allows")
        for number, document in enumerate(row["entries"], 1):
            try:
                entry = read_entry(document, rules.slots)
            except _MALFORMED:
                yield Problem(f"{where}/{number}", "is no entry")
                return
            yield from _entry_problems(record, number, entry, document, rules, f"{where}/{number}")
            record = record.replaced(number, entry)
            link = entry.won
            if link is not None and link.at is not None and link.shard is not None:
                back = None if link.returned_at is None else max(link.returned_at, link.at)
                pools[link.slot].wins[link.shard].append(
                    _Win(link.at, f"{where}/{number}", day_of(days, link.at), back)
                )
        records.append(record)
    for pool in pools.values():
        pool.close()
        yield from pool.excesses()
    moments = [rules.slots[prize.id] for prize in prizes if isinstance(prize.release, Moments)]
    for record in records:
        for number, entry in enumerate(record.entries, 1):
            where = f"entrants/{record.name}/{number}"
            yield from _wrongly_missed(entry, pools, where)
            before = Entrant("", "", "", record.entries[: number - 1])
            yield from _passed_over(before, entry, moments, pools, rules, where)


def read_entry(document: Mapping[str, Any], slots: Mapping[str, str]) -> Entry:
    """Return an entry from how it is published; ``slots`` is prize -> slot."""
    tries = tuple(
        Try(slots[link["prize"]], Fate(link["fate"]), link.get("at"), link.get("shard"), link.get("returned_at"))
        for link in document["tries"]
    )
    return Entry(document["at"], "", document["table"], tries)


def _entry_problems(
    before: Entrant, number: int, entry: Entry, document: Mapping[str, Any], rules: Rules, where: str
) -> Iterator[Problem]:
    if document != entry_document(entry, {slot: prize for prize, slot in rules.slots.items()}):
        yield Problem(where, "has not the fields that it should have")
    if entry.at < rules.frozen.starts_at:
        yield Problem(where, "was taken before the start")
    slots = (link.slot for link in entry.tries)
    look = Look(tuple(s for s in slots if isinstance(rules.lottery.prizes[SLOTS.index(s)].release, Moments)))
    # Pretending that nothing before was left pending: what was is a problem of its own entry.
    outcome = take(before, EntryRequest(f"#{number}", entry.at), rules, look)
    match outcome:
        case Closed():
            yield Problem(where, "was taken after the end")
        case AllowanceUsed():
            yield Problem(where, "was taken although the allowance was used up")
        case Taken(record):
            made = record.entries[-1]
            if made.at != entry.at:
                yield Problem(where, "was taken before the entry before it")
            elif made.version != entry.version:
                yield Problem(where, f"was judged by version {entry.version}, but {made.version} was in force")
            else:
                yield from _chain_problems(record, number, entry, look, rules, where)


def _chain_problems(
    record: Entrant, number: int, entry: Entry, look: Look, rules: Rules, where: str
) -> Iterator[Problem]:
    """Let the rules go through the chain with what was published of the pools, and see whether it becomes the same."""
    while (pending := record.entries[-1].pending) is not None:
        at = len(record.entries[-1].tries) - 1
        link = entry.tries[at] if at < len(entry.tries) else None
        if link is None or link.slot != pending.slot:
            break
        if link.is_win and link.at is not None and link.shard is not None:
            if link.at < entry.at - CLOCK_ERROR_MS or not 0 <= link.shard < rules.frozen.shards:
                yield Problem(where, "won a unit before it was taken, or in a shard that does not exist")
            went_on = win(record, number, link.shard, link.at)
            if link.returned_at is not None and link.returned_at < link.at:
                yield Problem(where, "gave its unit back before it had it")
            if link.fate is Fate.RETURNED and went_on is not None and link.returned_at is not None:
                went_on = give_back(went_on, number, link.returned_at)
        elif link.fate in (Fate.GONE, Fate.DAY_FULL) and link.at is not None:
            went_on = miss(record, number, link.fate, link.at, rules, look)
        else:
            break
        if went_on is None:
            break
        record = went_on
    if entry.pending is not None:
        yield Problem(where, "still waits for its prize")
    elif record.entries[-1].tries != entry.tries:
        says, should = (
            " then ".join(f"{rules.lottery.prizes[SLOTS.index(link.slot)].id} {link.fate}" for link in tries)
            or "nothing"
            for tries in (entry.tries, record.entries[-1].tries)
        )
        yield Problem(where, f"says {says}; by the rules it is {should}")


def _wrongly_missed(entry: Entry, pools: Mapping[str, _Pool], where: str) -> Iterator[Problem]:
    for link in entry.tries:
        if link.fate is Fate.GONE and link.at is not None and not pools[link.slot].is_gone(entry.at, link.at):
            yield Problem(where, "says that a prize was gone, but a released unit of it had not been won")
        if link.fate is Fate.DAY_FULL and link.at is not None and not pools[link.slot].is_day_full(entry.at, link.at):
            yield Problem(where, "says that a day's cap was used up, but a unit could have been won")


def _passed_over(
    before: Entrant, entry: Entry, moments: Sequence[str], pools: Mapping[str, _Pool], rules: Rules, where: str
) -> Iterator[Problem]:
    # Who won by the roll took nothing from the moments; who looked is judged by what was found.
    tried = {link.slot for link in entry.tries}
    won = entry.won
    if won is not None and won.slot != rules.consolation and won.slot not in moments:
        return
    for slot in moments:
        if won is not None and won.slot in moments and won.slot <= slot:
            return
        # Its turn came when the links before it had been found empty, which may have taken a while.
        before_it = [link for link in entry.tries if link.slot != rules.consolation and not link.is_win]
        looked = [
            link.at for link in before_it if link.at is not None and (link.slot not in moments or link.slot < slot)
        ]
        is_open = pools[slot].is_open(entry.at, max(looked, default=entry.at))
        if slot not in tried and not rules.is_capped(before, slot) and is_open:
            yield Problem(where, "passed over a winning moment that nobody had met")


def check_proof(proof: Mapping[str, Any], published_root: str, table_hashes: Sequence[str]) -> list[Problem]:
    """Return what does not hold of an entry's proof, given the root and the hashes that were published for everybody.

    The facts must be those that were answered when the entry was taken: compare them with what you kept. The list of a
    draw has no times: there it matters that the ticket is in it.
    """
    try:
        return list(_proof_problems(proof, published_root, table_hashes))
    except _MALFORMED as error:
        return [Problem("proof", f"cannot be read: {error!r}")]


def _proof_problems(proof: Mapping[str, Any], published_root: str, table_hashes: Sequence[str]) -> Iterator[Problem]:
    facts, row = proof["facts"], proof["row"]
    parsed = parse_entry_id(facts["entry"])
    if parsed is None:
        yield Problem("facts", "have no id of an entry")
        return
    _, entrant, number = parsed
    if not _is_committed(proof["seed"], facts["commitment"]):
        yield Problem("seed", "does not hash to the commitment")
        return
    seed, is_ticket = bytes.fromhex(proof["seed"]), len(row) == 2
    randomness = None if proof["randomness"] is None else bytes.fromhex(proof["randomness"])
    if randomness is not None and (not is_ticket or randomness.hex() != proof["randomness"]):
        yield Problem("randomness", "has no part in an instant win, or is not written in small letters")
    if luck_of(facts["entry"], is_ticket, seed, randomness).hex() != proof["luck"]:
        yield Problem("luck", "is not what the seed makes of this entry")
    if not 1 <= facts["table"] <= len(table_hashes) or table_hashes[facts["table"] - 1] != facts["table_hash"]:
        yield Problem("facts", "name another prize table than was published")
    if row[0] != entrant or number > (row[1] if is_ticket else len(row[2])):
        yield Problem("row", "does not have this entry")
    elif not is_ticket and (row[2][number - 1]["at"], row[2][number - 1]["table"]) != (facts["at"], facts["table"]):
        yield Problem("row", "has this entry with another time or table version")
    steps = [Step({"left": True, "right": False}[side], bytes.fromhex(other)) for side, other in proof["path"]]
    leads = climb(leaf(row), steps).hex() == proof["root"] == published_root
    if not leads or proof["path"] != path_document(steps):
        yield Problem("path", "does not lead from the row to the published root")
