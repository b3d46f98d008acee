"""`brandday audit`: prove from the tables that not one unit was oversold or lost."""

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from brandday.adapters.aws import dynamodb_client
from brandday.config.settings import SettingMissing, Settings
from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_records import UnreadableCampaign
from brandday_cli.audit_report import to_json, to_text
from brandday_cli.audit_rules import Findings
from brandday_cli.audit_tables import DynamoAuditTables
from brandday_cli.console import err, out
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_cli.target import Target, find_local_stack

READ_TIMEOUT_MS = 20_000


def audit(
    ctx: typer.Context,
    campaign_id: Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for another program.")] = False,
    scan: Annotated[
        bool, typer.Option("--scan", help="Also look for stock outside the layout; reads the whole table.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Also what is only true once a sale is quiet: the live summary agrees.")
    ] = False,
) -> None:
    """Prove from the tables that not one unit was oversold or lost; exit code 1 names each violation."""
    findings = run_audit(open_tables(ctx.obj), campaign_id, scan=scan, strict=strict, show_progress=True)
    if as_json:
        out.file.write(to_json(findings) + "\n")
    else:
        out.print(to_text(campaign_id, findings))
    if not findings.ok:
        raise typer.Exit(ExitCode.REFUSED)


def open_tables(target: Target) -> DynamoAuditTables:
    """Return the tables: those that STOCK_TABLE and CAMPAIGN_TABLE name, or else the local stack's.

    Raises CommandFailed when another API was named and its tables were not.
    """
    try:
        settings = Settings.from_env()
    except SettingMissing as missing:
        if target.api_url:
            raise CommandFailed(
                f"The audit reads the tables itself, and does not know which: {missing}",
                exit_code=ExitCode.USAGE,
                advice="Set STOCK_TABLE and CAMPAIGN_TABLE to the stack's outputs, and credentials that may read them.",
            ) from None
        stack = find_local_stack()
        return DynamoAuditTables(stack.aws.tables, stack.stock_table, stack.campaign_table)
    return DynamoAuditTables(dynamodb_client(READ_TIMEOUT_MS), settings.stock_table, settings.campaign_table)


def run_audit(
    tables: DynamoAuditTables,
    campaign_id: str,
    *,
    scan: bool = False,
    strict: bool = False,
    show_progress: bool = False,
) -> Findings:
    """Audit a campaign, with a progress bar if asked for; raises CommandFailed if there is nothing to judge."""
    with Progress(
        TextColumn("reading shards"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not show_progress,
    ) as progress:
        task = progress.add_task("", total=None)
        try:
            return audit_campaign(
                tables,
                campaign_id,
                scan=scan,
                strict=strict,
                on_progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
        except UnreadableCampaign as error:
            raise CommandFailed(
                f"There is nothing to audit: {error}",
                exit_code=ExitCode.REFUSED,
                advice="See which campaigns there are with `brandday list`.",
            ) from None
