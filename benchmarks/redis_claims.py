"""The usual alternative measured: one Redis node that runs a claim as a Lua script, and where it is the better choice.

    python -m benchmarks.redis_claims [--rounds 3] [--claims 100000]

Needs Debian's `redis-server` and `redis-tools` (apt-get install redis-server); without them it says so and measures
nothing. Prints a table and writes the section "redis_claims" of results.json. What it means: docs/benchmarks.md.
"""

import argparse
import csv
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks import results
from brandday_cli.plan_tariff import read_tariff

SCRIPT = Path(__file__).with_name("claim.lua")
NEEDED = ("redis-server", "redis-cli", "redis-benchmark")
SHARD_COST = 1.3
"""Write units + 0.2 x read units that ours takes for each unit sold; `benchmarks.cost` measures it."""

TABLE_QUOTA = 40_000
HOURS_PER_MONTH = 730
_SHOPPERS = 1_000_000_000
_CLIENTS = 50


@dataclass(frozen=True)
class Mode:
    """How safe a claim is when the node loses power, and how clients send."""

    name: str
    settings: tuple[str, ...]
    pipeline: int


MODES = tuple(
    Mode(f"{safety}, {sending}", settings, pipeline)
    for safety, settings in (
        ("in memory only", ("--appendonly", "no")),
        ("appendfsync everysec", ("--appendonly", "yes", "--appendfsync", "everysec")),
        ("appendfsync always", ("--appendonly", "yes", "--appendfsync", "always")),
    )
    for sending, pipeline in (("one at a time", 1), ("16 in a pipeline", 16))
)


class Redis:
    """A running server on the loopback address."""

    def __init__(self, port: int) -> None:
        self._port = str(port)
        self.sha = self.ask("SCRIPT", "LOAD", SCRIPT.read_text("utf-8"))

    def ask(self, *words: str) -> str:
        """Send one command and return the answer as text."""
        done = subprocess.run(["redis-cli", "-p", self._port, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def claim(self, shopper: str, key: str, limit: int = 1) -> int:
        """Claim one unit."""
        return int(self.ask("EVALSHA", self.sha, "3", "stock", "claims", "answers", shopper, key, str(limit)))

    def processor_seconds(self) -> float:
        """Return how much processor time the server has had."""
        lines = dict(line.split(":", 1) for line in self.ask("INFO", "cpu").splitlines() if ":" in line)
        return float(lines["used_cpu_user"]) + float(lines["used_cpu_sys"])

    def claims_per_second(self, claims: int, pipeline: int) -> float:
        """Let `redis-benchmark` send claims of random shoppers, each with a key of its own, and return its figure."""
        command = ["redis-benchmark", "-p", self._port, "-n", str(claims), "-c", str(_CLIENTS), "-P", str(pipeline)]
        command += ["-r", str(_SHOPPERS), "--csv", "EVALSHA", self.sha, "3", "stock", "claims", "answers"]
        command += ["s__rand_int__", "k__rand_int__", "1"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        (row,) = list(csv.DictReader(done.stdout.splitlines()))
        return float(row["rps"])


@contextmanager
def running(settings: tuple[str, ...]) -> Iterator[Redis]:
    """Start a server with these settings and an empty folder, and stop it in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="redis-claims-") as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", *settings]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
            try:
                _wait(port)
                yield Redis(port)
            finally:
                server.terminate()


def _wait(port: int) -> None:
    for _ in range(100):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("redis-server does not answer")


def main() -> None:
    """Measure, or say why not."""
    options = _options()
    console = results.wide_console()
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        console.print(
            f"[yellow]Not measured: {', '.join(missing)} not found. On Debian: apt-get install redis-server. "
            "The figures in results.json are from where it was.[/yellow]"
        )
        return
    _check_script()
    measured: dict[str, list[float]] = {mode.name: [] for mode in MODES}
    of_processor: dict[str, list[float]] = {mode.name: [] for mode in MODES}
    for _ in range(options.rounds):
        for mode in MODES:  # interleaved: what slows the machine for a while slows all of them
            with running(mode.settings) as redis:
                redis.ask("SET", "stock", str(10 * options.claims))
                before = redis.processor_seconds()
                measured[mode.name].append(redis.claims_per_second(options.claims, mode.pipeline))
                of_processor[mode.name].append(options.claims / (redis.processor_seconds() - before))
                sold = 10 * options.claims - int(redis.ask("GET", "stock"))
                assert sold == int(redis.ask("HLEN", "answers")), "each key has to have its unit"
    section = _section(measured, of_processor)
    console.print(_table(measured, of_processor))
    for name, value in section["crossover"].items():
        console.print(f"{name}: {value}")
    results.save("redis_claims", section)
    console.print(f"written to {results.RESULTS}")


def _check_script() -> None:
    """The script does what the comparison says of it, or there is nothing to compare."""
    with running(("--appendonly", "no")) as redis:
        redis.ask("SET", "stock", "2")
        assert redis.claim("ann", "k1") == 1
        assert redis.claim("ann", "k1") == 1, "the same key has the same answer"
        assert redis.claim("ann", "k2") == 0, "one for each shopper"
        assert redis.claim("bob", "k3") == 1
        assert redis.claim("cyn", "k4") == -1, "there were two"
        assert redis.ask("GET", "stock") == "0"


def _section(measured: dict[str, list[float]], of_processor: dict[str, list[float]]) -> dict[str, Any]:
    prices = read_tariff().prices
    node = prices.redis_node_hour * HOURS_PER_MONTH
    per_sale = SHARD_COST * prices.write_units_per_million / 1e6
    return {
        "measured_against": f"{_version()}, {_CLIENTS} clients of redis-benchmark on the same machine",
        "unit": "claims per second; median of the rounds [least, largest]",
        "claims_per_second": {name: _spread(values) for name, values in measured.items()},
        "claims_per_second_of_the_server's_processor": {name: _spread(each) for name, each in of_processor.items()},
        "crossover": {
            "one node, dollars a month, idle or not": round(node, 2),
            "the same with a replica in another zone": round(2 * node, 2),
            "ours, dollars a month when idle": 0.0,
            "ours, dollars for each million sales (stock alone)": round(per_sale * 1e6, 2),
            "sales a month from which one node costs less than our writes": round(node / per_sale),
            "claims a second of one SKU from which a table needs a raised quota": round(TABLE_QUOTA / SHARD_COST),
        },
    }


def _version() -> str:
    text = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    return "Redis " + text.split("v=")[1].split()[0]


def _spread(values: list[float]) -> list[int]:
    return [round(value) for value in (statistics.median(values), min(values), max(values))]


def _table(measured: dict[str, list[float]], of_processor: dict[str, list[float]]) -> Table:
    table = Table(title=f"Claims per second on one Redis node ({os.cpu_count()} cores, shared with its clients)")
    table.add_column("mode")
    for column in ("median", "least", "largest", "by the server's processor time", "least", "largest"):
        table.add_column(column, justify="right")
    for name, values in measured.items():
        table.add_row(name, *(f"{value:,}" for value in [*_spread(values), *_spread(of_processor[name])]))
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each mode (default 3)")
    parser.add_argument("--claims", type=int, default=100_000, help="claims in each run (default 100,000)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
