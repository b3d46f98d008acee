"""The simulation held against the real adapters on a real engine: the same crowd, so the same sale and bill."""

import statistics

import pytest

from benchmarks.ours import Shards
from benchmarks.rush import Scenario, replay
from brandday_cli.simulation.arrivals import parse_curve
from brandday_cli.simulation.day import Crowd, Day, plain_campaign
from brandday_cli.simulation.fleet import Capacity
from brandday_cli.simulation.run import play
from tests.engines import Engine

TOLERANCE = 0.15
"""Of write units for each sale. The simulation gives requests to environments in turn, the replay by chance."""

SEEDS = (1, 2)


@pytest.mark.soak
@pytest.mark.engine
@pytest.mark.parametrize(("shoppers", "environments"), [(210, 8), (450, 30)])
def test_as_many_units_are_sold_for_as_many_writes(dynamodb_local: Engine, shoppers: int, environments: int) -> None:
    scenario = Scenario(shoppers, environments, stock=150)
    day = Day(
        plain_campaign(scenario.stock),
        Crowd(shoppers, parse_curve("1s=100%"), patience=0, pays=0.0),
        Capacity(1e9, 1e9, provisioned=environments, concurrency=environments),
    )
    simulated = [play(day, seed=seed) for seed in SEEDS]
    assert dynamodb_local.endpoint_url is not None
    replayed = [replay(Shards, scenario, dynamodb_local.endpoint_url, seed) for seed in SEEDS]
    sold = [statistics.mean(run.taken for run in simulated), statistics.mean(run.owners for run in replayed)]
    writes = [
        statistics.mean(run.write_units_per_sale for run in simulated),
        statistics.mean(run.requests.write_units / run.owners for run in replayed),
    ]
    print(f"{scenario.name}: sold {sold}, write units for each {writes}")
    assert sold[0] == pytest.approx(sold[1], rel=0.02)
    assert writes[0] == pytest.approx(writes[1], rel=TOLERANCE)
