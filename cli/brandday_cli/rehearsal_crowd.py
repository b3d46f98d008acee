"""The crowd of a rehearsal: several processes, so that the shoppers really come at the same moment.

Each process is started afresh (spawn), signs its own shoppers' tokens while nobody waits, and says that it is
ready. When the parent says so, all warm the backend up at once; when it names the opening, the shoppers come.
What was called comes back through one queue, the reads of the warm-up not among it.
"""

import asyncio
import multiprocessing
import queue
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from brandday_cli.rehearsal_plan import ShopperPlan
from brandday_cli.rehearsal_shopper import ApiSilent, Call, ShopFront, play_shopper
from brandday_cli.rehearsal_warm_up import warm_up

REPORT_SECONDS = 0.2
REQUEST_TIMEOUT = 15.0
TOKENS_PER_REPORT = 50

type MintToken = Callable[[str, str, Mapping[str, str]], str]
"""``mint(subject, scope, claims)`` returns a token."""

type OpenMint = Callable[[], MintToken]
"""Called once in each process; must be importable by name, since the processes share no memory."""


class CrowdFailed(Exception):
    """A process of the crowd died, so the rehearsal says nothing."""


class Signed(NamedTuple):
    """So many tokens more are signed."""

    tokens: int


class Ready(NamedTuple):
    """A process has all its tokens."""


class Warm(NamedTuple):
    """A process had answers for so many requests in flight."""

    lanes: int


class Happened(NamedTuple):
    """Calls answered, and visits finished, since the last report."""

    calls: list[Call]
    visits: int


class Finished(NamedTuple):
    """All of a process's shoppers have gone home."""


class Failed(NamedTuple):
    """A process gave up, and why."""

    why: str


type Report = Signed | Ready | Warm | Happened | Finished | Failed


@dataclass(frozen=True)
class Order:
    """What one process is told at its start."""

    url: str
    plans: tuple[ShopperPlan, ...]
    claims: Mapping[str, str]
    open_mint: OpenMint
    most_at_once: int


class Crowd:
    """The running processes; a context manager that leaves none behind."""

    def __init__(self, orders: list[Order]) -> None:
        context = multiprocessing.get_context("spawn")
        self._reports: Any = context.Queue()
        self._cues = [context.Queue() for _ in orders]
        self._processes = [
            context.Process(target=_run, args=(order, cues, self._reports), daemon=True)
            for order, cues in zip(orders, self._cues, strict=True)
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
            process.join()

    def warm_up(self) -> None:
        """Tell every process to warm the backend up, all at the same time."""
        for cues in self._cues:
            cues.put(None)

    def open_doors(self, campaign_id: str, opens_at: float) -> None:
        """Tell every process which campaign opens, and when (epoch seconds)."""
        for cues in self._cues:
            cues.put((campaign_id, opens_at))

    def reports_until(self, kind: type[Ready] | type[Warm] | type[Finished]) -> Iterator[Report | None]:
        """Yield reports until every process has sent one of ``kind``; ``None`` when nothing came for a while."""
        waiting = len(self._processes)
        while waiting:
            try:
                report: Report = self._reports.get(timeout=REPORT_SECONDS)
            except queue.Empty:
                if any(process.exitcode not in (None, 0) for process in self._processes):
                    raise CrowdFailed("a process of the crowd died; its error is above") from None
                yield None
                continue
            if isinstance(report, Failed):
                raise CrowdFailed(report.why)
            if isinstance(report, kind):
                waiting -= 1
            yield report


def _run(order: Order, cues: Any, reports: Any) -> None:
    """Be one process of the crowd; whatever goes wrong in it is the parent's to tell."""
    try:
        _sign_and_play(order, cues, reports)
    except* ApiSilent as silence:
        reports.put(Failed(str(silence.exceptions[0])))
    except* Exception as error:
        reports.put(Failed("".join(traceback.format_exception(error))))


def _sign_and_play(order: Order, cues: Any, reports: Any) -> None:
    mint, tokens = order.open_mint(), []
    for number, plan in enumerate(order.plans, 1):
        tokens.append(mint(plan.shopper_id, "shopper", order.claims))
        if number % TOKENS_PER_REPORT == 0 or number == len(order.plans):
            reports.put(Signed((number - 1) % TOKENS_PER_REPORT + 1))
    orders_token = mint("rehearsal-shop", "orders", {})
    reader_token = mint("rehearsal-warm-up", "shopper", order.claims)
    reports.put(Ready())
    cues.get()
    reports.put(Warm(asyncio.run(warm_up(order.url, reader_token, order.most_at_once))))
    campaign_id, opens_at = cues.get()
    asyncio.run(_play(order, tokens, orders_token, campaign_id, opens_at, reports))
    reports.put(Finished())


async def _play(
    order: Order, tokens: list[str], orders_token: str, campaign_id: str, opens_at: float, reports: Any
) -> None:
    calls: list[Call] = []
    visits = 0
    limits = httpx.Limits(max_connections=order.most_at_once, max_keepalive_connections=order.most_at_once)
    # The environment's proxies are not for loopback addresses, and a rehearsal goes nowhere else.
    async with httpx.AsyncClient(base_url=order.url, timeout=REQUEST_TIMEOUT, limits=limits, trust_env=False) as client:
        front = ShopFront(client, orders_token, order.most_at_once, calls.append)

        async def visit(plan: ShopperPlan, token: str) -> None:
            nonlocal visits
            await play_shopper(plan, token, front, campaign_id, opens_at)
            visits += 1

        async with asyncio.TaskGroup() as group:
            running = [group.create_task(visit(plan, token)) for plan, token in zip(order.plans, tokens, strict=True)]
            reported = 0.0
            while not all(task.done() for task in running):
                await asyncio.sleep(0.05)
                if calls and time.monotonic() - reported > REPORT_SECONDS:
                    reports.put(Happened(calls.copy(), visits))
                    calls.clear()
                    visits, reported = 0, time.monotonic()
        reports.put(Happened(calls.copy(), visits))
