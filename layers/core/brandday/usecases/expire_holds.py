"""Gives the units of lapsed holds back, at the time of a reminder."""

from brandday.domain.errors import CampaignNotFound
from brandday.domain.protocols import expire
from brandday.usecases.drive import drive
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.ports import Clock, HoldQueue, Stock


class ExpireHolds:
    """Looks at a shard when one of its holds lapses. Looking once too often does no harm."""

    def __init__(self, campaigns: LiveCampaigns, stock: Stock, queue: HoldQueue, now: Clock) -> None:
        self._campaigns = campaigns
        self._stock = stock
        self._queue = queue
        self._now = now
        self._looked: dict[tuple[str, int], int] = {}

    def begin_batch(self) -> None:
        """Forget which shards were looked at: within a batch each is looked at once."""
        self._looked.clear()

    def __call__(self, campaign_id: str, shard: int, due: int) -> int | None:
        """Expire what is due in a shard; a reminder that came early (queues delay 15 minutes at most) is sent again.

        Returns by how many milliseconds the look came late, or None if there was nothing to look at.
        """
        now = self._now()
        if due > now:
            self._queue.send([(campaign_id, shard, due)], now)
            return None
        if self._looked.get((campaign_id, shard), 0) >= due:
            return None
        try:
            terms = self._campaigns.get(campaign_id).terms
        except CampaignNotFound:
            return None
        drive(expire(shard, terms, now), self._stock, campaign_id)
        self._looked[campaign_id, shard] = now
        return now - due
