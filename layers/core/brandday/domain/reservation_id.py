"""Reservation ids: they say where the claim is, so that no lookup table is needed.

The form is ``rsv_<campaign>.<shard>.<shopper name>.<attempt>``. An id is no secret and gives no right: a shopper's
token has to hash to the name in it.
"""

import re

from brandday.domain.shard import ATTEMPT_LENGTH, NAME_LENGTH, to_base36
from brandday.domain.stock import Claim, ClaimRef

_PREFIX = "rsv_"
_MAX_LENGTH = 100
_MAX_SHARD_DIGITS = 9
_NAME = re.compile(rf"[A-Za-z0-9_-]{{{NAME_LENGTH}}}")


def reservation_id(campaign_id: str, name: str, claim: Claim) -> str:
    """Return the id of a shopper's claim."""
    return f"{_PREFIX}{campaign_id}.{claim.shard}.{name}.{to_base36(claim.entry.attempt, ATTEMPT_LENGTH)}"


def parse_reservation_id(text: str) -> tuple[str, ClaimRef] | None:
    """Return the campaign id and where the claim is, or None if ``text`` cannot be an id we gave out."""
    if not text.startswith(_PREFIX) or len(text) > _MAX_LENGTH or not text.isascii():
        return None
    parts = text.removeprefix(_PREFIX).split(".")
    if len(parts) != 4:
        return None
    campaign_id, shard, name, attempt = parts
    if not campaign_id or not shard.isdecimal() or len(shard) > _MAX_SHARD_DIGITS or not _NAME.fullmatch(name):
        return None
    if len(attempt) != ATTEMPT_LENGTH or not attempt.isalnum() or attempt != attempt.lower():
        return None
    ref = ClaimRef(int(shard), name, int(attempt, 36))
    canonical = f"{_PREFIX}{campaign_id}.{ref.shard}.{name}.{to_base36(ref.attempt, ATTEMPT_LENGTH)}"
    return (campaign_id, ref) if canonical == text else None
