"""What a campaign document says about protection: limits, tickets, the challenge, and risk rules.

All mechanics have it. Which rules there are, and what each needs to know, comes from their registry
(`brandday/domain/risk_rules`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator, model_validator

from brandday.challenges import CHALLENGERS
from brandday.config import rule_parts
from brandday.config.local_time import read_local_time
from brandday.config.parts import CAMPAIGN_ID, Part, refuse, refuse_all
from brandday.config.problems import Problem
from brandday.config.rule_parts import AnyRule, RulePart
from brandday.domain.protection import Ask, Counted, Protection, Window
from brandday.domain.risk import RiskMode
from brandday.domain.signals import SignalKind

MAX_LIMITS = 10
MAX_RULES = 30
MAX_WINS = 50
"""A limit on wins names each of them in one item that is written with the win (`domain/tally.py`)."""

MAX_ATTEMPTS = 10_000
MAX_PASS_SECONDS = 600
MAX_PASSES_SECONDS = 900
"""A pass is known to be used as long as the claim it brought is remembered: 15 minutes, if it was released at once
(`domain/stock.py`). A ticket's pass is as old as the challenge it was given for.
"""

SPARE_SECONDS = 30
"""What has to be left of a ticket when the sale starts, and of a challenge when its wait is over."""

LIMIT_NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"
ADVICE = rule_parts.ADVICE | {
    LIMIT_NAME: "1 to 40 small letters, digits and hyphens, and not start with a hyphen",
}
"""What each pattern asks for, in words."""

_UNITS: Final = {"days": 24 * 60 * 60, "hours": 60 * 60, "minutes": 60, "seconds": 1}
"""The units of a window, in seconds; the longest first."""

_KINDS: Final = tuple(CHALLENGERS)

_MONDAY_MS: Final = 4 * 24 * 60 * 60 * 1000
"""The first Monday there was, at midnight in Greenwich: 1970-01-05."""


class WindowPart(Part):
    """For how long something counts, in one of four units: `{ days: 1, kind: fixed }`."""

    days: int | None = Field(
        default=None, ge=1, le=366, description="Each 24 hours: of a fixed window, from midnight in `time_zone` on."
    )
    hours: int | None = Field(default=None, ge=1, le=1000)
    minutes: int | None = Field(default=None, ge=1, le=1000)
    seconds: int | None = Field(default=None, ge=1, le=100_000)
    kind: Literal["fixed", "sliding"] = Field(
        description="fixed: counts begin anew each time it is over, all weeks on a Monday; sliding: the last so long."
    )

    @model_validator(mode="after")
    def _has_one_unit(self) -> "WindowPart":
        if sum(getattr(self, unit) is not None for unit in _UNITS) != 1:
            raise refuse("one_unit", "must have one of days, hours, minutes and seconds, and only one")
        return self

    @property
    def total_seconds(self) -> int:
        """How long it is."""
        return sum(seconds * (getattr(self, unit) or 0) for unit, seconds in _UNITS.items())

    def to_window(self, starts_at: int, time_zone: str) -> Window:
        """The window for a campaign that starts at a moment (epoch ms).

        Fixed windows are counted from a Monday's midnight on the clock that is in force then. That is the same for all
        campaigns of a place, whenever they start, or campaigns of one brand day would disagree about its days. Where
        clocks are put forward or back during a campaign, its days are an hour off from then on.
        """
        if self.kind == "sliding":
            return Window(self.total_seconds * 1000, sliding=True)
        offset = datetime.fromtimestamp(starts_at / 1000, ZoneInfo(time_zone)).utcoffset() or timedelta()
        return Window(self.total_seconds * 1000, sliding=False, anchor=_MONDAY_MS - offset // timedelta(milliseconds=1))


class LimitPart(Part):
    """At most so many per shopper, device, network or another signal."""

    name: str = Field(
        pattern=LIMIT_NAME,
        description="What it goes by in answers and reports. Campaigns of one brand day that name a limit alike share "
        "what it counts, and have to declare it alike.",
    )
    by: SignalKind = Field(description="Per what; marks of it are kept, never the value.")
    counts: Counted = Field(
        description="attempts: requests at the gate, approximately; wins: units, coupons or entries, exactly, and "
        "given back with a released hold."
    )
    most: int = Field(ge=1, le=MAX_ATTEMPTS, description=f"In the window; of wins at most {MAX_WINS}.")
    window: WindowPart | None = Field(
        default=None, description="If left out, as long as the campaign, or its brand day, lasts."
    )
    required: bool = Field(
        default=False,
        validate_default=True,
        description="Whoever comes without the signal is refused, instead of not counted.",
    )

    @field_validator("most")
    @classmethod
    def _fits_into_a_tally(cls, most: int, info: ValidationInfo) -> int:
        if info.data.get("counts") is Counted.WINS and most > MAX_WINS:
            raise refuse(
                "too_many_wins",
                f"is {most}, but a limit on wins can be {MAX_WINS} at most, as each is named; count attempts instead",
            )
        return most

    @field_validator("required")
    @classmethod
    def _can_be_missing(cls, required: bool, info: ValidationInfo) -> bool:
        if required and info.data.get("by") is SignalKind.SHOPPER:
            raise refuse("never_missing", "has no place where shoppers are counted: every token names one; remove it")
        return required


class TicketPart(Part):
    """Nobody takes anything without a ticket, which is given out from shortly before the start, and is good once."""

    opens_before_seconds: int = Field(
        default=300, ge=0, le=MAX_PASS_SECONDS - SPARE_SECONDS, description="Before `starts_at`."
    )
    valid_seconds: int = Field(
        default=MAX_PASS_SECONDS,
        validate_default=True,
        ge=SPARE_SECONDS,
        le=MAX_PASS_SECONDS,
        description="From when it is given out; the first tickets have to last until the sale has begun.",
    )

    @field_validator("valid_seconds")
    @classmethod
    def _lasts_into_the_sale(cls, valid: int, info: ValidationInfo) -> int:
        opens: int | None = info.data.get("opens_before_seconds")
        if opens is not None and valid < opens + SPARE_SECONDS:
            raise refuse(
                "ticket_over_before_start",
                f"is {valid}, but the first tickets are given out {opens} seconds before the start, when they would "
                f"be as good as over; make it {opens + SPARE_SECONDS} or more, or open later",
            )
        return valid


class ChallengePart(Part):
    """Work for a device that costs a person nothing, and a farm a lot."""

    kind: Literal[_KINDS] = Field(description="What poses it.")  # type: ignore[valid-type]
    ask: Ask = Field(description="always: everybody solves one; risk: those whom the rules send to it.")
    difficulty: int = Field(
        default=2000,
        description="In the kind's own unit: of altcha how many derivations it takes on average, about 0.2 ms each on "
        "a computer and 1 ms on a phone. Risk and load make it more.",
    )
    valid_seconds: int = Field(
        default=300, ge=60, le=MAX_PASS_SECONDS, description="How long it can be solved, and its solution shown."
    )
    wait_seconds: int = Field(
        default=30,
        validate_default=True,
        ge=5,
        le=MAX_PASS_SECONDS,
        description="How long those wait instead who cannot solve it.",
    )

    @field_validator("difficulty")
    @classmethod
    def _is_in_reach(cls, difficulty: int, info: ValidationInfo) -> int:
        kind: str | None = info.data.get("kind")
        if kind is not None and difficulty not in (reach := CHALLENGERS[kind].difficulties):
            raise refuse("difficulty_out_of_reach", f"must be {min(reach)} to {max(reach)} where the kind is {kind}")
        return difficulty

    @field_validator("wait_seconds")
    @classmethod
    def _is_over_in_time(cls, wait: int, info: ValidationInfo) -> int:
        valid: int | None = info.data.get("valid_seconds")
        if valid is not None and wait > valid - SPARE_SECONDS:
            raise refuse(
                "wait_outlasts_challenge",
                f"is {wait}, but the challenge is over after {valid} seconds; make it {valid - SPARE_SECONDS} or less",
            )
        return wait


class RiskPart(Part):
    """Rules that weigh what is known about a visit, and from which sums on that has consequences."""

    mode: RiskMode = Field(description="shadow: what would have happened is recorded, and nothing changed.")
    rules: list[AnyRule] = Field(min_length=1, max_length=MAX_RULES)
    challenge_at: int | None = Field(
        default=None, ge=1, le=100_000, description="From which sum on a challenge has to be solved."
    )
    refuse_at: int | None = Field(
        default=None, validate_default=True, ge=1, le=100_000, description="From which sum on nobody is let in."
    )

    @field_validator("rules")
    @classmethod
    def _go_by_names(cls, rules: list[RulePart]) -> list[RulePart]:
        for index, rule in enumerate(rules):
            if any(rule.called == earlier.called for earlier in rules[:index]):
                raise refuse(
                    "repeated", f"repeats {rule.called!r}; give this rule another name than its kind's", (index, "name")
                )
        return rules

    @field_validator("challenge_at", "refuse_at")
    @classmethod
    def _can_be_reached(cls, score: int | None, info: ValidationInfo) -> int | None:
        rules: Sequence[RulePart] = info.data.get("rules", ())
        together = sum(rule.weight for rule in rules)
        if score is not None and rules and score > together:
            raise refuse(
                "never_reached", f"is {score}, but all rules together weigh {together}; lower it, or raise weights"
            )
        return score

    @field_validator("refuse_at")
    @classmethod
    def _comes_after_the_challenge(cls, refuse_at: int | None, info: ValidationInfo) -> int | None:
        if "challenge_at" not in info.data:
            return refuse_at
        challenge_at: int | None = info.data["challenge_at"]
        if refuse_at is None and challenge_at is None:
            raise refuse("no_consequence", "is missing, and so is challenge_at; say from which sum on rules matter")
        if refuse_at is not None and challenge_at is not None and refuse_at <= challenge_at:
            raise refuse(
                "refused_before_challenged",
                f"must be more than challenge_at, which is {challenge_at}, or nobody gets a challenge",
            )
        return refuse_at


class ProtectionPart(Part):
    """What keeps bots away. Tickets, challenge, risk and what is allowed may change while the campaign runs."""

    brand_day: str | None = Field(
        default=None,
        pattern=CAMPAIGN_ID,
        description="A name that several campaigns share: their limits and rules then count over all of them.",
    )
    limits: Annotated[list[LimitPart], Field(max_length=MAX_LIMITS)] = Field(default=[])
    ticket: TicketPart | None = None
    challenge: ChallengePart | None = None
    risk: RiskPart | None = None

    @field_validator("limits")
    @classmethod
    def _go_by_names(cls, limits: list[LimitPart]) -> list[LimitPart]:
        for index, limit in enumerate(limits):
            if any(limit.name == earlier.name for earlier in limits[:index]):
                raise refuse("repeated", f"repeats the limit {limit.name!r}; each may be there once", (index, "name"))
        return limits

    @model_validator(mode="after")
    def _fits_together(self) -> "ProtectionPart":
        refused = refuse_all(_disagreements(self), self)
        if refused is not None:
            raise refused
        return self

    def to_protection(self, starts_at: int, time_zone: str) -> Protection:
        """The terms this declares, of a campaign that starts at a moment (epoch ms)."""
        document = self.model_dump(mode="json")
        for limit, part in zip(document["limits"], self.limits, strict=True):
            if part.window is not None:
                limit["window"] = part.window.to_window(starts_at, time_zone).to_document()
        if self.risk is not None:
            rules: list[Any] = self.risk.rules  # each of RulePart, by its annotation
            document["risk"]["rules"] = [rule.to_document() for rule in rules]
        return Protection.from_document(document)


def declare_protection(protection: Protection) -> dict[str, Any]:
    """What an operator would declare to get `protection`."""
    document = protection.to_document()
    for limit in document["limits"]:
        if limit["window"] is not None:
            limit["window"] = _declare_window(**limit["window"])
    return document


def _declare_window(seconds: int, kind: str, anchor: int) -> dict[str, Any]:
    del anchor  # follows from the campaign's start and time zone
    unit = next(unit for unit, length in _UNITS.items() if seconds % length == 0)
    return {unit: seconds // _UNITS[unit], "kind": kind}


# --- what has to fit together, as far as the fields before are right ---


def protection_problems(protection: ProtectionPart, campaign: Mapping[str, Any]) -> Iterator[Problem]:
    """What does not fit between a protection and its campaign's schedule, as far as that is right."""
    zone, start, end = (campaign.get(name) for name in ("time_zone", "starts_at", "ends_at"))
    if zone is None or start is None or end is None or protection.brand_day is not None:
        return
    lasts = (read_local_time(end, zone) - read_local_time(start, zone)) // 1000
    for index, limit in enumerate(protection.limits):
        if limit.window is not None and limit.window.total_seconds > lasts:
            yield Problem(
                ("limits", index, "window"),
                "window_over_campaign",
                "is longer than the campaign; leave it out, or name the brand_day over which it counts",
            )


