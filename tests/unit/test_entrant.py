"""An entrant's record: allowance, pity, caps, versions, the chain of prizes; and its stored text."""

import hashlib
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as some

from brandday.domain.entrant import (
    MAX_GRANTS,
    AllowanceUsed,
    Closed,
    Entrant,
    Entry,
    EntryRequest,
    Fate,
    Grant,
    KeyReused,
    Look,
    NoRoom,
    Replayed,
    Rules,
    Taken,
    Try,
    Unsettled,
    claim_name,
    decode_entries,
    decode_grants,
    encode_entries,
    encode_grants,
    entry_id,
    give_back,
    grant,
    miss,
    misses_in_a_row,
    parse_entry_id,
    take,
    win,
)
from brandday.domain.lottery import (
    CHANGE_LEAD_MS,
    MAX_ENTRIES,
    Allowance,
    Draw,
    Lottery,
    LotteryMode,
    Moments,
    Pity,
    Prize,
    Rounds,
    first_table,
    next_table,
    read_tables,
    table_at,
)
from brandday.domain.pacing import HOUR_MS, Pacing
from tests.unit.lottery_world import COMPLIANCE, DAY_MS, START, frozen_of

SEED = hashlib.sha256(b"entrant").digest()
FROZEN = frozen_of(SEED)
NAME = "AbCdEfGhIjKl"
NOBODY = Entrant(NAME, "owner-name-1", "sub")
SURE, NEVER = Fraction(1), Fraction(0)
ONCE = Allowance(1, 1)
STICKER = Prize("sticker", {"en": "A sticker"}, 50)


def car(odds: Fraction | None = SURE, **fields: object) -> Prize:
    return Prize("car", {"en": "A car"}, 9, odds, **fields)  # type: ignore[arg-type]


def rules_of(*prizes: Prize, allowance: Allowance = Allowance(9, 30, 9), **fields: object) -> Rules:  # noqa: B008
    lottery = Lottery(LotteryMode.INSTANT, prizes, allowance, COMPLIANCE, **fields)  # type: ignore[arg-type]
    tables = (first_table(lottery, FROZEN),)
    return Rules(lottery, FROZEN, tables, Pacing(lottery, FROZEN, SEED), SEED)


def entered(rules: Rules, record: Entrant = NOBODY, at: int = START, look: Look = Look()) -> Entrant:  # noqa: B008
    outcome = take(record, EntryRequest(f"{len(record.entries):06}", at), rules, look)
    assert isinstance(outcome, Taken), outcome
    return outcome.entrant


def last(record: Entrant | None) -> Entry:
    assert record is not None
    return record.entries[-1]


def settled(record: Entrant, rules: Rules, *, won: bool = True) -> Entrant:
    number = len(record.entries)
    while record.entries[-1].pending:
        at = record.entries[-1].at
        after = win(record, number, 0, at) if won else miss(record, number, Fate.GONE, at, rules)
        assert after is not None
        record = after
    return record


# --- allowance ---


def test_the_allowance_of_a_day_ends_at_local_midnight_and_the_campaigns_at_its_number() -> None:
    rules = rules_of(car(NEVER), allowance=Allowance(2, 3))
    midnight = FROZEN.days[1]
    record = entered(rules, entered(rules, at=midnight - 3), at=midnight - 2)
    assert take(record, EntryRequest("again!", midnight - 1), rules) == AllowanceUsed(midnight)
    record = entered(rules, record, at=midnight)
    assert take(record, EntryRequest("again!", midnight + DAY_MS), rules) == AllowanceUsed(None)


def test_earned_chances_are_used_after_the_days_allowance_and_once_each() -> None:
    rules = rules_of(car(NEVER), allowance=Allowance(1, 2, 3))
    record = grant(NOBODY, Grant("grant1", 1), rules)
    assert isinstance(record, Entrant)
    record = entered(rules, entered(rules, record, START), at=START + 1)
    assert take(record, EntryRequest("again!", START + 2), rules) == AllowanceUsed(FROZEN.days[1])
    record = entered(rules, record, FROZEN.days[1])
    assert take(record, EntryRequest("again!", FROZEN.days[2]), rules) == AllowanceUsed(None)


def test_a_grant_counts_once_and_not_beyond_what_the_lottery_allows() -> None:
    rules = rules_of(car(), allowance=Allowance(1, 1, 5))
    record = grant(NOBODY, Grant("grant1", 3), rules)
    assert isinstance(record, Entrant)
    assert grant(record, Grant("grant1", 3), rules) == Replayed(1)
    assert grant(record, Grant("grant1", 2), rules) == KeyReused()
    assert grant(record, Grant("grant2", 3), rules) == NoRoom(2)
    full = replace(NOBODY, grants=tuple(Grant(f"{at:06}", 1) for at in range(MAX_GRANTS)))
    assert grant(full, Grant("grant1", 1), rules_of(car(), allowance=Allowance(1, 1, 39))) == NoRoom(0)


