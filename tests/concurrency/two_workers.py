"""Workers in separate processes, each a cold environment over the real table and real HTTP."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.synchronize import Barrier
from threading import Lock, Thread
from typing import Any, cast

from brandday.adapters.breaker_table import BreakerTable
from brandday.adapters.http_post import HttpPost
from brandday.adapters.reward_table import RewardTable
from brandday.connectors import CONNECTORS
from brandday.connectors.port import Tools
from brandday.domain.fulfilment import ConnectorChoice
from brandday.domain.reward import Reward
from brandday.usecases.circuit_breakers import CircuitBreakers
from brandday.usecases.deliver_rewards import DeliverRewards
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.reward_ports import Dispatch, Rewards
from tests.engines import Engine
from tests.fakes.clock import SettableClock
from tests.fakes.delivery_world import LAMBDA_MS, DeliveryWorld
from tests.fakes.memory_breakers import MemoryDeadLetters
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_rewards import MemoryCipher
from tests.fakes.outside_world import OutsideWorld

WORKERS = 3
_START_WITHIN_SECONDS = 120


class Careless:
    """Rewards without a lease: every worker believes that it has one. For the control."""

    def __init__(self, rewards: RewardTable) -> None:
        self._rewards = rewards

    def save(self, before: Reward, after: Reward) -> bool:
        """Say yes to every lease, and write none."""
        return True if after.lease is not None else self._rewards.save(before, after)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rewards, name)


@dataclass
class Receiver:
    """A partner that takes everything, slowly enough to be met by others, and counts requests by delivery id."""

    requests: Counter[str] = field(default_factory=Counter)
    port: int = 0

    def __enter__(self) -> "Receiver":
        requests, lock = self.requests, Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                with lock:
                    requests[self.headers["webhook-id"]] += 1
                time.sleep(0.02)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Workers:
    """Their processes, started once for all that they are given."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = context.Pool(WORKERS, _take_place, (context.Barrier(WORKERS),))

    def close(self) -> None:
        """Stop them."""
        self._pool.terminate()
        self._pool.join()

    def deliver_in_lockstep(
        self, engine: Engine, table: str, port: int, dispatches: Sequence[Dispatch], *, careless: bool = False
    ) -> list[list[str]]:
        """Give every message to every worker in the same moment; return the outcomes, worker by worker."""
        work = [(engine, table, port, dispatches, number, careless) for number in range(WORKERS)]
        return self._pool.starmap_async(_deliver, work, chunksize=1).get(300)


_start: Barrier


def _take_place(start: Barrier) -> None:
    """Barriers cannot travel with a task, only with the start of a process."""
    global _start  # noqa: PLW0603
    _start = start


def _deliver(
    engine: Engine, table: str, port: int, dispatches: Sequence[Dispatch], worker: int, careless: bool
) -> list[str]:
    with closing(engine.client()) as client:
        rewards = RewardTable(client, table)
        deliver = _environment(
            cast("Rewards", Careless(rewards)) if careless else rewards, BreakerTable(client, table), port, worker
        )
        outcomes = []
        for dispatch in dispatches:
            _start.wait(_START_WITHIN_SECONDS)
            outcomes.append(deliver(dispatch, 1, LAMBDA_MS).outcome)
        return outcomes


def _environment(rewards: Rewards, breakers: BreakerTable, port: int, worker: int) -> DeliverRewards:
    campaigns = MemoryCampaigns(MemorySummaries())
    choice = ConnectorChoice("webhook", {"url": f"http://127.0.0.1:{port}/", "secret": "brandday/partner"})
    campaign = DeliveryWorld.campaign(choice=choice)
    campaigns.campaigns[campaign.id] = campaign
    outside = OutsideWorld(SettableClock(0))  # for its secrets
    leases = iter(range(10**6))
    return DeliverRewards(
        rewards,
        LiveCampaigns(campaigns, _now),
        CONNECTORS,
        Tools(HttpPost(allow_private=True), outside, outside, 10_000, allow_private=True),
        MemoryCipher(),
        CircuitBreakers(breakers, _now),
        MemoryDeadLetters(),
        _now,
        lambda: 0.5,
        lambda: f"worker-{worker}-{next(leases)}",
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
