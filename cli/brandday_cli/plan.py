"""`brandday plan`: what a day needs, what it costs, and how it would go."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from brandday.domain.campaign import Campaign
from brandday_cli.campaign_yaml import FileRefused, read_campaign_file
from brandday_cli.console import done, err, out, print_json
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_cli.plan_figures import Plan, Wishes, plan_day
from brandday_cli.plan_tariff import read_tariff
from brandday_cli.plan_view import render_outcomes, render_plan
from brandday_cli.simulation.arrivals import PRESETS, Curve, parse_curve

if TYPE_CHECKING:
    from brandday_cli.simulation.run import Outcome

CURVES = ", ".join(f"{name} ({text})" for name, text in PRESETS.items())


def plan(
    shoppers: Annotated[int, typer.Option(min=1, help="How many come.", show_default=False)],
    campaign: Annotated[
        Path | None, typer.Option(help="A flash sale's file, for its stock and holds.", show_default=False)
    ] = None,
    stock: Annotated[
        int | None, typer.Option(min=1, help="Units on sale, where there is no file.", show_default=False)
    ] = None,
    arrivals: Annotated[str, typer.Option(help=f"When they come: {CURVES}, or such a text.")] = "rush",
    patience: Annotated[int, typer.Option(min=0, max=200, help="How often whoever is told to come back does.")] = 1,
    pays: Annotated[float, typer.Option(min=0, max=1, help="Share of those who get a unit who pay for it.")] = 0.95,
    pays_after: Annotated[float, typer.Option(min=1, help="Seconds they take for it, on average.")] = 30.0,
    simulate: Annotated[bool, typer.Option("--simulate", help="Play the day with these settings.")] = False,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Play it with a new account's quotas and cold tables instead.")
    ] = False,
    compare: Annotated[bool, typer.Option("--compare", help="Play it with the transaction pattern, too.")] = False,
    seed: Annotated[int, typer.Option(help="Another number is another crowd.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the simulated day into this file (.svg or .png).", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for another program.")] = False,
) -> None:
    """Plan a day: capacity to set, quotas to ask for, what it costs, and how it would go."""
    sale, hold_seconds = _sale(campaign, stock)
    wishes = Wishes(shoppers, _curve(arrivals), sale, patience, pays, pays_after, hold_seconds)
    tariff = read_tariff()
    planned = plan_day(wishes, tariff)
    if not as_json:
        out.print(render_plan(planned, wishes, tariff))
    outcomes: list[Outcome] = []
    if simulate or as_is or compare or plot:
        outcomes = _play(planned, wishes, _campaign(campaign), as_is=as_is, compare=compare, seed=seed)
        if not as_json:
            out.print(render_outcomes(outcomes))
    if plot is not None:
        _plot(outcomes, plot, quiet=as_json)
    if as_json:
        print_json(_document(planned, wishes, outcomes))


def _document(planned: Plan, wishes: Wishes, outcomes: "list[Outcome]") -> dict[str, Any]:
    tariff = read_tariff()
    return {
        "wishes": {**asdict(wishes), "stock": dict(wishes.stock)},
        "plan": {**asdict(planned), "dollars": round(planned.dollars, 2)},
        "prices_as_of": str(tariff.prices_as_of),
        "quotas_as_of": str(tariff.quotas_as_of),
        "region": tariff.region,
        "simulated": [outcome.as_json() for outcome in outcomes],
    }


def _sale(file: Path | None, stock: int | None) -> tuple[Mapping[str, int], int]:
    if (file is None) == (stock is None):
        raise CommandFailed("Say either --campaign or --stock", exit_code=ExitCode.USAGE)
    campaign = _campaign(file)
    if campaign is None:
        return {"HERO": stock or 0}, 600
    if campaign.lottery is not None:
        raise CommandFailed(
            f"{campaign.id} is a lottery; only flash sales are planned",
            exit_code=ExitCode.USAGE,
            advice="Each entry is one write of an item of its own: as many write units a second as entries.",
        )
    return {sku.sku: sku.stock for sku in campaign.skus}, campaign.hold_seconds


def _campaign(file: Path | None) -> Campaign | None:
    if file is None:
        return None
    try:
        return read_campaign_file(file).declared.to_campaign()
    except FileRefused as refused:
        raise CommandFailed(
            f"{file} cannot work", exit_code=ExitCode.FILE, details=[str(problem) for problem in refused.problems]
        ) from None


def _curve(text: str) -> Curve:
    try:
        return parse_curve(text)
    except ValueError as error:
        raise CommandFailed(f"--arrivals: {error}", exit_code=ExitCode.USAGE, advice=f"There are {CURVES}.") from None


def _play(
    planned: Plan, wishes: Wishes, campaign: Campaign | None, *, as_is: bool, compare: bool, seed: int
) -> "list[Outcome]":
    try:
        from brandday_cli.plan_day import day_as_is, day_as_planned
        from brandday_cli.simulation.ours import Ours
        from brandday_cli.simulation.rival import Rival
        from brandday_cli.simulation.run import play
    except ModuleNotFoundError as missing:
        raise CommandFailed(
            f"Simulating needs {missing.name}", exit_code=ExitCode.USAGE, advice="pip install 'brandday[simulation]'"
        ) from None
    day = day_as_is(wishes, campaign) if as_is else day_as_planned(planned, wishes, campaign)
    with Progress(console=err, transient=True) as progress:
        outcomes = []
        for design in (Ours, Rival) if compare else (Ours,):
            task = progress.add_task(design.name, total=wishes.shoppers)
            outcomes.append(play(day, design, seed, lambda come, task=task: progress.update(task, completed=come)))  # type: ignore[misc]
    return outcomes


def _plot(outcomes: "list[Outcome]", file: Path, *, quiet: bool) -> None:
    if file.suffix not in (".svg", ".png"):
        raise CommandFailed(f"{file} is neither .svg nor .png", exit_code=ExitCode.USAGE)
    try:
        from brandday_cli.simulation.plots import draw
    except ModuleNotFoundError as missing:
        raise CommandFailed(
            f"Drawing needs {missing.name}", exit_code=ExitCode.USAGE, advice="pip install 'brandday[simulation]'"
        ) from None
    draw(outcomes, file)
    if not quiet:
        done(f"drawn into {file}")
