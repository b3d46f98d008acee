"""How campaigns look on a terminal. Pure: the API's answers in, pictures out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from brandday.domain.currency import format_money
from brandday.domain.money import Money
from brandday_cli.coupon_terms_view import add_coupon_terms, coupon_table
from brandday_cli.protection_view import protection_lines

_STATE_STYLES = {
    "draft": "cyan",
    "scheduled": "blue",
    "running": "bold green",
    "paused": "bold yellow",
    "ended": "dim",
}


def state_text(state: str) -> Text:
    """A campaign's state in its colour."""
    return Text(state, style=_STATE_STYLES.get(state, ""))


def local_time(moment: str, time_zone: str) -> str:
    """An RFC 3339 time on the clock of the campaign's zone: 2026-11-09 00:00, finer only where it is finer."""
    local = datetime.fromisoformat(moment).astimezone(ZoneInfo(time_zone)).replace(tzinfo=None)
    detail = "milliseconds" if local.microsecond else "seconds" if local.second else "minutes"
    return local.isoformat(sep=" ", timespec=detail)


def title_text(titles: Mapping[str, str]) -> str:
    """All titles, the English one first: they are the same thing said differently."""
    return " / ".join(titles[tag] for tag in sorted(titles, key=lambda tag: (tag != "en", tag)))


def render_list(campaigns: Sequence[Mapping[str, Any]]) -> RenderableType:
    """All campaigns in a table."""
    if not campaigns:
        return Text("No campaigns yet. Declare one with `brandday apply FILE`.", style="dim")
    zones = sorted({campaign["time_zone"] for campaign in campaigns})
    one_zone = len(zones) == 1
    table = _plain_table(caption=f"times in {zones[0]}" if one_zone else None, expand=True)
    table.add_column("campaign", overflow="fold")
    for heading in ("state", "starts", "ends"):
        table.add_column(heading)
    table.add_column("units", justify="right")
    table.add_column("title", ratio=1, no_wrap=True, overflow="ellipsis")
    for campaign in campaigns:
        zone = campaign["time_zone"]
        after = "" if one_zone else f" {zone}"
        table.add_row(
            campaign["id"],
            state_text(campaign["state"]),
            local_time(campaign["starts_at"], zone) + after,
            local_time(campaign["ends_at"], zone) + after,
            f"{campaign['units']:,}",
            title_text(campaign["title"]),
        )
    return table


def render_campaign(campaign: Mapping[str, Any], statistics: Mapping[str, Any]) -> RenderableType:
    """One campaign: its terms, and how the stock of each SKU, or prize, stands."""
    document, zone = campaign["document"], campaign["time_zone"]
    mechanic = document["mechanic"]
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    facts.add_row("state", state_text(campaign["state"]))
    facts.add_row(
        _WORDS[mechanic],
        f"{local_time(campaign['starts_at'], zone)} to {local_time(campaign['ends_at'], zone)}  {zone}",
    )
    facts.add_row("open to", _audience(document))
    facts.add_row("protected", "\n".join(protection_lines(document.get("protection"))))
    _ADD_TERMS[mechanic](facts, document)
    _add_fulfilment(facts, document["fulfilment"], sells_orders=mechanic == "flash_sale")
    facts.add_row("version", _version(campaign))
    for restock in campaign["restocks"]:
        done = "" if restock["done"] else "  (not finished: run the same restock again)"
        facts.add_row(
            "restock",
            Text(
                f"{restock['id']}: +{restock['quantity']:,} {restock['sku']}, {local_time(restock['at'], zone)}{done}",
                style="" if restock["done"] else "yellow",
            ),
        )
    if campaign["lottery"] is not None:
        _add_promises(facts, campaign["lottery"], zone)
    heading = Text.assemble((campaign["id"], "bold"), "  ", title_text(campaign["title"]))
    stock = _STOCK_TABLES[mechanic](document, statistics)
    return Group(Panel(facts, title=heading, title_align="left", expand=False), stock)


def render_history(entries: Sequence[Mapping[str, Any]], time_zone: str) -> RenderableType:
    """The audit trail, the latest act first."""
    table = _plain_table()
    table.add_column("when", no_wrap=True)
    table.add_column("version", justify="right")
    for heading in ("who", "act"):
        table.add_column(heading)
    table.add_column("what changed", overflow="fold")
    for entry in entries:
        changes = entry["changes"]
        what = Text("\n").join([render_change(change) for change in changes])
        if entry["version"] == 1 and entry["act"] == "apply":
            what = Text("declared", style="green")
        table.add_row(local_time(entry["at"], time_zone), str(entry["version"]), entry["who"], entry["act"], what)
    return table


