"""Sustained: the same number of purchases each second for as long as the run lasts."""

import os
import time

from locust import constant_throughput, task

from tests.load.shoppers import LoadShopper, play
from tests.load.stage import Stage, flash_sale, new_name

PER_USER = float(os.environ.get("LOAD_PER_USER_PER_SECOND", "0.5"))


def set_up(stage: Stage) -> None:
    """A sale with enough for an hour."""
    stage.opens_at = time.time() - 1
    stage.put_on("sale", flash_sale(new_name("sustained"), 200_000, stage.opens_at))


play(set_up)


class Buyer(LoadShopper):
    """Reserves and pays at a steady rate."""

    wait_time = constant_throughput(PER_USER)

    @task
    def buy(self) -> None:
        """One purchase."""
        status, reservation = self.reserve()
        if status == 201:
            self.pay(reservation["id"])
        self.become_somebody_else()
