"""The audit of the rewards of coupons: each coupon that a shopper has got has exactly one, and back."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from brandday_cli.audit_coupon_records import JobPlace, Jobs, StoredFacts, decode_record, reward_place
from brandday_cli.audit_records import Plan, RawItem, Violation
from brandday_cli.audit_reward_records import INDEX_BUCKETS, RewardKey, StoredReward, decode_reward, key_of, reward_id
from brandday_cli.audit_reward_rules import check_reward
from brandday_cli.audit_rewards import RewardTables
from brandday_cli.audit_rules import Findings, RewardTally
from brandday_cli.audit_tables import BATCH_SIZE


class FactsReader(Protocol):
    """Reads coupons."""

    def read_facts(self, ids: Sequence[str]) -> Iterator[RawItem]:
        """Yield the facts that are there, of up to 100 coupons, as they are now."""


class CouponRewards:
    """Audits the rewards of one campaign's coupons: give it each coupon, then let it finish."""

    def __init__(self, rewards: RewardTables, coupons: FactsReader, plan: Plan, now_ms: Callable[[], int]) -> None:
        self._rewards, self._coupons, self._plan, self._now_ms = rewards, coupons, plan, now_ms
        self._tally = RewardTally()
        self._waiting: dict[RewardKey, StoredFacts] = {}
        self._missing: dict[RewardKey, StoredFacts] = {}
        self._violations: list[Violation] = []

    def take(self, facts: StoredFacts, jobs: Jobs) -> None:
        """Look for the reward of a coupon."""
        key = reward_place(self._plan.campaign_id, facts, jobs)
        if key is None:
            return
        self._tally.claims += 1
        self._waiting[key] = facts
        if len(self._waiting) >= BATCH_SIZE:
            self._missing |= self._find(self._waiting)
            self._waiting = {}

    def finish(
        self,
        findings: Findings,
        jobs: Jobs,
        looks: int,
        nap: Callable[[], None],
        on_bucket: Callable[[int], None],
    ) -> None:
        """Judge what is left, and all rewards against their coupons; what is missing is looked for ``looks`` times
        after the last that came.
        """
        missing = self._missing | self._find(self._waiting)
        left = looks
        while missing and left > 0:
            nap()
            still = {
                key: facts
                for some in itertools.batched(missing.items(), BATCH_SIZE, strict=False)
                for key, facts in self._find(dict(some)).items()
            }
            left = looks if len(still) < len(missing) else left - 1
            missing = still
        for key, facts in missing.items():
            if not _is_being_made(facts, jobs):
                detail = f"coupon {facts.id} has no reward {reward_id(key)}"
                self._violations.append(Violation("reward_missing", detail, shopper=facts.owner))
        for bucket in range(INDEX_BUCKETS):
            for page in self._rewards.read_index(self._plan.campaign_id, bucket):
                self._take_page(page, jobs)
            on_bucket(bucket + 1)
        findings.rewards = self._tally
        findings.violations += self._violations

    def _find(self, wanted: dict[RewardKey, StoredFacts]) -> dict[RewardKey, StoredFacts]:
        """Judge the rewards of up to 100 coupons; return the coupons that have none."""
        left = dict(wanted)
        for item in self._rewards.read_rewards(list(wanted)) if wanted else ():
            facts = left.pop(key_of(item))
            reward = decode_reward(self._plan.campaign_id, item)
            if isinstance(reward, str):
                self._violations.append(Violation("reward_malformed", reward, shopper=facts.owner))
                continue
            self._violations += check_reward(self._plan, reward, self._now_ms())
            if reward.coupon != facts.id or (reward.sku, reward.quantity) != ("coupon", 1):
                detail = f"reward {reward.id} is not for the coupon {facts.id}"
                self._violations.append(Violation("reward_mismatch", detail, shopper=facts.owner))
        return left

    def _take_page(self, page: Sequence[RawItem], jobs: Jobs) -> None:
        """Judge the rewards of a page of the index by the coupons that they name."""
        rewards = [decode_reward(self._plan.campaign_id, item) for item in page]
        read = [reward for reward in rewards if isinstance(reward, StoredReward)]
        for batch in itertools.batched(read, BATCH_SIZE, strict=False):
            ids = sorted({reward.coupon for reward in batch if reward.coupon})
            found = [decode_record(item) for item in self._coupons.read_facts(ids)] if ids else []
            places = {
                facts.id: reward_place(self._plan.campaign_id, facts, jobs)
                for facts in found
                if isinstance(facts, StoredFacts)
            }
            for reward in batch:
                self._tally.by_status[reward.status] += 1
                if reward.coupon is None or reward.coupon not in places:
                    detail = f"reward {reward.id}: no coupon stands behind it"
                    self._violations.append(Violation("reward_without_coupon", detail, shopper=reward.key.pk))
                elif places[reward.coupon] != reward.key:
                    detail = f"reward {reward.id}: the coupon {reward.coupon} has another one"
                    self._violations.append(Violation("reward_mismatch", detail, shopper=reward.key.pk))


def _is_being_made(facts: StoredFacts, jobs: Jobs) -> bool:
    """Whether the job that makes this coupon has not come to its reward yet: it says how far it is afterwards."""
    match facts.source:
        case JobPlace(name, number) if name in jobs.by_name:
            job = jobs.by_name[name]
            return job.kind == "target" and number >= job.done
    return False
