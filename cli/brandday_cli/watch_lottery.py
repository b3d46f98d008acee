"""The picture of a lottery for `brandday watch`: entries, and each prize against its plan. Pure."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

PACE_SECONDS = 60.0
"""The pace is that of the last minute."""


class _Look(NamedTuple):
    at: float
    entries: int


class Pace:
    """Entries per minute, over the looks of the last minute and the server's own times."""

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque()

    def add(self, statistics: Mapping[str, Any]) -> float:
        """Take note of a look; return entries per minute, 0.0 at the first look and for what is no lottery."""
        if not statistics.get("lottery"):
            return 0.0
        at = datetime.fromisoformat(statistics["server_time"]).timestamp()
        self._looks.append(_Look(at, statistics["lottery"]["entries"]))
        while at - self._looks[0].at > PACE_SECONDS:
            self._looks.popleft()
        first = self._looks[0]
        return 60.0 * (self._looks[-1].entries - first.entries) / (at - first.at) if at > first.at else 0.0


def render_lottery(statistics: Mapping[str, Any], per_minute: float) -> RenderableType:
    """Return what is said of a lottery's entries and prizes; ``statistics`` is the answer of the admin API."""
    lottery = statistics["lottery"]
    entries, units = lottery["entries"], {sku["sku"]: sku for sku in statistics["skus"]}
    table = Table(expand=False)
    table.add_column("prize")
    for heading in ("won", "plan", "odds", "so far", "released", "left", "of"):
        table.add_column(heading, justify="right")
    for prize in lottery["prizes"]:
        counts = units[prize["prize"]]
        table.add_row(
            prize["prize"],
            f"{counts['sold']:,}",
            "" if prize["expected"] is None else f"{float(Fraction(prize['expected'])):,.1f}",
            one_in(prize["odds"] and Fraction(prize["odds"])),
            one_in(Fraction(counts["sold"], entries) if entries else None),
            "secret" if prize["released"] is None else f"{prize['released']:,}",
            f"{counts['free']:,}",
            f"{counts['initial']:,}",
        )
    return Group(table, Text(f"about {entries:,} entries, {per_minute:,.0f} in the last minute"))


def one_in(chance: Fraction | None) -> str:
    """Return a chance as "1 in N", with one decimal where N is not whole; nothing for none."""
    if chance is None:
        return ""
    if chance <= 0:
        return "never"
    turned = 1 / chance
    return f"1 in {turned.numerator:,}" if turned.denominator == 1 else f"1 in {float(turned):,.1f}"
