"""Orders and coupons as hypothesis draws them, and the arithmetic of coupons once more, by other means.

`price` is written from the rules at the top of `domain/discount.py`, with fractions, and shares no code with the
product. With a `Fault` it breaks one of the rules: a property that holds for it all the same proves nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from fractions import Fraction
from math import ceil, floor
from typing import Any, NamedTuple

from hypothesis import strategies as some

from brandday.domain.coupon import (
    Benefit,
    BenefitKind,
    CodeKind,
    CouponTerms,
    IssuedBy,
    Scope,
    Stacking,
    Tier,
    Validity,
)
from brandday.domain.discount import Offer
from brandday.domain.order import Line, Order

SKUS = ("TEA", "MUG", "CUP", "JAR")
CATEGORIES = ("", "drink", "ware")


def terms(benefit: Benefit, **fields: Any) -> CouponTerms:
    """Terms of a coupon for orders in CNY, as plain as they can be but for what is given."""
    plain = CouponTerms(
        benefit=benefit,
        currency="CNY",
        code_kind=CodeKind.UNIQUE,
        issued_by=IssuedBy.SHOPPERS,
        quantity=100,
        per_shopper=1,
        validity=Validity(0, 10**12),
        stacking=Stacking(),
    )
    return replace(plain, **fields)


def percent(basis_points: int, most: int | None = None, **fields: Any) -> CouponTerms:
    return terms(Benefit(BenefitKind.PERCENT_OFF, (Tier(0, basis_points=basis_points),), most), **fields)


def amount(minor: int, minimum_spend: int = 0, **fields: Any) -> CouponTerms:
    return terms(Benefit(BenefitKind.AMOUNT_OFF, (Tier(minimum_spend, amount=minor),)), **fields)


def free_shipping(most: int | None = None, **fields: Any) -> CouponTerms:
    return terms(Benefit(BenefitKind.FREE_SHIPPING, (Tier(0),), most), **fields)


def gift(sku: str = "TOY", **fields: Any) -> CouponTerms:
    return terms(Benefit(BenefitKind.GIFT, (Tier(0),), gift=sku), **fields)


def cart(*prices: int, shipping: int = 0, **fields: Any) -> Order:
    """An order in CNY of one TEA at each price."""
    return Order("CNY", tuple(Line("TEA", "drink", 1, price) for price in prices), shipping, **fields)


# --- what hypothesis draws ---

_MONEY = some.one_of(some.integers(0, 1000), some.integers(0, 1000), some.integers(0, 10**9))
LINES = some.builds(Line, some.sampled_from(SKUS), some.sampled_from(CATEGORIES), some.integers(1, 3), _MONEY)
ORDERS = some.builds(
    Order,
    some.just("CNY"),
    some.lists(LINES, min_size=1, max_size=4).map(tuple),
    some.integers(0, 1500),
    some.sampled_from(("", "app")),
)


@some.composite
def _benefits(draw: some.DrawFn) -> Benefit:
    kind = draw(some.sampled_from(BenefitKind))
    spends = sorted(draw(some.sets(some.just(0) | some.integers(0, 1500), min_size=1, max_size=3)))
    most = draw(some.none() | some.none() | some.integers(0, 900))
    match kind:
        case BenefitKind.PERCENT_OFF:
            shares = sorted(draw(some.integers(0, 10_000)) for _ in spends)
            return Benefit(kind, tuple(map(lambda at, bp: Tier(at, basis_points=bp), spends, shares)), most)
        case BenefitKind.AMOUNT_OFF:
            amounts = sorted(draw(some.integers(0, 1200)) for _ in spends)
            return Benefit(kind, tuple(map(lambda at, minor: Tier(at, amount=minor), spends, amounts)), most)
        case BenefitKind.FREE_SHIPPING:
            return Benefit(kind, (Tier(spends[0]),), most)
        case _:
            return Benefit(kind, (Tier(spends[0]),), gift=draw(some.sampled_from(("TOY", "BAG"))), worth=500)


_SCOPES = some.one_of(
    some.just(Scope()),
    some.just(Scope()),
    some.builds(
        Scope,
        *(some.lists(some.sampled_from(values), max_size=1).map(tuple) for values in (SKUS, CATEGORIES) * 2),
    ),
)
_STACKING = some.builds(
    Stacking,
    exclusive=some.sampled_from((False, False, False, False, True)),
    group=some.sampled_from((None, None, "g", "h")),
    priority=some.integers(1, 2),
)
_TERMS = some.builds(
    terms,
    _benefits(),
    scope=_SCOPES,
    stacking=_STACKING,
    currency=some.sampled_from(("CNY",) * 9 + ("EUR",)),
)


def offers(most: int) -> some.SearchStrategy[list[Offer]]:
    """Up to so many offers, with different codes, in whatever order."""
    return some.lists(
        some.builds(Offer, some.text("ABC", min_size=1, max_size=2), _TERMS),
        max_size=most,
        unique_by=lambda offer: offer.code,
    )


# --- the reference ---


class Fault(Enum):
    """A way to get it wrong."""

    ORDER_AS_GIVEN = auto()
    FROM_FULL_PRICE = auto()
    UNBOUNDED_AMOUNT = auto()
    ROUNDED_UP = auto()
    SHARES_ROUNDED = auto()
    REMAINDER_TO_THE_FIRST = auto()
    EQUAL_SHARES = auto()
    SPEND_AFTER_COUPONS = auto()
    SPEND_ON_EVERYTHING = auto()
    LAST_TIER_ALWAYS = auto()
    NOTHING_ABOVE_THE_LAST_TIER = auto()
    NO_MOST = auto()
    INCLUDED_BEATS_EXCLUDED = auto()
    ANY_CURRENCY = auto()


class Reference(NamedTuple):
    """What every code takes off each line and off shipping, in the order of application; what is left to pay."""

    off: tuple[tuple[str, tuple[int, ...], int, str | None], ...]
    lines: tuple[int, ...]
    shipping: int


def price(order: Order, given: Sequence[Offer], fault: Fault | None = None) -> Reference:
    """Apply all offers to the order by the rules, but for one."""
    kinds = list(BenefitKind)
    turns = list(given)
    if fault is not Fault.ORDER_AS_GIVEN:
        turns.sort(key=lambda it: it.code)
        turns.sort(key=lambda it: kinds.index(it.terms.benefit.kind))
        turns.sort(key=lambda it: it.terms.stacking.priority)
    full = [line.quantity * line.unit_price for line in order.lines]
    lines, shipping = list(full), order.shipping
    trace = []
    for code, of in turns:
        off, ship, present = [0] * len(full), 0, None
        mine = [at for at, line in enumerate(order.lines) if _counts(of, line, fault)]
        if of.currency != order.currency and fault is not Fault.ANY_CURRENCY:
            mine = []
        spend = sum((lines if fault is Fault.SPEND_AFTER_COUPONS else full)[at] for at in mine)
        if fault is Fault.SPEND_ON_EVERYTHING:
            spend = sum(full)
        tier = None
        for one in of.benefit.tiers:
            if spend >= one.minimum_spend or fault is Fault.LAST_TIER_ALWAYS:
                tier = one
        if fault is Fault.NOTHING_ABOVE_THE_LAST_TIER and spend > of.benefit.tiers[-1].minimum_spend:
            tier = None
        most = None if fault is Fault.NO_MOST else of.benefit.max_discount
        if mine and tier is not None:
            match of.benefit.kind:
                case BenefitKind.GIFT:
                    present = of.benefit.gift
                case BenefitKind.FREE_SHIPPING:
                    ship = shipping if most is None else min(shipping, most)
                case _:
                    basis = [(full if fault is Fault.FROM_FULL_PRICE else lines)[at] for at in mine]
                    for at, share in zip(
                        mine, _shares(_total_off(tier, basis, most, fault), basis, fault), strict=True
                    ):
                        off[at] = share
        lines = [line - share for line, share in zip(lines, off, strict=True)]
        shipping -= ship
        trace.append((code, tuple(off), ship, present))
    return Reference(tuple(trace), tuple(lines), shipping)


def _counts(of: CouponTerms, line: Line, fault: Fault | None) -> bool:
    scope = of.scope
    included = line.sku in scope.include_skus or line.category in scope.include_categories
    excluded = line.sku in scope.exclude_skus or line.category in scope.exclude_categories
    everything = not (scope.include_skus or scope.include_categories)
    if fault is Fault.INCLUDED_BEATS_EXCLUDED:
        return included or (everything and not excluded)
    return (included or everything) and not excluded


def _total_off(tier: Tier, basis: list[int], most: int | None, fault: Fault | None) -> int:
    if tier.basis_points is not None:
        exact = Fraction(sum(basis) * tier.basis_points, 10_000)
        off = ceil(exact) if fault is Fault.ROUNDED_UP else floor(exact)
    else:
        off = tier.amount or 0
    if most is not None:
        off = min(off, most)
    return off if fault is Fault.UNBOUNDED_AMOUNT else min(off, sum(basis))


def _shares(off: int, basis: list[int], fault: Fault | None) -> list[int]:
    """Give away one minor unit after the other, each to the line that is furthest below its exact share."""
    total = sum(basis)
    if total == 0:
        return [off, *[0] * (len(basis) - 1)]
    exact = [Fraction(off * each, total) for each in basis]
    if fault is Fault.SHARES_ROUNDED:
        return [round(each) for each in exact]
    if fault is Fault.EQUAL_SHARES:
        return [off // len(basis) + (at < off % len(basis)) for at in range(len(basis))]
    shares = [floor(each) for each in exact]
    while sum(shares) < off:
        short = [each - share for each, share in zip(exact, shares, strict=True)]
        at = 0 if fault is Fault.REMAINDER_TO_THE_FIRST else short.index(max(short))
        shares[at] += 1
    return shares


def allowed(chosen: Sequence[Offer]) -> bool:
    """Whether these go together."""
    groups = [offer.terms.stacking.group for offer in chosen if offer.terms.stacking.group is not None]
    alone = any(offer.terms.stacking.exclusive for offer in chosen)
    return len(groups) == len(set(groups)) and not (alone and len(chosen) > 1)


class Choice(NamedTuple):
    """A combination, by what makes it better: the lower one is."""

    discount: int
    gifts: int
    coupons: int
    codes: tuple[str, ...]


def every_choice(order: Order, given: Sequence[Offer], *, permute: bool = True) -> list[Choice]:
    """All allowed combinations, each in every order in which its codes can be given."""
    choices = []
    for count in range(len(given) + 1):
        for chosen in itertools.combinations(given, count):
            if allowed(chosen):
                for turns in itertools.permutations(chosen) if permute else [chosen]:
                    priced = price(order, turns)
                    off = sum(sum(lines) + ship for _, lines, ship, _ in priced.off)
                    gifts = sum(present is not None for *_, present in priced.off)
                    codes = tuple(sorted(offer.code for offer in chosen))
                    choices.append(Choice(-off, -gifts, count, codes))
    return choices
