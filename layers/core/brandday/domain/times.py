"""Time as the domain knows it: whole milliseconds since the epoch, and RFC 3339 text at the edges.

Integers compare and add without surprises, and a sale's boundary is exact to the millisecond.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_MILLISECOND = timedelta(milliseconds=1)


def from_datetime(moment: datetime) -> int:
    """Epoch milliseconds of an aware `moment`; what is finer than a millisecond is cut off."""
    return (moment - _EPOCH) // _MILLISECOND


def from_rfc3339(text: str) -> int:
    """Epoch milliseconds of RFC 3339 `text` with an offset; ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return from_datetime(moment)


def to_rfc3339_or_none(moment_ms: int | None) -> str | None:
    """The same as `to_rfc3339` of a moment that may not be there."""
    return None if moment_ms is None else to_rfc3339(moment_ms)


def to_rfc3339(moment_ms: int) -> str:
    """`moment_ms` as RFC 3339 in UTC with three decimals: 2026-11-08T16:00:00.000Z."""
    seconds, milliseconds = divmod(moment_ms, 1000)
    return f"{_whole(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)
def _whole(seconds: int) -> str:
    """The same seconds are asked for again and again: now, and when holds end that were taken now."""
    return (_NAIVE_EPOCH + timedelta(seconds=seconds)).isoformat()
