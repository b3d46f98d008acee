"""`results.json`: one section per claim, each rewritten by its own benchmark and left alone by the others."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Claim:
    """One figure that has to keep within a bound, and what it is measured against."""

    what: str
    measured: float
    at_most: float
    against: str

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.measured <= self.at_most


def wide_console() -> Console:
    """Return a console that is wide enough for the tables, also when the output goes to a file.

    It goes on writing there while the lines of functions go to nowhere.
    """
    console = Console(file=sys.stdout)
    return console if console.is_terminal else Console(file=sys.stdout, width=180)


def save(name: str, section: dict[str, Any], claims: Sequence[Claim] = ()) -> None:
    """Replace the section `name`; when and where it was measured is noted with it, and its claims."""
    results = read()
    results[name] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        **section,
    }
    if claims:
        results[name]["claims"] = [asdict(claim) for claim in claims]
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")


def read() -> dict[str, Any]:
    """Return all sections."""
    sections: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return sections


def claims_of(name: str) -> list[Claim]:
    """Return the claims that a section was saved with."""
    return [Claim(**claim) for claim in read().get(name, {}).get("claims", ())]


def table_of(claims: Sequence[Claim], title: str = "What is claimed") -> Table:
    """Return the claims as a table."""
    table = Table(title=title, title_justify="left")
    table.add_column("claim")
    for column in ("measured", "at most"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("measured against")
    table.add_column("holds", no_wrap=True)
    for claim in claims:
        holds = "yes" if claim.holds else "[red]NO[/red]"
        table.add_row(claim.what, f"{claim.measured:.4g}", f"{claim.at_most:g}", claim.against, holds)
    return table


def stand_by(claims: Sequence[Claim]) -> None:
    """Stop with an error that names each claim that does not hold."""
    broken = [f"{claim.what}: {claim.measured:.4g}, claimed {claim.at_most:g}" for claim in claims if not claim.holds]
    if broken:
        raise AssertionError("; ".join(broken))
