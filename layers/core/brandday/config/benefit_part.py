"""What a coupon gives, as an operator declares it: a percentage, an amount, shipping, or a gift; from a spend on."""

from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from brandday.config.fulfilment_part import ValuePart
from brandday.config.parts import SKU_ID, MoneyPart, Part, refuse
from brandday.domain.coupon import BASIS_POINTS, Benefit, BenefitKind, Tier, write_percent

MAX_TIERS = 10
_LONGEST_PERCENT = 20
_POINTS_PER_PERCENT = BASIS_POINTS // 100


def _percent(value: object) -> str:
    """Exact: what a file says as 12.5 or "12.5" is 1250 basis points, and never a float on the way."""
    exact: Decimal | None = None
    if isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) <= _LONGEST_PERCENT:
        try:
            # A number's shortest text is what was written in the file.
            exact = Decimal(str(value).removesuffix("%").strip())
        except InvalidOperation:
            exact = None
    if exact is None or not exact.is_finite():
        raise refuse("no_percentage", 'must be a percentage, like 20 or "12.5"')
    if exact > 100:
        raise refuse("over_hundred_percent", f"is {exact} %, but nothing can be taken off beyond 100 %")
    points = exact * _POINTS_PER_PERCENT
    if points < 1:
        raise refuse("no_discount", "must be 0.01 or more, or the coupon gives nothing")
    if points != int(points):
        raise refuse("too_precise", f"is {exact} %; two digits behind the point are as exact as it gets")
    return write_percent(int(points))


def _points(percent: str) -> int:
    return int(Decimal(percent) * _POINTS_PER_PERCENT)


Percent = Annotated[
    str,
    Field(description='Of the price, exact to 0.01: 20 or "12.5".'),
    BeforeValidator(_percent, json_schema_input_type=str | float),
]
MinimumSpend = Annotated[
    MoneyPart | None, Field(description="What the items it applies to have to cost together, before any coupon.")
]
MaxDiscount = Annotated[ValuePart | None, Field(description="What one use takes off at most.")]


class PercentTier(Part):
    """A percentage from a spend on."""

    minimum_spend: MoneyPart
    percent: Percent


class AmountTier(Part):
    """An amount from a spend on."""

    minimum_spend: MoneyPart
    amount: ValuePart


type AnyTier = PercentTier | AmountTier


def _check_tiers(tiers: Sequence[AnyTier], gives: str) -> None:
    for index, (lower, higher) in enumerate(pairwise(tiers), start=1):
        if higher.minimum_spend.amount <= lower.minimum_spend.amount:
            raise refuse(
                "tiers_disordered",
                f"is {higher.minimum_spend.amount}, not more than the {lower.minimum_spend.amount} of the tier before; "
                "write the lowest tier first",
                (index, "minimum_spend"),
            )
        if _gives(higher) < _gives(lower):
            raise refuse("tier_gives_less", "gives less than the tier before, for a higher spend", (index, gives))


def _gives(tier: AnyTier) -> int:
    return _points(tier.percent) if isinstance(tier, PercentTier) else tier.amount.amount


def _one_way(tiers: Sequence[AnyTier], info: ValidationInfo, single: str) -> None:
    """Raise unless it is said once what there is: in one field, or in tiers."""
    if single not in info.data:
        return  # it was refused
    if tiers and info.data[single] is not None:
        raise refuse("one_way_of_tiers", f"and {single} are two ways to say what there is; give one of them")
    if tiers and info.data.get("minimum_spend") is not None:
        raise refuse("one_way_of_tiers", "have each a minimum_spend of their own; remove the one beside them")
    if not tiers and info.data[single] is None:
        raise refuse("nothing_given", f"are missing, and so is {single}; say what the coupon gives")


class PercentOff(Part):
    """A percentage off the items it applies to, rounded down to the minor unit."""

    kind: Literal["percent_off"]
    percent: Percent | None = None
    minimum_spend: MinimumSpend = None
    max_discount: MaxDiscount = None
    tiers: list[PercentTier] = Field(
        default=[],
        validate_default=True,
        max_length=MAX_TIERS,
        description="Instead of percent: more for who spends more.",
    )

    @field_validator("tiers")
    @classmethod
    def _fit_together(cls, tiers: list[PercentTier], info: ValidationInfo) -> list[PercentTier]:
        _one_way(tiers, info, "percent")
        _check_tiers(tiers, "percent")
        return tiers

    def to_benefit(self) -> Benefit:
        """The same, as kept."""
        tiers = tuple(Tier(tier.minimum_spend.amount, basis_points=_points(tier.percent)) for tier in self.tiers)
        single = Tier(_amount(self.minimum_spend) or 0, basis_points=_points(self.percent or "0"))
        return Benefit(BenefitKind.PERCENT_OFF, tiers or (single,), _amount(self.max_discount))