def render_change(change: Mapping[str, Any]) -> Text:
    """One changed value, as in a diff: added, removed or from one to the other."""
    name, before, after = ".".join(change["path"]), change["before"], change["after"]
    if before is None:
        return Text(f"+ {name}: {_value(after)}", style="green")
    if after is None:
        return Text(f"- {name}: {_value(before)}", style="red")
    return Text.assemble((f"~ {name}: ", "yellow"), (_value(before), "red"), " → ", (_value(after), "green"))


def render_diff(campaign_id: str, version: int, changes: Sequence[Mapping[str, Any]]) -> RenderableType:
    """What applying a file would change."""
    heading = "is new" if version == 0 else f"changes (live is version {version})"
    return Group(Text.assemble((campaign_id, "bold"), f" {heading}"), *(render_change(change) for change in changes))


def _plain_table(*, caption: str | None = None, expand: bool = False) -> Table:
    return Table(box=None, pad_edge=False, header_style="bold", caption=caption, caption_justify="left", expand=expand)


def _stock_table(document: Mapping[str, Any], statistics: Mapping[str, Any]) -> Table:
    table = _plain_table()
    table.add_column("SKU", overflow="fold")
    for heading in ("price", "stock", "free", "held", "sold", "per shopper"):
        table.add_column(heading, justify="right", no_wrap=heading != "per shopper")
    units = {sku["sku"]: sku for sku in statistics["skus"]}
    for sku in document["skus"]:
        counts = units[sku["sku"]]
        restocked = f" + {counts['restocked']:,}" if counts["restocked"] else ""
        table.add_row(
            Text.assemble(
                (sku["sku"], "bold"), "\n", (title_text(sku["title"]), "dim"), (_reward(sku["reward"]), "cyan")
            ),
            Text.assemble((_value(sku["sale_price"]), "bold"), "\n", (_value(sku["list_price"]), "dim strike")),
            f"{counts['initial']:,}{restocked}",
            *(f"{counts[name]:,}" for name in ("free", "held", "sold")),
            str(sku["units_per_shopper"]),
        )
    return table


def _add_sale(facts: Table, document: Mapping[str, Any]) -> None:
    facts.add_row("per shopper", f"{document['limit_per_shopper']} in all")
    facts.add_row("hold", f"{document['hold_seconds']} s, and {document['extend_seconds']} s more when payment begins")
    facts.add_row("late payment", document["late_payment"])


def _add_lottery(facts: Table, document: Mapping[str, Any]) -> None:
    """How a lottery is won, and who answers for it."""
    draw, entries = document["draw"], document["entries"]
    if draw is None:
        facts.add_row("winners", "known at once")
    else:
        bound = ", bound to drand's randomness of that moment" if draw["beacon"] else ""
        facts.add_row("drawn", f"{_declared_time(draw['at'])}{bound}")
        facts.add_row(
            "reserves", f"{_value(draw['reserves'])}; one who moves up has {draw['reserve_claim_hours']} hours to claim"
        )
    earned = f", and {entries['earned']} more that can be earned" if entries["earned"] else ""
    facts.add_row("entries", f"{entries['per_day']} a day, {entries['per_campaign']} in all{earned}")
    if document["pity"] is not None:
        facts.add_row("guarantee", f"{document['pity']['prize']} after {document['pity']['after']} misses in a row")
    if document["consolation"] is not None:
        facts.add_row("consolation", document["consolation"])
    compliance = document["compliance"]
    facts.add_row("organiser", compliance["organiser"])
    facts.add_row("contact", compliance["contact"])


def _add_promises(facts: Table, lottery: Mapping[str, Any], zone: str) -> None:
    """What was published before anybody could enter, and each version of the odds since."""
    facts.add_row("seed", Text.assemble(lottery["commitment"], ("  its SHA-256", "dim")))
    for table in lottery["tables"]:
        facts.add_row(
            "prize table" if table["version"] == 1 else "",
            Text.assemble(
                f"version {table['version']} from {local_time(table['since'], zone)}  ",
                (f"{table['hash'][:16]}…", "dim"),
            ),
        )


def _prize_table(document: Mapping[str, Any], statistics: Mapping[str, Any]) -> Table:
    table = _plain_table()
    table.add_column("prize", overflow="fold")
    is_drawn = document["draw"] is not None
    if not is_drawn:
        table.add_column("odds", justify="right", no_wrap=True)
        table.add_column("can be won", overflow="fold")
    for heading in ("units", "won", "left"):
        table.add_column(heading, justify="right", no_wrap=True)
    units = {sku["sku"]: sku for sku in statistics["skus"]}
    for prize in document["prizes"]:
        counts = units[prize["prize"]]
        luck = () if is_drawn else (_odds(prize, document), _release(prize))
        table.add_row(
            Text.assemble(
                (prize["prize"], "bold"), "\n", (title_text(prize["title"]), "dim"), (_reward(prize["reward"]), "cyan")
            ),
            *luck,
            f"{counts['initial']:,}",
            Text(f"{counts['sold'] + counts['held']:,}", style="bold"),
            f"{counts['free']:,}",
        )
    return table


