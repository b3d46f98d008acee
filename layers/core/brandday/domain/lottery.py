"""A lottery as it is declared, and what publication freezes of it.

Two modes. `instant`: an entry is decided at once, by odds or by winning moments. `draw`: entries are tickets, and
winners are ranked after the end.

What is promised is written down twice, and hashed once: the *prize table* (`PrizeTable.document`) holds everything
that decides about outcomes. Its hash is published before the start, next to the hash of the seed. Odds that change
while the lottery runs make another version of the table, which names the hash of the one before it; nothing else may
differ between versions.

An entry is judged by the version in force at the time the entry was taken, to the millisecond. A new version comes
into force `CHANGE_LEAD_MS` after it was written: by then no environment writes on config that does not know it, so
which version an entry was judged by is no matter of who happened to have heard of it, and anybody can check it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple, Self

from brandday.domain.fulfilment import RewardTerms
from brandday.domain.luck import digest, read_odds, slices, write_odds

ALGORITHM = "brandday-lottery-1"
"""Names every rule in luck, pacing, entrant, draw and receipt: changing one of them takes another name."""

MAX_ENTRIES = 40
"""Of one shopper in one campaign: their record stays under 1 KB, hence an entry that loses at one write unit."""

MAX_PRIZES = 36
MAX_VERSIONS = 63
MAX_MOMENTS = 10_000
"""Units of one prize with winning moments: environments compute the times of all of them."""

MAX_PLACES = 100_000
"""Units and reserves of a draw: its ranking takes 48 MB of memory, and each unit is handed out by two writes,
so that those of the largest draw are with their winners within the hour.
"""

CHANGE_LEAD_MS = 2000
"""From writing a new table version to its coming into force; more than config may be old when it is written on."""

HOURS = 24


class LotteryMode(StrEnum):
    """When an entry is decided."""

    INSTANT = "instant"
    DRAW = "draw"


class Next(StrEnum):
    """What a lottery waits for."""

    SEAL = "seal"
    BEACON = "beacon"
    DRAW = "draw"
    AWARD = "award"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class AtOnce:
    """All units are there from the start."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Units come in equal shares at `times` (epoch ms, ascending, within the schedule)."""

    times: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Moments:
    """Each unit has a secret winning moment; `weights` says how many fall into each hour of the day, from midnight."""

    weights: tuple[int, ...] = (1,) * HOURS


type ReleasePlan = AtOnce | Rounds | Moments


@dataclass(frozen=True, slots=True)
class Prize:
    """One prize and its pool; the order of prizes gives their slots, the tiers of a draw and the slices of a roll.

    `odds` are None for prizes of a draw, with moments, and for a consolation or pity prize that is not rolled for.
    `odds_between` is how far they may be changed while the lottery runs; None: not at all.
    """

    id: str
    title: Mapping[str, str]
    stock: int
    odds: Fraction | None = None
    odds_between: tuple[Fraction, Fraction] | None = None
    release: ReleasePlan = AtOnce()
    per_day: int | None = None
    per_shopper: int | None = None
    reward: RewardTerms = field(default_factory=RewardTerms)


class Pity(NamedTuple):
    """Who missed `after` times in a row hits `prize` with the next entry, whatever the roll."""

    after: int
    prize: str


class Allowance(NamedTuple):
    """How often a shopper may enter: per local day and per campaign, plus at most `earned` chances that others grant.

    An entry uses the day's allowance while there is any, then an earned chance.
    """

    per_day: int
    per_campaign: int
    earned: int = 0


class Beacon(NamedTuple):
    """The round of a public randomness beacon (drand) that a draw waits for; `chain` is the chain's hash in hex."""

    chain: str
    round: int


@dataclass(frozen=True, slots=True)
class Draw:
    """When a draw takes place (epoch ms), how many reserves are ranked behind the winners, and the beacon if any.

    `reserve_claim_ms` is how long a reserve who moves up has to claim the prize.
    """

    at: int
    reserves: int = 0
    beacon: Beacon | None = None
    reserve_claim_ms: int = 7 * 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Compliance:
    """What a prize promotion has to say in public and the rules do not; texts are by language tag.

    The prizes, their quantity and odds, the times and the allowance are published from the lottery itself.
    """

    organiser: str
    contact: str
    conditions: Mapping[str, str]
    claim_rules: Mapping[str, str]
    forfeiture: Mapping[str, str]

    def to_document(self) -> dict[str, Any]:
        """As written in a campaign document."""
        return {
            "organiser": self.organiser,
            "contact": self.contact,
            "conditions": dict(self.conditions),
            "claim_rules": dict(self.claim_rules),
            "forfeiture": dict(self.forfeiture),
        }


