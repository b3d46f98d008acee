"""Shoppers with entries in several shards, set aside until all shards are read: on disk, so that memory stays flat.

In a sale that ends sold out about one shopper in twelve is one of them; of a million units that is 80,000.
"""

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple
from types import TracebackType
from typing import Self

from brandday_cli.audit_records import Entry


class Travellers:
    """Entries by shopper and shard, in a private file that SQLite deletes; within a `with` block."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute(
            "CREATE TABLE entries (shopper TEXT, shard INTEGER, entries TEXT, PRIMARY KEY (shopper, shard))"
            " WITHOUT ROWID"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, shopper: str, shard: int, entries: tuple[Entry, ...]) -> None:
        """Set aside what one shard has of a shopper."""
        text = json.dumps([astuple(entry) for entry in entries])
        self._database.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (shopper, shard, text))

    def __iter__(self) -> Iterator[tuple[str, dict[int, tuple[Entry, ...]]]]:
        """Yield each shopper with the entries that each shard has, in order of names."""
        with closing(self._database.execute("SELECT shopper, shard, entries FROM entries ORDER BY shopper")) as rows:
            for shopper, found in itertools.groupby(rows, key=lambda row: row[0]):
                yield shopper, {shard: tuple(Entry(*entry) for entry in json.loads(text)) for _, shard, text in found}
