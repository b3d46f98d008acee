"""Claims per second as worker processes are added: ours against a transaction, on AWS's DynamoDB Local.

    python -m benchmarks.scaling [--rounds 9] [--seconds 0.8]

Each worker is one environment in a process of its own and claims as fast as it can. Every round measures each number of
workers with both patterns, one right after the other and in turns, so that both meet the same machine; the figures are
medians of the rounds, the ratio that of each pair. There is always enough stock, so every claim is a sale.
"""

import argparse
import multiprocessing
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from typing import Any

from rich.table import Table

from benchmarks import results
from benchmarks.engine import client_of
from benchmarks.ours import Shards
from benchmarks.patterns import Answer, CounterWithClaim, Pattern
from benchmarks.results import Claim, wide_console
from benchmarks.rush import median_and_spread
from brandday_local.dynamodb_local import DynamoDbLocal

WORKERS = (1, 2, 4)
PATTERNS: tuple[type[Pattern], ...] = (CounterWithClaim, Shards)
STOCK = 100_000
WARM_UP = 20
"""Claims of each worker that do not count: connections are made, and config is read."""

SLOWER_AT_MOST = 1.25
"""How many times as long as a transaction one of our claims may take, on an engine that does a transaction in one call
and has neither conflicts nor a partition that could be full: a quarter for our own code and for noise."""

AGAINST = "the transaction pattern, in the same harness and the same round, on DynamoDB Local"

type Rates = dict[tuple[int, str], list[float]]
"""Claims per second of each round, by number of workers and pattern."""


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="how often each is measured (default 9)")
    parser.add_argument("--seconds", type=float, default=0.8, help="how long each time (default 0.8)")
    options = parser.parse_args()
    rates = measure(options.rounds, options.seconds)
    ratios = {
        workers: [
            ours / theirs
            for ours, theirs in zip(rates[workers, Shards.name], rates[workers, CounterWithClaim.name], strict=True)
        ]
        for workers in WORKERS
    }
    table = Table(title=f"Claims per second on DynamoDB Local, {options.rounds} rounds", title_justify="left")
    for column in ("workers", CounterWithClaim.name, Shards.name, "ours over the transaction"):
        table.add_column(column, justify="right", no_wrap=True)
    for workers in WORKERS:
        spreads = [rates[workers, pattern.name] for pattern in PATTERNS]
        table.add_row(str(workers), *(_text(spread, 0) for spread in spreads), _text(ratios[workers], 2))
    pairs = [ratio for of_workers in ratios.values() for ratio in of_workers]
    slower = round(1 / median_and_spread(pairs)[0], 3)
    claims = [Claim("time of a claim over that of a transaction, all pairs", slower, SLOWER_AT_MOST, AGAINST)]
    console = wide_console()
    console.print(table)
    console.print(results.table_of(claims))
    section: dict[str, Any] = {
        "measured_against": AGAINST,
        "unit": "claims per second; median of the rounds [least, largest]",
        "rounds": options.rounds,
        "ratio_of_all_pairs": _spread(pairs, 3),
        "workers": {
            str(workers): {
                **{pattern.name: _spread(rates[workers, pattern.name], 1) for pattern in PATTERNS},
                "ratio": _spread(ratios[workers], 3),
            }
            for workers in WORKERS
        },
    }
    results.save("scaling", section, claims)
    results.stand_by(claims)


def measure(rounds: int, seconds: float) -> Rates:
    """Return the rates of all rounds; every claim has to be in the tables afterwards.

    Tables are made once, and the first round does not count: a local engine is slow while it has new tables or code.
    """
    rates: Rates = {(workers, pattern.name): [] for workers in WORKERS for pattern in PATTERNS}
    sold: Counter[str] = Counter()
    with DynamoDbLocal() as engine, ExitStack() as cleanup:
        pools = {workers: cleanup.enter_context(_workers(workers)) for workers in WORKERS}
        client, run = client_of(engine.endpoint_url), uuid.uuid4().hex[:10]
        makers: tuple[Callable[[str], Pattern], ...] = PATTERNS
        made = [make(run) for make in makers]
        for each in made:
            each.create(client, STOCK, _now())
        for number in range(rounds + 1):
            for workers, pool in pools.items():
                for pattern in PATTERNS if number % 2 else reversed(PATTERNS):
                    parts = [
                        (pattern, run, engine.endpoint_url, f"{number}-{workers}-{at}", seconds)
                        for at in range(workers)
                    ]
                    worked = pool.starmap(_claim, parts, chunksize=1)
                    sold[pattern.name] += sum(claims + WARM_UP for claims, _ in worked)
                    if number:
                        rates[workers, pattern.name].append(sum(claims / took for claims, took in worked))
        for each in made:
            assert len(each.claims(client)) == sold[each.name], f"{each.name} lost claims"
        client.close()
    return rates


def _workers(count: int) -> Pool:
    context = multiprocessing.get_context("spawn")
    return context.Pool(count, _remember, (context.Barrier(count),))


def _remember(start: Barrier) -> None:
    """Barriers cannot travel with a task, only with the start of a process."""
    global _start  # noqa: PLW0603 - one per process, set once
    _start = start


_start: Barrier


def _claim(
    make_pattern: Callable[[str], Pattern], run: str, endpoint_url: str, part: str, seconds: float
) -> tuple[int, float]:
    """Claim for so long in this process; return how many claims, and how long it took."""
    client = client_of(endpoint_url)
    environment = make_pattern(run).environment(client, _now)
    for number in range(WARM_UP):
        assert environment.claim(f"first-{part}-{number}", _now()).answer is Answer.GRANTED
    _start.wait(60)
    claims, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        assert environment.claim(f"shopper-{part}-{claims}", _now()).answer is Answer.GRANTED
        claims += 1
    client.close()
    return claims, took


def _now() -> int:
    return time.time_ns() // 1_000_000


def _spread(values: list[float], digits: int) -> list[float]:
    return [round(value, digits) for value in median_and_spread(values)]


def _text(values: list[float], digits: int) -> str:
    middle, least, largest = median_and_spread(values)
    return f"{middle:,.{digits}f} [{least:,.{digits}f} - {largest:,.{digits}f}]"


if __name__ == "__main__":
    main()
