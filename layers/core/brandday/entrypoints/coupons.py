"""Coupons over HTTP: a shopper takes one, looks through the wallet, checks codes against a cart, shows one at a till.

Every route needs a token with the scope `shopper`. Codes stand in bodies only, never in an address: those are logged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import Field

from brandday.domain.campaign import Shopper
from brandday.domain.coupon_code import show
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.errors import (
    AllHeld,
    CouponsHandedOut,
    IdempotencyKeyReused,
    RateLimited,
    ShopperLimitReached,
    SoldOut,
    WrongMechanic,
)
from brandday.domain.order import Order
from brandday.domain.qr_content import QrFormat
from brandday.domain.times import to_rfc3339
from brandday.domain.visit import Visit
from brandday.entrypoints.coupon_body import (
    CouponFields,
    DiscountBody,
    NextTierBody,
    ReasonBody,
    amounts,
    money,
)
from brandday.entrypoints.http_input import CURSOR, read_choice, read_cursor
from brandday.entrypoints.money import MoneyBody
from brandday.entrypoints.order_body import (
    ORDER_LIMIT_BYTES,
    QUERY_LIMIT,
    Codes,
    OrderBody,
    OrderId,
    read_codes,
    read_order,
    read_order_id_query,
    read_order_query,
)
from brandday.entrypoints.problem import pick_language
from brandday.entrypoints.routes import SHOPPER, Answer, File, Input, Output, Request, Route, Shape
from brandday.entrypoints.shopper import shopper_of
from brandday.entrypoints.visit import AT_THE_CLAIM, NOT_LET_IN, visit_of
from brandday.usecases.list_coupons import Wallet, WalletCoupon
from brandday.usecases.take_coupon import Taken
from brandday.usecases.validate_codes import CheckedCode, Validation

MEDIA_TYPES: Final[Mapping[QrFormat, str]] = {QrFormat.SVG: "image/svg+xml", QrFormat.PNG: "image/png"}


@dataclass(frozen=True, slots=True)
class CouponUseCases:
    """What these routes ask for; taking can be repeated without a second effect, the others have none.

    take_coupon(shopper, campaign id, Idempotency-Key, visit); list_coupons(shopper, order, where the page begins,
    order id); validate_codes(shopper, folded codes, order, order id, visit); show_coupon(shopper, coupon id), the
    content of its QR code; draw_qr(content, format), the file.
    """

    take_coupon: Callable[[Shopper, str, str, Visit], Taken]
    list_coupons: Callable[[Shopper, Order | None, str | None, str | None], Wallet]
    validate_codes: Callable[[Shopper, Sequence[str], Order, str | None, Visit], Validation]
    show_coupon: Callable[[Shopper, str], str]
    draw_qr: Callable[[str, QrFormat], bytes]


class ValidateCodesBody(Input):
    """A cart, and the codes that somebody wants to use on it."""

    codes: Codes
    order: OrderBody
    order_id: Annotated[
        OrderId | None, Field(description="What the shop has locked for this order is no obstacle to it.")
    ] = None


class CouponTakenBody(Output):
    """A coupon that the shopper has now. Times are RFC 3339 in UTC."""

    id: str
    code: Annotated[str, Field(description="As people read it. Spaces, hyphens and case do not count.")]
    campaign_id: str
    issued_at: str
    valid_until: str

    @classmethod
    def of(cls, facts: CouponFacts) -> Self:
        """The same, on the wire."""
        return cls(
            id=facts.id,
            code=show(facts.code),
            campaign_id=facts.campaign_id,
            issued_at=to_rfc3339(facts.issued_at),
            valid_until=to_rfc3339(facts.valid_until),
        )


class WalletCouponBody(CouponFields):
    """A coupon of the shopper, and whether it can be used: for the order, if one was given."""

    usable: bool
    reason: Annotated[ReasonBody | None, Field(description="Why it cannot be used; null: it can.")]
    effect: Annotated[DiscountBody | None, Field(description="What it would do to the order as its only coupon.")]
    next_tier: NextTierBody | None

    @classmethod
    def shown(cls, coupon: WalletCoupon, language: str) -> Self:
        """The same, on the wire."""
        currency = coupon.candidate.terms.currency
        refusal = coupon.refusal
        return cls(
            **dict(CouponFields.of(coupon.candidate)),
            usable=refusal is None,
            reason=None if refusal is None else ReasonBody.of(refusal, language),
            effect=None if coupon.alone is None else DiscountBody.of(coupon.alone, currency),
            next_tier=NextTierBody.of(coupon.next_tier, currency),
        )


class WalletBody(Output):
    """A page of a shopper's coupons: what can be used first, of that what ends soonest; what is spent last."""

    coupons: list[WalletCouponBody]
    next: Annotated[str | None, Field(description="`after` of the next page, with older coupons; null after the last.")]


