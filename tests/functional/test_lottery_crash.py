"""The process is stopped between every two steps of an entry, its prize, its reward and the prize's return.

As in `test_crash`: each scenario is run once for every point before and after every call that leaves the process; then
somebody goes on (the shopper with the same request or another one, the stream's consumer, the sweeper), and units,
records, rewards and the receipt are held against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import pytest

from brandday.domain.entrant import Fate
from brandday.domain.errors import BrandDayError
from brandday.domain.lottery import Moments
from brandday.domain.reward import RewardStatus
from tests.fakes.backend import CLOSES
from tests.fakes.lottery_backend import LotteryBackend, lottery, prize
from tests.fakes.reward_backend import CLAIM_UNTIL
from tests.fakes.tap import Killed, every_kill, killed_at


@dataclass(frozen=True)
class Scenario:
    """`prepare` sets the scene, `act` is what is stopped, `promise` is what must be once somebody has gone on.

    `fewest` is how many points there are at least: a scenario that skips its steps proves nothing.
    """

    prepare: Callable[[], LotteryBackend]
    act: Callable[[LotteryBackend], None]
    promise: Callable[[LotteryBackend], None]
    fewest: int


def _settle(backend: LotteryBackend) -> None:
    """The streams tell all of it twice, the sweeper comes round twice."""
    for _ in range(2):
        told = list(backend.entrants.stream)
        backend.issue_wins()
        backend.wins_issuer()(told)
        backend.issuer()(backend.stock.stream)
        backend.reward_sweeper()()


def _stop_everywhere(scenario: Scenario, go_on: Callable[[LotteryBackend], None]) -> int:
    def run(point: int) -> bool:
        backend = scenario.prepare()
        stopped = False
        try:
            with killed_at(backend.tap, point):
                scenario.act(backend)
        except Killed:
            stopped = True
        backend.check_entries(settled=False)
        go_on(backend)
        _settle(backend)
        backend.check_entries()
        scenario.promise(backend)
        assert backend.problems() == []
        wins = {
            (record.owner, entry.at)
            for record in backend.records()
            for entry in record.entries
            if entry.won is not None
        }
        assert len(backend.rewards.rewards) == len(wins), "each win has one reward"
        return stopped

    return every_kill(run)


# --- the scenes ---


def _one_mug() -> LotteryBackend:
    return LotteryBackend(lottery(prize("mug"), prize("sticker", 5, None), consolation="sticker", shards=2))


def _far_mug() -> LotteryBackend:
    """The unit is in another shard than the entry's home."""
    return LotteryBackend(lottery(prize("mug"), shards=7))


def _no_mug() -> LotteryBackend:
    backend = _one_mug()
    backend.desk().enter("bob")
    return backend


def _nothing_at_all() -> LotteryBackend:
    backend = LotteryBackend(lottery(prize("mug"), prize("car", odds=Fraction(0)), shards=3))
    backend.desk().enter("bob")
    return backend


def _day_is_full() -> LotteryBackend:
    backend = LotteryBackend(lottery(prize("mug", 4, per_day=1), shards=2))
    backend.desk().enter("bob")
    return backend


def _moment() -> LotteryBackend:
    return LotteryBackend(lottery(prize("watch", 2, None, release=Moments()), shards=2), now=CLOSES - 10)


def _unclaimed() -> LotteryBackend:
    backend = _one_mug()
    backend.desk().enter("ann")
    backend.issue_wins()
    backend.clock.now = CLAIM_UNTIL
    return backend


# --- what is done, and who goes on ---


def _enter(backend: LotteryBackend) -> None:
    backend.desk().enter("ann")


def _enter_and_issue(backend: LotteryBackend) -> None:
    backend.desk().enter("ann")
    backend.issue_wins()


def _issue(backend: LotteryBackend) -> None:
    backend.issue_wins()


def _sweep(backend: LotteryBackend) -> None:
    backend.reward_sweeper()()


def _the_same_request(backend: LotteryBackend) -> None:
    backend.desk().enter("ann")


def _another_request(backend: LotteryBackend) -> None:
    backend.desk().enter("ann", "another")


def _somebody_else(backend: LotteryBackend) -> None:
    backend.desk().enter("cyn")


def _nobody(backend: LotteryBackend) -> None:
    pass


# --- what must be then ---


