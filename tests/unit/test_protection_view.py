"""An operator sees at a glance what protects a campaign."""

from pathlib import Path

from brandday.config.mechanics import to_declaration
from brandday_cli.campaign_yaml import read_campaign_file
from brandday_cli.protection_view import UNPROTECTED, protection_lines
from tests.fakes.declarations import declared

EXAMPLE = Path(__file__).parents[2] / "campaigns/guarded-drop.yaml"
RULES = (
    "rules, only watching (refuse from 100): on_block_list 100, crowded-device 60, crowded-network 20, "
    "new_account 30, too_fast 30, phone_range 40"
)


def test_the_example_is_told_in_a_line_for_each_thing() -> None:
    protection = to_declaration(read_campaign_file(EXAMPLE).declared.to_campaign())["protection"]
    assert list(protection_lines(protection)) == [
        "tickets: from 300 s before the start, good for 600 s",
        "challenge: altcha of 2000 for everybody, or a wait of 30 s",
        "limit per-device: 1 win per device, which everybody needs, each day over glass-days-2035",
        "limit per-payment: 1 win per payment, each day over glass-days-2035",
        "limit tries-per-shopper: 10 attempts per shopper, in any minute over glass-days-2035",
        "limit tries-per-network: 600 attempts per network, in any minute over glass-days-2035",
        RULES,
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
