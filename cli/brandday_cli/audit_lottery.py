"""The audit of a lottery: each win has exactly its unit and its reward, and nobody won, or entered, more than they may.

Three sides are walked. While the shards stream by, the record of the entry that each unit was claimed for is read.
Then all records stream by, bucket by bucket; each win's unit and reward are looked up by their keys. At last the
campaign's rewards stream by, and each must be of a win. So memory grows with what looks wrong, never with entries.

A lottery may go on meanwhile: what looks wrong between an entry, its unit and its reward is judged again over all three
as they were at one moment. A reward comes a moment after its win, by the stream; what is missing is looked for as long
as some of it comes, and for a few seconds more, before it is believed to be.
"""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from brandday_cli.audit_draw import DrawAudit, DrawTables
from brandday_cli.audit_lottery_records import RETURNED, EntryKey, LotteryEntry, LotteryPlan, Record, decode_record
from brandday_cli.audit_lottery_rules import (
    Luck,
    check_claims,
    check_entry,
    check_record,
    claims_of,
    is_claim_of,
)
from brandday_cli.audit_records import Entry, Plan, RawItem, Shard, Violation, decode_claim, decode_claims
from brandday_cli.audit_reward_records import (
    INDEX_BUCKETS,
    RewardKey,
    StoredReward,
    decode_reward,
    key_of,
    reward_key_at,
)
from brandday_cli.audit_reward_rules import check_reward, is_idle
from brandday_cli.audit_rewards import LOOK_EVERY_SECONDS, LOOKS, RewardTables
from brandday_cli.audit_rules import EntryTally, Findings, RewardTally
from brandday_cli.audit_tables import BATCH_SIZE


