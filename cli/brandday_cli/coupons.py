"""`brandday coupons`: make coupons in bulk, take in a partner's, write them out, disable them, see how they are used.

What makes coupons is a job with a name. A command that was stopped, however hard, is run again with the same name: it
goes on where it was, and its file has every coupon once.
"""

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from brandday.domain.coupon_job import BATCH
from brandday.domain.times import from_rfc3339
from brandday.usecases.coupon_ports import CAMPAIGN_PARTS
from brandday_cli.audit_rules import COUPON_STATUSES
from brandday_cli.client import AdminClient
from brandday_cli.console import ask, done, err, out, print_json
from brandday_cli.coupon_files import GrowingCsv, Wrong, fresh_csv, read_codes, read_shoppers, read_words
from brandday_cli.coupon_usage import Usage
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_cli.target import Target

WRONG_SHOWN = 20
"""Bad lines listed on a terminal; --report has all of them."""

_REASONS = {
    "malformed": "no code: 4 to 40 letters and digits",
    "foreign": "does not begin with the campaign's prefix, or is another campaign's",
    "duplicate": "the code is there already",
    "exceeded": "the campaign may not have more coupons",
}
_MADE = ("number", "code", "coupon_id", "valid_until")
_EXPORTED = ("code", "coupon_id", "status", "owner", "source", "issued_at", "valid_until", "used_at", "store")

app = typer.Typer(help="Make, take in, write out and disable coupons; see how they are used.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.", show_default=False)]
Job = Annotated[
    str, typer.Option("--job", metavar="NAME", help="Your name of this job: the same one goes on.", show_default=False)
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The CSV file to write.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for another program.")]


@app.command()
def generate(
    ctx: typer.Context,
    campaign_id: Id,
    job: Job,
    out_file: Out,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="How many coupons that anybody may use.", show_default=False)
    ] = None,
    shoppers: Annotated[
        Path | None,
        typer.Option("--shoppers", metavar="FILE", help="A CSV of shoppers: one coupon for each.", show_default=False),
    ] = None,
) -> None:
    """Make coupons and write them to a CSV file: --count of them, or one for each of --shoppers, who are rewarded."""
    if (count is None) == (shoppers is None):
        raise CommandFailed("Say either --count or --shoppers", exit_code=ExitCode.USAGE)
    owners: list[str] = []
    digest = ""
    if shoppers is not None:
        found = read_shoppers(shoppers)
        if found.wrong:  # each of them would be a coupon that is missing
            _show_wrong(found.wrong)
            raise CommandFailed(
                f"{shoppers} has {len(found.wrong):,} lines that are no shoppers; nothing was made",
                exit_code=ExitCode.FILE,
            )
        owners, digest = [row.shopper or "" for row in found.rows], found.digest
    size = len(owners) if count is None else count
    if not size:
        raise CommandFailed(f"{shoppers} names nobody", exit_code=ExitCode.FILE)
    header = _MADE if shoppers is None else (*_MADE, "shopper")
    target: Target = ctx.obj
    with GrowingCsv(out_file, header).opened() as written, target.operator() as client:
        client.start_coupon_job(campaign_id, job, "generate" if shoppers is None else "target", size, digest)
        _check_same(client, campaign_id, job, written, owners, size)
        with _progress("making coupons", size, written.rows) as (progress, task):
            while written.rows < size:
                start = written.rows
                named = owners[start : start + BATCH] if owners else None
                made = client.coupon_batch(campaign_id, job, start, named)
                written.add(_made_row(coupon, owner) for coupon, owner in zip(made, named or made, strict=True))
                progress.update(task, completed=written.rows)
    written.complete()
    done(f"{size:,} coupons of {campaign_id} are in {out_file}")


def _made_row(coupon: Mapping[str, Any], owner: object) -> tuple[object, ...]:
    row = (coupon["code"], coupon["id"], coupon["valid_until"])
    return (*row, owner) if isinstance(owner, str) else row


def _check_same(
    client: AdminClient, campaign_id: str, job: str, written: GrowingCsv, owners: Sequence[str], size: int
) -> None:
    """Raise CommandFailed if the rows that are there are not this job's."""
    if written.last is None:
        return
    last = written.rows - 1
    is_same = last < size
    if is_same:
        named = owners[last : last + BATCH] if owners else None
        is_same = client.coupon_batch(campaign_id, job, last, named)[0]["code"] == written.last["code"]
    if not is_same:
        raise CommandFailed(
            f"{written.path} has the coupons of another job",
            exit_code=ExitCode.FILE,
            advice="Choose another name with --out, or move the file away.",
        )


