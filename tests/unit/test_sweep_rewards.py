"""Rewards that come to a stop are moved again or ended; units that nobody claimed go back once."""

from dataclasses import replace

import pytest

from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import Lease, RewardStatus
from brandday.domain.reward_rules import CLAIM_GRACE_MS
from brandday.domain.stock import FORGET_AFTER_MS
from brandday.entrypoints.on_reward_sweep_due import build_handler
from brandday.usecases.reward_ports import Dispatch
from brandday.usecases.sweep_rewards import (
    KEEP_ADDRESS_MS,
    LOOK_AGAIN_MS,
    MAX_PAGES,
    PAGE,
    REST_MS,
    RUN_MS,
    SILENT_MS,
    SLICE_MS,
)
from tests.fakes.backend import EXTENDED_MS, OPENS, SALE
from tests.fakes.reward_backend import CLAIM_UNTIL, FULFILMENT, RewardBackend, prizes
from tests.fakes.tap import failing

LIMIT_MS = FULFILMENT.time_limit_ms
HOME = {"name": "Ann"}
MINUTE_MS = 60_000


def _unclaimed(*shoppers: str) -> RewardBackend:
    backend = RewardBackend()
    for shopper in shoppers or ("ann",):
        backend.win(shopper)
    backend.issue()
    return backend


def _pending() -> tuple[RewardBackend, str]:
    backend = RewardBackend(prizes(RewardKind.DIGITAL))
    reward_id = backend.win("ann")
    backend.issue()
    backend.dispatch()
    backend.fulfilments.messages.clear()
    return backend, reward_id


def _only(backend: RewardBackend) -> str:
    (reward_id,) = backend.rewards.rewards
    return reward_id


# --- prizes that nobody claims ---


def test_an_unclaimed_prize_is_forfeited_at_the_deadline_and_its_units_are_free_again() -> None:
    backend = _unclaimed("ann", "bob")
    backend.clock.now = CLAIM_UNTIL - 1
    assert backend.reward_sweeper()() == 0
    assert backend.counts() == (2, 0, 2)

    backend.clock.now = CLAIM_UNTIL
    assert backend.reward_sweeper()() == 4, "two forfeited, two given back"

    assert backend.counts() == (4, 0, 0)
    assert {reward.status for reward in backend.rewards.rewards.values()} == {RewardStatus.FORFEITED}
    assert all(reward.units_returned for reward in backend.rewards.rewards.values())
    backend.check()


def test_a_prize_with_an_address_stays_with_its_winner() -> None:
    backend = _unclaimed()
    backend.clock.now = CLAIM_UNTIL - 1
    backend.manager().give_address("ann", _only(backend), HOME)

    backend.clock.now = CLAIM_UNTIL
    backend.reward_sweeper()()

    assert backend.reward(_only(backend)).status is RewardStatus.PENDING
    assert backend.counts() == (3, 0, 1)


def test_a_deadline_that_was_put_off_is_waited_for() -> None:
    backend = _unclaimed()
    backend.change(fulfilment=replace(FULFILMENT, claim_until=CLAIM_UNTIL + MINUTE_MS))
    sweep = backend.reward_sweeper()
    backend.clock.now = CLAIM_UNTIL
    sweep()
    assert backend.reward(_only(backend)).status is RewardStatus.AWAITING_ADDRESS

    backend.clock.advance(MINUTE_MS)
    sweep()
    assert backend.reward(_only(backend)).status is RewardStatus.FORFEITED


def test_all_units_of_a_reward_go_back() -> None:
    backend = RewardBackend(prizes())
    backend.win("ann", quantity=2)
    backend.issue()

    backend.clock.now = CLAIM_UNTIL
    backend.reward_sweeper()()

    assert backend.counts() == (4, 0, 0)


def test_sweeping_again_and_again_gives_nothing_back_twice() -> None:
    backend = _unclaimed()
    backend.clock.now = CLAIM_UNTIL
    for _ in range(3):
        backend.reward_sweeper()()
        backend.clock.advance(MINUTE_MS)

    assert backend.counts() == (4, 0, 0)
    backend.check()


def test_units_whose_mark_was_lost_are_marked_even_after_the_claim_was_forgotten() -> None:
    backend = _unclaimed()
    backend.clock.now = CLAIM_UNTIL
    backend.reward_sweeper()()
    backend.alter(_only(backend), units_returned=False)
    backend.clock.advance(FORGET_AFTER_MS + EXTENDED_MS)
    backend.stock.shards[SALE, 0] = replace(backend.stock.shard(0), records={})

    backend.reward_sweeper()()

    assert backend.reward(_only(backend)).units_returned
    assert backend.counts() == (4, 0, 0)


