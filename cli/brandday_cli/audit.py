"""`brandday audit`: prove from the tables that not one unit or reward was oversold, lost or delivered twice."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from brandday.adapters.aws import dynamodb_client
from brandday.config.settings import SettingMissing, Settings
from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_coupon_records import PARTS
from brandday_cli.audit_coupon_tables import CouponTableNames, DynamoCouponTables
from brandday_cli.audit_coupons import Forged
from brandday_cli.audit_records import UnreadableCampaign
from brandday_cli.audit_report import to_json, to_text
from brandday_cli.audit_rules import Findings
from brandday_cli.audit_tables import (
    DynamoAuditTables,
    DynamoLotteryTables,
    DynamoRewardTables,
    LotteryTableNames,
)
from brandday_cli.audit_tallies import DynamoTallyTables
from brandday_cli.console import err, out
from brandday_cli.failures import CommandFailed, ExitCode
from brandday_cli.target import Target, find_local_stack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

READ_TIMEOUT_MS = 20_000


class Tables(NamedTuple):
    """What is audited; ``rewards``, ``entries``, ``coupons`` and ``tallies`` are ``None`` where there is no table."""

    stock: DynamoAuditTables
    rewards: DynamoRewardTables | None = None
    entries: DynamoLotteryTables | None = None
    coupons: DynamoCouponTables | None = None
    tallies: DynamoTallyTables | None = None


def audit(
    ctx: typer.Context,
    campaign_id: Annotated[str, typer.Argument(metavar="ID", help="The campaign's id.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON for another program.")] = False,
    scan: Annotated[
        bool, typer.Option("--scan", help="Also look for stock outside the layout; reads the whole table.")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Also what is only true once a sale is quiet: the live summary agrees, no reward is still to come.",
        ),
    ] = False,
    reward_table: Annotated[
        str | None,
        typer.Option(envvar="REWARD_TABLE", help="The table of rewards; without it the local stack's.", metavar="NAME"),
    ] = None,
    entry_table: Annotated[
        str | None,
        typer.Option(
            envvar="ENTRY_TABLE", help="The table of lotteries' entries; without it the local stack's.", metavar="NAME"
        ),
    ] = None,
    coupon_table: Annotated[
        str | None,
        typer.Option(envvar="COUPON_TABLE", help="The table of coupons; without it the local stack's.", metavar="NAME"),
    ] = None,
    guard_table: Annotated[
        str | None,
        typer.Option(envvar="GUARD_TABLE", help="The table of limits; without it the local stack's.", metavar="NAME"),
    ] = None,
) -> None:
    """Prove from the tables that not one unit was oversold or lost, and not one reward lost or delivered twice.

    Of a lottery also that each win has its unit and its reward, and nobody won or entered more than they may; after
    the end, that each outcome is what the seed makes of it. Of coupons that each was issued, and is used, for one
    reason only, and that each code is what its source makes; the API is asked for the last. Of limits on wins that none
    is exceeded.

    Exit code 1 names each violation.
    """
    tables = open_tables(ctx.obj, reward_table, entry_table, coupon_table, guard_table)
    forged = forged_codes(ctx.obj) if tables.coupons is not None else None
    findings = run_audit(tables, campaign_id, scan=scan, strict=strict, show_progress=True, forged=forged)
    if as_json:
        out.file.write(to_json(findings) + "\n")
    else:
        out.print(to_text(campaign_id, findings))
    if not findings.ok:
        raise typer.Exit(ExitCode.REFUSED)


def forged_codes(target: Target) -> Forged | None:
    """Return what names coupons with codes that their sources do not make; None if no API was named to ask.

    It takes the secret of all codes, which never leaves the service.
    """
    if target.api_url and not target.token:
        return None

    def ask(campaign_id: str) -> Iterator[str]:
        with target.operator() as client:
            for part in range(PARTS):
                for page in client.coupon_pages(campaign_id, part):
                    yield from (coupon["id"] for coupon in page["coupons"] if not coupon["genuine"])

    return ask


def open_tables(
    target: Target,
    reward_table: str | None = None,
    entry_table: str | None = None,
    coupon_table: str | None = None,
    guard_table: str | None = None,
) -> Tables:
    """Return the tables: those that STOCK_TABLE, CAMPAIGN_TABLE and the arguments name, or else the local stack's.

    Raises CommandFailed when another API was named and its tables were not.
    """
    try:
        settings = Settings.from_env()
    except SettingMissing as missing:
        if target.api_url:
            raise CommandFailed(
                f"The audit reads the tables itself, and does not know which: {missing}",
                exit_code=ExitCode.USAGE,
                advice="Set STOCK_TABLE, CAMPAIGN_TABLE, REWARD_TABLE, (for lotteries) ENTRY_TABLE and (for coupons) "
                "COUPON_TABLE to the stack's outputs, and credentials that may read them.",
            ) from None
        stack = find_local_stack()
        return _tables(
            stack.aws.tables,
            stack.stock_table,
            stack.campaign_table,
            reward_table or stack.reward_table,
            entry_table or stack.entry_table,
            coupon_table or stack.coupon_table,
            guard_table or stack.guard_table,
        )
    client = dynamodb_client(READ_TIMEOUT_MS)
    return _tables(
        client, settings.stock_table, settings.campaign_table, reward_table, entry_table, coupon_table, guard_table
    )


def _tables(
    client: "DynamoDBClient",
    stock: str,
    campaigns: str,
    rewards: str | None,
    entries: str | None,
    coupons: str | None,
    guard: str | None,
) -> Tables:
    names = LotteryTableNames(entries or "", stock, campaigns, rewards or "")
    return Tables(
        DynamoAuditTables(client, stock, campaigns),
        DynamoRewardTables(client, stock, rewards) if rewards else None,
        DynamoLotteryTables(client, names) if entries else None,
        DynamoCouponTables(client, CouponTableNames(coupons, stock, campaigns)) if coupons else None,
        DynamoTallyTables(client, guard, stock) if guard else None,
    )


def run_audit(
    tables: Tables,
    campaign_id: str,
    *,
    scan: bool = False,
    strict: bool = False,
    show_progress: bool = False,
    forged: Forged | None = None,
) -> Findings:
    """Audit a campaign, with a progress bar if asked for; raises CommandFailed if there is nothing to judge."""
    with Progress(
        TextColumn("reading shards and rewards" if tables.rewards else "reading shards"),
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
                tables.stock,
                campaign_id,
                rewards=tables.rewards,
                entries=tables.entries,
                coupons=tables.coupons,
                tallies=tables.tallies,
                forged=forged,
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
