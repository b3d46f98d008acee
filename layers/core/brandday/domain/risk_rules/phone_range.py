"""A rule about telephone numbers that anybody can have by the dozen."""

from dataclasses import dataclass
from typing import ClassVar

from brandday.domain.risk import Facts
from brandday.domain.risk_rules.options import WithOptions, texts
from brandday.domain.signals import SignalKind

PREFIX = r"^\+[1-9][0-9]{0,13}$"


@dataclass(frozen=True, slots=True)
class PhoneRange(WithOptions):
    """The telephone number begins with one of these: ranges of virtual operators, or of disposable numbers."""

    name: ClassVar[str] = "phone_range"

    prefixes: tuple[str, ...] = texts(
        "What the numbers begin with, in E.164 form.",
        most=200,
        pattern=PREFIX,
        advice='the beginning of a number with its country, in quotes: "+86170"',
    )

    def hits(self, facts: Facts) -> bool:
        """Whether the number is of such a range; without a number there is none."""
        return facts.signals.phone.startswith(self.prefixes)

    def looks_at(self) -> frozenset[SignalKind]:
        """No signals: what shoppers share does not matter."""
        return frozenset()

    def explain(self) -> str:
        """What a hit says."""
        shown = ", ".join(self.prefixes[:5]) + (", ..." if len(self.prefixes) > 5 else "")
        return f"The telephone number is of a range of disposable numbers: {shown}."
