"""The functions of flash sales: shoppers' requests, and what follows them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from brandday.adapters import aws
from brandday.adapters.clock import now_ms
from brandday.bootstrap.environment import Tables, start

if TYPE_CHECKING:
    from brandday.bootstrap.environment import Handler


@start
def reservations() -> Handler:
    """Return the handler of reservations."""
    from brandday.bootstrap.guards import Guards, guarded_app
    from brandday.entrypoints.reservations import ROUTES, ReservationUseCases
    from brandday.usecases.manage_reservation import ManageReservation
    from brandday.usecases.reserve_units import ReserveUnits

    tables = Tables()
    live, stock, guards = tables.live(), tables.stock, Guards(tables)
    manage = ManageReservation(live, stock, now_ms)
    use_cases = ReservationUseCases(
        reserve_units=ReserveUnits(live, stock, now_ms, guards.gate, guards.tallies),
        get_reservation=manage.get,
        cancel_reservation=manage.cancel,
        extend_reservation=manage.extend,
        confirm_reservation=manage.confirm,
    )
    return guarded_app(ROUTES, use_cases, tables, live, guards)


@start
def tickets() -> Handler:
    """Return the handler of entry tickets and challenges."""
    from brandday.adapters.clock import random_bytes
    from brandday.bootstrap.guards import Guards, guarded_app
    from brandday.entrypoints.tickets import ROUTES, TicketUseCases
    from brandday.usecases.issue_ticket import IssueTicket
    from brandday.usecases.pose_challenge import PoseChallenge

    tables = Tables()
    live, guards = tables.live(), Guards(tables)
    use_cases = TicketUseCases(
        issue_ticket=IssueTicket(live, guards.desk, guards.pass_keys, lambda: random_bytes(8).hex(), now_ms),
        pose_challenge=PoseChallenge(live, guards.desk, guards.pass_keys, now_ms),
    )
    return guarded_app(ROUTES, use_cases, tables, live, guards)


@start
def campaigns() -> Handler:
    """Return the handler of the public campaign pages."""
    from brandday.entrypoints.campaigns import ROUTES, CampaignUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.browse_campaigns import BrowseCampaigns

    tables = Tables()
    browse = BrowseCampaigns(tables.live(), tables.campaigns, now_ms)
    use_cases = CampaignUseCases(list_campaigns=browse.list_campaigns, get_campaign=browse.get_campaign)
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@start
def stock_projector() -> Handler:
    """Return the handler of StockTable's stream."""
    from brandday.adapters.hold_queue import HoldQueue
    from brandday.adapters.metrics import count
    from brandday.adapters.stock_stream import read_change
    from brandday.adapters.summary_table import SummaryTable
    from brandday.entrypoints.on_stock_changed import build_handler
    from brandday.usecases.keep_summary import KeepSummary
    from brandday.usecases.measure_stock import MeasureStock
    from brandday.usecases.project_stock import ProjectStock

    tables = Tables()
    timeout = tables.settings.database_timeout_ms
    project = ProjectStock(
        tables.live(),
        KeepSummary(SummaryTable(tables.client, tables.settings.campaign_table), now_ms),
        HoldQueue(aws.sqs_client(timeout), tables.settings.hold_queue_url),
        now_ms,
    )
    return build_handler(MeasureStock(project, count), read_change)


@start
def hold_expiry() -> Handler:
    """Return the handler of HoldQueue."""
    from functools import partial

    from brandday.adapters.hold_queue import HoldQueue
    from brandday.adapters.metrics import milliseconds
    from brandday.entrypoints.on_hold_due import build_handler
    from brandday.usecases.expire_holds import ExpireHolds

    tables = Tables()
    queue = HoldQueue(aws.sqs_client(tables.settings.database_timeout_ms), tables.settings.hold_queue_url)
    expire = ExpireHolds(tables.live(), tables.stock, queue, now_ms)
    return build_handler(expire, partial(milliseconds, "HoldExpiryLag"))


@start
def stock_sweeper() -> Handler:
    """Return the handler of the sweeper's schedule."""
    from brandday.adapters.summary_table import SummaryTable
    from brandday.entrypoints.on_sweep_due import build_handler
    from brandday.usecases.keep_summary import KeepSummary
    from brandday.usecases.sweep_stock import SweepStock

    tables = Tables()
    return build_handler(
        SweepStock(
            tables.live(),
            tables.campaigns,
            tables.stock,
            KeepSummary(SummaryTable(tables.client, tables.settings.campaign_table), now_ms),
            now_ms,
        )
    )
