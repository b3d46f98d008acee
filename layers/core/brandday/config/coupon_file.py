"""A coupon campaign as an operator declares it: what it gives, whose codes, for what, when, together with what."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator, model_validator

from brandday.config.benefit_part import BENEFITS, AnyBenefit, declare_benefit
from brandday.config.campaign_file import CampaignFile, Channel, Mechanic, Tags, in_local_times
from brandday.config.fulfilment_part import FulfilmentPart, Handed, RewardPart, ValuePart, disagreements
from brandday.config.local_time import read_local_time, write_local_time
from brandday.config.one_of import OneOf
from brandday.config.parts import (
    CURRENCY,
    MAX_UNITS,
    SKU_ID,
    LocalTime,
    MoneyPart,
    Part,
    none_twice,
    refuse,
    refuse_all,
)
from brandday.config.problems import Path, Problem
from brandday.domain.campaign import MAX_UNITS_PER_SHOPPER, Campaign
from brandday.domain.coupon import CodeKind, CouponTerms, IssuedBy, OnCancel, Scope, Stacking, Validity
from brandday.domain.coupon_code import ALPHABET, CODE_LENGTH, fold
from brandday.domain.currency import MINOR_DIGITS
from brandday.domain.fulfilment import RewardKind, RewardTerms
from brandday.domain.times import from_rfc3339

MIN_CODE = 4
MAX_CODE = 32
MAX_PREFIX = 16
MAX_DAYS = 730
CODE = r"^[A-Za-z0-9](?:[A-Za-z0-9 -]{0,38}[A-Za-z0-9])?$"
ADVICE = {CODE: "letters and digits, in groups if you like: DOUBLE-11"}

_NOBODY_TAKES = Problem(
    ("protection",),
    "nobody_takes",
    "has no place where shoppers do not take coupons themselves: there is no gate to stand at; remove it, or let "
    "shoppers take unique codes",
)


class ScopePart(Part):
    """Which items of an order count, and get the discount; without include all do."""

    include_skus: Tags = Field(default=[])
    include_categories: Tags = Field(default=[])
    exclude_skus: Tags = Field(default=[])
    exclude_categories: Tags = Field(default=[])

    @field_validator("exclude_skus", "exclude_categories")
    @classmethod
    def _is_not_included(cls, excluded: list[str], info: ValidationInfo) -> list[str]:
        name = str(info.field_name).replace("exclude", "include")
        for index, value in enumerate(excluded):
            if value in info.data.get(name, ()):
                raise refuse("included_and_excluded", f"has {value!r}, which is in {name} as well", (index,))
        return excluded


class ValidityPart(Part):
    """When a coupon can be used: until a time, or for days after it was issued; with both, the earlier end counts."""

    starts_at: LocalTime | None = Field(
        default=None, description="From when on; if left out, from the campaign's start."
    )
    ends_at: LocalTime | None = Field(default=None, description="On the clock of `time_zone`.")
    days: int | None = Field(
        default=None, ge=0, le=MAX_DAYS, description="For so many times 24 hours once it is issued."
    )
    end_of_day: bool = Field(
        default=False, validate_default=True, description="And on, to the end of that day in `time_zone`."
    )

    @field_validator("end_of_day")
    @classmethod
    def _has_a_day(cls, to_the_end: bool, info: ValidationInfo) -> bool:
        days: int | None = info.data.get("days")
        if to_the_end and days is None and "days" in info.data:
            raise refuse("end_of_no_day", "is of the last of days, which are missing; add days, or remove this")
        if not to_the_end and days == 0:
            raise refuse("valid_never", "must be true where days are 0, or the coupon is over when it is issued")
        return to_the_end


class StackingPart(Part):
    """How a coupon gets on with others on the same order."""

    exclusive: bool = Field(default=False, description="Goes with no other coupon.")
    group: str | None = Field(
        default=None,
        pattern=SKU_ID,
        description="At most one coupon of a group goes on an order; without a group, several of this campaign do.",
    )
    priority: int = Field(default=100, ge=0, le=1000, description="The lower ones are applied first.")

    @field_validator("group")
    @classmethod
    def _is_not_alone(cls, group: str | None, info: ValidationInfo) -> str | None:
        if group is not None and info.data.get("exclusive"):
            raise refuse(
                "group_of_exclusive", "says nothing of a coupon that goes with no other; remove one of the two"
            )
        return group


class CouponFile(CampaignFile):
    """A coupon campaign: one benefit, and the coupons (or the one code) that give it."""

    mechanic: Literal["coupon"]
    currency: str = Field(pattern=CURRENCY, description="Of the orders it can be used for: ISO 4217, for example CNY.")
    code_kind: CodeKind = Field(
        description="shared: everybody uses one public code; unique: each coupon has a code of its own; imported: "
        "codes of a partner."
    )
    issued_by: IssuedBy | None = Field(
        default=None,
        validate_default=True,
        description="Of unique codes: shoppers take one, or operators generate them. All others are by operators.",
    )
    code: str | None = Field(
        default=None,
        validate_default=True,
        pattern=CODE,
        description="The shared code, as it is shown; small letters, spaces, and O for 0 or I for 1 do not matter.",
    )
    prefix: str | None = Field(
        default=None,
        validate_default=True,
        pattern=CODE,
        description="What all imported codes begin with, and no other.",
    )
    quantity: int = Field(ge=1, le=MAX_UNITS, description="Coupons, or uses of a shared code, at most; then `restock`.")
    per_shopper: int = Field(
        default=1,
        validate_default=True,
        ge=1,
        le=MAX_UNITS_PER_SHOPPER,
        description="Coupons that a shopper can take, or times that a shopper can use the shared code.",
    )
    benefit: Annotated[BaseModel, OneOf("kind", BENEFITS)] = Field(description="What a coupon gives.")
    budget: ValuePart | None = Field(
        default=None, description="What all coupons may cost together: there are as many as it is sure to pay for."
    )
    scope: ScopePart = ScopePart()
    order_channels: Annotated[list[Channel], AfterValidator(none_twice)] = Field(
        default=[], description="Where coupons can be used; none: everywhere. (`channels` is where they are taken.)"
    )
    validity: ValidityPart = Field(default=ValidityPart(), validate_default=True)
    stacking: StackingPart = StackingPart()
    on_cancel: OnCancel = Field(
        default=OnCancel.RETURN,
        description="When the order is cancelled: the coupon is returned, or the shop keeps it.",
    )
    lock_seconds: int = Field(default=900, ge=60, le=3600, description="How long a checkout can lock coupons.")
    reward: RewardPart = Field(
        default=RewardPart(), validate_default=True, description="Whom to tell of a coupon that a shopper gets."
    )
    fulfilment: FulfilmentPart = Field(default=FulfilmentPart(), validate_default=True)

    @field_validator("currency")
    @classmethod
    def _exists(cls, code: str) -> str:
        if code not in MINOR_DIGITS:
            raise refuse("unknown_currency", "is not a currency of ISO 4217; write one like CNY")
        return code

    @field_validator("issued_by")
    @classmethod
    def _fits_the_codes(cls, by: IssuedBy | None, info: ValidationInfo) -> IssuedBy | None:
        match info.data.get("code_kind"):
            case CodeKind.UNIQUE if by is None:
                raise refuse(
                    "issuer_missing", "is missing; say whether shoppers take these coupons or operators make them"
                )
            case CodeKind.SHARED if by is not None:
                raise refuse(
                    "issuer_of_shared", "has no place beside a shared code, which nobody needs to be given; remove it"
                )
            case CodeKind.IMPORTED if by is IssuedBy.SHOPPERS:
                raise refuse("shoppers_import", "must be operators: only they can import the codes of a partner")
        return by

    @field_validator("code")
    @classmethod
    def _is_a_code(cls, code: str | None, info: ValidationInfo) -> str | None:
        kind: CodeKind | None = info.data.get("code_kind")
        if code is None:
            if kind is CodeKind.SHARED:
                raise refuse("code_missing", "is missing; say which code everybody uses")
            return None
        if kind is not None and kind is not CodeKind.SHARED:
            raise refuse("code_of_own", f"has no place where codes are {kind}; remove it, or make code_kind shared")
        folded = fold(code)
        if not MIN_CODE <= len(folded) <= MAX_CODE:
            raise refuse("code_length", f"must have {MIN_CODE} to {MAX_CODE} letters and digits")
        if len(folded) == CODE_LENGTH and set(folded) <= set(ALPHABET):
            raise refuse(
                "looks_generated", f"looks like a generated code, which has {CODE_LENGTH} characters; add or drop one"
            )
        return code

    @field_validator("prefix")
    @classmethod
    def _is_a_prefix(cls, prefix: str | None, info: ValidationInfo) -> str | None:
        kind: CodeKind | None = info.data.get("code_kind")
        if prefix is None:
            if kind is CodeKind.IMPORTED:
                raise refuse("prefix_missing", "is missing; say what all codes of the partner begin with")
            return None
        if kind is not None and kind is not CodeKind.IMPORTED:
            raise refuse("prefix_of_own", f"has no place where codes are {kind}; remove it, or make code_kind imported")
        if not MIN_CODE <= len(fold(prefix)) <= MAX_PREFIX:
            raise refuse(
                "code_length",
                f"must have {MIN_CODE} to {MAX_PREFIX} letters and digits: a shorter one would be met by mere guessing",
            )
        return prefix

    @field_validator("per_shopper")
    @classmethod
    def _is_within_quantity(cls, most: int, info: ValidationInfo) -> int:
        quantity: int = info.data.get("quantity", most)
        if most > quantity:
            raise refuse("limit_over_quantity", f"is {most}, more than the quantity of {quantity}; lower it")
        return most

    @field_validator("benefit")
    @classmethod
    def _is_in_one_currency(cls, benefit: BaseModel, info: ValidationInfo) -> BaseModel:
        _check_currency(benefit, info)
        return benefit

    @field_validator("budget")
    @classmethod
    def _is_kept(cls, budget: ValuePart | None, info: ValidationInfo) -> ValuePart | None:
        if budget is None:
            return None
        _check_currency(budget, info)
        benefit: AnyBenefit | None = info.data.get("benefit")
        if benefit is None:
            return budget
        most = benefit.to_benefit().costs_at_most
        if not most:
            missing = "worth" if benefit.kind == "gift" else "max_discount"
            raise refuse("budget_without_bound", f"can only be kept if one use has a bound; add benefit.{missing}")
        if budget.amount < most:
            raise refuse("budget_too_small", f"is {budget.amount}, but one use may cost {most} already", ("amount",))
        return budget

    @field_validator("validity")
    @classmethod
    def _fits_the_campaign_window(cls, validity: ValidityPart, info: ValidationInfo) -> ValidityPart:
        refused = refuse_all(_validity_problems(validity, info.data), validity)
        if refused is not None:
            raise refused
        return validity

    @field_validator("reward")
    @classmethod
    def _is_told_of(cls, reward: RewardPart, info: ValidationInfo) -> RewardPart:
        _check_currency(reward, info)
        if info.data.get("code_kind") is CodeKind.SHARED and reward.kind is not RewardKind.ORDER:
            raise refuse(
                "reward_of_shared", "has no place beside a shared code: nobody gets a coupon; remove it", ("kind",)
            )
        if reward.kind.needs_address:
            raise refuse("reward_with_address", "cannot be physical: a coupon is not sent anywhere", ("kind",))
        return reward

    @field_validator("fulfilment")
    @classmethod
    def _fits_the_campaign(cls, fulfilment: FulfilmentPart, info: ValidationInfo) -> FulfilmentPart:
        reward: RewardPart | None = info.data.get("reward")
        handed = [] if reward is None else [Handed("the coupon", reward)]
        refused = refuse_all(disagreements(fulfilment, info.data, handed, info.data.get("currency")), fulfilment)
        if refused is not None:
            raise refused
        return fulfilment

    @model_validator(mode="after")
    def _guards_what_is_taken(self) -> "CouponFile":
        if self.protection is not None and self.issued_by is not IssuedBy.SHOPPERS:
            refused = refuse_all([_NOBODY_TAKES], self)
            if refused is not None:
                raise refused
        return self

    def to_document(self) -> dict[str, Any]:
        """The declaration in its normal form: what all campaigns have, and the coupon's terms."""
        document = super().to_document()
        own = set(CouponFile.model_fields) - set(CampaignFile.model_fields) - {"fulfilment"}
        return {key: of for key, of in document.items() if key not in own} | {"coupon": self._terms().to_document()}

    def _terms(self) -> CouponTerms:
        benefit: Any = self.benefit  # one of BENEFITS, by its annotation
        return CouponTerms(
            benefit=benefit.to_benefit(),
            currency=self.currency,
            code_kind=self.code_kind,
            issued_by=self.issued_by or IssuedBy.OPERATORS,
            quantity=self.quantity,
            per_shopper=self.per_shopper,
            validity=self._validity(),
            stacking=Stacking(**self.stacking.model_dump()),
            scope=Scope(**{name: tuple(values) for name, values in self.scope.model_dump().items()}),
            order_channels=tuple(self.order_channels),
            on_cancel=self.on_cancel,
            lock_seconds=self.lock_seconds,
            budget=None if self.budget is None else self.budget.amount,
            code=None if self.code is None else fold(self.code),
            prefix=None if self.prefix is None else fold(self.prefix),
            shown=self.code or self.prefix,
            reward=RewardTerms.from_document(self.reward.model_dump(mode="json")),
        )

    def _validity(self) -> Validity:
        """Where it is left out, a coupon can be used as long as coupons can be taken.

        A shared code is over with its campaign anyway, also if the end of that is put off.
        """
        declared = self.validity
        ends_at = declared.ends_at
        if ends_at is None and declared.days is None and self.code_kind is not CodeKind.SHARED:
            ends_at = self.ends_at
        return Validity(
            starts_at=read_local_time(declared.starts_at or self.starts_at, self.time_zone),
            ends_at=None if ends_at is None else read_local_time(ends_at, self.time_zone),
            days=declared.days,
            end_of_day=declared.end_of_day,
        )


