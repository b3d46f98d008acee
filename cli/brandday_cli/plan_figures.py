"""From what is expected of a day to what has to be set, asked for and paid: arithmetic alone.

Every figure errs on the side of too much capacity. How far is checked against the simulation in
`tests/unit/test_plan_simulation.py`; what the factors below stand for is in docs/planning.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from brandday.domain.layout import SALT_BYTES, plan_layout
from brandday.domain.summary import SHARDS_PER_GROUP
from brandday_cli.plan_tariff import Quotas, Tariff
from brandday_cli.simulation.arrivals import Curve

WRITES_PER_SALE = 1.22
"""Write units for each unit taken: one, and more for those whose home shard is empty. `benchmarks.cost` measures up to
1.15 where environments are warm; the rest is room."""

WRITES_PER_ENVIRONMENT = 0.8
"""Environments that are new to a sold-out shard try one write before they know."""

WRITES_PER_PAYMENT = 2
"""A full shard is a little over 1 KB once orders are noted in it."""

REWARD_WRITES_PER_PAYMENT = 2
"""The order to be handed over, and its place in the index; what its delivery writes comes later and slowly."""

SUMMARY_WRITES_PER_CHANGE = 1.1
"""What the stream's consumer writes for one change of a shard; fewer where a rush fills its batches."""

REQUEST_MS = 20
"""How long an environment is busy with one request of the first seconds, when it has to look at everything itself."""

START_MS = 500
"""How long a new environment takes until it can serve: less with SnapStart."""

TYPICAL_MS = 6
"""... and on average over the day."""

MEMORY_GB = 1769 / 1024
"""ReservationsFunction's, as in template.yaml."""

CONFIG_BYTES = 2500
SUBTOTAL_BYTES = 140
"""Of a campaign with one SKU, and of each group of shards in its summary."""

LOG_BYTES = 950
ANSWER_BYTES = 1200
"""For each request: the API's and the function's log lines; head and body of an answer."""

SQS_REQUESTS_PER_SALE = 3
ROOM = 1.2
"""How much more than the expected peak the API lets through."""

_READ_BLOCK = 4096
_MILLION = 1_000_000
_GB = 1024**3
_READY_HOURS = 1.0


@dataclass(frozen=True)
class Wishes:
    """What is expected of a day. `stock` is SKU -> units; the rest is as in `simulation.day.Crowd`."""

    shoppers: int
    curve: Curve
    stock: Mapping[str, int]
    patience: int = 1
    pays: float = 0.95
    pays_after_s: float = 30.0
    hold_seconds: int = 600

    @property
    def units(self) -> int:
        """All units of all SKUs."""
        return sum(self.stock.values())


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota and what the day needs of it; `what_to_do` is empty where it is enough."""

    name: str
    given: float
    needed: float
    what_to_do: str

    @property
    def enough(self) -> bool:
        """Whether nothing has to be done."""
        return not self.what_to_do


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the bill in dollars, and what it is for."""

    name: str
    amount: float
    unit: str
    dollars: float


@dataclass(frozen=True)
class Plan:
    """What the day comes to. Rates are per second; times in seconds from the opening, None for never."""

    shards: int
    sold: int
    requests: int
    peak_requests: int
    all_taken_at: float | None
    peak_sales: int
    write_units_per_sale: float
    peak_stock_writes: int
    peak_stock_reads: int
    peak_reward_writes: int
    peak_config_reads: int
    warm_stock_writes: int
    warm_stock_reads: int
    warm_reward_writes: int
    concurrency: int
    lambda_quota: int
    provisioned: int
    start: str
    limits: tuple[Limit, ...]
    costs: tuple[CostLine, ...]
    overrides: Mapping[str, int]

    @property
    def dollars(self) -> float:
        """The whole day."""
        return sum(line.dollars for line in self.costs)


@dataclass(frozen=True)
class _Sku:
    sku: str
    stock: int


