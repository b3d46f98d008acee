"""A reward's id leads to the reward, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.domain.reward_id import parse_reward_id, reward_id

names = st.text("ABCXYZabcxyz0189-_", min_size=12, max_size=12)
campaigns = st.from_regex(r"[a-z0-9][a-z0-9-]{2,39}", fullmatch=True)
moments = st.integers(0, 36**8 - 1)


@given(names, moments, campaigns)
def test_an_id_leads_back_to_what_it_was_made_of(owner: str, at: int, campaign: str) -> None:
    assert parse_reward_id(reward_id(owner, at, campaign)) == (owner, at, campaign)


@given(st.lists(moments, min_size=2, max_size=2, unique=True))
def test_ids_of_one_shopper_sort_as_their_moments_do(pair: list[int]) -> None:
    first, second = sorted(pair)
    assert reward_id("abcdefghijkl", first, "sale") < reward_id("abcdefghijkl", second, "sale")


@given(st.text(max_size=120))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    for each in (text, "rwd_" + text):
        parsed = parse_reward_id(each)
        assert parsed is None or reward_id(*parsed) == each


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rwd_",
        "rsv_abcdefghijkl.mrc9khs0.sale",
        "rwd_abcdefghijkl.mrc9khs0",
        "rwd_abcdefghijkl.mrc9khs0.",
        "rwd_abcdefghijk.mrc9khs0.sale",
        "rwd_abcdefghijk#.mrc9khs0.sale",
        "rwd_abcdefghijkl.MRC9KHS0.sale",
        "rwd_abcdefghijkl.mrc9khs.sale",
        "rwd_abcdefghijkl.mrc9khs0.Sale",
        "rwd_abcdefghijkl.mrc9khs0.sale.2",
        "rwd_abcdefghijkl.mrc9khs0.sale\n",
        "rwd_abcdefghijkl.mrc9khs٣.sale",
        "rwd_abcdefghijkl.mrc9khs0." + "s" * 41,
    ],
)
def test_what_we_never_gave_out_is_no_id(text: str) -> None:
    assert parse_reward_id(text) is None
