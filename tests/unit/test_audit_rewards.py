"""The audit of rewards finds each planted fault, by name, and finds nothing where every promise was kept."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_report import to_json, to_text
from brandday_cli.audit_reward_rules import IDLE_LEASE_MS, SWEEPER_GRACE_MS
from brandday_cli.audit_rewards import LOOKS
from brandday_cli.audit_rules import Findings
from tests.unit.audit_world import NOW_MS, World, entry, name_at_home

ANN = name_at_home(0, 4)
BEN = name_at_home(1, 4)
CEM = name_at_home(2, 4)
MINUTE = 60_000
HOUR = 60 * MINUTE
LATE = NOW_MS - SWEEPER_GRACE_MS - 1
IN_TIME = NOW_MS - SWEEPER_GRACE_MS


def audit(world: World, *, strict: bool = False) -> Findings:
    return audit_campaign(world, "sale", rewards=world, strict=strict, now_ms=lambda: NOW_MS, sleep=world.sleep)


def codes(findings: Findings) -> list[str]:
    """The codes, without what `strict` says of the summary, which these worlds do not have."""
    return sorted(violation.code for violation in findings.violations if violation.code != "summary_stale")


def sound_world() -> World:
    """Ann bought one at home, Ben one in shard 3; Cem gave no address in time, and his unit is back on sale."""
    world = World()
    world.put(0, 2, {ANN: entry("c", suffix=".order-1")})
    world.put(1, 3, {BEN: entry(">", suffix="@3")})
    world.put(3, 1, {BEN: entry("c", suffix=".order-2")})
    world.put(2, 2, {CEM: entry("d")})
    world.put_reward(ANN, 0)
    world.put_reward(BEN, 3, status="dispatched", accepted=1, pending_since=None)
    world.put_reward(CEM, 2, status="forfeited", kind="physical", units_returned=True, pending_since=None)
    return world


def test_a_sound_campaign_has_no_violation_and_its_rewards_are_counted() -> None:
    world = sound_world()
    findings = audit(world)
    assert findings.ok, findings.violations
    assert findings.rewards is not None
    assert findings.rewards.as_json() == {
        "confirmed_claims": 2,
        "by_status": {"dispatched": 1, "forfeited": 1, "pending": 1},
    }
    assert (world.naps, world.reads_together) == ([], 0), "nothing looked wrong, so nothing was read twice"


def test_a_campaign_without_sales_has_no_rewards() -> None:
    assert audit(World()).ok


def test_without_a_table_of_rewards_the_stock_is_audited_all_the_same() -> None:
    findings = audit_campaign(sound_world(), "sale", now_ms=lambda: NOW_MS)
    assert findings.ok
    assert findings.rewards is None
    assert json.loads(to_json(findings))["rewards"] is None
    assert "Rewards were not audited" in shown(findings)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "awaiting_approval", "kind": "cash", "pending_since": None, "cycle": 0},
        {"status": "awaiting_address", "kind": "physical", "claim_until": IN_TIME, "pending_since": None, "cycle": 0},
        {"status": "pending", "pending_since": IN_TIME - HOUR},
        {"status": "dispatched", "pending_since": None, "cycle": 0},
        {"status": "delivered", "pending_since": None, "reported_at": NOW_MS},
        {"status": "delivered", "pending_since": None, "accepted": 1, "reported_at": NOW_MS},
        {"status": "returned", "pending_since": None, "accepted": 1, "reported_at": NOW_MS},
        {"status": "failed", "pending_since": None},
        {"status": "forfeited", "kind": "physical", "pending_since": None, "status_at": IN_TIME},
    ],
    ids=lambda changes: f"{changes['status']} {len(changes)} {'accepted' in changes}",
)
def test_every_status_may_be_met(changes: dict[str, Any]) -> None:
    world = sound_world()
    world.put_reward(ANN, 0, **changes)
    findings = audit(world)
    assert findings.ok, findings.violations


# --- one planted fault each -------------------------------------------------------------------------------------


def lost_reward(world: World) -> None:
    del world.rewards[next(key for key in world.rewards if key[0] == ANN)]


def reward_of_a_claim_that_is_not_paid(world: World) -> None:
    world.put(0, 2, {ANN: entry("h")})


def reward_of_a_claim_that_was_given_back(world: World) -> None:
    world.put(0, 3, {ANN: entry("d")})


def reward_out_of_nothing(world: World) -> None:
    world.put_reward(name_at_home(0, 4, 9), 0)


def reward_from_a_shard_that_is_not_there(world: World) -> None:
    world.put_reward(CEM, 99, NOW_MS - 1)


def second_reward_of_one_claim(world: World) -> None:
    world.put_reward(ANN, 0, NOW_MS - 5, source=source_of_ann(world))


def source_of_ann(world: World) -> str:
    """The source of Ann's own reward."""
    return next(str(item["source"]["S"]) for key, item in world.rewards.items() if key[0] == ANN)


