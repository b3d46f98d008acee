"""What of a published campaign's protection may change: what answers an attack, not what counts are kept under."""

from collections.abc import Callable
from typing import Any

import pytest

from brandday.domain.campaign import Campaign
from brandday.domain.errors import CampaignChangeRefused, ValidationFailed
from tests.fakes.coupon_declarations import declared_coupons, taken
from tests.fakes.declarations import BEFORE, DURING, ENDS_AT, declared
from tests.fakes.lottery_declarations import declared_instant
from tests.fakes.operator_desk import Desk

WHO = "olga"
PER_DEVICE = {"name": "per-device", "by": "device", "counts": "wins", "most": 2, "window": {"days": 1, "kind": "fixed"}}
RULE = {"rule": "new_account", "weight": 30, "younger_than_hours": 24}
ALTCHA = {"kind": "altcha", "ask": "risk"}
GUARD: dict[str, Any] = {
    "brand_day": "november",
    "limits": [PER_DEVICE],
    "ticket": {},
    "challenge": ALTCHA,
    "risk": {"mode": "shadow", "rules": [RULE], "challenge_at": 10},
}


def guarded(protection: dict[str, Any] | None = None, **fields: Any) -> Campaign:
    return declared(late_payment="reject", protection=GUARD if protection is None else GUARD | protection, **fields)


def limits(**of: object) -> dict[str, Any]:
    return {"limits": [PER_DEVICE | of]}


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.clock.now = BEFORE
    return desk


def pointers(refused: CampaignChangeRefused) -> list[str]:
    return [error.pointer for error in refused.errors]


@pytest.mark.parametrize("now", [BEFORE, DURING], ids=["before the start", "while it runs"])
@pytest.mark.parametrize(
    "changed",
    [
        guarded({"risk": {"mode": "enforce", "rules": [RULE | {"weight": 50}], "challenge_at": 5, "refuse_at": 50}}),
        guarded({"challenge": ALTCHA | {"difficulty": 90_000}}),
        guarded({"challenge": ALTCHA | {"ask": "always"}}),
        guarded({"ticket": None}),
        guarded(limits(most=1)),
        guarded(limits(required=True)),
        guarded({"limits": []}),
        guarded({"limits": [PER_DEVICE, PER_DEVICE | {"name": "per-phone", "by": "phone"}]}),
        guarded(limits(name="per-network", by="network", counts="attempts", window=None)),
        declared(late_payment="reject"),
    ],
    ids=[
        "shadow becomes enforce",
        "difficulty",
        "ask",
        "no tickets",
        "most",
        "required",
        "no limits",
        "one more limit",
        "another limit under another name",
        "no protection at all",
    ],
)
def test_what_answers_an_attack_may_change(desk: Desk, changed: Campaign, now: int) -> None:
    desk.operate.apply(guarded(), WHO, publish=True)
    desk.clock.now = now
    desk.operate.apply(changed, WHO)
    assert desk.live().protection == changed.protection
    assert desk.operate.apply(changed, WHO).changes == ()


def test_protection_may_come_when_the_sale_runs_already(desk: Desk) -> None:
    desk.operate.apply(declared(late_payment="reject"), WHO, publish=True)
    desk.clock.now = DURING
    desk.operate.apply(guarded(), WHO)
    assert desk.live().protection == guarded().protection


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        (guarded({"brand_day": "december"}), "/protection/brand_day"),
        (guarded({"brand_day": None}), "/protection/brand_day"),
        (guarded(limits(by="network")), "/protection/limits/0/by"),
        (guarded(limits(counts="attempts")), "/protection/limits/0/counts"),
        (guarded(limits(window={"days": 2, "kind": "fixed"})), "/protection/limits/0/window"),
        (guarded(limits(window={"days": 1, "kind": "sliding"})), "/protection/limits/0/window"),
        (guarded(limits(window=None)), "/protection/limits/0/window"),
    ],
)
def test_what_counts_are_kept_under_is_frozen(desk: Desk, changed: Campaign, pointer: str) -> None:
    desk.operate.apply(guarded(), WHO, publish=True)
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(changed, WHO)
    assert pointers(refused.value) == [pointer]
    assert "once the campaign is published" in str(refused.value.errors[0].params["reason"])
    assert desk.live().protection == guarded().protection


def test_a_draft_may_change_anything_of_it(desk: Desk) -> None:
    desk.operate.apply(guarded(), WHO)
    desk.operate.apply(guarded({"brand_day": None} | limits(by="phone")), WHO)
    assert desk.live().protection == guarded({"brand_day": None} | limits(by="phone")).protection


def test_nothing_of_it_changes_after_the_end(desk: Desk) -> None:
    desk.operate.apply(guarded(), WHO, publish=True)
    desk.clock.now = ENDS_AT
    with pytest.raises(CampaignChangeRefused):
        desk.operate.apply(guarded(limits(most=1)), WHO)


