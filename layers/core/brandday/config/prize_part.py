"""A prize as an operator declares it: what it is, its luck, and when its units can be won."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo, field_validator

from brandday.config.campaign_file import Titles
from brandday.config.fulfilment_part import RewardPart
from brandday.config.one_of import OneOf
from brandday.config.parts import MAX_UNITS, SKU_ID, LocalTime, Part, refuse
from brandday.domain import lottery as domain
from brandday.domain.luck import read_odds, write_odds

MAX_HOURS = 7 * 24
"""Between two rounds."""

_LONGEST_FRACTION = 40
_FRACTION = r"^[0-9]+/[0-9]+$"


def _fraction(value: object) -> str:
    try:
        odds = read_odds(value) if isinstance(value, str) and len(value) <= _LONGEST_FRACTION else None
    except ValueError:
        odds = None
    if odds is None:
        raise refuse("no_fraction", 'must be an exact fraction of whole numbers in quotes, like "1/200"')
    if odds > 1:
        raise refuse("odds_over_one", f"is {write_odds(odds)}, which is more than 1; nothing is more than certain")
    return write_odds(odds)


Odds = Annotated[
    str,
    Field(max_length=_LONGEST_FRACTION, pattern=_FRACTION, description='An exact fraction in quotes: "1/200".'),
    BeforeValidator(_fraction, json_schema_input_type=str),
]


class AtOnce(Part):
    """All units can be won from the start."""

    plan: Literal["all"]


class Rounds(Part):
    """Units come in equal shares: at given times, or every so many hours on the hour."""

    plan: Literal["rounds"]
    times: list[LocalTime] = Field(default=[], description="On the clock of `time_zone`, ascending, in the schedule.")
    every_hours: int | None = Field(
        default=None,
        validate_default=True,
        ge=1,
        le=MAX_HOURS,
        description="Instead of times: on the full hour.",
    )

    @field_validator("every_hours")
    @classmethod
    def _is_the_other_way(cls, hours: int | None, info: ValidationInfo) -> int | None:
        times: list[str] | None = info.data.get("times")
        if times is not None and bool(times) == (hours is not None):
            raise refuse("one_way_of_rounds", "is for rounds without times: give one of the two, and only one")
        return hours


class Moments(Part):
    """Each unit has a winning moment, drawn from the seed; the first entry after it wins."""

    plan: Literal["moments"]
    hour_weights: list[Annotated[int, Field(ge=0, le=1000)]] = Field(
        default=[1] * domain.HOURS,
        min_length=domain.HOURS,
        max_length=domain.HOURS,
        description="How many moments fall into each hour of the day, against each other, from midnight on.",
    )


_PLANS: dict[str, type[BaseModel]] = {"all": AtOnce, "rounds": Rounds, "moments": Moments}


class PrizePart(Part):
    """One prize."""

    prize: str = Field(pattern=SKU_ID, description="The shop's own id.")
    title: Titles
    stock: int = Field(ge=1, le=MAX_UNITS, description="Units; fixed at publication.")
    odds: Odds | None = Field(
        default=None,
        description="Of one entry; not for draws, winning moments, and what is consolation or pity only.",
    )
    odds_between: Annotated[list[Odds], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="How far `odds` may be changed while the lottery runs; without it not at all."
    )
    release: Annotated[BaseModel, OneOf("plan", _PLANS)] = Field(
        default=AtOnce(plan="all"), description="When its units can be won."
    )
    per_day: int | None = Field(default=None, ge=1, description="Units that may be won on one local day, at most.")
    per_shopper: int | None = Field(default=None, ge=1, le=domain.MAX_ENTRIES, description="Per shopper, at most.")
    reward: RewardPart = Field(description="What is won; an order is no prize.")

    @property
    def is_by_moments(self) -> bool:
        """Whether the first entry after a winning moment wins it."""
        return isinstance(self.release, Moments)

    @property
    def has_luck(self) -> bool:
        """Whether an entry can win it by itself, now or once its odds were raised."""
        chances = [odds for odds in (self.odds, *(self.odds_between or ())) if odds is not None]
        return self.is_by_moments or any(map(read_odds, chances))

    @field_validator("odds_between")
    @classmethod
    def _are_bounds_of_odds(cls, bounds: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if bounds is None or "odds" not in info.data:
            return bounds
        lower, upper = map(read_odds, bounds)
        odds: str | None = info.data["odds"]
        if odds is None:
            raise refuse("bounds_without_odds", "has no place on a prize without odds; add odds, or remove this")
        if lower > upper:
            raise refuse("bounds_disordered", f"must have the lower one first; write {bounds[::-1]}")
        if not lower <= read_odds(odds) <= upper:
            raise refuse("odds_out_of_bounds", f"must include the odds, which are {odds}")
        return bounds

    @field_validator("release")
    @classmethod
    def _leaves_luck_to_moments(cls, release: BaseModel, info: ValidationInfo) -> BaseModel:
        if not isinstance(release, Moments):
            return release
        if info.data.get("odds") is not None:
            raise refuse(
                "moments_with_odds", "cannot be moments, which are all the luck of a prize; remove its odds", ("plan",)
            )
        if info.data.get("stock", 0) > domain.MAX_MOMENTS:
            raise refuse(
                "too_many_moments",
                f"cannot be moments for more than {domain.MAX_MOMENTS} units; split the prize into several",
                ("plan",),
            )
        if not any(release.hour_weights):
            raise refuse("no_weight", "must have an hour above 0", ("hour_weights",))
        return release

    @field_validator("per_day")
    @classmethod
    def _is_a_cap(cls, per_day: int | None, info: ValidationInfo) -> int | None:
        if per_day is None:
            return per_day
        if isinstance(info.data.get("release"), Moments):
            raise refuse("moments_with_cap", "has no place on a prize with winning moments, which are its pace")
        stock: int = info.data.get("stock", per_day)
        if per_day > stock:
            raise refuse("cap_over_stock", f"is {per_day}, more than the stock of {stock}; lower it, or remove it")
        return per_day

    @field_validator("reward")
    @classmethod
    def _is_a_prize(cls, reward: RewardPart) -> RewardPart:
        if reward.kind == "order":
            raise refuse("order_as_prize", "must be physical, digital or cash: an order is bought, not won", ("kind",))
        return reward
