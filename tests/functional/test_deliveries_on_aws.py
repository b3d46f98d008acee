"""The adapters of deliveries against moto: queues, dead letters, secrets while they are changed, mail."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws
from moto.ses.models import ses_backends

from brandday.adapters import aws
from brandday.adapters.dead_letters import DeadLetters
from brandday.adapters.fulfilment_queue import FulfilmentQueue, read_dispatch
from brandday.adapters.outgoing_aws import OutgoingAws
from brandday.adapters.secrets import Secrets
from brandday.connectors.port import AwsRefused, SecretMissing, SecretUnreadable
from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.reward_ports import Dispatch

SENDER = "brandday@shop.example"
ACCOUNT = "123456789012"
"""moto's own, unless told otherwise."""


@pytest.fixture(autouse=True)
def account() -> Iterator[None]:
    """An empty account."""
    with mock_aws():
        yield


def _sqs() -> Any:
    return aws.sqs_client(900)


def _outgoing() -> OutgoingAws:
    return OutgoingAws(lambda region: aws.sqs_client(900, region), lambda: aws.ses_client(900))


# --- our own queues ---------------------------------------------------------------------------------------------


def test_messages_are_sent_in_batches_and_read_back() -> None:
    sqs = _sqs()
    url = sqs.create_queue(QueueName="fulfilments")["QueueUrl"]
    dispatches = [Dispatch(f"rwd_{number}", number, 1) for number in range(23)]

    FulfilmentQueue(sqs, url).send(dispatches)

    read = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        read += [read_dispatch(message["Body"]) for message in messages]
    assert sorted(read) == sorted(dispatches)


def test_a_postponed_message_is_hidden_and_comes_again() -> None:
    sqs = _sqs()
    url = sqs.create_queue(QueueName="fulfilments")["QueueUrl"]
    queue = FulfilmentQueue(sqs, url)
    queue.send([Dispatch("rwd_1", 1, 1)])
    handle = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]

    queue.postpone(handle, 10**12)  # SQS would refuse more than twelve hours
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    queue.postpone(handle, 0)
    (again,) = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


def test_dead_letters_can_be_sent_back_as_they_are_and_say_why_they_died() -> None:
    sqs = _sqs()
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    letters = DeadLetters(sqs, url)

    letters.bury(Dispatch("rwd_1", 2, 3), "422 no\x00 such prize " + "x" * 500)
    letters.bury(Dispatch("rwd_2", 1, 1), "")
    letters.bury_unreadable("{", "not a dispatch")

    found: dict[str, str] = {}
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=60
    ).get("Messages"):
        found |= {each["Body"]: each["MessageAttributes"]["reason"]["StringValue"] for each in messages}
    first = next(iter(body for body in found if "rwd_1" in body))
    assert read_dispatch(first) == Dispatch("rwd_1", 2, 3)
    assert found[first].startswith("422 no  such prize xxx")
    assert len(found[first]) == 200
    assert sorted(found.values())[1:] == ["not a dispatch", "unknown"]


# --- secrets ----------------------------------------------------------------------------------------------------


