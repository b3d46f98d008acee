"""What every scenario shares: setting up and judging a run, and shoppers who behave like shoppers.

A scenario is a Locust file that calls `play` and has user classes. Refusals that the API explains (sold out, limit
reached, not started, come back later) are answers, not failures; a failure is what no shopper should ever see: a server
error, an answer that is not the API's, "sold out" that is not true.
"""

import logging
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
from gevent import sleep, spawn_later
from locust import HttpUser, events
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from tests.load.bounds import LoadRefused, read_bounds
from tests.load.stage import Stage

STAY_SECONDS = 30.0
"""How long a shopper who is asked to come back goes on coming back."""

BUSY = frozenset((429, 503))

_log = logging.getLogger("load")
_run: dict[str, Any] = {}


def play(set_up: Callable[[Stage], None]) -> None:
    """Make this file a scenario: `set_up` publishes the run's campaigns before the first shopper comes.

    Afterwards they are ended and audited; whatever the audit finds, and a sale that said "sold out" with units left,
    makes the run fail (exit code 1).
    """

    @events.test_start.add_listener
    def begin(environment: Environment, **_: Any) -> None:
        if isinstance(environment.runner, MasterRunner | WorkerRunner):
            _refuse(environment, "run it in one process: shoppers' tokens and bounds are not shared between several")
            return
        try:
            bounds = read_bounds(environment.host or "", os.environ)
            stage = Stage.open(environment.host or "", bounds)
            set_up(stage)
        except Exception as error:  # whatever it is: no load without a stage
            _refuse(environment, str(error))
            return
        _run.update(stage=stage, left=bounds.requests, sold_out=False, environment=environment)
        _log.info(
            "up to %s requests to %s, campaigns %s", f"{bounds.requests:,}", stage.url, ", ".join(stage.names.values())
        )

    @events.request.add_listener
    def count(**_: Any) -> None:
        _run["left"] = _run.get("left", 0) - 1
        if _run["left"] == 0 and "environment" in _run:
            _log.warning("that was the last request of this run (LOAD_MOST_REQUESTS)")
            _run["environment"].runner.quit()

    @events.test_stop.add_listener
    def judge(environment: Environment, **_: Any) -> None:
        stage: Stage | None = _run.get("stage")
        if stage is None:
            return
        stage.close()
        problems = stage.audit(_run["sold_out"])
        for problem in problems:
            _log.error("audit: %s", problem)
        if problems:
            environment.process_exit_code = 1
        else:
            _log.info("audit: %s in order", ", ".join(stage.names.values()))


def _refuse(environment: Environment, why: str) -> None:
    _log.error("no load test: %s", why)
    environment.process_exit_code = 2
    if environment.runner is not None:
        spawn_later(0.5, environment.runner.quit)  # the run has only begun to start: it cannot end yet


class LoadShopper(HttpUser):
    """A shopper at the HTTP API; a new person with `become_somebody_else`."""

    abstract = True
    again = BUSY
    """What a good client takes for "come back": asked again with the same key."""

    def on_start(self) -> None:
        """Arrive as somebody."""
        self.become_somebody_else()

    def become_somebody_else(self) -> None:
        """Go on as a shopper who has nothing yet."""
        if "stage" not in _run:
            sleep(60)  # the run was refused, and is about to end
        try:
            self.token = self.stage.shopper()
            # Not verified: it is ours, and the API will do that.
            self.name: str = jwt.decode(self.token, options={"verify_signature": False})["sub"]
        except LoadRefused as error:
            _refuse(self.environment, str(error))
            sleep(60)

    @property
    def stage(self) -> Stage:
        """What is on."""
        stage: Stage = _run["stage"]
        return stage

    def wait_for_opening(self) -> None:
        """Wait for the start second, as everybody does."""
        sleep(max(0.0, self.stage.opens_at - time.time()))

    def ask(
        self,
        method: str,
        path: str,
        name: str,
        body: object = None,
        *,
        token: str | None = None,
        key: str | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Send one request and return its status and body; "come back later" is followed for STAY_SECONDS.

        A repetition has the same Idempotency-Key: it can never be a second claim.
        """
        headers = {"Authorization": f"Bearer {token or self.token}"}
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        stay_until = time.monotonic() + STAY_SECONDS
        while True:
            with self.client.request(
                method, path, name=name, json=body, headers=headers, catch_response=True
            ) as answer:
                document = _document(answer)
                code = str(document.get("code", ""))
                _run["sold_out"] |= code == "sold_out"
                if answer.status_code in self.again or (200 <= answer.status_code < 500 and (answer.ok or code)):
                    answer.success()
                else:
                    answer.failure(f"{answer.status_code} {code or answer.text[:80]}")
            if answer.status_code not in self.again or time.monotonic() > stay_until:
                return answer.status_code, document
            sleep(float(answer.headers.get("Retry-After", 1)))

    def reserve(self, *, name: str = "reserve") -> tuple[int, dict[str, Any]]:
        """Want the hero of the sale."""
        sale = self.stage.names["sale"]
        return self.ask("POST", f"/v1/campaigns/{sale}/reservations", name, {"sku": "HERO", "quantity": 1})

    def pay(self, reservation_id: str) -> None:
        """Have the shop confirm a reservation."""
        if self.stage.orders:
            body = {"order_id": f"order-{uuid.uuid4().hex[:12]}"}
            self.ask("POST", f"/v1/reservations/{reservation_id}/confirm", "confirm", body, token=self.stage.orders)


def _document(answer: Any) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