def test_the_trail_names_the_limit_and_the_rule_that_changed(desk: Desk) -> None:
    desk.operate.apply(guarded(), WHO)
    risk = {"mode": "shadow", "rules": [RULE | {"weight": 40}], "challenge_at": 10}
    act = desk.operate.apply(guarded({"risk": risk} | limits(most=3)), WHO)
    assert [(change.field, change.before, change.after) for change in act.changes] == [
        ("protection.limits.per-device.most", 2, 3),
        ("protection.risk.rules.new_account.weight", 30, 40),
    ]


def test_a_start_that_moves_over_a_change_of_clocks_does_not_change_what_limits_count(desk: Desk) -> None:
    schedule: dict[str, Any] = {"time_zone": "Europe/Berlin", "ends_at": "2027-06-01T00:00:00"}
    desk.operate.apply(guarded(starts_at="2027-03-20T00:00:00", **schedule), WHO, publish=True)
    act = desk.operate.apply(guarded(starts_at="2027-04-20T00:00:00", **schedule), WHO)
    assert [change.field for change in act.changes] == ["starts_at"]


def lottery(protection: dict[str, Any]) -> Campaign:
    return declared_instant(protection=protection)


def coupons(protection: dict[str, Any]) -> Campaign:
    return declared_coupons(taken(protection=protection))


@pytest.mark.parametrize("declare", [lottery, coupons])
def test_lotteries_and_coupons_follow_the_same_rules(declare: Callable[[dict[str, Any]], Campaign], desk: Desk) -> None:
    act = desk.operate.apply(declare(GUARD), WHO, publish=True)
    desk.operate.apply(declare(GUARD | limits(most=1)), WHO)
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(declare(GUARD | limits(by="phone")), WHO)
    assert pointers(refused.value) == ["/protection/limits/0/by"]
    assert desk.campaigns.campaigns[act.campaign.id].protection == declare(GUARD | limits(most=1)).protection


# --- campaigns of one brand day ---


def another(protection: dict[str, Any], **fields: Any) -> Campaign:
    return declared(late_payment="reject", id="another-drop", protection=protection, **fields)


@pytest.mark.parametrize(
    "other",
    [
        another(GUARD),
        another(GUARD | limits(most=1), starts_at="2026-11-10T00:00:00"),
        another(GUARD | limits(name="per-box", window={"hours": 1, "kind": "sliding"})),
        another(GUARD | {"brand_day": "december"} | limits(by="phone")),
        another(GUARD | {"brand_day": None} | limits(by="phone")),
        declared(id="another-drop"),
    ],
    ids=["alike", "stricter and later", "another name", "another day", "no day", "no protection"],
)
def test_campaigns_of_a_brand_day_agree_or_do_not_meet(desk: Desk, other: Campaign) -> None:
    desk.operate.apply(guarded(), WHO, publish=True)
    desk.operate.apply(other, WHO, publish=True)
    desk.operate.apply(guarded({"ticket": None}), WHO)


@pytest.mark.parametrize(
    "other",
    [
        another(GUARD | limits(window={"hours": 1, "kind": "fixed"})),
        another(GUARD | limits(window={"days": 1, "kind": "sliding"})),
        another(GUARD | limits(window=None)),
        another(GUARD | limits(by="phone")),
        another(GUARD | limits(counts="attempts")),
        another(GUARD, time_zone="Europe/Berlin"),
    ],
    ids=["window", "kind", "no window", "by", "counts", "time zone"],
)
def test_a_limit_that_counts_otherwise_under_the_same_name_is_refused(desk: Desk, other: Campaign) -> None:
    desk.operate.apply(guarded(), WHO, publish=True)
    with pytest.raises(ValidationFailed) as refused:
        desk.operate.apply(other, WHO)
    (error,) = refused.value.errors
    assert error.pointer == "/protection/limits/0"
    assert f"counts otherwise than in {guarded().id}" in str(error.params["reason"])
    assert "another-drop" not in desk.campaigns.campaigns


def test_what_has_ended_does_not_stand_in_the_way(desk: Desk) -> None:
    desk.operate.apply(guarded(), WHO, publish=True)
    desk.operate.end(guarded().id, WHO)
    desk.operate.apply(another(GUARD | limits(by="phone")), WHO)


def test_drafts_that_were_declared_in_the_same_moment_meet_when_they_are_published(desk: Desk) -> None:
    desk.operate.apply(guarded(), WHO)
    other = another(GUARD | limits(by="phone"))
    desk.campaigns.campaigns[other.id] = other
    with pytest.raises(ValidationFailed):
        desk.operate.publish(guarded().id, WHO)
