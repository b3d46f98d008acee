"""What orders do with codes, over HTTP events: the shop's backend and a till, with all kinds of coupons in memory."""

import json
from typing import Any

import pytest

from brandday.domain.campaign import Eligibility, Status
from brandday.domain.coupon import Benefit, BenefitKind, OnCancel, Stacking, Tier
from brandday.domain.coupon_code import make_code, show
from brandday.domain.times import to_rfc3339
from tests.fakes.backend import CLOSES, OPENS, SALE
from tests.fakes.coupon_api import (
    CONFIRM,
    GIFTS,
    PARTNER,
    PERCENT,
    PERCENT_CODE,
    REDEEM,
    REDEMPTION,
    ROLL_BACK,
    SCAN,
    CouponApi,
    cny,
    line,
    order,
    shared,
)
from tests.fakes.coupon_backend import DAY_MS, KEYS, coupon_terms, coupons
from tests.http_client import Answered

LOCK_MS = 900_000


@pytest.fixture
def api() -> CouponApi:
    return CouponApi()


@pytest.fixture
def mug(api: CouponApi) -> str:
    """The code of a coupon of shopper-1."""
    return show(api.issue(GIFTS, "shopper-1").code)


def errors(answer: Answered) -> list[tuple[str, str]]:
    assert (answer.status, answer.code) == (422, "validation_failed"), answer.body
    return [(error["pointer"], error["rule"]) for error in answer.body["errors"]]


# --- the shop -------------------------------------------------------------------------------------------------


def test_a_redemption_says_what_each_code_takes_off_each_line(api: CouponApi, mug: str) -> None:
    code = api.take().body["code"]
    answer = api.redeem(PERCENT_CODE, code, mug, order=order(line(9_999, 1, "A"), line(10_001, 2, "B")))
    redemption = answer.body
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/redemptions/{redemption['id']}"
    codes = {part.pop("code"): part for part in redemption.pop("codes")}
    assert {**redemption, "server_time": ""} == {
        "server_time": "",
        "id": redemption["id"],
        "order_id": "SO-1",
        "store": None,
        "status": "redeemed",
        "at": to_rfc3339(OPENS),
        "expires_at": None,
        "discount": cny(6250),
    }
    assert codes["SAVE10"] == {
        "coupon_id": None,
        "campaign_id": PERCENT,
        "discount": cny(3750),
        "lines": [cny(1250), cny(2500)],
        "shipping": cny(0),
        "gift": None,
        "returned": False,
    }
    assert (codes[code]["discount"], codes[code]["lines"]) == (cny(2500), [cny(833), cny(1667)])
    assert (codes[mug]["discount"], codes[mug]["gift"]) == (cny(0), "MUG")


def test_the_same_request_gets_the_same_answer_and_says_so(api: CouponApi, mug: str) -> None:
    first, again = api.redeem(mug, PERCENT_CODE), api.redeem(mug, PERCENT_CODE)
    assert "Idempotent-Replayed" not in first.headers
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.body == first.body


def test_a_redemption_can_be_looked_at(api: CouponApi, mug: str) -> None:
    made = api.redeem(mug).body
    seen = api.as_shop("GET", REDEMPTION, redemption_id=made["id"])
    assert seen.status == 200
    assert seen.body["codes"][0].pop("lines") is None, "its order is not known here"
    assert {**made, "codes": None} == {**seen.body, "codes": None}


def test_a_code_is_used_once(api: CouponApi, mug: str) -> None:
    api.redeem(mug)
    refused = api.redeem(mug, order_id="SO-2")
    assert (refused.status, refused.code) == (409, "coupon_redeemed")
    assert refused.body["params"] == {"at": to_rfc3339(OPENS), "where": "online", "store": ""}
    assert [error["pointer"] for error in refused.body["errors"]] == ["/codes/0"]


