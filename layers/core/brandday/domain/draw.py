"""The sealed list and the ranking of a draw; and the same kind of list over the entries of instant wins.

The list: entrants in ASCII order of their names, in buckets by the first characters of the name. A leaf is an entrant
with all that is theirs, so whoever is in the list can show it with about twenty hashes (`path_to`), without the list.

    leaf = SHA-256(0x00 | canonical JSON)      node = SHA-256(0x01 | left | right)

The tree of a bucket is over its leaves, the tree of the list over the roots of the buckets that are not empty; the odd
node at the end of a level goes up as it is. (RFC 9162, 2.1, has the same hashes and the same shape.) The two prefixes
keep a node from being passed off as a leaf.

The ranking: each ticket has a key, HMAC-SHA256(seed', entry id), and an entrant the lowest of their keys. With w of W
tickets the lowest of all is theirs with probability w / W, exactly, as keys are independent and alike; the rest is the
same question again without the first, and so on down the ranks. Nobody is ranked twice, so nobody wins two prizes.

Memory is bounded by winners + reserves + one bucket. Nothing is random when it runs: done again after a crash, it
gives the same, and every later draw from the reserves is in the same order.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from brandday.domain.entrant import entry_id
from brandday.domain.lottery import Prize
from brandday.domain.luck import canonical, ticket_key

SEAL_AFTER_MS = 60_000
"""From the end to the seal: longer than any entry that was taken in time can be on its way."""


class Tickets(NamedTuple):
    """What an entrant has in a draw: tickets 1 to `number`."""

    entrant: str
    number: int


class Bucket(NamedTuple):
    """One bucket of a sealed list."""

    name: str
    root: bytes
    entrants: int


class Step(NamedTuple):
    """One step from a leaf up to the root: the other node, and whether it is on the left."""

    on_left: bool
    other: bytes


class Ranked(NamedTuple):
    """One place of the ranking, from 1: the entrant, and the ticket that got them there."""

    rank: int
    entrant: str
    ticket: int
    key: bytes


def leaf(value: Any) -> bytes:
    """Return the hash of a leaf: a JSON value."""
    return hashlib.sha256(b"\x00" + canonical(value)).digest()


def ticket_leaf(tickets: Tickets) -> bytes:
    """Return the leaf of an entrant of a draw: ``[entrant, tickets]``."""
    return leaf([tickets.entrant, tickets.number])


def root(nodes: Iterable[bytes]) -> bytes:
    """Return the root over ``nodes``; of none it is the hash of nothing. Memory: one hash per level."""
    peaks: list[tuple[int, bytes]] = []
    for node in nodes:
        level = 0
        while peaks and peaks[-1][0] == level:
            node = _node(peaks.pop()[1], node)
            level += 1
        peaks.append((level, node))
    if not peaks:
        return hashlib.sha256(b"").digest()
    # What is left over at the end of each level went up as it was, until there was something to its left.
    _, right = peaks.pop()
    while peaks:
        right = _node(peaks.pop()[1], right)
    return right


def path(nodes: Sequence[bytes], index: int) -> tuple[Step, ...]:
    """Return the steps from ``nodes[index]`` up to their root."""
    steps, level = [], list(nodes)
    while len(level) > 1:
        if index % 2:
            steps.append(Step(True, level[index - 1]))
        elif index + 1 < len(level):
            steps.append(Step(False, level[index + 1]))
        level = [_node(*level[at : at + 2]) if at + 1 < len(level) else level[at] for at in range(0, len(level), 2)]
        index //= 2
    return tuple(steps)


def path_to(leaves: Sequence[bytes], index: int, buckets: Sequence[bytes], bucket: int) -> tuple[Step, ...]:
    """Return the steps from a leaf of a bucket up to the root of the list, given the roots of all buckets."""
    return (*path(leaves, index), *path(buckets, bucket))


def climb(start: bytes, steps: Iterable[Step]) -> bytes:
    """Return where the steps lead from a leaf: the root, if the leaf is in the list."""
    for step in steps:
        start = _node(step.other, start) if step.on_left else _node(start, step.other)
    return start


def list_root(buckets: Iterable[Bucket]) -> bytes:
    """Return the root of a list from its buckets, in order; empty ones count for nothing."""
    return root(bucket.root for bucket in buckets if bucket.entrants)


def rank(seed: bytes, campaign_id: str, tickets: Iterable[Tickets], places: int) -> list[Ranked]:
    """Return the first ``places`` of the ranking, given each entrant once, in any order.

    ``seed`` is the one to rank with (`luck.draw_seed`). Of keys that are alike, which nobody will live to see, the
    one of the later name comes first.
    """
    if places < 1:
        return []
    # The best so far, the worst of them on top of the heap: heapq has the smallest there, so keys are negated.
    best: list[tuple[int, str, int]] = []
    for entrant, last in tickets:
        key, ticket = min(
            (ticket_key(seed, entry_id(campaign_id, entrant, number)), number) for number in range(1, last + 1)
        )
        place = (-int.from_bytes(key, "big"), entrant, ticket)
        if len(best) < places:
            heapq.heappush(best, place)
        elif place > best[0]:
            heapq.heapreplace(best, place)
    return [
        Ranked(at, entrant, ticket, (-key).to_bytes(32, "big"))
        for at, (key, entrant, ticket) in enumerate(sorted(best, reverse=True), 1)
    ]


def units(prizes: Iterable[Prize]) -> Iterator[str]:
    """Yield the prize of each winning rank: tier by tier, in the declared order."""
    for prize in prizes:
        for _ in range(prize.stock):
            yield prize.id


def assign(ranking: Sequence[Ranked], prizes: Sequence[Prize]) -> tuple[list[tuple[Ranked, str]], list[Ranked]]:
    """Return the winners, each with a prize, and the reserves behind them."""
    winners = list(zip(islice(ranking, sum(prize.stock for prize in prizes)), units(prizes), strict=False))
    return winners, list(ranking[len(winners) :])


def next_reserve(reserves: Sequence[Ranked], moved_up: int) -> Ranked | None:
    """Return who gets a prize that was not claimed, after ``moved_up`` reserves have got one; None if none is left.

    The order is that of the first ranking: there is no second draw that somebody could wish for.
    """
    return reserves[moved_up] if moved_up < len(reserves) else None


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
