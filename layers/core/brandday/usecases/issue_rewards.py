"""Every sale becomes a reward: the stream of shard images is the only source.

A reward is created under an id that follows from its claim, and only if it is not there; so whatever is told twice,
late or in another order comes to the same rewards.
"""

from collections.abc import Callable, Iterable, Sequence

from brandday.domain.errors import CampaignNotFound
from brandday.domain.reward import Reward
from brandday.domain.reward_rules import newly_confirmed, reward_of
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.ports import SHARDS_PER_READ, Clock, Stock
from brandday.usecases.project_stock import ShardChanged
from brandday.usecases.reward_ports import Rewards

type Each = Callable[[Callable[[Reward], bool], Iterable[Reward]], Iterable[bool]]
"""Applies a function to every reward, like `map`; that of a pool of threads waits for many answers at once."""


class IssueRewards:
    """Creates the rewards of sales."""

    def __init__(self, campaigns: LiveCampaigns, rewards: Rewards, now: Clock, *, each: Each = map) -> None:
        self._campaigns = campaigns
        self._rewards = rewards
        self._now = now
        self._each = each

    def __call__(self, changes: Sequence[ShardChanged]) -> None:
        """Create the rewards of all sales in these changes; repeat the whole if it fails."""
        self.create(changes)

    def create(self, changes: Iterable[ShardChanged]) -> int:
        """Do so, and return how many were not there yet."""
        wanted: dict[str, Reward] = {}
        for change in changes:
            try:
                live = self._campaigns.get(change.campaign_id)
            except CampaignNotFound:
                continue  # a shard without a campaign has no terms; the audit would name it
            if live.campaign.lottery is not None:
                continue  # a win becomes a reward when the entry says so: see issue_wins
            for owner, claim in newly_confirmed(change.before, change.after):
                reward = reward_of(live.campaign, live.layout, owner, claim, self._now())
                wanted[reward.id] = reward
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
