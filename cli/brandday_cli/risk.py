"""`brandday risk`: see what a campaign's gate refuses, explain and lift a refusal, keep the lists.

What an operator types as a value is sent to be hashed, and shown nowhere again: lists and reports know marks.
"""

import csv
import itertools
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from brandday.domain.risk import Listed
from brandday.domain.signals import SignalKind
from brandday.usecases.keep_lists import DEFAULT_DAYS, MOST_DAYS, MOST_ROWS
from brandday_cli import risk_views as views
from brandday_cli.console import done, err, out, print_json
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_cli.risk_files import WrongRow, listing_input, read_listings
from brandday_cli.target import Target

WRONG_SHOWN = 20
"""Bad lines listed on a terminal; --report has all of them."""

_PROBLEMS = {
    "unknown_list": "the list has to be allow or block",
    "unknown_kind": f"the kind has to be one of {', '.join(SignalKind)}",
    "value_missing": "there is no value",
    "bad_value": "the value can be none of its kind; phones need their country's code (+86...), a mark 16 characters",
    "bad_until": "until has to be a date (2026-12-31) or a time with an offset (2026-12-31T18:00:00+08:00)",
    "until_past": "until is over already",
    "until_too_far": f"until is more than {MOST_DAYS} days ahead",
    "bad_reason": "the reason is longer than 200 characters, or not of one line",
    "repeated": "an earlier line is about the same",
}

app = typer.Typer(
    help="See, explain and lift what the gates of campaigns refuse; keep the lists.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Write JSON for another program.")]
Reference = Annotated[
    str, typer.Argument(metavar="REF", help="The reference that the shopper was given.", show_default=False)
]
Kind = Annotated[SignalKind, typer.Argument(metavar="KIND", help=", ".join(SignalKind), show_default=False)]
Value = Annotated[
    str,
    typer.Argument(metavar="VALUE", help="As people write it, or mark:... as reports show it.", show_default=False),
]
Until = Annotated[
    str, typer.Option("--until", metavar="DATE", help=f"Until the end of this day (UTC); else {DEFAULT_DAYS} days.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Words for your colleagues.")]
Limit = Annotated[int, typer.Option(min=1, help="How many to show.")]


