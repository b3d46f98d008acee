"""What happens to a reservation after it was made: looked at, given back, extended, paid."""

from brandday.domain.campaign import Campaign, LatePayment, Shopper, State
from brandday.domain.errors import (
    CampaignNotFound,
    CampaignPaused,
    HoldNotExtendable,
    ReservationAlreadyConfirmed,
    ReservationExpired,
    ReservationNotFound,
    ReservationReleased,
    TemporarilyOverloaded,
)
from brandday.domain.layout import home_shard
from brandday.domain.protocols import Protocol, cancel, claim, confirm, extend, look_up
from brandday.domain.reservation import Outcome, Reservation
from brandday.domain.reservation_id import parse_reservation_id
from brandday.domain.shard import CANCELLED, CONFIRMED
from brandday.domain.stock import (
    Changed,
    ChangeOutcome,
    Claim,
    ClaimRef,
    ClaimRequest,
    Granted,
    LostRace,
    Missing,
    NotPossible,
    Replayed,
)
from brandday.usecases.claim_units import BUSY_MS, Memory, key_tag, read_claims
from brandday.usecases.drive import drive
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.ports import SHARDS_PER_READ, Clock, Stock
from brandday.usecases.present import present


class ManageReservation:
    """Everything that can be done with an existing reservation; each of it touches the claim's own shard only.

    A shopper sees their own reservations; for others' the answer is the same as for ones that do not exist.
    """

    def __init__(self, campaigns: LiveCampaigns, stock: Stock, now: Clock) -> None:
        self._campaigns = campaigns
        self._stock = stock
        self._now = now

    def get(self, shopper: Shopper, reservation_id: str) -> Reservation:
        """Return the shopper's reservation as it stands now."""
        live, ref = self._find(reservation_id, shopper)
        now = self._now()
        found = drive(look_up(ref, live.terms, now), self._stock, live.campaign.id)
        if found is None:
            raise ReservationNotFound
        return present(live, ref.name, found, now)

    def cancel(self, shopper: Shopper, reservation_id: str) -> Reservation:
        """Give the units back; a hold that has lapsed already is reported as expired, a sale is refused."""
        live, ref = self._find(reservation_id, shopper)
        now = self._now()
        outcome = self._drive(live, cancel(ref, live.terms, now))
        if isinstance(outcome, NotPossible) and outcome.claim.entry.state == CONFIRMED:
            raise ReservationAlreadyConfirmed(refund_due=False)
        return present(live, ref.name, outcome.claim, now)

    def extend(self, shopper: Shopper, reservation_id: str) -> Reservation:
        """Extend the hold, once, because payment has begun."""
        live, ref = self._find(reservation_id, shopper)
        if live.campaign.extend_seconds == 0:
            raise HoldNotExtendable
        now = self._now()
        outcome = self._drive(live, extend(ref, live.terms, now))
        if isinstance(outcome, NotPossible):
            raise _why_not(outcome.claim, refund_due=False)
        return present(live, ref.name, outcome.claim, now)

    def confirm(self, reservation_id: str, order_id: str) -> Outcome:
        """Make the reservation a sale because its order was paid; the shop's backend asks for it.

        A payment that comes after the hold has lapsed follows the campaign's ``late_payment`` policy. With
        ``reclaim`` the units may come from elsewhere, as a reservation with another id, already confirmed.
        """
        live, ref = self._find(reservation_id, None)
        now = self._now()
        reclaim = live.campaign.late_payment is LatePayment.RECLAIM
        outcome = drive(confirm(ref, order_id, live.terms, now, reclaim=reclaim), self._stock, live.campaign.id)
        match outcome:
            case Changed(confirmed, replayed):
                return Outcome(present(live, ref.name, confirmed, now), replayed=replayed)
            case Missing():
                return self._find_taken_again(live, ref, order_id, now)
            case LostRace():
                raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)
            case NotPossible(late):
                refusal = _why_not(late, refund_due=True)
                if not reclaim or not isinstance(refusal, ReservationExpired):
                    raise refusal
                return self._take_again(live, ref, late, order_id, now)

    def _find_taken_again(self, live: LiveCampaign, ref: ClaimRef, order_id: str, now: int) -> Outcome:
        """Answer for a reservation of which nothing is left: paid late before, or long released, or never made."""
        home = home_shard(ref.name, live.layout.shards)
        (image,) = self._stock.read(live.campaign.id, (home,), consistent=True)
        for known in read_claims(self._stock, live.campaign.id, image, ref.name):
            if known.entry.tag == _late_tag(ref):
                if known.entry.order_id != order_id:
                    raise ReservationAlreadyConfirmed(refund_due=True)
                return Outcome(present(live, ref.name, known, now), replayed=True)
        if ref.attempt + live.terms.hold_ms <= now:
            raise ReservationExpired(refund_due=True)
        raise ReservationNotFound

    def _take_again(self, live: LiveCampaign, ref: ClaimRef, late: Claim, order_id: str, now: int) -> Outcome:
        campaign = live.campaign
        _check_not_paused(campaign, now)
        sku = campaign.sku(live.layout.skus[late.entry.slot])
        if sku is None:
            raise ReservationNotFound
        request = ClaimRequest(
            name=ref.name,
            home=home_shard(ref.name, live.layout.shards),
            slot=late.entry.slot,
            quantity=late.entry.quantity,
            tag=_late_tag(ref),
            now=now,
            slot_limit=sku.units_per_shopper,
            limit=campaign.limit_per_shopper,
            order_id=order_id,
        )
        protocol = claim(request, live.terms, write_first=False, elsewhere=lambda: _everywhere(live, request))
        outcome = drive(protocol, self._stock, campaign.id, Memory(live, self._campaigns, self._now, _check_not_paused))
        match outcome:
            case Granted(claimed):
                return Outcome(present(live, ref.name, claimed, now))
            case Replayed(claimed) if claimed.entry.order_id == order_id:
                return Outcome(present(live, ref.name, claimed, now), replayed=True)
            case Replayed():
                raise ReservationAlreadyConfirmed(refund_due=True)
            case LostRace():
                raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)
            case _:
                raise ReservationExpired(refund_due=True)

    def _find(self, reservation_id: str, owner: Shopper | None) -> tuple[LiveCampaign, ClaimRef]:
        parsed = parse_reservation_id(reservation_id)
        if parsed is None:
            raise ReservationNotFound
        campaign_id, ref = parsed
        try:
            live = self._campaigns.get(campaign_id)
        except CampaignNotFound:
            raise ReservationNotFound from None
        if ref.shard >= live.layout.shards or live.campaign.coupon is not None:
            raise ReservationNotFound  # what is claimed of coupons belongs to a coupon or a redemption
        if owner is not None and live.layout.name_of(owner.id) != ref.name:
            raise ReservationNotFound
        return live, ref

    def _drive(self, live: LiveCampaign, protocol: Protocol[ChangeOutcome]) -> Changed | NotPossible:
        outcome = drive(protocol, self._stock, live.campaign.id)
        if isinstance(outcome, Missing):
            raise ReservationNotFound
        if isinstance(outcome, LostRace):
            raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)
        return outcome


def _check_not_paused(campaign: Campaign, now: int) -> None:
    """A payment that is late may take a unit after the end, but not during a pause."""
    if campaign.state_at(now) is State.PAUSED:
        raise CampaignPaused


def _late_tag(ref: ClaimRef) -> str:
    """One late reservation is taken again once, whichever order asks and however often."""
    return key_tag(f"late:{ref.attempt}")


def _everywhere(live: LiveCampaign, request: ClaimRequest) -> tuple[int, ...]:
    """Return as many other shards as one call can read, the most promising first: this money is there already."""
    others = (number for number in range(live.layout.shards) if number != request.home)
    return tuple(dict.fromkeys([*live.sight.elsewhere(request), *others]))[:SHARDS_PER_READ]


def _why_not(
    claim: Claim, *, refund_due: bool
) -> ReservationAlreadyConfirmed | ReservationReleased | ReservationExpired:
    if claim.entry.state == CONFIRMED:
        return ReservationAlreadyConfirmed(refund_due=refund_due)
    if claim.entry.state == CANCELLED:
        return ReservationReleased(refund_due=refund_due)
    return ReservationExpired(refund_due=refund_due)
