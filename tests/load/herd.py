"""Thundering herd: everybody is there before the start, and taps in the same second."""

import os
import time

from locust import constant, task
from locust.exception import StopUser

from tests.load.shoppers import LoadShopper, play
from tests.load.stage import Stage, flash_sale, new_name

STOCK = int(os.environ.get("LOAD_STOCK", "100"))
GATHER_SECONDS = 10.0


def set_up(stage: Stage) -> None:
    """A sale that opens in a few seconds."""
    stage.opens_at = float(int(time.time() + GATHER_SECONDS))
    stage.put_on("sale", flash_sale(new_name("herd"), STOCK, stage.opens_at))


play(set_up)


class Waiting(LoadShopper):
    """Taps at the start second, twice as impatient people do, then pays or goes home."""

    wait_time = constant(0)

    @task
    def rush(self) -> None:
        """One tap, and one more; then home."""
        self.wait_for_opening()
        status, reservation = self.reserve(name="reserve in the rush")
        self.reserve(name="tap again")
        if status == 201:
            self.pay(reservation["id"])
        raise StopUser
