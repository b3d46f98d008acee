"""The plan held against the simulation: never too little, and not far too much."""

import math

import pytest

from brandday_cli.plan_day import day_as_is, day_as_planned
from brandday_cli.plan_figures import Wishes, plan_day
from brandday_cli.plan_tariff import read_tariff
from brandday_cli.simulation.arrivals import parse_curve
from brandday_cli.simulation.run import play

TOO_MUCH = 3.0
"""How many times what the simulation needs the plan may ask for."""


@pytest.mark.parametrize(
    ("shoppers", "stock", "arrivals"),
    [(1500, 600, "1s=100%"), (1500, 300, "1s=30%,4s=70%"), (800, 900, "2s=100%")],
)
def test_what_is_planned_is_enough_and_not_far_too_much(shoppers: int, stock: int, arrivals: str) -> None:
    wishes = Wishes(shoppers, parse_curve(arrivals), {"HERO": stock}, pays=0.0)
    plan = plan_day(wishes, read_tariff())
    outcome = play(day_as_planned(plan, wishes), seed=1)

    def holds(planned: float, simulated: float) -> None:
        assert simulated <= planned <= TOO_MUCH * simulated

    # A random crowd's busiest second is a little over its mean: three standard deviations of a Poisson number.
    holds(plan.peak_requests + 3 * math.sqrt(plan.peak_requests), outcome.peak_requests)
    holds(plan.peak_stock_writes, outcome.peak_stock_writes)
    holds(plan.lambda_quota, outcome.peak_concurrency)
    assert outcome.write_units_per_sale <= plan.write_units_per_sale * 1.05
    assert outcome.use["claims"].throttled == 0
    assert outcome.wrong_refusals == 0
    if plan.all_taken_at is None:
        assert outcome.taken == plan.sold == shoppers
    else:
        assert outcome.all_taken_at == pytest.approx(plan.all_taken_at, abs=1.0)


def test_with_too_little_the_day_goes_worse() -> None:
    wishes = Wishes(7000, parse_curve("0.5s=100%"), {"HERO": 100}, patience=0, pays=0.0)
    plan = plan_day(wishes, read_tariff())
    assert plan.provisioned
    as_is = play(day_as_is(wishes))
    assert as_is.api_throttles > 1000
    assert any(not limit.enough for limit in plan.limits)