@app.command(name="import")
def take_in(
    ctx: typer.Context,
    campaign_id: Id,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A CSV of codes, and (with a header code,shopper) of whose they are.",
            show_default=False,
        ),
    ],
    job: Job,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write all bad lines to a CSV file.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in a partner's codes. Each bad line is told with its number and reason, the others are kept.

    Exit code 1 if a line was bad.
    """
    found = read_codes(file)
    wrong = list(found.wrong)
    kept = 0
    target: Target = ctx.obj
    with target.operator() as client:
        client.start_coupon_job(campaign_id, job, "import", found.lines + 1, found.digest)
        with _progress("taking in codes", len(found.rows)) as (progress, task):
            for rows in itertools.batched(found.rows, BATCH, strict=False):
                for taken in client.coupon_rows(campaign_id, job, [row._asdict() for row in rows]):
                    if taken["problem"] is None:
                        kept += 1
                    else:
                        wrong.append(Wrong(taken["line"], _REASONS.get(taken["problem"], taken["problem"])))
                progress.advance(task, len(rows))
    wrong.sort()
    if report is not None:
        with fresh_csv(report, Wrong._fields) as writer:
            writer.writerows(wrong)
    if as_json:
        print_json({"kept": kept, "wrong": [line._asdict() for line in wrong]})
    else:
        _show_wrong(wrong)
        done(f"{kept:,} codes of {file} are coupons of {campaign_id}")
    if wrong:
        raise CommandFailed(f"{len(wrong):,} lines of {file} were not taken in", exit_code=ExitCode.REFUSED)


def _show_wrong(wrong: Sequence[Wrong]) -> None:
    for line in wrong[:WRONG_SHOWN]:
        err.print(Text.assemble((f"line {line.line:,}: ", "bold"), line.reason))
    if len(wrong) > WRONG_SHOWN:
        err.print(Text(f"... and {len(wrong) - WRONG_SHOWN:,} more; --report has all.", style="dim"))


class Stored(NamedTuple):
    """A coupon as the API tells of it, what has happened to it, and what it is now."""

    coupon: Mapping[str, Any]
    state: Mapping[str, Any] | None
    status: str


def walk(client: AdminClient, campaign_id: str, usage: Usage) -> Iterator[tuple[int, Sequence[Stored]]]:
    """Read all that is stored of a campaign's coupons into ``usage``; yield each part's number and its coupons.

    A part is in memory at a time: what has happened to a coupon may be pages away from the coupon.
    """
    for part in range(CAMPAIGN_PARTS):
        coupons: list[Mapping[str, Any]] = []
        states: dict[str, Mapping[str, Any]] = {}
        for page in client.coupon_pages(campaign_id, part):
            coupons += page["coupons"]
            states |= {state["id"]: state for state in page["states"]}
            for used in page["parts"]:
                usage.add_part(used)
            usage.now = from_rfc3339(page["server_time"])
        yield (
            part,
            [
                Stored(coupon, states.get(coupon["id"]), usage.add_coupon(coupon, states.get(coupon["id"])))
                for coupon in coupons
            ],
        )


@app.command()
def export(ctx: typer.Context, campaign_id: Id, out_file: Out) -> None:
    """Write all coupons of a campaign to a CSV file, each with what it is now."""
    target: Target = ctx.obj
    usage = Usage(0)
    with (
        target.operator() as client,
        fresh_csv(out_file, _EXPORTED) as writer,
        _progress("reading coupons", CAMPAIGN_PARTS) as (progress, task),
    ):
        for part, coupons in walk(client, campaign_id, usage):
            writer.writerows(map(_exported_row, coupons))
            progress.update(task, completed=part + 1)
    done(f"{usage.issued:,} coupons of {campaign_id} are in {out_file}")


def _exported_row(stored: Stored) -> tuple[object, ...]:
    coupon, state = stored.coupon, stored.state or {}
    is_used = stored.status in ("locked", "redeemed")
    return (
        coupon["code"],
        coupon["id"],
        stored.status,
        coupon["owner"] or "",
        coupon["source"],
        coupon["issued_at"],
        state.get("valid_until") or coupon["valid_until"],
        state["at"] if is_used else "",
        state.get("store") or "",
    )


@app.command()
def disable(
    ctx: typer.Context,
    campaign_id: Id,
    codes: Annotated[list[str] | None, typer.Argument(metavar="CODE", help="Codes of coupons.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A CSV of codes.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask for nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Disable coupons: nobody can use them any more. What was redeemed stays so. Exit code 1 if one was not found."""
    if (not codes) == (file is None):
        raise CommandFailed("Say either codes or --file", exit_code=ExitCode.USAGE)
    wanted = codes or (read_words(file) if file is not None else [])
    if not yes:
        ask(f"Disable {len(wanted):,} coupons of {campaign_id} for good?")
    results: list[str] = []
    target: Target = ctx.obj
    with target.operator() as client, _progress("disabling coupons", len(wanted)) as (progress, task):
        for some in itertools.batched(wanted, BATCH, strict=False):
            results += client.disable_coupons(campaign_id, some)
            progress.update(task, completed=len(results))
    missing = [code for code, result in zip(wanted, results, strict=True) if result == "not_found"]
    new = results.count("disabled")
    if as_json:
        print_json({"disabled": new, "disabled_before": results.count("disabled_before"), "not_found": missing})
    else:
        done(f"{new:,} coupons of {campaign_id} are disabled, {results.count('disabled_before'):,} were before")
    if missing:
        raise CommandFailed(
            f"{len(missing):,} codes are no coupons of {campaign_id}",
            exit_code=ExitCode.REFUSED,
            details=missing[:WRONG_SHOWN],
        )


