"""Campaign documents for tests: one that works, and ways to bend it."""

import copy
from typing import Any

from brandday.config.mechanics import parse_campaign
from brandday.domain.campaign import Campaign

STARTS_AT = 1_794_153_600_000
"""2026-11-09 00:00:00 in Shanghai."""
ENDS_AT = 1_794_412_800_000
"""2026-11-12 00:00:00 in Shanghai."""
BEFORE = STARTS_AT - 3_600_000
DURING = STARTS_AT + 3_600_000

_DOCUMENT: dict[str, Any] = {
    "id": "november-brand-day",
    "title": {"en": "November Brand Day", "zh-CN": "十一月品牌日"},
    "mechanic": "flash_sale",
    "time_zone": "Asia/Shanghai",
    "starts_at": "2026-11-09T00:00:00",
    "ends_at": "2026-11-12T00:00:00",
    "channels": ["app", "web"],
    "skus": [
        {
            "sku": "HERO-1",
            "title": {"en": "Hero serum", "zh-CN": "明星精华"},
            "list_price": {"amount": 59800, "currency": "CNY"},
            "sale_price": {"amount": 29900, "currency": "CNY"},
            "stock": 100,
            "units_per_shopper": 1,
        },
        {
            "sku": "CREAM-2",
            "title": {"en": "Cream", "zh-CN": "面霜"},
            "list_price": {"amount": 36800, "currency": "CNY"},
            "sale_price": {"amount": 18400, "currency": "CNY"},
            "stock": 50,
            "units_per_shopper": 2,
        },
    ],
    "limit_per_shopper": 3,
    "hold_seconds": 600,
}


WEBHOOK: dict[str, Any] = {
    "connector": "webhook",
    "url": "https://partner.example/brandday",
    "secret": "brandday/partner",
}
"""Who takes rewards, as a document says it."""
CLAIM_UNTIL = 1_795_968_000_000
"""2026-11-30 00:00:00 in Shanghai."""
FULFILMENT: dict[str, Any] = {
    "claim_until": "2026-11-30T00:00:00",
    "by_kind": {kind: dict(WEBHOOK) for kind in ("order", "physical", "cash")},
}


def document(path: str = "", value: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a document that works, but for `fields`, and `value` at `path` (like "skus.0.stock")."""
    made = copy.deepcopy(_DOCUMENT) | fields
    if path:
        *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        place: Any = made
        for part in way:
            place = place[part]
        place[last] = value
    return made


def without(path: str) -> dict[str, Any]:
    """Return a document that works, but lacks the field at `path`."""
    made = document()
    *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    place: Any = made
    for part in way:
        place = place[part]
    del place[last]
    return made


def declared(path: str = "", value: Any = None, **fields: Any) -> Campaign:
    """Return the campaign that such a document declares."""
    return parse_campaign(document(path, value, **fields)).to_campaign()
