"""The audit finds each planted fault, by name, and finds nothing in a sound campaign."""

import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console

from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_records import UnreadableCampaign
from brandday_cli.audit_report import to_json, to_text
from brandday_cli.audit_rules import RELEASE_GRACE_MS, SETTLED_MS, Findings
from tests.unit.audit_world import HOLD_MS, NOW_MS, World, entry, name_at_home

ANN = name_at_home(0, 4)
BEN = name_at_home(1, 4)
LONG_AGO = NOW_MS - HOLD_MS - 300_000 - RELEASE_GRACE_MS - 1000


def audit(world: World, *, scan: bool = False, strict: bool = False) -> Findings:
    return audit_campaign(world, "sale", scan=scan, strict=strict, now_ms=lambda: NOW_MS)


def codes(findings: Findings) -> list[str]:
    return sorted({violation.code for violation in findings.violations})


def sound_world() -> World:
    """Ann holds at home, Ben bought in shard 3 with a pointer at home, shard 2 is untouched."""
    world = World()
    world.put(0, 2, {ANN: entry("h")})
    world.put(1, 3, {BEN: entry(">", suffix="@3")})
    world.put(3, 1, {BEN: entry("c", suffix=".order-1")})
    return world


def test_a_sound_campaign_has_no_violation_and_its_pools_add_up() -> None:
    findings = audit(sound_world())
    assert findings.ok
    assert [pool.as_json() for pool in findings.pools] == [
        {"sku": "HERO", "initial": 10, "restocked": 0, "free": 8, "held": 1, "sold": 1},
        {"sku": "SIDE", "initial": 4, "restocked": 0, "free": 4, "held": 0, "sold": 0},
    ]


def test_an_untouched_campaign_is_all_free() -> None:
    findings = audit(World())
    assert findings.ok
    assert [pool.free for pool in findings.pools] == [10, 4]


def test_released_claims_own_no_units() -> None:
    world = World()
    world.put(0, 3, {ANN: f"{entry('e', NOW_MS - 9)} {entry('d', NOW_MS)}"})
    assert audit(world).ok


def test_a_restock_counts_when_campaign_and_shards_agree() -> None:
    world = World()
    world.put(0, 5, {"r0.week-2": "2"})
    world.put(1, 4, {"r0.week-2": "1"})
    world.restocks = [{"id": "week-2", "sku": "HERO", "quantity": 3, "at": "2026-09-09T00:00:00Z", "done": True}]
    findings = audit(world)
    assert findings.ok
    assert findings.pools[0].restocked == 3


# --- one planted fault each -------------------------------------------------------------------------------------


def oversold_shard(world: World) -> None:
    world.put(0, 3, {ANN: entry("h")})


def lost_unit(world: World) -> None:
    world.put(0, 1, {ANN: entry("h")})


def negative_free(world: World) -> None:
    world.put(0, -1, {name_at_home(0, 4, n): entry("c", suffix=".o") for n in range(4)})


def over_sku_limit(world: World) -> None:
    world.put(0, 0, {ANN: f"{entry('c', NOW_MS - 5, quantity=2, suffix='.o')} {entry('h')}"})


def over_sku_limit_across_shards(world: World) -> None:
    world.put(1, 1, {BEN: f"{entry('c', NOW_MS - 5, quantity=2, suffix='.o')} {entry('>', suffix='@3')}"})
    world.put(3, 1, {BEN: entry("h")})


def over_campaign_limit(world: World) -> None:
    claims = [entry("c", NOW_MS - 5, quantity=2, suffix=".o"), entry("h", slot="1")]
    world.document["limit_per_shopper"] = 2
    world.put(0, 1, {ANN: " ".join(claims)}, side=0)


def two_holds(world: World) -> None:
    world.put(0, 1, {ANN: f"{entry('h', NOW_MS - 5)} {entry('x')}"})


def repeated_attempt(world: World) -> None:
    world.put(0, 1, {ANN: f"{entry('c', suffix='.o')} {entry('c', suffix='.p')}"})


