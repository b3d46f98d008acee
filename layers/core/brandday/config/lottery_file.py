"""A lottery as an operator declares it: prizes, odds, pacing, allowances, and what the law wants to be public."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator, model_validator

from brandday.config.campaign_file import SKU_ID, CampaignFile, Titles, in_local_times
from brandday.config.fulfilment_part import FulfilmentPart, Handed, RewardPart, disagreements
from brandday.config.local_time import read_local_time, write_local_time
from brandday.config.one_of import OneOf
from brandday.config.parts import LocalTime, Part, refuse, refuse_all
from brandday.config.problems import Problem
from brandday.domain import lottery as domain
from brandday.domain.beacon import round_at
from brandday.domain.campaign import Campaign
from brandday.domain.luck import read_odds, write_odds

MAX_RESERVES = 10_000
MAX_STOCK = 1_000_000
HOUR_MS = 60 * 60 * 1000
DEFAULT_ENTRANTS = 100_000


def _fraction(text: str) -> str:
    try:
        return write_odds(read_odds(text))
    except ValueError:
        raise refuse("no_fraction", 'must be a fraction of whole numbers in quotes, like "1/200"') from None


Odds = Annotated[str, Field(max_length=40, description="An exact fraction: 1/200."), AfterValidator(_fraction)]


class AtOnce(Part):
    """All units can be won from the start."""

    plan: Literal["all"]


class Rounds(Part):
    """Units come in equal shares: at given times, or every so many hours on the hour."""

    plan: Literal["rounds"]
    times: list[LocalTime] = Field(default=[], max_length=400, description="On the clock of `time_zone`, ascending.")
    every_hours: int | None = Field(default=None, ge=1, le=168, description="Instead of times: on the hour.")


class Moments(Part):
    """Each unit has a winning moment, drawn from the seed; the first entry after it wins."""

    plan: Literal["moments"]
    hour_weights: list[Annotated[int, Field(ge=0, le=1000)]] = Field(
        default=[1] * domain.HOURS, min_length=domain.HOURS, max_length=domain.HOURS, description="From midnight on."
    )


_PLANS: dict[str, type[BaseModel]] = {"all": AtOnce, "rounds": Rounds, "moments": Moments}


class PrizePart(Part):
    """One prize."""

    prize: str = Field(pattern=SKU_ID, description="The shop's own id.")
    title: Titles
    stock: int = Field(ge=1, le=MAX_STOCK, description="Units; fixed at publication.")
    odds: Odds | None = Field(default=None, description="Of one entry; not for draws and winning moments.")
    odds_between: Annotated[list[Odds], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="How far `odds` may be changed while the lottery runs."
    )
    release: Annotated[BaseModel, OneOf("plan", _PLANS)] = Field(
        default=AtOnce(plan="all"), description="When its units can be won."
    )
    per_day: int | None = Field(default=None, ge=1, description="Units that may be won on one local day, at most.")
    per_shopper: int | None = Field(default=None, ge=1, le=domain.MAX_ENTRIES, description="Per shopper, at most.")
    reward: RewardPart = Field(description="What is won; an order is no prize.")

    @field_validator("reward")
    @classmethod
    def _is_a_prize(cls, reward: RewardPart) -> RewardPart:
        if reward.kind == "order":
            raise refuse("order_as_prize", "must be physical, digital or cash: an order is bought, not won", ("kind",))
        return reward


class PityPart(Part):
    """A guarantee: who has missed `after` times in a row wins `prize` with the next entry."""

    after: int = Field(ge=1, lt=domain.MAX_ENTRIES)
    prize: str = Field(pattern=SKU_ID)


class EntriesPart(Part):
    """How often one shopper may enter; the days are those of `time_zone`."""

    per_day: int = Field(ge=1, le=domain.MAX_ENTRIES)
    per_campaign: int = Field(ge=1, le=domain.MAX_ENTRIES)
    earned: int = Field(default=0, ge=0, le=domain.MAX_ENTRIES, description="Chances that others may grant, at most.")


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


LongText = Annotated[str, Field(min_length=1, max_length=4000)]
LongTexts = Annotated[dict[str, LongText], Field(min_length=1, max_length=20, description="By language tag.")]


class CompliancePart(Part):
    """What a prize promotion has to make public besides its prizes, odds, times and allowances."""

    organiser: str = Field(min_length=1, max_length=200, description="Who runs it: name and registered address.")
    contact: str = Field(min_length=1, max_length=200, description="Where shoppers can complain or ask.")
    conditions: LongTexts = Field(description="Who may take part, and how.")
    claim_rules: LongTexts = Field(description="How winners get their prizes, and until when.")
    forfeiture: LongTexts = Field(description="What becomes of prizes that nobody claims.")


class LotteryFile(CampaignFile):
    """A lottery: prizes by instant win, or by a draw after the end."""

    mechanic: Literal["lottery"]
    mode: domain.Mode = Field(description="instant: an entry is decided at once; draw: winners are drawn later.")
    prizes: list[PrizePart] = Field(min_length=1, max_length=domain.MAX_PRIZES, description="The best one first.")
    consolation: str | None = Field(default=None, pattern=SKU_ID, description="The prize of who wins no other.")
    pity: PityPart | None = None
    entries: EntriesPart
    draw: DrawPart | None = None
    expected_entrants: int = Field(
        default=DEFAULT_ENTRANTS, ge=1, le=10_000_000, description="Spreads their records; fixed at publication."
    )
    compliance: CompliancePart
    fulfilment: FulfilmentPart = Field(default=FulfilmentPart(), validate_default=True)

    @field_validator("fulfilment")
    @classmethod
    def _fits_the_campaign(cls, fulfilment: FulfilmentPart, info: ValidationInfo) -> FulfilmentPart:
        prizes: list[PrizePart] = info.data.get("prizes", [])
        refused = refuse_all(
            disagreements(
                fulfilment,
                info.data,
                [Handed(f"the prize {prize.prize!r}", prize.reward) for prize in prizes],
                next((prize.reward.value.currency for prize in prizes if prize.reward.value is not None), None),
            ),
            fulfilment,
        )
        if refused is not None:
            raise refused
        return fulfilment

    @model_validator(mode="after")
    def _can_be_won(self) -> "LotteryFile":
        refused = refuse_all(self._problems(), self)
        if refused is not None:
            raise refused
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
        times = [self._ms(text) for text in release.times]
        if release.every_hours is not None:
            start, end = self._ms(self.starts_at), self._ms(self.ends_at)
            first = -(-start // HOUR_MS) * HOUR_MS
            times = list(range(first, end, release.every_hours * HOUR_MS))
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

    def _problems(self) -> Iterator[Problem]:
        for place in self._wrong_times():
            yield place
            return  # without its times a lottery cannot be looked at as a whole
        ids = [prize.prize for prize in self.prizes]
        for place, reason in domain.problems(self._lottery(), self._ms(self.starts_at), self._ms(self.ends_at)):
            yield Problem(_path(place, ids), "lottery", reason)
        until = self.fulfilment.claim_until
        if self.draw is not None and until is not None and self._ms(until) <= self._ms(self.draw.at):
            yield Problem(("fulfilment", "claim_until"), "claim_ends_before_draw", "must be later than draw.at")

    def _wrong_times(self) -> Iterator[Problem]:
        texts = [] if self.draw is None else [(("draw", "at"), self.draw.at)]
        for index, prize in enumerate(self.prizes):
            if isinstance(prize.release, Rounds):
                rounds = prize.release
                if bool(rounds.times) == (rounds.every_hours is not None):
                    yield Problem(("prizes", index, "release"), "rounds", "needs either times or every_hours")
                texts += [(("prizes", index, "release", "times", at), text) for at, text in enumerate(rounds.times)]
        for path, text in texts:
            try:
                self._ms(text)
            except ValueError as error:
                yield Problem(path, "no_local_time", str(error))


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
        "prizes": [_declared_prize(prize, campaign.time_zone) for prize in written["prizes"]],
        "consolation": written["consolation"],
        "pity": written["pity"],
        "entries": written["allowance"],
        "draw": None if written["draw"] is None else _declared_draw(written["draw"], campaign.time_zone),
        "expected_entrants": written["expected_entrants"],
        "compliance": written["compliance"],
    }


def _declared_prize(prize: dict[str, Any], zone: str) -> dict[str, Any]:
    release = dict(prize["release"])
    if "times_ms" in release:
        release["times"] = [write_local_time(moment, zone) for moment in release.pop("times_ms")]
    rest = {key: of for key, of in prize.items() if key not in ("id", "release")}
    return {"prize": prize["id"], **rest, "release": release}


def _declared_draw(draw: dict[str, Any], zone: str) -> dict[str, Any]:
    return {
        "at": write_local_time(draw["at_ms"], zone),
        "reserves": draw["reserves"],
        "reserve_claim_hours": draw["reserve_claim_ms"] // HOUR_MS,
        "beacon": None if draw["beacon"] is None else "drand",
    }


def _path(place: str, ids: list[str]) -> tuple[str | int, ...]:
    """The place of a problem in the declaration; domain and document call some things by different names."""
    head, _, rest = place.partition(".")
    if place in ids:
        return ("prizes", ids.index(place), "odds")
    match head:
        case "prizes" if rest in ids:
            return ("prizes", ids.index(rest))
        case "odds":
            return ("prizes",)
        case "allowance":
            return ("entries",)
        case _:
            return (head, rest) if rest else (head,)
