"""A cart is checked against codes: what each would do, why one cannot be used, and which are best. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from brandday.domain.campaign import Shopper
from brandday.domain.combination import best_combination, find_clashes
from brandday.domain.coupon_rules import Candidate, Use, why_not
from brandday.domain.discount import Applied, NextTier, Priced, fit, next_tier, price_order
from brandday.domain.errors import BrandDayError, CouponNotFound, NotCombinable
from brandday.domain.order import Order
from brandday.domain.redemption_id import ORDERS, redemption_id
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.back_off import CodeGuard
from brandday.usecases.coupon_candidates import find_candidate, why_none_left
from brandday.usecases.coupon_ports import Codes
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.manage_rewards import OwnerOf
from brandday.usecases.ports import Clock, Stock


@dataclass(frozen=True, slots=True)
class CheckedCode:
    """One of the codes (folded), and what it is for this shopper and order.

    `candidate` is None for a code that the shopper does not have: nothing else is said of it then. `alone` is what it
    would do if it were the only one, None if it cannot be used; `next_tier` what more of the same would bring.

    `refusal` is why it cannot be used. If it is NotCombinable, it can be, but in the place of others that are better.
    """

    code: str
    refusal: BrandDayError | None
    candidate: Candidate | None = None
    alone: Applied | None = None
    next_tier: NextTier | None = None


@dataclass(frozen=True, slots=True)
class Validation:
    """The codes in the order in which they were given, and the order priced with the best of them."""

    codes: tuple[CheckedCode, ...]
    best: Priced


class ValidateCodes:
    """Checks codes for shoppers; one instance serves an execution environment, one request at a time."""

    def __init__(
        self,
        codes: Codes,
        campaigns: LiveCampaigns,
        stock: Stock,
        owner_of: OwnerOf,
        now: Clock,
        guard: CodeGuard | None = None,
    ) -> None:
        self._guard = guard
        self._codes = codes
        self._campaigns = campaigns
        self._stock = stock
        self._owner_of = owner_of
        self._now = now

    def __call__(
        self,
        shopper: Shopper,
        codes: Sequence[str],
        order: Order,
        order_id: str | None = None,
        visit: Visit = NO_VISIT,
    ) -> Validation:
        """Check codes (folded, none twice, at most `MAX_CODES`) for an order of the shopper, whose own locks are no
        obstacle if the shop has given it its `order_id`.

        Nothing that concerns a code is raised: it is in the answer. But whoever guesses gets no answer: RateLimited.
        """
        if self._guard is not None:
            self._guard.check(shopper, visit)
        owner = self._owner_of(shopper.id)
        found = self._codes.resolve(owner, codes)
        use = Use(self._now(), shopper, order)
        if order_id is not None and any(found):
            use = replace(use, redemption=redemption_id(self._codes.keys(), ORDERS, order_id))
        checked = []
        for code, what in zip(codes, found, strict=True):
            known = find_candidate(self._campaigns, what)
            if known is None:
                checked.append(CheckedCode(code, CouponNotFound()))
                continue
            live, candidate = known
            refusal = why_not(candidate, use)
            if refusal is None and candidate.facts is None:
                refusal = why_none_left(live, self._stock, owner, use.now, use.redemption)
            checked.append(check_alone(candidate, order, refusal))
        if self._guard is not None:
            self._guard.weigh(shopper, visit, {one.code: one.candidate for one in checked})
        usable = {one.code: one.candidate for one in checked if one.candidate is not None and one.refusal is None}
        best = best_combination(order, [candidate.offer for candidate in usable.values()])
        return Validation(tuple(_beside(best, order, usable, one) for one in checked), best)


def check_alone(candidate: Candidate, order: Order, refusal: BrandDayError | None) -> CheckedCode:
    """Return what a coupon would do as the only one on an order; nothing if there is a `refusal`."""
    if isinstance(refusal, CouponNotFound):
        return CheckedCode(candidate.code, refusal)
    if refusal is not None:
        return CheckedCode(candidate.code, refusal, candidate)
    (alone,) = price_order(order, [candidate.offer]).applied
    return CheckedCode(candidate.code, None, candidate, alone, next_tier(fit(order, candidate.offer)))


def _beside(best: Priced, order: Order, usable: Mapping[str, Candidate], checked: CheckedCode) -> CheckedCode:
    """The same code, refused if a redemption would refuse it together with the best ones."""
    if checked.refusal is not None or checked.code in best.codes:
        return checked
    together = [usable[code].offer for code in (*best.codes, checked.code)]
    clashes = find_clashes(together).get(checked.code, ())
    if not clashes and price_order(order, together).idle:
        clashes = best.codes
    if not clashes:
        return checked
    return replace(checked, refusal=NotCombinable(clashes_with=tuple(usable[code].shown for code in clashes)))
