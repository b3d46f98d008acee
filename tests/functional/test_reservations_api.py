"""The reservation routes over HTTP events: what goes in, what comes out, for every refusal there is."""

import json
from dataclasses import replace
from typing import Any

import pytest

from brandday.domain.campaign import Shopper
from brandday.domain.errors import BrandDayError, FieldError, RequestRefused, ValidationFailed
from brandday.domain.reservation import ReservationState
from brandday.entrypoints.reservations import ROUTES
from brandday.entrypoints.routes import Route
from tests.events import http_event
from tests.fakes.reservation_shop import CAMPAIGN, RESERVATION, ReservationShop
from tests.http_client import Client

HANDLERS = [route.handler.__name__ for route in ROUTES]


@pytest.fixture
def shop() -> ReservationShop:
    return ReservationShop()


@pytest.fixture
def client(shop: ReservationShop) -> Client:
    return Client(ROUTES, shop.use_cases())


# --- reserving ---------------------------------------------------------------------------------------------------


def test_a_new_reservation_is_created(client: Client, shop: ReservationShop) -> None:
    answer = client.send(http_event("reserve_units", body={"sku": "MUG-2", "quantity": 2}))
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/reservations/{RESERVATION.id}"
    assert "Idempotent-Replayed" not in answer.headers
    assert answer.body == {
        "server_time": "2026-11-09T00:00:03.120Z",
        "id": RESERVATION.id,
        "campaign_id": CAMPAIGN.id,
        "sku": "MUG-2",
        "quantity": 2,
        "unit_price": {"amount": 9950, "currency": "CNY"},
        "total_price": {"amount": 19900, "currency": "CNY"},
        "state": "held",
        "expires_at": "2026-11-09T00:10:03.120Z",
        "extended": False,
        "order_id": None,
        "resumed": False,
    }
    shopper = Shopper("shopper-8f14e45f", tier="gold", channel="web", region="CN-SH", new_customer=False)
    key = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"
    assert shop.calls == [("reserve", shopper, CAMPAIGN.id, "MUG-2", 2, key)]


def test_one_unit_is_meant_when_nothing_is_said(client: Client) -> None:
    assert client.send(http_event("reserve_units", body={"sku": "HERO-1"})).body["quantity"] == 1


def test_the_same_request_again_is_marked(client: Client) -> None:
    first = client.send(http_event("reserve_units"))
    again = client.send(http_event("reserve_units"))
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.body == first.body
    assert [line["replayed"] for line in client.lines] == [False, True]


def test_another_device_gets_the_same_reservation(client: Client) -> None:
    first = client.send(http_event("reserve_units"))
    other = client.send(http_event("reserve_units", headers={"idempotency-key": "another-device"}))
    assert (other.status, other.body["resumed"]) == (200, True)
    assert other.body["id"] == first.body["id"]
    assert "Idempotent-Replayed" not in other.headers


def test_the_same_key_for_something_else_is_refused(client: Client) -> None:
    client.send(http_event("reserve_units"))
    answer = client.send(http_event("reserve_units", body={"sku": "MUG-2"}))
    assert (answer.status, answer.code) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "pointer", "rule"),
    [
        ({}, "/sku", "required"),
        ({"sku": "HERO-1", "quantity": 0}, "/quantity", "too_small"),
        ({"sku": "HERO-1", "quantity": -1}, "/quantity", "too_small"),
        ({"sku": "HERO-1", "quantity": 36}, "/quantity", "too_large"),
        ({"sku": "HERO-1", "quantity": 10**30}, "/quantity", "too_large"),
        ({"sku": "HERO-1", "quantity": True}, "/quantity", "not_a_whole_number"),
        ({"sku": "HERO-1", "quantity": 1.0}, "/quantity", "not_a_whole_number"),
        ({"sku": "HERO-1", "quantity": None}, "/quantity", "not_a_whole_number"),
        ({"sku": None}, "/sku", "not_text"),
        ({"sku": ""}, "/sku", "bad_format"),
        ({"sku": "a" * 41}, "/sku", "bad_format"),
        ({"sku": "HERO 1"}, "/sku", "bad_format"),
        ({"sku": "HERO-1\n"}, "/sku", "bad_format"),
        ({"sku": "\u0000"}, "/sku", "bad_format"),
        ({"sku": "品牌"}, "/sku", "bad_format"),
        ({"sku": "HERO-1", "price": 1}, "/price", "unknown_field"),
        ({"sku": "HERO-1", "shopper_id": "somebody-else"}, "/shopper_id", "unknown_field"),
    ],
    ids=range(17),
)
def test_a_wish_that_makes_no_sense_is_refused(
    client: Client, shop: ReservationShop, body: object, pointer: str, rule: str
) -> None:
    answer = client.send(http_event("reserve_units", body=body))
    assert (answer.status, answer.code) == (422, "validation_failed")
    assert [(place["pointer"], place["rule"]) for place in answer.body["errors"]] == [(pointer, rule)]
    assert shop.calls == []


