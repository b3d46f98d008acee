"""An operator sees at a glance what protects a campaign."""

from brandday.config.mechanics import to_declaration
from brandday_cli.protection_view import UNPROTECTED, protection_lines
from tests.fakes.declarations import declared

MINUTE = {"minutes": 1, "kind": "sliding"}
GUARDED = {
    "brand_day": "glass-days",
    "limits": [
        {
            "name": "per-device",
            "by": "device",
            "counts": "wins",
            "most": 1,
            "required": True,
            "window": {"days": 1, "kind": "fixed"},
        },
        {"name": "tries", "by": "network", "counts": "attempts", "most": 600, "window": MINUTE},
    ],
    "ticket": {},
    "challenge": {"kind": "altcha", "ask": "always"},
    "risk": {
        "mode": "shadow",
        "refuse_at": 100,
        "rules": [
            {"rule": "on_block_list", "weight": 100},
            {"rule": "too_fast", "name": "sprinter", "weight": 30, "within_ms": 150},
        ],
    },
}


def test_there_is_a_line_for_each_thing() -> None:
    campaign = declared(late_payment="reject", protection=GUARDED)
    assert list(protection_lines(to_declaration(campaign)["protection"])) == [
        "tickets: from 300 s before the start, good for 600 s",
        "challenge: altcha of 2000 for everybody, or a wait of 30 s",
        "limit per-device: 1 win per device, which everybody needs, each day over glass-days",
        "limit tries: 600 attempts per network, in any minute over glass-days",
        "rules, only watching (refuse from 100): on_block_list 100, sprinter 30",
    ]


def test_a_limit_without_a_window_and_rules_in_force() -> None:
    campaign = declared(
        late_payment="reject",
        protection={
            "limits": [
                {"name": "per-phone", "by": "phone", "counts": "wins", "most": 2},
                {
                    "name": "tries",
                    "by": "network",
                    "counts": "attempts",
                    "most": 9,
                    "window": {"seconds": 90, "kind": "sliding"},
                },
            ],
            "challenge": {"kind": "altcha", "ask": "risk"},
            "risk": {
                "mode": "enforce",
                "challenge_at": 10,
                "refuse_at": 30,
                "rules": [{"rule": "on_block_list", "weight": 40}],
            },
        },
    )
    assert list(protection_lines(to_declaration(campaign)["protection"])) == [
        "challenge: altcha of 2000 for whom the rules send, or a wait of 30 s",
        "limit per-phone: 2 wins per phone",
        "limit tries: 9 attempts per network, in any 90 seconds",
        "rules, in force (challenge from 10, refuse from 30): on_block_list 40",
    ]


def test_a_campaign_without_says_so() -> None:
    assert list(protection_lines(to_declaration(declared())["protection"])) == [UNPROTECTED]
