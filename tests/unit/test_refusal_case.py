"""References of cases: always the same for a shopper in a campaign, and readable by people."""

import re

import pytest

from brandday.domain.refusal_case import REFERENCE, read_reference, reference_of


def test_a_shopper_has_one_reference_per_campaign() -> None:
    ann = reference_of(b"key", "spring", "ann")
    assert ann == reference_of(b"key", "spring", "ann")
    others = [
        reference_of(b"key", "spring", "bob"),
        reference_of(b"key", "autumn", "ann"),
        reference_of(b"another key", "spring", "ann"),
    ]
    assert len({ann, *others}) == 4


def test_references_have_their_form_and_use_all_of_it() -> None:
    many = [reference_of(b"key", "spring", f"shopper-{number}") for number in range(2000)]
    assert all(re.fullmatch(REFERENCE, each) for each in many)
    assert len(set(many)) == len(many)
    for place in range(10):
        assert len({each[place] for each in many}) == 32


def test_a_reference_is_read_as_people_write_it() -> None:
    for number in range(200):
        reference = reference_of(b"key", "spring", f"shopper-{number}")
        said = reference.replace("0", "o").replace("1", "l")
        assert read_reference(reference) == reference
        assert read_reference(f" {said[:5].lower()}-{said[5:]} ") == reference
        assert read_reference(reference.replace("1", "I")) == reference


@pytest.mark.parametrize(
    "text", ["", "7Q2MX0KD9", "7Q2MX0KD933", "7Q2MX0KD9U", "7Q2MX0KD9\n", "7Q2MX0KD9\u0660", "-" * 10]
)
def test_what_cannot_be_a_reference_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="not a reference"):
        read_reference(text)
