"""Codes and orders on the wire, as carts, checkouts and tills send them.

The shop knows its prices and SKUs; there is no catalogue here to look them up in. What cannot be an order at all is
refused by its field, before anybody looks for a coupon.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from brandday.domain.coupon_code import fold
from brandday.domain.currency import MINOR_DIGITS
from brandday.domain.errors import FieldError, ValidationFailed
from brandday.domain.order import MAX_AMOUNT, MAX_CODES, MAX_LINES, MAX_QUANTITY, Line, Order
from brandday.entrypoints.http_input import parse_text, wrong_query
from brandday.entrypoints.routes import Input

ORDER_LIMIT_BYTES: Final = 32 * 1024
"""Of a body with an order: 100 lines with long SKUs fit."""

QUERY_LIMIT: Final = 6000
"""Characters of an order in a query string: API Gateway lets 10,240 bytes of request line and headers through."""

CODE_LENGTH: Final = 64

Code = Annotated[
    str,
    Field(min_length=1, max_length=CODE_LENGTH, description="As typed: in whatever case, with hyphens or not."),
]
Codes = Annotated[list[Code], Field(min_length=1, max_length=MAX_CODES, description="Each code once.")]
ORDER_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
OrderId = Annotated[str, Field(pattern=f"^{ORDER_ID.pattern}$", description="The shop's own id of the order.")]


class PriceBody(Input):
    """An amount in minor units (fen, cents) of an ISO 4217 currency."""

    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class LineBody(Input):
    """Some units of one SKU at the same price."""

    sku: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="The shop's own id.")]
    category: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,40}$", description="The shop's own, if it has any.")] = ""
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    unit_price: PriceBody


class OrderBody(Input):
    """What somebody is about to buy; one currency throughout."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=MAX_LINES)]
    shipping: Annotated[PriceBody | None, Field(description="What shipping costs before any coupon.")] = None
    channel: Annotated[
        str, Field(pattern=r"^[a-z_]{0,40}$", description="Where it is placed, as in campaigns: `web`, `app`, `store`.")
    ] = ""


def read_order(body: OrderBody, at: str = "/order") -> Order:
    """The order at this place of the request; raises ValidationFailed for what its parts do not show.

    That is a currency nobody pays with, a price in another one, and more money than MAX_AMOUNT.
    """
    prices = {f"/lines/{number}/unit_price": line.unit_price for number, line in enumerate(body.lines)}
    if body.shipping is not None:
        prices["/shipping"] = body.shipping
    wrong = _wrong_currencies(body.currency, prices)
    order = Order(
        currency=body.currency,
        lines=tuple(Line(line.sku, line.category, line.quantity, line.unit_price.amount) for line in body.lines),
        shipping=0 if body.shipping is None else body.shipping.amount,
        channel=body.channel,
    )
    if sum(line.total for line in order.lines) + order.shipping > MAX_AMOUNT:
        wrong["/lines"] = FieldError("", "costs_too_much", {"max": MAX_AMOUNT})
    if wrong:
        raise ValidationFailed(errors=[error._replace(pointer=f"{at}{place}") for place, error in wrong.items()])
    return order


def read_order_query(query: Mapping[str, str]) -> Order | None:
    """The order in the query parameter `order` as JSON; None if there is none, ValidationFailed if it is no order."""
    text = query.get("order")
    if text is None:
        return None
    if len(text) > QUERY_LIMIT:
        raise wrong_query("order", "too_long", max=QUERY_LIMIT)
    return read_order(parse_text(text, OrderBody, at="query:order"), at="query:order")


def read_order_id_query(query: Mapping[str, str]) -> str | None:
    """The query parameter `order_id`; None if there is none, ValidationFailed if it cannot be the id of an order."""
    text = query.get("order_id")
    if text is not None and not ORDER_ID.fullmatch(text):
        raise wrong_query("order_id", "bad_format")
    return text


def read_codes(codes: Sequence[str]) -> tuple[str, ...]:
    """The codes, folded; raises ValidationFailed for one that is there twice, however it is written."""
    folded = tuple(map(fold, codes))
    twice = [number for number, code in enumerate(folded) if code in folded[:number]]
    if twice:
        raise ValidationFailed(errors=[FieldError(f"/codes/{number}", "repeated") for number in twice])
    return folded


def _wrong_currencies(currency: str, prices: Mapping[str, PriceBody]) -> dict[str, FieldError]:
    found: dict[str, Any] = {}
    if currency not in MINOR_DIGITS:
        found["/currency"] = FieldError("", "not_a_currency")
    for place, price in prices.items():
        if price.currency != currency:
            found[f"{place}/currency"] = FieldError("", "mixed_currencies", {"currency": currency})
    return found
