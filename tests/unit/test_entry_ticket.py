"""A ticket is good for one shopper, one campaign and a short while; whatever else is wrong about it, it is `wrong`."""

import base64

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from brandday.domain.entry_ticket import key_id, make_ticket, read_ticket

KEY, OLD_KEY = b"k" * 32, b"o" * 32
KEYS = {key_id(key): key for key in (KEY, OLD_KEY)}
CAMPAIGN, SHOPPER = "hero-drop", "shopper-1"
PASSED_AT = 1_790_000_000_000
EXPIRES_AT = PASSED_AT + 600_000
NOW = PASSED_AT + 1000
TICKET = make_ticket(key_id(KEY), KEY, CAMPAIGN, SHOPPER, PASSED_AT, EXPIRES_AT, "n0nce")

times = st.integers(0, 36**9)
campaigns = st.from_regex(r"[a-z0-9][a-z0-9-]{2,39}", fullmatch=True)
shoppers = st.text(min_size=1, max_size=255)


def read(text: str, *, campaign: str = CAMPAIGN, shopper: str = SHOPPER, now: int = NOW) -> int:
    return read_ticket(KEYS.get, campaign, shopper, text, now)


def refusal(text: str, *, campaign: str = CAMPAIGN, shopper: str = SHOPPER, now: int = NOW) -> str:
    with pytest.raises(ValueError, match=r"^(wrong|expired)$") as caught:
        read(text, campaign=campaign, shopper=shopper, now=now)
    return str(caught.value)


@given(campaigns, shoppers, times, st.integers(1, 36**6))
def test_a_ticket_says_when_its_shopper_passed_the_desk(campaign: str, shopper: str, at: int, valid_ms: int) -> None:
    ticket = make_ticket(key_id(KEY), KEY, campaign, shopper, at, at + valid_ms, "n")

    assert read(ticket, campaign=campaign, shopper=shopper, now=at + valid_ms - 1) == at
    assert refusal(ticket, campaign=campaign, shopper=shopper, now=at + valid_ms) == "expired"


@given(st.integers(0, len(TICKET) * 8 - 1))
@example(0)
def test_a_ticket_with_one_bit_changed_is_wrong(bit: int) -> None:
    raw = bytearray(TICKET.encode())
    raw[bit // 8] ^= 1 << bit % 8

    assert refusal(raw.decode("latin-1")) == "wrong"


@given(st.data())
def test_a_ticket_that_was_cut_lengthened_or_changed_is_wrong(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TICKET)))
    until = data.draw(st.integers(at, len(TICKET)))
    changed = TICKET[:at] + data.draw(st.text(max_size=5)) + TICKET[until:]
    assume(changed != TICKET)

    assert refusal(changed) == "wrong"


@given(st.text(max_size=150))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    assert refusal(text) == "wrong"
    assert refusal(f"tkt_{text}") == "wrong"


@given(campaigns, shoppers)
def test_a_ticket_is_good_for_no_other_campaign_and_no_other_shopper(campaign: str, shopper: str) -> None:
    assume((campaign, shopper) != (CAMPAIGN, SHOPPER))

    assert refusal(TICKET, campaign=campaign, shopper=shopper) == "wrong"
    assert refusal(TICKET, campaign=campaign, shopper=shopper, now=EXPIRES_AT) == "wrong"  # nor does it say more later


@given(st.text("ab\0", min_size=1, max_size=8), st.text("ab\0", min_size=1, max_size=8))
def test_campaign_and_shopper_cannot_be_traded_for_each_other(one: str, other: str) -> None:
    assume(one != other)
    ticket = make_ticket(key_id(KEY), KEY, "sale", one, PASSED_AT, EXPIRES_AT, "n")

    assert refusal(ticket, campaign="sale", shopper=other) == "wrong"


def test_every_key_that_is_known_is_good_and_no_other() -> None:
    before = make_ticket(key_id(OLD_KEY), OLD_KEY, CAMPAIGN, SHOPPER, PASSED_AT, EXPIRES_AT, "n")
    stranger = make_ticket(key_id(b"x" * 32), b"x" * 32, CAMPAIGN, SHOPPER, PASSED_AT, EXPIRES_AT, "n")
    under_another_name = make_ticket(key_id(KEY), OLD_KEY, CAMPAIGN, SHOPPER, PASSED_AT, EXPIRES_AT, "n")

    assert read(before) == PASSED_AT
    assert refusal(stranger) == "wrong"
    assert refusal(under_another_name) == "wrong"


def test_a_ticket_shows_nothing_of_the_shopper_the_campaign_or_the_key() -> None:
    assert SHOPPER not in TICKET
    assert CAMPAIGN not in TICKET
    assert base64.urlsafe_b64encode(KEY).decode()[:8] not in TICKET
    assert len(TICKET) < 90


def test_two_tickets_of_one_moment_differ() -> None:
    assert make_ticket(key_id(KEY), KEY, CAMPAIGN, SHOPPER, PASSED_AT, EXPIRES_AT, "m") != TICKET
