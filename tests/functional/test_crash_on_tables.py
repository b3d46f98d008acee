"""The stops of `test_crash` on the real adapters: between any two API calls, with rows counted in the tables."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.sqs.models import sqs_backends

from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.keys import CAMPAIGN_COPIES
from brandday.usecases.project_stock import ShardChanged
from tests.fakes.aws_backend import AwsBackend, ask, reserve
from tests.fakes.backend import HOLD_MS, OPENS, SALE, Backend, sale, sku
from tests.fakes.event_sources import queue_event, stream_records
from tests.fakes.tap import Killed, every_kill, killed_at


@pytest.fixture(autouse=True)
def moto() -> Iterator[None]:
    with mock_aws():
        yield


def _empty() -> None:
    dynamodb_backends.reset()
    sqs_backends.reset()


def _two_shards() -> tuple[AwsBackend, str]:
    """Ann's home shard is empty, the other one has a unit."""
    _empty()
    backend = AwsBackend(sale(sku(stock=2), shards=2))
    books = backend.books()
    reserve(backend.reservations(), books.shopper_at(0, 1))
    return backend, books.shopper_at(0)


def _is_killed(backend: AwsBackend, point: int, act: Any) -> bool:
    try:
        with killed_at(backend.tap, point):
            act()
    except Killed:
        return True
    return False


def test_a_claim_in_another_shard_then_its_payment() -> None:
    def claim(point: int) -> bool:
        backend, ann = _two_shards()
        killed = _is_killed(backend, point, lambda: reserve(backend.reservations(), ann))
        backend.books().check()
        again = reserve(backend.reservations(), ann)
        assert again["statusCode"] == 201
        books = backend.books()
        books.check()
        assert (books.owned(ann), books.counts()) == (1, (0, 2, 0))
        return killed

    def pay(point: int) -> bool:
        backend, ann = _two_shards()
        path = {"reservation_id": reserve(backend.reservations(), ann)["body"]["id"]}

        def confirm() -> dict[str, Any]:
            body = {"order_id": "order-1"}
            return ask(backend.reservations(), "confirm_reservation", "shop", path=path, body=body)

        killed = _is_killed(backend, point, confirm)
        assert confirm()["statusCode"] == 200
        assert confirm()["headers"]["Idempotent-Replayed"] == "true"
        assert backend.books().counts() == (0, 1, 1)
        return killed

    assert every_kill(claim) == 10
    assert every_kill(pay) == 6


def test_the_projector_between_its_batches_of_reminders_and_its_two_items() -> None:
    """Twelve reminders are two batches of messages; the summary is a group's item and one in each of the campaign's
    copies.
    """

    def project(point: int) -> bool:
        _empty()
        backend = AwsBackend(sale(sku(stock=24), shards=12))
        books, shop = backend.books(), backend.reservations()
        for home in range(12):
            reserve(shop, books.shopper_at(home))
        after = [shard for shard in backend.books().shards() if shard.version]
        event = {"Records": stream_records(ShardChanged(SALE, None, shard) for shard in after)}

        killed = _is_killed(backend, point, lambda: backend.stock_projector()(event, None))
        assert backend.stock_projector()(event, None) == {"batchItemFailures": []}

        reminded = {(shard, due) for shard, due in _reminders(backend)}
        assert reminded == {(home, OPENS + HOLD_MS) for home in range(12)}
        for copy in range(CAMPAIGN_COPIES):
            summary = CampaignTable(backend.dynamodb, "CampaignTable", copy).load(SALE)[1]
            assert '"skus":{"0":[12,12,0,' in summary["c0"]
        return killed

    assert every_kill(project) == 12 + 2 * (CAMPAIGN_COPIES - 1)


def _reminders(backend: AwsBackend) -> Iterator[tuple[int, int]]:
    """What is in the queue, also what is still delayed."""
    (queue,) = sqs_backends["123456789012"]["us-east-1"].queues.values()
    for message in queue._messages:
        with contextlib.suppress(KeyError):
            body = json.loads(message.body)
            yield body["shard"], body["due_at"]


def test_expiry_and_sweep() -> None:
    def prepare() -> AwsBackend:
        _empty()
        backend = AwsBackend(sale(sku(stock=2), shards=2))
        books, shop = backend.books(), backend.reservations()
        for home in range(2):
            reserve(shop, books.shopper_at(home))
        backend.clock.now = OPENS + HOLD_MS
        return backend

    event = queue_event(*[(SALE, shard, OPENS + HOLD_MS) for shard in range(2)])

    def expire(point: int) -> bool:
        backend = prepare()
        killed = _is_killed(backend, point, lambda: backend.hold_expiry()(event, None))
        _check(backend)
        assert backend.hold_expiry()(event, None) == {"batchItemFailures": []}
        assert _check(backend).counts() == (2, 0, 0)
        return killed

    def sweep(point: int) -> bool:
        backend = prepare()
        killed = _is_killed(backend, point, lambda: backend.stock_sweeper()({}, None))
        _check(backend)
        backend.stock_sweeper()({}, None)
        assert _check(backend).counts() == (2, 0, 0)
        return killed

    assert every_kill(expire) == 10
    assert every_kill(sweep) >= 16


def test_a_restock() -> None:
    def restock(point: int) -> bool:
        _empty()
        backend = AwsBackend(sale(sku(stock=3), shards=3))

        def add() -> None:
            backend.operator().restock(SALE, "more", "HERO", 5, "op")

        killed = _is_killed(backend, point, add)
        add()
        add()
        books = _check(backend)
        assert books.counts() == (8, 0, 0)
        assert [restock.done for restock in books.campaign.restocks] == [True]
        return killed

    assert every_kill(restock) == 14


def _check(backend: AwsBackend) -> Backend:
    books = backend.books()
    books.check(finished_restocks=False)
    return books
