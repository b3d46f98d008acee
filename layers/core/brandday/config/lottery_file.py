"""A lottery as an operator declares it: prizes, pacing, allowances, the draw, and what the law wants to be public."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from brandday.config.campaign_file import CampaignFile, Mechanic, in_local_times
from brandday.config.fulfilment_part import FulfilmentPart, Handed, disagreements
from brandday.config.local_time import full_hours, local_midnights, read_local_time, write_local_time
from brandday.config.parts import MAX_UNITS, SKU_ID, LocalTime, Part, refuse, refuse_all
from brandday.config.prize_part import MAX_HOURS, Moments, PrizePart, Rounds
from brandday.config.problems import Path, Problem
from brandday.domain import lottery as domain
from brandday.domain.beacon import round_at
from brandday.domain.campaign import Campaign
from brandday.domain.draw import SEAL_AFTER_MS
from brandday.domain.lottery_rules import has_a_weighted_hour
from brandday.domain.luck import read_odds, write_odds

MAX_DAYS = 400
"""Publication stores the beginning of each local day of a lottery."""

MAX_ROUNDS = 1000
"""Of all prizes together: their times are part of the campaign's item, which has at most 400 KB."""

MAX_RESERVES = 10_000
HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS
DEFAULT_ENTRANTS = 100_000

_LANGUAGE = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$"
_NOT_BLANK = r"\S"


class PityPart(Part):
    """A guarantee: who has missed `after` times in a row wins `prize` with the next entry."""

    after: int = Field(ge=1, le=domain.MAX_ENTRIES - 1)
    prize: str = Field(pattern=SKU_ID)


class EntriesPart(Part):
    """How often one shopper may enter; the days are those of `time_zone`."""

    per_day: int = Field(ge=1, le=domain.MAX_ENTRIES)
    per_campaign: int = Field(ge=1, le=domain.MAX_ENTRIES)
    earned: int = Field(default=0, ge=0, le=domain.MAX_ENTRIES, description="Chances that others may grant, at most.")

    @field_validator("per_campaign")
    @classmethod
    def _lets_a_day_be_used(cls, most: int, info: ValidationInfo) -> int:
        per_day: int = info.data.get("per_day", most)
        if per_day > most:
            raise refuse("limits_disagree", f"is {most}, less than {per_day} of one day; raise this or lower per_day")
        return most

    @field_validator("earned")
    @classmethod
    def _fit_into_a_record(cls, earned: int, info: ValidationInfo) -> int:
        entries: int = info.data.get("per_campaign", 0) + earned
        if entries > domain.MAX_ENTRIES:
            raise refuse(
                "too_many_entries",
                f"makes {entries} entries of a shopper with per_campaign, but there can be {domain.MAX_ENTRIES}",
            )
        return earned


class DrawPart(Part):
    """When a draw takes place, and who is asked when a winner does not answer."""

    at: LocalTime = Field(description="On the clock of `time_zone`; at least a minute after `ends_at`.")
    reserves: int = Field(default=0, ge=0, le=MAX_RESERVES, description="Places that are ranked behind the winners.")
    reserve_claim_hours: int = Field(
        default=7 * 24, ge=1, le=60 * 24, description="How long a reserve who moves up has to claim the prize."
    )
    beacon: Literal["drand"] | None = Field(
        default=None, description="Binds the draw to a public random number that nobody knows before `at`."
    )


Line = Annotated[str, Field(min_length=1, max_length=200, pattern=_NOT_BLANK)]
LongTexts = Annotated[
    dict[
        Annotated[str, Field(pattern=_LANGUAGE)],
        Annotated[str, Field(min_length=1, max_length=4000, pattern=_NOT_BLANK)],
    ],
    Field(min_length=1, max_length=20),
]


