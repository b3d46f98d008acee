"""Queues of others: which URLs are queues, what is sent, and what AWS's answer means."""

import json

import pytest
from pydantic import ValidationError

from brandday.connectors.port import Accepted, Parcel, Refused, Tools, TryLater
from brandday.connectors.sqs import SqsConnector, SqsOptions
from tests.fakes.backend import OPENS
from tests.fakes.clock import SettableClock
from tests.fakes.outside_world import OutsideWorld

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/prizes"
LOCAL = "http://127.0.0.1:4566/000000000000/prizes"
OPTIONS = SqsOptions(queue_url=QUEUE)
PARCEL = Parcel("rwd_x", OPENS, {"reward_id": "rwd_x"})


def _outside() -> OutsideWorld:
    return OutsideWorld(SettableClock(OPENS))


def _tools(outside: OutsideWorld, *, allow_private: bool = False) -> Tools:
    return Tools(outside, outside, outside, 10_000, allow_private=allow_private)


@pytest.mark.parametrize(
    "url",
    [
        QUEUE,
        QUEUE + ".fifo",
        "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/prizes",
        "https://sqs.us-gov-west-1.amazonaws.com/123456789012/prizes",
        "https://sqs.ap-southeast-2.amazonaws.com/123456789012/a-b_c",
    ],
)
def test_these_are_queues_of_aws(url: str) -> None:
    assert SqsConnector.check(SqsOptions(queue_url=url), _tools(_outside())) == {}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "prizes",
        "arn:aws:sqs:eu-west-1:123456789012:prizes",
        "https://sqs.eu-west-1.amazonaws.com/prizes",
        "https://sqs.eu-west-1.amazonaws.com/1234/prizes",
        QUEUE + "?x",
        QUEUE + "/x",
        QUEUE + ".fif",
        "https://sqs.eu-west-1.amazonaws.com/123456789012/" + "x" * 81,
        "https://user@sqs.eu-west-1.amazonaws.com/123456789012/prizes",
    ],
)
def test_these_are_none(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SqsOptions(queue_url=url)
    assert [error["loc"] for error in refused.value.errors()] == [("queue_url",)]


@pytest.mark.parametrize(
    "url",
    [
        LOCAL,
        "http://sqs.eu-west-1.amazonaws.com/123456789012/prizes",
        "https://sqs.eu-west-1.amazonaws.com.evil.example/123456789012/prizes",
        "https://evil.example/123456789012/prizes",
        "https://sqs.eu-west-1.amazonaws.com:8443/123456789012/prizes",
    ],
)
def test_queues_of_an_emulator_are_for_the_local_stack(url: str) -> None:
    options, outside = SqsOptions(queue_url=url), _outside()

    assert list(SqsConnector.check(options, _tools(outside))) == ["queue_url"]
    assert isinstance(SqsConnector.deliver(PARCEL, options, _tools(outside), OPENS), Refused)
    assert outside.messages == []
    assert SqsConnector.check(options, _tools(outside, allow_private=True)) == {}
    assert SqsConnector.deliver(PARCEL, options, _tools(outside, allow_private=True), OPENS) == Accepted("message-1")


def test_the_message_is_the_webhooks_body_with_the_id_beside_it() -> None:
    outside = _outside()

    assert SqsConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS) == Accepted("message-1")

    ((url, body, attributes),) = outside.messages
    assert url == SqsConnector.destination(OPTIONS) == QUEUE
    assert json.loads(body) == {
        "type": "reward.granted",
        "timestamp": "2026-07-08T16:00:00.000Z",
        "data": {"reward_id": "rwd_x"},
    }
    assert attributes == {"delivery_id": "rwd_x", "type": "reward.granted"}


def test_what_aws_refuses_has_failed_and_what_it_has_no_time_for_is_tried_later() -> None:
    outside = _outside()
    outside.aws_refuses = "AWS.SimpleQueueService.NonExistentQueue"
    assert SqsConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS) == Refused(outside.aws_refuses)
    outside.aws_is_busy = True
    assert SqsConnector.deliver(PARCEL, OPTIONS, _tools(outside), OPENS) == TryLater("SQS did not take it")


def test_a_secret_is_only_looked_at_if_one_is_declared() -> None:
    outside = _outside()
    declared = SqsOptions(queue_url=QUEUE, secret="brandday/nobody")

    assert list(SqsConnector.check(declared, _tools(outside))) == ["secret"]
    assert SqsConnector.receipt_secret(declared) == "brandday/nobody"
    assert SqsConnector.receipt_secret(OPTIONS) is None
