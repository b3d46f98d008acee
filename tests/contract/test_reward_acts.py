"""One contract for operators' acts on rewards: the fake in memory, and the two tables on each engine we have."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
from moto import mock_aws

from brandday.adapters.campaign_table import CampaignTable, encode_trail_entry
from brandday.adapters.reward_acts import RewardActs
from brandday.adapters.reward_table import RewardTable
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import Reward, RewardStatus
from brandday.domain.trail import Change, TrailEntry
from brandday.usecases import operate_rewards
from brandday.usecases.reward_ports import Rewards
from tests.engines import Engine, table_in
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_rewards import MemoryRewards
from tests.fakes.plain_reward import plain_reward
from tests.fakes.reward_desk import MemoryActs

ANN = "-nnAnnAnnAnn"
NOW = 1_783_526_400_000


@dataclass
class Stored:
    """Rewards, acts on them, and what a test does to a trail."""

    rewards: Rewards
    acts: operate_rewards.RewardActs
    campaigns: CampaignTable | MemoryCampaigns

    def trail(self, campaign: str) -> list[TrailEntry]:
        """Return the campaign's trail, the oldest first."""
        if isinstance(self.campaigns, MemoryCampaigns):
            return self.campaigns.trails.get(campaign, [])
        return list(self.campaigns.history(campaign))[::-1]


@pytest.fixture(
    params=["memory", "moto", "ministack_dynamodb", pytest.param("dynamodb_local", marks=pytest.mark.engine)]
)
def stored(request: pytest.FixtureRequest) -> Iterator[Stored]:
    """Each of the ways there are to keep them."""
    match request.param:
        case "memory":
            rewards, campaigns = MemoryRewards(), MemoryCampaigns(MemorySummaries())
            yield Stored(rewards, MemoryActs(rewards, campaigns), campaigns)
        case "moto":
            with mock_aws():
                yield from _tables(Engine("moto", None))
        case name:
            yield from _tables(request.getfixturevalue(name))


def _tables(engine: Engine) -> Iterator[Stored]:
    with table_in(engine, "RewardTable") as rewards, table_in(engine, "CampaignTable") as campaigns:
        client = rewards.client
        yield Stored(
            RewardTable(client, rewards.name),
            RewardActs(client, rewards.name, campaigns.name),
            CampaignTable(client, campaigns.name),
        )


@pytest.fixture
def reward(stored: Stored) -> Reward:
    """A reward that waits for approval."""
    campaign = f"sale-{uuid.uuid4().hex[:8]}"
    made = plain_reward(campaign, ANN, NOW, kind=RewardKind.CASH, status=RewardStatus.AWAITING_APPROVAL)
    assert stored.rewards.create(made)
    found = stored.rewards.get(made.id)
    assert found is not None
    return found


def entry(who: str = "operator-2", act: str = "approve", number: int = 0) -> TrailEntry:
    """Return an entry of a trail."""
    change = Change(("rewards", "rwd_1", "status"), "awaiting_approval", "pending")
    return TrailEntry(f"{number:012x}", NOW + number, who, act, 0, (change,))


def approved(reward: Reward) -> Reward:
    """Return the reward as it is to be."""
    return replace(reward, status=RewardStatus.PENDING, approved_by="operator-2")


def test_reward_and_entry_are_written_together(stored: Stored, reward: Reward) -> None:
    assert stored.acts.save(reward, approved(reward), entry())
    assert stored.rewards.get(reward.id) == replace(approved(reward), version=reward.version + 1)
    assert stored.trail(reward.campaign_id) == [entry()]


def test_of_a_reward_that_has_changed_neither_is_written(stored: Stored, reward: Reward) -> None:
    assert stored.rewards.save(reward, replace(reward, words="something else"))
    assert not stored.acts.save(reward, approved(reward), entry())
    found = stored.rewards.get(reward.id)
    assert found is not None
    assert (found.status, found.words) == (RewardStatus.AWAITING_APPROVAL, "something else")
    assert stored.trail(reward.campaign_id) == []


def test_an_act_is_found_by_who_did_it_and_what_it_was(stored: Stored, reward: Reward) -> None:
    assert stored.acts.save(reward, approved(reward), entry("operator-2", "approve"))
    assert stored.acts.has_done(reward.campaign_id, "operator-2", "approve")
    assert not stored.acts.has_done(reward.campaign_id, "operator-2", "apply")
    assert not stored.acts.has_done(reward.campaign_id, "operator-1", "approve")
    assert not stored.acts.has_done("another-sale", "operator-2", "approve")


def test_an_act_is_found_however_many_came_after_it() -> None:
    with mock_aws():
        for stored in _tables(Engine("moto", None)):
            campaigns = stored.campaigns
            assert isinstance(campaigns, CampaignTable)
            fill_trail(stored, "sale-1", 1200)
            newest = campaigns.history("sale-1")
            assert not [found for found in newest if found.who == "operator-1"]  # what the trail shows is not all
            assert stored.acts.has_done("sale-1", "operator-1", "apply")


def fill_trail(stored: Stored, campaign: str, number: int) -> None:
    """Write so long a trail that it takes several pages of a megabyte; operator-1's one act is in the middle."""
    long = "x" * 2000
    with closing(Engine("moto", None).client()) as client:
        table = next(name for name in client.list_tables()["TableNames"] if name.startswith("CampaignTable"))
        for at in range(number):
            who, act = ("operator-1", "apply") if at == 600 else ("operator-3", "restock")
            made = replace(entry(who, act, at), changes=(Change(("title",), long, at),))
            client.put_item(TableName=table, Item=encode_trail_entry(campaign, made))
    assert stored.acts.has_done(campaign, "operator-3", "restock")