def test_what_a_partner_may_have_is_not_given_back() -> None:
    """Its address was forgotten and asked for again; a worker had begun to send it before."""
    backend = _unclaimed()
    backend.alter(_only(backend), tried=True)

    backend.clock.now = CLAIM_UNTIL
    backend.reward_sweeper()()

    assert backend.reward(_only(backend)).status is RewardStatus.FAILED
    assert backend.counts() == (3, 0, 1)


def test_who_won_after_the_deadline_has_a_day_and_no_longer() -> None:
    backend = RewardBackend()
    backend.win("ann")
    backend.clock.now = CLAIM_UNTIL
    backend.issue()
    sweep = backend.reward_sweeper()
    sweep()
    backend.clock.advance(CLAIM_GRACE_MS - 1)
    sweep()
    assert backend.reward(_only(backend)).status is RewardStatus.AWAITING_ADDRESS

    backend.clock.advance(1)
    sweep()
    assert backend.reward(_only(backend)).status is RewardStatus.FORFEITED


# --- a message that was lost, and a time limit ---


def test_a_reward_of_which_nothing_is_heard_for_an_hour_is_sent_again() -> None:
    backend, reward_id = _pending()
    backend.clock.now = OPENS + SILENT_MS - 1
    backend.reward_sweeper()()
    backend.dispatch()
    assert backend.fulfilments.messages == []

    backend.clock.now = OPENS + SILENT_MS
    sweep = backend.reward_sweeper()
    sweep()
    sweep()
    backend.dispatch()
    assert backend.fulfilments.messages == [Dispatch(reward_id, 1, 2)]

    backend.clock.advance(SILENT_MS)
    sweep()
    backend.dispatch()
    assert backend.fulfilments.messages[1:] == [Dispatch(reward_id, 1, 3)]


def test_the_lease_of_a_worker_that_died_is_waited_for() -> None:
    backend, reward_id = _pending()
    until = OPENS + SILENT_MS + MINUTE_MS
    backend.alter(reward_id, lease=Lease("dead", until))

    backend.clock.now = until + SILENT_MS - 1
    sweep = backend.reward_sweeper()
    sweep()
    assert backend.tap.count("rewards.get") == 0, "there is nothing to do yet"
    backend.clock.advance(1)
    sweep()

    assert backend.reward(reward_id).sent == 2


def test_past_its_time_limit_a_reward_is_given_up_unless_somebody_holds_it() -> None:
    backend, reward_id = _pending()
    backend.alter(reward_id, words="no room", lease=Lease("worker", OPENS + LIMIT_MS + MINUTE_MS))
    sweep = backend.reward_sweeper()
    backend.clock.now = OPENS + LIMIT_MS
    sweep()
    assert backend.reward(reward_id).status is RewardStatus.PENDING

    backend.clock.advance(MINUTE_MS)
    sweep()

    failed = backend.reward(reward_id)
    assert failed.status is RewardStatus.FAILED
    assert failed.words == "Nobody took it within its time limit of 72 h. The last answer was: no room"
    backend.dispatch()
    assert backend.fulfilments.messages == [Dispatch(reward_id, 1, 2)], "to be put among the dead letters"
    sweep()
    assert backend.rewards.changes == []


# --- addresses ---


def test_the_address_of_what_has_failed_is_forgotten_after_thirty_days() -> None:
    backend = _unclaimed()
    backend.manager().give_address("ann", _only(backend), HOME)
    failed_at = backend.clock()
    backend.alter(_only(backend), status=RewardStatus.FAILED, pending_since=None)

    backend.clock.now = failed_at + KEEP_ADDRESS_MS - 1
    backend.reward_sweeper()()
    assert backend.reward(_only(backend)).address is not None

    backend.clock.now = failed_at + KEEP_ADDRESS_MS
    assert backend.reward_sweeper()() == 1
    assert backend.reward(_only(backend)).address is None
    assert backend.reward_sweeper()() == 0


# --- many campaigns, much to do, trouble ---


def _asked(backend: RewardBackend) -> int:
    return backend.tap.count("rewards.in_status", "rewards.owing")


def test_a_campaign_is_not_asked_about_before_its_start() -> None:
    backend = RewardBackend(now=OPENS - MINUTE_MS)
    sweep = backend.reward_sweeper()
    sweep()
    assert _asked(backend) == 0

    backend.clock.now = OPENS
    sweep()
    assert _asked(backend) == 4


def test_where_nothing_is_due_the_next_look_is_a_quarter_of_an_hour_later() -> None:
    backend = RewardBackend()
    sweep = backend.reward_sweeper()
    for _ in range(15):
        sweep()
        backend.clock.advance(MINUTE_MS)
    assert _asked(backend) == 4

    sweep()
    assert _asked(backend) == 8
    assert LOOK_AGAIN_MS == 15 * MINUTE_MS


