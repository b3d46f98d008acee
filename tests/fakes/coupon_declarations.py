"""Coupon documents for tests: one of each kind of code that works, and ways to bend them."""

import copy
from typing import Any

from brandday.config.mechanics import parse_campaign
from brandday.domain.campaign import Campaign
from tests.fakes.declarations import FULFILMENT

BUDGET = 400_000
"""Minor units, of which one use takes 2,000 at most."""

_COMMON: dict[str, Any] = {
    "title": {"en": "Tea coupons", "zh-CN": "茶叶优惠券"},
    "mechanic": "coupon",
    "time_zone": "Asia/Shanghai",
    "starts_at": "2026-11-09T00:00:00",
    "ends_at": "2026-11-12T00:00:00",
    "channels": ["app", "web"],
    "currency": "CNY",
}

_SHARED: dict[str, Any] = _COMMON | {
    "id": "double-eleven",
    "code_kind": "shared",
    "code": "DOUBLE-11",
    "quantity": 100,
    "per_shopper": 1,
    "benefit": {
        "kind": "percent_off",
        "percent": "12.5",
        "minimum_spend": {"amount": 10000, "currency": "CNY"},
        "max_discount": {"amount": 5000, "currency": "CNY"},
    },
}

_TAKEN: dict[str, Any] = _COMMON | {
    "id": "take-one",
    "code_kind": "unique",
    "issued_by": "shoppers",
    "quantity": 300,
    "per_shopper": 2,
    "benefit": {"kind": "amount_off", "amount": {"amount": 2000, "currency": "CNY"}},
    "budget": {"amount": BUDGET, "currency": "CNY"},
    "scope": {"include_categories": ["tea"], "exclude_skus": ["RARE-1"]},
    "validity": {"days": 7, "end_of_day": True},
    "stacking": {"group": "tea", "priority": 10},
    "reward": {"kind": "digital"},
    "fulfilment": {"by_kind": {"digital": FULFILMENT["by_kind"]["order"]}},
}

_MADE: dict[str, Any] = _COMMON | {
    "id": "made-ones",
    "code_kind": "unique",
    "issued_by": "operators",
    "quantity": 1000,
    "benefit": {"kind": "gift", "sku": "MUG", "worth": {"amount": 1500, "currency": "CNY"}},
    "validity": {"ends_at": "2026-12-01T00:00:00"},
}

_IMPORTED: dict[str, Any] = _COMMON | {
    "id": "partner-codes",
    "code_kind": "imported",
    "prefix": "TEAPAL",
    "quantity": 500,
    "benefit": {"kind": "free_shipping", "max_discount": {"amount": 1200, "currency": "CNY"}},
    "on_cancel": "keep",
}


def shared(path: str = "", value: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a campaign with a shared code that works, but for `fields`, and `value` at `path` ("benefit.percent")."""
    return _bent(_SHARED, path, value, fields)


def taken(path: str = "", value: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a campaign whose coupons shoppers take that works, but for `fields`, and `value` at `path`."""
    return _bent(_TAKEN, path, value, fields)


def made(path: str = "", value: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a campaign whose coupons operators generate that works, but for `fields`, and `value` at `path`."""
    return _bent(_MADE, path, value, fields)


def imported(path: str = "", value: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a campaign with a partner's codes that works, but for `fields`, and `value` at `path`."""
    return _bent(_IMPORTED, path, value, fields)


def declared_coupons(document: dict[str, Any]) -> Campaign:
    """Return the campaign that a document declares."""
    return parse_campaign(document).to_campaign()


def _bent(document: dict[str, Any], path: str, value: Any, fields: dict[str, Any]) -> dict[str, Any]:
    made = copy.deepcopy(document) | fields
    if path:
        *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        place: Any = made
        for part in way:
            place = place[part] if not isinstance(place, dict) else place.setdefault(part, {})
        place[last] = value
    return made