def claim_without_pointer(world: World) -> None:
    world.put(1, 3)


def claim_with_pointer_of_another_attempt(world: World) -> None:
    world.put(1, 3, {BEN: entry(">", LONG_AGO, suffix="@3")})


def pointer_of_another_quantity(world: World) -> None:
    world.put(1, 3, {BEN: entry(">", quantity=2, suffix="@3")})


def pointer_outside_the_layout(world: World) -> None:
    world.put(0, 3, {ANN: entry(">", suffix="@99")})


def pointer_away_from_home(world: World) -> None:
    world.put(2, 2, {ANN: entry(">", suffix="@0")})


def unreadable_entry(world: World) -> None:
    world.put(0, 3, {ANN: "z01short"})


def entry_of_unknown_slot(world: World) -> None:
    world.put(0, 3, {ANN: entry("h", slot="9")})


def confirmed_without_order(world: World) -> None:
    world.put(0, 3, {ANN: entry("c")})


def unknown_attribute(world: World) -> None:
    world.put(0, 3, {"surprise": "x"})


def wrong_type(world: World) -> None:
    world.put(0, 3)
    world.items["sale#0"]["f0"] = {"S": "three"}


def missing_version(world: World) -> None:
    world.put(0, 3)
    del world.items["sale#0"]["v"]


def restock_short_of_units(world: World) -> None:
    world.put(0, 4, {"r0.week-2": "1"})
    world.restocks = [{"id": "week-2", "sku": "HERO", "quantity": 3, "done": True}]


def restock_unfinished(world: World) -> None:
    world.put(0, 4, {"r0.week-2": "1"})
    world.restocks = [{"id": "week-2", "sku": "HERO", "quantity": 3, "done": False}]


def restock_nobody_ordered(world: World) -> None:
    world.put(0, 4, {"r0.week-2": "1"})


