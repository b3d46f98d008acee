"""The process is stopped between every two steps on the way from a sale to the queue of deliveries, and back.

As in `test_crash`: each scenario is run once for every point before and after every call that leaves the process;
then what always follows happens (the streams tell again, the shopper tries again, the sweeper comes round), and the
rewards, the messages and the units are counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from brandday.domain.fulfilment import RewardKind
from brandday.domain.protocols import take_back
from brandday.domain.reservation_id import parse_reservation_id, reservation_id
from brandday.domain.reward import Reward, RewardStatus, forfeit, units_returned
from brandday.domain.reward_id import reward_id
from brandday.domain.reward_rules import newly_confirmed, reward_of
from brandday.domain.shard import RecordChange, ShardWrite
from brandday.domain.stock import ClaimRef
from brandday.usecases.drive import drive
from brandday.usecases.reward_ports import Dispatch
from brandday.usecases.sweep_rewards import KEEP_ADDRESS_MS, SILENT_MS
from tests.fakes.backend import OPENS, SALE
from tests.fakes.reward_backend import CLAIM_UNTIL, FULFILMENT, RewardBackend, prizes
from tests.fakes.tap import Killed, every_kill, killed_at, tapped

HOME = {"name": "Ann", "lines": ["1 High Street"]}
WINNERS = ("ann", "bob", "cyn")


@dataclass(frozen=True)
class Scenario:
    """`prepare` sets the scene, `act` is what is stopped and then done again, `promise` is what must be then.

    `fewest` is how many points there are at least: a scenario that skips its steps proves nothing.
    """

    prepare: Callable[[], RewardBackend]
    act: Callable[[RewardBackend], None]
    promise: Callable[[RewardBackend], None]
    fewest: int
    again: Callable[[RewardBackend], None] | None = None


def _stop_everywhere(scenario: Scenario) -> int:
    def run(point: int) -> bool:
        backend = scenario.prepare()
        stopped = _stopped(backend, point, scenario.act)
        backend.check()
        (scenario.again or scenario.act)(backend)
        scenario.promise(backend)
        _let_the_dust_settle(backend)
        scenario.promise(backend)
        return stopped

    return every_kill(run)


def _stopped(backend: RewardBackend, point: int, act: Callable[[RewardBackend], None]) -> bool:
    try:
        with killed_at(backend.tap, point):
            act(backend)
    except Killed:
        return True
    return False


def _let_the_dust_settle(backend: RewardBackend) -> None:
    """Both streams tell all of it once more, the sweeper comes round twice: nothing may come of that."""
    backend.issuer()(backend.stock.stream)
    backend.issue()
    backend.dispatch()
    for _ in range(2):
        backend.reward_sweeper()()
    backend.dispatch()
    backend.check()


# --- the scenes -----------------------------------------------------------------------------------------------


def _sold(kind: RewardKind = RewardKind.PHYSICAL) -> RewardBackend:
    backend = RewardBackend(prizes(kind, stock=6, shards=3))
    for winner in WINNERS:
        backend.win(winner)
    return backend


def _issued(kind: RewardKind = RewardKind.PHYSICAL) -> RewardBackend:
    backend = _sold(kind)
    backend.issue()
    return backend


def _unclaimed() -> RewardBackend:
    backend = _issued()
    backend.clock.now = CLAIM_UNTIL
    return backend


def _silent() -> RewardBackend:
    backend = _issued(RewardKind.DIGITAL)
    backend.dispatch()
    backend.fulfilments.messages.clear()
    backend.clock.now = OPENS + SILENT_MS
    return backend


def _overdue() -> RewardBackend:
    backend = _silent()
    backend.clock.now = OPENS + FULFILMENT.time_limit_ms
    return backend


def _failed_long_ago() -> RewardBackend:
    backend = _issued()
    for failed in list(backend.rewards.rewards):
        backend.alter(failed, status=RewardStatus.FAILED, address=b"sealed", claim_until=None)
    backend.clock.now = OPENS + KEEP_ADDRESS_MS
    return backend


def _lost_by_the_stream() -> RewardBackend:
    backend = _sold()
    backend.stock.stream.clear()
    return backend


# --- what is done ---


def _sweep(backend: RewardBackend) -> None:
    backend.reward_sweeper()()


def _issue_and_dispatch(backend: RewardBackend) -> None:
    backend.issue()
    backend.dispatch()


def _rebuild(backend: RewardBackend) -> None:
    backend.rebuilder()(SALE, range(3))


def _ann(backend: RewardBackend) -> str:
    name = backend.layout.name_of("ann")
    return next(each for each in backend.rewards.rewards if name in each)


def _give_address(backend: RewardBackend) -> None:
    backend.manager().give_address("ann", _ann(backend), HOME)
    backend.dispatch()


def _try_again_later(backend: RewardBackend) -> None:
    """What was written goes its way before the shopper has tried again."""
    backend.dispatch()
    backend.clock.advance(60_000)
    _give_address(backend)


# --- what must be then ---


def _one_reward_each(backend: RewardBackend) -> None:
    sales = {reservation_id(SALE, who, claim) for who, claim in backend.sales()}
    assert len(sales) == len(WINNERS)
    assert sorted(reward.source for reward in backend.rewards.rewards.values()) == sorted(sales)


def _one_dispatch_each(backend: RewardBackend, sent: int = 1) -> None:
    """Messages may come twice; what they say may not."""
    _one_reward_each(backend)
    assert set(backend.fulfilments.messages) == {Dispatch(each, 1, sent) for each in backend.rewards.rewards}


def _sent_again_once(backend: RewardBackend) -> None:
    assert {reward.sent for reward in backend.rewards.rewards.values()} == {2}
    backend.dispatch()
    _one_dispatch_each(backend, sent=2)


def _all_back_once(backend: RewardBackend) -> None:
    """`check` has counted: not one unit too many."""
    backend.check()
    assert backend.counts() == (6, 0, 0)
    assert {(reward.status, reward.units_returned) for reward in backend.rewards.rewards.values()} == {
        (RewardStatus.FORFEITED, True)
    }


def _all_given_up(backend: RewardBackend) -> None:
    _one_reward_each(backend)
    assert {reward.status for reward in backend.rewards.rewards.values()} == {RewardStatus.FAILED}
    assert backend.counts() == (3, 0, 3), "what has failed is still the winner's"
    backend.dispatch()
    _one_dispatch_each(backend, sent=2)


def _all_forgotten(backend: RewardBackend) -> None:
    assert {reward.address for reward in backend.rewards.rewards.values()} == {None}


def _on_its_way_once(backend: RewardBackend) -> None:
    reward = backend.reward(_ann(backend))
    assert (reward.status, reward.cycle, reward.sent) == (RewardStatus.PENDING, 1, 1)
    assert reward.address is not None
    assert json.loads(backend.cipher.decrypt(reward.id, reward.address)) == HOME
    assert set(backend.fulfilments.messages) == {Dispatch(reward.id, 1, 1)}


SCENARIOS = {
    "issue": Scenario(_sold, RewardBackend.issue, _one_reward_each, fewest=8),
    "rebuild": Scenario(_lost_by_the_stream, _rebuild, _one_reward_each, fewest=10),
    "dispatch": Scenario(lambda: _issued(RewardKind.DIGITAL), RewardBackend.dispatch, _one_dispatch_each, fewest=2),
    "issue_and_dispatch": Scenario(
        lambda: _sold(RewardKind.DIGITAL), _issue_and_dispatch, _one_dispatch_each, fewest=10
    ),
    "sweep_unclaimed_prizes": Scenario(_unclaimed, _sweep, _all_back_once, fewest=40),
    "sweep_silent_ones": Scenario(_silent, _sweep, _sent_again_once, fewest=20),
    "sweep_overdue_ones": Scenario(_overdue, _sweep, _all_given_up, fewest=20),
    "sweep_addresses": Scenario(_failed_long_ago, _sweep, _all_forgotten, fewest=20),
    "give_address": Scenario(_issued, _give_address, _on_its_way_once, fewest=8),
    "give_address_and_the_answer_is_lost": Scenario(
        _issued, _give_address, _on_its_way_once, fewest=8, again=_try_again_later
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_stopped_between_any_two_steps_nothing_is_lost_and_nothing_is_doubled(scenario: Scenario) -> None:
    assert _stop_everywhere(scenario) >= scenario.fewest


def test_a_sweeper_that_is_stopped_twice_in_a_row_gives_every_unit_back_once() -> None:
    """The second run is stopped too, at every point, after the first was stopped at every point."""

    def first(point: int) -> bool:
        stopped = False

        def second(inner: int) -> bool:
            nonlocal stopped
            backend = _unclaimed()
            stopped = _stopped(backend, point, _sweep)
            again = _stopped(backend, inner, _sweep)
            backend.check()
            _sweep(backend)
            _all_back_once(backend)
            return again

        every_kill(second)
        return stopped

    assert every_kill(first) >= 40


@pytest.mark.parametrize(
    ("prepare", "promise"),
    [(_unclaimed, _all_back_once), (_silent, _sent_again_once), (_overdue, _all_given_up)],
    ids=["unclaimed", "silent", "overdue"],
)
def test_a_second_sweeper_between_any_two_steps_of_the_first_does_no_harm(
    prepare: Callable[[], RewardBackend], promise: Callable[[RewardBackend], None]
) -> None:
    def run(point: int) -> bool:
        backend = prepare()
        came = _with_another_in_between(backend, point, _sweep, _sweep)
        promise(backend)
        _let_the_dust_settle(backend)
        promise(backend)
        return came

    assert every_kill(run) >= 20


def test_an_address_that_comes_while_the_sweeper_is_at_work_is_taken_or_refused_but_not_both() -> None:
    """The shopper's request began a moment before the deadline; who saves first decides."""
    kept = []

    def run(point: int) -> bool:
        backend = _issued()
        backend.clock.now = CLAIM_UNTIL - 1

        def sweep_at_the_deadline(world: RewardBackend) -> None:
            world.clock.now = CLAIM_UNTIL
            _sweep(world)

        try:
            came = _with_another_in_between(backend, point, _give_address, sweep_at_the_deadline)
        except Exception:  # the refusal is what this is about
            came = True
        backend.clock.now = CLAIM_UNTIL
        _sweep(backend)
        backend.dispatch()
        backend.check()
        mine = backend.reward(_ann(backend))
        assert (mine.status is RewardStatus.FORFEITED) is mine.units_returned is (not backend.fulfilments.messages)
        assert backend.owned("ann") == (0 if mine.units_returned else 1)
        kept.append(not mine.units_returned)
        return came

    assert every_kill(run) >= 8
    assert set(kept) == {True, False}, "both happened"


