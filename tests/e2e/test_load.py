"""The load tests themselves, small, against the deployed stack: they pass, and they fail when they should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from brandday_local.places import ROOT
from brandday_local.stack import LocalStack

pytestmark = pytest.mark.stack

BY_SCENARIO = {"baseline": 2, "herd": 8, "sustained": 2, "hot_sku": 6, "brand_day": 6, "chaos": 4}
"""Users of the small runs: every request in flight is a process of the emulator."""


def run(
    stack: LocalStack, scenario: str, folder: Path, seconds: int, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a scenario as docs/load-testing.md says."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", f"tests/load/{scenario}.py", "--headless"),
            *("--host", stack.api_url, "-u", str(BY_SCENARIO[scenario]), "-r", "20", "-t", f"{seconds}s"),
            *("--html", str(folder / "report.html"), "--stop-timeout", "20"),
        ],
        cwd=ROOT,
        env=os.environ | {"LOAD_STACK": stack.folder, "LOAD_STOCK": "5", "PYTHONPATH": str(ROOT)} | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.parametrize(
    ("scenario", "seconds"),
    [("herd", 20)]
    + [
        pytest.param(name, seconds, marks=pytest.mark.soak)
        for name, seconds in (("baseline", 10), ("sustained", 10), ("hot_sku", 10), ("brand_day", 25), ("chaos", 30))
    ],
)
def test_a_scenario_ends_in_order(stack: LocalStack, tmp_path: Path, scenario: str, seconds: int) -> None:
    done = run(stack, scenario, tmp_path, seconds)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "in order" in done.stderr + done.stdout
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_run_ends_with_its_last_request(stack: LocalStack, tmp_path: Path) -> None:
    done = run(stack, "hot_sku", tmp_path, 60, LOAD_MOST_REQUESTS="5")
    assert "last request" in done.stderr + done.stdout


def test_no_load_without_a_stage(stack: LocalStack, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", "tests/load/herd.py", "--headless"),
            *("-u", "1", "-t", "5s", "--host", "https://shop.example"),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "set LOAD_ALLOW_HOST=shop.example" in done.stderr + done.stdout
