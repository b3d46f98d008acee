"""Tells a person what a long step is doing, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True, highlight=False)


@contextmanager
def step(doing: str) -> Iterator[None]:
    """Show what is being done (a spinner on a terminal, a line in a log) until the block ends."""
    began = time.monotonic()
    if not console.is_terminal:
        console.print(f"  … {doing}")
    try:
        with console.status(f"{doing} …"):
            yield
    except BaseException:
        console.print(f"  [red]✗[/red] {doing}")
        raise
    console.print(f"  [green]✓[/green] {doing} [dim]({time.monotonic() - began:.1f} s)[/dim]")
