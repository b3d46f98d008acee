"""What a request shows reaches the gate as it came: headers, the token's claims, and where it is from."""

from typing import Any

from brandday.domain.visit import NO_VISIT
from brandday.entrypoints.http import build_app
from brandday.entrypoints.reservations import ROUTES
from tests.events import http_event
from tests.fakes.reservation_shop import CAMPAIGN, ReservationShop
from tests.http_client import NOW_MS, LambdaContext

SECRET = b"the edge's secret"


def visit(**headers: str | None) -> Any:
    """The visit that a request with these headers is."""
    shop = ReservationShop()
    handler = build_app(
        ROUTES,
        shop.use_cases(),
        now_ms=lambda: NOW_MS,
        jitter=lambda: 0.0,
        write=lambda _: None,
        edge_secrets=lambda: [SECRET],
    )
    event = http_event(
        "reserve_units",
        body={"sku": "HERO-1", "quantity": 1},
        path={"campaign_id": CAMPAIGN.id},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        claims={"device": "d-1"},
    )
    event["requestContext"]["http"]["sourceIp"] = "203.0.113.24"
    assert handler(event, LambdaContext())["statusCode"] == 201
    (seen,) = shop.visits
    return seen


def test_headers_claims_and_address_come_along() -> None:
    seen = visit(Entry_Ticket="tkt_1", Challenge_Solution="eyJ", Shop_Signals="a.b.c")

    assert (seen.ticket, seen.solution, seen.shop_signals) == ("tkt_1", "eyJ", "a.b.c")
    assert seen.claims["device"] == "d-1"
    assert seen.address == "203.0.113.24"


def test_what_is_not_there_is_empty() -> None:
    seen = visit()
    assert (seen.ticket, seen.solution, seen.shop_signals) == ("", "", "")


def test_only_the_edge_may_say_that_a_request_is_from_elsewhere() -> None:
    assert visit(viewer_address="198.51.100.7").address == "203.0.113.24"
    assert visit(viewer_address="198.51.100.7", edge_secret="guessed").address == "203.0.113.24"
    assert visit(viewer_address="198.51.100.7", edge_secret=SECRET.decode()).address == "198.51.100.7"


def test_a_visit_shows_nothing_of_itself_in_logs() -> None:
    seen = visit(Entry_Ticket="tkt_1", Challenge_Solution="eyJ", Shop_Signals="a.b.c")

    assert repr(seen) == repr(NO_VISIT)
