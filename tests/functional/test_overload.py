"""The database is too busy, conflicts or does not answer: 503 with Retry-After, never "sold out", nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.sqs.models import sqs_backends

from tests.fakes.aws_backend import AwsBackend, Handler, Trouble, ask, error_answer, raising, reserve
from tests.fakes.backend import HOLD_MS, OPENS, SALE, sale, sku
from tests.fakes.event_sources import queue_event

URL = "https://dynamodb.us-east-1.amazonaws.com"

TROUBLES: dict[str, Trouble] = {
    "throttled": error_answer("ThrottlingException"),
    "table_throughput_exceeded": error_answer("ProvisionedThroughputExceededException"),
    "request_limit_exceeded": error_answer("RequestLimitExceeded"),
    "server_error": error_answer("InternalServerError", 500),
    "service_unavailable": error_answer("ServiceUnavailable", 503),
    "unknown_server_error": error_answer("SomethingNew", 502),
    "transaction_conflict": error_answer("TransactionConflictException"),
    "transaction_in_progress": error_answer("TransactionInProgressException"),
    "transaction_canceled": error_answer("TransactionCanceledException", reasons=("TransactionConflict", "None")),
    "read_timeout": raising(ReadTimeoutError(endpoint_url=URL)),
    "connect_timeout": raising(ConnectTimeoutError(endpoint_url=URL)),
    "connection_closed": raising(ConnectionClosedError(endpoint_url=URL)),
    "no_connection": raising(EndpointConnectionError(endpoint_url=URL)),
}
EVERY_TROUBLE = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())


class Moto:
    """AWS in memory; `reset` empties it."""

    def reset(self) -> None:
        for backend in (dynamodb_backends, sqs_backends):
            backend.reset()


@pytest.fixture(autouse=True)
def moto() -> Iterator[Moto]:
    with mock_aws():
        yield Moto()


def _expect_overloaded(answer: dict[str, Any]) -> None:
    assert (answer["statusCode"], answer["body"]["code"]) == (503, "temporarily_overloaded")
    assert int(answer["headers"]["Retry-After"]) >= 1
    assert 0 < answer["body"]["retry_after_ms"] <= 2000
    assert answer["headers"]["Content-Type"] == "application/problem+json"


def _two_shards() -> tuple[AwsBackend, str, str]:
    """Ann's home shard is empty, the other one has a unit."""
    backend = AwsBackend(sale(sku(stock=2), shards=2))
    books = backend.books()
    ann, bob = books.shopper_at(0), books.shopper_at(0, 1)
    assert reserve(backend.reservations(), bob)["statusCode"] == 201
    return backend, ann, bob


@EVERY_TROUBLE
def test_a_claim_that_meets_trouble_is_503_and_the_same_key_gets_its_unit_afterwards(trouble: Trouble) -> None:
    backend = AwsBackend(sale(sku(stock=1)))
    handler = backend.reservations()

    with backend.trouble("UpdateItem", trouble):
        _expect_overloaded(reserve(handler, "ann"))
        _expect_overloaded(reserve(handler, "ann"))
    assert backend.books().counts() == (1, 0, 0)

    assert reserve(handler, "ann")["statusCode"] == 201
    backend.books().check()


@EVERY_TROUBLE
@pytest.mark.parametrize("call", ["Query", "GetItem"])
def test_a_read_that_meets_trouble_is_503_whatever_is_asked(trouble: Trouble, call: str) -> None:
    backend = AwsBackend(sale(sku(stock=1)))
    made = reserve(backend.reservations(), "ann")["body"]
    path = {"reservation_id": made["id"]}
    before = backend.books().shards()
    cold = backend.reservations()

    with backend.trouble(call, trouble):
        _expect_overloaded(ask(cold, "get_reservation", "ann", path=path))
        _expect_overloaded(ask(cold, "cancel_reservation", "ann", path=path))
        _expect_overloaded(ask(cold, "extend_reservation", "ann", path=path))
        _expect_overloaded(ask(cold, "confirm_reservation", "shop", path=path, body={"order_id": "order-1"}))
    assert backend.books().shards() == before