def test_nobody_enters_more_often_than_a_record_holds() -> None:
    rules = rules_of(car(NEVER), allowance=Allowance(MAX_ENTRIES, MAX_ENTRIES))
    record = NOBODY
    for at in range(MAX_ENTRIES):
        record = entered(rules, record, START + at)
    assert take(record, EntryRequest("again!", START + DAY_MS), rules) == AllowanceUsed(None)


def test_a_request_that_is_repeated_finds_its_entry() -> None:
    rules = rules_of(car(NEVER), allowance=Allowance(2, 2))
    record = entered(rules, entered(rules), at=START + 1)
    assert take(record, EntryRequest("000000", START + 2), rules) == Replayed(1)
    assert take(record, EntryRequest("000001", START + 9 * DAY_MS), rules) == Replayed(2)


def test_no_entry_is_taken_while_one_waits_for_its_unit() -> None:
    rules = rules_of(car())
    record = entered(rules)
    assert take(record, EntryRequest("other!", START + 1), rules) == Unsettled(1)
    assert take(record, EntryRequest("000000", START + 1), rules) == Replayed(1)


def test_times_ascend_also_when_clocks_do_not_and_stay_before_the_end() -> None:
    rules = rules_of(car(NEVER))
    record = entered(rules, at=START + 100)
    assert last(entered(rules, record, at=START + 40)).at == START + 101
    record = entered(rules, at=FROZEN.ends_at - 1)
    assert take(record, EntryRequest("again!", FROZEN.ends_at - 1), rules) == Closed()


# --- what an entry wins ---


def test_a_hit_is_pending_until_its_unit_is_claimed() -> None:
    record = entered(rules_of(car()))
    assert last(record).tries == (Try("0", Fate.PENDING),)
    won = win(record, 1, 7, START + 30)
    assert last(won).won == Try("0", Fate.WON, START + 30, 7)
    assert won is not None
    assert win(won, 1, 7, START + 30) is None
    assert win(won, 2, 7, START + 30) is None
    assert miss(won, 1, Fate.GONE, START, rules_of(car())) is None


def test_a_prize_that_is_gone_gives_way_to_the_consolation_and_that_to_nothing() -> None:
    rules = rules_of(car(), STICKER, consolation="sticker")
    record = miss(entered(rules), 1, Fate.GONE, START + 20, rules)
    assert last(record).tries == (Try("0", Fate.GONE, START + 20), Try("1", Fate.PENDING))
    assert record is not None
    nothing = miss(record, 1, Fate.DAY_FULL, START + 30, rules)
    assert last(nothing).tries[1:] == (Try("1", Fate.DAY_FULL, START + 30),)
    assert last(nothing).pending is None
    assert last(nothing).won is None


def test_a_prize_known_to_be_gone_costs_no_second_write() -> None:
    rules = rules_of(car())
    entry = last(entered(rules, look=Look(empty={"0": Fate.GONE})))
    assert entry.tries == (Try("0", Fate.GONE, START),)


def test_a_prize_before_its_first_round_is_not_released() -> None:
    rules = rules_of(car(release=Rounds((START + 10,))))
    assert last(entered(rules, at=START + 9)).tries == (Try("0", Fate.NOT_RELEASED),)
    assert last(entered(rules, at=START + 10)).pending


def test_only_an_empty_pool_or_a_full_day_is_a_reason_found_in_the_pool() -> None:
    rules = rules_of(car())
    with pytest.raises(ValueError, match="not per_shopper"):
        miss(entered(rules), 1, Fate.PER_SHOPPER, START, rules)


def test_the_cap_per_shopper_counts_wins_forfeited_ones_too() -> None:
    rules = rules_of(car(per_shopper=1), STICKER, consolation="sticker")
    record = give_back(settled(entered(rules), rules), 1, START + HOUR_MS)
    assert record is not None
    assert last(record).won == Try("0", Fate.RETURNED, START, 0, START + HOUR_MS)
    assert give_back(record, 1, START + HOUR_MS) is None
    entry = last(entered(rules, record, START + DAY_MS))
    assert entry.tries == (Try("0", Fate.PER_SHOPPER), Try("1", Fate.PENDING))


