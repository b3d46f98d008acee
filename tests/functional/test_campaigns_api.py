"""The public campaign routes over HTTP events."""

from typing import Any

import pytest

from brandday.domain.campaign import State
from brandday.domain.campaign_view import Availability, CampaignView
from brandday.domain.errors import TemporarilyOverloaded
from brandday.entrypoints.campaigns import ROUTES, CampaignUseCases
from brandday.usecases.browse_campaigns import BrowseCampaigns
from brandday.usecases.live_campaigns import LiveCampaigns
from tests.events import http_event
from tests.fakes.coupon_declarations import declared_coupons, imported, shared, taken
from tests.fakes.declarations import FULFILMENT, declared
from tests.fakes.lottery_declarations import declared_draw, declared_instant
from tests.fakes.operator_desk import WHO, Desk
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
    "coupon": None,
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


def test_coupons_show_what_they_give_the_shared_code_and_how_many_are_left() -> None:
    """GIVEN coupons of each kind of code WHEN their pages are asked for THEN terms are there, and nobody's code."""
    desk = Desk()
    for document in (shared(), taken(), imported()):
        desk.operate.apply(declared_coupons(document), WHO, publish=True)
    browse = BrowseCampaigns(LiveCampaigns(desk.campaigns, desk.clock), desk.campaigns, desk.clock)
    client = Client(ROUTES, CampaignUseCases(browse.list_campaigns, browse.get_campaign))

    def page(name: str) -> Any:
        return client.send(http_event("get_campaign", path={"campaign_id": name})).body

    body = page("double-eleven")
    assert (body["mechanic"], body["skus"], body["hold_seconds"], body["lottery"]) == ("coupon", [], None, None)
    assert body["coupon"] == {
        "benefit": {
            "kind": "percent_off",
            "tiers": [{"minimum_spend": {"amount": 10000, "currency": "CNY"}, "percent": "12.5", "amount": None}],
            "max_discount": {"amount": 5000, "currency": "CNY"},
            "gift": None,
        },
        "currency": "CNY",
        "code_kind": "shared",
        "issued_by": None,
        "code": "DOUBLE-11",
        "per_shopper": 1,
        "scope": {"include_skus": [], "include_categories": [], "exclude_skus": [], "exclude_categories": []},
        "order_channels": [],
        "validity": {"starts_at": "2026-11-08T16:00:00.000Z", "ends_at": None, "days": None, "end_of_day": False},
        "stacking": {"exclusive": False, "group": None, "priority": 100},
        "on_cancel": "return",
        "availability": "available",
        "left": 100,
    }
    own, partner = page("take-one")["coupon"], page("partner-codes")
    assert (own["code"], own["issued_by"], own["left"]) == (None, "shoppers", 200)
    assert (partner["coupon"]["left"], partner["coupon"]["availability"]) == (None, None)
    assert "TEAPA" not in str(partner)
    assert not {"budget", "worth"} & own.keys()


def test_a_lottery_shows_what_can_be_won_and_what_it_has_promised() -> None:
    """GIVEN a published lottery WHEN its page is asked for THEN prizes have odds and plans, and no prices."""
    desk = Desk()
    desk.operate.apply(declared_instant(), WHO, publish=True)
    browse = BrowseCampaigns(LiveCampaigns(desk.campaigns, desk.clock), desk.campaigns, desk.clock)
    client = Client(ROUTES, CampaignUseCases(browse.list_campaigns, browse.get_campaign))
    body = client.send(http_event("get_campaign", path={"campaign_id": "lucky-draw"})).body
    assert (body["mechanic"], body["skus"], body["hold_seconds"]) == ("lottery", [], None)
    shown = body["lottery"]
    assert (shown["mode"], shown["consolation"], shown["draw"]) == ("instant", "STICKER", None)
    assert shown["allowance"] == {"per_day": 3, "per_campaign": 9, "earned": 4}
    assert shown["pity"] == {"after": 5, "prize": "MUG"}
    car, mug, watch, sticker = shown["prizes"]
    assert car == {
        "prize": "CAR",
        "title": {"en": "A car"},
        "quantity": 2,
        "odds": "1/5000",
        "odds_between": ["0/1", "1/1000"],
        "release": {"plan": "all", "times": None, "hour_weights": None},
        "per_day": None,
        "per_shopper": 1,
        "reward": {"kind": "physical", "value": None},
        "availability": "available",
    }
    assert mug["release"]["times"][:2] == ["2026-11-08T16:00:00.000Z", "2026-11-08T22:00:00.000Z"]
    assert (watch["odds"], watch["release"]["plan"], watch["release"]["times"]) == (None, "moments", None)
    assert (sticker["odds"], sticker["quantity"]) == (None, 5000)
    luck = desk.campaigns.campaigns["lucky-draw"].luck
    assert luck is not None
    assert shown["commitment"] == luck.frozen.commitment
    assert (shown["table"]["version"], shown["next_table"]) == (1, None)
    seed = desk.campaigns.seed("lucky-draw")
    assert seed is not None
    for word in ("price", "XXX", "salt", "shards", "stock", seed.hex(), "partner"):
        assert word not in str(body)
    assert [line["id"] for line in client.send(http_event("list_campaigns")).body["campaigns"]] == ["lucky-draw"]


def test_a_draw_shows_when_it_takes_place_and_what_it_waits_for() -> None:
    desk = Desk()
    desk.operate.apply(declared_draw(), WHO, publish=True)
    browse = BrowseCampaigns(LiveCampaigns(desk.campaigns, desk.clock), desk.campaigns, desk.clock)
    client = Client(ROUTES, CampaignUseCases(browse.list_campaigns, browse.get_campaign))
    shown = client.send(http_event("get_campaign", path={"campaign_id": "free-trial"})).body["lottery"]
    assert shown["draw"] == {
        "at": "2026-11-12T04:00:00.000Z",
        "reserves": 20,
        "beacon_round": 33884212,
        "beacon_out_at": "2026-11-12T04:00:00.000Z",
    }


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