def test_a_sku_that_the_campaign_does_not_sell_is_named(client: Client, shop: ReservationShop) -> None:
    shop.refuse_with = ValidationFailed(errors=[FieldError("/sku", "unknown_sku")])
    answer = client.send(http_event("reserve_units"))
    assert answer.body["errors"] == [
        {"pointer": "/sku", "rule": "unknown_sku", "detail": "This campaign does not sell such a SKU."}
    ]


# --- looking, cancelling, extending, confirming ------------------------------------------------------------------


def test_a_reservation_is_shown_to_its_owner(client: Client) -> None:
    answer = client.send(http_event("get_reservation"))
    assert (answer.status, answer.body["state"]) == (200, "held")


def test_somebody_elses_reservation_looks_like_none(client: Client) -> None:
    others = client.send(http_event("get_reservation", claims={"sub": "somebody-else"}))
    missing = client.send(
        http_event("get_reservation", path={"reservation_id": "rsv_brand-day-2026-11.7.AAAAAAAAAAAA.mhq1x2c4"})
    )
    assert (others.status, others.code) == (404, "reservation_not_found")
    assert others == missing


def test_a_reservation_is_cancelled(client: Client) -> None:
    answer = client.send(http_event("cancel_reservation"))
    assert (answer.status, answer.body["state"]) == (200, "cancelled")


def test_a_hold_is_extended(client: Client) -> None:
    answer = client.send(http_event("extend_reservation"))
    assert (answer.status, answer.body["extended"]) == (200, True)


def test_a_payment_confirms_the_reservation(client: Client) -> None:
    answer = client.send(http_event("confirm_reservation"))
    assert answer.status == 200
    assert (answer.body["state"], answer.body["order_id"]) == ("confirmed", "SO-20261109-0001")
    assert answer.body["expires_at"] is None
    again = client.send(http_event("confirm_reservation"))
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.body == answer.body


def test_an_expired_reservation_says_when_it_ran_out(client: Client, shop: ReservationShop) -> None:
    shop.standing = replace(RESERVATION, state=ReservationState.EXPIRED)
    answer = client.send(http_event("get_reservation"))
    assert (answer.body["state"], answer.body["expires_at"]) == ("expired", "2026-11-09T00:10:03.120Z")


@pytest.mark.parametrize(
    "order_id", ["", " ", "a b", "a" * 65, "a@7", "a\n", "码", 7, None, True, ["SO-1"], {"id": "SO-1"}], ids=range(12)
)
def test_an_order_id_that_cannot_be_one_is_refused(client: Client, shop: ReservationShop, order_id: object) -> None:
    answer = client.send(http_event("confirm_reservation", body={"order_id": order_id}))
    assert (answer.status, answer.code) == (422, "validation_failed")
    assert shop.calls == []


# --- what holds for every route ----------------------------------------------------------------------------------


every_route = pytest.mark.parametrize("route", ROUTES, ids=HANDLERS)
CASES = [(route, kind) for route in ROUTES for kind in route.every_error if not issubclass(kind, RequestRefused)]


def raised(kind: type[BrandDayError]) -> BrandDayError:
    """Any error of this kind."""
    facts: dict[str, Any] = {
        "accepted": ("gold",),
        "by": "device",
        "per": "campaign",
        "reason": "used",
        "refund_due": True,
        "requirement": "channel",
    }
    return kind(**{name: facts.get(name, "1") for name in kind.takes})