def reward_of_another_source(world: World) -> None:
    world.put_reward(ANN, 0, source="coupon-7")


def reward_of_another_campaigns_claim(world: World) -> None:
    world.put_reward(ANN, 0, source=source_of_ann(world).replace("rsv_sale", "rsv_other"))


def reward_of_another_sku(world: World) -> None:
    world.put_reward(ANN, 0, sku="SIDE")


def reward_of_more_units(world: World) -> None:
    world.put_reward(ANN, 0, quantity=2)


def accepted_twice(world: World) -> None:
    world.put_reward(BEN, 3, status="dispatched", accepted=2, pending_since=None)


def accepted_and_pending_again(world: World) -> None:
    world.put_reward(ANN, 0, accepted=1)


def accepted_and_failed(world: World) -> None:
    world.put_reward(ANN, 0, accepted=1, status="failed", pending_since=None)


def dispatched_and_nobody_took_it(world: World) -> None:
    world.put_reward(BEN, 3, status="dispatched", pending_since=None)


def prize_that_left_without_a_connector(world: World) -> None:
    world.put_reward(BEN, 3, status="dispatched", kind="physical", cycle=0, pending_since=None)


def delivered_and_nobody_said_so(world: World) -> None:
    world.put_reward(BEN, 3, status="delivered", pending_since=None)


def pending_for_too_long(world: World) -> None:
    world.put_reward(ANN, 0, pending_since=LATE - HOUR)


def pending_since_nobody_knows_when(world: World) -> None:
    world.put_reward(ANN, 0, pending_since=None)


def address_still_awaited(world: World) -> None:
    world.put_reward(ANN, 0, status="awaiting_address", kind="physical", claim_until=LATE, pending_since=None)


def forfeited_units_still_owed(world: World) -> None:
    world.put_reward(ANN, 0, status="forfeited", status_at=LATE, pending_since=None)


def forfeited_units_still_owed_although_the_claim_is_gone(world: World) -> None:
    world.put_reward(CEM, 2, status="forfeited", status_at=LATE, pending_since=None)


def forfeited_units_said_to_be_back_but_sold(world: World) -> None:
    world.put_reward(ANN, 0, status="forfeited", units_returned=True, pending_since=None)


def unknown_status(world: World) -> None:
    world.put_reward(ANN, 0, status="on_holiday")


def missing_attribute(world: World) -> None:
    world.put_reward(ANN, 0, quantity=None)


def malformed_and_without_a_claim(world: World) -> None:
    world.put_reward(CEM, 2, NOW_MS - 1, time_limit_ms="soon")


def filed_under_another_status(world: World) -> None:
    world.put_reward(ANN, 0, gsk=f"failed#{NOW_MS:013d}#x")


def filed_under_another_campaign(world: World) -> None:
    world.put_reward(ANN, 0, gpk="other#1")


def filed_in_a_bucket_nobody_reads(world: World) -> None:
    world.put_reward(ANN, 0, gpk="sale#16")


