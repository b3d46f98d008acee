"""The schedule: time to sweep the rewards."""

from collections.abc import Callable
from typing import Any

from brandday.entrypoints.access_log import WriteLine, write_line

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def build_handler(sweep: Callable[[], int], *, write: WriteLine = write_line) -> LambdaHandler:
    """Return the handler of the schedule; after an error the next minute's run does what was left."""

    def lambda_handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
        changed = sweep()
        write({"level": "INFO", "message": "swept rewards", "rewards": changed})
        return {"rewards": changed}

    return lambda_handler
