"""What a connector is: it turns a reward into a delivery to one kind of destination, and understands the answer.

Connectors decide and do no I/O of their own; what they send goes through the `Tools` they are handed. A new connector
is a new file here and a line in `CONNECTORS` (`brandday/connectors/__init__.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A connector's own part of a campaign document: strict, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is delivered: `id` is the idempotency key, `data` the JSON-able facts, with the address if it has one."""

    id: str
    created_at: int
    data: Mapping[str, Any]


class Accepted(NamedTuple):
    """The destination has it now, and calls it `reference`, if it says so."""

    reference: str | None = None


class Refused(NamedTuple):
    """The destination will never take it like this; its own words."""

    words: str


class TryLater(NamedTuple):
    """It may work later; at the earliest after `wait_ms`, if the destination says so.

    `is_down` says that the destination as a whole is in trouble, not this one reward.
    """

    words: str
    wait_ms: int | None = None
    is_down: bool = True


type Verdict = Accepted | Refused | TryLater


class HttpAnswer(NamedTuple):
    """What came back over HTTP; header names in lower case, the body cut to a few KB."""

    status: int
    headers: Mapping[str, str]
    body: str


class NoAnswer(Exception):
    """Nothing came back: time-out, refused or dropped connection, bad certificate. `str` of it says which."""


class AddressRefused(Exception):
    """The URL leads to an address that nothing may be sent to (private, loopback, link-local)."""


class Http(Protocol):
    """Sends one request and never follows a redirect."""

    def check(self, url: str) -> None:
        """Find out where a URL leads without sending anything; raises NoAnswer (no such host) or AddressRefused."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes, *, timeout_ms: int) -> HttpAnswer:
        """Return the answer; raises NoAnswer or AddressRefused."""


class Aws(Protocol):
    """Sends to AWS services; the clients behind it are made in `adapters/aws.py`."""

    def send_message(self, queue_url: str, body: str, attributes: Mapping[str, str]) -> str:
        """Send an SQS message and return its id; raises AwsRefused, TemporarilyOverloaded."""

    def send_email(self, sender: str, to: str, subject: str, text: str, headers: Mapping[str, str]) -> str:
        """Send an e-mail through SES and return its id; raises AwsRefused, TemporarilyOverloaded."""


class AwsRefused(Exception):
    """AWS says no and will say no again (no such queue, no permission, unverified sender); `str` says why."""


class SecretMissing(LookupError):
    """There is no secret of that name."""


class SecretUnreadable(Exception):
    """The secret may not be read, or not at the moment; `str` says why."""


class Secrets(Protocol):
    """Secrets by name, remembered for a while."""

    def get(self, name: str) -> Sequence[bytes]:
        """Return the live values, the newest first: two while a secret is being rotated.

        Raises SecretMissing, SecretUnreadable.
        """


@dataclass(frozen=True, slots=True)
class Tools:
    """What connectors send through; `timeout_ms` bounds one delivery.

    `email_sender` is empty where no e-mail can be sent. `allow_private` lets rewards go to private addresses, to
    http on this machine and to an emulator's queues: for the local stack, never for a deployment.
    """

    http: Http
    aws: Aws
    secrets: Secrets
    timeout_ms: int
    email_sender: str = ""
    allow_private: bool = False


class Connector(Protocol):
    """One kind of destination."""

    name: ClassVar[str]
    Options: ClassVar[type[Options]]

    @staticmethod
    def destination(options: Any) -> str:
        """Return what fails together: the circuit breaker's key."""

    @staticmethod
    def check(options: Any, tools: Tools) -> Mapping[str, str]:
        """Return what cannot work, field -> reason, before a campaign is applied: a missing secret, a private host."""

    @staticmethod
    def deliver(parcel: Parcel, options: Any, tools: Tools, now: int) -> Verdict:
        """Hand the parcel over and say how that went; raises nothing of its own."""

    @staticmethod
    def receipt_secret(options: Any) -> str | None:
        """Return the name of the secret that signs the partner's receipts, or None if it can send none."""
