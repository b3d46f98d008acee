"""What is stored of a coupon and of its redemptions.

A coupon is two items. Its *facts* never change: they follow from the claim, the job or the file it comes from, so that
writing them once more changes nothing, whoever does it and however late. What happens to it is its *state*: an item of
its own that is written first when somebody uses (or disables) the coupon. No state: untouched.

A *redemption* is what one order does with its codes: one part per code, all written in the same transaction as the
states (or, of a shared code, the claim in a stock shard) that they change. So the parts and the coupons always agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class CouponFacts:
    """A coupon of its own (code kinds `unique` and `imported`); times are epoch ms.

    `id` is `cpn_` and 20 characters that follow from the code alone (`coupon_code.coupon_id`). `owner` is the shopper's
    name in all tables (`layout.shopper_name`), None for a bearer coupon: whoever has the code may use it. `source` says
    where it comes from: `claim:{shard}.{name}.{attempt}`, `job:{name}.{n}`.
    """

    id: str
    code: str
    campaign_id: str
    owner: str | None
    source: str
    issued_at: int
    valid_until: int


class UseState(StrEnum):
    """What a coupon is in the hands of a redemption; `returned`: it was, and is usable again."""

    LOCKED = "locked"
    REDEEMED = "redeemed"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class CouponState:
    """What has happened to a coupon; `version` is 0 until it is stored, and 1 more with every change.

    `use` is what the last redemption did (None: nobody used it yet); `locked_until` counts while it is `locked`: later
    the coupon is free again without any write. `valid_until` is set when a rollback has prolonged it. `store` is where
    it was redeemed over the counter.
    """

    use: UseState | None = None
    redemption: str | None = None
    at: int = 0
    locked_until: int = 0
    store: str | None = None
    valid_until: int | None = None
    disabled: bool = False
    version: int = 0


UNTOUCHED = CouponState()


class PartStatus(StrEnum):
    """Where a redemption is: `locked` -> `redeemed` -> `rolled_back`, or `locked` -> `released`."""

    LOCKED = "locked"
    REDEEMED = "redeemed"
    ROLLED_BACK = "rolled_back"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Part:
    """One code of a redemption. All parts of a redemption have the same status, order and times.

    `claim` is where the use of a shared code is (`{shard}.{name}.{attempt}`), None for coupons of their own, which have
    `coupon_id`. `discount` is what the code took off the order, in minor units; `returned` whether a rollback gave the
    use back. `of` is how many parts the redemption has: who reads some of them before a change and the others after it
    can tell.
    """

    redemption: str
    number: int
    campaign_id: str
    code: str
    coupon_id: str | None
    claim: str | None
    shopper: str
    order_id: str
    status: PartStatus
    at: int
    expires_at: int
    discount: int
    currency: str
    tag: str
    store: str | None = None
    returned: bool = False
    of: int = 1
    version: int = 0
