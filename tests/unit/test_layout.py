"""The split of stock over shards: complete, balanced, and the same for everybody."""

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as some

from brandday.domain.layout import (
    MAX_SHARDS_PER_RESTOCK,
    Layout,
    home_shard,
    plan_layout,
    shopper_name,
    spread_restock,
)

SALT = bytes(range(16))


@dataclass(frozen=True)
class Pool:
    sku: str
    stock: int


def pools(stocks: list[int]) -> list[Pool]:
    return [Pool(f"SKU-{number}", stock) for number, stock in enumerate(stocks)]


stocks_of_a_campaign = some.lists(some.integers(1, 2_000), min_size=1, max_size=36)


@given(stocks_of_a_campaign)
def test_no_unit_is_lost_or_added_when_stock_is_split(stocks: list[int]) -> None:
    layout = plan_layout(pools(stocks), SALT)
    for pool in pools(stocks):
        slot = layout.slots[pool.sku]
        assert sum(layout.capacity(slot, shard) for shard in range(layout.shards)) == pool.stock


@given(stocks_of_a_campaign)
def test_shards_of_one_sku_differ_by_one_unit_at_most(stocks: list[int]) -> None:
    layout = plan_layout(pools(stocks), SALT)
    for slot in layout.stock:
        units = [layout.capacity(slot, shard) for shard in range(layout.shards)]
        assert max(units) - min(units) <= 1


@given(stocks_of_a_campaign)
def test_a_shard_has_about_thirty_units_of_all_skus_together(stocks: list[int]) -> None:
    layout = plan_layout(pools(stocks), SALT)
    assert layout.shards == -(-sum(stocks) // 30)


def test_many_small_pools_do_not_pile_up_in_the_first_shards() -> None:
    layout = plan_layout(pools([5] * 36), SALT)
    units = [sum(layout.capacities(shard).values()) for shard in range(layout.shards)]
    assert sum(units) == 180
    assert max(units) <= 2 * min(units)


@given(stocks_of_a_campaign)
def test_a_layout_survives_being_stored(stocks: list[int]) -> None:
    layout = plan_layout(pools(stocks), SALT)
    assert Layout.from_document(layout.to_document(), pools(stocks)) == layout


def test_a_campaign_has_at_most_36_skus_and_each_once() -> None:
    with pytest.raises(ValueError, match="at most 36"):
        plan_layout(pools([1] * 37), SALT)
    with pytest.raises(ValueError, match="each of them once"):
        plan_layout([Pool("A", 1), Pool("A", 1)], SALT)


def test_a_salt_has_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        plan_layout(pools([1]), b"short")


def test_homes_are_uniform() -> None:
    """Chi-square over 34 shards: 33 degrees of freedom stay below 70 but once in 5,000 salts; this one is fixed."""
    shoppers, shards = 34_000, 34
    homes = Counter(home_shard(shopper_name(SALT, f"shopper-{n}"), shards) for n in range(shoppers))
    expected = shoppers / shards
    assert sum((homes[shard] - expected) ** 2 / expected for shard in range(shards)) < 70


@given(some.text(min_size=1, max_size=255), some.integers(1, 40_000))
def test_a_name_tells_the_home_and_fits_its_twelve_characters(shopper: str, shards: int) -> None:
    name = shopper_name(SALT, shopper)
    assert len(name) == 12
    assert "." not in name
    assert 0 <= home_shard(name, shards) < shards


def test_another_salt_sends_shoppers_elsewhere() -> None:
    assert shopper_name(SALT, "shopper-1") != shopper_name(bytes(16), "shopper-1")


def test_names_and_homes_never_change() -> None:
    """These are stored: another answer would lose every claim there is."""
    assert shopper_name(SALT, "shopper-1") == "Q-tHIGvp74w-"
    assert home_shard("Q-tHIGvp74w-", 34) == 30


@given(some.integers(1, 100_000), some.integers(1, 3_000), some.text("abc-123", min_size=1, max_size=40))
def test_a_restock_is_split_completely_evenly_and_the_same_every_time(
    quantity: int, shards: int, restock_id: str
) -> None:
    units = spread_restock(quantity, shards, restock_id)
    assert sum(units.values()) == quantity
    assert max(units.values()) - min(units.values()) <= 1
    assert min(units.values()) >= 1
    assert len(units) == min(quantity, shards, MAX_SHARDS_PER_RESTOCK)
    assert all(0 <= shard < shards for shard in units)
    assert spread_restock(quantity, shards, restock_id) == units
