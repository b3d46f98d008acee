"""Where the command writes: answers to standard output, everything else to standard error."""

import json

from rich.console import Console
from rich.text import Text

from brandday_cli.failures import CommandFailed

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


def print_json(document: object) -> None:
    """Write `document` for another program: no colours, no line breaks but JSON's own."""
    out.file.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def print_failure(failure: CommandFailed) -> None:
    """Say what went wrong, where, and what to do next."""
    err.print(Text.assemble(("✗ ", "bold red"), failure.message))
    for detail in failure.details:
        err.print(Text(f"  • {detail}"), soft_wrap=True)
    if failure.advice:
        err.print(Text(f"  → {failure.advice}", style="cyan"))