@dataclass(frozen=True)
class Lottery:
    """The lottery part of a campaign, as declared."""

    mode: LotteryMode
    prizes: tuple[Prize, ...]
    allowance: Allowance
    compliance: Compliance
    consolation: str | None = None
    pity: Pity | None = None
    draw: Draw | None = None
    expected_entrants: int = 100_000

    def prize(self, prize_id: str) -> Prize | None:
        """The prize called `prize_id`, if there is one."""
        return next((prize for prize in self.prizes if prize.id == prize_id), None)

    def odds(self) -> dict[str, Fraction]:
        """The declared odds of all prizes that have any, in order."""
        return {prize.id: prize.odds for prize in self.prizes if prize.odds is not None}

    def to_document(self) -> dict[str, Any]:
        """The normal form: every field present, fractions as text."""
        return {
            "mode": str(self.mode),
            "prizes": [
                {**prize_document(prize, prize.odds), "reward": prize.reward.to_document()} for prize in self.prizes
            ],
            "allowance": self.allowance._asdict(),
            "consolation": self.consolation,
            "pity": None if self.pity is None else self.pity._asdict(),
            "draw": _draw_document(self.draw),
            "expected_entrants": self.expected_entrants,
            "compliance": self.compliance.to_document(),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`; it trusts what it reads."""
        return cls(
            mode=LotteryMode(document["mode"]),
            prizes=tuple(map(_read_prize, document["prizes"])),
            allowance=Allowance(**document["allowance"]),
            consolation=document["consolation"],
            pity=None if document["pity"] is None else Pity(**document["pity"]),
            draw=_read_draw(document["draw"]),
            expected_entrants=document.get("expected_entrants", 0),  # a published table does not say
            compliance=Compliance(**document["compliance"]),
        )


@dataclass(frozen=True, slots=True)
class Frozen:
    """What publication adds and nothing changes afterwards; all of it is public but the salt.

    Times are epoch ms. `days` are the local midnights from the one at or before `starts_at` on, so that no rule needs
    a time zone. `shards` is the layout's. `bucket_chars` is how many characters of an entrant's name make their bucket.
    """

    campaign_id: str
    starts_at: int
    ends_at: int
    days: tuple[int, ...]
    shards: int
    bucket_chars: int
    commitment: str


@dataclass(frozen=True, slots=True)
class PrizeTable:
    """One version of the odds: in force from `since` (epoch ms) until the next one; `previous` is that one's hash."""

    version: int
    since: int
    odds: Mapping[str, Fraction]
    previous: str | None = None

    def ends(self, lottery: Lottery) -> tuple[int, ...]:
        """Where the slice of each prize ends, one for each prize of the lottery; those without odds have none."""
        return slices(self.odds.get(prize.id, Fraction()) for prize in lottery.prizes)

    def document(self, lottery: Lottery, frozen: Frozen) -> dict[str, Any]:
        """What is published, and hashed: every rule that decides about outcomes."""
        return {
            "algorithm": ALGORITHM,
            "campaign": frozen.campaign_id,
            "mode": str(lottery.mode),
            "version": self.version,
            "since_ms": self.since,
            "previous": self.previous,
            "commitment": frozen.commitment,
            "starts_ms": frozen.starts_at,
            "ends_ms": frozen.ends_at,
            "days_ms": list(frozen.days),
            "shards": frozen.shards,
            "bucket_chars": frozen.bucket_chars,
            "prizes": [prize_document(prize, self.odds.get(prize.id)) for prize in lottery.prizes],
            "consolation": lottery.consolation,
            "pity": None if lottery.pity is None else lottery.pity._asdict(),
            "allowance": lottery.allowance._asdict(),
            "draw": _draw_document(lottery.draw),
        }

    def hash(self, lottery: Lottery, frozen: Frozen) -> str:
        """The SHA-256, in hex, of the document's canonical text."""
        return digest(self.document(lottery, frozen))


def first_table(lottery: Lottery, frozen: Frozen) -> PrizeTable:
    """The version that publication commits to."""
    return PrizeTable(1, frozen.starts_at, lottery.odds())


def next_table(
    tables: Sequence[PrizeTable], odds: Mapping[str, Fraction], lottery: Lottery, frozen: Frozen, now: int
) -> PrizeTable:
    """The version that changes some odds, written at `now` (epoch ms); ValueError says why there cannot be one."""
    last = tables[-1]
    if last.version >= MAX_VERSIONS:
        raise ValueError(f"a lottery has at most {MAX_VERSIONS} versions of its odds")
    changed = {**last.odds, **odds}
    for problem in odds_problems(lottery, changed):
        raise ValueError(": ".join(problem))
    # Two versions never begin in the same millisecond, so that one of them is in force at any time.
    since = max(now + CHANGE_LEAD_MS, last.since + 1)
    return PrizeTable(last.version + 1, since, changed, last.hash(lottery, frozen))


def table_at(tables: Sequence[PrizeTable], at: int) -> PrizeTable:
    """The version in force at `at` (epoch ms); before the first one, the first."""
    return next((table for table in reversed(tables) if table.since <= at), tables[0])


def odds_problems(lottery: Lottery, odds: Mapping[str, Fraction]) -> Iterator[tuple[str, str]]:
    """Yield (prize, reason) for odds that the declared bounds do not allow, or that make no table."""
    for prize_id, chance in odds.items():
        prize = lottery.prize(prize_id)
        if prize is None or prize.odds is None:
            yield prize_id, "has no odds that could be changed"
        elif chance != prize.odds and prize.odds_between is None:
            yield prize_id, "has odds that were declared as fixed"
        elif prize.odds_between is not None and not prize.odds_between[0] <= chance <= prize.odds_between[1]:
            yield prize_id, f"must have odds from {' to '.join(map(write_odds, prize.odds_between))}"
    if sum(odds.values()) > 1:
        yield "odds", f"are {write_odds(Fraction(sum(odds.values())))} together, which is more than 1"


def prize_document(prize: Prize, odds: Fraction | None) -> dict[str, Any]:
    """A prize as published in a table with the given odds."""
    return {
        "id": prize.id,
        "title": dict(prize.title),
        "stock": prize.stock,
        "odds": None if odds is None else write_odds(odds),
        "odds_between": None if prize.odds_between is None else list(map(write_odds, prize.odds_between)),
        "release": _release_document(prize.release),
        "per_day": prize.per_day,
        "per_shopper": prize.per_shopper,
    }


def read_tables(documents: Iterable[Mapping[str, Any]]) -> tuple[Lottery, Frozen, tuple[PrizeTable, ...]]:
    """The lottery of published tables, as far as it decides about outcomes: without rewards and public texts."""
    published = list(documents)
    first = published[0]
    lottery = Lottery.from_document({**first, "compliance": _NO_COMPLIANCE})
    frozen = Frozen(
        campaign_id=first["campaign"],
        starts_at=first["starts_ms"],
        ends_at=first["ends_ms"],
        days=tuple(first["days_ms"]),
        shards=first["shards"],
        bucket_chars=first["bucket_chars"],
        commitment=first["commitment"],
    )
    return lottery, frozen, tuple(map(_read_table, published))


_NO_COMPLIANCE: Mapping[str, Any] = {
    "organiser": "",
    "contact": "",
    "conditions": {},
    "claim_rules": {},
    "forfeiture": {},
}


def _read_table(document: Mapping[str, Any]) -> PrizeTable:
    return PrizeTable(
        version=document["version"],
        since=document["since_ms"],
        odds={prize["id"]: read_odds(prize["odds"]) for prize in document["prizes"] if prize["odds"] is not None},
        previous=document["previous"],
    )


def _read_prize(document: Mapping[str, Any]) -> Prize:
    between = document["odds_between"]
    return Prize(
        id=document["id"],
        title=document["title"],
        stock=document["stock"],
        odds=None if document["odds"] is None else read_odds(document["odds"]),
        odds_between=None if between is None else (read_odds(between[0]), read_odds(between[1])),
        release=_read_release(document["release"]),
        per_day=document["per_day"],
        per_shopper=document["per_shopper"],
        reward=RewardTerms.from_document(document.get("reward", {})),
    )


def _release_document(plan: ReleasePlan) -> dict[str, Any]:
    match plan:
        case AtOnce():
            return {"plan": "all"}
        case Rounds(times):
            return {"plan": "rounds", "times_ms": list(times)}
        case Moments(weights):
            return {"plan": "moments", "hour_weights": list(weights)}


def _read_release(document: Mapping[str, Any]) -> ReleasePlan:
    match document["plan"]:
        case "all":
            return AtOnce()
        case "rounds":
            return Rounds(tuple(document["times_ms"]))
        case "moments":
            return Moments(tuple(document["hour_weights"]))
        case other:
            raise ValueError(f"{other!r} is no plan of release")


def _draw_document(draw: Draw | None) -> dict[str, Any] | None:
    if draw is None:
        return None
    beacon = None if draw.beacon is None else draw.beacon._asdict()
    return {
        "at_ms": draw.at,
        "reserves": draw.reserves,
        "beacon": beacon,
        "reserve_claim_ms": draw.reserve_claim_ms,
    }


def _read_draw(document: Mapping[str, Any] | None) -> Draw | None:
    if document is None:
        return None
    beacon = None if document["beacon"] is None else Beacon(**document["beacon"])
    return Draw(document["at_ms"], document["reserves"], beacon, document["reserve_claim_ms"])
