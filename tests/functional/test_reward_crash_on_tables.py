"""The stops of `test_reward_crash` on the real adapters: between any two API calls, with rows counted in the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.sqs.models import sqs_backends

from brandday.adapters.reward_table import RewardTable, decode_reward
from brandday.domain.reward import Reward, RewardStatus
from brandday.usecases.issue_rewards import IssueRewards
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.project_stock import ShardChanged
from brandday.usecases.sweep_rewards import SweepRewards
from brandday_local.template_tables import table_shape
from tests.fakes.aws_backend import AwsBackend, ask, reserve
from tests.fakes.backend import SALE
from tests.fakes.reward_backend import CLAIM_UNTIL, prizes
from tests.fakes.tap import Killed, every_kill


@pytest.fixture(autouse=True)
def moto() -> Iterator[None]:
    with mock_aws():
        yield


class _World(AwsBackend):
    """Two winners in two shards; nobody has told of them yet."""

    def __init__(self) -> None:
        dynamodb_backends.reset()
        sqs_backends.reset()
        super().__init__(prizes(stock=4, shards=2))
        self.dynamodb.create_table(TableName="RewardTable", **table_shape("RewardTable"))
        books, shop = self.books(), self.reservations()
        for home in range(2):
            made = reserve(shop, books.shopper_at(home))["body"]["id"]
            order = {"order_id": f"order-{home}"}
            paid = ask(shop, "confirm_reservation", "shop", path={"reservation_id": made}, body=order)
            assert paid["statusCode"] == 200

    def issue(self) -> None:
        """Tell a cold issuer of both shards."""
        changes = [ShardChanged(SALE, None, shard) for shard in self.books().shards()]
        IssueRewards(self._live(), RewardTable(self.dynamodb, "RewardTable"), self.clock)(changes)

    def sweep(self) -> None:
        """Let a cold sweeper run."""
        rewards = RewardTable(self.dynamodb, "RewardTable")
        live = LiveCampaigns(self.campaigns, self.clock)
        SweepRewards(live, self.campaigns, rewards, self.stock, self.clock)()

    def rewards(self) -> list[Reward]:
        """Return all rows of the table."""
        return [decode_reward(item) for item in self.dynamodb.scan(TableName="RewardTable")["Items"]]


def _is_killed(world: _World, point: int, act: Callable[[], None]) -> bool:
    """End the process before or after its `point // 2`-th call that is about one item.

    A sweep makes 64 queries of an index, and between two of those there is nothing to be lost.
    """
    seen = 0

    def step(call: str) -> None:
        nonlocal seen
        if call in ("Query", "Scan"):
            return
        if seen == point:
            raise Killed
        seen += 1

    world.tap.before = world.tap.after = step
    try:
        act()
    except Killed:
        return True
    finally:
        world.tap.before = world.tap.after = lambda _: None
    return False


def test_the_issuer_between_its_rewards() -> None:
    def issue(point: int) -> bool:
        world = _World()
        killed = _is_killed(world, point, world.issue)
        world.issue()
        world.issue()
        sources = [reward.source for reward in world.rewards()]
        assert len(sources) == len(set(sources)) == 2
        assert world.books().counts() == (2, 0, 2)
        return killed

    assert every_kill(issue) == 4


def test_the_sweeper_between_forfeit_units_and_mark() -> None:
    def sweep(point: int) -> bool:
        world = _World()
        world.issue()
        world.clock.now = CLAIM_UNTIL
        killed = _is_killed(world, point, world.sweep)
        world.books().check()
        world.sweep()
        world.sweep()
        books = world.books()
        books.check()
        assert books.counts() == (4, 0, 0)
        assert [(reward.status, reward.units_returned) for reward in world.rewards()] == [
            (RewardStatus.FORFEITED, True)
        ] * 2
        return killed

    assert every_kill(sweep) >= 24
