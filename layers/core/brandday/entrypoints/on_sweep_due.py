"""The schedule: time to sweep."""

from collections.abc import Callable
from typing import Any

from brandday.entrypoints.access_log import WriteLine, write_line

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def build_handler(sweep: Callable[[], int], *, write: WriteLine = write_line) -> LambdaHandler:
    """Return the handler of the schedule; an error makes Lambda repeat the whole, which does no harm."""

    def lambda_handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
        swept = sweep()
        write({"level": "INFO", "message": "swept", "shards": swept})
        return {"shards": swept}

    return lambda_handler
