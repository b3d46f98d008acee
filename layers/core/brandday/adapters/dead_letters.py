"""The dead-letter queue of rewards: messages whose rewards were given up, each with the reason beside it.

SQS moves a message there by itself only when it was received a thousand times; all others are put there by the worker,
so that what is there has failed for good.
"""

from typing import TYPE_CHECKING, Any, Final

from brandday.adapters.aws import overload_translated
from brandday.adapters.fulfilment_queue import dispatch_body
from brandday.usecases.reward_ports import Dispatch

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MAX_REASON: Final = 200


class DeadLetters:
    """Puts messages into the dead-letter queue."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def bury(self, dispatch: Dispatch, reason: str) -> None:
        """Put a message there; TemporarilyOverloaded unless it was taken."""
        self._send(dispatch_body(dispatch), reason)

    def bury_unreadable(self, body: str, reason: str) -> None:
        """Put a message there that nobody could read, as it came."""
        self._send(body, reason)

    def _send(self, body: str, reason: str) -> None:
        words = "".join(char if char.isprintable() else " " for char in reason).strip()[:_MAX_REASON]
        attributes: Any = {"reason": {"DataType": "String", "StringValue": words or "unknown"}}
        with overload_translated():
            self._client.send_message(QueueUrl=self._url, MessageBody=body, MessageAttributes=attributes)
