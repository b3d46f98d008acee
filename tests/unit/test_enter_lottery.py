"""Entering a lottery: who may, what it comes to, what a repetition is told, and what memory may say of pools."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from brandday.domain.campaign import Eligibility, Status
from brandday.domain.entrant import Fate
from brandday.domain.entry_view import EntryOutcome
from brandday.domain.errors import (
    BrandDayError,
    CampaignEnded,
    CampaignNotFound,
    CampaignNotStarted,
    CampaignPaused,
    ChancesExhausted,
    EntryLimitReached,
    EntryNotFound,
    IdempotencyKeyReused,
    NotEligible,
    TemporarilyOverloaded,
    WrongMechanic,
)
from brandday.domain.lottery import CHANGE_LEAD_MS, Moments, Pity, Rounds
from brandday.usecases.enter_lottery import REPLAY_FOR_MS
from tests.fakes.backend import CLOSES, OPENS, SALE, Backend, sale
from tests.fakes.lottery_backend import DAYS, SURE, LotteryBackend, draw, lottery, prize
from tests.fakes.reward_backend import DAY_MS
from tests.fakes.tap import failing
from tests.unit.chi_squared import is_fair

NEVER = Fraction(0)


def _codes(*attempts: BrandDayError) -> list[str]:
    return [refusal.code for refusal in attempts]


# --- what an entry comes to -----------------------------------------------------------------------------------


def test_an_entry_that_hits_wins_its_prize_and_the_unit_is_taken_in_its_name() -> None:
    backend = LotteryBackend(lottery(prize("mug", 2)))

    won = backend.desk().enter("ann").entry

    assert (won.outcome, won.prize, won.number) == (EntryOutcome.WON, "mug", 1)
    assert won.id == f"ent_{SALE}.{backend.name('ann')}.1"
    assert won.title == {"en": "mug"}
    assert won.reward_id is not None
    rules = backend.desk().lotteries.get(SALE).rules
    assert won.table_hash == rules.tables[0].hash(rules.lottery, rules.frozen)
    assert won.commitment == rules.frozen.commitment
    assert backend.counts("mug") == (1, 0, 1)
    backend.check_entries()
    assert backend.problems() == []


def test_an_entry_that_misses_loses_and_takes_nothing() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=NEVER)))

    lost = backend.desk().enter("ann").entry

    assert (lost.outcome, lost.prize, lost.reward_id, lost.entry.tries) == (EntryOutcome.LOST, None, None, ())
    assert backend.counts("car") == (1, 0, 0)


def test_when_the_prize_is_gone_the_consolation_is_won_and_when_that_is_gone_nothing() -> None:
    backend = LotteryBackend(lottery(prize("car"), prize("sticker", 1, None), consolation="sticker"))
    desk = backend.desk()

    views = [desk.enter(name).entry for name in ("ann", "bob", "cyn")]

    assert [(view.outcome, view.prize, view.is_consolation) for view in views] == [
        ("won", "car", False),
        ("won", "sticker", True),
        ("lost", None, False),
    ]
    assert [[link.fate for link in view.entry.tries] for view in views] == [
        [Fate.WON],
        [Fate.GONE, Fate.WON],
        [Fate.GONE, Fate.GONE],
    ]
    backend.check_entries()
    assert backend.problems() == []


def test_the_first_can_win_and_so_can_the_last() -> None:
    backend = LotteryBackend(lottery(prize("mug", 2)))

    assert backend.desk().enter("first").entry.prize == "mug"
    backend.clock.now = CLOSES - 1
    assert backend.desk().enter("last").entry.prize == "mug"
    assert backend.problems() == []


def test_pity_and_caps_count_what_the_shopper_had() -> None:
    backend = LotteryBackend(lottery(prize("car", 9, NEVER), prize("mug", 9, None, per_shopper=1), pity=Pity(2, "mug")))
    desk = backend.desk()

    prizes = [desk.enter("ann", f"key-{number}").entry.prize for number in range(6)]

    assert prizes == [None, None, "mug", None, None, None]
    backend.check_entries()


def test_every_unit_is_won_wherever_it_lies_and_none_twice() -> None:
    backend = LotteryBackend(lottery(prize("mug", 30), shards=10))
    desks = [backend.warm_desk() for _ in range(3)]

    outcomes = [desks[number % 3].enter(f"shopper-{number}").entry.outcome for number in range(50)]

    assert outcomes == ["won"] * 30 + ["lost"] * 20
    backend.check_entries()
    assert backend.problems() == []


def test_entries_of_a_draw_are_tickets_and_need_no_seed() -> None:
    backend = LotteryBackend(draw())
    backend.campaigns.seeds.clear()

    ticket = backend.desk().enter("ann").entry

    assert (ticket.outcome, ticket.entry.tries) == (EntryOutcome.TICKET, ())


def test_a_seed_that_a_replica_does_not_have_yet_is_asked_for_again() -> None:
    backend = LotteryBackend()
    seed = backend.campaigns.seeds.pop(SALE)
    desk = backend.desk()

    assert isinstance(desk.refused("ann"), TemporarilyOverloaded)
    backend.campaigns.seeds[SALE] = seed
    assert desk.enter("ann").entry.outcome == "won"


# --- who may --------------------------------------------------------------------------------------------------


def test_nobody_enters_before_the_start_or_from_the_end_on() -> None:
    backend = LotteryBackend(now=OPENS - 1)
    assert isinstance(backend.desk().refused("ann"), CampaignNotStarted)
    backend.clock.now = CLOSES
    assert isinstance(backend.desk().refused("ann"), CampaignEnded)
    assert backend.records() == []


def test_a_draft_does_not_exist_and_a_sale_is_no_lottery() -> None:
    backend = LotteryBackend(replace(lottery(), status=Status.DRAFT))
    assert isinstance(backend.desk().refused("ann"), CampaignNotFound)
    assert backend.tap.calls == ["campaigns.load"]

    backend = LotteryBackend(sale())
    refusal = backend.desk().refused("ann")
    assert isinstance(refusal, WrongMechanic)
    assert refusal.params == {"mechanic": "flash_sale"}


def test_nothing_is_reserved_in_a_lottery() -> None:
    backend = Backend(lottery(prize("mug")))

    refusal = backend.environment().refused("ann", "mug")

    assert isinstance(refusal, WrongMechanic)
    assert refusal.params == {"mechanic": "lottery"}
    assert backend.counts("mug") == (1, 0, 0)
    backend.clock.now = CLOSES
    assert isinstance(backend.environment().refused("ann", "mug"), WrongMechanic)


def test_who_is_not_eligible_is_told_so() -> None:
    backend = LotteryBackend(replace(lottery(), eligibility=Eligibility(member_tiers=("gold",))))
    assert isinstance(backend.desk().refused("ann"), NotEligible)
    assert backend.records() == []


def test_a_pause_holds_within_two_seconds_in_a_warm_environment() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=NEVER)))
    desk = backend.warm_desk()
    backend.campaigns.campaigns[SALE] = replace(backend.campaign, status=Status.PAUSED)
    backend.clock.advance(1000)

    assert isinstance(desk.refused("ann"), CampaignPaused)


def test_no_entry_is_written_on_config_that_became_old_while_the_record_was_read() -> None:
    backend = LotteryBackend()
    desk = backend.warm_desk()
    backend.campaigns.campaigns[SALE] = replace(backend.campaign, status=Status.PAUSED)

    def slow(name: str) -> None:
        if name == "entrants.load":
            backend.clock.advance(1101)

    backend.tap.before = slow
    assert isinstance(desk.refused("ann"), CampaignPaused)
    assert backend.records() == []


def test_a_prize_is_settled_whatever_becomes_of_the_campaign_in_between() -> None:
    backend = LotteryBackend()
    desk = backend.warm_desk()

    def pause(name: str) -> None:
        if name == "entrants.save":
            backend.campaigns.campaigns[SALE] = replace(backend.campaign, status=Status.PAUSED)
            backend.clock.advance(1500)
            backend.tap.after = lambda _: None

    backend.tap.after = pause
    assert desk.enter("ann").entry.outcome == "won"
    backend.check_entries()


def test_odds_that_are_changed_hold_from_their_time_on_in_every_environment() -> None:
    changing = prize("car", 50, SURE, odds_between=(NEVER, SURE))
    backend = LotteryBackend(lottery(changing))
    desks = [backend.warm_desk(), backend.warm_desk()]
    assert desks[0].enter("ann", "1").entry.outcome == "won"
    declared, luck = backend.campaign.lottery, backend.campaign.luck
    assert declared is not None
    assert luck is not None
    backend.campaigns.campaigns[SALE] = replace(
        backend.campaign, luck=luck.with_odds({"car": NEVER}, declared, backend.clock())
    )
    since = OPENS + CHANGE_LEAD_MS

    for at in range(OPENS + 100, since + 1000, 300):
        backend.clock.now = at
        for number, desk in enumerate(desks):
            entry = desk.enter(f"shopper-{number}", f"key-{at}").entry
            assert (entry.outcome, entry.entry.version) == (("won", 1) if at < since else ("lost", 2))
    assert backend.problems() == []


# --- allowances -----------------------------------------------------------------------------------------------


def test_the_allowance_holds_per_day_and_per_campaign() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=NEVER), per_day=2, per_campaign=3))
    desk = backend.desk()
    desk.enter("ann", "1")
    assert (desk.list_entries("ann").left.today, desk.list_entries("bob").left.today) == (1, 2)
    desk.enter("ann", "2")

    refusal = desk.refused("ann", "3")
    assert isinstance(refusal, EntryLimitReached)
    assert refusal.params["allowance"] == "day"
    assert refusal.retry_after_ms == DAYS[1] - OPENS
    backend.clock.now = DAYS[1]
    desk.enter("ann", "3")
    refusal = desk.refused("ann", "4")
    assert (refusal.params, refusal.retry_after_ms) == ({"allowance": "campaign", "until": None}, None)
    assert len(desk.list_entries("ann").entries) == 3
    assert desk.list_entries("ann").left.today == 0


def test_earned_chances_are_entries_more_and_each_grant_counts_once() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=NEVER), per_day=1, per_campaign=1, earned=3))
    desk = backend.desk()
    desk.enter("ann", "1")

    assert not desk.grant("ann", "share-1", 2)
    assert desk.grant("ann", "share-1", 2)
    with pytest.raises(IdempotencyKeyReused):
        desk.grant("ann", "share-1", 1)
    with pytest.raises(ChancesExhausted) as refused:
        desk.grant("ann", "share-2", 2)
    assert refused.value.params == {"left": 1}

    assert (desk.list_entries("ann").left.today, desk.list_entries("ann").earned) == (2, 2)
    desk.enter("ann", "2")
    desk.enter("ann", "3")
    assert isinstance(desk.refused("ann", "4"), EntryLimitReached)


def test_chances_can_be_granted_to_who_never_entered_before_the_start_and_not_after_the_end() -> None:
    backend = LotteryBackend(lottery(earned=3), now=OPENS - 1)
    desk = backend.desk()
    desk.grant("ann", "early")
    backend.clock.now = CLOSES
    with pytest.raises(CampaignEnded):
        desk.grant("ann", "late")
    assert desk.grant("ann", "early"), "a repetition is told what it was told"
    assert backend.record("ann").chances == 1


def test_a_chance_granted_a_moment_ago_is_not_refused_because_a_replica_is_behind() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=NEVER), per_day=1, per_campaign=1, earned=3))
    desk = backend.desk()
    desk.enter("ann", "1")
    backend.entrants.behind[SALE, backend.name("ann")] = backend.record("ann")
    desk.grant("ann", "share")

    assert desk.enter("ann", "2").entry.number == 2


def test_grants_that_meet_on_one_record_are_both_there() -> None:
    backend = LotteryBackend(lottery(earned=3))
    backend.entrants.behind[SALE, backend.name("ann")] = None
    desk = backend.desk()
    desk.grant("ann", "one")
    desk.grant("ann", "two")
    assert backend.record("ann").chances == 2


# --- repetitions ----------------------------------------------------------------------------------------------


def test_the_same_key_gets_the_same_entry_whatever_became_of_it() -> None:
    backend = LotteryBackend(lottery(prize("car", 5, Fraction(1, 2))))
    desk = backend.desk()
    first = [desk.enter("ann", f"key-{number}") for number in range(9)]

    again = [backend.desk().enter("ann", f"key-{number}") for number in range(9)]

    assert [each.entry for each in again] == [each.entry for each in first]
    assert not any(each.replayed for each in first)
    assert all(each.replayed for each in again)
    assert len(backend.record("ann").entries) == 9


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("call", ["entrants.save", "stock.write"])
def test_a_lost_answer_is_asked_for_again_and_the_entry_is_the_same(call: str, committed: bool) -> None:
    backend = LotteryBackend()
    with failing(backend.tap, call, TemporarilyOverloaded(), committed=committed):
        assert isinstance(backend.desk().refused("ann"), TemporarilyOverloaded)

    entered = backend.desk().enter("ann")

    assert (entered.entry.number, entered.entry.outcome) == (1, "won")
    assert entered.replayed == (committed or call == "stock.write")
    backend.check_entries()


def test_an_entry_that_is_pending_is_settled_before_the_next_one_is_taken() -> None:
    backend = LotteryBackend(lottery(prize("mug", 1, per_shopper=1)))
    with failing(backend.tap, "stock.write", TemporarilyOverloaded()):
        backend.desk().refused("ann", "1")
    assert backend.desk().get("ann", f"ent_{SALE}.{backend.name('ann')}.1").outcome is EntryOutcome.PENDING

    second = backend.desk().enter("ann", "2")

    assert [link.fate for link in second.entry.entry.tries] == [Fate.PER_SHOPPER]
    assert backend.desk().enter("ann", "1").entry.outcome == "won"
    backend.check_entries()


@pytest.mark.parametrize("status", [Status.PAUSED, Status.ENDED])
def test_after_a_pause_or_the_end_a_repetition_is_answered_and_finished(status: Status) -> None:
    backend = LotteryBackend()
    with failing(backend.tap, "stock.write", TemporarilyOverloaded()):
        backend.desk().refused("ann")
    backend.campaigns.campaigns[SALE] = replace(backend.campaign, status=status, ended_at=OPENS)
    desk = backend.desk()

    again = desk.enter("ann")

    assert (again.replayed, again.entry.outcome) == (True, "won")
    assert _codes(desk.refused("ann", "other"), desk.refused("bob")) == [f"campaign_{status}"] * 2
    backend.clock.advance(REPLAY_FOR_MS + 1)
    backend.tap.calls.clear()
    if status is Status.ENDED:
        assert isinstance(desk.refused("ann"), CampaignEnded)
        assert backend.tap.calls == ["campaigns.load"], "long after the end nobody is looked up"


def test_a_repetition_of_an_entry_that_a_replica_does_not_have_is_no_second_entry() -> None:
    backend = LotteryBackend(lottery(prize("mug", 5)))
    desk = backend.desk()
    desk.enter("ann")
    backend.entrants.behind[SALE, backend.name("ann")] = None

    again = desk.enter("ann")

    assert (again.replayed, again.entry.number) == (True, 1)
    assert len(backend.record("ann").entries) == 1


def test_races_on_one_record_end_in_a_request_to_come_again() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=NEVER)))
    desk, other = backend.warm_desk(), backend.warm_desk()
    key = iter(range(100))

    def overtake(name: str) -> None:
        if name == "entrants.save":
            backend.tap.before = lambda _: None
            other.enter("ann", f"other-{next(key)}")
            backend.tap.before = overtake

    backend.tap.before = overtake
    assert isinstance(desk.refused("ann"), TemporarilyOverloaded)


# --- looking at entries ---------------------------------------------------------------------------------------


def test_an_entry_is_shown_to_its_shopper_and_to_nobody_else() -> None:
    backend = LotteryBackend()
    desk = backend.desk()
    entered = desk.enter("ann").entry

    assert desk.get("ann", entered.id) == entered
    for shopper, entry in (
        ("bob", entered.id),
        ("ann", entered.id[:-1] + "2"),
        ("ann", entered.id.replace(SALE, "another-one")),
        ("ann", "rsv_x"),
        ("cyn", f"ent_{SALE}.{backend.name('cyn')}.1"),
    ):
        with pytest.raises(EntryNotFound):
            desk.get(shopper, entry)


def test_an_entry_of_a_sale_is_not_found() -> None:
    backend = LotteryBackend(sale())
    with pytest.raises(EntryNotFound):
        backend.desk().get("ann", f"ent_{SALE}.-nnAnnAnnAnn.1")


# --- what memory may say --------------------------------------------------------------------------------------


def test_gone_is_said_without_a_call_once_it_is_proven_and_not_before() -> None:
    backend = LotteryBackend(lottery(prize("mug", 3), shards=3))
    desk, cold = backend.warm_desk(), backend.warm_desk()
    for number in range(3):
        assert desk.enter(f"winner-{number}").entry.outcome == "won"

    for each in (desk, cold):
        backend.tap.calls.clear()
        assert each.enter(f"looks-{id(each)}").entry.outcome == "lost"
        assert backend.tap.count("stock.") > 0, "it has to look"
        backend.tap.calls.clear()
        assert each.enter(f"knows-{id(each)}").entry.outcome == "lost"
        assert backend.tap.calls == ["entrants.load", "entrants.save"]
    assert backend.problems() == []


def test_the_summary_proves_it_too() -> None:
    backend = LotteryBackend(lottery(prize("mug", 3), shards=3))
    for number in range(3):
        backend.desk().enter(f"winner-{number}")
    backend.settle()
    desk = backend.warm_desk()
    backend.tap.calls.clear()

    assert desk.enter("ann").entry.entry.tries[0].fate is Fate.GONE
    assert backend.tap.calls == ["entrants.load", "entrants.save"]
    assert backend.problems() == []


def test_a_unit_in_a_shard_that_nobody_has_heard_of_is_found() -> None:
    backend = LotteryBackend(lottery(prize("mug", 400), shards=400))
    desks = [backend.warm_desk() for _ in range(4)]

    outcomes = [desks[number % 4].enter(f"shopper-{number}").entry.outcome for number in range(410)]

    assert outcomes.count(EntryOutcome.WON) == 400
    assert outcomes[-10:] == ["lost"] * 10
    backend.check_entries()


def test_rounds_are_won_from_their_time_on_and_what_was_gone_is_not_gone_any_more() -> None:
    noon = OPENS + DAY_MS // 2
    backend = LotteryBackend(lottery(prize("mug", 4, release=Rounds((OPENS + 1000, noon))), shards=4))
    desk = backend.desk()
    early = desk.enter("early").entry
    backend.clock.advance(1000)
    first = [desk.enter(f"first-{number}").entry for number in range(4)]
    backend.clock.now = noon - 1
    before = desk.enter("before").entry
    backend.clock.now = noon
    second = [desk.enter(f"second-{number}").entry for number in range(4)]

    assert [link.fate for link in early.entry.tries] == [Fate.NOT_RELEASED]
    assert [entry.outcome for entry in first] == ["won", "won", "lost", "lost"]
    assert [link.fate for link in before.entry.tries] == [Fate.GONE]
    assert [entry.outcome for entry in second] == ["won", "won", "lost", "lost"]
    backend.check_entries()
    assert backend.problems() == []


def test_a_day_gives_out_its_share_and_the_next_one_has_its_own() -> None:
    backend = LotteryBackend(lottery(prize("mug", 9, per_day=2), shards=3))
    desk = backend.desk()
    said = []
    for day in DAYS:
        backend.clock.now = day + 5
        said.append([desk.enter(f"shopper-{day}-{number}").entry.entry.tries[-1].fate for number in range(4)])

    assert said == [[Fate.WON, Fate.WON, Fate.DAY_FULL, Fate.DAY_FULL]] * 3
    backend.check_entries()
    assert backend.problems() == []


def test_a_winning_moment_is_met_by_the_first_entry_after_it_or_a_second_later() -> None:
    backend = LotteryBackend(lottery(prize("watch", 5, None, release=Moments()), shards=2))
    desks = [backend.warm_desk() for _ in range(2)]
    pace = desks[0].lotteries.get(SALE).rules.pacing.by_prize["watch"]
    won: list[int] = []
    for number, moment in enumerate(step.at for step in pace.steps):
        assert backend.clock() < moment
        backend.clock.now = moment - 1
        assert desks[0].enter(f"before-{number}").entry.outcome == "lost"
        backend.clock.now = moment
        entries = [desks[at % 2].enter(f"meets-{number}-{at}").entry for at in range(4)]
        won.append(sum(entry.outcome == "won" for entry in entries))
        assert entries[0].outcome == "won"
        backend.settle()

    assert won == [1] * 5
    backend.check_entries()
    assert backend.problems() == []


def test_moments_that_nobody_met_roll_to_the_entries_that_come_then() -> None:
    backend = LotteryBackend(lottery(prize("watch", 3, None, release=Moments()), shards=2), now=CLOSES - 60_000)
    desk = backend.warm_desk()
    outcomes = []
    for number in range(6):
        backend.clock.advance(1100)
        outcomes.append(desk.enter(f"shopper-{number}").entry.outcome)

    assert outcomes == ["won"] * 3 + ["lost"] * 3
    backend.check_entries()
    assert backend.problems() == []


# --- luck, through all of it ----------------------------------------------------------------------------------


def _frequencies(backend: LotteryBackend, shoppers: int, each: int) -> list[int]:
    desks = [backend.warm_desk() for _ in range(3)]
    counts = {"car": 0, "mug": 0, None: 0}
    for number in range(shoppers):
        for entry in range(each):
            backend.clock.advance(7)
            counts[desks[entry % 3].enter(f"shopper-{number}", f"key-{entry}").entry.prize] += 1
    return list(counts.values())


def test_prizes_are_won_as_often_as_their_odds_say() -> None:
    car, mug = Fraction(1, 50), Fraction(1, 7)
    backend = LotteryBackend(lottery(prize("car", 5000, car), prize("mug", 5000, mug), shards=60))

    observed = _frequencies(backend, 500, 12)

    assert sum(observed) == 6000
    assert is_fair(observed, [car, mug, 1 - car - mug])
    assert not is_fair(observed, [mug, car, 1 - car - mug]), "the test can tell"
    backend.check_entries()
