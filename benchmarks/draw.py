"""What a draw takes: seconds and peak memory to seal the list and to rank it, from a thousand entrants to a million.

    python -m benchmarks.draw [--largest 1000000]

Synthetic entrants with one to three tickets each come bucket by bucket, as EntryTable is read, and are made anew for
each pass: what that takes is shown apart and taken off. Time and memory are measured in runs of their own, because
watching memory costs time. The exponent is the slope of time over entrants on a scale of powers of ten: 1 is linear.
"""

import argparse
import hashlib
import math
import time
import tracemalloc
from collections.abc import Callable, Iterator
from statistics import linear_regression
from typing import Any

from rich.table import Table

from benchmarks import results
from benchmarks.results import wide_console
from brandday.domain.draw import Bucket, Tickets, list_root, rank, root, ticket_leaf
from brandday.domain.layout import to_base64url

SEED = hashlib.sha256(b"benchmark").digest()
WINNERS, RESERVES = 100, 1000
BUCKETS = sorted("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
MEMORY_BOUND_MB = 16
"""At any size: the places of the ranking and one bucket of a million entrants take less."""


def bucket_of(name: str, entrants: int) -> list[Tickets]:
    """Return one bucket in order of names."""
    hashes = (hashlib.blake2b(f"{name}{number}".encode(), digest_size=9).digest() for number in range(entrants))
    return sorted(Tickets(name + to_base64url(raw)[1:], 1 + raw[0] % 3) for raw in hashes)


def buckets(entrants: int) -> Iterator[tuple[str, list[Tickets]]]:
    """Yield every bucket, one at a time."""
    share, rest = divmod(entrants, len(BUCKETS))
    for index, name in enumerate(BUCKETS):
        yield name, bucket_of(name, share + (index < rest))


def read(entrants: int) -> int:
    """Make all entrants and do nothing with them."""
    return sum(len(tickets) for _, tickets in buckets(entrants))


def seal(entrants: int) -> bytes:
    """Return the root of the list."""
    return list_root(Bucket(name, root(map(ticket_leaf, tickets)), len(tickets)) for name, tickets in buckets(entrants))


def draw(entrants: int) -> list[str]:
    """Return the ranking of the winners and reserves."""
    tickets = (each for _, bucket in buckets(entrants) for each in bucket)
    return [ranked.entrant for ranked in rank(SEED, "benchmark", tickets, WINNERS + RESERVES)]


def seconds(work: Callable[[int], Any], entrants: int) -> float:
    """Return the shorter of two runs."""
    taken = []
    for _ in range(2):
        began = time.perf_counter()
        work(entrants)
        taken.append(time.perf_counter() - began)
    return min(taken)


def peak_mb(work: Callable[[int], Any], entrants: int) -> float:
    """Return the most memory that Python objects took at a time."""
    tracemalloc.start()
    work(entrants)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def exponent(times: dict[int, float]) -> float:
    """Return the slope of time over entrants, both as powers of ten."""
    sizes = sorted(times)
    return linear_regression([math.log10(size) for size in sizes], [math.log10(times[size]) for size in sizes]).slope


def main() -> None:
    """Measure from a thousand entrants up, ten times as many each time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=1_000_000)
    largest = parser.parse_args().largest
    table = Table(title=f"A draw of {WINNERS} winners and {RESERVES:,} reserves", title_justify="left")
    for column in ("entrants", "seconds to seal", "to rank", "to make them (taken off)", "peak MB, seal", "rank"):
        table.add_column(column, justify="right")
    sealing: dict[int, float] = {}
    ranking: dict[int, float] = {}
    section: dict[str, Any] = {"winners": WINNERS, "reserves": RESERVES, "sizes": {}}
    size = 1000
    while size <= largest:
        making = seconds(read, size)
        sealing[size], ranking[size] = (max(seconds(work, size) - making, 1e-6) for work in (seal, draw))
        peaks = [peak_mb(work, size) for work in (seal, draw)]
        assert max(peaks) < MEMORY_BOUND_MB, f"{size} entrants took {max(peaks):.1f} MB"
        assert draw(size) == draw(size), "a draw that is done again gives the same"
        figures = (f"{sealing[size]:.3f}", f"{ranking[size]:.3f}", f"{making:.3f}", *(f"{peak:.1f}" for peak in peaks))
        table.add_row(f"{size:,}", *figures)
        section["sizes"][str(size)] = {
            "seal_seconds": round(sealing[size], 4),
            "rank_seconds": round(ranking[size], 4),
            "seal_peak_mb": round(peaks[0], 2),
            "rank_peak_mb": round(peaks[1], 2),
        }
        size *= 10
    section |= {"seal_exponent": round(exponent(sealing), 3), "rank_exponent": round(exponent(ranking), 3)}
    wide_console().print(table)
    wide_console().print(
        f"time grows with the power {section['seal_exponent']} (seal), {section['rank_exponent']} (rank)"
    )
    results.save("draw", section)


if __name__ == "__main__":
    main()
