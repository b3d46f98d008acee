"""Coupons on the wire: what they give, what they do to an order, and why one cannot be used."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import Field

from brandday.domain.coupon import CouponTerms
from brandday.domain.coupon_rules import Candidate
from brandday.domain.discount import Applied, NextTier
from brandday.domain.errors import BrandDayError
from brandday.domain.messages import explain
from brandday.domain.money import Money
from brandday.domain.times import to_rfc3339, to_rfc3339_or_none
from brandday.entrypoints.coupon_terms import BenefitBody, ScopeBody, StackingBody, TierBody
from brandday.entrypoints.money import MoneyBody
from brandday.entrypoints.routes import Shape


class ReasonBody(Shape):
    """Why a coupon cannot be used, and what would change it: the same words as in a refusal.

    `title` and `detail` are in the language of Content-Language; `code` never changes.
    """

    code: str
    title: str
    detail: str
    params: Annotated[dict[str, Any], Field(description="The facts that `detail` mentions.")]
    retry_after_ms: Annotated[int | None, Field(description="When time alone makes it usable; null: it does not.")]

    @classmethod
    def of(cls, refusal: BrandDayError, language: str) -> Self:
        """The same, on the wire."""
        text = explain(refusal, language)
        return cls(
            code=refusal.code,
            title=text.title,
            detail=text.detail,
            params=refusal.params,
            retry_after_ms=refusal.retry_after_ms,
        )


class TermsBody(Shape):
    """What a coupon gives, and for what."""

    benefit: BenefitBody
    scope: ScopeBody
    order_channels: Annotated[list[str], Field(description="Where it can be used; empty: everywhere.")]
    stacking: StackingBody

    @classmethod
    def of(cls, terms: CouponTerms) -> Self:
        """The same, on the wire."""
        return cls(
            benefit=BenefitBody.of(terms),
            scope=ScopeBody.of(terms.scope),
            order_channels=list(terms.order_channels),
            stacking=StackingBody.of(terms.stacking),
        )


class CouponFields(Shape):
    """A coupon, or a code that everybody has (then without `id` and `issued_at`). Times are RFC 3339 in UTC."""

    id: str | None
    code: Annotated[str, Field(description="As people read it. Spaces, hyphens and case do not count.")]
    campaign_id: str
    title: dict[str, str]
    terms: TermsBody
    issued_at: str | None
    valid_from: str
    valid_until: str

    @classmethod
    def of(cls, candidate: Candidate) -> Self:
        """The same, on the wire."""
        facts = candidate.facts
        return cls(
            id=None if facts is None else facts.id,
            code=candidate.shown,
            campaign_id=candidate.campaign.id,
            title=dict(candidate.campaign.title),
            terms=TermsBody.of(candidate.terms),
            issued_at=to_rfc3339_or_none(None if facts is None else facts.issued_at),
            valid_from=to_rfc3339(candidate.terms.validity.starts_at),
            valid_until=to_rfc3339(candidate.valid_until),
        )


class DiscountBody(Shape):
    """What a coupon takes off an order: the lines and shipping add up to `discount`, to the last minor unit."""

    discount: MoneyBody
    lines: Annotated[list[MoneyBody], Field(description="What it takes off each line, in the order of the lines.")]
    shipping: Annotated[MoneyBody, Field(description="What it takes off shipping.")]
    gift: Annotated[str | None, Field(description="The SKU that it adds, one unit at no price.")]

    @classmethod
    def of(cls, applied: Applied, currency: str, **fields: Any) -> Self:
        """The same, on the wire."""
        return cls(
            discount=money(applied.discount, currency),
            lines=amounts(applied.lines, currency),
            shipping=money(applied.shipping, currency),
            gift=applied.gift,
            **fields,
        )


class NextTierBody(Shape):
    """What a little more would bring."""

    missing: Annotated[MoneyBody, Field(description="How much more of what the coupon applies to.")]
    tier: TierBody

    @classmethod
    def of(cls, found: NextTier | None, currency: str) -> Self | None:
        """The same, on the wire."""
        if found is None:
            return None
        return cls(missing=money(found.missing, currency), tier=TierBody.of(found.tier, currency))


def money(amount: int, currency: str) -> MoneyBody:
    """An amount in minor units, on the wire."""
    return MoneyBody.of(Money(amount, currency))


def amounts(minor_units: Sequence[int], currency: str) -> list[MoneyBody]:
    """Amounts in minor units, on the wire."""
    return [money(amount, currency) for amount in minor_units]