def _with_another_in_between(
    backend: RewardBackend,
    point: int,
    act: Callable[[RewardBackend], None],
    other: Callable[[RewardBackend], None],
) -> bool:
    """Do `act`, and at a point of it (counted as `killed_at` does) all of `other`; return whether it came to that."""
    seen, came = 0, False

    def step(_: str) -> None:
        nonlocal seen, came
        if came:
            return
        if seen == point:
            came = True
            other(backend)
        seen += 1

    backend.tap.before = backend.tap.after = step
    try:
        act(backend)
    finally:
        backend.tap.before = backend.tap.after = lambda _: None
    return came


# --- negative controls: what is easily got wrong, goes well when nobody stops it, and is seen here when somebody does -


def _goes_wrong_when_stopped(scenario: Scenario) -> None:
    backend = scenario.prepare()
    scenario.act(backend)
    scenario.promise(backend)
    backend.check()

    with pytest.raises(AssertionError):
        _stop_everywhere(scenario)


def test_a_stream_that_is_not_told_again_would_lose_rewards() -> None:
    def give_up(backend: RewardBackend) -> None:
        backend.stock.stream.clear()

    _goes_wrong_when_stopped(replace(SCENARIOS["issue"], again=give_up))


def test_a_reward_under_an_id_of_its_own_would_be_made_twice() -> None:
    def naive(backend: RewardBackend) -> None:
        rewards = tapped(backend.rewards, "rewards", backend.tap)
        for change in backend.stock.stream:
            for who, claim in newly_confirmed(change.before, change.after):
                made = reward_of(backend.campaign, backend.layout, who, claim, backend.clock())
                serial = claim.entry.attempt + len(backend.rewards.rewards) + 1
                rewards.create(replace(made, id=reward_id(who, serial, SALE)))
        backend.stock.stream.clear()

    _goes_wrong_when_stopped(replace(SCENARIOS["issue"], act=naive))


