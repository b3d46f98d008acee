"""What is left of an allowance, held against the rules that take entries."""

import random

import pytest

from brandday.domain.entrant import AllowanceUsed, Entrant, EntryRequest, Grant, Rules, Taken, earned_used, take
from brandday.domain.entries_left import EntriesLeft, entries_left
from brandday.domain.lottery import Allowance, Lottery, LotteryMode, Prize, first_table
from brandday.domain.pacing import Pacing
from tests.unit.lottery_world import COMPLIANCE, DAY_MS, START, frozen_of

SEED = bytes(32)


def rules_of(allowance: Allowance, days: int = 3) -> Rules:
    frozen = frozen_of(SEED, days=days)
    lottery = Lottery(LotteryMode.INSTANT, (Prize("mug", {"en": "A mug"}, 5),), allowance, COMPLIANCE)
    return Rules(lottery, frozen, (first_table(lottery, frozen),), Pacing(lottery, frozen, SEED), SEED)


def entered(record: Entrant, at: int, rules: Rules) -> Entrant:
    outcome = take(record, EntryRequest(f"{len(record.entries):06}", at), rules)
    assert isinstance(outcome, Taken), outcome
    return outcome.entrant


def can_take(record: Entrant, at: int, rules: Rules) -> int:
    """How often the rules really let somebody enter at a moment."""
    taken = 0
    while isinstance(outcome := take(record, EntryRequest(f"x{taken:05}", at), rules), Taken):
        record, taken = outcome.entrant, taken + 1
    return taken


def test_who_has_not_entered_has_the_whole_allowance() -> None:
    """GIVEN 2 a day, 5 in all, three midnights to come THEN 2 are left today, 5 in all, more at midnight."""
    rules = rules_of(Allowance(2, 5))
    left = entries_left(Entrant("nobody", "", ""), START, rules, rules.frozen.ends_at)
    assert left == EntriesLeft(2, 5, rules.frozen.days[1])


def test_earned_chances_are_in_both() -> None:
    rules = rules_of(Allowance(1, 2, 4))
    record = entered(Entrant("somebody", "", "", (), (Grant("g", 3),)), START, rules)
    assert entries_left(record, START + 1, rules, rules.frozen.ends_at) == EntriesLeft(3, 4, rules.frozen.days[1])


def test_nothing_is_left_after_the_end_however_it_came() -> None:
    rules = rules_of(Allowance(2, 5))
    assert entries_left(Entrant("nobody", "", ""), START + 10, rules, START + 10) == EntriesLeft(0, 0, None)


def test_a_day_that_never_comes_brings_nothing() -> None:
    """GIVEN a lottery ended by hand before midnight THEN only today's entries count."""
    rules = rules_of(Allowance(2, 5))
    assert entries_left(Entrant("nobody", "", ""), START, rules, START + 1000) == EntriesLeft(2, 2, None)


@pytest.mark.parametrize("number", range(40))
def test_what_is_left_is_what_the_rules_still_let_in(number: int) -> None:
    """GIVEN any allowance and history THEN `today` and `in_all` are what can be taken, and `next_at` is when."""
    dice = random.Random(number)
    per_day = dice.randint(1, 4)
    rules = rules_of(Allowance(per_day, dice.randint(per_day, 9), 6), days=dice.randint(1, 4))
    record = Entrant("somebody", "", "", (), (Grant("g", dice.randint(1, 6)),) if dice.random() < 0.5 else ())
    ends_at, at = rules.frozen.ends_at, START
    for _ in range(dice.randint(0, 12)):
        at = min(at + dice.randrange(DAY_MS // 3), ends_at - 50)
        outcome = take(record, EntryRequest(f"{at:06}", at), rules)
        record = outcome.entrant if isinstance(outcome, Taken) else record
    at += 1
    left = entries_left(record, at, rules, ends_at)
    assert left.today == can_take(record, at, rules)
    assert left.in_all == most_in_all(record, at, rules)
    if not record.grants:
        refused = take_all(record, at, rules)
        assert (refused.until if isinstance(refused, AllowanceUsed) else None) == left.next_at


def take_all(record: Entrant, at: int, rules: Rules) -> object:
    """Enter until the rules refuse; return the refusal."""
    outcome: object = Taken(record)
    while isinstance(outcome, Taken):
        outcome = take(outcome.entrant, EntryRequest(f"y{len(outcome.entrant.entries):05}", at), rules)
    return outcome


def most_in_all(record: Entrant, at: int, rules: Rules) -> int:
    """Enter with the days' own entries as often as possible day by day, then with what was earned, on the last one."""
    days = [at, *(midnight for midnight in rules.frozen.days if midnight > at)]
    count = 0
    for day in days:
        while isinstance(outcome := take(record, EntryRequest(f"{day}.{count}", day), rules), Taken):
            if uses_chance(record, outcome.entrant, rules):
                break
            record, count = outcome.entrant, count + 1
    return count + can_take(record, days[-1], rules)


def uses_chance(before: Entrant, after: Entrant, rules: Rules) -> bool:
    allowance, days = rules.lottery.allowance, rules.frozen.days
    one, other = (earned_used(r.entries, days, allowance.per_day, allowance.per_campaign) for r in (before, after))
    return other > one
