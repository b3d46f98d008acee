"""A campaign: what was declared, what has become of it, and who may take part when.

Plain frozen values and functions of them; the time comes in as an argument. `Campaign.from_document` trusts
what it reads: a document was validated (`config/campaign_file.py`) before it was ever stored, and this is the
hot path.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from brandday.domain.coupon import POOL, CouponTerms, pool_price
from brandday.domain.errors import (
    CampaignEnded,
    CampaignNotFound,
    CampaignNotStarted,
    CampaignPaused,
    NotEligible,
)
from brandday.domain.fulfilment import ORDERED, Fulfilment, RewardTerms
from brandday.domain.layout import Layout
from brandday.domain.lottery import Lottery, Prize
from brandday.domain.lottery_state import LotteryState
from brandday.domain.money import Money
from brandday.domain.times import from_rfc3339, to_rfc3339

if TYPE_CHECKING:
    from brandday.domain.protection import Protection

MAX_SKUS = 36
MAX_UNITS_PER_SHOPPER = 35
"""A shard writes a quantity as one base36 digit."""


class Status(StrEnum):
    """What operators have made of a campaign; the clock does the rest (`State`)."""

    DRAFT = "draft"
    PUBLISHED = "published"
    PAUSED = "paused"
    ENDED = "ended"


class State(StrEnum):
    """What a campaign is at a moment: its status and the clock together."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class LatePayment(StrEnum):
    """What happens to a payment that arrives after its hold expired."""

    RECLAIM = "reclaim"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Sku:
    """One thing on sale; `title` is by language tag, `stock` is what it starts with (restocks are the
    campaign's), `reward` is what a unit is once it is the shopper's.
    """

    sku: str
    title: Mapping[str, str]
    list_price: Money
    sale_price: Money
    stock: int
    units_per_shopper: int
    reward: RewardTerms = ORDERED


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Who may buy; an empty tuple leaves nobody out."""

    member_tiers: tuple[str, ...] = ()
    new_customers_only: bool = False
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Restock:
    """Units added after publication, under the operator's own id; `done` once every shard has its part."""

    id: str
    sku: str
    quantity: int
    at: int
    done: bool = False

    def to_document(self) -> dict[str, Any]:
        """As kept in the campaign's item."""
        return {
            "id": self.id,
            "sku": self.sku,
            "quantity": self.quantity,
            "at": to_rfc3339(self.at),
            "done": self.done,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        return cls(
            id=document["id"],
            sku=document["sku"],
            quantity=document["quantity"],
            at=from_rfc3339(document["at"]),
            done=document["done"],
        )


class Shopper(NamedTuple):
    """Who asks, as the token says; an empty string is a claim that the token does not have."""

    id: str
    tier: str = ""
    channel: str = ""
    region: str = ""
    new_customer: bool = False


@dataclass(frozen=True)
class Campaign:
    """One campaign as it is now. Times are epoch milliseconds, the window is half-open: `[starts_at,
    ends_at)`.

    A lottery's prizes are its SKUs, at no price; a coupon campaign has one, its coupons. `layout` (and a lottery's
    `luck`) is None for drafts. `version` counts the operators' acts. `time_zone` is for people: the
    window itself needs none.
    """

    id: str
    title: Mapping[str, str]
    mechanic: str
    time_zone: str
    starts_at: int
    ends_at: int
    channels: tuple[str, ...]
    skus: tuple[Sku, ...]
    limit_per_shopper: int
    hold_seconds: int
    extend_seconds: int
    late_payment: LatePayment
    eligibility: Eligibility
    fulfilment: Fulfilment = field(default_factory=Fulfilment)
    lottery: Lottery | None = None
    coupon: CouponTerms | None = None
    protection: "Protection | None" = None
    status: Status = Status.DRAFT
    version: int = 0
    layout: Layout | None = None
    luck: LotteryState | None = None
    restocks: tuple[Restock, ...] = ()
    applied_at: int | None = None
    published_at: int | None = None
    ended_at: int | None = None

    @property
    def hold_ms(self) -> int:
        """How long a hold lasts."""
        return self.hold_seconds * 1000

    @property
    def extended_hold_ms(self) -> int:
        """How long a hold lasts, from its claim on, once it was extended."""
        return (self.hold_seconds + self.extend_seconds) * 1000

    @property
    def currency(self) -> str:
        """The one currency of all prices."""
        return self.skus[0].sale_price.currency

    @cached_property
    def _skus_by_id(self) -> dict[str, Sku]:
        return {sku.sku: sku for sku in self.skus}

    def sku(self, sku_id: str) -> Sku | None:
        """The SKU called `sku_id`, if this campaign sells it."""
        return self._skus_by_id.get(sku_id)

    def restock(self, restock_id: str) -> Restock | None:
        """The restock called `restock_id`, if there was one."""
        return next((restock for restock in self.restocks if restock.id == restock_id), None)

    def restocked(self, sku_id: str) -> int:
        """Units of `sku_id` that restocks have added, or are about to.

        One that is not done yet counts in full: a unit on its way must never let anybody say "sold out".
        """
        return sum(restock.quantity for restock in self.restocks if restock.sku == sku_id)

    def state_at(self, now_ms: int) -> State:
        """What the campaign is at `now_ms`; to the millisecond, a pause wins over the clock until the end."""
        if self.status is Status.DRAFT:
            return State.DRAFT
        if self.status is Status.ENDED or now_ms >= self.ends_at:
            return State.ENDED
        if self.status is Status.PAUSED:
            return State.PAUSED
        return State.SCHEDULED if now_ms < self.starts_at else State.RUNNING

    def over_at(self) -> int:
        """When it ended, or will if nobody steps in."""
        return self.ends_at if self.ended_at is None else min(self.ended_at, self.ends_at)

    def to_document(self) -> dict[str, Any]:
        """The campaign document in its normal form: every field present, times in UTC, titles by language."""
        return {
            "id": self.id,
            "title": dict(self.title),
            "mechanic": self.mechanic,
            "time_zone": self.time_zone,
            "starts_at": to_rfc3339(self.starts_at),
            "ends_at": to_rfc3339(self.ends_at),
            "channels": list(self.channels),
            **self._mechanic_document(),
            "eligibility": {
                "member_tiers": list(self.eligibility.member_tiers),
                "new_customers_only": self.eligibility.new_customers_only,
                "regions": list(self.eligibility.regions),
            },
            "fulfilment": self.fulfilment.to_document(),
            "protection": None if self.protection is None else self.protection.to_document(),
        }

    def _mechanic_document(self) -> dict[str, Any]:
        if self.lottery is not None:
            return {"lottery": self.lottery.to_document()}
        if self.coupon is not None:
            return {"coupon": self.coupon.to_document()}
        return {
            "skus": [
                {
                    "sku": sku.sku,
                    "title": dict(sku.title),
                    "list_price": sku.list_price.to_document(),
                    "sale_price": sku.sale_price.to_document(),
                    "stock": sku.stock,
                    "units_per_shopper": sku.units_per_shopper,
                    "reward": sku.reward.to_document(),
                }
                for sku in self.skus
            ],
            "limit_per_shopper": self.limit_per_shopper,
            "hold_seconds": self.hold_seconds,
            "extend_seconds": self.extend_seconds,
            "late_payment": str(self.late_payment),
        }

    @classmethod
    def from_document(
        cls,
        document: Mapping[str, Any],
        *,
        status: Status = Status.DRAFT,
        version: int = 0,
        layout: Mapping[str, Any] | None = None,
        luck: Mapping[str, Any] | None = None,
        restocks: Iterable[Mapping[str, Any]] = (),
        applied_at: int | None = None,
        published_at: int | None = None,
        ended_at: int | None = None,
    ) -> Self:
        """A campaign from its document in normal form (`to_document`) and what is kept beside it.

        Documents of before there were rewards say nothing of them; those campaigns sell orders.
        """
        lottery = Lottery.from_document(document["lottery"]) if "lottery" in document else None
        coupon = CouponTerms.from_document(document["coupon"]) if "coupon" in document else None
        if lottery is not None:
            skus = tuple(map(_pool, lottery.prizes))
        elif coupon is not None:
            skus = (_coupons(document["title"], coupon),)
        else:
            skus = tuple(map(_read_sku, document["skus"]))
        eligibility = document["eligibility"]
        return cls(
            id=document["id"],
            title=document["title"],
            mechanic=document["mechanic"],
            time_zone=document["time_zone"],
            starts_at=from_rfc3339(document["starts_at"]),
            ends_at=from_rfc3339(document["ends_at"]),
            channels=tuple(document["channels"]),
            skus=skus,
            limit_per_shopper=coupon.per_shopper if coupon else document.get("limit_per_shopper", 1),
            hold_seconds=coupon.lock_seconds if coupon else document.get("hold_seconds", 0),
            extend_seconds=document.get("extend_seconds", 0),
            late_payment=LatePayment(document.get("late_payment", LatePayment.REJECT)),
            eligibility=Eligibility(
                member_tiers=tuple(eligibility["member_tiers"]),
                new_customers_only=eligibility["new_customers_only"],
                regions=tuple(eligibility["regions"]),
            ),
            fulfilment=Fulfilment.from_document(document.get("fulfilment", {})),
            lottery=lottery,
            coupon=coupon,
            protection=_read_protection(document.get("protection")),
            status=status,
            version=version,
            layout=None if layout is None else Layout.from_document(layout, skus),
            luck=None if luck is None else LotteryState.from_document(luck),
            restocks=tuple(Restock.from_document(restock) for restock in restocks),
            applied_at=applied_at,
            published_at=published_at,
            ended_at=ended_at,
        )


def _read_sku(document: Mapping[str, Any]) -> Sku:
    return Sku(
        sku=document["sku"],
        title=document["title"],
        list_price=Money(**document["list_price"]),
        sale_price=Money(**document["sale_price"]),
        stock=document["stock"],
        units_per_shopper=document["units_per_shopper"],
        reward=RewardTerms.from_document(document.get("reward", {})),
    )


def _read_protection(document: Mapping[str, Any] | None) -> "Protection | None":
    if document is None:
        return None
    from brandday.domain.protection import Protection  # most campaigns have none, and most functions no use for it

    return Protection.from_document(document)


def _pool(prize: Prize) -> Sku:
    """A prize as stock knows it: units that cost nothing, each of which goes to one entry."""
    worth = prize.reward.value or _PRICELESS
    return Sku(prize.id, prize.title, worth, Money(0, worth.currency), prize.stock, 1, prize.reward)


def _coupons(title: Mapping[str, str], terms: CouponTerms) -> Sku:
    """The coupons of a campaign as stock knows them; those that operators make are counted elsewhere."""
    free = pool_price(terms)
    return Sku(POOL, title, free, free, terms.units, terms.per_shopper, terms.reward)


_PRICELESS = Money(0, "XXX")
"""ISO 4217 for "no currency"."""


def check_may_buy(campaign: Campaign, shopper: Shopper, now_ms: int) -> None:
    """Raise what keeps `shopper` from buying at `now_ms`; what holds for everybody comes before what is
    personal.

    A draft is CampaignNotFound: nobody outside may learn that it exists.
    """
    check_open(campaign, campaign.starts_at, now_ms)
    check_eligible(campaign, shopper)


def check_open(campaign: Campaign, opens_at: int, now_ms: int) -> None:
    """Raise what keeps everybody from what a campaign offers from `opens_at` (epoch ms) until its end."""
    match campaign.state_at(now_ms):
        case State.DRAFT:
            raise CampaignNotFound
        case State.ENDED:
            raise CampaignEnded(ended_at=to_rfc3339(campaign.over_at()))
        case State.PAUSED:
            raise CampaignPaused
        case State.SCHEDULED if now_ms < opens_at:
            raise CampaignNotStarted(starts_at=to_rfc3339(campaign.starts_at), retry_after_ms=opens_at - now_ms)


def check_eligible(campaign: Campaign, shopper: Shopper) -> None:
    """Raise NotEligible, which says what would be accepted, unless the campaign is open to `shopper`."""
    if shopper.channel not in campaign.channels:
        raise NotEligible(requirement="channel", accepted=campaign.channels)
    check_personal(campaign, shopper)


def check_personal(campaign: Campaign, shopper: Shopper) -> None:
    """The same for what is in the shopper's person: it holds wherever they come from."""
    rules = campaign.eligibility
    if rules.member_tiers and shopper.tier not in rules.member_tiers:
        raise NotEligible(requirement="member_tier", accepted=rules.member_tiers)
    if rules.regions and shopper.region not in rules.regions:
        raise NotEligible(requirement="region", accepted=rules.regions)
    if rules.new_customers_only and not shopper.new_customer:
        raise NotEligible(requirement="new_customer", accepted=("true",))