# --- what has to fit together, as far as the fields before are right ---


def _check_currency(part: BaseModel, info: ValidationInfo) -> None:
    currency: str | None = info.data.get("currency")
    for path, money in _money_in(part):
        if currency is not None and money.currency != currency:
            raise refuse(
                "mixed_currencies",
                f"is {money.currency}, but the campaign is in {currency}; use one currency in a campaign",
                (*path, "currency"),
            )


def _money_in(part: object, path: Path = ()) -> Iterator[tuple[Path, MoneyPart]]:
    """All amounts of money in a part, and the way to each."""
    match part:
        case MoneyPart():
            yield path, part
        case BaseModel():
            for name in type(part).model_fields:
                yield from _money_in(getattr(part, name), (*path, name))
        case list():
            for index, one in enumerate(part):
                yield from _money_in(one, (*path, index))


def _validity_problems(validity: ValidityPart, data: Mapping[str, Any]) -> Iterator[Problem]:
    kind: CodeKind | None = data.get("code_kind")
    if validity.days is not None and kind is CodeKind.SHARED:
        yield Problem(
            ("days",), "days_of_shared", "begin when a coupon is issued, but a shared code never is; use ends_at"
        )
    zone, starts, ends = (data.get(name) for name in ("time_zone", "starts_at", "ends_at"))
    if zone is None or starts is None or ends is None:
        return
    moments: dict[str, int] = {}
    for name in ("starts_at", "ends_at"):
        text: str | None = getattr(validity, name)
        try:
            moments[name] = read_local_time(text or data[name], zone)
        except ValueError as error:
            yield Problem((name,), "no_local_time", str(error))
    if len(moments) == 2:
        window = read_local_time(starts, zone), read_local_time(ends, zone)
        yield from _window_problems(validity, data, (moments["starts_at"], moments["ends_at"]), window)


