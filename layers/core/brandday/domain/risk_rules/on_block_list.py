"""A rule about the operators' own list."""

from dataclasses import dataclass
from typing import ClassVar

from brandday.domain.risk import Facts, Listed
from brandday.domain.risk_rules.options import WithOptions
from brandday.domain.signals import SignalKind


@dataclass(frozen=True, slots=True)
class OnBlockList(WithOptions):
    """The shopper, or anything they come with, is on the block list."""

    name: ClassVar[str] = "on_block_list"

    def hits(self, facts: Facts) -> bool:
        """Whether any of the signals is on it."""
        return Listed.BLOCK in facts.listed.values()

    def looks_at(self) -> frozenset[SignalKind]:
        """No signals: lists are looked at for every visit."""
        return frozenset()

    def explain(self) -> str:
        """What a hit says."""
        return "Something of this visit is on the block list."
