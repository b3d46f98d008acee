"""The one composition root: builds each function's handler from the environment.

Every builder imports what its function needs and nothing else, so that a cold start does not pay for the others.
Tests build the same use cases with fakes; nothing is patched.
"""

from __future__ import annotations

import gc
import random
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, cast

from brandday.adapters import aws
from brandday.adapters.clock import now_ms
from brandday.config.settings import (
    CouponSettings,
    DeliverySettings,
    GuardSettings,
    LotterySettings,
    RewardSettings,
    Settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from brandday.adapters.campaign_table import CampaignTable
    from brandday.adapters.coupon_table import CouponTable
    from brandday.adapters.draw_table import DrawTable
    from brandday.adapters.entry_counts import EntryCountTable
    from brandday.adapters.entry_table import EntryTable
    from brandday.adapters.guard_keys import SecretMarkKeys, SecretPassKeys
    from brandday.adapters.guard_table import GuardTable
    from brandday.adapters.guard_tallies import GuardTallies
    from brandday.adapters.miss_table import MissTable
    from brandday.adapters.refusal_table import RefusalTable
    from brandday.adapters.reward_table import RewardTable
    from brandday.adapters.secrets import Secrets
    from brandday.adapters.stock_table import StockTable
    from brandday.connectors.port import Tools
    from brandday.domain.campaign import Shopper
    from brandday.domain.signals import SignalKind, Signals
    from brandday.domain.visit import Visit
    from brandday.entrypoints.access_log import WriteLine
    from brandday.entrypoints.client_address import EdgeSecrets
    from brandday.entrypoints.routes import Route
    from brandday.usecases.admission import Admission
    from brandday.usecases.back_off import BackOff, Cases, CodeGuard, MissLog
    from brandday.usecases.browse_campaigns import BrowseCampaigns
    from brandday.usecases.check_destinations import CheckDestinations
    from brandday.usecases.coupon_jobs import ManageCoupons
    from brandday.usecases.guard_ports import Desk, Gate, PassKeys, SignalReader, Tallies
    from brandday.usecases.inspect_draw import InspectDraw
    from brandday.usecases.issue_rewards import CouponBook
    from brandday.usecases.issue_wins import IssueWins
    from brandday.usecases.live_campaigns import LiveCampaigns
    from brandday.usecases.live_codes import LiveCodes
    from brandday.usecases.open_case import OpenCase
    from brandday.usecases.read_signals import Marker

    type Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


QUEUE_PATIENCE_MS = 2000
"""How much longer an operator's look at a queue may take than one at the database."""

REWARDS_AT_ONCE = 8


def _start(build: Callable[[], Handler]) -> Callable[[], Handler]:
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


class _Tables:
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
        from brandday.adapters.refusal_table import RefusalTable

        return RefusalTable(self.client, self.settings.campaign_table, part=now_ms())

    @property
    def stock(self) -> StockTable:
        from brandday.adapters.stock_table import StockTable

        return StockTable(self.client, self.settings.stock_table)

    @property
    def entries(self) -> EntryTable:
        from brandday.adapters.entry_table import EntryTable

        return EntryTable(self.client, LotterySettings.from_env().entry_table)

    @property
    def entry_counts(self) -> EntryCountTable:
        from brandday.adapters.entry_counts import EntryCountTable

        return EntryCountTable(self.client, self.settings.campaign_table)

    @property
    def draws(self) -> DrawTable:
        from brandday.adapters.draw_table import DrawTable

        return DrawTable(self.client, self.settings.campaign_table)

    @property
    def coupons(self) -> CouponTable:
        from brandday.adapters.coupon_table import CouponTable

        return CouponTable(self.client, CouponSettings.from_env().coupon_table, self.settings.stock_table)

    def codes(self, live: LiveCampaigns) -> LiveCodes:
        """Return what tells codes apart, and knows the keys they are made with."""
        from brandday.usecases.live_codes import LiveCodes

        return LiveCodes(self.campaigns, self.coupons, live, self.stock, now_ms)


class _Rewards(_Tables):
    """The same, the table of rewards among them, and what moves them."""

    def __init__(self) -> None:
        super().__init__()
        self.reward_settings = RewardSettings.from_env()

    @property
    def rewards(self) -> RewardTable:
        from brandday.adapters.reward_table import RewardTable

        return RewardTable(self.client, self.reward_settings.reward_table)

    def coupon_book(self, live: LiveCampaigns) -> CouponBook:
        """Return where coupons that were taken are written down."""
        from brandday.usecases.issue_rewards import CouponBook

        return CouponBook(self.coupons, self.codes(live).keys)


class _Later:
    """Stands in for something until it is first used, and has it made then."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._make(), name)
        setattr(self, name, found)
        return found

    def __call__(self, *given: Any, **named: Any) -> Any:
        """Python looks for this on the class, not with `__getattr__`."""
        made: Any = self._make()
        return made(*given, **named)


class _Guards:
    """What stands guard over protected campaigns; each part is made when the first such campaign needs it.

    All others pay nothing for it: not an import, not a client, not a setting.
    """

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    @property
    def gate(self) -> Gate:
        """Return who is let in."""
        return cast("Gate", _Later(lambda: self.admission))

    @property
    def desk(self) -> Desk:
        """Return the same gate, before the sale."""
        return cast("Desk", _Later(lambda: self.admission))

    @property
    def tallies(self) -> Tallies:
        """Return where limits on wins are kept."""
        return cast("Tallies", _Later(lambda: self.made_tallies))

    @property
    def pass_keys(self) -> PassKeys:
        """Return what tickets and challenges are signed with."""
        return cast("PassKeys", _Later(lambda: self.made_pass_keys))

    @cached_property
    def settings(self) -> GuardSettings:
        """What the environment says about it."""
        return GuardSettings.from_env()

    @cached_property
    def secrets(self) -> Secrets:
        """The secrets, remembered together."""
        return _secrets(self._tables)

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

        misses = cast("MissLog", _Later(lambda: self.misses))
        return BackOff(misses, cast("Cases", _Later(lambda: self.open_case)), now_ms)

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


def _secrets(tables: _Tables) -> Secrets:
    from brandday.adapters.secrets import Secrets

    return Secrets(aws.secrets_client(tables.settings.database_timeout_ms))


def _tools(tables: _Tables) -> Tools:
    """What connectors look and send through."""
    from brandday.adapters.http_post import HttpPost
    from brandday.adapters.outgoing_aws import OutgoingAws
    from brandday.connectors.port import Tools

    settings = DeliverySettings.from_env()
    timeout = settings.timeout_ms
    return Tools(
        http=HttpPost(allow_private=settings.allow_private),
        aws=OutgoingAws(lambda region: aws.sqs_client(timeout, region), lambda: aws.ses_client(timeout)),
        secrets=_secrets(tables),
        timeout_ms=timeout,
        email_sender=settings.email_sender,
        allow_private=settings.allow_private,
    )


def _refusals_counted(tables: _Tables, live: LiveCampaigns) -> WriteLine:
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


def _guarded_app(
    routes: Sequence[Route], use_cases: object, tables: _Tables, live: LiveCampaigns, guards: _Guards
) -> Handler:
    """Serve routes by which shoppers take something: refusals are counted, and visits may come by the edge."""
    from brandday.entrypoints.http import build_app

    return build_app(
        routes,
        use_cases,
        now_ms=now_ms,
        jitter=random.random,
        write=_refusals_counted(tables, live),
        edge_secrets=guards.edge_secrets,
    )


@_start
def reservations() -> Handler:
    """Return the handler of reservations."""
    from brandday.entrypoints.reservations import ROUTES, ReservationUseCases
    from brandday.usecases.manage_reservation import ManageReservation
    from brandday.usecases.reserve_units import ReserveUnits

    tables = _Tables()
    live, stock, guards = tables.live(), tables.stock, _Guards(tables)
    manage = ManageReservation(live, stock, now_ms)
    use_cases = ReservationUseCases(
        reserve_units=ReserveUnits(live, stock, now_ms, guards.gate, guards.tallies),
        get_reservation=manage.get,
        cancel_reservation=manage.cancel,
        extend_reservation=manage.extend,
        confirm_reservation=manage.confirm,
    )
    return _guarded_app(ROUTES, use_cases, tables, live, guards)


@_start
def tickets() -> Handler:
    """Return the handler of entry tickets and challenges."""
    from brandday.adapters.clock import random_bytes
    from brandday.entrypoints.tickets import ROUTES, TicketUseCases
    from brandday.usecases.issue_ticket import IssueTicket
    from brandday.usecases.pose_challenge import PoseChallenge

    tables = _Tables()
    live, guards = tables.live(), _Guards(tables)
    use_cases = TicketUseCases(
        issue_ticket=IssueTicket(live, guards.desk, guards.pass_keys, lambda: random_bytes(8).hex(), now_ms),
        pose_challenge=PoseChallenge(live, guards.desk, guards.pass_keys, now_ms),
    )
    return _guarded_app(ROUTES, use_cases, tables, live, guards)


@_start
def campaigns() -> Handler:
    """Return the handler of the public campaign pages."""
    from brandday.entrypoints.campaigns import ROUTES, CampaignUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.browse_campaigns import BrowseCampaigns

    tables = _Tables()
    browse = BrowseCampaigns(tables.live(), tables.campaigns, now_ms)
    use_cases = CampaignUseCases(list_campaigns=browse.list_campaigns, get_campaign=browse.get_campaign)
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


def _browse_lotteries(live: LiveCampaigns, stored: CampaignTable, kept: DrawTable) -> BrowseCampaigns:
    """Return what shows lotteries, with their seeds once they are no secret any more."""
    from brandday.usecases.browse_campaigns import BrowseCampaigns
    from brandday.usecases.hold_draw import result_of

    return BrowseCampaigns(
        live, stored, now_ms, seeds=stored.seed, draw_held=lambda campaign_id: result_of(kept, campaign_id) is not None
    )


@_start
def entries() -> Handler:
    """Return the handler of entries in lotteries."""
    from brandday.entrypoints.entries import ROUTES, EntryUseCases
    from brandday.usecases.enter_lottery import EnterLottery, GrantChances
    from brandday.usecases.live_lotteries import LiveLotteries
    from brandday.usecases.prove_entry import ProveEntry
    from brandday.usecases.settle_entries import Records

    tables = _Tables()
    entrants, draws, stored = tables.entries, tables.draws, tables.campaigns
    live = tables.live()
    lotteries = LiveLotteries(live, stored)
    guards = _Guards(tables)
    enter = EnterLottery(lotteries, entrants, Records(entrants, tables.stock), now_ms, guards.gate, guards.tallies)
    browse = _browse_lotteries(live, stored, draws)
    use_cases = EntryUseCases(
        enter_lottery=enter.enter,
        get_entry=enter.get,
        list_entries=enter.list_entries,
        prove_entry=ProveEntry(enter.get, browse.draw, live, entrants, draws),
        grant_chances=GrantChances(lotteries, entrants, now_ms),
    )
    return _guarded_app(ROUTES, use_cases, tables, live, guards)


@_start
def coupons() -> Handler:
    """Return the handler of shoppers' coupons."""
    from brandday.adapters.qr_image import draw_qr
    from brandday.entrypoints.coupons import ROUTES, CouponUseCases
    from brandday.usecases.list_coupons import ListCoupons
    from brandday.usecases.manage_rewards import Owners
    from brandday.usecases.show_coupon import ShowCoupon
    from brandday.usecases.take_coupon import TakeCoupon
    from brandday.usecases.validate_codes import ValidateCodes

    tables = _Tables()
    stored, stock, owner_of = tables.coupons, tables.stock, Owners(tables.campaigns.known_salt)
    live = tables.live()
    codes, guards = tables.codes(live), _Guards(tables)
    use_cases = CouponUseCases(
        take_coupon=TakeCoupon(live, stock, codes.keys, now_ms, guards.gate, guards.tallies),
        list_coupons=ListCoupons(stored, live, codes.keys, owner_of, now_ms),
        validate_codes=ValidateCodes(codes, live, stock, owner_of, now_ms, guards.code_guard),
        show_coupon=ShowCoupon(codes, owner_of),
        draw_qr=draw_qr,
    )
    return _guarded_app(ROUTES, use_cases, tables, live, guards)


@_start
def redemptions() -> Handler:
    """Return the handler of what orders do with codes."""
    from brandday.entrypoints.http import build_app
    from brandday.entrypoints.redemptions import ROUTES, RedemptionUseCases
    from brandday.usecases.manage_rewards import Owners
    from brandday.usecases.redeem_coupons import RedeemCoupons

    tables = _Tables()
    live, owner_of = tables.live(), Owners(tables.campaigns.known_salt)
    guard = _Guards(tables).code_guard
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


@_start
def draws() -> Handler:
    """Return the handler of what lotteries publish."""
    from brandday.entrypoints.draws import ROUTES, DrawUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.hold_draw import result_of
    from brandday.usecases.publish_receipt import PublishReceipt
    from brandday.usecases.seal_draw import sealed

    tables = _Tables()
    stored, kept = tables.campaigns, tables.draws
    live = tables.live()
    browse = _browse_lotteries(live, stored, kept)
    use_cases = DrawUseCases(
        get_draw=browse.draw,
        get_seal=lambda campaign_id: sealed(kept, campaign_id),
        get_result=lambda campaign_id: result_of(kept, campaign_id),
        get_receipt=PublishReceipt(live, tables.entries, kept, stored),
        get_rules=browse.rules,
    )
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@_start
def entry_projector() -> Handler:
    """Return the handler of EntryTable's stream."""
    from brandday.adapters.entry_stream import read_entrant_change
    from brandday.entrypoints.on_entry_changed import build_handler
    from brandday.usecases.count_entries import CountEntries

    tables = _Rewards()
    issue = _issue_wins(tables, tables.live())
    return build_handler(CountEntries(issue, tables.entry_counts), read_entrant_change)


def _issue_wins(tables: _Rewards, live: LiveCampaigns) -> IssueWins:
    from concurrent.futures import ThreadPoolExecutor

    from brandday.usecases.issue_wins import IssueWins
    from brandday.usecases.live_lotteries import LiveLotteries
    from brandday.usecases.settle_entries import Records, SettleEntries

    lotteries = LiveLotteries(live, tables.campaigns)
    settle = SettleEntries(lotteries, Records(tables.entries, tables.stock), now_ms)
    return IssueWins(live, settle, tables.rewards, now_ms, each=ThreadPoolExecutor(REWARDS_AT_ONCE).map)


@_start
def draw_holder() -> Handler:
    """Return the handler of the schedule that seals, draws and hands out prizes."""
    from concurrent.futures import ThreadPoolExecutor

    from brandday.adapters.drand_beacon import DrandBeacon
    from brandday.adapters.http_post import HttpPost
    from brandday.entrypoints.access_log import write_line
    from brandday.entrypoints.on_draw_due import build_handler
    from brandday.usecases.award_prizes import AwardPrizes
    from brandday.usecases.hold_draw import HoldDraw
    from brandday.usecases.live_lotteries import LiveLotteries
    from brandday.usecases.run_draws import RunDraws
    from brandday.usecases.seal_draw import SealDraw
    from brandday.usecases.settle_entries import Records, SettleEntries

    tables = _Rewards()
    entrants, draws, stored = tables.entries, tables.draws, tables.campaigns
    live = tables.live()
    lotteries, records = LiveLotteries(live, stored), Records(entrants, tables.stock)
    settle = SettleEntries(lotteries, records, now_ms)
    return build_handler(
        RunDraws(
            live,
            stored,
            SealDraw(entrants, draws, settle, now_ms),
            HoldDraw(draws, stored, DrandBeacon(HttpPost().get), now_ms),
            AwardPrizes(
                lotteries,
                entrants,
                records,
                draws,
                tables.rewards,
                now_ms,
                each=ThreadPoolExecutor(REWARDS_AT_ONCE).map,
            ),
            now_ms,
            write_line,
        )
    )


@_start
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

    tables = _Tables()
    timeout = tables.settings.database_timeout_ms
    project = ProjectStock(
        tables.live(),
        KeepSummary(SummaryTable(tables.client, tables.settings.campaign_table), now_ms),
        HoldQueue(aws.sqs_client(timeout), tables.settings.hold_queue_url),
        now_ms,
    )
    return build_handler(MeasureStock(project, count), read_change)


@_start
def hold_expiry() -> Handler:
    """Return the handler of HoldQueue."""
    from functools import partial

    from brandday.adapters.hold_queue import HoldQueue
    from brandday.adapters.metrics import milliseconds
    from brandday.entrypoints.on_hold_due import build_handler
    from brandday.usecases.expire_holds import ExpireHolds

    tables = _Tables()
    queue = HoldQueue(aws.sqs_client(tables.settings.database_timeout_ms), tables.settings.hold_queue_url)
    expire = ExpireHolds(tables.live(), tables.stock, queue, now_ms)
    return build_handler(expire, partial(milliseconds, "HoldExpiryLag"))


@_start
def stock_sweeper() -> Handler:
    """Return the handler of the sweeper's schedule."""
    from brandday.adapters.summary_table import SummaryTable
    from brandday.entrypoints.on_sweep_due import build_handler
    from brandday.usecases.keep_summary import KeepSummary
    from brandday.usecases.sweep_stock import SweepStock

    tables = _Tables()
    return build_handler(
        SweepStock(
            tables.live(),
            tables.campaigns,
            tables.stock,
            KeepSummary(SummaryTable(tables.client, tables.settings.campaign_table), now_ms),
            now_ms,
        )
    )


@_start
def admin() -> Handler:
    """Return the handler of the operators' routes."""
    from brandday.adapters.clock import random_bytes
    from brandday.entrypoints import admin_coupons, admin_draws
    from brandday.entrypoints.admin import ROUTES, AdminUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.inspect_campaign import InspectCampaign
    from brandday.usecases.operate_campaign import OperateCampaign

    tables = _Rewards()
    live = tables.live()

    def check() -> CheckDestinations:
        from brandday.connectors import CONNECTORS
        from brandday.usecases.check_destinations import CheckDestinations

        return CheckDestinations(CONNECTORS, _tools(tables))

    def draws() -> InspectDraw:
        from brandday.usecases.inspect_draw import InspectDraw
        from brandday.usecases.rehearse_draw import RehearseDraw

        rehearse = RehearseDraw(live, tables.entries, tables.draws, now_ms, random_bytes)
        return InspectDraw(live, tables.draws, rehearse, now_ms)

    def coupons() -> ManageCoupons:
        from concurrent.futures import ThreadPoolExecutor

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
            each=ThreadPoolExecutor(REWARDS_AT_ONCE).map,
        )

    # An operator who looks at a sale waits for nothing that only lotteries, coupons or partners need.
    use_cases = AdminUseCases(
        operate=OperateCampaign(
            tables.campaigns, tables.stock, now_ms, random_bytes, cast("CheckDestinations", _Later(check))
        ),
        inspect=InspectCampaign(tables.campaigns, tables.refusals, tables.entry_counts, now_ms),
        draws=cast("InspectDraw", _Later(draws)),
        coupons=cast("ManageCoupons", _Later(coupons)),
    )
    return build_app(ROUTES + admin_draws.ROUTES + admin_coupons.ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@_start
def rewards() -> Handler:
    """Return the handler of shoppers' rewards."""
    from brandday.adapters.address_cipher import AddressCipher
    from brandday.entrypoints.http import build_app
    from brandday.entrypoints.rewards import ROUTES, RewardUseCases
    from brandday.usecases.manage_rewards import ManageRewards, Owners

    tables = _Rewards()
    manage = ManageRewards(
        tables.rewards,
        tables.live(),
        Owners(tables.campaigns.known_salt),
        AddressCipher(aws.kms_client(tables.settings.database_timeout_ms), tables.reward_settings.address_key_id),
        now_ms,
    )
    use_cases = RewardUseCases(list_rewards=manage.list, get_reward=manage.get, give_address=manage.give_address)
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@_start
def fulfilments() -> Handler:
    """Return the handler of partners' reports and of what operators do about rewards."""
    from brandday.adapters.clock import random_bytes
    from brandday.adapters.queue_admin import QueueAdmin
    from brandday.adapters.reward_acts import RewardActs
    from brandday.connectors import CONNECTORS
    from brandday.entrypoints.fulfilments import ROUTES, FulfilmentUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.dead_letter_ports import QueueName
    from brandday.usecases.issue_rewards import IssueRewards, RebuildRewards
    from brandday.usecases.issue_wins import RebuildWins
    from brandday.usecases.operate_rewards import OperateRewards
    from brandday.usecases.rebuild_campaign import RebuildCampaign
    from brandday.usecases.redrive_queues import RedriveQueues
    from brandday.usecases.take_reports import TakeReports

    tables = _Rewards()
    settings, stored = tables.reward_settings, tables.rewards
    # Looking for dead letters asks all of SQS's servers and may wait a second for that.
    sqs = aws.sqs_client(tables.settings.database_timeout_ms + QUEUE_PATIENCE_MS)
    live = tables.live()
    operate = OperateRewards(
        stored,
        RewardActs(tables.client, settings.reward_table, tables.settings.campaign_table),
        tables.campaigns,
        CONNECTORS,
        now_ms,
        random_bytes,
    )
    redrive = RedriveQueues(
        queues={
            QueueName.HOLDS: QueueAdmin(sqs, tables.settings.hold_queue_url, settings.hold_dead_letter_queue_url),
            QueueName.FULFILMENTS: QueueAdmin(
                sqs, settings.fulfilment_queue_url, settings.fulfilment_dead_letter_queue_url
            ),
            QueueName.STREAM: QueueAdmin(sqs, "", settings.stream_dead_letter_queue_url),
        },
        campaigns=tables.campaigns,
        rewards=stored,
        redrive_failed=operate.redrive_failed,
        rebuild=RebuildCampaign(
            live,
            RebuildRewards(IssueRewards(live, stored, now_ms, book=tables.coupon_book(live)), tables.stock),
            RebuildWins(live, _issue_wins(tables, live), tables.entries),
        ),
        now=now_ms,
    )
    reports = TakeReports(stored, live, _secrets(tables), CONNECTORS, now_ms)
    use_cases = FulfilmentUseCases(operate, redrive, reports)
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@_start
def risk() -> Handler:
    """Return the handler of what operators do about refusals at the gates."""
    from brandday.adapters.guard_admin import GuardAdmin
    from brandday.entrypoints.admin_risk import ROUTES, RiskUseCases
    from brandday.entrypoints.http import build_app
    from brandday.usecases.keep_lists import KeepLists
    from brandday.usecases.review_risk import ReviewRisk

    tables = _Tables()
    guards = _Guards(tables)
    kept = GuardAdmin(tables.client, guards.settings.guard_table, tables.settings.campaign_table)

    def mark(kind: SignalKind, value: str) -> str | None:
        return guards.marker.mark(kind, value)  # only acts on lists need the secret behind marks

    use_cases = RiskUseCases(
        review=ReviewRisk(tables.campaigns, kept, kept, now_ms),
        lists=KeepLists(kept, mark, now_ms),
    )
    return build_app(ROUTES, use_cases, now_ms=now_ms, jitter=random.random)


@_start
def reward_issuer() -> Handler:
    """Return the handler of StockTable's stream that makes rewards of sales."""
    from concurrent.futures import ThreadPoolExecutor

    from brandday.adapters.stock_stream import read_change
    from brandday.entrypoints.on_stock_changed import build_handler
    from brandday.usecases.issue_rewards import IssueRewards

    tables = _Rewards()
    pool = ThreadPoolExecutor(REWARDS_AT_ONCE)  # a batch may hold a thousand sales, and a client has ten connections
    live = tables.live()
    issue = IssueRewards(live, tables.rewards, now_ms, each=pool.map, book=tables.coupon_book(live))
    return build_handler(issue, read_change, done="issued")


@_start
def reward_dispatcher() -> Handler:
    """Return the handler of RewardTable's stream."""
    from brandday.adapters.fulfilment_queue import FulfilmentQueue
    from brandday.adapters.reward_stream import read_reward_change
    from brandday.entrypoints.on_reward_changed import build_handler
    from brandday.usecases.dispatch_rewards import DispatchRewards

    settings = Settings.from_env()
    queue = FulfilmentQueue(
        aws.sqs_client(settings.database_timeout_ms), RewardSettings.from_env().fulfilment_queue_url
    )
    return build_handler(DispatchRewards(queue), read_reward_change)


@_start
def fulfilment_worker() -> Handler:
    """Return the handler of FulfilmentQueue."""
    import uuid

    from brandday.adapters.address_cipher import AddressCipher
    from brandday.adapters.breaker_table import BreakerTable
    from brandday.adapters.dead_letters import DeadLetters
    from brandday.adapters.fulfilment_queue import FulfilmentQueue, read_dispatch
    from brandday.connectors import CONNECTORS
    from brandday.entrypoints.on_fulfilment_due import build_handler
    from brandday.usecases.circuit_breakers import CircuitBreakers
    from brandday.usecases.deliver_rewards import DeliverRewards

    tables = _Rewards()
    settings, timeout = tables.reward_settings, tables.settings.database_timeout_ms
    sqs = aws.sqs_client(timeout)
    dead_letters = DeadLetters(sqs, settings.fulfilment_dead_letter_queue_url)
    deliver = DeliverRewards(
        rewards=tables.rewards,
        campaigns=tables.live(),
        connectors=CONNECTORS,
        tools=_tools(tables),
        cipher=AddressCipher(aws.kms_client(timeout), settings.address_key_id),
        breakers=CircuitBreakers(BreakerTable(tables.client, settings.reward_table), now_ms),
        dead_letters=dead_letters,
        now=now_ms,
        jitter=random.random,
        new_holder=lambda: uuid.uuid4().hex,
    )
    queue = FulfilmentQueue(sqs, settings.fulfilment_queue_url)
    return build_handler(deliver, queue, dead_letters, read_dispatch)


@_start
def reward_sweeper() -> Handler:
    """Return the handler of the reward sweeper's schedule."""
    from brandday.entrypoints.on_reward_sweep_due import build_handler
    from brandday.usecases.settle_entries import Records, ReturnPrizes
    from brandday.usecases.sweep_rewards import SweepRewards

    tables = _Rewards()
    live = tables.live()
    return_prize = ReturnPrizes(Records(tables.entries, tables.stock))
    return build_handler(SweepRewards(live, tables.campaigns, tables.rewards, tables.stock, now_ms, return_prize))
