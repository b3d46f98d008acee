"""A postal address on the wire: checked so that a parcel can find it, in whatever script it is written.

What is refused is named by its field and never repeated: nobody's address ends up in an answer or a log.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from brandday.entrypoints.routes import Input

_ALPHA_2: Final = (
    # ISO 3166-1 alpha-2, all 249; a test compares them with those of the IANA time zone database
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR "
    "GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO "
    "JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR "
    "MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO "
    "RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV "
    "TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
COUNTRIES: Final = frozenset(_ALPHA_2.split())
"""Every country there is a code for."""

NEEDS_REGION: Final = frozenset({"AU", "BR", "CA", "CN", "IN", "JP", "US"})
"""Where a parcel does not arrive without province or state."""

POSTAL_CODES: Final[Mapping[str, re.Pattern[str]]] = {
    country: re.compile(form, re.ASCII)
    for form, countries in {
        r"\d{4}": "AT AU BE CH DK HU NO NZ ZA",
        r"\d{5}": "DE ES FI FR IT KR MY",
        r"\d{6}": "CN IN RU SG",
        r"\d{3}[ -]?\d{4}": "JP",
        r"\d{5}(-\d{4})?": "US",
        r"\d{5}-?\d{3}": "BR",
        r"\d{2}-?\d{3}": "PL",
        r"\d{4}-?\d{3}": "PT",
        r"\d{3} ?\d{2}": "CZ SE SK",
        r"\d{4} ?[A-Za-z]{2}": "NL",
        r"[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d": "CA",
        r"[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}": "GB",
        r"\d{3}(-?\d{2,3})?": "TW",
    }.items()
    for country in countries.split()
}
"""Where a postal code is needed, and its form. Elsewhere it may be given or not, and any form will do: many countries
have none."""

_ANY_POSTAL_CODE: Final = re.compile(r"[A-Za-z0-9]+([ -]?[A-Za-z0-9]+)*")
_PHONE: Final = re.compile(r"\+?[0-9 ().-]+")
_JOINERS: Final = "\u200c\u200d"
_LINE_SEPARATORS: Final = ("Zl", "Zp")


def plain_text(text: str) -> str:
    """`text` without outer spaces, composed (NFC); refused if it has control characters, marks that turn the direction
    of writing, or nothing to read at all.
    """
    text = unicodedata.normalize("NFC", text)
    for character in text:
        kind = unicodedata.category(character)
        # Cf has the joiners that Persian and Indic names are written with, and much that only deceives
        if kind in ("Cc", "Cs", *_LINE_SEPARATORS) or (kind == "Cf" and character not in _JOINERS):
            raise PydanticCustomError("unprintable", "unprintable")
    text = text.strip()
    if text and not any(character.isalnum() for character in text):
        raise PydanticCustomError("bad_format", "bad_format")
    return text


def _filled(text: str) -> str:
    plain = plain_text(text)
    if not plain:
        raise PydanticCustomError("required", "required")
    return plain


type Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_filled)]
type Line = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_filled)]


class AddressInput(Input):
    """Where a prize is sent. Everything in the country's own script is welcome, on one line per field."""

    # a region that is left out has to be looked at, too
    model_config = ConfigDict(validate_default=True)

    recipient: Annotated[Name, Field(description="Who receives it, in full.")]
    phone: Annotated[str, Field(min_length=5, max_length=25, description="E.164 (+8613800138000) or national.")]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2.")]
    region: Annotated[
        Name | None, Field(description=f"Province or state; needed in {', '.join(sorted(NEEDS_REGION))}.")
    ] = None
    city: Name
    district: Name | None = None
    lines: Annotated[list[Line], Field(min_length=1, max_length=3, description="Street, building, floor, door.")]
    postal_code: Annotated[
        Annotated[str, Field(max_length=12)] | None,
        Field(description=f"Needed in {', '.join(sorted(POSTAL_CODES))}."),
    ] = None

    @field_validator("phone")
    @classmethod
    def _is_a_phone(cls, phone: str) -> str:
        digits = sum(character.isdigit() for character in phone)
        if not _PHONE.fullmatch(phone.strip()) or not 5 <= digits <= 15:
            raise PydanticCustomError("not_a_phone", "not_a_phone")
        return phone.strip()

    @field_validator("country")
    @classmethod
    def _is_a_country(cls, country: str) -> str:
        if country not in COUNTRIES:
            raise PydanticCustomError("not_a_country", "not_a_country")
        return country

    @field_validator("region", mode="after")
    @classmethod
    def _has_a_region(cls, region: str | None, info: ValidationInfo) -> str | None:
        if region is None and info.data.get("country") in NEEDS_REGION:
            raise PydanticCustomError("required", "required")
        return region

    @field_validator("postal_code", mode="after")
    @classmethod
    def _has_a_postal_code(cls, code: str | None, info: ValidationInfo) -> str | None:
        code = (code or "").strip().upper() or None
        form = POSTAL_CODES.get(info.data.get("country", ""))
        if code is None:
            if form is not None:
                raise PydanticCustomError("required", "required")
            return None
        if not (form or _ANY_POSTAL_CODE).fullmatch(code):
            raise PydanticCustomError("not_a_postal_code", "not_a_postal_code")
        return code

    def to_document(self) -> dict[str, Any]:
        """As it is encrypted and handed to the partner: only what was given."""
        return self.model_dump(exclude_none=True)
