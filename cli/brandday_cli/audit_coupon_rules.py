"""What the audit proves of coupons: pure checks of a coupon, of it and its redemption, of a job, of a claim."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from brandday_cli.audit_coupon_records import (
    DAY_MS,
    TAKEN,
    USED,
    ClaimPlace,
    CouponPlan,
    JobPlace,
    Jobs,
    StoredFacts,
    StoredPart,
    StoredState,
)
from brandday_cli.audit_records import Entry, Violation
from brandday_cli.audit_rules import COUPON_STATUSES, CouponTally
from brandday_cli.coupon_usage import status_at

LONGEST_DAY_MS = 27 * 60 * 60 * 1000
"""What the end of a day may add to the days that were promised, on a day on which clocks are put back."""


def status_of(facts: StoredFacts, state: StoredState | None, now_ms: int) -> str:
    """Return what a coupon is now: exactly one of the statuses."""
    if state is None:
        return status_at(now_ms, facts.valid_until)
    until = facts.valid_until if state.valid_until is None else state.valid_until
    return status_at(now_ms, until, state.use, state.locked_until, disabled=state.disabled)


def check_facts(plan: CouponPlan, facts: StoredFacts, jobs: Jobs) -> list[Violation]:
    """Check what a coupon says of itself: where it comes from, whose it is, how long it is valid."""
    return [
        Violation(code, f"coupon {facts.id}: {detail}", shopper=facts.owner)
        for code, detail in (*_origin(plan, facts, jobs), *_validity(plan, facts))
    ]


def _origin(plan: CouponPlan, facts: StoredFacts, jobs: Jobs) -> Iterator[tuple[str, str]]:
    match facts.source:
        case ClaimPlace(_, shopper, attempt) if plan.is_taken:
            if facts.owner != shopper or facts.issued_at != attempt:
                yield "coupon_mismatch", "its owner or its time is not that of its claim"
        case JobPlace(name, number) if not plan.is_taken and not plan.is_shared:
            job = jobs.by_name.get(name)
            if job is None:
                yield "coupon_without_job", f"there is no job {name}"
            elif number >= job.size:
                yield "coupon_without_job", f"the job {name} has no number {number}"
            elif facts.issued_at != job.at:
                yield "coupon_mismatch", f"its time is not that of the job {name}"
            elif (job.kind == "target" and facts.owner is None) or (job.kind == "generate" and facts.owner is not None):
                yield "coupon_mismatch", f"it has {'an' if facts.owner else 'no'} owner, in a job that makes others"
        case _:
            yield "coupon_mismatch", "it does not come from where coupons of this campaign come from"


def _validity(plan: CouponPlan, facts: StoredFacts) -> Iterator[tuple[str, str]]:
    bounds = [plan.ends_at] if plan.ends_at is not None else []
    first, last = bounds.copy(), bounds.copy()
    if plan.days is not None:
        days = max(facts.issued_at, plan.starts_at) + plan.days * DAY_MS
        first.append(days)
        last.append(days + (LONGEST_DAY_MS if plan.end_of_day else 0))
    if not min(first) <= facts.valid_until <= min(last):
        yield "validity_mismatch", "it is not valid for as long as the campaign says"


def check_use(coupon: str, state: StoredState | None, parts: Sequence[StoredPart], now_ms: int) -> list[Violation]:
    """Check a coupon's state against the parts of redemptions that name it: each use has one live part, and back.

    ``parts`` are all there are of this coupon; a lock that has run out binds nobody.
    """
    spent = [part for part in parts if part.is_spent]
    locked = [part for part in parts if part.is_locked(now_ms)]
    use = None if state is None else state.use
    of = None if state is None else state.redemption
    faults: list[tuple[str, str]] = []
    if len(spent) + len(locked) > 1:
        faults.append(("used_twice", f"{len(spent)} orders have used it, and {len(locked)} have it locked"))
    if use == "redeemed" and [part.redemption for part in spent] != [of]:
        faults.append(("use_without_redemption", f"it is redeemed by {of}, which does not say so"))
    if use != "redeemed" and spent:
        faults.append(("redemption_without_use", f"{spent[0].redemption} has redeemed it, but it is {use or 'unused'}"))
    is_held = state is not None and use == "locked" and now_ms < state.locked_until
    if is_held and not any(part.redemption == of for part in locked):
        faults.append(("use_without_redemption", f"it is locked by {of}, which does not say so"))
    faults += [
        ("redemption_without_use", f"{part.redemption} has it locked, but it is {use or 'unused'}")
        for part in locked
        if not is_held or part.redemption != of
    ]
    return [Violation(code, f"coupon {coupon}: {detail}") for code, detail in faults]


def check_part(plan: CouponPlan, part: StoredPart) -> list[Violation]:
    """Check what a part says of itself."""
    faults = []
    if (part.coupon is None) == (part.claim is None) or plan.is_shared != (part.claim is not None):
        faults.append("it is of a coupon and of a shared code, or of neither, or not as the campaign is")
    if part.discount < 0:
        faults.append(f"it takes {part.discount} off")
    if part.currency != plan.currency:
        faults.append(f"it is in {part.currency}, the campaign in {plan.currency}")
    return [Violation("part_malformed", f"{part.redemption} part {part.number}: {fault}") for fault in faults]


def wants_claim(part: StoredPart, now_ms: int) -> str | None:
    """Return how the claim of a part of a shared code has to be: `sold`, `held`, `free`; None if it may be anything."""
    if part.is_spent:
        return "sold"
    if part.status == "locked":
        return "held" if part.is_locked(now_ms) else None
    return "free"


def check_claim(part: StoredPart, claim: Entry | None, now_ms: int) -> list[Violation]:
    """Check a part of a shared code against its claim on a use."""
    if part.claim is None:
        return []
    wanted = wants_claim(part, now_ms)
    is_sold = claim is not None and claim.is_confirmed and claim.order == USED
    is_held = claim is not None and claim.is_held
    is_right = {"sold": is_sold, "held": is_held, "free": not (is_sold or is_held), None: True}[wanted]
    if is_right:
        return []
    state = "there is none" if claim is None else f"its state is {claim.state!r}"
    code = "use_not_back" if wanted == "free" else "redemption_without_use"
    detail = f"{part.redemption} is {part.status}, but its claim is not {wanted}: {state}"
    return [Violation(code, detail, shard=part.claim.shard, shopper=part.claim.shopper)]


def live_claims(shard: int, records: Mapping[str, Iterable[Entry]]) -> Iterator[tuple[ClaimPlace, Entry]]:
    """Yield the claims of a shard that take a unit."""
    for shopper, entries in records.items():
        for entry in entries:
            if entry.owns_units:
                yield ClaimPlace(shard, shopper, entry.attempt), entry


def check_marks(plan: CouponPlan, claims: Iterable[tuple[ClaimPlace, Entry]]) -> list[Violation]:
    """Check that claims are what claims of this campaign are: coupons taken, uses of the code, or none at all."""
    faults = []
    for place, entry in claims:
        expected = (TAKEN,) if plan.is_taken else (USED,) if plan.is_shared else ()
        is_hold = entry.is_held and plan.is_shared
        if not is_hold and entry.order not in expected:
            detail = "a claim that is neither a coupon that was taken nor a use of the code"
            faults.append(Violation("claim_mismatch", detail, place.shard, "coupon", place.shopper))
    return faults


def check_jobs(plan: CouponPlan, before: Jobs, after: Jobs, numbers: Mapping[str, set[int]]) -> list[Violation]:
    """Check jobs against the coupons that were found, by job and number; ``before`` and ``after`` are what was kept of
    jobs before and after the coupons were read.
    """
    faults: list[tuple[str, str]] = []
    for name, job in before.by_name.items():
        found = numbers.get(name, set())
        if job.kind == "import":
            most = after.by_name[name].count if name in after.by_name else job.count
            if not job.count <= len(found) <= most:
                faults.append(("coupon_missing", f"the job {name} took in {job.count} codes, {len(found)} are there"))
            continue
        missing = job.done - sum(number < job.done for number in found)
        if missing:
            faults.append(("coupon_missing", f"{missing} of the {job.done} coupons that job {name} made are not there"))
    # A job may go on while they are read: what is wrong both times is wrong.
    counted = [sum(job.count for job in jobs.by_name.values()) for jobs in (before, after)]
    if counted[0] != before.issued and counted[1] != after.issued:
        detail = f"the jobs are counted with {counted[1]} coupons, the campaign with {after.issued}"
        faults.append(("jobs_miscounted", detail))
    if after.issued > plan.units:
        faults.append(("coupons_exceeded", f"{after.issued} coupons were made, there may be {plan.units}"))
    return [Violation(code, detail) for code, detail in faults]


def check_balance(plan: CouponPlan, tally: CouponTally) -> list[Violation]:
    """Check the totals: every coupon is one thing, and the budget is kept."""
    faults = []
    if tally.issued != sum(tally.by_status[status] for status in COUPON_STATUSES):
        faults.append(Violation("coupons_unbalanced", "issued is not usable + locked + redeemed + expired + disabled"))
    if plan.budget is not None and tally.discount > plan.budget:
        detail = f"{tally.discount} minor units were given, the budget is {plan.budget}"
        faults.append(Violation("budget_exceeded", detail))
    return faults