def owed_units_filed_as_returned(world: World) -> None:
    sort_key = next(key[1] for key in world.rewards if key[0] == ANN)
    world.put_reward(
        ANN, 0, status="forfeited", status_at=NOW_MS, pending_since=None, gsk=f"forfeited#{NOW_MS:013d}#{sort_key}"
    )


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (lost_reward, "reward_missing"),
        (reward_of_a_claim_that_is_not_paid, "reward_without_claim"),
        (reward_of_a_claim_that_was_given_back, "reward_without_claim"),
        (reward_out_of_nothing, "reward_without_claim"),
        (reward_from_a_shard_that_is_not_there, "reward_without_claim"),
        (second_reward_of_one_claim, "reward_mismatch"),
        (reward_of_another_source, "reward_mismatch"),
        (reward_of_another_campaigns_claim, "reward_mismatch"),
        (reward_of_another_sku, "reward_mismatch"),
        (reward_of_more_units, "reward_mismatch"),
        (accepted_twice, "delivered_twice"),
        (accepted_and_pending_again, "delivered_twice"),
        (accepted_and_failed, "delivered_twice"),
        (dispatched_and_nobody_took_it, "delivery_unproven"),
        (prize_that_left_without_a_connector, "delivery_unproven"),
        (delivered_and_nobody_said_so, "delivery_unproven"),
        (pending_for_too_long, "pending_overdue"),
        (pending_since_nobody_knows_when, "reward_malformed"),
        (address_still_awaited, "claim_overdue"),
        (forfeited_units_still_owed, "units_owed"),
        (forfeited_units_still_owed_although_the_claim_is_gone, "units_owed"),
        (forfeited_units_said_to_be_back_but_sold, "units_not_back"),
        (unknown_status, "reward_malformed"),
        (missing_attribute, "reward_malformed"),
        (malformed_and_without_a_claim, "reward_malformed"),
        (filed_under_another_status, "reward_misfiled"),
        (filed_under_another_campaign, "reward_misfiled"),
        (filed_in_a_bucket_nobody_reads, "reward_misfiled"),
        (owed_units_filed_as_returned, "reward_misfiled"),
    ],
    ids=lambda value: value.__name__ if callable(value) else value,
)
def test_each_planted_fault_is_found_once_and_by_name(plant: Callable[[World], None], code: str) -> None:
    world = sound_world()
    plant(world)
    findings = audit(world)
    assert codes(findings) == [code], findings.violations
    assert findings.violations[0].shopper in (ANN, BEN, CEM, name_at_home(0, 4, 9))
    assert "rwd_" in findings.violations[0].detail


def test_a_claim_deadline_that_was_put_off_holds_for_rewards_of_before() -> None:
    for plant in (address_still_awaited, forfeited_units_still_owed):
        world = sound_world()
        plant(world)
        world.document["fulfilment"] = {"claim_until": from_epoch(IN_TIME)}
        assert audit(world).ok
        world.document["fulfilment"] = {"claim_until": from_epoch(LATE)}
        assert not audit(world).ok


