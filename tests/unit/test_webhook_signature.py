"""Signatures are those of Standard Webhooks, whichever secret is live, and nothing else passes."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.domain.webhook_signature import MAX_SIGNATURES, secret_key, sign, verify

# The vector of the libraries that the specification comes with (libraries/*/ "sign" tests).
SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = b"whsec_" + base64.b64encode(bytes(24))


def test_the_published_vector_is_met() -> None:
    assert sign([SECRET], MESSAGE_ID, TIMESTAMP, BODY) == SIGNATURE
    assert verify([SECRET], MESSAGE_ID, str(TIMESTAMP), BODY, SIGNATURE, TIMESTAMP)


def test_a_plain_secret_is_its_own_key() -> None:
    signed = sign([b"plain text"], "m", 1, b"{}")

    by_hand = hmac.new(b"plain text", b"m.1.{}", hashlib.sha256).digest()
    assert signed == "v1," + base64.b64encode(by_hand).decode()


def test_while_a_secret_is_changed_both_sides_may_be_first() -> None:
    both = sign([OTHER, SECRET], MESSAGE_ID, TIMESTAMP, BODY)

    assert both.split(" ")[1] == SIGNATURE
    for receiver in ([OTHER], [SECRET], [SECRET, OTHER]):
        assert verify(receiver, MESSAGE_ID, str(TIMESTAMP), BODY, both, TIMESTAMP)
    assert verify([OTHER, SECRET], MESSAGE_ID, str(TIMESTAMP), BODY, SIGNATURE, TIMESTAMP)


@pytest.mark.parametrize(
    ("message_id", "timestamp", "body", "signatures"),
    [
        ("msg_other", "1614265330", BODY, SIGNATURE),
        (MESSAGE_ID, "1614265331", BODY, SIGNATURE),
        (MESSAGE_ID, "01614265330", BODY, SIGNATURE),
        (MESSAGE_ID, "1614265330", BODY + b" ", SIGNATURE),
        (MESSAGE_ID, "1614265330", BODY, SIGNATURE.replace("v1,", "v2,")),
        (MESSAGE_ID, "1614265330", BODY, SIGNATURE.replace("v1,", "v1a,")),
        (MESSAGE_ID, "1614265330", BODY, SIGNATURE.removeprefix("v1,")),
        (MESSAGE_ID, "1614265330", BODY, "v1,"),
        (MESSAGE_ID, "1614265330", BODY, "v1,ünïcode"),
        (MESSAGE_ID, "1614265330", BODY, ""),
        ("\udcff", "1614265330", BODY, SIGNATURE),
        (MESSAGE_ID, "", BODY, SIGNATURE),
        (MESSAGE_ID, "1614265330.0", BODY, SIGNATURE),
        (MESSAGE_ID, "-1614265330", BODY, SIGNATURE),
        (MESSAGE_ID, "١٦١٤٢٦٥٣٣٠", BODY, SIGNATURE),
        (MESSAGE_ID, "9" * 5000, BODY, SIGNATURE),
        (MESSAGE_ID, "1614265330", BODY, "v1,x " * MAX_SIGNATURES + SIGNATURE),
    ],
)
def test_what_was_not_signed_like_this_does_not_pass(
    message_id: str, timestamp: str, body: bytes, signatures: str
) -> None:
    assert not verify([SECRET], message_id, timestamp, body, signatures, TIMESTAMP)


@pytest.mark.parametrize(
    ("off_by", "passes"), [(300, True), (301, False), (-300, True), (-301, False)], ids=["old", "older", "new", "newer"]
)
def test_a_signature_is_good_for_five_minutes_either_way(off_by: int, passes: bool) -> None:
    assert verify([SECRET], MESSAGE_ID, str(TIMESTAMP), BODY, SIGNATURE, TIMESTAMP + off_by) is passes


def test_a_wrong_secret_no_secret_and_a_broken_one_match_nothing() -> None:
    for secrets in ([OTHER], [], [b"whsec_%%%"], [b""]):
        assert not verify(secrets, MESSAGE_ID, str(TIMESTAMP), BODY, SIGNATURE, TIMESTAMP)
    assert verify([b"whsec_%%%", SECRET], MESSAGE_ID, str(TIMESTAMP), BODY, SIGNATURE, TIMESTAMP)


@pytest.mark.parametrize("broken", [b"", b"  ", b"whsec_", b"whsec_%%%", b"whsec_abc"])
def test_what_cannot_be_a_key_is_not_signed_with(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"empty|base64"):
        sign([broken, SECRET], "m", 1, b"")
    assert sign([SECRET, broken], "m", 1, b"") == sign([SECRET], "m", 1, b"")


def test_a_line_feed_at_the_end_of_a_stored_secret_is_nobodys_key() -> None:
    assert secret_key(SECRET + b"\n") == secret_key(SECRET)


@given(st.binary(min_size=1, max_size=40), st.text(max_size=20), st.integers(0, 10**11), st.binary(max_size=200))
def test_what_was_signed_passes(secret: bytes, message_id: str, timestamp: int, body: bytes) -> None:
    live = [b"whsec_" + base64.b64encode(secret)]

    assert verify(live, message_id, str(timestamp), body, sign(live, message_id, timestamp, body), timestamp)
