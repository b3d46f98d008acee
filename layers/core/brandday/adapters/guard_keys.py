"""The secrets of gates: the one behind marks, and the ones that tickets and challenges are signed with.

We sign with the current value and accept the previous one, too, so that what was given out stays good while the secret
is being rotated. An environment that is shown a key it does not know looks again: the secret may have been rotated
after it looked last. It does so every ten seconds at most, since anybody can make up the id of a key.
"""

from collections.abc import Sequence
from typing import Protocol

from brandday.connectors.port import SecretUnreadable
from brandday.domain.entry_ticket import key_id
from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.ports import Clock

LOOK_AGAIN_MS = 10_000


class RotatingSecrets(Protocol):
    """Secrets by name (`adapters/secrets.Secrets`)."""

    def get(self, name: str, *, fresh: bool = False) -> Sequence[bytes]:
        """Return the live values, the newest first; `fresh`: as they are now."""


class SecretMarkKeys:
    """The port `MarkKeys`: the current value of the secret called `name`."""

    def __init__(self, secrets: RotatingSecrets, name: str) -> None:
        self._secrets = secrets
        self._name = name

    def __call__(self) -> bytes:
        """Return the key; raises SecretMissing, or TemporarilyOverloaded if it cannot be read now."""
        return live_values(self._secrets, self._name)[0]


class SecretPassKeys:
    """The port `PassKeys`: the live values of the secret called `name`."""

    def __init__(self, secrets: RotatingSecrets, name: str, now: Clock) -> None:
        self._secrets = secrets
        self._name = name
        self._now = now
        self._ids: dict[bytes, str] = {}
        self._looked_at = -LOOK_AGAIN_MS

    def current(self) -> tuple[str, bytes]:
        """Return the id and the key to sign with; raises as `SecretMarkKeys` does."""
        key = live_values(self._secrets, self._name)[0]
        return self._id(key), key

    def find(self, key_id: str) -> bytes | None:
        """Return a live key by its id, also one of a moment ago; raises as `SecretMarkKeys` does."""
        found = self._known(key_id)
        if found is None and self._now() - self._looked_at >= LOOK_AGAIN_MS:
            self._looked_at = self._now()
            found = self._known(key_id, fresh=True)
        return found

    def _known(self, key_id: str, *, fresh: bool = False) -> bytes | None:
        keys = live_values(self._secrets, self._name, fresh=fresh)
        return next((key for key in keys if self._id(key) == key_id), None)

    def _id(self, key: bytes) -> str:
        if key not in self._ids:
            if len(self._ids) > 4:  # a rotated secret leaves two behind
                self._ids.clear()
            self._ids[key] = key_id(key)
        return self._ids[key]


def live_values(secrets: RotatingSecrets, name: str, *, fresh: bool = False) -> Sequence[bytes]:
    """Return the live values of a secret, the newest first; SecretMissing, or TemporarilyOverloaded if it cannot be
    read now.
    """
    try:
        return secrets.get(name, fresh=fresh)
    except SecretUnreadable as error:
        raise TemporarilyOverloaded from error