@pytest.mark.parametrize(("route", "kind"), CASES, ids=[f"{r.handler.__name__}-{k.code}" for r, k in CASES])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_refusal_reaches_the_caller(
    client: Client, shop: ReservationShop, route: Route, kind: type[BrandDayError], language: str
) -> None:
    shop.refuse_with = raised(kind)
    answer = client.send(http_event(route.handler.__name__, headers={"Accept-Language": language}))
    assert (answer.status, answer.code) == (kind.status, kind.code)
    assert answer.headers["Content-Language"] == language
    assert len(shop.calls) == 1, "a handler calls one use case, once"
    assert client.lines[-1]["code"] == kind.code


@every_route
def test_a_surprise_tells_nothing(client: Client, shop: ReservationShop, route: Route) -> None:
    shop.refuse_with = KeyError("arn:aws:dynamodb:table/StockTable")
    answer = client.send(http_event(route.handler.__name__))
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "StockTable" not in json.dumps(answer.body)


@every_route
def test_nothing_works_without_a_token(client: Client, shop: ReservationShop, route: Route) -> None:
    event = http_event(route.handler.__name__)
    del event["requestContext"]["authorizer"]
    answer = client.send(event)
    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert shop.calls == []


@every_route
def test_nothing_works_with_anothers_scope(client: Client, shop: ReservationShop, route: Route) -> None:
    other = "orders" if route.scope == "shopper" else "shopper"
    answer = client.send(http_event(route.handler.__name__, claims={"scope": f"{other} operator"}))
    assert (answer.status, answer.code) == (403, "forbidden")
    assert answer.body["params"] == {"needs": route.scope}
    assert shop.calls == []


@pytest.mark.parametrize("name", [route.handler.__name__ for route in ROUTES if route.method == "POST"])
def test_every_post_needs_a_key(client: Client, shop: ReservationShop, name: str) -> None:
    answer = client.send(http_event(name, headers={"idempotency-key": None}))
    assert (answer.status, answer.code) == (400, "idempotency_key_missing")
    assert shop.calls == []


@pytest.mark.parametrize("bad", ["x", "-brand-day", "Brand-Day", "a" * 41, "brand_day", "brand.day", "a\nb", "ab%20"])
def test_an_id_that_no_campaign_can_have_is_not_looked_for(client: Client, shop: ReservationShop, bad: str) -> None:
    answer = client.send(http_event("reserve_units", path={"campaign_id": bad}))
    assert answer.status == 404
    assert answer.code in {"campaign_not_found", "route_not_found"}
    assert shop.calls == []


@pytest.mark.parametrize(
    "bad", ["rsv_", "x", "rsv-1", "rsv_" + "a" * 97, "rsv_a b", "rsv_ä", "RSV_a.1.b.c", "rsv_a%2Fb"]
)
@pytest.mark.parametrize("name", HANDLERS[1:])
def test_an_id_that_no_reservation_can_have_is_not_looked_for(
    client: Client, shop: ReservationShop, name: str, bad: str
) -> None:
    answer = client.send(http_event(name, path={"reservation_id": bad}))
    assert answer.status == 404
    assert answer.code in {"reservation_not_found", "route_not_found"}
    assert shop.calls == []


@pytest.mark.parametrize(
    ("claim", "value", "eligible"),
    [("new_customer", "true", True), ("new_customer", "True", False), ("new_customer", None, False)],
)
def test_only_true_is_a_new_customer(
    client: Client, shop: ReservationShop, claim: str, value: str | None, eligible: bool
) -> None:
    client.send(http_event("get_reservation", claims={claim: value}))
    shopper = shop.calls[0][1]
    assert isinstance(shopper, Shopper)
    assert shopper.new_customer is eligible


def test_missing_claims_are_empty(client: Client, shop: ReservationShop) -> None:
    none = {"tier": None, "channel": None, "region": None, "new_customer": None}
    client.send(http_event("reserve_units", claims=none))
    assert shop.calls[0][1] == Shopper("shopper-8f14e45f")


def test_the_log_names_the_campaign_and_nobody(client: Client) -> None:
    for name in HANDLERS:
        client.send(http_event(name))
    assert {line["campaign_id"] for line in client.lines} == {CAMPAIGN.id}
    assert [line["route"] for line in client.lines] == [route.path for route in ROUTES]
    logged = json.dumps(client.lines)
    for secret in ("shopper-8f14e45f", "9b1deb4d", "Bearer", "203.0.113.24", "SO-2026"):
        assert secret not in logged
