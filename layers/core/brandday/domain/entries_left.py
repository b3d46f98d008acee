"""How many entries a shopper has left in a lottery, today and in all."""

from __future__ import annotations

from typing import NamedTuple

from brandday.domain.entrant import Entrant, Rules, earned_used
from brandday.domain.lottery import MAX_ENTRIES
from brandday.domain.pacing import day_of


class EntriesLeft(NamedTuple):
    """`today` can be taken now, one after the other; `in_all` until the end, if none of a day's are let go by.

    Unused earned chances are in both. `next_at` (epoch ms) is when the next day brings some, None if it does not.
    """

    today: int
    in_all: int
    next_at: int | None


def entries_left(entrant: Entrant, at: int, rules: Rules, over_at: int) -> EntriesLeft:
    """Return what is left at `at` (epoch ms) to an entrant of a lottery that is over at `over_at`."""
    allowance, days = rules.lottery.allowance, rules.frozen.days
    entries, room = entrant.entries, MAX_ENTRIES - len(entrant.entries)
    if at >= over_at or room <= 0:
        return EntriesLeft(0, 0, None)
    # The next entry's time is after the last one's, also where clocks differ over midnight.
    now = max(at, entries[-1].at + 1) if entries else at
    today = day_of(days, now)
    used = earned_used(entries, days, allowance.per_day, allowance.per_campaign)
    free = allowance.per_campaign - (len(entries) - used)
    of_today = tuple(entry for entry in entries if day_of(days, entry.at) == today)
    before = len(entries) - len(of_today)
    paid = used - earned_used(entries[:before], days, allowance.per_day, allowance.per_campaign)
    free_today = min(free, allowance.per_day - (len(of_today) - paid))
    earned = entrant.chances - used
    to_come = sum(midnight < over_at for midnight in days[today + 1 :]) * allowance.per_day
    more = max(0, min(free - free_today, to_come))
    return EntriesLeft(
        today=min(room, free_today + earned),
        in_all=min(room, free_today + more + earned),
        next_at=days[today + 1] if more and room > free_today else None,
    )
