"""How time and memory grow with the size: publish, audit, seal, draw, make coupons, from a thousand to a million.

    python -m benchmarks.growth [--largest 1000000] [--only PART_OF_A_NAME]

Every measurement has a process of its own; memory is what the operating system gave it beyond what it had when the
work began. The exponent is the slope of time over size on a scale of powers of ten (least squares): 1 is linear, 0 is
flat. Where the database would take nearly all of the time, the work is done over ports in memory that make their
records while they are read, and processor time is counted, without the time of making: the growth is that of our code.
Each row says which. A new operation is one more line in JOBS.
"""

import argparse
import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple, cast

from rich.table import Table

from benchmarks import draw, results
from benchmarks.alone import alone, exponent, peak_mb
from benchmarks.engine import client_of
from benchmarks.ours import CAMPAIGN, SKU, Shards
from benchmarks.results import Claim, wide_console
from brandday.adapters.coupon_table import encode_facts
from brandday.config.mechanics import parse_campaign
from brandday.domain.campaign import Campaign, Status
from brandday.domain.coupon_code import SECRET_BYTES, CodeKeys
from brandday.domain.coupon_job import BATCH, CouponJob, JobKind
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.layout import UNITS_PER_SHARD, plan_layout
from brandday.domain.shard import CONFIRMED, HELD, POINTER, Entry, encode_entry
from brandday.usecases.coupon_jobs import CodeBook, CouponJobs, ManageCoupons
from brandday.usecases.coupon_ports import Coupons
from brandday.usecases.ports import Campaigns
from brandday.usecases.reward_ports import Rewards
from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_records import RawItem
from brandday_local.dynamodb_local import DynamoDbLocal

LINEAR = 1.1
"""The largest exponent that passes for linear: what is left for noise over a factor of a thousand is one of two."""

FLAT_MB = 16.0
"""How much more memory a million may take than a thousand; a million claims in memory would be hundreds of MB."""

SEVERAL_RUNS = 100_000
"""What takes milliseconds is noisier than what takes half a minute."""

NOW_MS = 1_790_000_000_000


class Took(NamedTuple):
    """One measurement: seconds, and megabytes beyond those at the start."""

    seconds: float
    peak_mb: float


class Job(NamedTuple):
    """Operations that are measured together, each at a size, in a process of their own."""

    names: tuple[str, ...]
    measure: Callable[[int], tuple[Took, ...]]
    """Does them once and returns what each took, in the order of the names."""
    counted: str
    """What kind of time, over what."""
    unit: str
    at_most: float = LINEAR
    """The largest exponent of time over size that each may have."""
    runs: int = 3
    """How often each size up to SEVERAL_RUNS is measured; beyond it once."""


def publish(units: int) -> tuple[Took]:
    """Apply and publish a flash sale of so many units on DynamoDB Local; the median of nine."""
    took = []
    with DynamoDbLocal() as engine:
        client = client_of(engine.endpoint_url)
        Shards("first").create(client, units, NOW_MS)
        start = peak_mb()
        for number in range(9):
            pattern = Shards(f"{number}")
            began = time.perf_counter()
            pattern.create(client, units, NOW_MS)
            took.append(time.perf_counter() - began)
    return (Took(median(took), peak_mb() - start),)


def audit(units: int) -> tuple[Took]:
    """Audit a flash sale of so many units, nearly all of them taken, one in twelve outside the home shard."""
    tables = SoldOut(units)
    began = time.process_time()
    for _ in tables.read_shards(CAMPAIGN, range(tables.shards)):
        pass
    making, start = time.process_time() - began, peak_mb()
    began = time.process_time()
    findings = audit_campaign(tables, CAMPAIGN, now_ms=lambda: NOW_MS)
    seconds = time.process_time() - began - making
    assert findings.ok, findings.violations[:3]
    (pool,) = findings.pools
    assert pool.free + pool.held + pool.sold == units
    return (Took(max(seconds, 1e-6), peak_mb() - start),)


def hold(entrants: int) -> tuple[Took, Took]:
    """Seal a list of so many entrants and draw from it, as `benchmarks.draw` does; each ticket is checked."""
    took = draw.hold(entrants)
    return Took(took.seal, took.seal_mb), Took(took.draw, took.draw_mb)


