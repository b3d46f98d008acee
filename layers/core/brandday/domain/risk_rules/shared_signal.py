"""A rule about what many shoppers share: one device, one network, one means of payment."""

from dataclasses import dataclass
from typing import ClassVar

from brandday.domain.risk import Facts
from brandday.domain.risk_rules.options import WithOptions, choice, number
from brandday.domain.signals import SignalKind

_SHAREABLE = tuple(str(kind) for kind in SignalKind if kind is not SignalKind.SHOPPER)


@dataclass(frozen=True, slots=True)
class SharedSignal(WithOptions):
    """More shoppers than so many came with the same signal to this campaign, or to its brand day."""

    name: ClassVar[str] = "shared_signal"

    by: str = choice("What they share.", *_SHAREABLE)
    more_than: int = number("How many shoppers are nothing unusual; the count is an estimate.", least=1, most=100)

    def hits(self, facts: Facts) -> bool:
        """Whether it is shared by more; a signal that was not given is shared with nobody."""
        return facts.distinct.get(SignalKind(self.by), 0) > self.more_than

    def looks_at(self) -> frozenset[SignalKind]:
        """The signal that is shared."""
        return frozenset((SignalKind(self.by),))

    def explain(self) -> str:
        """What a hit says."""
        return f"More than {self.more_than} shoppers came with the same {self.by}."
