"""What docs/abuse.md shows can be typed: its campaign parts can be declared, its commands are there."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from brandday.usecases.admission import REMEMBER_MS
from brandday.usecases.keep_lists import DEFAULT_DAYS, MOST_DAYS
from brandday.usecases.open_case import KEEP_MS
from brandday.usecases.review_risk import MOST_CASES
from brandday_cli.main import app
from tests.fakes.declarations import declared

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "abuse.md").read_text(encoding="utf-8")
PARTS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("number", range(len(PARTS)))
def test_every_part_can_be_declared(number: int) -> None:
    part = PARTS[number]
    document: dict[str, Any] = yaml.safe_load(part)
    campaign = declared(late_payment="reject", **document)
    assert campaign.protection is not None


def test_every_part_of_a_protection_has_an_example() -> None:
    shown = {name for part in PARTS for name in yaml.safe_load(part)["protection"]}
    assert shown == {"brand_day", "limits", "ticket", "challenge", "risk"}


@pytest.mark.parametrize("page", ["abuse.md", "runbook.md", "operating.md"])
def test_every_command_is_there(page: str) -> None:
    root: Any = typer.main.get_command(app)
    named = set(re.findall(r"brandday risk (\w+)", (DOCS / page).read_text(encoding="utf-8")))
    assert named
    assert named <= set(root.commands["risk"].commands)


def test_every_command_about_risk_is_on_the_page() -> None:
    root: Any = typer.main.get_command(app)
    missing = [name for name in root.commands["risk"].commands if f"brandday risk {name}" not in PAGE]
    assert missing == []


def test_figures_are_those_of_the_code() -> None:
    assert f"{MOST_CASES:,} cases" in PAGE
    assert f"after {DEFAULT_DAYS} days if you say nothing, {MOST_DAYS} at most" in PAGE
    assert f"looked up for {KEEP_MS // 86_400_000} days" in PAGE
    assert REMEMBER_MS == 10_000
    assert "for ten seconds" in PAGE
