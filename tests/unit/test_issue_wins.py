"""Wins become rewards, once, and the consumer of the entries' stream settles what was left."""

from __future__ import annotations

from fractions import Fraction

import pytest

from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import RewardStatus
from brandday.domain.win_rules import reward_of_win
from brandday.usecases.issue_wins import IssueWins, RebuildWins
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_lotteries import LiveLotteries
from brandday.usecases.lottery_ports import EntrantChanged
from brandday.usecases.settle_entries import Records, SettleEntries
from tests.fakes.backend import OPENS, SALE
from tests.fakes.draw_world import DrawWorld, drawn_campaign
from tests.fakes.lottery_backend import LotteryBackend, draw, lottery, prize
from tests.fakes.reward_backend import CLAIM_UNTIL
from tests.fakes.tap import failing


def test_a_win_becomes_one_reward_however_often_it_is_told() -> None:
    backend = LotteryBackend()
    won = backend.desk().enter("ann").entry
    told = list(backend.entrants.stream)

    backend.issue_wins()
    backend.wins_issuer()(told)
    backend.wins_issuer()(told[::-1])

    (reward,) = backend.rewards.rewards.values()
    assert reward.id == won.reward_id
    assert (reward.source, reward.sku, reward.shopper_id) == (won.id, "mug", "ann")
    assert reward.owner == backend.layout.name_of("ann")
    assert (reward.status, reward.claim_until) == (RewardStatus.AWAITING_ADDRESS, CLAIM_UNTIL)


def test_two_wins_of_one_shopper_in_one_millisecond_are_two_rewards() -> None:
    backend = LotteryBackend(lottery(prize("mug", 9, kind=RewardKind.DIGITAL)))
    desk = backend.desk()
    ids = {desk.enter("ann", str(number)).entry.reward_id for number in range(3)}

    backend.issue_wins()

    assert backend.clock() == OPENS
    assert set(backend.rewards.rewards) == ids
    assert len(ids) == 3


def test_a_lottery_has_no_rewards_from_the_stream_of_stock() -> None:
    backend = LotteryBackend()
    backend.desk().enter("ann")

    backend.issue()

    assert backend.rewards.rewards == {}


def test_who_misses_gets_nothing() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=Fraction(0))))
    backend.desk().enter("ann")
    backend.issue_wins()
    assert backend.rewards.rewards == {}


def test_a_pending_entry_is_settled_by_the_stream_and_its_reward_follows() -> None:
    backend = LotteryBackend()
    with failing(backend.tap, "stock.write", TemporarilyOverloaded()):
        backend.desk().refused("ann")

    backend.issue_wins()

    assert len(backend.rewards.rewards) == 1
    backend.check_entries()


def test_one_that_cannot_be_settled_does_not_keep_the_others_waiting() -> None:
    backend = LotteryBackend(lottery(prize("mug", 2)))
    for shopper in ("ann", "bob"):
        with failing(backend.tap, "stock.write", TemporarilyOverloaded()):
            backend.desk().refused(shopper)
    told = list(backend.entrants.stream)

    with failing(backend.tap, "stock.write", TemporarilyOverloaded()), pytest.raises(TemporarilyOverloaded):
        backend.wins_issuer()(told)

    assert sum(record.entries[0].won is not None for record in backend.records()) == 1
    backend.issue_wins()
    backend.check_entries()
    assert len(backend.rewards.rewards) == 2


def test_records_of_an_unknown_campaign_are_passed_over() -> None:
    backend = LotteryBackend()
    backend.desk().enter("ann")
    backend.wins_issuer()([EntrantChanged("nobody-knows", None, backend.record("ann"))])
    assert backend.rewards.rewards == {}


def test_what_the_stream_has_lost_is_made_good_from_the_records() -> None:
    backend = LotteryBackend(lottery(prize("mug", 2)))
    backend.desk().enter("ann")
    with failing(backend.tap, "stock.write", TemporarilyOverloaded()):
        backend.desk().refused("bob")
    backend.entrants.stream.clear()
    buckets = [record.name[:1] for record in backend.records()]

    assert backend.wins_rebuilder()(SALE, sorted(set(buckets))) == 2
    assert backend.wins_rebuilder()(SALE, sorted(set(buckets))) == 0
    backend.check_entries()


def test_tickets_win_nothing_before_the_draw() -> None:
    backend = LotteryBackend(draw())
    backend.desk().enter("ann")
    backend.issue_wins()
    assert backend.wins_rebuilder()(SALE, [backend.name("ann")[:1]]) == 0
    assert backend.rewards.rewards == {}


def test_what_the_stream_has_lost_of_a_draw_is_made_good_as_well() -> None:
    world = DrawWorld(drawn_campaign(2, 1))
    world.seal()
    world.draw()
    told = dict(world.rewards.rewards)
    world.rewards.rewards.clear()
    live = LiveCampaigns(world.campaigns, world.clock)
    settle = SettleEntries(LiveLotteries(live, world.campaigns), Records(world.entrants, world.stock), world.clock)
    rebuild = RebuildWins(live, IssueWins(live, settle, world.rewards, world.clock), world.entrants)

    assert rebuild(world.id, bucket_names_of(world)) == 3
    assert rebuild(world.id, bucket_names_of(world)) == 0
    assert world.rewards.rewards.keys() == told.keys()


def bucket_names_of(world: DrawWorld) -> list[str]:
    return sorted({place.entrant[:1] for place in world.places()})


def test_there_is_no_reward_of_an_entry_that_lost() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=Fraction(0))))
    backend.desk().enter("ann")
    with pytest.raises(ValueError, match="won nothing"):
        reward_of_win(backend.campaign, backend.record("ann"), 1, OPENS)
