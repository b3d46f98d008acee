"""Rewards on their way to a connector, as SQS messages; back-off is a longer invisibility.

API: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from brandday.adapters.aws import overload_translated
from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.reward_ports import Dispatch

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LONGEST_POSTPONEMENT_SECONDS: Final = 11 * 60 * 60
"""SQS allows 12 hours in all from the receipt on."""

_BATCH: Final = 10


class FulfilmentQueue:
    """Sends messages, and puts off those that were received."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, dispatches: Sequence[Dispatch]) -> None:
        """Send messages; TemporarilyOverloaded unless all were taken."""
        for at in range(0, len(dispatches), _BATCH):
            entries: list[Any] = [
                {"Id": str(number), "MessageBody": dispatch_body(dispatch)}
                for number, dispatch in enumerate(dispatches[at : at + _BATCH])
            ]
            with overload_translated():
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise TemporarilyOverloaded

    def postpone(self, receipt_handle: str, wait_ms: int) -> None:
        """Let a received message come again after `wait_ms`, rounded up to seconds."""
        seconds = min(LONGEST_POSTPONEMENT_SECONDS, max(0, -(-wait_ms // 1000)))
        with overload_translated():
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
            )


def dispatch_body(dispatch: Dispatch) -> str:
    """Return a message's body."""
    return json.dumps(dispatch._asdict(), separators=(",", ":"))


def read_dispatch(body: str) -> Dispatch:
    """Return what a message's body says; ValueError if it says nothing we know."""
    told = json.loads(body)
    if not isinstance(told, dict) or set(told) != set(Dispatch._fields):
        raise ValueError("not a dispatch")
    reward_id, cycle, sent = (told[name] for name in Dispatch._fields)
    if not isinstance(reward_id, str) or not all(type(number) is int and number >= 0 for number in (cycle, sent)):
        raise ValueError("not a dispatch")
    return Dispatch(reward_id, cycle, sent)
