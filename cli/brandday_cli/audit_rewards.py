"""The audit of rewards: each confirmed claim has exactly one, and each of them exactly one claim.

Both sides are walked. While the shards stream by, the one reward that each confirmed claim must have is read by its
computed key. Afterwards the campaign's rewards stream by, page by page, and the one claim that each must come from is
looked up in its shard. So memory grows with what looks wrong, never with the number of claims.

A sale may go on meanwhile. What looks wrong between a claim and its reward is judged again over both as they were at
one moment. A reward comes a moment after its claim was confirmed, by the stream; what is missing is looked for as long
as some of it comes, and for a few seconds more, before it is believed to be.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from brandday_cli.audit_records import Entry, Plan, RawItem, Shard, Violation, decode_claim
from brandday_cli.audit_reward_records import (
    INDEX_BUCKETS,
    ClaimKey,
    RewardKey,
    StoredReward,
    decode_reward,
    key_of,
    reward_key,
)
from brandday_cli.audit_reward_rules import check_pair, check_reward, is_idle, missing_reward
from brandday_cli.audit_rules import Findings, RewardTally
from brandday_cli.audit_tables import BATCH_SIZE

LOOKS = 5
LOOK_EVERY_SECONDS = 2.0
"""Missing rewards are looked for until none has come for so many looks, so long apart: the stream may be behind."""


class RewardTables(Protocol):
    """What the audit needs to read of rewards; tests hand in a fake."""

    def read_rewards(self, keys: Sequence[RewardKey]) -> Iterator[RawItem]:
        """Yield the rewards that are there, of up to 100, as they are now."""

    def read_pair(self, campaign_id: str, shard: int, key: RewardKey) -> tuple[RawItem | None, RawItem | None]:
        """Return a stock item and a reward as they were at one moment."""

    def read_claims(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield the stock items."""

    def read_index(self, campaign_id: str, bucket: int) -> Iterator[Sequence[RawItem]]:
        """Yield one part of the campaign's rewards in pages, as the index by status has them: a moment behind."""


type _Claim = tuple[ClaimKey, Entry]


