"""What the use cases of coupons need from outside; adapters and the tests' fakes implement these."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from brandday.domain.code_words import CodeWord
from brandday.domain.coupon_change import CouponChange, PartChange, StateChange, StockChange, StoredCoupon
from brandday.domain.coupon_code import CodeKeys
from brandday.domain.coupon_record import CouponFacts, CouponState, Part
from brandday.domain.shard import Shard

__all__ = [
    "CAMPAIGN_PARTS",
    "CampaignPage",
    "Codes",
    "CouponChange",
    "Coupons",
    "Found",
    "PartChange",
    "SharedCode",
    "StateChange",
    "StockChange",
    "StockReader",
    "StoredCoupon",
    "Words",
]


class Coupons(Protocol):
    """Coupons and redemptions. Every method raises TemporarilyOverloaded when the database is too busy."""

    def load(self, ids: Sequence[str], *, consistent: bool) -> Mapping[str, StoredCoupon]:
        """Return those of the coupons (at most 50 ids) that exist, by id; the same calls whether they do or not."""

    def parts(self, redemption: str) -> tuple[Part, ...]:
        """Return a redemption's parts in order, strongly consistent; none if there is no such redemption."""

    def transact(self, changes: Sequence[CouponChange]) -> bool:
        """Make all changes or none; False, and nothing is written, if one of them is refused by its condition.

        A conflict with another transaction is no refusal: TemporarilyOverloaded.
        """

    def put_facts(self, coupons: Iterable[CouponFacts]) -> None:
        """Write the facts of coupons; once more is no harm. Repeat the whole if it fails."""

    def of_owner(self, owner: str, limit: int, after: str | None) -> tuple[Sequence[str], str | None]:
        """Return ids of an owner's coupons, the newest first (a moment old at most), and where the next page begins."""

    def of_campaign(self, campaign_id: str, part: int, after: str | None) -> "CampaignPage":
        """Return a page of everything that is stored of a campaign's coupons, in one of `CAMPAIGN_PARTS` parts.

        A moment old at most; a coupon's state can be on another page than its facts.
        """


class CampaignPage(NamedTuple):
    """Facts, states by coupon id, parts of redemptions, and where the next page begins (None: that was all)."""

    facts: Sequence[CouponFacts]
    states: Mapping[str, CouponState]
    parts: Sequence[Part]
    next: str | None


CAMPAIGN_PARTS = 16
"""Over how many keys a campaign's coupons are spread in the index, as many times what one partition can write."""


class StockReader(Protocol):
    """The reading half of Stock."""

    def read(self, campaign_id: str, shards: Sequence[int], *, consistent: bool) -> tuple[Shard, ...]:
        """Return shards in the order asked for."""


class Words(Protocol):
    """What is public of codes, and the one secret behind them."""

    def words(self) -> Sequence[CodeWord]:
        """Return the words of all published campaigns, a moment old at most."""

    def code_secret(self) -> bytes | None:
        """Return the deployment's 32 random bytes that all codes are made with; None if no coupon campaign was ever
        published.
        """


class SharedCode(NamedTuple):
    """A code that everybody uses: ``code`` (folded) is its campaign's."""

    campaign_id: str
    code: str


type Found = StoredCoupon | SharedCode
"""What a code that somebody may use turned out to be."""


class Codes(Protocol):
    """Says what codes are; `usecases/live_codes.py`."""

    def keys(self) -> CodeKeys:
        """Return the deployment's keys; TemporarilyOverloaded if the first publication of coupons is not seen yet."""

    def resolve(self, owner: str | None, codes: Sequence[str], *, consistent: bool = False) -> tuple[Found | None, ...]:
        """Return what each code (as somebody typed it) is for the shopper with the name ``owner`` (None: not known).

        None is no code, and a coupon of somebody else: who guesses cannot tell these apart, not even by the time they
        take. With ``consistent`` coupons are as of now, else they may be a moment old.
        """
