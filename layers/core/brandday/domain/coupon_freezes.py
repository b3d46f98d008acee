"""What of a coupon campaign may change once it is published, and how many coupons may be added.

Published is promised: what a coupon gives, for what, and together with what. The end of the campaign and of a shared
code may be put off (coupons of their own have it written on them); who may take coupons, what keeps bots away and how
gifts are sent may be put right. Coupons, or uses of a shared code, are added by a restock, as long as the budget pays
for every one of them.
"""

from collections.abc import Iterable, Iterator

from brandday.domain.campaign import Campaign
from brandday.domain.coupon import POOL, CodeKind, CouponTerms, IssuedBy
from brandday.domain.trail import Change

_MAY_CHANGE = frozenset(("title", "channels", "eligibility", "fulfilment", "protection"))
_PROMISED = "cannot change once the campaign is published: shoppers have coupons on these terms"
_ADDED = "cannot change once the campaign is published; add coupons with a restock, within the budget"
_WRITTEN = "cannot change once the campaign is published: it is written on every coupon"
_PUT_OFF = "cannot be brought forward once the campaign is published: shoppers count on it"


def frozen_of_coupons(
    live: Campaign, declared: Campaign, changes: Iterable[Change], now_ms: int
) -> Iterator[tuple[str, str]]:
    """The JSON pointer and the reason of each change of a published coupon campaign that comes too late, each once."""
    before, after = live.coupon, declared.coupon
    if before is None or after is None:
        yield "/mechanic", _PROMISED
        return
    for change in changes:
        pointer = f"/{'/'.join(change.path)}"
        match change.path:
            case (head, *_) if head in _MAY_CHANGE:
                continue
            case ("starts_at",):
                yield from _start_problems(live, declared, now_ms)
            case ("ends_at",):
                if declared.ends_at < live.ends_at:
                    yield pointer, _PUT_OFF
            case ("validity", "starts_at"):
                if now_ms >= before.validity.starts_at:
                    yield pointer, "cannot change any more: the first coupons can be used already"
                elif after.validity.starts_at <= now_ms:
                    yield pointer, "must be in the future"
            case ("validity", "ends_at"):
                yield from _end_problems(before, after)
            case ("quantity",) | ("budget",):
                yield pointer, _ADDED
            case _:
                yield pointer, _PROMISED


def restock_problem(campaign: Campaign, terms: CouponTerms, quantity: int) -> tuple[str, str] | None:
    """The JSON pointer and the reason why `quantity` more coupons cannot be added; None if they can."""
    if terms.code_kind is not CodeKind.SHARED and terms.issued_by is IssuedBy.OPERATORS:
        return "", "coupons of operators are not stock: their number was declared, and generating counts up to it"
    room = room_in_budget(campaign, terms)
    if room is not None and quantity > room:
        return "/quantity", f"the budget pays for {room} more; declare another campaign"
    return None


def room_in_budget(campaign: Campaign, terms: CouponTerms) -> int | None:
    """How many more coupons the budget is sure to pay for; None if there is no budget."""
    most = terms.benefit.costs_at_most
    if terms.budget is None or not most:
        return None
    return terms.budget // most - terms.units - campaign.restocked(POOL)


def _start_problems(live: Campaign, declared: Campaign, now_ms: int) -> Iterator[tuple[str, str]]:
    if now_ms >= live.starts_at:
        yield "/starts_at", "cannot change any more: the campaign has started"
    elif declared.starts_at <= now_ms:
        yield "/starts_at", "must be in the future"


def _end_problems(before: CouponTerms, after: CouponTerms) -> Iterator[tuple[str, str]]:
    was, shall_be = before.validity.ends_at, after.validity.ends_at
    if before.code_kind is not CodeKind.SHARED:
        yield "/validity/ends_at", _WRITTEN
    elif was is None or shall_be is None:
        yield "/validity/ends_at", _PROMISED
    elif shall_be < was:
        yield "/validity/ends_at", _PUT_OFF
