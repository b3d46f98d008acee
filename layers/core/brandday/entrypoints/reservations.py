"""Reservations over HTTP: a shopper takes units, looks, gives them back; the shop's backend says they are paid."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import Field

from brandday.domain.campaign import MAX_UNITS_PER_SHOPPER, Shopper
from brandday.domain.errors import (
    AllHeld,
    CampaignPaused,
    HoldNotExtendable,
    IdempotencyKeyReused,
    ReservationAlreadyConfirmed,
    ReservationExpired,
    ReservationReleased,
    ShopperLimitReached,
    SoldOut,
    WrongMechanic,
)
from brandday.domain.reservation import Outcome, Reservation, ReservationState
from brandday.domain.times import to_rfc3339_or_none
from brandday.domain.visit import Visit
from brandday.entrypoints.money import MoneyBody
from brandday.entrypoints.routes import SHOPPER, Answer, Input, Output, Request, Route
from brandday.entrypoints.shopper import shopper_of
from brandday.entrypoints.visit import AT_THE_CLAIM, NOT_LET_IN, visit_of

ORDERS: Final = "orders"


@dataclass(frozen=True, slots=True)
class ReservationUseCases:
    """What these routes ask for; each can be repeated without a second effect.

    reserve_units(shopper, campaign id, SKU, quantity, Idempotency-Key, visit); get, cancel and extend(shopper,
    reservation id); confirm_reservation(reservation id, order id).
    """

    reserve_units: Callable[[Shopper, str, str, int, str, Visit], Outcome]
    get_reservation: Callable[[Shopper, str], Reservation]
    cancel_reservation: Callable[[Shopper, str], Reservation]
    extend_reservation: Callable[[Shopper, str], Reservation]
    confirm_reservation: Callable[[str, str], Outcome]


class ReserveUnitsBody(Input):
    """What a shopper wants."""

    sku: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="A SKU of the campaign.")]
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS_PER_SHOPPER, description="Units of it.")] = 1


class ConfirmReservationBody(Input):
    """Which order paid."""

    order_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$", description="The shop's order that was paid.")]


class ReservationBody(Output):
    """A reservation as its owner sees it. Times are RFC 3339 in UTC."""

    id: str
    campaign_id: str
    sku: str
    quantity: int
    unit_price: MoneyBody
    total_price: MoneyBody
    state: ReservationState
    expires_at: Annotated[
        str | None, Field(description="When the hold runs out, or ran out; null once it is confirmed.")
    ]
    extended: Annotated[bool, Field(description="Whether the hold has had its one extension.")]
    order_id: Annotated[str | None, Field(description="The order that paid; null until then.")]
    resumed: Annotated[
        bool, Field(description="True when another request of yours had taken this reservation before.")
    ] = False

    @classmethod
    def of(cls, reservation: Reservation, *, resumed: bool = False) -> Self:
        """The same, on the wire."""
        price, expires_at_ms = reservation.unit_price, reservation.expires_at_ms
        return cls(
            id=reservation.id,
            campaign_id=reservation.campaign_id,
            sku=reservation.sku,
            quantity=reservation.quantity,
            unit_price=MoneyBody.of(price),
            total_price=MoneyBody(amount=price.amount * reservation.quantity, currency=price.currency),
            state=reservation.state,
            expires_at=to_rfc3339_or_none(expires_at_ms),
            extended=reservation.extended,
            order_id=reservation.order_id,
            resumed=resumed,
        )


def reserve_units(use_cases: ReservationUseCases, request: Request[ReserveUnitsBody]) -> Answer:
    """201 with a new reservation, or with the same one again; 200 with one that the shopper had already."""
    outcome = use_cases.reserve_units(
        shopper_of(request),
        request.path["campaign_id"],
        request.body.sku,
        request.body.quantity,
        request.idempotency_key,
        visit_of(request),
    )
    return Answer(
        ReservationBody.of(outcome.reservation, resumed=outcome.resumed),
        status=200 if outcome.resumed else 201,
        headers={"Location": f"/v1/reservations/{outcome.reservation.id}", **_replayed(outcome)},
    )


def get_reservation(use_cases: ReservationUseCases, request: Request[None]) -> Answer:
    """200 with the reservation as it is now."""
    return _answer(use_cases.get_reservation(shopper_of(request), request.path["reservation_id"]))


def cancel_reservation(use_cases: ReservationUseCases, request: Request[None]) -> Answer:
    """200 with the reservation given back (`cancelled`, or `expired` if time did it first), however often."""
    return _answer(use_cases.cancel_reservation(shopper_of(request), request.path["reservation_id"]))


def extend_reservation(use_cases: ReservationUseCases, request: Request[None]) -> Answer:
    """200 with the extended reservation, however often it is asked: a hold is extended once."""
    return _answer(use_cases.extend_reservation(shopper_of(request), request.path["reservation_id"]))


def confirm_reservation(use_cases: ReservationUseCases, request: Request[ConfirmReservationBody]) -> Answer:
    """200 with the confirmed reservation; a late payment that took units again has a new id."""
    outcome = use_cases.confirm_reservation(request.path["reservation_id"], request.body.order_id)
    return Answer(ReservationBody.of(outcome.reservation), headers=_replayed(outcome))


def _answer(reservation: Reservation) -> Answer:
    return Answer(ReservationBody.of(reservation))


def _replayed(outcome: Outcome) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if outcome.replayed else {}


_REPLAYED_HEADER: Final = {"Idempotent-Replayed": "`true` when this request was answered before."}

ROUTES: Final = (
    Route(
        "POST",
        "/v1/campaigns/{campaign_id}/reservations",
        reserve_units,
        "Reserve units",
        ReservationBody,
        scope=SHOPPER,
        body=ReserveUnitsBody,
        statuses=(201, 200),
        needs_key=True,
        headers={"Location": "Where the reservation is.", **_REPLAYED_HEADER},
        shows=AT_THE_CLAIM,
        errors=(
            WrongMechanic,
            *NOT_LET_IN,
            SoldOut,
            AllHeld,
            ShopperLimitReached,
            IdempotencyKeyReused,
        ),
    ),
    Route(
        "GET",
        "/v1/reservations/{reservation_id}",
        get_reservation,
        "Look at a reservation",
        ReservationBody,
        scope=SHOPPER,
    ),
    Route(
        "DELETE",
        "/v1/reservations/{reservation_id}",
        cancel_reservation,
        "Cancel a reservation",
        ReservationBody,
        scope=SHOPPER,
        errors=(ReservationAlreadyConfirmed,),
    ),
    Route(
        "POST",
        "/v1/reservations/{reservation_id}/extend",
        extend_reservation,
        "Extend a hold once, when payment begins",
        ReservationBody,
        scope=SHOPPER,
        needs_key=True,
        errors=(
            ReservationExpired,
            ReservationReleased,
            ReservationAlreadyConfirmed,
            HoldNotExtendable,
        ),
    ),
    Route(
        "POST",
        "/v1/reservations/{reservation_id}/confirm",
        confirm_reservation,
        "Confirm a reservation after payment",
        ReservationBody,
        scope=ORDERS,
        body=ConfirmReservationBody,
        needs_key=True,
        headers=_REPLAYED_HEADER,
        errors=(
            CampaignPaused,
            ReservationExpired,
            ReservationReleased,
            ReservationAlreadyConfirmed,
        ),
    ),
)
"""The routes of ReservationsFunction."""
