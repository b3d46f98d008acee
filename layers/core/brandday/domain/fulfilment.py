"""What a campaign says about handing over what was won or bought: which connector, by when, and who must agree."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from brandday.domain.money import Money
from brandday.domain.times import from_rfc3339, to_rfc3339_or_none

HOUR_MS = 60 * 60 * 1000
DEFAULT_TIME_LIMIT_HOURS = 72


class RewardKind(StrEnum):
    """What sort of thing a reward is; it decides the connector and what is needed before it can leave."""

    ORDER = "order"
    """Units that were bought: the shop has the address with the order."""
    PHYSICAL = "physical"
    """A thing that is sent to the winner, who has to say where."""
    DIGITAL = "digital"
    """Points, a membership, a code: nothing to ship."""
    CASH = "cash"
    """Money or as good as money; large ones need a second person."""

    @property
    def needs_address(self) -> bool:
        """Whether it cannot leave before the winner has given an address."""
        return self is RewardKind.PHYSICAL


@dataclass(frozen=True, slots=True)
class RewardTerms:
    """What a unit of a SKU (or a prize) is when it leaves; `value` is what one is worth, if that matters."""

    kind: RewardKind = RewardKind.ORDER
    value: Money | None = None

    def to_document(self) -> dict[str, Any]:
        """As written in a campaign document, every field present."""
        return {"kind": str(self.kind), "value": _written(self.value)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`; what is missing has its default."""
        return cls(RewardKind(document.get("kind", RewardKind.ORDER)), _money(document.get("value")))


ORDERED = RewardTerms()
"""What a unit is unless its SKU says otherwise: something that was bought."""


@dataclass(frozen=True, slots=True)
class ConnectorChoice:
    """Which connector takes the rewards of a kind, and its own options as declared."""

    connector: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """As written in a campaign document: the connector's name among its options."""
        return {"connector": self.connector, **self.options}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        options = dict(document)
        return cls(options.pop("connector"), options)


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """A campaign's fulfilment: times in epoch milliseconds.

    Kinds that are not in `by_kind` leave with the shop itself: there is nothing to send. Only orders may.
    """

    by_kind: Mapping[RewardKind, ConnectorChoice] = field(default_factory=dict)
    claim_until: int | None = None
    approve_over: Money | None = None
    time_limit_ms: int = DEFAULT_TIME_LIMIT_HOURS * HOUR_MS

    def to_document(self) -> dict[str, Any]:
        """As written in a campaign document, every field present; the time in UTC."""
        return {
            "claim_until": to_rfc3339_or_none(self.claim_until),
            "approve_over": _written(self.approve_over),
            "time_limit_hours": self.time_limit_ms // HOUR_MS,
            "by_kind": {str(kind): self.by_kind[kind].to_document() for kind in RewardKind if kind in self.by_kind},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`; what is missing has its default."""
        claim_until = document.get("claim_until")
        return cls(
            by_kind={
                RewardKind(kind): ConnectorChoice.from_document(choice)
                for kind, choice in document.get("by_kind", {}).items()
            },
            claim_until=None if claim_until is None else from_rfc3339(claim_until),
            approve_over=_money(document.get("approve_over")),
            time_limit_ms=document.get("time_limit_hours", DEFAULT_TIME_LIMIT_HOURS) * HOUR_MS,
        )


def _written(money: Money | None) -> dict[str, Any] | None:
    return None if money is None else money.to_document()


def _money(document: Mapping[str, Any] | None) -> Money | None:
    return None if document is None else Money(**document)