def test_all_codes_of_an_order_or_none(api: CouponApi, mug: str) -> None:
    api.redeem(mug)
    other = show(api.issue(GIFTS, "shopper-1").code)
    refused = api.redeem(other, PERCENT_CODE, mug, order_id="SO-2")
    assert refused.code == "coupon_redeemed"
    assert [error["pointer"] for error in refused.body["errors"]] == ["/codes/2"]
    assert api.redeem(other, PERCENT_CODE, order_id="SO-3").status == 201


def test_a_lock_is_confirmed_when_the_order_is_paid(api: CouponApi, mug: str) -> None:
    locked = api.lock(mug, PERCENT_CODE)
    assert (locked.status, locked.body["status"]) == (201, "locked")
    assert locked.body["expires_at"] == to_rfc3339(OPENS + LOCK_MS)
    elsewhere = api.lock(mug, order_id="SO-2")
    assert (elsewhere.code, elsewhere.body["retry_after_ms"]) == ("coupon_locked", LOCK_MS)

    resumed = api.lock(mug, PERCENT_CODE, key="from another device")
    assert resumed.body["id"] == locked.body["id"], "an order never blocks itself"
    api.clock.advance(1000)
    for replayed in (False, True):
        confirmed = api.as_shop("POST", CONFIRM, redemption_id=locked.body["id"], key="paid")
        assert (confirmed.status, confirmed.body["status"]) == (200, "redeemed")
        assert ("Idempotent-Replayed" in confirmed.headers) is replayed
        assert confirmed.body["at"] == to_rfc3339(OPENS + 1000)
    assert api.lock(mug, order_id="SO-2").code == "coupon_redeemed"


def test_a_lock_is_given_up_when_the_payment_fails(api: CouponApi, mug: str) -> None:
    locked = api.lock(mug).body["id"]
    for _ in range(2):
        released = api.as_shop("DELETE", REDEMPTION, redemption_id=locked, key=None)
        assert (released.status, released.body["status"]) == (200, "released")
    assert api.redeem(mug, order_id="SO-2").status == 201
    late = api.as_shop("POST", CONFIRM, redemption_id=locked)
    assert (late.status, late.code) == (409, "redemption_closed")


def test_a_lock_that_ran_out_frees_the_coupon_without_anybody(api: CouponApi, mug: str) -> None:
    locked = api.lock(mug).body["id"]
    api.clock.advance(LOCK_MS)
    seen = api.as_shop("GET", REDEMPTION, redemption_id=locked)
    assert seen.body["status"] == "expired"
    assert api.redeem(mug, order_id="SO-2").status == 201
    late = api.as_shop("POST", CONFIRM, redemption_id=locked)
    assert (late.status, late.code) == (409, "redemption_expired")


def test_a_late_payment_gets_what_nobody_has_taken(api: CouponApi, mug: str) -> None:
    locked = api.lock(mug).body["id"]
    api.clock.advance(LOCK_MS + 1)
    assert api.as_shop("POST", CONFIRM, redemption_id=locked).body["status"] == "redeemed"


def test_a_cancelled_order_returns_the_coupon_with_what_was_left_of_its_time(api: CouponApi, mug: str) -> None:
    redeemed = api.redeem(mug, PERCENT_CODE).body["id"]
    api.clock.now = CLOSES + 7 * DAY_MS + 1  # the coupon's own time is over by now
    for replayed in (False, True):
        undone = api.as_shop("POST", ROLL_BACK, redemption_id=redeemed)
        assert (undone.status, undone.body["status"]) == (200, "rolled_back")
        assert ("Idempotent-Replayed" in undone.headers) is replayed
        assert [part["returned"] for part in undone.body["codes"]] == [True, True]
    (wallet,) = api.wallet().body["coupons"]
    assert wallet["usable"]
    assert wallet["valid_until"] == to_rfc3339(api.clock() + CLOSES + 7 * DAY_MS - OPENS)


