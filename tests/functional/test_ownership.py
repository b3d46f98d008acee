"""What belongs to another shopper looks like what does not exist: the same status, headers and body but for the id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from brandday.entrypoints import entries, reservations, rewards
from brandday.entrypoints.reservations import ReservationUseCases
from brandday.entrypoints.rewards import RewardUseCases
from brandday.entrypoints.routes import SHOPPER, Route
from tests.events import http_event
from tests.fakes.backend import SALE
from tests.fakes.coupon_api import GIFTS, QR, CouponApi
from tests.fakes.lottery_api import ENTRY, PROOF, LotteryApi
from tests.fakes.lottery_backend import LotteryBackend, lottery, prize
from tests.fakes.reward_backend import RewardBackend
from tests.functional.test_rewards_api import ADDRESS
from tests.http_client import Answered, Client

OWNER, OTHER = "shopper-1", "shopper-2"

type Ask = Callable[[str, str], Answered]
"""Asks as a shopper for a thing with an id."""


@dataclass(frozen=True)
class Owned:
    """A thing of OWNER's: its id, one that is nobody's, and how to ask for it; `found` is the owner's status."""

    id: str
    nobodys: str
    ask: Ask
    found: int = 200


def _ask(routes: tuple[Route, ...], use_cases: object, method: str, route: str, body: object = None) -> Ask:
    (name,) = [part[1:-1] for part in route.split("/") if part.startswith("{")]

    def ask(shopper: str, thing: str) -> Answered:
        event: dict[str, Any] = http_event(
            "reserve_units", body=body, claims={"sub": shopper, "scope": SHOPPER, "channel": "web"}
        )
        path = route.format(**{name: thing})
        event |= {"routeKey": f"{method} {route}", "rawPath": path, "pathParameters": {name: thing}}
        event["requestContext"]["http"] |= {"method": method, "path": path}
        if body is None:
            event["body"] = None
        return Client(routes, use_cases).send(event)

    return ask


def _reservation(method: str, tail: str = "", found: int = 200) -> Owned:
    backend = RewardBackend()
    environment = backend.environment()
    made = environment.reserve(OWNER).reservation.id
    # of the same shard and moment, and of somebody who is in no shard at all
    campaign, shard, _, attempt = made.split(".")
    manage = backend.environment().manage
    asked = ReservationUseCases(
        environment.reserve_units, manage.get, manage.cancel, manage.extend, lambda *_: pytest.fail("not a shopper's")
    )
    route = f"/v1/reservations/{{reservation_id}}{tail}"
    return Owned(
        made, f"{campaign}.{shard}.AAAAAAAAAAAA.{attempt}", _ask(reservations.ROUTES, asked, method, route), found
    )


def _reward(method: str = "GET", tail: str = "", body: object = None) -> Owned:
    backend = RewardBackend()
    won = backend.win(OWNER)
    backend.issue()
    _, _, rest = won.partition(".")
    manage = backend.manager()
    asked = RewardUseCases(manage.list, manage.get, manage.give_address)
    ask = _ask(rewards.ROUTES, asked, method, f"/v1/rewards/{{reward_id}}{tail}", body)
    return Owned(won, f"rwd_AAAAAAAAAAAA.{rest}", ask)


def _entry(route: str) -> Owned:
    api = LotteryApi(LotteryBackend(lottery(prize("mug", 2))), SALE)
    made = str(api.enter(OWNER).body["id"])
    campaign, _, number = made.split(".")
    return Owned(made, f"{campaign}.AAAAAAAAAAAA.{number}", _ask(entries.ROUTES, api.entries(), "GET", route))


def _coupon() -> Owned:
    api = CouponApi()
    made = api.issue(GIFTS, owner=OWNER).id
    return Owned(made, f"cpn_{'A' * 20}", lambda shopper, coupon: api.qr(coupon, shopper))


THINGS: dict[str, Callable[[], Owned]] = {
    "GET /v1/reservations/{reservation_id}": lambda: _reservation("GET"),
    "POST /v1/reservations/{reservation_id}/extend": lambda: _reservation("POST", "/extend"),
    "DELETE /v1/reservations/{reservation_id}": lambda: _reservation("DELETE"),
    "GET /v1/rewards/{reward_id}": _reward,
    "PUT /v1/rewards/{reward_id}/address": lambda: _reward("PUT", "/address", ADDRESS),
    f"GET {ENTRY}": lambda: _entry(ENTRY),
    f"GET {PROOF}": lambda: _entry(PROOF),
    f"GET {QR}": _coupon,
}
"""Every route of shoppers that has the id of somebody's thing in it."""


def _but_the_id(answer: Answered, thing: str) -> tuple[int, dict[str, str], str]:
    return answer.status, dict(answer.headers), str(answer.body).replace(thing, "the id")


@pytest.mark.parametrize("what", THINGS)
def test_another_shoppers_thing_looks_like_none(what: str) -> None:
    thing = THINGS[what]()
    anothers = _but_the_id(thing.ask(OTHER, thing.id), thing.id)
    nobodys = _but_the_id(thing.ask(OTHER, thing.nobodys), thing.nobodys)

    assert anothers[0] == 404
    assert anothers == nobodys
    # the control: it is there, and unharmed
    assert thing.ask(OWNER, thing.id).status == thing.found


def test_none_of_the_routes_is_forgotten() -> None:
    from tools import openapi  # all tables of routes

    of_things = {
        f"{route.method} {route.path}"
        for _, routes in openapi.TABLES.values()
        for route in routes
        if route.scope == SHOPPER and "{" in route.path.replace("{campaign_id}", "")
    }
    assert of_things == set(THINGS)
