"""Forged tokens at the deployed API: each is refused by the gateway, before any code of ours runs."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from brandday_local.issuer import SigningKey, TokenIssuer
from brandday_local.stack import LocalStack

pytestmark = pytest.mark.stack

GUARDED = "/v1/rewards"


@dataclass(frozen=True)
class Forger:
    """Knows everything but the issuer's private key: names, the key's id, the public key."""

    stack: LocalStack
    own: rsa.RSAPrivateKey

    @property
    def claims(self) -> dict[str, object]:
        """What a good token says."""
        now = int(time.time())
        return {
            "iss": self.stack.issuer,
            "aud": self.stack.audience,
            "sub": "victim",
            "scope": "shopper operator",
            "iat": now,
            "exp": now + 3600,
        }

    @property
    def key_id(self) -> str:
        """The id of the issuer's real key."""
        return self.stack.tokens.key.key_id

    @property
    def public_pem(self) -> bytes:
        """The issuer's public key, as anybody can make it of the key set."""
        return self.stack.tokens.key.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def signed(self, header: dict[str, Any]) -> str:
        """A token that is signed with a key of the forger's own."""
        return jwt.encode(self.claims, self.own, algorithm="RS256", headers=header)

    def by_hand(self, header: dict[str, Any], signature: bytes = b"", claims: dict[str, Any] | None = None) -> str:
        """A token put together from its parts: libraries refuse to make these."""
        return f"{part({'typ': 'JWT', **header})}.{part(claims or self.claims)}.{base64url(signature)}"

    def of_issuer(self, **claims: object) -> str:
        """A token that the issuer has really signed, with other claims."""
        return self.stack.token("victim", "shopper", **claims)

    def public_jwk(self) -> dict[str, str]:
        """The forger's own public key."""
        return SigningKey(self.own, "mine").public_document()


def part(value: object) -> str:
    return base64url(json.dumps(value).encode())


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hs256(forger: Forger, secret: bytes, **header: object) -> str:
    """Signed with a text as the secret, in the hope that somebody takes it for the key (RFC 8725, 2.1)."""
    unsigned = f"{part({'typ': 'JWT', 'alg': 'HS256', 'kid': forger.key_id, **header})}.{part(forger.claims)}"
    return f"{unsigned}.{base64url(hmac.digest(secret, unsigned.encode(), 'sha256'))}"


FORGERIES: dict[str, Callable[[Forger], str]] = {
    "empty parts": lambda _: "..",
    "no token": lambda _: "no.token.this",
    "two parts": lambda f: f.of_issuer().rpartition(".")[0],
    "no signature": lambda f: f"{f.of_issuer().rpartition('.')[0]}.",
    "signature of another token": lambda f: (
        f"{f.of_issuer(sub='operator-1').rpartition('.')[0]}.{f.of_issuer().rpartition('.')[2]}"
    ),
    "claims changed": lambda f: swap_claims(f),  # noqa: PLW0108 - it is defined below
    "alg none": lambda f: f.by_hand({"alg": "none"}),
    "alg None": lambda f: f.by_hand({"alg": "None", "kid": f.key_id}),
    "alg nOnE with a signature": lambda f: f.by_hand({"alg": "nOnE", "kid": f.key_id}, b"signed"),
    "alg missing": lambda f: f.by_hand({"kid": f.key_id}, b"signed"),
    "alg a list": lambda f: f.by_hand({"alg": ["RS256"], "kid": f.key_id}, b"signed"),
    "HS256 with the public key": lambda f: hs256(f, f.public_pem),
    "HS256 with the public key's modulus": lambda f: hs256(f, str(f.stack.tokens.key.public_document()["n"]).encode()),
    "HS256 with an empty secret": lambda f: hs256(f, b""),
    "wrong issuer": lambda f: f.of_issuer(iss="http://127.0.0.1:1"),
    "issuer with a slash more": lambda f: f.of_issuer(iss=f"{f.stack.issuer}/"),
    "no issuer": lambda f: f.of_issuer(iss=""),
    "wrong audience": lambda f: f.of_issuer(aud="somebody-else"),
    "audience that begins alike": lambda f: f.of_issuer(aud=f"{f.stack.audience}-2"),
    "no audience": lambda f: f.of_issuer(aud=""),
    "expired": lambda f: f.of_issuer(lifetime_seconds=-3600),
    "not yet": lambda f: f.of_issuer(nbf=int(time.time()) + 3600),
    "issued in the future": lambda f: f.of_issuer(iat=int(time.time()) + 3600),
    "another key under the right id": lambda f: f.signed({"kid": f.key_id}),
    "no kid": lambda f: f.signed({}),
    "unknown kid": lambda f: f.signed({"kid": "unknown"}),
    "kid a path": lambda f: hs256(f, b"", kid="../../../../../../dev/null"),
    "kid a URL": lambda f: f.signed({"kid": "https://evil.example/jwks.json"}),
    "kid with SQL": lambda f: hs256(f, b"x", kid="x' UNION SELECT 'x"),
    "kid a command": lambda f: f.signed({"kid": "key; sleep 5"}),
    "kid an object": lambda f: f.by_hand({"alg": "RS256", "kid": {"$ne": ""}}, b"signed"),
    "jwk embedded": lambda f: f.signed({"jwk": f.public_jwk()}),
    "jwk under the right id": lambda f: f.signed({"kid": f.key_id, "jwk": {**f.public_jwk(), "kid": f.key_id}}),
    "jku": lambda f: f.signed({"jku": "https://evil.example/jwks.json", "kid": f.key_id}),
    "x5u": lambda f: f.signed({"x5u": "https://evil.example/cert.pem", "kid": f.key_id}),
    "crit": lambda f: f.by_hand({"alg": "RS256", "kid": f.key_id, "crit": ["b64"], "b64": False}, b"signed"),
    "claims no object": lambda f: f"{part({'alg': 'RS256', 'kid': f.key_id})}.{part([1])}.{base64url(b'signed')}",
}


def swap_claims(forger: Forger) -> str:
    header, _, signature = forger.of_issuer().split(".")
    return f"{header}.{part(forger.claims)}.{signature}"


@pytest.fixture(scope="module")
def forger(stack: LocalStack) -> Forger:
    return Forger(stack, rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture(scope="module")
def api(stack: LocalStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api_url, timeout=30) as client:
        yield client


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_token_is_refused(how: str, forger: Forger, api: httpx.Client) -> None:
    answer = api.get(GUARDED, headers={"authorization": f"Bearer {FORGERIES[how](forger)}"})
    assert answer.status_code == 401, answer.text


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic dmljdGltOg==", "Bearer null"], ids=repr)
def test_without_a_bearer_token_nobody_is_let_in(header: str | None, api: httpx.Client) -> None:
    answer = api.get(GUARDED, headers={} if header is None else {"authorization": header})
    assert answer.status_code == 401


def test_a_token_in_the_address_counts_for_nothing(forger: Forger, api: httpx.Client) -> None:
    assert api.get(GUARDED, params={"access_token": forger.of_issuer()}).status_code == 401


def test_the_same_claims_signed_by_the_issuer_are_let_in(forger: Forger, api: httpx.Client) -> None:
    """The control."""
    assert api.get(GUARDED, headers={"authorization": f"Bearer {forger.of_issuer()}"}).status_code == 200
    genuine = TokenIssuer(forger.stack.issuer, forger.stack.audience, forger.stack.tokens.key)
    assert api.get(GUARDED, headers={"authorization": f"Bearer {genuine.mint('me', 'shopper')}"}).status_code == 200
