"""What orders do with codes, over HTTP: the shop's backend locks, redeems and rolls back; a till redeems by scan.

The shop (scope `orders`) is trusted for prices and for who the shopper is; a till (scope `store`) for prices, and for
being in the store that its token names.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Self

from pydantic import Field

from brandday.domain.campaign import Shopper
from brandday.domain.coupon_code import show
from brandday.domain.coupon_record import Part
from brandday.domain.discount import Priced
from brandday.domain.errors import (
    CampaignEnded,
    CampaignPaused,
    CouponDisabled,
    CouponExhausted,
    CouponExpired,
    CouponLocked,
    CouponNotFound,
    CouponNotStarted,
    CouponRedeemed,
    CurrencyNotAccepted,
    Forbidden,
    IdempotencyKeyReused,
    MinimumSpendNotReached,
    NoMatchingItems,
    NotCombinable,
    NotEligible,
    RateLimited,
    RedemptionClosed,
    RedemptionExpired,
    ShopperLimitReached,
)
from brandday.domain.redemption import Redemption, RedemptionStatus
from brandday.domain.redemption_id import ORDERS as ORDERS_NAMESPACE
from brandday.domain.redemption_id import store_namespace
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.coupon_body import amounts, money
from brandday.entrypoints.money import MoneyBody
from brandday.entrypoints.order_body import ORDER_LIMIT_BYTES, Codes, OrderBody, OrderId, read_codes, read_order
from brandday.entrypoints.routes import Answer, Input, Output, Request, Route, Shape
from brandday.usecases.redeem_coupons import Purchase, Redeemed

ORDERS: Final = "orders"
STORE: Final = "store"
"""Scopes; the claim `store` of a till's token is the id of its store."""

STORE_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
SUBJECT_LENGTH: Final = 255
CONTENT_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class RedemptionUseCases:
    """What these routes ask for; each can be repeated without a second effect.

    redeem(purchase, folded codes); scan(purchase, content of the QR code); get, confirm, release and roll_back
    (redemption id).
    """

    redeem: Callable[[Purchase, Sequence[str]], Redeemed]
    scan: Callable[[Purchase, str], Redeemed]
    get: Callable[[str], Redemption]
    confirm: Callable[[str], Redeemed]
    release: Callable[[str], Redeemed]
    roll_back: Callable[[str], Redeemed]


class BuyerBody(Input):
    """Who buys, as the shop knows them; the same as in the claims of their tokens."""

    id: Annotated[str, Field(min_length=1, max_length=SUBJECT_LENGTH, description="The `sub` of their tokens.")]
    tier: Annotated[str, Field(max_length=SUBJECT_LENGTH)] = ""
    region: Annotated[str, Field(max_length=SUBJECT_LENGTH)] = ""
    new_customer: bool = False


class RedeemBody(Input):
    """An order and all its codes."""

    order_id: OrderId
    codes: Codes
    order: OrderBody
    shopper: Annotated[
        BuyerBody | None, Field(description="Null where nobody knows: then only coupons without an owner are good.")
    ] = None
    lock: Annotated[
        bool, Field(description="Only set them aside, until it is confirmed; otherwise they are redeemed at once.")
    ] = False


class ScanBody(Input):
    """What a till has read, and the purchase it is for."""

    content: Annotated[str, Field(min_length=1, max_length=CONTENT_LENGTH, description="Of the QR code, as it is.")]
    order_id: Annotated[OrderId, Field(description="The store's own id of the purchase.")]
    order: Annotated[OrderBody, Field(description="Its `channel` is `store`, whatever is said there.")]


class RedeemedCodeBody(Shape):
    """One code of a redemption."""

    code: Annotated[str, Field(description="A shared one as it is compared: O as 0, I and L as 1.")]
    coupon_id: Annotated[str | None, Field(description="Null for a code that everybody has.")]
    campaign_id: str
    discount: MoneyBody
    lines: Annotated[
        list[MoneyBody] | None,
        Field(description="Of it, what it takes off each line; null where the order is not part of the request."),
    ]
    shipping: Annotated[MoneyBody | None, Field(description="Of it, what it takes off shipping; null likewise.")]
    gift: Annotated[str | None, Field(description="The SKU that it adds, one unit; null if none, and likewise.")]
    returned: Annotated[bool, Field(description="Whether a rollback gave it back.")]

    @classmethod
    def of(cls, part: Part, priced: Priced | None) -> Self:
        """The same, on the wire."""
        applied = None if priced is None else next(each for each in priced.applied if each.code == part.code)
        return cls(
            code=show(part.code),
            coupon_id=part.coupon_id,
            campaign_id=part.campaign_id,
            discount=money(part.discount, part.currency),
            lines=None if applied is None else amounts(applied.lines, part.currency),
            shipping=None if applied is None else money(applied.shipping, part.currency),
            gift=None if applied is None else applied.gift,
            returned=part.returned,
        )


class RedemptionBody(Output):
    """What an order does with its codes. Times are RFC 3339 in UTC."""

    id: str
    order_id: str
    store: Annotated[str | None, Field(description="Where it was redeemed over the counter.")]
    status: RedemptionStatus
    at: Annotated[str, Field(description="Since when it has this status.")]
    expires_at: Annotated[str | None, Field(description="When the lock runs out, or ran out; null if none is left.")]
    discount: Annotated[MoneyBody, Field(description="Of all codes together.")]
    codes: list[RedeemedCodeBody]

    @classmethod
    def of(cls, redemption: Redemption, priced: Priced | None = None) -> Self:
        """The same, on the wire."""
        parts = redemption.parts
        return cls(
            id=redemption.id,
            order_id=redemption.order_id,
            store=redemption.store,
            status=redemption.status,
            at=to_rfc3339(redemption.at),
            expires_at=to_rfc3339_or_none(redemption.expires_at),
            discount=money(sum(part.discount for part in parts), parts[0].currency),
            codes=[RedeemedCodeBody.of(part, priced) for part in parts],
        )