class LotteryTables(DrawTables, Protocol):
    """What the audit needs to read of a lottery besides stock and rewards; tests hand in a fake."""

    def read_seed(self, campaign_id: str, /) -> bytes | None:
        """Return the lottery's seed."""

    def read_bucket(self, campaign_id: str, bucket: str) -> Iterator[RawItem]:
        """Yield all records of a bucket, in order of names, a page in memory at a time."""

    def read_records(self, keys: Sequence[RawItem]) -> Iterator[RawItem]:
        """Yield the records that are there, of up to 100."""

    def read_claims(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield the stock items."""

    def read_moment(
        self, campaign_id: str, record: RawItem, shards: Sequence[int], reward: RewardKey | None
    ) -> tuple[RawItem | None, dict[int, RawItem | None], RawItem | None]:
        """Return a record, some stock items and a reward (where one is asked for) as they were at one moment."""


class _Win(NamedTuple):
    key: EntryKey
    record: Record
    entry: LotteryEntry


class LotteryAudit:
    """Audits one lottery: give it each shard, then let it finish. Without ``rewards`` these are left out."""

    def __init__(
        self,
        tables: LotteryTables,
        rewards: RewardTables | None,
        plan: Plan,
        lottery: LotteryPlan,
        now_ms: Callable[[], int],
        *,
        strict: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tables, self._rewards, self._plan, self._lottery = tables, rewards, plan, lottery
        self._now_ms, self._strict, self._sleep = now_ms, strict, sleep
        self._violations: list[Violation] = []
        seed = self._read_seed()
        self._luck, self._draw = Luck(lottery, seed), DrawAudit(tables, lottery, seed)
        self._entries, self._tally = EntryTally(), RewardTally()
        self._judged: set[EntryKey] = set()
        self._judged_rewards: set[RewardKey] = set()
        self._claims: list[tuple[EntryKey, int, Entry]] = []
        self._wins: list[_Win] = []
        self._missing: list[_Win] = []
        self._idle = 0

    def parts(self) -> int:
        """Return how many parts there are to be read after the shards."""
        return self._lottery.bucket_count() + (0 if self._rewards is None else INDEX_BUCKETS)

    def take_shard(self, shard: Shard) -> None:
        """Judge the units of a shard, and look for the entries that they were claimed for."""
        self._violations += check_claims(self._plan, self._lottery, shard)
        self._violations += self._luck.check_shard(self._plan, shard)
        for key, claim in claims_of(self._lottery, shard):
            self._entries.units += 1
            self._claims.append((key, shard.number, claim))
        while len(self._claims) >= BATCH_SIZE:
            batch, self._claims = self._claims[:BATCH_SIZE], self._claims[BATCH_SIZE:]
            self._find_entries(batch)

    def finish(self, findings: Findings, on_part: Callable[[int], None] = lambda _: None) -> None:
        """Judge all records, their units and their rewards; ``on_part`` gets how many parts are read."""
        self._find_entries(self._claims)
        for done, bucket in enumerate(self._lottery.buckets(), 1):
            for record in self._draw.take_bucket(bucket, self._read_bucket(bucket)):
                self._take_record(record)
            on_part(done)
        self._find_units(self._wins)
        self._look_again()
        self._violations += self._draw.finish(self._now_ms())
        if self._rewards is not None:
            for done, number in enumerate(range(INDEX_BUCKETS), self._lottery.bucket_count() + 1):
                for page in self._rewards.read_index(self._lottery.campaign_id, number):
                    self._take_rewards(page)
                on_part(done)
            findings.rewards = self._tally
        findings.entries = self._entries
        findings.violations += self._violations
        findings.notes += self._notes()

    def _read_seed(self) -> bytes | None:
        if self._now_ms() < self._lottery.over_at:
            return None  # it is nobody's business before the end, and an auditor's machine is not the place for it
        seed = self._tables.read_seed(self._lottery.campaign_id)
        if seed is None or hashlib.sha256(seed).hexdigest() != self._lottery.commitment:
            self._violations.append(Violation("seed_changed", "the stored seed is not the one that was committed to"))
            return None
        return seed

    def _notes(self) -> Iterator[str]:
        if self._now_ms() < self._lottery.over_at:
            yield "The lottery is not over: outcomes are rolled again only then, from the seed, which is secret until."
        elif not self._draw.is_sealed:
            yield "The list of entrants is not sealed yet, so it was not held against one."
        if self._entries.pending:
            yield f"{self._entries.pending} entries wait for their unit."
        if self._idle:
            yield (
                f"{self._idle} rewards are pending, and the last delivery of them broke off over 15 minutes ago: "
                "is the fulfilment worker running?"
            )

    # --- from units to entries ---

    def _find_entries(self, claims: Sequence[tuple[EntryKey, int, Entry]]) -> None:
        """Judge up to 100 claims by the records of their entries."""
        records = self._read_records({key.entrant for key, _, _ in claims})
        for key, shard, claim in claims:
            record = records.get(key.entrant)
            entry = None if record is None else record.entry(key.number)
            if not is_claim_of(self._plan.sku_of_slot[claim.slot], shard, claim, entry):
                self._judge_together(key, shard, entry, record)

    def _read_records(self, entrants: Iterable[str]) -> dict[str, Record]:
        keys = [self._lottery.record_key(entrant) for entrant in sorted(entrants)]
        found = [decode_record(self._lottery, item) for item in self._tables.read_records(keys)] if keys else []
        return {record.name: record for record in found if isinstance(record, Record)}

    # --- from entries to units and rewards ---

    def _read_bucket(self, bucket: str) -> Iterator[Record]:
        for item in self._tables.read_bucket(self._lottery.campaign_id, bucket):
            record = decode_record(self._lottery, item)
            if isinstance(record, Record):
                yield record
            else:
                self._violations.append(Violation("record_malformed", record, shopper=item["sk"]["S"]))

    def _take_record(self, record: Record) -> None:
        self._entries.entrants += 1
        self._entries.entries += len(record.entries)
        faults = check_record(self._lottery, record, self._now_ms())
        # One fault is named once: what breaks a limit is no outcome that the rules could have, either.
        self._violations += faults or self._luck.check_record(record)
        for number, entry in enumerate(record.entries, 1):
            self._entries.pending += entry.pending is not None
            if entry.won is not None:
                self._entries.won[entry.won.prize] += 1
                self._entries.returned += entry.won.fate == RETURNED
                self._wins.append(_Win(EntryKey(record.name, number), record, entry))
        while len(self._wins) >= BATCH_SIZE:
            batch, self._wins = self._wins[:BATCH_SIZE], self._wins[BATCH_SIZE:]
            self._find_units(batch)

    def _find_units(self, wins: Sequence[_Win]) -> None:
        """Judge up to 100 wins by their units and rewards."""
        shards = sorted({win.entry.won.shard for win in wins if win.entry.won and win.entry.won.shard is not None})
        within = [shard for shard in shards if shard < self._plan.shards]
        stock = dict(self._tables.read_claims(self._lottery.campaign_id, within))
        rewards = self._read_rewards(wins)
        for win in wins:
            won = win.entry.won
            shard = -1 if won is None or won.shard is None else won.shard
            name = self._lottery.claim_name(win.key)
            claim = decode_claim(self._plan, shard, stock.get(shard), name, (won and won.at) or 0)
            reward = rewards.get(self._reward_key(win.record, win.entry))
            if reward is None and self._rewards is not None:
                self._missing.append(win)
                continue
            self._judge(win, {shard: [] if claim is None else [claim]}, reward)

    def _judge(self, win: _Win, claims: dict[int, list[Entry]], reward: StoredReward | str | None) -> None:
        """Judge what was read one after the other; nothing wrong is believed of that alone."""
        sound = not isinstance(reward, str) and not (
            check_entry(
                self._plan,
                self._lottery,
                win.key,
                win.record,
                claims,
                reward,
                self._now_ms(),
                rewards_known=self._rewards is not None,
            )
            or (reward is not None and check_reward(self._plan, reward, self._now_ms()))
        )
        if isinstance(reward, StoredReward):
            self._idle += is_idle(reward, self._now_ms())
        if not sound:
            won = win.entry.won
            self._judge_together(win.key, -1 if won is None or won.shard is None else won.shard, win.entry, win.record)

    def _reward_key(self, record: Record, entry: LotteryEntry) -> RewardKey:
        return reward_key_at(self._lottery.campaign_id, record.owner, entry.at)

    def _read_rewards(self, wins: Sequence[_Win]) -> dict[RewardKey, StoredReward | str]:
        if self._rewards is None or not wins:
            return {}
        keys = [self._reward_key(win.record, win.entry) for win in wins]
        items = self._rewards.read_rewards(list(dict.fromkeys(keys)))
        return {key_of(item): decode_reward(self._lottery.campaign_id, item) for item in items}

    def _look_again(self) -> None:
        """Look for missing rewards until they are there, or believed not to be."""
        looks_left = 0 if self._strict else LOOKS
        while self._missing and looks_left > 0:
            self._sleep(LOOK_EVERY_SECONDS)
            before, self._missing = self._missing, []
            for batch in itertools.batched(before, BATCH_SIZE, strict=False):
                self._find_units(batch)
            looks_left = LOOKS if len(self._missing) < len(before) else looks_left - 1
        for win in self._missing:
            won = win.entry.won
            self._judge_together(win.key, -1 if won is None or won.shard is None else won.shard, win.entry, win.record)

    # --- from rewards to entries ---

    def _take_rewards(self, page: Sequence[RawItem]) -> None:
        """Judge the rewards of a page of the index; those that a win has led to have been judged before."""
        rewards = []
        for item in page:
            reward = decode_reward(self._lottery.campaign_id, item)
            if isinstance(reward, StoredReward):
                self._tally.by_status[reward.status] += 1
                rewards.append(reward)
            else:
                self._violations.append(Violation("reward_malformed", reward, shopper=key_of(item).pk))
        for batch in itertools.batched(rewards, BATCH_SIZE, strict=False):
            records = self._read_records({reward.entry.entrant for reward in batch if reward.entry})
            for reward in batch:
                self._judge_reward(reward, records)

    def _judge_reward(self, reward: StoredReward, records: dict[str, Record]) -> None:
        key = reward.entry
        record = None if key is None else records.get(key.entrant)
        entry = None if key is None or record is None else record.entry(key.number)
        won = None if entry is None else entry.won
        if record is not None and entry is not None and won is not None:
            if reward.key == self._reward_key(record, entry):
                return  # the entry has led here, and both were judged
            detail = f"entry {key and key.number} has another reward, and this one, {reward.id}, as well"
            self._report_reward(reward, "reward_mismatch", detail)
        elif key is None or entry is None:
            self._report_reward(
                reward, "reward_mismatch", f"reward {reward.id}: its source is no entry of this lottery"
            )
        else:
            self._judge_together(key, -1, entry, record)

    def _report_reward(self, reward: StoredReward, code: str, detail: str) -> None:
        """Report a reward that no win leads to; its keys never change, so one look is enough."""
        if reward.key not in self._judged_rewards:
            self._judged_rewards.add(reward.key)
            self._violations.append(Violation(code, detail, sku=reward.sku, shopper=reward.key.pk))

    # --- as of one moment ---

    def _judge_together(self, key: EntryKey, shard: int, entry: LotteryEntry | None, record: Record | None) -> None:
        """Judge an entry, its unit and its reward as they were at one moment, and report what is wrong; once."""
        if key in self._judged:
            return
        self._judged.add(key)
        name, campaign_id = self._lottery.claim_name(key), self._lottery.campaign_id
        won = None if entry is None else entry.won
        involved = {shard, self._plan.home_of(name), -1 if won is None or won.shard is None else won.shard}
        reward_key = None
        if self._rewards is not None and entry is not None and record is not None:
            reward_key = self._reward_key(record, entry)
        shards = sorted(number for number in involved if 0 <= number < self._plan.shards)
        item, stock, stored = self._tables.read_moment(
            campaign_id, self._lottery.record_key(key.entrant), shards, reward_key
        )
        now = decode_record(self._lottery, item) if item else None
        if isinstance(now, str):
            return  # named when its bucket was read
        reward = decode_reward(campaign_id, stored) if stored else None
        if isinstance(reward, str):
            self._violations.append(Violation("reward_malformed", reward, shopper=key.entrant))
            return
        self._violations += check_entry(
            self._plan,
            self._lottery,
            key,
            now,
            {number: decode_claims(self._plan, number, found, name) for number, found in stock.items()},
            reward,
            self._now_ms(),
            rewards_known=reward_key is not None or (self._rewards is not None and now is None),
        )
        if reward is not None:
            self._violations += check_reward(self._plan, reward, self._now_ms())
