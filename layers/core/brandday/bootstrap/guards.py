"""What stands guard over protected campaigns, and the apps that it stands before."""

from __future__ import annotations

import random
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from brandday.adapters.clock import now_ms
from brandday.bootstrap.environment import Later, secrets_of
from brandday.config.settings import GuardSettings, LotterySettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from brandday.adapters.guard_keys import SecretMarkKeys, SecretPassKeys
    from brandday.adapters.guard_table import GuardTable
    from brandday.adapters.guard_tallies import GuardTallies
    from brandday.adapters.miss_table import MissTable
    from brandday.adapters.secrets import Secrets
    from brandday.bootstrap.environment import Handler, Tables
    from brandday.domain.campaign import Shopper
    from brandday.domain.signals import Signals
    from brandday.domain.visit import Visit
    from brandday.entrypoints.access_log import WriteLine
    from brandday.entrypoints.client_address import EdgeSecrets
    from brandday.entrypoints.routes import Route
    from brandday.usecases.admission import Admission
    from brandday.usecases.back_off import BackOff, Cases, CodeGuard, MissLog
    from brandday.usecases.guard_ports import Desk, Gate, PassKeys, SignalReader, Tallies
    from brandday.usecases.live_campaigns import LiveCampaigns
    from brandday.usecases.open_case import OpenCase
    from brandday.usecases.read_signals import Marker


class Guards:
    """What stands guard over protected campaigns; each part is made when the first such campaign needs it.

    All others pay nothing for it: not an import, not a client, not a setting.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @property
    def gate(self) -> Gate:
        """Return who is let in."""
        return cast("Gate", Later(lambda: self.admission))

    @property
    def desk(self) -> Desk:
        """Return the same gate, before the sale."""
        return cast("Desk", Later(lambda: self.admission))

    @property
    def tallies(self) -> Tallies:
        """Return where limits on wins are kept."""
        return cast("Tallies", Later(lambda: self.made_tallies))

    @property
    def pass_keys(self) -> PassKeys:
        """Return what tickets and challenges are signed with."""
        return cast("PassKeys", Later(lambda: self.made_pass_keys))

    @cached_property
    def settings(self) -> GuardSettings:
        """What the environment says about it."""
        return GuardSettings.from_env()

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets, remembered together."""
        return secrets_of(self._tables)

    @cached_property
    def table(self) -> GuardTable:
        """What is counted, listed and remembered."""
        from brandday.adapters.guard_table import GuardTable

        return GuardTable(self._tables.client, self.settings.guard_table)

    @cached_property
    def made_tallies(self) -> GuardTallies:
        """Tallies, written together with what is won."""
        from brandday.adapters.guard_tallies import GuardTallies

        return GuardTallies(
            self._tables.client,
            self.settings.guard_table,
            self._tables.settings.stock_table,
            LotterySettings.from_env().entry_table,
        )

    @cached_property
    def mark_keys(self) -> SecretMarkKeys:
        """The key of marks."""
        from brandday.adapters.guard_keys import SecretMarkKeys

        return SecretMarkKeys(self.secrets, self.settings.mark_secret)

    @cached_property
    def made_pass_keys(self) -> SecretPassKeys:
        """The keys of passes."""
        from brandday.adapters.guard_keys import SecretPassKeys

        return SecretPassKeys(self.secrets, self.settings.pass_secret, now_ms)

    @cached_property
    def marker(self) -> Marker:
        """What makes marks of raw values."""
        from brandday.adapters.phone_number import to_e164
        from brandday.usecases.read_signals import Marker

        return Marker(self.mark_keys, to_e164)

    @cached_property
    def read_signals(self) -> SignalReader:
        """What reads the signals of a visit."""
        from brandday.adapters.shop_signals import SignedShopSignals
        from brandday.usecases.read_signals import ReadSignals

        return ReadSignals(self.marker, SignedShopSignals(self.secrets, self.settings.shop_signals_secret, now_ms))

    @cached_property
    def open_case(self) -> OpenCase:
        """What writes down refusals."""
        from brandday.usecases.open_case import OpenCase

        return OpenCase(self.table, self.mark_keys, now_ms)

    @cached_property
    def admission(self) -> Admission:
        """The gate itself."""
        from brandday.usecases.admission import Admission

        return Admission(self.table, self.open_case, self.read_signals, self.made_pass_keys, now_ms, self.back_off)

    @property
    def back_off(self) -> BackOff:
        """Return what slows guessers down."""
        from brandday.usecases.back_off import BackOff

        misses = cast("MissLog", Later(lambda: self.misses))
        return BackOff(misses, cast("Cases", Later(lambda: self.open_case)), now_ms)

    @property
    def code_guard(self) -> CodeGuard:
        """Return the same, for codes."""
        from brandday.usecases.back_off import CodeGuard

        def read(shopper: Shopper, visit: Visit) -> Signals:
            return self.read_signals(shopper, visit)

        return CodeGuard(self.back_off, read)

    @cached_property
    def misses(self) -> MissTable:
        """What guessers have missed."""
        from brandday.adapters.miss_table import MissTable

        return MissTable(self._tables.client, self.settings.guard_table)

    @property
    def edge_secrets(self) -> EdgeSecrets:
        """Return what tells the edge from those who say that they are it."""

        def live() -> Sequence[bytes]:
            from brandday.adapters.guard_keys import live_values

            name = self.settings.edge_secret
            return live_values(self.secrets, name) if name else ()

        return live


def refusals_counted(tables: Tables, live: LiveCampaigns) -> WriteLine:
    """Return what writes access-log lines, and counts the refusals among them."""
    from brandday.entrypoints.http import write_request
    from brandday.usecases.count_refusals import CountRefusals

    count = CountRefusals(tables.refusals, now_ms)

    def write(line: Mapping[str, Any]) -> None:
        write_request(line)
        code, campaign_id = line.get("code"), line.get("campaign_id", "")
        if code and live.knows(campaign_id):  # made-up ids are not worth a row
            count(campaign_id, code)

    return write


def guarded_app(
    routes: Sequence[Route], use_cases: object, tables: Tables, live: LiveCampaigns, guards: Guards
) -> Handler:
    """Serve routes by which shoppers take something: refusals are counted, and visits may come by the edge."""
    from brandday.entrypoints.http import build_app

    return build_app(
        routes,
        use_cases,
        now_ms=now_ms,
        jitter=random.random,
        write=refusals_counted(tables, live),
        edge_secrets=guards.edge_secrets,
    )
