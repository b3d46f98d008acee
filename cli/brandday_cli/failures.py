"""How the command ends when it cannot do what was asked: in words, with what to do next, and with an exit
code.
"""

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What a script can tell from the exit code."""

    DONE = 0
    REFUSED = 1
    """The API refused, or a promise was found broken."""
    USAGE = 2
    """The command was written wrongly."""
    FILE = 3
    """A campaign file cannot work; nothing was sent."""
    UNAVAILABLE = 4
    """The API could not be reached or was too busy; the same command can be run again."""
    DECLINED = 5
    """The operator said no; nothing was changed."""


class CommandFailed(Exception):
    """The command cannot go on. `details` are shown as a list, `advice` says what to do next."""

    def __init__(self, message: str, *, exit_code: ExitCode, details: Sequence[str] = (), advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.details = tuple(details)
        self.advice = advice
