"""What a coupon campaign gives: the terms that all of its coupons share, as declared and frozen at publication.

A campaign has one benefit. How its coupons come into the world is the *code kind*:

- `shared`: everybody uses one public code; the campaign's stock are its uses, so that their limit is stock like any.
- `unique`: each coupon has a code of its own (`domain/coupon_code.py`). Shoppers take one (`IssuedBy.SHOPPERS`: the
  campaign's stock are the coupons), or operators make them in bulk (`IssuedBy.OPERATORS`).
- `imported`: codes of a partner, which all begin with the campaign's `prefix`; made by operators, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from brandday.domain.fulfilment import ORDERED, RewardTerms
from brandday.domain.money import Money
from brandday.domain.times import from_rfc3339, to_rfc3339

POOL = "coupon"
"""The one SKU of a coupon campaign: what its stock consists of."""

BASIS_POINTS = 10_000
"""100 %: percentages are whole hundredths of a percent."""


class BenefitKind(StrEnum):
    """What a coupon does for an order."""

    PERCENT_OFF = "percent_off"
    AMOUNT_OFF = "amount_off"
    FREE_SHIPPING = "free_shipping"
    GIFT = "gift"


class CodeKind(StrEnum):
    """Who has which code."""

    SHARED = "shared"
    UNIQUE = "unique"
    IMPORTED = "imported"


class IssuedBy(StrEnum):
    """Who makes the coupons of a campaign: shoppers take them, or operators generate or import them."""

    SHOPPERS = "shoppers"
    OPERATORS = "operators"


class OnCancel(StrEnum):
    """What becomes of a coupon whose order is cancelled."""

    RETURN = "return"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Tier:
    """What there is from a minimum spend on (minor units, over the lines the coupon applies to; 0: always).

    Exactly one is set: `basis_points` for `percent_off`, `amount` (minor units) for `amount_off`; neither for the
    others. Tiers are in ascending order of `minimum_spend`, and no later one gives less.
    """

    minimum_spend: int
    basis_points: int | None = None
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Benefit:
    """What is given; `max_discount` (minor units) bounds `percent_off` and `free_shipping`, `gift` is the SKU of one
    thing that is added to the order at no price.
    """

    kind: BenefitKind
    tiers: tuple[Tier, ...]
    max_discount: int | None = None
    gift: str | None = None
    worth: int = 0
    """What one gift costs the brand, in minor units: counted against the budget."""

    @property
    def costs_at_most(self) -> int | None:
        """The most that one use can cost, in minor units; None if nothing bounds it."""
        match self.kind:
            case BenefitKind.AMOUNT_OFF:
                most = max(tier.amount or 0 for tier in self.tiers)
                return most if self.max_discount is None else min(most, self.max_discount)
            case BenefitKind.GIFT:
                return self.worth
            case _:
                return self.max_discount


@dataclass(frozen=True, slots=True)
class Scope:
    """To which lines of an order a coupon applies; an empty `include` is all. What is excluded never counts."""

    include_skus: tuple[str, ...] = ()
    include_categories: tuple[str, ...] = ()
    exclude_skus: tuple[str, ...] = ()
    exclude_categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Validity:
    """When coupons can be used. Absolute: `[starts_at, ends_at)` in epoch ms. Relative: for `days` after it was issued,
    or (with `end_of_day`) until midnight of the last of these days in the campaign's time zone.

    With both, the earlier end counts; `starts_at` is when the first can be used.
    """

    starts_at: int
    ends_at: int | None = None
    days: int | None = None
    end_of_day: bool = False


@dataclass(frozen=True, slots=True)
class Stacking:
    """How a coupon gets on with others on the same order: alone (`exclusive`), at most one of a `group`, and in which
    order they are applied (lower `priority` first).
    """

    exclusive: bool = False
    group: str | None = None
    priority: int = 100


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """The coupon part of a campaign.

    `quantity` are the coupons (of a shared code: the uses) that there may be, as declared; `units` is what the budget
    leaves of it. `code` is a shared code, `prefix` what imported ones begin with: both folded (`coupon_code.fold`).
    """

    benefit: Benefit
    currency: str
    code_kind: CodeKind
    issued_by: IssuedBy
    quantity: int
    per_shopper: int
    validity: Validity
    stacking: Stacking
    scope: Scope = Scope()
    order_channels: tuple[str, ...] = ()
    """Where it can be used; empty: everywhere. (A campaign's `channels` are where it can be taken.)"""
    on_cancel: OnCancel = OnCancel.RETURN
    lock_seconds: int = 900
    budget: int | None = None
    """Minor units: what all coupons may cost together at most."""
    code: str | None = None
    prefix: str | None = None
    shown: str | None = None
    """The code or the prefix as it was declared, for people to read: DOUBLE11 is D0UB1E11 when it is folded."""
    reward: RewardTerms = field(default=ORDERED)

    @property
    def is_taken(self) -> bool:
        """Whether shoppers take these coupons themselves, each with a code of its own."""
        return self.code_kind is CodeKind.UNIQUE and self.issued_by is IssuedBy.SHOPPERS

    @property
    def units(self) -> int:
        """How many coupons (or uses) there are at most: the quantity, or as many as the budget is sure to pay for."""
        most = self.benefit.costs_at_most
        if self.budget is None or not most:
            return self.quantity
        return min(self.quantity, self.budget // most)

    def to_document(self) -> dict[str, Any]:
        """As kept in the campaign's document: every field present, times in UTC."""
        benefit, validity, stacking, scope = self.benefit, self.validity, self.stacking, self.scope
        return {
            "benefit": {
                "kind": str(benefit.kind),
                "tiers": [
                    {
                        "minimum_spend": tier.minimum_spend,
                        "basis_points": tier.basis_points,
                        "amount": tier.amount,
                    }
                    for tier in benefit.tiers
                ],
                "max_discount": benefit.max_discount,
                "gift": benefit.gift,
                "worth": benefit.worth,
            },
            "currency": self.currency,
            "code_kind": str(self.code_kind),
            "issued_by": str(self.issued_by),
            "code": self.code,
            "prefix": self.prefix,
            "shown": self.shown,
            "quantity": self.quantity,
            "per_shopper": self.per_shopper,
            "validity": {
                "starts_at": to_rfc3339(validity.starts_at),
                "ends_at": None if validity.ends_at is None else to_rfc3339(validity.ends_at),
                "days": validity.days,
                "end_of_day": validity.end_of_day,
            },
            "stacking": {
                "exclusive": stacking.exclusive,
                "group": stacking.group,
                "priority": stacking.priority,
            },
            "scope": {
                "include_skus": list(scope.include_skus),
                "include_categories": list(scope.include_categories),
                "exclude_skus": list(scope.exclude_skus),
                "exclude_categories": list(scope.exclude_categories),
            },
            "order_channels": list(self.order_channels),
            "on_cancel": str(self.on_cancel),
            "lock_seconds": self.lock_seconds,
            "budget": self.budget,
            "reward": self.reward.to_document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        benefit, validity = document["benefit"], document["validity"]
        ends_at: str | None = validity["ends_at"]
        return cls(
            benefit=Benefit(
                kind=BenefitKind(benefit["kind"]),
                tiers=tuple(Tier(**tier) for tier in benefit["tiers"]),
                max_discount=benefit["max_discount"],
                gift=benefit["gift"],
                worth=benefit["worth"],
            ),
            currency=document["currency"],
            code_kind=CodeKind(document["code_kind"]),
            issued_by=IssuedBy(document["issued_by"]),
            quantity=document["quantity"],
            per_shopper=document["per_shopper"],
            validity=Validity(
                starts_at=from_rfc3339(validity["starts_at"]),
                ends_at=None if ends_at is None else from_rfc3339(ends_at),
                days=validity["days"],
                end_of_day=validity["end_of_day"],
            ),
            stacking=Stacking(**document["stacking"]),
            scope=Scope(**{name: tuple(values) for name, values in document["scope"].items()}),
            order_channels=tuple(document["order_channels"]),
            on_cancel=OnCancel(document["on_cancel"]),
            lock_seconds=document["lock_seconds"],
            budget=document["budget"],
            code=document["code"],
            prefix=document["prefix"],
            shown=document["shown"],
            reward=RewardTerms.from_document(document["reward"]),
        )


def write_percent(basis_points: int) -> str:
    """A percentage as people write it: 1250 is 12.5."""
    whole, rest = divmod(basis_points, BASIS_POINTS // 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")


def pool_price(terms: CouponTerms) -> Money:
    """What taking a coupon costs: nothing, in the campaign's currency."""
    return Money(0, terms.currency)
