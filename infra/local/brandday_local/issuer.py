"""A token issuer for one machine: the two documents of OpenID Connect that a JWT authorizer reads, and tokens.

Its key is made on first use, stays in the ignored folder and is worth nothing elsewhere.
"""

import base64
import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from brandday_local.ports import LOOPBACK

DISCOVERY_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/.well-known/jwks.json"
ALGORITHM = "RS256"
TWELVE_HOURS = 12 * 60 * 60


@dataclass(frozen=True)
class SigningKey:
    """An RSA key and its id."""

    private: rsa.RSAPrivateKey
    key_id: str

    @classmethod
    def load(cls, file: Path) -> "SigningKey":
        """Read the key, or make it if this machine has none yet (also when several processes try at once)."""
        if not file.exists():
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            draft = file.with_name(f"{file.name}.{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_bytes(made)
            with contextlib.suppress(FileExistsError):
                os.link(draft, file)  # the first one wins, and nobody ever sees half a key
            draft.unlink()
        private = serialization.load_pem_private_key(file.read_bytes(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise TypeError(f"{file} is not an RSA key")
        public = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return cls(private, hashlib.sha256(public).hexdigest()[:16])

    def public_document(self) -> dict[str, str]:
        """The public half as an entry of a JSON Web Key Set (RFC 7517)."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": ALGORITHM,
            "kid": self.key_id,
            "n": _base64url(numbers.n),
            "e": _base64url(numbers.e),
        }


@dataclass(frozen=True)
class TokenIssuer:
    """Mints tokens in the name of an issuer, for an audience."""

    issuer: str
    audience: str
    key: SigningKey

    def mint(self, subject: str, scope: str, *, lifetime_seconds: int = TWELVE_HOURS, **claims: object) -> str:
        """Return a signed token.

        Claims are those the API knows (tier, channel, region, new_customer), or overrides of `iss`, `aud` and the like.
        """
        now = int(time.time())
        payload = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "scope": scope,
            "iat": now,
            "exp": now + lifetime_seconds,
            **claims,
        }
        return jwt.encode(payload, self.key.private, algorithm=ALGORITHM, headers={"kid": self.key.key_id})


@contextlib.contextmanager
def serve(key: SigningKey, port: int) -> Iterator[str]:
    """Answer the authorizer's two questions on the loopback address; yields the issuer's address."""
    address = f"http://{LOOPBACK}:{port}"
    documents = {
        DISCOVERY_PATH: {
            "issuer": address,
            "jwks_uri": f"{address}{KEYS_PATH}",
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
        },
        KEYS_PATH: {"keys": [key.public_document()]},
    }

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = documents.get(self.path)
            body = json.dumps(document or {"error": "not_found"}).encode()
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in http.server
            """Stay quiet: this is called a few times a day."""

    server = ThreadingHTTPServer((LOOPBACK, port), Answer)
    thread = threading.Thread(target=server.serve_forever, name="token issuer", daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
