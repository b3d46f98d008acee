"""The threat model names tests that are there, and says what it does not defend."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/threat-model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
DEFENDED, _, UNDEFENDED = PAGE.partition("## What is not defended")
ROWS = [line for line in DEFENDED.splitlines() if line.startswith("| ") and "`tests/" in line]


@cache
def _names_in(file: str) -> set[str]:
    path = ROOT / file
    return set(re.findall(r"^def (test_\w+)\(", path.read_text("utf-8"), re.M)) if path.exists() else set()


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[f"{file}::{name}" for file, name in NAMED])
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    assert name in _names_in(file)


def test_every_threat_has_its_test() -> None:
    after = DEFENDED.partition("## What is defended")[2]
    tables = [line for line in after.splitlines() if line.startswith("| ") and not line.startswith("| threat |")]
    assert len(ROWS) > 30
    assert tables == ROWS


def test_what_is_not_defended_is_said() -> None:
    assert UNDEFENDED.count("\n- **") >= 15
