"""The summary of a campaign's stock: small, kept by the stream projector, possibly a second old.

It orders the attempts of environments that have seen little themselves, answers the public page, and it alone may
say "sold out". Sold units only come back when a prize is forfeited, so that answer does not age before the claim
deadline, and by no more than the stream's delay after it. Per shard it keeps one short text with
the shard's version; a newer version replaces an older one whatever the order and number of deliveries. Per group of
shards there is one subtotal, and all subtotals of a campaign are in one item.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from brandday.domain.shard import Shard
from brandday.domain.stock import Terms, next_due

SHARDS_PER_GROUP = 256
"""Shards whose tallies share one item: about 10 KB when all of them are in use."""

CANDIDATES = 4
"""How many shards with free units a subtotal names per slot."""


class Tally(NamedTuple):
    """Units of one slot in a shard: free, held and sold."""

    free: int
    held: int
    sold: int


@dataclass(frozen=True, slots=True)
class ShardTally:
    """What the summary keeps of one shard; ``due`` is when its next hold lapses, in epoch milliseconds."""

    version: int
    slots: Mapping[str, Tally]
    due: int | None


def tally_shard(shard: Shard, terms: Terms) -> ShardTally:
    """Count the units of every slot that the shard has a counter for; others are untouched."""
    held: dict[str, int] = {}
    sold: dict[str, int] = {}
    for _, entry in shard.entries():
        counts = held if entry.is_held else sold
        counts[entry.slot] = counts.get(entry.slot, 0) + entry.units
    slots = {slot: Tally(free, held.get(slot, 0), sold.get(slot, 0)) for slot, free in shard.free.items()}
    return ShardTally(shard.version, slots, next_due(shard, terms))


def encode_tally(tally: ShardTally) -> str:
    """Return the stored text of a shard's tally."""
    return json.dumps([tally.version, tally.slots, tally.due], separators=(",", ":"))


def decode_tally(text: str) -> ShardTally:
    """Return the tally of a stored text."""
    version, slots, due = json.loads(text)
    return ShardTally(version, {slot: Tally(*counts) for slot, counts in slots.items()}, due)


def newer(known: Mapping[int, ShardTally], seen: Mapping[int, ShardTally]) -> dict[int, ShardTally]:
    """Return the tallies among ``seen`` that are of a newer version than the known ones."""
    return {
        number: tally for number, tally in seen.items() if number not in known or known[number].version < tally.version
    }


@dataclass(frozen=True, slots=True)
class Subtotal:
    """The sum over a group of shards; ``version`` is the sum of theirs, so it grows with every change."""

    version: int
    slots: Mapping[str, Tally]
    candidates: Mapping[str, tuple[tuple[int, int], ...]]
    due: int | None


def subtotal(tallies: Mapping[int, ShardTally]) -> Subtotal:
    """Add up the tallies of a group; name per slot the few shards with the most free units."""
    slots: dict[str, Tally] = {}
    free: dict[str, list[tuple[int, int]]] = {}
    for number, tally in tallies.items():
        for slot, counts in tally.slots.items():
            known = slots.get(slot, Tally(0, 0, 0))
            slots[slot] = Tally(*(a + b for a, b in zip(known, counts, strict=True)))
            if counts.free > 0:
                free.setdefault(slot, []).append((number, counts.free))
    return Subtotal(
        version=sum(tally.version for tally in tallies.values()),
        slots=slots,
        candidates={slot: tuple(sorted(of, key=lambda pair: -pair[1])[:CANDIDATES]) for slot, of in free.items()},
        due=min((tally.due for tally in tallies.values() if tally.due is not None), default=None),
    )


def encode_subtotal(total: Subtotal) -> str:
    """Return the stored text of a subtotal."""
    slots = {slot: [*counts, total.candidates.get(slot, ())] for slot, counts in total.slots.items()}
    return json.dumps({"v": total.version, "skus": slots, "due": total.due}, separators=(",", ":"))


def decode_subtotal(text: str) -> Subtotal:
    """Return the subtotal of a stored text."""
    document = json.loads(text)
    return Subtotal(
        version=document["v"],
        slots={slot: Tally(*counts[:3]) for slot, counts in document["skus"].items()},
        candidates={slot: tuple((number, free) for number, free in of[3]) for slot, of in document["skus"].items()},
        due=document["due"],
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole campaign as the projector knew it at ``as_of`` (epoch milliseconds; 0 if it has seen nothing).

    ``version`` is the sum of all shards' versions: of two summaries the one with the higher version is the newer.
    ``held`` and ``sold`` are units per slot, ``candidates`` are ``(shard, free)`` per slot, ``due`` is when the
    next hold lapses. Shards that were never written are in no subtotal; all their units are free.
    """

    as_of: int
    version: int
    held: Mapping[str, int]
    sold: Mapping[str, int]
    candidates: Mapping[str, tuple[tuple[int, int], ...]]
    due: int | None

    def free(self, slot: str, total: int) -> int:
        """Return the units neither held nor sold, of ``total`` units that the slot has in all."""
        return max(0, total - self.held.get(slot, 0) - self.sold.get(slot, 0))

    def is_sold_out(self, slot: str, total: int) -> bool:
        """Whether every one of the slot's ``total`` units is sold."""
        return self.sold.get(slot, 0) >= total


def combine(as_of: int, subtotals: Iterable[Subtotal]) -> Summary:
    """Return the summary of a campaign from the subtotals of all its groups of shards."""
    held: dict[str, int] = {}
    sold: dict[str, int] = {}
    candidates: dict[str, tuple[tuple[int, int], ...]] = {}
    dues: list[int] = []
    version = 0
    for total in subtotals:
        version += total.version
        for slot, counts in total.slots.items():
            held[slot] = held.get(slot, 0) + counts.held
            sold[slot] = sold.get(slot, 0) + counts.sold
        for slot, of in total.candidates.items():
            candidates[slot] = candidates.get(slot, ()) + of
        if total.due is not None:
            dues.append(total.due)
    return Summary(as_of, version, held, sold, candidates, min(dues, default=None))


NO_SUMMARY = combine(0, ())
