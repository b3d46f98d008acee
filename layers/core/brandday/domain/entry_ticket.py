"""Entry tickets: proof that a shopper has passed the desk of a campaign, to be shown at the claim.

The form is ``tkt_<key id>.<passed at>.<expires at>.<nonce>.<mac>``, times in base 36. The MAC is an HMAC-SHA256 over
all that stands before it, and over campaign and shopper, which are not in the text: a ticket of another campaign or of
another shopper looks exactly like one that was made up. To check one takes no read. That it brings one claim only is
the business of the claim's own write, which is never before `passed_at` (`domain/stock.judge`).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable

from brandday.domain.shard import to_base36

WRONG = "wrong"
EXPIRED = "expired"

_PURPOSE = b"brandday entry ticket 1"
_MAC_BYTES = 24  # without a remainder in base64: one text for each MAC
_KEY_ID_BYTES = 6
_FORM = re.compile(
    r"tkt_([A-Za-z0-9_-]{8})\.([0-9a-z]{1,10})\.([0-9a-z]{1,10})\.[A-Za-z0-9_-]{1,22}\.([A-Za-z0-9_-]{32})"
)


def key_id(key: bytes) -> str:
    """Return the name of a key, which says nothing about it: 8 URL-safe characters."""
    return _text(hmac.digest(key, b"brandday key id 1", hashlib.sha256)[:_KEY_ID_BYTES])


def make_ticket(
    key_id: str, key: bytes, campaign_id: str, shopper: str, passed_at: int, expires_at: int, nonce: str
) -> str:
    """Return a ticket of a shopper (the id in their tokens) for a campaign; both times are epoch ms.

    `nonce` is 1 to 22 URL-safe characters, so that two tickets of one moment differ.
    """
    said = f"tkt_{key_id}.{to_base36(passed_at)}.{to_base36(expires_at)}.{nonce}"
    return f"{said}.{_mac(key, said, campaign_id, shopper)}"


def read_ticket(find_key: Callable[[str], bytes | None], campaign_id: str, shopper: str, text: str, now: int) -> int:
    """Return when (epoch ms) the shopper passed the desk, if this is a ticket of theirs for this campaign.

    Raises ValueError with the reason as its only argument: ``wrong``, whatever is wrong with it, or ``expired``.
    `find_key` has the live keys by their ids.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(WRONG)
    key = find_key(form[1])
    said, _, mac = text.rpartition(".")
    if key is None or not hmac.compare_digest(mac, _mac(key, said, campaign_id, shopper)):
        raise ValueError(WRONG)
    if now >= int(form[3], 36):
        raise ValueError(EXPIRED)
    return int(form[2], 36)


def _mac(key: bytes, said: str, campaign_id: str, shopper: str) -> str:
    # Neither a ticket's text nor a campaign's id has a NUL; the shopper's id, which may have anything, comes last.
    content = b"\0".join((_PURPOSE, said.encode(), campaign_id.encode(), shopper.encode("utf-8", "surrogatepass")))
    return _text(hmac.digest(key, content, hashlib.sha256)[:_MAC_BYTES])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()
