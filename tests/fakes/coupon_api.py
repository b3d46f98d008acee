"""The coupons' HTTP API in front of a world of fakes: campaigns of every kind, one shop, one till."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from brandday.adapters.qr_image import draw_qr
from brandday.domain.campaign import Campaign
from brandday.domain.code_words import words_of
from brandday.domain.coupon import Benefit, BenefitKind, CodeKind, IssuedBy, Tier
from brandday.domain.coupon_code import SECRET_BYTES, fold
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.layout import shopper_name
from brandday.domain.qr_content import write_content
from brandday.entrypoints import coupons as coupon_routes
from brandday.entrypoints import redemptions as redemption_routes
from brandday.entrypoints.coupons import CouponUseCases
from brandday.entrypoints.redemptions import RedemptionUseCases
from brandday.entrypoints.routes import Route
from brandday.usecases.back_off import BackOff, CodeGuard
from brandday.usecases.coupon_facts import facts_of, job_source
from brandday.usecases.guard_ports import Gate
from brandday.usecases.issue_rewards import CouponBook, IssueRewards
from brandday.usecases.list_coupons import ListCoupons
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_codes import LiveCodes
from brandday.usecases.manage_rewards import Owners
from brandday.usecases.open_case import OpenCase
from brandday.usecases.read_signals import Marker, ReadSignals
from brandday.usecases.redeem_coupons import RedeemCoupons
from brandday.usecases.show_coupon import ShowCoupon
from brandday.usecases.take_coupon import TakeCoupon
from brandday.usecases.validate_codes import ValidateCodes
from tests.events import http_event
from tests.fakes.backend import OPENS, SALE, SALT, StreamingStock
from tests.fakes.clock import SettableClock
from tests.fakes.coupon_backend import KEYS, coupon_terms, coupons
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_coupons import MemoryCoupons
from tests.fakes.memory_guard import MemoryGuard
from tests.fakes.memory_misses import MemoryMisses
from tests.fakes.memory_rewards import MemoryRewards
from tests.fakes.tap import Tap, tapped
from tests.http_client import Answered, Client

TAKE = "/v1/campaigns/{campaign_id}/coupons"
WALLET = "/v1/coupons"
QR = "/v1/coupons/{coupon_id}/qr"
VALIDATE = "/v1/validations"
REDEEM = "/v1/redemptions"
REDEMPTION = "/v1/redemptions/{redemption_id}"
CONFIRM = "/v1/redemptions/{redemption_id}/confirm"
ROLL_BACK = "/v1/redemptions/{redemption_id}/rollback"
SCAN = "/v1/scans"

PERCENT = "percent-day"
GIFTS = "gift-day"
PARTNER = "partner-day"

PERCENT_CODE = "SAVE-1O"
"""A shared code, as somebody types it: folded it is SAVE10."""


def taken() -> Campaign:
    """Ten yuan off from a hundred on, which shoppers take."""
    benefit = Benefit(BenefitKind.AMOUNT_OFF, (Tier(10_000, amount=1000), Tier(20_000, amount=2500)))
    return coupons(coupon_terms(benefit=benefit, quantity=300, per_shopper=2))


def shared() -> Campaign:
    """12.5 % off, by a code that everybody has, a hundred times."""
    terms = coupon_terms(
        benefit=Benefit(BenefitKind.PERCENT_OFF, (Tier(0, basis_points=1250),), max_discount=5000),
        code_kind=CodeKind.SHARED,
        issued_by=IssuedBy.OPERATORS,
        code=fold(PERCENT_CODE),
        shown=PERCENT_CODE,
        quantity=100,
    )
    return coupons(terms, id=PERCENT)


def made() -> Campaign:
    """A mug, from operators."""
    terms = coupon_terms(
        benefit=Benefit(BenefitKind.GIFT, (Tier(0),), gift="MUG", worth=1500), issued_by=IssuedBy.OPERATORS
    )
    return coupons(terms, id=GIFTS)


def imported() -> Campaign:
    """No shipping, by a partner's codes."""
    terms = coupon_terms(
        benefit=Benefit(BenefitKind.FREE_SHIPPING, (Tier(0),)),
        code_kind=CodeKind.IMPORTED,
        issued_by=IssuedBy.OPERATORS,
        prefix=fold("TEAPAL"),
    )
    return coupons(terms, id=PARTNER)


