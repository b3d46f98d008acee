"""What a draw takes: processor seconds and memory to seal the list and to rank it, from a thousand entrants on.

    python -m benchmarks.draw [--largest 1000000]

The real use cases, over synthetic records of one to three tickets each, which come bucket by bucket as EntryTable is
read, and over a store of parts on disk; network and database are not in it. Every size has a process of its own and one
run: memory is what the operating system gave it beyond what it had when it began. Making the records is measured apart
and taken off. How the time grows with the entrants is one of the rows of `benchmarks.growth`.
"""

import argparse
import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from benchmarks import results
from benchmarks.alone import alone, peak_mb
from benchmarks.results import Claim, wide_console
from brandday.config.mechanics import parse_campaign
from brandday.domain.campaign import Campaign, Status
from brandday.domain.draw import SEAL_AFTER_MS
from brandday.domain.entrant import Entrant, Entry
from brandday.domain.layout import plan_layout, to_base64url
from brandday.domain.lottery import MAX_PLACES, Beacon, Frozen
from brandday.domain.lottery_state import freeze
from brandday.domain.receipt import Randomness
from brandday.usecases.hold_draw import HoldDraw
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.seal_draw import SealDraw

SEED = hashlib.sha256(b"benchmark").digest()
SALT = bytes(16)
WINNERS, RESERVES = 100, 1000
BUCKETS = sorted("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
MEMORY_BOUND_MB = 32
"""At any size: the places of the ranking, one bucket and one page of a million entrants take less."""


class Took(NamedTuple):
    """One draw: seconds, megabytes of memory beyond the start, megabytes stored, and what came out."""

    making: float
    seal: float
    draw: float
    seal_mb: float
    draw_mb: float
    stored_mb: float
    outcome: str


def campaign(winners: int, reserves: int) -> Campaign:
    """Return a published draw with these places."""
    lottery = parse_campaign(
        {
            "id": "benchmark",
            "title": {"en": "Benchmark"},
            "mechanic": "lottery",
            "mode": "draw",
            "time_zone": "UTC",
            "starts_at": "2026-11-09T00:00:00",
            "ends_at": "2026-11-12T00:00:00",
            "channels": ["web"],
            "prizes": [{"prize": "P", "title": {"en": "P"}, "stock": winners, "reward": {"kind": "digital"}}],
            "entries": {"per_day": 1, "per_campaign": 3},
            "draw": {"at": "2026-11-12T12:00:00", "reserves": reserves},
            "compliance": {
                "organiser": "o",
                "contact": "c",
                "conditions": {"en": "c"},
                "claim_rules": {"en": "c"},
                "forfeiture": {"en": "f"},
            },
            "fulfilment": {
                "by_kind": {"digital": {"connector": "webhook", "url": "https://p.example/", "secret": "brandday/p"}}
            },
        }
    ).to_campaign()
    declared = lottery.lottery
    assert declared is not None
    layout, window = plan_layout(lottery.skus, SALT), (lottery.starts_at, lottery.ends_at)
    luck = freeze(declared, lottery.id, window, (lottery.starts_at,), layout.shards, seed=SEED, entry_salt=SALT)
    return replace(lottery, status=Status.PUBLISHED, version=1, layout=layout, luck=luck)


class Entrants:
    """So many synthetic records, made anew whenever a bucket is read."""

    def __init__(self, entrants: int) -> None:
        self._share, self._rest = divmod(entrants, len(BUCKETS))

    def bucket(self, frozen: Frozen, bucket: str) -> Iterator[Entrant]:
        """Yield one bucket in order of names."""
        count = self._share + (BUCKETS.index(bucket) < self._rest)
        made = (hashlib.blake2b(f"{bucket}{number}".encode(), digest_size=9).digest() for number in range(count))
        for raw in sorted(made, key=lambda raw: to_base64url(raw)[1:]):
            entries = tuple(Entry(frozen.starts_at + at, "000000", 1) for at in range(1 + raw[0] % 3))
            yield Entrant(bucket + to_base64url(raw)[1:], "owner", "sub", entries, version=1)

    def load(self, frozen: Frozen, name: str, *, consistent: bool) -> Entrant | None:
        """Nobody asks."""
        raise NotImplementedError

    def save(self, frozen: Frozen, before: Entrant | None, after: Entrant) -> bool:
        """Nobody asks."""
        raise NotImplementedError


class Parts:
    """What is sealed and drawn, on disk: the port `Draws`."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("CREATE TABLE parts (part TEXT PRIMARY KEY, text TEXT)")

    def keep(self, campaign_id: str, part: str, text: str) -> str:
        """Store a part unless there is one."""
        del campaign_id
        self._database.execute("INSERT INTO parts VALUES (?, ?) ON CONFLICT DO NOTHING", (part, text))
        return self.read("", part) or ""

    def read(self, campaign_id: str, part: str) -> str | None:
        """Return a part."""
        del campaign_id
        found = self._database.execute("SELECT text FROM parts WHERE part = ?", (part,)).fetchone()
        return None if found is None else str(found[0])

    def list(self, campaign_id: str, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield parts by prefix."""
        del campaign_id
        asked = "SELECT part, text FROM parts WHERE substr(part, 1, ?) = ? ORDER BY part"
        yield from self._database.execute(asked, (len(prefix), prefix))

    def count(self, campaign_id: str, what: str) -> int:
        """Nothing is counted here."""
        raise NotImplementedError

    def mark(self, campaign_id: str, what: str, done: int) -> None:
        """Nothing is counted here."""
        raise NotImplementedError

    def megabytes(self) -> float:
        """Return how much is stored."""
        return float(self._database.execute("SELECT sum(length(text)) FROM parts").fetchone()[0]) / 1e6


class Stored:
    """One campaign, and its seed."""

    def __init__(self, of: Campaign) -> None:
        self._campaign = of

    def load(self, campaign_id: str, *, consistent: bool = False) -> tuple[Campaign, Mapping[str, str]]:
        """Return it."""
        del campaign_id, consistent
        return self._campaign, {}

    def list_ids(self) -> list[str]:
        """Return its id."""
        return [self._campaign.id]

    def seed(self, campaign_id: str) -> bytes:
        """Return the seed."""
        del campaign_id
        return SEED


class NoBeacon:
    """A draw without a beacon asks for none."""

    def fetch(self, beacon: Beacon) -> Randomness:
        """Nobody asks."""
        raise NotImplementedError

    def is_genuine(self, beacon: Beacon, randomness: Randomness) -> bool:
        """Nobody asks."""
        raise NotImplementedError


def hold(entrants: int, winners: int = WINNERS, reserves: int = RESERVES) -> Took:
    """Seal and draw once, in this process."""
    of = campaign(winners, reserves)
    stored, records = Stored(of), Entrants(entrants)
    assert of.luck is not None
    began = time.process_time()
    for bucket in BUCKETS:
        for _ in records.bucket(of.luck.frozen, bucket):
            pass
    making = time.process_time() - began
    with tempfile.TemporaryDirectory() as folder:
        parts, now = Parts(Path(folder) / "parts"), of.ends_at + SEAL_AFTER_MS
        live = LiveCampaigns(stored, lambda: now).get(of.id)
        start, began = peak_mb(), time.process_time()
        seal = SealDraw(records, parts, lambda _, record: record, lambda: now)(live, now + 1)
        sealing, seal_mb = time.process_time() - began - making, peak_mb() - start
        assert seal is not None
        assert of.lottery is not None
        assert of.lottery.draw is not None
        now, began = of.lottery.draw.at, time.process_time()
        result = HoldDraw(parts, stored, NoBeacon(), lambda: now)(live, seal, now + 1)
        drawing, draw_mb = time.process_time() - began, peak_mb() - start
        assert result is not None
        return Took(
            making, max(sealing, 1e-6), drawing, seal_mb, draw_mb, parts.megabytes(), f"{seal.root} {result.hash}"
        )


def _shown(took: Took) -> dict[str, Any]:
    return {
        "seal_seconds": round(took.seal, 4),
        "draw_seconds": round(took.draw, 4),
        "seal_peak_mb": round(took.seal_mb, 2),
        "draw_peak_mb": round(took.draw_mb, 2),
        "stored_mb": round(took.stored_mb, 2),
    }


def main() -> None:
    """Measure from a thousand entrants up, ten times as many each time; then the most places that a draw may have."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=1_000_000)
    largest = parser.parse_args().largest
    sizes = [10**power for power in range(3, 8) if 10**power <= largest]
    table = Table(title=f"A draw of {WINNERS} winners and {RESERVES:,} reserves", title_justify="left")
    for column in ("entrants", "seconds to seal", "to draw", "peak MB, seal", "draw", "MB stored"):
        table.add_column(column, justify="right")
    took = {size: alone(hold, size) for size in sizes}
    assert alone(hold, sizes[0]).outcome == took[sizes[0]].outcome, "done again, it is another draw"
    most = alone(hold, sizes[-1] // 5, MAX_PLACES - RESERVES)
    for size, each in took.items():
        assert each.draw_mb < MEMORY_BOUND_MB, f"{size} entrants took {each.draw_mb:.1f} MB"
        table.add_row(f"{size:,}", *(f"{value:.3f}" for value in _shown(each).values()))
    table.add_section()
    table.add_row(f"{sizes[-1] // 5:,}, {MAX_PLACES:,} places", *(f"{value:.3f}" for value in _shown(most).values()))
    section: dict[str, Any] = {
        "winners": WINNERS,
        "reserves": RESERVES,
        "sizes": {str(size): _shown(each) for size, each in took.items()},
        "most_places": {"entrants": sizes[-1] // 5, "places": MAX_PLACES, **_shown(most)},
    }
    wide_console().print(table)
    biggest = max(each.draw_mb for each in took.values())
    of_itself = "the same draw of fewer entrants"
    claims = [
        Claim("MB that a draw takes at most, whatever the entrants", round(biggest, 2), MEMORY_BOUND_MB, of_itself),
    ]
    results.save("draw", section, claims)
    results.stand_by(claims)


if __name__ == "__main__":
    main()
