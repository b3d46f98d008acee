"""The one shape of every change to coupons: some of these, all in one transaction or none."""

from typing import NamedTuple

from brandday.domain.coupon_record import CouponFacts, CouponState, Part
from brandday.domain.shard import ShardWrite


class StoredCoupon(NamedTuple):
    """A coupon as it is stored: what never changes, and what has happened to it."""

    facts: CouponFacts
    state: CouponState


class StateChange(NamedTuple):
    """A coupon's new state, on condition that its version is still ``before.version``; stored with one more."""

    facts: CouponFacts
    before: CouponState
    after: CouponState


class PartChange(NamedTuple):
    """A redemption's part, on condition that its version is still that of ``before`` (None: there is none).

    ``after`` None removes it. It is stored with a version one higher.
    """

    before: Part | None
    after: Part | None


class StockChange(NamedTuple):
    """A write to a shard of a campaign, as `domain.shard.apply` defines it."""

    campaign_id: str
    write: ShardWrite


type CouponChange = StateChange | PartChange | StockChange
