"""The audit of a sealed list and of a draw: the records are the list that was sealed, the winners those it makes.

Each record goes by once. Kept are the leaves of one bucket and the best places of the ranking, as many as there are
prizes and reserves. Hashes and keys are those of the script for those who trust nobody (`verify_draw`).
"""

import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from brandday_cli import verify_draw
from brandday_cli.audit_lottery_records import RETURNED, SLOTS, WON, EntryKey, LotteryPlan, Record, Try
from brandday_cli.audit_records import Violation

SEAL_AFTER_MS = 60_000
AWARDED_MS = 15 * 60 * 1000
"""By then after a draw each winner's record says what they have won."""


class DrawTables(Protocol):
    """What the audit needs to read of seals and draws."""

    def read_parts(self, campaign_id: str, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield the parts whose names begin with ``prefix``, and their texts, in order of names."""


class _Place(NamedTuple):
    """A winner (with a prize) or a reserve (without one)."""

    entrant: str
    ticket: int
    prize: str | None


class DrawAudit:
    """Judges what was sealed and drawn: give it every bucket's records in order, then let it finish."""

    def __init__(self, tables: DrawTables, plan: LotteryPlan, seed: bytes | None) -> None:
        self._plan = plan
        self._sealed = self._read_seal(tables)
        self._result = next((json.loads(text) for _, text in tables.read_parts(plan.campaign_id, "result")), None)
        self._drawn_at: int | None = None if self._result is None else self._result[5]
        self._seed = self._ranking_seed(seed)
        self._places = self._read_places(tables)
        self._moves = [json.loads(text) for _, text in tables.read_parts(plan.campaign_id, "move#")]
        self._prizes = {place.entrant: place.prize for place in self._places if place.prize}
        self._prizes |= {reserve: prize for _, prize, reserve in self._moves if reserve}
        self._room = sum(prize["stock"] for prize in plan.prizes.values())
        self._room += plan.first["draw"]["reserves"] if plan.is_draw else 0
        self._best: list[tuple[int, str, int]] = []
        self._won: list[EntryKey] = []
        self._entrants = self._entries = 0
        self._found: list[Violation] = []

    @property
    def is_sealed(self) -> bool:
        """Whether there is a list to hold the records against."""
        return self._sealed is not None

    def take_bucket(self, bucket: str, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records of a bucket again, and judge the bucket when all have gone by."""
        leaves = []
        for record in records:
            yield record
            if record.entries and self._sealed is not None:
                leaves.append(verify_draw.leaf(self._row(record)))
                self._entrants, self._entries = self._entrants + 1, self._entries + len(record.entries)
                self._rank(record)
        if self._sealed is not None:
            found = (verify_draw.tree(leaves).hex(), len(leaves)) if leaves else None
            if self._sealed["buckets"].get(bucket) != found:
                detail = f"somebody in bucket {bucket!r} was changed, added or left out since the list was sealed"
                self._found.append(Violation("sealed_list_changed", detail))

    def finish(self, now_ms: int) -> list[Violation]:
        """Return what is wrong with the seal, the ranking and the prizes of a draw."""
        return [*self._found, *self._seal(), *self._ranking(), *self._awards(now_ms)]

    # --- what was stored ---

    def _read_seal(self, tables: DrawTables) -> dict[str, Any] | None:
        text = next((text for _, text in tables.read_parts(self._plan.campaign_id, "seal")), None)
        if text is None:
            return None
        root, entrants, entries, _ = json.loads(text)
        rows = [row for _, part in tables.read_parts(self._plan.campaign_id, "group#") for row in json.loads(part)[1]]
        buckets = {name: (found, count) for name, found, count in rows}
        return {"root": root, "entrants": entrants, "entries": entries, "buckets": buckets}

    def _read_places(self, tables: DrawTables) -> list[_Place]:
        prize_of_slot = dict(zip(SLOTS, self._plan.prizes, strict=False))
        return [
            _Place(row[:12], int(row[13:]), prize_of_slot.get(row[12]))
            for _, text in tables.read_parts(self._plan.campaign_id, "place#")
            for row in text.split()
        ]

    def _ranking_seed(self, seed: bytes | None) -> bytes | None:
        if seed is None or self._result is None or self._result[4] is None:
            return seed
        randomness = hashlib.sha256(bytes.fromhex(self._result[4])).digest()
        return hashlib.sha256(seed + randomness).digest()

    # --- what it should be ---

    def _row(self, record: Record) -> dict[str, Any]:
        if self._plan.is_draw:
            return {"entrant": record.name, "tickets": len(record.entries)}
        return {
            "entrant": record.name,
            "chances": record.chances,
            "entries": [
                {"at": entry.at, "table": entry.version, "tries": [self._as_sealed(link) for link in entry.tries]}
                for entry in record.entries
            ],
        }

    def _as_sealed(self, link: Try) -> dict[str, Any]:
        """What went back after nobody could enter any more was won when the list was sealed."""
        late = link.fate == RETURNED and (link.returned_at or 0) >= self._plan.over_at + SEAL_AFTER_MS
        return (link._replace(fate=WON, returned_at=None) if late else link).document()

    def _rank(self, record: Record) -> None:
        for number, entry in enumerate(record.entries if self._plan.is_draw else (), 1):
            if entry.won is not None:
                self._won.append(EntryKey(record.name, number))
        if self._result is None or self._seed is None:
            return
        key, ticket = min(
            (verify_draw.mac(self._seed, self._plan.entry_id(EntryKey(record.name, number))), number)
            for number in range(1, len(record.entries) + 1)
        )
        place = (-int.from_bytes(key, "big"), record.name, ticket)
        if len(self._best) < self._room:
            heapq.heappush(self._best, place)
        elif self._best:
            heapq.heappushpop(self._best, place)

    def _seal(self) -> Iterator[Violation]:
        if self._sealed is None:
            return
        roots = [bytes.fromhex(root) for _, (root, _) in sorted(self._sealed["buckets"].items())]
        if verify_draw.tree(roots).hex() != self._sealed["root"]:
            yield Violation("sealed_list_changed", "the sealed root is not that of the sealed buckets")
        counts = (self._entrants, self._entries)
        if counts != (self._sealed["entrants"], self._sealed["entries"]) and not self._found:
            detail = (
                f"{counts} entrants and entries, but {self._sealed['entrants'], self._sealed['entries']} were sealed"
            )
            yield Violation("sealed_list_changed", detail)

    def _ranking(self) -> Iterator[Violation]:
        if self._result is None or self._seed is None:
            return
        if self._sealed is None or self._result[0] != self._sealed["root"]:
            yield Violation("wrong_winner", "the draw was not made from the sealed list")
            return
        units = [name for name, prize in self._plan.prizes.items() for _ in range(prize["stock"])]
        ranked = sorted(self._best, reverse=True)
        should = [
            _Place(name, ticket, units[at] if at < len(units) else None) for at, (_, name, ticket) in enumerate(ranked)
        ]
        if len(should) != len(self._places):
            detail = f"{len(self._places)} places were drawn, by the sealed list there are {len(should)}"
            yield Violation("wrong_winner", detail)
        for rank, (drawn, right) in enumerate(zip(self._places, should, strict=False), 1):
            if drawn != right:
                detail = (
                    f"rank {rank} went to {drawn.entrant} with ticket {drawn.ticket}, the seed says {right.entrant}"
                )
                yield Violation("wrong_winner", detail, sku=right.prize, shopper=drawn.entrant)

    def _awards(self, now_ms: int) -> Iterator[Violation]:
        if not self._plan.is_draw:
            return
        holds = {place.entrant: place.prize for place in self._places if place.prize}
        reserves = iter([place.entrant for place in self._places if not place.prize])
        for number, (forfeited, prize, reserve) in enumerate(self._moves, 1):
            if holds.pop(forfeited, None) != prize or next(reserves, None) != reserve:
                yield Violation("wrong_winner", f"move {number} is not to the next reserve", sku=prize, shopper=reserve)
            if reserve:
                holds[reserve] = prize
        tickets = {place.entrant: place.ticket for place in self._places}
        for entrant, number in self._won:
            if entrant not in self._prizes or tickets.get(entrant) != number:
                yield Violation("wrong_winner", f"ticket {number} has won, but was not drawn", shopper=entrant)
        if self._drawn_at is not None and self._drawn_at + AWARDED_MS < now_ms:
            given = {key.entrant for key in self._won}
            for entrant, prize in self._prizes.items():
                if entrant not in given:
                    yield Violation("prize_not_given", "drawn, and has not got the prize", sku=prize, shopper=entrant)