def test_pity_comes_after_exactly_so_many_misses_and_consolation_does_not_end_them() -> None:
    rules = rules_of(car(NEVER), STICKER, pity=Pity(3, "car"), consolation="sticker")
    record = NOBODY
    for at in range(3):
        record = settled(entered(rules, record, START + at), rules)
        assert last(record).won == Try("1", Fate.WON, START + at, 0)
    assert misses_in_a_row(record, "1") == 3
    record = settled(entered(rules, record, START + 3), rules)
    assert last(record).won == Try("0", Fate.WON, START + 3, 0)
    assert misses_in_a_row(record, "1") == 0
    assert last(entered(rules, record, START + 4)).pending == Try("1", Fate.PENDING)


def test_pity_stays_due_while_its_prize_is_not_to_be_had_and_ends_at_the_cap() -> None:
    rules = rules_of(car(NEVER, per_shopper=1), pity=Pity(1, "car"))
    record = settled(entered(rules, entered(rules), START + 1), rules, won=False)
    assert last(record).tries[0].fate is Fate.GONE
    record = settled(entered(rules, record, START + 2), rules)
    assert last(record).won
    record = entered(rules, entered(rules, record, START + 3), START + 4)
    assert last(record).tries == ()


def test_a_winning_moment_goes_to_who_comes_after_it_when_the_roll_gave_nothing() -> None:
    rules = rules_of(car(NEVER), Prize("watch", {"en": "A watch"}, 2, release=Moments(), per_shopper=1))
    moment = rules.pacing.by_prize["watch"].steps[0].at
    look = Look(open_moments=("1",))
    assert last(entered(rules, at=moment - 1, look=look)).tries == ()
    assert last(entered(rules, at=moment)).tries == ()
    record = settled(entered(rules, at=moment, look=look), rules)
    assert last(record).won == Try("1", Fate.WON, moment, 0)
    assert last(entered(rules, record, moment + 1, look=look)).tries == (), "once per shopper"


def test_moments_come_after_the_roll_and_before_the_consolation() -> None:
    watch = Prize("watch", {"en": "A watch"}, 2, release=Moments())
    rules = rules_of(car(), watch, STICKER, consolation="sticker")
    at, look = FROZEN.ends_at - 9, Look(open_moments=("1",))
    record = entered(rules, at=at, look=look)
    assert last(record).pending == Try("0", Fate.PENDING)
    missed = miss(record, 1, Fate.GONE, at, rules, look)
    assert last(missed).pending == Try("1", Fate.PENDING)
    assert missed is not None
    assert last(miss(missed, 1, Fate.GONE, at, rules, look)).pending == Try("2", Fate.PENDING)


def test_a_moment_that_comes_after_the_consolation_was_tried_is_for_another_entry() -> None:
    watches = [Prize(name, {"en": "A watch"}, 2, release=Moments()) for name in ("watch", "clock")]
    rules = rules_of(car(NEVER), *watches, STICKER, consolation="sticker")
    record = entered(rules, at=FROZEN.ends_at - 9)
    assert last(record).pending == Try("3", Fate.PENDING)
    assert last(miss(record, 1, Fate.GONE, FROZEN.ends_at, rules, Look(("1",)))).pending is None
    record = entered(rules, at=FROZEN.ends_at - 9, look=Look(("2",)))
    assert last(miss(record, 1, Fate.GONE, FROZEN.ends_at, rules, Look(("1",)))).pending == Try("3", Fate.PENDING)


def test_an_entry_is_judged_by_the_version_in_force_at_its_millisecond() -> None:
    rules = rules_of(car(NEVER, odds_between=(NEVER, SURE)))
    first = rules.tables[0]
    second = next_table(rules.tables, {"car": SURE}, rules.lottery, FROZEN, START + 500)
    assert second.since == START + 500 + CHANGE_LEAD_MS
    assert second.previous == first.hash(rules.lottery, FROZEN)
    rules = Rules(rules.lottery, FROZEN, (first, second), rules.pacing, SEED)
    before, after = entered(rules, at=second.since - 1), entered(rules, at=second.since)
    assert (last(before).version, last(before).tries) == (1, ())
    assert (last(after).version, last(after).tries) == (2, (Try("0", Fate.PENDING),))
    assert table_at(rules.tables, START - 1) == first
    _, _, read = read_tables(table.document(rules.lottery, FROZEN) for table in rules.tables)
    assert read == rules.tables


def test_a_ticket_of_a_draw_needs_no_luck_yet() -> None:
    lottery = Lottery(LotteryMode.DRAW, (car(None),), Allowance(2, 2), COMPLIANCE, draw=Draw(FROZEN.ends_at))
    rules = Rules(lottery, FROZEN, (first_table(lottery, FROZEN),), Pacing(lottery, FROZEN, SEED), None)
    assert last(entered(rules)).tries == ()
    assert Lottery.from_document(lottery.to_document()) == lottery


