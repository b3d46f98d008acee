"""A reservation's id leads to its claim, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.domain.layout import home_shard
from brandday.domain.reservation_id import parse_reservation_id, reservation_id
from brandday.domain.shard import Entry
from brandday.domain.stock import Claim, ClaimRef

names = st.text("ABCXYZabcxyz0189-_", min_size=12, max_size=12)
campaigns = st.from_regex(r"[a-z0-9][a-z0-9-]{2,39}", fullmatch=True)


@given(campaigns, names, st.integers(0, 33_333), st.integers(0, 36**8 - 1))
def test_an_id_leads_back_to_its_claim(campaign: str, name: str, shard: int, attempt: int) -> None:
    text = reservation_id(campaign, name, Claim(shard, Entry("h", "0", 1, attempt, "tagtag")))

    assert parse_reservation_id(text) == (campaign, ClaimRef(shard, name, attempt))


@given(st.text(max_size=120))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    assert parse_reservation_id(text) is None or text.startswith("rsv_")
    assert parse_reservation_id("rsv_" + text) is None or text.count(".") == 3


@given(names)
def test_a_name_that_can_be_in_an_id_has_a_home(name: str) -> None:
    assert 0 <= home_shard(name, 34) < 34


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rsv_",
        "sale.0.abcdefghijkl.mrc9khs0",
        "rsv_sale.0.abcdefghijkl",
        "rsv_.0.abcdefghijkl.mrc9khs0",
        "rsv_sale.-1.abcdefghijkl.mrc9khs0",
        "rsv_sale.00.abcdefghijkl.mrc9khs0",
        "rsv_sale.٣.abcdefghijkl.mrc9khs0",
        "rsv_sale.1e3.abcdefghijkl.mrc9khs0",
        "rsv_sale.9999999999.abcdefghijkl.mrc9khs0",
        "rsv_sale.0.abcdefghijk.mrc9khs0",
        "rsv_sale.0.abcdefghijk!.mrc9khs0",
        "rsv_sale.0.abcdefghijkl.MRC9KHS0",
        "rsv_sale.0.abcdefghijkl.mrc9khs",
        "rsv_sale.0.abcdefghijkl.mrc9khs0 ",
        "rsv_sale.0.abcdefghijkl.mrc9khs0.x",
        "rsv_" + "s" * 200 + ".0.abcdefghijkl.mrc9khs0",
    ],
)
def test_what_we_never_gave_out_is_no_id(text: str) -> None:
    assert parse_reservation_id(text) is None
