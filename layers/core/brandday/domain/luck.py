"""Luck: a secret seed, promised by its hash before the start, decides; after the end anybody computes it again.

Exact on purpose. A roll is a 256-bit integer and a prize's odds are a fraction, so a slice of the range begins where
the one before it ends, to the integer: no float, no rounding, no remainder that would favour small numbers.

What a seed's hash proves, and what not: the operator cannot choose outcomes after the commitment was published. The
operator does know them beforehand, and could let accomplices enter when they win. Draws can shut that out by a public
random number that did not exist when the list was sealed (:func:`draw_seed`); instant wins cannot, and docs say so.
"""

import hashlib
import hmac
import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

SEED_BYTES = 32
ROLL_RANGE = 1 << 256
"""A roll is at least 0 and below this."""


def commitment(seed: bytes) -> str:
    """Return the SHA-256 of the seed in hex: published before the start, it fixes the seed."""
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
    return hashlib.sha256(seed).hexdigest()


def draw_seed(seed: bytes, randomness: bytes | None) -> bytes:
    """Return the seed a draw ranks with: the committed one, or with a beacon SHA-256 of both, one after the other.

    The operator does not know the beacon's ``randomness`` when the list is sealed, and whoever runs the beacon does
    not know the seed: neither can choose winners without the other.
    """
    return seed if randomness is None else hashlib.sha256(seed + randomness).digest()


def roll(seed: bytes, campaign_id: str, entrant: str, number: int) -> int:
    """Return the roll of an entrant's entry: HMAC-SHA256 of ``campaign|entrant|number`` as a big-endian integer."""
    return _hmac(seed, f"{campaign_id}|{entrant}|{number}")


def ticket_key(seed: bytes, entry_id: str) -> bytes:
    """Return the rank key of a ticket in a draw: the lowest comes first."""
    return hmac.digest(seed, entry_id.encode(), "sha256")


def moment_roll(seed: bytes, prize_id: str, unit: int) -> int:
    """Return the number that places the moment of a prize's ``unit`` (from 0)."""
    return _hmac(seed, f"moment|{prize_id}|{unit}")


def slices(odds: Iterable[Fraction]) -> tuple[int, ...]:
    """Return where the slice of each of ``odds`` ends: half-open, in the given order, the first from 0.

    A roll r is within the first n odds if r / 2^256 < their sum, hence if r < ceil(sum * 2^256): the end of a slice is
    exact for every fraction. Odds that add up to 1 leave no roll out. ValueError if they are negative or exceed 1.
    """
    chances = tuple(odds)
    if any(chance < 0 for chance in chances) or sum(chances) > 1:
        raise ValueError("odds are at least 0 each and at most 1 together")
    return tuple(-(-total.numerator * ROLL_RANGE // total.denominator) for total in accumulate(chances))


def hit(rolled: int, ends: Sequence[int]) -> int | None:
    """Return which slice of :func:`slices` a roll falls in, or None for none of them."""
    # An empty slice ends where it begins, and bisect_right passes over it.
    index = bisect_right(ends, rolled)
    return index if index < len(ends) else None


def canonical(value: Any) -> bytes:
    """Return the one text of a JSON value that hashes are taken of: sorted keys, no spaces, UTF-8.

    Numbers are whole and fractions are texts like ``1/20``, so there is one way to write each; floats are refused.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """Return the SHA-256, in hex, of a JSON value's canonical text."""
    return hashlib.sha256(canonical(value)).hexdigest()


def write_odds(odds: Fraction) -> str:
    """Return ``num/den`` in lowest terms."""
    return f"{odds.numerator}/{odds.denominator}"


def read_odds(text: str) -> Fraction:
    """Return the fraction of a text like ``1/20``; ValueError for anything else, decimals too."""
    top, bar, bottom = text.partition("/")
    if not (bar and top.isascii() and top.isdecimal() and bottom.isascii() and bottom.isdecimal() and int(bottom)):
        raise ValueError(f"{text!r} is no fraction like 1/20")
    return Fraction(int(top), int(bottom))


def _hmac(seed: bytes, text: str) -> int:
    return int.from_bytes(hmac.digest(seed, text.encode(), "sha256"), "big")


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError(f"{value!r} has no canonical text: write a fraction or a whole number")
    if isinstance(value, dict):
        for part in value.values():
            _refuse_floats(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _refuse_floats(part)
