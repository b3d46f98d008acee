"""The public page: what is on, and whether there is any left."""

import pytest

from brandday.domain.campaign import State, Status
from brandday.domain.campaign_view import Availability
from brandday.domain.errors import CampaignNotFound
from brandday.usecases.browse_campaigns import SHOWN_AFTER_END_MS
from tests.fakes.backend import CLOSES, HOLD_MS, OPENS, SALE, Backend, sale, sku


def test_availability_goes_from_available_to_held_to_sold_out_and_back_after_a_restock() -> None:
    backend = Backend(sale(sku("HERO", 1), sku("MUG", 9)))
    environment = backend.environment()
    seen = []

    def look() -> None:
        backend.settle()
        view = environment.browse.get_campaign(SALE)
        assert view.availability["MUG"] is Availability.AVAILABLE
        seen.append(view.availability["HERO"])

    look()
    made = environment.reserve("ann").reservation
    look()
    environment.confirm(made.id)
    look()
    backend.operator().restock(SALE, "more", "HERO", 1, "op")
    look()

    assert seen == [Availability.AVAILABLE, Availability.ALL_HELD, Availability.SOLD_OUT, Availability.AVAILABLE]


def test_an_expired_hold_makes_the_page_say_available_again() -> None:
    backend = Backend()
    environment = backend.environment()
    environment.reserve("ann")
    backend.settle()
    backend.clock.now = OPENS + HOLD_MS
    backend.remind()
    backend.settle()

    assert environment.browse.get_campaign(SALE).availability == {"HERO": Availability.AVAILABLE}


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (OPENS - 1, State.SCHEDULED),
        (OPENS, State.RUNNING),
        (CLOSES - 1, State.RUNNING),
        (CLOSES, State.ENDED),
    ],
)
def test_the_state_is_right_to_the_millisecond(now: int, state: State) -> None:
    assert Backend(now=now).environment().browse.get_campaign(SALE).state is state


def test_the_list_has_published_campaigns_only_the_next_to_end_first() -> None:
    backend = Backend()
    backend.put(sale(id="ends-sooner", ends_at=OPENS + 5000))
    backend.put(sale(id="draft", status=Status.DRAFT))
    browse = backend.environment().browse

    assert [view.campaign.id for view in browse.list_campaigns()] == ["ends-sooner", SALE]
    backend.clock.now = OPENS + 5000 + SHOWN_AFTER_END_MS
    assert [view.campaign.id for view in browse.list_campaigns()] == [SALE]
    assert browse.get_campaign("ends-sooner").state is State.ENDED
    with pytest.raises(CampaignNotFound):
        browse.get_campaign("draft")


def test_the_list_costs_one_query_per_campaign_and_one_for_the_index_in_a_second() -> None:
    backend = Backend()
    browse = backend.environment().browse

    for _ in range(20):
        browse.list_campaigns()
        backend.clock.advance(49)

    assert backend.tap.tally() == {"campaigns.list_ids": 1, "campaigns.load": 1}
