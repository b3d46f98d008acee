"""The public campaign routes over HTTP events."""

import pytest

from brandday.domain.campaign import State
from brandday.domain.campaign_view import Availability, CampaignView
from brandday.domain.errors import TemporarilyOverloaded
from brandday.entrypoints.campaigns import ROUTES, CampaignUseCases
from tests.events import http_event
from tests.fakes.declarations import FULFILMENT, declared
from tests.fakes.reservation_shop import CAMPAIGN, ReservationShop
from tests.http_client import Client


@pytest.fixture
def shop() -> ReservationShop:
    return ReservationShop()


@pytest.fixture
def client(shop: ReservationShop) -> Client:
    return Client(ROUTES, shop.campaign_use_cases())


CAMPAIGN_FIELDS = {
    "id": CAMPAIGN.id,
    "title": {"en": "Brand Day", "zh-CN": "品牌日"},
    "mechanic": "flash_sale",
    "state": "running",
    "time_zone": "Asia/Shanghai",
    "starts_at": "2026-11-08T16:00:00.000Z",
    "ends_at": "2026-11-11T16:00:00.000Z",
    "channels": ["web", "app"],
    "eligibility": {"member_tiers": ["gold", "silver"], "new_customers_only": False, "regions": []},
    "limit_per_shopper": 3,
    "hold_seconds": 600,
    "extend_seconds": 300,
    "claim_until": None,
    "skus": [
        {
            "sku": "HERO-1",
            "title": {"en": "Hero"},
            "list_price": {"amount": 19900, "currency": "CNY"},
            "sale_price": {"amount": 9950, "currency": "CNY"},
            "units_per_shopper": 1,
            "reward": {"kind": "order", "value": None},
            "availability": "sold_out",
        },
        {
            "sku": "MUG-2",
            "title": {"en": "Mug"},
            "list_price": {"amount": 4900, "currency": "CNY"},
            "sale_price": {"amount": 2450, "currency": "CNY"},
            "units_per_shopper": 3,
            "reward": {"kind": "order", "value": None},
            "availability": "available",
        },
    ],
    "lottery": None,
}


def test_a_campaign_shows_what_is_on_sale_and_when(client: Client) -> None:
    answer = client.send(http_event("get_campaign"))
    assert answer.status == 200
    assert answer.body == {"server_time": "2026-11-09T00:00:03.120Z", **CAMPAIGN_FIELDS}


def test_winners_see_what_they_get_and_until_when_they_can_claim_it() -> None:
    """GIVEN a campaign that gives prizes away WHEN its page is asked for THEN it tells, but not who hands them over."""
    prize = declared("skus.0.reward", {"kind": "physical"}, fulfilment=FULFILMENT)
    view = CampaignView(prize, State.RUNNING, {sku.sku: Availability.AVAILABLE for sku in prize.skus})
    client = Client(ROUTES, CampaignUseCases(lambda: [view], lambda _: view))
    answer = client.send(http_event("get_campaign"))
    assert answer.body["claim_until"] == "2026-11-29T16:00:00.000Z"
    assert [sku["reward"]["kind"] for sku in answer.body["skus"]] == ["physical", "order"]
    assert "partner" not in str(answer.body)


def test_nothing_internal_is_shown(client: Client) -> None:
    shown = str(client.send(http_event("get_campaign")).body)
    for word in ("salt", "layout", "shards", "stock", "version", "late_payment"):
        assert word not in shown


def test_all_campaigns_are_listed(client: Client) -> None:
    answer = client.send(http_event("list_campaigns"))
    assert (answer.status, answer.body["campaigns"]) == (200, [CAMPAIGN_FIELDS])


@pytest.mark.parametrize("name", ["get_campaign", "list_campaigns"])
def test_campaigns_may_be_cached_for_a_second(client: Client, name: str) -> None:
    answer = client.send(http_event(name))
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    again = client.send(http_event(name, headers={"If-None-Match": answer.headers["ETag"]}))
    assert (again.status, again.body) == (304, None)
    assert again.headers["Cache-Control"] == "public, max-age=1"


def test_a_refusal_is_not_cached(client: Client, shop: ReservationShop) -> None:
    shop.refuse_with = TemporarilyOverloaded()
    answer = client.send(http_event("get_campaign"))
    assert (answer.status, answer.headers["Cache-Control"]) == (503, "no-store")
    assert "ETag" not in answer.headers


@pytest.mark.parametrize("campaign_id", ["no-such-campaign", "x", "UPPER", "a" * 41])
def test_an_unknown_campaign_is_not_found(client: Client, campaign_id: str) -> None:
    answer = client.send(http_event("get_campaign", path={"campaign_id": campaign_id}))
    assert (answer.status, answer.code) == (404, "campaign_not_found")


def test_health_asks_nobody(client: Client, shop: ReservationShop) -> None:
    shop.refuse_with = RuntimeError("the database is away")
    answer = client.send(http_event("get_health"))
    assert (answer.status, answer.body["status"], shop.calls) == (200, "ok", [])
    assert answer.headers["Cache-Control"] == "no-store"
