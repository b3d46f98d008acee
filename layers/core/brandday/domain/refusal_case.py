"""Cases: what is kept of a refusal at the gate, or of what would have been one, to be explained and lifted."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from brandday.domain.risk import RiskMode
from brandday.domain.signals import SignalKind

REFERENCE = r"[0-9A-HJKMNP-TV-Z]{10}"
"""Ten characters of Crockford's base 32, which people can read to each other: https://www.crockford.com/base32.html."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 10
_READ_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


SAVE_EVERY_MS = 60_000
"""How often the same shopper's refusals in a campaign are written down."""


@dataclass(frozen=True, slots=True)
class Case:
    """One shopper's refusal in one campaign; the latest one, if there were several.

    `code` is the error's, `reasons` what brought it about: a limit's name, or those of the rules that hit. `marks` are
    what limits and rules looked at. `at` and `forget_at` are epoch ms; `lifted_at` is when an operator lifted it.
    """

    reference: str
    campaign_id: str
    at: int
    mode: RiskMode
    code: str
    score: int
    reasons: tuple[str, ...]
    marks: Mapping[SignalKind, str]
    forget_at: int
    lifted_at: int | None = None

    def replaces(self, kept: Case) -> bool:
        """Whether it is to be written over one that is kept: a moment later only if that was but of a shadow."""
        return self.at - kept.at >= SAVE_EVERY_MS or (self.mode is RiskMode.ENFORCE and kept.mode is RiskMode.SHADOW)


def reference_of(key: bytes, campaign_id: str, shopper: str) -> str:
    """Return the reference of a shopper's case in a campaign: always the same, and 50 bits that say nothing.

    `key` is the one of marks, `shopper` the shopper's mark.
    """
    digest = hmac.digest(key, f"case\0{campaign_id}\0{shopper}".encode(), hashlib.sha256)
    number = int.from_bytes(digest[:8])
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(_LENGTH))


def read_reference(text: str) -> str:
    """Return the reference that somebody has typed or read out: in small letters, with hyphens or blanks, and with the
    letters that look like digits. ValueError if it cannot be one.
    """
    read = text.upper().translate(_READ_ALIKE)
    if len(read) != _LENGTH or not set(read) <= set(_ALPHABET):
        raise ValueError("not a reference")
    return read
