"""Ids of redemptions: one per order of one caller, so that whoever repeats a request meets what it has done before."""

import hashlib
import hmac
import re

from brandday.domain.coupon_code import CodeKeys
from brandday.domain.layout import to_base64url
from brandday.domain.shard import ATTEMPT_LENGTH, NAME_LENGTH, TAG_LENGTH, to_base36
from brandday.domain.stock import ClaimRef

ORDERS = "orders"
"""The caller's namespace of the shop's backend; each store has one of its own."""

_PREFIX = "rdm_"
_ID_BYTES = 15
_ID = re.compile(r"rdm_[A-Za-z0-9_-]{20}")
_CLAIM = re.compile(rf"(\d{{1,9}})\.([A-Za-z0-9_-]{{{NAME_LENGTH}}})\.([0-9a-z]{{{ATTEMPT_LENGTH}}})")


def store_namespace(store: str) -> str:
    """Return the namespace of what is redeemed over the counter of a store: its receipts are no orders of the shop."""
    return f"store:{store}"


def redemption_id(keys: CodeKeys, namespace: str, order_id: str) -> str:
    """Return the id of what an order does with its codes: `rdm_` and 20 characters of base64url, a keyed hash."""
    text = f"redemption|{namespace}|{order_id}"
    digest = hmac.new(keys.ids, text.encode(), hashlib.sha256).digest()
    return _PREFIX + to_base64url(digest[:_ID_BYTES])


def is_redemption_id(text: str) -> bool:
    """Return whether this can be the id of a redemption."""
    return _ID.fullmatch(text) is not None


def use_tag(redemption: str) -> str:
    """Return the mark by which a redemption recognises its own claim on a use of a shared code: 36 bits of its id."""
    return redemption.removeprefix(_PREFIX)[:TAG_LENGTH]


def claim_text(ref: ClaimRef) -> str:
    """Return how a part says where its use is: `{shard}.{name}.{attempt}`, the attempt in base 36."""
    return f"{ref.shard}.{ref.name}.{to_base36(ref.attempt, ATTEMPT_LENGTH)}"


def parse_claim(text: str) -> ClaimRef:
    """Return where a part's use is; ValueError if the text says no such thing."""
    found = _CLAIM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not where a use is")
    return ClaimRef(int(found[1]), found[2], int(found[3], 36))
