"""Lotteries as an honest operator runs them: random rules, random shoppers, pools that give what is there."""

import hashlib
import heapq
import random
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from brandday.domain.draw import Tickets, assign, rank
from brandday.domain.entrant import (
    Entrant,
    EntryRequest,
    Fate,
    Grant,
    Look,
    Rules,
    Taken,
    give_back,
    grant,
    miss,
    take,
    win,
)
from brandday.domain.layout import shopper_name
from brandday.domain.lottery import (
    Allowance,
    Beacon,
    Compliance,
    Draw,
    Frozen,
    Lottery,
    LotteryMode,
    Moments,
    Pity,
    Prize,
    PrizeTable,
    Rounds,
    first_table,
    next_table,
)
from brandday.domain.luck import commitment, draw_seed
from brandday.domain.pacing import HOUR_MS, Pacing, day_of
from brandday.domain.receipt import MovedUp, Randomness, draw_receipt, instant_receipt

START = 1_793_000_000_000
DAY_MS = 24 * HOUR_MS
COMPLIANCE = Compliance("Shop Ltd", "help@shop.example", {"en": "18 and over"}, {"en": "by e-mail"}, {"en": "redrawn"})


def entrants(count: int, salt: str = "salt") -> list[str]:
    return sorted(shopper_name(salt.encode(), f"shopper-{number}") for number in range(count))


def frozen_of(seed: bytes, *, shards: int = 3, days: int = 3, bucket_chars: int = 1) -> Frozen:
    """Starts two hours before a midnight."""
    midnights = tuple(START + 2 * HOUR_MS + day * DAY_MS for day in range(-1, days))
    return Frozen("spring", START, START + days * DAY_MS, midnights, shards, bucket_chars, commitment(seed))


def instant_lottery(dice: random.Random, frozen: Frozen) -> Lottery:
    rounds = tuple(sorted(dice.sample(range(frozen.starts_at, frozen.ends_at, HOUR_MS), 5)))
    weights = tuple(dice.choice([0, 1, 5]) for _ in range(23))
    car = Prize("car", {"en": "A car"}, 2, Fraction(1, 50), (Fraction(0), Fraction(1, 20)), per_shopper=1)
    mug = Prize(
        "mug",
        {"en": "A mug"},
        dice.randint(3, 12),
        Fraction(1, dice.randint(3, 9)),
        release=dice.choice([Rounds(rounds), Prize("", {}, 1).release]),
        per_day=dice.choice([None, 2, 3]),
        per_shopper=dice.choice([None, 1, 2]),
    )
    watch = Prize("watch", {"en": "A watch"}, dice.randint(1, 6), release=Moments((*weights, 1)), per_shopper=1)
    sticker = Prize("sticker", {"en": "A sticker"}, dice.randint(5, 60))
    return Lottery(
        LotteryMode.INSTANT,
        (car, mug, watch, sticker),
        Allowance(dice.randint(1, 4), dice.randint(4, 9), 4),
        COMPLIANCE,
        consolation=dice.choice([None, "sticker"]),
        pity=dice.choice([None, Pity(2, "mug")]),
    )


@dataclass
class _Unit:
    """A claim that was made; `until` is when it came back."""

    shard: int
    at: int
    until: int | None = None


