"""Every benchmark still runs, at a size that says nothing: what `make bench` claims is measured by no test, and it
takes half an hour, so that a change that breaks one would be noticed late.

Left out are `cost`, `oversold` and `refusals`, whose parts are in `test_benchmark_patterns.py`, and `redis_claims`,
which needs a Redis server.
"""

import sys
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.__main__ import MODULES

SMALL = {
    "scaling": ["--rounds", "1", "--seconds", "0.05"],
    "cpu": ["--pairs", "2"],
    "cold_start": ["--pairs", "1", "--no-sizes"],
    "draw": ["--largest", "10000"],
    "growth": ["--largest", "10000"],
    "guesses": ["--rounds", "5"],
    "gates": [],
    "bots": ["--visitors", "25"],
}
ELSEWHERE = {"cost", "oversold", "refusals", "redis_claims"}


def test_each_benchmark_is_run_here_or_elsewhere() -> None:
    assert SMALL.keys() | ELSEWHERE == set(MODULES)


@pytest.mark.soak
@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_runs_and_saves_its_section(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(results, "stand_by", lambda _: None)  # so few prove nothing, and refute nothing either
    monkeypatch.setattr(sys, "argv", [name, *SMALL[name]])
    import_module(f"benchmarks.{name}").main()
    assert list(results.read()) == [name]
