"""Cost per sale: ours against the usual patterns, side by side in one run on AWS's DynamoDB Local.

    python -m benchmarks.cost [--seeds 3] [--only PART_OF_A_NAME]

Prints a table and writes the section "cost" of results.json. What the figures mean: docs/benchmarks.md.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import results
from benchmarks.ours import Shards
from benchmarks.patterns import CounterThenClaim, CounterWithClaim, GetThenPut, Pattern
from benchmarks.results import wide_console
from benchmarks.rush import Outcome, Scenario, median_and_spread, replay
from brandday_local.dynamodb_local import DynamoDbLocal

SCENARIOS = (Scenario(1300, 32), Scenario(5000, 32), Scenario(5000, 1000))
OURS_AT_MOST = dict(zip(SCENARIOS, (1.5, 1.6, 3.7), strict=True))
"""Cost per sale that ours may not exceed."""

PATTERNS: tuple[type[Pattern], ...] = (GetThenPut, CounterThenClaim, CounterWithClaim, Shards)


def main() -> None:
    """Measure every pattern in every scenario."""
    options = _options()
    chosen = [pattern for pattern in PATTERNS if options.only.lower() in pattern.name.lower()]
    console = wide_console()
    measured: dict[Scenario, dict[str, list[Outcome]]] = {}
    with DynamoDbLocal() as engine, _progress(console) as progress:
        runs = [
            (scenario, pattern, seed)
            for scenario in SCENARIOS
            for pattern in chosen
            for seed in range(_seeds(pattern, scenario, options.seeds))
        ]
        task = progress.add_task("", total=len(runs))
        for scenario, pattern, seed in runs:
            progress.update(task, description=f"{scenario.name}: {pattern.name}")
            outcome = replay(pattern, scenario, engine.endpoint_url, seed)
            measured.setdefault(scenario, {}).setdefault(pattern.name, []).append(outcome)
            progress.advance(task)
    for scenario, outcomes in measured.items():
        console.print(_table(scenario, outcomes))
    section = {
        "measured_against": "AWS's DynamoDB Local 1.25.1, all patterns in the same run",
        "unit": "write units + 0.2 x read units per unit sold; median of the seeds [least, largest]",
        "stock": SCENARIOS[0].stock,
        "scenarios": {
            scenario.name: {name: _figures(runs) for name, runs in outcomes.items()}
            for scenario, outcomes in measured.items()
        },
    }
    if not options.only:
        results.save("cost", section)
        console.print(f"written to {results.RESULTS}")
    _check(measured)


def _seeds(pattern: type[Pattern], scenario: Scenario, seeds: int) -> int:
    """The negative control is slow and fails with any seed; it never refuses, so cold environments change nothing."""
    if not pattern.oversells:
        return seeds
    return 0 if scenario.is_cold else 1


def _check(measured: dict[Scenario, dict[str, list[Outcome]]]) -> None:
    """Stop with an error if a pattern that must not oversell has, or if ours costs more than it may."""
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
        cost = median_and_spread([run.cost_per_sale for run in outcomes.get(Shards.name, [])] or [0.0])[0]
        assert cost <= OURS_AT_MOST[scenario], f"ours costs {cost:.2f} per sale with {scenario.name}"


def _figures(runs: list[Outcome]) -> dict[str, Any]:
    middle = sorted(runs, key=lambda run: run.cost_per_sale)[len(runs) // 2]
    return {
        "cost_per_sale": _spread(run.cost_per_sale for run in runs),
        "write_units": _spread(run.requests.write_units for run in runs),
        "read_units": _spread(run.requests.read_units for run in runs),
        "failed_writes": _spread(run.requests.failed_writes for run in runs),
        "stream_consumer_cost_per_sale": _spread(run.consumer_cost_per_sale for run in runs),
        "sold": _spread(run.owners for run in runs),
        "calls_per_granted_request": {"mean": _mean(runs, _granted), "max": _largest(runs, _granted)},
        "calls_per_refused_request": {"mean": _mean(runs, _refused), "max": _largest(runs, _refused)},
        "refusals_by_calls": _histogram(runs, _refused),
        "grants_by_calls": _histogram(runs, _granted),
        "answers": middle.answers,
        "operations": dict(middle.requests.operations),
        "seeds": len(runs),
    }


def _table(scenario: Scenario, outcomes: dict[str, list[Outcome]]) -> Table:
    table = Table(title=f"{scenario.name}, {scenario.stock:,} units", title_justify="left")
    table.add_column("pattern", no_wrap=True)
    for column in ("cost per sale", "write units", "read units", "sold", "calls per grant", "calls per refusal"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("stream consumer", justify="right", no_wrap=True)
    for name, runs in outcomes.items():
        sold = median_and_spread([float(run.owners) for run in runs])[0]
        consumer = median_and_spread([run.consumer_cost_per_sale for run in runs])[0]
        table.add_row(
            name,
            _text(run.cost_per_sale for run in runs),
            _text((run.requests.write_units for run in runs), digits=0),
            _text((run.requests.read_units for run in runs), digits=0),
            f"[red]{sold:,.0f}[/red]" if sold > scenario.stock else f"{sold:,.0f}",
            f"{_mean(runs, _granted):.2f} (max {_largest(runs, _granted)})",
            f"{_mean(runs, _refused):.2f} (max {_largest(runs, _refused)})",
            f"+{consumer:.2f}" if consumer else "",
        )
    return table


def _granted(run: Outcome) -> list[int]:
    return run.calls_granted


def _refused(run: Outcome) -> list[int]:
    return run.calls_refused


def _mean(runs: list[Outcome], calls_of: Callable[[Outcome], list[int]]) -> float:
    calls = [calls for run in runs for calls in calls_of(run)]
    return round(sum(calls) / max(1, len(calls)), 4)


def _largest(runs: list[Outcome], calls_of: Callable[[Outcome], list[int]]) -> int:
    return max((calls for run in runs for calls in calls_of(run)), default=0)


def _histogram(runs: list[Outcome], calls_of: Callable[[Outcome], list[int]]) -> dict[str, int]:
    counts = Counter(calls for run in runs for calls in calls_of(run))
    return {str(calls): counts[calls] for calls in sorted(counts)}


def _spread(values: Iterable[float]) -> list[float]:
    return [round(value, 4) for value in median_and_spread([float(value) for value in values])]


def _text(values: Iterable[float], digits: int = 2) -> str:
    middle, least, largest = median_and_spread(list(values))
    spread = "" if least == largest else f" [{least:,.{digits}f} - {largest:,.{digits}f}]"
    return f"{middle:,.{digits}f}{spread}"


def _progress(console: Console) -> Progress:
    text = TextColumn("{task.description}")
    return Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), text, console=console, transient=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs per pattern and scenario (default 3)")
    parser.add_argument("--only", default="", help="only patterns whose name contains this; nothing is written")
    return parser.parse_args()


if __name__ == "__main__":
    main()
