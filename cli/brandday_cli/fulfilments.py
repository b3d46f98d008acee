"""`brandday fulfilments`, `fulfilment` and `approve`: where rewards are on their way, and a second person's word."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer

from brandday.domain.reward import RewardStatus
from brandday_cli import fulfilment_views as views
from brandday_cli.client import AdminClient, ApiRefused
from brandday_cli.console import ask, done, err, out, print_failure, print_json
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_cli.fulfilment_views import STATUS_STYLES, WORTH_A_LINE, Count
from brandday_cli.target import Target

MOST_COUNTED = 1000
"""Rewards counted per status on a terminal; a campaign may have a million that have arrived."""

RewardIds = Annotated[list[str], typer.Argument(metavar="REWARD", help="The rewards' ids.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask for nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for another program.")]


def fulfilments(
    ctx: typer.Context,
    campaign_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="The campaign's id; without it all that are or were on sale.")
    ] = None,
    status: Annotated[
        RewardStatus | None,
        typer.Option(help="Only rewards in this status; without it those that may need somebody.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rewards listed per campaign.")] = 50,
    as_json: Json = False,
) -> None:
    """Show where the rewards of a campaign are: how many in each status, since when, and what partners said."""
    target: Target = ctx.obj
    with target.operator() as client:
        campaign_ids = [campaign_id] if campaign_id else _sold(client)
        if as_json:
            print_json([_everything(client, one, status) for one in campaign_ids])
            return
        if not campaign_ids:
            done("No campaign has been on sale yet, so there is nothing to hand over")
        for one in campaign_ids:
            counts, rewards = _overview(client, one, status, limit)
            out.print(views.render_fulfilments(one, counts, rewards, datetime.now(UTC), shown=limit))


def fulfilment(
    ctx: typer.Context,
    reward_id: Annotated[str, typer.Argument(metavar="REWARD", help="The reward's id.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Show one reward: what it is, where it is, and what was said about it."""
    target: Target = ctx.obj
    with target.operator() as client:
        reward = client.fulfilment(reward_id)
    if as_json:
        print_json(reward)
    else:
        out.print(views.render_fulfilment(reward, datetime.now(UTC)))


def approve(ctx: typer.Context, reward_ids: RewardIds, yes: Yes = False, as_json: Json = False) -> None:
    """Let rewards go that wait for a second person: anybody but those who have applied their campaign."""
    target: Target = ctx.obj
    with target.operator() as client:
        if not yes:
            rewards = [client.fulfilment(reward_id) for reward_id in reward_ids]
            err.print(views.render_acts("approve", rewards, datetime.now(UTC)))
            ask("Approve, as the second person?")
        act_on_each(client.approve, reward_ids, "approved", as_json=as_json)


def act_on_each(act: Callable[[str], dict[str, Any]], reward_ids: list[str], word: str, *, as_json: bool) -> None:
    """Act on one reward after the other; one that is refused does not hold up the others, and sets the exit code."""
    answers: list[dict[str, Any]] = []
    refused = 0
    for reward_id in dict.fromkeys(reward_ids):
        try:
            answer = act(reward_id)
        except ApiRefused as refusal:
            if refusal.exit_code is not ExitCode.REFUSED or refusal.code in ("unauthenticated", "forbidden"):
                raise
            refused += 1
            answers.append({"id": reward_id, "refused": refusal.code, "changed": False})
            print_failure(
                CommandFailed(f"{reward_id}: {refusal.message}", exit_code=refusal.exit_code, advice=refusal.advice)
            )
            continue
        status, changed = answer["fulfilment"]["status"], answer["changed"]
        answers.append({"id": reward_id, "status": status, "changed": changed})
        if not as_json:
            before = "" if changed else "; that was done before, nothing changed"
            done(f"{reward_id} is {word}: {views.status_text(status)} now{before}")
    if as_json:
        print_json(answers)
    if refused:
        raise typer.Exit(ExitCode.REFUSED)


def _sold(client: AdminClient) -> list[str]:
    """Campaigns that can have sold something: what is ended may still have rewards on their way."""
    return [one["id"] for one in client.list_campaigns() if one["state"] not in ("draft", "scheduled")]


def _overview(
    client: AdminClient, campaign_id: str, status: RewardStatus | None, limit: int
) -> tuple[dict[str, Count], list[dict[str, Any]]]:
    """Count each status, as far as that is cheap, and get the first rewards that are worth a line."""
    counts: dict[str, Count] = {}
    listed: list[dict[str, Any]] = []
    for one in [status] if status else STATUS_STYLES:
        rewards = client.all_fulfilments(campaign_id, one)
        seen = 0
        for reward in islice(rewards, MOST_COUNTED):
            seen += 1
            if len(listed) <= limit and (status or one in WORTH_A_LINE):
                listed.append(reward)
        counts[one] = Count(seen, next(rewards, None) is not None)
    return counts, listed


def _everything(client: AdminClient, campaign_id: str, status: RewardStatus | None) -> dict[str, Any]:
    """All rewards of a campaign in one status, or in any."""
    statuses = [status] if status else list(RewardStatus)
    rewards = [reward for one in statuses for reward in client.all_fulfilments(campaign_id, one)]
    counts = {str(one): sum(reward["status"] == one for reward in rewards) for one in statuses}
    return {"campaign_id": campaign_id, "counts": counts, "fulfilments": rewards}
