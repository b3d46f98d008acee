"""The gate of protected campaigns: who is let in. At the desk where tickets are given out, or else at the claim.

What it costs, in this order, and nothing beyond what the campaign's protection needs:

1. No call: a ticket, what the campaign needs to know of a visit, what this environment has refused a moment ago, a
   challenge that everybody has to solve.
2. One call that reads: the lists, and the activity that limits and rules look at.
3. One write at most, and only for those who are let in: the attempt is noted under one signal (`domain/activity.py`).
   If that shows that others were faster, it is refused after all, so that environments that look at the same time do
   not let in more. In shadow mode rules may take a write of their own, as they must not take one from the limits.
4. For those who are refused, their case: one write a minute, and a read where another environment has written it.

A database that is too busy lets nobody in (TemporarilyOverloaded). Only a note may be lost: where so many arrive in the
same second, the count is high already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from brandday.domain.activity import NEW, Activity, ActivityKey, Note, draw, margin, part_of, place_of, weights
from brandday.domain.campaign import Shopper
from brandday.domain.entry_ticket import WRONG, read_ticket
from brandday.domain.errors import (
    AdmissionRefused,
    ChallengeRequired,
    LimitReached,
    NotAdmitted,
    RateLimited,
    SignalMissing,
    TemporarilyOverloaded,
    TicketInvalid,
)
from brandday.domain.protection import Ask, ChallengeTerms, Counted, Limit, Protection
from brandday.domain.risk import Assessment, Facts, Listed, RiskMode, RiskTerms, Verdict
from brandday.domain.signals import SignalKind, Signals
from brandday.domain.tally import TallyKey, Wanted
from brandday.domain.visit import Visit
from brandday.usecases.back_off import BackOff, Guessed, Guesser
from brandday.usecases.guard_ports import Admitted, PassKeys, Seen, SignalReader, Visits
from brandday.usecases.live_campaigns import LiveCampaign
from brandday.usecases.open_case import OpenCase
from brandday.usecases.ports import Clock
from brandday.usecases.recent import Recent

REMEMBER_MS = 10_000
"""How long an environment says the same to the same visit without looking again; who was exempted waits as long."""

KEEP = 4096
"""How many visits an environment remembers."""

FORGET_AFTER_MS = 7 * 24 * 60 * 60 * 1000
"""How long activity stays when nothing of this campaign counts it: others of its brand day may go on."""

MISSING = "missing"

type Identity = tuple[str, ...]
"""A campaign and all marks of a visit: whoever has the same is told the same."""


class _Refusal(NamedTuple):
    """What was said until when; `say` makes it anew, at a time. Some need only a challenge to be solved."""

    until: int
    say: Callable[[int], AdmissionRefused]
    solvable: bool = False


class Admission:
    """Lets visits in or says why not; one instance serves an execution environment, one request at a time.

    Implements the ports `Gate` and `Desk`.
    """

    def __init__(
        self,
        visits: Visits,
        open_case: OpenCase,
        read_signals: SignalReader,
        pass_keys: PassKeys,
        now: Clock,
        back_off: BackOff | None = None,
    ) -> None:
        self._visits = visits
        self._back_off = back_off
        self._open_case = open_case
        self._read_signals = read_signals
        self._find_key = pass_keys.find
        self._now = now
        self._plans = Recent[str, _Plan](KEEP)
        self._refused = Recent[Identity, _Refusal](KEEP)
        self._scores = Recent[Identity, tuple[int, int]](KEEP)
        self._exempt = Recent[Identity, tuple[int, bool]](KEEP)

    # --- the port Gate ---

    def admit(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> Admitted:
        """Let a visit in, or raise why not. With tickets this takes no call; without, all the gate has to do."""
        plan = self._plan(live, protection)
        if protection.ticket is None:
            guest = self._guest(live, plan, shopper, visit)
            passed_at, exempt = self._let_in(guest)
            return Admitted(passed_at, () if exempt else plan.wanted(guest.signals))
        passed_at = self._ticket(live, shopper, visit)
        if not plan.wins:
            return Admitted(passed_at)
        signals = self._read_signals(shopper, visit)
        _check_has(signals, (limit for limit in plan.wins if limit.required))
        return Admitted(passed_at, plan.wanted(signals))

    def limit_reached(
        self,
        live: LiveCampaign,
        protection: Protection,  # noqa: ARG002 - a port
        shopper: Shopper,
        visit: Visit,
        limit: Limit,
    ) -> Exception:
        """Return the refusal of a win that a limit stands against; its reference can be looked up."""
        signals = self._read_signals(shopper, visit)
        reference = self._open_case(live.campaign.id, signals, LimitReached.code, (limit.name,))
        return LimitReached(by=str(limit.by), limit=limit.most, reference=reference)

    def is_exempt(self, live: LiveCampaign, shopper: Shopper, visit: Visit) -> bool:
        """Whether an operator has exempted a visit from limits: one call, and none if that was asked a moment ago."""
        signals, now = self._read_signals(shopper, visit), self._now()
        identity = _identity(live, signals)
        until, exempt = self._exempt.get(identity, (0, False))
        if now >= until:
            exempt = _exempts(self._visits.look(signals.marks, (), now))
            self._exempt[identity] = (now + REMEMBER_MS, exempt)
        return exempt

    # --- the port Desk ---

    def enter(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> int | None:
        """Let a visit in: attempts, risk and challenge. Return when the challenge was posed that it has solved (epoch
        ms), None where it needed none; raises AdmissionRefused.
        """
        return self._let_in(self._guest(live, self._plan(live, protection), shopper, visit))[0]

    def score(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> int:
        """Return what the campaign's rules say about a visit, in their own weights; counts and records nothing. In
        shadow mode they say nothing.
        """
        plan = self._plan(live, protection)
        if not plan.enforces:
            return 0
        guest = self._guest(live, plan, shopper, visit)
        until, score = self._scores.get(guest.identity, (0, 0))
        if guest.now >= until:
            seen = self._look(guest)
            assessment = None if _exempts(seen) else self._assess(guest, seen)
            score = 0 if assessment is None else assessment.score
        return score

    # --- how somebody is let in ---

    def _let_in(self, guest: _Guest) -> tuple[int | None, bool]:
        """Return when a challenge was posed that was solved, and whether the visit is exempt from limits."""
        plan, signals = guest.plan, guest.signals
        _check_has(signals, (limit for limit in plan.protection.limits if limit.required))
        self._check_memory(guest)
        passed_at = None
        if plan.challenge is not None and plan.challenge.ask is Ask.ALWAYS and not signals.vouched:
            passed_at = self._solved_at(guest, plan.challenge)
        if not plan.looks:
            return passed_at, False
        try:
            seen = self._look(guest)
        except TemporarilyOverloaded:
            if plan.attempts or plan.enforces:
                raise
            return passed_at, False  # what is only watched changes nothing
        if _exempts(seen):
            return passed_at, True
        chances = _chances(guest, seen)
        for kind in plan.attempts:
            if kind in signals.marks:
                self._check_attempts(guest, kind, seen.activity[guest.key(kind)], chances)
        assessment = self._assess(guest, seen)
        if assessment is not None and assessment.verdict is not Verdict.ALLOW:
            solved_at = self._act_on(guest, assessment)
            passed_at = solved_at if passed_at is None else passed_at
        self._note(guest, seen, chances)
        return passed_at, False

    def _check_memory(self, guest: _Guest) -> None:
        refusal = self._refused.get(guest.identity)
        if refusal is None or guest.now >= refusal.until or (refusal.solvable and guest.signals.vouched):
            return
        if not (refusal.solvable and guest.visit.solution and guest.plan.challenge):
            raise refusal.say(guest.now)
        self._solved_at(guest, guest.plan.challenge)  # a wrong one is refused without a call

    def _look(self, guest: _Guest) -> Seen:
        plan, marks = guest.plan, guest.signals.marks
        kinds = [kind for kind in marks if kind in plan.attempts or kind in plan.ruled]
        return self._visits.look(marks, [guest.key(kind) for kind in kinds], guest.now)

    def _check_attempts(
        self, guest: _Guest, kind: SignalKind, activity: Activity, chances: _Chances, own: int = 0
    ) -> None:
        """Raise RateLimited if a signal has as many attempts as one of its limits; `own` are of this request."""
        for limit in guest.plan.attempts[kind]:
            enough = limit.most + margin(limit.most, chances.now.get(kind, 1), chances.first.get(kind, 1))
            if activity.estimate(limit, guest.now) - own >= enough:
                raise self._rate_limited(guest, limit, activity.frees_at(limit, enough, guest.now))

    def _rate_limited(self, guest: _Guest, limit: Limit, frees_at: int | None) -> RateLimited:
        campaign = guest.live.campaign
        free = max(guest.now + 1, campaign.over_at() if frees_at is None else frees_at)
        reference = self._open_case(campaign.id, guest.signals, RateLimited.code, (limit.name,))

        def say(now: int) -> RateLimited:
            return RateLimited(reference=reference, retry_after_ms=free - now)

        self._refused[guest.identity] = _Refusal(min(free, guest.now + REMEMBER_MS), say)
        return say(guest.now)

    def _assess(self, guest: _Guest, seen: Seen) -> Assessment | None:
        plan, signals = guest.plan, guest.signals
        if plan.risk is None:
            return None
        ruled = [kind for kind in signals.marks if kind in plan.ruled]
        distinct = {kind: seen.activity[guest.key(kind)].distinct(guest.place(kind)) for kind in ruled}
        assessment = plan.risk.assess(Facts(signals, guest.now, plan.opened_at, distinct, seen.listed))
        if plan.enforces:
            self._scores[guest.identity] = (guest.now + REMEMBER_MS, assessment.score)
        return assessment

    def _act_on(self, guest: _Guest, assessment: Assessment) -> int | None:
        """Do what the rules have come to; return when a challenge was posed, if they took one for an answer."""
        plan, campaign_id = guest.plan, guest.live.campaign.id
        refused = assessment.verdict is Verdict.REFUSE
        code, said = NotAdmitted.code if refused else ChallengeRequired.code, assessment.hits
        if not plan.enforces:
            self._open_case(campaign_id, guest.signals, code, said, score=assessment.score, mode=RiskMode.SHADOW)
            return None
        until = guest.now + REMEMBER_MS
        if refused:
            reference = self._open_case(campaign_id, guest.signals, code, said, score=assessment.score)
            self._refused[guest.identity] = _Refusal(until, lambda _: NotAdmitted(reference=reference))
            raise NotAdmitted(reference=reference)
        if guest.signals.vouched:
            return None
        if plan.challenge is None:
            raise ChallengeRequired(reason=MISSING)  # cannot be declared; if it were, nobody is let in by mistake
        if not guest.visit.solution:
            refusal = _Refusal(until, lambda _: ChallengeRequired(reason=MISSING), solvable=True)
            self._refused[guest.identity] = refusal
        return self._solved_at(guest, plan.challenge)

    def _note(self, guest: _Guest, seen: Seen, chances: _Chances) -> None:
        """Note the attempt under one of its signals, and refuse it if others were faster."""
        plan, signals, now = guest.plan, guest.signals, guest.now
        seed = f"{signals.marks[SignalKind.SHOPPER]}{now}"
        for kind, weight in chances.drawn(seed):
            limits = plan.attempts.get(kind, ())
            activity = seen.activity[guest.key(kind)]
            parts = tuple(part_of(limit, now) for limit in limits)
            note = Note(parts, weight, guest.place(kind), activity.stale(limits, now), plan.forget_at(now) // 1000)
            try:
                noted = self._visits.note(guest.key(kind), note)
            except TemporarilyOverloaded:
                continue
            if limits:
                self._check_attempts(guest, kind, noted, chances, own=weight)

    # --- passes ---

    def _ticket(self, live: LiveCampaign, shopper: Shopper, visit: Visit) -> int:
        if not visit.ticket:
            raise TicketInvalid(reason=MISSING)
        try:
            return read_ticket(self._find_key, live.campaign.id, shopper.id, visit.ticket, self._now())
        except ValueError as error:
            if str(error) == WRONG and self._back_off is not None:  # who has a good one is never asked who they are
                signals = self._read_signals(shopper, visit)
                self._back_off.note(Guesser(Guessed.TICKETS, live.campaign.id, signals), [visit.ticket])
            raise TicketInvalid(reason=str(error)) from None

    def _solved_at(self, guest: _Guest, terms: ChallengeTerms) -> int:
        from brandday.challenges import binding_of, solved_at  # only campaigns with challenges need them

        if not guest.visit.solution:
            raise ChallengeRequired(reason=MISSING)
        binding = binding_of(guest.live.campaign.id, guest.shopper.id)
        try:
            return solved_at(terms.kind, self._find_key, binding, guest.visit.solution, guest.now)
        except ValueError as error:
            raise ChallengeRequired(reason=str(error)) from None

    # --- what is known of a request ---

    def _guest(self, live: LiveCampaign, plan: _Plan, shopper: Shopper, visit: Visit) -> _Guest:
        signals = self._read_signals(shopper, visit)
        return _Guest(live, plan, shopper, visit, signals, _identity(live, signals), self._now())

    def _plan(self, live: LiveCampaign, protection: Protection) -> _Plan:
        plan = self._plans.get(live.campaign.id)
        if plan is None or plan.protection is not protection or plan.over_at != live.campaign.over_at():
            plan = _Plan(live, protection)
            self._plans[live.campaign.id] = plan
        return plan


class _Plan:
    """What a campaign's protection comes to at the gate: worked out once for each version of it."""

    def __init__(self, live: LiveCampaign, protection: Protection) -> None:
        campaign = live.campaign
        self.protection = protection
        self.challenge = protection.challenge
        self.risk: RiskTerms | None = protection.risk
        self.enforces = self.risk is not None and self.risk.mode is RiskMode.ENFORCE
        self.scope = protection.scope(campaign.id)
        self.wins = protection.limits_on(Counted.WINS)
        self.attempts: dict[SignalKind, tuple[Limit, ...]] = {}
        for limit in protection.limits_on(Counted.ATTEMPTS):
            self.attempts[limit.by] = (*self.attempts.get(limit.by, ()), limit)
        self.most = {kind: min(limit.most for limit in limits) for kind, limits in self.attempts.items()}
        self.ruled = frozenset[SignalKind]() if self.risk is None else self.risk.looks_at()
        self.looks = bool(self.attempts) or self.risk is not None
        self.opened_at = protection.opens_at(campaign.starts_at)
        self.over_at = campaign.over_at()
        self._longest = max((limit.window.ms for limit in protection.limits if limit.window is not None), default=0)

    def wanted(self, signals: Signals) -> tuple[Wanted, ...]:
        """Return the limits on wins that a visit has the signals of."""
        return tuple(
            Wanted(limit, TallyKey(self.scope, limit.name, signals.marks[limit.by]))
            for limit in self.wins
            if limit.by in signals.marks
        )

    def forget_at(self, now: int) -> int:
        """Return when (epoch ms) nobody needs what is noted at `now`."""
        return max(self.over_at, now + 2 * self._longest) + FORGET_AFTER_MS


