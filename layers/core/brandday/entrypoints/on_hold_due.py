"""HoldQueue: a hold's time has come.

Event: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import json
from collections.abc import Callable
from typing import Any

from brandday.domain.errors import BrandDayError
from brandday.entrypoints.access_log import WriteLine, unexpected, write_line
from brandday.usecases.expire_holds import ExpireHolds

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def build_handler(
    expire_holds: ExpireHolds, measure_lag: Callable[[int], None], *, write: WriteLine = write_line
) -> LambdaHandler:
    """Return the handler of reminders; messages that fail are reported one by one and come again.

    ``measure_lag`` is told by how many milliseconds the latest of a batch was late.
    """

    def lambda_handler(event: dict[str, Any], _: Any) -> dict[str, Any]:
        failures: list[dict[str, str]] = []
        lags: list[int] = []
        expire_holds.begin_batch()
        for record in event["Records"]:
            try:
                reminder = json.loads(record["body"])
                lag = expire_holds(str(reminder["campaign_id"]), int(reminder["shard"]), int(reminder["due_at"]))
                lags += [] if lag is None else [lag]
            except (BrandDayError, KeyError, TypeError, ValueError) as error:
                write(unexpected(error, request_id=record["messageId"], secrets=()))
                failures.append({"itemIdentifier": record["messageId"]})
        if lags:
            measure_lag(max(lags))
        write({"level": "INFO", "message": "expired", "records": len(event["Records"]), "failed": len(failures)})
        return {"batchItemFailures": failures}

    return lambda_handler
