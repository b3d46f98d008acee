"""Queues and their dead letters as operators have them, on SQS as moto has it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from brandday.adapters.queue_admin import QueueAdmin
from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.dead_letter_ports import DeadLetter

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def sqs() -> Iterator["SQSClient"]:
    """SQS, with a queue and its dead letters."""
    with mock_aws():
        client = boto3.Session("testing", "testing", region_name="us-east-1").client("sqs")
        client.create_queue(QueueName="holds")
        client.create_queue(QueueName="holds-dead")
        yield client
        client.close()


def url(sqs: "SQSClient", name: str) -> str:
    return sqs.get_queue_url(QueueName=name)["QueueUrl"]


@pytest.fixture
def admin(sqs: "SQSClient") -> QueueAdmin:
    return QueueAdmin(sqs, url(sqs, "holds"), url(sqs, "holds-dead"))


def bury(sqs: "SQSClient", number: int) -> None:
    for at in range(number):
        sqs.send_message(QueueUrl=url(sqs, "holds-dead"), MessageBody=f"message-{at}")


def test_dead_letters_go_back_and_are_gone(sqs: "SQSClient", admin: QueueAdmin) -> None:
    bury(sqs, 3)
    letters = admin.receive(10)
    assert sorted(letter.body for letter in letters) == ["message-0", "message-1", "message-2"]
    assert all(letter.sent_at > 1_700_000_000_000 for letter in letters)
    assert admin.receive(10) == []  # hidden
    assert admin.counts().dead_letters == 3
    assert list(admin.send_back(letters)) == list(letters)
    admin.delete(letters)
    counts = admin.counts()
    assert (counts.dead_letters, counts.waiting, counts.in_flight, counts.delayed) == (0, 3, 0, 0)
    received = sqs.receive_message(QueueUrl=url(sqs, "holds"), MaxNumberOfMessages=10)["Messages"]
    assert sorted(message["Body"] for message in received) == ["message-0", "message-1", "message-2"]


def test_no_more_are_received_than_asked_for(sqs: "SQSClient", admin: QueueAdmin) -> None:
    bury(sqs, 3)
    assert len(admin.receive(2)) == 2


def test_where_only_dead_letters_queue_nothing_else_is_counted(sqs: "SQSClient") -> None:
    bury(sqs, 1)
    assert QueueAdmin(sqs, "", url(sqs, "holds-dead")).counts() == (1, None, None, None)


def test_a_letter_whose_receipt_is_over_is_not_held_to_be_gone(admin: QueueAdmin) -> None:
    try:
        admin.delete([DeadLetter("made-up", "x", 0)])
    except TemporarilyOverloaded:
        pytest.fail("a receipt that is over is no trouble of ours: the letter comes again")
