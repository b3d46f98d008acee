"""The script for those who trust nobody: it stands alone, agrees with our own rules, and names what was changed."""

import ast
import copy
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from brandday.domain.receipt_check import verify
from tests.unit.lottery_world import honest_draw, honest_instant
from tests.unit.test_receipt import RECEIPTS, at, leaves, named, other_values, place_of, resealed, tampered

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_draw.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_draw", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = load()


def test_it_is_short_and_needs_the_standard_library_only() -> None:
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 300
    docstrings = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    told = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in docstrings)
    code = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert len(code) - told <= 250
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names


@settings(max_examples=40, deadline=None)
@given(some.integers(0, 10_000))
def test_both_implementations_find_honest_receipts_honest(seed: int) -> None:
    for receipt in (honest_instant(seed), honest_draw(seed)):
        assert script.check(receipt) == [] == verify(receipt)


@settings(max_examples=300, deadline=None)
@given(some.sampled_from(RECEIPTS), some.data())
def test_any_single_field_that_was_changed_is_found_and_named(receipt: Any, data: some.DataObject) -> None:
    path = data.draw(some.sampled_from(leaves(receipt)))
    value = data.draw(some.sampled_from(other_values(at(receipt, path))))
    problems = script.check(tampered(receipt, path, value))
    assert problems, path
    assert named(problems, place_of(receipt, path)), (path, value, problems)


@settings(max_examples=200, deadline=None)
@given(some.integers(0, 300), some.data())
def test_both_implementations_agree_on_receipts_whose_hashes_were_made_to_fit(seed: int, data: some.DataObject) -> None:
    receipt = copy.deepcopy(honest_instant(seed))
    paths = [path for path in leaves(receipt["entrants"]) if path[1] in ("entries", "chances")]
    path = data.draw(some.sampled_from(paths))
    value = data.draw(some.sampled_from(other_values(at(receipt["entrants"], path))))
    changed = resealed(tampered(receipt, ("entrants", *path), value))
    ours, theirs = verify(changed), script.check(changed)
    places, others = {each.where for each in ours}, {where for where, _ in theirs}
    if "receipt" in places | others or any(each.what == "is no entry" for each in ours):
        assert places, "what one cannot read, the other does not take for good"
        assert others
    else:
        # What follows from nonsense is told differently; that it is there, and where, is not.
        assert bool(places) == bool(others), (path, value, ours, theirs)
        assert places & others or not places, (path, value, ours, theirs)


@pytest.mark.parametrize("per_day", [None, 10_000])
def test_a_large_receipt_takes_seconds_and_not_days(per_day: int | None) -> None:
    prize = {"id": "mug", "stock": 10_000, "per_day": per_day, "release": {"plan": "all"}}
    pool = script.Pool(0, prize, {"shards": 300, "days_ms": [0], "starts_ms": 0}, b"")
    pool.wins = [(win, win % 300, float("inf"), "somewhere") for win in range(10_000)]
    script.problems.clear()
    began = time.process_time()
    pool.check_wins()
    judge = pool.was_gone if per_day is None else pool.was_full
    assert all(judge(at, at) for at in range(9_999, 20_000))
    assert not judge(0, 0)
    assert script.problems == []
    # A tenth of a second. Going through all wins for each of them took more than a minute.
    assert time.process_time() - began < 5


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(params=[honest_instant, honest_draw], ids=["instant", "draw"])
def receipt(request: pytest.FixtureRequest) -> Any:
    return request.param(3)


def test_a_shopper_runs_it_on_a_file(receipt: Any, tmp_path: Path) -> None:
    file = tmp_path / "RECEIPT.json"
    file.write_text(json.dumps(receipt))
    table, name = receipt["tables"][0], receipt["entrants"][0]["entrant"]
    said = run(
        str(file),
        "--commitment",
        table["table"]["commitment"],
        "--table",
        table["hash"],
        "--entry",
        f"ent_spring.{name}.1",
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "All of it verifies." in said.stdout
    assert "your entry" in said.stdout


def test_it_says_what_is_wrong_and_fails(receipt: Any, tmp_path: Path) -> None:
    file = tmp_path / "RECEIPT.json"
    file.write_text(json.dumps({**receipt, "seed": "00" * 32}))
    said = run(str(file))
    assert said.returncode == 1
    assert "WRONG seed: " in said.stdout
    file.write_text(json.dumps(receipt))
    for arguments in (["--root", "ab" * 32], ["--commitment", "ab" * 32], ["--entry", "ent_spring.zzzzzzzzzzzz.1"]):
        said = run(str(file), *arguments)
        assert said.returncode == 1, said.stdout
        assert "Does not verify." in said.stdout
