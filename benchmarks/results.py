"""`results.json`: one section per claim, each rewritten by its own benchmark and left alone by the others."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

RESULTS = Path(__file__).with_name("results.json")


def wide_console() -> Console:
    """Return a console that is wide enough for the tables, also when the output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=180)


def save(claim: str, section: dict[str, Any]) -> None:
    """Replace the section of `claim`; when and where it was measured is noted with it."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results[claim] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        **section,
    }
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
