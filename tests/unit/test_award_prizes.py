"""Prizes of a draw: each to one winner, those that come back to the next reserve, in the order that was drawn."""

import pytest

from brandday.domain.entrant import Entrant, Fate
from brandday.domain.fulfilment import HOUR_MS
from brandday.domain.receipt_check import verify
from brandday.domain.reward import RewardStatus
from brandday.usecases import award_prizes, run_draws
from tests.fakes.draw_world import DrawWorld, drawn_campaign


def _drawn(*stocks: int, reserves: int = 4, entrants: int = 12) -> DrawWorld:
    world = DrawWorld(drawn_campaign(*stocks, reserves=reserves), entrants=entrants)
    world.seal()
    assert world.draw() == 0
    return world


def _later(world: DrawWorld) -> None:
    """The function looks again, until nothing is left to do, and wins become rewards."""
    world.clock.advance(run_draws.LOOK_AGAIN_MS)
    assert world.runner()() == 0
    world.issue()


def test_every_winner_has_one_unit_of_their_prize_and_a_reward() -> None:
    world = _drawn(1, 5)
    world.check_done()
    assert sorted(world.holders().values()) == ["0", "1", "1", "1", "1", "1"]
    assert sorted(reward.sku for reward in world.rewards.rewards.values()) == ["P0", "P1", "P1", "P1", "P1", "P1"]
    assert {reward.status for reward in world.rewards.rewards.values()} == {RewardStatus.AWAITING_ADDRESS}
    winners = {place.entrant for place in world.places() if place.slot is not None}
    assert {reward.source.split(".")[1] for reward in world.rewards.rewards.values()} == winners


def test_a_win_says_which_ticket_it_was_and_where_its_unit_is() -> None:
    world = _drawn()
    place = world.places()[0]
    record = world.entrants.records[world.id, place.entrant]
    (won,) = [entry.won for entry in record.entries if entry.tries]
    assert won is not None
    assert record.entries[place.ticket - 1].won == won
    assert (won.slot, won.fate) == ("0", Fate.WON)
    assert won.at is not None
    assert won.at >= world.draw_at


def test_prizes_of_many_pages_and_shards_all_find_their_winners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(award_prizes, "AT_ONCE", 10)
    world = _drawn(7, 60, 13, entrants=200)  # the homes of 80 claims are never two equal halves
    world.check_done()
    assert len(world.claimed()) == 80


def test_awards_that_take_longer_than_a_run_go_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(award_prizes, "AT_ONCE", 5)
    world = DrawWorld(drawn_campaign(5, 60), entrants=100)
    world.seal()
    world.clock.now = world.draw_at
    world.tap.before = lambda name: world.clock.advance(1000 if name == "stock.write" else 0)
    runs = 0
    while world.draws.count(world.id, award_prizes.WINNERS) < 65:
        runs += 1
        began = world.clock()
        world.runner()()
        assert world.clock() - began <= run_draws.RUN_MS + 10_000
        world.check()
    assert runs == 2
    world.check_done()


def test_a_forfeited_prize_goes_to_the_first_reserve_who_has_time_to_claim_it() -> None:
    world = _drawn(1, 3)
    winner, reserve = world.places()[0], world.places()[4]
    world.forfeit(winner.entrant)
    _later(world)
    world.check_done()
    assert world.moves() == [(winner.entrant, "P0", reserve.entrant)]
    assert world.holders()[reserve.entrant] == "0"
    assert winner.entrant not in world.holders()
    assert world.reward_of(winner.entrant).units_returned
    reward = world.reward_of(reserve.entrant)
    assert (reward.sku, reward.status) == ("P0", RewardStatus.AWAITING_ADDRESS)
    assert world.campaign.lottery is not None
    assert world.campaign.lottery.draw is not None
    assert reward.claim_until == world.clock() + world.campaign.lottery.draw.reserve_claim_ms
    assert world.campaign.lottery.draw.reserve_claim_ms == 7 * 24 * HOUR_MS
    receipt = world.receipt()
    assert receipt["moved_up"] == [{"forfeited": winner.entrant, "reserve": reserve.entrant, "prize": "P0"}]
    assert verify(receipt) == []


def test_reserves_who_do_not_claim_either_are_followed_by_the_next_until_none_is_left() -> None:
    world = _drawn(1, 3, reserves=2)
    ranked = [place.entrant for place in world.places()]
    holder = ranked[0]
    for reserve in (*ranked[4:6], None):
        world.forfeit(holder)
        _later(world)
        world.check_done()
        assert world.moves()[-1] == (holder, "P0", reserve)
        if reserve is not None:
            holder = reserve
    assert sorted(world.holders().values()) == ["1", "1", "1"]
    receipt = world.receipt()
    assert len(receipt["moved_up"]) == 2
    assert verify(receipt) == []
    # And nothing more comes of it, however often it is looked at.
    _later(world)
    assert len(world.moves()) == 3


def test_several_prizes_that_come_back_each_go_to_another_reserve() -> None:
    world = _drawn(1, 3, reserves=4)
    ranked = [place.entrant for place in world.places()]
    for winner in (ranked[2], ranked[0], ranked[1]):
        world.forfeit(winner)
    _later(world)
    world.check_done()
    assert sorted(move.reserve or "" for move in world.moves()) == sorted(ranked[4:7])
    assert sorted(move.forfeited for move in world.moves()) == sorted(ranked[:3])
    assert verify(world.receipt()) == []


def test_a_prize_that_was_not_forfeited_stays_where_it_is() -> None:
    world = DrawWorld(drawn_campaign(1, 3), entrants=12)
    world.seal()
    world.draw()
    before = world.holders()
    world.clock.advance(365 * 24 * HOUR_MS)
    world.runner()()
    assert world.holders() == before
    assert world.moves() == []


def test_a_winner_without_a_record_is_told_and_nobody_else_gets_the_prize() -> None:
    world = DrawWorld()
    world.seal()
    world.clock.now = world.draw_at
    world.runner()()
    other = DrawWorld()
    other.draws = world.draws
    other.draws.counts.clear()
    del other.entrants.records[other.id, world.places()[0].entrant]
    other.clock.now = world.draw_at
    assert other.runner()() == 1
    assert "no record" in str(other.lines[-1])
    assert "0" not in other.holders().values()


def test_a_shopper_who_enters_while_prizes_are_handed_out_loses_nothing() -> None:
    """The record moves on between the look at it and the win."""
    world = DrawWorld()
    world.seal()
    world.clock.now = world.draw_at
    touched: list[str] = []

    def touch(name: str) -> None:
        if name == "stock.write" and not touched:
            for record in list(world.entrants.records.values()):
                touched.append(record.name)
                assert world.entrants.save(
                    world.frozen, record, Entrant(record.name, record.owner, "moved", record.entries)
                )

    world.tap.after = touch
    assert world.runner()() == 0
    world.check_done()
    assert {record.sub for record in world.entrants.records.values()} == {"moved"}


def test_what_was_awarded_and_came_back_is_left_alone_when_all_is_gone_through_again() -> None:
    world = _drawn(1, 3)
    world.forfeit(world.places()[0].entrant)
    _later(world)
    assert (world.draws.count(world.id, "winners"), world.draws.count(world.id, "moves")) == (4, 1)
    world.draws.counts.clear()
    before = dict(world.entrants.records)
    _later(world)
    assert world.entrants.records == before
    world.check_done()
