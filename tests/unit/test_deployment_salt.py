"""One salt for all campaigns: a shopper has the same name in all of them."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from moto import mock_aws

from brandday.adapters.campaign_table import CampaignTable
from brandday.domain.layout import SALT_BYTES, Layout
from brandday.usecases.operate_campaign import CampaignStore, OperateCampaign
from tests.engines import Engine, tables_in
from tests.fakes.clock import SettableClock
from tests.fakes.declarations import BEFORE, declared
from tests.fakes.destinations import all_reachable
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_stock import MemoryStock

type Store = MemoryCampaigns | CampaignTable


@pytest.fixture(params=["memory", "moto"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryCampaigns(MemorySummaries())
        return
    with mock_aws():
        engine = Engine("moto", None)
        with tables_in(engine) as tables, closing(engine.client()) as client:
            yield CampaignTable(client, tables.campaign)


def _operator(store: CampaignStore, seed: int = 0) -> OperateCampaign:
    """An operator whose random bytes are all different from those of another seed."""
    drawn = iter(range(seed, 256))
    return OperateCampaign(
        store, MemoryStock(), SettableClock(BEFORE), lambda count: bytes([next(drawn)]) * count, all_reachable
    )


def _layout(store: CampaignStore, campaign_id: str) -> Layout:
    layout = store.load(campaign_id, consistent=True)[0].layout
    assert layout is not None
    return layout


def test_before_anything_was_published_there_is_no_salt(store: Store) -> None:
    _operator(store).apply(declared(), "op")

    assert store.known_salt() is None


def test_the_first_one_to_bring_a_salt_decides_it_and_a_second_one_at_the_same_moment_gets_the_same(
    store: Store,
) -> None:
    first, second = bytes(range(SALT_BYTES)), bytes(reversed(range(SALT_BYTES)))

    assert store.deployment_salt(first) == first
    assert store.deployment_salt(second) == first
    assert store.known_salt() == first


def test_all_campaigns_call_a_shopper_by_the_same_name(store: Store) -> None:
    _operator(store, seed=0).apply(declared(id="spring"), "op", publish=True)
    autumn = _operator(store, seed=100)
    autumn.apply(declared(id="autumn"), "op")
    autumn.publish("autumn", "op")

    spring = _layout(store, "spring")
    assert spring.salt == _layout(store, "autumn").salt == store.known_salt()
    assert spring.name_of("ann") == _layout(store, "autumn").name_of("ann") != spring.name_of("bob")


def test_a_dry_run_decides_no_salt(store: Store) -> None:
    _operator(store).apply(declared(), "op", publish=True, dry_run=True)

    assert store.known_salt() is None
