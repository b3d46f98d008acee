"""Guessing codes through the API: five mistakes are free, then it takes patience; nobody else notices."""

from __future__ import annotations

import pytest

from brandday.domain.coupon_code import make_code, show
from tests.fakes.coupon_api import GIFTS, PARTNER, PERCENT_CODE, CouponApi, order
from tests.fakes.coupon_backend import KEYS
from tests.fakes.memory_misses import MemoryMisses
from tests.http_client import Answered

TYPOS = [f"SPRING{number}" for number in range(20)]
LOOK = ["misses.look"]


@pytest.fixture
def api() -> CouponApi:
    """Every request is one of a cold environment: nothing is remembered but what is stored."""
    return CouponApi(misses=MemoryMisses())


def validate_wrong(api: CouponApi, number: int = 6, shopper: str = "shopper-1") -> None:
    """Make mistakes, each of which is looked at."""
    for typo in TYPOS[:number]:
        assert reasons(api.validate(typo, shopper=shopper)) == ["coupon_not_found"]


def reasons(answer: Answered) -> list[str | None]:
    assert answer.status == 200, answer.body
    return [each["reason"] and each["reason"]["code"] for each in answer.body["codes"]]


def calls(api: CouponApi) -> list[str]:
    made, api.tap.calls = api.tap.calls, []
    return made


def test_five_mistakes_are_free_and_a_good_code_never_counts(api: CouponApi) -> None:
    validate_wrong(api, 5)
    for _ in range(20):
        assert reasons(api.validate(PERCENT_CODE)) == [None]


def test_with_the_sixth_the_shopper_waits_for_what_can_be_guessed(api: CouponApi) -> None:
    validate_wrong(api)

    for code in (TYPOS[7], PERCENT_CODE):  # a hit looks like a miss
        refused = api.validate(code)
        assert (refused.status, refused.code) == (429, "rate_limited")
        assert refused.body["retry_after_ms"] == 2000
        assert refused.headers["Retry-After"] == "2"

    api.clock.advance(2000)
    assert reasons(api.validate(PERCENT_CODE)) == [None]
    assert reasons(api.validate(TYPOS[8])) == ["coupon_not_found"]
    assert api.validate(TYPOS[9]).body["retry_after_ms"] == 4000


def test_the_partners_codes_are_not_shown_to_who_waits_either(api: CouponApi) -> None:
    code = api.issue(PARTNER, code="TEAPALAAAA1111").code
    validate_wrong(api)
    assert api.validate(code).code == "rate_limited"


def test_ones_own_coupons_can_be_used_in_the_meantime(api: CouponApi) -> None:
    taken = api.take().body["code"]
    validate_wrong(api)
    calls(api)

    assert reasons(api.validate(taken)) == [None]
    assert calls(api) == []
    assert api.redeem(taken).status == 201
    assert calls(api) == []


def test_a_mistyped_code_in_a_cart_that_changes_is_one_mistake(api: CouponApi) -> None:
    for spare in range(20):
        answer = api.validate(TYPOS[0], PERCENT_CODE, order=order(shipping={"amount": spare, "currency": "CNY"}))
        assert reasons(answer) == ["coupon_not_found", None]


def test_ten_mistakes_at_once_count_as_ten(api: CouponApi) -> None:
    assert reasons(api.validate(*TYPOS[:10])) == ["coupon_not_found"] * 10
    assert api.validate(PERCENT_CODE).body["retry_after_ms"] == 32_000


def test_somebody_elses_coupon_is_as_much_of_a_mistake_as_none(api: CouponApi) -> None:
    others = [api.issue(GIFTS, owner="shopper-2").code for _ in range(3)]
    never = [make_code(KEYS, GIFTS, f"job:never.{number}") for number in range(3)]
    made = []
    for code in [*others, *never]:
        calls(api)
        assert reasons(api.validate(show(code))) == ["coupon_not_found"]
        made.append(calls(api))
    assert made == [["misses.look", "misses.note", "misses.note"]] * 6
    assert api.validate(PERCENT_CODE).status == 429


def test_at_the_checkout_the_shopper_whom_the_shop_names_waits_and_nobody_else(api: CouponApi) -> None:
    for number, typo in enumerate(TYPOS[:6]):
        assert api.redeem(typo, order_id=f"SO-{number}").code == "coupon_not_found"

    assert api.redeem(PERCENT_CODE, order_id="SO-7").code == "rate_limited"
    assert api.redeem(PERCENT_CODE, order_id="SO-8", shopper={"id": "shopper-2"}).status == 201
    bearer = api.issue(PARTNER, code="TEAPALAAAA1111").code
    assert api.redeem(bearer, order_id="SO-9", shopper=None).status == 201  # whom nobody names nobody can slow down
    # carts and checkouts are the same guesses
    assert api.validate(PERCENT_CODE).status == 429


def test_the_same_order_again_is_no_second_mistake(api: CouponApi) -> None:
    for _ in range(20):
        assert api.redeem(TYPOS[0]).code == "coupon_not_found"
    assert api.redeem(PERCENT_CODE, order_id="SO-2").status == 201


def test_what_it_costs(api: CouponApi) -> None:
    taken = api.take().body["code"]
    costs = {}
    for what, code in {"own": taken, "shared": PERCENT_CODE, "typo": TYPOS[0], "typo again": TYPOS[0]}.items():
        calls(api)
        api.validate(code)
        costs[what] = calls(api)

    assert costs == {
        "own": [],
        "shared": LOOK,
        "typo": [*LOOK, "misses.note", "misses.note"],
        "typo again": LOOK,
    }


def test_without_back_off_every_guess_is_looked_at() -> None:
    """The control."""
    api = CouponApi()
    for typo in TYPOS:
        assert reasons(api.validate(typo)) == ["coupon_not_found"]
    assert reasons(api.validate(PERCENT_CODE)) == [None]
