"""Cost per sale: ours against the usual patterns, side by side in one run on AWS's DynamoDB Local.

    python -m benchmarks.cost [--seeds 3] [--only PART_OF_A_NAME]

Prints tables and writes the section "cost" of results.json. What the figures mean: docs/benchmarks.md.
"""

import argparse
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import results
from benchmarks.meter import Usage
from benchmarks.ours import Shards
from benchmarks.patterns import (
    CounterByToken,
    CounterThenClaim,
    CounterWithClaim,
    GetThenPut,
    OptimisticLock,
    Pattern,
    SetOfTakers,
)
from benchmarks.results import Claim, wide_console
from benchmarks.rush import Outcome, Scenario, median_and_spread, replay
from brandday_local.dynamodb_local import DynamoDbLocal

ENVIRONMENTS = (32, 1000)
SHOPPERS = (500, 1050, 1300, 5000, 50_000)
"""For a thousand units: 0.5, 1.05, 1.3, 5 and 50 shoppers each."""

SCENARIOS = tuple(Scenario(shoppers, environments) for environments in ENVIRONMENTS for shoppers in SHOPPERS)
OURS_AT_MOST = {Scenario(1300, 32): 1.25, Scenario(5000, 32): 1.3, Scenario(5000, 1000): 2.5}
"""Cost per sale that ours may not exceed."""

PATTERNS: tuple[type[Pattern], ...] = (
    GetThenPut,
    CounterThenClaim,
    OptimisticLock,
    CounterByToken,
    CounterWithClaim,
    SetOfTakers,
    Shards,
)
COMMON: tuple[type[Pattern], ...] = (GetThenPut, CounterThenClaim, CounterWithClaim, Shards)
"""The control, what is in common use, and ours: for benchmarks where all of them would only take longer."""

CONTROLLED = Scenario(1300, 32)
"""Where the negative control has to oversell."""

HUGE = 50_000

PROCESSES = min(2, os.cpu_count() or 1)
"""Rushes replayed at the same time: time in them is virtual, so they do not disturb each other."""


class Run(NamedTuple):
    """One rush to replay."""

    scenario: Scenario
    pattern: type[Pattern]
    seed: int
    endpoint_url: str


type Measured = dict[Scenario, dict[str, list[Outcome]]]


def main() -> None:
    """Measure every pattern in every scenario."""
    options = _options()
    chosen = [pattern for pattern in PATTERNS if options.only.lower() in pattern.name.lower()]
    console = wide_console()
    measured: Measured = {scenario: {pattern.name: [] for pattern in chosen} for scenario in SCENARIOS}
    with DynamoDbLocal() as engine, _progress(console) as progress:
        runs = [
            Run(scenario, pattern, seed, engine.endpoint_url)
            for scenario in sorted(SCENARIOS, key=lambda scenario: -scenario.shoppers)  # the long ones first
            for pattern in chosen
            for seed in range(_seeds(pattern, scenario, options.seeds))
        ]
        task = progress.add_task("", total=len(runs))
        for run, outcome in _replayed(runs):
            progress.update(task, description=f"{run.scenario.name}: {run.pattern.name}")
            measured[run.scenario][run.pattern.name].append(outcome)
            progress.advance(task)
    for environments in ENVIRONMENTS:
        for table in _tables(environments, measured, [pattern.name for pattern in chosen]):
            console.print(table)
    claims = _claims(measured)
    console.print(results.table_of(claims))
    section = {
        "measured_against": "AWS's DynamoDB Local 1.25.1, all patterns in the same run",
        "unit": "write units + 0.2 x read units per unit sold; median of the seeds [least, largest]",
        "stock": SCENARIOS[0].stock,
        "scenarios": {
            scenario.name: {name: _figures(runs) for name, runs in outcomes.items() if runs}
            for scenario, outcomes in measured.items()
        },
    }
    if not options.only:
        results.save("cost", section, claims)
        console.print(f"written to {results.RESULTS}")
    check(measured)
    results.stand_by(claims)


def _replayed(runs: list[Run]) -> Iterator[tuple[Run, Outcome]]:
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        yield from pool.imap_unordered(_replay, runs)


def _replay(run: Run) -> tuple[Run, Outcome]:
    return run, replay(run.pattern, run.scenario, run.endpoint_url, run.seed)


def _seeds(pattern: type[Pattern], scenario: Scenario, seeds: int) -> int:
    """Return how many seeds are worth their time: several where a bound is claimed, one elsewhere.

    The negative control is slow and fails with any seed and any environments. The optimistic lock makes four calls for
    nearly every shopper in a crowd: of the largest one 200,000, which would say what those of 5,000 shoppers say.
    """
    if pattern is GetThenPut:
        return int(scenario == CONTROLLED)
    if pattern is OptimisticLock:
        return int(scenario.shoppers < HUGE)
    return seeds if scenario in OURS_AT_MOST else 1


def check(measured: Measured) -> None:
    """Stop with an error if a pattern that must not oversell has, or lost a grant, or if the control did not."""
    oversellers = {pattern.name for pattern in PATTERNS if pattern.oversells}
    for scenario, outcomes in measured.items():
        for name, runs in outcomes.items():
            for run in runs:
                if name in oversellers:
                    assert run.owners > scenario.stock, "the negative control sold no unit twice: no race was tested"
                else:
                    assert run.owners <= scenario.stock, f"{name} sold {run.owners} of {scenario.stock}"
                    assert run.owners == run.answers["granted"], f"{name} lost a grant"
                    assert run.shoppers_with_two == 0, f"{name} gave a shopper two units"


