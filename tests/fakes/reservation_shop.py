"""A shop of one shelf: answers the reservation and campaign routes from memory, or refuses as it is told."""

from dataclasses import dataclass, field, replace

from brandday.domain.campaign import (
    Campaign,
    Eligibility,
    LatePayment,
    Shopper,
    Sku,
    State,
    Status,
)
from brandday.domain.campaign_view import Availability, CampaignView
from brandday.domain.errors import CampaignNotFound, IdempotencyKeyReused, ReservationNotFound
from brandday.domain.money import Money
from brandday.domain.reservation import Outcome, Reservation, ReservationState
from brandday.domain.visit import Visit
from brandday.entrypoints.campaigns import CampaignUseCases
from brandday.entrypoints.reservations import ReservationUseCases

CAMPAIGN = Campaign(
    id="brand-day-2026-11",
    title={"en": "Brand Day", "zh-CN": "品牌日"},
    mechanic="flash_sale",
    time_zone="Asia/Shanghai",
    starts_at=1_794_153_600_000,
    ends_at=1_794_412_800_000,
    channels=("web", "app"),
    skus=(
        Sku("HERO-1", {"en": "Hero"}, Money(19_900, "CNY"), Money(9_950, "CNY"), stock=100, units_per_shopper=1),
        Sku("MUG-2", {"en": "Mug"}, Money(4_900, "CNY"), Money(2_450, "CNY"), stock=500, units_per_shopper=3),
    ),
    limit_per_shopper=3,
    hold_seconds=600,
    extend_seconds=300,
    late_payment=LatePayment.RECLAIM,
    eligibility=Eligibility(member_tiers=("gold", "silver")),
    status=Status.PUBLISHED,
)

RESERVATION = Reservation(
    id="rsv_brand-day-2026-11.7.q83vEjRWeJCr.mhq1x2c4",
    campaign_id=CAMPAIGN.id,
    sku="HERO-1",
    quantity=1,
    unit_price=Money(9_950, "CNY"),
    state=ReservationState.HELD,
    expires_at_ms=1_794_183_003_120,
)


@dataclass
class ReservationShop:
    """Remembers who reserved what with which key; `refuse_with` makes every call fail."""

    refuse_with: Exception | None = None
    calls: list[tuple[object, ...]] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    keys: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=lambda: {RESERVATION.id: "shopper-8f14e45f"})
    standing: Reservation = RESERVATION

    def use_cases(self) -> ReservationUseCases:
        """What the reservation routes ask for."""
        return ReservationUseCases(self.reserve, self.get, self.cancel, self.extend, self.confirm)

    def campaign_use_cases(self) -> CampaignUseCases:
        """What the campaign routes ask for."""
        return CampaignUseCases(lambda: [self.view(CAMPAIGN.id)], self.view)

    def reserve(self, shopper: Shopper, campaign_id: str, sku: str, quantity: int, key: str, visit: Visit) -> Outcome:
        """The first time new, with the same key replayed, with another key resumed."""
        self.visits.append(visit)
        self._called("reserve", shopper, campaign_id, sku, quantity, key)
        wanted = (sku, quantity)
        others = [at for at in self.keys if at[0] == shopper.id]
        before = self.keys.setdefault((shopper.id, key), wanted)
        if before != wanted:
            raise IdempotencyKeyReused
        self.standing = replace(self.standing, sku=sku, quantity=quantity)
        if (shopper.id, key) in others:
            return Outcome(self.standing, replayed=True)
        return Outcome(self.standing, resumed=bool(others))

    def get(self, shopper: Shopper, reservation_id: str) -> Reservation:
        """The one there is, to its owner."""
        self._called("get", shopper, reservation_id)
        if self.owners.get(reservation_id) != shopper.id:
            raise ReservationNotFound
        return self.standing

    def cancel(self, shopper: Shopper, reservation_id: str) -> Reservation:
        """Gives it back."""
        self.get(shopper, reservation_id)
        return replace(self.standing, state=ReservationState.CANCELLED)

    def extend(self, shopper: Shopper, reservation_id: str) -> Reservation:
        """Gives it more time."""
        self.get(shopper, reservation_id)
        return replace(self.standing, extended=True)

    def confirm(self, reservation_id: str, order_id: str) -> Outcome:
        """Sold; the second time replayed."""
        self._called("confirm", reservation_id, order_id)
        replayed = self.standing.order_id == order_id
        self.standing = replace(self.standing, state=ReservationState.CONFIRMED, expires_at_ms=None, order_id=order_id)
        return Outcome(self.standing, replayed=replayed)

    def view(self, campaign_id: str) -> CampaignView:
        """The one campaign there is, the hero sold out."""
        self._called("view", campaign_id)
        if campaign_id != CAMPAIGN.id:
            raise CampaignNotFound
        availability = {"HERO-1": Availability.SOLD_OUT, "MUG-2": Availability.AVAILABLE}
        return CampaignView(CAMPAIGN, State.RUNNING, availability)

    def _called(self, *call: object) -> None:
        self.calls.append(call)
        if self.refuse_with is not None:
            raise self.refuse_with
