"""`brandday risk` in front of the operators' desk at the gate, both real, with cases and lists in memory."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from brandday.domain.risk import RiskMode
from brandday.domain.signals import SignalKind
from brandday.entrypoints.admin_risk import ROUTES
from brandday.entrypoints.http import build_app
from brandday_cli.client import AdminClient
from brandday_cli.failures import ExitCode
from brandday_cli.main import app
from brandday_cli.risk_files import parse_listings
from brandday_cli.target import Target
from tests.fakes.memory_desk import MARKER, RiskDesk
from tests.functional.test_cli import NARROW
from tests.functional.test_risk_api import DEVICE, PROTECTION, REFERENCE, REFUSED, SHOPPER
from tests.http_gateway import Gateway

SALE = REFUSED.campaign_id
CSV_HEADER = "list,kind,value,until,reason\n"


@dataclass
class Shell:
    """A terminal with the command, its API, and a folder; `calls` are the bodies that were sent."""

    folder: Path
    desk: RiskDesk = field(default_factory=lambda: RiskDesk(PROTECTION))
    calls: list[str] = field(default_factory=list)

    def run(self, *arguments: str) -> Result:
        """Run `brandday risk` with these arguments."""
        handler = build_app(
            ROUTES, self.desk.use_cases, now_ms=self.desk.clock, jitter=lambda: 0.0, write=lambda _: None
        )
        inner, calls = httpx.WSGITransport(app=Gateway((route, handler) for route in ROUTES)), self.calls

        class Noting(httpx.BaseTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                calls.append(request.read().decode())
                return inner.handle_request(request)

        class HereTarget(Target):
            def operator(self) -> AdminClient:
                return AdminClient("http://api", "operator", Noting(), lambda _: None)

        return CliRunner().invoke(app, ["risk", *arguments], obj=HereTarget("http://api"), env=NARROW)

    def ok(self, *arguments: str) -> str:
        """Run it, expect success, and return what it wrote."""
        result = self.run(*arguments)
        assert result.exit_code == ExitCode.DONE, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        """Run it with --json, and return what it says."""
        return json.loads(self.ok(*arguments, "--json"))

    def file(self, text: str | bytes) -> str:
        """Write a file."""
        path = self.folder / "list.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.desk.open(REFUSED)
    return shell


def test_a_report_shows_why_what_is_shared_and_what_if(shell: Shell) -> None:
    for number in range(3):
        marks = {SignalKind.SHOPPER: f"shopper-{number:08}", SignalKind.DEVICE: DEVICE}
        shell.desk.open(replace(REFUSED, reference=f"{number:010}", mode=RiskMode.SHADOW, score=60, marks=marks))
    said = shell.ok("report", SALE)
    assert "1 shopper refused, 3 shoppers would have been (shadow)" in said
    assert "Rules of risk: enforce; challenge from 50, refuse from 80." in said
    assert "not admitted" in said
    assert "More than 3 shoppers came with the same device." in said
    assert "100%" in said
    assert f"brandday risk block device mark:{DEVICE}" in said
    assert shell.json("report", SALE)["cases"] == 4
    assert _what_if(said) == [["80", "1", "refused"], ["90", "1", ""]]
    assert PROTECTION.risk is not None
    shell.desk.protection = replace(PROTECTION, risk=replace(PROTECTION.risk, mode=RiskMode.SHADOW))
    shell.desk.campaigns.campaigns[SALE] = shell.desk.campaign
    assert _what_if(shell.ok("report", SALE)) == [
        ["50", "4", "challenged"],
        ["60", "4", ""],
        ["80", "1", "refused"],
        ["90", "1", ""],
    ]


def test_a_report_in_shadow_says_how_to_enforce(tmp_path: Path) -> None:
    assert PROTECTION.risk is not None
    quiet = Shell(tmp_path, RiskDesk(replace(PROTECTION, risk=replace(PROTECTION.risk, mode=RiskMode.SHADOW))))
    assert "nobody was refused. Rules of risk: shadow" in quiet.ok("report", SALE)
    quiet.desk.open(replace(REFUSED, mode=RiskMode.SHADOW))
    assert "set risk.mode to enforce" in quiet.ok("report", SALE)


def test_a_campaign_without_cases_says_so(tmp_path: Path) -> None:
    assert "No rules of risk are declared." in Shell(tmp_path, RiskDesk()).ok("report", SALE)


def test_a_refusal_is_explained_and_lifted(shell: Shell) -> None:
    said = shell.ok("explain", f"{REFERENCE[:5]}-{REFERENCE[5:].lower()}")
    assert "farm (rule)" in said
    assert "More than 3 shoppers came with the same device." in said
    assert f"brandday risk allow {REFERENCE}" in said
    lifted = shell.ok("allow", REFERENCE, "--reason", "called us")
    assert f"{REFERENCE} is lifted: its shopper is on the allow list until the end of 2026-12-08" in lifted
    assert "nothing changed" in shell.ok("allow", REFERENCE)
    again = shell.ok("explain", REFERENCE)
    assert "lifted" in again
    assert "(called us)" in again
    assert "brandday risk allow" not in again
    assert shell.json("explain", REFERENCE)["marks"][0]["mark"] == SHOPPER


def test_a_shadow_case_says_that_nobody_was_refused(shell: Shell) -> None:
    shell.desk.open(replace(REFUSED, at=REFUSED.at + 60_000, mode=RiskMode.SHADOW, score=0, reasons=("gone",)))
    said = shell.ok("explain", REFERENCE)
    assert "would have been" in said
    assert "nobody was refused" in said
    assert "does not declare this any more" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "0000000000"), "Look at its letters again"),
        (("allow", "0000000000"), "Look at its letters again"),
        (("explain", "what/ever"), "ten letters and digits"),
        (("report", "nowhere"), "brandday list"),
        (("unblock", "device", "never-listed"), "brandday risk lists"),
        (("block", "phone", "13812345678"), "with its country"),
        (("block", "network", "somewhere"), "203.0.113.7"),
        (("block", "device", "d-1", "--until", "soon"), "2026-12-31"),
        (("block", "device", "mark:short"), "a mark 16 characters"),
    ],
)
def test_what_cannot_be_done_says_what_to_do_next(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    result = shell.run(*arguments)
    assert result.exit_code == ExitCode.REFUSED
    assert words in result.stderr
    assert not shell.desk.kept.trail


def test_an_unknown_kind_is_wrong_usage(shell: Shell) -> None:
    assert shell.run("block", "gadget", "g").exit_code == ExitCode.USAGE


def test_a_value_is_blocked_and_unblocked_and_not_shown(shell: Shell) -> None:
    value = "+86 138 1234 5678"
    mark = MARKER.mark(SignalKind.PHONE, value)
    said = shell.ok("block", "phone", value, "--until", "2026-12-24", "--reason", "a farm")
    assert f"phone {mark} is on the block list until the end of 2026-12-24" in said
    assert "nothing changed" in shell.ok("block", "phone", value, "--until", "2026-12-24", "--reason", "a farm")
    shown = shell.ok("lists") + shell.ok("history") + said
    assert "1234" not in shown
    assert mark is not None
    assert mark in shown
    assert "a farm" in shown
    assert "2026-12-24 24:00" in shown
    assert "is not on the block list any more" in shell.ok("unblock", "phone", f"mark:{mark}")
    assert "Nothing is listed." in shell.ok("lists")
    assert "off the list" in shell.ok("history")


def test_a_stores_network_is_exempted(shell: Shell) -> None:
    assert "is on the allow list" in shell.ok("exempt", "network", "203.0.113.7", "--reason", "our store")
    assert [one["list"] for one in shell.json("lists", "--list", "allow")] == ["allow"]
    assert shell.json("lists", "--kind", "device") == []
    assert len(shell.json("history")) == 1


def test_long_lists_are_cut_and_say_so(shell: Shell) -> None:
    for number in range(5):
        shell.desk.clock.advance(1)
        shell.ok("block", "device", f"d-{number}")
    assert "There are more" in shell.ok("lists", "--limit", "2")
    assert "There is more" in shell.ok("history", "--limit", "2")
    assert len(shell.json("lists", "--limit", "2")) == 5


def test_an_empty_history_says_so(tmp_path: Path) -> None:
    assert "Nothing was ever listed." in Shell(tmp_path).ok("history")


def test_a_file_is_imported_and_each_bad_line_is_told(shell: Shell) -> None:
    file = shell.file(
        CSV_HEADER
        + "block,device,d-1,,a farm\n"
        + "\n"
        + "block,gadget,g-1,,\n"
        + 'allow,address,"1 Test Road, Hangzhou",2026-12-24,a store\n'
        + "block,phone,secret-12345,,\n"
        + f"block,device,mark:{DEVICE},,\n"
        + "block,device,d-2,,,too much\n"
    )
    bad = shell.folder / "bad.csv"
    result = shell.run("import", file, "--report", str(bad))
    assert result.exit_code == ExitCode.REFUSED
    assert "3 lines of" in result.stdout
    assert "3 lines of" in result.stderr
    assert "line 4: the kind has to be one of shopper" in result.stderr
    assert "line 6: the value can be none of its kind" in result.stderr
    assert "line 8: has 6 columns" in result.stderr
    assert "12345" not in result.output
    with bad.open(encoding="utf-8", newline="") as lines:
        assert [row["line"] for row in csv.DictReader(lines)] == ["4", "6", "8"]
    assert {listing.reason for listing in shell.desk.kept.guard.listings.values()} == {"a farm", "a store", ""}


def test_a_long_file_goes_in_hundreds_and_may_be_imported_again(shell: Shell) -> None:
    file = shell.file(CSV_HEADER + "".join(f"block,device,d-{number},,\n" for number in range(250)))
    assert shell.json("import", file) == {"listed": 250, "changed": 250, "wrong": []}
    assert [len(json.loads(body)["listings"]) for body in shell.calls] == [100, 100, 50]
    assert shell.json("import", file) == {"listed": 250, "changed": 0, "wrong": []}


def test_many_bad_lines_are_cut_on_a_terminal(shell: Shell) -> None:
    result = shell.run("import", shell.file(CSV_HEADER + "grey,device,d,,\n" * 30))
    assert "... and 10 more; --report has all." in result.stderr


@pytest.mark.parametrize(
    "text", ["", "block,device,d-1\n", "list,kind,value,list\n", "list,kind\n", "a,b,list,kind,value"]
)
def test_a_file_of_another_form_is_refused_before_anything_is_sent(shell: Shell, text: str) -> None:
    result = shell.run("import", shell.file(text))
    assert result.exit_code == ExitCode.FILE
    assert "list,kind,value,until,reason" in result.stderr
    assert shell.calls == []
    assert shell.run("import", str(shell.folder / "nowhere.csv")).exit_code == ExitCode.FILE


def _what_if(said: str) -> list[list[str]]:
    """Return the rows of the table of thresholds, without their bars."""
    rows = said.split("what if")[1].splitlines()[1:]
    found = [line.replace("█", "").split() for line in rows if line.split()[:1] and line.split()[0].isdecimal()]
    return [[*row, ""][:3] for row in found]


@given(st.lists(st.lists(st.text(max_size=12), min_size=1, max_size=6), max_size=8), st.booleans())
def test_every_line_that_says_something_is_a_row_or_wrong(lines: list[list[str]], bom: bool) -> None:
    # GIVEN lines as a spreadsheet writes them, whatever is in them
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["List", " kind", "value", "until", "reason"])
    writer.writerows(lines)
    raw = text.getvalue().encode("utf-8-sig" if bom else "utf-8", errors="replace")
    # THEN each that says something comes out once
    found = parse_listings(raw, "list.csv")
    said = [line for line in lines if any(cell.strip() for cell in line)]
    assert len(found.rows) + len(found.wrong) == len(said)
    assert {row.line for row in found.rows}.isdisjoint(wrong.line for wrong in found.wrong)
    assert all({"list", "kind"} <= row.said.keys() for row in found.rows)


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_wrong_lines_or_no_such_file(raw: bytes) -> None:
    found = parse_listings(CSV_HEADER.encode() + raw, "list.csv")
    assert all(len(text) <= 500 for row in found.rows for text in row.said.values())
