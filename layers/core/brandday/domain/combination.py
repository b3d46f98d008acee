"""Which coupons go together on an order, and which of those that somebody has are the best ones for it.

The best combination is the one with the largest discount; if several have it, the one with most gifts, then the one
with fewest coupons, then the one with the lower codes. It depends on the coupons and the order alone, never on the
order in which somebody gives the codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from brandday.domain.discount import Applied, Left, Offer, Priced, after, apply_offer, before_coupons, fit, turn
from brandday.domain.order import MAX_CODES, Order

type _Key = tuple[int, int, int, tuple[str, ...]]
"""Of two combinations, the one with the lower key is better: discount and gifts are negative, then come the number of
coupons and their codes.
"""


def clash(one: Offer, other: Offer) -> bool:
    """Whether two different coupons cannot be on the same order: one has to be alone, or both are of one group."""
    mine, theirs = one.terms.stacking, other.terms.stacking
    if mine.exclusive or theirs.exclusive:
        return True
    return mine.group is not None and mine.group == theirs.group


def find_clashes(offers: Iterable[Offer]) -> Mapping[str, tuple[str, ...]]:
    """Return, for each code that does not go with all others, the codes it clashes with, in ascending order."""
    by_code = sorted(offers, key=lambda offer: offer.code)
    found = {
        one.code: tuple(other.code for other in by_code if one.code != other.code and clash(one, other))
        for one in by_code
    }
    return {code: others for code, others in found.items() if others}


def best_combination(order: Order, offers: Sequence[Offer]) -> Priced:
    """Return the order with the best of the offers that go together; none that is of no use is among them.

    ValueError for more than `MAX_CODES` offers: the search would take too long.
    """
    if len(offers) > MAX_CODES:
        raise ValueError(f"{len(offers)} offers are more than {MAX_CODES}")
    search = _Search(order, offers)
    search.go_on(0, before_coupons(order), ())
    return search.best


class _Search:
    """Depth-first through the combinations, in the order in which coupons are applied: each is one more coupon upon
    what is left by now. A branch ends where not even all coupons to come would make it the best.
    """

    def __init__(self, order: Order, offers: Sequence[Offer]) -> None:
        self._fitted = [fit(order, offer) for offer in sorted(offers, key=turn)]
        whole = before_coupons(order)
        self.best = Priced((), whole)
        self._key = _key(self.best)
        # Per offer, what it and those after it can give at most. What is left only becomes less, so none takes off
        # more than it does alone.
        alone = [apply_offer(whole, fitted) for fitted in self._fitted]
        self._discounts = [sum(applied.discount for applied in alone[at:]) for at in range(len(alone))]
        self._gifts = [sum(applied.gift is not None for applied in alone[at:]) for at in range(len(alone))]

    def go_on(self, at: int, left: Left, taken: tuple[tuple[Offer, Applied], ...]) -> None:
        """Try every combination of `taken`, which leaves `left`, with offers from number `at` on."""
        priced = Priced(tuple(applied for _, applied in taken), left)
        key = _key(priced)
        if key < self._key:
            self.best, self._key = priced, key
        if at == len(self._fitted) or self._is_hopeless(at, key, left):
            return
        fitted = self._fitted[at]
        applied = apply_offer(left, fitted)
        # Without a coupon that is of no use the rest is the same, with one coupon less.
        if applied.is_of_use and not any(clash(fitted.offer, offer) for offer, _ in taken):
            self.go_on(at + 1, after(left, applied), (*taken, (fitted.offer, applied)))
        self.go_on(at + 1, left, taken)

    def _is_hopeless(self, at: int, key: _Key, left: Left) -> bool:
        discount, gifts, coupons, _ = key
        can_be = discount - min(self._discounts[at], left.total), gifts - self._gifts[at], coupons
        return can_be >= self._key[:3]  # not at equal: what comes has a coupon more than what is here


def _key(priced: Priced) -> _Key:
    return -priced.discount, -len(priced.gifts), len(priced.applied), tuple(sorted(priced.codes))
