"""The API fuzzed from its own OpenAPI document, over the real use cases and stock in memory.

`tests/e2e/test_fuzz.py` asks the deployed functions the same; here it is quick enough to try far more.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from brandday.domain.coupon import IssuedBy
from brandday.domain.coupon_job import JobKind
from brandday.domain.fulfilment import RewardKind
from brandday.domain.protection import Ask, ChallengeTerms, Protection, TicketTerms
from brandday.domain.refusal_case import Case
from brandday.domain.reward import RewardStatus
from brandday.domain.risk import RiskMode
from brandday.domain.signals import SignalKind
from brandday.domain.trail import TrailEntry
from brandday.entrypoints import (
    admin,
    admin_coupons,
    admin_draws,
    admin_risk,
    campaigns,
    coupons,
    draws,
    entries,
    fulfilments,
    redemptions,
    reservations,
    rewards,
    tickets,
)
from brandday.entrypoints.http import LambdaHandler, build_app
from brandday.entrypoints.routes import Route
from brandday.usecases.dead_letter_ports import QueueName
from brandday.usecases.inspect_campaign import InspectCampaign
from brandday.usecases.inspect_draw import InspectDraw
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.rehearse_draw import RehearseDraw
from tests.fakes.backend import SALE, SALT, Backend, sale, sku
from tests.fakes.coupon_api import PERCENT_CODE, CouponApi
from tests.fakes.coupon_backend import coupon_terms
from tests.fakes.coupon_backend import coupons as coupon_campaign
from tests.fakes.coupon_desk import CouponDesk
from tests.fakes.lottery_api import LotteryApi, played_lottery
from tests.fakes.lottery_backend import LotteryBackend, lottery, prize
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_desk import RiskDesk
from tests.fakes.memory_draws import MemoryDraws
from tests.fakes.memory_entrants import MemoryEntrants
from tests.fakes.memory_entry_counts import MemoryEntryCounts
from tests.fakes.memory_refusals import MemoryRefusals
from tests.fakes.memory_stock import MemoryStock
from tests.fakes.reward_backend import prizes
from tests.fakes.reward_desk import RewardDesk, signed
from tests.fakes.ticket_api import TicketApi
from tests.http_gateway import CLAIMS, Gateway

BACKEND = Backend(sale(sku("HERO", stock=300, per_shopper=35)))
RESERVATION = BACKEND.environment().reserve("shopper-1").reservation.id

DESK = RewardDesk(prizes(RewardKind.PHYSICAL, stock=40))
REWARD = DESK.win(CLAIMS["sub"])
DESK.issue()
DESK.queues[QueueName.HOLDS].bury("a reminder", 0)
DESK.bury(REWARD)

LOTTERY = LotteryBackend(
    lottery(prize("mug", 5, Fraction(1, 3)), prize("sticker", 20, None), consolation="sticker", per_day=9, earned=20)
)
ENTRIES, PLAYED = LotteryApi(LOTTERY, SALE), played_lottery()
ENTRY = ENTRIES.enter(CLAIMS["sub"]).body["id"]

COUPONS = CouponApi()
COUPON = COUPONS.take(CLAIMS["sub"]).body["id"]
COUPONS.follow()
REDEMPTION = COUPONS.lock(PERCENT_CODE).body["id"]

MAKERS = CouponDesk(MemoryCampaigns(MemorySummaries(), salt=SALT, secret=bytes(32)), MemoryStock(), COUPONS.clock)
MAKERS.campaigns.campaigns[SALE] = coupon_campaign(coupon_terms(issued_by=IssuedBy.OPERATORS, quantity=100_000))
MAKERS.manage().start(SALE, "fuzz", JobKind.GENERATE, 100, "", "an operator")

RISK = RiskDesk()
RISK.campaigns.campaigns[SALE] = RISK.campaign
CASE = RISK.open(
    Case(
        "7Q2MX0KD93",
        SALE,
        RISK.clock(),
        RiskMode.ENFORCE,
        "not_admitted",
        80,
        ("gone",),
        {SignalKind.SHOPPER: "annAnnAnnAnnAnnA"},
        RISK.clock() + 10**9,
    )
)

TICKETS = TicketApi(
    Protection(ticket=TicketTerms(60_000, 300_000), challenge=ChallengeTerms("altcha", Ask.RISK, 2, 300_000, 60_000))
)

KNOWN = {
    "campaign_id": SALE,
    "reservation_id": RESERVATION,
    "reward_id": REWARD,
    "entry_id": ENTRY,
    "coupon_id": COUPON,
    "redemption_id": REDEMPTION,
    "job": "fuzz",
    "reference": CASE.reference,
}


class Records(MemoryCampaigns):
    """What operators look at: the backend's campaigns with their trails."""

    def history(self, campaign_id: str) -> Sequence[TrailEntry]:
        """The newest act first."""
        self.load(campaign_id)
        return self.trails.get(campaign_id, [])[::-1]


