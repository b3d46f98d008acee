"""What the audit proves of a lottery: pure checks of one record, one shard, and of an entry with its unit and reward.

A record is one item and a shard is one item; reading one item is atomic, so what it says of itself stands. What an
entry has to do with its unit and its reward spans three items of three tables, and is believed only of all of them as
they were at one moment (see ``audit_lottery``).

Luck is judged by the script for those who trust nobody (`verify_draw`), fed with what is stored. "Gone" and passed
over moments, which only all entries together prove, are left to `brandday verify` over the receipt.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from brandday_cli import verify_draw
from brandday_cli.audit_lottery_records import (
    MOST_ENTRIES,
    PENDING,
    RETURNED,
    EntryKey,
    LotteryEntry,
    LotteryPlan,
    Record,
    parse_order,
)
from brandday_cli.audit_records import Entry, Plan, Shard, Violation
from brandday_cli.audit_reward_records import StoredReward

UNSETTLED_MS = 5 * 60 * 1000
"""By then the stream's consumer has found out whether a pending entry won its unit."""


# --- one record ---


def check_record(plan: LotteryPlan, record: Record, now_ms: int) -> list[Violation]:
    """Check what one record says of itself: within the schedule and every limit, judged by the right prize table."""
    faults = [
        *(("record_malformed", fault, None) for fault in record.faults),
        *_names(plan, record),
        *_times(plan, record),
        *_allowance(plan, record),
        *_wins(plan, record),
        *_chains(plan, record, now_ms),
    ]
    return [Violation(code, detail, sku=prize, shopper=record.name) for code, detail, prize in faults]


type _Fault = tuple[str, str, str | None]


def _names(plan: LotteryPlan, record: Record) -> Iterator[_Fault]:
    if (record.name, record.owner) != plan.names_of(record.subject):
        yield "entrant_misnamed", "its names are not those of the shopper it is of: one shopper could enter twice", None


def _times(plan: LotteryPlan, record: Record) -> Iterator[_Fault]:
    before = int(plan.first["starts_ms"]) - 1
    for number, entry in enumerate(record.entries, 1):
        if not before < entry.at < plan.first["ends_ms"]:
            yield "entry_out_of_time", f"entry {number} is outside the schedule, or not after the one before", None
        if entry.version != plan.version_at(entry.at):
            in_force = plan.version_at(entry.at)
            detail = f"entry {number} was judged by prize table {entry.version}, but {in_force} was in force"
            yield "wrong_prize_table", detail, None
        before = max(before, entry.at)


def _allowance(plan: LotteryPlan, record: Record) -> Iterator[_Fault]:
    allowance = plan.first["allowance"]
    if record.chances > allowance["earned"]:
        yield "over_allowance", f"{record.chances} earned chances, the limit is {allowance['earned']}", None
    by_day = Counter(plan.day_of(entry.at) for entry in record.entries)
    # An entry uses the allowance of its day while there is any, then an earned chance; and so over all days.
    free = min(sum(min(count, allowance["per_day"]) for count in by_day.values()), allowance["per_campaign"])
    if len(record.entries) > min(free + record.chances, MOST_ENTRIES):
        detail = f"{len(record.entries)} entries, but {free} by the allowance and {record.chances} earned chances"
        yield "over_allowance", detail, None


def _wins(plan: LotteryPlan, record: Record) -> Iterator[_Fault]:
    wins = Counter(entry.won.prize for entry in record.entries if entry.won)
    for prize, count in wins.items():
        most = plan.prizes[prize]["per_shopper"]
        if most is not None and count > most:
            yield "over_prize_limit", f"won {count} times, a shopper may win it {most} times", prize
    if plan.is_draw and wins.total() > 1:
        yield "over_prize_limit", f"{wins.total()} prizes of one draw, a shopper may have one", None
    if plan.is_draw and any(entry.tries and entry.won is None for entry in record.entries):
        yield "wrong_outcome", "an entry of a draw is a ticket, and tries nothing by itself", None


def _chains(plan: LotteryPlan, record: Record, now_ms: int) -> Iterator[_Fault]:
    shards = plan.first["shards"]
    for number, entry in enumerate(record.entries, 1):
        done = [link for link in entry.tries if link.shard is not None or link.fate == PENDING]
        if done and (len(done) > 1 or done[0] is not entry.tries[-1]):
            yield "record_malformed", f"entry {number} goes on after it has won or waits for a unit", done[0].prize
        if any(link.shard is not None and link.shard >= shards for link in entry.tries):
            yield "record_malformed", f"entry {number} won a unit in a shard that does not exist", done[0].prize
        if entry.pending and number < len(record.entries):
            yield "entry_unsettled", f"entry {number} waits for its unit, and others came after it", entry.pending.prize
        elif entry.pending and entry.at + UNSETTLED_MS < now_ms:
            minutes = (now_ms - entry.at) // 60_000
            yield "entry_unsettled", f"entry {number} has waited for its unit for {minutes:,} min", entry.pending.prize


