"""StockTable's stream: every change of a shard goes to the projector.

Event: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-create-package.html
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brandday.adapters.keys import parse_shard_key
from brandday.adapters.stock_table import decode_shard
from brandday.domain.errors import TemporarilyOverloaded
from brandday.entrypoints.access_log import WriteLine, unexpected, write_line
from brandday.usecases.project_stock import ShardChanged

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def build_handler(project: Callable[[Sequence[ShardChanged]], None], *, write: WriteLine = write_line) -> LambdaHandler:
    """Return the handler of stream batches.

    A batch is projected as a whole, up to a record that cannot be read; Lambda repeats from the record that is
    reported, and hands one that fails for good to the dead-letter queue.
    """

    def lambda_handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
        records = event["Records"]
        changes: list[ShardChanged] = []
        failed: str | None = None
        for record in records:
            try:
                change = read_change(record["dynamodb"])
            except (KeyError, ValueError, IndexError) as error:
                write(unexpected(error, request_id=record.get("eventID", ""), secrets=()))
                failed = record["dynamodb"]["SequenceNumber"]
                break
            if change is not None:
                changes.append(change)
        try:
            project(changes)
        except TemporarilyOverloaded:
            failed = records[0]["dynamodb"]["SequenceNumber"]
        write({"level": "INFO", "message": "projected", "records": len(changes), "failed_from": failed})
        return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}

    return lambda_handler


def read_change(change: Mapping[str, Any]) -> ShardChanged | None:
    """Return what a stream record says of a shard, or None if the shard is gone; ValueError if it is malformed."""
    if "NewImage" not in change:
        return None
    campaign_id, number = parse_shard_key(change["Keys"]["pk"]["S"])
    before = change.get("OldImage")
    return ShardChanged(
        campaign_id,
        None if before is None else decode_shard(number, before),
        decode_shard(number, change["NewImage"]),
    )
