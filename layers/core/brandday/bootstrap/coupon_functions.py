"""The functions of coupons."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from brandday.adapters.clock import now_ms
from brandday.bootstrap.environment import Tables, start

if TYPE_CHECKING:
    from brandday.bootstrap.environment import Handler


@start
def coupons() -> Handler:
    """Return the handler of shoppers' coupons."""
    from brandday.adapters.qr_image import draw_qr
    from brandday.bootstrap.guards import Guards, guarded_app
    from brandday.entrypoints.coupons import ROUTES, CouponUseCases
    from brandday.usecases.list_coupons import ListCoupons
    from brandday.usecases.manage_rewards import Owners
    from brandday.usecases.show_coupon import ShowCoupon
    from brandday.usecases.take_coupon import TakeCoupon
    from brandday.usecases.validate_codes import ValidateCodes

    tables = Tables()
    stored, stock, owner_of = tables.coupons, tables.stock, Owners(tables.campaigns.known_salt)
    live = tables.live()
    codes, guards = tables.codes(live), Guards(tables)
    use_cases = CouponUseCases(
        take_coupon=TakeCoupon(live, stock, codes.keys, now_ms, guards.gate, guards.tallies),
        list_coupons=ListCoupons(stored, live, codes.keys, owner_of, now_ms),
        validate_codes=ValidateCodes(codes, live, stock, owner_of, now_ms, guards.code_guard),
        show_coupon=ShowCoupon(codes, owner_of),
        draw_qr=draw_qr,
    )
    return guarded_app(ROUTES, use_cases, tables, live, guards)


@start
def redemptions() -> Handler:
    """Return the handler of what orders do with codes."""
    from brandday.bootstrap.guards import Guards
    from brandday.entrypoints.http import build_app
    from brandday.entrypoints.redemptions import ROUTES, RedemptionUseCases
    from brandday.usecases.manage_rewards import Owners
    from brandday.usecases.redeem_coupons import RedeemCoupons

    tables = Tables()
    live, owner_of = tables.live(), Owners(tables.campaigns.known_salt)
    guard = Guards(tables).code_guard
    redeem = RedeemCoupons(tables.codes(live), live, tables.coupons, tables.stock, owner_of, now_ms, guard)
    use_cases = RedemptionUseCases(
        redeem=redeem.redeem,
        scan=redeem.redeem_scan,
        get=redeem.get,
        confirm=redeem.confirm,
        release=redeem.release,
        roll_back=redeem.roll_back,
    )
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)
