"""What the use cases of rewards need from outside; adapters and the tests' fakes implement these."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from brandday.domain.reward import Reward, RewardStatus


class Page(NamedTuple):
    """Some rewards, and where the next page begins (opaque; None after the last)."""

    rewards: tuple[Reward, ...]
    next: str | None


class Rewards(Protocol):
    """All rewards. Every method raises TemporarilyOverloaded when the database is too busy."""

    def create(self, reward: Reward) -> bool:
        """Store a new reward; False if it is there already, which then stays as it is."""

    def get(self, reward_id: str) -> Reward | None:
        """Return a reward as it is at this moment, or None if there is none (or the id cannot be one)."""

    def save(self, before: Reward, after: Reward) -> bool:
        """Replace `before` if nobody else has meanwhile; False, and nothing is written, if somebody has.

        It is stored as version `before.version + 1`: whoever goes on from `after` has to say so.
        """

    def of_owner(self, owner: str, *, limit: int, after: str | None = None) -> Page:
        """Return a shopper's rewards as they are at this moment, newest first.

        `after` is the `next` of one of this shopper's pages; ValueError for anything else.
        """

    def in_status(
        self, campaign_id: str, status: RewardStatus, *, until: int | None = None, limit: int, after: str | None = None
    ) -> Page:
        """Return rewards of a campaign that came into a status up to `until` (epoch ms), the oldest first per part.

        It may be a moment behind, and what it says of a reward may be, too: look at the reward before acting on it.
        """

    def owing(self, campaign_id: str, *, limit: int, after: str | None = None) -> Page:
        """Return forfeited rewards of a campaign whose units have not gone back; as much behind as `in_status`."""


class Dispatch(NamedTuple):
    """A message: this reward is to be delivered. Older `(cycle, sent)` of the same reward are obsolete."""

    reward_id: str
    cycle: int
    sent: int


class FulfilmentQueue(Protocol):
    """Rewards on their way to a connector."""

    def send(self, dispatches: Sequence[Dispatch]) -> None:
        """Send the messages; they may arrive more than once and in any order."""


class Cipher(Protocol):
    """Encrypts what nobody but the partner needs to read."""

    def encrypt(self, reward_id: str, plain: bytes) -> bytes:
        """Return the ciphertext; it can only be decrypted for the same reward."""

    def decrypt(self, reward_id: str, cipher: bytes) -> bytes:
        """Return the plain text."""