@pytest.mark.parametrize("name", ["throttled", "read_timeout"])
def test_a_busy_database_is_never_mistaken_for_sold_out_or_all_held(name: str, moto: Moto) -> None:
    """Everything fails at every call number in turn, for a shopper whose unit is in another shard."""
    codes = []
    for nth in range(1, 12):
        moto.reset()
        backend, ann, _ = _two_shards()
        answer = _fail_nth_call(backend, nth, TROUBLES[name], backend.reservations(), ann)
        if answer["statusCode"] == 201:
            break
        _expect_overloaded(answer)
        codes.append(answer["body"]["code"])
        backend.books().check()
        assert reserve(backend.reservations(), ann)["statusCode"] == 201
        books = backend.books()
        books.check()
        assert books.counts() == (0, 2, 0)
    assert len(codes) == 5, "config, first write, look elsewhere, announce, claim"


def _fail_nth_call(backend: AwsBackend, nth: int, trouble: Trouble, handler: Handler, ann: str) -> dict[str, Any]:
    number = len(backend.tap.calls) + nth

    def fail_at(_: str) -> None:
        if len(backend.tap.calls) + 1 == number:
            answered = trouble()
            if answered is not None:
                raise ClientError(answered[1], "any")  # type: ignore[arg-type]  # as botocore makes it

    backend.tap.before = fail_at
    answer = reserve(handler, ann)
    backend.tap.before = lambda _: None
    return answer


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_time_out_whose_write_was_committed_is_replayed_to_the_same_key(number: int) -> None:
    """The answer to the first, second or third write is lost, after the write has happened."""
    backend, ann, _ = _two_shards()
    handler = backend.reservations()
    before = backend.tap.count("UpdateItem")

    def lose(name: str) -> None:
        if name == "UpdateItem" and backend.tap.count("UpdateItem") == before + number:
            raise ReadTimeoutError(endpoint_url=URL)

    backend.tap.after = lose
    _expect_overloaded(reserve(handler, ann))
    backend.tap.after = lambda _: None
    retry = reserve(handler, ann)

    assert retry["statusCode"] == 201
    assert ("Idempotent-Replayed" in retry["headers"]) is (number == 3)
    books = backend.books()
    books.check()
    assert books.counts() == (0, 2, 0)


def test_keys_that_were_left_unread_are_trouble_not_empty_shards() -> None:
    """BatchGetItem may answer with less than was asked for: what is missing is not free."""
    backend = AwsBackend(sale(sku(stock=3), shards=3))
    books = backend.books()
    for home in (0, 0):
        reserve(backend.reservations(), books.shopper_at(home))

    class Ok:
        status_code = 200

    def unprocessed() -> tuple[Any, dict[str, Any]]:
        return Ok(), {"Responses": {}, "UnprocessedKeys": {"StockTable": {"Keys": [{"pk": {"S": "x"}}]}}}

    with backend.trouble("BatchGetItem", unprocessed):
        _expect_overloaded(reserve(backend.reservations(), books.shopper_at(0, 1)))
    assert backend.books().counts() == (2, 1, 0)


@EVERY_TROUBLE
def test_expiry_and_projector_hand_back_what_they_could_not_do(trouble: Trouble) -> None:
    backend = AwsBackend(sale(sku(stock=1)))
    reserve(backend.reservations(), "ann")
    backend.clock.now = OPENS + HOLD_MS
    reminder = queue_event((SALE, 0, OPENS + HOLD_MS))

    with backend.trouble("UpdateItem", trouble):
        assert backend.hold_expiry()(reminder, None)["batchItemFailures"] == [{"itemIdentifier": "message-0"}]
    assert backend.books().counts() == (0, 1, 0)
    assert backend.hold_expiry()(reminder, None)["batchItemFailures"] == []
    assert backend.books().counts() == (1, 0, 0)


def test_what_is_no_overload_is_an_error_of_ours_and_says_nothing_about_stock() -> None:
    """The control: a denied call is 500, not 503, so the translation above is not a catch-all."""
    backend = AwsBackend(sale(sku(stock=1)))

    with backend.trouble("UpdateItem", error_answer("AccessDeniedException")):
        answer = reserve(backend.reservations(), "ann")

    assert (answer["statusCode"], answer["body"]["code"]) == (500, "internal_error")
    assert backend.books().counts() == (1, 0, 0)
