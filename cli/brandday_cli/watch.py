"""`brandday watch`: a campaign as it sells, once a second.

``render_frame`` is pure: statistics in, picture out. The rate is what was sold between two looks, over the
server's own times, so a slow terminal does not distort it.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from brandday_cli.console import out
from brandday_cli.target import Target
from brandday_cli.views import state_text
from brandday_cli.watch_lottery import Pace, render_lottery

LOOK_EVERY_SECONDS = 1.0
BAR_WIDTH = 28
RATE_WINDOW = 5
"""The rate is taken over this many looks, so that it does not jump."""


@dataclass(frozen=True)
class Look:
    """How much was sold when; seconds since the epoch by the server's clock."""

    at: float
    sold: int


class Rate:
    """Sales per second over the last few looks."""

    def __init__(self) -> None:
        self._looks: list[Look] = []

    def add(self, statistics: Mapping[str, Any]) -> float:
        """Take note of a look; return units sold per second, 0.0 at the first look."""
        at = datetime.fromisoformat(statistics["server_time"]).timestamp()
        self._looks = [*self._looks, Look(at, sum(sku["sold"] for sku in statistics["skus"]))][-RATE_WINDOW - 1 :]
        first, last = self._looks[0], self._looks[-1]
        return (last.sold - first.sold) / (last.at - first.at) if last.at > first.at else 0.0


def render_frame(
    statistics: Mapping[str, Any],
    rate: float = 0.0,
    schedule: Mapping[str, Any] | None = None,
    per_minute: float = 0.0,
) -> RenderableType:
    """Return one picture of a campaign.

    ``statistics`` is the answer of the admin API; ``schedule`` has ``starts_at`` and ``ends_at`` (RFC 3339) if known.
    ``rate`` is units sold per second, ``per_minute`` are entries of a lottery.
    """
    now = datetime.fromisoformat(statistics["server_time"])
    title = Text.assemble((statistics["campaign_id"], "bold"), "  ", state_text(statistics["state"]))
    if schedule and statistics["state"] != "ended":
        title.append(f"  {_countdown(now, schedule)}")
    parts: list[RenderableType] = [title]
    parts += [render_lottery(statistics, per_minute)] if statistics.get("lottery") else _sales(statistics, rate)
    refusals: Mapping[str, int] = statistics.get("refusals") or {}
    if refusals:
        counts = sorted(refusals.items(), key=lambda refusal: -refusal[1])
        parts.append(Text("refused: " + "  ".join(f"{code} {count:,}" for code, count in counts)))
    if statistics.get("as_of"):
        age = (now - datetime.fromisoformat(statistics["as_of"])).total_seconds()
        parts.append(Text(f"last change {max(0.0, age):,.1f} s ago", style="dim"))
    return Group(*parts)


def _sales(statistics: Mapping[str, Any], rate: float) -> list[RenderableType]:
    table = Table(expand=False)
    for heading, justify in (("SKU", "left"), ("", "left"), ("free", "right"), ("held", "right"), ("sold", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]  # both are JustifyMethods
    table.add_column("of", justify="right")
    for sku in statistics["skus"]:
        total = sku["initial"] + sku["restocked"]
        table.add_row(
            sku["sku"],
            _bar(sku, total),
            f"{sku['free']:,}",
            f"{sku['held']:,}",
            f"{sku['sold']:,}",
            f"{total:,}",
        )
    sold = sum(sku["sold"] for sku in statistics["skus"])
    total = sum(sku["initial"] + sku["restocked"] for sku in statistics["skus"])
    return [table, Text(f"{sold:,} of {total:,} sold, {rate:,.1f} a second")]


def _bar(sku: Mapping[str, int], total: int) -> Text:
    """Draw sold, held and free side by side; what is there at all gets one cell at least."""
    sold = _cells(sku["sold"], total)
    held = min(_cells(sku["held"], total), BAR_WIDTH - sold)
    return Text.assemble(("█" * sold, "green"), ("▒" * held, "yellow"), ("·" * (BAR_WIDTH - sold - held), "dim"))


def _cells(units: int, total: int) -> int:
    return max(1, units * BAR_WIDTH // total) if units > 0 and total > 0 else 0


def _countdown(now: datetime, schedule: Mapping[str, Any]) -> str:
    starts_at = datetime.fromisoformat(schedule["starts_at"])
    ends_at = datetime.fromisoformat(schedule["ends_at"])
    if now < starts_at:
        return f"opens in {_duration(starts_at - now)}"
    if now < ends_at:
        return f"closes in {_duration(ends_at - now)}"
    return "is over"


def _duration(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days} d {clock}" if days else clock


def watch(
    ctx: typer.Context,
    campaign_id: Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.", show_default=False)],
    once: Annotated[bool, typer.Option("--once", help="Show one picture and stop.")] = False,
) -> None:
    """Watch a campaign until Ctrl-C: free, held and sold units and the rate; of a lottery its prizes against plan."""
    target: Target = ctx.obj
    with target.operator() as client:
        schedule = client.declaration(campaign_id)
        pictures = _pictures(lambda: client.statistics(campaign_id), schedule)
        if once:
            out.print(next(pictures))
            return
        with contextlib.suppress(KeyboardInterrupt), Live(console=out, auto_refresh=False) as live:
            for picture in pictures:
                live.update(picture, refresh=True)
                time.sleep(LOOK_EVERY_SECONDS)


def _pictures(look: Callable[[], Mapping[str, Any]], schedule: Mapping[str, Any]) -> Iterator[RenderableType]:
    rate, pace = Rate(), Pace()
    while True:
        statistics = look()
        yield render_frame(statistics, rate.add(statistics), schedule, pace.add(statistics))