def redeem_codes(use_cases: RedemptionUseCases, request: Request[RedeemBody]) -> Answer:
    """201 with the redemption, however often: an order has one. While it is locked, its codes can be changed."""
    body = request.body
    codes, order = read_codes(body.codes), read_order(body.order)
    buyer = body.shopper
    shopper = (
        None
        if buyer is None
        else Shopper(
            id=buyer.id,
            tier=buyer.tier,
            channel=order.channel,
            region=buyer.region,
            new_customer=buyer.new_customer,
        )
    )
    purchase = Purchase(ORDERS_NAMESPACE, body.order_id, order, shopper, request.idempotency_key, lock=body.lock)
    return _made(use_cases.redeem(purchase, codes))


def scan_coupon(use_cases: RedemptionUseCases, request: Request[ScanBody]) -> Answer:
    """201 with the redemption. A coupon that was used before is refused with the time and the store of that."""
    store = request.claims.get("store", "")
    if not STORE_ID.fullmatch(store):
        raise Forbidden(needs=STORE)
    body = request.body
    order = replace(read_order(body.order), channel="store")
    purchase = Purchase(
        store_namespace(store), body.order_id, order, shopper=None, idempotency_key=request.idempotency_key, store=store
    )
    return _made(use_cases.scan(purchase, body.content))


def get_redemption(use_cases: RedemptionUseCases, request: Request[None]) -> Answer:
    """200 with the redemption as it is now."""
    return Answer(RedemptionBody.of(use_cases.get(request.path["redemption_id"])))


def confirm_redemption(use_cases: RedemptionUseCases, request: Request[None]) -> Answer:
    """200 with the codes redeemed, because the order is paid. A refusal is final: they were given up."""
    return _changed(use_cases.confirm(request.path["redemption_id"]))


def release_redemption(use_cases: RedemptionUseCases, request: Request[None]) -> Answer:
    """200 with the lock given up, however often: the order was not paid."""
    return _changed(use_cases.release(request.path["redemption_id"]))


def roll_back_redemption(use_cases: RedemptionUseCases, request: Request[None]) -> Answer:
    """200 with every code returned or kept, as its campaign says: the order was cancelled."""
    return _changed(use_cases.roll_back(request.path["redemption_id"]))


def _made(redeemed: Redeemed) -> Answer:
    redemption = redeemed.redemption
    return Answer(
        RedemptionBody.of(redemption, redeemed.priced),
        headers={"Location": f"/v1/redemptions/{redemption.id}", **_replayed(redeemed)},
    )


def _changed(redeemed: Redeemed) -> Answer:
    return Answer(RedemptionBody.of(redeemed.redemption), headers=_replayed(redeemed))


def _replayed(redeemed: Redeemed) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if redeemed.replayed else {}


_REPLAYED_HEADER: Final = {"Idempotent-Replayed": "`true` when this request was answered before."}
_MADE_HEADERS: Final = {"Location": "Where the redemption is.", **_REPLAYED_HEADER}
_ONE: Final = "/v1/redemptions/{redemption_id}"
_UNUSABLE: Final = (
    CouponNotFound,
    CouponNotStarted,
    CouponExpired,
    CouponDisabled,
    CouponRedeemed,
    CouponLocked,
    CampaignPaused,
    CurrencyNotAccepted,
    NoMatchingItems,
    MinimumSpendNotReached,
    NotEligible,
    RedemptionClosed,
    IdempotencyKeyReused,
)
"""Why a coupon cannot be used."""

ROUTES: Final = (
    Route(
        "POST",
        "/v1/redemptions",
        redeem_codes,
        "Lock or redeem all codes of an order",
        RedemptionBody,
        scope=ORDERS,
        body=RedeemBody,
        body_limit_bytes=ORDER_LIMIT_BYTES,
        statuses=(201,),
        needs_key=True,
        headers=_MADE_HEADERS,
        errors=(*_UNUSABLE, NotCombinable, CampaignEnded, CouponExhausted, ShopperLimitReached, RateLimited),
    ),
    Route("GET", _ONE, get_redemption, "Look at a redemption", RedemptionBody, scope=ORDERS),
    Route(
        "DELETE",
        _ONE,
        release_redemption,
        "Give up a lock",
        RedemptionBody,
        scope=ORDERS,
        headers=_REPLAYED_HEADER,
        errors=(RedemptionClosed,),
    ),
    Route(
        "POST",
        f"{_ONE}/confirm",
        confirm_redemption,
        "Redeem what was locked, after payment",
        RedemptionBody,
        scope=ORDERS,
        needs_key=True,
        headers=_REPLAYED_HEADER,
        errors=(RedemptionExpired, RedemptionClosed, CampaignPaused),
    ),
    Route(
        "POST",
        f"{_ONE}/rollback",
        roll_back_redemption,
        "Undo a redemption, because the order is cancelled",
        RedemptionBody,
        scope=ORDERS,
        needs_key=True,
        headers=_REPLAYED_HEADER,
        errors=(RedemptionClosed,),
    ),
    Route(
        "POST",
        "/v1/scans",
        scan_coupon,
        "Redeem a coupon over the counter",
        RedemptionBody,
        scope=STORE,
        body=ScanBody,
        body_limit_bytes=ORDER_LIMIT_BYTES,
        statuses=(201,),
        needs_key=True,
        headers=_MADE_HEADERS,
        errors=_UNUSABLE,
    ),
)
"""The routes of RedemptionsFunction."""
