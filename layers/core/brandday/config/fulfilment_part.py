"""What a campaign document says about rewards: what a unit is, and who hands it over.

Which connectors there are, and what each needs to know, comes from their registry (`brandday/connectors`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationInfo, create_model, field_validator

from brandday.config.local_time import read_local_time
from brandday.config.one_of import OneOf
from brandday.config.parts import LocalTime, MoneyPart, Part, refuse
from brandday.config.problems import Problem
from brandday.connectors import CONNECTORS
from brandday.connectors.port import Connector
from brandday.domain.fulfilment import DEFAULT_TIME_LIMIT_HOURS, RewardKind

MAX_TIME_LIMIT_HOURS = 14 * 24


class ValuePart(MoneyPart):
    """What something is worth: more than nothing."""

    amount: int = Field(ge=1, le=10**12, description="In minor units: 99.50 is 9950.")


class RewardPart(Part):
    """What a unit is once it is the shopper's: it decides who hands it over, and what that needs."""

    kind: RewardKind = Field(
        default=RewardKind.ORDER,
        description="order: was bought, the shop has the address; physical: its winner says where to send it; "
        "digital: nothing to ship; cash: money or as good as money.",
    )
    value: ValuePart | None = Field(
        default=None, validate_default=True, description="What one is worth; cash needs it, an order has none."
    )

    @field_validator("value")
    @classmethod
    def _fits_kind(cls, value: ValuePart | None, info: ValidationInfo) -> ValuePart | None:
        kind: RewardKind | None = info.data.get("kind")
        if kind is RewardKind.CASH and value is None:
            raise refuse("value_missing", "is missing; say what one of this cash is worth")
        if kind is RewardKind.ORDER and value is not None:
            raise refuse("value_of_order", "has no place on an order, which is worth what was paid; remove it")
        return value


def _choice(connector: type[Connector]) -> type[BaseModel]:
    """The connector's options with its name among them."""
    return create_model(
        f"{connector.name.capitalize()}Choice",
        __base__=connector.Options,
        __doc__=connector.Options.__doc__,
        connector=(Literal[connector.name], Field(description="Who takes these rewards.")),
    )


_CHOICES = {name: _choice(connector) for name, connector in CONNECTORS.items()}
AnyConnector = Annotated[BaseModel, OneOf("connector", _CHOICES)]


class FulfilmentPart(Part):
    """How what was bought or won is handed over; may change while the campaign runs, and after it."""

    claim_until: LocalTime | None = Field(
        default=None,
        description="Until when winners of physical things may say where to send them, on the clock of `time_zone`; "
        "later than `ends_at`. What nobody has claimed by then goes back to its pool.",
    )
    approve_over: MoneyPart | None = Field(
        default=None, description="Rewards worth more than this wait for a second operator: `brandday approve`."
    )
    time_limit_hours: int = Field(
        default=DEFAULT_TIME_LIMIT_HOURS,
        ge=1,
        le=MAX_TIME_LIMIT_HOURS,
        description="How long deliveries of a reward are tried before it has failed.",
    )
    by_kind: dict[RewardKind, AnyConnector] = Field(
        default={},
        description="Who takes rewards of each kind. Orders without one leave with the shop itself; every other kind "
        "that a SKU has needs one.",
    )


class Handed(NamedTuple):
    """What has to fit a campaign's fulfilment: something a shopper gets, as people call it, and its reward."""

    called: str
    reward: RewardPart


def disagreements(
    fulfilment: FulfilmentPart, campaign: Mapping[str, Any], handed: Sequence[Handed], currency: str | None
) -> Iterator[Problem]:
    """What does not fit between a fulfilment and the fields of its campaign, as far as those are right.

    `handed` is all there is to get, `currency` what the campaign counts in, if in anything.
    """
    yield from _claim_time_problems(fulfilment, campaign.get("time_zone"), campaign.get("ends_at"))
    for kind in RewardKind:
        example = next((one.called for one in handed if one.reward.kind is kind), None)
        if example is None:
            continue
        if kind is not RewardKind.ORDER and kind not in fulfilment.by_kind:
            yield Problem(
                ("by_kind", str(kind)),
                "connector_missing",
                f"is missing, but {example} is {kind}; choose its connector: {', '.join(_CHOICES)}",
            )
        if kind.needs_address and fulfilment.claim_until is None:
            yield Problem(
                ("claim_until",),
                "claim_until_missing",
                f"is missing, but {example} is {kind}; say until when winners may give their address",
            )
    if fulfilment.approve_over is not None and handed:
        yield from _approval_problems(fulfilment.approve_over, handed, currency)


def _claim_time_problems(fulfilment: FulfilmentPart, zone: str | None, ends_at: str | None) -> Iterator[Problem]:
    if fulfilment.claim_until is None or zone is None:
        return
    try:
        moment = read_local_time(fulfilment.claim_until, zone)
    except ValueError as error:
        yield Problem(("claim_until",), "no_local_time", str(error))
        return
    if ends_at is not None and moment <= read_local_time(ends_at, zone):
        yield Problem(
            ("claim_until",),
            "claim_ends_before_sale",
            f"must be later than ends_at, which is {ends_at}: who buys last needs time, too",
        )


def _approval_problems(over: MoneyPart, handed: Sequence[Handed], currency: str | None) -> Iterator[Problem]:
    if currency is not None and over.currency != currency:
        yield Problem(
            ("approve_over", "currency"),
            "mixed_currencies",
            f"is {over.currency}, but the campaign is in {currency}; use one currency in a campaign",
        )
    if all(one.reward.value is None for one in handed):
        yield Problem(
            ("approve_over",),
            "nothing_to_approve",
            "is compared with what rewards are worth, but nothing here says so; add a reward.value, or remove this",
        )
