"""The mechanics there are: how each of them is declared. A new one is a file beside these and a line here."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from brandday.config import coupon_file, flash_sale_file, lottery_file
from brandday.config.campaign_file import ADVICE, CampaignFile
from brandday.config.one_of import OneOf
from brandday.config.problems import DocumentRefused, explain
from brandday.domain.campaign import Campaign


class Mechanic(NamedTuple):
    """How campaigns of a mechanic are declared, and how a stored one is written as a declaration again."""

    file: type[CampaignFile]
    declare: Callable[[Campaign], dict[str, Any]]


MECHANICS: Mapping[str, Mechanic] = {
    "flash_sale": Mechanic(flash_sale_file.FlashSaleFile, flash_sale_file.declare),
    "lottery": Mechanic(lottery_file.LotteryFile, lottery_file.declare),
    "coupon": Mechanic(coupon_file.CouponFile, coupon_file.declare),
}

_SHAPE = OneOf("mechanic", {name: mechanic.file for name, mechanic in MECHANICS.items()})


class AnyCampaignFile(RootModel[BaseModel]):
    """A campaign as declared: what its mechanic takes."""

    model_config = ConfigDict(title="Brand Day campaign", defer_build=True)

    root: Annotated[BaseModel, _SHAPE]


def parse_campaign(document: object) -> CampaignFile:
    """Check a document, as read from JSON or YAML; raises DocumentRefused with all that is wrong with it."""
    try:
        # Through JSON text, because only there strict validation takes mappings for the parts.
        declared = AnyCampaignFile.model_validate_json(json.dumps(document)).root
    except ValidationError as error:
        raise DocumentRefused(explain(error, _SHAPE, ADVICE | coupon_file.ADVICE)) from None
    if not isinstance(declared, CampaignFile):
        raise TypeError(f"{type(declared).__name__} is no campaign")
    return declared


def to_declaration(campaign: Campaign) -> dict[str, Any]:
    """What an operator would declare to get `campaign`: its document with local times; can be applied again."""
    return MECHANICS[campaign.mechanic].declare(campaign)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that editors complete and check campaign files with."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | AnyCampaignFile.model_json_schema()
