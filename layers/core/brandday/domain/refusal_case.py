"""Cases: what is kept of a refusal at the gate, or of what would have been one, to be explained and lifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from brandday.domain.risk import Mode
from brandday.domain.signals import SignalKind

REFERENCE = r"[0-9A-HJKMNP-TV-Z]{10}"
"""Ten characters of Crockford's base 32, which people can read to each other: https://www.crockford.com/base32.html."""


@dataclass(frozen=True, slots=True)
class Case:
    """One shopper's refusal in one campaign; the latest one, if there were several.

    `code` is the error's, `reasons` what brought it about: a limit's name, or those of the rules that hit. `marks` are
    what limits and rules looked at. `at` and `forget_at` are epoch ms; `lifted_at` is when an operator lifted it.
    """

    reference: str
    campaign_id: str
    at: int
    mode: Mode
    code: str
    score: int
    reasons: tuple[str, ...]
    marks: Mapping[SignalKind, str]
    forget_at: int
    lifted_at: int | None = None
