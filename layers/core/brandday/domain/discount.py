"""What coupons do to an order, to the last minor unit. Pure arithmetic; who may use what is decided elsewhere.

The rules, in this order:

1. Coupons are applied one after the other: lower `priority` first, then percentages, amounts, shipping, gifts, then by
   code. So it does not matter in which order somebody gives the codes.
2. Whether a minimum spend is reached, is asked of the prices before any coupon: the lines the coupon applies to.
3. Each coupon works on what the coupons before it have left of its lines. A percentage is rounded down. So no line, and
   not the shipping, ever goes below zero.
4. A discount is spread over its lines in proportion to what is left of each, rounded down; the minor units that remain
   go one by one to the lines that lost most by the rounding, earlier lines first. So the lines sum to the discount.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from brandday.domain.coupon import BASIS_POINTS, BenefitKind, CouponTerms, Scope, Tier
from brandday.domain.order import Line, Order

_KINDS = (BenefitKind.PERCENT_OFF, BenefitKind.AMOUNT_OFF, BenefitKind.FREE_SHIPPING, BenefitKind.GIFT)


class Offer(NamedTuple):
    """A coupon on an order: its code, folded (all those of an order differ), and the terms of its campaign."""

    code: str
    terms: CouponTerms


class Left(NamedTuple):
    """What is left to pay, in minor units: per line of the order, and for shipping."""

    lines: tuple[int, ...]
    shipping: int

    @property
    def total(self) -> int:
        """The whole of it."""
        return sum(self.lines) + self.shipping


@dataclass(frozen=True, slots=True)
class Applied:
    """What one coupon takes off each line of the order and off its shipping, in minor units, and the SKU it adds."""

    code: str
    lines: tuple[int, ...]
    shipping: int = 0
    gift: str | None = None

    @property
    def discount(self) -> int:
        """All that it takes off."""
        return sum(self.lines) + self.shipping

    @property
    def is_of_use(self) -> bool:
        """Whether the order is any better for it."""
        return self.discount > 0 or self.gift is not None


@dataclass(frozen=True, slots=True)
class Priced:
    """An order with its coupons, in the order in which they were applied, and what is left to pay."""

    applied: tuple[Applied, ...]
    left: Left

    @property
    def discount(self) -> int:
        """All that the coupons take off, in minor units."""
        return sum(applied.discount for applied in self.applied)

    @property
    def gifts(self) -> tuple[str, ...]:
        """The SKUs that come with the order, one unit each; a SKU is named as often as it comes."""
        return tuple(applied.gift for applied in self.applied if applied.gift is not None)

    @property
    def idle(self) -> tuple[str, ...]:
        """The codes that the order is none the better for, because others have taken everything off."""
        return tuple(applied.code for applied in self.applied if not applied.is_of_use)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes, in the order in which they were applied."""
        return tuple(applied.code for applied in self.applied)


class NextTier(NamedTuple):
    """The next better tier of a coupon, and how much more (minor units) has to be spent for it."""

    tier: Tier
    missing: int


class Fitted(NamedTuple):
    """An offer and what it finds in an order, whatever other coupons do: the numbers of its lines (from 0), what they
    cost before any coupon, and the tier that this reaches (None: not even the first).
    """

    offer: Offer
    lines: tuple[int, ...]
    spend: int
    tier: Tier | None


def fit(order: Order, offer: Offer) -> Fitted:
    """Look what a coupon finds in an order; one in another currency finds nothing."""
    terms = offer.terms
    if terms.currency != order.currency:
        return Fitted(offer, (), 0, None)
    lines = tuple(number for number, line in enumerate(order.lines) if applies_to(terms.scope, line))
    spend = sum(order.lines[number].total for number in lines)
    reached = [tier for tier in terms.benefit.tiers if tier.minimum_spend <= spend]
    return Fitted(offer, lines, spend, reached[-1] if lines and reached else None)


def applies_to(scope: Scope, line: Line) -> bool:
    """Whether a coupon of this scope counts a line; what is excluded stays so, even if it is included as well."""
    if line.sku in scope.exclude_skus or line.category in scope.exclude_categories:
        return False
    if not scope.include_skus and not scope.include_categories:
        return True
    return line.sku in scope.include_skus or line.category in scope.include_categories


def next_tier(fitted: Fitted) -> NextTier | None:
    """The next tier that gives more than the one that is reached; None before the first, and after the last."""
    reached = fitted.tier
    if reached is None:
        return None
    for tier in fitted.offer.terms.benefit.tiers:
        if tier.minimum_spend > fitted.spend and (tier.basis_points, tier.amount) != (
            reached.basis_points,
            reached.amount,
        ):
            return NextTier(tier, tier.minimum_spend - fitted.spend)
    return None


def price_order(order: Order, offers: Iterable[Offer]) -> Priced:
    """Apply all offers, in the order that the rules say; those that find nothing are applied and do nothing.

    Whether they go together is asked in `domain/combination.py`.
    """
    left = before_coupons(order)
    trace: list[Applied] = []
    for offer in sorted(offers, key=turn):
        applied = apply_offer(left, fit(order, offer))
        trace.append(applied)
        left = after(left, applied)
    return Priced(tuple(trace), left)


def before_coupons(order: Order) -> Left:
    """What an order costs without coupons."""
    return Left(tuple(line.total for line in order.lines), order.shipping)


def turn(offer: Offer) -> tuple[int, int, str]:
    """A key that sorts offers into the order in which they are applied."""
    terms = offer.terms
    return terms.stacking.priority, _KINDS.index(terms.benefit.kind), offer.code


def apply_offer(left: Left, fitted: Fitted) -> Applied:
    """What a coupon does to what is left of the order it was fitted to."""
    (code, terms), tier = fitted.offer, fitted.tier
    benefit = terms.benefit
    nothing = (0,) * len(left.lines)
    if tier is None:
        return Applied(code, nothing)
    if benefit.kind is BenefitKind.GIFT:
        return Applied(code, nothing, gift=benefit.gift)
    if benefit.kind is BenefitKind.FREE_SHIPPING:
        return Applied(code, nothing, shipping=_bounded(left.shipping, benefit.max_discount))
    eligible = [left.lines[number] for number in fitted.lines]
    total = sum(eligible)
    if tier.basis_points is not None:
        discount = _bounded(total * tier.basis_points // BASIS_POINTS, benefit.max_discount)
    else:
        discount = min(_bounded(tier.amount or 0, benefit.max_discount), total)
    off = list(nothing)
    for number, share in zip(fitted.lines, spread(discount, eligible), strict=True):
        off[number] = share
    return Applied(code, tuple(off))


def after(left: Left, applied: Applied) -> Left:
    """What is left once a coupon was applied."""
    lines = tuple(amount - off for amount, off in zip(left.lines, applied.lines, strict=True))
    return Left(lines, left.shipping - applied.shipping)


def spread(discount: int, amounts: Sequence[int]) -> tuple[int, ...]:
    """Split `discount` (at most the sum of `amounts`) in proportion to the amounts, none getting more than its own.

    The method of largest remainders; the earlier of two equal remainders comes first.
    """
    total = sum(amounts)
    if discount == 0 or total == 0:
        return (0,) * len(amounts)
    shares = [discount * amount // total for amount in amounts]
    lost = sorted(range(len(amounts)), key=lambda number: -(discount * amounts[number] % total))
    for number in lost[: discount - sum(shares)]:
        shares[number] += 1
    return tuple(shares)


def _bounded(amount: int, most: int | None) -> int:
    return amount if most is None else min(amount, most)
