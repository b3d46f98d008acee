"""The benchmarks' own arithmetic: claims that do not hold stop the run, and made-up tables are sound ones."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import MODULES
from benchmarks.alone import exponent
from benchmarks.growth import NOW_MS, SoldOut
from benchmarks.guesses import Lots
from benchmarks.meter import Usage
from benchmarks.ours import CAMPAIGN
from benchmarks.results import Claim, stand_by
from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_records import RawItem


def test_a_claim_that_does_not_hold_stops_the_run_and_is_named() -> None:
    good = Claim("cost per sale", 1.2, 1.25, "a transaction")
    stand_by([good])

    with pytest.raises(AssertionError, match=r"time of a claim: 1\.7, claimed 1\.6"):
        stand_by([good, Claim("time of a claim", 1.7, 1.6, "a bare call")])


def test_each_benchmark_is_run_by_make_bench_and_is_in_the_docs() -> None:
    folder = Path(benchmarks.__file__).parent
    docs = (folder.parent / "docs" / "benchmarks.md").read_text()
    saving = {path.stem for path in folder.glob("*.py") if "results.save(" in path.read_text()} - {"results"}

    assert saving <= set(MODULES)
    assert [name for name in MODULES if f"`python -m benchmarks.{name}`" not in docs] == []


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power: float) -> None:
    assert exponent({size: 3e-6 * size**power for size in (1000, 10_000, 100_000)}) == pytest.approx(power)


def test_a_read_unit_costs_a_fifth_of_a_write_unit() -> None:
    usage = Usage(write_units=3, read_units=1)
    usage.add(Usage(calls=2, write_units=1, read_units=4, failed_writes=1, operations=Counter(GetItem=2)))

    assert usage.cost == 5.0
    assert (usage.calls, usage.failed_writes, usage.operations["GetItem"]) == (2, 1, 2)


@pytest.mark.parametrize("units", [1, 29, 300, 1003])
def test_the_sale_that_the_audit_is_timed_on_is_sound(units: int) -> None:
    findings = audit_campaign(SoldOut(units), CAMPAIGN, now_ms=lambda: NOW_MS)

    assert findings.ok, findings.violations
    (pool,) = findings.pools
    assert (pool.free, pool.held + pool.sold) == (0, units)


def test_and_its_overflow_is_really_judged() -> None:
    class Lost(SoldOut):
        """One pointer is missing."""

        def read_shards(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
            for number, item in super().read_shards(campaign_id, shards):
                found = dict(item or {})
                pointers = [name for name, value in found.items() if str(value.get("S", ""))[:1] == ">"]
                assert pointers
                if number == 3:
                    del found[pointers[0]]
                yield number, found

    assert [found.code for found in audit_campaign(Lost(300), CAMPAIGN, now_ms=lambda: NOW_MS).violations]


def test_two_lots_of_times_are_compared_pair_by_pair_and_ties_count_half() -> None:
    assert Lots([1, 2, 3], [2, 3, 4]).share == pytest.approx(2 / 9)
    same = Lots([1, 2, 3, 4], [4, 2, 3, 1])
    assert (same.share, same.chance) == (0.5, 1)
    apart = Lots([number / 10 for number in range(50)], [5 + number / 10 for number in range(50)])
    assert apart.share == 0
    assert apart.chance < 1e-15


_CHILD = "from benchmarks.alone import peak_mb; print(peak_mb())"
_CONTROL = "from resource import RUSAGE_SELF, getrusage; print(getrusage(RUSAGE_SELF).ru_maxrss / 1024)"
_PARENT = f"""
import subprocess, sys
mine = bytearray(b"x") * 300_000_000
for child in ({_CHILD!r}, {_CONTROL!r}):
    subprocess.run([sys.executable, "-c", child], check=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere getrusage is asked, which starts anew with a program")
def test_memory_is_that_of_the_process_and_not_of_the_one_that_started_it() -> None:
    """The control is what getrusage says: with it every operation of a large process's child took 0 MB."""
    done = subprocess.run([sys.executable, "-c", _PARENT], capture_output=True, text=True, check=True)
    ours, control = map(float, done.stdout.split())
    assert ours < 100 < 250 < control
