"""The shoppers of a simulated day: they come, come back as they are told, pay or do not, or give up."""

import random
from collections import Counter
from collections.abc import Callable

from brandday.entrypoints.problem import spread
from brandday_cli.simulation.day import Crowd
from brandday_cli.simulation.ticks import Ticks

type Request = int
"""A shopper's claim, as one number to keep ten million of them small: who, how often throttled, how often come back.
A payment is -1 minus its place in the list of payments."""

_COUNT_BITS = 8
_COUNT = (1 << _COUNT_BITS) - 1
_BACK_OFF_MS = 500
_BACK_OFF_AT_MOST_MS = 8000


def claim_of(shopper: int) -> Request:
    """Return a shopper's first request."""
    return shopper << 2 * _COUNT_BITS


def shopper_of(request: Request) -> int:
    """Return whose claim it is."""
    return request >> 2 * _COUNT_BITS


def is_first(request: Request) -> bool:
    """Whether this is the first that anybody hears of this shopper."""
    return request >= 0 and not request & ((1 << 2 * _COUNT_BITS) - 1)


class Shoppers:
    """Decides who sends which request when."""

    def __init__(self, ticks: Ticks, crowd: Crowd, dice: random.Random) -> None:
        self.answers: Counter[str] = Counter()
        self.turned_away_at: Counter[int] = Counter()
        self.asked_at: Counter[int] = Counter()
        self.granted_at: Counter[int] = Counter()
        self.throttled_at: Counter[int] = Counter()
        self.waiting = 0
        """Requests that will come: retries and payments."""
        self._payments: list[str] = []
        self._ticks = ticks
        self._crowd = crowd
        self._dice = dice.random
        self._offer: Callable[[Request], bool] = lambda _: False
        self._start_ms = ticks.now_ms
        self._again: dict[int, list[Request]] = {}

    @property
    def second(self) -> int:
        """The second of the day that it is now."""
        return (self._ticks.now_ms - self._start_ms) // 1000

    def go_to(self, offer: Callable[[Request], bool]) -> None:
        """Send requests there from now on; `offer` says whether one got through to an environment."""
        self._offer = offer

    def send(self, request: Request) -> None:
        """Send a request now."""
        self.asked_at[self.second] += 1
        if not self._offer(request):
            self.throttled(request, None)

    def send_due(self) -> None:
        """Send what was to be sent again at this moment."""
        for request in self._again.pop(self._ticks.now_ms, ()):
            self.waiting -= 1
            self.send(request)

    # --- answers ---

    def granted(self, reservation_id: str) -> None:
        """A shopper holds a unit, and may come to pay for it."""
        self.answers["granted"] += 1
        self.granted_at[self.second] += 1
        if self._dice() < self._crowd.pays:
            self._payments.append(reservation_id)
            thinks = self._crowd.pays_after_s * (0.25 + 1.5 * self._dice())
            self._later(-len(self._payments), int(thinks * 1000))

    def payment(self, request: Request) -> str:
        """Return which reservation a payment is for."""
        return self._payments[-request - 1]

    def paid(self) -> None:
        """A payment has arrived."""
        self.answers["paid"] += 1

    def all_held(self, request: Request, retry_after_ms: int | None) -> None:
        """All units are in carts; whoever has patience left comes back when they were told to."""
        self.answers["all_held"] += 1
        if request & _COUNT < self._crowd.patience:
            self._later(request + 1, spread(retry_after_ms, self._dice) or 0)

    def sold_out(self) -> None:
        """Every unit is sold: nobody comes back."""
        self.answers["sold_out"] += 1

    def throttled(self, request: Request, retry_after_ms: int | None) -> None:
        """Something was too busy; without a time to come back at, the wait doubles each time."""
        self.throttled_at[self.second] += 1
        times = (request >> _COUNT_BITS) & _COUNT if request >= 0 else 0
        if request >= 0 and times >= self._crowd.stubbornness:
            self.answers["gave_up"] += 1
            self.turned_away_at[self.second] += 1
            return
        wait = spread(retry_after_ms, self._dice)
        if wait is None:
            wait = int(self._dice() * min(_BACK_OFF_MS << times, _BACK_OFF_AT_MOST_MS))
        self._later(request + (1 << _COUNT_BITS) if request >= 0 else request, wait)

    def _later(self, request: Request, wait_ms: int) -> None:
        self.waiting += 1
        self._again.setdefault(self._ticks.now_ms + max(1, wait_ms), []).append(request)
