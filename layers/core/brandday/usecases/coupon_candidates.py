"""Codes and coupons with their campaigns: what checking, redeeming and the wallet have in common."""

from typing import NamedTuple

from brandday.domain.coupon import POOL
from brandday.domain.coupon_rules import Candidate
from brandday.domain.errors import AllHeld, BrandDayError, CampaignNotFound, CouponExhausted, ShopperLimitReached
from brandday.domain.layout import home_shard
from brandday.usecases.claim_units import read_claims
from brandday.usecases.coupon_ports import Found, SharedCode
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Stock


class LiveCandidate(NamedTuple):
    """A code that somebody may have, with its campaign as it is now."""

    live: LiveCampaign
    candidate: Candidate


def find_candidate(campaigns: LiveCampaigns, found: Found | None) -> LiveCandidate | None:
    """Return what a resolved code is; None if it is nothing, or its campaign cannot be seen (any more)."""
    if found is None:
        return None
    campaign_id = found.campaign_id if isinstance(found, SharedCode) else found.facts.campaign_id
    try:
        live = campaigns.get(campaign_id)
    except CampaignNotFound:
        return None
    terms = live.campaign.coupon
    if terms is None:
        return None
    if isinstance(found, SharedCode):
        return LiveCandidate(live, Candidate(found.code, live.campaign, terms))
    return LiveCandidate(live, Candidate(found.facts.code, live.campaign, terms, found.facts, found.state))


def why_none_left(live: LiveCampaign, stock: Stock, name: str | None, now: int) -> BrandDayError | None:
    """Return why a shared code has no use left for the shopper called `name` (None: not known), or None if it has.

    A hint, up to a second old, that takes one consistent read of the shopper's home shard; the claim itself decides.
    """
    slot = live.layout.slots[POOL]
    if live.is_sold_out(POOL):
        return CouponExhausted()
    if name is not None:
        (home,) = stock.read(live.campaign.id, (home_shard(name, live.layout.shards),), consistent=True)
        claims = read_claims(stock, live.campaign.id, home, name)
        owned = sum(claim.entry.units for claim in claims if not live.terms.is_due(claim.entry, now))
        limit = live.campaign.limit_per_shopper
        if owned >= limit:
            return ShopperLimitReached(limit=limit, owned=owned, per="campaign")
    if live.summary.free(slot, live.total(POOL)) == 0:
        return AllHeld(sku=POOL)
    return None
