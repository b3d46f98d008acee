"""Coupons over HTTP events, with campaigns of every kind in memory behind them."""

import json
from typing import Any

import pytest

from brandday.adapters.qr_image import draw_qr
from brandday.domain.campaign import Eligibility, Status
from brandday.domain.coupon import Stacking
from brandday.domain.coupon_code import make_code, show
from brandday.domain.coupon_record import CouponState, UseState
from brandday.domain.qr_content import QrFormat, write_content
from brandday.domain.times import to_rfc3339
from tests.fakes.backend import CLOSES, OPENS, SALE
from tests.fakes.coupon_api import (
    GIFTS,
    PARTNER,
    PERCENT,
    PERCENT_CODE,
    QR,
    TAKE,
    VALIDATE,
    WALLET,
    CouponApi,
    cny,
    line,
    order,
    shared,
)
from tests.fakes.coupon_backend import DAY_MS, KEYS, coupon_terms, coupons
from tests.http_client import Answered


@pytest.fixture
def api() -> CouponApi:
    return CouponApi()


def reasons(answer: Answered) -> list[str | None]:
    assert answer.status == 200, answer.body
    return [code["reason"] and code["reason"]["code"] for code in answer.body["codes"]]


def errors(answer: Answered) -> list[tuple[str, str]]:
    assert (answer.status, answer.code) == (422, "validation_failed"), answer.body
    return [
        (error["pointer"] if "pointer" in error else error["query"], error["rule"]) for error in answer.body["errors"]
    ]


# --- taking ---------------------------------------------------------------------------------------------------


def test_a_coupon_that_was_taken_says_what_it_is(api: CouponApi) -> None:
    answer = api.take()
    assert answer.status == 201
    coupon_id, code = answer.body["id"], answer.body["code"]
    assert {**answer.body, "server_time": ""} == {
        "server_time": "",
        "id": coupon_id,
        "code": code,
        "campaign_id": SALE,
        "issued_at": to_rfc3339(OPENS),
        "valid_until": to_rfc3339(CLOSES + 7 * DAY_MS),
    }
    api.follow()
    (stored,) = api.coupons.facts.values()
    assert (stored.id, show(stored.code)) == (coupon_id, code)


def test_the_same_key_gets_the_same_coupon_and_says_so(api: CouponApi) -> None:
    first, again, other = api.take(), api.take(), api.take(key="key-2")
    assert "Idempotent-Replayed" not in first.headers
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.body == first.body
    assert other.body["code"] != first.body["code"]
    refused = api.take(key="key-3")
    assert (refused.status, refused.code) == (409, "shopper_limit_reached")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": Status.PAUSED}, "campaign_paused"),
        ({"status": Status.DRAFT}, "campaign_not_found"),
        ({"starts_at": OPENS + 1}, "campaign_not_started"),
        ({"ends_at": OPENS}, "campaign_ended"),
        ({"eligibility": Eligibility(member_tiers=("platinum",))}, "not_eligible"),
    ],
    ids=str,
)
def test_who_may_not_take_one_hears_why(api: CouponApi, changes: dict[str, Any], code: str) -> None:
    api.change(SALE, **changes)
    answer = api.take()
    assert (answer.status in (403, 404, 409), answer.code) == (True, code)


@pytest.mark.parametrize("campaign", [PERCENT, GIFTS, PARTNER])
def test_what_the_brand_hands_out_cannot_be_taken(api: CouponApi, campaign: str) -> None:
    answer = api.call("POST", TAKE, campaign_id=campaign)
    assert (answer.status, answer.code) == (409, "coupons_handed_out")


def test_taking_needs_a_key_and_a_campaign_that_there_is(api: CouponApi) -> None:
    assert api.take(key=None).code == "idempotency_key_missing"
    assert api.call("POST", TAKE, campaign_id="no-such-one").code == "campaign_not_found"
    assert api.call("POST", TAKE, campaign_id="NO").code == "campaign_not_found"


# --- checking -------------------------------------------------------------------------------------------------


