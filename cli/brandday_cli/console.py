"""Where the command writes: answers to standard output, everything else to standard error."""

import json
import os
import sys

import typer
from rich.console import Console
from rich.text import Text

from brandday_cli.failures import CommandFailed, ExitCode

PIPE_WIDTH = 160
"""Columns where there is no terminal to ask: a table in a file or a log must not be cut."""


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    wide = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(stderr=stderr, highlight=False, width=PIPE_WIDTH if wide else None)


out = _console(stderr=False)
err = _console(stderr=True)


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


def done(message: str) -> None:
    """Say that something is as it was asked for."""
    out.print(Text.assemble(("✓ ", "bold green"), message))


def ask(question: str) -> None:
    """Ask before something is changed; raises CommandFailed on a no, and where nobody is there to ask."""
    if not sys.stdin.isatty():
        raise CommandFailed(
            "There is nobody here to ask", exit_code=ExitCode.USAGE, advice="Say --yes if it may go ahead."
        )
    if not typer.confirm(question, err=True):
        raise CommandFailed("Nothing was changed", exit_code=ExitCode.DECLINED)
