"""Makes all rewards that are missing of a campaign, in steps, when a stretch of a stream was given up.

Steps go by the shards of the stock, of which every campaign has some. Sales are in the shards themselves; the wins of a
lottery are in entrants' records, whose buckets are dealt to the shards, so that all shards together are all buckets.
"""

from collections.abc import Callable, Sequence

from brandday.domain.draw_record import ALPHABET, bucket_names
from brandday.usecases.live_campaigns import LiveCampaigns


class RebuildCampaign:
    """Rebuilds sales or wins, whatever a campaign has.

    `sales` takes a campaign's id and shards, `wins` its id and buckets; both return how many rewards were missing.
    """

    def __init__(
        self,
        campaigns: LiveCampaigns,
        sales: Callable[[str, Sequence[int]], int],
        wins: Callable[[str, Sequence[str]], int],
    ) -> None:
        self._campaigns = campaigns
        self._sales = sales
        self._wins = wins

    def __call__(self, campaign_id: str, shards: Sequence[int]) -> int:
        """Return how many rewards were missing in these shards, as everything is now."""
        live = self._campaigns.get(campaign_id)
        if live.campaign.luck is None:
            return self._sales(campaign_id, shards)
        chars = live.campaign.luck.frozen.bucket_chars
        buckets = [bucket for group in ALPHABET for bucket in bucket_names(group, chars)]
        mine = [bucket for shard in shards for bucket in buckets[shard :: live.layout.shards]]
        return self._wins(campaign_id, mine)
