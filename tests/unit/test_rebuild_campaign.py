"""A rebuild in steps of shards reaches every bucket of a lottery once, and every shard of a sale."""

import pytest

from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.rebuild_campaign import RebuildCampaign
from tests.fakes.clock import SettableClock
from tests.fakes.draw_world import published
from tests.fakes.lottery_declarations import declared_instant
from tests.fakes.memory_campaigns import MemoryCampaigns


@pytest.mark.parametrize("shards", [1, 3, 64, 100])
@pytest.mark.parametrize(("entrants", "buckets"), [(1000, 64), (1_000_000, 4096)])
def test_all_shards_together_are_all_buckets(shards: int, entrants: int, buckets: int) -> None:
    campaign = published(declared_instant(expected_entrants=entrants), shards=shards)
    stored, clock = MemoryCampaigns(), SettableClock(campaign.starts_at)
    stored.campaigns[campaign.id] = campaign
    seen: list[str] = []

    def wins(campaign_id: str, found: list[str]) -> int:
        assert campaign_id == campaign.id
        seen.extend(found)
        return len(found)

    rebuild = RebuildCampaign(LiveCampaigns(stored, clock), lambda *_: pytest.fail("no sale"), wins)
    made = sum(rebuild(campaign.id, range(at, min(at + 7, shards))) for at in range(0, shards, 7))
    assert made == len(seen) == len(set(seen)) == buckets
