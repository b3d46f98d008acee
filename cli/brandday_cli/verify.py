"""`brandday verify`: compute a lottery again from what is published, and say in words what holds and what was changed.

The judge is the script that anybody can download and run without us, `docs/verify_draw.py`; `verify_draw.py` here is a
link to that one file. This command fetches the receipt for it, and puts its answer into words.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from brandday.domain.receipt_page import join
from brandday_cli import verify_draw
from brandday_cli.client import AdminClient
from brandday_cli.console import done, err, out, print_json
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_cli.target import Target

MOST_SHOWN = 50
"""Problems listed on a terminal; ``--json`` has all of them."""

type Problem = tuple[str, str]
"""Where it is in the receipt, and what is wrong there."""


def verify(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="RECEIPT|ID", help="A receipt's file, or the campaign's id.", show_default=False)
    ],
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the receipt, for others to check.", show_default=False)
    ] = None,
    commitment: Annotated[str | None, typer.Option(help="The seed's hash that you saw before the start.")] = None,
    table: Annotated[
        str | None, typer.Option(help="The first prize table's hash that you saw before the start.")
    ] = None,
    root: Annotated[str | None, typer.Option(help="The root of the list that you saw after the seal.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for another program.")] = False,
) -> None:
    """Compute every outcome of a lottery that is over again, from its public receipt; no token is needed.

    Exit code 1 if anything does not verify.
    """
    target: Target = ctx.obj
    seen: dict[str, Any] = {"commitment": commitment, "table": table, "root": root}
    problems: list[Problem] = []
    if _is_file(source):
        receipt = read_receipt(Path(source))
    else:
        with target.public() as client:
            receipt = fetch_receipt(client, source)
            problems += published_problems(receipt, client.draw(source))
    if save is not None:
        save.write_text(json.dumps(receipt, ensure_ascii=False) + "\n", encoding="utf-8")
    problems += check(receipt, seen)
    if as_json:
        print_json(
            {
                "ok": not problems,
                "campaign_id": receipt.get("campaign"),
                **hashes(receipt),
                "problems": [{"where": where, "what": what} for where, what in problems],
            }
        )
    else:
        if save is not None:
            done(f"the receipt is in {save}")
        out.print(render(receipt, problems, seen))
    if problems:
        raise typer.Exit(ExitCode.REFUSED)


def check(receipt: Mapping[str, Any], seen: Mapping[str, str | None]) -> list[Problem]:
    """Return all that does not hold of a receipt, or differs from the hashes that somebody saw."""
    problems: list[Problem] = verify_draw.check(receipt)
    found = hashes(receipt)
    problems += [
        (name, f"is not the one that you saw: {value}")
        for name, value in seen.items()
        if value not in (None, found[name])
    ]
    return problems


def hashes(receipt: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what is published beforehand and tells whether everything was exchanged; None where it cannot be read."""
    return {
        "commitment": _at(receipt, "tables", 0, "table", "commitment"),
        "table": _at(receipt, "tables", 0, "hash"),
        "root": _at(receipt, "sealed", "root"),
    }


def published_problems(receipt: Mapping[str, Any], draw: Mapping[str, Any]) -> list[Problem]:
    """Return where the receipt differs from what the lottery's public page promises."""
    sealed = draw["sealed"] or {}
    pairs = {
        "commitment": (_at(receipt, "tables", 0, "table", "commitment"), draw["commitment"]),
        "tables": (
            [_at(receipt, "tables", at, "hash") for at in range(len(draw["tables"]))],
            [table["hash"] for table in draw["tables"]],
        ),
        "sealed": (_at(receipt, "sealed", "root"), sealed.get("root")),
        "seed": (receipt.get("seed"), draw["seed"]),
    }
    return [
        (name, f"is {one} in the receipt, and {other} on the lottery's page")
        for name, (one, other) in pairs.items()
        if one != other and (name, other) != ("seed", None)  # the page may show it later than the receipt
    ]


