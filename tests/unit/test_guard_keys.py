"""Keys of gates: signed with the current one, the previous one still good, and a strange one no way to keep us busy."""

import pytest

from brandday.adapters.guard_keys import LOOK_AGAIN_MS, SecretMarkKeys, SecretPassKeys
from brandday.connectors.port import SecretMissing, SecretUnreadable
from brandday.domain.entry_ticket import key_id
from brandday.domain.errors import TemporarilyOverloaded
from tests.fakes.clock import SettableClock

NAME = "passes"
FIRST, SECOND, THIRD = b"first" * 8, b"second" * 8, b"third" * 8


class CachedSecrets:
    """Secrets as an environment remembers them until it asks anew."""

    def __init__(self, *values: bytes) -> None:
        self.stored = values
        self.known = values
        self.asked_anew = 0
        self.error: Exception | None = None

    def get(self, name: str, *, fresh: bool = False) -> tuple[bytes, ...]:
        """Return what is remembered, or what is there now."""
        assert name == NAME
        if self.error is not None:
            raise self.error
        if fresh:
            self.asked_anew += 1
            self.known = self.stored
        return self.known


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(1_790_000_000_000)


def test_it_signs_with_the_current_key_and_knows_the_previous_one(clock: SettableClock) -> None:
    keys = SecretPassKeys(CachedSecrets(SECOND, FIRST), NAME, clock)

    assert keys.current() == (key_id(SECOND), SECOND)
    assert keys.find(key_id(SECOND)) == SECOND
    assert keys.find(key_id(FIRST)) == FIRST
    assert keys.find(key_id(THIRD)) is None


def test_a_key_of_a_moment_ago_is_found_by_looking_again(clock: SettableClock) -> None:
    secrets = CachedSecrets(FIRST)
    keys = SecretPassKeys(secrets, NAME, clock)
    secrets.stored = (SECOND, FIRST)

    assert keys.find(key_id(SECOND)) == SECOND
    assert keys.find(key_id(FIRST)) == FIRST
    assert keys.current() == (key_id(SECOND), SECOND)
    assert secrets.asked_anew == 1


def test_made_up_keys_are_looked_for_every_ten_seconds_at_most(clock: SettableClock) -> None:
    secrets = CachedSecrets(FIRST)
    keys = SecretPassKeys(secrets, NAME, clock)

    for number in range(1000):
        assert keys.find(f"madeup{number:02}") is None
    assert secrets.asked_anew == 1
    clock.advance(LOOK_AGAIN_MS)
    assert keys.find("another!") is None
    assert secrets.asked_anew == 2


def test_a_secret_that_cannot_be_read_now_is_not_taken_for_a_forged_ticket(clock: SettableClock) -> None:

    secrets = CachedSecrets(FIRST)
    secrets.error = SecretUnreadable("ThrottlingException")
    for ask in (SecretPassKeys(secrets, NAME, clock).current, SecretMarkKeys(secrets, NAME)):
        with pytest.raises(TemporarilyOverloaded):
            ask()
    with pytest.raises(TemporarilyOverloaded):
        SecretPassKeys(secrets, NAME, clock).find(key_id(FIRST))


def test_a_secret_that_is_not_there_is_our_mistake(clock: SettableClock) -> None:
    secrets = CachedSecrets()
    secrets.error = SecretMissing(NAME)
    with pytest.raises(SecretMissing):
        SecretPassKeys(secrets, NAME, clock).current()


def test_marks_are_made_with_the_current_value() -> None:
    assert SecretMarkKeys(CachedSecrets(SECOND, FIRST), NAME)() == SECOND
