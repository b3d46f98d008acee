"""Plays a crowd with bots against a campaign, and notes what each visitor got.

A visitor knows nothing but the HTTP API. People do what the shop's page does: solve the challenge while they wait, get
a ticket, come when it is open, try again when they are told to. Bots do what pays.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from brandday_cli.abuse_plan import Kind, Visitor

MOST_TRIES = 6
LONGEST_WAIT = 1.5
"""Seconds."""

AT_THE_GATE = frozenset(
    {"ticket_invalid", "challenge_required", "signal_missing", "not_admitted", "limit_reached", "rate_limited"}
)
"""Refusals by which a gate turns somebody away."""

_AGAIN = frozenset({"temporarily_overloaded", "campaign_not_started", "http_429", "http_503"})
"""`all_held` is final here: nobody pays in this rehearsal, and nobody gives anything back."""


class Reply(NamedTuple):
    """An answer: its status, the code of a refusal ("" if it is none), its body."""

    status: int
    code: str
    body: Mapping[str, Any]


class Door(Protocol):
    """The API as visitors see it; used by several threads."""

    def sign(self, visitors: Sequence[Visitor]) -> None:
        """Sign tokens and signals for all of them, before anybody waits for it."""

    def send(
        self, visitor: Visitor, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Reply:
        """Send one request with the visitor's token."""


class Played(NamedTuple):
    """A campaign that is open for the crowd; `opens_at` is in epoch seconds."""

    id: str
    sku: str
    opens_at: float
    tickets: bool
    challenge: bool


@dataclass
class Result:
    """What became of one visitor."""

    visitor: Visitor
    requests: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    reservation: str = ""

    @property
    def turned_away(self) -> bool:
        """Whether the gate was the last word."""
        return not self.reservation and any(code in AT_THE_GATE for code in self.refusals)


def play_visitors(
    door: Door, played: Played, visitors: Sequence[Visitor], at_once: int, on_done: Callable[[Result], None]
) -> list[Result]:
    """Let all of them queue up, then come, each at its time; return what became of them, in the order of arrival."""
    results = [Result(visitor) for visitor in visitors]
    tickets: dict[int, str] = {}

    def queue_up(result: Result) -> None:
        ticket = _get_ticket(door, played, result)
        if ticket:
            tickets[result.visitor.number] = ticket

    def come(result: Result) -> None:
        _wait_until(played.opens_at + result.visitor.arrives_after)
        if result.visitor.kind is Kind.GUESSER:
            _guess(door, result)
        else:
            _claim(door, played, result, tickets)
        on_done(result)

    with ThreadPoolExecutor(at_once) as pool:
        if played.tickets:
            list(pool.map(queue_up, [result for result in results if result.visitor.wants_ticket]))
        list(pool.map(come, results))
    return results


def solve(posed: Mapping[str, Any]) -> str:
    """Return the solution of a challenge as the widget sends it."""
    from altcha import Challenge, Payload, solve_challenge  # only rehearsals with challenges solve any

    challenge = Challenge.from_dict(dict(posed))
    solution = solve_challenge(challenge)
    if solution is None:
        raise ValueError("the challenge was not solved in time")
    return Payload(challenge, solution).to_base64()


def _get_ticket(door: Door, played: Played, result: Result) -> str:
    headers: dict[str, str] = {}
    path = f"/v1/campaigns/{played.id}"
    if played.challenge:
        posed = _ask(door, result, "GET", f"{path}/challenge", {}, None)
        if posed.code:
            return ""
        headers["Challenge-Solution"] = solve(posed.body)
    answer = _ask(door, result, "POST", f"{path}/tickets", headers, None)
    return "" if answer.code else str(answer.body["ticket"])


def _claim(door: Door, played: Played, result: Result, tickets: Mapping[int, str]) -> None:
    visitor = result.visitor
    headers = {"Idempotency-Key": f"{visitor.account}-{visitor.number}"}
    ticket = tickets.get(visitor.number if visitor.replays is None else visitor.replays, "")
    if visitor.wants_ticket and played.tickets and not ticket:
        if visitor.kind is Kind.HONEST:
            return  # the page has told why there is no ticket
        ticket = "tkt_none"
    if ticket:
        headers["Entry-Ticket"] = ticket
    path, body = f"/v1/campaigns/{played.id}/reservations", {"sku": played.sku}
    answer = _ask(door, result, "POST", path, headers, body)
    if not answer.code and answer.status == 201:
        result.reservation = str(answer.body["id"])


def _guess(door: Door, result: Result) -> None:
    order = {
        "currency": "CNY",
        "lines": [{"sku": "HERO", "quantity": 1, "unit_price": {"amount": 10_000, "currency": "CNY"}}],
    }
    _ask(door, result, "POST", "/v1/validations", {}, {"codes": [result.visitor.code], "order": order})


def _ask(
    door: Door, result: Result, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
) -> Reply:
    """Send, and send again where that may help: people are patient, bots are, too."""
    while True:
        answer = door.send(result.visitor, method, path, headers, body)
        result.requests += 1
        if answer.code:
            result.refusals[answer.code] += 1
        if answer.code not in _AGAIN or result.refusals[answer.code] >= MOST_TRIES:
            return answer
        time.sleep(min(LONGEST_WAIT, float(answer.body.get("retry_after_ms") or 200) / 1000))


def _wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))
