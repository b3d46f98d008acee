"""`brandday rehearse --bots`: the same crowd, mostly bots, meets a campaign without its protection, then with it.

Both rounds are played on copies, made and published through the admin API, so the figures stand side by side: who got
the units, who was turned away, and whether the books still agree.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from brandday.config.protection_part import MAX_PASS_SECONDS, MAX_PASSES_SECONDS, SPARE_SECONDS
from brandday_cli.abuse_plan import Kind, Visitor, plan_visitors
from brandday_cli.abuse_play import Door, Played, Reply, Result, play_visitors
from brandday_cli.abuse_verdict import Round
from brandday_cli.rehearsal import MOST_AT_ONCE, RehearsalRefused, Stage, check_loopback
from brandday_cli.rehearsal_crowd import MintToken
from brandday_cli.rehearsal_plan import claims_of, copy_declaration

MOST_WRONG = 0.01
"""Of the honest shoppers, how many may be turned away by mistake."""

OPENS_IN_SECONDS = 3.0
QUEUE_SECONDS_PER_TICKET = 0.06
"""Room for everybody to get a ticket before the opening: a local stack answers some twenty requests a second."""

EASY = 100
"""The least difficulty of a proof of work."""

REQUEST_TIMEOUT = 15.0


class Comparison(NamedTuple):
    """The two rounds, and whether the audits of both have passed."""

    without: Round
    protected: Round
    audits_passed: bool

    @property
    def kept(self) -> bool:
        """Whether what a gate is for was achieved: more for people, hardly any of them turned away, and true books."""
        return (
            self.audits_passed
            and self.protected.honest_share > self.without.honest_share
            and self.protected.wrongly_refused < MOST_WRONG
        )

    def as_json(self) -> dict[str, Any]:
        """The figures for another program."""
        return {
            "without": self.without.as_json(),
            "protected": self.protected.as_json(),
            "audits_passed": self.audits_passed,
            "kept": self.kept,
        }


class BotScript(NamedTuple):
    """How a rehearsal with bots is played; `at_once` is how many requests may be in flight."""

    visitors: int
    seed: int
    at_once: int = MOST_AT_ONCE


type SignSignals = Callable[..., str]
"""``sign(subject, **signals)`` returns a header Shop-Signals."""


class HttpDoor:
    """The API over HTTP; each visitor has a token of its own, and signals that the shop has signed."""

    def __init__(self, url: str, mint: MintToken, sign: SignSignals) -> None:
        self._mint = mint
        self._sign = sign
        self._signed: dict[int, dict[str, str]] = {}
        self._signing = threading.Lock()
        limits = httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=MOST_AT_ONCE)
        # The environment's proxies are not for loopback addresses, and a rehearsal goes nowhere else.
        self._client = httpx.Client(base_url=url, timeout=REQUEST_TIMEOUT, limits=limits, trust_env=False)

    def sign(self, visitors: Sequence[Visitor]) -> None:
        """Sign for all of them, before anybody waits for it."""
        for visitor in visitors:
            self._headers(visitor)

    def send(
        self, visitor: Visitor, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Reply:
        """Send one request with the visitor's token."""
        sent = {**self._headers(visitor), **headers}
        try:
            answer = self._client.request(method, path, headers=sent, json=body)
        except httpx.TransportError:
            return Reply(0, "http_503", {})
        try:
            document = answer.json()
        except json.JSONDecodeError:
            document = {}
        code = str(document.get("code") or f"http_{answer.status_code}") if answer.status_code >= 300 else ""
        return Reply(answer.status_code, code, document)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _headers(self, visitor: Visitor) -> dict[str, str]:
        with self._signing:
            headers = self._signed.get(visitor.number)
            if headers is None:
                headers = self._signed[visitor.number] = {
                    "Authorization": f"Bearer {self._mint(visitor.account, 'shopper', visitor.claims)}",
                    "Shop-Signals": self._sign(visitor.account, **visitor.signals),
                }
        return headers


