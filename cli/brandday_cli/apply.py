"""`brandday apply`: campaign files in, the difference to what is live shown, and on a yes made so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brandday_cli.campaign_yaml import CampaignSource, FileProblem, FileRefused, find_campaign_files, read_campaign_file
from brandday_cli.client import AdminClient, ApiRefused
from brandday_cli.failures import CommandFailed, ExitCode


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying one file would do; no changes: it is live as declared. `version` is what is live, 0 for
    nothing.
    """

    source: CampaignSource
    version: int
    changes: tuple[dict[str, Any], ...]


def read_files(paths: Sequence[Path]) -> list[CampaignSource]:
    """Read and check all files before anything is sent; raises CommandFailed with all problems of all files."""
    sources: list[CampaignSource] = []
    problems: list[FileProblem] = []
    for file in find_campaign_files(list(paths)):
        try:
            sources.append(read_campaign_file(file))
        except FileRefused as refused:
            problems += refused.problems
    by_id: dict[str, CampaignSource] = {}
    for source in sources:
        earlier = by_id.setdefault(source.declared.id, source)
        if earlier is not source:
            problems.append(source.problem_at("/id", f"is the id of {earlier.file} too; give one of them another"))
    if problems:
        raise _cannot_work(problems)
    if not sources:
        raise CommandFailed(
            "There is no campaign file there", exit_code=ExitCode.FILE, advice="Name files that end in .yaml."
        )
    return sources


def plan(client: AdminClient, source: CampaignSource) -> Plan:
    """Ask the API what applying the file would change; it checks everything and writes nothing."""
    answer = _send(lambda: client.apply(source.document, dry_run=True), source)
    return Plan(source, answer["campaign"]["version"], tuple(answer["changes"]))


def carry_out(client: AdminClient, planned: Plan) -> dict[str, Any]:
    """Apply the file to the very version that the plan was made for."""
    return _send(lambda: client.apply(planned.source.document, version=planned.version), planned.source)


def _send(call: Callable[[], dict[str, Any]], source: CampaignSource) -> dict[str, Any]:
    """What the API finds wrong in a file gets its line there."""
    try:
        return call()
    except ApiRefused as refused:
        if not refused.places:
            raise
        problems = [source.problem_at(place.pointer, place.detail) for place in refused.places]
        raise CommandFailed(
            refused.message, exit_code=refused.exit_code, details=[str(problem) for problem in problems]
        ) from None


def _cannot_work(problems: Sequence[FileProblem]) -> CommandFailed:
    files = len({problem.file for problem in problems})
    return CommandFailed(
        "This campaign file cannot work" if files == 1 else f"{files} campaign files cannot work",
        exit_code=ExitCode.FILE,
        details=[str(problem) for problem in problems],
        advice="Nothing was sent. Mend it and run the same command again; editors help with `brandday schema`.",
    )
