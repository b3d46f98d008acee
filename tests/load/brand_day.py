"""A whole brand day: people browse, buy in the flash sale, try their luck, take coupons and check their carts."""

import time
import uuid
from typing import Any

from locust import between, task

from tests.load.shoppers import LoadShopper, play
from tests.load.stage import Stage, coupons, flash_sale, lottery, new_name

MONEY = {"currency": "CNY"}
CART: dict[str, Any] = {
    "currency": "CNY",
    "lines": [{"sku": "TEA", "category": "food", "quantity": 2, "unit_price": {"amount": 3000, **MONEY}}],
    "shipping": {"amount": 800, **MONEY},
    "channel": "app",
}


def set_up(stage: Stage) -> None:
    """Everything at once."""
    stage.opens_at = time.time() + 5
    stage.put_on("sale", flash_sale(new_name("day"), 300, stage.opens_at))
    stage.put_on("coupons", coupons(new_name("coupons"), 500, stage.opens_at))
    if stage.webhook:
        stage.put_on("lottery", lottery(new_name("lottery"), 100, stage.opens_at, stage.webhook))


play(set_up)


class Visitor(LoadShopper):
    """Does what people do, most of it looking."""

    wait_time = between(0.5, 2)

    @task(5)
    def browse(self) -> None:
        """Look at what is on."""
        self.ask("GET", "/v1/campaigns", "what is on")
        self.ask("GET", f"/v1/campaigns/{self.stage.names['sale']}", "campaign page")

    @task(3)
    def buy(self) -> None:
        """Buy, or hear why not."""
        status, reservation = self.reserve()
        if status == 201:
            self.pay(reservation["id"])

    @task(2)
    def try_luck(self) -> None:
        """Enter the lottery, if there is one (prizes need somebody who hands them over)."""
        if "lottery" in self.stage.names:
            self.ask("POST", f"/v1/campaigns/{self.stage.names['lottery']}/entries", "enter the lottery")

    @task(2)
    def use_a_coupon(self) -> None:
        """Take a coupon, check the cart with it, order with it."""
        status, coupon = self.ask("POST", f"/v1/campaigns/{self.stage.names['coupons']}/coupons", "take a coupon")
        if status != 201:
            return
        self.ask("POST", "/v1/validations", "check a cart", {"codes": [coupon["code"]], "order": CART})
        if self.stage.orders:
            order: dict[str, Any] = {
                "order_id": f"order-{uuid.uuid4().hex[:12]}",
                "codes": [coupon["code"]],
                "order": CART,
            }
            order["shopper"] = {"id": self.name}
            self.ask("POST", "/v1/redemptions", "redeem", order, token=self.stage.orders)

    @task(1)
    def somebody_else_comes(self) -> None:
        """The next person."""
        self.become_somebody_else()
