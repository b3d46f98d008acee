"""The backend with a campaign of coupons that shoppers take, over fakes: claims, their stream, their rewards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from brandday.domain.campaign import Campaign, Shopper, Sku
from brandday.domain.coupon import (
    POOL,
    Benefit,
    BenefitKind,
    CodeKind,
    CouponTerms,
    IssuedBy,
    Stacking,
    Tier,
    Validity,
    pool_price,
)
from brandday.domain.coupon_code import SECRET_BYTES, CodeKeys
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.errors import BrandDayError
from brandday.domain.fulfilment import RewardKind, RewardTerms
from brandday.domain.layout import plan_layout
from brandday.domain.shard import CONFIRMED
from brandday.domain.stock import Claim
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.coupon_facts import facts_of_claim
from brandday.usecases.issue_rewards import CouponBook, IssueRewards
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.take_coupon import TakeCoupon, Taken
from tests.fakes.backend import CLOSES, OPENS, SALE, SALT, sale, web_shopper
from tests.fakes.memory_coupons import MemoryCoupons
from tests.fakes.reward_backend import FULFILMENT, RewardBackend
from tests.fakes.tap import tapped

KEYS = CodeKeys.from_secret(bytes(range(SECRET_BYTES)))
DAY_MS = 24 * 60 * 60 * 1000


def coupon_terms(**changes: Any) -> CouponTerms:
    """Return ten yuan off, one for each shopper, for a week; each change replaces a field."""
    terms = CouponTerms(
        benefit=Benefit(BenefitKind.AMOUNT_OFF, (Tier(0, amount=1000),)),
        currency="CNY",
        code_kind=CodeKind.UNIQUE,
        issued_by=IssuedBy.SHOPPERS,
        quantity=6,
        per_shopper=1,
        validity=Validity(OPENS, CLOSES + 7 * DAY_MS),
        stacking=Stacking(),
        reward=RewardTerms(RewardKind.DIGITAL),
    )
    return replace(terms, **changes)


def coupons(terms: CouponTerms | None = None, *, shards: int | None = None, **changes: Any) -> Campaign:
    """Return a published campaign of coupons; `shards` overrides over how many shards they are split."""
    chosen = terms or coupon_terms()
    free = pool_price(chosen)
    pool = Sku(POOL, {"en": "Brand Day"}, free, free, chosen.units, chosen.per_shopper, chosen.reward)
    campaign = replace(
        sale(pool, fulfilment=FULFILMENT),
        mechanic="coupon",
        coupon=chosen,
        limit_per_shopper=chosen.per_shopper,
        hold_seconds=chosen.lock_seconds,
        extend_seconds=0,
        layout=plan_layout((pool,), SALT),
    )
    if shards is not None and campaign.layout is not None:
        campaign = replace(campaign, layout=replace(campaign.layout, shards=shards))
    return replace(campaign, **changes)


@dataclass
class CouponEnvironment:
    """One execution environment of those who take coupons, with its own memory."""

    live: LiveCampaigns
    take_coupon: TakeCoupon

    def take(self, shopper: str | Shopper, key: str = "key-1", visit: Visit = NO_VISIT) -> Taken:
        """Take a coupon, as a shopper of the web channel unless another is given."""
        who = web_shopper(shopper) if isinstance(shopper, str) else shopper
        return self.take_coupon(who, SALE, key, visit)

    def refused(self, shopper: str | Shopper, key: str = "key-1", visit: Visit = NO_VISIT) -> BrandDayError:
        """Take a coupon in vain; return the refusal."""
        try:
            taken = self.take(shopper, key, visit)
        except BrandDayError as refusal:
            return refusal
        raise AssertionError(f"was not refused: {taken}")


class CouponBackend(RewardBackend):
    """One coupon campaign's world; the tap sees the calls to coupons, too."""

    def __init__(self, campaign: Campaign | None = None, *, now: int = OPENS) -> None:
        super().__init__(campaign or coupons(), now=now)
        self.coupons = MemoryCoupons(self.stock)

    def taker(self) -> CouponEnvironment:
        """Return a cold environment."""
        live = self.live()
        stock = tapped(self.stock, "stock", self.tap)
        tallies = tapped(self.tallies, "tallies", self.tap)
        return CouponEnvironment(live, TakeCoupon(live, stock, lambda: KEYS, self.clock, self.gate, tallies))

    def warm_taker(self) -> CouponEnvironment:
        """Return an environment that has its config already."""
        environment = self.taker()
        environment.live.get(SALE)
        return environment

    def issuer(self) -> IssueRewards:
        """Return a cold environment of the stock stream's second consumer."""
        return IssueRewards(
            self.live(),
            tapped(self.rewards, "rewards", self.tap),
            self.clock,
            book=CouponBook(tapped(self.coupons, "coupons", self.tap), lambda: KEYS),
        )

    # --- the truth ---

    def taken(self) -> dict[str, CouponFacts]:
        """Return the coupons that the claims in the shards are, by id."""
        found = (
            facts_of_claim(KEYS, self.campaign, name, claim.shard, claim.entry.attempt) for name, claim in self.claims()
        )
        return {facts.id: facts for facts in found}

    def claims(self) -> list[tuple[str, Claim]]:
        """Return all confirmed claims, with their shoppers' names."""
        return [
            (name, Claim(shard.number, entry))
            for shard in self.shards()
            for name, entry in shard.entries()
            if entry.state == CONFIRMED
        ]
