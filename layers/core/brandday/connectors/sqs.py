"""Rewards as messages in an SQS queue of another team or account.

The queue's own policy has to allow our function's role to send. The body is the same as a webhook's; the id is in the
message attribute `delivery_id`, and in a FIFO queue it also takes the place of SQS's own deduplication id, which only
holds for five minutes: the reader tells repetitions by it.
"""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from brandday.connectors import port
from brandday.connectors.port import Accepted, AwsRefused, Parcel, Refused, Tools, TryLater, Verdict
from brandday.connectors.secret_name import SecretName, trouble_with
from brandday.connectors.web_address import parse_web_address
from brandday.connectors.webhook import EVENT_TYPE, webhook_body
from brandday.connectors.words import clean
from brandday.domain.errors import TemporarilyOverloaded

_QUEUE = re.compile(
    r"https://sqs\.[a-z]{2}(-[a-z]+){1,3}-\d\.amazonaws\.com(\.cn)?/\d{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?"
)
_PATH = re.compile(r"/\d{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?")


def _queue_url(url: str) -> str:
    if not _PATH.fullmatch(parse_web_address(url).target):
        raise ValueError("must be a queue URL: https://sqs.<region>.amazonaws.com/<12 digits>/<name>")
    return url


class SqsOptions(port.Options):
    """Which queue, and the secret that signs receipts, if its reader sends any."""

    queue_url: Annotated[str, AfterValidator(_queue_url)]
    secret: SecretName | None = None


class SqsConnector:
    """Sends a reward to an SQS queue."""

    name: ClassVar[str] = "sqs"
    Options: ClassVar[type[port.Options]] = SqsOptions

    @staticmethod
    def destination(options: SqsOptions) -> str:
        """Return the queue's URL."""
        return options.queue_url

    @staticmethod
    def check(options: SqsOptions, tools: Tools) -> Mapping[str, str]:
        """Return what is wrong with the queue's URL and with the secret."""
        found: dict[str, str] = {}
        if not tools.allow_private and not _QUEUE.fullmatch(options.queue_url):
            found["queue_url"] = "must be a queue of AWS: https://sqs.<region>.amazonaws.com/<12 digits>/<name>"
        if secret := trouble_with(options.secret, tools):
            found["secret"] = secret
        return found

    @staticmethod
    def deliver(parcel: Parcel, options: SqsOptions, tools: Tools, now: int) -> Verdict:
        """Send the reward; the reference is SQS's message id."""
        del now
        if not tools.allow_private and not _QUEUE.fullmatch(options.queue_url):
            return Refused("not a queue of AWS")
        try:
            sent = tools.aws.send_message(
                options.queue_url,
                webhook_body(parcel).decode(),
                {"delivery_id": parcel.id, "type": EVENT_TYPE},
            )
        except AwsRefused as error:
            return Refused(clean(str(error)))
        except TemporarilyOverloaded:
            return TryLater("SQS did not take it")
        return Accepted(sent)

    @staticmethod
    def receipt_secret(options: SqsOptions) -> str | None:
        """Return the name of the secret, if one is declared."""
        return options.secret
