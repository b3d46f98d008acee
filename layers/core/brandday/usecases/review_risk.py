"""What the gate of a campaign has refused, or would have: counted, explained one by one, and lifted.

A case is one shopper's in one campaign, so counts of cases are counts of shoppers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple

from brandday.domain.campaign import Campaign
from brandday.domain.errors import CampaignNotFound, CaseNotFound, RateLimited, TemporarilyOverloaded
from brandday.domain.listing import Listing, ListingKey
from brandday.domain.protection import Limit
from brandday.domain.refusal_case import Case
from brandday.domain.risk import Listed, RiskMode, RiskTerms
from brandday.domain.signals import SignalKind
from brandday.domain.trail import Change, TrailEntry
from brandday.usecases.back_off import CODES_CASE
from brandday.usecases.back_off import REASONS as GUESSING_REASONS
from brandday.usecases.guard_desk_ports import CASE_PARTS, KeptCases, Lists
from brandday.usecases.keep_lists import act_id, change_of, end_of_day, live_one
from brandday.usecases.ports import Campaigns, Clock

MOST_CASES: Final = 50_000
"""Cases that a report looks at; more are judged by this many, which are a fair sample: references are hashes."""

TOP_MARKS: Final = 10
THRESHOLDS: Final = 12

_TRIES: Final = 5


class Grounds(StrEnum):
    """What a reason is the name of."""

    RULE = "rule"
    LIMIT = "limit"
    GUESSING = "guessing"
    """Wrong codes or tickets (usecases/back_off.py)."""
    GONE = "gone"
    """It is not declared any more."""


class Reason(NamedTuple):
    """A rule or a limit that stood against somebody, in one sentence; `weight` is a rule's, as declared now."""

    name: str
    grounds: Grounds
    text: str
    weight: int | None = None


class Counted(NamedTuple):
    """A reason, and in how many cases it is one."""

    reason: Reason
    cases: int


class SharedMark(NamedTuple):
    """A mark that several cases share, and the list it is on."""

    key: ListingKey
    cases: int
    listed: Listed | None


class Threshold(NamedTuple):
    """How many shoppers had a score of at least `score`."""

    score: int
    shoppers: int


@dataclass(frozen=True, slots=True)
class RiskReport:
    """What a campaign's cases come to.

    `is_complete` is False if there are more than were looked at. `terms` are the rules as declared now. `thresholds`
    begin where a score leaves a case. `first_at` and `last_at` are epoch ms.
    """

    campaign_id: str
    terms: RiskTerms | None
    cases: int
    is_complete: bool
    lifted: int
    first_at: int | None
    last_at: int | None
    by_mode: Mapping[RiskMode, int]
    by_code: Mapping[str, int]
    reasons: tuple[Counted, ...]
    marks: tuple[SharedMark, ...]
    thresholds: tuple[Threshold, ...]


class MarkSight(NamedTuple):
    """A mark of a case, and where it is listed now."""

    key: ListingKey
    listing: Listing | None


@dataclass(frozen=True, slots=True)
class Explained:
    """A case with what it needs to be understood; `terms` are the rules as declared now."""

    case: Case
    reasons: tuple[Reason, ...]
    marks: tuple[MarkSight, ...]
    terms: RiskTerms | None


class Lifted(NamedTuple):
    """A case after it was lifted, and what its shopper is listed as; `changed` is False if that was done before."""

    case: Case
    listing: Listing
    changed: bool


