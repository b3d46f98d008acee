"""Hot SKU: far more shoppers than units, and they do not give up. Nearly all answers are refusals."""

import os
import time

from locust import constant_pacing, task

from tests.load.shoppers import LoadShopper, play
from tests.load.stage import Stage, flash_sale, new_name

STOCK = int(os.environ.get("LOAD_STOCK", "50"))


def set_up(stage: Stage) -> None:
    """A sale of very little."""
    stage.opens_at = time.time() - 1
    stage.put_on("sale", flash_sale(new_name("hot"), STOCK, stage.opens_at))


play(set_up)


class Hopeful(LoadShopper):
    """Asks once a second, pays when it works, and sends the next of the family then."""

    wait_time = constant_pacing(1)

    @task
    def try_once(self) -> None:
        """One try."""
        status, reservation = self.reserve()
        if status == 201:
            self.pay(reservation["id"])
            self.become_somebody_else()