class CompliancePart(Part):
    """What a prize promotion has to make public besides its prizes, odds, times and allowances."""

    organiser: Line = Field(description="Who runs it: name and registered address.")
    contact: Line = Field(description="Where shoppers can complain or ask.")
    conditions: LongTexts = Field(description="Who may take part, and how; by language tag.")
    claim_rules: LongTexts = Field(description="How winners get their prizes, and until when; by language tag.")
    forfeiture: LongTexts = Field(description="What becomes of prizes that nobody claims; by language tag.")


class LotteryFile(CampaignFile):
    """A lottery: prizes by instant win, or by a draw after the end."""

    mechanic: Literal["lottery"]
    mode: domain.LotteryMode = Field(description="instant: an entry is decided at once; draw: winners are drawn later.")
    prizes: list[PrizePart] = Field(min_length=1, max_length=domain.MAX_PRIZES, description="The best one first.")
    consolation: str | None = Field(default=None, pattern=SKU_ID, description="The prize of who wins no other.")
    pity: PityPart | None = None
    entries: EntriesPart
    draw: DrawPart | None = Field(default=None, validate_default=True, description="For the mode draw, and no other.")
    expected_entrants: int = Field(
        default=DEFAULT_ENTRANTS, ge=1, le=10_000_000, description="Spreads their records; fixed at publication."
    )
    compliance: CompliancePart
    fulfilment: FulfilmentPart = Field(default=FulfilmentPart(), validate_default=True)

    @field_validator("ends_at")
    @classmethod
    def _is_soon_enough(cls, text: str, info: ValidationInfo) -> str:
        window = _window({**info.data, "ends_at": text})
        if window is not None and window[1] - window[0] > MAX_DAYS * DAY_MS:
            raise refuse("lasts_too_long", f"is more than {MAX_DAYS} days after starts_at; declare several lotteries")
        return text

    @field_validator("prizes")
    @classmethod
    def _fit_together(cls, prizes: list[PrizePart], info: ValidationInfo) -> list[PrizePart]:
        _raise_all(_prize_problems(prizes, info.data), prizes)
        return prizes

    @field_validator("consolation")
    @classmethod
    def _consoles(cls, named: str | None, info: ValidationInfo) -> str | None:
        if named is not None:
            prize = _named(named, info.data)
            if prize is not None and prize.odds is not None:
                raise refuse(
                    "consolation_with_odds", f"is {named!r}, which has odds: it is won by missing; remove its odds"
                )
        return named

    @field_validator("pity")
    @classmethod
    def _is_a_guarantee(cls, pity: PityPart | None, info: ValidationInfo) -> PityPart | None:
        if pity is not None:
            _named(pity.prize, info.data, ("prize",))
            if pity.prize == info.data.get("consolation"):
                raise refuse("pity_consoles", "is the consolation, which everybody gets without it", ("prize",))
        return pity

    @field_validator("entries")
    @classmethod
    def _let_pity_come(cls, entries: EntriesPart, info: ValidationInfo) -> EntriesPart:
        pity: PityPart | None = info.data.get("pity")
        most = entries.per_campaign + entries.earned
        if pity is not None and pity.after >= most:
            raise refuse("pity_never", f"allow {most} in all, so nobody misses {pity.after} times and enters again")
        return entries

    @field_validator("draw")
    @classmethod
    def _is_after_the_end(cls, draw: DrawPart | None, info: ValidationInfo) -> DrawPart | None:
        mode: domain.LotteryMode | None = info.data.get("mode")
        if draw is None:
            if mode is domain.LotteryMode.DRAW:
                raise refuse("draw_missing", "is missing; say when the draw takes place")
            return None
        if mode is domain.LotteryMode.INSTANT:
            raise refuse("draw_of_instant", "has no place in an instant win; remove it, or make the mode draw")
        at, window = _moment(draw.at, info.data, ("at",)), _window(info.data)
        if at is not None and window is not None and at < window[1] + SEAL_AFTER_MS:
            raise refuse(
                "draw_too_early",
                f"must be at least a minute later than ends_at, which is {info.data['ends_at']}: the last entries are "
                "waited for",
                ("at",),
            )
        units = sum(prize.stock for prize in info.data.get("prizes", []))
        if units + draw.reserves > domain.MAX_PLACES:
            raise refuse(
                "too_many_places",
                f"ranks {units} units and {draw.reserves} reserves, but a draw has at most {domain.MAX_PLACES} places",
            )
        return draw

    @field_validator("fulfilment")
    @classmethod
    def _fits_the_campaign(cls, fulfilment: FulfilmentPart, info: ValidationInfo) -> FulfilmentPart:
        prizes: list[PrizePart] = info.data.get("prizes", [])
        currency = next((prize.reward.value.currency for prize in prizes if prize.reward.value is not None), None)
        handed = [Handed(f"the prize {prize.prize!r}", prize.reward) for prize in prizes]
        problems = list(disagreements(fulfilment, info.data, handed, currency))
        if not any(problem.path == ("claim_until",) for problem in problems):
            problems += _claim_problems(fulfilment, info.data)
        _raise_all(problems, fulfilment)
        return fulfilment

    @model_validator(mode="after")
    def _can_be_won(self) -> "LotteryFile":
        if self.mode is domain.LotteryMode.INSTANT:
            others = {self.consolation, self.pity and self.pity.prize}
            _raise_all(
                (
                    Problem(
                        ("prizes", index, "odds"),
                        "never_won",
                        "must be above 0, or nobody wins it: it has no winning moments, and is neither consolation nor "
                        "pity",
                    )
                    for index, prize in enumerate(self.prizes)
                    if not prize.has_luck and prize.prize not in others
                ),
                self,
            )
        return self

    def to_document(self) -> dict[str, Any]:
        """The declaration in its normal form: what all campaigns have, and the lottery."""
        document = super().to_document()
        own = ("mode", "prizes", "consolation", "pity", "entries", "draw", "expected_entrants", "compliance")
        return {key: of for key, of in document.items() if key not in own} | {"lottery": self._lottery().to_document()}

    def _lottery(self) -> domain.Lottery:
        return domain.Lottery.from_document(
            {
                "mode": str(self.mode),
                "prizes": [self._prize(prize) for prize in self.prizes],
                "allowance": self.entries.model_dump(),
                "consolation": self.consolation,
                "pity": None if self.pity is None else self.pity.model_dump(),
                "draw": None if self.draw is None else self._draw(self.draw),
                "expected_entrants": self.expected_entrants,
                "compliance": self.compliance.model_dump(),
            }
        )

    def _prize(self, prize: PrizePart) -> dict[str, Any]:
        document = prize.model_dump(mode="json", exclude={"prize", "release"})
        return document | {"id": prize.prize, "release": self._release(prize.release)}

    def _release(self, release: BaseModel) -> dict[str, Any]:
        if not isinstance(release, Rounds):
            return release.model_dump()
        window = self._ms(self.starts_at), self._ms(self.ends_at)
        times = _times_of(release, window, self.time_zone)
        return {"plan": "rounds", "times_ms": times}

    def _draw(self, draw: DrawPart) -> dict[str, Any]:
        at = self._ms(draw.at)
        return {
            "at_ms": at,
            "reserves": draw.reserves,
            "reserve_claim_ms": draw.reserve_claim_hours * HOUR_MS,
            "beacon": None if draw.beacon is None else round_at(at)._asdict(),
        }

    def _ms(self, text: str) -> int:
        return read_local_time(text, self.time_zone)


