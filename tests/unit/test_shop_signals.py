"""What the shop has signed about a visit is believed, and nothing else is; nothing of it is ever shown."""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from brandday.adapters.phone_number import to_e164
from brandday.adapters.shop_signals import MAX_LENGTH, SignedShopSignals
from brandday.connectors.port import SecretMissing, SecretUnreadable
from brandday.domain.campaign import Shopper
from brandday.domain.errors import ShopSignalsInvalid, TemporarilyOverloaded
from brandday.domain.signals import SignalKind, Signals, mark_of
from brandday.domain.visit import Visit
from brandday.usecases.read_signals import Marker, ReadSignals

NOW = 1_794_153_600_000
SECONDS = NOW // 1000
NEW = b"n" * 64
OLD = b"o" * 64
KEY = b"the mark key"
ANNA = Shopper("anna")


class Live:
    """The live values of one secret, or what comes of reading it."""

    def __init__(self, values: Sequence[bytes] | Exception = (NEW, OLD)) -> None:
        self.values = values
        self.asked = 0

    def get(self, name: str) -> Sequence[bytes]:
        assert name == "shop"
        self.asked += 1
        if isinstance(self.values, Exception):
            raise self.values
        return self.values


def reader(secrets: Live | None = None, name: str = "shop") -> ReadSignals:
    signed = SignedShopSignals(secrets or Live(), name, lambda: NOW)
    return ReadSignals(Marker(lambda: KEY, to_e164), signed)


def claims(**of: object) -> dict[str, Any]:
    said = {"sub": "anna", "aud": "brandday-signals", "exp": SECONDS + 300, "device": "d-1"} | of
    return {name: value for name, value in said.items() if value is not ...}


def signed(key: bytes = NEW, headers: dict[str, Any] | None = None, **of: object) -> str:
    return jwt.encode(claims(**of), key, algorithm="HS256", headers=headers)


def read(header: str, secrets: Live | None = None, **token: str) -> Signals:
    return reader(secrets)(ANNA, Visit("203.0.113.7", token, header))


def mark(kind: SignalKind, normal: str) -> str:
    return mark_of(KEY, kind, normal)


