"""The one composition root: builds each function's handler from the environment.

Every builder imports what its function needs and nothing else, so that a cold start does not pay for the others.
Tests build the same use cases with fakes; nothing is patched.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from brandday.adapters import aws
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.clock import now_ms
from brandday.config.settings import Settings
from brandday.usecases.live_campaigns import LiveCampaigns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from brandday.adapters.refusal_table import RefusalTable
    from brandday.adapters.stock_table import StockTable

    type Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class _Tables:
    """The tables of the environment, over one client."""

    def __init__(self) -> None:
        self.settings = Settings.from_env()
        self.client = aws.dynamodb_client(self.settings.database_timeout_ms)
        self.campaigns = CampaignTable(self.client, self.settings.campaign_table)

    @property
    def refusals(self) -> RefusalTable:
        from brandday.adapters.refusal_table import RefusalTable

        return RefusalTable(self.client, self.settings.campaign_table, part=now_ms())

    @property
    def stock(self) -> StockTable:
        from brandday.adapters.stock_table import StockTable

        return StockTable(self.client, self.settings.stock_table)


def reservations() -> Handler:
    """Return the handler of reservations."""
    from brandday.entrypoints.access_log import write_line
    from brandday.entrypoints.http import build_app
    from brandday.entrypoints.reservations import ROUTES, ReservationUseCases
    from brandday.usecases.count_refusals import CountRefusals
    from brandday.usecases.manage_reservation import ManageReservation
    from brandday.usecases.reserve_units import ReserveUnits

    tables = _Tables()
    live, stock = LiveCampaigns(tables.campaigns, now_ms), tables.stock
    manage = ManageReservation(live, stock, now_ms)
    use_cases = ReservationUseCases(
        reserve_units=ReserveUnits(live, stock, now_ms),
        get_reservation=manage.get,
        cancel_reservation=manage.cancel,
        extend_reservation=manage.extend,
        confirm_reservation=manage.confirm,
    )
    count = CountRefusals(tables.refusals, now_ms)

    def write(line: Mapping[str, Any]) -> None:
        write_line(line)
        code, campaign_id = line.get("code"), line.get("campaign_id", "")
        if code and live.knows(campaign_id):  # made-up ids are not worth a row
            count(campaign_id, code)

    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random, write=write)


def campaigns() -> Handler:
    """Return the handler of the public campaign pages."""
    from brandday.entrypoints.campaigns import ROUTES, CampaignUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.browse_campaigns import BrowseCampaigns

    tables = _Tables()
    browse = BrowseCampaigns(LiveCampaigns(tables.campaigns, now_ms), tables.campaigns, now_ms)
    use_cases = CampaignUseCases(list_campaigns=browse.list_campaigns, get_campaign=browse.get_campaign)
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


def stock_projector() -> Handler:
    """Return the handler of StockTable's stream."""
    from brandday.adapters.hold_queue import HoldQueue
    from brandday.adapters.stock_stream import read_change
    from brandday.adapters.summary_table import SummaryTable
    from brandday.entrypoints.on_stock_changed import build_handler
    from brandday.usecases.keep_summary import KeepSummary
    from brandday.usecases.project_stock import ProjectStock

    tables = _Tables()
    timeout = tables.settings.database_timeout_ms
    return build_handler(
        ProjectStock(
            LiveCampaigns(tables.campaigns, now_ms),
            KeepSummary(SummaryTable(tables.client, tables.settings.campaign_table), now_ms),
            HoldQueue(aws.sqs_client(timeout), tables.settings.hold_queue_url),
            now_ms,
        ),
        read_change,
    )


def hold_expiry() -> Handler:
    """Return the handler of HoldQueue."""
    from brandday.adapters.hold_queue import HoldQueue
    from brandday.entrypoints.on_hold_due import build_handler
    from brandday.usecases.expire_holds import ExpireHolds

    tables = _Tables()
    queue = HoldQueue(aws.sqs_client(tables.settings.database_timeout_ms), tables.settings.hold_queue_url)
    return build_handler(ExpireHolds(LiveCampaigns(tables.campaigns, now_ms), tables.stock, queue, now_ms))


def stock_sweeper() -> Handler:
    """Return the handler of the sweeper's schedule."""
    from brandday.adapters.summary_table import SummaryTable
    from brandday.entrypoints.on_sweep_due import build_handler
    from brandday.usecases.keep_summary import KeepSummary
    from brandday.usecases.sweep_stock import SweepStock

    tables = _Tables()
    return build_handler(
        SweepStock(
            LiveCampaigns(tables.campaigns, now_ms),
            tables.campaigns,
            tables.stock,
            KeepSummary(SummaryTable(tables.client, tables.settings.campaign_table), now_ms),
            now_ms,
        )
    )


def admin() -> Handler:
    """Return the handler of the operators' routes."""
    from brandday.adapters.clock import random_bytes
    from brandday.entrypoints.admin import ROUTES, AdminUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.inspect_campaign import InspectCampaign
    from brandday.usecases.operate_campaign import OperateCampaign

    tables = _Tables()
    use_cases = AdminUseCases(
        operate=OperateCampaign(tables.campaigns, tables.stock, now_ms, random_bytes),
        inspect=InspectCampaign(tables.campaigns, tables.refusals, now_ms),
    )
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)
