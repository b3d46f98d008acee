"""A shopper claims units: the hot path of a flash sale."""

from typing import TYPE_CHECKING

from brandday.domain.campaign import Shopper
from brandday.domain.errors import FieldError, ValidationFailed, WrongMechanic
from brandday.domain.reservation import Outcome
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.claim_units import ClaimUnits, claim_request, key_tag
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.ports import Clock, Stock
from brandday.usecases.present import present

if TYPE_CHECKING:
    from brandday.usecases.guard_ports import Gate, Tallies


class ReserveUnits:
    """Claims units for shoppers; one instance serves an execution environment, one request at a time."""

    def __init__(
        self,
        campaigns: LiveCampaigns,
        stock: Stock,
        now: Clock,
        gate: "Gate | None" = None,
        tallies: "Tallies | None" = None,
    ) -> None:
        self._campaigns = campaigns
        self._claim = ClaimUnits(campaigns, stock, now, gate, tallies)
        self._now = now

    def __call__(
        self,
        shopper: Shopper,
        campaign_id: str,
        sku: str,
        quantity: int,
        idempotency_key: str,
        visit: Visit = NO_VISIT,
    ) -> Outcome:
        """Hold ``quantity`` units of ``sku`` for the shopper, or say what this very request was answered before.

        ``visit`` is what the gate of a protected campaign looks at.

        Raises what keeps the shopper from it: see the errors of ``POST /v1/campaigns/{id}/reservations``.
        """
        live = self._campaigns.get(campaign_id)
        now = self._now()
        if live.campaign.lottery is not None or live.campaign.coupon is not None:
            raise WrongMechanic(mechanic=live.campaign.mechanic)
        wanted = live.campaign.sku(sku)
        if wanted is None:
            raise ValidationFailed(errors=[FieldError("/sku", "unknown_sku")])
        request = claim_request(live, shopper.id, wanted, quantity, key_tag(idempotency_key), now)
        claimed = self._claim.take(live, request, shopper, visit)
        reservation = present(live, request.name, claimed.claim, now)
        return Outcome(reservation, replayed=claimed.replayed, resumed=claimed.resumed)
