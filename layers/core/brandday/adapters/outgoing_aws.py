"""What connectors send through AWS: messages to queues of others, and e-mail.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from brandday.adapters.aws import error_code, is_overload, overload_translated
from brandday.connectors.port import AwsRefused

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_REGION: Final = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com")


class OutgoingAws:
    """The port `Aws`. `sqs_in` makes a client for a region (None: our own); `ses` is made when first needed."""

    def __init__(self, sqs_in: "Callable[[str | None], SQSClient]", ses: Callable[[], Any]) -> None:
        self._sqs_in = sqs_in
        self._make_ses = ses
        self._sqs: dict[str | None, SQSClient] = {}
        self._ses: Any = None

    def send_message(self, queue_url: str, body: str, attributes: Mapping[str, str]) -> str:
        """Send a message and return its id; in a FIFO queue, `delivery_id` keeps it apart from others."""
        fifo: Any = {}
        if queue_url.endswith(".fifo"):
            fifo = {
                "MessageGroupId": attributes["delivery_id"],
                "MessageDeduplicationId": attributes["delivery_id"],
            }
        typed: Any = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        return self._asked(
            lambda: self._client_of(queue_url).send_message(
                QueueUrl=queue_url, MessageBody=body, MessageAttributes=typed, **fifo
            )["MessageId"]
        )

    def send_email(self, sender: str, to: str, subject: str, text: str, headers: Mapping[str, str]) -> str:
        """Send an e-mail and return SES's id."""
        simple = {
            "Subject": {"Data": subject, "Charset": "UTF-8"},
            "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
            "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
        }
        if self._ses is None:
            self._ses = self._make_ses()
        return self._asked(
            lambda: self._ses.send_email(
                FromEmailAddress=sender, Destination={"ToAddresses": [to]}, Content={"Simple": simple}
            )["MessageId"]
        )

    def _client_of(self, queue_url: str) -> "SQSClient":
        """A queue is only served by its own region; an emulator's URL names none."""
        named = _REGION.match(queue_url)
        region = named[1] if named else None
        if region not in self._sqs:
            self._sqs[region] = self._sqs_in(region)
        return self._sqs[region]

    @staticmethod
    def _asked(send: Callable[[], str]) -> str:
        with overload_translated():
            try:
                return send()
            except ClientError as error:
                if is_overload(error):
                    raise
                raise AwsRefused(error_code(error)) from error
