"""Batches of a table's stream, whatever the records are about.

Event: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-create-package.html
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brandday.domain.errors import TemporarilyOverloaded
from brandday.entrypoints.access_log import WriteLine, unexpected

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def build_stream_handler[Change](
    handle: Callable[[Sequence[Change]], None],
    read_change: Callable[[Mapping[str, Any]], Change | None],
    *,
    done: str,
    write: WriteLine,
) -> LambdaHandler:
    """Return the handler of stream batches; ``read_change`` raises ValueError or the like for a malformed record.

    A batch is handled as a whole, up to a record that cannot be read; Lambda repeats from the record that is
    reported, and hands one that fails for good to the dead-letter queue. ``done`` is what the log calls it.
    """

    def lambda_handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
        records = event["Records"]
        changes: list[Change] = []
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
            handle(changes)
        except TemporarilyOverloaded:
            failed = records[0]["dynamodb"]["SequenceNumber"]
        write({"level": "INFO", "message": done, "records": len(changes), "failed_from": failed})
        return {"batchItemFailures": [{"itemIdentifier": failed}] if failed else []}

    return lambda_handler