def sku_without_slot(world: World) -> None:
    world.document["skus"].append({"sku": "LATE", "stock": 1, "units_per_shopper": 1})


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (oversold_shard, "stock_not_conserved"),
        (lost_unit, "stock_not_conserved"),
        (lost_unit, "total_not_conserved"),
        (negative_free, "free_negative"),
        (over_sku_limit, "shopper_over_sku_limit"),
        (over_sku_limit_across_shards, "shopper_over_sku_limit"),
        (over_campaign_limit, "shopper_over_campaign_limit"),
        (two_holds, "second_hold"),
        (repeated_attempt, "attempt_repeated"),
        (claim_without_pointer, "claim_unreachable"),
        (claim_with_pointer_of_another_attempt, "claim_unreachable"),
        (pointer_of_another_quantity, "pointer_mismatch"),
        (pointer_outside_the_layout, "pointer_dangling"),
        (pointer_away_from_home, "pointer_misplaced"),
        (unreadable_entry, "entry_malformed"),
        (entry_of_unknown_slot, "entry_malformed"),
        (confirmed_without_order, "entry_malformed"),
        (unknown_attribute, "item_malformed"),
        (wrong_type, "item_malformed"),
        (missing_version, "item_malformed"),
        (restock_short_of_units, "restock_mismatch"),
        (restock_unfinished, "restock_unfinished"),
        (restock_nobody_ordered, "restock_unknown"),
        (sku_without_slot, "layout_mismatch"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_planted_fault_is_found(plant: Callable[[World], None], code: str) -> None:
    world = sound_world()
    plant(world)
    findings = audit(world)
    assert not findings.ok
    assert code in codes(findings)


def test_a_violation_says_where_and_what() -> None:
    world = sound_world()
    lost_unit(world)
    [shard_violation, _] = audit(world).violations
    assert shard_violation.as_json() == {
        "code": "stock_not_conserved",
        "shard": 0,
        "sku": "HERO",
        "shopper": None,
        "detail": "free 1 + held 1 + sold 0 = 2, but initial 3 + restocked 0 = 3: 1 lost",
    }


def test_units_too_many_and_units_lost_in_other_shards_do_not_cancel_out() -> None:
    world = World()
    world.put(0, 4)
    world.put(1, 2)
    findings = audit(world)
    assert (findings.oversold, findings.lost) == (1, 1)
    assert codes(findings) == ["stock_not_conserved"]


def test_only_a_scan_finds_items_outside_the_layout() -> None:
    world = sound_world()
    world.items["sale#4"] = {"pk": {"S": "sale#4"}}
    assert audit(world).ok
    assert codes(audit(world, scan=True)) == ["stray_item"]


# --- what looks like a fault and is none ------------------------------------------------------------------------


def test_an_expired_hold_does_not_count_against_the_shoppers_next_one() -> None:
    world = World()
    world.put(1, 1, {BEN: f"{entry('>', NOW_MS - HOLD_MS, quantity=2, suffix='@3')} {entry('h', quantity=2)}"})
    world.put(3, 0, {BEN: entry("h", NOW_MS - HOLD_MS, quantity=2)})
    assert audit(world).ok


def test_an_extended_hold_does_count() -> None:
    world = World()
    world.put(1, 1, {BEN: f"{entry('>', NOW_MS - HOLD_MS, quantity=2, suffix='@3')} {entry('h', quantity=2)}"})
    world.put(3, 0, {BEN: entry("x", NOW_MS - HOLD_MS, quantity=2)})
    assert codes(audit(world)) == ["second_hold", "shopper_over_campaign_limit", "shopper_over_sku_limit"]


def test_a_pointer_that_still_leads_nowhere_when_the_sweeper_has_passed_is_a_violation() -> None:
    world = World()
    world.put(1, 3, {BEN: entry(">", NOW_MS - SETTLED_MS + 1, suffix="@3")})
    assert audit(world).ok
    world.put(1, 3, {BEN: entry(">", NOW_MS - SETTLED_MS, suffix="@3")})
    assert codes(audit(world)) == ["pointer_dangling"]


def test_a_young_pointer_to_a_claim_that_is_not_made_yet_matters_only_in_strict_mode() -> None:
    world = World()
    world.put(1, 3, {BEN: entry(">", suffix="@3")})
    assert audit(world).ok
    world.summary = [{"s1": {"S": json.dumps([5, {"0": [3, 0, 0]}, None])}}]
    assert codes(audit(world, strict=True)) == ["pointer_dangling"]
    world.put(3, 2, {BEN: entry("v")})
    world.summary = [{f"s{shard}": {"S": json.dumps([5, {}, None])} for shard in (1, 3)}]
    assert audit(world, strict=True).ok


def test_a_claim_that_vanished_behind_its_pointer_is_missed_by_its_shard() -> None:
    world = sound_world()
    world.put(3, 1, {})
    assert codes(audit(world)) == ["stock_not_conserved", "total_not_conserved"]


def test_a_pointer_to_a_released_claim_is_fine() -> None:
    world = sound_world()
    world.put(3, 2, {BEN: entry("d")})
    assert audit(world).ok


def test_an_old_pointer_may_outlive_its_released_claim() -> None:
    world = World()
    world.put(1, 3, {BEN: entry(">", LONG_AGO, suffix="@3")})
    assert audit(world).ok


def test_a_claim_made_between_two_reads_is_no_fault() -> None:
    """Ben's home is read before, the overflow shard after his claim: only reading both together tells."""
    world = sound_world()
    world.put(1, 3)
    world.put(3, 2)

    def claim() -> None:
        world.put(1, 3, {BEN: entry(">", suffix="@3")})
        world.put(3, 1, {BEN: entry("h")})

    world.before_read = [lambda: None, claim]
    assert audit(world).ok
    assert world.reads_together == 1


def test_a_cancelled_and_repeated_claim_between_two_reads_is_no_fault() -> None:
    """Ben is seen with two units at home, then with two more in shard 3, but never had both."""
    world = World()
    world.put(1, 1, {BEN: f"{entry('h', NOW_MS - 50, quantity=2)} {entry('>', LONG_AGO, suffix='@2')}"})

    def change() -> None:
        world.put(1, 3, {BEN: f"{entry('d', NOW_MS - 50, quantity=2)} {entry('>', quantity=2, suffix='@3')}"})
        world.put(3, 0, {BEN: entry("h", quantity=2)})

    world.before_read = [lambda: None, change]
    assert audit(world).ok


def test_a_restock_that_runs_during_the_audit_is_no_fault() -> None:
    world = World()

    def restock() -> None:
        world.put(3, 4, {"r0.week-2": "2"})
        world.restocks = [{"id": "week-2", "sku": "HERO", "quantity": 2, "done": True}]

    world.before_read = [restock]
    assert audit(world).ok


def test_shoppers_at_home_cost_no_second_read() -> None:
    world = World()
    world.put(0, 2, {ANN: entry("h")})
    audit(world)
    assert world.reads_together == 0


def test_holds_that_nobody_gave_back_are_noted_but_are_no_violation() -> None:
    world = World()
    world.put(0, 2, {ANN: entry("h", LONG_AGO)})
    findings = audit(world)
    assert findings.ok
    assert "1 held units expired" in findings.notes[0]


# --- the summary ------------------------------------------------------------------------------------------------


def summary_of(version: int, sold: int) -> dict[str, dict[str, str]]:
    return {"s3": {"S": json.dumps([version, {"0": [1, 0, sold], "1": [1, 0, 0]}, None])}}


def test_a_stale_summary_matters_only_in_strict_mode() -> None:
    world = World()
    world.put(3, 1, {name_at_home(3, 4): entry("c", suffix=".o")})
    assert audit(world).ok
    assert codes(audit(world, strict=True)) == ["summary_stale"]
    for stale in (summary_of(4, 1), summary_of(5, 0)):
        world.summary = [stale]
        assert codes(audit(world, strict=True)) == ["summary_stale"]
    world.summary = [summary_of(5, 1)]
    assert audit(world, strict=True).ok


# --- what cannot be judged --------------------------------------------------------------------------------------


def test_a_campaign_that_was_never_published_cannot_be_audited() -> None:
    class Draft(World):
        def read_config(self, _: str) -> dict[str, dict[str, str]] | None:
            return {"document": {"S": "{}"}}

    with pytest.raises(UnreadableCampaign, match="never published"):
        audit(Draft())


def test_an_unknown_campaign_cannot_be_audited() -> None:
    class Nothing(World):
        def read_config(self, _: str) -> None:
            return None

    with pytest.raises(UnreadableCampaign, match="no campaign"):
        audit(Nothing())


@pytest.mark.parametrize(
    "layout",
    [
        {"shards": 4},
        {"shards": 0, "slots": {"HERO": "0", "SIDE": "1"}},
        {"shards": 4, "slots": {"HERO": "0", "SIDE": "0"}},
        {"shards": 4, "slots": {"HERO": "0", "SIDE": "1", "GONE": "2"}},
        {"shards": 4, "slots": {"HERO": "0", "SIDE": "!"}},
    ],
    ids=["no slots", "no shards", "slot used twice", "slot of no SKU", "slot of no digit"],
)
def test_a_layout_that_makes_no_sense_is_refused(layout: dict[str, object]) -> None:
    world = World()
    world.layout = layout
    with pytest.raises(UnreadableCampaign):
        audit(world)


# --- how it is shown --------------------------------------------------------------------------------------------


def test_json_has_exactly_the_promised_keys() -> None:
    world = sound_world()
    lost_unit(world)
    shown = json.loads(to_json(audit(world)))
    assert list(shown) == ["ok", "violations", "pools", "rewards", "entries", "coupons"]
    assert shown["ok"] is False
    assert list(shown["pools"][0]) == ["sku", "initial", "restocked", "free", "held", "sold"]


def test_the_terminal_names_each_violation_and_the_verdict() -> None:
    world = sound_world()
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(to_text("sale", audit(world)))
    assert "All promises hold" in console.export_text()
    lost_unit(world)
    console.print(to_text("sale", audit(world)))
    text = console.export_text()
    assert "2 violations" in text
    assert "stock_not_conserved" in text
