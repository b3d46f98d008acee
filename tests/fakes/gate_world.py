"""The gate of one campaign over fakes: as many execution environments as a test likes, and one tap for all calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from brandday.domain.campaign import Campaign, Shopper
from brandday.domain.entry_ticket import key_id, make_ticket
from brandday.domain.errors import AdmissionRefused
from brandday.domain.protection import (
    Ask,
    ChallengeTerms,
    Counted,
    Limit,
    Protection,
    TicketTerms,
    Window,
)
from brandday.domain.risk import RiskMode, RiskTerms, Weighed
from brandday.domain.risk_rules.new_account import NewAccount
from brandday.domain.risk_rules.on_block_list import OnBlockList
from brandday.domain.risk_rules.shared_signal import SharedSignal
from brandday.domain.signals import SignalKind, Signals, mark_of
from brandday.domain.visit import Visit
from brandday.usecases.admission import Admission
from brandday.usecases.back_off import BackOff
from brandday.usecases.guard_ports import Admitted
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.open_case import OpenCase
from tests.fakes.backend import OPENS, SALE, sale, web_shopper
from tests.fakes.clock import SettableClock
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_guard import MemoryGuard
from tests.fakes.memory_misses import MemoryMisses
from tests.fakes.tap import Tap, tapped

MARK_KEY = b"the key of marks"
PASS_KEY = b"the key of passes"
MINUTE = Window(60_000, sliding=True)
HOUR = 3_600_000

BY_SHOPPER = Limit("per-shopper", SignalKind.SHOPPER, Counted.ATTEMPTS, 3, MINUTE)
BY_DEVICE = Limit("per-device", SignalKind.DEVICE, Counted.ATTEMPTS, 6, MINUTE)
TICKET = TicketTerms(300_000, 600_000)
ALWAYS = ChallengeTerms("altcha", Ask.ALWAYS, 1000, 300_000, 30_000)
BY_RISK = ChallengeTerms("altcha", Ask.RISK, 1000, 300_000, 30_000)
CROWD = Weighed("crowd", 50, SharedSignal("device", 3))
NEW = Weighed("new", 50, NewAccount(24))
BLOCKED = Weighed("blocked", 100, OnBlockList())


def protection(
    *limits: Limit,
    ticket: TicketTerms | None = None,
    challenge: ChallengeTerms | None = None,
    risk: RiskTerms | None = None,
    brand_day: str | None = None,
) -> Protection:
    """Return what a campaign demands."""
    return Protection(brand_day, limits, ticket, challenge, risk)


def rules(
    *rules: Weighed, mode: RiskMode = RiskMode.ENFORCE, challenge_at: int | None = None, refuse_at: int | None = 50
) -> RiskTerms:
    """Return rules with consequences."""
    return RiskTerms(mode, challenge_at, refuse_at, rules)


def visit(device: str = "", *, solution: str = "", ticket: str = "", **claims: str) -> Visit:
    """Return what a request brings along."""
    return Visit(claims=({"device": device} if device else {}) | claims, solution=solution, ticket=ticket)


def read_signals(shopper: Shopper, visit: Visit) -> Signals:
    """Read signals from claims, as they are: the port `SignalReader`."""
    raw = {SignalKind.SHOPPER: shopper.id} | {
        SignalKind(name): value for name, value in visit.claims.items() if name in SignalKind
    }
    created_at = visit.claims.get("account_created_at")
    return Signals(
        {kind: mark_of(MARK_KEY, kind, value) for kind, value in raw.items()},
        None if created_at is None else int(created_at),
        vouched="vouched" in visit.claims,
    )


class OneKey:
    """The ports `MarkKeys` and `PassKeys` with a key that is always the same."""

    def __call__(self) -> bytes:
        """Return the key of marks."""
        return MARK_KEY

    def current(self) -> tuple[str, bytes]:
        """Return the key of passes."""
        return key_id(PASS_KEY), PASS_KEY

    def find(self, key_id: str) -> bytes | None:
        """Return it by its id."""
        return PASS_KEY if key_id == self.current()[0] else None


@dataclass
class GateEnvironment:
    """One execution environment with its own memory."""

    admission: Admission
    campaigns: LiveCampaigns
    campaign_id: str

    @property
    def live(self) -> LiveCampaign:
        """The campaign as this environment knows it."""
        return self.campaigns.get(self.campaign_id)

    def admit(self, shopper: str, visit: Visit) -> Admitted:
        """Ask to be let in."""
        demanded = self.live.campaign.protection
        assert demanded is not None
        return self.admission.admit(self.live, demanded, web_shopper(shopper), visit)

    def enter(self, shopper: str, visit: Visit) -> int | None:
        """Ask at the desk."""
        demanded = self.live.campaign.protection
        assert demanded is not None
        return self.admission.enter(self.live, demanded, web_shopper(shopper), visit)

    def answer(self, shopper: str, visit: Visit) -> str:
        """Ask at the desk; return what is said, in full."""
        try:
            return f"let in {self.enter(shopper, visit)}"
        except AdmissionRefused as refusal:
            return f"{refusal} {refusal.retry_after_ms}"

    def said(self, shopper: str, visit: Visit) -> str:
        """Ask at the desk; return "in" or the code of the refusal."""
        try:
            self.enter(shopper, visit)
        except AdmissionRefused as refusal:
            return refusal.code
        return "in"


@dataclass
class GateWorld:
    """One campaign's world; `tap` sees every call for visits and cases."""

    protection: Protection
    clock: SettableClock = field(default_factory=lambda: SettableClock(OPENS))
    tap: Tap = field(default_factory=Tap)
    guard: MemoryGuard = field(default_factory=MemoryGuard)
    misses: MemoryMisses | None = None
    campaigns: MemoryCampaigns = field(default_factory=lambda: MemoryCampaigns(MemorySummaries()))

    def __post_init__(self) -> None:
        self.put(sale(protection=self.protection))

    def put(self, campaign: Campaign) -> None:
        """Put a campaign in the place of what it was."""
        self.campaigns.campaigns[campaign.id] = campaign

    def environment(self, campaign_id: str = SALE) -> GateEnvironment:
        """Return a cold execution environment."""
        visits, cases = tapped(self.guard, "visits", self.tap), tapped(self.guard, "cases", self.tap)
        open_case = OpenCase(cases, OneKey(), self.clock)
        misses = self.misses
        back_off = None if misses is None else BackOff(tapped(misses, "misses", self.tap), open_case, self.clock)
        admission = Admission(visits, open_case, read_signals, OneKey(), self.clock, back_off)
        return GateEnvironment(admission, LiveCampaigns(self.campaigns, self.clock), campaign_id)

    def calls(self) -> Sequence[str]:
        """Return the calls since this was last asked."""
        made = list(self.tap.calls)
        self.tap.calls.clear()
        return made

    def ticket(self, shopper: str, passed_at: int | None = None, valid_ms: int = 600_000) -> str:
        """Return a ticket for the campaign."""
        at = self.clock() if passed_at is None else passed_at
        return make_ticket(key_id(PASS_KEY), PASS_KEY, SALE, shopper, at, at + valid_ms, "nonce")

    def waited(self, shopper: str) -> str:
        """Return the solution of the challenge to wait, which is good after 30 s."""
        from brandday.challenges import WAIT, binding_of

        identified, key = OneKey().current()
        posed = WAIT.pose(identified, key, binding_of(SALE, shopper), ALWAYS, 1, self.clock())
        solution: str = posed["solution"]
        return solution


def mark(kind: SignalKind, value: str) -> str:
    """Return the mark of a value in this world."""
    return mark_of(MARK_KEY, kind, value)
