"""A campaign as the public sees it: what is on sale, when, for how much, and whether there is any left."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from brandday.domain.campaign import Campaign, State


class Availability(StrEnum):
    """Whether a shopper can get a unit; `sold_out` is said only when every unit is sold."""

    AVAILABLE = "available"
    ALL_HELD = "all_held"
    SOLD_OUT = "sold_out"


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign, its state at the moment of looking, and the availability of each SKU by its id."""

    campaign: Campaign
    state: State
    availability: Mapping[str, Availability]
