"""A rebuild in steps of shards reaches every bucket of a lottery once; that of a sale asks for no buckets."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from brandday.domain.campaign import Status
from brandday.domain.layout import plan_layout
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.rebuild_campaign import RebuildCampaign
from tests.fakes.clock import SettableClock
from tests.fakes.declarations import declared
from tests.fakes.draw_world import published
from tests.fakes.lottery_declarations import declared_instant
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries


@pytest.mark.parametrize("shards", [1, 3, 64, 100])
@pytest.mark.parametrize(("entrants", "buckets"), [(1000, 64), (1_000_000, 4096)])
def test_all_shards_together_are_all_buckets(shards: int, entrants: int, buckets: int) -> None:
    campaign = published(declared_instant(expected_entrants=entrants), shards=shards)
    stored, clock = MemoryCampaigns(MemorySummaries()), SettableClock(campaign.starts_at)
    stored.campaigns[campaign.id] = campaign
    seen: list[str] = []

    def wins(campaign_id: str, found: Sequence[str]) -> int:
        assert campaign_id == campaign.id
        seen.extend(found)
        return len(found)

    rebuild = RebuildCampaign(LiveCampaigns(stored, clock), lambda *_: pytest.fail("no sale"), wins)
    made = sum(rebuild(campaign.id, range(at, min(at + 7, shards))) for at in range(0, shards, 7))
    assert made == len(seen) == len(set(seen)) == buckets


def test_a_sale_is_rebuilt_by_its_shards() -> None:
    sale = declared()
    campaign = replace(sale, status=Status.PUBLISHED, version=1, layout=plan_layout(sale.skus, bytes(16)))
    stored, clock = MemoryCampaigns(MemorySummaries()), SettableClock(campaign.starts_at)
    stored.campaigns[campaign.id] = campaign
    rebuild = RebuildCampaign(
        LiveCampaigns(stored, clock), lambda _, shards: sum(shards), lambda *_: pytest.fail("no lottery")
    )
    assert rebuild(campaign.id, [1, 2]) == 3