def test_a_campaign_that_is_over_and_quiet_is_asked_about_once_an_hour_and_one_that_is_not_quiet_more_often() -> None:
    quiet, busy = RewardBackend(), _unclaimed()
    busy.alter(_only(busy), claim_until=CLAIM_UNTIL + 2 * CLAIM_GRACE_MS)
    for backend in (quiet, busy):
        backend.clock.now = CLAIM_UNTIL + REST_MS
        sweep = backend.reward_sweeper()
        for _ in range(60):
            sweep()
            backend.clock.advance(MINUTE_MS)

    assert _asked(quiet) == 4
    assert _asked(busy) == 16


def test_the_claim_deadline_is_met_to_the_minute_also_by_a_sweeper_that_has_just_looked() -> None:
    backend = RewardBackend()
    made = backend.environment().reserve("ann").reservation
    backend.environment().confirm(made.id)
    backend.clock.now = CLAIM_UNTIL - MINUTE_MS
    sweep = backend.reward_sweeper()
    sweep()
    backend.issue()
    backend.clock.now = CLAIM_UNTIL
    sweep()

    assert backend.reward(_only(backend)).status is RewardStatus.FORFEITED


def _add_campaign(backend: RewardBackend, campaign_id: str) -> None:
    backend.put(replace(backend.campaign, id=campaign_id))


def test_a_draft_is_left_alone_until_it_is_published() -> None:
    backend = _unclaimed()
    backend.put(replace(backend.campaign, id="a-draft", layout=None))
    backend.clock.now = CLAIM_UNTIL

    assert backend.reward_sweeper()() == 2


def test_a_campaign_whose_tables_are_too_busy_does_not_keep_the_others_waiting() -> None:
    backend = _unclaimed()
    _add_campaign(backend, "a-busy-one")
    backend.clock.now = CLAIM_UNTIL
    sweep = build_handler(backend.reward_sweeper(), write=lambda _: None)

    with failing(backend.tap, "rewards.owing", TemporarilyOverloaded()), pytest.raises(TemporarilyOverloaded):
        sweep({}, None)
    assert backend.reward(_only(backend)).units_returned

    asked = _asked(backend)
    assert sweep({}, None) == {"rewards": 0}
    assert _asked(backend) == asked + 4, "the busy one is looked at again at once, the other one is not"


def test_a_campaign_that_breaks_the_sweeper_comes_after_the_others_the_next_time() -> None:
    backend = _unclaimed()
    _add_campaign(backend, "a-broken-one")
    backend.clock.now = CLAIM_UNTIL
    sweep = backend.reward_sweeper()

    with failing(backend.tap, "rewards.owing", LookupError()), pytest.raises(LookupError):
        sweep()
    backend.clock.advance(MINUTE_MS)
    sweep()

    assert backend.reward(_only(backend)).units_returned


def test_a_question_that_fails_does_not_keep_the_other_questions_waiting() -> None:
    backend = _unclaimed()
    backend.clock.now = CLAIM_UNTIL

    with failing(backend.tap, "rewards.owing", TemporarilyOverloaded()), pytest.raises(TemporarilyOverloaded):
        backend.reward_sweeper()()

    assert backend.reward(_only(backend)).units_returned


def test_what_is_too_much_for_one_run_goes_on_where_it_left_off_and_others_come_in_between() -> None:
    backend = RewardBackend(prizes(stock=30, shards=1))
    backend.win("ann")
    backend.issue()
    _add_campaign(backend, "z-small")
    model = backend.reward(_only(backend))
    count = MAX_PAGES * PAGE + 30
    for number in range(count):  # none of them is due
        backend.rewards.create(replace(model, id=f"rwd_{model.owner}.{number:08d}.{SALE}", claim_until=None))
    backend.rewards.create(replace(model, id=f"rwd_{model.owner}.zzzzzzzz.z-small", campaign_id="z-small"))
    backend.alter(model.id, status_at=model.status_at + 1)
    backend.clock.now = CLAIM_UNTIL
    sweep = backend.reward_sweeper()

    sweep()
    assert backend.reward(f"rwd_{model.owner}.zzzzzzzz.z-small").status is RewardStatus.FORFEITED
    assert backend.reward(model.id).status is RewardStatus.AWAITING_ADDRESS, "it is on a later page"
    backend.clock.advance(MINUTE_MS)
    sweep()
    assert backend.reward(model.id).status is RewardStatus.FORFEITED


def test_a_run_ends_in_time_and_the_next_begins_with_who_has_waited_longest() -> None:
    backend = _unclaimed()
    for number in range(9):
        _add_campaign(backend, f"sale-{number}")
    backend.tap.before = lambda name: backend.clock.advance(SLICE_MS) if name == "rewards.owing" else None
    sweep = backend.reward_sweeper()
    backend.clock.now = CLAIM_UNTIL

    looked = []
    for _ in range(3):
        began = backend.clock()
        sweep()
        looked.append(backend.tap.count("rewards.owing"))
        assert backend.clock() - began <= RUN_MS + SLICE_MS

    at_once = RUN_MS // SLICE_MS
    assert looked == [at_once, 2 * at_once, 10]
