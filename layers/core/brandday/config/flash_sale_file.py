"""A flash sale as an operator declares it."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from brandday.config.campaign_file import CampaignFile, Mechanic, Titles, in_local_times
from brandday.config.fulfilment_part import FulfilmentPart, Handed, RewardPart, disagreements
from brandday.config.parts import MAX_UNITS, SKU_ID, MoneyPart, Part, refuse, refuse_all
from brandday.config.protection_part import wins_are_limited
from brandday.domain import campaign as domain


class SkuPart(Part):
    """One thing on sale."""

    sku: str = Field(pattern=SKU_ID, description="The shop's own id.")
    title: Titles
    list_price: MoneyPart = Field(description="What one unit costs outside the campaign.")
    sale_price: MoneyPart = Field(description="What one unit costs in the campaign; at most the list price.")
    stock: int = Field(ge=1, le=MAX_UNITS, description="Units on sale; fixed at publication, then `restock`.")
    units_per_shopper: int = Field(ge=1, le=domain.MAX_UNITS_PER_SHOPPER, description="Of this SKU.")
    reward: RewardPart = RewardPart()

    @field_validator("sale_price")
    @classmethod
    def _fits_list_price(cls, sale: MoneyPart, info: ValidationInfo) -> MoneyPart:
        full: MoneyPart | None = info.data.get("list_price")
        if full is None:
            return sale
        if sale.currency != full.currency:
            raise refuse(
                "mixed_currencies",
                f"is {sale.currency}, but the list price is {full.currency}; use one currency",
                ("currency",),
            )
        if sale.amount > full.amount:
            raise refuse(
                "sale_over_list",
                f"is {sale.amount}, more than the list price of {full.amount}; lower it",
                ("amount",),
            )
        return sale

    @field_validator("reward")
    @classmethod
    def _is_worth_the_same_money(cls, reward: RewardPart, info: ValidationInfo) -> RewardPart:
        price: MoneyPart | None = info.data.get("sale_price")
        if price is not None and reward.value is not None and reward.value.currency != price.currency:
            raise refuse(
                "mixed_currencies",
                f"is {reward.value.currency}, but the sale price is {price.currency}; use one currency in a campaign",
                ("value", "currency"),
            )
        return reward


class FlashSaleFile(CampaignFile):
    """A flash sale: units of SKUs at a price, while stock lasts."""

    mechanic: Literal["flash_sale"]
    skus: list[SkuPart] = Field(min_length=1, max_length=domain.MAX_SKUS)
    limit_per_shopper: int = Field(
        ge=1, le=domain.MAX_UNITS_PER_SHOPPER, description="Units per shopper, over all SKUs."
    )
    hold_seconds: int = Field(ge=30, le=3600, description="How long units stay in a cart.")
    extend_seconds: int = Field(
        default=300, ge=0, le=3600, description="Added once, when payment begins; 0 offers no extension."
    )
    late_payment: Literal["reclaim", "reject"] = Field(
        default="reclaim",
        validate_default=True,
        description="A payment after its hold expired: take a free unit again, or refund; reject with limits on wins.",
    )
    fulfilment: FulfilmentPart = Field(default=FulfilmentPart(), validate_default=True)

    @field_validator("skus")
    @classmethod
    def _fit_together(cls, skus: list[SkuPart]) -> list[SkuPart]:
        for index, sku in enumerate(skus):
            if any(sku.sku == earlier.sku for earlier in skus[:index]):
                raise refuse("repeated", f"repeats the SKU {sku.sku!r}; each may be there once", (index, "sku"))
            if sku.sale_price.currency != skus[0].sale_price.currency:
                raise refuse(
                    "mixed_currencies",
                    f"is {sku.sale_price.currency}, but {skus[0].sku!r} is sold in "
                    f"{skus[0].sale_price.currency}; use one currency in a campaign",
                    (index, "sale_price", "currency"),
                )
        units = sum(sku.stock for sku in skus)
        if units > MAX_UNITS:
            raise refuse(
                "too_much_stock",
                f"have {units} units together, but a campaign can sell {MAX_UNITS}; split it into several",
            )
        return skus

    @field_validator("limit_per_shopper")
    @classmethod
    def _lets_every_sku_reach_its_own(cls, limit: int, info: ValidationInfo) -> int:
        skus: Iterable[SkuPart] = info.data.get("skus", ())
        for sku in skus:
            if sku.units_per_shopper > limit:
                raise refuse(
                    "limits_disagree",
                    f"is {limit}, but the SKU {sku.sku!r} allows {sku.units_per_shopper} units per shopper; "
                    "raise this or lower units_per_shopper",
                )
        return limit

    @field_validator("late_payment")
    @classmethod
    def _leaves_limits_exact(cls, policy: str, info: ValidationInfo) -> str:
        if policy == "reclaim" and wins_are_limited(info.data.get("protection")):
            raise refuse(
                "reclaim_with_limits",
                "must be reject where protection limits wins: a unit that is taken again after its hold has expired "
                "is not counted",
            )
        return policy

    @field_validator("fulfilment")
    @classmethod
    def _fits_the_campaign(cls, fulfilment: FulfilmentPart, info: ValidationInfo) -> FulfilmentPart:
        skus: list[SkuPart] = info.data.get("skus", [])
        refused = refuse_all(
            disagreements(
                fulfilment,
                info.data,
                [Handed(f"the SKU {sku.sku!r}", sku.reward) for sku in skus],
                skus[0].sale_price.currency if skus else None,
            ),
            fulfilment,
        )
        if refused is not None:
            raise refused
        return fulfilment


def declare(campaign: domain.Campaign) -> dict[str, Any]:
    """What an operator would declare to get `campaign`."""
    return in_local_times(campaign)


MECHANIC = Mechanic(FlashSaleFile, declare)