def _ann_has(*prizes: str) -> Callable[[LotteryBackend], None]:
    def check(backend: LotteryBackend) -> None:
        backend.desk().enter("ann")
        first = backend.record("ann").entries[0]
        won = None if first.won is None else backend.layout.skus[first.won.slot]
        assert won in (prizes or (None,))
        _settle(backend)

    return check


def _lost_to(fate: Fate) -> Callable[[LotteryBackend], None]:
    def check(backend: LotteryBackend) -> None:
        backend.desk().enter("ann")
        assert [link.fate for link in backend.record("ann").entries[0].tries] == [fate]

    return check


ENTRIES = {
    "wins": Scenario(_one_mug, _enter, _ann_has("mug", "sticker"), 8),
    "wins_elsewhere": Scenario(_far_mug, _enter, _ann_has("mug"), 12),
    "gets_the_consolation": Scenario(_no_mug, _enter, _ann_has("sticker"), 14),
    "wins_nothing": Scenario(_nothing_at_all, _enter, _lost_to(Fate.GONE), 12),
    "day_is_full": Scenario(_day_is_full, _enter, _lost_to(Fate.DAY_FULL), 12),
    "meets_a_moment": Scenario(_moment, _enter, _ann_has("watch"), 8),
    "wins_and_is_told": Scenario(_one_mug, _enter_and_issue, _ann_has("mug", "sticker"), 10),
}

WHO = {
    "the_same_request": _the_same_request,
    "another_request": _another_request,
    "the_stream": _nobody,
}


@pytest.mark.parametrize("go_on", WHO.values(), ids=WHO)
@pytest.mark.parametrize("scenario", ENTRIES.values(), ids=ENTRIES)
def test_an_entry_is_finished_by_whoever_comes_by(scenario: Scenario, go_on: Callable[[LotteryBackend], None]) -> None:
    assert _stop_everywhere(scenario, go_on) >= scenario.fewest


def test_a_consumer_that_is_killed_is_followed_by_another() -> None:
    def prepare() -> LotteryBackend:
        backend = _one_mug()
        try:
            with killed_at(backend.tap, 7):  # after the entry, before its unit
                backend.desk().enter("ann")
        except Killed:
            pass
        assert backend.record("ann").entries[0].pending
        return backend

    assert _stop_everywhere(Scenario(prepare, _issue, _ann_has("mug"), 10), _nobody) >= 10


def _mug_is_back(backend: LotteryBackend) -> None:
    entry = backend.record("ann").entries[0]
    assert entry.won is not None
    assert entry.won.fate is Fate.RETURNED
    assert entry.won.returned_at == CLAIM_UNTIL
    assert backend.counts("mug") == (1, 0, 0)
    (reward,) = backend.rewards.rewards.values()
    assert (reward.status, reward.units_returned) == (RewardStatus.FORFEITED, True)


def test_a_prize_that_nobody_claimed_goes_back_once() -> None:
    scenario = Scenario(_unclaimed, _sweep, _mug_is_back, 16)
    assert _stop_everywhere(scenario, _nobody) >= scenario.fewest


def test_whoever_finds_a_pool_empty_while_a_unit_comes_back_is_told_one_thing_for_ever() -> None:
    """Killed after the look and before the record says so; then the unit is there again: it is not this entry's."""

    def run(point: int) -> bool:
        backend = _nothing_at_all()
        backend.issue_wins()
        stopped = False
        try:
            with killed_at(backend.tap, point):
                backend.desk().enter("ann")
        except Killed:
            stopped = True
        backend.clock.now = CLAIM_UNTIL
        backend.reward_sweeper()()
        _settle(backend)
        backend.check_entries()
        first = backend.records()
        _settle(backend)
        assert backend.records() == first
        return stopped

    assert every_kill(run) >= 12


def test_nobody_is_refused_for_good_because_somebody_was_killed() -> None:
    def run(point: int) -> bool:
        backend = _one_mug()
        stopped = False
        try:
            with killed_at(backend.tap, point):
                backend.desk().enter("ann", "first")
        except Killed:
            stopped = True
        try:
            backend.desk().enter("ann", "second")
        except BrandDayError as refusal:
            raise AssertionError("the next entry has to be taken") from refusal
        backend.check_entries()
        return stopped

    assert every_kill(run) >= 8