def cny(amount: int) -> dict[str, Any]:
    """An amount on the wire."""
    return {"amount": amount, "currency": "CNY"}


def line(unit_price: int = 9_950, quantity: int = 2, sku: str = "HERO", **changes: Any) -> dict[str, Any]:
    """A line of an order on the wire."""
    return {"sku": sku, "quantity": quantity, "unit_price": cny(unit_price), **changes}


def order(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An order on the wire: two of something at 99.50 and 8.00 shipping, unless it is said otherwise."""
    return {"currency": "CNY", "lines": list(lines or [line()]), "shipping": cny(800), "channel": "app", **changes}


@dataclass
class CouponApi:
    """The functions of coupons over one world; every call is one of a cold environment."""

    published: tuple[Campaign, ...] = field(default_factory=lambda: (taken(), shared(), made(), imported()))
    clock: SettableClock = field(default_factory=lambda: SettableClock(OPENS))
    stock: StreamingStock = field(default_factory=StreamingStock)
    lines: list[Any] = field(default_factory=list)
    misses: MemoryMisses | None = None
    """What guessers have missed; None: nobody counts it."""
    tap: Tap = field(default_factory=Tap)
    """Sees the calls about misses."""
    gate: Gate | None = None
    """Who lets shoppers in where a campaign is protected."""

    def __post_init__(self) -> None:
        self.campaigns = MemoryCampaigns(MemorySummaries(), salt=SALT, secret=bytes(range(SECRET_BYTES)))
        self.coupons = MemoryCoupons(self.stock)
        self.rewards = MemoryRewards()
        for campaign in self.published:
            self.put(campaign)

    def put(self, campaign: Campaign) -> None:
        """Let a campaign be as it is given."""
        self.campaigns.campaigns[campaign.id] = campaign
        self.campaigns.known_words |= {(word.kind, word.text): word for word in words_of(campaign)}

    def change(self, campaign_id: str, **changes: Any) -> None:
        """Change fields of a campaign."""
        self.put(replace(self.campaigns.campaigns[campaign_id], **changes))

    def issue(self, campaign_id: str, owner: str | None = None, *, code: str | None = None) -> CouponFacts:
        """Let an operator make a coupon, for a shopper or for whoever has its code."""
        name = None if owner is None else shopper_name(SALT, owner)
        source = job_source("test", len(self.coupons.facts))
        campaign = self.campaigns.campaigns[campaign_id]
        facts = facts_of(KEYS, campaign, source, self.clock(), owner=name, code=None if code is None else fold(code))
        self.coupons.put_facts([facts])
        return facts

    def follow(self) -> None:
        """Let the reader of the stock's stream write down what was taken."""
        live = self.live()
        book = CouponBook(self.coupons, self.codes(live).keys)
        IssueRewards(live, self.rewards, self.clock, book=book)(self.stock.stream)

    # --- asking ---

    def take(self, shopper: str = "shopper-1", key: str | None = "key-1", **changes: Any) -> Answered:
        """Take a coupon."""
        return self.call("POST", TAKE, shopper=shopper, key=key, **changes)

    def wallet(self, shopper: str = "shopper-1", **changes: Any) -> Answered:
        """List one's own coupons."""
        return self.call("GET", WALLET, shopper=shopper, **changes)

    def qr(self, coupon_id: str, shopper: str = "shopper-1", **changes: Any) -> Answered:
        """Show a coupon as a QR code."""
        return self.call("GET", QR, shopper=shopper, coupon_id=coupon_id, **changes)

    def validate(self, *codes: str, shopper: str = "shopper-1", **changes: Any) -> Answered:
        """Check codes against a cart."""
        body = {"codes": list(codes), "order": changes.pop("order", order())}
        return self.call("POST", VALIDATE, **{"shopper": shopper, "key": None, "body": body, **changes})

    def redeem(self, *codes: str, order_id: str = "SO-1", **changes: Any) -> Answered:
        """Redeem the codes of an order of shopper-1 at once, as the shop, unless it is said otherwise."""
        body = {"order_id": order_id, "codes": list(codes), "order": order(), "shopper": {"id": "shopper-1"}}
        names = ("order", "shopper", "lock")
        body |= {name: changes.pop(name) for name in names if name in changes}
        return self.as_shop("POST", REDEEM, **{"key": f"key of {order_id}", "body": body, **changes})

    def lock(self, *codes: str, order_id: str = "SO-1", **changes: Any) -> Answered:
        """Only set them aside."""
        return self.redeem(*codes, order_id=order_id, **{"lock": True, **changes})

    def as_shop(self, method: str, route: str, **changes: Any) -> Answered:
        """Ask as the shop's backend."""
        return self.call(method, route, **{"shopper": "the-shop", "scope": "orders", **changes})

    def scan(self, content: str, purchase: str = "P-1", store: str | None = "hangzhou-1", **changes: Any) -> Answered:
        """Redeem over the counter."""
        body = {"content": content, "order_id": purchase, "order": changes.pop("order", order())}
        asked = {"shopper": "till-7", "scope": "store", "key": f"key of {purchase}", "body": body, **changes}
        return self.call("POST", SCAN, claims={"store": store}, **asked)

    def content(self, facts: CouponFacts) -> str:
        """What a coupon's QR code says."""
        return write_content(KEYS, facts.code)

    def call(
        self,
        method: str,
        route: str,
        *,
        shopper: str = "shopper-1",
        scope: str = "shopper",
        key: str | None = "key-1",
        body: object = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str | None] | None = None,
        claims: dict[str, str | None] | None = None,
        **path: str,
    ) -> Answered:
        """Ask like API Gateway would; `path` are the ids in the route, the campaign's among them if not said."""
        event = http_event(
            "reserve_units",
            body=body,
            headers={"idempotency-key": key, **(headers or {})},
            claims={"sub": shopper, "scope": scope, "channel": "web", **(claims or {})},
        )
        names = {"campaign_id": SALE, **path}
        raw_path = route.format(**names)
        event |= {"routeKey": f"{method} {route}", "rawPath": raw_path}
        event["pathParameters"] = {name: value for name, value in names.items() if f"{{{name}}}" in route}
        event["requestContext"]["http"] |= {"method": method, "path": raw_path}
        event["requestContext"]["routeKey"] = event["routeKey"]
        event["queryStringParameters"] = query or {}
        if body is None:
            event["body"] = None
        routes, use_cases = self._function_of(route)
        return Client(routes, use_cases, self.lines).send(event)

    # --- cold environments ---

    def live(self) -> LiveCampaigns:
        """What an environment knows of campaigns."""
        return LiveCampaigns(self.campaigns, self.clock)

    def codes(self, live: LiveCampaigns) -> LiveCodes:
        """What an environment knows of codes."""
        return LiveCodes(self.campaigns, self.coupons, live, self.stock, self.clock)

    def guard(self) -> CodeGuard | None:
        """What an environment that was just started does about guessers."""
        if self.misses is None:
            return None
        cases = OpenCase(MemoryGuard(), lambda: b"key of marks", self.clock)
        back_off = BackOff(tapped(self.misses, "misses", self.tap), cases, self.clock)
        marker = Marker(lambda: b"key of marks", lambda _number, _region: None)
        return CodeGuard(back_off, ReadSignals(marker, lambda _header, _shopper: {}))

    def coupon_use_cases(self) -> CouponUseCases:
        """A cold environment of CouponsFunction."""
        live, owner_of = self.live(), Owners(self.campaigns.known_salt)
        codes = self.codes(live)
        return CouponUseCases(
            take_coupon=TakeCoupon(live, self.stock, codes.keys, self.clock, self.gate),
            list_coupons=ListCoupons(self.coupons, live, codes.keys, owner_of, self.clock),
            validate_codes=ValidateCodes(codes, live, self.stock, owner_of, self.clock, self.guard()),
            show_coupon=ShowCoupon(codes, owner_of),
            draw_qr=draw_qr,
        )

    def redemption_use_cases(self) -> RedemptionUseCases:
        """A cold environment of RedemptionsFunction."""
        live, owner_of = self.live(), Owners(self.campaigns.known_salt)
        redeem = RedeemCoupons(self.codes(live), live, self.coupons, self.stock, owner_of, self.clock, self.guard())
        return RedemptionUseCases(
            redeem=redeem.redeem,
            scan=redeem.redeem_scan,
            get=redeem.get,
            confirm=redeem.confirm,
            release=redeem.release,
            roll_back=redeem.roll_back,
        )

    def _function_of(self, route: str) -> tuple[tuple[Route, ...], object]:
        if route in {each.path for each in redemption_routes.ROUTES}:
            return redemption_routes.ROUTES, self.redemption_use_cases()
        return coupon_routes.ROUTES, self.coupon_use_cases()
