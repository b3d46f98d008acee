"""A rule about the age of a shopper's account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from brandday.domain.risk import Facts
from brandday.domain.signals import SignalKind

_HOUR_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class NewAccount:
    """The account was made less than so many hours ago."""

    name: ClassVar[str] = "new_account"

    younger_than_hours: int

    def hits(self, facts: Facts) -> bool:
        """Whether the account is that young; one whose age is not known is not."""
        created_at = facts.signals.account_created_at
        return created_at is not None and facts.now - created_at < self.younger_than_hours * _HOUR_MS

    def looks_at(self) -> frozenset[SignalKind]:
        """No signals."""
        return frozenset()

    def to_document(self) -> dict[str, Any]:
        """The options with the rule's name."""
        return {"rule": self.name, "younger_than_hours": self.younger_than_hours}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        return cls(document["younger_than_hours"])
