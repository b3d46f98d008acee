"""What of a campaign's protection may change once it is published, and what campaigns of one brand day have to share.

Nearly all: an attack is answered while it happens. Shadow becomes enforce, weights, difficulty and what is allowed are
set anew, limits come and go. What cannot change is what counts are kept under: the brand day, and of a limit by what,
what and over which window it counts. Such a change would make counts of another thing of those that are there; a limit
under a new name begins with none.
"""

from collections.abc import Iterable, Iterator

from brandday.domain.campaign import Campaign
from brandday.domain.protection import Limit, Window

_COUNTED = "cannot change once the campaign is published: it would mix with what was counted; give the limit a new name"
_ONE_DAY = (
    "cannot change while there is a protection once the campaign is published: its limits would forget what they have "
    "counted; remove the protection first if they may"
)
_OTHERWISE = (
    "counts otherwise than in {}, which has the same brand_day: declare by, counts and window alike, in the same time "
    "zone, or give one of the two another name"
)


def frozen_of_protection(live: Campaign, declared: Campaign) -> Iterator[tuple[str, str]]:
    """The JSON pointer and the reason of each change of a published campaign's protection that comes too late."""
    before, after = live.protection, declared.protection
    if before is None or after is None:
        return
    if before.brand_day != after.brand_day:
        yield "/protection/brand_day", _ONE_DAY
    known = {limit.name: limit for limit in before.limits}
    for index, limit in enumerate(after.limits):
        if limit.name in known:
            yield from _frozen_of_limit(known[limit.name], limit, f"/protection/limits/{index}")


def other_counts(declared: Campaign, others: Iterable[Campaign]) -> Iterator[tuple[str, str]]:
    """The JSON pointer and the reason of each limit that another campaign of the same brand day declares otherwise.

    They share what was counted: who counts over a shorter window, or one that begins at another time, forgets what the
    other one has to know. How much is allowed is each campaign's own.
    """
    protection = declared.protection
    if protection is None or protection.brand_day is None:
        return
    for other in others:
        if other.id == declared.id or other.protection is None or other.protection.brand_day != protection.brand_day:
            continue
        known = {limit.name: limit for limit in other.protection.limits}
        for index, limit in enumerate(protection.limits):
            if limit.name in known and _counted(known[limit.name]) != _counted(limit):
                yield f"/protection/limits/{index}", _OTHERWISE.format(other.id)


def _counted(limit: Limit) -> tuple[object, ...]:
    window = limit.window
    return limit.by, limit.counts, window and (window.ms, window.sliding, window.anchor % window.ms)


def _frozen_of_limit(before: Limit, after: Limit, pointer: str) -> Iterator[tuple[str, str]]:
    if before.by is not after.by:
        yield f"{pointer}/by", _COUNTED
    if before.counts is not after.counts:
        yield f"{pointer}/counts", _COUNTED
    if _declared(before.window) != _declared(after.window):
        yield f"{pointer}/window", _COUNTED


def _declared(window: Window | None) -> tuple[int, bool] | None:
    """What was declared of a window; its anchor follows the start, until that is frozen by itself."""
    return None if window is None else (window.ms, window.sliding)
