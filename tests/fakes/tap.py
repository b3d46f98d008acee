"""Taps every call that leaves the process, so that a test can count it, make it fail or stop the process there.

The interposed object is the port itself: what is behind it does not know, and what is before it does not either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast


class Killed(BaseException):
    """The process has ended here; no `except Exception` may get in the way."""


@dataclass
class Tap:
    """Sees each call before and after it has its effect.

    `calls` are the names of all calls so far. `before` and `after` are run around each call with its name; whatever
    they raise is what the caller gets.
    """

    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] = field(default=lambda _: None)
    after: Callable[[str], None] = field(default=lambda _: None)

    def count(self, *prefixes: str) -> int:
        """Return how many calls had a name that begins with one of `prefixes`."""
        return sum(name.startswith(prefixes) for name in self.calls)

    def tally(self) -> Counter[str]:
        """Return how often each call was made."""
        return Counter(self.calls)

    def run(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call."""
        self.before(name)
        self.calls.append(name)
        answer = call()
        self.after(name)
        return answer


@dataclass
class _Tapped:
    _port: object
    _prefix: str
    _tap: Tap

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._port, method)
        return lambda *args, **kwargs: self._tap.run(f"{self._prefix}.{method}", lambda: call(*args, **kwargs))


def tapped[Port](port: Port, prefix: str, tap: Tap) -> Port:
    """Return `port`, with each of its calls going through `tap` under the name "prefix.method"."""
    return cast("Port", _Tapped(port, prefix, tap))


@contextmanager
def failing(tap: Tap, name: str, error: BaseException, *, committed: bool = False) -> Iterator[None]:
    """Let the next call of that name fail: before its effect, or after it (`committed`: only the answer is lost)."""
    fired = False

    def fail(called: str) -> None:
        nonlocal fired
        if called == name and not fired:
            fired = True
            raise error

    setattr(tap, "after" if committed else "before", fail)
    try:
        yield
    finally:
        tap.before = tap.after = lambda _: None
    assert fired, f"{name} was never called"


@contextmanager
def killed_at(tap: Tap, point: int) -> Iterator[None]:
    """End the process at a point: 2k is before call number k, 2k + 1 is after it, when its effect has happened."""
    seen = 0

    def step(_: str) -> None:
        nonlocal seen
        if seen == point:
            raise Killed
        seen += 1

    tap.before = tap.after = step
    try:
        yield
    finally:
        tap.before = tap.after = lambda _: None


def every_kill(run: Callable[[int], bool], *, at_most: int = 400) -> int:
    """Call `run` with point 0, 1, 2 ... until it returns that it was not killed; return the number of kills.

    So no step can be forgotten: a step that is added later is one more point.
    """
    for point in range(at_most):
        if not run(point):
            return point
    raise AssertionError(f"not done after {at_most} points")
