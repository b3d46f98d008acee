"""Simulated time: code that waits lets others go on, as in reality, but on one thread and in a fixed order.

Whatever may wait (a request in its environment, a consumer of the stream) is a greenlet of its own, so the product's
use cases run unmodified: where they would wait for DynamoDB, the simulated table lets the clock go on.
"""

import itertools
from collections.abc import Callable, Iterator

import greenlet

TICK_MS = 1
"""The clock's step. What happens within one step happens in the order in which it was asked for."""

type Action = Callable[[], object]


class Ticks:
    """A clock of whole milliseconds, and what is due at each."""

    def __init__(self, start_ms: int) -> None:
        self.now_ms = start_ms
        self._due: dict[int, list[Action]] = {}
        self._hub = greenlet.getcurrent()

    def now(self) -> int:
        """Return the time: the `Clock` of use cases."""
        return self.now_ms

    def call_at(self, moment_ms: int, action: Action) -> None:
        """Call `action` at a moment; what is due by now is called at the next step."""
        self._due.setdefault(max(moment_ms, self.now_ms + TICK_MS), []).append(action)

    def sleep(self, milliseconds: int) -> None:
        """Let everything else go on for so long; to be called from inside :meth:`begin`."""
        if milliseconds > 0:
            self.call_at(self.now_ms + milliseconds, greenlet.getcurrent().switch)
            self._hub.switch()

    def begin(self, action: Action) -> None:
        """Start something that may sleep, now; returns when it is done or sleeps."""
        greenlet.greenlet(action, self._hub).switch()

    @property
    def busy(self) -> bool:
        """Whether anything is still to come."""
        return bool(self._due)

    def run(self, until_ms: int) -> Iterator[int]:
        """Move the clock step by step, yielding each moment after what was due there was done."""
        for moment in range(self.now_ms, until_ms, TICK_MS):
            self.now_ms = moment
            for action in self._due.pop(moment, ()):
                action()
            yield moment


class Spawned:
    """A greenlet that does one job after the other: one for each environment, because starting one is dear."""

    def __init__(self, ticks: Ticks, job: Callable[[int], None]) -> None:
        hub = greenlet.getcurrent()

        def work() -> None:
            argument = 0
            for _ in itertools.count():
                argument = hub.switch()
                job(argument)

        self._greenlet = greenlet.greenlet(work, hub)
        self._greenlet.switch()
        self._ticks = ticks

    def do(self, argument: int) -> None:
        """Do the job with this argument, now; returns when it is done or sleeps. It must be idle."""
        self._greenlet.switch(argument)
