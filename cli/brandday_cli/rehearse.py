"""`brandday rehearse`: play the rush before it comes, then prove what happened."""

import json
from contextlib import closing
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from brandday_cli.abuse_rehearsal import BotScript, HttpDoor, rehearse_with_bots, render_comparison
from brandday_cli.audit import open_tables, run_audit
from brandday_cli.audit_report import violations_table
from brandday_cli.console import err, out
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_cli.rehearsal import RehearsalRefused, Script, Stage, check_loopback, rehearse_campaign
from brandday_cli.rehearsal_crowd import CrowdFailed, MintToken
from brandday_cli.rehearsal_display import RehearsalDisplay, render_verdict
from brandday_cli.target import Target, find_local_stack

BOTS_AND_PEOPLE = 500
"""How many visitors there are by default in a rehearsal with bots."""


def rehearse(
    ctx: typer.Context,
    campaign_id: Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.", show_default=False)],
    shoppers: Annotated[
        int | None, typer.Option(min=1, help="How many come; a third more than there are units, 500 at most.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes the shoppers come from.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same crowd.")] = 1,
    live: Annotated[
        bool, typer.Option("--live", help="Play on the campaign itself and use up its stock, not on a copy.")
    ] = False,
    wait_for_expiry: Annotated[
        bool, typer.Option("--wait-for-expiry", help="Wait until abandoned carts are back on sale; short holds.")
    ] = False,
    bots: Annotated[
        bool,
        typer.Option("--bots", help="Play a crowd of which four fifths are bots, with and without the protection."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the figures as the last line, as JSON.")] = False,
) -> None:
    """Play a burst of shoppers on a copy of a campaign, audit it, and fail if any promise was broken."""
    target: Target = ctx.obj
    if bots:
        _rehearse_with_bots(target, campaign_id, shoppers or BOTS_AND_PEOPLE, seed, as_json=as_json)
        return
    script = Script(shoppers, processes, seed, live=live, wait_for_expiry=wait_for_expiry)
    try:
        url = target.url()
        check_loopback(url)
        tables = open_tables(target)
        find_local_stack()  # its tokens are needed, and its absence is better said here than by a process
        with target.operator() as operator, RehearsalDisplay(err) as display:
            stage = Stage(url, operator, open_local_mint, lambda played_id: run_audit(tables, played_id))
            verdict = rehearse_campaign(stage, campaign_id, script, display)
    except (RehearsalRefused, CrowdFailed) as error:
        raise CommandFailed(f"No rehearsal: {error}", exit_code=ExitCode.USAGE) from None
    if as_json:
        out.file.write(json.dumps(verdict.as_json()) + "\n")
    else:
        out.print(render_verdict(verdict))
    if verdict.violations:
        err.print(violations_table(verdict.violations))
    if not verdict.kept:
        raise typer.Exit(ExitCode.REFUSED)


def _rehearse_with_bots(target: Target, campaign_id: str, visitors: int, seed: int, *, as_json: bool) -> None:
    try:
        url = target.url()
        check_loopback(url)
        tables = open_tables(target)
        signals = find_local_stack().shop_signals
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with (
            target.operator() as operator,
            closing(HttpDoor(url, open_local_mint(), signals.sign)) as door,
            Progress(*columns, console=err) as progress,
        ):
            task = progress.add_task("setting up", total=None)
            comparison = rehearse_with_bots(
                Stage(url, operator, open_local_mint, lambda played_id: run_audit(tables, played_id)),
                door,
                campaign_id,
                BotScript(visitors, seed),
                on_stage=lambda what, total: progress.reset(task, description=what, total=total),
                on_done=lambda: progress.advance(task),
            )
    except RehearsalRefused as error:
        raise CommandFailed(f"No rehearsal: {error}", exit_code=ExitCode.USAGE) from None
    if as_json:
        out.file.write(json.dumps(comparison.as_json()) + "\n")
    else:
        out.print(render_comparison(comparison))
    if not comparison.kept:
        raise typer.Exit(ExitCode.REFUSED)


def open_local_mint() -> MintToken:
    """Return a minter of the running local stack's tokens; called in each process of the crowd."""
    tokens = find_local_stack().tokens
    return lambda subject, scope, claims: tokens.mint(subject, scope, **claims)  # type: ignore[arg-type]  # no claim is lifetime_seconds