def served() -> list[tuple[Route, LambdaHandler]]:
    """Every route with its handler."""
    environment, there = BACKEND.environment(), BACKEND.campaigns
    records = Records(there.summaries, there.campaigns, there.trails)
    manage, browse = environment.manage, environment.browse
    shopper = DESK.manager()
    live, parts = LiveCampaigns(records, BACKEND.clock), MemoryDraws()
    tables: list[tuple[tuple[Route, ...], object]] = [
        (campaigns.ROUTES, campaigns.CampaignUseCases(browse.list_campaigns, browse.get_campaign)),
        (
            reservations.ROUTES,
            reservations.ReservationUseCases(
                environment.reserve_units, manage.get, manage.cancel, manage.extend, manage.confirm
            ),
        ),
        (tickets.ROUTES, TICKETS.desk_use_cases()),
        (rewards.ROUTES, rewards.RewardUseCases(shopper.list, shopper.get, shopper.give_address)),
        (entries.ROUTES, ENTRIES.entries()),
        (draws.ROUTES, PLAYED.draws()),
        (coupons.ROUTES, COUPONS.coupon_use_cases()),
        (redemptions.ROUTES, COUPONS.redemption_use_cases()),
        (admin_risk.ROUTES, RISK.use_cases),
        (fulfilments.ROUTES, fulfilments.FulfilmentUseCases(DESK.operate(), DESK.redrive_queues(), DESK.reports())),
        (
            admin.ROUTES + admin_draws.ROUTES + admin_coupons.ROUTES,
            admin.AdminUseCases(
                BACKEND.operator(),
                InspectCampaign(records, MemoryRefusals(), MemoryEntryCounts(), BACKEND.clock),
                InspectDraw(
                    live, parts, RehearseDraw(live, MemoryEntrants(), parts, BACKEND.clock, bytes), BACKEND.clock
                ),
                MAKERS.manage(),
            ),
        ),
    ]
    pairs = []
    for routes, use_cases in tables:
        handler = build_app(routes, use_cases, now_ms=BACKEND.clock, jitter=lambda: 0.0, write=lambda _: None)
        pairs += [(route, signing(handler) if route.signed else handler) for route in routes]
    return pairs


def signing(handler: LambdaHandler) -> LambdaHandler:
    """A handler for which requests are signed if they ask for it: what is in a forged one would never be read."""

    def sign_and_handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        if "x-sign" in event["headers"]:
            event["headers"] |= signed((event["body"] or "").encode(), DESK.clock())
        return handler(event, context)

    return sign_and_handle


GATEWAY = Gateway(served())
VALID_ONLY = schemathesis.Config.from_dict(
    {"generation": {"mode": "positive"}, "phases": {"coverage": {"enabled": False}}}
)
anything = schemathesis.openapi.from_wsgi("/openapi.json", GATEWAY)
valid = schemathesis.openapi.from_wsgi("/openapi.json", GATEWAY, config=VALID_ONLY)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
SETTINGS = settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
TOKEN = {"Authorization": "Bearer shopper+orders+store+operator"}
SIGN = {"X-Sign": "please"}


@anything.parametrize()
@SETTINGS
def test_any_request_gets_a_documented_answer(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(headers=TOKEN, checks=[*CHECKS, negative_data_rejection])


@valid.parametrize()
@SETTINGS
def test_requests_about_things_that_exist_get_a_documented_answer(case: schemathesis.Case[Any]) -> None:
    for name in case.path_parameters:
        case.path_parameters[name] = KNOWN.get(name, case.path_parameters[name])
    if "campaign_id" in case.query:
        case.query["campaign_id"] = SALE
    if "reward_id" in case.path_parameters:
        now_and_then_it_has_failed()
    case.call_and_validate(headers=TOKEN | SIGN, checks=CHECKS)
    BACKEND.check(finished_restocks=False)
    LOTTERY.check_entries()


def now_and_then_it_has_failed() -> None:
    """Let the reward be in another status each time, so that acts are not always refused."""
    reward = DESK.reward(REWARD)
    statuses = list(RewardStatus)
    DESK.alter(REWARD, status=statuses[reward.version % len(statuses)], pending_since=None)