def plan_day(wishes: Wishes, tariff: Tariff) -> Plan:
    """Return the plan; raises ValueError where there is nothing to sell or nobody to sell it to."""
    if not wishes.units or not wishes.shoppers:
        raise ValueError("a day needs shoppers and stock")
    quotas = tariff.quotas
    shards = plan_layout([_Sku(sku, stock) for sku, stock in wishes.stock.items()], bytes(SALT_BYTES)).shards
    sold = min(wishes.units, wishes.shoppers)
    refused = wishes.shoppers - sold
    requests = wishes.shoppers + refused * wishes.patience
    first_tries = round(wishes.curve.peak_share() * wishes.shoppers, 6)  # sums of shares are a little off
    peak_requests = math.ceil(first_tries * (1 + wishes.patience * (refused > 0)))
    concurrency = math.ceil(peak_requests * REQUEST_MS / 1000)
    starting = _starting(wishes)
    provisioned = _provisioned(wishes, quotas, concurrency, starting)
    environments = max(provisioned, concurrency, 0 if provisioned else starting)
    peak_sales = _peak_sales(wishes, sold)
    first_writes = WRITES_PER_ENVIRONMENT * min(environments, refused)
    peak_claims = peak_sales * WRITES_PER_SALE + first_writes
    payments = sold * wishes.pays / (1.5 * wishes.pays_after_s)
    peak_writes = math.ceil(max(peak_claims, payments * WRITES_PER_PAYMENT))
    peak_reads = math.ceil(_peak_reads(environments, peak_requests, shards) if refused else payments)
    config_units = _config_units(shards, len(wishes.stock))
    warm_writes = _warm(peak_writes, shards, quotas.partition_write_units, quotas.warm_write_units)
    warm_reads = _warm(peak_reads, shards, quotas.partition_read_units, quotas.warm_read_units)
    reward_writes = math.ceil(payments * REWARD_WRITES_PER_PAYMENT)
    warm_rewards = _rounded_up(reward_writes, quotas.partition_write_units, quotas.warm_write_units)
    lambda_quota = max(environments, math.ceil(peak_requests / quotas.lambda_requests_per_environment))
    plan = Plan(
        shards=shards,
        sold=sold,
        requests=requests,
        peak_requests=peak_requests,
        all_taken_at=wishes.curve.until(wishes.units / wishes.shoppers) if refused else None,
        peak_sales=peak_sales,
        write_units_per_sale=(sold * WRITES_PER_SALE + first_writes) / sold,
        peak_stock_writes=peak_writes,
        peak_stock_reads=peak_reads,
        peak_reward_writes=reward_writes,
        peak_config_reads=math.ceil(environments * config_units),
        warm_stock_writes=warm_writes,
        warm_stock_reads=warm_reads,
        warm_reward_writes=warm_rewards,
        concurrency=concurrency,
        lambda_quota=lambda_quota,
        provisioned=provisioned,
        start="provisioned concurrency" if provisioned else "SnapStart, or nothing",
        limits=(),
        costs=(),
        overrides=_overrides(peak_requests, warm_writes, warm_reads, warm_rewards, quotas),
    )
    return _with(plan, wishes, tariff, environments, config_units)


def _peak_sales(wishes: Wishes, sold: int) -> int:
    """Return the most units taken within one second."""
    ends = wishes.curve.until(min(1.0, wishes.units / wishes.shoppers)) or wishes.curve.seconds
    moments = {0.0, max(0.0, ends - 1)}
    passed = 0.0
    for stretch in wishes.curve.stretches:
        moments |= {passed, max(0.0, passed + stretch.seconds - 1)}
        passed += stretch.seconds
    most = max(
        min(sold, wishes.curve.arrived(moment + 1) * wishes.shoppers)
        - min(sold, wishes.curve.arrived(moment) * wishes.shoppers)
        for moment in moments
    )
    return math.ceil(round(most, 6))


def _starting(wishes: Wishes) -> int:
    """Return how many environments start at once where the pace rises most: while one starts, every other request
    needs another one.
    """
    paces = [0.0, *(wishes.shoppers * stretch.share / max(1.0, stretch.seconds) for stretch in wishes.curve.stretches)]
    return math.ceil(round(max(after - before for before, after in pairwise(paces)) * START_MS / 1000, 6))


def _provisioned(wishes: Wishes, quotas: Quotas, concurrency: int, starting: int) -> int:
    """Return how many environments must be ready because Lambda cannot start them as fast as the crowd comes.

    What it could have started before and was not asked for is not saved up.
    """
    ahead, running = 0.0, 0.0
    for stretch in wishes.curve.stretches:
        pace = wishes.shoppers * stretch.share / max(1.0, stretch.seconds) * (1 + wishes.patience)
        needed = max(pace / quotas.lambda_requests_per_environment, pace * REQUEST_MS / 1000)
        ahead = max(ahead, round(needed - running - quotas.lambda_growth, 6))
        running = needed
    if ahead > 0 or starting > quotas.lambda_growth:
        return max(math.ceil(ahead), concurrency)
    return 0


def _peak_reads(environments: int, requests: int, shards: int) -> float:
    """Each environment reads each home shard it is asked about once a second, at half a unit, and a few others."""
    met = shards * -math.expm1(-requests / environments / shards)
    return environments * (met / 2 + 1)


def _config_units(shards: int, skus: int) -> float:
    groups = math.ceil(shards / SHARDS_PER_GROUP)
    return math.ceil((CONFIG_BYTES + groups * SUBTOTAL_BYTES * skus) / _READ_BLOCK) / 2


def _warm(units: int, shards: int, of_partition: int, least: int) -> int:
    """Return how warm the table has to be for its fullest partition not to throttle: shards fall on partitions like
    balls into bins.
    """
    partitions = max(1, math.ceil(least / of_partition))
    while partitions < shards:
        mean = shards / partitions
        fullest = mean + math.sqrt(2 * mean * math.log(partitions))
        if units / shards * fullest <= of_partition:
            break
        partitions += 1
    return partitions * of_partition


def _rounded_up(units: int, step: int, least: int) -> int:
    return max(least, math.ceil(units / step) * step)


