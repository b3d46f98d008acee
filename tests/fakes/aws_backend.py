"""The whole backend on the real adapters, over moto: one thread only, a settable clock, every API call tapped.

Trouble is brought in where it comes from: in the client's answer, so that all of our own code sees it as it would be.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from brandday.adapters import aws
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.hold_queue import HoldQueue
from brandday.adapters.keys import parse_shard_key
from brandday.adapters.stock_stream import read_change
from brandday.adapters.stock_table import StockTable, decode_shard
from brandday.adapters.summary_table import SummaryTable
from brandday.domain.campaign import Campaign
from brandday.domain.trail import TrailEntry
from brandday.entrypoints import on_hold_due, on_stock_changed, on_sweep_due
from brandday.entrypoints.http import build_app
from brandday.entrypoints.reservations import ROUTES, ReservationUseCases
from brandday.usecases.expire_holds import ExpireHolds
from brandday.usecases.keep_summary import KeepSummary
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.manage_reservation import ManageReservation
from brandday.usecases.operate_campaign import OperateCampaign
from brandday.usecases.project_stock import ProjectStock
from brandday.usecases.reserve_units import ReserveUnits
from brandday.usecases.sweep_stock import SweepStock
from brandday_local.template_tables import table_shape
from tests.events import http_event
from tests.fakes.backend import OPENS, SALE, Backend
from tests.fakes.clock import SettableClock
from tests.fakes.destinations import all_reachable
from tests.fakes.tap import Tap

TIMEOUT_MS = 900
type Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
type Trouble = Callable[[], tuple[Any, dict[str, Any]] | None]
"""Called instead of sending a request: raises, or returns the HTTP response and what it was parsed to."""


class _Response:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


class _Clients:
    """Clients are dear to make, so all worlds share them; their calls belong to the world that was made last."""

    def __init__(self) -> None:
        self.dynamodb, self.sqs = aws.dynamodb_client(TIMEOUT_MS), aws.sqs_client(TIMEOUT_MS)
        self.backend: AwsBackend | None = None
        for client in (self.dynamodb, self.sqs):
            events: Any = client.meta.events
            events.register("before-call", self._before)
            events.register("after-call", self._after)

    def _before(self, model: Any, **_: Any) -> Any:
        return None if self.backend is None else self.backend.before_call(str(model.name))

    def _after(self, model: Any, **_: Any) -> None:
        if self.backend is not None:
            self.backend.tap.after(str(model.name))


@cache
def _shape(table: str) -> Any:
    return table_shape(table)


@cache
def _clients() -> _Clients:
    return _Clients()


class AwsBackend:
    """One campaign's world; to be made inside `mock_aws`."""

    def __init__(self, campaign: Campaign, *, now: int = OPENS) -> None:
        self.clock = SettableClock(now)
        self.tap = Tap()
        self.lines: list[Mapping[str, Any]] = []
        self._trouble: Trouble | None = None
        self._trouble_with = ""
        clients = _clients()
        self.dynamodb, self.sqs = clients.dynamodb, clients.sqs
        clients.backend = None
        for table in ("StockTable", "CampaignTable"):
            self.dynamodb.create_table(TableName=table, **_shape(table))
        self.queue_url = self.sqs.create_queue(QueueName="HoldQueue")["QueueUrl"]
        self.campaigns = CampaignTable(self.dynamodb, "CampaignTable")
        self.stock = StockTable(self.dynamodb, "StockTable")
        self.campaigns.save(campaign, 0, TrailEntry("0", now, "op", "apply", campaign.version, ()))
        clients.backend = self

    def before_call(self, name: str) -> Any:
        """Trouble instead of an answer, or None to go on."""
        if self._trouble is not None and name == self._trouble_with:
            answer = self._trouble()
            if answer is not None:
                return answer
        self.tap.before(name)
        self.tap.calls.append(name)
        return None

    @contextmanager
    def trouble(self, call: str, trouble: Trouble) -> Iterator[None]:
        """Answer every call of that name with trouble."""
        self._trouble_with, self._trouble = call, trouble
        try:
            yield
        finally:
            self._trouble = None

    # --- functions, built as the composition root builds them ---

    def reservations(self) -> Handler:
        """A cold environment of ReservationsFunction."""
        live = LiveCampaigns(self.campaigns, self.clock)
        manage = ManageReservation(live, self.stock, self.clock)
        use_cases = ReservationUseCases(
            ReserveUnits(live, self.stock, self.clock), manage.get, manage.cancel, manage.extend, manage.confirm
        )
        return build_app(ROUTES, use_cases, now_ms=self.clock, jitter=lambda: 0.5, write=self.lines.append)

    def stock_projector(self) -> Handler:
        """A cold environment of StockProjectorFunction."""
        project = ProjectStock(self._live(), self._keep_summary(), self._hold_queue(), self.clock)
        return on_stock_changed.build_handler(project, read_change, write=self.lines.append)

    def hold_expiry(self) -> Handler:
        """A cold environment of HoldExpiryFunction."""
        expire = ExpireHolds(self._live(), self.stock, self._hold_queue(), self.clock)
        return on_hold_due.build_handler(expire, lambda _: None, write=self.lines.append)

    def stock_sweeper(self) -> Handler:
        """A cold environment of StockSweeperFunction."""
        sweep = SweepStock(self._live(), self.campaigns, self.stock, self._keep_summary(), self.clock)
        return on_sweep_due.build_handler(sweep, write=self.lines.append)

    def operator(self) -> OperateCampaign:
        """Who pauses and restocks."""
        return OperateCampaign(self.campaigns, self.stock, self.clock, bytes, all_reachable)

    def _live(self) -> LiveCampaigns:
        return LiveCampaigns(self.campaigns, self.clock)

    def _keep_summary(self) -> KeepSummary:
        return KeepSummary(SummaryTable(self.dynamodb, "CampaignTable"), self.clock)

    def _hold_queue(self) -> HoldQueue:
        return HoldQueue(self.sqs, self.queue_url)

    # --- the truth ---

    def books(self) -> Backend:
        """What is in the tables, as a backend in memory that can be counted and checked."""
        campaign, attributes = self.campaigns.load(SALE, consistent=True)
        del attributes
        backend = Backend(campaign, now=self.clock())
        for item in self.dynamodb.scan(TableName="StockTable")["Items"]:
            campaign_id, number = parse_shard_key(item["pk"]["S"])
            backend.stock.shards[campaign_id, number] = decode_shard(number, item)
        return backend


def reserve(handler: Handler, shopper: str, *, key: str = "key-12345678", quantity: int = 1) -> dict[str, Any]:
    """Ask for units over HTTP; return the answer with its body read."""
    return ask(
        handler,
        "reserve_units",
        shopper,
        path={"campaign_id": SALE},
        body={"sku": "HERO", "quantity": quantity},
        headers={"idempotency-key": key},
    )


def ask(handler: Handler, route: str, shopper: str, **event: Any) -> dict[str, Any]:
    """Send the event of a route on behalf of a shopper (for orders: of the shop); return the answer, body read."""
    answer = handler(http_event(route, claims={"sub": shopper}, **event), None)
    return answer | {"body": json.loads(answer["body"])}


def error_answer(code: str, status: int = 400, *, reasons: tuple[str, ...] = ()) -> Trouble:
    """The answer of a service that refuses with that code."""

    def answer() -> tuple[Any, dict[str, Any]]:
        parsed: dict[str, Any] = {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        if reasons:
            parsed["CancellationReasons"] = [{"Code": reason} for reason in reasons]
        return _Response(status), parsed

    return answer


def raising(error: BaseException) -> Trouble:
    """No answer at all."""

    def answer() -> None:
        raise error

    return answer