# --- what has to fit together, as far as the fields before are right ---


def _raise_all(problems: Iterator[Problem] | Sequence[Problem], value: Any) -> None:
    refused = refuse_all(problems, value)
    if refused is not None:
        raise refused


def _window(data: Mapping[str, Any]) -> tuple[int, int] | None:
    """The schedule in epoch ms, if all that it takes is right."""
    zone, start, end = (data.get(name) for name in ("time_zone", "starts_at", "ends_at"))
    if zone is None or start is None or end is None:
        return None
    return read_local_time(start, zone), read_local_time(end, zone)


def _moment(text: str, data: Mapping[str, Any], at: Path) -> int | None:
    """A time on the clock of the campaign, or None if that is not known; raises what is wrong with it."""
    if "time_zone" not in data:
        return None
    try:
        return read_local_time(text, data["time_zone"])
    except ValueError as error:
        raise refuse("no_local_time", str(error), at) from None


def _named(prize_id: str, data: Mapping[str, Any], at: Path = ()) -> PrizePart | None:
    """The prize that consolation or pity names; raises why it cannot be that one, None if prizes are not known."""
    if data.get("mode") is domain.LotteryMode.DRAW:
        raise refuse("luck_of_draw", "has no place in a draw, where everybody waits for the ranking; remove it")
    prizes: list[PrizePart] | None = data.get("prizes")
    if prizes is None:
        return None
    prize = next((prize for prize in prizes if prize.prize == prize_id), None)
    if prize is None:
        known = ", ".join(prize.prize for prize in prizes)
        raise refuse("no_such_prize", f"is {prize_id!r}, which is none of the prizes; there are: {known}", at)
    if prize.is_by_moments:
        raise refuse(
            "moments_promised", f"is {prize_id!r}, which has winning moments: it belongs to whoever meets them", at
        )
    return prize


