"""A reservation as its owner sees it: which units, at what price, until when, and what has become of it."""

from dataclasses import dataclass
from enum import StrEnum

from brandday.domain.money import Money


class ReservationState(StrEnum):
    """`held` until it is paid (`confirmed`), given back (`cancelled`) or over (`expired`)."""

    HELD = "held"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A claim on `quantity` units of one SKU.

    `expires_at_ms` (epoch milliseconds) is None once the reservation is confirmed; `order_id` is set from
    then on. `extended` tells that the hold has had its one extension.
    """

    id: str
    campaign_id: str
    sku: str
    quantity: int
    unit_price: Money
    state: ReservationState
    expires_at_ms: int | None = None
    order_id: str | None = None
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request that may have been made before.

    `replayed`: the same request was answered before, this is that answer. `resumed`: the shopper holds this
    reservation already through another request (another device, another key).
    """

    reservation: Reservation
    replayed: bool = False
    resumed: bool = False
