"""What is written down about a request: one line of JSON, and nothing about a person."""

import json
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

type WriteLine = Callable[[Mapping[str, Any]], None]

_FRAMES: Final = 20
_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


def write_line(line: Mapping[str, Any]) -> None:
    """Write `line` to standard output, where Lambda takes it from.

    Not through a logger: that costs ten times as much, on every request.
    """
    sys.stdout.write(_encode(line) + "\n")


def unexpected(error: BaseException, *, request_id: str, secrets: Iterable[str]) -> dict[str, Any]:
    """The line about an error nobody foresaw; `secrets` are blotted out of its message."""
    message = str(error)
    for secret in secrets:
        if secret:
            message = message.replace(secret, "***")
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return {
        "level": "ERROR",
        "message": "unexpected error",
        "request_id": request_id,
        "error": type(error).__name__,
        "reason": message[:500],
        "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