def read_receipt(path: Path) -> dict[str, Any]:
    """Read a receipt's file; CommandFailed if it is none."""
    try:
        receipt = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandFailed(
            f"{path} cannot be read: {error}",
            exit_code=ExitCode.FILE,
            advice="Get the receipt with `brandday verify ID --save FILE`.",
        ) from None
    if not isinstance(receipt, dict):
        raise CommandFailed(f"{path} is no receipt: it is not a JSON object", exit_code=ExitCode.FILE)
    return receipt


def fetch_receipt(client: AdminClient, campaign_id: str) -> dict[str, Any]:
    """Return a lottery's receipt, put together from its pages, with a progress bar."""
    parts: list[Mapping[str, Any]] = []
    with Progress(
        TextColumn("reading the receipt"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    ) as progress:
        task = progress.add_task("", total=None)
        for part in client.receipt_pages(campaign_id):
            parts.append(part)
            total = _at(part, "sealed", "entrants")
            if total is not None:
                progress.update(task, total=total)
            progress.advance(task, len(part.get("entrants", ())))
    return join(parts)


# --- in words ---


def render(receipt: Mapping[str, Any], problems: Sequence[Problem], seen: Mapping[str, str | None]) -> RenderableType:
    """Return what a person is told."""
    if not problems:
        parts: list[RenderableType] = [Text.assemble(("✓ ", "green"), fact) for fact in facts(receipt)]
        unseen = {name: value for name, value in hashes(receipt).items() if seen.get(name) is None}
        if unseen:
            parts.append(Text("\nCompare these with what you saw before the start, and (root) after the seal:"))
            parts += [Text(f"  {name:10} {value}") for name, value in unseen.items()]
        if receipt.get("beacon") is not None:
            beacon = receipt["tables"][0]["table"]["draw"]["beacon"]
            said = f"Compare round {beacon['round']} of drand's chain {beacon['chain']} with the receipt's randomness."
            parts.append(Text(f"\n{said}"))
        parts.append(Text("\nAll of it verifies.", style="bold green"))
        return Group(*parts)
    table = Table(title=f"{len(problems):,} things do not verify", title_justify="left", title_style="bold red")
    table.add_column("where", overflow="fold")
    table.add_column("what is wrong", overflow="fold")
    for where, what in problems[:MOST_SHOWN]:
        table.add_row(where, what)
    more = len(problems) - MOST_SHOWN
    notes = [Text(f"... and {more:,} more; --json lists them all.")] if more > 0 else []
    return Group(table, *notes, Text("Does not verify.", style="bold red"))


def facts(receipt: Mapping[str, Any]) -> list[str]:
    """Return what was found to hold of a receipt without problems, a sentence each."""
    first, sealed, tables = receipt["tables"][0]["table"], receipt["sealed"], len(receipt["tables"])
    versions = "The prize table has" if tables == 1 else f"All {tables} versions of the prize table have"
    told = [
        "The seed is the one whose hash was promised.",
        f"{versions} the promised hash; nothing but odds was changed, within their bounds.",
        f"{sealed['entrants']:,} entrants with {sealed['entries']:,} entries are the sealed list, nobody more or less.",
    ]
    if first["mode"] == "draw":
        winners, reserves, moved = (len(receipt[name]) for name in ("winners", "reserves", "moved_up"))
        told.append(f"Every ticket was ranked again: the same {winners:,} winners and {reserves:,} reserves.")
        if moved:
            told.append(f"{moved:,} prizes that were not claimed went to the next reserves in that order.")
        return told
    wins = sum(
        bool(entry["tries"]) and "shard" in entry["tries"][-1]
        for row in receipt["entrants"]
        for entry in row["entries"]
    )
    told.append(f"Every entry was rolled for again: the same {wins:,} wins, in the order of the rules.")
    told.append("No prize was won before its time, over its stock or over a cap; none was called gone that was there.")
    told.append("Nobody entered more often than allowed.")
    return told


def _is_file(source: str) -> bool:
    return source.endswith(".json") or "/" in source or Path(source).is_file()


def _at(value: Any, *path: str | int) -> Any:
    """What is at a place of a document that may be anything."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
