"""Oversold or stranded: four processes sell as fast as they can, and the rows are counted afterwards.

    python -m benchmarks.oversold [--seeds 3]

Virtual time (benchmarks.rush) overlaps requests in one process; here nothing is simulated. Two crowds on AWS's
DynamoDB Local: 1,300 shoppers for 300 units who ask once, and 315 for 300 who come back as told until each has a
unit or none is left. "get, then put" is the negative control: it has to oversell, or the run proves nothing.
"""

import argparse
import multiprocessing
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier, Event
from typing import Any

from rich.table import Table

from benchmarks import results
from benchmarks.cost import COMMON
from benchmarks.engine import client_of
from benchmarks.patterns import Answer, Pattern
from benchmarks.results import Claim, wide_console
from benchmarks.rush import median_and_spread
from brandday_local.dynamodb_local import DynamoDbLocal

PROCESSES = 4
ENVIRONMENTS_PER_PROCESS = 4
STOCK = 300
GIVE_UP_SECONDS = 60
"""How long refused shoppers come back if there always is a unit left."""


@dataclass(frozen=True)
class Crowd:
    """How many ask for the stock, and whether they come back as told."""

    name: str
    shoppers: int
    come_back: bool


CROWDS = (
    Crowd("1,300 shoppers for 300 units, once", 1300, False),
    Crowd("315 shoppers for 300 units, coming back as told", 315, True),
)


@dataclass(frozen=True)
class Sold:
    """What one run came to: answers given, units owned by the rows, shoppers with more than one."""

    answers: dict[str, int]
    owners: int
    shoppers_with_two: int
    seconds: float


def sell(make_pattern: Callable[[str], Pattern], crowd: Crowd, endpoint_url: str) -> Sold:
    """Let the crowd loose on fresh tables and count."""
    run = uuid.uuid4().hex[:10]
    pattern, client = make_pattern(run), client_of(endpoint_url)
    pattern.create(client, STOCK, _now())
    context = multiprocessing.get_context("spawn")
    start, stop = context.Barrier(PROCESSES + 1), context.Event()
    with context.Pool(PROCESSES, _remember, (start, stop)) as pool:
        parts = [
            (make_pattern, run, endpoint_url, crowd, range(number, crowd.shoppers, PROCESSES))
            for number in range(PROCESSES)
        ]
        running = pool.starmap_async(_serve, parts, chunksize=1)
        start.wait()
        began = time.perf_counter()
        follow = pattern.background(client, _now)
        while not running.ready():
            if follow is not None:
                follow()
            if time.perf_counter() - began > GIVE_UP_SECONDS or len(pattern.claims(client)) >= STOCK:
                stop.set()  # those who still come back need not any more
            running.wait(0.3)
        answers = sum(running.get(), Counter[str]())
        seconds = time.perf_counter() - began
    owners = Counter(pattern.claims(client))
    pattern.drop(client)
    client.close()
    return Sold(dict(answers), owners.total(), sum(1 for units in owners.values() if units > 1), seconds)


def _remember(start: Barrier, stop: Event) -> None:
    """Barriers and events cannot travel with a task, only with the start of a process."""
    global _start, _stop
    _start, _stop = start, stop


_start: Barrier
_stop: Event


def _serve(
    make_pattern: Callable[[str], Pattern], run: str, endpoint_url: str, crowd: Crowd, shoppers: range
) -> Counter[str]:
    """Serve a part of the crowd in this process; return the last answer that each shopper got."""
    client = client_of(endpoint_url)
    pattern = make_pattern(run)
    environments = [pattern.environment(client, _now) for _ in range(ENVIRONMENTS_PER_PROCESS)]
    answers: Counter[str] = Counter()
    queue = [(0.0, number, 0) for number in shoppers]
    _start.wait()
    while queue:
        due, shopper, visit = queue.pop(0)
        if due:
            _stop.wait(max(0.0, due - time.monotonic()))
        environment = environments[(shopper + visit) % ENVIRONMENTS_PER_PROCESS]
        reply = environment.claim(f"shopper-{shopper}", _now())
        if crowd.come_back and reply.answer is not Answer.GRANTED and not _stop.is_set():
            queue.append((time.monotonic() + reply.retry_after_ms / 1000, shopper, visit + 1))
            queue.sort()
        else:
            answers[str(reply.answer)] += 1
    return answers


def main() -> None:
    """Measure all patterns with both crowds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="runs per pattern and crowd (default 3)")
    options = parser.parse_args()
    section: dict[str, Any] = {}
    console = wide_console()
    with DynamoDbLocal() as engine:
        for crowd in CROWDS:
            table = Table(title=f"{PROCESSES} processes, {crowd.name}", title_justify="left")
            table.add_column("pattern")
            for column in ("sold by the rows", "oversold", "left over", "shoppers with two", "seconds"):
                table.add_column(column, justify="right")
            for pattern in COMMON:
                runs = [sell(pattern, crowd, engine.endpoint_url) for _ in range(options.seeds)]
                owners = [run.owners for run in runs]
                seconds = median_and_spread([run.seconds for run in runs])[0]
                figures = {
                    "sold": owners,
                    "oversold": max(0, max(owners) - STOCK),
                    "left_over": max(0, STOCK - min(owners)),
                    "shoppers_with_two": max(run.shoppers_with_two for run in runs),
                    "seconds": round(seconds, 2),
                }
                section.setdefault(crowd.name, {})[pattern.name] = figures
                sold = ", ".join(str(units) for units in sorted(set(owners)))
                table.add_row(pattern.name, sold, *(str(value) for value in list(figures.values())[1:]))
                _check(pattern, crowd, runs)
            console.print(table)
    ours = [figures for runs in section.values() for name, figures in runs.items() if name == COMMON[-1].name]
    control = max(max(runs[COMMON[0].name]["sold"]) for runs in section.values())
    against = f"{COMMON[0].name}: {control} of {STOCK} sold"
    claims = [
        Claim("units oversold by ours, four processes", max(each["oversold"] for each in ours), 0, against),
        Claim("shoppers with two units, ours", max(each["shoppers_with_two"] for each in ours), 0, against),
    ]
    results.save("oversold", {"measured_against": "AWS's DynamoDB Local 1.25.1", "runs": section}, claims)


def _check(pattern: type[Pattern], crowd: Crowd, runs: list[Sold]) -> None:
    for run in runs:
        if pattern.oversells:
            assert run.owners > STOCK or crowd.come_back, "the negative control did not oversell"
            continue
        assert run.owners <= STOCK, f"{pattern.name} sold {run.owners} of {STOCK}"
        assert run.shoppers_with_two == 0, f"{pattern.name} gave a shopper two units"
        assert not crowd.come_back or run.owners == STOCK, f"{pattern.name} left units unsold"


def _now() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    main()
