"""How rewards look on a terminal. Pure: the API's answers in, pictures out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from brandday.domain.reward import RewardStatus

STATUS_STYLES: Mapping[str, str] = {
    RewardStatus.FAILED: "bold red",
    RewardStatus.AWAITING_APPROVAL: "bold yellow",
    RewardStatus.RETURNED: "yellow",
    RewardStatus.PENDING: "blue",
    RewardStatus.AWAITING_ADDRESS: "cyan",
    RewardStatus.DISPATCHED: "green",
    RewardStatus.DELIVERED: "bold green",
    RewardStatus.FORFEITED: "dim",
}
"""All that a reward can be, what needs somebody first."""

WORTH_A_LINE = (
    RewardStatus.FAILED,
    RewardStatus.AWAITING_APPROVAL,
    RewardStatus.RETURNED,
    RewardStatus.PENDING,
    RewardStatus.AWAITING_ADDRESS,
)
"""What is listed if no status is named: rewards that have not arrived yet, and may need somebody."""


class Count(NamedTuple):
    """How many rewards are in a status; `is_least` says that there are more than were counted."""

    number: int
    is_least: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.is_least else ''}"


def render_fulfilments(
    campaign_id: str, counts: Mapping[str, Count], rewards: Sequence[Mapping[str, Any]], now: datetime, *, shown: int
) -> RenderableType:
    """A campaign's rewards: how many are in each status, and the first `shown` of those asked for."""
    heading = Text.assemble((campaign_id, "bold"), "  ")
    there = [status for status in STATUS_STYLES if status in counts and counts[status].number]
    if not there:
        return heading + Text("no rewards" if len(counts) > 1 else f"no rewards {_words(next(iter(counts)))}", "dim")
    for status in there:
        heading.append_text(Text.assemble((f"{counts[status]} ", "bold"), status_text(status), "   "))
    if not rewards:
        return heading
    parts: list[RenderableType] = [heading, _table(rewards[:shown], now)]
    if len(rewards) > shown:
        parts.append(Text("There are more: --limit shows them, --json has all.", style="dim"))
    return Group(*parts)


def render_fulfilment(reward: Mapping[str, Any], now: datetime) -> RenderableType:
    """One reward: what it is, where it is on its way, and what was said about it."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("status", status_text(reward["status"]) + Text(f"  for {_age(reward['status_at'], now)}", "dim"))
    for name, value in reward.items():
        if name not in ("id", "status", "status_at", "server_time") and value not in (None, "", {}):
            facts.add_row(_words(name), Text(_plain(value)))
    parts: list[RenderableType] = [Panel(facts, title=Text(reward["id"], "bold"), title_align="left", expand=False)]
    if step := _next_step(reward):
        parts.append(Text(f"→ {step}", style="cyan"))
    return Group(*parts)


def render_acts(verb: str, rewards: Sequence[Mapping[str, Any]], now: datetime) -> RenderableType:
    """What an act would be done to."""
    return Group(Text.assemble((f"{len(rewards):,}", "bold"), f" to {verb}:"), _table(rewards, now))


def status_text(status: str) -> Text:
    """A reward's status in its colour."""
    return Text(_words(status), style=STATUS_STYLES.get(status, ""))


def _table(rewards: Sequence[Mapping[str, Any]], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    table.add_column("reward", no_wrap=True)  # to be copied
    for heading in ("kind", "what"):
        table.add_column(heading)
    table.add_column("status", no_wrap=True)
    table.add_column("for", justify="right", no_wrap=True)
    table.add_column("tries", justify="right")
    table.add_column("destination", overflow="fold")
    table.add_column("their words", overflow="fold", min_width=16)
    for reward in rewards:
        table.add_row(
            reward["id"],
            reward["kind"],
            f"{reward['quantity']:,} {reward['sku']}",
            status_text(reward["status"]),
            _age(reward["status_at"], now),
            str(reward["attempts"]),
            Text(reward.get("destination") or ""),
            Text(reward.get("words") or "", style="italic"),
        )
    return table


def _next_step(reward: Mapping[str, Any]) -> str:
    match reward["status"]:
        case RewardStatus.FAILED | RewardStatus.RETURNED:
            return f"brandday redrive {reward['id']}"
        case RewardStatus.AWAITING_APPROVAL:
            return f"brandday approve {reward['id']}, by somebody who did not apply the campaign"
        case RewardStatus.AWAITING_ADDRESS:
            return "the winner has to say where to send it"
    return ""


def _age(moment: str, now: datetime) -> str:
    """How long ago, in the two largest units: 3 d 4 h, 5 min."""
    seconds = max(0, int((now - datetime.fromisoformat(moment)).total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _plain(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case {"amount": _, "currency": _}:
            return f"{value['currency']} {value['amount']}"
        case dict():
            return " / ".join(map(str, value.values()))
        case _:
            return str(value)
