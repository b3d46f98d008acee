"""The campaigns an execution environment works with: config and summary, at most a second old.

One query per campaign and second keeps every warm environment up to date with operators' acts; all requests in
between are served from memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from brandday.domain.campaign import Campaign, State
from brandday.domain.errors import CampaignNotFound
from brandday.domain.layout import Layout
from brandday.domain.sight import Sight
from brandday.domain.stock import Terms
from brandday.domain.summary import Summary, combine, decode_subtotal
from brandday.usecases.ports import Campaigns, Clock
from brandday.usecases.recent import Recent

REFRESH_MS = 1000
"""How old config may be when a request begins."""

WRITE_BY_MS = 1100
"""How old config may be when a write is sent, or it is read again: the rest of the 2 s that a pause may take is the
database's time-out."""

RETURN_NOTICE_MS = 3000
"""How long before the claim deadline, when the first unit may come back, environments stop counting on it that none
does: more than the age of their config and what their clocks are off."""

KEEP = 64
"""How many campaigns an environment remembers, so that made-up ids cannot fill its memory."""


@dataclass(frozen=True, slots=True)
class LiveCampaign:
    """A published campaign as of ``loaded_at`` (epoch ms), with what this environment remembers of its stock."""

    campaign: Campaign
    layout: Layout
    terms: Terms
    summary: Summary
    sight: Sight
    loaded_at: int

    def total(self, sku: str) -> int:
        """Return all units of a SKU: what it started with and what was added."""
        return self.layout.stock[self.layout.slots[sku]] + self.campaign.restocked(sku)

    @property
    def units_return_at(self) -> int:
        """From when on (epoch ms) the units of forfeited prizes may go back to their pools: the claim deadline.

        Up to it "sold out" is final, and environments refuse from memory because of that. A prize that was won when
        the deadline was another one may be forfeited earlier; its units wait.
        """
        return self.campaign.fulfilment.claim_until or 0

    def is_sold_out(self, sku: str) -> bool:
        """Whether every unit of a SKU is sold."""
        return self.summary.is_sold_out(self.layout.slots[sku], self.total(sku))


class LiveCampaigns:
    """Loads campaigns when they are asked for and remembers them for a second."""

    def __init__(self, store: Campaigns, now: Clock) -> None:
        self._store = store
        self._now = now
        self._known = Recent[str, tuple[int, LiveCampaign | None]](KEEP)

    def get(self, campaign_id: str) -> LiveCampaign:
        """Return a published campaign; CampaignNotFound also for drafts, whose existence is nobody's business."""
        now = self._now()
        loaded_at, live = self._known.get(campaign_id, (None, None))
        if loaded_at is None or now - loaded_at >= REFRESH_MS:
            live = self._load(campaign_id, live, now)
            self._known[campaign_id] = (now, live)
        if live is None:
            raise CampaignNotFound
        return live

    def knows(self, campaign_id: str) -> bool:
        """Whether a published campaign of this id was met lately; asks nobody."""
        return self._known.get(campaign_id, (0, None))[1] is not None

    def _load(self, campaign_id: str, before: LiveCampaign | None, now: int) -> LiveCampaign | None:
        try:
            campaign, attributes = self._store.load(campaign_id)
        except CampaignNotFound:
            return None
        if campaign.layout is None or campaign.state_at(now) is State.DRAFT:
            return None
        layout = campaign.layout
        summary = read_summary(attributes)
        if before is not None and before.layout == layout and before.campaign.restocks == campaign.restocks:
            terms, sight = before.terms, before.sight
        else:
            terms = terms_of(campaign, layout)
            sight = Sight(layout, terms, campaign.starts_at)
        live = LiveCampaign(campaign, layout, terms, summary, sight, now)
        sight.saw_returns_from(_returns_from(live))
        sight.saw_summary(summary, {slot: live.total(sku) for sku, slot in layout.slots.items()})
        return live


def _returns_from(live: LiveCampaign) -> dict[str, int]:
    """Return per slot from when on units may come back: only prizes that wait for an address are ever forfeited."""
    prizes = [sku.sku for sku in live.campaign.skus if sku.reward.kind.needs_address]
    return {live.layout.slots[name]: live.units_return_at - RETURN_NOTICE_MS for name in prizes}


def terms_of(campaign: Campaign, layout: Layout) -> Terms:
    """Return what is fixed about a campaign's claims."""
    return Terms(campaign.hold_ms, campaign.extended_hold_ms, layout.capacity)


def read_summary(attributes: Mapping[str, str]) -> Summary:
    """Return the summary whose item has these attributes: ``as_of`` and a subtotal per group of shards."""
    return combine(
        int(attributes.get("as_of", "0")),
        (decode_subtotal(text) for name, text in attributes.items() if name.startswith("c") and name[1:].isdecimal()),
    )
