"""Jobs that make coupons in memory: the port `CouponJobs` without a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from brandday.domain.coupon_job import CouponJob, Issued
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.trail import TrailEntry
from brandday.usecases.coupon_jobs import ADD_AT_ONCE, LOAD_AT_ONCE
from brandday.usecases.coupon_ports import Coupons


@dataclass
class MemoryCouponJobs:
    """Jobs by campaign and name, what they are counted with by campaign, and the acts that were noted."""

    coupons: Coupons
    jobs: dict[tuple[str, str], CouponJob] = field(default_factory=dict)
    counts: dict[str, Issued] = field(default_factory=dict)
    trail: list[TrailEntry] = field(default_factory=list)

    def get(self, campaign_id: str, name: str) -> CouponJob | None:
        """Return a job."""
        return self.jobs.get((campaign_id, name))

    def of_campaign(self, campaign_id: str) -> Sequence[CouponJob]:
        """Return all jobs of a campaign, in order of names."""
        return [self.jobs[key] for key in sorted(self.jobs) if key[0] == campaign_id]

    def issued(self, campaign_id: str) -> Issued:
        """Return what all jobs of a campaign are counted with."""
        return self.counts.get(campaign_id, Issued())

    def create(self, job: CouponJob, before: Issued, entry: TrailEntry) -> bool:
        """Store a new job and count it, unless others were faster."""
        if self.issued(job.campaign_id) != before or (job.campaign_id, job.name) in self.jobs:
            return False
        self.jobs[job.campaign_id, job.name] = job
        self.counts[job.campaign_id] = Issued(before.count + job.count, job.at + job.size)
        self.trail.append(entry)
        return True

    def add(self, job: CouponJob, coupons: Sequence[CouponFacts], before: Issued) -> bool:
        """Write coupons and count them, unless others were faster."""
        assert len(coupons) <= ADD_AT_ONCE
        ids = [facts.id for facts in coupons]
        there = [self.coupons.load(ids[at : at + LOAD_AT_ONCE], consistent=True) for at in range(0, len(ids), 50)]
        if self.issued(job.campaign_id) != before or any(there):
            return False
        self.coupons.put_facts(coupons)
        known = self.jobs[job.campaign_id, job.name]
        self.jobs[job.campaign_id, job.name] = replace(known, count=known.count + len(coupons))
        self.counts[job.campaign_id] = replace(before, count=before.count + len(coupons))
        return True

    def mark(self, job: CouponJob, done: int) -> None:
        """Remember how far a job is."""
        known = self.jobs[job.campaign_id, job.name]
        self.jobs[job.campaign_id, job.name] = replace(known, done=max(known.done, done))

    def record(self, campaign_id: str, entry: TrailEntry) -> None:
        """Note an act."""
        del campaign_id
        self.trail.append(entry)
