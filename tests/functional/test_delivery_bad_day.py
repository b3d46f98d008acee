"""A bad day in virtual time: workers die anywhere, messages come twice, partners do everything but what they should.

Two hundred rewards a day; some are refused for good. In the evening each of the others is with its partner once, as the
partner counts by delivery id, and among the dead letters are exactly those that were refused.
"""

import random

import pytest

from brandday.connectors.port import HttpAnswer
from brandday.domain.reward import RewardStatus
from tests.fakes.delivery_world import HOUR_MS, DeliveryWorld, webhook
from tests.fakes.outside_world import Answer, Delivery, Partner, hangs, says, takes, takes_and_drops
from tests.fakes.tap import Killed

REWARDS = 200
DAYS = 5
REFUSED_EVERY = 10
HOSTS = ("one.example", "two.example")


def _moods(dice: random.Random) -> Answer:
    """A partner in a mood; what is refused is refused whatever the mood."""
    bad: list[Answer] = [hangs, takes_and_drops, says(500), says(503, retry_after="30"), says(429)]

    def answer(partner: Partner, delivery: Delivery, timeout_ms: int) -> HttpAnswer:
        if dice.random() < 0.4:
            return dice.choice(bad[:1] + bad[2:] if _is_unwanted(delivery) else bad)(partner, delivery, timeout_ms)
        return (says(422, "unwanted") if _is_unwanted(delivery) else takes)(partner, delivery, timeout_ms)

    return answer


def _is_unwanted(delivery: Delivery) -> bool:
    return int(delivery.data["shopper"].removeprefix("owner")) % REFUSED_EVERY == 0


@pytest.mark.parametrize("seed", range(DAYS))
def test_in_the_evening_everything_is_where_it_belongs(seed: int) -> None:
    dice = random.Random(seed)
    world = DeliveryWorld()
    for number, host in enumerate(HOSTS):
        world.outside.partner(host, _moods(dice))
        world.put(world.campaign(f"sale-{number}", webhook(host)))
    for number in range(REWARDS):
        world.reward(number, campaign_id=f"sale-{number % 2}")
    for message in dice.sample(list(world.queue.messages.values()), REWARDS // 5):
        world.queue.add(message.body)
    deaths = 0

    def may_die(_: str) -> None:
        if dice.random() < 0.01:
            raise Killed

    ends = world.clock() + 60 * HOUR_MS
    while world.queue.messages and world.clock() < ends:
        world.tap.before = world.tap.after = may_die
        try:
            world.run(ends)
        except Killed:
            deaths += 1
        world.tap.before = world.tap.after = lambda _: None

    rewards = world.rewards.rewards.values()
    unwanted = {reward.id for reward in rewards if int(reward.owner.removeprefix("owner")) % REFUSED_EVERY == 0}
    accepted = [delivery for host in HOSTS for delivery in world.outside.partners[host].accepted]
    assert sorted(accepted) == sorted(reward.id for reward in rewards if reward.id not in unwanted)
    assert {dispatch.reward_id for dispatch, _ in world.dead_letters.letters} == unwanted
    assert {reward.status for reward in rewards if reward.id in unwanted} == {RewardStatus.FAILED}
    assert {(reward.status, reward.accepted) for reward in rewards if reward.id not in unwanted} == {
        (RewardStatus.DISPATCHED, 1)
    }
    assert world.queue.messages == {}
    # The day was bad: workers died, and partners were asked more than once for what they had.
    repeated = sum(times - 1 for host in HOSTS for times in world.outside.partners[host].accepted.values())
    assert deaths > 20
    assert repeated > 10
