"""Jobs that make coupons: what an operator has asked for, under a name that makes it repeatable."""

from dataclasses import dataclass
from enum import StrEnum


class JobKind(StrEnum):
    """How a job makes coupons: bearer coupons with codes of ours, one for each of a list of shoppers, or the codes of
    a partner's file.
    """

    GENERATE = "generate"
    TARGET = "target"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class CouponJob:
    """One job. Its coupons have numbers below `size`; those of an import are the lines of its file, of which some give
    no coupon.

    `digest` (SHA-256, in hex, "" if there is no list) says which list it works on. `at` (epoch ms) is when all its
    coupons are issued; no other job of the campaign has a moment in `[at, at + size)`. `count` are the coupons it is
    counted with: all of them from the beginning, of an import those that were taken in. Numbers below `done` were made.
    """

    campaign_id: str
    name: str
    kind: JobKind
    size: int
    digest: str
    at: int
    count: int
    done: int = 0


@dataclass(frozen=True, slots=True)
class Issued:
    """How many coupons all jobs of a campaign are counted with, and the first moment that is nobody's (epoch ms)."""

    count: int = 0
    next_at: int = 0
