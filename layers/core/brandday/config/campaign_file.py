"""The campaign document: what an operator may declare, and every reason for which it cannot work.

One model for the file an operator reviews, for the body of the admin API and for the JSON Schema that editors
use (`docs/campaign.schema.json`). Reading YAML, and finding the line of a problem, is the command's business
(`cli/brandday_cli/campaign_yaml.py`): here a document is JSON already.
"""

import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from brandday.config.fulfilment_part import FulfilmentPart, RewardPart, disagreements
from brandday.config.local_time import LOCAL_TIME, check_time_zone, read_local_time, write_local_time
from brandday.config.parts import CURRENCY, LocalTime, MoneyPart, Part, refuse, refuse_all
from brandday.config.problems import DocumentRefused, explain
from brandday.domain import campaign as domain
from brandday.domain.times import from_rfc3339

CAMPAIGN_ID = r"^[a-z0-9][a-z0-9-]{2,39}$"
SKU_ID = r"^[A-Za-z0-9_-]{1,40}$"
_LANGUAGE = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$"
_TEXT = r"^\S(.*\S)?$"

_ADVICE = {
    CAMPAIGN_ID: "3 to 40 small letters, digits and hyphens, and not start with a hyphen",
    SKU_ID: "1 to 40 letters, digits, hyphens and underscores",
    LOCAL_TIME: "a date and time like 2026-11-09T00:00:00, to the millisecond at most",
    CURRENCY: "three capital letters of ISO 4217, like CNY",
    _LANGUAGE: "a language tag like en or zh-CN",
    _TEXT: "one line of text without spaces around it",
}

MAX_UNITS = 1_000_000
"""The live summary of a campaign is one item of at most 400 KB; this many units in 36 SKUs still fit."""


def _none_twice(values: list[str]) -> list[str]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise refuse("repeated", f"repeats {value!r}; write it once", (index,))
    return values


def _in_default_language(title: object) -> object:
    return {"en": title} if isinstance(title, str) else title


Text = Annotated[str, Field(min_length=1, max_length=120, pattern=_TEXT)]
Titles = Annotated[
    dict[Annotated[str, Field(pattern=_LANGUAGE)], Text],
    Field(min_length=1, max_length=20, description="The title by language tag; one text alone is English."),
    BeforeValidator(_in_default_language, json_schema_input_type=dict[str, Text] | Text),
]
Channel = Literal["web", "app", "mini_program", "store"]
Tags = Annotated[list[Annotated[str, Field(pattern=SKU_ID)]], Field(max_length=100), AfterValidator(_none_twice)]


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


class EligibilityPart(Part):
    """Who may buy; an empty list leaves nobody out."""

    member_tiers: Tags = Field(default=[], description="As in the token's claim `tier`.")
    new_customers_only: bool = False
    regions: Tags = Field(default=[], description="As in the token's claim `region`.")


class CampaignFile(Part):
    """A flash sale of Brand Day, as an operator declares it."""

    model_config = ConfigDict(title="Brand Day campaign")

    id: str = Field(pattern=CAMPAIGN_ID, description="Never changes; part of addresses and reservation ids.")
    title: Titles
    mechanic: Literal["flash_sale"]
    time_zone: str = Field(description="IANA name; the zone of `starts_at` and `ends_at`.", examples=["UTC"])
    starts_at: LocalTime = Field(description="First moment of the sale, on the clock of `time_zone`.")
    ends_at: LocalTime = Field(description="First moment after the sale, on the clock of `time_zone`.")
    channels: Annotated[list[Channel], Field(min_length=1), AfterValidator(_none_twice)]
    skus: list[SkuPart] = Field(min_length=1, max_length=domain.MAX_SKUS)
    limit_per_shopper: int = Field(
        ge=1, le=domain.MAX_UNITS_PER_SHOPPER, description="Units per shopper, over all SKUs."
    )
    hold_seconds: int = Field(ge=30, le=3600, description="How long units stay in a cart.")
    extend_seconds: int = Field(
        default=300, ge=0, le=3600, description="Added once, when payment begins; 0 offers no extension."
    )
    late_payment: Literal["reclaim", "reject"] = Field(
        default="reclaim", description="A payment after its hold expired: take a free unit again, or refund."
    )
    eligibility: EligibilityPart = EligibilityPart()
    fulfilment: FulfilmentPart = Field(default=FulfilmentPart(), validate_default=True)
    status: Literal["draft", "published"] = Field(
        default="draft", description="What `apply` leaves a new campaign as; `publish` is also a command."
    )

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        check_time_zone(name)
        return name

    @field_validator("starts_at", "ends_at")
    @classmethod
    def _is_a_time_there(cls, text: str, info: ValidationInfo) -> str:
        zone: str | None = info.data.get("time_zone")
        if zone is None:
            return text
        moment = read_local_time(text, zone)
        start: str | None = info.data.get("starts_at")
        if info.field_name == "ends_at" and start is not None and moment <= read_local_time(start, zone):
            raise refuse("ends_before_start", f"must be later than starts_at, which is {start}")
        return text

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

    @field_validator("fulfilment")
    @classmethod
    def _fits_the_campaign(cls, fulfilment: FulfilmentPart, info: ValidationInfo) -> FulfilmentPart:
        refused = refuse_all(disagreements(fulfilment, info.data), fulfilment)
        if refused is not None:
            raise refused
        return fulfilment

    def to_campaign(self) -> domain.Campaign:
        """The campaign this declares, as a draft of version 0."""
        document = self.model_dump(mode="json", exclude={"status"})
        for part, name in _TIMES:
            place = document[part] if part else document
            if place[name] is not None:
                place[name] = write_local_time(read_local_time(place[name], self.time_zone), "UTC")
        return domain.Campaign.from_document(document)

    @classmethod
    def parse(cls, document: object) -> Self:
        """Check a document, as read from JSON or YAML; raises DocumentRefused with all that is wrong with it."""
        try:
            # Through JSON text, because only there strict validation takes mappings for the parts.
            return cls.model_validate_json(json.dumps(document))
        except ValidationError as error:
            raise DocumentRefused(explain(error, cls, _ADVICE)) from None


_TIMES = (("", "starts_at"), ("", "ends_at"), ("fulfilment", "claim_until"))
"""Part and field of every time in a document: local in what operators write, in UTC in what is kept."""


def to_declaration(campaign: domain.Campaign) -> dict[str, Any]:
    """What an operator would declare to get `campaign`: its document with local times; can be applied again."""
    document = campaign.to_document()
    for part, name in _TIMES:
        place = document[part] if part else document
        if place[name] is not None:
            place[name] = write_local_time(from_rfc3339(place[name]), campaign.time_zone)
    return document


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that editors complete and check campaign files with."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | CampaignFile.model_json_schema()
