"""Money: whole minor units and a currency, never a float."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in the currency's minor units (fen, cents) and its ISO 4217 code."""

    amount: int
    currency: str

    def to_document(self) -> dict[str, Any]:
        """As written in a campaign document and in answers."""
        return {"amount": self.amount, "currency": self.currency}
