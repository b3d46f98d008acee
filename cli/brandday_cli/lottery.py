"""`brandday winners` and `brandday draw`: who has won a lottery, and how far its draw is."""

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from brandday.domain.reward import RewardStatus
from brandday_cli.client import AdminClient
from brandday_cli.console import done, out, print_json
from brandday_cli.target import Target
from brandday_cli.views import local_time

MOST_SHOWN = 200
"""Winners listed on a terminal; ``--csv`` and ``--json`` have all of them."""

_ENTRY = "ent_"
_NEXT = {
    "seal": "the list is sealed",
    "draw": "the draw is held",
    "beacon": "the beacon's round is not there yet; the draw waits for it, and nothing takes its place",
    "award": "prizes are being handed out",
    "nothing": "nothing is due",
}

Id = Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for another program.")]


@dataclass(frozen=True, slots=True)
class Winner:
    """A win, or the place of a reserve (without a prize). Who it is leads only over the reward.

    ``rank`` is None for instant wins; ``moved_up`` marks a reserve who got a prize that somebody else did not claim.
    """

    rank: int | None
    prize: str | None
    entry: str
    entrant: str
    reward: str | None
    status: str | None
    moved_up: bool = False


def winners(
    ctx: typer.Context,
    campaign_id: Id,
    reserves: Annotated[bool, typer.Option("--reserves", help="The reserves of a draw, too.")] = False,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write a CSV file; - is standard output.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the winners of a lottery with their prizes and rewards, those of a draw in the order of their ranks."""
    target: Target = ctx.obj
    with target.operator() as client:
        found = list(find_winners(client, campaign_id, reserves=reserves))
    if csv_file is not None:
        write_csv(found, csv_file)
        if str(csv_file) != "-":
            done(f"{len(found):,} rows are in {csv_file}")
    elif as_json:
        print_json([asdict(winner) for winner in found])
    else:
        out.print(render_winners(campaign_id, found))


def draw(
    ctx: typer.Context,
    campaign_id: Id,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="What it would find now, with a made-up seed; changes nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show how far a lottery's draw is: sealed, drawn, awarded, and what it waits for. It is held by itself."""
    target: Target = ctx.obj
    with target.operator() as client:
        sight = client.draw_sight(campaign_id, dry_run=dry_run)
        zone = "UTC" if as_json else client.show(campaign_id)["time_zone"]
    if as_json:
        print_json(sight)
    else:
        out.print(render_draw(sight, zone))


def find_winners(client: AdminClient, campaign_id: str, *, reserves: bool = False) -> Iterator[Winner]:
    """Yield the winners: of a draw by rank, reserves last if asked for; of instant wins by the time of the reward."""
    rewards = {
        reward["source"]: reward
        for status in RewardStatus
        for reward in client.all_fulfilments(campaign_id, status)
        if reward["source"].startswith(_ENTRY)
    }
    if client.draw_sight(campaign_id)["mode"] != "draw":
        for source, reward in sorted(rewards.items(), key=lambda pair: (pair[1]["created_at"], pair[0])):
            yield _winner(None, reward["sku"], source, reward)
        return
    for place in client.draw_places(campaign_id):
        prize = place["prize"] or place["moved_up_to"]
        if prize is not None or reserves:
            moved_up = place["moved_up_to"] is not None
            yield _winner(place["rank"], prize, place["entry"], rewards.get(place["entry"]), moved_up=moved_up)


def _winner(
    rank: int | None, prize: str | None, entry: str, reward: Mapping[str, Any] | None, *, moved_up: bool = False
) -> Winner:
    known = reward or {}
    return Winner(rank, prize, entry, entry.split(".")[1], known.get("id"), known.get("status"), moved_up)


def write_csv(found: Sequence[Winner], path: Path) -> None:
    """Write the winners, one a line."""
    names = list(Winner.__dataclass_fields__)

    def write(stream: Any) -> None:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        for winner in found:
            writer.writerow(asdict(winner) | {"moved_up": "yes" if winner.moved_up else ""})

    if str(path) == "-":
        write(sys.stdout)
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        write(stream)


def render_winners(campaign_id: str, found: Sequence[Winner]) -> RenderableType:
    """Return the winners as a table."""
    if not found:
        return Text(f"Nobody has won anything in {campaign_id} yet.", style="dim")
    table = Table(box=None, pad_edge=False, header_style="bold")
    ranked = any(winner.rank is not None for winner in found)
    if ranked:
        table.add_column("rank", justify="right")
    for heading in ("prize", "entry", "reward", "status"):
        table.add_column(heading, overflow="fold")
    for winner in found[:MOST_SHOWN]:
        prize = Text(winner.prize or "reserve", style="" if winner.prize else "dim")
        if winner.moved_up:
            prize.append(" (moved up)", style="cyan")
        cells = (prize, winner.entry, winner.reward or "not yet", winner.status or "")
        table.add_row(*((str(winner.rank),) if ranked else ()), *cells)
    more = len(found) - MOST_SHOWN
    return Group(table, Text(f"... and {more:,} more; --csv and --json have all.")) if more > 0 else table


def render_draw(sight: Mapping[str, Any], zone: str) -> RenderableType:
    """Return how far a lottery is."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    sealed, drawn, beacon = sight["sealed"], sight["drawn"], sight["beacon"]
    facts.add_row("sealed", "no" if sealed is None else local_time(sealed["sealed_at"], zone))
    if sealed is not None:
        facts.add_row("list", f"{sealed['entrants']:,} entrants, {sealed['entries']:,} entries, root {sealed['root']}")
    if sight["mode"] == "draw":
        facts.add_row("drawn", "no" if drawn is None else local_time(drawn["drawn_at"], zone))
    if beacon is not None:
        facts.add_row("beacon", f"drand round {beacon['round']:,}, out at {local_time(beacon['out_at'], zone)}")
    if drawn is not None:
        facts.add_row("winners", f"{drawn['winners']:,}, of whom {sight['awarded']:,} have their prize")
        facts.add_row("reserves", f"{drawn['reserves']:,}; {sight['moved']:,} prizes not claimed have gone on")
    when = "" if sight["due_at"] is None else f", due {local_time(sight['due_at'], zone)}"
    facts.add_row("next", _NEXT[sight["next"]] + when)
    rehearsal = sight["dry_run"]
    if rehearsal is None:
        return facts
    facts.add_row("now", f"{rehearsal['entrants']:,} entrants with {rehearsal['tickets']:,} tickets")
    if rehearsal["is_complete"]:
        prizes = ", ".join(f"{count:,} {prize}" for prize, count in rehearsal["winners"].items())
        facts.add_row("would draw", f"{prizes}; {rehearsal['reserves']:,} reserves")
        missing = rehearsal["prizes"] - sum(rehearsal["winners"].values())
        if missing > 0:
            facts.add_row("", Text(f"{missing:,} prizes would find nobody", style="yellow"))
    else:
        facts.add_row("would draw", Text("there was no time to read everybody", style="yellow"))
    return facts
