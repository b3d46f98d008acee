"""What the use cases need from outside; adapters and the tests' fakes implement these."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from brandday.domain.campaign import Campaign
from brandday.domain.shard import Refused, Shard, ShardWrite, Written
from brandday.domain.summary import ShardTally, Subtotal

type Clock = Callable[[], int]
"""Returns now, in epoch milliseconds."""


class Each(Protocol):
    """Does something with each of many things, like `map`; that of a pool of threads waits for many answers at once."""

    def __call__[Item, Done](self, do: Callable[[Item], Done], items: Iterable[Item], /) -> Iterable[Done]:
        """Return what came of each, in order."""


SHARDS_PER_READ = 100
"""How many shards one call can read: DynamoDB's bound for BatchGetItem."""


class Stock(Protocol):
    """The shards of all campaigns. Every method raises TemporarilyOverloaded when the database is too busy."""

    def read(self, campaign_id: str, shards: Sequence[int], *, consistent: bool) -> tuple[Shard, ...]:
        """Return the shards (at most SHARDS_PER_READ) in the order asked for.

        One that was never written is empty and has version 0.
        """

    def write(self, campaign_id: str, write: ShardWrite) -> Written | Refused:
        """Do one conditional write, as :func:`brandday.domain.shard.apply` defines it."""


class Campaigns(Protocol):
    """Campaigns as stored, with their stock's summary."""

    def load(self, campaign_id: str, *, consistent: bool = False) -> tuple[Campaign, Mapping[str, str]]:
        """Return a campaign and the attributes of its summary; CampaignNotFound if there is none."""

    def list_ids(self) -> Sequence[str]:
        """Return the ids of all campaigns."""


class Summaries(Protocol):
    """The tallies and subtotals that the projector keeps."""

    def load_group(self, campaign_id: str, group: int) -> tuple[int, dict[int, ShardTally]]:
        """Return a group's item version (0 if there is none) and the tallies of its shards."""

    def save_group(self, campaign_id: str, group: int, version: int, changed: Mapping[int, ShardTally]) -> bool:
        """Save changed tallies if the item still has ``version``; False if it has moved on."""

    def save_subtotal(self, campaign_id: str, group: int, total: Subtotal, as_of: int) -> None:
        """Save a group's subtotal unless a newer one is there."""


class HoldQueue(Protocol):
    """Reminders to look at a shard when a hold lapses."""

    def send(self, reminders: Sequence[tuple[str, int, int]], now: int) -> None:
        """Send ``(campaign id, shard, due in epoch ms)``; each arrives at its time or, if that is far, before."""