def _claims(measured: Measured) -> list[Claim]:
    """Ours within its bounds; nobody but ours has any."""
    claims = []
    for scenario, bound in OURS_AT_MOST.items():
        runs = measured[scenario].get(Shards.name)
        if runs:
            others = [
                median_and_spread([run.cost_per_sale for run in of])[0]
                for name, of in measured[scenario].items()
                if of and name not in {Shards.name, GetThenPut.name}
            ]
            against = f"the cheapest other pattern in this run: {min(others):.2f}" if others else "the bound alone"
            cost = median_and_spread([run.cost_per_sale for run in runs])[0]
            claims.append(Claim(f"cost per sale, {scenario.name}", round(cost, 4), bound, against))
    return claims


def _figures(runs: list[Outcome]) -> dict[str, Any]:
    middle = sorted(runs, key=lambda run: run.cost_per_sale)[len(runs) // 2]
    return {
        "cost_per_sale": _spread(run.cost_per_sale for run in runs),
        "write_units": _spread(run.requests.write_units for run in runs),
        "read_units": _spread(run.requests.read_units for run in runs),
        "failed_writes": _spread(run.requests.failed_writes for run in runs),
        "stream_consumer_cost_per_sale": _spread(run.consumer_cost_per_sale for run in runs),
        "sold": _spread(run.owners for run in runs),
        "per_granted_request": _per_request(runs, granted=True),
        "per_refused_request": _per_request(runs, granted=False),
        "refusals_by_calls": _histogram(run.calls_refused for run in runs),
        "grants_by_calls": _histogram(run.calls_granted for run in runs),
        "answers": middle.answers,
        "operations": dict(middle.requests.operations),
        "seeds": len(runs),
    }


def _per_request(runs: list[Outcome], *, granted: bool) -> dict[str, float]:
    """Means over all requests of all seeds; calls are without the reads of config, units are with them."""
    total, calls = Usage(), []
    for run in runs:
        total.add(run.granted if granted else run.refused)
        calls += run.calls_granted if granted else run.calls_refused
    count = max(1, len(calls))
    return {
        "requests": len(calls),
        "write_units": round(total.write_units / count, 4),
        "read_units": round(total.read_units / count, 4),
        "calls": round(sum(calls) / count, 4),
        "calls_at_most": max(calls, default=0),
    }


def _tables(environments: int, measured: Measured, names: list[str]) -> Iterator[Table]:
    """Yield the cost per sale, what a sale takes and what a refusal takes, patterns against demand."""
    scenarios = [scenario for scenario in SCENARIOS if scenario.environments == environments]
    units = f"{SCENARIOS[0].stock:,} units, {environments:,} environments"

    def table(title: str, cell: Callable[[Scenario, list[Outcome]], str]) -> Table:
        made = Table(title=f"{title} ({units})", title_justify="left")
        made.add_column("pattern", no_wrap=True)
        for scenario in scenarios:
            made.add_column(f"{scenario.shoppers:,} shoppers ({scenario.demand:g}x)", justify="right")
        for name in names:
            runs = [(scenario, measured[scenario][name]) for scenario in scenarios]
            made.add_row(name, *(cell(scenario, of) if of else "" for scenario, of in runs))
        return made

    yield table("Cost per unit sold, in write units + 0.2 x read units, all requests paid for", _cost_cell)
    yield table("One sale: write units + read units, calls", lambda _, runs: _request_cell(runs, granted=True))
    yield table("One refusal: write units + read units, calls", lambda _, runs: _request_cell(runs, granted=False))


def _cost_cell(scenario: Scenario, runs: list[Outcome]) -> str:
    sold = median_and_spread([float(run.owners) for run in runs])[0]
    possible = min(scenario.stock, scenario.shoppers)
    fault = (
        f" [red]sold {sold:,.0f}[/red]" if sold > scenario.stock else f" sold {sold:,.0f}" if sold < possible else ""
    )
    return _text(run.cost_per_sale for run in runs) + fault


def _request_cell(runs: list[Outcome], *, granted: bool) -> str:
    figures = _per_request(runs, granted=granted)
    if not figures["requests"]:
        return "none"
    return f"{figures['write_units']:.2f} + {figures['read_units']:.2f}, {figures['calls']:.2f}"


def _histogram(calls: Iterable[list[int]]) -> dict[str, int]:
    counts = Counter(each for of_run in calls for each in of_run)
    return {str(calls): counts[calls] for calls in sorted(counts)}


def _spread(values: Iterable[float]) -> list[float]:
    return [round(value, 4) for value in median_and_spread([float(value) for value in values])]


def _text(values: Iterable[float]) -> str:
    middle, least, largest = median_and_spread(list(values))
    return f"{middle:.2f}" + ("" if round(largest - least, 2) == 0 else f" [{least:.2f} - {largest:.2f}]")


def _progress(console: Console) -> Progress:
    text = TextColumn("{task.description}")
    return Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), text, console=console, transient=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs per pattern where a bound is claimed (default 3)")
    parser.add_argument("--only", default="", help="only patterns whose name contains this; nothing is written")
    return parser.parse_args()


if __name__ == "__main__":
    main()
