"""The HTTP API of a protected sale in front of a world of fakes: the desk, and the sale behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import altcha

from brandday.adapters.guard_keys import SecretPassKeys
from brandday.domain.campaign import LatePayment
from brandday.domain.protection import Protection
from brandday.entrypoints import reservations, tickets
from brandday.entrypoints.reservations import ReservationUseCases
from brandday.entrypoints.tickets import TicketUseCases
from brandday.usecases.admission import Admission
from brandday.usecases.issue_ticket import IssueTicket
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.manage_reservation import ManageReservation
from brandday.usecases.open_case import OpenCase
from brandday.usecases.pose_challenge import PoseChallenge
from brandday.usecases.reserve_units import ReserveUnits
from tests.events import http_event
from tests.fakes.backend import OPENS, SALE, Backend, sale, sku
from tests.fakes.gate_world import OneKey, read_signals
from tests.fakes.memory_guard import MemoryGuard
from tests.fakes.reward_desk import MemorySecrets
from tests.fakes.tap import tapped
from tests.http_client import Answered, Client

TICKETS = "/v1/campaigns/{campaign_id}/tickets"
CHALLENGE = "/v1/campaigns/{campaign_id}/challenge"
RESERVE = "/v1/campaigns/{campaign_id}/reservations"
CANCEL = "/v1/reservations/{reservation_id}"
PASSES = "passes"
"""The name of the secret that tickets and challenges are signed with."""


@dataclass
class TicketApi:
    """Both functions over one world; every call is one of a cold environment."""

    demanded: Protection
    now: int = OPENS
    stock: int = 30
    lines: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        sold = sku("HERO", stock=self.stock, per_shopper=2)
        campaign = sale(sold, protection=self.demanded, limit=2, late_payment=LatePayment.REJECT)
        self.world = Backend(campaign, now=self.now)
        self.guard = MemoryGuard()
        self.secrets = MemorySecrets({PASSES: [b"the first secret"]})
        self.nonces = count()

    @property
    def clock(self) -> Any:
        """The one clock of the world."""
        return self.world.clock

    def admission(self) -> Admission:
        """Return the gate of a cold environment."""
        visits, cases = (tapped(self.guard, name, self.world.tap) for name in ("visits", "cases"))
        return Admission(visits, OpenCase(cases, OneKey(), self.clock), read_signals, self.pass_keys(), self.clock)

    def pass_keys(self) -> SecretPassKeys:
        """Return the keys as a cold environment knows them."""
        return SecretPassKeys(self.secrets, PASSES, self.clock)

    def desk(self) -> Client:
        """Return a cold environment of the desk."""
        return Client(tickets.ROUTES, self.desk_use_cases(), self.lines)

    def desk_use_cases(self) -> TicketUseCases:
        """Return what the routes of the desk ask for."""
        live = LiveCampaigns(tapped(self.world.campaigns, "campaigns", self.world.tap), self.clock)
        admission, keys = self.admission(), self.pass_keys()
        return TicketUseCases(
            IssueTicket(live, admission, keys, lambda: f"n{next(self.nonces)}", self.clock),
            PoseChallenge(live, admission, keys, self.clock),
        )

    def sale(self) -> Client:
        """Return a cold environment of the sale."""
        world = self.world
        live = LiveCampaigns(tapped(world.campaigns, "campaigns", world.tap), self.clock)
        stock, tallies = tapped(world.stock, "stock", world.tap), tapped(world.tallies, "tallies", world.tap)
        manage = ManageReservation(live, stock, self.clock)
        use_cases = ReservationUseCases(
            ReserveUnits(live, stock, self.clock, self.admission(), tallies),
            manage.get,
            manage.cancel,
            manage.extend,
            manage.confirm,
        )
        return Client(reservations.ROUTES, use_cases, self.lines)

    def call(
        self,
        client: Client,
        method: str,
        route: str,
        *,
        shopper: str = "shopper-1",
        body: object = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str | None] | None = None,
        claims: dict[str, str] | None = None,
        **ids: str,
    ) -> Answered:
        """Ask like API Gateway would."""
        event = http_event(
            "reserve_units",
            body=body,
            headers=headers,
            claims={"sub": shopper, "scope": "shopper", "channel": "web", **(claims or {})},
        )
        path = route.format(**{"campaign_id": SALE, **ids})
        event |= {"routeKey": f"{method} {route}", "rawPath": path, "queryStringParameters": query or {}}
        event["requestContext"]["http"] |= {"method": method, "path": path}
        return client.send(event)

    def get_ticket(self, shopper: str = "shopper-1", *, solution: str | None = None, **more: Any) -> Answered:
        """Ask for a ticket."""
        return self.call(
            self.desk(), "POST", TICKETS, shopper=shopper, headers={"challenge-solution": solution}, **more
        )

    def ticket(self, shopper: str = "shopper-1", **more: Any) -> str:
        """Return a ticket."""
        answer = self.get_ticket(shopper, **more)
        assert answer.status == 201, answer.body
        text: str = answer.body["ticket"]
        return text

    def get_challenge(self, shopper: str = "shopper-1", *, client: Client | None = None, **more: Any) -> Answered:
        """Ask for a challenge."""
        return self.call(client or self.desk(), "GET", CHALLENGE, shopper=shopper, **more)

    def solution(self, shopper: str = "shopper-1") -> str:
        """Return what ALTCHA's widget would find."""
        answer = self.get_challenge(shopper)
        assert answer.status == 200, answer.body
        challenge = altcha.Challenge.from_dict(answer.body)
        solution = altcha.solve_challenge(challenge, timeout=5)
        assert solution is not None
        return altcha.Payload(challenge, solution).to_base64()

    def reserve(
        self, shopper: str = "shopper-1", *, key: str = "key-1", ticket: str | None = None, solution: str | None = None
    ) -> Answered:
        """Ask for a unit."""
        headers = {"idempotency-key": key, "entry-ticket": ticket, "challenge-solution": solution}
        return self.call(
            self.sale(), "POST", RESERVE, shopper=shopper, body={"sku": "HERO", "quantity": 1}, headers=headers
        )

    def cancel(self, reservation_id: str, shopper: str = "shopper-1") -> Answered:
        """Give a reservation back."""
        return self.call(self.sale(), "DELETE", CANCEL, shopper=shopper, reservation_id=reservation_id)
