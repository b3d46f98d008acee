"""Orders and codes on the wire: what is no order is refused by its field, before anybody looks for a coupon."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from brandday.domain.errors import FieldError, ValidationFailed
from brandday.domain.order import MAX_AMOUNT, Line, Order
from brandday.entrypoints.http_input import parse_body
from brandday.entrypoints.order_body import (
    QUERY_LIMIT,
    Codes,
    OrderBody,
    read_codes,
    read_order,
    read_order_query,
)
from brandday.entrypoints.routes import Input

MIXED = "mixed_currencies"


class Asked(Input):
    """A request with both."""

    codes: Codes = Field(default=["SAVE10"])
    order: OrderBody


def cny(amount: Any) -> dict[str, Any]:
    return {"amount": amount, "currency": "CNY"}


def line(**changes: Any) -> dict[str, Any]:
    return {"sku": "HERO-1", "category": "shoes", "quantity": 2, "unit_price": cny(9_950), **changes}


def order(**changes: Any) -> dict[str, Any]:
    return {"currency": "CNY", "lines": [line()], "shipping": cny(800), "channel": "app", **changes}


def read(**changes: Any) -> Order:
    body = parse_body(json.dumps({"order": order(), **changes}).encode(), Asked)
    read_codes(body.codes)
    return read_order(body.order)


def refused(ask: Callable[[], object]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationFailed) as caught:
        ask()
    return [(error.pointer, error.rule) for error in caught.value.errors]


def test_an_order_is_read_as_it_was_sent() -> None:
    assert read() == Order("CNY", (Line("HERO-1", "shoes", 2, 9_950),), shipping=800, channel="app")


def test_what_may_be_left_out_is_nothing() -> None:
    short = {"currency": "JPY", "lines": [{"sku": "A", "quantity": 1, "unit_price": {"amount": 0, "currency": "JPY"}}]}
    assert read(order=short) == Order("JPY", (Line("A", "", 1, 0),))


@pytest.mark.parametrize(
    ("changes", "pointer", "rule"),
    [
        ({"lines": [line(unit_price=cny(-1))]}, "/order/lines/0/unit_price/amount", "too_small"),
        ({"lines": [line(), line(unit_price=cny(MAX_AMOUNT + 1))]}, "/order/lines/1/unit_price/amount", "too_large"),
        ({"lines": [line(unit_price=cny(1.5))]}, "/order/lines/0/unit_price/amount", "not_a_whole_number"),
        ({"lines": [line(unit_price=cny("100"))]}, "/order/lines/0/unit_price/amount", "not_a_whole_number"),
        ({"lines": [line(unit_price=cny(True))]}, "/order/lines/0/unit_price/amount", "not_a_whole_number"),
        ({"lines": [line(unit_price=100)]}, "/order/lines/0/unit_price", "not_an_object"),
        ({"lines": [line(quantity=0)]}, "/order/lines/0/quantity", "too_small"),
        ({"lines": [line(quantity=-3)]}, "/order/lines/0/quantity", "too_small"),
        ({"lines": [line(quantity=10_001)]}, "/order/lines/0/quantity", "too_large"),
        ({"lines": [line(quantity=10**30)]}, "/order/lines/0/quantity", "too_large"),
        ({"lines": [line(quantity=10_000, unit_price=cny(MAX_AMOUNT))]}, "/order/lines", "costs_too_much"),
        ({"lines": [line(sku="no such thing")]}, "/order/lines/0/sku", "bad_format"),
        ({"lines": [line(sku="")]}, "/order/lines/0/sku", "bad_format"),
        ({"lines": [line(category="a/b")]}, "/order/lines/0/category", "bad_format"),
        ({"lines": []}, "/order/lines", "too_short"),
        ({"lines": [line()] * 101}, "/order/lines", "too_long"),
        ({"lines": [line(discount=1)]}, "/order/lines/0/discount", "unknown_field"),
        ({"shipping": {"amount": 1, "currency": "USD"}}, "/order/shipping/currency", MIXED),
        ({"shipping": cny(-1)}, "/order/shipping/amount", "too_small"),
        ({"currency": "USD"}, "/order/lines/0/unit_price/currency", MIXED),
        ({"currency": "yuan"}, "/order/currency", "bad_format"),
        ({"currency": "XXX", "lines": [], "shipping": None}, "/order/lines", "too_short"),
        ({"channel": "Web Shop"}, "/order/channel", "bad_format"),
    ],
    ids=str,
)
def test_what_is_no_order_is_named_by_its_field(changes: dict[str, Any], pointer: str, rule: str) -> None:
    assert (pointer, rule) in refused(lambda: read(order=order(**changes)))


def test_a_currency_that_nobody_pays_with_is_refused() -> None:
    lines = [line(unit_price={"amount": 1, "currency": "XXX"})]
    assert refused(lambda: read(order=order(currency="XXX", lines=lines, shipping=None))) == [
        ("/order/currency", "not_a_currency")
    ]


def test_every_price_in_another_currency_is_named() -> None:
    other = line(unit_price={"amount": 1, "currency": "USD"})
    assert refused(lambda: read(order=order(lines=[line(), other, other]))) == [
        ("/order/lines/1/unit_price/currency", "mixed_currencies"),
        ("/order/lines/2/unit_price/currency", "mixed_currencies"),
    ]


@pytest.mark.parametrize(
    ("codes", "pointer", "rule"),
    [
        ([], "/codes", "too_short"),
        (["A"] * 200, "/codes", "too_long"),
        ([f"CODE{number}" for number in range(11)], "/codes", "too_long"),
        ([""], "/codes/0", "too_short"),
        (["A", "B" * 65], "/codes/1", "too_long"),
        ([7], "/codes/0", "not_text"),
        (["SAVE10", "save-10"], "/codes/1", "repeated"),
        (["SAVEIO", "X", "SAVE10"], "/codes/2", "repeated"),
        ("SAVE10", "/codes", "not_a_list"),
    ],
    ids=str,
)
def test_codes_that_cannot_be_are_named_by_their_place(codes: Any, pointer: str, rule: str) -> None:
    assert refused(lambda: read(codes=codes)) == [(pointer, rule)]


def test_codes_are_folded() -> None:
    assert read_codes(["save-io", "\uff17q2m x0kd"]) == ("SAVE10", "7Q2MX0KD")


# --- in a query string ----------------------------------------------------------------------------------------


def test_an_order_in_the_query_is_the_same_one() -> None:
    assert read_order_query({"order": json.dumps(order())}) == read()
    assert read_order_query({}) is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", FieldError("query:order", "not_json")),
        ("[" * 5000, FieldError("query:order", "not_json")),
        ('{"currency": NaN}', FieldError("query:order", "not_json")),
        ('{"currency": "CNY", "currency": "USD"}', FieldError("query:order", "not_json")),
        ("x" * (QUERY_LIMIT + 1), FieldError("query:order", "too_long", {"max": QUERY_LIMIT})),
        ("7", FieldError("query:order", "not_an_object")),
        (
            json.dumps(order(lines=[line(quantity=0)])),
            FieldError("query:order/lines/0/quantity", "too_small", {"min": 1}),
        ),
        (
            json.dumps(order(shipping={"amount": 1, "currency": "USD"})),
            FieldError("query:order/shipping/currency", "mixed_currencies", {"currency": "CNY"}),
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_order_in_the_query_that_is_none_is_refused(text: str, error: FieldError) -> None:
    with pytest.raises(ValidationFailed) as caught:
        read_order_query({"order": text})
    assert caught.value.errors == (error,)


@given(st.text(max_size=200))
def test_anything_in_the_query_is_read_or_refused(text: str) -> None:
    with pytest.raises(ValidationFailed):
        read_order_query({"order": text})
