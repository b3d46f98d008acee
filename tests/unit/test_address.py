# ruff: noqa: RUF001 - other scripts look like ours here and there, and that is the point
"""Postal addresses: every script welcome, every mistake named by its field, no value ever repeated."""

import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.domain.errors import ValidationFailed
from brandday.domain.messages import LANGUAGES, explain_field
from brandday.entrypoints.address import COUNTRIES, NEEDS_REGION, POSTAL_CODES, AddressInput
from brandday.entrypoints.http_input import parse_body

GERMAN = {
    "recipient": "Zoë Müller-Łukasz",
    "phone": "+49 (30) 123-4567",
    "country": "DE",
    "city": "Berlin",
    "lines": ["Straße des 17. Juni 1"],
    "postal_code": "10115",
}
CHINESE = {
    "recipient": "欧阳娜娜",
    "phone": "13800138000",
    "country": "CN",
    "region": "上海市",
    "city": "上海市",
    "district": "黄浦区",
    "lines": ["南京东路100号", "3栋 5楼"],
    "postal_code": "200001",
}


def address(base: dict[str, Any] = GERMAN, **changes: Any) -> AddressInput:
    """Read an address as it comes over HTTP; what is changed to None is left out."""
    document = {name: value for name, value in (base | changes).items() if value is not None}
    return parse_body(json.dumps(document).encode(), AddressInput)


def wrong(base: dict[str, Any] = GERMAN, **changes: Any) -> list[tuple[str, str]]:
    """Return the refused places of an address and the rules they break."""
    with pytest.raises(ValidationFailed) as refused:
        address(base, **changes)
    return [(place.pointer, place.rule) for place in refused.value.errors]


def test_the_countries_are_those_of_the_standard() -> None:
    table = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    assert {line[:2] for line in table.splitlines() if not line.startswith("#")} == COUNTRIES
    assert NEEDS_REGION | POSTAL_CODES.keys() <= COUNTRIES


@pytest.mark.parametrize("whole", [GERMAN, CHINESE])
def test_an_address_is_taken_as_it_was_written(whole: dict[str, Any]) -> None:
    assert address(whole).to_document() == whole


@pytest.mark.parametrize(
    "recipient",
    ["علی‌رضا محمدی", "नरेन्द्र", "ชัยวัฒน์", "Nguyễn Thị Hoa", "O'Brien, Jr.", "김민준", "𠮷野家"],
)
def test_names_of_any_script_are_welcome(recipient: str) -> None:
    assert address(recipient=recipient).to_document()["recipient"]


def test_spaces_around_are_cut_and_accents_composed() -> None:
    assert address(recipient="  Zoe\u0308 ").recipient == "Zoë"
    assert address(postal_code=" 10115 ").postal_code == "10115"


@pytest.mark.parametrize(
    ("changes", "pointer", "rule"),
    [
        ({"recipient": None}, "/recipient", "required"),
        ({"recipient": ""}, "/recipient", "too_short"),
        ({"recipient": "   "}, "/recipient", "required"),
        ({"recipient": "..."}, "/recipient", "bad_format"),
        ({"recipient": "x" * 81}, "/recipient", "too_long"),
        ({"recipient": 7}, "/recipient", "not_text"),
        ({"recipient": "Eve\nBcc: all"}, "/recipient", "unprintable"),
        ({"recipient": "Eve\x00"}, "/recipient", "unprintable"),
        ({"recipient": "Eve\x1b[2J"}, "/recipient", "unprintable"),
        ({"recipient": "Eve\u202etxt"}, "/recipient", "unprintable"),
        ({"recipient": "Eve\u2028"}, "/recipient", "unprintable"),
        ({"phone": None}, "/phone", "required"),
        ({"phone": "1234"}, "/phone", "too_short"),
        ({"phone": "call me"}, "/phone", "not_a_phone"),
        ({"phone": "+1234567890123456"}, "/phone", "not_a_phone"),
        ({"phone": "++4912345"}, "/phone", "not_a_phone"),
        ({"phone": "١٢٣٤٥٦"}, "/phone", "not_a_phone"),
        ({"country": "de"}, "/country", "bad_format"),
        ({"country": "DEU"}, "/country", "bad_format"),
        ({"country": "XX"}, "/country", "not_a_country"),
        ({"country": "UK"}, "/country", "not_a_country"),
        ({"country": None}, "/country", "required"),
        ({"city": None}, "/city", "required"),
        ({"lines": []}, "/lines", "too_short"),
        ({"lines": ["a1", "a2", "a3", "a4"]}, "/lines", "too_long"),
        ({"lines": ["a1", "b\tc"]}, "/lines/1", "unprintable"),
        ({"lines": ["x" * 121]}, "/lines/0", "too_long"),
        ({"lines": "Main Street 1"}, "/lines", "not_a_list"),
        ({"postal_code": None}, "/postal_code", "required"),
        ({"postal_code": "1011"}, "/postal_code", "not_a_postal_code"),
        ({"postal_code": "١٠١١٥"}, "/postal_code", "not_a_postal_code"),
        ({"street": "Main Street"}, "/street", "unknown_field"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(changes: dict[str, Any], pointer: str, rule: str) -> None:
    assert wrong(**changes) == [(pointer, rule)]


def test_a_parcel_to_china_needs_the_province() -> None:
    assert wrong(CHINESE, region=None) == [("/region", "required")]
    assert address(region=None).region is None


@pytest.mark.parametrize(
    ("country", "region", "code"),
    [
        ("AE", None, None),
        ("HK", None, None),
        ("IE", None, "D02 AF30"),
        ("US", "CA", "94105-1234"),
        ("GB", None, "sw1a 1aa"),
        ("CA", "ON", "K1A 0B1"),
        ("NL", None, "1012 AB"),
        ("JP", "東京都", "100-0001"),
        ("BR", "SP", "01310-100"),
        ("TW", None, "106"),
    ],
)
def test_postal_codes_of_many_countries(country: str, region: str | None, code: str | None) -> None:
    read = address(country=country, region=region, postal_code=code)
    assert read.postal_code == (code.upper() if code else None)


@given(st.dictionaries(st.sampled_from(sorted(CHINESE)), st.text(max_size=130) | st.integers() | st.lists(st.text())))
def test_whatever_comes_it_is_an_address_or_refused_without_repeating_it(changes: dict[str, Any]) -> None:
    try:
        read = address(CHINESE, **changes)
    except ValidationFailed as refused:
        for place in refused.errors:
            assert place.pointer.split("/")[1] in CHINESE
            for language in LANGUAGES:
                assert place.params.keys() <= {"min", "max", "allowed"}
                assert "{" not in explain_field(place, language)
    else:
        assert not [character for character in read.model_dump_json() if ord(character) < 32]