class CheckedCodeBody(Shape):
    """One of the codes. Of one that the shopper does not have, nothing is said but that."""

    code: str
    usable: Annotated[bool, Field(description="Whether it can be used on this order, with the best ones or alone.")]
    reason: Annotated[ReasonBody | None, Field(description="Why it cannot be used, and what would change that.")]
    coupon: CouponFields | None
    effect: Annotated[DiscountBody | None, Field(description="What it would do as the only code of the order.")]
    next_tier: NextTierBody | None

    @classmethod
    def of(cls, checked: CheckedCode, currency: str, language: str) -> Self:
        """The same, on the wire."""
        refusal, candidate = checked.refusal, checked.candidate
        return cls(
            code=show(checked.code) if candidate is None else candidate.shown,
            usable=refusal is None,
            reason=None if refusal is None else ReasonBody.of(refusal, language),
            coupon=None if candidate is None else CouponFields.of(candidate),
            effect=None if checked.alone is None else DiscountBody.of(checked.alone, currency),
            next_tier=NextTierBody.of(checked.next_tier, currency),
        )


class AppliedBody(DiscountBody):
    """What one code does among others, after those that come before it."""

    code: str


class BestBody(Shape):
    """The order with the best of the codes that go together; `applied` is in the order of application."""

    codes: list[str]
    discount: MoneyBody
    to_pay: Annotated[MoneyBody, Field(description="For everything, shipping included.")]
    lines: Annotated[list[MoneyBody], Field(description="What is left to pay for each line.")]
    shipping: Annotated[MoneyBody, Field(description="What is left to pay for shipping.")]
    gifts: Annotated[list[str], Field(description="SKUs that come with it, one unit each.")]
    applied: list[AppliedBody]


class ValidationBody(Output):
    """What the codes would do to the order. Nothing is taken or locked by asking."""

    codes: Annotated[list[CheckedCodeBody], Field(description="In the order in which they were given.")]
    best: BestBody

    @classmethod
    def of(cls, validation: Validation, currency: str, language: str) -> Self:
        """The same, on the wire."""
        best = validation.best
        codes = [CheckedCodeBody.of(checked, currency, language) for checked in validation.codes]
        shown = {checked.code: body.code for checked, body in zip(validation.codes, codes, strict=True)}
        return cls(
            codes=codes,
            best=BestBody(
                codes=[shown[code] for code in best.codes],
                discount=money(best.discount, currency),
                to_pay=money(best.left.total, currency),
                lines=amounts(best.left.lines, currency),
                shipping=money(best.left.shipping, currency),
                gifts=list(best.gifts),
                applied=[AppliedBody.of(applied, currency, code=shown[applied.code]) for applied in best.applied],
            ),
        )


def take_coupon(use_cases: CouponUseCases, request: Request[None]) -> Answer:
    """201 with the coupon, or with the same one again."""
    campaign_id = request.path["campaign_id"]
    taken = use_cases.take_coupon(shopper_of(request), campaign_id, request.idempotency_key, visit_of(request))
    headers = {"Idempotent-Replayed": "true"} if taken.replayed else {}
    return Answer(CouponTakenBody.of(taken.facts), headers=headers)


