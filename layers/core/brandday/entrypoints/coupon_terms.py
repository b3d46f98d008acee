"""What a campaign page says of coupons: what they give, for what, until when, and whether any is left.

The shared code is here, for it is what shoppers are told to type. Codes of coupons of their own are not, nor is the
budget, nor what a partner's codes begin with.
"""

from typing import Annotated, Self

from pydantic import Field

from brandday.domain.campaign_view import Availability, CouponView
from brandday.domain.coupon import (
    BenefitKind,
    CodeKind,
    CouponTerms,
    IssuedBy,
    OnCancel,
    Scope,
    Stacking,
    Tier,
    write_percent,
)
from brandday.domain.money import Money
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.money import MoneyBody
from brandday.entrypoints.routes import Shape


class TierBody(Shape):
    """What there is from a minimum spend on; neither percent nor amount where the benefit is shipping or a gift."""

    minimum_spend: Annotated[MoneyBody, Field(description="Of the items it applies to, before any coupon.")]
    percent: Annotated[str | None, Field(description="Exact, like 12.5.")]
    amount: MoneyBody | None

    @classmethod
    def of(cls, tier: Tier, currency: str) -> Self:
        """The same, on the wire."""
        return cls(
            minimum_spend=MoneyBody.of(Money(tier.minimum_spend, currency)),
            percent=None if tier.basis_points is None else write_percent(tier.basis_points),
            amount=None if tier.amount is None else MoneyBody.of(Money(tier.amount, currency)),
        )


class BenefitBody(Shape):
    """What a coupon does for an order."""

    kind: BenefitKind
    tiers: Annotated[list[TierBody], Field(description="By minimum spend; the last one that is reached counts.")]
    max_discount: Annotated[MoneyBody | None, Field(description="What one use takes off at most.")]
    gift: Annotated[str | None, Field(description="The SKU of one thing that is added at no price.")]

    @classmethod
    def of(cls, terms: CouponTerms) -> Self:
        """The same, on the wire."""
        benefit, currency = terms.benefit, terms.currency
        most = benefit.max_discount
        return cls(
            kind=benefit.kind,
            tiers=[TierBody.of(tier, currency) for tier in benefit.tiers],
            max_discount=None if most is None else MoneyBody.of(Money(most, currency)),
            gift=benefit.gift,
        )


class ScopeBody(Shape):
    """Which items of an order count, and get the discount; where nothing is included all do."""

    include_skus: list[str]
    include_categories: list[str]
    exclude_skus: list[str]
    exclude_categories: list[str]

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """The same, on the wire."""
        return cls(**{name: list(getattr(scope, name)) for name in cls.model_fields})


class ValidityBody(Shape):
    """When a coupon can be used; of `ends_at` and `days` the earlier end counts."""

    starts_at: str
    ends_at: Annotated[str | None, Field(description="Null: as long as the campaign runs, or for days.")]
    days: Annotated[int | None, Field(description="For so many times 24 hours once somebody has it.")]
    end_of_day: Annotated[bool, Field(description="And on, to the end of that day in the campaign's time zone.")]


class StackingBody(Shape):
    """How a coupon gets on with others on the same order."""

    exclusive: Annotated[bool, Field(description="Goes with no other coupon.")]
    group: Annotated[str | None, Field(description="Of a group one can be used at most.")]
    priority: Annotated[int, Field(description="The lower ones are applied first.")]

    @classmethod
    def of(cls, stacking: Stacking) -> Self:
        """The same, on the wire."""
        return cls(exclusive=stacking.exclusive, group=stacking.group, priority=stacking.priority)


class CouponTermsBody(Shape):
    """The coupons of a campaign."""

    benefit: BenefitBody
    currency: str
    code_kind: CodeKind
    issued_by: Annotated[
        IssuedBy | None, Field(description="shoppers: they take one here; operators: hand them out; null: shared code.")
    ]
    code: Annotated[str | None, Field(description="The code that everybody uses; null where coupons have their own.")]
    per_shopper: int
    scope: ScopeBody
    order_channels: Annotated[list[str], Field(description="Where it can be used; empty: everywhere.")]
    validity: ValidityBody
    stacking: StackingBody
    on_cancel: Annotated[OnCancel, Field(description="What becomes of a coupon whose order is cancelled.")]
    availability: Annotated[
        Availability | None,
        Field(description="Whether there are coupons, or uses, left; null: handed out by operators."),
    ]
    left: Annotated[int | None, Field(description="How many, about a second old; null: handed out by operators.")]

    @classmethod
    def of(cls, view: CouponView) -> Self:
        """The same, on the wire."""
        terms = view.terms
        validity = terms.validity
        return cls(
            benefit=BenefitBody.of(terms),
            currency=terms.currency,
            code_kind=terms.code_kind,
            issued_by=None if terms.code_kind is CodeKind.SHARED else terms.issued_by,
            code=None if terms.code is None else terms.shown or terms.code,
            per_shopper=terms.per_shopper,
            scope=ScopeBody.of(terms.scope),
            order_channels=list(terms.order_channels),
            validity=ValidityBody(
                starts_at=to_rfc3339(validity.starts_at),
                ends_at=to_rfc3339_or_none(validity.ends_at),
                days=validity.days,
                end_of_day=validity.end_of_day,
            ),
            stacking=StackingBody.of(terms.stacking),
            on_cancel=terms.on_cancel,
            availability=view.availability,
            left=view.left,
        )
