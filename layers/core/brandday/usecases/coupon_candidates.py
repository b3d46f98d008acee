"""Codes and coupons with their campaigns: what checking, redeeming and the wallet have in common."""

from typing import NamedTuple

from brandday.domain.coupon import POOL
from brandday.domain.coupon_rules import Candidate
from brandday.domain.errors import BrandDayError, CampaignNotFound, CouponExhausted, CouponLocked
from brandday.domain.layout import home_shard
from brandday.domain.redemption import is_use_of, why_no_room
from brandday.domain.shard import Entry
from brandday.domain.stock import Terms
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


def why_none_left(
    live: LiveCampaign, stock: Stock, name: str | None, now: int, redemption: str | None = None
) -> BrandDayError | None:
    """Return why a shared code has no use left for the shopper called `name` (None: not known), or None if it has: one
    that `redemption` has locked, for instance.

    A hint, up to a second old, that takes one consistent read of the shopper's home shard; the claim itself decides.
    """
    slot = live.layout.slots[POOL]
    if live.is_sold_out(POOL):
        return CouponExhausted()
    if name is not None:
        (home,) = stock.read(live.campaign.id, (home_shard(name, live.layout.shards),), consistent=True)
        claims = read_claims(stock, live.campaign.id, home, name)
        if redemption is not None and any(_is_locked(entry, redemption, live.terms, now) for _, entry in claims):
            return None
        refusal = why_no_room(live.campaign.limit_per_shopper, live.terms, claims, now)
        if refusal is not None:
            return refusal
    if live.summary.free(slot, live.total(POOL)) == 0:
        return CouponLocked()
    return None


def _is_locked(entry: Entry, redemption: str, terms: Terms, now: int) -> bool:
    return entry.is_held and is_use_of(entry, redemption) and not terms.is_due(entry, now)