@dataclass(slots=True)
class _Tally:
    """Counts over cases, as they come."""

    cases: int = 0
    lifted: int = 0
    first_at: int | None = None
    last_at: int | None = None
    by_mode: Counter[RiskMode] = field(default_factory=Counter)
    by_code: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    marks: Counter[ListingKey] = field(default_factory=Counter)
    scores: Counter[int] = field(default_factory=Counter)

    def add(self, case: Case) -> None:
        self.cases += 1
        self.lifted += case.lifted_at is not None
        self.first_at = case.at if self.first_at is None else min(self.first_at, case.at)
        self.last_at = case.at if self.last_at is None else max(self.last_at, case.at)
        self.by_mode[case.mode] += 1
        self.by_code[case.code] += 1
        self.reasons.update((case.code, name) for name in set(case.reasons))
        # A shopper has one case here, so nobody shares that mark.
        self.marks.update(ListingKey(*mark) for mark in case.marks.items() if mark[0] is not SignalKind.SHOPPER)
        self.scores[case.score] += 1


@dataclass(frozen=True, slots=True)
class ReviewRisk:
    """What operators ask and do about refusals at the gate. `who` is the token's subject.

    `most` is how many cases a report looks at.
    """

    campaigns: Campaigns
    cases: KeptCases
    lists: Lists
    now: Clock
    most: int = MOST_CASES

    def report(self, campaign_id: str) -> RiskReport:
        """Count a campaign's cases, as many as `most` or a page more. Raises CampaignNotFound."""
        campaign, _ = self.campaigns.load(campaign_id)
        now, tally, is_complete = self.now(), _Tally(), True
        for page in self._pages(campaign_id):
            if tally.cases >= self.most:
                is_complete = False
                break
            for case in page:
                if case.forget_at > now:
                    tally.add(case)
        terms = None if campaign.protection is None else campaign.protection.risk
        return RiskReport(
            campaign_id=campaign_id,
            terms=terms,
            cases=tally.cases,
            is_complete=is_complete,
            lifted=tally.lifted,
            first_at=tally.first_at,
            last_at=tally.last_at,
            by_mode={mode: tally.by_mode[mode] for mode in RiskMode},
            by_code=dict(tally.by_code.most_common()),
            reasons=_counted(campaign, tally.reasons),
            marks=self._shared(tally.marks, now),
            thresholds=thresholds(tally.scores, terms),
        )

    def explain(self, reference: str) -> Explained:
        """Return a case and what stood against its shopper, in words. Raises CaseNotFound."""
        case = self._find(reference)
        keys = [ListingKey(kind, mark) for kind, mark in case.marks.items()]
        there, now = self.lists.listed(keys), self.now()
        campaign = self._campaign_of(case)
        return Explained(
            case=case,
            reasons=tuple(explain(campaign, case.code, name) for name in case.reasons),
            marks=tuple(MarkSight(key, live_one(there.get(key), now)) for key in keys),
            terms=campaign.protection.risk if campaign and campaign.protection else None,
        )

    def allow(self, reference: str, days: int, reason: str, who: str, key: str) -> Lifted:
        """Lift a refusal: its shopper is on the allow list for so many days, in all campaigns.

        Who is on it for as long already stays as they are. `key` is the request's Idempotency-Key. Raises CaseNotFound.
        """
        act = act_id(who, key)
        for _ in range(_TRIES):
            case, now = self._find(reference), self.now()
            place = ListingKey(SignalKind.SHOPPER, case.marks[SignalKind.SHOPPER])
            there = self.lists.listed([place]).get(place)
            before, until = live_one(there, now), end_of_day(now, days)
            allowed = before if before is not None and before.listed is Listed.ALLOW else None
            if allowed is not None and allowed.until >= until:
                if case.lifted_at is not None:
                    return Lifted(case, allowed, changed=False)
                until = allowed.until
            after = Listing(Listed.ALLOW, place, until, reason, who, now, act)
            lifting = Change(("cases", case.campaign_id, case.reference), case.code, "lifted")
            entry = TrailEntry(act, now, who, "allow", 0, (lifting, change_of(place, before, after)))
            if self.lists.lift(case, now, (there, after), entry):
                return Lifted(replace(case, lifted_at=now), after, changed=True)
        raise TemporarilyOverloaded

    def _pages(self, campaign_id: str) -> Iterator[Sequence[Case]]:
        for part in range(CASE_PARTS):
            after: str | None = None
            while True:
                page = self.cases.cases(campaign_id, part, after)
                if page.cases:
                    yield page.cases
                after = page.next
                if after is None:
                    break

    def _find(self, reference: str) -> Case:
        case = self.cases.find(reference, [*self.campaigns.list_ids(), CODES_CASE])
        if case is None or case.forget_at <= self.now():
            raise CaseNotFound
        return case

    def _campaign_of(self, case: Case) -> Campaign | None:
        try:
            campaign, _ = self.campaigns.load(case.campaign_id)
        except CampaignNotFound:
            return None
        return campaign

    def _shared(self, marks: Counter[ListingKey], now: int) -> tuple[SharedMark, ...]:
        top = [(key, cases) for key, cases in marks.most_common(TOP_MARKS) if cases > 1]
        there = self.lists.listed([key for key, _ in top])
        live = {key: live_one(there.get(key), now) for key, _ in top}
        return tuple(SharedMark(key, cases, one.listed if (one := live[key]) else None) for key, cases in top)


