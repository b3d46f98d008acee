"""What the public sees of campaigns: schedule, prices, and whether there is any left."""

from collections.abc import Sequence

from brandday.domain.campaign_view import Availability, CampaignView
from brandday.domain.errors import CampaignNotFound
from brandday.usecases.live_campaigns import REFRESH_MS, LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Campaigns, Clock

SHOWN_AFTER_END_MS = 24 * 60 * 60 * 1000
"""How long a campaign that is over stays on the list; its own page stays."""


class BrowseCampaigns:
    """Reads campaigns for the public page; at most a second old."""

    def __init__(self, campaigns: LiveCampaigns, index: Campaigns, now: Clock) -> None:
        self._campaigns = campaigns
        self._index = index
        self._now = now
        self._ids: tuple[int, Sequence[str]] | None = None

    def list_campaigns(self) -> list[CampaignView]:
        """Return the published campaigns that are not long over, the next to end first."""
        now = self._now()
        if self._ids is None or now - self._ids[0] >= REFRESH_MS:
            self._ids = (now, self._index.list_ids())
        views = []
        for campaign_id in self._ids[1]:
            try:
                views.append(self.get_campaign(campaign_id))
            except CampaignNotFound:
                continue
        shown = [view for view in views if now < view.campaign.over_at() + SHOWN_AFTER_END_MS]
        return sorted(shown, key=lambda view: (view.campaign.ends_at, view.campaign.id))

    def get_campaign(self, campaign_id: str) -> CampaignView:
        """Return one published campaign; CampaignNotFound if there is none."""
        live = self._campaigns.get(campaign_id)
        return CampaignView(
            campaign=live.campaign,
            state=live.campaign.state_at(self._now()),
            availability={sku.sku: _availability(live, sku.sku) for sku in live.campaign.skus},
        )


def _availability(live: LiveCampaign, sku: str) -> Availability:
    if live.is_sold_out(sku):
        return Availability.SOLD_OUT
    if live.summary.free(live.layout.slots[sku], live.total(sku)) > 0:
        return Availability.AVAILABLE
    return Availability.ALL_HELD
