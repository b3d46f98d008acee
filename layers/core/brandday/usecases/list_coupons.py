"""A shopper's wallet: their coupons, those they can use first, and why they cannot use the others."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from brandday.domain.campaign import Shopper
from brandday.domain.coupon_code import CodeKeys
from brandday.domain.coupon_rules import Candidate, Use, why_not
from brandday.domain.discount import Applied, NextTier
from brandday.domain.errors import (
    BrandDayError,
    CouponDisabled,
    CouponExpired,
    CouponNotFound,
    CouponRedeemed,
    FieldError,
    ValidationFailed,
)
from brandday.domain.order import Order
from brandday.domain.redemption_id import ORDERS, redemption_id
from brandday.usecases.coupon_candidates import find_candidate
from brandday.usecases.coupon_ports import Coupons, StoredCoupon
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.manage_rewards import OwnerOf
from brandday.usecases.ports import Clock
from brandday.usecases.validate_codes import check_alone

PER_READ = 50
WALLET = 4 * PER_READ
"""How many coupons a page has: nearly every wallet is one page, so that what is usable is really first."""

SPENT = (CouponRedeemed, CouponExpired, CouponDisabled)
"""Reasons that the shopper can do nothing about."""


@dataclass(frozen=True, slots=True)
class WalletCoupon:
    """A coupon of the shopper; `refusal` is None if it can be used, for the order if one was given.

    `alone` and `next_tier` say what it would do to that order (see `CheckedCode`).
    """

    candidate: Candidate
    refusal: BrandDayError | None
    alone: Applied | None = None
    next_tier: NextTier | None = None


@dataclass(frozen=True, slots=True)
class Wallet:
    """A page of coupons, and where the next one, with older ones, begins (None after the last)."""

    coupons: tuple[WalletCoupon, ...]
    next: str | None


class ListCoupons:
    """Shows shoppers their coupons; one just taken may be missing for a moment."""

    def __init__(
        self,
        coupons: Coupons,
        campaigns: LiveCampaigns,
        keys: Callable[[], CodeKeys],
        owner_of: OwnerOf,
        now: Clock,
    ) -> None:
        self._coupons = coupons
        self._campaigns = campaigns
        self._keys = keys
        self._owner_of = owner_of
        self._now = now

    def __call__(
        self, shopper: Shopper, order: Order | None = None, after: str | None = None, order_id: str | None = None
    ) -> Wallet:
        """Return a page of the shopper's coupons: first those that can be used, what ends soonest first of all; then
        those that can be made usable; then those that are spent. What the shop has locked for `order_id` can be used.

        ValidationFailed if `after` is not `next` of a page before.
        """
        owner = self._owner_of(shopper.id)
        if owner is None:
            return Wallet((), None)
        stored, following = self._read(owner, after)
        use = Use(self._now(), shopper, order)
        if order_id is not None and stored:
            use = replace(use, redemption=redemption_id(self._keys(), ORDERS, order_id))
        shown = [coupon for one in stored if (coupon := self._show(one, use)) is not None]
        return Wallet(tuple(sorted(shown, key=_place)), following)

    def _read(self, owner: str, after: str | None) -> tuple[list[StoredCoupon], str | None]:
        stored: list[StoredCoupon] = []
        for _ in range(WALLET // PER_READ):
            try:
                ids, after = self._coupons.of_owner(owner, PER_READ, after)
            except ValueError:
                raise ValidationFailed(errors=[FieldError("query:after", "not_a_cursor")]) from None
            if ids:
                stored.extend(self._coupons.load(ids, consistent=False).values())
            if after is None:
                break
        return stored, after

    def _show(self, stored: StoredCoupon, use: Use) -> WalletCoupon | None:
        known = find_candidate(self._campaigns, stored)
        if known is None:
            return None
        candidate = known.candidate
        refusal = why_not(candidate, use)
        if isinstance(refusal, CouponNotFound):
            return None
        if use.order is None:
            return WalletCoupon(candidate, refusal)
        checked = check_alone(candidate, use.order, refusal)
        return WalletCoupon(candidate, refusal, checked.alone, checked.next_tier)


def _place(coupon: WalletCoupon) -> tuple[int, int, str]:
    rank = 0 if coupon.refusal is None else 2 if isinstance(coupon.refusal, SPENT) else 1
    until = coupon.candidate.valid_until
    return rank, -until if rank == 2 else until, coupon.candidate.code
