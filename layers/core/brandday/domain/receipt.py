"""The receipt of a lottery: everything needed to compute it again, published after the end, and proofs from it.

What must hold of it, and who sees it when it does not, is in :mod:`brandday.domain.receipt_check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from brandday.domain.draw import (
    Bucket,
    Ranked,
    Step,
    Tickets,
    assign,
    leaf,
    list_root,
    rank,
    root,
)
from brandday.domain.entrant import (
    Entrant,
    Entry,
    Rules,
    entry_id,
    parse_entry_id,
)
from brandday.domain.lottery import (
    Frozen,
    Lottery,
    PrizeTable,
)
from brandday.domain.luck import draw_seed, roll, ticket_key

FORMAT = "brandday-receipt-1"

MARK_LENGTH = 16
"""Hex digits of its leaf that stand by each row, so that a changed row is found by name."""


class MovedUp(NamedTuple):
    """A reserve who got the prize that a winner, or a reserve before them, did not claim."""

    forfeited: str
    reserve: str
    prize: str


@dataclass(frozen=True, slots=True)
class Randomness:
    """A round of the beacon as it came: `signature` is the chain's, `value` its SHA-256."""

    value: bytes
    signature: bytes


# --- building ---


def instant_receipt(rules: Rules, records: Iterable[Entrant]) -> dict[str, Any]:
    """Return the receipt of an instant win from all records, in order of names; none may have a pending entry."""
    if rules.seed is None:
        raise ValueError("a receipt shows the seed")
    slots = {slot: prize for prize, slot in rules.slots.items()}
    rows = [record_row(record, slots) for record in records]
    release = {prize: [list(step) for step in pace.steps] for prize, pace in rules.pacing.by_prize.items()}
    return _receipt(rules.lottery, rules.frozen, rules.tables, rules.seed, None, rows) | {"release": release}


def draw_receipt(
    lottery: Lottery,
    frozen: Frozen,
    tables: Sequence[PrizeTable],
    seed: bytes,
    beacon: Randomness | None,
    tickets: Sequence[Tickets],
    moved_up: Iterable[MovedUp] = (),
) -> dict[str, Any]:
    """Return the receipt of a draw from the sealed tickets, in order of names."""
    receipt = _receipt(lottery, frozen, tables, seed, beacon, list(map(ticket_row, tickets)))
    return receipt | {
        **ranking(lottery, frozen, draw_seed(seed, None if beacon is None else beacon.value), tickets),
        "moved_up": [moved._asdict() for moved in moved_up],
    }


def record_row(record: Entrant, slots: Mapping[str, str]) -> dict[str, Any]:
    """Return an entrant of an instant win as published; ``slots`` is slot -> prize."""
    row = {
        "entrant": record.name,
        "chances": record.chances,
        "entries": [entry_document(entry, slots) for entry in record.entries],
    }
    return {**row, "leaf": row_leaf(row).hex()[:MARK_LENGTH]}


def ticket_row(tickets: Tickets) -> dict[str, Any]:
    """Return an entrant of a draw as published."""
    row = {"entrant": tickets.entrant, "tickets": tickets.number}
    return {**row, "leaf": row_leaf(row).hex()[:MARK_LENGTH]}


def entry_document(entry: Entry, slots: Mapping[str, str]) -> dict[str, Any]:
    """Return an entry as published: without whose it is, and by which request."""
    return {
        "at": entry.at,
        "table": entry.version,
        "tries": [
            {"prize": slots[link.slot], "fate": str(link.fate)}
            | {
                name: value
                for name, value in link._asdict().items()
                if name not in ("slot", "fate") and value is not None
            }
            for link in entry.tries
        ],
    }


def row_value(row: Mapping[str, Any]) -> list[Any]:
    """Return what the leaf of a row is the hash of: ``[entrant, tickets]`` or ``[entrant, chances, entries]``."""
    return [row["entrant"], row["tickets"]] if "tickets" in row else [row["entrant"], row["chances"], row["entries"]]


def row_leaf(row: Mapping[str, Any]) -> bytes:
    """Return the leaf of a row."""
    return leaf(row_value(row))