def thresholds(scores: Mapping[int, int], terms: RiskTerms | None) -> tuple[Threshold, ...]:
    """Return how many shoppers had at least certain scores, THRESHOLDS at most and those in force among them.

    Nothing is said about scores that leave no case: in shadow mode those below the lowest threshold, in enforce mode
    those below `refuse_at`, as who is sent to a challenge is not refused.
    """
    if terms is None:
        return ()
    known = (terms.challenge_at, terms.refuse_at) if terms.mode is RiskMode.SHADOW else (terms.refuse_at,)
    in_force = [at for at in known if at is not None]
    if not in_force:
        return ()
    lowest = min(in_force)
    asked = sorted({score for score in scores if score > lowest} - set(in_force))
    room = THRESHOLDS - len(set(in_force))
    if len(asked) > room:  # evenly, the highest one among them
        asked = [asked[-1 - at * len(asked) // room] for at in range(room)]
    return tuple(
        Threshold(at, sum(shoppers for score, shoppers in scores.items() if score >= at))
        for at in sorted({*asked, *in_force})
    )


def explain(campaign: Campaign | None, code: str, name: str) -> Reason:
    """Return what a reason of a case with this code is, as far as the campaign still declares it."""
    protection = None if campaign is None else campaign.protection
    if protection is not None:
        limits = [Reason(name, Grounds.LIMIT, limit_text(one)) for one in protection.limits if one.name == name]
        rules = [
            Reason(name, Grounds.RULE, weighed.rule.explain(), weighed.weight)
            for weighed in (protection.risk.rules if protection.risk else ())
            if weighed.name == name
        ]
        # A limit and a rule may have the same name; the code tells which of them it was.
        if found := limits + rules if code in _OF_LIMITS else rules + limits:
            return found[0]
    if name in GUESSING_REASONS and code == RateLimited.code:
        return Reason(name, Grounds.GUESSING, GUESSING_REASONS[name])
    return Reason(name, Grounds.GONE, "The campaign does not declare this any more.")


_OF_LIMITS: Final = frozenset({"limit_reached", "rate_limited", "signal_missing"})


def limit_text(limit: Limit) -> str:
    """Return a limit in one sentence."""
    counted = str(limit.counts) if limit.most > 1 else str(limit.counts).removesuffix("s")
    what = f"At most {limit.most:,} {counted} per {limit.by}"
    if limit.window is None:
        return f"{what}, as long as it lasts."
    window = f"{limit.window.ms // 1000:,} seconds"
    return f"{what} in the last {window}." if limit.window.sliding else f"{what} in each window of {window}."


def _counted(campaign: Campaign, reasons: Mapping[tuple[str, str], int]) -> tuple[Counted, ...]:
    cases: Counter[Reason] = Counter()
    for (code, name), count in reasons.items():
        cases[explain(campaign, code, name)] += count
    return tuple(Counted(reason, count) for reason, count in cases.most_common())
