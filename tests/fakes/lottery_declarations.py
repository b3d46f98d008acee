"""Lottery documents for tests: an instant win and a scheduled draw that work, and ways to bend them."""

import copy
import json
from typing import Any

from brandday.config.mechanics import parse_campaign
from brandday.domain.campaign import Campaign
from tests.fakes.declarations import FULFILMENT

DRAW_AT = 1_794_456_000_000
"""2026-11-12 12:00:00 in Shanghai: half a day after the end."""

COMPLIANCE: dict[str, Any] = {
    "organiser": "Shop Ltd, 1 Nanjing Road, Shanghai",
    "contact": "help@shop.example",
    "conditions": {"en": "Members of 18 years and over", "zh-CN": "限18岁以上会员"},
    "claim_rules": {"en": "Give your address by 30 November"},
    "forfeiture": {"en": "What nobody claims is won by somebody else"},
}

_COMMON: dict[str, Any] = {
    "title": {"en": "Lucky draw", "zh-CN": "幸运抽奖"},
    "mechanic": "lottery",
    "time_zone": "Asia/Shanghai",
    "starts_at": "2026-11-09T00:00:00",
    "ends_at": "2026-11-12T00:00:00",
    "channels": ["app", "web"],
    "compliance": COMPLIANCE,
}

_INSTANT: dict[str, Any] = _COMMON | {
    "id": "lucky-draw",
    "mode": "instant",
    "prizes": [
        {
            "prize": "CAR",
            "title": {"en": "A car"},
            "stock": 2,
            "odds": "1/5000",
            "odds_between": ["0/1", "1/1000"],
            "per_shopper": 1,
            "reward": {"kind": "physical"},
        },
        {
            "prize": "MUG",
            "title": {"en": "A mug"},
            "stock": 300,
            "odds": "1/20",
            "release": {"plan": "rounds", "every_hours": 6},
            "per_day": 120,
            "reward": {"kind": "digital"},
        },
        {
            "prize": "WATCH",
            "title": {"en": "A watch"},
            "stock": 9,
            "release": {"plan": "moments", "hour_weights": [0] * 8 + [1] * 12 + [3] * 4},
            "reward": {"kind": "digital"},
        },
        {"prize": "STICKER", "title": {"en": "A sticker"}, "stock": 5000, "reward": {"kind": "digital"}},
    ],
    "consolation": "STICKER",
    "pity": {"after": 5, "prize": "MUG"},
    "entries": {"per_day": 3, "per_campaign": 9, "earned": 4},
    "fulfilment": FULFILMENT | {"by_kind": dict.fromkeys(("physical", "digital"), FULFILMENT["by_kind"]["order"])},
}

_DRAW: dict[str, Any] = _COMMON | {
    "id": "free-trial",
    "mode": "draw",
    "prizes": [
        {"prize": "TRIP", "title": {"en": "A trip"}, "stock": 1, "reward": {"kind": "digital"}},
        {"prize": "SAMPLE", "title": {"en": "A sample"}, "stock": 50, "reward": {"kind": "physical"}},
    ],
    "entries": {"per_day": 1, "per_campaign": 3},
    "draw": {"at": "2026-11-12T12:00:00", "reserves": 20, "beacon": "drand"},
    "fulfilment": _INSTANT["fulfilment"],
}


def instant(path: str = "", value: Any = None, **fields: Any) -> dict[str, Any]:
    """Return an instant win that works, but for `fields`, and `value` at `path` (like "prizes.0.stock")."""
    return _bent(_INSTANT, path, value, fields)


def draw(path: str = "", value: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a scheduled draw that works, but for `fields`, and `value` at `path`."""
    return _bent(_DRAW, path, value, fields)


def without(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return `document` without the field at `path`."""
    made = copy.deepcopy(document)
    *way, last = _parts(path)
    place: Any = made
    for part in way:
        place = place[part]
    del place[last]
    return made


def declared_instant(path: str = "", value: Any = None, **fields: Any) -> Campaign:
    """Return the campaign that such an instant win declares."""
    return parse_campaign(instant(path, value, **fields)).to_campaign()


def declared_draw(path: str = "", value: Any = None, **fields: Any) -> Campaign:
    """Return the campaign that such a draw declares."""
    return parse_campaign(draw(path, value, **fields)).to_campaign()


def _bent(document: dict[str, Any], path: str, value: Any, fields: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(document)) | fields  # nothing in it is shared
    if path:
        *way, last = _parts(path)
        place: Any = made
        for part in way:
            place = place[part]
        place[last] = value
    return made


def _parts(path: str) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in path.split(".")]