def test_a_brand_may_keep_the_coupon_of_a_cancelled_order() -> None:
    keeps = coupons(coupon_terms(on_cancel=OnCancel.KEEP), id="keep-day")
    api = CouponApi((keeps, shared()))
    code = show(api.issue("keep-day").code)
    undone = api.as_shop("POST", ROLL_BACK, redemption_id=api.redeem(code, PERCENT_CODE).body["id"])
    assert {part["campaign_id"]: part["returned"] for part in undone.body["codes"]} == {
        "keep-day": False,
        PERCENT: True,
    }
    assert api.redeem(code, order_id="SO-2").code == "coupon_redeemed"


def test_what_was_never_redeemed_is_not_rolled_back(api: CouponApi, mug: str) -> None:
    locked = api.lock(mug).body["id"]
    refused = api.as_shop("POST", ROLL_BACK, redemption_id=locked)
    assert (refused.code, refused.body["params"]) == ("redemption_closed", {"status": "locked"})


def test_why_a_coupon_cannot_be_used_is_said(api: CouponApi, mug: str) -> None:
    code = api.take().body["code"]
    foreign = [line() | {"unit_price": {"amount": 100, "currency": "USD"}}]
    said = {
        "minimum_spend_not_reached": api.redeem(code, order=order(line(100, 1))),
        "currency_not_accepted": api.redeem(mug, order=order(*foreign, currency="USD", shipping=None)),
        "coupon_not_found": api.redeem(mug, shopper={"id": "shopper-2"}),
    }
    api.change(GIFTS, eligibility=Eligibility(regions=("CN-SH",)))
    said["not_eligible"] = api.redeem(mug, shopper={"id": "shopper-1", "region": "CN-BJ"})
    assert {name: (answer.status, answer.code) for name, answer in said.items()} == {
        "minimum_spend_not_reached": (409, "minimum_spend_not_reached"),
        "currency_not_accepted": (409, "currency_not_accepted"),
        "coupon_not_found": (404, "coupon_not_found"),
        "not_eligible": (403, "not_eligible"),
    }
    assert api.redeem(mug, shopper={"id": "shopper-1", "region": "CN-SH"}).status == 201
    api.change(PERCENT, status=Status.PAUSED)
    assert api.redeem(PERCENT_CODE, order_id="SO-2").code == "campaign_paused"


def test_coupons_that_do_not_go_together_are_refused_together() -> None:
    api = CouponApi((coupons(coupon_terms(stacking=Stacking(exclusive=True)), id="alone-day"), shared()))
    code = show(api.issue("alone-day").code)
    refused = api.redeem(code, PERCENT_CODE)
    assert refused.code == "not_combinable"


def test_a_coupon_for_which_others_leave_nothing_is_not_spent_but_a_gift_is_one() -> None:
    everything = coupon_terms(benefit=Benefit(BenefitKind.AMOUNT_OFF, (Tier(0, amount=100_000),)))
    api = CouponApi((*CouponApi().published, coupons(everything, id="all")))
    first, ten, mug = (show(api.issue(campaign, "shopper-1").code) for campaign in ("all", SALE, GIFTS))

    refused = api.redeem(first, ten, mug)

    assert (refused.body["code"], refused.body["errors"][0]["pointer"]) == ("not_combinable", "/codes/1")
    assert set(refused.body["params"]["clashes_with"]) == {first, mug}
    assert not api.coupons.states
    assert api.redeem(first, mug).status == 201
    assert api.redeem(ten, order_id="SO-2").status == 201


def test_a_shared_code_counts_per_shopper(api: CouponApi) -> None:
    assert api.redeem(PERCENT_CODE).status == 201
    assert api.redeem(PERCENT_CODE, order_id="SO-2").code == "shopper_limit_reached"
    assert api.redeem(PERCENT_CODE, order_id="SO-3", shopper={"id": "shopper-2"}).status == 201
    assert errors(api.redeem(PERCENT_CODE, order_id="SO-4", shopper=None)) == [("/shopper", "required")]


def test_a_coupon_without_an_owner_needs_nobodys_name(api: CouponApi) -> None:
    api.issue(PARTNER, code="TEAPAL-77-X")
    answer = api.redeem("teapal 77x", shopper=None)
    assert (answer.status, answer.body["codes"][0]["shipping"]) == (201, cny(800))