def rehearse_with_bots(
    stage: Stage,
    door: Door,
    campaign_id: str,
    script: BotScript,
    on_stage: Callable[[str, int], None],
    on_done: Callable[[], None],
) -> Comparison:
    """Play both rounds and compare them.

    Raises ``RehearsalRefused`` for a campaign without protection, or an API that is not on this machine.
    """
    check_loopback(stage.url)
    declaration = stage.operator.declaration(campaign_id)
    if not declaration.get("protection"):
        raise RehearsalRefused(f"{campaign_id} declares no protection; there is nothing to compare")
    crowd = plan_visitors(script.visitors, script.seed, claims_of(declaration))
    on_stage("signing tokens", 0)
    door.sign(crowd)
    rounds, passed = [], True
    for protected in (False, True):
        on_stage("with its protection" if protected else "without protection", len(crowd))
        results, played = _play(stage, door, declaration, crowd, script.at_once, on_done, protected=protected)
        passed = passed and stage.audit(played).ok
        rounds.append(Round.of(sum(sku["stock"] for sku in declaration["skus"]), results))
    return Comparison(rounds[0], rounds[1], passed)


def _play(
    stage: Stage,
    door: Door,
    declaration: Mapping[str, Any],
    crowd: Sequence[Visitor],
    at_once: int,
    on_done: Callable[[], None],
    *,
    protected: bool,
) -> tuple[list[Result], str]:
    """Play one round on a copy; return what became of the visitors, and the copy's id."""
    protection: dict[str, Any] | None = declaration["protection"] if protected else None
    opens_in = OPENS_IN_SECONDS
    if protection is not None:
        opens_in += QUEUE_SECONDS_PER_TICKET * sum(visitor.wants_ticket for visitor in crowd)
        protection = _played_here(protection, int(opens_in))
    opens_at = datetime.now(UTC) + timedelta(seconds=opens_in)
    copy = {**copy_declaration(declaration, secrets.token_hex(3), opens_at), "protection": protection}
    stage.operator.apply(copy)
    stage.operator.publish(copy["id"])
    time.sleep(1.5)  # every environment has seen it by then
    played = Played(
        id=copy["id"],
        sku=copy["skus"][0]["sku"],
        opens_at=opens_at.timestamp(),
        tickets=bool(protection and protection.get("ticket")),
        challenge=bool(protection and protection.get("challenge")),
    )
    try:
        return play_visitors(door, played, crowd, at_once, lambda _: on_done()), played.id
    finally:
        stage.operator.end(played.id)


def _played_here(protection: Mapping[str, Any], opens_in: int) -> dict[str, Any]:
    """Return a protection whose counts are a rehearsal's own, with a desk that is open from now on, and with challenges
    that hundreds of visitors can solve on one machine: what they cost a farm is not what is rehearsed.
    """
    played = {**protection, "brand_day": f"rehearsal-{secrets.token_hex(4)}"}
    if protection.get("ticket"):
        played["ticket"] = {"opens_before_seconds": opens_in + 60, "valid_seconds": MAX_PASS_SECONDS}
    if protection.get("challenge"):
        # Tickets last longer here than they may have; both together have to fit what a pass may last.
        valid = min(protection["challenge"]["valid_seconds"], MAX_PASSES_SECONDS - MAX_PASS_SECONDS)
        wait = min(protection["challenge"]["wait_seconds"], valid - SPARE_SECONDS)
        easy = {"difficulty": EASY, "valid_seconds": valid, "wait_seconds": wait}
        played["challenge"] = {**protection["challenge"], **easy}
    return played


def render_comparison(comparison: Comparison) -> RenderableType:
    """Return the two rounds side by side for a terminal."""
    without, protected = comparison.without, comparison.protected
    table = Table(title="Who got the units", title_justify="left")
    table.add_column("visitors")
    for heading in ("came", "without", "protected", "turned away by (protected)"):
        table.add_column(heading, justify="left" if heading.startswith("turned") else "right")
    for kind in Kind:
        codes = ", ".join(f"{code} {count:,}" for code, count in protected.refusals[kind].most_common(3))
        style = "bold" if kind is Kind.HONEST else ""
        table.add_row(
            Text(kind, style=style),
            f"{protected.visitors.get(kind, 0):,}",
            f"{without.units[kind]:,}",
            f"{protected.units[kind]:,}",
            Text(codes, style="dim"),
        )
    figures = Table(show_header=False)
    figures.add_column()
    figures.add_column(justify="right")
    figures.add_column(justify="right")
    figures.add_row("honest shoppers' share", f"{without.honest_share:.0%}", f"{protected.honest_share:.0%}")
    figures.add_row("honest shoppers turned away", f"{without.turned_away:,}", f"{protected.turned_away:,}")
    closing = (
        Text("The gate lets people in and keeps bots out.", style="bold green")
        if comparison.kept
        else Text("The gate does not do what it is for; see the figures above.", style="bold red")
    )
    return Group(table, figures, closing)