@dataclass(frozen=True)
class _Guest:
    """Somebody at the gate, at a moment (`now`, epoch ms)."""

    live: LiveCampaign
    plan: _Plan
    shopper: Shopper
    visit: Visit
    signals: Signals
    identity: Identity
    now: int

    def key(self, kind: SignalKind) -> ActivityKey:
        """Where the activity of one of their signals is."""
        return ActivityKey(self.plan.scope, kind, self.signals.marks[kind])

    def place(self, kind: SignalKind) -> int:
        """The place of the shopper there."""
        return place_of(self.key(kind), self.signals.marks[SignalKind.SHOPPER])


class _Chances(NamedTuple):
    """For how many attempts one stands that is noted under a signal: `now`, and for whoever is new (`first`).

    `drawn` has what to note: of rules in shadow mode (`aside`) apart, so that limits count as if there were none.
    """

    now: Mapping[SignalKind, int]
    first: Mapping[SignalKind, int]
    aside: Mapping[SignalKind, int]

    def drawn(self, seed: str) -> Iterable[tuple[SignalKind, int]]:
        """Return under which signals to note a request, with its weight there."""
        for chances, wanted in ((self.now, self.now), (self.aside, self.aside.keys() - self.now.keys())):
            kinds = list(chances)
            index = draw(seed, list(chances.values()))
            if index is not None and kinds[index] in wanted:
                yield kinds[index], chances[kinds[index]]


