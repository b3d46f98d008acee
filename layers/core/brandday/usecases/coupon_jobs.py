"""Operators make coupons, look at them and disable them.

A job has a name; whoever repeats one of its steps gets the same coupons again, because their codes follow from the name
and a number. So a command that was killed goes on under the same name.

How many coupons there may be is counted when a job is created, or with each group of imported codes in the same
transaction that writes them: no job, and no two of them at once, can make more than the campaign's terms allow.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from brandday.domain.campaign import Campaign
from brandday.domain.campaign_rules import check_published
from brandday.domain.coupon import CodeKind, CouponTerms, IssuedBy
from brandday.domain.coupon_code import CodeKeys, coupon_id, fold, make_code
from brandday.domain.coupon_job import BATCH, CouponJob, Disabled, Issued, JobKind, Row, RowProblem, Taken
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.coupon_rewards import reward_of_coupon
from brandday.domain.errors import (
    CampaignChangeRefused,
    CouponJobConflict,
    CouponJobNotFound,
    CouponsExceeded,
    FieldError,
    TemporarilyOverloaded,
    ValidationFailed,
    WrongMechanic,
)
from brandday.domain.layout import Layout
from brandday.domain.trail import Change, TrailEntry
from brandday.usecases.coupon_facts import facts_of, job_source
from brandday.usecases.coupon_ports import CAMPAIGN_PARTS, CampaignPage, Coupons, StateChange
from brandday.usecases.live_codes import CODE_TEXT
from brandday.usecases.ports import Campaigns, Clock, Each
from brandday.usecases.reward_ports import Rewards

ADD_AT_ONCE = 98
"""Imported coupons of one transaction: with what counts them they are the 100 items that DynamoDB takes."""

LOAD_AT_ONCE = 50
_TRIES = 5
_TRAIL_ID_BYTES = 8


class CouponJobs(Protocol):
    """Jobs and what they are counted with. Every method raises TemporarilyOverloaded when the database is too busy."""

    def get(self, campaign_id: str, name: str) -> CouponJob | None:
        """Return a job as it is now, or None if there is none of this name."""

    def of_campaign(self, campaign_id: str) -> Sequence[CouponJob]:
        """Return all jobs of a campaign as they are now, in order of names."""

    def issued(self, campaign_id: str) -> Issued:
        """Return what all jobs of a campaign are counted with, as it is now."""

    def create(self, job: CouponJob, before: Issued, entry: TrailEntry) -> bool:
        """Store a new job, count its coupons and its moments, and note the act, or nothing of it.

        False if the count is not ``before`` any more, or there is a job of this name.
        """

    def add(self, job: CouponJob, coupons: Sequence[CouponFacts], before: Issued) -> bool:
        """Write these coupons (at most ADD_AT_ONCE) and count them, or nothing of it.

        False if the count is not ``before`` any more, or one of the coupons is there.
        """

    def mark(self, job: CouponJob, done: int) -> None:
        """Remember that a job's numbers below ``done`` are made; never goes back."""

    def record(self, campaign_id: str, entry: TrailEntry) -> None:
        """Note an act in the campaign's audit trail."""


class CodeBook(Protocol):
    """What codes are; `usecases/live_codes.py`."""

    def keys(self) -> CodeKeys:
        """Return the deployment's keys."""

    def shared(self, folded: str) -> str | None:
        """Return the campaign that has this shared code."""

    def imported(self, folded: str) -> str | None:
        """Return the campaign whose imported codes begin like this one."""


class Started(NamedTuple):
    """A job; `is_new` unless it was there before."""

    job: CouponJob
    is_new: bool


class CouponSight(NamedTuple):
    """A page of what is stored of a campaign's coupons, and the ids of those whose code is not what their source makes
    (an imported one: whose id is not what its code makes).
    """

    page: CampaignPage
    forged: frozenset[str]


