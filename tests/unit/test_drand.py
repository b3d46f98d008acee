"""drand: a round counts if the chain has signed it, and nothing else ever does."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brandday.adapters.drand_beacon import RELAYS, DrandBeacon, is_signed
from brandday.connectors.port import HttpAnswer, NoAnswer
from brandday.domain.beacon import CHAIN, GENESIS_MS, PERIOD_MS, out_at, round_at
from brandday.domain.lottery import Beacon
from brandday.domain.receipt import Randomness
from brandday.usecases.draw_ports import RoundMissing

ROUND = 1000
SIGNATURE = bytes.fromhex(
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
)
RANDOMNESS = bytes.fromhex("fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd")
"""Round 1000 of quicknet as published: https://api.drand.sh/52db9ba7.../public/1000"""
INFINITY = bytes([0xC0]) + bytes(47)


def answer(status: int = 200, **fields: Any) -> HttpAnswer:
    """What a relay says of round 1000, but for some fields."""
    document = {"round": ROUND, "randomness": RANDOMNESS.hex(), "signature": SIGNATURE.hex()} | fields
    return HttpAnswer(status, {}, json.dumps({name: of for name, of in document.items() if of is not None}))


class Relays:
    """Relays that answer one after the other what they are told; whoever has nothing to say is down."""

    def __init__(self, *answers: HttpAnswer | None) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, url: str, timeout_ms: int) -> HttpAnswer:
        assert 0 < timeout_ms <= 3000
        self.asked.append(url)
        said = self.answers.pop(0) if self.answers else None
        if said is None:
            raise NoAnswer("time-out")
        return said


def test_a_published_round_is_signed_by_the_chain_and_its_randomness_is_the_hash_of_it() -> None:
    assert hashlib.sha256(SIGNATURE).digest() == RANDOMNESS
    assert is_signed(ROUND, SIGNATURE)


@pytest.mark.parametrize(
    ("number", "signature"),
    [
        pytest.param(ROUND + 1, SIGNATURE, id="of another round"),
        pytest.param(ROUND - 1, SIGNATURE, id="of the round before"),
        pytest.param(ROUND, INFINITY, id="the point at infinity"),
        pytest.param(ROUND, bytes([SIGNATURE[0] ^ 0x20]) + SIGNATURE[1:], id="the other point of the same x"),
        pytest.param(ROUND, b"", id="nothing"),
        pytest.param(ROUND, SIGNATURE[:-1], id="too short"),
        pytest.param(ROUND, SIGNATURE + b"\0", id="too long"),
        pytest.param(ROUND, bytes(48), id="no compressed point"),
        pytest.param(ROUND, b"\xff" * 48, id="no number of the field"),
    ],
)
def test_what_the_chain_has_not_signed_is_no_round(number: int, signature: bytes) -> None:
    assert not is_signed(number, signature)


def test_any_flipped_bit_makes_it_another_signature() -> None:
    for bit in range(len(SIGNATURE) * 8):
        flipped = bytearray(SIGNATURE)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not is_signed(ROUND, bytes(flipped))


def test_a_round_is_fetched_from_the_first_relay() -> None:
    relays = Relays(answer())
    assert DrandBeacon(relays).fetch(Beacon(CHAIN, ROUND)) == Randomness(RANDOMNESS, SIGNATURE)
    assert relays.asked == [f"https://api.drand.sh/{CHAIN}/public/1000"]


WRONG: list[tuple[str, Callable[[], HttpAnswer | None]]] = [
    ("time-out", lambda: None),
    ("status 404", lambda: answer(404)),
    ("status 425", lambda: answer(425)),
    ("another round", lambda: answer(round=ROUND + 1)),
    ("another round", lambda: answer(round=None)),
    ("another round", lambda: HttpAnswer(200, {}, "[]")),
    ("Expecting value", lambda: HttpAnswer(200, {}, "<html>")),
    ("not the chain's", lambda: answer(signature=INFINITY.hex(), randomness=None)),
    ("not the chain's", lambda: answer(signature="", randomness=None)),
    ("non-hexadecimal", lambda: answer(signature=None)),
    ("not the signature's", lambda: answer(randomness="00" * 32)),
]


@pytest.mark.parametrize(("says", "said"), WRONG, ids=[f"{at}: {says}" for at, (says, _) in enumerate(WRONG)])
def test_a_relay_that_is_down_or_lies_is_passed_over(says: str, said: Callable[[], HttpAnswer | None]) -> None:
    assert DrandBeacon(Relays(said(), answer())).fetch(Beacon(CHAIN, ROUND)).value == RANDOMNESS
    lying = Relays(*(said() for _ in RELAYS))
    with pytest.raises(RoundMissing, match=says):
        DrandBeacon(lying).fetch(Beacon(CHAIN, ROUND))
    assert len(lying.asked) == len(RELAYS) > 2


def test_a_round_of_another_chain_is_not_even_asked_for() -> None:
    relays, other = Relays(answer()), "8990e7a9aaed2ffed73dbd7092123d6f289930540d7651336225dc172e51b2ce"
    with pytest.raises(RoundMissing, match="none that we can verify"):
        DrandBeacon(relays).fetch(Beacon(other, ROUND))
    assert relays.asked == []
    assert not DrandBeacon(relays).is_genuine(Beacon(other, ROUND), Randomness(RANDOMNESS, SIGNATURE))


def test_a_stored_round_is_genuine_or_not() -> None:
    beacon = DrandBeacon(Relays())
    assert beacon.is_genuine(Beacon(CHAIN, ROUND), Randomness(RANDOMNESS, SIGNATURE))
    assert not beacon.is_genuine(Beacon(CHAIN, ROUND), Randomness(bytes(32), SIGNATURE))
    assert not beacon.is_genuine(Beacon(CHAIN, ROUND + 1), Randomness(RANDOMNESS, SIGNATURE))


@pytest.mark.parametrize("after_ms", [0, 1, PERIOD_MS - 1, PERIOD_MS, PERIOD_MS + 1])
def test_the_round_of_a_draw_is_the_first_that_nobody_knows_before_it(after_ms: int) -> None:
    at = GENESIS_MS + 999 * PERIOD_MS + after_ms
    chosen = round_at(at)
    assert chosen.chain == CHAIN
    assert out_at(chosen) >= at
    assert out_at(Beacon(CHAIN, chosen.round - 1)) < at
    assert (chosen.round == ROUND) == (after_ms == 0)


def test_no_setting_of_a_deployment_leads_to_another_beacon() -> None:
    """Chain, key and relays are constants: neither the environment nor the template has a word for them."""
    root = Path(__file__).parents[2]
    settings = (root / "layers/core/brandday/config/settings.py").read_text().lower()
    variables = (root / "template.yaml").read_text().split("Variables:")[1].split("Resources:")[0].lower()
    for word in ("drand", "beacon", "relay"):
        assert word not in settings
        assert word not in variables
    assert "DrandBeacon(HttpPost().get)" in (root / "layers/core/brandday/bootstrap/lottery_functions.py").read_text()
    assert all(relay.startswith("https://") for relay in RELAYS)