def _overrides(requests: int, writes: int, reads: int, rewards: int, quotas: Quotas) -> dict[str, int]:
    """Return parameters of template.yaml; tables that are warm enough as they are stay as they are."""
    rate = _rounded_up(math.ceil(requests * ROOM), 1000, 1000)
    chosen = {"RequestsPerSecond": rate, "RequestsBurst": rate}
    if writes > quotas.warm_write_units or reads > quotas.warm_read_units:
        chosen |= {"WarmStockWrites": writes, "WarmStockReads": reads}
    if rewards > quotas.warm_write_units:
        chosen |= {"WarmRewardWrites": rewards}
    return chosen


def _with(plan: Plan, wishes: Wishes, tariff: Tariff, environments: int, config_units: float) -> Plan:
    """Return the plan with its limits and its bill."""
    fields = {name: value for name, value in vars(plan).items() if name not in ("limits", "costs")}
    limits = _limits(plan, tariff.quotas, environments, config_units)
    return Plan(**fields, limits=limits, costs=_costs(plan, wishes, tariff, environments, config_units))


def _limits(plan: Plan, quotas: Quotas, environments: int, config_units: float) -> tuple[Limit, ...]:
    rate = plan.overrides["RequestsPerSecond"]
    return (
        _limit(
            "API Gateway, requests a second (account)",
            quotas.api_requests_per_second,
            rate,
            f"ask for {rate:,} (Service Quotas L-8A5B8E43), two weeks ahead",
        ),
        _limit(
            "Lambda, concurrency (account)",
            quotas.lambda_concurrency,
            plan.lambda_quota,
            f"ask for {plan.lambda_quota:,} more than other functions use (L-B99A9384); each one also stands for "
            f"{quotas.lambda_requests_per_environment} requests a second",
        ),
        _limit(
            "Lambda, environments in the first 10 s (function)",
            quotas.lambda_growth,
            quotas.lambda_growth + plan.provisioned if plan.provisioned else environments,
            f"have {plan.provisioned:,} environments ready: provisioned concurrency of ReservationsFunction",
        ),
        _limit(
            "StockTable, write units a second",
            quotas.table_write_units,
            plan.warm_stock_writes,
            f"ask for {plan.warm_stock_writes:,} per table",
        ),
        _limit(
            "StockTable, read units a second",
            quotas.table_read_units,
            plan.warm_stock_reads,
            f"ask for {plan.warm_stock_reads:,} per table",
        ),
        _limit(
            "one shard, read units a second",
            quotas.partition_read_units,
            environments / 2,
            "no quota raises this: fewer environments, by reserved concurrency, or a waiting room before the API",
        ),
        _limit(
            "the campaign's config, read units a second",
            quotas.partition_read_units,
            environments * config_units,
            "no quota raises this: fewer environments, or a waiting room before the API",
        ),
    )


def _limit(name: str, given: float, needed: float, what_to_do: str) -> Limit:
    return Limit(name, given, math.ceil(needed), what_to_do if needed > given else "")


def _costs(plan: Plan, wishes: Wishes, tariff: Tariff, environments: int, config_units: float) -> tuple[CostLine, ...]:
    prices = tariff.prices
    calls = plan.requests + plan.sold * wishes.pays
    busy = calls * TYPICAL_MS / 1000 * MEMORY_GB
    changes = plan.sold * (1 + wishes.pays)
    writes = (
        plan.sold * (plan.write_units_per_sale + WRITES_PER_PAYMENT * wishes.pays)
        + changes * SUMMARY_WRITES_PER_CHANGE
        + plan.sold * wishes.pays * REWARD_WRITES_PER_PAYMENT * 3  # made, sent, delivered
    )
    refused_reads = (plan.requests - plan.sold) / 2
    reads = refused_reads + environments * config_units * wishes.curve.seconds + changes * 2
    ready = plan.provisioned * MEMORY_GB * 3600 * _READY_HOURS
    lines = [
        _line("API Gateway, requests", calls, "million", calls / _MILLION * prices.api_requests_per_million),
        _line("Lambda, requests", calls, "million", calls / _MILLION * prices.lambda_requests_per_million),
        _line("Lambda, work", busy, "GB-s", busy * prices.lambda_gb_second),
        _line("Lambda, an hour of readiness", ready, "GB-s", ready * prices.provisioned_gb_second),
        _line("DynamoDB, writes", writes, "million", writes / _MILLION * prices.write_units_per_million),
        _line("DynamoDB, reads", reads, "million", reads / _MILLION * prices.read_units_per_million),
        _line(
            "SQS, timers and deliveries",
            plan.sold * 2 * SQS_REQUESTS_PER_SALE,
            "million",
            plan.sold * 2 * SQS_REQUESTS_PER_SALE / _MILLION * prices.sqs_requests_per_million,
        ),
        _line("CloudWatch, logs", calls * LOG_BYTES / _GB, "GB", calls * LOG_BYTES / _GB * prices.log_gb),
        _line("Data out", calls * ANSWER_BYTES / _GB, "GB", calls * ANSWER_BYTES / _GB * prices.data_out_gb),
    ]
    return tuple(line for line in lines if line.dollars)


def _line(name: str, amount: float, unit: str, dollars: float) -> CostLine:
    return CostLine(name, amount / _MILLION if unit == "million" else amount, unit, dollars)
