"""What a coupon is from the moment it exists: the same facts, whoever works them out and however often."""

from brandday.config.local_time import end_of_local_day
from brandday.domain.campaign import Campaign
from brandday.domain.code_words import DAY_MS
from brandday.domain.coupon import CouponTerms
from brandday.domain.coupon_code import CodeKeys, coupon_id, make_code
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.shard import ATTEMPT_LENGTH, to_base36


def claim_source(name: str, shard: int, attempt: int) -> str:
    """Where a coupon comes from that a shopper has taken: `claim:{shard}.{name}.{attempt}`, the attempt in base 36."""
    return f"claim:{shard}.{name}.{to_base36(attempt, ATTEMPT_LENGTH)}"


def job_source(job: str, number: int) -> str:
    """Where a coupon comes from that an operator's job has made: `job:{name}.{n}`."""
    return f"job:{job}.{number}"


def facts_of_claim(keys: CodeKeys, campaign: Campaign, name: str, shard: int, attempt: int) -> CouponFacts:
    """The coupon that a shopper's claim is: `attempt` (epoch ms) is when it was taken."""
    return facts_of(keys, campaign, claim_source(name, shard, attempt), attempt, owner=name)


def facts_of(
    keys: CodeKeys,
    campaign: Campaign,
    source: str,
    issued_at: int,
    *,
    owner: str | None = None,
    code: str | None = None,
) -> CouponFacts:
    """The coupon of a campaign that comes from `source` at `issued_at` (epoch ms); `code` is an imported one, folded.

    ValueError for a campaign without coupons.
    """
    if campaign.coupon is None:
        raise ValueError(f"{campaign.id} has no coupons")
    chosen = code or make_code(keys, campaign.id, source)
    return CouponFacts(
        id=coupon_id(keys, chosen),
        code=chosen,
        campaign_id=campaign.id,
        owner=owner,
        source=source,
        issued_at=issued_at,
        valid_until=valid_until(campaign.coupon, campaign.time_zone, issued_at),
    )


def valid_until(terms: CouponTerms, time_zone: str, issued_at: int) -> int:
    """First moment (epoch ms) at which a coupon issued at `issued_at` cannot be used any more.

    Days are 24 hours. With `end_of_day`, the rest of the day in which they are over comes on top, on the clock of
    `time_zone`: nobody gets less than the days that were promised.
    """
    validity = terms.validity
    ends: list[int] = [] if validity.ends_at is None else [validity.ends_at]
    if validity.days is not None:
        # Who has the coupon before it opens loses nothing of it.
        last = max(issued_at, validity.starts_at) + validity.days * DAY_MS
        ends.append(end_of_local_day(last, time_zone) if validity.end_of_day else last)
    if not ends:
        raise ValueError("a coupon is valid for days or until a time")
    return min(ends)
