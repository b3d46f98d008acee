"""A rehearsal: play the rush before it comes, then prove what happened.

By default on a copy of the campaign, made and published through the admin API and open for an hour from
now, because a rehearsal uses the stock up. Before that the crowd's processes warm the backend up with reads
that no figure contains: a rehearsal shows a rush on warm environments, not how long cold ones take. The crowd
knows nothing but the HTTP API; what it was told is held against an audit that reads the tables itself.
"""

import ipaddress
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from brandday_cli.audit_rules import Findings
from brandday_cli.rehearsal_crowd import Crowd, Finished, Happened, OpenMint, Order, Ready, Signed, Warm
from brandday_cli.rehearsal_plan import SkuTerms, claims_of, copy_declaration, plan_crowd
from brandday_cli.rehearsal_shopper import Call
from brandday_cli.rehearsal_verdict import Verdict, judge

MOST_AT_ONCE = 8
"""Requests in flight in all. Each has an execution environment of its own, which locally is a process."""

LONGEST_WAIT_SECONDS = 120
"""For the opening of a campaign that is rehearsed live."""

MOST_SHOPPERS_BY_DEFAULT = 500
SHORT_HOLD_SECONDS = 30
EXPIRY_MARGIN_SECONDS = 90
"""How long after its expiry a hold may take to be back on sale: the sweeper comes once a minute."""


class RehearsalRefused(Exception):
    """The rehearsal cannot be played here; the message says why and what to do."""


class Operator(Protocol):
    """What a rehearsal asks of the admin API."""

    def declaration(self, campaign_id: str) -> dict[str, Any]:
        """Return the campaign's declaration, as it could be applied again."""

    def apply(self, declaration: Mapping[str, Any], /) -> object:
        """Apply a declaration."""

    def publish(self, campaign_id: str) -> object:
        """Publish a draft."""

    def end(self, campaign_id: str) -> object:
        """End a campaign."""


@dataclass(frozen=True)
class Stage:
    """Where the rehearsal is played: the API, its operator, its tokens, and the independent judge."""

    url: str
    operator: Operator
    open_mint: OpenMint
    audit: Callable[[str], Findings]


@dataclass(frozen=True)
class Script:
    """How it is played.

    ``shoppers=None`` is a third more than there are units, 500 at most. ``opens_in`` are the seconds from the
    copy's publication to its opening: time for the early shoppers, and for every environment to have seen it.
    """

    shoppers: int | None = None
    processes: int = 4
    seed: int = 1
    live: bool = False
    wait_for_expiry: bool = False
    opens_in: float = 4.0
    late_after: float = 3.0


class Audience(Protocol):
    """Whoever watches the rehearsal (a progress display)."""

    def on_stage(self, what: str, total: int, /) -> None:
        """Say which part of the rehearsal begins, in words, and how many shoppers (or requests) it has."""

    def on_signed(self, tokens: int) -> None:
        """So many more shoppers have their token."""

    def on_warm(self, lanes: int) -> None:
        """So many more requests in flight were answered in the warm-up."""

    def on_calls(self, calls: list[Call], visits: int, /) -> None:
        """Calls answered and visits finished since the last time."""

    def on_pause(self) -> None:
        """Nothing happened for a moment."""


