"""The audit trail: which operator did what to a campaign, when, and what it changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Change:
    """One value of a campaign that an act changed; None is "was not there" or "is gone".

    `path` leads to it through the document, a SKU or prize by its id: ("skus", "HERO-1", "stock"). ("skus",) alone is
    the order of the SKUs.
    """

    path: tuple[str, ...]
    before: Any
    after: Any

    @property
    def field(self) -> str:
        """The path as people read it: skus.HERO-1.stock."""
        return ".".join(self.path)

    def to_document(self) -> dict[str, Any]:
        """As kept in the trail and in answers."""
        return {"path": list(self.path), "before": self.before, "after": self.after}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The reverse of `to_document`."""
        return cls(tuple(document["path"]), document["before"], document["after"])


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One act. `id` tells acts of the same millisecond apart, `who` is the token's subject, `at` is epoch ms."""

    id: str
    at: int
    who: str
    act: str
    version: int
    changes: tuple[Change, ...]


def changes_between(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[Change, ...]:
    """What it takes to get from one campaign document to another, in the order of the fields."""
    old = dict(_values(before or {}))
    new = dict(_values(after))
    changes = [
        Change(path, old.get(path), new.get(path))
        for path in [*new, *(path for path in old if path not in new)]
        if old.get(path) != new.get(path)
    ]
    for listed in _LISTED:
        order_before, order_after = _order(before or {}, listed), _order(after, listed)
        if order_before != order_after and sorted(order_before) == sorted(order_after):
            changes.append(Change((listed,), order_before, order_after))
    return tuple(changes)


_LISTED = {"skus": "sku", "prizes": "prize", "limits": "name", "rules": "name"}
"""Lists whose parts go by an id, and the field that has it."""


def _order(document: Mapping[str, Any], listed: str) -> list[str]:
    return [part[_LISTED[listed]] for part in document.get(listed, ())]


def _values(part: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in part.items():
        here = (*path, name)
        if name in _LISTED:
            id_field = _LISTED[name]
            for one in value:
                yield from _values({key: of for key, of in one.items() if key != id_field}, (*here, one[id_field]))
        elif isinstance(value, Mapping) and "currency" not in value:
            yield from _values(value, here)
        else:
            yield here, value