# --- live odds ---


def test_odds_change_within_their_bounds_only() -> None:
    rules = rules_of(car(Fraction(1, 4), odds_between=(NEVER, Fraction(1, 2))), replace(STICKER, odds=Fraction(3, 5)))
    for odds in ({"car": Fraction(2, 3)}, {"sticker": NEVER}, {"pen": NEVER}, {"car": Fraction(1, 2)}):
        with pytest.raises(ValueError, match="odds"):
            next_table(rules.tables, odds, rules.lottery, FROZEN, START)
    assert next_table(rules.tables, {"car": Fraction(2, 5)}, rules.lottery, FROZEN, START).version == 2


# --- names and stored text ---


def test_an_entry_id_is_read_back_and_nothing_else_is_one() -> None:
    assert parse_entry_id(entry_id("spring", NAME, 40)) == ("spring", NAME, 40)
    for text in ("", "ent_spring", f"ent_spring.{NAME}.0", f"ent_spring.{NAME}.41", f"ent_spring.{NAME}.01"):
        assert parse_entry_id(text) is None
    assert len(claim_name(entry_id("spring", NAME, 1))) == 12
    assert claim_name(entry_id("spring", NAME, 1)) != claim_name(entry_id("spring", NAME, 2))


times = some.integers(START, START + 300 * DAY_MS)
slots = some.sampled_from("0123456789abcdefghijklmnopqrstuvwxyz")
tags = some.text("abcXYZ019-_", min_size=6, max_size=6)
shards = some.integers(0, 200_000)
nothing = some.none()
tries = some.one_of(
    some.tuples(
        slots, some.sampled_from([Fate.PENDING, Fate.PER_SHOPPER, Fate.NOT_RELEASED]), nothing, nothing, nothing
    ),
    some.tuples(slots, some.sampled_from([Fate.GONE, Fate.DAY_FULL]), times, nothing, nothing),
    some.tuples(slots, some.just(Fate.WON), times, shards, nothing),
    some.tuples(slots, some.just(Fate.RETURNED), times, shards, times),
).map(lambda fields: Try(*fields))
entries = some.builds(Entry, times, tags, some.integers(1, 63), some.lists(tries, max_size=3).map(tuple))


@given(some.lists(entries, max_size=MAX_ENTRIES).map(tuple))
def test_entries_are_read_as_they_were_written(written: tuple[Entry, ...]) -> None:
    soon = tuple(e._replace(tries=tuple(t._replace(at=t.at and e.at + t.at % 5000) for t in e.tries)) for e in written)
    assert decode_entries(encode_entries(written)) == written
    assert decode_entries(encode_entries(soon)) == soon


@given(some.lists(some.builds(Grant, tags, some.integers(1, 35)), max_size=MAX_GRANTS).map(tuple))
def test_grants_are_read_as_they_were_written(written: tuple[Grant, ...]) -> None:
    assert decode_grants(encode_grants(written)) == written


def item_size(entry: Entry, *, sub: int, grants: int) -> int:
    """The size of a full record by DynamoDB's rules: names and texts in UTF-8, a number has 2 digits a byte plus 1.

    docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    texts = {
        "pk": "c" * 40 + "#ab",
        "sk": NAME,
        "o": "owner-name-1",
        "s": "s" * sub,
        "c": encode_grants([Grant("grant1", 35)] * grants),
        "e": encode_entries([entry] * MAX_ENTRIES),
    }
    version = 1 + (4 + 1) // 2 + 1  # "v": at most four digits
    return sum(len(name.encode()) + len(text.encode()) for name, text in texts.items()) + version


def test_a_full_record_of_losing_entries_takes_one_write_unit() -> None:
    lost = Entry(START + 300 * DAY_MS, "tagtag", 63)
    assert item_size(lost, sub=128, grants=MAX_GRANTS) <= 1024
    without_consolation = lost._replace(tries=(Try("y", Fate.GONE, lost.at + 4000),))
    assert item_size(without_consolation, sub=64, grants=MAX_GRANTS) <= 1024


def test_a_full_record_of_wins_takes_one_write_unit_for_the_usual_subject() -> None:
    won = Entry(START, "tagtag", 63, (Try("z", Fate.WON, START + 4000, 200_000),))
    assert item_size(won, sub=36, grants=3) <= 1024
    assert item_size(won._replace(tries=(*won.tries, *won.tries)), sub=36, grants=3) > 1024, "the rule can be broken"