def part(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def by_hand(head: object, payload: object, key: bytes = NEW) -> str:
    """A token as somebody makes it who does not ask a library whether that is wise."""
    text = f"{part(head)}.{part(payload)}"
    return f"{text}.{part(hmac.digest(key, text.encode(), hashlib.sha256))}"


# --- what is read ---


def test_what_the_shop_signs_wins_over_the_token_and_over_the_address() -> None:
    said = signed(
        phone="138 0013 8000",
        region="CN",
        phone_region="CN",
        email="An.Na+x@googlemail.com",
        address="Hauptstr. 5, Berlin",
        payment="card-1",
        ip="2001:db8::1",
        account_created_at=SECONDS - 60,
        vouched=True,
    )
    signals = read(said, device="d-2", phone="+4930123456", email="b@example.com", account_created_at="1")
    assert signals == Signals(
        {
            SignalKind.SHOPPER: mark(SignalKind.SHOPPER, "anna"),
            SignalKind.DEVICE: mark(SignalKind.DEVICE, "d-1"),
            SignalKind.PHONE: mark(SignalKind.PHONE, "+8613800138000"),
            SignalKind.EMAIL: mark(SignalKind.EMAIL, "anna@gmail.com"),
            SignalKind.ADDRESS: mark(SignalKind.ADDRESS, "hauptstr 5 berlin"),
            SignalKind.PAYMENT: mark(SignalKind.PAYMENT, "card-1"),
            SignalKind.NETWORK: mark(SignalKind.NETWORK, "2001:db8::/56"),
        },
        account_created_at=NOW - 60_000,
        phone="+8613800138000",
        vouched=True,
    )


def test_without_a_header_the_token_and_the_address_say_it_and_no_secret_of_the_shop_is_read() -> None:
    secrets = Live()
    signals = read(
        "", secrets, phone="13800138000", region="CN", account_created_at="2026-11-08T15:59:00Z", vouched="true"
    )
    assert signals.marks == {
        SignalKind.SHOPPER: mark(SignalKind.SHOPPER, "anna"),
        SignalKind.PHONE: mark(SignalKind.PHONE, "+8613800138000"),
        SignalKind.NETWORK: mark(SignalKind.NETWORK, "203.0.113.0/24"),
    }
    assert signals.account_created_at == NOW - 60_000
    assert not signals.vouched, "only the shop itself can vouch"
    assert secrets.asked == 0


@pytest.mark.parametrize(
    "token",
    [
        {"phone": "call me"},
        {"email": "anna at home"},
        {"account_created_at": "yesterday"},
        {"account_created_at": "2026-11-08T15:59:00"},
        {"account_created_at": "9" * 12},
        {"account_created_at": "9999-12-31T23:59:59-23:59"},
        {"device": "\x00"},
        {"device": "\ud800"},
        {"address": "x" * 501},
        {"phone": "13800138000", "region": "east"},
    ],
    ids=str,
)
def test_garbage_in_a_token_counts_as_not_given(token: dict[str, str]) -> None:
    signals = reader()(ANNA, Visit("nowhere", token))
    assert signals.marks.keys() == {SignalKind.SHOPPER}
    assert signals.phone == ""


def test_what_the_shop_signs_as_nothing_is_nothing_whatever_the_token_says() -> None:
    signals = read(signed(device=None, phone="", account_created_at=None, ip=""), device="d-2", phone="+4930123456")
    assert signals.marks.keys() == {SignalKind.SHOPPER}


def test_aliases_have_the_same_mark() -> None:
    emails = ["anna@gmail.com", "A.N.N.A+brand@googlemail.com"]
    assert len({read("", email=email).marks[SignalKind.EMAIL] for email in emails}) == 1
    # Without folding they would be two shoppers:
    assert len({mark(SignalKind.EMAIL, email) for email in emails}) == 2


@pytest.mark.parametrize("key", [NEW, OLD], ids=["current", "previous"])
def test_both_live_values_of_the_secret_are_good(key: bytes) -> None:
    assert read(signed(key)).marks[SignalKind.DEVICE] == mark(SignalKind.DEVICE, "d-1")


def test_what_a_good_token_says_about_keys_is_not_listened_to() -> None:
    headers = {"kid": "../../dev/null", "jku": "https://evil.example/keys", "jwk": {"kty": "oct", "k": "AA"}}
    assert read(signed(headers=headers)).marks[SignalKind.DEVICE] == mark(SignalKind.DEVICE, "d-1")


@pytest.mark.parametrize("exp", [SECONDS - 4, SECONDS + 1.5, SECONDS + 604], ids=["just over", "half", "ten minutes"])
def test_clocks_may_differ_a_little(exp: float) -> None:
    assert read(signed(exp=exp)).marks[SignalKind.DEVICE]


# --- what is refused ---

_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_RSA_PRIVATE = _RSA.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
_OTHER = b"x" * 64
_HEAD = {"alg": "HS256", "typ": "JWT"}
GOOD = signed()
FORGED: dict[str, str] = {
    "nothing": "x",
    "two dots": "..",
    "no signature": ".".join(GOOD.split(".")[:2]) + ".",
    "another signature": ".".join([*signed(device="d-9").split(".")[:2], GOOD.split(".")[2]]),
    "another key": signed(_OTHER),
    "alg none": f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims())}.",
    "alg None": f"{part({'alg': 'None', 'typ': 'JWT'})}.{part(claims())}.{GOOD.split('.')[2]}",
    "alg none by the library": jwt.encode(claims(), "", algorithm="none"),
    "no alg": by_hand({"typ": "JWT"}, claims()),
    "RS256": jwt.encode(claims(), _RSA_PRIVATE, algorithm="RS256"),
    "HS384": jwt.encode(claims(), NEW, algorithm="HS384"),
    "HS512": jwt.encode(claims(), NEW, algorithm="HS512"),
    "says RS256, is HS256": by_hand({"alg": "RS256"}, claims()),
    "signed with nothing, kid of nothing": by_hand(_HEAD | {"kid": "../../../dev/null"}, claims(), b""),
    "signed with the key it brings": by_hand(_HEAD | {"jwk": {"kty": "oct", "k": part(_OTHER)}}, claims(), _OTHER),
    "kid is a query": by_hand(_HEAD | {"kid": "x' UNION SELECT 'key"}, claims(), b"key"),
    "kid is a list": by_hand(_HEAD | {"kid": ["a"]}, claims(), _OTHER),
    "an extension that is critical": by_hand(_HEAD | {"crit": ["exp2"], "exp2": 1}, claims()),
    "no subject": signed(sub=...),
    "another subject": signed(sub="bob"),
    "subject is a list": by_hand(_HEAD, claims(sub=["anna"])),
    "no audience": signed(aud=...),
    "another audience": signed(aud="brandday"),
    "no end": signed(exp=...),
    "the end is nothing": signed(exp=None),
    "the end is text": signed(exp=str(SECONDS + 300)),
    "the end is true": signed(exp=True),
    "the end is infinite": by_hand(_HEAD, claims(exp=float("inf"))),
    "the end is no number": by_hand(_HEAD, claims(exp=float("nan"))),
    "the end is beyond all numbers": by_hand(_HEAD, claims(exp=10**400)),
    "over": signed(exp=SECONDS - 6),
    "for too long": signed(exp=SECONDS + 660),
    "not yet": signed(nbf=SECONDS + 60),
    "not a mapping": by_hand(_HEAD, ["anna"]),
    "not JSON": by_hand(_HEAD, b"{"),
    "deep": by_hand(_HEAD, b'{"a":' + b"[" * 1200 + b"]" * 1200 + b"}"),
    "oversized": signed(address="x" * MAX_LENGTH),
}
WRONG: dict[str, str] = {
    "phone": signed(phone="call me"),
    "phone without region": signed(phone="13800138000"),
    "phone is a number": signed(phone=8613800138000),
    "email": signed(email="anna"),
    "ip": signed(ip="localhost"),
    "ip is a list": signed(ip=["203.0.113.7"]),
    "device is too long": signed(device="x" * 501),
    "device is a half of a character": by_hand(_HEAD, claims(device="\ud800")),
    "time": signed(account_created_at="yesterday"),
    "time is true": signed(account_created_at=True),
    "time is a fraction": signed(account_created_at=1.5),
    "vouched is text": signed(vouched="true"),
    "region is a number": signed(phone_region=86),
}