class RewardAudit:
    """Audits the rewards of one campaign: give it each shard, then let it finish."""

    def __init__(
        self,
        tables: RewardTables,
        plan: Plan,
        now_ms: Callable[[], int],
        *,
        strict: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._tables, self._plan, self._now_ms, self._strict, self._sleep = tables, plan, now_ms, strict, sleep
        self._tally = RewardTally()
        self._violations: list[Violation] = []
        self._judged: set[RewardKey] = set()
        self._waiting: list[_Claim] = []
        self._missing: list[_Claim] = []
        self._idle = self._found = self._indexed = 0

    def parts(self) -> int:
        """Return how many parts there are to be read after the shards."""
        return INDEX_BUCKETS

    def take_shard(self, shard: Shard) -> None:
        """Look for the reward of each confirmed claim of a shard."""
        claims = [
            (ClaimKey(shard.number, shopper, entry.attempt), entry)
            for shopper, entries in shard.records.items()
            for entry in entries
            if entry.is_confirmed
        ]
        self._tally.claims += len(claims)
        self._waiting += claims
        while len(self._waiting) >= BATCH_SIZE:
            batch, self._waiting = self._waiting[:BATCH_SIZE], self._waiting[BATCH_SIZE:]
            self._missing += self._find_rewards(batch)

    def finish(self, findings: Findings, on_bucket: Callable[[int], None] = lambda _: None) -> None:
        """Judge what is left, and both sides against each other; ``on_bucket`` gets how many buckets are read."""
        self._missing += self._find_rewards(self._waiting)
        self._look_again()
        for bucket in range(INDEX_BUCKETS):
            for page in self._tables.read_index(self._plan.campaign_id, bucket):
                self._find_claims(page)
            on_bucket(bucket + 1)
        if self._strict and self._indexed < self._found:
            detail = (
                f"{self._found - self._indexed} rewards are not in the index by status: the sweeper cannot see them"
            )
            self._violations.append(Violation("reward_unindexed", detail))
        if self._idle:
            findings.notes.append(
                f"{self._idle} rewards are pending, and the last delivery of them broke off over 15 minutes ago: "
                "is the fulfilment worker running?"
            )
        findings.violations += self._violations
        findings.rewards = self._tally

    def _find_rewards(self, claims: Sequence[_Claim]) -> list[_Claim]:
        """Judge the rewards of up to 100 confirmed claims; return the claims that have none."""
        wanted = {reward_key(self._plan.campaign_id, key): (key, entry) for key, entry in claims}
        for item in self._tables.read_rewards(list(wanted)) if wanted else ():
            key, entry = wanted.pop(key_of(item))
            reward = decode_reward(self._plan.campaign_id, item)
            if isinstance(reward, StoredReward):
                self._found += 1
                self._idle += is_idle(reward, self._now_ms())
            self._judge(key_of(item), reward, key.shard, entry)
        return list(wanted.values())

    def _look_again(self) -> None:
        """Look for missing rewards until they are there, or believed not to be."""
        looks_left = 0 if self._strict else LOOKS
        while self._missing and looks_left > 0:
            self._sleep(LOOK_EVERY_SECONDS)
            before = self._missing
            batches = itertools.batched(before, BATCH_SIZE, strict=False)
            self._missing = [claim for batch in batches for claim in self._find_rewards(batch)]
            looks_left = LOOKS if len(self._missing) < len(before) else looks_left - 1
        for key, _ in self._missing:
            self._judge_together(reward_key(self._plan.campaign_id, key), key.shard)

    def _find_claims(self, page: Sequence[RawItem]) -> None:
        """Judge the rewards of a page of the index; those that a claim has led to have been judged before."""
        by_shard: dict[int, list[StoredReward]] = {}
        for item in page:
            reward = decode_reward(self._plan.campaign_id, item)
            if isinstance(reward, str):
                self._judge_together(key_of(item), 0)
                continue
            self._tally.by_status[reward.status] += 1
            if reward.source is None:
                self._judge_together(reward.key, 0)
            else:
                by_shard.setdefault(reward.source.shard, []).append(reward)
        for number, stock in self._tables.read_claims(self._plan.campaign_id, sorted(by_shard)):
            for reward in by_shard[number]:
                entry = decode_claim(self._plan, number, stock, reward.key.pk, reward.key.attempt)
                self._indexed += entry is not None and entry.is_confirmed
                self._judge(reward.key, reward, number, entry)

    def _judge(self, key: RewardKey, reward: StoredReward | str, shard: int, claim: Entry | None) -> None:
        """Judge a reward and a claim that were read one after the other; nothing wrong is believed of that alone."""
        sound = isinstance(reward, StoredReward) and not (
            check_reward(self._plan, reward, self._now_ms()) or check_pair(self._plan, reward, claim)
        )
        if not sound:
            self._judge_together(key, shard)

    def _judge_together(self, key: RewardKey, shard: int) -> None:
        """Judge a reward and its claim as they were at one moment, and report what is wrong; once per reward."""
        if key in self._judged:
            return
        self._judged.add(key)
        item, stored = self._tables.read_pair(self._plan.campaign_id, shard, key)
        entry = decode_claim(self._plan, shard, item, key.pk, key.attempt)
        if not stored:
            if entry is not None and entry.is_confirmed:
                self._violations.append(missing_reward(self._plan, ClaimKey(shard, key.pk, key.attempt), entry))
            return
        reward = decode_reward(self._plan.campaign_id, stored)
        if isinstance(reward, str):
            self._violations.append(Violation("reward_malformed", reward, shopper=key.pk))
            return
        self._violations += check_reward(self._plan, reward, self._now_ms())
        self._violations += check_pair(self._plan, reward, entry)
