"""StockTable's stream: every change of a shard goes to the projector, and to the issuer of rewards."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brandday.entrypoints.access_log import WriteLine, write_line
from brandday.entrypoints.stream_batch import LambdaHandler, build_stream_handler
from brandday.usecases.project_stock import ShardChanged


def build_handler(
    handle: Callable[[Sequence[ShardChanged]], None],
    read_change: Callable[[Mapping[str, Any]], ShardChanged | None],
    *,
    done: str = "projected",
    write: WriteLine = write_line,
) -> LambdaHandler:
    """Return the handler of the stream's batches; ``done`` is what the log calls what ``handle`` does."""
    return build_stream_handler(handle, read_change, done=done, write=write)