def _prize_problems(prizes: Sequence[PrizePart], data: Mapping[str, Any]) -> Iterator[Problem]:
    worth: tuple[str, str] | None = None
    for index, prize in enumerate(prizes):
        if any(prize.prize == earlier.prize for earlier in prizes[:index]):
            yield Problem((index, "prize"), "repeated", f"repeats the prize {prize.prize!r}; each may be there once")
        value = prize.reward.value
        worth = worth or (None if value is None else (prize.prize, value.currency))
        if value is not None and worth is not None and value.currency != worth[1]:
            yield Problem(
                (index, "reward", "value", "currency"),
                "mixed_currencies",
                f"is {value.currency}, but {worth[0]!r} is worth {worth[1]}; use one currency in a campaign",
            )
        if data.get("mode") is domain.LotteryMode.DRAW:
            yield from _problems_of_drawn(prize, index)
        yield from _release_problems(prize.release, data, (index, "release"))
    together = sum((read_odds(prize.odds) for prize in prizes if prize.odds is not None), Fraction())
    if together > 1:
        yield Problem((), "odds_over_one", f"have odds of {write_odds(together)} together, more than 1; lower some")
    units = sum(prize.stock for prize in prizes)
    if units > MAX_UNITS:
        yield Problem((), "too_much_stock", f"have {units} units together, but a campaign can give away {MAX_UNITS}")
    window = _window(data)
    if window is not None:
        rounds = sum(_count_of_rounds(prize.release, window, data["time_zone"]) for prize in prizes)
        if rounds > MAX_ROUNDS:
            yield Problem((), "too_many_rounds", f"have {rounds} rounds together, but there can be {MAX_ROUNDS}")


def _problems_of_drawn(prize: PrizePart, index: int) -> Iterator[Problem]:
    """What only an instant win can have."""
    for field in ("odds", "odds_between", "per_day", "per_shopper"):
        if getattr(prize, field) is not None:
            yield Problem(
                (index, field), "luck_of_draw", "has no place in a draw, where each shopper wins at most one; remove it"
            )
    if isinstance(prize.release, Rounds | Moments):
        yield Problem((index, "release", "plan"), "luck_of_draw", "must be all: a draw gives everything away at once")


def _release_problems(release: BaseModel, data: Mapping[str, Any], at: Path) -> Iterator[Problem]:
    window = _window(data)
    if window is None:
        return
    zone: str = data["time_zone"]
    match release:
        case Rounds(every_hours=int()):
            if not _times_of(release, window, zone):
                yield Problem((*at, "every_hours"), "no_round", "finds no full hour within the schedule")
        case Rounds():
            yield from _round_problems(release.times, window, zone, at)
        case Moments() if not has_a_weighted_hour(release.hour_weights, window, local_midnights(*window, zone)):
            yield Problem((*at, "hour_weights"), "no_weight", "must have an hour above 0 that is within the schedule")


