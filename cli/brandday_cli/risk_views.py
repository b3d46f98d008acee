"""How refusals and lists look on a terminal. Pure: the API's answers in, pictures out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

LIST_STYLES: Mapping[str, str] = {"allow": "bold green", "block": "bold red"}
CODE_STYLES: Mapping[str, str] = {
    "not_admitted": "bold red",
    "limit_reached": "yellow",
    "rate_limited": "yellow",
    "challenge_required": "cyan",
}
BAR = 24
"""Characters of the longest bar."""

_GROUNDS_STYLES: Mapping[str, str] = {"rule": "magenta", "limit": "yellow", "guessing": "cyan", "gone": "dim"}


def render_report(report: Mapping[str, Any]) -> RenderableType:
    """What a campaign's gate has refused, or would have: by code and reason, what is shared, and what if."""
    cases = report["cases"]
    if not cases:
        return Text.assemble((report["campaign_id"], "bold"), f": nobody was refused. {_in_force(report['risk'])}")
    parts: list[RenderableType] = [_heading(report), Text(_in_force(report["risk"]), style="dim"), Text()]
    parts += [_codes(report), Text(), _reasons(report["reasons"], cases)]
    if report["marks"]:
        parts += [Text(), _shared(report["marks"])]
    if report["thresholds"]:
        parts += [Text(), _thresholds(report["thresholds"], report["risk"])]
    parts += [Text(f"→ {step}", style="cyan") for step in _next_steps(report)]
    return Group(*parts)


def render_case(case: Mapping[str, Any]) -> RenderableType:
    """One refusal: when, what stood against the shopper, and what is listed of them."""
    shadow = case["mode"] == "shadow"
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("campaign", case["campaign_id"])
    facts.add_row("when", _time(case["at"]))
    what = Text.assemble(
        ("would have been ", "dim") if shadow else "", (_words(case["code"]), CODE_STYLES.get(case["code"], "bold"))
    )
    facts.add_row("refusal", what)
    if case["score"]:
        facts.add_row("score", f"{case['score']:,}   {_in_force(case['risk'])}")
    if case["lifted_at"]:
        facts.add_row("lifted", Text(_time(case["lifted_at"]), style="green"))
    facts.add_row("kept until", _time(case["kept_until"]))
    reasons = _table(("because of", None), ("weight", "right"), ("which says", None))
    for reason in case["reasons"]:
        reasons.add_row(_reason_name(reason), _number(reason["weight"]), reason["text"])
    marks = _table(("signal", None), ("mark", None), ("listed", None))
    for mark in case["marks"]:
        marks.add_row(mark["kind"], mark["mark"], _listed_until(mark["listing"]))
    body = Group(facts, Text(), reasons, Text(), marks)
    title = Text(case["reference"], "bold")
    parts: list[RenderableType] = [Panel(body, title=title, title_align="left", expand=False)]
    allowed = [mark for mark in case["marks"] if mark["kind"] == "shopper" and (mark["listing"] or {}).get("list")]
    if shadow:
        parts.append(Text("→ nobody was refused: the rules are, or were, in shadow mode", style="cyan"))
    elif not any(mark["listing"]["list"] == "allow" for mark in allowed):
        parts.append(Text(f"→ brandday risk allow {case['reference']} --reason TEXT", style="cyan"))
    return Group(*parts)


def render_listings(listings: Sequence[Mapping[str, Any]], *, more: bool) -> RenderableType:
    """What is listed now."""
    if not listings:
        return Text("Nothing is listed.", style="dim")
    table = _table(
        ("list", None), ("signal", None), ("mark", None), ("until", None), ("by", None), ("since", None), ("why", None)
    )
    for one in listings:
        table.add_row(
            Text(one["list"], LIST_STYLES[one["list"]]),
            one["kind"],
            one["mark"],
            _end(one["until"]),
            one["who"],
            _time(one["at"]),
            Text(one["reason"], "italic"),
        )
    parts: list[RenderableType] = [table]
    if more:
        parts.append(Text("There are more: --limit shows them, --json has all.", style="dim"))
    return Group(*parts)


def render_listing_history(entries: Sequence[Mapping[str, Any]], *, more: bool) -> RenderableType:
    """What was done to the lists, the latest act first."""
    if not entries:
        return Text("Nothing was ever listed.", style="dim")
    table = _table(("when", None), ("who", None), ("act", None), ("what", None))
    for entry in entries:
        what = Text("\n").join(_change(change) for change in entry["changes"])
        table.add_row(_time(entry["at"]), entry["who"], entry["act"], what)
    parts: list[RenderableType] = [table]
    if more:
        parts.append(Text("There is more: --limit shows it, --json has all.", style="dim"))
    return Group(*parts)


def _heading(report: Mapping[str, Any]) -> Text:
    modes, parts = report["by_mode"], []
    if modes["enforce"]:
        parts.append(f"{_shoppers(modes['enforce'])} refused")
    if modes["shadow"]:
        parts.append(f"{_shoppers(modes['shadow'])} would have been (shadow)")
    if report["lifted"]:
        parts.append(f"{report['lifted']:,} lifted")
    said = Text.assemble((report["campaign_id"], "bold"), "  ", ", ".join(parts))
    said.append(f"   {_time(report['first_at'])} to {_time(report['last_at'])}", style="dim")
    if not report["complete"]:
        said.append(f"\nThere are more; these {report['cases']:,} are a fair sample of them.", style="yellow")
    return said