def _odds(prize: Mapping[str, Any], document: Mapping[str, Any]) -> Text:
    if prize["odds"] is None:
        if prize["release"]["plan"] == "moments":
            return Text("the moment's", style="dim")
        return Text("for missing" if prize["prize"] == document["consolation"] else "guarantee only", style="dim")
    percent = f"{100 * Fraction(prize['odds']):.4g} %".replace("e-0", "e-")
    between = "" if prize["odds_between"] is None else f"\n{' to '.join(prize['odds_between'])}"
    return Text.assemble((prize["odds"], "bold"), f"  {percent}", (between, "dim"))


def _release(prize: Mapping[str, Any]) -> Text:
    match prize["release"]:
        case {"plan": "rounds", "every_hours": int(hours)}:
            when = "every hour" if hours == 1 else f"every {hours} hours"
        case {"plan": "rounds", "times": [only]}:
            when = f"from {_declared_time(only)}"
        case {"plan": "rounds", "times": [first, *_, last] as times}:
            when = f"in {len(times)} rounds, {_declared_time(first)} to {_declared_time(last)}"
        case {"plan": "moments"}:
            when = "at secret moments"
        case _:
            when = "from the start"
    caps = [f"{prize[cap]} {words}" for cap, words in _CAPS.items() if prize[cap] is not None]
    return Text.assemble(when, ("\n" + ", ".join(caps) if caps else "", "dim"))


_CAPS = {"per_day": "a day", "per_shopper": "per shopper"}


def _declared_time(text: str) -> str:
    """A time of a declaration, which is local already."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"


def _audience(document: Mapping[str, Any]) -> str:
    rules = document["eligibility"]
    parts = [", ".join(document["channels"])]
    if rules["member_tiers"]:
        parts.append("tiers " + ", ".join(rules["member_tiers"]))
    if rules["regions"]:
        parts.append("regions " + ", ".join(rules["regions"]))
    if rules["new_customers_only"]:
        parts.append("new customers only")
    return "; ".join(parts)


def _add_fulfilment(facts: Table, fulfilment: Mapping[str, Any], *, sells_orders: bool) -> None:
    """How rewards leave: one line per kind with its connector and that one's options."""
    by_kind = fulfilment["by_kind"]
    if sells_orders and "order" not in by_kind:
        facts.add_row("orders", "handed over by the shop itself")
    for kind, choice in by_kind.items():
        options = [f"{name} {value}" for name, value in choice.items() if name != "connector" and value is not None]
        facts.add_row(
            "orders" if kind == "order" else f"{kind} rewards", f"{choice['connector']}: {', '.join(options)}"
        )
    if fulfilment["claim_until"] is not None:
        facts.add_row("claim until", f"{datetime.fromisoformat(fulfilment['claim_until']):%Y-%m-%d %H:%M}")
    if fulfilment["approve_over"] is not None:
        facts.add_row("second person", f"for rewards worth more than {_value(fulfilment['approve_over'])}")
    if by_kind:
        facts.add_row("given up", f"{fulfilment['time_limit_hours']} hours after a reward was to leave")


def _reward(reward: Mapping[str, Any]) -> str:
    """What a unit is, if it is more than a thing that was bought."""
    if reward["kind"] == "order":
        return ""
    worth = "" if reward["value"] is None else f", worth {_value(reward['value'])}"
    return f"\n{reward['kind']} reward{worth}"


def _version(campaign: Mapping[str, Any]) -> str:
    shards = campaign["shards"]
    return str(campaign["version"]) if shards is None else f"{campaign['version']}, stock in {shards:,} shards"


def _value(value: Any) -> str:
    match value:
        case {"amount": int(amount), "currency": str(currency)}:
            return format_money(Money(amount, currency))
        case {"sku": sku, "quantity": quantity}:
            return f"{quantity:,} units of {sku}"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case [] | "":
            return "(nothing)"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


_WORDS = {"flash_sale": "sale", "lottery": "lottery", "coupon": "coupons"}
_ADD_TERMS = {"flash_sale": _add_sale, "lottery": _add_lottery, "coupon": add_coupon_terms}
_STOCK_TABLES = {"flash_sale": _stock_table, "lottery": _prize_table, "coupon": coupon_table}
