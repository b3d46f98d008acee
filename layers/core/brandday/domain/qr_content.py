"""What the QR code of a coupon says: its code, signed, so that a till can tell at once what nobody else can have made.

`BD1.7Q2MX0KD93TVHB5A.` and 26 characters of Crockford's base 32: 130 bits of HMAC-SHA-256 over all that stands before
the last dot. All characters are of the alphanumeric mode of QR codes (ISO/IEC 18004), which keeps the picture coarse.
The content *is* the coupon, as a printed voucher is: the code in it works without the signature, too.
"""

import hmac
from enum import StrEnum

from brandday.domain.coupon_code import ALPHABET, CodeKeys

_HEAD = "BD1."
_SIGNATURE_LENGTH = 26


class QrFormat(StrEnum):
    """As what file the picture comes."""

    SVG = "svg"
    PNG = "png"


def write_content(keys: CodeKeys, folded: str) -> str:
    """The content for a folded code."""
    signed = _HEAD + folded
    return f"{signed}.{_sign(keys, signed)}"


def read_content(keys: CodeKeys, content: str) -> str | None:
    """The folded code in a content that was written with these keys; None for anything else, in the same time."""
    signed, _, signature = content.rpartition(".")
    # bytes, because what somebody else has put into a QR code may be no ASCII
    genuine = hmac.compare_digest(signature.encode(), _sign(keys, signed).encode())
    return signed.removeprefix(_HEAD) if genuine and signed.startswith(_HEAD) else None


def _sign(keys: CodeKeys, signed: str) -> str:
    number = int.from_bytes(hmac.digest(keys.qr, signed.encode(), "sha256"), "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(_SIGNATURE_LENGTH))