def test_what_codes_do_to_a_cart_is_exact(api: CouponApi) -> None:
    """GIVEN 12.5 % off and 25.00 off from 200.00 on WHEN a cart of 300.00 is checked THEN every minor unit is named."""
    code = api.take().body["code"]
    cart = order(line(9_999, 1, "A"), line(10_001, 2, "B"))
    answer = api.validate(code.lower(), PERCENT_CODE, order=cart)
    assert reasons(answer) == [None, None]
    assert [checked["code"] for checked in answer.body["codes"]] == [code, PERCENT_CODE]
    alone = [checked["effect"] for checked in answer.body["codes"]]
    assert [effect["discount"] for effect in alone] == [cny(2500), cny(3750)]
    assert [effect["lines"] for effect in alone] == [[cny(833), cny(1667)], [cny(1250), cny(2500)]]
    best = answer.body["best"]
    assert best["codes"] == [PERCENT_CODE, code]  # percentages first, then amounts
    assert best["discount"] == cny(6250)
    assert best["lines"] == [cny(7916), cny(15835)]
    assert (best["shipping"], best["to_pay"], best["gifts"]) == (cny(800), cny(7916 + 15835 + 800), [])
    assert [(one["code"], one["discount"]) for one in best["applied"]] == [(PERCENT_CODE, cny(3750)), (code, cny(2500))]
    assert (answer.headers["Content-Language"], answer.headers["Vary"]) == ("en", "Accept-Language")


def test_a_coupon_shows_its_terms(api: CouponApi) -> None:
    answer = api.take().body
    checked = api.validate(answer["code"]).body["codes"][0]
    coupon = checked["coupon"]
    assert (coupon["id"], coupon["code"]) == (answer["id"], answer["code"])
    assert (coupon["valid_until"], coupon["valid_from"]) == (answer["valid_until"], to_rfc3339(OPENS))
    assert coupon["terms"]["benefit"] == {
        "kind": "amount_off",
        "tiers": [
            {"minimum_spend": cny(10_000), "percent": None, "amount": cny(1000)},
            {"minimum_spend": cny(20_000), "percent": None, "amount": cny(2500)},
        ],
        "max_discount": None,
        "gift": None,
    }
    assert checked["next_tier"] == {
        "missing": cny(100),
        "tier": {"minimum_spend": cny(20_000), "percent": None, "amount": cny(2500)},
    }


def test_gifts_and_shipping_are_told_apart(api: CouponApi) -> None:
    gift = api.issue(GIFTS)
    api.issue(PARTNER, code="TEAPAL-77-X")
    best = api.validate(show(gift.code), "teapal 77x").body["best"]
    assert (best["gifts"], best["discount"], best["shipping"]) == (["MUG"], cny(800), cny(0))
    assert best["to_pay"] == cny(19_900)


def test_a_refusal_says_what_would_make_it_valid(api: CouponApi) -> None:
    code = api.take().body["code"]
    answer = api.validate(code, order=order(line(9_200, 1)))
    assert answer.body["codes"][0]["usable"] is False
    assert answer.body["codes"][0]["reason"] == {
        "code": "minimum_spend_not_reached",
        "title": "The minimum spend is not reached",
        "detail": "Spend CNY 8.00 more on items that the coupon applies to.",
        "params": {"missing": 800, "currency": "CNY", "spend": "8.00"},
        "retry_after_ms": None,
    }
    assert (answer.body["best"]["codes"], answer.body["best"]["to_pay"]) == ([], cny(10_000))
    chinese = api.validate(code, order=order(line(9_200, 1)), headers={"accept-language": "zh-CN"})
    assert chinese.body["codes"][0]["reason"]["title"] == "未达到最低消费"
    assert chinese.headers["Content-Language"] == "zh-CN"


def test_what_opens_later_says_when(api: CouponApi) -> None:
    api.change(PERCENT, starts_at=OPENS + 60_000)
    reason = api.validate(PERCENT_CODE).body["codes"][0]["reason"]
    assert (reason["code"], reason["params"]) == ("coupon_not_started", {"starts_at": to_rfc3339(OPENS + 60_000)})
    assert reason["retry_after_ms"] == 60_000


def test_coupons_that_clash_name_each_other() -> None:
    alone = coupons(coupon_terms(stacking=Stacking(exclusive=True)), id="alone-day")
    api = CouponApi((alone, shared()))
    code = show(api.issue("alone-day").code)
    answer = api.validate(code, PERCENT_CODE)
    assert reasons(answer) == ["not_combinable", None]
    assert answer.body["codes"][0]["reason"]["params"] == {"clashes_with": [PERCENT_CODE]}
    assert answer.body["codes"][0]["effect"]["discount"] == cny(1000), "what it would do in their place"


def test_one_code_that_is_none_spoils_nothing(api: CouponApi) -> None:
    assert reasons(api.validate("no such code!", PERCENT_CODE)) == ["coupon_not_found", None]