class CountingClient:
    """Counts calls on their way to Secrets Manager."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls = 0

    def get_secret_value(self, **arguments: Any) -> Any:
        self.calls += 1
        return self._client.get_secret_value(**arguments)


def test_while_a_secret_is_changed_both_values_are_live_the_newest_first() -> None:
    client = aws.secrets_client(900)
    client.create_secret(Name="brandday/partner", SecretString="one")
    assert Secrets(client).get("brandday/partner") == (b"one",)

    client.put_secret_value(SecretId="brandday/partner", SecretString="two")
    assert Secrets(client).get("brandday/partner") == (b"two", b"one")
    client.put_secret_value(SecretId="brandday/partner", SecretBinary=b"\x00three")
    assert Secrets(client).get("brandday/partner") == (b"\x00three", b"two")


def test_values_are_remembered_for_a_while_also_that_there_is_no_second_one() -> None:
    client = aws.secrets_client(900)
    client.create_secret(Name="brandday/partner", SecretString="one")
    counting: Any = CountingClient(client)
    secrets = Secrets(counting)

    assert [secrets.get("brandday/partner") for _ in range(50)] == [(b"one",)] * 50
    assert counting.calls == 2  # one for each stage


def test_a_missing_secret_is_not_remembered_as_missing() -> None:
    client = aws.secrets_client(900)
    secrets = Secrets(client)
    with pytest.raises(SecretMissing):
        secrets.get("brandday/partner")
    client.create_secret(Name="brandday/partner", SecretString="one")
    assert secrets.get("brandday/partner") == (b"one",)


def test_a_secret_that_may_not_be_read_is_not_a_missing_one() -> None:
    class Refusing:
        def get_secret_value(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue")

    refusing: Any = Refusing()
    with pytest.raises(SecretUnreadable, match="AccessDeniedException"):
        Secrets(refusing).get("brandday/partner")


# --- queues and mail of others ----------------------------------------------------------------------------------


def test_a_message_goes_to_a_queue_of_another_region() -> None:
    there = boto3.client("sqs", region_name="eu-west-1")
    there.create_queue(QueueName="prizes")
    url = "https://sqs.eu-west-1.amazonaws.com/123456789012/prizes"

    sent = _outgoing().send_message(url, '{"a":1}', {"delivery_id": "rwd_1", "type": "reward.granted"})

    (message,) = there.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent, '{"a":1}')
    assert message["MessageAttributes"]["delivery_id"]["StringValue"] == "rwd_1"


def test_a_fifo_queue_keeps_repetitions_of_a_delivery_apart_by_its_id() -> None:
    sqs = _sqs()
    url = sqs.create_queue(QueueName="prizes.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    outgoing = _outgoing()

    for delivery in ("rwd_1", "rwd_1", "rwd_2"):
        outgoing.send_message(url, "same body", {"delivery_id": delivery})

    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert counted["Attributes"]["ApproximateNumberOfMessages"] == "2"


def test_a_queue_that_is_not_there_is_a_refusal_and_names_the_reason() -> None:
    with pytest.raises(AwsRefused, match="NonExistentQueue"):
        _outgoing().send_message("https://sqs.us-east-1.amazonaws.com/123456789012/nobody", "{}", {})


def test_an_email_is_sent_from_a_verified_sender_with_its_headers() -> None:
    boto3.client("sesv2").create_email_identity(EmailIdentity=SENDER)

    sent = _outgoing().send_email(
        SENDER, "prizes@partner.example", "Reward 奖品", "hello", {"X-Brandday-Delivery": "rwd_1"}
    )

    (message,) = ses_backends[ACCOUNT]["us-east-1"].sent_messages
    assert message.id == sent
    assert message.source == SENDER
    assert message.destinations["ToAddresses"] == ["prizes@partner.example"]
    assert "Reward 奖品" in json.dumps(str(vars(message)), ensure_ascii=False)


def test_an_unverified_sender_is_a_refusal() -> None:
    with pytest.raises(AwsRefused, match="MessageRejected"):
        _outgoing().send_email("nobody@shop.example", "prizes@partner.example", "s", "t", {})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientError({"Error": {"Code": "TooManyRequestsException"}}, "SendEmail"), TemporarilyOverloaded),
        (ClientError({"Error": {"Code": "RequestThrottled"}}, "SendMessage"), TemporarilyOverloaded),
        (ClientError({"Error": {"Code": "ServiceUnavailable"}}, "SendEmail"), TemporarilyOverloaded),
        (ConnectTimeoutError(endpoint_url="https://sqs"), TemporarilyOverloaded),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "SendMessage"), AwsRefused),
        (ClientError({"Error": {"Code": "SendingPausedException"}}, "SendEmail"), AwsRefused),
    ],
)
def test_what_aws_says_is_either_for_later_or_for_good(error: Exception, expected: type[Exception]) -> None:
    class Failing:
        def send_message(self, **_: Any) -> Any:
            raise error

        def send_email(self, **_: Any) -> Any:
            raise error

    failing: Any = Failing()
    outgoing = OutgoingAws(lambda _: failing, lambda: failing)
    with pytest.raises(expected):
        outgoing.send_message("https://sqs.eu-west-1.amazonaws.com/123456789012/prizes", "", {})
    with pytest.raises(expected):
        outgoing.send_email(SENDER, "a@b.example", "", "", {})
