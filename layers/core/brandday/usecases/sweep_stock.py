"""The safety net under reminders and the stream: looks at every shard of the campaigns that matter, now and then.

Nothing depends on it in normal times. It bounds how long a lost reminder or a stream that stands still can matter,
takes back what killed requests have announced and never done, and keeps shards small by dropping what has long been
released.
"""

from collections.abc import Iterator, Sequence

from brandday.domain.errors import CampaignNotFound, TemporarilyOverloaded
from brandday.domain.protocols import expire, settle
from brandday.domain.shard import POINTER, RELEASED, Shard
from brandday.domain.stock import find, forget_released
from brandday.domain.summary import tally_shard
from brandday.usecases.drive import drive
from brandday.usecases.keep_summary import KeepSummary
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.ports import SHARDS_PER_READ, Campaigns, Clock, Stock

FORGET_FROM = 64
"""Records from which on a shard is worth tidying: twice what it has when its units are sold once."""

AFTER_END_MS = 60 * 60 * 1000
"""How long after the last possible hold a campaign is still swept."""


class SweepStock:
    """Expires, tallies and tidies all shards of all campaigns that have holds or may have."""

    def __init__(
        self,
        campaigns: LiveCampaigns,
        index: Campaigns,
        stock: Stock,
        keep_summary: KeepSummary,
        now: Clock,
    ) -> None:
        self._campaigns = campaigns
        self._index = index
        self._stock = stock
        self._keep_summary = keep_summary
        self._now = now

    def __call__(self) -> int:
        """Sweep; return the number of shards that had been written to.

        A campaign whose tables are too busy does not keep the others waiting; TemporarilyOverloaded comes after them.
        """
        swept = 0
        busy: TemporarilyOverloaded | None = None
        for campaign_id in self._index.list_ids():
            try:
                swept += self._sweep(self._campaigns.get(campaign_id))
            except CampaignNotFound:
                continue
            except TemporarilyOverloaded as error:
                busy = error
        if busy is not None:
            raise busy
        return swept

    def _sweep(self, live: LiveCampaign) -> int:
        campaign, now = live.campaign, self._now()
        if not campaign.starts_at <= now < campaign.over_at() + campaign.extended_hold_ms + AFTER_END_MS:
            return 0
        return sum(self._sweep_page(live, page) for page in _pages(live.layout.shards))

    def _sweep_page(self, live: LiveCampaign, numbers: Sequence[int]) -> int:
        campaign_id = live.campaign.id
        images = [image for image in self._stock.read(campaign_id, numbers, consistent=False) if image.version]
        now = self._now()
        for image in images:
            if any(live.terms.is_due(entry, now) for _, entry in image.entries()):
                drive(expire(image.number, live.terms, now), self._stock, campaign_id)
            drive(settle(image, live.terms, now), self._stock, campaign_id)
            if len(image.records) >= FORGET_FROM:
                self._tidy(live, image.number)
        # An image from before the expiry is one version old; the stream brings the newer one.
        self._keep_summary(campaign_id, {image.number: tally_shard(image, live.terms) for image in images})
        return len(images)

    def _tidy(self, live: LiveCampaign, number: int) -> None:
        campaign_id = live.campaign.id
        (shard,) = self._stock.read(campaign_id, (number,), consistent=True)
        pointers = [
            (name, entry.attempt, entry.shard)
            for name, entry in shard.entries()
            if entry.state == POINTER and entry.shard is not None
        ]
        targets = sorted({shard for _, _, shard in pointers})
        images: dict[int, Shard] = {}
        for page in (targets[at : at + SHARDS_PER_READ] for at in range(0, len(targets), SHARDS_PER_READ)):
            images |= {image.number: image for image in self._stock.read(campaign_id, page, consistent=True)}
        released = set()
        for name, attempt, target in pointers:
            entry = find(images[target], name, attempt)
            if entry is None or entry.state in RELEASED:
                released.add((name, attempt))
        write = forget_released(shard, frozenset(released), live.terms, self._now())
        if write is not None:
            self._stock.write(campaign_id, write)


def _pages(shards: int) -> Iterator[range]:
    return (range(at, min(at + SHARDS_PER_READ, shards)) for at in range(0, shards, SHARDS_PER_READ))
