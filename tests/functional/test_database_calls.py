"""How many calls a request costs: one to win, two at most to lose in the rush, none once everything is sold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from moto import mock_aws

from brandday.domain.errors import AllHeld, BrandDayError, ShopperLimitReached, SoldOut
from brandday.usecases.project_stock import ShardChanged
from brandday_local.places import ROOT
from tests.fakes.aws_backend import AwsBackend, ask, reserve
from tests.fakes.backend import HOLD_MS, OPENS, SALE, Backend, Environment, sale, sku
from tests.fakes.event_sources import queue_event, stream_records


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


# --- what the template allows ---------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their arguments."""


def _short_form(loader: _Loader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_mapping(node) if isinstance(node, yaml.MappingNode) else None


_Loader.add_multi_constructor("!", _short_form)


def _allowed(function: str) -> set[str]:
    """The API calls that a function's policies in the template allow."""
    template = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  # a SafeLoader
    policies = template["Resources"][function]["Properties"]["Policies"]
    actions = [action for policy in policies for statement in policy["Statement"] for action in statement["Action"]]
    # A batch is allowed by the permission of its single calls.
    return {action.partition(":")[2].replace("SendMessage", "SendMessageBatch") for action in actions}


@pytest.fixture
def moto() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.mark.usefixtures("moto")
def test_every_function_makes_only_the_calls_its_policy_allows() -> None:
    backend = AwsBackend(sale(sku(stock=3), shards=3))
    books = backend.books()
    shopper = {home: books.shopper_at(home) for home in range(3)}
    made: dict[str, set[str]] = {}

    def record(function: str) -> None:
        made.setdefault(function, set()).update(backend.tap.calls)
        backend.tap.calls.clear()

    backend.tap.calls.clear()
    shop = backend.reservations()
    first = reserve(shop, shopper[0])["body"]["id"]
    second = reserve(shop, books.shopper_at(0, 1))["body"]["id"]
    path = {"reservation_id": first}
    ask(shop, "get_reservation", shopper[0], path=path)
    ask(shop, "extend_reservation", shopper[0], path=path)
    ask(shop, "cancel_reservation", shopper[0], path=path)
    ask(shop, "confirm_reservation", "shop", path={"reservation_id": second}, body={"order_id": "o"})
    reserve(backend.reservations(), shopper[2])
    record("ReservationsFunction")

    changed = [shard for shard in backend.books().shards() if shard.version]
    backend.tap.calls.clear()
    records = stream_records(ShardChanged(SALE, None, shard) for shard in changed)
    assert backend.stock_projector()({"Records": records}, None) == {"batchItemFailures": []}
    record("StockProjectorFunction")

    backend.clock.now = OPENS + HOLD_MS
    reminders = [(SALE, shard, OPENS + HOLD_MS) for shard in range(3)]
    backend.hold_expiry()(queue_event(*reminders, (SALE, 0, OPENS + 9 * HOLD_MS)), None)
    record("HoldExpiryFunction")

    backend.stock_sweeper()({}, None)
    record("StockSweeperFunction")

    assert {function: calls - _allowed(function) for function, calls in made.items()} == {
        function: set() for function in made
    }
