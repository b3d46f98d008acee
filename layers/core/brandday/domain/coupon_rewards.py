"""Which reward a coupon is that goes to a shopper; pure, and the same however often it is asked."""

from brandday.domain.campaign import Campaign
from brandday.domain.coupon import POOL
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import Reward, RewardStatus, begin
from brandday.domain.reward_id import reward_id
from brandday.domain.reward_rules import claim_deadline, needs_approval


def reward_of_coupon(campaign: Campaign, facts: CouponFacts, at: int, now: int) -> Reward:
    """Return the reward of a coupon that has an owner, in its first status; its source is the coupon's id.

    ``at`` makes the reward's id: no two coupons of a shopper in a campaign may have the same. ``now`` is when its
    deadlines begin (both in epoch ms). ValueError for a bearer coupon, or a campaign without coupons.
    """
    if facts.owner is None or campaign.coupon is None:
        raise ValueError(f"{facts.id} is nobody's, or no coupon of {campaign.id}")
    terms, fulfilment = campaign.coupon.reward, campaign.fulfilment
    given = Reward(
        id=reward_id(facts.owner, at, campaign.id),
        owner=facts.owner,
        campaign_id=campaign.id,
        kind=terms.kind,
        sku=POOL,
        quantity=1,
        source=facts.id,
        created_at=now,
        status=RewardStatus.PENDING,
        status_at=now,
        time_limit_ms=fulfilment.time_limit_ms,
        claim_until=claim_deadline(fulfilment, now) if terms.kind.needs_address else None,
    )
    return begin(
        given,
        now,
        needs_approval=needs_approval(terms, 1, fulfilment),
        # Without a connector nobody has to be told: the coupon is in the shopper's wallet.
        has_connector=terms.kind in fulfilment.by_kind or terms.kind is not RewardKind.ORDER,
    )
