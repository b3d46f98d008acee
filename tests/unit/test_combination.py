"""The best combination: the same as trying everything finds, whatever order the codes come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from brandday.domain.combination import best_combination, clash, find_clashes
from brandday.domain.coupon import Scope, Stacking
from brandday.domain.discount import Offer, price_order
from brandday.domain.order import MAX_CODES, Line, Order
from tests.unit.coupon_orders import (
    ORDERS,
    Choice,
    allowed,
    amount,
    cart,
    every_choice,
    free_shipping,
    gift,
    offers,
    percent,
)

type Case = tuple[Order, list[Offer]]

CASES: some.SearchStrategy[Case] = some.tuples(ORDERS, offers(4))


def chosen(order: Order, given: Sequence[Offer]) -> Choice:
    best = best_combination(order, given)
    return Choice(-best.discount, -len(best.gifts), len(best.applied), tuple(sorted(best.codes)))


@settings(max_examples=100, deadline=None)
@given(CASES)
def test_the_best_is_what_all_subsets_in_all_orders_find(case: Case) -> None:
    order, given = case
    assert chosen(order, given) == min(every_choice(order, given))


@settings(max_examples=60, deadline=None)
@given(CASES, some.randoms(use_true_random=False))
def test_the_order_of_the_codes_does_not_matter(case: Case, chance: Random) -> None:
    order, given = case
    turned = list(given)
    chance.shuffle(turned)
    assert best_combination(order, turned) == best_combination(order, given)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_the_best_is_priced_as_its_codes_are_and_each_is_of_use(case: Case) -> None:
    order, given = case
    best = best_combination(order, given)
    assert best == price_order(order, [offer for offer in given if offer.code in best.codes])
    assert all(applied.is_of_use for applied in best.applied)
    assert not find_clashes([offer for offer in given if offer.code in best.codes])


def _greedy(order: Order, given: Sequence[Offer]) -> Choice:
    """Take the coupon that does most alone, then the next that goes with those taken."""
    taken: list[Offer] = []
    for offer in sorted(given, key=lambda one: (-price_order(order, [one]).discount, one.code)):
        if price_order(order, [offer]).applied[0].is_of_use and allowed([*taken, offer]):
            taken.append(offer)
    return _choice(order, taken)


def _everything(order: Order, given: Sequence[Offer]) -> Choice:
    """Mind neither groups nor those that want to be alone."""
    return _choice(order, given)


def _money_alone(order: Order, given: Sequence[Offer]) -> Choice:
    """Mind the discount and nothing else."""
    return max(every_choice(order, given, permute=False), key=lambda choice: -choice.discount)


def _first_half(order: Order, given: Sequence[Offer]) -> Choice:
    """Stop a branch too early: never look at more than two coupons together."""
    return min(choice for choice in every_choice(order, given, permute=False) if choice.coupons <= 2)


def _as_given(order: Order, given: Sequence[Offer]) -> Choice:
    """Of equals, keep what was given first."""
    return min(every_choice(order, given, permute=False), key=lambda choice: choice[:3])


ALONE = Stacking(exclusive=True)
IN_GROUP = Stacking(group="g")

TRAPS: dict[Callable[[Order, Sequence[Offer]], Choice], Case] = {
    _greedy: (cart(900), [Offer("A", amount(400, stacking=ALONE)), Offer("B", amount(300)), Offer("C", amount(200))]),
    _everything: (cart(900), [Offer("A", amount(1, stacking=IN_GROUP)), Offer("B", amount(2, stacking=IN_GROUP))]),
    _money_alone: (cart(900), [Offer("A", amount(1)), Offer("B", gift())]),
    _first_half: (cart(900), [Offer("A", amount(1)), Offer("B", amount(2)), Offer("C", amount(3))]),
}


@pytest.mark.parametrize("wrong", TRAPS)
def test_a_shortcut_is_not_the_best(wrong: Callable[[Order, Sequence[Offer]], Choice]) -> None:
    """Negative control: each shortcut has an order where trying everything finds better, and so do we."""
    order, given = TRAPS[wrong]
    best = min(every_choice(order, given))
    assert wrong(order, given) != best
    assert chosen(order, given) == best


def test_whoever_keeps_the_first_of_equals_depends_on_the_order_of_the_codes() -> None:
    """Negative control."""
    given = [Offer("B", amount(100, stacking=IN_GROUP)), Offer("A", amount(100, stacking=IN_GROUP))]
    assert _as_given(cart(500), given) != _as_given(cart(500), given[::-1])
    assert chosen(cart(500), given) == chosen(cart(500), given[::-1]) == (-100, 0, 1, ("A",))


def _choice(order: Order, taken: Sequence[Offer]) -> Choice:
    priced = price_order(order, taken)
    codes = tuple(sorted(priced.codes))
    return Choice(-priced.discount, -len(priced.gifts), len(codes), codes)


# --- in figures that a person can check ---


def test_one_that_wants_to_be_alone_has_to_beat_all_others_together() -> None:
    others = [Offer("A", amount(300)), Offer("B", amount(200))]
    assert chosen(cart(1000), [*others, Offer("X", amount(499, stacking=ALONE))]).codes == ("A", "B")
    assert chosen(cart(1000), [*others, Offer("X", amount(501, stacking=ALONE))]).codes == ("X",)


def test_of_a_group_the_one_counts_that_leaves_more_together_with_the_rest() -> None:
    """The larger one alone would not do: what it takes, the percentage does not get."""
    order = Order("CNY", (Line("TEA", "", 1, 1000), Line("MUG", "", 1, 1000)))
    tea, mug = Scope(include_skus=("TEA",)), Scope(include_skus=("MUG",))
    given = [
        Offer("A", amount(600, stacking=Stacking(group="g", priority=1), scope=tea)),
        Offer("B", amount(500, stacking=Stacking(group="g", priority=1), scope=mug)),
        Offer("C", percent(9000, scope=tea)),
    ]
    assert chosen(order, given) == (-1400, 0, 2, ("B", "C"))


def test_gifts_break_ties_and_what_adds_nothing_stays_with_the_shopper() -> None:
    given = [Offer("A", amount(1000)), Offer("B", amount(1000)), Offer("G", gift()), Offer("S", free_shipping())]
    assert chosen(cart(800), given) == (-800, -1, 2, ("A", "G"))
    assert chosen(cart(800, shipping=1), given).codes == ("A", "G", "S")


def test_a_gift_still_to_come_keeps_a_branch_alive() -> None:
    """X alone is found first; Y takes off as much, and leaves room for the gift."""
    given = [
        Offer("X", amount(100, stacking=Stacking(group="g", priority=1))),
        Offer("Y", amount(100)),
        Offer("G", gift(stacking=IN_GROUP)),
    ]
    assert chosen(cart(100), given) == (-100, -1, 2, ("G", "Y"))


def test_nothing_is_best_for_who_has_nothing() -> None:
    best = best_combination(cart(100, 200), [])
    assert (best.applied, best.discount, best.left.total) == ((), 0, 300)


@settings(max_examples=5, deadline=None)
@given(some.lists(some.integers(1, 9999), min_size=MAX_CODES, max_size=MAX_CODES, unique=True), some.integers(0, 3))
def test_ten_codes_are_searched_to_the_end(points: list[int], groups: int) -> None:
    given = [
        Offer(f"C{at}", percent(point, stacking=Stacking(group=f"g{at % 3}" if at % 4 < groups else None)))
        for at, point in enumerate(points)
    ]
    assert chosen(cart(100_000, 777), given) == min(every_choice(cart(100_000, 777), given, permute=False))


def test_more_than_ten_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 10"):
        best_combination(cart(1), [Offer(f"C{at}", amount(1)) for at in range(MAX_CODES + 1)])


def test_who_clashes_with_whom() -> None:
    given = [
        Offer("D", amount(1)),
        Offer("C", amount(1, stacking=Stacking(group="h"))),
        Offer("B", amount(1, stacking=Stacking(group="g"))),
        Offer("A", amount(1, stacking=Stacking(group="g"))),
    ]
    assert find_clashes(given) == {"A": ("B",), "B": ("A",)}
    assert find_clashes([*given[:2], Offer("X", amount(1, stacking=ALONE))]) == {
        "C": ("X",),
        "D": ("X",),
        "X": ("C", "D"),
    }
    assert not clash(given[0], given[1])
