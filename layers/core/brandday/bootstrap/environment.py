"""What the builders of functions share: the tables of the environment, and how a handler is made."""

from __future__ import annotations

import gc
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from brandday.adapters import aws
from brandday.adapters.clock import now_ms
from brandday.config.settings import CouponSettings, LotterySettings, RewardSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from brandday.adapters.coupon_table import CouponTable
    from brandday.adapters.draw_table import DrawTable
    from brandday.adapters.entry_counts import EntryCountTable
    from brandday.adapters.entry_table import EntryTable
    from brandday.adapters.refusal_table import RefusalTable
    from brandday.adapters.reward_table import RewardTable
    from brandday.adapters.secrets import Secrets
    from brandday.adapters.stock_table import StockTable
    from brandday.usecases.issue_rewards import CouponBook
    from brandday.usecases.live_campaigns import LiveCampaigns
    from brandday.usecases.live_codes import LiveCodes
    from brandday.usecases.ports import Each

    type Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

REWARDS_AT_ONCE = 8
"""A batch may hold a thousand sales, and a client has ten connections."""


def start(build: Callable[[], Handler]) -> Callable[[], Handler]:
    """Build a handler without looking for garbage: what a start makes stays, all 100,000 objects of it.

    They are set aside afterwards, so that no request is held up by going through them either.
    """

    @wraps(build)
    def started() -> Handler:
        gc.disable()
        try:
            handler = build()
        finally:
            gc.freeze()
            gc.enable()
        return handler

    return started


class Tables:
    """The tables of the environment, over one client."""

    def __init__(self) -> None:
        from brandday.adapters.campaign_table import CampaignTable

        self.settings = Settings.from_env()
        self.client = aws.dynamodb_client(self.settings.database_timeout_ms)
        self.campaigns = CampaignTable(self.client, self.settings.campaign_table, copy=now_ms())

    def live(self) -> LiveCampaigns:
        """Return campaigns as this environment remembers them."""
        from brandday.usecases.live_campaigns import LiveCampaigns

        return LiveCampaigns(self.campaigns, now_ms)

    @property
    def refusals(self) -> RefusalTable:
        """Counts of refusals; this environment adds to its own part of them."""
        from brandday.adapters.refusal_table import RefusalTable

        return RefusalTable(self.client, self.settings.campaign_table, part=now_ms())

    @property
    def stock(self) -> StockTable:
        """Stock and claims."""
        from brandday.adapters.stock_table import StockTable

        return StockTable(self.client, self.settings.stock_table)

    @property
    def entries(self) -> EntryTable:
        """Entrants of lotteries."""
        from brandday.adapters.entry_table import EntryTable

        return EntryTable(self.client, LotterySettings.from_env().entry_table)

    @property
    def entry_counts(self) -> EntryCountTable:
        """Counts of entries."""
        from brandday.adapters.entry_counts import EntryCountTable

        return EntryCountTable(self.client, self.settings.campaign_table)

    @property
    def draws(self) -> DrawTable:
        """What draws publish."""
        from brandday.adapters.draw_table import DrawTable

        return DrawTable(self.client, self.settings.campaign_table)

    @property
    def coupons(self) -> CouponTable:
        """Coupons and redemptions."""
        from brandday.adapters.coupon_table import CouponTable

        return CouponTable(self.client, CouponSettings.from_env().coupon_table, self.settings.stock_table)

    def codes(self, live: LiveCampaigns) -> LiveCodes:
        """Return what tells codes apart, and knows the keys they are made with."""
        from brandday.usecases.live_codes import LiveCodes

        return LiveCodes(self.campaigns, self.coupons, live, self.stock, now_ms)


class TablesWithRewards(Tables):
    """The same, the table of rewards among them, and what moves them."""

    def __init__(self) -> None:
        super().__init__()
        self.reward_settings = RewardSettings.from_env()

    @property
    def rewards(self) -> RewardTable:
        """Rewards."""
        from brandday.adapters.reward_table import RewardTable

        return RewardTable(self.client, self.reward_settings.reward_table)

    def coupon_book(self, live: LiveCampaigns) -> CouponBook:
        """Return where coupons that were taken are written down."""
        from brandday.usecases.issue_rewards import CouponBook

        return CouponBook(self.coupons, self.codes(live).keys)


class Later:
    """Stands in for something until it is first used, and has it made then, once."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = cache(make)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._make(), name)
        setattr(self, name, found)
        return found

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Python looks for this on the class, not with `__getattr__`."""
        made: Any = self._make()
        return made(*given, **named)


def secrets_of(tables: Tables) -> Secrets:
    """Return the deployment's secrets, remembered for a while."""
    from brandday.adapters.secrets import Secrets

    return Secrets(aws.secrets_client(tables.settings.database_timeout_ms))


def each_at_once() -> Each:
    """Return what works on REWARDS_AT_ONCE rewards at a time."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(REWARDS_AT_ONCE).map
