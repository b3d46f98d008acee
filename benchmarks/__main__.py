"""Measure every claim, one after the other: `make bench`, or `python -m benchmarks`.

What takes long with two cores is first. A claim that does not hold, or a benchmark that cannot run, does not keep the
others from being measured; it is named at the end, and the exit code says so.
"""

import sys
import time
from importlib import import_module

from benchmarks import results
from benchmarks.results import Claim, wide_console

MODULES = (
    "cost",
    "oversold",
    "refusals",
    "scaling",
    "redis_claims",
    "cpu",
    "cold_start",
    "draw",
    "growth",
    "guesses",
    "gates",
    "bots",
)
"""Each has a `main()` that prints its tables, saves its own section of results.json and stops with an error if what
it claims does not hold."""


def main() -> None:
    """Run each benchmark with its defaults, then show all claims together."""
    console = wide_console()
    sys.argv = sys.argv[:1]
    broken: dict[str, str] = {}
    claims: list[Claim] = []
    for name in MODULES:
        began = time.monotonic()
        console.rule(f"[bold]{name}")
        try:
            import_module(f"benchmarks.{name}").main()
        except AssertionError as claim:
            broken[name] = str(claim)
        except Exception as trouble:
            console.print_exception()
            broken[name] = f"{type(trouble).__name__}: {trouble}"
            continue
        console.print(f"{name}: {time.monotonic() - began:.0f} s", style="dim")
        claims += results.claims_of(name)
    console.rule("[bold]all claims")
    console.print(results.table_of(claims))
    for name, why in broken.items():
        console.print(f"[red]{name}: {why}")
    if broken:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
