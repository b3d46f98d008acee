"""RewardTable's stream: a reward that is ready to leave goes to the queue."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brandday.entrypoints.access_log import WriteLine, write_line
from brandday.entrypoints.stream_batch import LambdaHandler, build_stream_handler
from brandday.usecases.dispatch_rewards import RewardChanged


def build_handler(
    dispatch: Callable[[Sequence[RewardChanged]], None],
    read_change: Callable[[Mapping[str, Any]], RewardChanged | None],
    *,
    write: WriteLine = write_line,
) -> LambdaHandler:
    """Return the handler of the stream's batches; ``read_change`` returns None for what is no reward."""
    return build_stream_handler(dispatch, read_change, done="dispatched", write=write)
