"""What the parts of a campaign document have in common: strictness, money, times, and how a rule refuses."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from brandday.config.local_time import LOCAL_TIME
from brandday.config.problems import Path, Problem
from brandday.domain.currency import MINOR_DIGITS

CAMPAIGN_ID = r"^[a-z0-9][a-z0-9-]{2,39}$"
CURRENCY = r"^[A-Z]{3}$"
SKU_ID = r"^[A-Za-z0-9_-]{1,40}$"

MAX_UNITS = 1_000_000
"""The live summary of a campaign is one item of at most 400 KB; this many units in 36 SKUs still fit."""

LocalTime = Annotated[str, Field(pattern=LOCAL_TIME)]


class Part(BaseModel):
    """Strict: no unknown fields, no "1" for 1, no true for 1."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class MoneyPart(Part):
    """An amount of money."""

    amount: int = Field(ge=0, le=10**12, description="In minor units: 99.50 is 9950.")
    currency: str = Field(pattern=CURRENCY, description="ISO 4217, for example CNY.")

    @field_validator("currency")
    @classmethod
    def _exists(cls, code: str) -> str:
        if code not in MINOR_DIGITS:
            raise refuse("unknown_currency", "is not a currency of ISO 4217; write one like CNY")
        return code


def refuse(rule: str, message: str, at: Path = ()) -> PydanticCustomError:
    """Return what a validator raises; `at` leads from its field to the place that is wrong."""
    # Pydantic reads braces in a message as its own placeholders.
    return PydanticCustomError(rule, "{message}", {"message": message, "at": at})


def refuse_all(problems: Iterable[Problem], value: Any) -> ValidationError | None:
    """Return what a validator raises when several things are wrong with `value`, or None if there is nothing."""
    details = [
        InitErrorDetails(type=refuse(problem.rule, problem.message), loc=problem.path, input=value)
        for problem in problems
    ]
    return ValidationError.from_exception_data("campaign", details) if details else None


def none_twice(values: list[str]) -> list[str]:
    """Return `values` unless one of them is repeated."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise refuse("repeated", f"repeats {value!r}; write it once", (index,))
    return values
