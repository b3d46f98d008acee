"""`brandday redrive`: send again what was given up, after showing what that would be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from brandday.usecases.dead_letter_ports import QueueName
from brandday_cli import fulfilment_views as views
from brandday_cli.client import AdminClient
from brandday_cli.console import ask, done, err, out, print_json
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_cli.fulfilments import Json, Yes, act_on_each
from brandday_cli.target import Target

PAGE = 100
"""How much one call redrives; the API answers within seconds, and says where to go on."""


@dataclass
class Total:
    """What a walk over a queue came to, or would."""

    looked_at: int = 0
    redriven: int = 0
    removed: int = 0
    left: int = 0
    rewards: list[str] = field(default_factory=list)

    def add(self, answer: dict[str, Any]) -> None:
        """Add one page of the walk."""
        self.looked_at += answer["looked_at"]
        self.redriven += answer["redriven"]
        self.removed += answer["removed"]
        self.left += answer["left"]
        self.rewards += answer["rewards"]


def redrive(
    ctx: typer.Context,
    reward_ids: Annotated[
        list[str] | None, typer.Argument(metavar="REWARD", help="Rewards that failed or came back.")
    ] = None,
    queue: Annotated[
        QueueName | None,
        typer.Option(
            help="All that was given up: failed rewards, reminders of holds, or records of the stream.",
            show_default=False,
        ),
    ] = None,
    campaign_id: Annotated[
        str | None,
        typer.Option("--campaign", metavar="ID", help="Only the failed rewards of one campaign.", show_default=False),
    ] = None,
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent again, and send nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send again what was given up: shows what that is, asks, and does it."""
    target: Target = ctx.obj
    _check_usage(reward_ids, queue, campaign_id)
    with target.operator() as client:
        if reward_ids:
            _redrive_rewards(client, reward_ids, yes=yes, dry_run=dry_run, as_json=as_json)
        else:
            walk = _Walk(client, queue or QueueName.FULFILMENTS, campaign_id)
            _redrive_queue(walk, yes=yes, dry_run=dry_run, as_json=as_json)


def _check_usage(reward_ids: Sequence[str] | None, queue: QueueName | None, campaign_id: str | None) -> None:
    if bool(reward_ids) == bool(queue or campaign_id):
        raise CommandFailed(
            "Say what to redrive: either rewards by their ids, or a whole queue or campaign",
            exit_code=ExitCode.USAGE,
            advice="`brandday redrive --queue fulfilments --dry-run` shows what has failed.",
        )
    if campaign_id and queue not in (None, QueueName.FULFILMENTS):
        raise CommandFailed(
            f"--campaign goes with rewards; the queue {queue} is about all campaigns",
            exit_code=ExitCode.USAGE,
            advice="Leave --campaign out.",
        )


def _redrive_rewards(client: AdminClient, reward_ids: list[str], *, yes: bool, dry_run: bool, as_json: bool) -> None:
    if dry_run or not yes:
        rewards = [client.fulfilment(reward_id) for reward_id in reward_ids]
        if dry_run and as_json:
            print_json([{"id": one["id"], "status": one["status"], "would_redrive": _may(one)} for one in rewards])
            return
        (out if dry_run else err).print(views.render_acts("send again", rewards, datetime.now(UTC)))
        if dry_run:
            return
        ask("Send them again?")
    act_on_each(client.redrive, reward_ids, "on its way again", as_json=as_json)


def _may(reward: dict[str, Any]) -> bool:
    return reward["status"] in ("failed", "returned")


@dataclass(frozen=True)
class _Walk:
    """A walk over one queue, page by page."""

    client: AdminClient
    queue: QueueName
    campaign_id: str | None

    def go(self, *, dry_run: bool, on_page: Callable[[Total], None] = lambda _: None) -> Total:
        """Walk to the end; return what it came to."""
        total, cursor = Total(), None
        while True:
            answer = self.client.redrive_queue(
                self.queue, limit=PAGE, cursor=cursor, campaign_id=self.campaign_id, dry_run=dry_run
            )
            total.add(answer)
            on_page(total)
            cursor = answer["next"]
            if cursor is None:
                return total


def _redrive_queue(walk: _Walk, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    planned = _with_progress(walk, "looking", None, dry_run=True)
    empty = not (planned.redriven or planned.left or (walk.queue is QueueName.STREAM and planned.looked_at))
    if dry_run or empty:
        if as_json:
            print_json({"queue": walk.queue, "dry_run": True, **vars(planned)})
        elif empty:
            done("There is nothing to redrive")
        else:
            out.print(_plan(walk, planned))
            _list(planned)
        return
    if not yes:
        err.print(_plan(walk, planned))
        ask("Go ahead?")
    result = _with_progress(walk, "redriving", planned.looked_at or None, dry_run=False)
    if as_json:
        print_json({"queue": walk.queue, "dry_run": False, **vars(result)})
        return
    done(_result(walk, result))
    if result.left:
        err.print(
            f"{result.left:,} dead letters stay: they are about something that is not done yet. "
            "Look with `brandday fulfilments --status failed`, and run this again later."
        )


def _with_progress(walk: _Walk, what: str, total: int | None, *, dry_run: bool) -> Total:
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=total)
        return walk.go(dry_run=dry_run, on_page=lambda so_far: progress.update(task, completed=so_far.looked_at))


def _plan(walk: _Walk, planned: Total) -> str:
    letters = f"; {planned.left:,} dead letters would be looked at" if planned.left else ""
    match walk.queue:
        case QueueName.FULFILMENTS:
            where = f" of {walk.campaign_id}" if walk.campaign_id else ""
            return f"{planned.redriven:,} failed rewards{where} would be sent again{letters}"
        case QueueName.HOLDS:
            return f"{planned.redriven:,} reminders of holds would go back to their queue"
        case QueueName.STREAM:
            return f"{planned.looked_at:,} shards would be searched for sales without a reward{letters}"


def _result(walk: _Walk, result: Total) -> str:
    letters = f", {result.removed:,} dead letters removed" if result.removed else ""
    match walk.queue:
        case QueueName.FULFILMENTS:
            return f"{result.redriven:,} rewards are on their way again{letters}"
        case QueueName.HOLDS:
            return f"{result.redriven:,} reminders are back in their queue"
        case QueueName.STREAM:
            return f"{result.redriven:,} missing rewards were made, from {result.looked_at:,} shards{letters}"


def _list(planned: Total, most: int = 50) -> None:
    for reward_id in planned.rewards[:most]:
        out.print(f"  {reward_id}")
    if len(planned.rewards) > most:
        out.print(f"  ... and {len(planned.rewards) - most:,} more; --json lists them all")
