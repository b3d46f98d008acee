"""What the use cases of lotteries need from outside; adapters and the tests' fakes implement these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from brandday.domain.entrant import Entrant
    from brandday.domain.lottery import Frozen


class EntrantChanged(NamedTuple):
    """A write of an entrant's record: as it was (None: it is new) and as it is."""

    campaign_id: str
    before: Entrant | None
    after: Entrant


class Entrants(Protocol):
    """The records of all entrants. Every method raises TemporarilyOverloaded when the database is too busy.

    Where a record is follows from what publication has frozen: the campaign's id, and how many characters of an
    entrant's name are its bucket.
    """

    def load(self, frozen: Frozen, name: str, *, consistent: bool) -> Entrant | None:
        """Return an entrant's record, or None if there is none; it may be a moment old unless it is ``consistent``."""

    def save(self, frozen: Frozen, before: Entrant | None, after: Entrant) -> bool:
        """Replace ``before`` (None: there is none) if nobody else has meanwhile; False, and nothing is written, if so.

        It is stored as version ``before.version + 1``: whoever goes on from ``after`` has to say so.
        """

    def bucket(self, frozen: Frozen, bucket: str) -> Iterator[Entrant]:
        """Yield all records of a bucket as they are, in ASCII order of the names, a page in memory at a time."""


class EntryCounts(Protocol):
    """Where entries are added up."""

    def add(self, campaign_id: str, counts: Mapping[int, int], mark: str) -> None:
        """Add counts by table version, unless `mark` was the last one; TemporarilyOverloaded if it is too busy."""

    def load(self, campaign_id: str) -> Mapping[int, int]:
        """Return the counts of one campaign by table version."""


class Seeds(Protocol):
    """The secrets that decide. They are for the functions that decide by them, and for nobody else."""

    def seed(self, campaign_id: str) -> bytes | None:
        """Return the seed of a published lottery, None if there is none; it never changes."""