def _naive_sweep(give_back: Callable[[RewardBackend, Reward], None]) -> Callable[[RewardBackend], None]:
    def sweep(backend: RewardBackend) -> None:
        rewards = tapped(backend.rewards, "rewards", backend.tap)
        for before in list(backend.rewards.rewards.values()):
            after = forfeit(before, backend.clock())
            if after is not None:
                rewards.save(before, after)
            if backend.reward(before.id).owes_units:
                give_back(backend, backend.reward(before.id))

    return sweep


def _mark(backend: RewardBackend, before: Reward) -> None:
    after = units_returned(before)
    assert after is not None
    tapped(backend.rewards, "rewards", backend.tap).save(before, after)


def _source(reward: Reward) -> ClaimRef:
    source = parse_reservation_id(reward.source)
    assert source is not None
    return source[1]


def test_units_marked_as_returned_before_they_are_would_be_lost() -> None:
    def mark_first(backend: RewardBackend, reward: Reward) -> None:
        _mark(backend, reward)
        stock = tapped(backend.stock, "stock", backend.tap)
        drive(take_back(_source(reward), backend.terms, backend.clock()), stock, SALE)

    _goes_wrong_when_stopped(replace(SCENARIOS["sweep_unclaimed_prizes"], act=_naive_sweep(mark_first)))


def test_units_of_a_claim_that_does_not_say_that_they_are_back_would_be_given_back_twice() -> None:
    def forget_the_claim(backend: RewardBackend, reward: Reward) -> None:
        shard, name, _ = _source(reward)
        gone = RecordChange(name, backend.stock.shard(shard).records.get(name), None)
        tapped(backend.stock, "stock", backend.tap).write(SALE, ShardWrite(shard, (gone,), {"0": 1}, {"0": 2}))
        _mark(backend, reward)

    _goes_wrong_when_stopped(replace(SCENARIOS["sweep_unclaimed_prizes"], act=_naive_sweep(forget_the_claim)))


def test_a_message_that_is_sent_instead_of_streamed_would_be_lost() -> None:
    def naive(backend: RewardBackend) -> None:
        was_waiting = backend.reward(_ann(backend)).status is RewardStatus.AWAITING_ADDRESS
        backend.manager().give_address("ann", _ann(backend), HOME)
        backend.rewards.changes.clear()  # there is no stream
        if was_waiting:
            tapped(backend.fulfilments, "fulfilments", backend.tap).send([Dispatch(_ann(backend), 1, 1)])

    _goes_wrong_when_stopped(replace(SCENARIOS["give_address"], act=naive))