@app.command()
def usage(ctx: typer.Context, campaign_id: Id, as_json: Json = False) -> None:
    """Show what has become of a campaign's coupons, and what they have cost so far."""
    target: Target = ctx.obj
    counted = Usage(0)
    with target.operator() as client:
        campaign = client.show(campaign_id)
        statistics = client.statistics(campaign_id)
        with _progress("reading coupons", CAMPAIGN_PARTS) as (progress, task):
            for part, _ in walk(client, campaign_id, counted):
                progress.update(task, completed=part + 1)
    if as_json:
        print_json(_budget(campaign, statistics, counted))
    else:
        out.print(render_usage(campaign, statistics, counted))


def _budget(campaign: Mapping[str, Any], statistics: Mapping[str, Any], counted: Usage) -> dict[str, Any]:
    document = campaign["document"]
    most = sum(sku["initial"] + sku["restocked"] for sku in statistics["skus"])
    budget, worth = document.get("budget"), document["benefit"].get("worth")
    gifts = 0 if worth is None else counted.uses["redeemed"] * worth["amount"]
    return {
        **counted.as_json(),
        "cost": counted.discount + gifts,
        "most": most,
        "currency": document["currency"],
        "budget": None if budget is None else budget["amount"],
    }


def render_usage(campaign: Mapping[str, Any], statistics: Mapping[str, Any], counted: Usage) -> RenderableType:
    """Return the counts as tables."""
    facts = _budget(campaign, statistics, counted)
    coupons = Table(title=f"Coupons of {campaign['id']}", title_justify="left")
    for heading in ("at most", "issued", *COUPON_STATUSES):
        coupons.add_column(heading, justify="right")
    counts = (facts["most"], counted.issued, *(counted.by_status[status] for status in COUPON_STATUSES))
    coupons.add_row(*(f"{count:,}" for count in counts))
    parts: list[RenderableType] = [coupons]
    if campaign["document"]["code_kind"] == "shared":
        parts = [Text(f"Uses of the code of {campaign['id']}: {facts['most']:,} at most")]
    uses = ", ".join(f"{count:,} {status}" for status, count in sorted(counted.uses.items())) or "none"
    parts.append(Text(f"orders: {uses}"))
    spent = f"cost so far, gifts included: {_money(facts['cost'], facts['currency'])}"
    if facts["budget"] is not None:
        spent += f" of a budget of {_money(facts['budget'], facts['currency'])}"
    parts.append(Text(spent))
    return Group(*parts)


def _money(amount: int, currency: str) -> str:
    return f"{amount:,} minor units of {currency}"


@contextmanager
def _progress(what: str, total: int, completed: int = 0) -> Iterator[tuple[Progress, TaskID]]:
    """Show how far a command is, where there is somebody to see it."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not sys.stderr.isatty()) as progress:
        yield progress, progress.add_task("", total=total, completed=completed)