def play(seed_number: int, shoppers: int = 12, requests: int = 80) -> tuple[Rules, list[Entrant]]:
    """An instant win from start to end: claims in flight, late repairs, live odds, forfeits, earned chances."""
    dice = random.Random(seed_number)
    seed = hashlib.sha256(b"seed %d" % seed_number).digest()
    frozen = frozen_of(seed, bucket_chars=dice.choice([1, 2]))
    lottery = instant_lottery(dice, frozen)
    tables: tuple[PrizeTable, ...] = (first_table(lottery, frozen),)
    changed_at = frozen.starts_at + DAY_MS
    tables += (next_table(tables, {"car": Fraction(1, 25)}, lottery, frozen, changed_at),)
    pacing = Pacing(lottery, frozen, seed)
    rules = Rules(lottery, frozen, tables, pacing, seed)
    records = {name: Entrant(name, "", "") for name in entrants(shoppers, str(seed_number))}
    names = sorted(records)
    taken: dict[str, list[_Unit]] = defaultdict(list)
    events: list[tuple[int, int, str, str, int]] = []
    times = [dice.randrange(frozen.starts_at, frozen.ends_at) for _ in range(requests)]
    times += [at for step in pacing.by_prize["watch"].steps for at in (step.at, step.at + 1)]
    for order, at in enumerate(times):
        heapq.heappush(events, (at, order, "enter", dice.choice(names), 0))
    order = len(times)

    def live(slot: str, shard: int, now: int) -> list[_Unit]:
        return [unit for unit in taken[slot] if unit.shard == shard and unit.until is None and unit.at <= now]

    def claim(slot: str, now: int) -> tuple[_Unit | None, Fate]:
        pace, fate = pacing.by_prize[lottery.prizes[int(slot)].id], Fate.GONE
        home = dice.randrange(frozen.shards)
        for shard in [(home + step) % frozen.shards for step in range(frozen.shards)]:
            if len(live(slot, shard, now)) < pace.released_in(shard, now):
                day = day_of(frozen.days, now)
                share = pace.share_in(shard, day)
                if share is None or sum(day_of(frozen.days, u.at) == day for u in live(slot, shard, now)) < share:
                    taken[slot].append(_Unit(shard, now))
                    return taken[slot][-1], fate
                fate = Fate.DAY_FULL
        return None, fate

    def look(now: int) -> Look:
        free = pacing.by_prize["watch"].released(now) > sum(unit.until is None for unit in taken["2"])
        return Look(("2",) if free else ())

    while events:
        now, _, what, name, number = heapq.heappop(events)
        order += 1
        record = records[name]
        if what == "enter":
            if dice.random() < 0.1:
                granted = grant(record, Grant(f"{order:06}", 1), rules)
                record = records[name] = granted if isinstance(granted, Entrant) else record
            outcome = take(record, EntryRequest(f"{order:06}", now), rules, look(now))
            if isinstance(outcome, Taken):
                record = records[name] = outcome.entrant
                number = len(record.entries)
        elif what == "return":
            back = give_back(record, number, now)
            link = record.entries[number - 1].won
            assert back is not None
            assert link is not None
            unit = next(u for u in taken[link.slot] if (u.shard, u.at, u.until) == (link.shard, link.at, None))
            unit.until, records[name] = now, back
            continue
        else:
            pending = record.entries[number - 1].pending
            if pending is None:
                continue  # the same shopper asked again meanwhile, and that finished it
            unit_or_none, fate = claim(pending.slot, now)
            settled = (
                miss(record, number, fate, now, rules, look(now))
                if unit_or_none is None
                else win(record, number, unit_or_none.shard, now)
            )
            assert settled is not None
            records[name] = record = settled
            if unit_or_none is not None and dice.random() < 0.3:
                heapq.heappush(events, (now + HOUR_MS, order, "return", name, number))
        if record.entries and record.entries[-1].pending:
            delay = dice.choice([3, 40, 250, HOUR_MS if dice.random() < 0.05 else 7])
            heapq.heappush(events, (now + delay, order, "claim", name, len(record.entries)))
    return rules, [records[name] for name in names if records[name].entries]


def honest_instant(seed_number: int, shoppers: int = 12, requests: int = 80) -> dict[str, Any]:
    rules, records = play(seed_number, shoppers, requests)
    return instant_receipt(rules, records)


def honest_draw(seed_number: int, shoppers: int = 30) -> dict[str, Any]:
    dice = random.Random(seed_number)
    seed = hashlib.sha256(b"draw %d" % seed_number).digest()
    frozen = frozen_of(seed, bucket_chars=dice.choice([1, 2]))
    beacon = dice.choice([None, Beacon("52db9ba7", 4_242_424)])
    lottery = Lottery(
        LotteryMode.DRAW,
        (Prize("trip", {"en": "A trip"}, 1), Prize("sample", {"en": "A sample"}, dice.randint(1, 5))),
        Allowance(2, 6, 4),
        COMPLIANCE,
        draw=Draw(frozen.ends_at + HOUR_MS, dice.randint(2, 5), beacon),
    )
    signature = hashlib.sha512(b"%d" % seed_number).digest()
    randomness = Randomness(hashlib.sha256(signature).digest(), signature) if beacon else None
    tickets = [Tickets(name, dice.randint(1, 5)) for name in entrants(shoppers, str(seed_number))]
    ranking = rank(draw_seed(seed, None if randomness is None else randomness.value), "spring", tickets, 20)
    winners, reserves = assign(ranking, lottery.prizes)
    moved = [MovedUp(winners[-1][0].entrant, reserves[0].entrant, winners[-1][1])]
    moved.append(MovedUp(reserves[0].entrant, reserves[1].entrant, winners[-1][1]))
    table = first_table(lottery, frozen)
    return draw_receipt(lottery, frozen, (table,), seed, randomness, tickets, moved[: dice.randint(0, 2)])
