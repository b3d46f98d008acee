"""How Lambda hands records to a function: batches, partial failures, bisection, dead letters.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from brandday.adapters.keys import shard_key
from brandday.domain.shard import Shard
from brandday.usecases.project_stock import ShardChanged

type Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
type Record = dict[str, Any]


def stream_record(change: ShardChanged, number: int) -> Record:
    """Return a change as DynamoDB Streams tells it (NEW_AND_OLD_IMAGES)."""
    told: Record = {
        "Keys": {"pk": {"S": shard_key(change.campaign_id, change.after.number)}},
        "SequenceNumber": f"{number:021d}",
        "NewImage": _image(change.campaign_id, change.after),
    }
    if change.before is not None:
        told["OldImage"] = _image(change.campaign_id, change.before)
    return {"eventID": f"event-{number}", "eventName": "MODIFY" if change.before else "INSERT", "dynamodb": told}


def stream_records(changes: Iterable[ShardChanged]) -> list[Record]:
    """Return changes as a stream tells them, in their order."""
    return [stream_record(change, number) for number, change in enumerate(changes)]


def deliver_stream(handler: Handler, records: list[Record], *, attempts: int = 10) -> list[Record]:
    """Hand a batch to the handler until all is done; return the records that ended as dead letters.

    A reported record is where the next try begins; an exception makes Lambda halve the batch.
    """
    dead: list[Record] = []
    queue = [(records, attempts)]
    while queue:
        batch, left = queue.pop(0)
        if not batch:
            continue
        if not left:
            dead += batch[:1]
            queue.insert(0, (batch[1:], attempts))
            continue
        try:
            failures = handler({"Records": batch}, None)["batchItemFailures"]
        except Exception:  # whatever it is, Lambda does this
            if len(batch) > 1:
                half = len(batch) // 2
                queue[:0] = [(batch[:half], attempts), (batch[half:], attempts)]
            else:
                queue.insert(0, (batch, left - 1))
            continue
        if failures:
            failed = failures[0]["itemIdentifier"]
            start = next(at for at, record in enumerate(batch) if record["dynamodb"]["SequenceNumber"] == failed)
            queue.insert(0, (batch[start:], left - 1 if start == 0 else attempts))
    return dead


def queue_event(*reminders: tuple[str, int, int]) -> dict[str, Any]:
    """Return reminders as SQS hands them over."""
    return {
        "Records": [
            {
                "messageId": f"message-{number}",
                "body": json.dumps({"campaign_id": campaign_id, "shard": shard, "due_at": due}),
            }
            for number, (campaign_id, shard, due) in enumerate(reminders)
        ]
    }


def _image(campaign_id: str, shard: Shard) -> Record:
    return {
        "pk": {"S": shard_key(campaign_id, shard.number)},
        "v": {"N": str(shard.version)},
        **{f"f{slot}": {"N": str(units)} for slot, units in shard.free.items()},
        **{name: {"S": text} for name, text in shard.records.items()},
    }
