"""Why a coupon cannot be used: one reason, which says what would change it.

A reason is an error that nobody raises here: whoever checks a cart shows it beside the code, whoever redeems raises it.
What can never change comes first: nobody shall be told to spend more with a coupon that is expired.

A campaign's window says when coupons are taken, and when its shared code is used. A coupon that somebody has got is a
promise: it can be used until its own time is over, also after the campaign ended. Only a pause stops it as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from brandday.domain.campaign import Campaign, Shopper, State, Status, check_personal
from brandday.domain.coupon import CouponTerms
from brandday.domain.coupon_code import show
from brandday.domain.coupon_record import UNTOUCHED, CouponFacts, CouponState, UseState
from brandday.domain.currency import format_amount
from brandday.domain.discount import Offer, apply_offer, before_coupons, fit
from brandday.domain.errors import (
    BrandDayError,
    CampaignEnded,
    CampaignPaused,
    CouponDisabled,
    CouponExpired,
    CouponLocked,
    CouponNotFound,
    CouponNotStarted,
    CouponRedeemed,
    CurrencyNotAccepted,
    MinimumSpendNotReached,
    NoMatchingItems,
    NotEligible,
)
from brandday.domain.order import Order
from brandday.domain.times import to_rfc3339


class Candidate(NamedTuple):
    """A code that somebody wants to use (folded): its campaign and terms, and the coupon behind it.

    A shared code has no facts, and nothing ever happens to it: its uses are the campaign's stock.
    """

    code: str
    campaign: Campaign
    terms: CouponTerms
    facts: CouponFacts | None = None
    state: CouponState = UNTOUCHED

    @property
    def offer(self) -> Offer:
        """The same as an offer for an order."""
        return Offer(self.code, self.terms)

    @property
    def shown(self) -> str:
        """The code as people read it: a shared one as it was declared."""
        return show(self.code) if self.facts is not None else self.terms.shown or self.code

    @property
    def valid_until(self) -> int:
        """When it cannot be used any more, in epoch ms, as long as nobody steps in."""
        if self.facts is not None:
            return self.facts.valid_until if self.state.valid_until is None else self.state.valid_until
        ends_at = self.terms.validity.ends_at
        over_at = self.campaign.over_at()
        return over_at if ends_at is None else min(ends_at, over_at)


@dataclass(frozen=True, slots=True)
class Use:
    """Who wants to use coupons at a moment (epoch ms) and for what.

    `shopper` is None where nobody says who it is (at the counter), `order` where only coupons are looked at.
    `redemption` is the id of the redemption on whose behalf it is asked: its own locks are no obstacle.
    """

    now: int
    shopper: Shopper | None = None
    order: Order | None = None
    redemption: str | None = None


def why_not(candidate: Candidate, use: Use) -> BrandDayError | None:
    """Return what keeps a coupon from being used like this; None if nothing does.

    Not asked: whether uses of a shared code are left, for this shopper and for all (that is stock), and whether it goes
    with others (`domain/combination.py`).
    """
    return (
        _coupon(candidate, use)
        or _campaign(candidate, use.now)
        or _shopper(candidate, use.shopper)
        or (None if use.order is None else _order(candidate.offer, use.order))
    )


def redeemed(state: CouponState) -> CouponRedeemed:
    """Return the reason that a coupon was used: when, and in which store if it was over the counter."""
    where = "online" if state.store is None else "counter"
    return CouponRedeemed(at=to_rfc3339(state.at), where=where, store=state.store or "")


def _coupon(candidate: Candidate, use: Use) -> BrandDayError | None:
    """What has happened to the coupon itself. Who has locked it may use it, also if its time is over meanwhile."""
    state = candidate.state
    if state.disabled:
        return CouponDisabled()
    if state.use is UseState.REDEEMED:
        return redeemed(state)
    locked = state.use is UseState.LOCKED and use.now < state.locked_until
    if locked and state.redemption == use.redemption:
        return None
    if candidate.facts is not None and use.now >= candidate.valid_until:
        return CouponExpired(ended_at=to_rfc3339(candidate.valid_until))
    return CouponLocked(retry_after_ms=state.locked_until - use.now) if locked else None


def _campaign(candidate: Candidate, now: int) -> BrandDayError | None:
    campaign, validity = candidate.campaign, candidate.terms.validity
    state = campaign.state_at(now)
    if state is State.DRAFT:
        return CouponNotFound()
    starts_at = validity.starts_at
    if candidate.facts is None:
        if state is State.ENDED:
            return CampaignEnded(ended_at=to_rfc3339(campaign.over_at()))
        if now >= candidate.valid_until:
            return CouponExpired(ended_at=to_rfc3339(candidate.valid_until))
        starts_at = max(starts_at, campaign.starts_at)
    if campaign.status is Status.PAUSED:
        return CampaignPaused()
    if now < starts_at:
        return CouponNotStarted(starts_at=to_rfc3339(starts_at), retry_after_ms=starts_at - now)
    return None


def _shopper(candidate: Candidate, shopper: Shopper | None) -> BrandDayError | None:
    """Whether the campaign is open to whoever uses it. Where that is not known, a coupon that has an owner is good:
    they were asked when they got it. One that goes from hand to hand is not.
    """
    if shopper is None:
        if candidate.facts is not None and candidate.facts.owner is not None:
            return None
        shopper = Shopper(id="")
    try:
        check_personal(candidate.campaign, shopper)
    except NotEligible as refusal:
        return refusal
    return None


def _order(offer: Offer, order: Order) -> BrandDayError | None:
    terms = offer.terms
    if terms.order_channels and order.channel not in terms.order_channels:
        return NotEligible(requirement="order_channel", accepted=terms.order_channels)
    if order.currency != terms.currency:
        return CurrencyNotAccepted(currency=terms.currency)
    fitted = fit(order, offer)
    if not fitted.lines:
        return NoMatchingItems()
    if fitted.tier is None:
        missing = terms.benefit.tiers[0].minimum_spend - fitted.spend
        spend = format_amount(missing, terms.currency)
        return MinimumSpendNotReached(missing=missing, currency=terms.currency, spend=spend)
    # Else it would be spent for nothing: on shipping that is free, or a percentage that is less than a minor unit.
    return None if apply_offer(before_coupons(order), fitted).is_of_use else NoMatchingItems()
