"""Shoppers in separate processes, each with Lambda environments of its own, over the real use cases and tables.

A process serves its shoppers one after the other, as an environment does, with memory that it shares with nobody.
Processes start together; in lockstep they also send each of their requests together.
"""

import heapq
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult, Pool
from multiprocessing.synchronize import Barrier, Event
from typing import TYPE_CHECKING

from benchmarks.ours import CAMPAIGN, SKU
from benchmarks.patterns import Pattern
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.stock_table import StockTable
from brandday.domain.campaign import Shopper
from brandday.domain.coupon_code import SECRET_BYTES, CodeKeys
from brandday.domain.errors import BrandDayError
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.manage_reservation import ManageReservation
from brandday.usecases.reserve_units import ReserveUnits
from brandday.usecases.take_coupon import TakeCoupon
from tests.engines import Engine, Tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PROCESSES = 4
ENVIRONMENTS = 4
"""Per process, taken in turn."""

COUPON_KEYS = CodeKeys.from_secret(bytes(range(SECRET_BYTES)))
"""What all processes make codes of coupons with."""

_START_WITHIN_SECONDS = 120


@dataclass(frozen=True)
class Tap:
    """One shopper asks for units; `pays` at once if granted; `comes_back` as told until granted, or told to stop.

    With `coupon` it is a coupon that is taken, which is the shopper's at once.
    """

    shopper: str
    key: str
    quantity: int = 1
    pays: bool = False
    comes_back: bool = False
    campaign_id: str = CAMPAIGN
    coupon: bool = False


@dataclass(frozen=True)
class Answer:
    """What a tap came to: `granted`, `replayed`, `resumed` or the code of a refusal; `at` is when it was known.

    Of a coupon `reservation_id` is its id.
    """

    tap: Tap
    code: str
    at: float
    reservation_id: str | None = None
    paid: bool = False
    visits: int = 1