def generate(coupons: int) -> tuple[Took]:
    """Make so many coupons as `brandday coupons generate` does, batch by batch, and write each as its item."""
    tables = CouponsToBe(coupons)
    manage = ManageCoupons(
        campaigns=cast(Campaigns, tables),
        coupons=cast(Coupons, tables),
        jobs=cast(CouponJobs, tables),
        rewards=cast(Rewards, tables),
        codes=cast(CodeBook, tables),
        now=lambda: NOW_MS,
        random_bytes=bytes,
    )
    start, began = peak_mb(), time.process_time()
    for number in range(0, coupons, BATCH):
        manage.make(CAMPAIGN, CouponsToBe.JOB, number)
    seconds = time.process_time() - began
    assert tables.written == coupons
    return (Took(seconds, peak_mb() - start),)


IN_MEMORY = "processor time over ports in memory"
JOBS = (
    Job(("publish a flash sale",), publish, "elapsed time on DynamoDB Local", "units", at_most=0.2, runs=1),
    Job(("audit a sale that is over",), audit, IN_MEMORY, "units"),
    Job(("seal a list of entrants", "draw from a sealed list"), hold, IN_MEMORY, "entrants"),
    Job(("generate coupons",), generate, IN_MEMORY, "coupons"),
)


class CouponsToBe:
    """What `ManageCoupons.make` asks of its ports, of a job of so many coupons: it counts what it is given to write."""

    JOB = "bulk"

    def __init__(self, coupons: int) -> None:
        document = {
            "id": CAMPAIGN,
            "title": {"en": "Gifts"},
            "mechanic": "coupon",
            "time_zone": "Asia/Shanghai",
            "starts_at": "2026-11-09T00:00:00",
            "ends_at": "2026-11-12T00:00:00",
            "channels": ["app"],
            "currency": "CNY",
            "code_kind": "unique",
            "issued_by": "operators",
            "quantity": coupons,
            "benefit": {"kind": "gift", "sku": "MUG", "worth": {"amount": 1500, "currency": "CNY"}},
            "validity": {"ends_at": "2026-12-01T00:00:00"},
        }
        campaign = parse_campaign(document).to_campaign()
        layout = plan_layout(campaign.skus, b"salt" * 4)
        self.campaign = replace(campaign, status=Status.PUBLISHED, version=1, layout=layout)
        self.job = CouponJob(CAMPAIGN, self.JOB, JobKind.GENERATE, coupons, "", NOW_MS, coupons)
        self.written = 0
        self._keys = CodeKeys.from_secret(bytes(SECRET_BYTES))

    def load(self, _: str, /, *, consistent: bool) -> tuple[Campaign, None]:
        """Return the campaign."""
        del consistent
        return self.campaign, None

    def get(self, _campaign_id: str, _name: str, /) -> CouponJob:
        """Return the job as far as it is."""
        return self.job

    def mark(self, job: CouponJob, done: int) -> None:
        """Remember how far it is."""
        self.job = replace(job, done=done)

    def keys(self) -> CodeKeys:
        """Return keys."""
        return self._keys

    def put_facts(self, coupons: Iterable[CouponFacts]) -> None:
        """Make an item of each coupon."""
        self.written += sum(1 for facts in coupons if encode_facts(facts))

    def create(self, _: object, /) -> None:
        """Nobody is rewarded: these coupons are for whoever has the code."""
        raise NotImplementedError


