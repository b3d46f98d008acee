"""Jobs that make coupons: what an operator has asked for, under a name that makes it repeatable."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from brandday.domain.coupon_record import CouponFacts

BATCH: Final = 500
"""How many coupons one request makes, takes in or disables."""

MAX_JOB: Final = 1_000_000
"""Coupons of one job, and lines of one file."""


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


class RowProblem(StrEnum):
    """Why a line of a file was not taken in."""

    MALFORMED = "malformed"
    FOREIGN = "foreign"
    DUPLICATE = "duplicate"
    EXCEEDED = "exceeded"


class Row(NamedTuple):
    """A line of a partner's file: its number (from 1), the code, and the shopper's id if it is for one."""

    line: int
    code: str
    shopper: str | None = None


class Taken(NamedTuple):
    """What became of a line; the coupon if it was taken in, now or before."""

    line: int
    coupon: CouponFacts | None
    problem: RowProblem | None


class Disabled(StrEnum):
    """What became of a code that was to be disabled."""

    DISABLED = "disabled"
    BEFORE = "disabled_before"
    NOT_FOUND = "not_found"