def from_epoch(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_rewards_that_the_index_lost_are_missed_once_the_sale_is_quiet() -> None:
    world = sound_world()
    world.put_reward(ANN, 0, gpk=None)
    assert "reward_malformed" in codes(audit(world))  # an item without index keys is none of the format's
    unindexed = sound_world()
    key = next(key for key in unindexed.rewards if key[0] == ANN)
    unindexed.index_behind[key] = {"gpk": {"S": "elsewhere#0"}}
    assert audit(unindexed).ok, "while a sale is on, the index may be behind"
    assert codes(audit(unindexed, strict=True)) == ["reward_unindexed"]


# --- a sale that goes on meanwhile ------------------------------------------------------------------------------


def test_a_reward_that_comes_a_moment_later_is_waited_for() -> None:
    world = sound_world()
    lost_reward(world)
    world.on_nap = lambda: world.put_reward(ANN, 0) if len(world.naps) == 2 else None
    findings = audit(world)
    assert findings.ok, findings.violations
    assert len(world.naps) == 2
    assert findings.rewards is not None
    assert findings.rewards.claims == 2


def test_a_stream_that_is_far_behind_is_waited_for_as_long_as_it_moves() -> None:
    world = World()
    names = [name_at_home(0, 4, serial) for serial in range(LOOKS * 3)]
    world.document["skus"][0]["stock"] = 4 * len(names)
    world.put(0, 0, {name: entry("c", suffix=".o") for name in names})
    world.on_nap = lambda: world.put_reward(names[len(world.naps) - 1], 0)
    findings = audit(world)
    assert findings.ok, findings.violations
    assert len(world.naps) == len(names)


def test_a_reward_that_does_not_come_is_believed_missing_and_strict_does_not_wait() -> None:
    world = sound_world()
    lost_reward(world)
    assert codes(audit(world)) == ["reward_missing"]
    assert len(world.naps) == LOOKS
    world.naps.clear()
    assert codes(audit(world, strict=True)) == ["reward_missing"]
    assert world.naps == []


def test_a_reward_that_is_wrong_when_it_comes_is_found() -> None:
    world = sound_world()
    lost_reward(world)
    world.on_nap = lambda: world.put_reward(ANN, 0, sku="SIDE")
    assert codes(audit(world)) == ["reward_mismatch"]


def test_units_that_go_back_while_the_audit_reads_are_no_violation() -> None:
    """Shard 0 is read, then Ann's claim deadline passes: forfeited, and her claim cancelled, before her reward is."""
    world = sound_world()

    def forfeit() -> None:
        world.put(0, 3, {ANN: entry("d")})
        world.put_reward(ANN, 0, status="forfeited", units_returned=True, pending_since=None)

    world.before_read = [forfeit]
    findings = audit(world)
    assert findings.ok, findings.violations
    assert world.reads_together == 1


def test_an_index_that_is_behind_accuses_nobody() -> None:
    """The index still has Cem's reward as waiting for an address."""
    world = sound_world()
    key = next(key for key in world.rewards if key[0] == CEM)
    before = world.rewards[key]
    world.put_reward(CEM, 2, status="awaiting_address", claim_until=LATE, pending_since=None)
    world.index_behind[key] = world.rewards[key]
    world.rewards[key] = before
    findings = audit(world)
    assert findings.ok, findings.violations


def test_many_claims_are_read_a_hundred_at_a_time() -> None:
    world = World()
    world.document["skus"][0]["stock"] = 4 * 60
    for shard in range(4):
        names = [name_at_home(shard, 4, serial) for serial in range(60)]
        world.put(shard, 0, {name: entry("c", suffix=".o") for name in names})
        for name in names:
            world.put_reward(name, shard)
    findings = audit(world, strict=True)
    assert codes(findings) == []
    assert findings.rewards is not None
    assert (findings.rewards.claims, findings.rewards.by_status.total()) == (240, 240)


# --- what people see --------------------------------------------------------------------------------------------


def test_a_delivery_that_broke_off_and_was_not_taken_up_is_a_note() -> None:
    world = sound_world()
    world.put_reward(ANN, 0, lease_until=NOW_MS - IDLE_LEASE_MS)
    assert audit(world).notes == []
    world.put_reward(ANN, 0, lease_until=NOW_MS - IDLE_LEASE_MS - 1)
    findings = audit(world)
    assert findings.ok
    assert "1 rewards are pending" in findings.notes[0]


def test_the_report_shows_the_rewards_and_names_what_is_wrong() -> None:
    sound = shown(audit(sound_world()))
    assert "Rewards of sale" in sound
    assert "Each confirmed claim has one reward" in sound
    world = sound_world()
    lost_reward(world)
    findings = audit(world)
    assert "reward_missing" in shown(findings)
    document = json.loads(to_json(findings))
    assert document["ok"] is False
    assert document["violations"][0]["shopper"] == ANN
    assert document["rewards"]["confirmed_claims"] == 2


def shown(findings: Findings) -> str:
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(to_text("sale", findings))
    return console.export_text()
