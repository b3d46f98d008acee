"""The functions that operators talk to."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, cast

from brandday.adapters.clock import now_ms
from brandday.bootstrap.environment import Later, Tables, TablesWithRewards, each_at_once, start
from brandday.config.settings import CouponSettings

if TYPE_CHECKING:
    from brandday.bootstrap.environment import Handler
    from brandday.domain.signals import SignalKind
    from brandday.usecases.check_destinations import CheckDestinations
    from brandday.usecases.coupon_jobs import ManageCoupons
    from brandday.usecases.inspect_draw import InspectDraw


@start
def admin() -> Handler:
    """Return the handler of the operators' routes."""
    from brandday.adapters.clock import random_bytes
    from brandday.entrypoints import admin_coupons, admin_draws
    from brandday.entrypoints.admin import ROUTES, AdminUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.inspect_campaign import InspectCampaign
    from brandday.usecases.operate_campaign import OperateCampaign

    tables = TablesWithRewards()
    live = tables.live()

    def check() -> CheckDestinations:
        from brandday.bootstrap.reward_functions import tools_of
        from brandday.connectors import CONNECTORS
        from brandday.usecases.check_destinations import CheckDestinations

        return CheckDestinations(CONNECTORS, tools_of(tables))

    def draws() -> InspectDraw:
        from brandday.usecases.inspect_draw import InspectDraw
        from brandday.usecases.rehearse_draw import RehearseDraw

        rehearse = RehearseDraw(live, tables.entries, tables.draws, now_ms, random_bytes)
        return InspectDraw(live, tables.draws, rehearse, now_ms)

    def coupons() -> ManageCoupons:
        from brandday.adapters.coupon_job_table import CouponJobTable
        from brandday.usecases.coupon_jobs import ManageCoupons

        return ManageCoupons(
            campaigns=tables.campaigns,
            coupons=tables.coupons,
            jobs=CouponJobTable(tables.client, tables.settings.campaign_table, CouponSettings.from_env().coupon_table),
            rewards=tables.rewards,
            codes=tables.codes(live),
            now=now_ms,
            random_bytes=random_bytes,
            each=each_at_once(),
        )

    # An operator who looks at a sale waits for nothing that only lotteries, coupons or partners need.
    use_cases = AdminUseCases(
        operate=OperateCampaign(
            tables.campaigns, tables.stock, now_ms, random_bytes, cast("CheckDestinations", Later(check))
        ),
        inspect=InspectCampaign(tables.campaigns, tables.refusals, tables.entry_counts, now_ms),
        draws=cast("InspectDraw", Later(draws)),
        coupons=cast("ManageCoupons", Later(coupons)),
    )
    return build_app(ROUTES + admin_draws.ROUTES + admin_coupons.ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@start
def risk() -> Handler:
    """Return the handler of what operators do about refusals at the gates."""
    from brandday.adapters.guard_admin import GuardAdmin
    from brandday.bootstrap.guards import Guards
    from brandday.entrypoints.admin_risk import ROUTES, RiskUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.keep_lists import KeepLists
    from brandday.usecases.review_risk import ReviewRisk

    tables = Tables()
    guards = Guards(tables)
    kept = GuardAdmin(tables.client, guards.settings.guard_table, tables.settings.campaign_table)

    def mark(kind: SignalKind, value: str) -> str | None:
        return guards.marker.mark(kind, value)  # only acts on lists need the secret behind marks

    use_cases = RiskUseCases(
        review=ReviewRisk(tables.campaigns, kept, kept, now_ms),
        lists=KeepLists(kept, mark, now_ms),
    )
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)