def wins_are_limited(protection: ProtectionPart | None) -> bool:
    """Whether there are limits on wins."""
    return protection is not None and any(limit.counts is Counted.WINS for limit in protection.limits)


def _disagreements(protection: ProtectionPart) -> Iterator[Problem]:
    ticket, challenge, risk = protection.ticket, protection.challenge, protection.risk
    if ticket is not None and challenge is not None:
        together = ticket.valid_seconds + challenge.valid_seconds
        if together > MAX_PASSES_SECONDS:
            yield Problem(
                ("challenge", "valid_seconds"),
                "passes_last_too_long",
                f"is {challenge.valid_seconds}, and tickets are valid for {ticket.valid_seconds} seconds; both "
                f"together can be {MAX_PASSES_SECONDS}, so that what was used is known to be",
            )
    if challenge is None:
        if risk is not None and risk.challenge_at is not None:
            yield Problem(("risk", "challenge_at"), "no_challenge", "needs a challenge to send to; add one beside risk")
    elif challenge.ask is Ask.RISK and (risk is None or risk.challenge_at is None):
        yield Problem(
            ("challenge", "ask"),
            "never_asked",
            "is risk, but no rules send anybody to it; add risk.challenge_at, or make it always",
        )
    if not protection.limits and ticket is None and challenge is None and risk is None:
        yield Problem((), "protects_nothing", "demands nothing; add limits, ticket, challenge or risk, or remove it")
