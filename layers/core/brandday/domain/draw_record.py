"""What is kept of a sealed list and of a draw, and the text in which it is kept.

Everything has a name and is written once: whoever computes it again must come to the same, or something is wrong that
no machine may put right. Parts are written before the head that counts them, so a head says that its parts are there.

    group#<c>           buckets whose names begin with <c>: their roots and sizes    (the list, 64 groups)
    list#<c>#<page>     draws: the tickets of that group, in order of names
    seal                the root over all groups
    beacon              the round of the beacon that the draw is bound to
    place#<page>        the ranking: winners, then reserves
    result              what the ranking was made from, its hash and its size
    move#<n>            the n-th prize that was not claimed, and the reserve who got it
    ranked#<groups>#... the ranking of the first groups, left by a run whose time was up

Names of parts are in ASCII order of what they count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import batched, product
from typing import NamedTuple

from brandday.domain.draw import Bucket, Ranked, Tickets, list_root
from brandday.domain.entrant import Entrant, Fate
from brandday.domain.lottery import Prize
from brandday.domain.luck import canonical
from brandday.domain.receipt import Randomness
from brandday.domain.shard import NAME_LENGTH

PAGE_ROWS = 5_000
"""Of a list or a ranking in one item: 75 KB, so neither a write nor an answer comes near its bound (400 KB, 6 MB)."""

ALPHABET = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
"""Of entrants' names, in ASCII order."""

SEAL, BEACON, RESULT = "seal", "beacon", "result"
GROUPS, MOVES, RANKED = "group#", "move#", "ranking#"
_NOBODY = "="


class Group(NamedTuple):
    """The sealed buckets of one first character that are not empty; `pages` of tickets, none for instant wins."""

    name: str
    buckets: tuple[Bucket, ...]
    entries: int
    pages: int

    @property
    def entrants(self) -> int:
        """How many are in it."""
        return sum(bucket.entrants for bucket in self.buckets)


@dataclass(frozen=True, slots=True)
class Seal:
    """The sealed list: its root in hex, its size, and when it was sealed (epoch ms)."""

    root: str
    entrants: int
    entries: int
    sealed_at: int