@app.command()
def report(
    ctx: typer.Context,
    campaign_id: Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Show what a campaign's gate has refused, or would have in shadow mode: why, what is shared, and what if."""
    target: Target = ctx.obj
    with target.operator() as client:
        found = client.risk_report(campaign_id)
    if as_json:
        print_json(found)
    else:
        out.print(views.render_report(found))


@app.command()
def explain(ctx: typer.Context, reference: Reference, as_json: Json = False) -> None:
    """Explain a refusal: which rules or limits stood against the shopper, and what is listed of them."""
    target: Target = ctx.obj
    with target.operator() as client:
        case = client.case(reference)
    if as_json:
        print_json(case)
    else:
        out.print(views.render_case(case))


@app.command()
def allow(
    ctx: typer.Context,
    reference: Reference,
    days: Annotated[int, typer.Option(min=0, max=MOST_DAYS, help="For how many days after today.")] = 30,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Lift a refusal: its shopper is let through in all campaigns, within ten seconds."""
    target: Target = ctx.obj
    with target.operator() as client:
        lifted = client.allow_case(reference, days, reason)
    if as_json:
        print_json(lifted)
        return
    listing = lifted["listing"]
    before = "" if lifted["changed"] else "; that was done before, nothing changed"
    done(
        f"{lifted['reference']} is lifted: its shopper is on the allow list until {_last_day(listing['until'])}{before}"
    )


@app.command()
def block(
    ctx: typer.Context, kind: Kind, value: Value, until: Until = "", reason: Reason = "", as_json: Json = False
) -> None:
    """Put a device, network, e-mail or the like on the block list, which the rule on_block_list asks."""
    _list_one(ctx, Listed.BLOCK, kind, value, until, reason, as_json=as_json)


@app.command()
def exempt(
    ctx: typer.Context, kind: Kind, value: Value, until: Until = "", reason: Reason = "", as_json: Json = False
) -> None:
    """Put something on the allow list: a store's network, a test device; limits and rules let it through."""
    _list_one(ctx, Listed.ALLOW, kind, value, until, reason, as_json=as_json)


@app.command()
def unblock(ctx: typer.Context, kind: Kind, value: Value, as_json: Json = False) -> None:
    """Take something off the list it is on, whichever that is."""
    said = listing_input(kind=str(kind), value=value)
    target: Target = ctx.obj
    with target.operator() as client:
        listing = client.remove_listing({name: text for name, text in said.items() if name != "list"})
    if as_json:
        print_json(listing)
    else:
        done(f"{listing['kind']} {listing['mark']} is not on the {listing['list']} list any more")


@app.command(name="import")
def take_in(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A CSV with the columns list,kind,value,until,reason.", show_default=False),
    ],
    report_file: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write all bad lines to a CSV file.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Put what a file says on the lists. Each bad line is told with its number and reason, the others are kept.

    A file that was cut off can be imported again. Exit code 1 if a line was bad.
    """
    found = read_listings(file)
    wrong, listed, changed = list(found.wrong), 0, 0
    columns = (TextColumn("putting on the lists"), BarColumn(), MofNCompleteColumn())
    target: Target = ctx.obj
    with (
        target.operator() as client,
        Progress(*columns, console=err, transient=True, disable=not sys.stderr.isatty()) as progress,
    ):
        task = progress.add_task("", total=len(found.rows))
        for rows in itertools.batched(found.rows, MOST_ROWS, strict=False):
            for row, became in zip(rows, client.put_listings([row.said for row in rows]), strict=True):
                if became["problem"] is None:
                    listed += 1
                    changed += became["changed"]
                else:
                    wrong.append(WrongRow(row.line, _PROBLEMS.get(became["problem"], became["problem"])))
            progress.advance(task, len(rows))
    wrong.sort()
    if report_file is not None:
        _write_wrong(report_file, wrong)
    if as_json:
        print_json({"listed": listed, "changed": changed, "wrong": [line._asdict() for line in wrong]})
    else:
        for line in wrong[:WRONG_SHOWN]:
            err.print(Text.assemble((f"line {line.line:,}: ", "bold"), line.reason))
        if len(wrong) > WRONG_SHOWN:
            err.print(Text(f"... and {len(wrong) - WRONG_SHOWN:,} more; --report has all.", style="dim"))
        done(f"{listed:,} lines of {file} are listed, {changed:,} of them newly or otherwise than before")
    if wrong:
        raise CommandFailed(
            f"{len(wrong):,} lines of {file} were not taken in",
            exit_code=ExitCode.REFUSED,
            advice="Put these lines right and import the file again: what is listed already stays as it is.",
        )


@app.command()
def lists(
    ctx: typer.Context,
    kind: Annotated[SignalKind | None, typer.Option(help="Only these.", show_default=False)] = None,
    listed: Annotated[Listed | None, typer.Option("--list", help="Only this list.", show_default=False)] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Show what is on the allow list and the block list, until when, and why."""
    target: Target = ctx.obj
    with target.operator() as client:
        shown, more = _some(client.listings(kind, listed), None if as_json else limit)
    if as_json:
        print_json(shown)
    else:
        out.print(views.render_listings(shown, more=more))


@app.command()
def history(ctx: typer.Context, limit: Limit = 50, as_json: Json = False) -> None:
    """Show who listed, allowed or took off what, when, and why."""
    target: Target = ctx.obj
    with target.operator() as client:
        shown, more = _some(client.listing_history(), None if as_json else limit)
    if as_json:
        print_json(shown)
    else:
        out.print(views.render_listing_history(shown, more=more))


def _list_one(
    ctx: typer.Context, listed: Listed, kind: SignalKind, value: str, until: str, reason: str, *, as_json: bool
) -> None:
    said = listing_input(list=str(listed), kind=str(kind), value=value, until=until, reason=reason)
    target: Target = ctx.obj
    with target.operator() as client:
        (became,) = client.put_listings([said])
    if became["problem"] is not None:
        raise CommandFailed(
            f"This cannot be listed: {_PROBLEMS.get(became['problem'], became['problem'])}",
            exit_code=ExitCode.REFUSED,
            advice=_advice(kind),
        )
    listing: Mapping[str, Any] = became["listing"]
    if as_json:
        print_json(became)
        return
    before = "" if became["changed"] else "; that was done before, nothing changed"
    done(f"{listing['kind']} {listing['mark']} is on the {listed} list until {_last_day(listing['until'])}{before}")


def _advice(kind: SignalKind) -> str:
    match kind:
        case SignalKind.PHONE:
            return "Write a phone number with its country: +8613812345678."
        case SignalKind.NETWORK:
            return "Write a network as any address in it: 203.0.113.7; all of its /24 (IPv6: /56) is meant."
        case _:
            return "Look at `brandday risk --help`; marks are shown by `report` and `explain`."


def _last_day(until: str) -> str:
    """The day on which something ends: what ends at midnight ends with the day before."""
    day: date = (datetime.fromisoformat(until).astimezone(UTC) - timedelta(milliseconds=1)).date()
    return f"the end of {day.isoformat()}"


def _some(found: Iterable[dict[str, Any]], limit: int | None) -> tuple[list[dict[str, Any]], bool]:
    """Return the first ones, and whether there are more."""
    rest = iter(found)
    return list(itertools.islice(rest, limit)), limit is not None and next(rest, None) is not None


def _write_wrong(path: Path, wrong: list[WrongRow]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(WrongRow._fields)
        writer.writerows(wrong)
