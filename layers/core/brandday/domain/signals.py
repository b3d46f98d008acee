"""Signals: what tells one shopper, device or household from another, and the keyed hashes by which they are kept.

Raw values live as long as a request. What is stored or logged is a *mark*: 96 bits of an HMAC over the kind and the
normalised value, so that who reads a table learns neither an address nor whether a known one is in it.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MARK_LENGTH = 16
"""Characters of a mark: 12 bytes in URL-safe base64."""

_MARK_BYTES = 12


class SignalKind(StrEnum):
    """What a limit, a list or a rule can be about."""

    SHOPPER = "shopper"
    DEVICE = "device"
    NETWORK = "network"
    """The caller's IP network: /24 of IPv4, /56 of IPv6."""
    PHONE = "phone"
    EMAIL = "email"
    ADDRESS = "address"
    """Where parcels go."""
    PAYMENT = "payment"
    """The fingerprint of a means of payment."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known about a visit: marks by kind (a kind that was not given is absent), and facts for the rules.

    `account_created_at` is in epoch ms; `phone` is in E.164 form and only for rules about ranges of numbers. `vouched`:
    the shop says that it has made sure of a person, by means of its own.
    """

    marks: Mapping[SignalKind, str]
    account_created_at: int | None = None
    phone: str = field(default="", repr=False)
    vouched: bool = False


def mark_of(key: bytes, kind: SignalKind, normal: str) -> str:
    """Return the mark of a normalised value: 16 URL-safe characters that nobody without the key can compute."""
    digest = hmac.digest(key, f"{kind}\0{normal}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:_MARK_BYTES]).decode()
