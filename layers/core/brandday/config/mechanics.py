"""The mechanics there are: how each of them is declared. A new one is a file beside these and a name here.

The file of a mechanic is loaded when the first campaign of its kind is met: an operator who pauses a sale does not wait
for what only lotteries need.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from brandday.config.one_of import OneOf
from brandday.config.problems import DocumentRefused, explain
from brandday.domain.campaign import Campaign

if TYPE_CHECKING:
    from brandday.config.campaign_file import CampaignFile, Mechanic

FILES: Final[Mapping[str, str]] = {
    "flash_sale": "flash_sale_file",
    "lottery": "lottery_file",
    "coupon": "coupon_file",
}
"""The module of each mechanic in this folder; its `MECHANIC` says all about it."""


@cache
def mechanic(name: str) -> "Mechanic":
    """How campaigns of a mechanic are declared; KeyError if there is no such one."""
    found: Mechanic = import_module(f"brandday.config.{FILES[name]}").MECHANIC
    return found


@cache
def _shape() -> OneOf:
    return OneOf("mechanic", {name: mechanic(name).file for name in FILES})


@cache
def any_campaign_file() -> type[RootModel[BaseModel]]:
    """A campaign as declared: what its mechanic takes."""

    class AnyCampaignFile(RootModel[BaseModel]):
        """A campaign as declared: what its mechanic takes."""

        model_config = ConfigDict(title="Brand Day campaign")

        root: Annotated[BaseModel, _shape()]

    return AnyCampaignFile


def parse_campaign(document: object) -> "CampaignFile":
    """Check a document, as read from JSON or YAML; raises DocumentRefused with all that is wrong with it."""
    from brandday.config.campaign_file import ADVICE, CampaignFile

    try:
        # Through JSON text, because only there strict validation takes mappings for the parts.
        declared = any_campaign_file().model_validate_json(json.dumps(document)).root
    except ValidationError as error:
        advice = {pattern: what for name in FILES for pattern, what in mechanic(name).advice.items()}
        raise DocumentRefused(explain(error, _shape(), ADVICE | advice)) from None
    if not isinstance(declared, CampaignFile):
        raise TypeError(f"{type(declared).__name__} is no campaign")
    return declared


def to_declaration(campaign: Campaign) -> dict[str, Any]:
    """What an operator would declare to get `campaign`: its document with local times; can be applied again."""
    return mechanic(campaign.mechanic).declare(campaign)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that editors complete and check campaign files with."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | any_campaign_file().model_json_schema()
