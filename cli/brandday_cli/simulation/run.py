"""Plays a simulated day and says what came of it."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from brandday_cli.simulation.arrivals import draw_arrivals
from brandday_cli.simulation.crowd import Shoppers, claim_of
from brandday_cli.simulation.day import START_MS, Day
from brandday_cli.simulation.fleet import Fleet
from brandday_cli.simulation.ours import Ours
from brandday_cli.simulation.partitions import Usage
from brandday_cli.simulation.rival import Rival
from brandday_cli.simulation.ticks import Ticks

READ_UNIT_PRICE = 0.2
"""Of a write unit, on demand."""

GIVE_UP_AFTER_MS = 2 * 3_600_000

type Design = type[Ours] | type[Rival]


@dataclass(frozen=True)
class TableUse:
    """What one purpose has used of the tables."""

    calls: int
    throttled: int
    write_units: float
    read_units: float
    refused_writes: int


@dataclass(frozen=True)
class Outcome:
    """What came of a day; times in seconds from the opening, None for what did not happen.

    `wrong_refusals` are "sold out" answers at a time when not every unit was paid, so that some may have come back: for
    ours there must be none.
    `held_while_free` are answers "all in carts, come back" at a moment when a unit was free, from what the environment
    had seen within the last second. `timeline` has for each second: requests, units taken, throttles (of the API,
    Lambda or a table), write units and read units.
    """

    design: str
    shoppers: int
    stock: int
    taken: int
    sold: int
    left: int
    answers: Mapping[str, int]
    all_taken_at: float | None
    all_sold_at: float | None
    wrong_refusals: int
    held_while_free: int
    requests: int
    invocations: int
    peak_requests: int
    peak_concurrency: int
    environments: int
    api_throttles: int
    lambda_throttles: int
    table_throttles: int
    conflicts: int
    peak_stock_writes: float
    peak_stock_reads: float
    peak_campaign_reads: float
    busy_seconds: float
    use: Mapping[str, TableUse]
    simulated_seconds: float
    timeline: tuple[tuple[int, int, int, float, float], ...]

    @property
    def write_units_per_sale(self) -> float:
        """Write units of all claims, refused ones too, for each unit taken."""
        return self.use["claims"].write_units / max(1, self.taken)

    @property
    def cost_per_sale(self) -> float:
        """Write units + 0.2 x read units of everything shoppers caused before payment, for each unit taken."""
        bought = [self.use[name] for name in ("claims", "config") if name in self.use]
        return sum(use.write_units + READ_UNIT_PRICE * use.read_units for use in bought) / max(1, self.taken)

    def as_json(self) -> dict[str, Any]:
        """Return everything but the timeline."""
        document = asdict(self)
        del document["timeline"]
        return {
            **document,
            "write_units_per_sale": round(self.write_units_per_sale, 4),
            "cost_per_sale": round(self.cost_per_sale, 4),
        }


class WrongRefusal(AssertionError):
    """A shopper was told "sold out" while a unit was not sold: the promise that must hold on every day."""


def play(day: Day, design: Design = Ours, seed: int = 0, progress: Callable[[int], None] | None = None) -> Outcome:
    """Play the day until everybody has an answer; the same seed gives every design the same arrivals.

    `progress` is told each simulated second how many shoppers have come. Raises WrongRefusal if ours refuses wrongly.
    """
    ticks = Ticks(START_MS)
    backend = design(ticks, day, random.Random(f"latency {seed}"))  # noqa: S311 - a simulation
    shoppers = Shoppers(ticks, day.crowd, random.Random(f"shoppers {seed}"))  # noqa: S311 - a simulation
    fleet = Fleet(ticks, day.capacity, lambda: backend.environment(shoppers), day.pace.handler)
    shoppers.go_to(fleet.offer)
    come = draw_arrivals(day.crowd.curve, day.crowd.shoppers, random.Random(f"arrivals {seed}"))  # noqa: S311 - a simulation
    arrived, arriving = 0, True
    all_taken_at = all_sold_at = None
    for moment in ticks.run(START_MS + GIVE_UP_AFTER_MS):
        count = next(come, None)
        if count is None:
            arriving = False
        else:
            for shopper in range(arrived, arrived + count):
                shoppers.send(claim_of(shopper))
            arrived += count
        shoppers.send_due()
        if all_taken_at is None and backend.free_units == 0:
            all_taken_at = (moment - START_MS) / 1000
        if all_sold_at is None and backend.sold_units == day.stock:
            all_sold_at = (moment - START_MS) / 1000
        if progress is not None and moment % 1000 == 0:
            progress(arrived)
        if not arriving and not shoppers.waiting and not fleet.busy:
            break
    if isinstance(backend, Ours) and backend.wrong:
        raise WrongRefusal(f"{backend.wrong} shoppers were told that all is sold while it was not")
    return _outcome(day, backend, fleet, shoppers, ticks, all_taken_at, all_sold_at)


def _outcome(
    day: Day,
    backend: Ours | Rival,
    fleet: Fleet,
    shoppers: Shoppers,
    ticks: Ticks,
    all_taken_at: float | None,
    all_sold_at: float | None,
) -> Outcome:
    use = backend.usage
    stock = [usage for name, usage in use.items() if name in ("claims", "payments", "expiry")]
    campaign = [usage for name, usage in use.items() if name in ("config", "projector")]
    seconds = (ticks.now_ms - START_MS) // 1000 + 1
    return Outcome(
        design=backend.name,
        shoppers=day.crowd.shoppers,
        stock=day.stock,
        taken=shoppers.answers["granted"],
        sold=backend.sold_units,
        left=backend.free_units,
        answers=dict(shoppers.answers),
        all_taken_at=all_taken_at,
        all_sold_at=all_sold_at,
        wrong_refusals=backend.wrong,
        held_while_free=backend.held_while_free,
        requests=shoppers.asked_at.total(),
        invocations=fleet.invocations,
        peak_requests=max(shoppers.asked_at.values(), default=0),
        peak_concurrency=fleet.peak_busy,
        environments=fleet.started,
        api_throttles=fleet.api_throttles,
        lambda_throttles=fleet.lambda_throttles,
        table_throttles=sum(usage.throttled for usage in use.values()),
        conflicts=backend.conflicts if isinstance(backend, Rival) else 0,
        peak_stock_writes=_peak(usage.writes_by_second for usage in stock),
        peak_stock_reads=_peak(usage.reads_by_second for usage in stock),
        peak_campaign_reads=_peak(usage.reads_by_second for usage in campaign),
        busy_seconds=fleet.busy_ms / 1000,
        use={name: _table_use(usage) for name, usage in use.items()},
        simulated_seconds=(ticks.now_ms - START_MS) / 1000,
        timeline=tuple(
            (
                shoppers.asked_at[second],
                shoppers.granted_at[second],
                shoppers.throttled_at[second],
                sum(usage.writes_by_second.get(second, 0.0) for usage in stock),
                sum(usage.reads_by_second.get(second, 0.0) for usage in stock),
            )
            for second in range(seconds)
        ),
    )


def _table_use(usage: Usage) -> TableUse:
    return TableUse(usage.calls, usage.throttled, usage.write_units, usage.read_units, usage.refused_writes)


def _peak(by_second: Iterable[Mapping[int, float]]) -> float:
    total: dict[int, float] = {}
    for units in by_second:
        for second, value in units.items():
            total[second] = total.get(second, 0.0) + value
    return max(total.values(), default=0.0)
