"""What a campaign demands of those who take part, so that what is meant for people does not go to bots.

Plain frozen terms, as declared in a campaign's `protection` (`config/protection_part.py`). A campaign that declares
none has none of the costs. Where what is demanded is decided:

* With a *ticket* the gate stands before the sale: `POST .../tickets` counts attempts, weighs risk and asks for a
  challenge, and the claim only checks the ticket, without a read. Without one, the gate stands at the claim.
* A limit on *wins* is always part of the write that wins (`domain/tally.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from brandday.domain.risk import RiskTerms
from brandday.domain.signals import SignalKind


class Counted(StrEnum):
    """What a limit counts."""

    ATTEMPTS = "attempts"
    """Requests that reach the gate. Approximate: a request costs one write, however many limits there are."""
    WINS = "wins"
    """What is taken: units, a coupon, an entry of a lottery. Exact, and given back with a released hold."""


@dataclass(frozen=True, slots=True)
class Window:
    """For how long a limit counts: the last `ms` (sliding), or since the last of the moments `anchor + n * ms`.

    `anchor` is in epoch ms and not negative.
    """

    ms: int
    sliding: bool
    anchor: int = 0

    def begins_at(self, now: int) -> int:
        """Return from when on (epoch ms) something counts at `now`."""
        return now - self.ms + 1 if self.sliding else now - (now - self.anchor) % self.ms

    def ends_at(self, now: int) -> int:
        """Return when what happens at `now` does not count any more."""
        return now + self.ms if self.sliding else self.begins_at(now) + self.ms

    def to_document(self) -> dict[str, Any]:
        """As kept in a campaign document."""
        return {"seconds": self.ms // 1000, "kind": "sliding" if self.sliding else "fixed", "anchor": self.anchor}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        return cls(document["seconds"] * 1000, document["kind"] == "sliding", document["anchor"])


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` per value of a signal, in a window (None: as long as the campaign, or its brand day, lasts).

    `name` is unique in a campaign; campaigns of one brand day that name a limit alike share what it counts. Who does
    not have the signal is not counted, unless it is `required`: then they are not let in.
    """

    name: str
    by: SignalKind
    counts: Counted
    most: int
    window: Window | None = None
    required: bool = False

    def begins_at(self, now: int) -> int:
        """Return from when on (epoch ms) something counts at `now`."""
        return 0 if self.window is None else self.window.begins_at(now)

    def to_document(self) -> dict[str, Any]:
        """As kept in a campaign document."""
        return {
            "name": self.name,
            "by": str(self.by),
            "counts": str(self.counts),
            "most": self.most,
            "window": None if self.window is None else self.window.to_document(),
            "required": self.required,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        window = document["window"]
        return cls(
            name=document["name"],
            by=SignalKind(document["by"]),
            counts=Counted(document["counts"]),
            most=document["most"],
            window=None if window is None else Window.from_document(window),
            required=document["required"],
        )


@dataclass(frozen=True, slots=True)
class TicketTerms:
    """Nobody takes anything without a ticket; given out from `opens_before_ms` before the start, for `valid_ms`."""

    opens_before_ms: int
    valid_ms: int


class Ask(StrEnum):
    """Who has to solve a challenge."""

    ALWAYS = "always"
    RISK = "risk"
    """Those whom the rules send to it."""


@dataclass(frozen=True, slots=True)
class ChallengeTerms:
    """The challenge of a campaign: `kind` names what poses it (`brandday/challenges`), `difficulty` is in its own unit.

    `wait_ms` is how long those wait who cannot solve one: the way that is open to everybody.
    """

    kind: str
    ask: Ask
    difficulty: int
    valid_ms: int
    wait_ms: int


@dataclass(frozen=True, slots=True)
class Protection:
    """All that a campaign demands; `brand_day` is the group of campaigns that its limits count over, if any."""

    brand_day: str | None = None
    limits: tuple[Limit, ...] = ()
    ticket: TicketTerms | None = None
    challenge: ChallengeTerms | None = None
    risk: RiskTerms | None = None

    def scope(self, campaign_id: str) -> str:
        """Return what the counts of this campaign are kept under; no campaign's is a brand day's."""
        return f"day.{self.brand_day}" if self.brand_day else campaign_id

    def opens_at(self, starts_at: int) -> int:
        """Return from when on (epoch ms) tickets are given out, or would be: the start, if there are none."""
        return starts_at - (0 if self.ticket is None else self.ticket.opens_before_ms)

    def limits_on(self, counted: Counted) -> tuple[Limit, ...]:
        """Return the limits that count this."""
        return tuple(limit for limit in self.limits if limit.counts is counted)

    def to_document(self) -> dict[str, Any]:
        """As kept in a campaign document, every field present."""
        ticket, challenge = self.ticket, self.challenge
        return {
            "brand_day": self.brand_day,
            "limits": [limit.to_document() for limit in self.limits],
            "ticket": None
            if ticket is None
            else {
                "opens_before_seconds": ticket.opens_before_ms // 1000,
                "valid_seconds": ticket.valid_ms // 1000,
            },
            "challenge": None
            if challenge is None
            else {
                "kind": challenge.kind,
                "ask": str(challenge.ask),
                "difficulty": challenge.difficulty,
                "valid_seconds": challenge.valid_ms // 1000,
                "wait_seconds": challenge.wait_ms // 1000,
            },
            "risk": None if self.risk is None else self.risk.to_document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        ticket, challenge, risk = document["ticket"], document["challenge"], document["risk"]
        return cls(
            brand_day=document["brand_day"],
            limits=tuple(map(Limit.from_document, document["limits"])),
            ticket=None
            if ticket is None
            else TicketTerms(ticket["opens_before_seconds"] * 1000, ticket["valid_seconds"] * 1000),
            challenge=None
            if challenge is None
            else ChallengeTerms(
                kind=challenge["kind"],
                ask=Ask(challenge["ask"]),
                difficulty=challenge["difficulty"],
                valid_ms=challenge["valid_seconds"] * 1000,
                wait_ms=challenge["wait_seconds"] * 1000,
            ),
            risk=None if risk is None else RiskTerms.from_document(risk),
        )
