"""Signatures as Standard Webhooks has them: of what we send to partners, and of what they report.

Scheme: HMAC-SHA256 over `id.timestamp.body`, in base64, as `v1,<signature>`; several, separated by spaces, while a
secret is being changed. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

TOLERANCE_SECONDS = 5 * 60
"""How far a message's clock may be from ours, either way."""

MAX_SIGNATURES = 16
"""How many signatures of a message are looked at, so that a long header cannot keep us busy."""

_PREFIX = b"whsec_"
_VERSION = "v1,"
_MAX_TIMESTAMP_DIGITS = 12


def secret_key(secret: bytes) -> bytes:
    """Return the key that a secret stands for: `whsec_<base64>`, or the secret itself; ValueError if it is neither."""
    secret = secret.strip()
    if not secret:
        raise ValueError("is empty")
    if not secret.startswith(_PREFIX):
        return secret
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64 after whsec_") from error
    if not key:
        raise ValueError("is empty")
    return key


def sign(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`, one signature for each secret, the newest first; `timestamp` is in
    seconds.

    ValueError if the newest cannot be a key. An older one that cannot signs nothing: it is the mistake that the newest
    has put right.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    live = [*secrets[:1], *filter(_is_key, secrets[1:])]
    return " ".join(_VERSION + _signature(secret, content) for secret in live)


def verify(
    secrets: Sequence[bytes], message_id: str, timestamp: str, body: bytes, signatures: str, now_seconds: int
) -> bool:
    """Return whether one of the signatures was made with one of the secrets, over this, within the last five minutes.

    `timestamp` and `signatures` are the headers as they came. Signatures of other versions are passed over. Every
    comparison takes the same time, and all are made. A secret that cannot be a key matches nothing.
    """
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _MAX_TIMESTAMP_DIGITS):
        return False
    if abs(now_seconds - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    content = f"{message_id}.{timestamp}.".encode(errors="replace") + body
    given = [each.removeprefix(_VERSION) for each in signatures.split(" ") if each.startswith(_VERSION)]
    matches = False
    for secret in secrets:
        if not _is_key(secret):
            continue
        expected = _signature(secret, content).encode()
        for signature in given[:MAX_SIGNATURES]:
            matches |= hmac.compare_digest(expected, signature.encode(errors="replace"))
    return matches


def _is_key(secret: bytes) -> bool:
    try:
        secret_key(secret)
    except ValueError:
        return False
    return True


def _signature(secret: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(secret_key(secret), content, hashlib.sha256)).decode()
