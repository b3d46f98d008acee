"""A draw is stopped between every two of its effects, and somebody else does the same in between every two of them.

Whatever happens: one list, one ranking, one prize per winner, one reserve per prize that came back. The same histories
over a store that puts without a look at what is there must fail, or they prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from brandday.domain.beacon import round_at
from brandday.domain.draw import SEAL_AFTER_MS
from brandday.domain.receipt_check import verify
from brandday.domain.reward import RewardStatus
from brandday.usecases import run_draws
from brandday.usecases.draw_ports import DrawDisagrees
from tests.fakes.draw_world import DrawWorld, drawn_campaign, round_time
from tests.fakes.tap import Killed, Tap, every_kill, killed_at

AT_MOST = 2000


@dataclass(frozen=True)
class Scene:
    """`prepare` makes a world in which the function has something to do; `fewest` is in how many points at least."""

    prepare: Callable[[], DrawWorld]
    fewest: int


def _to_be_sealed(*, beacon: bool = False, careless: bool = False) -> DrawWorld:
    world = DrawWorld(drawn_campaign(1, 2, reserves=3, beacon=beacon), entrants=8, careless=careless)
    world.clock.now = world.campaign.ends_at + SEAL_AFTER_MS
    return world


def _to_be_drawn(*, beacon: bool = False, careless: bool = False) -> DrawWorld:
    world = _to_be_sealed(beacon=beacon, careless=careless)
    world.seal()
    world.beacon.newest = round_at(world.draw_at).round
    world.clock.now = round_time(world.campaign)
    return world


def _to_be_all_at_once() -> DrawWorld:
    world = _to_be_sealed()
    world.clock.now = world.draw_at
    return world


def _to_move_up(*, careless: bool = False) -> DrawWorld:
    world = _to_be_drawn(careless=careless)
    world.draw()
    for place in world.places()[:2]:
        world.forfeit(place.entrant)
    world.clock.advance(run_draws.LOOK_AGAIN_MS)
    return world


SCENES = {
    "seal": Scene(_to_be_sealed, 260),
    "draw with a beacon, and award": Scene(lambda: _to_be_drawn(beacon=True), 60),
    "seal, draw, award": Scene(_to_be_all_at_once, 300),
    "move up": Scene(_to_move_up, 50),
}


@pytest.mark.parametrize("name", SCENES)
def test_stopped_anywhere_and_done_again_it_comes_to_the_same(name: str) -> None:
    scene = SCENES[name]
    undisturbed = _outcome(_finished(scene.prepare()))

    def run(point: int) -> bool:
        world = scene.prepare()
        stopped = False
        try:
            with killed_at(world.tap, point):
                world.runner()()
        except Killed:
            stopped = True
        world.check()
        before = world.stored()
        finished = _outcome(_finished(world))
        assert finished == undisturbed
        assert all(text in (None, world.stored()[part]) for part, text in before.items())
        return stopped

    kills = every_kill(run, at_most=AT_MOST)
    assert kills >= scene.fewest, f"{name}: only {kills} points"


@pytest.mark.parametrize("name", SCENES)
def test_another_process_that_does_the_same_at_any_moment_changes_nothing(name: str) -> None:
    scene = SCENES[name]
    undisturbed = _outcome(_finished(scene.prepare()))

    def run(point: int) -> bool:
        world = scene.prepare()
        met = _with_another_at(world, point)
        assert _outcome(_finished(world)) == undisturbed
        return met

    points = every_kill(run, at_most=AT_MOST)
    assert points >= scene.fewest, f"{name}: only {points} points"


def test_a_late_writer_never_replaces_the_seal_or_the_result() -> None:
    _late_writer_everywhere(careless=False)


def test_control_without_put_if_absent_the_late_writer_replaces_them() -> None:
    with pytest.raises(AssertionError, match="was replaced"):
        _late_writer_everywhere(careless=True)


def test_two_processes_that_see_different_forfeits_first_agree_on_one_order() -> None:
    _different_orders_everywhere(careless=False)


def test_control_without_put_if_absent_a_prize_is_lost_or_given_twice() -> None:
    with pytest.raises(AssertionError):
        _different_orders_everywhere(careless=True)


# --- what happens ---


def _late_writer_everywhere(*, careless: bool) -> None:
    """One process has begun; another does all of it; somebody comes in against all rules; then the first goes on."""

    def run(point: int) -> bool:
        world = _to_be_sealed(careless=careless)
        world.clock.now = world.draw_at
        before: dict[str, Any] = {}

        def all_of_it_and_one_more() -> None:
            world.runner(Tap())()
            before.update(world.stored())
            world.enter("a late one", 3)

        met = _at(world, point, all_of_it_and_one_more)
        world.check()
        if met:
            assert world.stored() == before, "what was published was replaced"
            assert verify(world.receipt()) == []
        return met

    every_kill(run, at_most=AT_MOST)


def _different_orders_everywhere(*, careless: bool) -> None:
    """The other process finds the forfeited rewards in the opposite order."""

    def run(point: int) -> bool:
        world = _to_move_up(careless=careless)

        def backwards() -> None:
            listed = world.rewards.in_status(world.id, RewardStatus.FORFEITED, limit=9).rewards
            assert len(listed) == 2
            for later, reward in enumerate(reversed(listed)):
                known = world.rewards.rewards[reward.id]
                world.rewards.rewards[reward.id] = replace(known, status_at=known.status_at + later)
            world.runner(Tap())()

        met = _at(world, point, backwards)
        _finished(world)
        assert sorted(move.forfeited for move in world.moves()) == sorted(p.entrant for p in world.places()[:2])
        world.check_done()
        assert verify(world.receipt()) == []
        return met

    every_kill(run, at_most=AT_MOST)


def _with_another_at(world: DrawWorld, point: int) -> bool:
    return _at(world, point, world.runner(Tap()))


def _at(world: DrawWorld, point: int, act: Callable[[], Any]) -> bool:
    """Run the function, and do something else at a point (as in `killed_at`); return whether it came to that."""
    seen = 0

    def step(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == point + 1:
            act()

    world.tap.before = world.tap.after = step
    try:
        world.runner()()
    except DrawDisagrees as problem:  # the function itself tells and goes on
        raise AssertionError("a run was not to raise") from problem
    finally:
        world.tap.before = world.tap.after = lambda _: None
    return seen > point


def _finished(world: DrawWorld) -> DrawWorld:
    """The next minutes: the function runs again, in environments that remember nothing, and wins become rewards."""
    for _ in range(3):
        world.clock.advance(60_000)
        assert world.runner()() == 0, world.lines[-1]
        world.issue()
    if world.result() is not None:
        world.check_done()
        assert verify(world.receipt()) == []
    world.check()
    return world


def _outcome(world: DrawWorld) -> Any:
    """What must be the same in every history: the list, the ranking, who holds what, whose rewards there are."""
    sealed, result = world.sealed(), world.result()
    return (
        sealed and (sealed.root, sealed.entrants, sealed.entries),
        result and (result.hash, result.root, result.randomness),
        world.holders(),
        world.moves(),
        sorted((reward.source, reward.sku, reward.status) for reward in world.rewards.rewards.values()),
    )