def _window_problems(
    validity: ValidityPart, data: Mapping[str, Any], usable: tuple[int, int], window: tuple[int, int]
) -> Iterator[Problem]:
    bounded = validity.ends_at is not None or validity.days is None
    if bounded and usable[1] <= usable[0]:
        place = "starts_at" if validity.ends_at is None else "ends_at"
        yield Problem((place,), "valid_never", f"leaves no time: it is from {_written(usable, data)}")
    elif data.get("code_kind") is CodeKind.SHARED:
        if usable[0] < window[0]:
            yield Problem(
                ("starts_at",), "outside_campaign", f"must not be before starts_at, which is {data['starts_at']}"
            )
        if usable[1] > window[1]:
            yield Problem(
                ("ends_at",),
                "outside_campaign",
                f"must not be later than ends_at, which is {data['ends_at']}: a shared code is over with its campaign",
            )
    elif data.get("issued_by") is IssuedBy.SHOPPERS and bounded and usable[1] < window[1]:
        yield Problem(
            ("ends_at",),
            "over_before_taken",
            f"must not be before ends_at, which is {data['ends_at']}: who takes the last coupon could not use it",
        )


def _written(usable: Sequence[int], data: Mapping[str, Any]) -> str:
    """A window as a message names it."""
    return " to ".join(write_local_time(moment, data["time_zone"]) for moment in usable)