# --- luck ---


class _Nowhere(list[Any]):
    """Where the script keeps what it would judge at the end, over all entries: nothing is kept."""

    def append(self, _: Any) -> None:
        """Forget it."""


class _Pool(verify_draw.Pool):
    """A prize's units and their times; its wins are in the shards."""

    def __init__(self, place: int, prize: Mapping[str, Any], table: Mapping[str, Any], seed: bytes) -> None:
        super().__init__(place, prize, table, seed)  # type: ignore[no-untyped-call]  # the script has no types
        self.wins = _Nowhere()

    def times_in(self, shard: int) -> Sequence[int]:
        """Return when the units of a shard may be won, in order."""
        times: Sequence[int] = self.times[(shard - self.first) % self.shards :: self.shards]
        return times


class Luck:
    """Judges outcomes by the seed; before the end there is none to judge by, and nothing is said of secret times."""

    def __init__(self, plan: LotteryPlan, seed: bytes | None) -> None:
        self._plan, self._seed = plan, seed
        self._pools = {
            name: _Pool(place, prize, plan.first, seed or b"")
            for place, (name, prize) in enumerate(plan.prizes.items())
            if seed is not None or prize["release"]["plan"] != "moments"
        }

    def check_record(self, record: Record) -> list[Violation]:
        """Roll for each settled entry of a record again."""
        if self._seed is None or self._plan.is_draw:
            return []
        settled = [entry for entry in record.entries if not entry.pending]
        row = {
            "entrant": record.name,
            "chances": record.chances,
            "entries": [
                {"at": entry.at, "table": entry.version, "tries": [link.document() for link in entry.tries]}
                for entry in settled
            ],
        }
        verify_draw.problems.clear()
        verify_draw.check_entrant(row, self._plan.first, self._plan.tables, self._seed, self._pools, _Nowhere())
        found = [
            Violation("wrong_outcome", f"entry {where.rpartition('/')[2]}: {what}", shopper=record.name)
            for where, what in verify_draw.problems
        ]
        verify_draw.problems.clear()
        return found

    def check_shard(self, plan: Plan, shard: Shard) -> list[Violation]:
        """Check that no unit left a shard before its time, or over the shard's share of a day's cap."""
        claims: dict[str, list[int]] = defaultdict(list)
        for entries in shard.records.values():
            for entry in entries:
                if entry.is_confirmed:
                    claims[plan.sku_of_slot[entry.slot]].append(entry.attempt)
        return [
            Violation(code, detail, shard.number, prize)
            for prize, attempts in claims.items()
            if prize in self._pools
            for code, detail in self._pace(self._pools[prize], shard.number, sorted(attempts))
        ]

    def _pace(self, pool: _Pool, shard: int, attempts: Sequence[int]) -> Iterator[tuple[str, str]]:
        early = [at for at, comes in zip(attempts, pool.times_in(shard), strict=False) if at < comes]
        if early:
            yield "unit_before_its_time", f"{len(early)} units were won before their time had come, one at {early[0]}"
        if pool.cap is not None:
            for day, count in Counter(map(self._plan.day_of, attempts)).items():
                share = pool.share(shard, day)  # type: ignore[no-untyped-call]  # the script has no types
                if count > share:
                    yield (
                        "over_day_cap",
                        f"{count} units were won on day {day}, the shard's share is {share}",
                    )


# --- an entry, its unit and its reward ---


def check_claims(plan: Plan, lottery: LotteryPlan, shard: Shard) -> list[Violation]:
    """Check that each claim of a shard is a unit for an entry, under the entry's own name."""
    violations = []
    for name, entries in shard.records.items():
        for entry in entries:
            if not entry.owns_units:
                continue
            key = parse_order(entry.order)
            if not entry.is_confirmed or entry.quantity != 1:
                fault = f"{entry.quantity} units are {entry.state!r}: an entry wins one, for good"
            elif key is None or lottery.claim_name(key) != name:
                fault = f"it was claimed for {entry.order!r}, which is no entry of that name"
            else:
                continue
            violations.append(Violation("claim_misnamed", fault, shard.number, plan.sku_of_slot[entry.slot], name))
    return violations


