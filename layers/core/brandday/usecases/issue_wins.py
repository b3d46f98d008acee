"""What entries have won becomes rewards, and what they left pending is settled: the consumer of EntryTable's stream.

Whatever is told twice, late or in another order comes to the same: an entry is settled in its own name, and a reward is
created under an id that follows from its entry, and only if it is not there.
"""

from collections.abc import Iterable, Sequence

from brandday.domain.entrant import Entrant
from brandday.domain.errors import CampaignNotFound, TemporarilyOverloaded
from brandday.domain.reward import Reward
from brandday.domain.win_rules import newly_won, reward_of_win
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.lottery_ports import EntrantChanged, Entrants
from brandday.usecases.ports import Clock, Each
from brandday.usecases.reward_ports import Rewards
from brandday.usecases.settle_entries import SettleEntries


class IssueWins:
    """Creates the rewards of wins, and settles what a request that was killed has left."""

    def __init__(
        self, campaigns: LiveCampaigns, settle: SettleEntries, rewards: Rewards, now: Clock, *, each: Each = map
    ) -> None:
        self._campaigns = campaigns
        self._settle = settle
        self._rewards = rewards
        self._now = now
        self._each = each

    def __call__(self, changes: Sequence[EntrantChanged]) -> None:
        """Do so for all these changes; repeat the whole if it fails.

        An entry whose record is not settled further on in the same batch is looked at: mostly the request that wrote
        it was faster than the stream, and that is one read. If not, it is settled here, and the stream will tell of it.
        """
        self.create(changes)
        latest = {(change.campaign_id, change.after.name): change.after for change in changes}
        busy: TemporarilyOverloaded | None = None
        for (campaign_id, _), entrant in latest.items():
            try:
                self._settle_one(campaign_id, entrant)
            except TemporarilyOverloaded as error:  # which must not keep the others waiting
                busy = error
        if busy is not None:
            raise busy

    def create(self, changes: Iterable[EntrantChanged]) -> int:
        """Create the rewards of all wins that are new, and return how many were not there yet."""
        wanted: dict[str, Reward] = {}
        for campaign_id, before, after in changes:
            for number in newly_won(before, after):
                try:
                    live = self._campaigns.get(campaign_id)
                except CampaignNotFound:
                    continue  # a record without a campaign has no rules; the audit would name it
                reward = reward_of_win(live.campaign, after, number, self._now())
                wanted[reward.id] = reward
        return sum(self._each(self._rewards.create, wanted.values()))

    def _settle_one(self, campaign_id: str, entrant: Entrant) -> Entrant:
        try:
            return self._settle(campaign_id, entrant)
        except CampaignNotFound:
            return entrant

    def rebuild(self, campaign_id: str, entrants: Iterable[Entrant]) -> int:
        """Settle what is pending and create what is missing of these records as they are; return how many rewards
        were missing.
        """
        return self.create(
            EntrantChanged(campaign_id, None, self._settle_one(campaign_id, entrant)) for entrant in entrants
        )


class RebuildWins:
    """Makes good what the stream has lost: goes through all records of a lottery, bucket by bucket."""

    def __init__(self, campaigns: LiveCampaigns, issue: IssueWins, entrants: Entrants) -> None:
        self._campaigns = campaigns
        self._issue = issue
        self._entrants = entrants

    def __call__(self, campaign_id: str, buckets: Sequence[str]) -> int:
        """Return how many rewards were missing in these buckets."""
        campaign = self._campaigns.get(campaign_id).campaign
        if campaign.luck is None:
            return 0
        frozen = campaign.luck.frozen
        return sum(self._issue.rebuild(campaign_id, self._entrants.bucket(frozen, bucket)) for bucket in buckets)
