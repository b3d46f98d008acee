"""The schedule: time to look what has to be sealed, drawn or handed out."""

from collections.abc import Callable
from typing import Any

from brandday.entrypoints.access_log import WriteLine, write_line

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


class DrawsNeedAttention(Exception):
    """Some draws cannot go on by themselves; the lines before this one say which, and why.

    It makes the run a failed one, which is what the alarm watches. What could be done was done.
    """


def build_handler(run: Callable[[], int], *, write: WriteLine = write_line) -> LambdaHandler:
    """Return the handler of the schedule; the next minute's run does what was left."""

    def lambda_handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
        troubles = run()
        write({"level": "INFO", "message": "looked at draws", "troubles": troubles})
        if troubles:
            raise DrawsNeedAttention(f"{troubles} draws")
        return {"troubles": troubles}

    return lambda_handler