# --- and back ---


def declare(campaign: Campaign) -> dict[str, Any]:
    """What an operator would declare to get `campaign`."""
    terms = campaign.coupon
    if terms is None:
        raise ValueError(f"{campaign.id} has no coupons")
    document = in_local_times(campaign)
    del document["coupon"]
    written = terms.to_document()
    validity = dict(written["validity"])
    for name in ("starts_at", "ends_at"):
        if validity[name] is not None:
            validity[name] = write_local_time(from_rfc3339(validity[name]), campaign.time_zone)
    same = ("currency", "code_kind", "quantity", "per_shopper", "scope", "order_channels", "stacking", "on_cancel")
    return (
        document
        | {name: written[name] for name in same}
        | {
            "issued_by": str(terms.issued_by) if terms.code_kind is CodeKind.UNIQUE else None,
            "code": None if terms.code is None else terms.shown,
            "prefix": None if terms.prefix is None else terms.shown,
            "benefit": declare_benefit(terms.benefit, terms.currency),
            "budget": None if terms.budget is None else {"amount": terms.budget, "currency": terms.currency},
            "validity": validity,
            "lock_seconds": terms.lock_seconds,
            "reward": written["reward"],
        }
    )


MECHANIC = Mechanic(CouponFile, declare, ADVICE)