class Processes:
    """Four processes that wait for taps; `stop` tells the shoppers who come back, or never end, to go home."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        start, self.stop = context.Barrier(PROCESSES), context.Event()
        self._pool: Pool = context.Pool(PROCESSES, _take_place, (start, self.stop))

    def close(self) -> None:
        self._pool.terminate()
        self._pool.join()

    def serve(self, tables: Tables, taps: Sequence[Tap], *, lockstep: bool = False) -> list[Answer]:
        """Serve the taps, dealt to the processes in turn, and return all answers."""
        with self.serving(tables, taps, lockstep=lockstep) as answers:
            return answers()

    @contextmanager
    def serving(
        self, tables: Tables, taps: Sequence[Tap], *, lockstep: bool = False
    ) -> Iterator[Callable[[], list[Answer]]]:
        """Serve the taps while the caller does something else; what is yielded waits for all answers."""
        parts = [(tables, tuple(taps[number::PROCESSES]), lockstep) for number in range(PROCESSES)]
        yield from self._running(_serve, parts)

    @contextmanager
    def serving_a_crowd(self, tables: Tables) -> Iterator[Callable[[], list[Answer]]]:
        """Serve one new shopper after the other until told to stop."""
        yield from self._running(_serve_a_crowd, [(tables, number) for number in range(PROCESSES)])

    def serve_pattern(
        self, make_pattern: Callable[[str], Pattern], run: str, engine: Engine, shoppers: Sequence[str]
    ) -> list[str]:
        """Sell by another pattern, in lockstep, and return the answers."""
        parts = [(make_pattern, run, engine, shoppers[number::PROCESSES]) for number in range(PROCESSES)]
        with contextmanager(self._running)(_serve_pattern, parts) as answers:
            return answers()

    def _running[Result](
        self, serve: Callable[..., list[Result]], parts: Iterable[tuple[object, ...]]
    ) -> Iterator[Callable[[], list[Result]]]:
        self.stop.clear()
        running: AsyncResult[list[list[Result]]] = self._pool.starmap_async(serve, parts, chunksize=1)
        try:
            yield lambda: [result for results in running.get(300) for result in results]
        finally:
            self.stop.set()
            running.wait(60)


_start: Barrier
_stop: Event


def _take_place(start: Barrier, stop: Event) -> None:
    """Barriers and events cannot travel with a task, only with the start of a process."""
    global _start, _stop
    _start, _stop = start, stop


class _Environment:
    def __init__(self, client: "DynamoDBClient", tables: Tables) -> None:
        stock = StockTable(client, tables.stock)
        campaigns = LiveCampaigns(CampaignTable(client, tables.campaign), _now)
        self._reserve = ReserveUnits(campaigns, stock, _now)
        self._manage = ManageReservation(campaigns, stock, _now)
        self._take = TakeCoupon(campaigns, stock, lambda: COUPON_KEYS, _now)

    def answer(self, tap: Tap) -> tuple[Answer, float]:
        """The answer, and after how many seconds to come back if it is no."""
        shopper = Shopper(tap.shopper, channel="app")
        if tap.coupon:
            return self._answer_taker(tap, shopper)
        try:
            outcome = self._reserve(shopper, tap.campaign_id, SKU, tap.quantity, tap.key)
        except BrandDayError as refused:
            return Answer(tap, refused.code, time.time()), (refused.retry_after_ms or 1000) / 1000
        at = time.time()
        code = "replayed" if outcome.replayed else "resumed" if outcome.resumed else "granted"
        if tap.pays and code == "granted":
            self._manage.confirm(outcome.reservation.id, f"order-{tap.shopper}")
            return Answer(tap, code, at, outcome.reservation.id, paid=True), 0
        return Answer(tap, code, at, outcome.reservation.id), 0

    def _answer_taker(self, tap: Tap, shopper: Shopper) -> tuple[Answer, float]:
        try:
            taken = self._take(shopper, tap.campaign_id, tap.key)
        except BrandDayError as refused:
            return Answer(tap, refused.code, time.time()), (refused.retry_after_ms or 1000) / 1000
        return Answer(tap, "replayed" if taken.replayed else "granted", time.time(), taken.facts.id), 0


def _serve(tables: Tables, taps: Sequence[Tap], lockstep: bool) -> list[Answer]:
    client = tables.engine.client()
    environments = [_Environment(client, tables) for _ in range(ENVIRONMENTS)]
    answers: list[Answer] = []
    waiting = [(0.0, number, 1) for number in range(len(taps))]
    _start.wait(_START_WITHIN_SECONDS)
    while waiting:
        due, number, visit = heapq.heappop(waiting)
        if due:
            _stop.wait(max(0.0, due - time.time()))
        if lockstep:
            _start.wait(_START_WITHIN_SECONDS)
        tap = taps[number]
        answer, wait = environments[(number + visit) % ENVIRONMENTS].answer(tap)
        if tap.comes_back and answer.reservation_id is None and not _stop.is_set():
            heapq.heappush(waiting, (time.time() + wait, number, visit + 1))
        else:
            answers.append(Answer(tap, answer.code, answer.at, answer.reservation_id, answer.paid, visit))
    return answers


def _serve_a_crowd(tables: Tables, process: int) -> list[Answer]:
    client = tables.engine.client()
    environments = [_Environment(client, tables) for _ in range(ENVIRONMENTS)]
    answers: list[Answer] = []
    _start.wait(_START_WITHIN_SECONDS)
    while not _stop.is_set():
        number = len(answers)
        tap = Tap(f"shopper-{process}-{number}", f"key-{process}-{number}")
        answers.append(environments[number % ENVIRONMENTS].answer(tap)[0])
    return answers


def _serve_pattern(
    make_pattern: Callable[[str], Pattern], run: str, engine: Engine, shoppers: Sequence[str]
) -> list[str]:
    environment = make_pattern(run).environment(engine.client(), _now)
    answers = []
    for shopper in shoppers:
        _start.wait(_START_WITHIN_SECONDS)
        answers.append(str(environment.claim(shopper, _now()).answer))
    return answers


def _now() -> int:
    return time.time_ns() // 1_000_000