def _round_problems(texts: Sequence[str], window: tuple[int, int], zone: str, at: Path) -> Iterator[Problem]:
    before: int | None = None
    for index, text in enumerate(texts):
        place = (*at, "times", index)
        try:
            moment = read_local_time(text, zone)
        except ValueError as error:
            yield Problem(place, "no_local_time", str(error))
            continue
        if not window[0] <= moment < window[1]:
            yield Problem(place, "round_outside", "is outside the schedule: not before starts_at, and before ends_at")
        if before is not None and moment <= before:
            yield Problem(place, "rounds_disordered", "must be later than the round before it")
        before = moment


def _count_of_rounds(release: BaseModel, window: tuple[int, int], zone: str) -> int:
    if not isinstance(release, Rounds):
        return 0
    return len(release.times) or len(_times_of(release, window, zone))


def _claim_problems(fulfilment: FulfilmentPart, data: Mapping[str, Any]) -> Iterator[Problem]:
    draw: DrawPart | None = data.get("draw")
    if draw is None or fulfilment.claim_until is None or "time_zone" not in data:
        return
    if read_local_time(fulfilment.claim_until, data["time_zone"]) <= read_local_time(draw.at, data["time_zone"]):
        yield Problem(
            ("claim_until",),
            "claim_ends_before_draw",
            f"must be later than draw.at, which is {draw.at}: nobody knows before what to claim",
        )


def _times_of(rounds: Rounds, window: tuple[int, int], zone: str) -> list[int]:
    if rounds.every_hours is None:
        return [read_local_time(text, zone) for text in rounds.times]
    return full_hours(*window, rounds.every_hours, zone)


# --- and back ---


def declare(campaign: Campaign) -> dict[str, Any]:
    """What an operator would declare to get `campaign`."""
    lottery = campaign.lottery
    if lottery is None:
        raise ValueError(f"{campaign.id} is no lottery")
    document = in_local_times(campaign)
    del document["lottery"]
    written = lottery.to_document()
    return document | {
        "mode": written["mode"],
        "prizes": [_declared_prize(prize, campaign) for prize in written["prizes"]],
        "consolation": written["consolation"],
        "pity": written["pity"],
        "entries": written["allowance"],
        "draw": None if written["draw"] is None else _declared_draw(written["draw"], campaign.time_zone),
        "expected_entrants": written["expected_entrants"],
        "compliance": written["compliance"],
    }


def _declared_prize(prize: dict[str, Any], campaign: Campaign) -> dict[str, Any]:
    release = dict(prize["release"])
    if "times_ms" in release:
        release |= _declared_rounds(release.pop("times_ms"), campaign)
    rest = {key: of for key, of in prize.items() if key not in ("id", "release")}
    return {"prize": prize["id"], **rest, "release": release}


def _declared_rounds(times: Sequence[int], campaign: Campaign) -> dict[str, Any]:
    """Every so many hours if that is what it comes to: a week of hourly rounds is 168 lines otherwise."""
    if len(times) > 1:
        hours, rest = divmod(times[1] - times[0], HOUR_MS)
        window = campaign.starts_at, campaign.ends_at
        if rest == 0 and hours <= MAX_HOURS and list(times) == full_hours(*window, hours, campaign.time_zone):
            return {"every_hours": hours}
    return {"times": [write_local_time(moment, campaign.time_zone) for moment in times]}


def _declared_draw(draw: dict[str, Any], zone: str) -> dict[str, Any]:
    return {
        "at": write_local_time(draw["at_ms"], zone),
        "reserves": draw["reserves"],
        "reserve_claim_hours": draw["reserve_claim_ms"] // HOUR_MS,
        "beacon": None if draw["beacon"] is None else "drand",
    }


MECHANIC = Mechanic(LotteryFile, declare)
