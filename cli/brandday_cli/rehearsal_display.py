"""What people see of a rehearsal: a progress bar, live figures, and the verdict."""

from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from brandday_cli.rehearsal_shopper import Call
from brandday_cli.rehearsal_verdict import Verdict


class RehearsalDisplay:
    """A progress bar over the part that is played and a table of the answers so far; a context manager."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._progress.add_task("setting up", total=None)
        self._answers: Counter[str] = Counter()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=5)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def on_stage(self, what: str, total: int) -> None:
        """Begin a part of the rehearsal."""
        self._progress.reset(self._task, description=what, total=total)

    def on_signed(self, tokens: int) -> None:
        """Count signed tokens."""
        self._progress.advance(self._task, tokens)

    def on_warm(self, lanes: int) -> None:
        """Count requests in flight that were answered in the warm-up, and do not mix them with the answers."""
        self._progress.advance(self._task, lanes)

    def on_calls(self, calls: list[Call], visits: int) -> None:
        """Count answers and finished visits."""
        self._answers.update(call.outcome for call in calls)
        self._progress.advance(self._task, visits)

    def on_pause(self) -> None:
        """Nothing to count; the display refreshes itself."""

    def _render(self) -> RenderableType:
        answers = "  ".join(f"{outcome} {count:,}" for outcome, count in self._answers.most_common())
        return Group(self._progress, Text(answers, style="dim"))


def render_verdict(verdict: Verdict) -> RenderableType:
    """Return the verdict for a terminal: the figures, each promise, and one closing line."""
    figures = Table(title="Rehearsal", title_justify="left", show_header=False)
    figures.add_column()
    figures.add_column(justify="right")
    figures.add_row("shoppers", f"{verdict.shoppers:,}")
    figures.add_row("units: initial", f"{verdict.initial:,}")
    figures.add_row("units: sold / held / free", f"{verdict.sold:,} / {verdict.held:,} / {verdict.free:,}")
    figures.add_row("requests per second", f"{verdict.requests_per_s:,}")
    figures.add_row("answered in (median / 99 %)", f"{verdict.p50_ms:,} ms / {verdict.p99_ms:,} ms")
    for outcome, count in sorted(verdict.responses.items(), key=lambda answer: -answer[1]):
        figures.add_row(Text(f"  {outcome}", style="dim"), f"{count:,}")
    promises = Table(title="Promises", title_justify="left", show_header=False)
    promises.add_column()
    promises.add_column(justify="right")
    for name, broken in (
        ("units oversold", verdict.oversold),
        ("units lost", verdict.lost),
        ("second results for repeated requests", verdict.duplicates),
        ("wrong “sold out” answers", verdict.wrong_sold_out),
        ("server errors (5xx)", verdict.errors_5xx),
    ):
        promises.add_row(name, Text(f"{broken:,}", style="red" if broken else "green"))
    promises.add_row("audit", Text("passed", style="green") if verdict.audit_ok else Text("failed", style="red"))
    closing = (
        Text("Every promise was kept.", style="bold green")
        if verdict.kept
        else Text("A promise was broken.", style="bold red")
    )
    return Group(figures, promises, closing)
