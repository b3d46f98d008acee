"""A planned day as the simulation takes it."""

import math

from brandday.domain.campaign import Campaign
from brandday_cli.plan_figures import Plan, Wishes
from brandday_cli.plan_tariff import read_tariff
from brandday_cli.simulation.day import Crowd, Day, Warmth, plain_campaign, publish
from brandday_cli.simulation.fleet import Capacity

DEFAULT_RATE = 5000
"""Requests a second, and at once, that the API lets through: the template's default."""


def day_as_planned(plan: Plan, wishes: Wishes, campaign: Campaign | None = None) -> Day:
    """Return the day with everything set and granted as the plan says."""
    rate = plan.overrides["RequestsPerSecond"]
    return Day(
        campaign=_campaign(wishes, campaign),
        crowd=_crowd(wishes),
        capacity=Capacity(rate, rate, provisioned=plan.provisioned, concurrency=plan.lambda_quota),
        warmth=Warmth(stock_writes=plan.warm_stock_writes, stock_reads=plan.warm_stock_reads),
    )


def day_as_is(wishes: Wishes, campaign: Campaign | None = None) -> Day:
    """Return the day with the template's defaults in a new account, and tables as they are made."""
    concurrency = read_tariff().quotas.lambda_concurrency
    capacity = Capacity(DEFAULT_RATE, DEFAULT_RATE, provisioned=0, concurrency=concurrency)
    return Day(_campaign(wishes, campaign), _crowd(wishes), capacity)


def _campaign(wishes: Wishes, campaign: Campaign | None) -> Campaign:
    if campaign is None:
        return plain_campaign(math.ceil(wishes.units), wishes.hold_seconds)
    return publish(campaign)


def _crowd(wishes: Wishes) -> Crowd:
    return Crowd(
        wishes.shoppers, wishes.curve, patience=wishes.patience, pays=wishes.pays, pays_after_s=wishes.pays_after_s
    )