def _chances(guest: _Guest, seen: Seen) -> _Chances:
    plan, marks = guest.plan, guest.signals.marks
    limited = {kind: most for kind, most in plan.most.items() if kind in marks}
    if not plan.ruled:
        chances = _weighed(limited)
        return _Chances(chances, chances, {})
    ruled = [kind for kind in marks if kind in plan.ruled]
    unmarked = [kind for kind in ruled if guest.place(kind) not in seen.activity[guest.key(kind)].places]
    all_now = _weighed(_closer(limited, unmarked))
    if plan.enforces:
        return _Chances(all_now, _weighed(_closer(limited, ruled)), {})
    chances = _weighed(limited)
    return _Chances(chances, chances, all_now)


def _closer(limited: Mapping[SignalKind, int], kinds: Iterable[SignalKind]) -> dict[SignalKind, int]:
    return {**limited, **{kind: min(NEW, limited.get(kind, NEW)) for kind in kinds}}


def _weighed(most: Mapping[SignalKind, int]) -> dict[SignalKind, int]:
    return dict(zip(most, weights(tuple(most.values())), strict=True))


def _identity(live: LiveCampaign, signals: Signals) -> Identity:
    return (live.campaign.id, *(f"{kind}{mark}" for kind, mark in signals.marks.items()))


def _check_has(signals: Signals, limits: Iterable[Limit]) -> None:
    for limit in limits:
        if limit.by not in signals.marks:
            raise SignalMissing(by=str(limit.by))


def _exempts(seen: Seen) -> bool:
    """Whether the lists exempt a visit: its shopper is allowed, or anything it has is and nothing is blocked."""
    listed = seen.listed
    if listed.get(SignalKind.SHOPPER) is Listed.ALLOW:
        return True
    return Listed.ALLOW in listed.values() and Listed.BLOCK not in listed.values()
