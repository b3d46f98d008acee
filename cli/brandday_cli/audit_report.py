"""How the audit's findings are shown: tables for people, one JSON document for programs."""

import json
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from brandday_cli.audit_records import Violation
from brandday_cli.audit_reward_records import STATUSES
from brandday_cli.audit_rules import COUPON_STATUSES, CouponTally, EntryTally, Findings, RewardTally

MOST_SHOWN = 50
"""Violations listed on a terminal; ``--json`` has all of them."""


def to_json(findings: Findings) -> str:
    """Return ``{"ok", "violations", "pools", "rewards", "entries", "coupons"}`` as one line of JSON.

    Rewards are null if not audited, entries (of a lottery) and coupons if there were none to audit.
    """
    return json.dumps(
        {
            "ok": findings.ok,
            "violations": [violation.as_json() for violation in findings.violations],
            "pools": [pool.as_json() for pool in findings.pools],
            "rewards": None if findings.rewards is None else findings.rewards.as_json(),
            "entries": None if findings.entries is None else findings.entries.as_json(),
            "coupons": None if findings.coupons is None else findings.coupons.as_json(),
        },
        ensure_ascii=False,
    )


def to_text(campaign_id: str, findings: Findings) -> RenderableType:
    """Return what a terminal shows: the pools, each violation, and the verdict in one line."""
    pools = Table(title=f"Stock of {campaign_id}", title_justify="left")
    pools.add_column("SKU")
    for heading in ("initial", "restocked", "free", "held", "sold"):
        pools.add_column(heading, justify="right")
    for pool in findings.pools:
        units = (pool.initial, pool.restocked, pool.free, pool.held, pool.sold)
        pools.add_row(pool.sku, *(f"{number:,}" for number in units))
    parts: list[RenderableType] = [pools]
    if findings.entries is not None:
        parts.append(_entries(campaign_id, findings.entries))
    if findings.coupons is not None:
        parts.append(_coupons(campaign_id, findings.coupons))
    parts.append(_rewards(campaign_id, findings.rewards))
    parts += [Text(f"note: {note}", style="yellow") for note in findings.notes]
    if findings.ok:
        held = "free + held + sold == initial + restocked in every shard."
        if findings.entries is not None:
            held += " Each win has its unit, each unit its win; nobody is over an allowance, no prize over a cap."
        if findings.coupons is not None:
            held += (
                " Issued = usable + locked + redeemed + expired + disabled; each use has one order, each order its use."
            )
        if findings.rewards is not None:
            source = "win" if findings.entries else "coupon of a shopper" if findings.coupons else "confirmed claim"
            held += f" Each {source} has one reward, each reward at most one delivery."
        parts.append(Text(f"{held} All promises hold.", style="green"))
        return Group(*parts)
    return Group(*parts, violations_table(findings.violations))


def _entries(campaign_id: str, entries: EntryTally) -> RenderableType:
    table = Table(title=f"Entries of {campaign_id}", title_justify="left")
    counts = {
        "entrants": entries.entrants,
        "entries": entries.entries,
        "wins": entries.won.total(),
        "given back": entries.returned,
        "units": entries.units,
    }
    for heading in counts:
        table.add_column(heading, justify="right")
    table.add_row(*(f"{count:,}" for count in counts.values()))
    return table


def _coupons(campaign_id: str, coupons: CouponTally) -> RenderableType:
    table = Table(title=f"Coupons of {campaign_id}", title_justify="left")
    statuses = COUPON_STATUSES if coupons.issued else ()
    uses = sorted(coupons.uses)
    for heading in ("issued", *statuses, *(f"orders {use}" for use in uses), "discount given"):
        table.add_column(heading, justify="right")
    counts = (coupons.issued, *(coupons.by_status[status] for status in statuses), *(coupons.uses[use] for use in uses))
    table.add_row(*(f"{count:,}" for count in counts), f"{coupons.discount:,}")
    return table


def _rewards(campaign_id: str, rewards: RewardTally | None) -> RenderableType:
    if rewards is None:
        return Text("Rewards were not audited: name their table with --reward-table or REWARD_TABLE.", style="dim")
    table = Table(title=f"Rewards of {campaign_id}", title_justify="left")
    table.add_column("confirmed claims", justify="right")
    table.add_column("rewards", justify="right")
    statuses = [status for status in STATUSES if rewards.by_status[status]]
    for status in statuses:
        table.add_column(status, justify="right")
    counts = (rewards.claims, rewards.by_status.total(), *(rewards.by_status[status] for status in statuses))
    table.add_row(*(f"{count:,}" for count in counts))
    return table


def violations_table(violations: Sequence[Violation]) -> RenderableType:
    """Return the violations in words, the first of them if there are many."""
    table = Table(title=f"{len(violations):,} violations", title_justify="left", title_style="bold red")
    for heading in ("code", "shard", "SKU", "shopper", "what is wrong"):
        table.add_column(heading)
    for violation in violations[:MOST_SHOWN]:
        shard = "" if violation.shard is None else str(violation.shard)
        table.add_row(violation.code, shard, violation.sku or "", violation.shopper or "", violation.detail)
    more = len(violations) - MOST_SHOWN
    return Group(table, Text(f"... and {more:,} more; --json lists them all.")) if more > 0 else table
