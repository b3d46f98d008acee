"""How many calls a request costs: one to win, two at most to lose in the rush, none once everything is sold."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from brandday.domain.errors import AllHeld, BrandDayError, ShopperLimitReached, SoldOut
from brandday.domain.protection import Protection
from tests.fakes.backend import OPENS, Backend, Environment, sale, sku
from tests.fakes.plain_gate import TICKETS, PlainGate, per_device, visit_with


def _calls(backend: Backend, environment: Environment, shopper: str, **request: Any) -> tuple[str, list[str]]:
    """Return what came of a request and the calls it took."""
    before = len(backend.tap.calls)
    try:
        outcome = environment.reserve(shopper, **request)
        said = "replayed" if outcome.replayed else "resumed" if outcome.resumed else "granted"
    except BrandDayError as refusal:
        said = refusal.code
    return said, backend.tap.calls[before:]


def test_a_claim_in_a_warm_environment_is_one_write() -> None:
    backend = Backend(sale(sku(stock=900)))
    environment = backend.warm_environment()

    for number in range(100):
        assert _calls(backend, environment, f"shopper-{number}") == ("granted", ["stock.write"])


def test_a_ticket_costs_no_call_and_a_limit_on_wins_two_reads() -> None:
    visit = visit_with("phone", ticket=OPENS)
    expected = {
        Protection(ticket=TICKETS): ["stock.write"],
        per_device(): ["stock.read", "tallies.tallies", "tallies.write_shard"],
    }
    for protection, calls in expected.items():
        backend = Backend(sale(sku(stock=900), protection=protection))
        backend.gate = PlainGate()
        assert _calls(backend, backend.warm_environment(), "ann", visit=visit) == ("granted", calls)


def test_a_cold_environment_asks_for_its_config_first_and_for_nothing_else() -> None:
    backend = Backend(sale(sku(stock=900)))

    assert _calls(backend, backend.environment(), "ann") == ("granted", ["campaigns.load", "stock.write"])


@pytest.mark.parametrize("environments", [1, 8, 400], ids=["one_environment", "eight", "all_cold"])
def test_in_the_rush_a_refusal_takes_two_calls_at_most(environments: int) -> None:
    backend = Backend(sale(sku(stock=150)))
    servers = [backend.warm_environment() for _ in range(environments)]
    worst: Counter[str] = Counter()
    said: Counter[str] = Counter()

    for number in range(400):
        backend.clock.advance(3)
        answer, calls = _calls(backend, servers[number % environments], f"shopper-{number}")
        said[answer] += 1
        worst[answer] = max(worst[answer], len([call for call in calls if call.startswith("stock.")]))
        if number % 100 == 99:
            backend.project()

    assert said["all_held"] > 100
    assert worst["all_held"] <= 2
    assert set(said) == {"granted", "all_held"}
    backend.check()


def test_sold_out_is_said_without_a_call_in_the_steady_state() -> None:
    backend = Backend(sale(sku(stock=60)))
    environment = backend.environment()
    for number in range(400):
        try:
            made = environment.reserve(f"shopper-{number}").reservation
        except (AllHeld, SoldOut):
            backend.settle()
        else:
            environment.confirm(made.id, f"order-{number}")
    environment = backend.environment()
    assert backend.counts() == (0, 0, 60)
    for home in range(backend.layout.shards):
        said, calls = _calls(backend, environment, backend.shopper_at(home, 500))
        assert (said, [call for call in calls if call != "campaigns.load"]) == ("sold_out", ["stock.read"])
    backend.tap.calls.clear()

    for number in range(1000, 1500):
        assert isinstance(environment.refused(f"shopper-{number}"), SoldOut)
        backend.clock.advance(10)

    assert backend.tap.tally() == {"campaigns.load": 4}, "one query a second, and the first second has its own"


def test_a_buyer_is_recognised_when_everything_is_sold_with_two_calls_at_most() -> None:
    backend = Backend(sale(sku(stock=2, per_shopper=2), shards=2))
    environment = backend.environment()
    at_home, elsewhere = backend.shopper_at(0), backend.shopper_at(0, 1)
    for shopper in (at_home, elsewhere):
        environment.confirm(environment.reserve(shopper, key="tap").reservation.id, f"order-{shopper}")
    backend.settle()
    environment.refused("somebody")
    environment.refused(backend.shopper_at(0, 2))

    assert _calls(backend, environment, at_home, key="tap") == ("replayed", ["stock.read"])
    assert _calls(backend, environment, elsewhere, key="tap") == ("replayed", ["stock.read", "stock.read"])
    assert _calls(backend, environment, at_home, key="other")[0] == SoldOut.code
    backend.check()


def test_a_limit_is_explained_with_two_calls_at_most() -> None:
    backend = Backend(sale(sku(stock=30)))
    environment = backend.warm_environment()
    environment.confirm(environment.reserve("ann", key="tap").reservation.id)

    said, calls = _calls(backend, environment, "ann", key="other")

    assert said == ShopperLimitReached.code
    assert len(calls) <= 2


def test_a_claim_in_another_shard_takes_four_calls_once_the_home_is_known_to_be_empty() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    environment = backend.warm_environment()
    environment.reserve(backend.shopper_at(0))

    said, calls = _calls(backend, environment, backend.shopper_at(0, 1))

    assert (said, calls) == ("granted", ["stock.read", "stock.read", "stock.write", "stock.write"])