class Place(NamedTuple):
    """One place of the ranking: the entrant, the ticket that got them there, and the slot of a winner's prize."""

    entrant: str
    ticket: int
    slot: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """A draw that has taken place: from the list with that root, with `hash` over the ranking (see `ranking_hash`)."""

    root: str
    hash: str
    winners: int
    reserves: int
    randomness: Randomness | None
    drawn_at: int

    @property
    def pages(self) -> int:
        """How many pages the ranking has."""
        return -(-(self.winners + self.reserves) // PAGE_ROWS)


class Move(NamedTuple):
    """A prize that `forfeited` did not claim, and who got it; None: no reserve was left, nobody gets it."""

    forfeited: str
    prize: str
    reserve: str | None


# --- names ---


def group_part(group: str) -> str:
    """Return the name of a group's head."""
    return f"{GROUPS}{group}"


def list_part(group: str, page: int) -> str:
    """Return the name of a page of a group's tickets."""
    return f"list#{group}#{page:05d}"


def place_part(page: int) -> str:
    """Return the name of a page of the ranking."""
    return f"place#{page:05d}"


def move_part(number: int) -> str:
    """Return the name of a move, from 0."""
    return f"{MOVES}{number:06d}"


def ranking_part(groups: int) -> str:
    """Return the name of the head of the ranking of so many groups."""
    return f"{RANKED}{groups:02d}"


def ranked_part(groups: int, page: int) -> str:
    """Return the name of a page of it."""
    return f"ranked#{groups:02d}#{page:05d}"


def bucket_names(group: str, bucket_chars: int) -> Iterator[str]:
    """Yield the names of a group's buckets in order."""
    for rest in product(ALPHABET, repeat=bucket_chars - 1):
        yield group + "".join(rest)


# --- what a list and a ranking are ---


def as_sealed(entrant: Entrant, sealed_from: int) -> Entrant:
    """Return a record as the list has it, however much later it is read.

    What went back to its pool when nobody could enter any more decided about no entry: to the list it was won.
    """
    for number, entry in enumerate(entrant.entries, 1):
        won = entry.won
        if won is not None and won.returned_at is not None and won.returned_at >= sealed_from:
            kept = won._replace(fate=Fate.WON, returned_at=None)
            entrant = entrant.replaced(number, entry._replace(tries=(*entry.tries[:-1], kept)))
    return entrant


def seal_of(groups: Sequence[Group], sealed_at: int) -> Seal:
    """Return the seal over all groups, in order."""
    return Seal(
        list_root(bucket for group in groups for bucket in group.buckets).hex(),
        sum(group.entrants for group in groups),
        sum(group.entries for group in groups),
        sealed_at,
    )


def is_same_seal(one: Seal, other: Seal) -> bool:
    """Whether two seals are of the same list, whenever they were made."""
    return replace(one, sealed_at=other.sealed_at) == other


def is_same_result(one: Result, other: Result) -> bool:
    """Whether two results are the same, whenever they were found."""
    return replace(one, drawn_at=other.drawn_at) == other


def slots_by_rank(prizes: Iterable[Prize], slots: Iterable[str]) -> Iterator[str]:
    """Yield the slot of the prize of each winning rank: tier by tier."""
    for prize, slot in zip(prizes, slots, strict=False):
        for _ in range(prize.stock):
            yield slot


def ranking_hash(places: Iterable[Place]) -> str:
    """Return the SHA-256, in hex, over a line ``[rank,entrant,ticket,slot]`` per place, as canonical JSON."""
    found = hashlib.sha256()
    for rank, place in enumerate(places, 1):
        found.update(canonical([rank, *place]) + b"\n")
    return found.hexdigest()


# --- texts ---


def write_tickets(rows: Iterable[Tickets]) -> str:
    """Return a page of tickets: ``<entrant 12><tickets>``, a space between."""
    return " ".join(f"{row.entrant}{row.number}" for row in rows)


def read_tickets(text: str) -> list[Tickets]:
    """Return the rows of a page."""
    return [Tickets(row[:NAME_LENGTH], int(row[NAME_LENGTH:])) for row in text.split()]


def write_places(rows: Iterable[Place]) -> str:
    """Return a page of the ranking: ``<entrant 12><slot, or = for reserves><ticket>``, a space between."""
    return " ".join(f"{row.entrant}{row.slot or _NOBODY}{row.ticket}" for row in rows)


def read_places(text: str) -> list[Place]:
    """Return the places of a page."""
    return [
        Place(row[:NAME_LENGTH], int(row[NAME_LENGTH + 1 :]), None if row[NAME_LENGTH] == _NOBODY else row[NAME_LENGTH])
        for row in text.split()
    ]


def pages_of(ranking: Iterable[Ranked]) -> Iterator[str]:
    """Yield the pages of an unfinished ranking; a ticket's key follows from its number."""
    for rows in batched(ranking, PAGE_ROWS, strict=False):
        yield write_tickets(Tickets(row.entrant, row.ticket) for row in rows)


def write_group(group: Group) -> str:
    """Return the text of a group."""
    rows = [[bucket.name, bucket.root.hex(), bucket.entrants] for bucket in group.buckets]
    return _json([group.name, rows, group.entries, group.pages])


def read_group(text: str) -> Group:
    """Return the group of a text."""
    name, rows, entries, pages = json.loads(text)
    buckets = tuple(Bucket(bucket, bytes.fromhex(root), entrants) for bucket, root, entrants in rows)
    return Group(name, buckets, entries, pages)


def write_seal(seal: Seal) -> str:
    """Return the text of a seal."""
    return _json([seal.root, seal.entrants, seal.entries, seal.sealed_at])


def read_seal(text: str) -> Seal:
    """Return the seal of a text."""
    return Seal(*json.loads(text))


def write_randomness(round_: Randomness) -> str:
    """Return the text of a round of the beacon: its signature."""
    return round_.signature.hex()


def read_randomness(text: str) -> Randomness:
    """Return the round of a text."""
    signature = bytes.fromhex(text)
    return Randomness(hashlib.sha256(signature).digest(), signature)


def write_result(result: Result) -> str:
    """Return the text of a result."""
    signature = None if result.randomness is None else write_randomness(result.randomness)
    return _json([result.root, result.hash, result.winners, result.reserves, signature, result.drawn_at])


def read_result(text: str) -> Result:
    """Return the result of a text."""
    root, found, winners, reserves, signature, drawn_at = json.loads(text)
    return Result(root, found, winners, reserves, None if signature is None else read_randomness(signature), drawn_at)


def write_move(move: Move) -> str:
    """Return the text of a move."""
    return _json(list(move))


def read_move(text: str) -> Move:
    """Return the move of a text."""
    return Move(*json.loads(text))


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
