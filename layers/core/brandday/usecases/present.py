"""Turns a claim into the reservation that people see."""

from brandday.domain.reservation import Reservation, ReservationState
from brandday.domain.reservation_id import reservation_id
from brandday.domain.shard import CANCELLED, CONFIRMED, EXPIRED, EXTENDED, HELD
from brandday.domain.stock import Claim
from brandday.usecases.live_campaigns import LiveCampaign

_STATES = {
    HELD: ReservationState.HELD,
    EXTENDED: ReservationState.HELD,
    CONFIRMED: ReservationState.CONFIRMED,
    CANCELLED: ReservationState.CANCELLED,
    EXPIRED: ReservationState.EXPIRED,
}


def present(live: LiveCampaign, name: str, claim: Claim, now: int) -> Reservation:
    """Return the reservation of a claim of the shopper called ``name``, as it stands at ``now``."""
    entry = claim.entry
    sku = live.campaign.sku(live.layout.skus[entry.slot])
    if sku is None:  # slots and SKUs are frozen together when a campaign is published
        raise LookupError(f"slot {entry.slot!r} of {live.campaign.id} has no SKU")
    state = ReservationState.EXPIRED if live.terms.is_due(entry, now) else _STATES[entry.state]
    return Reservation(
        id=reservation_id(live.campaign.id, name, claim),
        campaign_id=live.campaign.id,
        sku=sku.sku,
        quantity=entry.quantity,
        unit_price=sku.sale_price,
        state=state,
        expires_at_ms=None if entry.state == CONFIRMED else live.terms.expires_at(entry),
        order_id=entry.order_id,
        extended=entry.state == EXTENDED,
    )