def list_coupons(use_cases: CouponUseCases, request: Request[None]) -> Answer:
    """200 with the shopper's coupons; one just taken may be missing for a moment."""
    language, headers = _language_of(request)
    order = read_order_query(request.query)
    order_id = read_order_id_query(request.query)
    wallet = use_cases.list_coupons(shopper_of(request), order, read_cursor(request.query), order_id)
    coupons = [WalletCouponBody.shown(coupon, language) for coupon in wallet.coupons]
    return Answer(WalletBody(coupons=coupons, next=wallet.next), headers=headers)


def get_coupon_qr(use_cases: CouponUseCases, request: Request[None]) -> Answer:
    """200 with the QR code to be scanned at a till, as SVG or, if `format` or Accept says so, as PNG."""
    form = read_choice(request.query, "format", QrFormat) or _accepted(request.headers.get("accept", ""))
    content = use_cases.show_coupon(shopper_of(request), request.path["coupon_id"])
    return Answer(File(MEDIA_TYPES[form], use_cases.draw_qr(content, form)), headers={"Vary": "Accept"})


def validate_codes(use_cases: CouponUseCases, request: Request[ValidateCodesBody]) -> Answer:
    """200 with what each code would do and the best of them, also if none can be used."""
    language, headers = _language_of(request)
    codes, order = read_codes(request.body.codes), read_order(request.body.order)
    validation = use_cases.validate_codes(shopper_of(request), codes, order, request.body.order_id, visit_of(request))
    return Answer(ValidationBody.of(validation, order.currency, language), headers=headers)


def _language_of[Body](request: Request[Body]) -> tuple[str, dict[str, str]]:
    language = pick_language(request.headers.get("accept-language", ""))
    return language, {"Content-Language": language, "Vary": "Accept-Language"}


def _accepted(accept: str) -> QrFormat:
    """PNG if it is asked for and SVG is not: the pictures that browsers take by themselves include both."""
    wanted = {form for form, media_type in MEDIA_TYPES.items() if media_type in accept.lower()}
    return QrFormat.PNG if wanted == {QrFormat.PNG} else QrFormat.SVG


_REASONS_HEADER: Final = {"Content-Language": "The language of reasons."}

ROUTES: Final = (
    Route(
        "POST",
        "/v1/campaigns/{campaign_id}/coupons",
        take_coupon,
        "Take a coupon",
        CouponTakenBody,
        scope=SHOPPER,
        statuses=(201,),
        needs_key=True,
        headers={"Idempotent-Replayed": "`true` when this request was answered before."},
        shows=AT_THE_CLAIM,
        errors=(
            WrongMechanic,
            CouponsHandedOut,
            *NOT_LET_IN,
            SoldOut,
            AllHeld,
            ShopperLimitReached,
            IdempotencyKeyReused,
        ),
    ),
    Route(
        "GET",
        "/v1/coupons",
        list_coupons,
        "List one's own coupons",
        WalletBody,
        scope=SHOPPER,
        query={
            "order": (
                Annotated[str, Field(max_length=QUERY_LIMIT)],
                "A cart to compare them with: JSON, as `order` of POST /v1/validations.",
            ),
            "order_id": (OrderId, "What the shop has locked for this order is no obstacle to it."),
            "after": (Annotated[str, Field(pattern=f"^{CURSOR.pattern}$")], "`next` of the page before."),
        },
        headers=_REASONS_HEADER,
    ),
    Route(
        "GET",
        "/v1/coupons/{coupon_id}/qr",
        get_coupon_qr,
        "Show a coupon as a QR code",
        tuple(MEDIA_TYPES.values()),
        scope=SHOPPER,
        query={"format": (QrFormat, "`svg`, unless Accept asks for PNG alone.")},
    ),
    Route(
        "POST",
        "/v1/validations",
        validate_codes,
        "Check codes against a cart",
        ValidationBody,
        scope=SHOPPER,
        body=ValidateCodesBody,
        body_limit_bytes=ORDER_LIMIT_BYTES,
        headers=_REASONS_HEADER,
        errors=(RateLimited,),
    ),
)
"""The routes of CouponsFunction."""
