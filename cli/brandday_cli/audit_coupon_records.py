"""How the audit reads coupons: a decoder of its own, which shares no code with what writes them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from brandday_cli.audit_records import Plan, RawItem
from brandday_cli.audit_reward_records import RewardKey, reward_key_at

PARTS = 16
"""Over how many keys of the index by campaign the coupons of one are spread."""

MOST_CODES = 10
"""Parts that a redemption has at most."""

TAKEN = "c"
USED = "r"
"""What stands for an order in the claim of a coupon that was taken, and in that of a use of a shared code."""

DAY_MS = 24 * 60 * 60 * 1000

_CLAIM = re.compile(r"(0|[1-9][0-9]{0,8})\.([A-Za-z0-9_-]{12})\.([0-9a-z]{8})")
_JOB = re.compile(r"([a-z0-9][a-z0-9-]{0,39})\.(0|[1-9][0-9]{0,6})")


class ClaimPlace(NamedTuple):
    """Where a claim is: shard, shopper and attempt (epoch ms)."""

    shard: int
    shopper: str
    attempt: int


class JobPlace(NamedTuple):
    """Which coupon of a job."""

    job: str
    number: int


@dataclass(frozen=True)
class CouponPlan:
    """What the campaign record says of its coupons; money in minor units, times in epoch ms."""

    campaign_id: str
    code_kind: str
    issued_by: str
    units: int
    currency: str
    budget: int | None
    starts_at: int
    ends_at: int | None
    days: int | None
    end_of_day: bool

    @property
    def is_shared(self) -> bool:
        """Whether everybody uses one code."""
        return self.code_kind == "shared"

    @property
    def is_taken(self) -> bool:
        """Whether shoppers take coupons."""
        return self.code_kind == "unique" and self.issued_by == "shoppers"


@dataclass(frozen=True)
class StoredFacts:
    """A coupon as it was issued; `source` is None if it is none of the campaign's."""

    id: str
    code: str
    owner: str | None
    source: ClaimPlace | JobPlace | None
    issued_at: int
    valid_until: int


@dataclass(frozen=True)
class StoredState:
    """What has happened to a coupon."""

    id: str
    use: str | None
    redemption: str | None
    locked_until: int
    valid_until: int | None
    disabled: bool


@dataclass(frozen=True)
class StoredPart:
    """What an order does with a code."""

    redemption: str
    number: int
    coupon: str | None
    claim: ClaimPlace | None
    status: str
    expires_at: int
    discount: int
    currency: str
    returned: bool

    @property
    def is_spent(self) -> bool:
        """Whether it has used its code for good: redeemed, or rolled back and kept."""
        return self.status == "redeemed" or (self.status == "rolled_back" and not self.returned)

    def is_locked(self, now_ms: int) -> bool:
        """Whether it still keeps others from the code."""
        return self.status == "locked" and now_ms < self.expires_at


@dataclass(frozen=True)
class StoredJob:
    """A job that makes coupons."""

    name: str
    kind: str
    size: int
    at: int
    count: int
    done: int


@dataclass(frozen=True)
class Jobs:
    """All jobs by name, and how many coupons the campaign is counted with."""

    by_name: dict[str, StoredJob]
    issued: int


type Record = StoredFacts | StoredState | StoredPart


def decode_coupon_plan(plan: Plan, config: RawItem) -> CouponPlan | None:
    """Return what the campaign says of its coupons; None if it has none."""
    document = json.loads(config["document"]["S"])
    if "coupon" not in document:
        return None
    coupon = document["coupon"]
    validity = coupon["validity"]
    return CouponPlan(
        campaign_id=plan.campaign_id,
        code_kind=coupon["code_kind"],
        issued_by=coupon["issued_by"],
        units=sum(plan.stock.values()),
        currency=coupon["currency"],
        budget=coupon["budget"],
        starts_at=_moment(validity["starts_at"]),
        ends_at=None if validity["ends_at"] is None else _moment(validity["ends_at"]),
        days=validity["days"],
        end_of_day=validity["end_of_day"],
    )


def decode_record(item: RawItem) -> Record | str:
    """Decode one item of CouponTable; a string says why that cannot be done."""
    key = f"{item['pk']['S']} {item['sk']['S']}"
    try:
        match item["sk"]["S"]:
            case "FACTS":
                return StoredFacts(
                    id=_text(item, "pk"),
                    code=_text(item, "code"),
                    owner=_optional_text(item, "owner"),
                    source=parse_source(_text(item, "source")),
                    issued_at=_number(item, "issued_at"),
                    valid_until=_number(item, "valid_until"),
                )
            case "STATE":
                return StoredState(
                    id=_text(item, "pk"),
                    use=_optional_text(item, "use"),
                    redemption=_optional_text(item, "redemption"),
                    locked_until=_number(item, "locked_until"),
                    valid_until=_number(item, "valid_until") if "valid_until" in item else None,
                    disabled=bool(item["disabled"]["BOOL"]),
                )
            case part if part.startswith("PART#"):
                claim = _optional_text(item, "claim")
                return StoredPart(
                    redemption=_text(item, "pk"),
                    number=int(part.removeprefix("PART#")),
                    coupon=_optional_text(item, "coupon_id"),
                    claim=None if claim is None else _claim(claim),
                    status=_text(item, "status"),
                    expires_at=_number(item, "expires_at"),
                    discount=_number(item, "discount"),
                    currency=_text(item, "currency"),
                    returned=bool(item["returned"]["BOOL"]),
                )
    except (KeyError, TypeError, ValueError) as error:
        return f"{key} cannot be read: {error!r}"
    return f"{key} is none of the format's"


def decode_jobs(items: Iterator[RawItem]) -> Jobs:
    """Decode what is kept of a campaign's jobs."""
    jobs: dict[str, StoredJob] = {}
    issued = 0
    for item in items:
        if item["sk"]["S"] == "ISSUED":
            issued = _number(item, "count")
            continue
        name = _text(item, "name")
        numbers = {field: _number(item, field) for field in ("size", "at", "count", "done")}
        jobs[name] = StoredJob(name=name, kind=_text(item, "kind"), **numbers)
    return Jobs(jobs, issued)


def parse_source(text: str) -> ClaimPlace | JobPlace | None:
    """Return where a coupon comes from; None if the text says no such thing."""
    kind, _, rest = text.partition(":")
    if kind == "claim":
        return _claim(rest) if _CLAIM.fullmatch(rest) else None
    match = _JOB.fullmatch(rest) if kind == "job" else None
    return None if match is None else JobPlace(match[1], int(match[2]))


def reward_place(campaign_id: str, facts: StoredFacts, jobs: Jobs) -> RewardKey | None:
    """Return where the reward of a coupon has to be; None if it has to have none."""
    if facts.owner is None:
        return None
    match facts.source:
        case ClaimPlace(_, _, attempt):
            return reward_key_at(campaign_id, facts.owner, attempt)
        case JobPlace(job, number) if job in jobs.by_name:
            return reward_key_at(campaign_id, facts.owner, jobs.by_name[job].at + number)
    return None


def _claim(text: str) -> ClaimPlace:
    match = _CLAIM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no claim")
    return ClaimPlace(int(match[1]), match[2], int(match[3], 36))


def _moment(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _text(item: RawItem, name: str) -> str:
    return str(item[name]["S"])


def _optional_text(item: RawItem, name: str) -> str | None:
    return _text(item, name) if name in item else None


def _number(item: RawItem, name: str) -> int:
    return int(item[name]["N"])
