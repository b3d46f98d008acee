"""Codes: what they are made of, how people may type them, and what it takes to make one that passes."""

import math
import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.domain.coupon_code import (
    ALPHABET,
    CODE_LENGTH,
    SECRET_BYTES,
    SECRET_LENGTH,
    CodeKeys,
    coupon_id,
    fold,
    is_ours,
    make_code,
    show,
)
from tests.unit.chi_squared import is_fair

KEYS = CodeKeys.from_secret(bytes(range(SECRET_BYTES)))
OTHERS = CodeKeys.from_secret(bytes(reversed(range(SECRET_BYTES))))
MANY = 20_000
CODES = [make_code(KEYS, "tea", f"job:spring.{number}") for number in range(MANY)]
CHECKS = 2 ** (5 * (CODE_LENGTH - SECRET_LENGTH))


def test_a_code_has_no_character_that_looks_like_another_one() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 32
    assert set("ILOU").isdisjoint(ALPHABET)
    assert {len(code) for code in CODES} == {CODE_LENGTH}
    assert set("".join(CODES)) == set(ALPHABET)


def test_a_code_has_more_than_60_secret_bits_of_which_each_character_carries_five() -> None:
    assert SECRET_LENGTH * math.log2(len(ALPHABET)) >= 60
    assert len({code[:SECRET_LENGTH] for code in CODES}) == MANY
    for place in range(CODE_LENGTH):
        counts = Counter(code[place] for code in CODES)
        assert is_fair([counts[character] for character in ALPHABET], [Fraction(1, 32)] * 32)


def test_neighbouring_sources_share_nothing() -> None:
    """About one of 32 places agrees by chance: a derived code tells nothing of the next one."""
    agree = sum(a == b for left, right in pairwise(CODES) for a, b in zip(left, right, strict=True))
    expected = (MANY - 1) * CODE_LENGTH / 32
    assert abs(agree - expected) < 4 * math.sqrt(expected)


def test_the_same_source_gives_the_same_code_and_any_other_another() -> None:
    code = make_code(KEYS, "tea", "claim:0.abc.1")

    assert make_code(KEYS, "tea", "claim:0.abc.1") == code
    assert code not in {
        make_code(KEYS, "tea", "claim:0.abc.2"),
        make_code(KEYS, "cup", "claim:0.abc.1"),
        make_code(OTHERS, "tea", "claim:0.abc.1"),
    }


def test_each_purpose_has_a_key_of_its_own_and_none_is_printed() -> None:
    keys = {KEYS.code, KEYS.check, KEYS.ids, KEYS.qr}

    assert len(keys) == 4
    assert not keys & {OTHERS.code, OTHERS.check, OTHERS.ids, OTHERS.qr}
    assert repr(KEYS) == "CodeKeys()"


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        CodeKeys.from_secret(bytes(length))


@given(st.sampled_from(CODES), st.randoms(use_true_random=False))
def test_however_people_type_a_code_it_is_the_same_one(code: str, chance: random.Random) -> None:
    typed = show(code)
    for clear, seen in (("0", "oO0"), ("1", "iIlL1")):
        typed = "".join(chance.choice(seen) if character == clear else character for character in typed)
    typed = "".join(chance.choice((character.lower(), character)) for character in typed)
    typed = typed.replace("-", chance.choice(("", "-", " ", " - ")))
    full_width = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and chance.random() < 0.2 else c for c in typed)

    assert fold(f" {full_width} ") == code
    assert is_ours(KEYS, fold(full_width))


@given(st.text())
def test_any_text_can_be_folded_once_and_for_all(text: str) -> None:
    folded = fold(text)

    assert fold(folded) == folded
    assert not is_ours(KEYS, folded)


def test_a_code_is_shown_in_groups_of_four_and_a_word_as_it_is() -> None:
    assert show("0123456789ABCDEF") == "0123-4567-89AB-CDEF"
    assert show("D0UB1E11") == "D0UB1E11"
    assert show("D0UB1E11D0UB1E11") == "D0UB1E11D0UB1E11"  # has a U, so it is none of ours


def test_every_code_is_recognised_with_its_own_keys_only() -> None:
    assert all(is_ours(KEYS, code) for code in CODES)
    assert sum(is_ours(OTHERS, code) for code in CODES) < 10  # 0.6 are to be expected


def test_one_wrong_character_is_no_code() -> None:
    """A typing error is caught without any look-up; of 31 wrong characters in each place all but one in a thousand."""
    wrong = [
        code[:place] + other + code[place + 1 :]
        for code in CODES[:20]
        for place in range(CODE_LENGTH)
        for other in ALPHABET
        if other != code[place]
    ]
    passing = sum(is_ours(KEYS, code) for code in wrong)

    assert passing <= len(wrong) / 1000
    assert not any(is_ours(KEYS, code) for code in (CODES[0][:-1], CODES[0] + "0", "", CODES[0].lower()))


def test_two_neighbours_exchanged_are_no_code() -> None:
    swapped = [
        code[:at] + code[at + 1] + code[at] + code[at + 2 :]
        for code in CODES[:100]
        for at in range(CODE_LENGTH - 1)
        if code[at] != code[at + 1]
    ]

    assert sum(is_ours(KEYS, code) for code in swapped) <= len(swapped) / 100


def test_who_lacks_the_key_of_the_check_characters_makes_one_passing_code_in_32_768() -> None:
    """Even with everything else known: `attacker` has the right key of codes."""
    attacker = replace(OTHERS, code=KEYS.code)
    passing = sum(is_ours(KEYS, make_code(attacker, "cup", str(number))) for number in range(CHECKS))

    assert passing <= 6  # one is to be expected


def test_with_check_characters_that_anybody_can_compute_every_guess_would_pass() -> None:
    """The negative control: an unkeyed checksum is one whose key everybody has."""
    attacker = replace(OTHERS, check=KEYS.check)

    assert all(is_ours(KEYS, make_code(attacker, "cup", str(number))) for number in range(1000))


def test_an_id_follows_from_the_code_and_does_not_give_it() -> None:
    ids = [coupon_id(KEYS, code) for code in CODES]

    assert len(set(ids)) == MANY
    assert {len(each) for each in ids} == {len("cpn_") + 20}
    assert all(each.startswith("cpn_") for each in ids)
    assert coupon_id(KEYS, CODES[0]) == ids[0] != coupon_id(OTHERS, CODES[0])
