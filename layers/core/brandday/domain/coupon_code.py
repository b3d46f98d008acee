"""Codes of coupons: how they are made, written, recognised, and turned into ids. Pure, and no two secrets alike.

A code of ours has 16 characters of Crockford's base 32 (https://www.crockford.com/base32.html), which leaves out the
look-alikes I, L and O, and U so that no code is a bad word: 13 secret ones, 65 bits, and 3 that check them, 15 bits.
People see it in four groups: `7Q2M-X0KD-93TV-HB5A`. Whatever way they type it is folded first.

The secret part is not drawn but derived from where the coupon comes from (a shopper's claim, a line of an operator's
job), with a key of the deployment. So whoever repeats a step gets the same code again, and nobody else can compute it.

The check characters are keyed, too. A sum that anybody can compute only catches typing errors: a guesser would compute
it, and every guess would cost a read of the database. Of guesses without the key one in 32,768 gets that far, and
one of those in 2**65 divided by the number of coupons hits.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Self

from brandday.domain.layout import to_base64url

SECRET_BYTES = 32
"""The length of the deployment's one secret that all keys of codes come from."""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 16
SECRET_LENGTH = 13
_CHECK_LENGTH = CODE_LENGTH - SECRET_LENGTH
_BITS = 5
_GROUP = 4

ID_PREFIX = "cpn_"
_ID_BYTES = 15

_FOLDED = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_PLAIN = {ord(plain) + 0xFEE0: plain for plain in map(chr, range(ord("!"), ord("~") + 1))} | {0x3000: " "}
_IN_ALPHABET = frozenset(ALPHABET)


@dataclass(frozen=True, slots=True)
class CodeKeys:
    """The keys of a deployment's codes, one for each purpose; none tells anything about another.

    `code` makes secret parts, `check` check characters, `ids` coupon ids, `qr` signs the content of QR codes.
    """

    code: bytes = field(repr=False)
    check: bytes = field(repr=False)
    ids: bytes = field(repr=False)
    qr: bytes = field(repr=False)

    @classmethod
    def from_secret(cls, secret: bytes) -> Self:
        """The keys that follow from a deployment's secret of `SECRET_BYTES` bytes."""
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"the secret of codes has {SECRET_BYTES} bytes, not {len(secret)}")
        labels = (f"brandday coupon {purpose} 1" for purpose in ("code", "check", "id", "qr"))
        return cls(*(_hmac(secret, label) for label in labels))


def fold(text: str) -> str:
    """A code as it is compared: upper case, O as 0, I and L as 1, without spaces and hyphens.

    Letters and digits of full width, as East Asian keyboards write them, count as the plain ones.
    """
    plain = text if text.isascii() else text.translate(_PLAIN)
    return plain.upper().translate(_FOLDED)


def show(code: str) -> str:
    """A folded code of ours in groups of four; any other one as it is."""
    if len(code) != CODE_LENGTH or not _IN_ALPHABET.issuperset(code):
        return code
    return "-".join(code[at : at + _GROUP] for at in range(0, CODE_LENGTH, _GROUP))


def make_code(keys: CodeKeys, campaign_id: str, source: str) -> str:
    """The code, folded, of what comes from `source` in a campaign: always the same one."""
    secret = _characters(_hmac(keys.code, f"{campaign_id}|{source}"), SECRET_LENGTH)
    return secret + _check(keys, secret)


def is_ours(keys: CodeKeys, folded: str) -> bool:
    """Whether this can be a code that was made with these keys: says nothing about whether it was."""
    if len(folded) != CODE_LENGTH or not _IN_ALPHABET.issuperset(folded):
        return False
    return hmac.compare_digest(folded[SECRET_LENGTH:], _check(keys, folded[:SECRET_LENGTH]))


def coupon_id(keys: CodeKeys, folded: str) -> str:
    """The id of the coupon with this code, ours or imported: `cpn_` and 20 characters.

    An id is no secret: without the key it does not give the code, nor can a guess of the code be tried on it.
    """
    return ID_PREFIX + to_base64url(_hmac(keys.ids, folded)[:_ID_BYTES])


def _check(keys: CodeKeys, secret: str) -> str:
    return _characters(_hmac(keys.check, secret), _CHECK_LENGTH)


def _characters(raw: bytes, length: int) -> str:
    """The first `length` times five bits of `raw`."""
    number = int.from_bytes(raw, "big") >> (len(raw) * 8 - length * _BITS)
    return "".join(ALPHABET[number >> shift & 31] for shift in range((length - 1) * _BITS, -1, -_BITS))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
