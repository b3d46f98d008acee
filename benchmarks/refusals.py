"""What it costs to say "sold out": database calls per refusal once every unit is sold and paid.

    python -m benchmarks.refusals

A thousand units are sold and paid on AWS's DynamoDB Local; then 20,000 more shoppers come within ten seconds of
virtual time, at random to 32 environments that were there all the time. Config is read once a second by each
environment, whoever asks; those reads are shown apart.
"""

import argparse
import random
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks import results
from benchmarks.cost import COMMON
from benchmarks.engine import client_of
from benchmarks.meter import Meter
from benchmarks.ours import Shards
from benchmarks.patterns import Answer, Pattern
from benchmarks.results import Claim, wide_console
from benchmarks.rush import START_MS
from brandday_local.dynamodb_local import DynamoDbLocal

STOCK = 1000
ENVIRONMENTS = 32
REFUSALS = 20_000
SECONDS = 10
SETTLE_MS = 3000
"""Between the last payment and the first of the counted refusals."""

STEADY_AT_MOST = 0.001
"""Calls per refusal of the second half: nearly every environment has seen nearly every home shard by then."""

AGAINST = "designs whose refusals remember no owner: 0"


@dataclass(frozen=True)
class Quiet:
    """Calls made for all refusals, second by second; config reads apart."""

    calls: list[int]
    config_reads: list[int]
    refusals: list[int]
    granted_too_late: int

    @property
    def steady(self) -> float:
        """Calls per refusal in the second half, when every environment has learned what it can."""
        half = SECONDS // 2
        return sum(self.calls[half:]) / sum(self.refusals[half:])


def refuse(make_pattern: Callable[[str], Pattern], endpoint_url: str) -> Quiet:
    """Sell and pay everything, then count what refusals cost."""
    pattern, dice = make_pattern(uuid.uuid4().hex[:10]), random.Random(1)
    unmetered, client = client_of(endpoint_url), client_of(endpoint_url)
    account, clock = "sale", [int(START_MS)]
    meter = Meter(lambda: account, unmetered)
    meter.attach(client)
    pattern.create(unmetered, STOCK, clock[0])
    environments = [pattern.environment(client, lambda: clock[0]) for _ in range(ENVIRONMENTS)]
    follow = pattern.background(unmetered, lambda: clock[0]) or (lambda: None)
    buyer = 0
    while len(pattern.claims(unmetered)) < STOCK:
        for _ in range(STOCK // 10):
            dice.choice(environments).claim(f"buyer-{buyer}", clock[0])
            buyer, clock[0] = buyer + 1, clock[0] + 1
        clock[0] += 1000
        follow()
    pattern.settle(unmetered, clock[0])
    follow()
    clock[0] += SETTLE_MS
    began = clock[0]
    granted = 0
    refusals: Counter[int] = Counter()
    for late in range(REFUSALS):
        clock[0] = began + late * SECONDS * 1000 // REFUSALS
        second = (clock[0] - began) // 1000
        account = f"second {second}"
        answer = dice.choice(environments).claim(f"late-{late}", clock[0]).answer
        granted += answer is Answer.GRANTED
        refusals[second] += 1
    pattern.drop(unmetered)
    usages = [meter.usage(f"second {second}") for second in range(SECONDS)]
    config_reads = [usage.operations[pattern.config_operation] for usage in usages]
    calls = [usage.calls - reads for usage, reads in zip(usages, config_reads, strict=True)]
    return Quiet(calls, config_reads, [refusals[second] for second in range(SECONDS)], granted)


def main() -> None:
    """Measure every pattern that does not oversell."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    table = Table(title=f"{REFUSALS:,} refusals in {SECONDS} s, {ENVIRONMENTS} environments", title_justify="left")
    table.add_column("pattern")
    for column in ("calls in the first second", "later", "per refusal, steady", "config reads per second"):
        table.add_column(column, justify="right")
    section: dict[str, Any] = {}
    claims: list[Claim] = []
    with DynamoDbLocal() as engine:
        for pattern in COMMON:
            if pattern.oversells:
                continue
            quiet = refuse(pattern, engine.endpoint_url)
            assert not quiet.granted_too_late, f"{pattern.name} sold more than there was"
            figures = (quiet.calls[0], sum(quiet.calls[1:]), quiet.steady, max(quiet.config_reads))
            table.add_row(pattern.name, *(f"{figure:g}" for figure in figures))
            section[pattern.name] = {
                "calls_by_second": quiet.calls,
                "config_reads_by_second": quiet.config_reads,
                "calls_per_refusal_steady": quiet.steady,
            }
            if pattern is Shards:
                claims.append(
                    Claim("calls per sold-out refusal, seconds 6 to 10", quiet.steady, STEADY_AT_MOST, AGAINST)
                )
    console = wide_console()
    console.print(table)
    console.print(results.table_of(claims))
    results.save("refusals", {"measured_against": "AWS's DynamoDB Local 1.25.1", "patterns": section}, claims)
    results.stand_by(claims)


if __name__ == "__main__":
    main()
