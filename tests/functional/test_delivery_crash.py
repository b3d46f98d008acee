"""The worker is stopped between every two steps of a delivery: nothing is lost, nothing is there twice.

A step is a call that leaves the process; each scenario is run once for every point before and after every call, until a
run gets through. Then the message comes again, as SQS has it, to workers that know nothing of the first one.
"""

from collections.abc import Callable

import pytest

from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import RewardStatus
from tests.fakes.delivery_world import HOST, HOUR_MS, DeliveryWorld
from tests.fakes.outside_world import Answer, hangs, says, takes, takes_and_drops
from tests.fakes.tap import Killed, every_kill, killed_at

DAY_MS = 24 * HOUR_MS


def _world(*answers: Answer) -> DeliveryWorld:
    world = DeliveryWorld()
    world.outside.partner(HOST, *answers)
    world.reward(kind=RewardKind.PHYSICAL)
    return world


def _late(*answers: Answer) -> DeliveryWorld:
    world = _world(*answers)
    world.clock.advance(73 * HOUR_MS)
    return world


def _stop_everywhere(prepare: Callable[[], DeliveryWorld], check: Callable[[DeliveryWorld], None], **how: bool) -> int:
    def run(point: int) -> bool:
        world = prepare()
        stopped = False
        try:
            with killed_at(world.tap, point):
                world.poll(world.worker(), **how)
        except Killed:
            stopped = True
        world.run(world.clock() + 80 * HOUR_MS)
        check(world)
        return stopped

    return every_kill(run)


def _arrived_once(world: DeliveryWorld) -> None:
    (reward,) = world.rewards.rewards.values()
    assert set(world.outside.partners[HOST].accepted) == {reward.id}
    assert (reward.status, reward.accepted, reward.address) == (RewardStatus.DISPATCHED, 1, None)
    assert world.dead_letters.letters == []
    assert world.queue.messages == {}


def _is_a_dead_letter(world: DeliveryWorld) -> None:
    (reward,) = world.rewards.rewards.values()
    assert world.outside.partners[HOST].accepted == {}
    assert (reward.status, reward.buried) == (RewardStatus.FAILED, 1)
    assert {dispatch.reward_id for dispatch, _ in world.dead_letters.letters} == {reward.id}
    # Twice only where it was stopped between the dead letter and the note about it.
    assert len(world.dead_letters.letters) <= 2
    assert world.queue.messages == {}


@pytest.mark.parametrize(
    "answers",
    [(takes,), (takes_and_drops, takes), (hangs, takes), (says(503), takes), (takes_and_drops, says(500), takes)],
    ids=["takes", "takes and drops", "hangs", "503", "takes, drops, breaks"],
)
def test_what_is_taken_is_taken_once_wherever_the_worker_stops(answers: tuple[Answer, ...]) -> None:
    # read the campaign, the reward, the address, the breaker; lease, sign, send; read, record; delete
    assert _stop_everywhere(lambda: _world(*answers), _arrived_once) >= 18


def test_what_is_refused_is_a_dead_letter_wherever_the_worker_stops() -> None:
    copies: list[int] = []

    def check(world: DeliveryWorld) -> None:
        _is_a_dead_letter(world)
        copies.append(len(world.dead_letters.letters))

    assert _stop_everywhere(lambda: _world(says(422, "no")), check) >= 22
    assert copies.count(2) == 4  # after the letter, around reading the reward, before the note; everywhere else one


def test_what_is_too_late_is_a_dead_letter_wherever_the_worker_stops() -> None:
    assert _stop_everywhere(lambda: _late(takes), _is_a_dead_letter) >= 12


def test_a_message_that_comes_twice_at_every_point_arrives_once() -> None:
    def prepare() -> DeliveryWorld:
        world = _world(takes)
        world.queue.add(next(iter(world.queue.messages.values())).body)
        return world

    assert _stop_everywhere(prepare, _arrived_once) >= 20


def test_a_partner_who_does_not_recognise_repetitions_would_have_it_twice() -> None:
    """A control: the crashes do lead to repetitions, and it is the delivery id that makes them harmless."""
    requests: list[int] = []

    def count(world: DeliveryWorld) -> None:
        requests.append(sum(world.outside.partners[HOST].accepted.values()))

    _stop_everywhere(lambda: _world(takes), count)

    assert max(requests) == 2
    assert requests.count(2) <= 7  # between sending and having recorded it


def test_deleting_first_would_lose_it() -> None:
    """A control: were messages deleted before the work, as some queues have it, this harness would see the loss."""
    lost: list[bool] = []

    _stop_everywhere(
        lambda: _world(takes), lambda world: lost.append(not world.outside.partners[HOST].accepted), delete_first=True
    )

    assert any(lost)
