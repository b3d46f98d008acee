"""The header Shop-Signals: what the shop's backend says about a visit, as a JWT (RFC 7519) signed with a shared secret.

The shop signs HS256 over `sub` (the shopper), `aud` ("brandday-signals"), `exp` (at most ten minutes ahead) and the
signals. Nothing that a token says about itself decides how it is checked (RFC 8725, 3.1): there is one algorithm, and
the keys are the two live values of the one secret, whatever `alg`, `kid`, `jwk` or `jku` it names.
"""

import math
from collections.abc import Mapping
from typing import Final

from brandday.connectors.port import SecretMissing, Secrets, SecretUnreadable
from brandday.domain.errors import ShopSignalsInvalid, TemporarilyOverloaded
from brandday.usecases.ports import Clock

AUDIENCE: Final = "brandday-signals"
ALGORITHM: Final = "HS256"
MAX_LENGTH: Final = 4096
MAX_AHEAD_SECONDS: Final = 600
SKEW_SECONDS: Final = 5
"""How much the shop's clock may be off."""

MIN_SECRET: Final = 32
"""Bytes: as long as the hash (RFC 7518, 3.2). A shorter secret can be guessed from one token, so it signs nothing."""


class SignedShopSignals:
    """The port `SignedSignals` (usecases/read_signals.py); `secret` is the secret's name, "" where there is none."""

    def __init__(self, secrets: Secrets, secret: str, now: Clock) -> None:
        self._secrets = secrets
        self._secret = secret
        self._now = now

    def __call__(self, header: str, shopper_id: str) -> Mapping[str, object]:
        """Return what the shop has signed for this shopper; raises ShopSignalsInvalid, or TemporarilyOverloaded if the
        secret cannot be read now.
        """
        if len(header) > MAX_LENGTH or header.count(".") != 2:
            raise ShopSignalsInvalid
        for key in self._keys():
            claims = _verified(header, key, shopper_id)
            if claims is not None:
                break
        else:
            raise ShopSignalsInvalid
        seconds = self._now() / 1000
        expires = _moment(claims.get("exp"))
        begins = _moment(claims.get("nbf", 0))
        if expires is None or begins is None:
            raise ShopSignalsInvalid
        if not seconds < expires + SKEW_SECONDS or expires > seconds + MAX_AHEAD_SECONDS + SKEW_SECONDS:
            raise ShopSignalsInvalid
        if begins > seconds + SKEW_SECONDS:
            raise ShopSignalsInvalid
        return claims

    def _keys(self) -> list[bytes]:
        if not self._secret:
            return []
        try:
            return [key for key in self._secrets.get(self._secret) if len(key) >= MIN_SECRET]
        except SecretMissing:
            return []
        except SecretUnreadable as error:
            raise TemporarilyOverloaded from error


def _verified(header: str, key: bytes, shopper_id: str) -> Mapping[str, object] | None:
    """The claims of a token that is signed with this key for this shopper; its times are not looked at."""
    import jwt  # only where a shop signs signals

    try:
        claims: Mapping[str, object] = jwt.decode(
            header,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            subject=shopper_id,
            # Times are compared with the clock that all else goes by.
            options={"require": ["exp", "sub", "aud"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return claims


def _moment(value: object) -> float | None:
    """A NumericDate, in seconds; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None