def rehearse_campaign(stage: Stage, campaign_id: str, script: Script, audience: Audience) -> Verdict:
    """Play one rehearsal and judge it.

    Raises ``RehearsalRefused`` if the API is not on this machine, and ``CrowdFailed`` if a process dies.
    """
    check_loopback(stage.url)
    declaration = stage.operator.declaration(campaign_id)
    skus = [SkuTerms(sku["sku"], sku["stock"], sku["units_per_shopper"]) for sku in declaration["skus"]]
    units = sum(terms.stock for terms in skus)
    shoppers = script.shoppers or min(MOST_SHOPPERS_BY_DEFAULT, units * 4 // 3 + 1)
    plans = plan_crowd(campaign_id, skus, shoppers, script.seed, script.late_after)
    claims = claims_of(declaration)
    most_at_once = max(1, MOST_AT_ONCE // script.processes)
    orders = [
        Order(stage.url, tuple(plans[part :: script.processes]), claims, stage.open_mint, most_at_once)
        for part in range(script.processes)
    ]
    with Crowd(orders) as crowd:
        audience.on_stage("signing tokens", shoppers)
        for report in crowd.reports_until(Ready):
            if isinstance(report, Signed):
                audience.on_signed(report.tokens)
        audience.on_stage("warming up (not counted)", most_at_once * script.processes)
        crowd.warm_up()
        for report in crowd.reports_until(Warm):
            if isinstance(report, Warm):
                audience.on_warm(report.lanes)
        played = declaration if script.live else _set_up_copy(stage.operator, declaration, script)
        try:
            return _play(stage, crowd, played, script, shoppers, audience)
        finally:
            if not script.live:
                stage.operator.end(played["id"])


def _play(
    stage: Stage, crowd: Crowd, played: Mapping[str, Any], script: Script, shoppers: int, audience: Audience
) -> Verdict:
    """Open the doors, watch until the last shopper has gone home, and judge."""
    campaign_id: str = played["id"]
    opens_at = datetime.fromisoformat(played["starts_at"]).timestamp()
    if opens_at > time.time() + LONGEST_WAIT_SECONDS:
        raise RehearsalRefused(f"{campaign_id} opens only at {played['starts_at']}; rehearse a copy, without --live")
    sold_before = {pool.sku: pool.sold for pool in stage.audit(campaign_id).pools}
    audience.on_stage(f"the rush on {campaign_id}", shoppers)
    crowd.open_doors(campaign_id, max(opens_at, time.time()))
    calls: list[Call] = []
    for report in crowd.reports_until(Finished):
        if isinstance(report, Happened):
            calls += report.calls
            audience.on_calls(report.calls, report.visits)
        else:
            audience.on_pause()
    if not any(call.succeeded for call in calls):
        answers = ", ".join(sorted({call.outcome for call in calls}))
        raise RehearsalRefused(f"no shopper got through (answers: {answers}), so nothing was proved")
    findings, overdue = stage.audit(campaign_id), 0
    if script.wait_for_expiry:
        audience.on_stage("waiting until abandoned carts are back on sale", shoppers)
        findings, overdue = _wait_for_expiry(stage, campaign_id, played, findings, audience)
    return judge(calls, findings, shoppers=shoppers, sold_before=sold_before, overdue=overdue)


def _set_up_copy(operator: Operator, declaration: Mapping[str, Any], script: Script) -> dict[str, Any]:
    """Apply and publish a copy that opens in a few seconds; return its declaration."""
    copy = copy_declaration(
        declaration,
        secrets.token_hex(3),
        datetime.now(UTC) + timedelta(seconds=script.opens_in),
        hold_seconds=SHORT_HOLD_SECONDS if script.wait_for_expiry else None,
    )
    operator.apply(copy)
    operator.publish(copy["id"])
    return copy


def _wait_for_expiry(
    stage: Stage, campaign_id: str, declaration: Mapping[str, Any], findings: Findings, audience: Audience
) -> tuple[Findings, int]:
    """Audit until nothing is held any more or all holds are overdue; return the last findings and what is overdue."""
    deadline = time.time() + declaration["hold_seconds"] + EXPIRY_MARGIN_SECONDS
    while (held := sum(pool.held for pool in findings.pools)) and time.time() < deadline:
        time.sleep(1)
        audience.on_pause()
        findings = stage.audit(campaign_id)
    return findings, held


def check_loopback(url: str) -> None:
    """Refuse to send a crowd anywhere but to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        raise RehearsalRefused(f"a rehearsal is a load test: it is played only on this machine, and {host!r} is not")
