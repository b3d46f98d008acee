"""Baseline: few shoppers who take their time. What one request takes when nothing is in its way."""

import time

from locust import between, task

from tests.load.shoppers import LoadShopper, play
from tests.load.stage import Stage, flash_sale, new_name


def set_up(stage: Stage) -> None:
    """A sale with enough for everybody."""
    stage.opens_at = time.time() - 1
    stage.put_on("sale", flash_sale(new_name("baseline"), 50_000, stage.opens_at))


play(set_up)


class Buyer(LoadShopper):
    """Looks, reserves, looks at the reservation, pays."""

    wait_time = between(0.5, 1.5)

    @task
    def buy(self) -> None:
        """One purchase from the page to the payment."""
        self.ask("GET", f"/v1/campaigns/{self.stage.names['sale']}", "campaign page")
        status, reservation = self.reserve()
        if status == 201:
            self.ask("GET", f"/v1/reservations/{reservation['id']}", "look at a reservation")
            self.pay(reservation["id"])
        self.become_somebody_else()
