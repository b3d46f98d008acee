"""A campaign as the public sees it: what is on sale or to be won, when, on which terms, and whether any is left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

from brandday.domain.campaign import Campaign, State
from brandday.domain.coupon import CouponTerms
from brandday.domain.lottery import Beacon, Compliance, Lottery, LotteryMode, Prize


class Availability(StrEnum):
    """Whether a shopper can get a unit; `sold_out` is said only when every unit is sold (or won)."""

    AVAILABLE = "available"
    ALL_HELD = "all_held"
    SOLD_OUT = "sold_out"


@dataclass(frozen=True, slots=True)
class PrizeView:
    """A prize as it is announced. `odds` are those in force at the moment of looking; None where no roll decides."""

    prize: Prize
    odds: Fraction | None
    availability: Availability


@dataclass(frozen=True, slots=True)
class TableView:
    """One version of a prize table: in force from `since` (epoch ms) on.

    `hash` is the SHA-256, in hex, of the canonical JSON of `document`, so anybody can compute it again.
    """

    version: int
    since: int
    hash: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LotteryView:
    """What a campaign page says of a lottery: its rules, its prizes, and what it has promised.

    `table` is the version in force; `next_table` one that was written and comes into force within seconds.
    """

    lottery: Lottery
    prizes: tuple[PrizeView, ...]
    commitment: str
    table: TableView
    next_table: TableView | None = None


@dataclass(frozen=True, slots=True)
class CouponView:
    """What a campaign page says of coupons. `left` are those (or the uses of a shared code) that nobody has.

    Both are None where operators hand them out: nobody can take one here.
    """

    terms: CouponTerms
    availability: Availability | None
    left: int | None


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign, its state at the moment of looking, and the availability of each SKU by its id.

    `lottery` and `coupon` are None for what is not one.
    """

    campaign: Campaign
    state: State
    availability: Mapping[str, Availability]
    lottery: LotteryView | None = None
    coupon: CouponView | None = None


@dataclass(frozen=True, slots=True)
class RulesView:
    """The facts that a prize promotion has to publish, in one place. Times are epoch ms.

    `starts_at` is when entries count from, which is later than announced if it was published late. `ends_at` is the
    declared end and `over_at` the real one: earlier, if the lottery was ended by hand. `draw_at` is None for instant
    wins, `claim_until` for prizes that nobody has to claim.
    """

    campaign_id: str
    title: Mapping[str, str]
    state: State
    time_zone: str
    starts_at: int
    ends_at: int
    over_at: int
    draw_at: int | None
    claim_until: int | None
    lottery: LotteryView
    compliance: Compliance
    algorithm: str


@dataclass(frozen=True, slots=True)
class BeaconView:
    """The round of the public randomness beacon that a draw waits for.

    `chain` is the chain's hash and `public_key` its key, both in hex; `out_at` (epoch ms) is when the round comes out.
    """

    chain: str
    public_key: str
    round: int
    out_at: int

    @classmethod
    def of(cls, beacon: Beacon, public_key: str, out_at: int) -> "BeaconView":
        """The view of a draw's beacon."""
        return cls(beacon.chain, public_key, beacon.round, out_at)


@dataclass(frozen=True, slots=True)
class DrawView:
    """What anybody needs to check a lottery: its promises from publication on, and after the end the seed.

    Times are epoch ms. `tables` are all versions, the oldest first; the first is the one that was promised.
    `seed_from` is the earliest time at which the seed is shown; `seed` is None until then, and in a draw until it was
    held.
    """

    campaign_id: str
    state: State
    mode: LotteryMode
    algorithm: str
    commitment: str
    tables: tuple[TableView, ...]
    starts_at: int
    over_at: int
    draw_at: int | None
    beacon: BeaconView | None
    seed_from: int
    seed: bytes | None = field(default=None, repr=False)