def test_a_guess_and_a_strangers_coupon_get_the_same_answer(api: CouponApi) -> None:
    """GIVEN coupons in every state WHEN a stranger tries their codes THEN all look like one that there never was."""
    theirs = [api.issue(GIFTS, "shopper-1") for _ in range(3)]
    api.coupons.states[theirs[1].id] = CouponState(use=UseState.REDEEMED, at=OPENS, version=1)
    api.coupons.states[theirs[2].id] = CouponState(disabled=True, version=1)
    just_taken = api.take("shopper-1").body["code"]
    never = make_code(KEYS, GIFTS, "job:never.1")
    codes = [show(facts.code) for facts in theirs] + [just_taken, show(never), "AAAA-AAAA-AAAA-AAAA"]

    answers = [api.validate(code, shopper="stranger").body for code in codes]
    for code, answer in zip(codes, answers, strict=True):
        assert answer["codes"][0].pop("code") == code
        assert answer == answers[0]
    assert answers[0]["codes"][0]["reason"]["code"] == "coupon_not_found"
    assert answers[0]["codes"][0]["coupon"] is None
    # the control: their owner hears all of it
    said = [reasons(api.validate(code))[0] for code in codes]
    assert said == [None, "coupon_redeemed", "coupon_disabled", None, "coupon_not_found", "coupon_not_found"]


def test_a_check_changes_nothing(api: CouponApi) -> None:
    code = api.take().body["code"]
    api.follow()
    before = (dict(api.stock.shards), dict(api.coupons.facts), dict(api.coupons.states))
    for _ in range(3):
        assert reasons(api.validate(code, PERCENT_CODE)) == [None, None]
    assert (api.stock.shards, api.coupons.facts, api.coupons.states) == before


