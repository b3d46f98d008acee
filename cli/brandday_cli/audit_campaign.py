"""The audit: prove from the tables that not one unit was oversold or lost, and no reward lost or delivered twice.

The tables are read shard by shard with consistent reads, and shoppers with entries in several shards are
set aside on disk, so memory does not grow with the sale. A sale may go on meanwhile. One item is read atomically,
so what one shard says about itself stands; a fact that spans items (a pointer and its claim, one
shopper's total) may have moved between two reads, and is believed only after all the items it
rests on were read again in one transaction.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from brandday_cli.audit_coupon_records import decode_coupon_plan
from brandday_cli.audit_coupons import CouponAudit, CouponTables, Forged
from brandday_cli.audit_lottery import LotteryAudit, LotteryTables
from brandday_cli.audit_lottery_records import decode_lottery
from brandday_cli.audit_records import (
    POINTER,
    Entry,
    Plan,
    Shard,
    Violation,
    decode_plan,
    decode_shard,
    decode_summary,
)
from brandday_cli.audit_rewards import RewardAudit, RewardTables
from brandday_cli.audit_rules import (
    Findings,
    Pool,
    check_pools,
    check_restocks,
    check_shard,
    check_shopper,
    check_summary,
    count_units,
    crosses_shards,
)
from brandday_cli.audit_tables import BATCH_SIZE, AuditTables
from brandday_cli.audit_tallies import TallyAudit, TallyTables, decode_limits
from brandday_cli.audit_travellers import Travellers

OVERDUE_NOTE_MS = 5 * 60 * 1000
"""How long after its expiry a hold that is not back on sale is worth a note."""

type Progress = Callable[[int, int], None]
"""Called with (parts read, parts in all): the shards, and then the buckets of the rewards."""


@dataclass
class _Tally:
    """What is gathered while the shards stream by."""

    pools: dict[str, Pool]
    travellers: Travellers
    restocks: dict[tuple[str, str], int] = field(default_factory=dict)
    overdue_units: int = 0


def audit_campaign(
    tables: AuditTables,
    campaign_id: str,
    *,
    rewards: RewardTables | None = None,
    entries: LotteryTables | None = None,
    coupons: CouponTables | None = None,
    tallies: TallyTables | None = None,
    forged: Forged | None = None,
    scan: bool = False,
    strict: bool = False,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    sleep: Callable[[float], None] = time.sleep,
    on_progress: Progress = lambda _done, _total: None,
) -> Findings:
    """Audit one campaign and return what was found; rewards, a lottery's entries, coupons and the tallies of limits,
    too, if their tables are there. ``forged`` names coupons whose codes are not what their sources make.

    ``scan`` also looks for stock items outside the layout (reads the whole table);
    ``strict`` also checks what is only true once a sale is quiet: the summary agrees with the shards, no
    pointer announces a claim that was never made, and each confirmed claim has its reward at the first look.
    Raises ``UnreadableCampaign`` when there is no published campaign to judge.
    """
    config = tables.read_config(campaign_id)
    plan, violations = decode_plan(campaign_id, config)
    lottery = decode_lottery(plan, config or {})
    pools = {slot: Pool(sku, plan.stock[sku]) for slot, sku in plan.sku_of_slot.items()}
    findings = Findings(list(pools.values()), violations)
    summary = decode_summary(tables.read_summary_chunks(campaign_id, plan.shards)) if strict else None
    coupon_plan = decode_coupon_plan(plan, config or {})
    audits: list[RewardAudit | LotteryAudit | CouponAudit | TallyAudit] = []
    if lottery is not None:
        if entries is not None:
            audits.append(LotteryAudit(entries, rewards, plan, lottery, now_ms, strict=strict, sleep=sleep))
    elif coupon_plan is not None:
        if coupons is not None:
            audits.append(
                CouponAudit(coupons, rewards, plan, coupon_plan, now_ms, strict=strict, sleep=sleep, forged=forged)
            )
        else:
            findings.notes.append("Coupons were not audited: name their table with --coupon-table or COUPON_TABLE.")
    elif rewards is not None:
        audits.append(RewardAudit(rewards, plan, now_ms, strict=strict, sleep=sleep))
    scope, limits = decode_limits(plan, config or {})
    if limits and tallies is not None:
        audits.append(TallyAudit(tallies, plan, scope, limits, now_ms))
    elif limits:
        findings.notes.append("Limits on wins were not audited: name their table with --guard-table or GUARD_TABLE.")
    parts = plan.shards + sum(audit.parts() for audit in audits)
    with Travellers() as travellers:
        tally = _Tally(pools, travellers)
        for number, item in tables.read_shards(campaign_id, range(plan.shards)):
            shard = decode_shard(plan, number, item)
            _take_in(plan, shard, tally, findings, now_ms())
            if summary is not None:
                violations += check_summary(plan, shard, summary.get(number))
            for audit in audits:
                audit.take_shard(shard)
            on_progress(number + 1, parts)
        for shopper, records in travellers:
            violations += _judge_traveller(tables, plan, shopper, records, now_ms, strict=strict)
    violations += _judge_restocks(tables, plan, tally.restocks)
    violations += check_pools(findings.pools)
    if scan:
        violations += _find_strays(tables, plan)
    for audit in audits:
        audit.finish(findings, lambda done: on_progress(plan.shards + done, parts))
    if tally.overdue_units:
        minutes = OVERDUE_NOTE_MS // 60_000
        findings.notes.append(
            f"{tally.overdue_units} held units expired over {minutes} minutes ago and are not yet back on "
            "sale: is the sweeper running?"
        )
    return findings


def _take_in(plan: Plan, shard: Shard, tally: _Tally, findings: Findings, now_ms: int) -> None:
    """Judge one shard by itself, add it to the totals, and remember whom it cannot judge alone."""
    violations, oversold, lost = check_shard(plan, shard)
    findings.violations += violations
    findings.oversold += oversold
    findings.lost += lost
    for slot, (restocked, free, held, sold) in count_units(plan, shard).items():
        pool = tally.pools[slot]
        pool.restocked += restocked
        pool.free += free
        pool.held += held
        pool.sold += sold
    for key, units in shard.restocked.items():
        tally.restocks[key] = tally.restocks.get(key, 0) + units
    for shopper, entries in shard.records.items():
        if crosses_shards(plan, shard, shopper):
            tally.travellers.add(shopper, shard.number, entries)
        elif plan.home_of(shopper) == shard.number:
            findings.violations += check_shopper(plan, shopper, {shard.number: entries}, now_ms)
        tally.overdue_units += sum(
            entry.quantity for entry in entries if entry.is_held and plan.expires_at(entry) + OVERDUE_NOTE_MS < now_ms
        )


def _judge_traveller(
    tables: AuditTables,
    plan: Plan,
    shopper: str,
    seen: dict[int, tuple[Entry, ...]],
    now_ms: Callable[[], int],
    *,
    strict: bool,
) -> list[Violation]:
    """Judge a shopper with entries in several shards; what looks wrong is read again as of one moment."""
    owns_away = any(entry.owns_units for entries in seen.values() for entry in entries)
    is_complete = plan.home_of(shopper) in seen or not owns_away
    if is_complete and not check_shopper(plan, shopper, seen, now_ms(), strict=strict):
        return []
    involved = {plan.home_of(shopper), *seen}
    while True:
        involved |= {
            entry.target
            for entry in seen.get(plan.home_of(shopper), ())
            if entry.state == POINTER and entry.target is not None and entry.target < plan.shards
        }
        shards = sorted(involved)[:BATCH_SIZE]
        items = tables.read_together(plan.campaign_id, shards)
        decoded = {number: decode_shard(plan, number, item) for number, item in items.items()}
        seen = {number: shard.records[shopper] for number, shard in decoded.items() if shopper in shard.records}
        targets = {
            entry.target
            for entry in seen.get(plan.home_of(shopper), ())
            if entry.target is not None and entry.target < plan.shards
        }
        if targets <= involved:
            return check_shopper(plan, shopper, seen, now_ms(), strict=strict)


def _judge_restocks(tables: AuditTables, plan: Plan, recorded: dict[tuple[str, str], int]) -> list[Violation]:
    """Compare restocks; on a difference read all again, since one may be going on right now."""
    if not check_restocks(plan, recorded):
        return []
    before, _ = decode_plan(plan.campaign_id, tables.read_config(plan.campaign_id))
    recorded = {}
    for number, item in tables.read_shards(plan.campaign_id, range(plan.shards)):
        for key, units in decode_shard(plan, number, item).restocked.items():
            recorded[key] = recorded.get(key, 0) + units
    after, _ = decode_plan(plan.campaign_id, tables.read_config(plan.campaign_id))
    # Reported are only differences that both records of the campaign agree on, the one before and
    # the one after the shards were read.
    confirmed = check_restocks(after, recorded)
    return [violation for violation in check_restocks(before, recorded) if violation in confirmed]


def _find_strays(tables: AuditTables, plan: Plan) -> list[Violation]:
    """Name the campaign's stock items that lie outside its layout."""
    expected = {f"{plan.campaign_id}#{number}" for number in range(plan.shards)}
    return [
        Violation("stray_item", f"the stock item {key!r} lies outside the layout's {plan.shards} shards")
        for key in tables.scan_keys(plan.campaign_id)
        if key not in expected
    ]
