"""The way of a request to an environment: API Gateway's throttle, Lambda's concurrency and how fast it grows.

Sources, as of the dates in `quotas.yaml`: an environment serves one request at a time and ten a second by the quota
(Lambda, "Understanding function scaling"); a function gets at most 1,000 more environments, or 10,000 more requests a
second, in 10 seconds, refilled continuously and not saved up ("Lambda scaling behavior").
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from brandday_cli.simulation.ticks import Spawned, Ticks

REQUESTS_PER_ENVIRONMENT = 10
"""Requests a second that Lambda lets through for each environment that the account or the function may have."""


@dataclass(frozen=True)
class Capacity:
    """What the API and Lambda are allowed; environments and requests per second."""

    api_rate: float
    api_burst: float
    provisioned: int
    concurrency: int
    growth: int = 1000
    growth_seconds: int = 10
    start_ms: int = 500


class Bucket:
    """So many at once, refilled evenly."""

    def __init__(self, ticks: Ticks, depth: float, a_second: float) -> None:
        self._ticks = ticks
        self._depth = depth
        self._per_ms = a_second / 1000
        self._level = depth
        self._at = ticks.now_ms

    def take(self, units: float = 1.0) -> bool:
        """Take from the bucket if enough is in it."""
        now = self._ticks.now_ms
        if now != self._at:
            self._level = min(self._depth, self._level + (now - self._at) * self._per_ms)
            self._at = now
        if self._level < units:
            return False
        self._level -= units
        return True


class Server(Protocol):
    """What runs in an environment."""

    def answers_at_once(self, request: int) -> bool:
        """Answer a request if that takes no call and changes no memory; say whether it was answered."""

    def serve(self, request: int) -> None:
        """Answer a request; sleeps while it waits for the database."""


class Environment:
    """One execution environment: serves one request at a time, and remembers what it has seen."""

    def __init__(self, fleet: "Fleet", server: "Server", handler_ms: int) -> None:
        self._fleet = fleet
        self._server = server
        self._handler_ms = handler_ms
        self._spawned = Spawned(fleet.ticks, self._work)

    def take(self, request: int) -> None:
        """Serve a request, then be free for the next one."""
        if self._server.answers_at_once(request):
            self._done(self._fleet.ticks.now_ms)
        else:
            self._spawned.do(request)

    def _work(self, request: int) -> None:
        began = self._fleet.ticks.now_ms
        self._server.serve(request)
        self._done(began)

    def _done(self, began: int) -> None:
        ticks = self._fleet.ticks  # the handler's own time passes after the answer is known
        self._fleet.busy_ms += ticks.now_ms - began + self._handler_ms
        ticks.call_at(ticks.now_ms + self._handler_ms, self._free)

    def _free(self) -> None:
        self._fleet.freed(self)


class Fleet:
    """All environments of one function; `serving` makes what a new one does with a request."""

    def __init__(self, ticks: Ticks, capacity: Capacity, serving: Callable[[], Server], handler_ms: int) -> None:
        self.ticks = ticks
        self.busy = 0
        self.peak_busy = 0
        self.started = 0
        self.api_throttles = 0
        self.lambda_throttles = 0
        self.busy_ms = 0
        self.invocations = 0
        self._capacity = capacity
        self._serving = serving
        self._handler_ms = handler_ms
        self._api = Bucket(ticks, capacity.api_burst, capacity.api_rate)
        self._growth = Bucket(ticks, capacity.growth, capacity.growth / capacity.growth_seconds)
        self._more_requests = Bucket(
            ticks,
            capacity.growth * REQUESTS_PER_ENVIRONMENT,
            capacity.growth * REQUESTS_PER_ENVIRONMENT / capacity.growth_seconds,
        )
        self._a_second = capacity.provisioned * REQUESTS_PER_ENVIRONMENT
        self._second = 0
        self._this_second = 0
        # The one that has waited longest is next: AWS does not say, and this spreads requests over the most memories.
        self._idle: deque[Environment] = deque(self._start() for _ in range(capacity.provisioned))

    def offer(self, request: int) -> bool:
        """Begin to serve a request, or say that it was throttled on the way."""
        if not self._api.take():
            self.api_throttles += 1
            return False
        if not self._may_run():
            self.lambda_throttles += 1
            return False
        self.invocations += 1
        self.busy += 1
        self.peak_busy = max(self.peak_busy, self.busy)
        if self._idle:
            self._idle.popleft().take(request)
        else:
            environment = self._start()
            self.ticks.call_at(self.ticks.now_ms + self._capacity.start_ms, lambda: environment.take(request))
        return True

    def freed(self, environment: Environment) -> None:
        """Take note that an environment can serve the next request."""
        self.busy -= 1
        self._idle.append(environment)

    def _may_run(self) -> bool:
        second = self.ticks.now_ms // 1000
        if second != self._second:
            # What was served in a second is the pace that the next one may have without growing.
            self._a_second = max(self._a_second, self._this_second)
            self._second, self._this_second = second, 0
        if not self._idle and (self.started >= self._capacity.concurrency or not self._growth.take()):
            return False
        if self._this_second >= self._a_second and (
            self._this_second >= self._capacity.concurrency * REQUESTS_PER_ENVIRONMENT or not self._more_requests.take()
        ):
            return False
        self._this_second += 1
        return True

    def _start(self) -> Environment:
        self.started += 1
        return Environment(self, self._serving(), self._handler_ms)
