"""Money on the wire."""

from typing import Annotated, Self

from pydantic import Field

from brandday.domain.money import Money
from brandday.entrypoints.routes import Shape


class MoneyBody(Shape):
    """An amount in minor units (fen, cents) of an ISO 4217 currency."""

    amount: Annotated[int, Field(ge=0)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    @classmethod
    def of(cls, money: Money) -> Self:
        """The same, on the wire."""
        return cls(amount=money.amount, currency=money.currency)
