"""Discounts to the last minor unit: laws that hold for every order, and for each rule a variant that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from brandday.domain.coupon import Benefit, BenefitKind, Scope, Stacking, Tier
from brandday.domain.discount import Applied, NextTier, Offer, applies_to, fit, next_tier, price_order, spread
from brandday.domain.order import MAX_AMOUNT, MAX_LINES, Line, Order
from tests.unit.coupon_orders import (
    LINES,
    ORDERS,
    Fault,
    Reference,
    amount,
    cart,
    free_shipping,
    gift,
    offers,
    percent,
    price,
    terms,
)

type Case = tuple[Order, list[Offer]]
type Price = Callable[[Order, list[Offer]], Reference]

EXAMPLES = settings(max_examples=80, deadline=None)


def our_price(order: Order, given: list[Offer]) -> Reference:
    priced = price_order(order, given)
    off = tuple((one.code, one.lines, one.shipping, one.gift) for one in priced.applied)
    return Reference(off, priced.left.lines, priced.left.shipping)


# --- the laws, as questions to any way of pricing ---


def never_below_zero(price: Price, case: Case) -> bool:
    priced = price(*case)
    return min(*priced.lines, priced.shipping) >= 0 and all(min(*lines, ship) >= 0 for _, lines, ship, _ in priced.off)


def never_over_the_cart(price: Price, case: Case) -> bool:
    order, given = case
    priced = price(order, given)
    off = sum(sum(lines) + ship for _, lines, ship, _ in priced.off)
    return 0 <= off <= sum(line.total for line in order.lines) + order.shipping


def lines_sum_to_the_total(price: Price, case: Case) -> bool:
    """The total being what the percentage of the first coupon makes of the whole."""
    order, given = case
    fitted = [fit(order, offer) for offer in given[:1] if offer.terms.benefit.kind is BenefitKind.PERCENT_OFF]
    if not fitted or fitted[0].tier is None:
        return True
    total = fitted[0].spend * (fitted[0].tier.basis_points or 0) // 10_000
    most = fitted[0].offer.terms.benefit.max_discount
    lines = price(order, given[:1]).off[0][1]
    return sum(lines) == (total if most is None else min(total, most))


def codes_in_any_order(price: Price, case: Case) -> bool:
    order, given = case
    return all(price(order, turned) == price(order, given) for turned in (given[::-1], given[1:] + given[:1]))


def more_in_the_cart_is_no_less_discount(price: Price, case: Case) -> bool:
    """With one coupon: several can trade discounts, when one of them reaches a higher tier first."""
    order, given = case
    fuller = replace(order, lines=tuple(replace(line, quantity=line.quantity + 1) for line in order.lines))
    discounts = [sum(sum(lines) + ship for _, lines, ship, _ in price(one, given[:1]).off) for one in (order, fuller)]
    return discounts[0] <= discounts[1]


def as_the_reference(asked: Price, case: Case) -> bool:
    return asked(*case) == price(*case)


LAWS = (
    never_below_zero,
    never_over_the_cart,
    lines_sum_to_the_total,
    codes_in_any_order,
    more_in_the_cart_is_no_less_discount,
    as_the_reference,
)


SOME_TEA = Scope(include_skus=("TEA",))
NO_TEA = Scope(include_categories=("drink",), exclude_skus=("TEA",))

TRAPS: dict[Fault, list[Case]] = {
    Fault.ORDER_AS_GIVEN: [(cart(1000), [Offer("A", amount(100)), Offer("B", percent(1000))])],
    Fault.FROM_FULL_PRICE: [(cart(1000), [Offer("A", percent(6000)), Offer("B", percent(6100))])],
    Fault.UNBOUNDED_AMOUNT: [(cart(300), [Offer("A", amount(1000))])],
    Fault.ROUNDED_UP: [(cart(999), [Offer("A", percent(1500))])],
    Fault.SHARES_ROUNDED: [(cart(100, 100, 100), [Offer("A", percent(334))])],
    Fault.REMAINDER_TO_THE_FIRST: [(cart(1, 1, 998), [Offer("A", amount(2))])],
    Fault.EQUAL_SHARES: [(cart(10, 1000), [Offer("A", amount(500))])],
    Fault.SPEND_AFTER_COUPONS: [(cart(1000), [Offer("A", percent(5000)), Offer("B", amount(100, 1000))])],
    Fault.SPEND_ON_EVERYTHING: [
        (Order("CNY", (Line("TEA", "", 1, 999), Line("MUG", "", 1, 9))), [Offer("A", amount(1, 1000, scope=SOME_TEA))])
    ],
    Fault.LAST_TIER_ALWAYS: [(cart(100), [Offer("A", amount(50, 1000))])],
    Fault.NOTHING_ABOVE_THE_LAST_TIER: [(cart(spend), [Offer("A", amount(50, 1000))]) for spend in (1000, 1001)],
    Fault.NO_MOST: [(cart(1000), [Offer("A", percent(5000, most=100))])],
    Fault.INCLUDED_BEATS_EXCLUDED: [(cart(1000), [Offer("A", amount(1, scope=NO_TEA))])],
    Fault.ANY_CURRENCY: [(cart(1000), [Offer("A", amount(1, currency="EUR"))])],
}
"""For each fault, a case that shows it."""


@settings(max_examples=250, deadline=None)
@given(some.tuples(ORDERS, offers(3)))
def test_every_order_keeps_the_laws(case: Case) -> None:
    for law in LAWS:
        assert law(our_price, case), law.__name__


@pytest.mark.parametrize("fault", Fault)
def test_so_do_the_orders_that_are_made_to_break_them(fault: Fault) -> None:
    for case in TRAPS[fault]:
        for law in LAWS:
            assert law(our_price, case), law.__name__


@pytest.mark.parametrize(
    ("law", "fault"),
    [
        (never_below_zero, Fault.FROM_FULL_PRICE),
        (never_below_zero, Fault.UNBOUNDED_AMOUNT),
        (never_below_zero, Fault.EQUAL_SHARES),
        (never_over_the_cart, Fault.FROM_FULL_PRICE),
        (never_over_the_cart, Fault.UNBOUNDED_AMOUNT),
        (lines_sum_to_the_total, Fault.SHARES_ROUNDED),
        (lines_sum_to_the_total, Fault.ROUNDED_UP),
        (codes_in_any_order, Fault.ORDER_AS_GIVEN),
        (more_in_the_cart_is_no_less_discount, Fault.NOTHING_ABOVE_THE_LAST_TIER),
        *((as_the_reference, fault) for fault in Fault),
    ],
)
def test_a_wrong_way_to_price_breaks_the_law(law: Callable[[Price, Case], bool], fault: Fault) -> None:
    """Negative control."""

    def wrong(order: Order, given: list[Offer]) -> Reference:
        return price(order, given, fault)

    assert not all(law(wrong, case) for case in TRAPS[fault])


@EXAMPLES
@given(some.lists(some.integers(0, 10**6), min_size=1, max_size=8), some.data())
def test_shares_are_exact_to_less_than_one_unit_and_none_is_above_its_line(
    amounts: list[int], data: some.DataObject
) -> None:
    total = sum(amounts)
    discount = data.draw(some.integers(0, total))
    shares = spread(discount, amounts)
    assert sum(shares) == discount
    for share, line in zip(shares, amounts, strict=True):
        assert 0 <= share <= line
        assert abs(share * total - discount * line) < max(total, 1)


@EXAMPLES
@given(ORDERS, offers(2), LINES)
def test_a_line_that_no_coupon_counts_keeps_its_price(order: Order, given: list[Offer], extra: Line) -> None:
    alien = replace(extra, sku="NOTHING")
    aside = [
        Offer(code, replace(of, scope=replace(of.scope, exclude_skus=(*of.scope.exclude_skus, "NOTHING"))))
        for code, of in given
    ]
    with_it = price_order(replace(order, lines=(*order.lines, alien)), aside)
    assert with_it.left.lines[-1] == alien.total
    assert with_it.left.lines[:-1] == price_order(order, aside).left.lines


# --- the rules one by one, in figures that a person can check ---


def test_remainders_go_to_the_lines_that_lost_most_and_then_to_the_earlier_ones() -> None:
    assert spread(10, [1000, 1000, 1000]) == (4, 3, 3)
    assert spread(100, [333, 333, 334]) == (33, 33, 34)
    assert spread(2, [1, 1, 998]) == (0, 0, 2)
    assert spread(5, [0, 0, 5]) == (0, 0, 5)
    assert spread(0, [7, 8]) == (0, 0)
    assert spread(0, [0, 0]) == (0, 0)


def test_percentages_are_rounded_down_and_bounded() -> None:
    assert price_order(cart(999), [Offer("A", percent(1500))]).discount == 149
    assert price_order(cart(999), [Offer("A", percent(1500, most=100))]).discount == 100
    assert price_order(cart(999), [Offer("A", percent(10_000))]).left.total == 0


def test_an_amount_takes_what_is_there_and_no_more() -> None:
    assert price_order(cart(300, shipping=50), [Offer("A", amount(1000))]).left == ((0,), 50)


def test_each_coupon_works_on_what_those_before_have_left() -> None:
    priced = price_order(cart(10_000), [Offer("A", amount(1000)), Offer("B", percent(1000))])
    assert [(one.code, one.discount) for one in priced.applied] == [("B", 1000), ("A", 1000)]
    priced = price_order(
        cart(10_000), [Offer("A", amount(1000, stacking=Stacking(priority=1))), Offer("B", percent(1000))]
    )
    assert [(one.code, one.discount) for one in priced.applied] == [("A", 1000), ("B", 900)]


def test_the_order_of_application_is_priority_then_kind_then_code() -> None:
    given = [
        Offer("F", gift()),
        Offer("E", free_shipping()),
        Offer("D", amount(1)),
        Offer("C", percent(1)),
        Offer("B", percent(1)),
        Offer("Z", gift(stacking=Stacking(priority=1))),
    ]
    assert price_order(cart(100), given).codes == ("Z", "B", "C", "D", "E", "F")


def test_a_minimum_spend_is_asked_of_the_prices_before_any_coupon() -> None:
    both = [Offer("A", percent(5000)), Offer("B", amount(100, minimum_spend=1000))]
    assert price_order(cart(1000), both).discount == 600
    assert price_order(cart(999), both).discount == 499


def test_a_minimum_spend_counts_only_what_the_coupon_applies_to() -> None:
    of = amount(100, minimum_spend=1000, scope=Scope(include_skus=("TEA",)))
    order = Order("CNY", (Line("TEA", "", 1, 999), Line("MUG", "", 1, 5000)))
    assert price_order(order, [Offer("A", of)]).discount == 0
    order = replace(order, lines=(Line("TEA", "", 1, 1000), order.lines[1]))
    assert price_order(order, [Offer("A", of)]).applied == (Applied("A", (100, 0)),)


def test_shipping_is_free_up_to_a_bound_and_nothing_else_touches_it() -> None:
    assert price_order(cart(100, shipping=800), [Offer("A", free_shipping())]).left == ((100,), 0)
    assert price_order(cart(100, shipping=800), [Offer("A", free_shipping(500))]).left == ((100,), 300)
    assert price_order(cart(100, shipping=800), [Offer("A", percent(10_000))]).left == ((0,), 800)


def test_a_gift_comes_once_per_coupon_and_takes_nothing_off() -> None:
    priced = price_order(cart(100), [Offer("A", gift()), Offer("B", gift())])
    assert (priced.gifts, priced.discount) == (("TOY", "TOY"), 0)
    assert price_order(cart(100), [Offer("A", gift(scope=Scope(include_skus=("MUG",))))]).gifts == ()


def test_what_is_excluded_stays_so_although_it_is_included() -> None:
    scope = Scope(include_categories=("drink",), exclude_skus=("TEA",))
    assert applies_to(scope, Line("COLA", "drink", 1, 1))
    assert not applies_to(scope, Line("TEA", "drink", 1, 1))
    assert not applies_to(scope, Line("MUG", "ware", 1, 1))
    assert applies_to(Scope(exclude_categories=("ware",)), Line("TEA", "", 1, 1))
    assert not applies_to(Scope(exclude_categories=("ware",)), Line("MUG", "ware", 1, 1))
    assert applies_to(Scope(include_skus=("MUG",), include_categories=("drink",)), Line("MUG", "ware", 1, 1))


TIERED = terms(
    Benefit(
        BenefitKind.PERCENT_OFF,
        (Tier(1000, basis_points=500), Tier(2000, basis_points=500), Tier(3000, basis_points=900)),
    )
)


@pytest.mark.parametrize(
    ("spend", "discount", "hint"),
    [
        (999, 0, None),
        (1000, 50, (3000, 2000)),
        (2200, 110, (3000, 800)),
        (2999, 149, (3000, 1)),
        (3000, 270, None),
    ],
)
def test_tiers_begin_exactly_at_their_spend_and_say_what_the_next_better_one_needs(
    spend: int, discount: int, hint: tuple[int, int] | None
) -> None:
    offer = Offer("A", TIERED)
    assert price_order(cart(spend), [offer]).discount == discount
    found = next_tier(fit(cart(spend), offer))
    assert (None if found is None else (found.tier.minimum_spend, found.missing)) == hint
    assert found is None or isinstance(found, NextTier)


def test_another_currency_finds_nothing() -> None:
    assert price_order(cart(1000), [Offer("A", amount(100, currency="EUR"))]).discount == 0


def test_the_largest_order_is_priced_without_loss() -> None:
    order = cart(*[MAX_AMOUNT // MAX_LINES] * MAX_LINES)
    priced = price_order(order, [Offer("A", percent(3333)), Offer("B", amount(MAX_AMOUNT))])
    assert priced.left.total == 0
    assert priced.discount == sum(line.total for line in order.lines)
