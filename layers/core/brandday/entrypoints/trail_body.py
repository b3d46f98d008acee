"""Acts of operators on the wire: of campaigns, and of the lists at their gates."""

from typing import Any, Self

from brandday.domain.times import to_rfc3339
from brandday.domain.trail import Change, TrailEntry
from brandday.entrypoints.routes import Shape


class ChangeBody(Shape):
    """One changed value; `path` leads to it, a SKU by its id; null is "was not there" or "is gone"."""

    path: list[str]
    before: Any
    after: Any

    @classmethod
    def of(cls, change: Change) -> Self:
        """The same, on the wire."""
        return cls(**change.to_document())


class TrailEntryBody(Shape):
    """One act: who (the token's subject) did what, when, and what it changed."""

    at: str
    who: str
    act: str
    version: int
    changes: list[ChangeBody]

    @classmethod
    def of(cls, entry: TrailEntry) -> Self:
        """The same, on the wire."""
        return cls(
            at=to_rfc3339(entry.at),
            who=entry.who,
            act=entry.act,
            version=entry.version,
            changes=[ChangeBody.of(change) for change in entry.changes],
        )
