"""Chaos: the sustained load, while functions of the local stack are killed in the middle of their work.

Only on this machine: an account has its own ways to break. What must hold is the same as on any day, and the audit says
whether it does.
"""

import contextlib
import os
import random
import signal
import time

import gevent
from locust import constant_throughput, events, task
from locust.env import Environment

from tests.load.shoppers import BUSY, LoadShopper, play
from tests.load.stage import Stage, flash_sale, new_name
from tests.local_environments import environments_of

EVERY_SECONDS = 2.0
LOST = frozenset((500, 502, 504))
"""What the gateway says for a function that was killed: nobody knows what it had done by then."""

FUNCTIONS = ("-ReservationsFunction-", "-StockProjectorFunction-", "-HoldExpiryFunction-", "-RewardIssuerFunction-")


def set_up(stage: Stage) -> None:
    """A sale, on the local stack."""
    if stage.stack is None:
        raise RuntimeError("chaos kills functions of the local stack; it has nothing to kill elsewhere")
    stage.opens_at = time.time() - 1
    stage.put_on("sale", flash_sale(new_name("chaos"), 400, stage.opens_at))
    gevent.spawn(_kill, stage)


def _kill(stage: Stage) -> None:
    chance = random.Random(1)
    while stage.stack is not None:
        gevent.sleep(EVERY_SECONDS)
        running = [pid for pid, name in environments_of(stage.stack) if any(each in name for each in FUNCTIONS)]
        if running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(running), signal.SIGKILL)
                killed.append(time.time())


killed: list[float] = []
play(set_up)


@events.test_stop.add_listener
def bitten(environment: Environment, **_: object) -> None:
    """A run in which nothing was killed has proved nothing."""
    if not killed:
        environment.process_exit_code = 1


class Buyer(LoadShopper):
    """Buys; when an answer is lost, asks again with the same key."""

    wait_time = constant_throughput(1)
    again = BUSY | LOST

    @task
    def buy(self) -> None:
        """One purchase, come what may."""
        status, reservation = self.reserve()
        if status == 201:
            self.pay(reservation["id"])
        self.become_somebody_else()