@dataclass(frozen=True, slots=True)
class ManageCoupons:
    """What operators do about coupons; `who` is the token's subject. `random_bytes` makes the ids of trail entries."""

    campaigns: Campaigns
    coupons: Coupons
    jobs: CouponJobs
    rewards: Rewards
    codes: CodeBook
    now: Clock
    random_bytes: Callable[[int], bytes]
    each: Each = map

    def start(self, campaign_id: str, name: str, kind: JobKind, size: int, digest: str, who: str) -> Started:
        """Create a job, or find the one that was created before.

        CouponsExceeded if the campaign may not have so many more; CouponJobConflict if there is another job of this
        name; CampaignChangeRefused if its coupons come into the world in another way.
        """
        campaign = self._campaign(campaign_id)
        terms = _terms(campaign, kind)
        for _ in range(_TRIES):
            known = self.jobs.get(campaign_id, name)
            if known is not None:
                if (known.kind, known.size, known.digest) != (kind, size, digest):
                    raise CouponJobConflict(job=name)
                return Started(known, is_new=False)
            now = self.now()
            check_published(campaign, now)
            issued = self.jobs.issued(campaign_id)
            counted = 0 if kind is JobKind.IMPORT else size
            if counted > terms.units - issued.count:
                raise CouponsExceeded(left=terms.units - issued.count)
            job = CouponJob(campaign_id, name, kind, size, digest, max(now, issued.next_at), counted)
            change = Change(("coupon_jobs", name), None, size)
            if self.jobs.create(job, issued, self._entry(campaign, f"coupons_{kind}", who, now, change)):
                return Started(job, is_new=True)
        raise TemporarilyOverloaded

    def list_jobs(self, campaign_id: str) -> Sequence[CouponJob]:
        """Return all jobs of a campaign."""
        self._campaign(campaign_id)
        return self.jobs.of_campaign(campaign_id)

    def make(
        self, campaign_id: str, name: str, start: int, shoppers: Sequence[str] | None = None
    ) -> Sequence[CouponFacts]:
        """Make the coupons of a job from number ``start`` on, at most BATCH of them, or say again which they are.

        ``shoppers`` are the ids of those who get them, in a job for a list of shoppers.
        """
        campaign, job = self._campaign(campaign_id), self._job(campaign_id, name)
        if job.kind is JobKind.IMPORT:
            raise CouponJobConflict(job=name)
        numbers = range(start, min(start + BATCH, job.size))
        if not numbers:
            raise ValidationFailed(errors=[FieldError("/from", "too_large", {"max": job.size - 1})])
        if job.kind is JobKind.TARGET and (shoppers is None or len(shoppers) != len(numbers)):
            reason = f"must be the {len(numbers)} shoppers from number {start} on"
            raise ValidationFailed(errors=[FieldError("/shoppers", "refused", {"reason": reason})])
        if job.kind is JobKind.GENERATE and shoppers is not None:
            raise ValidationFailed(errors=[FieldError("/shoppers", "unknown_field")])
        layout, keys = _layout(campaign), self.codes.keys()
        owners = [None] * len(numbers) if shoppers is None else [layout.name_of(shopper) for shopper in shoppers]
        made = [
            facts_of(keys, campaign, job_source(name, number), job.at, owner=owner)
            for number, owner in zip(numbers, owners, strict=True)
        ]
        self.coupons.put_facts(made)
        self._reward(campaign, job, zip(numbers, made, strict=True))
        if start <= job.done < numbers.stop:
            self.jobs.mark(job, numbers.stop)
        return made

    def take_in(self, campaign_id: str, name: str, rows: Sequence[Row]) -> Sequence[Taken]:
        """Take in lines of a partner's file, at most BATCH of them; tells of each what became of it, in order."""
        campaign, job = self._campaign(campaign_id), self._job(campaign_id, name)
        if job.kind is not JobKind.IMPORT:
            raise CouponJobConflict(job=name)
        check_published(campaign, self.now())
        layout, keys = _layout(campaign), self.codes.keys()
        results: dict[int, Taken] = {}
        wanted: dict[str, tuple[int, CouponFacts]] = {}
        for row in rows:
            code = fold(row.code)
            problem = self._problem(campaign_id, job, row, code)
            if problem is None and coupon_id(keys, code) in wanted:
                problem = RowProblem.DUPLICATE
            if problem is not None:
                results[row.line] = Taken(row.line, None, problem)
                continue
            owner = None if row.shopper is None else layout.name_of(row.shopper)
            facts = facts_of(keys, campaign, job_source(name, row.line), job.at, owner=owner, code=code)
            wanted[facts.id] = row.line, facts
        for group in itertools.batched(wanted.values(), ADD_AT_ONCE, strict=False):
            for taken in self._add(campaign, job, group):
                results[taken.line] = taken
        self._reward(campaign, job, ((taken.line, taken.coupon) for taken in results.values() if taken.coupon))
        return [results[row.line] for row in rows]

    def _problem(self, campaign_id: str, job: CouponJob, row: Row, code: str) -> RowProblem | None:
        if CODE_TEXT.fullmatch(code) is None or not 1 <= row.line < job.size:
            return RowProblem.MALFORMED
        if self.codes.imported(code) != campaign_id or self.codes.shared(code) is not None:
            return RowProblem.FOREIGN
        return None

    def _add(self, campaign: Campaign, job: CouponJob, group: Sequence[tuple[int, CouponFacts]]) -> Iterable[Taken]:
        """Write a group of new coupons; those that were there stay as they are, and are this line's or another's."""
        terms = _terms(campaign, JobKind.IMPORT)
        for _ in range(_TRIES):
            issued = self.jobs.issued(job.campaign_id)
            there = self._load([facts.id for _, facts in group])
            fresh = [facts for _, facts in group if facts.id not in there][: max(0, terms.units - issued.count)]
            if not fresh or self.jobs.add(job, fresh, issued):
                written = {facts.id for facts in fresh}
                return [_taken(line, facts, there.get(facts.id), written) for line, facts in group]
        raise TemporarilyOverloaded

    def _load(self, ids: Sequence[str]) -> dict[str, CouponFacts]:
        found: dict[str, CouponFacts] = {}
        for some in itertools.batched(ids, LOAD_AT_ONCE, strict=False):
            found |= {key: stored.facts for key, stored in self.coupons.load(some, consistent=True).items()}
        return found

    def _reward(self, campaign: Campaign, job: CouponJob, coupons: Iterable[tuple[int, CouponFacts]]) -> None:
        """Give the rewards of coupons that have an owner; the moments of the job keep their ids apart."""
        now = self.now()
        rewards = [
            reward_of_coupon(campaign, facts, job.at + number, now)
            for number, facts in coupons
            if facts.owner is not None
        ]
        for _ in self.each(self.rewards.create, rewards):
            pass

    def disable(self, campaign_id: str, codes: Sequence[str], who: str) -> Sequence[Disabled]:
        """Disable coupons, at most BATCH codes; tells of each what became of it, in order."""
        campaign, keys = self._campaign(campaign_id), self.codes.keys()
        if campaign.coupon is None:
            raise WrongMechanic(mechanic=campaign.mechanic)
        ids = [coupon_id(keys, fold(code)) for code in codes]
        change = Change(("coupons",), None, f"{len(codes)} disabled")
        self.jobs.record(campaign_id, self._entry(campaign, "coupons_disable", who, self.now(), change))
        done = {key: self._disable(campaign_id, key) for key in dict.fromkeys(ids)}
        return [done[key] for key in ids]

    def _disable(self, campaign_id: str, key: str) -> Disabled:
        for _ in range(_TRIES):
            stored = self.coupons.load([key], consistent=True).get(key)
            if stored is None or stored.facts.campaign_id != campaign_id:
                return Disabled.NOT_FOUND
            if stored.state.disabled:
                return Disabled.BEFORE
            if self.coupons.transact([StateChange(stored.facts, stored.state, replace(stored.state, disabled=True))]):
                return Disabled.DISABLED
        raise TemporarilyOverloaded

    def page(self, campaign_id: str, part: int, after: str | None) -> CouponSight:
        """Return a page of what is stored of a campaign's coupons, in one of `CAMPAIGN_PARTS` parts.

        ValueError for a place to go on from that is none.
        """
        terms = self._campaign(campaign_id).coupon
        if not 0 <= part < CAMPAIGN_PARTS:
            raise ValueError("no such part")
        page = self.coupons.of_campaign(campaign_id, part, after)
        derived = terms is None or terms.code_kind is not CodeKind.IMPORTED
        return CouponSight(
            page, frozenset(facts.id for facts in page.facts if not self._is_genuine(facts, derived=derived))
        )

    def _is_genuine(self, facts: CouponFacts, *, derived: bool) -> bool:
        keys = self.codes.keys()
        if derived and facts.code != make_code(keys, facts.campaign_id, facts.source):
            return False
        return facts.id == coupon_id(keys, facts.code)

    # --- what all of it needs ---

    def _campaign(self, campaign_id: str) -> Campaign:
        return self.campaigns.load(campaign_id, consistent=True)[0]

    def _job(self, campaign_id: str, name: str) -> CouponJob:
        job = self.jobs.get(campaign_id, name)
        if job is None:
            raise CouponJobNotFound
        return job

    def _entry(self, campaign: Campaign, act: str, who: str, at: int, change: Change) -> TrailEntry:
        return TrailEntry(self.random_bytes(_TRAIL_ID_BYTES).hex(), at, who, act, campaign.version, (change,))


def _taken(line: int, facts: CouponFacts, there: CouponFacts | None, written: Iterable[str]) -> Taken:
    if there is not None:
        mine = there.source == facts.source
        return Taken(line, there if mine else None, None if mine else RowProblem.DUPLICATE)
    if facts.id in written:
        return Taken(line, facts, None)
    return Taken(line, None, RowProblem.EXCEEDED)


def _terms(campaign: Campaign, kind: JobKind) -> CouponTerms:
    """Return the terms of a campaign whose coupons may come from such a job; raises if they may not."""
    terms = campaign.coupon
    if terms is None:
        raise WrongMechanic(mechanic=campaign.mechanic)
    needed = CodeKind.IMPORTED if kind is JobKind.IMPORT else CodeKind.UNIQUE
    if terms.code_kind is not needed or terms.issued_by is not IssuedBy.OPERATORS:
        reason = f"its coupons are {terms.code_kind} ones, made by {terms.issued_by}"
        raise CampaignChangeRefused(errors=[FieldError("", "refused", {"reason": reason})])
    return terms


def _layout(campaign: Campaign) -> Layout:
    if campaign.layout is None:  # a job was made of it, so it was published
        raise CouponJobNotFound
    return campaign.layout
