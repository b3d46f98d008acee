"""A queue and its dead-letter queue in SQS, for operators.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from brandday.adapters.aws import overload_translated
from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.dead_letter_ports import DeadLetter, QueueCounts

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HIDDEN_SECONDS: Final = 60
"""How long a received dead letter is hidden: longer than the 29 s that a request may take."""

_READY: Final = "ApproximateNumberOfMessages"
_IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"
_DELAYED: Final = "ApproximateNumberOfMessagesDelayed"
_NOT_THERE_ANY_MORE: Final = "ReceiptHandleIsInvalid"


class QueueAdmin:
    """Counts, receives, sends back and deletes; `url` is empty where only dead letters queue (a stream's)."""

    def __init__(self, client: "SQSClient", url: str, dead_letter_url: str) -> None:
        self._client = client
        self._url = url
        self._dead_letter_url = dead_letter_url

    def counts(self) -> QueueCounts:
        """Return SQS's own approximate counts; a dead letter that somebody looks at is counted, too."""
        dead = self._attributes(self._dead_letter_url)
        dead_letters = dead[_READY] + dead[_IN_FLIGHT]
        if not self._url:
            return QueueCounts(dead_letters)
        live = self._attributes(self._url)
        return QueueCounts(dead_letters, live[_READY], live[_IN_FLIGHT], live[_DELAYED])

    def receive(self, limit: int) -> Sequence[DeadLetter]:
        """Return some dead letters; asks all of SQS's servers, so that none means none."""
        with overload_translated():
            answer = self._client.receive_message(
                QueueUrl=self._dead_letter_url,
                MaxNumberOfMessages=limit,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return [
            DeadLetter(message["ReceiptHandle"], message["Body"], int(message["Attributes"]["SentTimestamp"]))
            for message in answer.get("Messages", ())
        ]

    def send_back(self, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Send copies to the queue they came from; return those that SQS took."""
        entries: list[Any] = [{"Id": str(number), "MessageBody": letter.body} for number, letter in enumerate(letters)]
        with overload_translated():
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
        return [letters[int(taken["Id"])] for taken in answer.get("Successful", ())]

    def delete(self, letters: Sequence[DeadLetter]) -> None:
        """Delete them; TemporarilyOverloaded unless all are gone."""
        entries: list[Any] = [
            {"Id": str(number), "ReceiptHandle": letter.handle} for number, letter in enumerate(letters)
        ]
        with overload_translated():
            answer = self._client.delete_message_batch(QueueUrl=self._dead_letter_url, Entries=entries)
        if any(failed["Code"] != _NOT_THERE_ANY_MORE for failed in answer.get("Failed", ())):
            raise TemporarilyOverloaded

    def _attributes(self, url: str) -> dict[str, int]:
        with overload_translated():
            answer = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=[_READY, _IN_FLIGHT, _DELAYED])
        return {name: int(value) for name, value in answer["Attributes"].items()}