class SoldOut:
    """The tables of a flash sale that is over, made shard by shard while they are read: the port `AuditTables`.

    Of each shard's units two in three are paid, the others held. Every twelfth claim is of a shopper of the shard
    before, whose own had nothing free: there is a pointer to it.
    """

    AWAY = 12

    def __init__(self, units: int) -> None:
        self.units = units
        self.shards = max(1, -(-units // UNITS_PER_SHARD))

    def read_config(self, _: str, /) -> RawItem | None:
        """Return the campaign's record."""
        document = {
            "limit_per_shopper": 1,
            "hold_seconds": 600,
            "extend_seconds": 300,
            "skus": [{"sku": SKU, "stock": self.units, "units_per_shopper": 1}],
        }
        layout = {"salt": "c2FsdHNhbHRzYWx0c2FsdA", "shards": self.shards, "slots": {SKU: "0"}}
        return {"document": {"S": json.dumps(document)}, "layout": {"S": json.dumps(layout)}}

    def read_shards(self, campaign_id: str, shards: Iterable[int]) -> Iterator[tuple[int, RawItem | None]]:
        """Yield every shard."""
        for number in shards:
            yield number, self._shard(campaign_id, number)

    def read_together(self, campaign_id: str, shards: Sequence[int]) -> dict[int, RawItem | None]:
        """Return some shards, at any moment."""
        return dict(self.read_shards(campaign_id, shards))

    def read_summary_chunks(self, campaign_id: str, shards: int, /) -> Iterator[RawItem]:
        """Nobody asks."""
        raise NotImplementedError

    def scan_keys(self, campaign_id: str) -> Iterator[str]:
        """Nobody asks."""
        raise NotImplementedError

    def _shard(self, campaign_id: str, number: int) -> RawItem:
        share, rest = divmod(self.units, self.shards)
        units = share + (number < rest)
        away = units // self.AWAY if self.shards > 1 else 0
        item: dict[str, Mapping[str, Any]] = {
            "pk": {"S": f"{campaign_id}#{number}"},
            "v": {"N": str(units)},
            "f0": {"N": "0"},
        }
        for serial in range(units):
            home = (number - 1) % self.shards if serial < away else number
            item[self._name(home, serial)] = {"S": encode_entry(_claim(serial))}
        onward = (number + 1) % self.shards
        for serial in range((share + (onward < rest)) // self.AWAY if self.shards > 1 else 0):
            pointer = _claim(serial)._replace(state=POINTER, order_id=None, shard=onward)
            item[self._name(number, serial)] = {"S": encode_entry(pointer)}
        return item

    def _name(self, home: int, serial: int) -> str:
        """Return the name of a shopper of this home shard, as many as there are serials."""
        # Spread over all 72 bits, as hashes are.
        times = (serial + 7) * 1_000_003 * 2**20
        return base64.urlsafe_b64encode((home + self.shards * times).to_bytes(9, "big")).decode()


def _claim(serial: int) -> Entry:
    is_paid = serial % 3 > 0
    return Entry(CONFIRMED if is_paid else HELD, "0", 1, NOW_MS + serial, "tagtag", "order" if is_paid else None)


def main() -> None:
    """Measure every job at every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="only jobs whose name contains this; nothing is written")
    options = parser.parse_args()
    sizes = [10**power for power in range(3, 8) if 10**power <= options.largest]
    table = Table(title="Growth: seconds and MB beyond the start, by size", title_justify="left")
    table.add_column("operation")
    for size in sizes:
        table.add_column(f"{size:,}", justify="right", no_wrap=True)
    table.add_column("exponent", justify="right")
    table.add_column("measured")
    section: dict[str, Any] = {"unit": "median seconds; largest MB beyond the start", "operations": {}}
    claims: list[Claim] = []
    for job in JOBS:
        if options.only not in " ".join(job.names):
            continue
        measured = {
            size: [alone(job.measure, size) for _ in range(job.runs if size <= SEVERAL_RUNS else 1)] for size in sizes
        }
        for at, name in enumerate(job.names):
            took = {size: [run[at] for run in runs] for size, runs in measured.items()}
            seconds = {size: median(run.seconds for run in runs) for size, runs in took.items()}
            peak = {size: max(run.peak_mb for run in runs) for size, runs in took.items()}
            slope = exponent(seconds)
            cells = (f"{seconds[size]:.3f} s, {peak[size]:.1f} MB" for size in sizes)
            table.add_row(f"{name} ({job.unit})", *cells, f"{slope:.2f}", job.counted)
            against = f"{job.counted}, {sizes[0]:,} to {sizes[-1]:,} {job.unit}"
            grown = max(0.0, peak[sizes[-1]] - peak[sizes[0]])
            claims.append(Claim(f"exponent of time: {name}", round(slope, 3), job.at_most, against))
            claims.append(Claim(f"MB more at the largest size: {name}", round(grown, 2), FLAT_MB, against))
            section["operations"][name] = {
                "measured": job.counted,
                "unit": job.unit,
                "exponent": round(slope, 3),
                "sizes": {
                    str(size): {
                        "seconds": round(seconds[size], 4),
                        "spread": [round(choose(run.seconds for run in took[size]), 4) for choose in (min, max)],
                        "peak_mb": round(peak[size], 2),
                        "runs": len(took[size]),
                    }
                    for size in sizes
                },
            }
    console = wide_console()
    console.print(table)
    console.print(results.table_of(claims))
    if not options.only:
        results.save("growth", section, claims)
    results.stand_by(claims)


if __name__ == "__main__":
    main()
