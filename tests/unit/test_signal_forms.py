"""Another spelling is not another mailbox, number or network, and two of them are never one."""

import ipaddress
import re
from string import ascii_lowercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.adapters.phone_number import to_e164
from brandday.domain.email_address import fold
from brandday.domain.ip_network import network_of
from brandday.domain.signal_forms import MAX_LENGTH, normal_form
from brandday.domain.signals import SignalKind, mark_of

NAMES = st.text(ascii_lowercase + digits, min_size=1, max_size=20)
TAGS = st.text(ascii_lowercase + digits + "+-_", max_size=20)
DOMAINS = st.sampled_from(["example.com", "mail.example.co.uk", "qq.com", "163.com", "xn--bcher-kva.example"])


def wide(text: str) -> str:
    """The same in the wide letters that keyboards of East Asia have."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


def in_some_case(draw: st.DrawFn, text: str) -> str:
    return "".join(letter.upper() if draw(st.booleans()) else letter for letter in text)


@st.composite
def aliases(draw: st.DrawFn, name: str, domain: str) -> str:
    """One of the ways to write a mailbox that is not at Gmail."""
    tag = f"+{draw(TAGS)}" if draw(st.booleans()) else ""
    spaces = " " * draw(st.integers(0, 2))
    return f"{spaces}{in_some_case(draw, f'{name}{tag}@{domain}')}{'.' * draw(st.integers(0, 1))}{spaces}"


@st.composite
def gmail_aliases(draw: st.DrawFn, name: str) -> str:
    """One of the ways to write a mailbox at Gmail."""
    dotted = name[0] + "".join(draw(st.sampled_from(["", "."])) + letter for letter in name[1:])
    return draw(aliases(dotted, draw(st.sampled_from(["gmail.com", "googlemail.com"]))))


@given(st.data(), NAMES, DOMAINS)
def test_all_aliases_of_a_mailbox_fold_together(data: st.DataObject, name: str, domain: str) -> None:
    written = [data.draw(aliases(name, domain)) for _ in range(3)]
    assert {fold(one) for one in written} == {f"{name}@{domain}"}


@given(st.data(), NAMES)
def test_dots_do_not_matter_at_gmail(data: st.DataObject, name: str) -> None:
    assert fold(data.draw(gmail_aliases(name))) == f"{name}@gmail.com"


@given(st.data(), st.lists(st.tuples(NAMES, DOMAINS), min_size=2, max_size=2, unique=True))
def test_different_mailboxes_never_fold_together(data: st.DataObject, boxes: list[tuple[str, str]]) -> None:
    first, second = (fold(data.draw(aliases(*box))) for box in boxes)
    assert None not in (first, second)
    assert first != second


def test_dots_matter_everywhere_else() -> None:
    assert fold("a.b@example.com") != fold("ab@example.com")
    # Whoever drops dots everywhere makes one of two people:
    assert "a.b@example.com".replace(".", "") == "ab@example.com".replace(".", "")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        (wide("Anna@example.com"), "anna@example.com"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("ANNA@BÜCHER.EXAMPLE", "anna@xn--bcher-kva.example"),
        ("zoë@example.com", "zoë@example.com"),
        ("zoe\u0308@example.com", "zoë@example.com"),
        ("a.+x@gmail.com", "a@gmail.com"),
    ],
)
def test_encodings_of_the_same_letters_are_alike(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "@example.com",
        "+tag@example.com",
        "...@gmail.com",
        "anna@localhost",
        "anna@exa mple.com",
        "an na@example.com",
        "an\x00na@example.com",
        "anna@@example.com",
        "anna@example..com",
        "anna@-example.com",
        "anna@example.com, bob@example.com",
        '"anna b"@example.com',
        "\ud800@example.com",
        "anna@\ud800.com",
        f"{'a' * 65}@example.com",
        f"a@{'b' * 250}.com",
        f"a@{'b' * 64}.com",
        f"a@{'ü' * 64}.com",
    ],
)
def test_what_is_no_mailbox_is_none(text: str) -> None:
    assert fold(text) is None


@given(st.text(max_size=300))
def test_anything_at_all_has_a_form_or_none(text: str) -> None:
    for kind in set(SignalKind) - {SignalKind.PHONE}:
        normal = normal_form(kind, text)
        assert normal is None or mark_of(b"key", kind, normal)
    assert re.fullmatch(r"\+[0-9]{3,17}", to_e164(text, "CN") or "+000")


# --- telephone numbers ---

_FORMATS = ["+86{0}{1}{2}", "+86 {0} {1} {2}", "0086-{0}-{1}-{2}", "(+86) {0}-{1}{2}", "{0} {1} {2}", "{0}-{1}-{2}"]


@given(st.integers(130, 199), st.integers(0, 9999), st.integers(0, 9999), st.sampled_from(_FORMATS))
def test_a_mobile_number_is_one_however_it_is_written(first: int, second: int, third: int, written: str) -> None:
    parts = f"{first}", f"{second:04d}", f"{third:04d}"
    assert to_e164(written.format(*parts), "CN") == "+86" + "".join(parts)


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+49 (0)30 123456", "", "+4930123456"),
        ("030 / 12 34 56", "de", "+4930123456"),
        ("tel:+49-30-123456", "CN", "+4930123456"),
        ("+49 30 123456 ext. 9", "", "+4930123456"),
        ("+39 06 1234567", "", "+39061234567"),
        (wide("13800138000"), "CN", "+8613800138000"),
        ("138 0013 8000", "", None),
        ("138 0013 8000", "east", None),
        ("+999 123456789", "", None),
        ("+86", "CN", None),
        ("12", "CN", None),
        ("not a number", "CN", None),
        ("+86 138 0013 8000" + " " * 60, "", None),
        ("", "CN", None),
    ],
)
def test_a_number_is_international_or_none(text: str, region: str, number: str | None) -> None:
    assert to_e164(text, region) == number


# --- networks ---


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_ipv4_addresses_share_a_network_if_their_first_three_numbers_are_alike(
    one: ipaddress.IPv4Address, other: ipaddress.IPv4Address
) -> None:
    alike = str(one).rpartition(".")[0] == str(other).rpartition(".")[0]
    assert (network_of(str(one)) == network_of(str(other))) is alike
    assert network_of(str(one)) == network_of(str(one).rpartition(".")[0] + ".0")


@given(st.ip_addresses(v=6), st.integers(0, 2**72 - 1))
def test_an_ipv6_household_is_one_network(address: ipaddress.IPv6Address, machine: int) -> None:
    other = ipaddress.IPv6Address(int(address) >> 72 << 72 | machine)
    neighbour = ipaddress.IPv6Address(int(address) ^ 1 << 72)
    if address.ipv4_mapped or other.ipv4_mapped or neighbour.ipv4_mapped:
        return
    assert network_of(str(address)) == network_of(other.exploded.upper()) != network_of(str(neighbour))


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_the_ipv4_address(address: ipaddress.IPv4Address) -> None:
    assert network_of(f"::ffff:{address}") == network_of(str(address))
    # Whoever takes the first 56 bits of it makes one network of all of IPv4:
    assert ipaddress.ip_network((f"::ffff:{address}", 56), strict=False) == ipaddress.ip_network("::/56")


def test_the_scope_of_an_address_is_not_part_of_it() -> None:
    assert network_of("fe80::1%eth0") == network_of("fe80::1")


@pytest.mark.parametrize("text", ["", "unknown", "203.0.113", "203.0.113.7:443", "203.0.113.007", "203.0.113.0/24"])
def test_what_is_no_address_has_no_network(text: str) -> None:
    assert network_of(text) is None


# --- the others ---


def test_a_delivery_address_is_its_words() -> None:
    spellings = ["Hauptstr. 5\n10115  BERLIN", "hauptstr 5, 10115 Berlin", " Hauptstr. 5 / 10115 Berlin."]
    assert {normal_form(SignalKind.ADDRESS, text) for text in spellings} == {"hauptstr 5 10115 berlin"}
    assert normal_form(SignalKind.ADDRESS, "Hauptstr. 6, 10115 Berlin") != "hauptstr 5 10115 berlin"
    assert normal_form(SignalKind.ADDRESS, "北京市 朝阳区\uff0c5号") == "北京市 朝阳区 5号"
    assert normal_form(SignalKind.ADDRESS, " -- ") is None


def test_names_that_others_have_made_up_stay_as_they_are() -> None:
    assert normal_form(SignalKind.DEVICE, " aB-3 ") == "aB-3"
    assert normal_form(SignalKind.DEVICE, "a\x00b") is None
    assert normal_form(SignalKind.PAYMENT, " ") is None
    assert normal_form(SignalKind.DEVICE, "x" * (MAX_LENGTH + 1)) is None


def test_a_value_has_another_mark_as_another_kind_and_under_another_key() -> None:
    marks = {
        mark_of(b"one", SignalKind.DEVICE, "x"),
        mark_of(b"one", SignalKind.PAYMENT, "x"),
        mark_of(b"two", SignalKind.DEVICE, "x"),
    }
    assert len(marks) == 3
