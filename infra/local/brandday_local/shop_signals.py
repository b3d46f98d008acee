"""The shop's side of the header Shop-Signals, for whoever plays the shop on this machine."""

import secrets
import time

import jwt

from brandday_local.aws import Emulated

SECRET = "brandday-gate/shop-signals"  # noqa: S105 - its name
AUDIENCE = "brandday-signals"
VALID_SECONDS = 300


class ShopSignals:
    """Signs what the shop knows about visits with the secret it shares with the stack; keep it when signing many."""

    def __init__(self, key: str) -> None:
        self._key = key

    def sign(self, shopper_id: str, **signals: object) -> str:
        """Return the header for a visit of a shopper: `device`, `ip`, `phone`, `email`, `address`, `payment`,
        `account_created_at`, `vouched`.
        """
        now = int(time.time())
        claims = {"sub": shopper_id, "aud": AUDIENCE, "exp": now + VALID_SECONDS, **signals}
        return jwt.encode(claims, self._key, algorithm="HS256")


def create_secret(aws: Emulated) -> None:
    """Make the secret of a new stack."""
    aws.secrets.create_secret(Name=SECRET, SecretString=secrets.token_urlsafe(48))


def open_signals(aws: Emulated) -> ShopSignals:
    """Return what signs for a running stack."""
    return ShopSignals(aws.secrets.get_secret_value(SecretId=SECRET)["SecretString"])
