"""A shopper's wallet: what can be used comes first, and the rest says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brandday.domain.campaign import Shopper, Status
from brandday.domain.coupon_record import CouponFacts, CouponState, UseState
from brandday.domain.errors import ValidationFailed
from brandday.domain.order import Line, Order
from brandday.usecases.list_coupons import WALLET, Wallet
from tests.fakes.backend import OPENS, SALE
from tests.fakes.coupon_api import GIFTS, PARTNER, CouponApi
from tests.fakes.coupon_backend import DAY_MS

MING = Shopper("ming", channel="app")
ORDER = Order("CNY", (Line("HERO", "", 1, 9_950),), 0, "app")


def wallet(api: CouponApi, shopper: Shopper = MING, order: Order | None = None, after: str | None = None) -> Wallet:
    """Ask a cold environment."""
    return api.coupon_use_cases().list_coupons(shopper, order, after, None)


def ids(found: Wallet) -> list[str]:
    return [coupon.candidate.facts.id for coupon in found.coupons if coupon.candidate.facts is not None]


def reasons(found: Wallet) -> list[str | None]:
    return [None if coupon.refusal is None else coupon.refusal.code for coupon in found.coupons]


def give(api: CouponApi, campaign_id: str, days: int, state: CouponState | None = None) -> CouponFacts:
    """Give Ming a coupon that is valid for so many days."""
    facts = replace(api.issue(campaign_id, "ming"), valid_until=OPENS + days * DAY_MS)
    api.coupons.facts[facts.id] = facts
    if state is not None:
        api.coupons.states[facts.id] = state
    return facts


def test_the_usable_ones_come_first_and_of_those_what_ends_first() -> None:
    api = CouponApi()
    given = [
        give(api, GIFTS, 5),
        give(api, GIFTS, 9, CouponState(UseState.REDEEMED, "rdm_1", OPENS, version=1)),
        give(api, GIFTS, 2),
        give(api, GIFTS, 1, CouponState(UseState.LOCKED, "rdm_2", OPENS, OPENS + 1000, version=1)),
        give(api, GIFTS, 8, CouponState(disabled=True, version=1)),
        give(api, GIFTS, 0),
        give(api, GIFTS, 3, CouponState(UseState.RETURNED, "rdm_3", OPENS, version=2)),
    ]
    found = wallet(api)
    assert reasons(found) == [None, None, None, "coupon_locked", "coupon_redeemed", "coupon_disabled", "coupon_expired"]
    assert ids(found) == [given[at].id for at in (2, 6, 0, 3, 1, 4, 5)]


def test_a_cart_changes_what_is_usable_and_every_coupon_says_why_not() -> None:
    api = CouponApi()
    amount, present = give(api, SALE, 1), give(api, GIFTS, 5)
    assert reasons(wallet(api)) == [None, None]
    found = wallet(api, order=ORDER)
    assert ids(found) == [present.id, amount.id]
    assert reasons(found) == [None, "minimum_spend_not_reached"]
    (first, second) = found.coupons
    assert first.alone is not None
    assert first.alone.gift == "MUG"
    assert second.refusal is not None
    assert (second.alone, second.refusal.params["spend"]) == (None, "0.50")

    full = replace(ORDER, lines=(Line("HERO", "", 2, 9_950),))
    (first, _) = wallet(api, order=full).coupons
    assert first.alone is not None
    assert first.next_tier is not None
    assert (first.alone.discount, first.next_tier.missing) == (1000, 100)


def test_nobody_sees_what_is_not_theirs() -> None:
    api = CouponApi()
    mine = give(api, SALE, 1)
    api.issue(SALE, "li")
    api.issue(PARTNER, code="TEAPAL-0001")
    assert ids(wallet(api)) == [mine.id]
    assert wallet(api, Shopper("nobody")) == Wallet((), None)


def test_before_anything_was_published_there_is_nothing_to_have() -> None:
    api = CouponApi(())
    api.campaigns.salt = None
    assert wallet(api) == Wallet((), None)


def test_a_paused_campaigns_coupons_stay_in_the_wallet_and_a_drafts_are_not_there() -> None:
    api = CouponApi()
    give(api, SALE, 1)
    give(api, GIFTS, 1)
    api.change(SALE, status=Status.PAUSED)
    api.change(GIFTS, status=Status.DRAFT)
    assert reasons(wallet(api)) == ["campaign_paused"]


def test_large_wallets_have_pages_the_newest_first_and_miss_nothing() -> None:
    api = CouponApi()
    given = []
    for _ in range(WALLET + 3):
        api.clock.advance(1)
        given.append(give(api, GIFTS, 5).id)
    first = wallet(api)
    assert sorted(ids(first)) == sorted(given[3:])
    assert first.next is not None
    second = wallet(api, after=first.next)
    assert sorted(ids(second)) == sorted(given[:3])
    assert second.next is None


def test_what_is_no_cursor_is_refused_by_its_name() -> None:
    api = CouponApi()
    give(api, SALE, 1)
    with pytest.raises(ValidationFailed) as refused:
        wallet(api, after="nonsense")
    assert [(error.pointer, error.rule) for error in refused.value.errors] == [("query:after", "not_a_cursor")]