def seal(rows: Iterable[Mapping[str, Any]], bucket_chars: int) -> dict[str, Any]:
    """Return the sealed list over rows in order of names: its root, its size, and the buckets."""
    buckets, entries = [], 0
    for name, group in groupby(rows, lambda row: row["entrant"][:bucket_chars]):
        leaves = []
        for row in group:
            leaves.append(row_leaf(row))
            entries += row["tickets"] if "tickets" in row else len(row["entries"])
        buckets.append(Bucket(name, root(leaves), len(leaves)))
    return {
        "root": list_root(buckets).hex(),
        "entrants": sum(bucket.entrants for bucket in buckets),
        "entries": entries,
        "buckets": [
            {"bucket": bucket.name, "root": bucket.root.hex(), "entrants": bucket.entrants} for bucket in buckets
        ],
    }


def _receipt(
    lottery: Lottery,
    frozen: Frozen,
    tables: Sequence[PrizeTable],
    seed: bytes,
    beacon: Randomness | None,
    rows: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "campaign": frozen.campaign_id,
        "seed": seed.hex(),
        "beacon": beacon and {"randomness": beacon.value.hex(), "signature": beacon.signature.hex()},
        "tables": [{"hash": table.hash(lottery, frozen), "table": table.document(lottery, frozen)} for table in tables],
        "release": {},
        "sealed": seal(rows, frozen.bucket_chars),
        "entrants": rows,
    }


def ranking(lottery: Lottery, frozen: Frozen, seed: bytes, tickets: Iterable[Tickets]) -> dict[str, Any]:
    """Return the places of a draw as published; ``seed`` is the one to rank with."""
    reserves = lottery.draw.reserves if lottery.draw else 0
    places = sum(prize.stock for prize in lottery.prizes) + reserves
    winners, behind = assign(rank(seed, frozen.campaign_id, tickets, places), lottery.prizes)
    return {
        "winners": [{**_ranked(ranked), "prize": prize} for ranked, prize in winners],
        "reserves": [_ranked(ranked) for ranked in behind[:reserves]],
    }


def _ranked(ranked: Ranked) -> dict[str, Any]:
    return {**ranked._asdict(), "key": ranked.key.hex()}


# --- one entry ---


def entry_facts(
    campaign_id: str, entrant: str, number: int, entry: Entry, table_hash: str, committed: str
) -> dict[str, Any]:
    """Return what a shopper is told when an entry was taken: to be kept, and found again in the list."""
    return {
        "entry": entry_id(campaign_id, entrant, number),
        "at": entry.at,
        "table": entry.version,
        "table_hash": table_hash,
        "commitment": committed,
    }


def entry_proof(
    facts: Mapping[str, Any],
    row: Mapping[str, Any],
    seed: bytes,
    randomness: bytes | None,
    steps: Iterable[Step],
    root_of_list: bytes,
) -> dict[str, Any]:
    """Return what is answered after the end: the facts, what the seed makes of the entry, and the way to the root.

    ``row`` is the entrant's, as published; ``randomness`` is the beacon's, if the draw is bound to one. `luck` is the
    roll of an instant win, or the rank key of a ticket, in hex.
    """
    return {
        "facts": dict(facts),
        "seed": seed.hex(),
        "randomness": None if randomness is None else randomness.hex(),
        "luck": luck_of(facts["entry"], "tickets" in row, seed, randomness).hex(),
        "row": row_value(row),
        "path": path_document(steps),
        "root": root_of_list.hex(),
    }


def path_document(steps: Iterable[Step]) -> list[list[str]]:
    """Return the way from a leaf to the root as published."""
    return [["left" if step.on_left else "right", step.other.hex()] for step in steps]


def luck_of(of_entry: str, is_ticket: bool, seed: bytes, randomness: bytes | None) -> bytes:
    """Return what the seed makes of an entry: a ticket's rank key, or the roll of an instant win, as 32 bytes."""
    parsed = parse_entry_id(of_entry)
    if parsed is None:
        raise ValueError(f"{of_entry!r} is no id of an entry")
    return ticket_key(draw_seed(seed, randomness), of_entry) if is_ticket else roll(seed, *parsed).to_bytes(32)