@pytest.mark.parametrize(
    ("codes", "cart", "pointer", "rule"),
    [
        (["A"] * 200, order(), "/codes", "too_long"),
        ([], order(), "/codes", "too_short"),
        ([PERCENT_CODE, "save10"], order(), "/codes/1", "repeated"),
        (["A"], order(line(-1)), "/order/lines/0/unit_price/amount", "too_small"),
        (["A"], order(line(1, 0)), "/order/lines/0/quantity", "too_small"),
        (["A"], order(line(1, 10**9)), "/order/lines/0/quantity", "too_large"),
        (["A"], order(line(sku="no such sku")), "/order/lines/0/sku", "bad_format"),
        (["A"], order(shipping={"amount": 1, "currency": "USD"}), "/order/shipping/currency", "mixed_currencies"),
        (["A"], order(line(unit_price=1) | {"extra": 1}), "/order/lines/0/extra", "unknown_field"),
        (["A"], order(lines=[]), "/order/lines", "too_short"),
        (["A"], None, "/order", "not_an_object"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_named_by_its_field(api: CouponApi, codes: list[str], cart: Any, pointer: str, rule: str) -> None:
    assert errors(api.validate(*codes, order=cart)) == [(pointer, rule)]


def test_an_order_of_a_hundred_long_lines_fits_and_more_bytes_do_not(api: CouponApi) -> None:
    long = line(10**8, 1, "S" * 40, category="C" * 40)
    assert reasons(api.validate(PERCENT_CODE, order=order(*[long] * 100))) == [None]
    assert api.validate(PERCENT_CODE, order=order(*[long] * 300)).code == "body_too_large"


# --- the wallet -----------------------------------------------------------------------------------------------


def test_a_wallet_shows_what_can_be_used_first_and_why_the_rest_cannot(api: CouponApi) -> None:
    api.take()
    api.follow()
    used, good = api.issue(GIFTS, "shopper-1"), api.issue(GIFTS, "shopper-1")
    api.issue(GIFTS, "somebody-else")
    api.coupons.states[used.id] = CouponState(use=UseState.REDEEMED, at=OPENS, store="hangzhou-1", version=1)

    coupons = api.wallet().body["coupons"]
    assert [(one["usable"], one["reason"] and one["reason"]["code"]) for one in coupons] == [
        (True, None),
        (True, None),
        (False, "coupon_redeemed"),
    ]
    assert coupons[2]["reason"]["params"] == {"at": to_rfc3339(OPENS), "where": "counter", "store": "hangzhou-1"}
    assert {one["id"] for one in coupons[:2]} == {good.id, next(iter(api.coupons.facts))}
    assert all(one["effect"] is None for one in coupons)

    small = api.wallet(query={"order": json.dumps(order(line(9_200, 1)))}).body["coupons"]
    assert [one["reason"] and one["reason"]["code"] for one in small] == [
        None,
        "minimum_spend_not_reached",
        "coupon_redeemed",
    ]
    assert small[0]["effect"]["gift"] == "MUG"


def test_nobody_elses_coupons_and_none_are_an_empty_wallet(api: CouponApi) -> None:
    api.issue(GIFTS, "shopper-1")
    api.issue(GIFTS)
    answer = api.wallet("shopper-2")
    assert (answer.status, answer.body["coupons"], answer.body["next"]) == (200, [], None)


def test_a_large_wallet_comes_in_pages(api: CouponApi) -> None:
    issued = set()
    for _ in range(230):
        api.clock.advance(1)
        issued.add(api.issue(GIFTS, "shopper-1").id)
    first = api.wallet().body
    second = api.wallet(query={"after": first["next"]}).body
    assert (len(first["coupons"]), second["next"]) == (200, None)
    assert {one["id"] for page in (first, second) for one in page["coupons"]} == issued


@pytest.mark.parametrize(
    ("query", "place", "rule"),
    [
        ({"order": "{"}, "order", "not_json"),
        ({"order": "x" * 6001}, "order", "too_long"),
        ({"order": json.dumps(order(line(-1)))}, "order/lines/0/unit_price/amount", "too_small"),
        ({"order": json.dumps(order(currency="USD"))}, "order/shipping/currency", "mixed_currencies"),
        ({"after": "\n"}, "after", "not_a_cursor"),
        ({"after": "elsewhere"}, "after", "not_a_cursor"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_query_that_is_wrong_is_named(api: CouponApi, query: dict[str, str], place: str, rule: str) -> None:
    api.issue(GIFTS, "shopper-1")
    assert (place, rule) in errors(api.wallet(query=query))


# --- QR codes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "accept", "form"),
    [
        ({}, None, QrFormat.SVG),
        ({}, "*/*", QrFormat.SVG),
        ({}, "image/png", QrFormat.PNG),
        ({}, "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5", QrFormat.SVG),
        ({"format": "png"}, "image/svg+xml", QrFormat.PNG),
        ({"format": "svg"}, "image/png", QrFormat.SVG),
    ],
    ids=str,
)
def test_a_coupon_is_shown_as_a_picture(
    api: CouponApi, query: dict[str, str], accept: str | None, form: QrFormat
) -> None:
    coupon = api.issue(GIFTS, "shopper-1")
    answer = api.qr(coupon.id, query=query, headers={"accept": accept})
    assert (answer.status, answer.headers["Content-Type"]) == (200, {"svg": "image/svg+xml", "png": "image/png"}[form])
    assert answer.body == draw_qr(write_content(KEYS, coupon.code), form)
    assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("no-store", "Accept")


def test_a_coupon_can_be_shown_the_moment_it_was_taken(api: CouponApi) -> None:
    coupon_id = api.take().body["id"]
    assert not api.coupons.facts, "the stream has not told of it yet"
    before = api.qr(coupon_id)
    api.follow()
    assert before.status == 200
    assert api.qr(coupon_id).body == before.body
    assert api.qr(coupon_id, "shopper-2").code == "coupon_not_found"


def test_nobody_elses_coupon_is_shown(api: CouponApi) -> None:
    theirs, nobodys = api.issue(GIFTS, "shopper-1"), api.issue(GIFTS)
    taken_id = api.take().body["id"]
    for coupon_id in (theirs.id, nobodys.id, taken_id, f"cpn_{'A' * 20}", "cpn_x", "rsv_x"):
        answer = api.qr(coupon_id, "shopper-2")
        assert (answer.status, answer.code) == (404, "coupon_not_found")
    assert api.qr(nobodys.id).code == "coupon_not_found", "an id is no secret"


def test_an_unknown_picture_format_is_refused(api: CouponApi) -> None:
    assert errors(api.qr(api.issue(GIFTS, "shopper-1").id, query={"format": "gif"})) == [("format", "not_one_of")]


# --- all of them ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "route"), [("POST", TAKE), ("GET", WALLET), ("GET", QR), ("POST", VALIDATE)])
@pytest.mark.parametrize("scope", ["orders", "operator", "store", ""])
def test_other_scopes_are_refused(api: CouponApi, method: str, route: str, scope: str) -> None:
    answer = api.call(method, route, scope=scope, coupon_id=f"cpn_{'A' * 20}", body={})
    assert (answer.status, answer.code) == (403, "forbidden")


def test_no_code_is_in_the_log(api: CouponApi) -> None:
    code = api.take().body["code"]
    api.validate(code, PERCENT_CODE, "GUESS-ED")
    api.qr(api.issue(GIFTS, "shopper-1").id)
    api.wallet(query={"order": json.dumps(order())})
    logged = json.dumps(api.lines)
    assert api.lines
    for secret in (code, code.replace("-", ""), "SAVE10", PERCENT_CODE, "GUESS"):
        assert secret not in logged
    assert "HERO" not in logged, "nor what is in the cart"
