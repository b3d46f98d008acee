"""Virtual time: many actors that overlap as they would in reality, one of them running at a time.

A rush of one second is replayed in the same order for the same seed, however slow the machine is, and still every
request is in flight together with its neighbours: an actor that waits (for its next shopper, for the database) lets
the one whose turn comes first go on. So a benchmark sees the races of a real rush and gives the same figures twice.
"""

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable


class VirtualTime:
    """A clock in milliseconds that stands still while anybody works and jumps when everybody waits."""

    def __init__(self, start_ms: float) -> None:
        self.now_ms = start_ms
        self._waiting: list[tuple[float, int, threading.Lock]] = []
        self._order = itertools.count()  # first come, first served among those who wake at the same time
        self._mine = threading.local()
        self._all_done = threading.Lock()
        self._failures: list[BaseException] = []

    @property
    def others_wait(self) -> bool:
        """Whether any actor but the one that asks is still to go on."""
        return bool(self._waiting)

    def sleep(self, milliseconds: float) -> None:
        """Let the others go on, and return when the clock has moved by `milliseconds`."""
        self.sleep_until(self.now_ms + milliseconds)

    def sleep_until(self, moment_ms: float) -> None:
        """Let the others go on, and return at `moment_ms`; at once, but after others due now, if it is past."""
        turn: threading.Lock = self._mine.turn
        heapq.heappush(self._waiting, (max(moment_ms, self.now_ms), next(self._order), turn))
        self._wake_next()
        turn.acquire()

    def run(self, actors: Iterable[Callable[[], None]]) -> None:
        """Run all actors to their ends; raises the first error any of them met."""
        threads = [threading.Thread(target=self._act, args=(actor, self._ticket())) for actor in actors]
        for thread in threads:
            thread.start()
        self._all_done.acquire()
        self._wake_next()
        with self._all_done:  # the last actor gives it back
            pass
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def _ticket(self) -> threading.Lock:
        turn = threading.Lock()
        turn.acquire()
        heapq.heappush(self._waiting, (self.now_ms, next(self._order), turn))
        return turn

    def _act(self, actor: Callable[[], None], turn: threading.Lock) -> None:
        turn.acquire()
        self._mine.turn = turn
        try:
            actor()
        except BaseException as failure:
            self._failures.append(failure)
        finally:
            self._wake_next()

    def _wake_next(self) -> None:
        if self._waiting:
            moment, _, turn = heapq.heappop(self._waiting)
            self.now_ms = moment
            turn.release()
        else:
            self._all_done.release()