@pytest.mark.parametrize("header", (FORGED | WRONG).values(), ids=(FORGED | WRONG).keys())
def test_nothing_but_what_the_shop_has_signed_for_this_shopper_now_is_believed(
    header: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ShopSignalsInvalid) as refused:
        read(header)
    assert refused.value.params == {}
    assert refused.value.__cause__ is None
    assert not caplog.records


@given(st.integers(0, len(GOOD) - 2), st.characters())
def test_no_letter_of_a_token_can_be_another(at: int, letter: str) -> None:
    """But the last one, which has two bits that mean nothing."""
    if letter != GOOD[at]:
        with pytest.raises(ShopSignalsInvalid):
            read(GOOD[:at] + letter + GOOD[at + 1 :])


@given(st.lists(st.text(max_size=50), min_size=3, max_size=3).map(".".join))
def test_no_text_at_all_breaks_the_reader(header: str) -> None:
    with pytest.raises(ShopSignalsInvalid):
        read(header)


def test_a_library_that_believes_what_tokens_say_of_themselves_would_take_a_forgery() -> None:
    """The control: the same tokens are well-formed enough to fool a careless reader."""
    careless: dict[str, Any] = {"verify_signature": False}
    taken = [name for name, header in FORGED.items() if _reads(header, careless)]
    assert {"alg none", "another key", "RS256", "signed with nothing, kid of nothing"} <= set(taken)


def _reads(header: str, options: Any) -> bool:
    try:
        return "device" in jwt.decode(header, options=options)
    except (jwt.PyJWTError, TypeError, ValueError, RecursionError):
        return False


@pytest.mark.parametrize("values", [(), (b"short",), SecretMissing("shop")], ids=["none", "short", "missing"])
def test_no_secret_and_one_that_can_be_guessed_sign_nothing(values: Sequence[bytes] | Exception) -> None:
    for key in (b"", b"short", NEW):
        header = by_hand(_HEAD, claims(), key)
        with pytest.raises(ShopSignalsInvalid):
            read(header, Live(values))


def test_where_the_shop_signs_nothing_a_header_is_refused() -> None:
    with pytest.raises(ShopSignalsInvalid):
        reader(name="")(ANNA, Visit(shop_signals=GOOD))


def test_a_secret_that_cannot_be_read_now_is_no_forgery() -> None:
    with pytest.raises(TemporarilyOverloaded):
        read(GOOD, Live(SecretUnreadable("ThrottlingException")))


def test_what_is_not_even_three_parts_costs_no_look_at_the_secret() -> None:
    secrets = Live()
    for header in ("x", "a.b", "x" * (MAX_LENGTH + 1)):
        with pytest.raises(ShopSignalsInvalid):
            read(header, secrets)
    assert secrets.asked == 0


# --- what is shown ---


def test_nothing_raw_is_shown() -> None:
    raw: dict[str, Any] = {
        "device": "d-secret",
        "phone": "+8613800138000",
        "email": "anna@example.com",
        "address": "Hauptstr. 5",
    }
    visit = Visit("203.0.113.7", raw, signed(**raw), "ticket-1", "solution-1")
    signals = reader()(ANNA, visit)
    shown = repr(visit) + str(visit) + repr(signals) + str(signals)
    for value in (*raw.values(), "203.0.113", "13800138000", "ticket-1", "solution-1", visit.shop_signals):
        assert value not in shown
