"""`brandday plan` at the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from brandday_cli.failures import ExitCode
from brandday_cli.main import app

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["plan", *arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_a_plan_says_what_to_deploy() -> None:
    result = run("--shoppers", "2000000", "--stock", "100000", "--arrivals", "herd")
    assert result.exit_code == ExitCode.DONE, result.output
    assert "sam deploy --parameter-overrides RequestsPerSecond=" in result.output
    assert "WarmStockWrites=" in result.output


def test_the_stock_may_come_from_a_campaign() -> None:
    result = run("--shoppers", "50000", "--campaign", str(CAMPAIGNS / "november-brand-day.yaml"), "--json")
    document = json.loads(result.stdout)
    assert document["wishes"]["stock"]["HERO-SERUM-30"] == 1000
    assert document["plan"]["sold"] == 2960
    assert document["prices_as_of"]
    assert document["simulated"] == []


def test_a_day_of_a_campaign_is_played_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "day.svg"
    campaign = str(CAMPAIGNS / "november-brand-day.yaml")
    result = run("--shoppers", "200", "--campaign", campaign, "--arrivals", "1s=100%", "--plot", str(picture), "--json")
    assert result.exit_code == ExitCode.DONE, result.output
    (outcome,) = json.loads(result.stdout)["simulated"]
    assert outcome["taken"] == 200
    assert outcome["wrong_refusals"] == 0
    assert "<svg" in picture.read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--shoppers", "10"),
        ("--shoppers", "10", "--stock", "1", "--campaign", "x.yaml"),
        ("--shoppers", "10", "--stock", "1", "--arrivals", "soon"),
        ("--shoppers", "10", "--stock", "1", "--arrivals", "1s=100%", "--plot", "day.gif"),
        ("--shoppers", "10", "--campaign", str(CAMPAIGNS / "lucky-draw.yaml")),
    ],
)
def test_what_cannot_be_planned_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == ExitCode.USAGE


def test_a_file_that_cannot_work_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("id: x\n")
    result = run("--shoppers", "10", "--campaign", str(broken))
    assert result.exit_code == ExitCode.FILE
    assert "broken.yaml" in result.output
