"""The campaign document: what an operator may declare, and every reason for which it cannot work.

One model for the file an operator reviews, for the body of the admin API and for the JSON Schema that editors
use (`docs/campaign.schema.json`). Here is what all campaigns have in common; each mechanic adds its own part in a file
of its own, and `config/mechanics.py` knows them all. Reading YAML, and finding the line of a problem, is the command's
business (`cli/brandday_cli/campaign_yaml.py`): here a document is JSON already.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from brandday.config.local_time import LOCAL_TIME, check_time_zone, read_local_time, write_local_time
from brandday.config.parts import CAMPAIGN_ID, CURRENCY, SKU_ID, LocalTime, Part, none_twice, refuse, refuse_all
from brandday.config.protection_part import ADVICE as PROTECTION_ADVICE
from brandday.config.protection_part import ProtectionPart, declare_protection, protection_problems
from brandday.domain.campaign import Campaign
from brandday.domain.times import from_rfc3339

_LANGUAGE = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$"
_TEXT = r"^\S(.*\S)?$"

ADVICE = {
    CAMPAIGN_ID: "3 to 40 small letters, digits and hyphens, and not start with a hyphen",
    SKU_ID: "1 to 40 letters, digits, hyphens and underscores",
    LOCAL_TIME: "a date and time like 2026-11-09T00:00:00, to the millisecond at most",
    CURRENCY: "three capital letters of ISO 4217, like CNY",
    _LANGUAGE: "a language tag like en or zh-CN",
    _TEXT: "one line of text without spaces around it",
    **PROTECTION_ADVICE,
}
"""What each pattern asks for, in words."""


def _in_default_language(title: object) -> object:
    return {"en": title} if isinstance(title, str) else title


Text = Annotated[str, Field(min_length=1, max_length=120, pattern=_TEXT)]
Titles = Annotated[
    dict[Annotated[str, Field(pattern=_LANGUAGE)], Text],
    Field(min_length=1, max_length=20, description="The title by language tag; one text alone is English."),
    BeforeValidator(_in_default_language, json_schema_input_type=dict[str, Text] | Text),
]
Channel = Literal["web", "app", "mini_program", "store"]
Tags = Annotated[list[Annotated[str, Field(pattern=SKU_ID)]], Field(max_length=100), AfterValidator(none_twice)]


class EligibilityPart(Part):
    """Who may buy; an empty list leaves nobody out."""

    member_tiers: Tags = Field(default=[], description="As in the token's claim `tier`.")
    new_customers_only: bool = False
    regions: Tags = Field(default=[], description="As in the token's claim `region`.")


class CampaignFile(Part):
    """What every campaign declares, whatever its mechanic."""

    id: str = Field(pattern=CAMPAIGN_ID, description="Never changes; part of addresses and reservation ids.")
    title: Titles
    mechanic: str
    time_zone: str = Field(description="IANA name; the zone of `starts_at` and `ends_at`.", examples=["UTC"])
    starts_at: LocalTime = Field(description="First moment of the campaign, on the clock of `time_zone`.")
    ends_at: LocalTime = Field(description="First moment after the campaign, on the clock of `time_zone`.")
    channels: Annotated[list[Channel], Field(min_length=1), AfterValidator(none_twice)]
    eligibility: EligibilityPart = EligibilityPart()
    protection: ProtectionPart | None = Field(
        default=None, description="What keeps bots away; a campaign without it has none of the cost."
    )
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

    @field_validator("protection")
    @classmethod
    def _fits_the_schedule(cls, protection: ProtectionPart | None, info: ValidationInfo) -> ProtectionPart | None:
        if protection is not None:
            refused = refuse_all(protection_problems(protection, info.data), protection)
            if refused is not None:
                raise refused
        return protection

    def to_campaign(self) -> Campaign:
        """The campaign this declares, as a draft of version 0."""
        return Campaign.from_document(self.to_document())

    def to_document(self) -> dict[str, Any]:
        """The declaration in its normal form, as it is kept: every field present, times in UTC."""
        document = self.model_dump(mode="json", exclude={"status"})
        for place, name in _times(document):
            place[name] = write_local_time(read_local_time(place[name], self.time_zone), "UTC")
        if self.protection is not None:
            starts_at = read_local_time(self.starts_at, self.time_zone)
            document["protection"] = self.protection.to_protection(starts_at, self.time_zone).to_document()
        return document


class Mechanic(NamedTuple):
    """How campaigns of a mechanic are declared, and how a stored one is written as a declaration again.

    `advice` says in words what patterns of its own ask for.
    """

    file: type[CampaignFile]
    declare: Callable[[Campaign], dict[str, Any]]
    advice: Mapping[str, str] = {}


def in_local_times(campaign: Campaign) -> dict[str, Any]:
    """The document of `campaign` with what all campaigns have, as operators write it."""
    document = campaign.to_document()
    for place, name in _times(document):
        place[name] = write_local_time(from_rfc3339(place[name]), campaign.time_zone)
    if campaign.protection is not None:
        document["protection"] = declare_protection(campaign.protection)
    return document


def _times(document: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Where the times of a document are: local in what operators write, in UTC in what is kept."""
    places = [(document, "starts_at"), (document, "ends_at"), (document["fulfilment"], "claim_until")]
    return [(place, name) for place, name in places if place[name] is not None]
