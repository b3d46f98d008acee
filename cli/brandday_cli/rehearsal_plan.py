"""Who comes to a rehearsal and how they behave: decided by a seed before anything is sent.

Nothing here sends or waits. The same seed, campaign and number of shoppers give the same crowd.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

RUSH_SECONDS = 1.0
"""The rush arrives within this time after the opening."""

MAX_ID_LENGTH = 40


class Trait(StrEnum):
    """What is special about a shopper; all but those who abandon or cancel pay in the end."""

    BUYS = "buys"
    COMES_EARLY = "comes early"
    COMES_LATE = "comes late"
    REPEATS = "repeats the request with the same key"
    DOUBLE_TAPS = "taps twice at once"
    TWO_DEVICES = "asks from a second device"
    WANTS_TOO_MUCH = "first asks for more than the limit"
    PAYS_TWICE = "has the payment reported twice"
    ABANDONS = "never pays"
    CANCELS = "gives the units back"


SHARES: Mapping[Trait, int] = {
    Trait.BUYS: 40,
    Trait.COMES_EARLY: 8,
    Trait.COMES_LATE: 10,
    Trait.REPEATS: 8,
    Trait.DOUBLE_TAPS: 10,
    Trait.TWO_DEVICES: 6,
    Trait.WANTS_TOO_MUCH: 4,
    Trait.PAYS_TWICE: 6,
    Trait.ABANDONS: 3,
    Trait.CANCELS: 5,
}
"""Of 100 shoppers."""


@dataclass(frozen=True)
class SkuTerms:
    """What a shopper needs to know about a SKU."""

    sku: str
    stock: int
    units_per_shopper: int


@dataclass(frozen=True)
class ShopperPlan:
    """One shopper: whom, what, when (seconds after the opening) and how."""

    number: int
    shopper_id: str
    trait: Trait
    sku: str
    quantity: int
    too_much: int
    arrives_after: float
    thinks_for: float


def plan_crowd(
    campaign_id: str, skus: Sequence[SkuTerms], shoppers: int, seed: int, late_after: float = 3.0
) -> list[ShopperPlan]:
    """Plan the crowd; one shopper in five wants several units.

    Half of the crowd wants what is scarce, up to a third more than there is of it, so that something sells
    out even if the crowd is small for the campaign; the others want SKUs in proportion to their stock.
    Late shoppers come between ``late_after`` and twice as many seconds after the opening.
    """
    dice = random.Random(f"{campaign_id} {seed}")  # noqa: S311 - simulated shoppers need no secret luck
    traits, weights = list(SHARES), list(SHARES.values())
    stocks = [terms.stock for terms in skus]
    scarce = [terms for terms in sorted(skus, key=lambda terms: terms.stock) for _ in range(terms.stock * 4 // 3 + 1)]
    wanted = scarce[: shoppers // 2] + dice.choices(skus, stocks, k=shoppers - min(len(scarce), shoppers // 2))
    dice.shuffle(wanted)
    plans = []
    for number, terms in enumerate(wanted):
        trait = dice.choices(traits, weights)[0]
        several = dice.random() < 0.2
        arrives = dice.uniform(0, RUSH_SECONDS)
        if trait is Trait.COMES_EARLY:
            arrives = -dice.uniform(0.5, 1.5)
        elif trait is Trait.COMES_LATE:
            arrives = dice.uniform(late_after, 2 * late_after)
        plans.append(
            ShopperPlan(
                number=number,
                shopper_id=f"rehearsal-{seed}-{number}",
                trait=trait,
                sku=terms.sku,
                quantity=dice.randint(1, terms.units_per_shopper) if several else 1,
                too_much=terms.units_per_shopper + 1,
                arrives_after=arrives,
                thinks_for=dice.uniform(0, 0.5),
            )
        )
    return plans


def copy_declaration(
    declaration: Mapping[str, Any], suffix: str, opens_at: datetime, *, hold_seconds: int | None = None
) -> dict[str, Any]:
    """Return a campaign of the same shape that opens at ``opens_at`` (aware) for one hour, as a draft.

    ``hold_seconds`` shortens the holds, for a rehearsal that waits until abandoned carts are back on sale.
    What is bought there is handed over to nobody: no partner shall pack a parcel for a rehearsal. Nobody stands at the
    gate either: that is rehearsed with bots (`abuse_rehearsal`).
    """
    ending = f"-rehearsal-{suffix}"
    zone = ZoneInfo(declaration["time_zone"])
    copy = {
        **declaration,
        "id": declaration["id"][: MAX_ID_LENGTH - len(ending)] + ending,
        "starts_at": opens_at.astimezone(zone).isoformat(timespec="milliseconds"),
        "ends_at": (opens_at + timedelta(hours=1)).astimezone(zone).isoformat(timespec="milliseconds"),
        "skus": [{name: value for name, value in sku.items() if name != "reward"} for sku in declaration["skus"]],
        "status": "draft",
    }
    copy.pop("fulfilment", None)
    copy.pop("protection", None)
    if hold_seconds is not None:
        copy["hold_seconds"] = hold_seconds
    return copy


def claims_of(declaration: Mapping[str, Any]) -> dict[str, str]:
    """Return token claims that make a shopper eligible for the campaign."""
    eligibility = declaration.get("eligibility") or {}
    return {
        "tier": (eligibility.get("member_tiers") or ["standard"])[0],
        "region": (eligibility.get("regions") or ["CN"])[0],
        "channel": declaration["channels"][0],
        "new_customer": "true" if eligibility.get("new_customers_only") else "false",
    }
