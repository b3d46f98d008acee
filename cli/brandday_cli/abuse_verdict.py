"""What a rehearsal with bots has shown: who got the units, who was turned away, and what it cost. Arithmetic alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brandday_cli.abuse_plan import Kind
from brandday_cli.abuse_play import Result


@dataclass(frozen=True)
class Round:
    """One round: the same crowd, with the campaign's protection or without it."""

    stock: int
    units: dict[Kind, int]
    visitors: dict[Kind, int]
    requests: dict[Kind, int]
    refusals: dict[Kind, Counter[str]]
    turned_away: int
    """Honest shoppers to whom the gate had the last word."""

    @classmethod
    def of(cls, stock: int, results: Sequence[Result]) -> "Round":
        """Count what became of the visitors. Reservations are counted once, whoever was told of them."""
        units: dict[Kind, set[str]] = {kind: set() for kind in Kind}
        visitors: Counter[Kind] = Counter()
        requests: Counter[Kind] = Counter()
        refusals: dict[Kind, Counter[str]] = {kind: Counter() for kind in Kind}
        for result in results:
            kind = result.visitor.kind
            visitors[kind] += 1
            requests[kind] += result.requests
            refusals[kind].update(result.refusals)
            if result.reservation:
                units[kind].add(result.reservation)
        return cls(
            stock=stock,
            units={kind: len(owned) for kind, owned in units.items()},
            visitors=dict(visitors),
            requests=dict(requests),
            refusals=refusals,
            turned_away=sum(result.turned_away for result in results if result.visitor.kind is Kind.HONEST),
        )

    @property
    def honest_share(self) -> float:
        """The honest shoppers' share of the units that were taken."""
        return self.units[Kind.HONEST] / max(1, sum(self.units.values()))

    @property
    def wrongly_refused(self) -> float:
        """The share of the honest shoppers whom the gate turned away."""
        return self.turned_away / max(1, self.visitors.get(Kind.HONEST, 0))

    def as_json(self) -> dict[str, Any]:
        """The figures for another program."""
        return {
            "stock": self.stock,
            "units": {str(kind): units for kind, units in self.units.items()},
            "visitors": {str(kind): visitors for kind, visitors in self.visitors.items()},
            "requests": {str(kind): requests for kind, requests in self.requests.items()},
            "refusals": {str(kind): dict(sorted(codes.items())) for kind, codes in self.refusals.items()},
            "honest_share": round(self.honest_share, 4),
            "honest_turned_away": self.turned_away,
            "honest_wrongly_refused": round(self.wrongly_refused, 4),
        }
