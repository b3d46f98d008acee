"""A clock that stands still until it is told to move."""

from dataclasses import dataclass


@dataclass
class SettableClock:
    """The port `Clock`: epoch milliseconds, moved by hand."""

    now: int

    def __call__(self) -> int:
        """Return the time it was set to."""
        return self.now

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds
