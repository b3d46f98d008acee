"""Reminders of holds, as delayed SQS messages.

API: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from brandday.adapters.aws import overload_translated
from brandday.domain.errors import TemporarilyOverloaded

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_DELAY_SECONDS = 900
_BATCH = 10


class HoldQueue:
    """Sends reminders; a queue delays 15 minutes at most, so one for a longer hold arrives early."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, reminders: Sequence[tuple[str, int, int]], now: int) -> None:
        """Send ``(campaign id, shard, due in epoch ms)``; TemporarilyOverloaded unless all were taken."""
        for at in range(0, len(reminders), _BATCH):
            entries: list[Any] = [
                {
                    "Id": str(number),
                    "MessageBody": json.dumps({"campaign_id": campaign_id, "shard": shard, "due_at": due}),
                    "DelaySeconds": min(MAX_DELAY_SECONDS, max(0, -(-(due - now) // 1000))),
                }
                for number, (campaign_id, shard, due) in enumerate(reminders[at : at + _BATCH])
            ]
            with overload_translated():
                answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            if answer.get("Failed"):
                raise TemporarilyOverloaded
