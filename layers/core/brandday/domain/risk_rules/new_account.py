"""A rule about the age of a shopper's account."""

from dataclasses import dataclass
from typing import ClassVar

from brandday.domain.risk import Facts
from brandday.domain.risk_rules.options import WithOptions, number
from brandday.domain.signals import SignalKind

_HOUR_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class NewAccount(WithOptions):
    """The account was made less than so many hours ago."""

    name: ClassVar[str] = "new_account"

    younger_than_hours: int = number(
        "How old an account has to be, by the signal account_created_at.", least=1, most=8760
    )

    def hits(self, facts: Facts) -> bool:
        """Whether the account is that young; one whose age is not known is not."""
        created_at = facts.signals.account_created_at
        return created_at is not None and facts.now - created_at < self.younger_than_hours * _HOUR_MS

    def looks_at(self) -> frozenset[SignalKind]:
        """No signals."""
        return frozenset()

    def explain(self) -> str:
        """What a hit says."""
        return f"The account was made less than {self.younger_than_hours} hours before."