class AmountOff(Part):
    """An amount off the items it applies to, at most what they cost."""

    kind: Literal["amount_off"]
    amount: ValuePart | None = None
    minimum_spend: MinimumSpend = None
    tiers: list[AmountTier] = Field(
        default=[],
        validate_default=True,
        max_length=MAX_TIERS,
        description="Instead of amount: more for who spends more.",
    )

    @field_validator("tiers")
    @classmethod
    def _fit_together(cls, tiers: list[AmountTier], info: ValidationInfo) -> list[AmountTier]:
        _one_way(tiers, info, "amount")
        _check_tiers(tiers, "amount")
        return tiers

    def to_benefit(self) -> Benefit:
        """The same, as kept."""
        tiers = tuple(Tier(tier.minimum_spend.amount, amount=tier.amount.amount) for tier in self.tiers)
        return Benefit(
            BenefitKind.AMOUNT_OFF, tiers or (Tier(_amount(self.minimum_spend) or 0, amount=_amount(self.amount)),)
        )


class FreeShipping(Part):
    """The shipping of the order, or as much of it as max_discount."""

    kind: Literal["free_shipping"]
    minimum_spend: MinimumSpend = None
    max_discount: MaxDiscount = None

    def to_benefit(self) -> Benefit:
        """The same, as kept."""
        return Benefit(BenefitKind.FREE_SHIPPING, (Tier(_amount(self.minimum_spend) or 0),), _amount(self.max_discount))


class Gift(Part):
    """One thing that is added to the order at no price."""

    kind: Literal["gift"]
    sku: str = Field(pattern=SKU_ID, description="The shop's own id of the gift.")
    worth: ValuePart | None = Field(default=None, description="What one costs the brand; a budget counts it.")
    minimum_spend: MinimumSpend = None

    def to_benefit(self) -> Benefit:
        """The same, as kept."""
        return Benefit(
            BenefitKind.GIFT, (Tier(_amount(self.minimum_spend) or 0),), gift=self.sku, worth=_amount(self.worth) or 0
        )


type AnyBenefit = PercentOff | AmountOff | FreeShipping | Gift

BENEFITS: dict[str, type[BaseModel]] = {
    "percent_off": PercentOff,
    "amount_off": AmountOff,
    "free_shipping": FreeShipping,
    "gift": Gift,
}


def declare_benefit(benefit: Benefit, currency: str) -> dict[str, Any]:
    """What an operator would declare to get `benefit`: one field where one says it, else tiers."""

    def money(amount: int | None) -> dict[str, Any] | None:
        return None if amount is None else {"amount": amount, "currency": currency}

    def tiered(name: str, gives: Callable[[Tier], Any]) -> dict[str, Any]:
        if len(benefit.tiers) == 1:
            return {name: gives(first), "minimum_spend": spend, "tiers": []}
        tiers = [{"minimum_spend": money(tier.minimum_spend), name: gives(tier)} for tier in benefit.tiers]
        return {name: None, "minimum_spend": None, "tiers": tiers}

    first, bound = benefit.tiers[0], money(benefit.max_discount)
    spend = money(first.minimum_spend or None)
    kind = {"kind": str(benefit.kind)}
    match benefit.kind:
        case BenefitKind.PERCENT_OFF:
            return (
                kind | tiered("percent", lambda tier: write_percent(tier.basis_points or 0)) | {"max_discount": bound}
            )
        case BenefitKind.AMOUNT_OFF:
            return kind | tiered("amount", lambda tier: money(tier.amount))
        case BenefitKind.FREE_SHIPPING:
            return kind | {"minimum_spend": spend, "max_discount": bound}
        case BenefitKind.GIFT:
            return kind | {"sku": benefit.gift, "worth": money(benefit.worth or None), "minimum_spend": spend}


def _amount(money: MoneyPart | None) -> int | None:
    return None if money is None else money.amount
