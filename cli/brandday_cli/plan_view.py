"""How a plan and a simulated day look on a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from brandday_cli.plan_figures import Plan, Wishes
from brandday_cli.plan_tariff import Tariff

_NEVER = "never"


def render_plan(plan: Plan, wishes: Wishes, tariff: Tariff) -> RenderableType:
    """Return the whole plan: what will happen, what is in the way, what it costs, what to deploy."""
    return Group(
        _expected(plan, wishes),
        _limits(plan, tariff),
        _costs(plan, tariff),
        Text("\nDeploy with", style="bold"),
        Text(f"  sam deploy --parameter-overrides {overrides_text(plan)}", style="cyan", no_wrap=True),
        Text("  Warm throughput is charged once, when it is raised, and cannot be lowered: see the price page."),
    )


def overrides_text(plan: Plan) -> str:
    """Return the overrides as `sam deploy` takes them."""
    return " ".join(f"{name}={value}" for name, value in plan.overrides.items())


def render_outcomes(outcomes: Sequence[Any]) -> RenderableType:
    """Return simulated days side by side."""
    table = Table(title="Simulated on the same arrivals", title_justify="left")
    table.add_column("")
    for outcome in outcomes:
        table.add_column(outcome.design, justify="right")
    rows: list[tuple[str, list[str]]] = [
        ("units taken", [f"{each.taken:,} of {each.stock:,}" for each in outcomes]),
        ("all taken after", [seconds_text(each.all_taken_at) for each in outcomes]),
        ("all paid after", [seconds_text(each.all_sold_at) for each in outcomes]),
        ("write units for each unit taken", [f"{each.write_units_per_sale:.2f}" for each in outcomes]),
        ("write + 0.2 x read units", [f"{each.cost_per_sale:.2f}" for each in outcomes]),
        ("requests, the busiest second", [f"{each.peak_requests:,}" for each in outcomes]),
        ("environments busy at once", [f"{each.peak_concurrency:,}" for each in outcomes]),
        ("throttled by the API or Lambda", [f"{each.api_throttles + each.lambda_throttles:,}" for each in outcomes]),
        ("throttled by a table", [f"{each.table_throttles:,}" for each in outcomes]),
        ("transactions cancelled by others", [f"{each.conflicts:,}" for each in outcomes]),
        ("shoppers who gave up", [f"{each.answers.get('gave_up', 0):,}" for each in outcomes]),
        ('told "sold out" before all was paid', [f"{each.wrong_refusals:,}" for each in outcomes]),
    ]
    for name, values in rows:
        table.add_row(name, *values)
    return table


def seconds_text(seconds: float | None) -> str:
    """Return a time for people: 0.4 s, 2 min 05 s."""
    if seconds is None:
        return _NEVER
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"


def _expected(plan: Plan, wishes: Wishes) -> RenderableType:
    table = Table(title="What to expect", title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    taken = "not all are taken" if plan.all_taken_at is None else seconds_text(plan.all_taken_at)
    for name, value in (
        ("shoppers", f"{wishes.shoppers:,}"),
        ("units, and the shards they are in", f"{wishes.units:,} in {plan.shards:,}"),
        ("all units taken after", taken),
        ("requests", f"{plan.requests:,}"),
        ("requests, the busiest second", f"{plan.peak_requests:,}"),
        ("units taken, the busiest second", f"{plan.peak_sales:,}"),
        ("environments busy at once", f"{plan.concurrency:,}"),
        ("to have ready before the opening", f"{plan.provisioned:,} ({plan.start})"),
        ("StockTable, write units, the busiest second", f"{plan.peak_stock_writes:,}"),
        ("StockTable, read units, the busiest second", f"{plan.peak_stock_reads:,}"),
        ("StockTable, to be warm for", f"{plan.warm_stock_writes:,} writes, {plan.warm_stock_reads:,} reads"),
        ("RewardTable, to be warm for", f"{plan.warm_reward_writes:,} writes"),
        ("write units for each unit taken", f"{plan.write_units_per_sale:.2f}"),
    ):
        table.add_row(name, value)
    return table


def _limits(plan: Plan, tariff: Tariff) -> RenderableType:
    table = Table(title=f"Quotas and limits, as of {tariff.quotas_as_of}", title_justify="left")
    for name in ("limit", "given", "needed", "what to do"):
        table.add_column(name, justify="right" if name in ("given", "needed") else "left")
    for limit in plan.limits:
        mark = Text("nothing", style="green") if limit.enough else Text(limit.what_to_do, style="bold yellow")
        table.add_row(limit.name, f"{limit.given:,.0f}", f"{limit.needed:,.0f}", mark)
    return table


def _costs(plan: Plan, tariff: Tariff) -> RenderableType:
    title = f"Cost of the day in {tariff.region}, prices as of {tariff.prices_as_of}, no free tier"
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("for", "all of it")
    table.add_column("amount", justify="right")
    table.add_column("US$", f"{plan.dollars:,.2f}", justify="right")
    for line in plan.costs:
        table.add_row(line.name, f"{line.amount:,.2f} {line.unit}", f"{line.dollars:,.2f}")
    return table
