"""Risk: declared rules with weights look at what is known about a visit; the sum decides.

Each kind of rule is a class in a file of its own under `domain/risk_rules/`, which also registers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, Self

from brandday.domain.signals import SignalKind, Signals


class Listed(StrEnum):
    """The list that a mark is on."""

    ALLOW = "allow"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules may look at; times in epoch ms.

    `distinct` estimates how many shoppers were seen per kind of signal, `listed` has the lists on which marks are.
    `opened_at` is when what is asked for became possible: the sale's start, or the first tickets.
    """

    signals: Signals
    now: int
    opened_at: int
    distinct: Mapping[SignalKind, int]
    listed: Mapping[SignalKind, Listed]


class RiskRule(Protocol):
    """A kind of rule, made from its options; whether it hits is its own business, what it weighs is not."""

    def hits(self, facts: Facts) -> bool:
        """Whether the rule speaks against the visit. What is not known never does."""

    def looks_at(self) -> frozenset[SignalKind]:
        """Of which signals the rule needs to know how many shoppers share them."""

    def explain(self) -> str:
        """What a hit says, in one sentence for operators; names no shopper and no value."""

    def to_document(self) -> dict[str, Any]:
        """The options, as kept in a campaign document, with the `rule` that they are of."""


class Weighed(NamedTuple):
    """A rule of a campaign: its name there, what it weighs, and what decides whether it hits."""

    name: str
    weight: int
    rule: RiskRule


class RiskMode(StrEnum):
    """What becomes of an assessment."""

    SHADOW = "shadow"
    """It is recorded, and changes nothing."""
    ENFORCE = "enforce"


class Verdict(StrEnum):
    """What an assessment comes to."""

    ALLOW = "allow"
    CHALLENGE = "challenge"
    REFUSE = "refuse"


class Assessment(NamedTuple):
    """What the rules say about a visit: the sum of the weights of those that hit, and their names."""

    verdict: Verdict
    score: int
    hits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """The rules of a campaign, and from which scores on they have consequences (None: never)."""

    mode: RiskMode
    challenge_at: int | None
    refuse_at: int | None
    rules: tuple[Weighed, ...]

    def assess(self, facts: Facts) -> Assessment:
        """Weigh a visit."""
        hits = [weighed for weighed in self.rules if weighed.rule.hits(facts)]
        score = sum(weighed.weight for weighed in hits)
        verdict = Verdict.ALLOW
        if self.challenge_at is not None and score >= self.challenge_at:
            verdict = Verdict.CHALLENGE
        if self.refuse_at is not None and score >= self.refuse_at:
            verdict = Verdict.REFUSE
        return Assessment(verdict, score, tuple(weighed.name for weighed in hits))

    def looks_at(self) -> frozenset[SignalKind]:
        """Of which signals the rules need to know how many shoppers share them."""
        return frozenset(kind for weighed in self.rules for kind in weighed.rule.looks_at())

    def to_document(self) -> dict[str, Any]:
        """As kept in a campaign document."""
        return {
            "mode": str(self.mode),
            "challenge_at": self.challenge_at,
            "refuse_at": self.refuse_at,
            "rules": [
                {"name": weighed.name, "weight": weighed.weight, **weighed.rule.to_document()} for weighed in self.rules
            ],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        from brandday.domain.risk_rules import read_rule  # only campaigns with rules need them

        return cls(
            mode=RiskMode(document["mode"]),
            challenge_at=document["challenge_at"],
            refuse_at=document["refuse_at"],
            rules=tuple(Weighed(rule["name"], rule["weight"], read_rule(rule)) for rule in document["rules"]),
        )
