"""Every sale becomes a reward, and every coupon that a shopper took is written down: the stream of shard images is the
only source.

A reward is created under an id that follows from its claim, and only if it is not there; what is written of a coupon
follows from its claim, too. So whatever is told twice, late or in another order comes to the same. A coupon is written
before its reward: who hears of it can use it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from brandday.domain.coupon_code import CodeKeys
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.coupon_rewards import reward_of_coupon
from brandday.domain.errors import CampaignNotFound
from brandday.domain.reward import Reward
from brandday.domain.reward_rules import newly_confirmed, reward_of
from brandday.usecases.coupon_facts import facts_of_claim
from brandday.usecases.coupon_ports import Coupons
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.ports import SHARDS_PER_READ, Clock, Each, Stock
from brandday.usecases.project_stock import ShardChanged
from brandday.usecases.reward_ports import Rewards


class CouponBook(NamedTuple):
    """Where coupons are written down, and the keys that make them."""

    coupons: Coupons
    keys: Callable[[], CodeKeys]


class IssueRewards:
    """Creates the rewards of sales, and the coupons that were taken."""

    def __init__(
        self,
        campaigns: LiveCampaigns,
        rewards: Rewards,
        now: Clock,
        *,
        each: Each = map,
        book: CouponBook | None = None,
    ) -> None:
        self._campaigns = campaigns
        self._rewards = rewards
        self._book = book
        self._now = now
        self._each = each

    def __call__(self, changes: Sequence[ShardChanged]) -> None:
        """Create the rewards of all sales in these changes; repeat the whole if it fails."""
        self.create(changes)

    def create(self, changes: Iterable[ShardChanged]) -> int:
        """Do so, and return how many were not there yet."""
        wanted: dict[str, Reward] = {}
        taken: list[CouponFacts] = []
        for change in changes:
            try:
                live = self._campaigns.get(change.campaign_id)
            except CampaignNotFound:
                continue  # a shard without a campaign has no terms; the audit would name it
            campaign = live.campaign
            if campaign.lottery is not None:
                continue  # a win becomes a reward when the entry says so: see issue_wins
            if campaign.coupon is not None and not campaign.coupon.is_taken:
                continue  # a use of a shared code gives nobody anything
            for owner, claim in newly_confirmed(change.before, change.after):
                if campaign.coupon is None:
                    reward = reward_of(campaign, live.layout, owner, claim, self._now())
                elif self._book is None:
                    raise LookupError(f"nobody said where the coupons of {campaign.id} are written down")
                else:
                    facts = facts_of_claim(self._book.keys(), campaign, owner, claim.shard, claim.entry.attempt)
                    taken.append(facts)
                    reward = reward_of_coupon(campaign, facts, facts.issued_at, self._now())
                wanted[reward.id] = reward
        if taken and self._book is not None:
            self._book.coupons.put_facts(taken)
        return sum(self._each(self._rewards.create, wanted.values()))


class RebuildRewards:
    """Creates what is missing of the rewards of shards whose changes were lost: the dead letters of the stream."""

    def __init__(self, issue: IssueRewards, stock: Stock) -> None:
        self._issue = issue
        self._stock = stock

    def __call__(self, campaign_id: str, shards: Sequence[int]) -> int:
        """Return how many rewards were missing in these shards, as the shards are now."""
        missing = 0
        for at in range(0, len(shards), SHARDS_PER_READ):
            images = self._stock.read(campaign_id, shards[at : at + SHARDS_PER_READ], consistent=True)
            missing += self._issue.create(ShardChanged(campaign_id, None, image) for image in images)
        return missing
