"""The plan's arithmetic, and what it says to deploy."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from brandday.domain.layout import UNITS_PER_SHARD
from brandday_cli.plan_day import DEFAULT_RATE
from brandday_cli.plan_figures import MEMORY_GB, Plan, Wishes, plan_day
from brandday_cli.plan_tariff import read_tariff
from brandday_cli.simulation.arrivals import PRESETS, parse_curve
from brandday_local.template_tables import parameters

TARIFF = read_tariff()


def planned(shoppers: int, stock: int, arrivals: str, patience: int = 1) -> Plan:
    return plan_day(Wishes(shoppers, parse_curve(arrivals), {"HERO": stock}, patience), TARIFF)


def limit(plan: Plan, name: str) -> bool:
    (found,) = [each for each in plan.limits if name in each.name]
    return found.enough


def test_a_small_day_needs_nothing_but_what_a_new_account_has() -> None:
    plan = planned(20_000, 1000, "10m=100%")
    assert all(each.enough for each in plan.limits)
    assert plan.provisioned == 0
    assert set(plan.overrides) == {"RequestsPerSecond", "RequestsBurst"}
    assert plan.overrides["RequestsPerSecond"] >= plan.peak_requests


def test_shards_are_those_of_the_real_layout() -> None:
    assert planned(10_000, 1000, "even").shards == -(-1000 // UNITS_PER_SHARD)


def test_every_override_is_a_parameter_of_the_template() -> None:
    plan = planned(10_000_000, 1_000_000, "herd")
    assert {"WarmStockWrites", "WarmStockReads", "WarmRewardWrites"} <= set(plan.overrides)
    assert set(plan.overrides) <= set(parameters())


def test_what_the_plan_takes_from_the_template_is_there() -> None:
    template = YAML().load(Path(__file__).parents[2] / "template.yaml")
    assert template["Parameters"]["RequestsPerSecond"]["Default"] == DEFAULT_RATE
    assert template["Parameters"]["RequestsBurst"]["Default"] == DEFAULT_RATE
    assert template["Resources"]["ReservationsFunction"]["Properties"]["MemorySize"] / 1024 == MEMORY_GB


def test_warmth_is_never_less_than_what_a_table_has() -> None:
    for stock in (1, 1000, 1_000_000):
        plan = planned(2_000_000, stock, "rush")
        assert (
            plan.warm_stock_writes >= max(plan.peak_stock_writes, 4000) or plan.shards < plan.warm_stock_writes / 1000
        )
        assert plan.warm_stock_writes % 1000 == 0


def test_lambda_gives_a_thousand_environments_at_once_and_no_more() -> None:
    # 2,000 a second need 1,000 while environments start, half a second each
    assert planned(20_000, 20_000, "10s=100%", patience=0).provisioned == 0
    assert planned(20_200, 20_200, "10s=100%", patience=0).provisioned > 0
    # 30,000 a second are 3,000 environments by the quota on requests, of which Lambda gives 1,000 at once
    assert planned(300_000, 300_000, "10s=100%", patience=0).provisioned == 2000


def test_what_lambda_could_have_started_before_is_not_saved_up() -> None:
    after_a_quiet_minute = planned(300_000, 300_000, "60s=0.01%,10s=99.99%", patience=0)
    assert after_a_quiet_minute.provisioned == pytest.approx(2000, abs=5)
    in_steps = planned(60_000, 60_000, "10s=16.67%,10s=33.33%,10s=50%", patience=0)
    assert in_steps.provisioned == 0


@pytest.mark.parametrize("slow_start", [1, 60])
def test_a_crowd_larger_than_the_stock_takes_it_all_when_enough_have_come(slow_start: int) -> None:
    plan = planned(100_000, 1000, f"{slow_start}s=1%,10s=99%")
    assert plan.all_taken_at == pytest.approx(slow_start)
    assert planned(900, 1000, "even").all_taken_at is None


def test_the_busiest_second_is_found_wherever_it_is() -> None:
    assert planned(100_000, 100_000, "10s=10%,10s=90%", patience=0).peak_requests == 9000
    assert planned(100_000, 100_000, "100s=50%,1s=40%,9s=10%", patience=0).peak_sales == 40_000
    assert planned(100_000, 1000, "100s=50%,1s=40%,9s=10%", patience=0).peak_sales == 500


def test_an_account_that_is_too_small_hears_of_it() -> None:
    plan = planned(1_000_000, 10_000, "herd")
    assert not limit(plan, "API Gateway")
    assert not limit(plan, "Lambda, concurrency")
    assert "L-8A5B8E43" in plan.limits[0].what_to_do


def test_what_no_quota_raises_is_said_too() -> None:
    assert not limit(planned(10_000_000, 1000, "herd"), "config")


def test_costs_are_of_the_dated_prices() -> None:
    plan = planned(1_000_000, 1000, "even", patience=0)
    by_name = {line.name: line for line in plan.costs}
    assert by_name["API Gateway, requests"].dollars == pytest.approx(1.000950 * TARIFF.prices.api_requests_per_million)
    assert plan.dollars == pytest.approx(sum(line.dollars for line in plan.costs))
    assert TARIFF.prices_as_of.year >= 2026
    assert all(page.startswith("https://") for page in TARIFF.pages)


def test_more_of_anything_never_costs_less() -> None:
    assert planned(100_000, 1000, "even").dollars < planned(200_000, 1000, "even").dollars
    assert planned(100_000, 1000, "even").dollars < planned(100_000, 50_000, "even").dollars


def test_nobody_and_nothing_cannot_be_planned() -> None:
    with pytest.raises(ValueError, match="shoppers and stock"):
        planned(0, 10, "even")


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_brings_everybody(name: str) -> None:
    curve = parse_curve(name)
    assert curve.arrived(curve.seconds) == pytest.approx(1)
    assert curve.arrived(0) == 0


@pytest.mark.parametrize("text", ["", "10s", "10s=50%", "0s=100%", "10x=100%", "10s=60%,10s=60%"])
def test_a_curve_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it like|add up|longer than nothing"):
        parse_curve(text)


def test_the_prices_file_names_the_pages_it_is_from() -> None:
    text = (Path(__file__).parents[2] / "cli/brandday_cli/prices.yaml").read_text("utf-8")
    assert re.search(r"^as_of: \d{4}-\d\d-\d\d$", text, re.MULTILINE)
