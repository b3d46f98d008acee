"""How many calls an entry costs: a read and a write if it loses, two writes more if it wins."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest

from brandday.domain.lottery import MAX_ENTRIES
from tests.fakes.lottery_backend import Desk, LotteryBackend, lottery, prize

ENTERED = ["entrants.load", "entrants.save"]


def _calls(backend: LotteryBackend, desk: Desk, shopper: str, key: str = "key-1") -> tuple[str, list[str]]:
    before = len(backend.tap.calls)
    outcome = desk.enter(shopper, key).entry.outcome
    return str(outcome), backend.tap.calls[before:]


def test_an_entry_that_loses_is_one_read_and_one_write() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=Fraction(0))))
    desk = backend.warm_desk()

    for number in range(100):
        assert _calls(backend, desk, f"shopper-{number}") == ("lost", ENTERED)


def test_so_is_the_fortieth_of_a_shopper() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=Fraction(0))))
    desk = backend.warm_desk()

    for number in range(MAX_ENTRIES):
        assert _calls(backend, desk, "ann", f"key-{number}") == ("lost", ENTERED)


def test_a_cold_environment_asks_for_config_and_seed_once() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=Fraction(0))))
    desk = backend.desk()

    assert _calls(backend, desk, "ann") == ("lost", ["campaigns.load", "campaigns.seed", *ENTERED])
    backend.clock.advance(1000)
    assert _calls(backend, desk, "bob") == ("lost", ["campaigns.load", *ENTERED])


def test_an_entry_that_wins_is_two_writes_more() -> None:
    backend = LotteryBackend(lottery(prize("mug", 900)))
    desk = backend.warm_desk()

    for number in range(100):
        assert _calls(backend, desk, f"shopper-{number}") == ("won", [*ENTERED, "stock.write", "entrants.save"])


def test_a_repetition_is_one_read() -> None:
    backend = LotteryBackend()
    desk = backend.warm_desk()
    desk.enter("ann")

    assert _calls(backend, desk, "ann") == ("won", ["entrants.load"])


def test_the_stream_of_a_win_that_was_recorded_costs_its_reward_and_nothing_else() -> None:
    backend = LotteryBackend()
    backend.warm_desk().enter("ann")
    backend.tap.calls.clear()

    backend.issue_wins()

    assert backend.tap.calls == ["campaigns.load", "rewards.create"]


def test_the_stream_of_an_entry_that_lost_costs_nothing() -> None:
    backend = LotteryBackend(lottery(prize("car", odds=Fraction(0))))
    backend.warm_desk().enter("ann")
    backend.tap.calls.clear()

    backend.issue_wins()

    assert backend.tap.calls == []


@pytest.mark.parametrize("desks", [1, 8])
def test_where_everything_is_won_an_entry_is_one_write_again_and_each_environment_looks_once(desks: int) -> None:
    backend = LotteryBackend(lottery(prize("mug", 60)))
    environments = [backend.warm_desk() for _ in range(desks)]
    looked = 0
    said: Counter[str] = Counter()
    for number in range(200):
        backend.clock.advance(3)
        outcome, calls = _calls(backend, environments[number % desks], f"shopper-{number}")
        said[outcome] += 1
        assert sum(call.endswith((".write", ".save")) for call in calls) <= 5
        if outcome == "lost" and calls != ENTERED:
            looked += 1

    assert said == {"won": 60, "lost": 140}
    assert looked <= desks
    backend.check_entries()
