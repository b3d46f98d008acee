"""A shopper takes a coupon: at the load of a flash sale, so exactly as units are sold there, with one write.

The claim in the stock shard is the coupon: its code, its id and how long it is valid follow from it. The stream writes
the coupon down a moment later (`issue_rewards`); who uses it before is served from the claim (`live_codes`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from brandday.domain.campaign import Shopper
from brandday.domain.coupon import POOL
from brandday.domain.coupon_code import CodeKeys
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.errors import CouponsHandedOut, WrongMechanic
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.claim_units import ClaimUnits, claim_request, key_tag
from brandday.usecases.coupon_facts import facts_of_claim
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.ports import Clock, Stock

if TYPE_CHECKING:
    from brandday.usecases.guard_ports import Gate, Tallies

TAKEN = "c"
"""What stands in the claim for the order that paid for it: a coupon is the shopper's at once."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The shopper's coupon; `replayed` if this very request was answered before."""

    facts: CouponFacts
    replayed: bool = False


class TakeCoupon:
    """Gives coupons to shoppers; one instance serves an execution environment, one request at a time."""

    def __init__(
        self,
        campaigns: LiveCampaigns,
        stock: Stock,
        keys: Callable[[], CodeKeys],
        now: Clock,
        gate: "Gate | None" = None,
        tallies: "Tallies | None" = None,
    ) -> None:
        self._campaigns = campaigns
        self._claim = ClaimUnits(campaigns, stock, now, gate, tallies)
        self._keys = keys
        self._now = now

    def __call__(self, shopper: Shopper, campaign_id: str, idempotency_key: str, visit: Visit = NO_VISIT) -> Taken:
        """Give the shopper one coupon, or the one that this very request got before.

        ``visit`` is what the gate of a protected campaign looks at.

        Raises what keeps the shopper from it: see the errors of ``POST /v1/campaigns/{id}/coupons``.
        """
        live = self._campaigns.get(campaign_id)
        now = self._now()
        pool = live.campaign.sku(POOL)
        if live.campaign.coupon is None or pool is None:
            raise WrongMechanic(mechanic=live.campaign.mechanic)
        if not live.campaign.coupon.is_taken:
            raise CouponsHandedOut
        keys = self._keys()
        request = claim_request(live, shopper.id, pool, 1, key_tag(idempotency_key), now, order_id=TAKEN)
        claimed = self._claim.take(live, request, shopper, visit)
        shard, entry = claimed.claim
        facts = facts_of_claim(keys, live.campaign, request.name, shard, entry.attempt)
        return Taken(facts, replayed=claimed.replayed)
