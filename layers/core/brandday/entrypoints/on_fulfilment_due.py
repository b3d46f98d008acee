"""FulfilmentQueue: rewards that are to be handed over.

Event: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import time
from collections.abc import Callable
from typing import Any, Protocol

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from brandday.domain.errors import TemporarilyOverloaded
from brandday.entrypoints.access_log import WriteLine, unexpected, write_line
from brandday.usecases.deliver_rewards import DeliverRewards, Handled
from brandday.usecases.delivery_ports import DeadLetters
from brandday.usecases.reward_ports import Dispatch

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


class Postpones(Protocol):
    """Lets a received message come again later."""

    def postpone(self, receipt_handle: str, wait_ms: int) -> None:
        """Hide the message for `wait_ms`; raises TemporarilyOverloaded."""


class _ComesAgain(Exception):
    """This message is not done: SQS must not delete it."""


def build_handler(
    deliver: DeliverRewards,
    queue: Postpones,
    dead_letters: DeadLetters,
    read_dispatch: Callable[[str], Dispatch],
    *,
    write: WriteLine = write_line,
    monotonic: Callable[[], float] = time.monotonic,
) -> LambdaHandler:
    """Return the handler of deliveries; `read_dispatch` raises ValueError for a body that makes no sense.

    Messages succeed and fail one by one. One that is put off counts as failed, after it was told when to come again.
    """
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        def handle(record: SQSRecord) -> None:
            try:
                dispatch = read_dispatch(record.body)
            except ValueError as error:
                dead_letters.bury_unreadable(record.body, str(error))
                write({"level": "ERROR", "message": "unreadable", "request_id": record.message_id})
                return
            began = monotonic()
            receives = int(record.attributes.approximate_receive_count)
            try:
                handled = deliver(dispatch, receives, context.get_remaining_time_in_millis())
            except TemporarilyOverloaded:
                handled = Handled("overloaded", deliver.back_off(receives, receives))
            except Exception as error:  # one reward nobody knows how to handle must not stop the others
                # Without its message: nobody knows what is in that.
                write(unexpected(error, request_id=record.message_id, secrets=()) | {"reason": ""})
                handled = Handled("unexpected", deliver.back_off(receives, receives))
            write(_line(dispatch, receives, handled, round((monotonic() - began) * 1000)))
            if handled.wait_ms is not None:
                _postpone(queue, record.receipt_handle, handled.wait_ms)
                raise _ComesAgain(handled.outcome)

        return dict(process_partial_response(event, handle, processor, context))

    return lambda_handler


def _postpone(queue: Postpones, receipt_handle: str, wait_ms: int) -> None:
    try:
        queue.postpone(receipt_handle, wait_ms)
    except Exception as error:
        # Then it comes when the queue's own time is over; what it was told does not matter for being right.
        raise _ComesAgain("not postponed") from error


def _line(dispatch: Dispatch, receives: int, handled: Handled, duration_ms: int) -> dict[str, Any]:
    return {
        "level": "INFO",
        "message": "delivery",
        "reward_id": dispatch.reward_id,
        "destination": handled.destination,
        "outcome": handled.outcome,
        "attempt": handled.attempt,
        "receives": receives,
        "wait_ms": handled.wait_ms,
        "duration_ms": duration_ms,
    }
