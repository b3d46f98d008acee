"""One query per campaign and second keeps an environment up to date."""

import pytest

from brandday.domain.campaign import Status
from brandday.domain.errors import CampaignNotFound
from brandday.usecases.live_campaigns import KEEP, REFRESH_MS
from tests.fakes.backend import OPENS, SALE, Backend, sale, sku


def test_the_config_is_asked_for_at_most_once_per_second_however_many_requests_come() -> None:
    backend = Backend(sale(sku(stock=900)))
    environment = backend.environment()

    for number in range(300):
        environment.reserve(f"shopper-{number}")
        environment.browse.get_campaign(SALE)
        backend.clock.advance(10)

    assert backend.tap.count("campaigns.load") == 3


def test_config_is_a_second_old_at_most_to_the_millisecond() -> None:
    backend = Backend()
    live = backend.environment().live
    live.get(SALE)
    backend.change(status=Status.PAUSED)

    backend.clock.now = OPENS + REFRESH_MS - 1
    assert live.get(SALE).campaign.status is Status.PUBLISHED
    backend.clock.now = OPENS + REFRESH_MS
    assert live.get(SALE).campaign.status is Status.PAUSED


def test_a_campaign_that_does_not_exist_is_asked_for_once_per_second_too() -> None:
    backend = Backend()
    live = backend.environment().live

    for _ in range(10):
        with pytest.raises(CampaignNotFound):
            live.get("no-such-sale")

    assert backend.tap.count("campaigns.load") == 1
    backend.put(sale(id="no-such-sale"))
    backend.clock.advance(REFRESH_MS)
    assert live.get("no-such-sale").campaign.id == "no-such-sale"


def test_a_draft_does_not_exist_and_a_made_up_id_fills_no_memory() -> None:
    backend = Backend(sale(status=Status.DRAFT))
    live = backend.environment().live

    with pytest.raises(CampaignNotFound):
        live.get(SALE)
    for number in range(3 * KEEP):
        with pytest.raises(CampaignNotFound):
            live.get(f"made-up-{number}")

    assert len(live._known) == KEEP


def test_what_was_seen_of_the_stock_outlives_the_config_until_a_restock() -> None:
    backend = Backend()
    live = backend.environment().live
    first = live.get(SALE)
    backend.change(title={"en": "Another title"})
    backend.clock.advance(REFRESH_MS)
    second = live.get(SALE)
    backend.operator().restock(SALE, "more", "HERO", 5, "op")
    backend.clock.advance(REFRESH_MS)
    third = live.get(SALE)

    assert second.sight is first.sight
    assert third.sight is not first.sight
    assert (second.total("HERO"), third.total("HERO")) == (1, 6)


def test_one_campaigns_restock_does_not_make_another_forget() -> None:
    backend = Backend()
    backend.put(sale(id="other-sale"))
    live = backend.environment().live
    other = live.get("other-sale").sight
    live.get(SALE)
    backend.operator().restock(SALE, "more", "HERO", 5, "op")
    backend.clock.advance(REFRESH_MS)
    live.get(SALE)

    assert live.get("other-sale").sight is other
