"""The operator's command `brandday`.

Exit codes are in `failures.ExitCode`. Every act can be repeated: one that finds its work done changes
nothing.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from brandday_cli import apply as applying
from brandday_cli import coupons, risk, views
from brandday_cli.audit import audit
from brandday_cli.console import ask, done, out, print_failure, print_json
from brandday_cli.failures import CommandFailed
from brandday_cli.fulfilments import approve, fulfilment, fulfilments
from brandday_cli.lottery import draw, winners
from brandday_cli.plan import plan
from brandday_cli.redrive import redrive
from brandday_cli.rehearse import rehearse
from brandday_cli.target import Target, find_local_stack
from brandday_cli.verify import verify
from brandday_cli.watch import watch


class _Group(TyperGroup):
    """Turns failures that were foreseen into words and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandFailed as failure:
            print_failure(failure)
            raise typer.Exit(failure.exit_code) from None


app = typer.Typer(
    name="brandday",
    cls=_Group,
    help="Steer Brand Day's campaigns.",
    epilog=(
        "Exit codes: 0 done, 1 refused or a promise found broken, 2 wrong usage, 3 a campaign file cannot work, "
        "4 no answer or too busy (run it again), 5 declined."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for another program.")]


@app.callback()
def choose_target(
    ctx: typer.Context,
    api_url: Annotated[
        str | None,
        typer.Option(envvar="BRANDDAY_API_URL", help="The API; without it the local stack that is running."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="BRANDDAY_TOKEN", help="An operator's token; the local stack needs none.", show_envvar=True
        ),
    ] = None,
) -> None:
    """Remember which API is meant."""
    if ctx.obj is None:
        ctx.obj = Target(api_url, token)


@app.command()
def apply(
    ctx: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Campaign files, or folders of them.", show_default=False)
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask for nothing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Declare campaigns, or change them: shows the difference to what is live, asks, and makes it so."""
    sources = applying.read_files(files)
    results: list[dict[str, Any]] = []
    with _target(ctx).operator() as client:
        plans = [applying.plan(client, source) for source in sources]
        for planned in plans:
            if not as_json:
                _show_plan(planned)
            results.append({"id": planned.source.declared.id, "changes": planned.changes, "applied": False})
        changing = [planned for planned in plans if planned.changes]
        if changing and not dry_run:
            if not yes:
                ask("Apply this?")
            for planned in changing:
                answer = applying.carry_out(client, planned)
                index = plans.index(planned)
                results[index] |= {"applied": True, "version": answer["campaign"]["version"]}
                if not as_json:
                    done(f"{planned.source.declared.id} is at version {answer['campaign']['version']}")
    if as_json:
        print_json(results)


@app.command()
def publish(ctx: typer.Context, campaign_id: Id, as_json: Json = False) -> None:
    """Publish a draft: its terms are frozen, and the clock opens the sale."""
    _act(ctx, campaign_id, "publish", as_json=as_json)


@app.command()
def pause(ctx: typer.Context, campaign_id: Id, as_json: Json = False) -> None:
    """Stop a sale for a while: within 2 seconds nobody gets a unit any more; holds can still be paid."""
    _act(ctx, campaign_id, "pause", as_json=as_json)


@app.command()
def resume(ctx: typer.Context, campaign_id: Id, as_json: Json = False) -> None:
    """Let a paused sale go on."""
    _act(ctx, campaign_id, "resume", as_json=as_json)


@app.command()
def end(
    ctx: typer.Context,
    campaign_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask for nothing.")] = False,
    as_json: Json = False,
) -> None:
    """End a sale for good."""
    if not yes:
        ask(f"End {campaign_id} for good?")
    _act(ctx, campaign_id, "end", as_json=as_json)


@app.command()
def restock(
    ctx: typer.Context,
    campaign_id: Id,
    sku: Annotated[str, typer.Option(help="Which SKU gets more units.", show_default=False)],
    quantity: Annotated[int, typer.Option(min=1, help="How many.", show_default=False)],
    restock_id: Annotated[
        str, typer.Option("--id", help="Your id of this restock: the same one again adds nothing.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Put more units on sale, once per --id."""
    with _target(ctx).operator() as client:
        answer = client.restock(campaign_id, restock_id, sku, quantity)
    _report(answer, f"{campaign_id} has {quantity:,} more of {sku}", as_json=as_json)


@app.command()
def show(ctx: typer.Context, campaign_id: Id, as_json: Json = False) -> None:
    """Show a campaign and how its stock stands."""
    with _target(ctx).operator() as client:
        campaign, statistics = client.show(campaign_id), client.statistics(campaign_id)
    if as_json:
        print_json({"campaign": campaign, "statistics": statistics})
    else:
        out.print(views.render_campaign(campaign, statistics))


@app.command(name="list")
def list_campaigns(ctx: typer.Context, as_json: Json = False) -> None:
    """List all campaigns, drafts too."""
    with _target(ctx).operator() as client:
        campaigns = client.list_campaigns()
    if as_json:
        print_json(campaigns)
    else:
        out.print(views.render_list(campaigns))


@app.command()
def history(ctx: typer.Context, campaign_id: Id, as_json: Json = False) -> None:
    """Show who did what to a campaign, when, and what it changed."""
    with _target(ctx).operator() as client:
        entries, campaign = client.history(campaign_id), client.show(campaign_id)
    if as_json:
        print_json(entries)
    else:
        out.print(views.render_history(entries, campaign["time_zone"]))


app.command()(watch)
app.command()(audit)
app.command()(winners)
app.command()(draw)
app.command()(verify)
app.command()(rehearse)
app.command()(plan)
app.command()(fulfilments)
app.command()(fulfilment)
app.command()(approve)
app.command()(redrive)
app.add_typer(coupons.app, name="coupons")
app.add_typer(risk.app, name="risk")


@app.command()
def url(ctx: typer.Context) -> None:
    """Write the API's address."""
    typer.echo(_target(ctx).url())


@app.command()
def token(
    subject: Annotated[str, typer.Argument(help="Whose token.")] = "local-shopper",
    scope: Annotated[str, typer.Option(help="shopper, orders or operator; several in quotes.")] = "shopper",
    tier: Annotated[str, typer.Option(help="The shopper's member tier.")] = "gold",
    channel: Annotated[str, typer.Option(help="Where the shopper buys.")] = "app",
    region: Annotated[str, typer.Option(help="Where the shopper is.")] = "CN-SH",
    new_customer: Annotated[bool, typer.Option(help="Whether the shopper is a new customer.")] = False,
) -> None:
    """Write a token for the local stack, and for nothing else."""
    claims = {"tier": tier, "channel": channel, "region": region, "new_customer": "true" if new_customer else "false"}
    typer.echo(find_local_stack().token(subject, scope, **claims))


@app.command()
def schema() -> None:
    """Write the JSON Schema of campaign files, for editors."""
    from brandday.config.mechanics import json_schema

    print_json(json_schema())


def _target(ctx: typer.Context) -> Target:
    target: Target = ctx.obj
    return target


def _act(ctx: typer.Context, campaign_id: str, verb: str, *, as_json: bool) -> None:
    with _target(ctx).operator() as client:
        answer = client.act(campaign_id, verb)
    _report(answer, f"{campaign_id} is {answer['campaign']['state']}", as_json=as_json)


def _report(answer: dict[str, Any], message: str, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    elif answer["changes"]:
        done(message)
    else:
        done(f"{message}; that was done before, nothing changed")


def _show_plan(planned: applying.Plan) -> None:
    campaign_id = planned.source.declared.id
    if planned.changes:
        out.print(views.render_diff(campaign_id, planned.version, planned.changes))
    else:
        done(f"{campaign_id} is live as declared; nothing to do")


if __name__ == "__main__":
    app()