@pytest.mark.parametrize(
    ("changes", "pointer", "rule"),
    [
        ({"order_id": "SO 1"}, "/order_id", "bad_format"),
        ({"shopper": {"id": ""}}, "/shopper/id", "too_short"),
        ({"shopper": {"id": "a", "new_customer": "true"}}, "/shopper/new_customer", "not_true_or_false"),
        ({"shopper": {"id": "a", "name": "Li Na"}}, "/shopper/name", "unknown_field"),
        ({"lock": 1}, "/lock", "not_true_or_false"),
        ({"order": order(line(-1))}, "/order/lines/0/unit_price/amount", "too_small"),
        ({"order": order(line(1, 10_001))}, "/order/lines/0/quantity", "too_large"),
        ({"order": order(line(sku="not a sku"))}, "/order/lines/0/sku", "bad_format"),
        ({"order": order(currency="USD", shipping=None)}, "/order/lines/0/unit_price/currency", "mixed_currencies"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_named_by_its_field(api: CouponApi, changes: dict[str, Any], pointer: str, rule: str) -> None:
    assert errors(api.redeem(PERCENT_CODE, **changes)) == [(pointer, rule)]


def test_two_hundred_codes_are_refused_unread(api: CouponApi) -> None:
    assert errors(api.redeem(*[f"CODE{number}" for number in range(200)])) == [("/codes", "too_long")]
    assert errors(api.redeem(PERCENT_CODE, PERCENT_CODE.lower())) == [("/codes/1", "repeated")]


# --- the counter ----------------------------------------------------------------------------------------------


def test_the_second_scan_names_time_and_store_of_the_first(api: CouponApi) -> None:
    """GIVEN a coupon that was scanned in one store WHEN another one scans it THEN it hears when and where."""
    content = api.content(api.issue(GIFTS, "shopper-1"))
    first = api.scan(content)
    assert (first.status, first.body["status"], first.body["store"]) == (201, "redeemed", "hangzhou-1")
    api.clock.advance(60_000)
    second = api.scan(content, "P-9", "shanghai-4")
    assert (second.status, second.code) == (409, "coupon_redeemed")
    assert second.body["params"] == {"at": to_rfc3339(OPENS), "where": "counter", "store": "hangzhou-1"}
    assert "hangzhou-1" in second.body["detail"]
    assert api.scan(content, "P-1", "shanghai-4").code == "coupon_redeemed", "its purchases are its own"


def test_a_scan_that_is_repeated_gets_the_same_answer(api: CouponApi) -> None:
    content = api.content(api.issue(GIFTS))
    first, again = api.scan(content), api.scan(content)
    assert (again.status, again.headers["Idempotent-Replayed"], again.body) == (201, "true", first.body)


def test_a_coupon_is_scanned_the_moment_it_was_shown(api: CouponApi) -> None:
    """GIVEN a coupon that the stream has not told of yet WHEN its owner shows it THEN the till knows it."""
    coupon_id = api.take().body["id"]
    assert not api.coupons.facts
    assert api.qr(coupon_id).status == 200
    assert api.scan(api.content(api.coupons.facts[coupon_id])).status == 201


def test_forged_content_is_no_coupon(api: CouponApi) -> None:
    facts = api.issue(GIFTS)
    genuine = api.content(facts)
    never = api.content(facts).replace(facts.code, make_code(KEYS, GIFTS, "job:never.1"))
    for content in (
        genuine[:-1] + ("0" if genuine[-1] != "0" else "1"),
        never,
        facts.code,
        "https://example.com",
        "🙂",
    ):
        refused = api.scan(content)
        assert (refused.status, refused.code) == (404, "coupon_not_found")
        assert [error["pointer"] for error in refused.body["errors"]] == ["/content"]
    assert api.scan(genuine).status == 201


def test_a_till_is_in_the_store_that_its_token_names(api: CouponApi) -> None:
    content = api.content(api.issue(GIFTS))
    for store in (None, "", "a store", "x" * 65):
        assert (api.scan(content, store=store).status, api.scan(content, store=store).code) == (403, "forbidden")
    assert api.scan(content, store="hangzhou-1").status == 201


def test_a_purchase_over_the_counter_is_made_in_a_store_whatever_it_says() -> None:
    in_store, in_app = (
        coupons(coupon_terms(order_channels=(channel,)), id=f"{channel}-day") for channel in ("store", "app")
    )
    api = CouponApi((in_store, in_app))
    assert api.scan(api.content(api.issue("store-day")), order=order(channel="app")).status == 201
    refused = api.scan(api.content(api.issue("app-day")), "P-2", order=order(channel="app"))
    assert (refused.code, refused.body["params"]["requirement"]) == ("not_eligible", "order_channel")


def test_what_was_sold_over_the_counter_can_be_undone_by_the_shop(api: CouponApi) -> None:
    content = api.content(api.issue(GIFTS))
    sold = api.scan(content).body["id"]
    assert api.as_shop("POST", ROLL_BACK, redemption_id=sold).body["status"] == "rolled_back"
    assert api.scan(content, "P-2", "shanghai-4").status == 201


def test_a_store_and_the_shop_may_use_the_same_order_id(api: CouponApi, mug: str) -> None:
    scanned = api.scan(api.content(api.issue(GIFTS)), "SO-1")
    online = api.redeem(mug, order_id="SO-1")
    assert (scanned.status, online.status) == (201, 201)
    assert scanned.body["id"] != online.body["id"]


# --- all of them ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "route", "scope"),
    [
        ("POST", REDEEM, "orders"),
        ("GET", REDEMPTION, "orders"),
        ("DELETE", REDEMPTION, "orders"),
        ("POST", CONFIRM, "orders"),
        ("POST", ROLL_BACK, "orders"),
        ("POST", SCAN, "store"),
    ],
)
def test_other_scopes_are_refused(api: CouponApi, method: str, route: str, scope: str) -> None:
    for other in {"shopper", "orders", "operator", "store", ""} - {scope}:
        answer = api.call(method, route, scope=other, redemption_id=f"rdm_{'A' * 20}", body={})
        assert (answer.status, answer.code, answer.body["params"]) == (403, "forbidden", {"needs": scope})


@pytest.mark.parametrize(
    ("method", "route"), [("GET", REDEMPTION), ("DELETE", REDEMPTION), ("POST", CONFIRM), ("POST", ROLL_BACK)]
)
@pytest.mark.parametrize("redemption", [f"rdm_{'A' * 20}", "rdm_A", "cpn_x", "%E5"])
def test_a_redemption_that_is_none_is_not_found(api: CouponApi, method: str, route: str, redemption: str) -> None:
    answer = api.as_shop(method, route, redemption_id=redemption)
    assert (answer.status, answer.code) == (404, "redemption_not_found")


def test_what_changes_something_needs_a_key(api: CouponApi, mug: str) -> None:
    made = api.lock(mug).body["id"]
    for answer in (
        api.redeem(mug, key=None),
        api.scan("x", key=None),
        api.as_shop("POST", CONFIRM, redemption_id=made, key=None),
        api.as_shop("POST", ROLL_BACK, redemption_id=made, key=None),
    ):
        assert (answer.status, answer.code) == (400, "idempotency_key_missing")


def test_no_code_is_in_the_log(api: CouponApi, mug: str) -> None:
    content = api.content(api.issue(GIFTS))
    made = api.redeem(mug, PERCENT_CODE).body["id"]
    api.redeem(mug, order_id="SO-2")
    api.scan(content)
    api.scan(content, "P-2")
    api.as_shop("POST", ROLL_BACK, redemption_id=made)
    logged = json.dumps(api.lines)
    assert api.lines
    for secret in (mug, mug.replace("-", ""), "SAVE10", content, content.split(".")[1], "shopper-1", "HERO"):
        assert secret not in logged
