"""A shopper takes a coupon: one each, the same again for the same request, and no more than there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from brandday.domain.campaign import Shopper, Status
from brandday.domain.coupon import CodeKind, IssuedBy
from brandday.domain.coupon_code import coupon_id, is_ours
from brandday.domain.errors import (
    AllHeld,
    BrandDayError,
    CampaignEnded,
    CampaignNotFound,
    CampaignNotStarted,
    CampaignPaused,
    CouponsHandedOut,
    NotEligible,
    ShopperLimitReached,
    SoldOut,
    TemporarilyOverloaded,
    WrongMechanic,
)
from tests.fakes.backend import CLOSES, OPENS, Backend, sale, sku, web_shopper
from tests.fakes.coupon_backend import KEYS, CouponBackend, coupon_terms, coupons
from tests.fakes.tap import failing


def test_a_coupon_follows_from_its_claim() -> None:
    backend = CouponBackend()

    taken = backend.taker().take("ann")

    assert not taken.replayed
    assert backend.taken() == {taken.facts.id: taken.facts}
    assert taken.facts.owner == backend.layout.name_of("ann")
    assert taken.facts.id == coupon_id(KEYS, taken.facts.code)
    assert is_ours(KEYS, taken.facts.code)
    assert (taken.facts.issued_at, taken.facts.valid_until) == (OPENS, backend.campaign.coupon.validity.ends_at)  # type: ignore[union-attr]
    backend.check()


def test_each_coupon_has_a_code_of_its_own() -> None:
    backend = CouponBackend(coupons(coupon_terms(quantity=300), shards=10))
    environment = backend.taker()

    codes = {environment.take(f"shopper-{number}").facts.code for number in range(200)}

    assert len(codes) == 200
    assert len(backend.taken()) == 200


def test_the_same_request_gets_the_same_coupon_from_any_environment_and_at_any_time() -> None:
    backend = CouponBackend()
    first = backend.taker().take("ann", "tap")
    backend.clock.advance(60_000)

    again = backend.taker().take("ann", "tap")

    assert again.replayed
    assert again.facts == first.facts
    assert len(backend.claims()) == 1


@pytest.mark.parametrize("status", [Status.PAUSED, Status.ENDED])
def test_the_same_request_gets_its_coupon_when_the_campaign_is_closed_and_another_one_none(status: Status) -> None:
    backend = CouponBackend()
    first = backend.taker().take("ann", "tap")
    backend.change(status=status, ended_at=backend.clock() if status is Status.ENDED else None)

    assert backend.taker().take("ann", "tap") == replace(first, replayed=True)
    refusal = backend.taker().refused("ann", "another")
    assert isinstance(refusal, CampaignPaused if status is Status.PAUSED else CampaignEnded)


def test_an_answer_that_got_lost_is_given_again() -> None:
    backend = CouponBackend()
    with (
        failing(backend.tap, "stock.write", TemporarilyOverloaded(), committed=True),
        pytest.raises(TemporarilyOverloaded),
    ):
        backend.taker().take("ann", "tap")

    again = backend.taker().take("ann", "tap")

    assert again.replayed
    assert list(backend.taken()) == [again.facts.id]


def test_a_shopper_gets_as_many_as_each_may_have() -> None:
    backend = CouponBackend(coupons(coupon_terms(per_shopper=2)))
    environment = backend.taker()
    first, second = environment.take("ann", "1"), environment.take("ann", "2")

    refusal = environment.refused("ann", "3")

    assert isinstance(refusal, ShopperLimitReached)
    assert refusal.params["limit"] == 2
    assert backend.taken().keys() == {first.facts.id, second.facts.id}
    assert first.facts.code != second.facts.code


def test_no_more_are_taken_than_there_are_and_sold_out_is_said_once_that_is_proven() -> None:
    backend = CouponBackend(coupons(shards=2))
    environment = backend.taker()
    answers: list[str] = []
    for number in range(30):
        try:
            environment.take(f"shopper-{number}")
            answers.append("taken")
        except BrandDayError as refusal:
            answers.append(refusal.code)
            backend.clock.advance(refusal.retry_after_ms or 0)
            if isinstance(refusal, AllHeld):
                backend.settle()

    assert answers.count("taken") == len(backend.claims()) == 6
    assert set(answers) == {"taken", AllHeld.code, SoldOut.code}
    backend.check()


def test_a_budget_bounds_how_many_there_are() -> None:
    terms = coupon_terms(quantity=100, budget=3500)  # three times ten yuan, and half of another
    backend = CouponBackend(coupons(terms))
    environment = backend.taker()
    for number in range(3):
        environment.take(f"shopper-{number}")
    backend.settle()

    assert isinstance(environment.refused("one-more"), SoldOut)


@pytest.mark.parametrize(
    ("changes", "now", "expected"),
    [
        ({"status": Status.DRAFT}, OPENS, CampaignNotFound),
        ({}, OPENS - 1, CampaignNotStarted),
        ({"status": Status.PAUSED}, OPENS, CampaignPaused),
        ({}, CLOSES, CampaignEnded),
        ({"coupon": coupon_terms(issued_by=IssuedBy.OPERATORS)}, OPENS, CouponsHandedOut),
        ({"coupon": coupon_terms(code_kind=CodeKind.SHARED, code="BRANDDAY")}, OPENS, CouponsHandedOut),
    ],
    ids=["draft", "too_early", "paused", "ended", "handed_out", "one_code_for_all"],
)
def test_a_campaign_that_gives_nothing_says_why(
    changes: dict[str, Any], now: int, expected: type[BrandDayError]
) -> None:
    backend = CouponBackend(coupons(**changes), now=now)

    assert isinstance(backend.taker().refused("ann"), expected)
    assert backend.claims() == []


def test_who_may_not_take_one_hears_what_is_asked_for() -> None:
    backend = CouponBackend()

    assert isinstance(backend.taker().refused(Shopper("ann", channel="store")), NotEligible)


def test_coupons_are_not_reserved_and_sales_give_no_coupons() -> None:
    with pytest.raises(WrongMechanic):
        CouponBackend().environment().reserve(web_shopper("ann"), "coupon")
    selling = CouponBackend(sale(sku()))
    assert isinstance(selling.taker().refused("ann"), WrongMechanic)
    assert isinstance(selling, Backend)


def test_a_pause_stops_who_had_looked_at_the_campaign_before() -> None:
    backend = CouponBackend()
    environment = backend.warm_taker()
    backend.change(status=Status.PAUSED)
    backend.clock.advance(1000)

    assert isinstance(environment.refused("ann"), CampaignPaused)
