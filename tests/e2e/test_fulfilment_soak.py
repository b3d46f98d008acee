"""Rewards under trouble on the deployed stack: all of them arrive, each once, and who is refused is known.

Environments are killed at random (SIGKILL), one message in five is sent twice, and the partner answers 500 and 429,
hangs, drops connections, and loses answers to what it has taken. Counted is at the partner, by idempotency key.

What is killed are the emulator's own environments of the deployed functions, found by the name that Lambda gives them
in their environment. An environment that dies in the middle of a batch leaves its messages to the queue's visibility,
which the test shortens, and the reward it was sending to its lease, which it waits for.
"""

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from brandday_local.stack import LocalStack
from tests.e2e.fulfilment_rush import (
    Doubler,
    Killer,
    Sale,
    arrivals,
    brandday,
    deliveries,
    moods,
    put_on_sale,
    take_dead_letters,
    trouble,
    visibility,
    wait_until,
)

WORKER = ("FulfilmentWorkerFunction",)
FOLLOWERS = ("RewardIssuerFunction", "RewardDispatcherFunction")

MOODS = {"status500": 0.04, "status429": 0.03, "hang": 0.01, "drop": 0.03, "lose_answer": 0.08, "hang_seconds": 4.0}


@dataclass(frozen=True)
class Size:
    """How much of everything; times in seconds. `sale_pause` is between two writes of six sales, `kills` are of each
    function, and `patience` is only there so that a reward that never arrives fails the test.
    """

    rewards: int
    refused: int
    sale_pause: float
    kill_every: tuple[float, float]
    kills: int
    patience: float


SMALL = Size(rewards=100, refused=3, sale_pause=0.4, kill_every=(1.0, 2.0), kills=3, patience=300)
FULL = Size(rewards=2000, refused=20, sale_pause=0, kill_every=(2.0, 6.0), kills=20, patience=600)
SLOW_SALE = replace(FULL, sale_pause=0.15, kill_every=(0.5, 2.0), kills=10)
"""For those who follow streams: they keep up, so there has to be something to follow while they are killed."""


def rush(stack: LocalStack, folder: Path, campaign_id: str, size: Size, killed: tuple[str, ...]) -> None:
    """Sell everything, make trouble until all rewards are where they belong, and count."""
    take_dead_letters(stack)
    put_on_sale(stack, folder, campaign_id, size.rewards)
    sale = Sale.plan(stack, campaign_id)
    rewards = sale.rewards
    refused = set(random.sample(rewards, size.refused))
    wanted = {"dispatched": size.rewards - size.refused, "failed": size.refused}
    killer = Killer(stack, killed, size.kill_every, size.kills)
    doubler = Doubler(stack, random.sample(rewards, size.rewards // 5), pause_seconds=0.05)
    with visibility(stack, seconds=10), moods(stack, **MOODS, refuse=sorted(refused)), trouble([killer]):
        sale.happen(size.sale_pause, until=killer.has_killed_each)
        with trouble([doubler]):
            took = wait_until(stack, campaign_id, wanted, size.patience)
    print(f"\n{size.rewards} rewards in {took:.0f} s; killed {dict(killer.kills)}, sent {doubler.sent} messages twice")
    print(f"arrivals at the partner: {dict(arrivals(stack, campaign_id))}")

    accepted = deliveries(stack, campaign_id)
    assert {each["delivery_id"] for each in accepted} == set(rewards) - refused, "lost, or delivered though refused"
    assert len(accepted) == len({each["data"]["reward_id"] for each in accepted}), "one reward under two keys"
    letters = [json.loads(body)["reward_id"] for body in take_dead_letters(stack)]
    assert set(letters) == refused
    assert len(letters) == len(refused), "a dead letter twice"
    # the control: without the key some would have been delivered twice
    assert sum(each["repetitions"] for each in accepted) > 0
    brandday(stack, "audit", campaign_id)


@pytest.mark.stack
def test_a_hundred_rewards_arrive_once_while_every_function_is_killed(stack: LocalStack, tmp_path: Path) -> None:
    rush(stack, tmp_path, "hundred-rewards", SMALL, WORKER + FOLLOWERS)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("campaign_id", "size", "killed"),
    [("killed-worker", FULL, WORKER), ("killed-followers", SLOW_SALE, FOLLOWERS)],
    ids=["worker", "followers"],
)
def test_two_thousand_rewards_arrive_once(
    stack: LocalStack, tmp_path: Path, campaign_id: str, size: Size, killed: tuple[str, ...]
) -> None:
    rush(stack, tmp_path, campaign_id, size, killed)