def _codes(report: Mapping[str, Any]) -> Table:
    table = _table(("refusal", None), ("shoppers", "right"), ("", None))
    most = max(report["by_code"].values())
    for code, cases in report["by_code"].items():
        style = CODE_STYLES.get(code, "")
        table.add_row(Text(_words(code), style), f"{cases:,}", _bar(cases, most, style))
    return table


def _reasons(reasons: Sequence[Mapping[str, Any]], cases: int) -> Table:
    table = _table(("because of", None), ("weight", "right"), ("shoppers", "right"), ("share", "right"), ("", None))
    for reason in reasons:
        share = f"{reason['cases'] / cases:.0%}"
        table.add_row(
            _reason_name(reason), _number(reason["weight"]), f"{reason['cases']:,}", share, Text(reason["text"], "dim")
        )
    return table


def _shared(marks: Sequence[Mapping[str, Any]]) -> Table:
    table = _table(("shared", None), ("mark", None), ("shoppers", "right"), ("listed", None), ("", None))
    for one in marks:
        listed = Text(one["list"], LIST_STYLES[one["list"]]) if one["list"] else Text("no", "dim")
        table.add_row(one["kind"], one["mark"], f"{one['cases']:,}", listed, _bar(one["cases"], marks[0]["cases"], ""))
    return table


def _thresholds(thresholds: Sequence[Mapping[str, Any]], risk: Mapping[str, Any]) -> Table:
    table = _table(("what if: score from", "right"), ("shoppers", "right"), ("", None), ("now", None))
    most = max(1, *(row["shoppers"] for row in thresholds))
    names = {risk["refuse_at"]: "refused", risk["challenge_at"]: "challenged"}
    for row in thresholds:
        table.add_row(
            f"{row['score']:,}",
            f"{row['shoppers']:,}",
            _bar(row["shoppers"], most, "blue"),
            Text(names.get(row["score"], ""), "bold"),
        )
    return table


def _next_steps(report: Mapping[str, Any]) -> Iterable[str]:
    risk = report["risk"]
    if risk and risk["mode"] == "shadow":
        yield "if these are the right ones: set risk.mode to enforce and `brandday apply` the file (docs/abuse.md)"
    if shared := next((one for one in report["marks"] if one["list"] is None), None):
        yield f"brandday risk block {shared['kind']} mark:{shared['mark']} --reason TEXT"


def _in_force(risk: Mapping[str, Any] | None) -> str:
    if risk is None:
        return "No rules of risk are declared."
    at = [f"{name} from {risk[key]:,}" for name, key in _CONSEQUENCES if risk[key] is not None]
    return f"Rules of risk: {risk['mode']}; {', '.join(at)}."


_CONSEQUENCES = (("challenge", "challenge_at"), ("refuse", "refuse_at"))


def _change(change: Mapping[str, Any]) -> Text:
    what, before, after = change["path"], change["before"], change["after"]
    if what[0] == "cases":
        return Text.assemble(("case ", "dim"), what[2], f" of {what[1]} lifted")
    said = Text.assemble(f"{what[1]} {what[2]} ")
    if before is not None:
        said.append_text(_listing(before))
        said.append(" → ")
    return said.append_text(Text("off the list", "dim") if after is None else _listing(after))


def _listing(listing: Mapping[str, Any]) -> Text:
    said = Text.assemble((listing["list"], LIST_STYLES[listing["list"]]), f" until {_end(listing['until'])}")
    return said.append(f" ({listing['reason']})", style="italic") if listing["reason"] else said


def _listed_until(listing: Mapping[str, Any] | None) -> Text:
    return Text("no", "dim") if listing is None else _listing(listing)


def _reason_name(reason: Mapping[str, Any]) -> Text:
    return Text.assemble((reason["name"], _GROUNDS_STYLES[reason["grounds"]]), (f" ({reason['grounds']})", "dim"))


def _table(*columns: tuple[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for heading, justify in columns:
        is_copied = heading in ("mark", "because of", "refusal", "when", "until", "since")
        table.add_column(heading, justify=justify or "left", no_wrap=is_copied, overflow="fold")
    return table


def _bar(count: int, most: int, style: str) -> Text:
    return Text("█" * max(1, round(count / most * BAR)) if count else "", style)


def _shoppers(count: int) -> str:
    return f"{count:,} shopper{'' if count == 1 else 's'}"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _time(moment: str) -> str:
    """A moment in UTC."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"


def _end(moment: str) -> str:
    """A moment at which something ends: what ends at midnight ends with the day before."""
    at = datetime.fromisoformat(moment)
    is_midnight = at.hour == at.minute == at.second == 0
    return f"{at - timedelta(days=1):%Y-%m-%d} 24:00" if is_midnight else f"{at:%Y-%m-%d %H:%M}"


def _words(name: str) -> str:
    return name.replace("_", " ")
