"""Whoever adds a setting says what it does in docs/settings.md."""

import re
from pathlib import Path

import pytest

from brandday_local.template_tables import parameters

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
SOURCES = [ROOT / "layers/core/brandday/config/settings.py", *sorted((ROOT / "cli").rglob("*.py"))]
VARIABLES = sorted(
    {name for source in SOURCES for name in re.findall(r'"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"', source.read_text("utf-8"))}
)


@pytest.mark.parametrize("name", parameters())
def test_a_parameter_of_the_template_is_documented(name: str) -> None:
    assert f"`{name}`" in GUIDE


@pytest.mark.parametrize("name", VARIABLES)
def test_an_environment_variable_is_documented(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_the_search_finds_the_variables() -> None:
    assert {"STOCK_TABLE", "CAMPAIGN_TABLE", "HOLD_QUEUE_URL", "DATABASE_TIMEOUT_MS", "BRANDDAY_TOKEN"} <= set(
        VARIABLES
    )
