"""A challenge's solution says when it was posed, to the shopper and campaign it was posed to, while it is good."""

import base64
import json
from typing import Any

import altcha
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.challenges import CHALLENGERS, WAIT, binding_of, challenger, solved_at
from brandday.domain.entry_ticket import key_id
from brandday.domain.protection import Ask, ChallengeTerms
from brandday.domain.times import from_rfc3339

KEY, OLD_KEY = b"k" * 32, b"o" * 32
KEYS = {key_id(key): key for key in (KEY, OLD_KEY)}
EASY = 2
TERMS = ChallengeTerms("altcha", Ask.ALWAYS, EASY, valid_ms=300_000, wait_ms=60_000)
POSED_AT = 1_790_000_000_123
BINDING = binding_of("hero-drop", "shopper-1")
KINDS = ("altcha", "wait")
GOOD_FROM = {"altcha": POSED_AT, "wait": POSED_AT + TERMS.wait_ms}


def pose(kind: str, *, key: bytes = KEY, binding: str = BINDING, difficulty: int = EASY) -> dict[str, Any]:
    posed = challenger(kind).pose(key_id(key), key, binding, TERMS, difficulty, POSED_AT)
    on_the_wire: dict[str, Any] = json.loads(json.dumps(posed))
    return on_the_wire


def solve(posed: dict[str, Any]) -> str:
    """As a widget does it, or somebody who waits."""
    if posed.get("kind") == "wait":
        return str(posed["solution"])
    challenge = altcha.Challenge.from_dict(posed)
    solution = altcha.solve_challenge(challenge, timeout=5)
    assert solution is not None
    return altcha.Payload(challenge, solution).to_base64()


def refusal(solution: str, *, now: int, binding: str = BINDING, kind: str = "altcha") -> str:
    with pytest.raises(ValueError, match=r"^(wrong|early|expired)$") as caught:
        solved_at(kind, KEYS.get, binding, solution, now)
    return str(caught.value)


@pytest.mark.parametrize("key", [KEY, OLD_KEY], ids=["current", "previous"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_solution_says_when_its_challenge_was_posed(kind: str, key: bytes) -> None:
    solution = solve(pose(kind, key=key))

    assert solved_at("altcha", KEYS.get, BINDING, solution, GOOD_FROM[kind]) == POSED_AT
    assert solved_at("altcha", KEYS.get, BINDING, solution, POSED_AT + TERMS.valid_ms - 1) == POSED_AT
    assert refusal(solution, now=POSED_AT + TERMS.valid_ms) == "expired"


@pytest.mark.parametrize("kind", KINDS)
def test_a_solution_is_good_for_no_other_shopper_campaign_or_key(kind: str) -> None:
    solution = solve(pose(kind))
    now = GOOD_FROM[kind]

    for binding in (binding_of("hero-drop", "shopper-2"), binding_of("other-drop", "shopper-1")):
        assert refusal(solution, now=now, binding=binding) == "wrong"
    assert refusal(solve(pose(kind, key=b"x" * 32)), now=now) == "wrong"


def test_who_waits_has_to_wait() -> None:
    posed = pose("wait")

    assert from_rfc3339(posed["good_from"]) <= GOOD_FROM["wait"] < from_rfc3339(posed["good_from"]) + 1000
    assert refusal(posed["solution"], now=GOOD_FROM["wait"] - 1) == "early"


@given(st.data())
def test_a_token_of_waiting_with_one_bit_changed_is_wrong(data: st.DataObject) -> None:
    raw = bytearray(WAIT.pose(key_id(KEY), KEY, BINDING, TERMS, 1, POSED_AT)["solution"].encode())
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8

    assert refusal(raw.decode("latin-1"), now=GOOD_FROM["wait"]) == "wrong"


def test_a_challenge_is_what_the_widget_takes() -> None:
    posed = pose("altcha")

    assert posed.keys() == {"parameters", "signature"}  # `challenge` would be version 1, `his` ask for more
    assert {"algorithm", "nonce", "salt", "keyPrefix", "cost", "keyLength"} <= posed["parameters"].keys()
    assert posed["parameters"]["expiresAt"] == (POSED_AT + TERMS.valid_ms) // 1000
    assert "shopper" not in json.dumps(posed)


@pytest.mark.parametrize("field", ["cost", "keyPrefix", "keySignature", "nonce", "salt", "data", "algorithm", "more"])
def test_nobody_makes_their_challenge_easier_or_younger(field: str) -> None:
    easier: dict[str, Any] = {
        "cost": 1,
        "keyPrefix": "",
        "keySignature": None,
        "nonce": "00",
        "salt": "00",
        "data": {"key": key_id(KEY), "posed_at": POSED_AT + 1000, "expires_at": POSED_AT + 10**9},
        "algorithm": "SHA-256",
    }
    payload = json.loads(base64.b64decode(solve(pose("altcha"))))
    payload["challenge"]["parameters"][field] = easier.get(field, 1)
    changed = base64.b64encode(json.dumps(payload).encode()).decode()

    if field == "more":  # what the library does not know it does not read
        assert solved_at("altcha", KEYS.get, BINDING, changed, POSED_AT) == POSED_AT
    else:
        assert refusal(changed, now=POSED_AT) == "wrong"


def test_a_challenge_without_its_signature_is_wrong() -> None:
    payload = json.loads(base64.b64decode(solve(pose("altcha"))))
    for signature in (None, "", "00" * 32):
        payload["challenge"]["signature"] = signature
        assert refusal(base64.b64encode(json.dumps(payload).encode()).decode(), now=POSED_AT) == "wrong"


def test_a_challenge_that_was_not_solved_is_wrong() -> None:
    challenge = altcha.Challenge.from_dict(pose("altcha", difficulty=1000))
    guessed = altcha.Payload(challenge, altcha.Solution(0, "00" * 32)).to_base64()

    assert refusal(guessed, now=POSED_AT) == "wrong"


def test_what_the_widget_shows_as_the_end_changes_nothing() -> None:
    payload = json.loads(base64.b64decode(solve(pose("altcha"))))
    payload["challenge"]["parameters"]["expiresAt"] = 9_999_999_999
    solution = base64.b64encode(json.dumps(payload).encode()).decode()

    assert solved_at("altcha", KEYS.get, BINDING, solution, POSED_AT) == POSED_AT
    assert refusal(solution, now=POSED_AT + TERMS.valid_ms) == "expired"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["challenge", "solution", "parameters", "data", "key", "signature", "counter", "derivedKey"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@given(anything)
def test_nothing_that_is_sent_instead_makes_the_check_fail(sent: object) -> None:
    assert refusal(base64.b64encode(json.dumps(sent).encode()).decode(), now=POSED_AT) == "wrong"


@given(st.text(max_size=60))
def test_no_text_makes_the_check_fail(text: str) -> None:
    for prefix in ("", "ey", "wait_"):
        assert refusal(prefix + text, now=POSED_AT) == "wrong"


def test_a_campaign_chooses_a_kind_and_everybody_may_wait_instead() -> None:
    assert list(CHALLENGERS) == ["altcha"]
    assert challenger("wait") is WAIT
    assert all(challenger(name).name == name for name in CHALLENGERS)


def test_the_work_is_what_was_asked_for() -> None:
    counters = []
    for _ in range(40):
        solution = altcha.solve_challenge(altcha.Challenge.from_dict(pose("altcha", difficulty=20)), timeout=5)
        assert solution is not None
        counters.append(solution.counter)

    assert max(counters) < 40
    assert 10 < sum(counters) / len(counters) < 30  # 20 on average: 5.5 standard errors either way
