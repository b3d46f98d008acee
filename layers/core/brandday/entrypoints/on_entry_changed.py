"""EntryTable's stream: a win becomes a reward, and what a killed request has left pending is settled."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brandday.entrypoints.access_log import WriteLine, write_line
from brandday.entrypoints.stream_batch import LambdaHandler, build_stream_handler
from brandday.usecases.lottery_ports import EntrantChanged


def build_handler(
    issue: Callable[[Sequence[EntrantChanged]], None],
    read_change: Callable[[Mapping[str, Any]], EntrantChanged | None],
    *,
    write: WriteLine = write_line,
) -> LambdaHandler:
    """Return the handler of the stream's batches."""
    return build_stream_handler(issue, read_change, done="issued", write=write)