def claims_of(lottery: LotteryPlan, shard: Shard) -> Iterator[tuple[EntryKey, Entry]]:
    """Yield the entry of each confirmed claim that is one of an entry's."""
    for name, entries in shard.records.items():
        for entry in entries:
            key = parse_order(entry.order)
            if entry.is_confirmed and key is not None and lottery.claim_name(key) == name:
                yield key, entry


def is_claim_of(prize: str, shard: int, claim: Entry, entry: LotteryEntry | None) -> bool:
    """Say whether a confirmed claim is the one that an entry won, or waits for."""
    if entry is None:
        return False
    if entry.pending:
        return entry.pending.prize == prize
    won = entry.won
    return won is not None and (won.prize, won.shard, won.at) == (prize, shard, claim.attempt) and won.fate != RETURNED


def _is_under_way(
    lottery: LotteryPlan, prize: str, shard: int, claim: Entry, entry: LotteryEntry | None, now_ms: int
) -> bool:
    """Say whether a claim is about to be written into its record, or to be given back."""
    if entry is None:
        return False
    won = entry.won
    if won is None:  # a drawn prize is claimed before the record of its winner says so
        return lottery.is_draw and now_ms - claim.attempt <= UNSETTLED_MS
    is_own = (won.prize, won.shard, won.at) == (prize, shard, claim.attempt)
    return is_own and won.returned_at is not None and now_ms - won.returned_at <= UNSETTLED_MS


def check_entry(
    plan: Plan,
    lottery: LotteryPlan,
    key: EntryKey,
    record: Record | None,
    claims: Mapping[int, Iterable[Entry]],
    reward: StoredReward | None,
    now_ms: int,
    *,
    rewards_known: bool,
) -> list[Violation]:
    """Check an entry against its unit and its reward, all as of one moment.

    ``claims`` are the confirmed claims in the entry's name by shard; ``rewards_known``: there was a table to look in.
    """
    entry = None if record is None else record.entry(key.number)
    own = 0
    faults: list[_Fault] = []
    for shard, found in claims.items():
        for claim in found:
            prize = plan.sku_of_slot[claim.slot]
            if not claim.is_confirmed:
                continue
            if is_claim_of(prize, shard, claim, entry):
                own += 1
            elif not _is_under_way(lottery, prize, shard, claim, entry, now_ms):
                detail = f"a unit in shard {shard} was claimed for entry {key.number}, which {_outcome(entry)}"
                faults.append(("unit_without_win", detail, prize))
    won = None if entry is None else entry.won
    if own > 1:
        faults.append(("unit_without_win", f"entry {key.number} has {own} units", None))
    if won is not None and won.fate != RETURNED and not own:
        detail = f"entry {key.number} has won, but no confirmed claim is its unit"
        faults.append(("win_without_unit", detail, won.prize))
    if rewards_known:
        faults += _reward(key, record, entry, reward)
    of_win = None if won is None else won.shard
    return [Violation(code, detail, of_win, prize, key.entrant) for code, detail, prize in faults]


def _reward(
    key: EntryKey, record: Record | None, entry: LotteryEntry | None, reward: StoredReward | None
) -> Iterator[_Fault]:
    won = None if entry is None else entry.won
    if won is None or entry is None or record is None:
        if reward is not None:
            yield "reward_without_win", f"reward {reward.id} is of entry {key.number}, which {_outcome(entry)}", None
        return
    if reward is None:
        yield "reward_missing", f"entry {key.number} has won, and has no reward", won.prize
        return
    says = (reward.entry, reward.sku, reward.quantity, reward.key.pk, reward.key.attempt)
    if says != (key, won.prize, 1, record.owner, entry.at):
        detail = f"reward {reward.id} is for {reward.quantity} of {reward.sku}, not for what entry {key.number} won"
        yield "reward_mismatch", detail, won.prize
    elif won.fate == RETURNED and not reward.was_given_up:
        detail = f"the unit of entry {key.number} is said to be back, but reward {reward.id} is {reward.status}"
        yield "reward_mismatch", detail, won.prize
    elif won.fate != RETURNED and _is_settled(reward):
        detail = f"reward {reward.id} says that its unit is back, entry {key.number} that it is won: its receipt lies"
        yield "return_unrecorded", detail, won.prize


def _is_settled(reward: StoredReward | None) -> bool:
    return reward is not None and reward.was_given_up and reward.units_returned


def _outcome(entry: LotteryEntry | None) -> str:
    if entry is None:
        return "nobody has taken"
    if entry.pending:
        return f"waits for {entry.pending.prize}"
    won = entry.won
    if won is None:
        return "has won nothing"
    if won.fate == RETURNED:
        return f"has given {won.prize} back"
    return f"has won {won.prize} in shard {won.shard} at {won.at}"
