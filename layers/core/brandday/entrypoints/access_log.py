"""What is written down about a request: one line of JSON, and nothing about a person."""

import json
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

type WriteLine = Callable[[Mapping[str, Any]], None]

_FRAMES: Final = 20
_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


def line_writer(encode: Callable[[Mapping[str, Any]], str]) -> WriteLine:
    """What writes lines to standard output, where Lambda takes them from, in the form that `encode` gives them.

    Not through a logger: that costs ten times as much, on every request.
    """

    def write(line: Mapping[str, Any]) -> None:
        sys.stdout.write(encode(line) + "\n")

    return write


write_line: Final = line_writer(_encode)
"""Writes a line; needs no library."""


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
