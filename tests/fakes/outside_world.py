"""What is outside: partners who answer or do not, secrets, queues and mail of others. Time passes only as told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from brandday.connectors.port import AddressRefused, AwsRefused, HttpAnswer, NoAnswer, SecretMissing
from brandday.connectors.web_address import parse_web_address
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.webhook_signature import verify
from tests.fakes.clock import SettableClock

PARTNER_SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

type Answer = Callable[["Partner", "Delivery", int], HttpAnswer]
"""What a partner does with a delivery, in the milliseconds it is given."""


@dataclass(frozen=True)
class Delivery:
    """One request as it arrived."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    at: int

    @property
    def id(self) -> str:
        """What it is recognised by."""
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        """The facts of the reward."""
        facts: dict[str, Any] = json.loads(self.body)["data"]
        return facts


@dataclass
class Partner:
    """A partner who checks signatures, recognises delivery ids, and answers as told (the last answer for ever).

    `accepted` is what they have, by delivery id: how often they were asked to take it.
    """

    clock: SettableClock
    answers: list[Answer] = field(default_factory=lambda: [takes])
    secrets: Sequence[bytes] = (PARTNER_SECRET,)
    received: list[Delivery] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)

    def post(self, delivery: Delivery, timeout_ms: int) -> HttpAnswer:
        """Take one request."""
        self.received.append(delivery)
        told = delivery.headers
        if not verify(
            self.secrets,
            told["webhook-id"],
            told["webhook-timestamp"],
            delivery.body,
            told["webhook-signature"],
            self.clock() // 1000,
        ):
            return HttpAnswer(401, {}, "who are you?")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(self, delivery, timeout_ms)

    def take(self, delivery: Delivery) -> None:
        """Do what was asked, or recognise that it was done."""
        self.accepted[delivery.id] = self.accepted.get(delivery.id, 0) + 1


def takes(partner: Partner, delivery: Delivery, _: int) -> HttpAnswer:
    """Take it and say so."""
    partner.take(delivery)
    return HttpAnswer(200, {}, json.dumps({"reference": f"ref-{delivery.id}"}))


def takes_and_drops(partner: Partner, delivery: Delivery, _: int) -> HttpAnswer:
    """Take it and drop the connection: nobody hears of it."""
    partner.take(delivery)
    raise NoAnswer("connection dropped")


def hangs(partner: Partner, _: Delivery, timeout_ms: int) -> HttpAnswer:
    """Say nothing until the other side has enough."""
    partner.clock.advance(timeout_ms)
    raise NoAnswer("time-out")


def says(status: int, body: str = "", **headers: str) -> Answer:
    """Answer with a status and do nothing else."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda *_: HttpAnswer(status, told, body)


@dataclass
class OutsideWorld:
    """The ports `Http`, `Aws` and `Secrets` in one: hosts and what is behind them."""

    clock: SettableClock
    partners: dict[str, Partner] = field(default_factory=dict)
    secrets: dict[str, Sequence[bytes]] = field(default_factory=lambda: {"brandday/partner": (PARTNER_SECRET,)})
    private: set[str] = field(default_factory=set)
    messages: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    emails: list[tuple[str, str, str, str, Mapping[str, str]]] = field(default_factory=list)
    aws_refuses: str | None = None
    aws_is_busy: bool = False

    def partner(self, host: str, *answers: Answer) -> Partner:
        """Let there be a partner at a host."""
        self.partners[host] = Partner(self.clock, list(answers) or [takes])
        return self.partners[host]

    # --- Http ---

    def check(self, url: str) -> None:
        """Find out where a URL leads."""
        host = parse_web_address(url).host
        if host in self.private:
            raise AddressRefused("the host leads to a private address")
        if host not in self.partners:
            raise NoAnswer("the host name is not known")

    def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int) -> HttpAnswer:
        """Send a request."""
        self.check(url)
        delivery = Delivery(url, headers, body, self.clock())
        return self.partners[parse_web_address(url).host].post(delivery, timeout_ms)

    # --- Secrets ---

    def get(self, name: str) -> Sequence[bytes]:
        """Return a secret's live values."""
        if name not in self.secrets:
            raise SecretMissing(name)
        return self.secrets[name]

    # --- Aws ---

    def send_message(self, queue_url: str, body: str, attributes: Mapping[str, str]) -> str:
        """Send a message."""
        self._aws()
        self.messages.append((queue_url, body, attributes))
        return f"message-{len(self.messages)}"

    def send_email(self, sender: str, to: str, subject: str, text: str, headers: Mapping[str, str]) -> str:
        """Send an e-mail."""
        self._aws()
        self.emails.append((sender, to, subject, text, headers))
        return f"mail-{len(self.emails)}"

    def _aws(self) -> None:
        if self.aws_is_busy:
            raise TemporarilyOverloaded
        if self.aws_refuses:
            raise AwsRefused(self.aws_refuses)
