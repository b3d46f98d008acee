"""`brandday coupons` in front of the admin API, both real, with campaigns and coupons in memory."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from brandday.domain.campaign import Campaign
from brandday.domain.coupon import Benefit, BenefitKind, CodeKind, IssuedBy, Tier
from brandday.domain.coupon_code import fold, show
from brandday.domain.coupon_record import CouponFacts, CouponState, Part, PartStatus, UseState
from brandday.domain.trail import TrailEntry
from brandday.entrypoints.admin import ROUTES
from brandday.entrypoints.admin_coupons import ROUTES as COUPON_ROUTES
from brandday.entrypoints.http import build_app
from brandday_cli.client import AdminClient
from brandday_cli.failures import ExitCode
from brandday_cli.main import app
from brandday_cli.target import Target
from tests.fakes.backend import OPENS, SALE, SALT
from tests.fakes.coupon_backend import coupon_terms, coupons
from tests.fakes.operator_desk import Desk
from tests.fakes.tap import Killed, every_kill
from tests.functional.test_cli import NARROW
from tests.http_gateway import Gateway

SECRET = bytes(range(32))


def operators(**changes: Any) -> Campaign:
    """A campaign whose coupons operators generate."""
    return coupons(coupon_terms(**({"issued_by": IssuedBy.OPERATORS, "quantity": 2000} | changes)))


def partners(**changes: Any) -> Campaign:
    """A campaign whose codes come from a partner."""
    kind = {"issued_by": IssuedBy.OPERATORS, "code_kind": CodeKind.IMPORTED, "quantity": 2000}
    return coupons(coupon_terms(**(kind | {"prefix": fold("TEA"), "shown": "TEA"} | changes)))


@dataclass
class Shell:
    """A terminal with the command, its API, and a folder; `kill_at` is the call at which the command is killed."""

    folder: Path
    campaign: Campaign = field(default_factory=operators)
    desk: Desk = field(default_factory=Desk)
    kill_at: int | None = None
    calls: int = 0

    def __post_init__(self) -> None:
        self.desk.clock.now = OPENS
        self.desk.campaigns.salt, self.desk.campaigns.secret = SALT, SECRET
        self.desk.campaigns.save(self.campaign, 0, TrailEntry("0", OPENS - 1, "operator-1", "published", 1, ()))

    @property
    def facts(self) -> dict[str, CouponFacts]:
        """All coupons by id."""
        return self.desk.coupons.coupons.facts

    def run(self, *arguments: str) -> Result:
        """Run `brandday coupons` with these arguments; nobody sits in front of it."""
        shell = self

        class HereTarget(Target):
            def operator(self) -> AdminClient:
                transport = _Killing(shell, httpx.WSGITransport(app=shell.gateway()))
                return AdminClient("http://api", "operator", transport, lambda _: None)

        return CliRunner().invoke(app, ["coupons", *arguments], obj=HereTarget("http://api"), env=NARROW)

    def is_killed(self, *arguments: str) -> bool:
        """Run it, and tell whether it was killed."""
        try:
            self.run(*arguments)
        except Killed:
            return True
        return False

    def ok(self, *arguments: str) -> str:
        """Run it, expect success, and return what it wrote."""
        result = self.run(*arguments)
        assert result.exit_code == ExitCode.DONE, result.output
        return result.stdout

    def gateway(self) -> Any:
        """Return the API as a WSGI application."""
        routes = ROUTES + COUPON_ROUTES
        handler = build_app(
            routes, self.desk.use_cases, now_ms=self.desk.clock, jitter=lambda: 0.0, write=lambda _: None
        )
        return Gateway((route, handler) for route in routes)

    def file(self, text: str | bytes, name: str = "list.csv") -> str:
        """Write a file."""
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def out(self, name: str = "codes.csv") -> Path:
        """Where a command shall write."""
        return self.folder / name


@dataclass
class _Killing(httpx.BaseTransport):
    """Ends the command before or after one of its calls."""

    shell: Shell
    inner: httpx.BaseTransport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._step()
        response = self.inner.handle_request(request)
        response.read()
        self._step()
        return response

    def _step(self) -> None:
        at, self.shell.calls = self.shell.calls, self.shell.calls + 1
        if at == self.shell.kill_at:
            raise Killed


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def partner(tmp_path: Path) -> Shell:
    return Shell(tmp_path, partners())


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def generated(shell: Shell, size: int = 1200) -> Result:
    """Generate coupons into the usual file."""
    return shell.run(*generating(shell, size))


def generating(shell: Shell, size: int = 1200) -> tuple[str, ...]:
    """Return the command for that."""
    return ("generate", SALE, "--job", "spring", "--count", str(size), "--out", str(shell.out()))


def check_complete(shell: Shell, size: int) -> None:
    """The file has every coupon once, as they are stored, and nothing is left of its making."""
    found = rows(shell.out())
    assert [row["number"] for row in found] == [str(number) for number in range(size)]
    assert len({row["code"] for row in found}) == size
    stored = {facts.source: facts for facts in shell.facts.values()}
    assert len(stored) == size
    for row in found:
        facts = stored[f"job:spring.{row['number']}"]
        assert (row["code"], row["coupon_id"]) == (show(facts.code), facts.id)
    assert [path.name for path in shell.folder.glob("codes*")] == ["codes.csv"]


# --- generate -------------------------------------------------------------------------------------------------


def test_coupons_are_made_and_written(shell: Shell) -> None:
    assert "1,200 coupons" in generated(shell).stdout
    check_complete(shell, 1200)


def test_a_command_that_is_run_again_changes_nothing(shell: Shell) -> None:
    generated(shell)
    before = shell.out().read_bytes()

    assert generated(shell).exit_code == ExitCode.DONE
    assert shell.out().read_bytes() == before
    shell.out().unlink()
    generated(shell)
    assert shell.out().read_bytes() == before


def test_wherever_it_is_killed_the_same_command_completes_the_file(tmp_path: Path) -> None:
    def run(point: int) -> bool:
        folder = tmp_path / str(point)
        folder.mkdir()
        shell = Shell(folder, kill_at=point)
        stopped = shell.is_killed(*generating(shell))
        shell.kill_at = None
        assert generated(shell).exit_code == ExitCode.DONE
        check_complete(shell, 1200)
        return stopped

    assert every_kill(run) == 8  # before and after each of four calls


@pytest.mark.parametrize("cut", [1, 7, 30, 100, 5000, 45_000])
def test_a_row_that_was_half_written_is_written_anew(shell: Shell, cut: int) -> None:
    generated(shell)
    whole = shell.out().read_bytes()
    shell.out().with_name("codes.csv.part").write_bytes(whole[:-cut])
    shell.out().unlink()

    assert generated(shell).exit_code == ExitCode.DONE
    assert shell.out().read_bytes() == whole
    check_complete(shell, 1200)


def test_a_file_of_something_else_is_left_alone(shell: Shell) -> None:
    shell.out().write_text("name,phone\nann,1\n")
    refused = generated(shell)
    assert refused.exit_code == ExitCode.FILE
    assert shell.out().read_text() == "name,phone\nann,1\n"

    shell.out().unlink()
    generated(shell)
    before = shell.out().read_bytes()
    other = shell.run("generate", SALE, "--job", "autumn", "--count", "5", "--out", str(shell.out()))
    assert other.exit_code == ExitCode.FILE
    assert "another job" in other.output
    assert shell.out().read_bytes() == before
    again = shell.run("generate", SALE, "--job", "autumn", "--count", "5", "--out", str(shell.out("other.csv")))
    assert again.exit_code == ExitCode.DONE


def test_more_than_there_may_be_are_refused_and_none_are_made(shell: Shell) -> None:
    refused = generated(shell, 2001)

    assert refused.exit_code == ExitCode.REFUSED
    assert "2000 more" in refused.output
    assert not shell.facts
    assert not shell.out().exists()


@pytest.mark.parametrize("how", [(), ("--count", "5", "--shoppers", "list.csv"), ("--count", "0")])
def test_it_has_to_be_said_how_many(shell: Shell, how: tuple[str, ...]) -> None:
    result = shell.run("generate", SALE, "--job", "spring", "--out", str(shell.out()), *how)
    assert result.exit_code == ExitCode.USAGE


def test_a_name_that_cannot_be_one_is_refused(shell: Shell) -> None:
    result = shell.run("generate", SALE, "--job", "../x", "--count", "5", "--out", str(shell.out()))
    assert result.exit_code in (ExitCode.USAGE, ExitCode.REFUSED)
    assert not shell.facts


def test_each_shopper_of_a_list_gets_one_and_the_file_says_whose_it_is(shell: Shell) -> None:
    who = shell.file("shopper\nann\n\nbob\n")
    command = ("generate", SALE, "--job", "vip", "--shoppers", who, "--out", str(shell.out()))

    shell.ok(*command)
    shell.ok(*command)

    layout = shell.campaign.layout
    assert layout is not None
    assert [(row["shopper"], shell.facts[row["coupon_id"]].owner) for row in rows(shell.out())] == [
        (shopper, layout.name_of(shopper)) for shopper in ("ann", "bob")
    ]
    assert len(shell.desk.coupons.rewards.rewards) == 2


def test_another_list_under_the_same_name_is_refused(shell: Shell) -> None:
    shell.ok("generate", SALE, "--job", "vip", "--shoppers", shell.file("ann\nbob\n"), "--out", str(shell.out()))
    other = shell.file("bob\nann\n", "other.csv")

    result = shell.run("generate", SALE, "--job", "vip", "--shoppers", other, "--out", str(shell.out("o.csv")))

    assert result.exit_code == ExitCode.REFUSED
    assert "coupon_job_conflict" in result.output


@pytest.mark.parametrize("text", ["", "shopper\n", "shopper\nann\n,\n" + "x" * 300 + "\n", 'ann\n"bob\n', "ann,bob\n"])
def test_a_list_with_a_line_that_names_nobody_makes_nothing(shell: Shell, text: str) -> None:
    result = shell.run("generate", SALE, "--job", "vip", "--shoppers", shell.file(text), "--out", str(shell.out()))

    assert result.exit_code == ExitCode.FILE
    assert not shell.facts


# --- import ---------------------------------------------------------------------------------------------------

FILE = (
    b"\xef\xbb\xbfCode,Shopper\r\n"  # line 1
    b"TEA-0001,\r\n"
    b"tea 0oo1,ann\r\n"  # line 3: the same as line 2
    b'"TEA-0002",bob\r\n'
    b"TEA!0003,\r\n"  # line 5
    b"COF-0004,\r\n"  # line 6
    b'"TEA-0005\r\n'  # line 7: a quote that is not closed
    b"TEA-0006,cyn,extra\r\n"  # line 8
    b"\r\n"
    b"TEA-\xff\xfe07,\r\n"  # line 10
    b",dan\r\n"  # line 11
    b"TEA-0008,"  # line 12, without an end
)


def test_bad_lines_are_told_by_number_with_their_reasons_and_the_others_are_kept(partner: Shell) -> None:
    result = partner.run("import", SALE, partner.file(FILE), "--job", "file", "--report", str(partner.out("bad.csv")))

    assert result.exit_code == ExitCode.REFUSED
    told = {int(row["line"]): row["reason"] for row in rows(partner.out("bad.csv"))}
    assert sorted(told) == [3, 5, 6, 7, 8, 10, 11]
    assert told[3] == "the same code as in line 2"
    assert "4 to 40" in told[5]
    assert "prefix" in told[6]
    assert "CSV" in told[7]
    assert told[8] == "3 columns instead of 2"
    assert told[11] == "the code is missing"
    assert "line 7: " in result.output
    assert sorted(facts.code for facts in partner.facts.values()) == [fold(f"TEA-000{n}") for n in (1, 2, 8)]
    owned = [facts for facts in partner.facts.values() if facts.owner]
    assert [facts.code for facts in owned] == [fold("TEA-0002")]


def test_a_good_file_is_taken_in_whole_and_once(partner: Shell) -> None:
    file = partner.file("".join(f"TEA-{number:05}\n" for number in range(1300)))

    assert "1,300 codes" in partner.ok("import", SALE, file, "--job", "file")
    assert json.loads(partner.ok("import", SALE, file, "--job", "file", "--json")) == {"kept": 1300, "wrong": []}

    assert len(partner.facts) == partner.desk.coupons.jobs.issued(SALE).count == 1300


def test_wherever_an_import_is_killed_the_same_command_completes_it(tmp_path: Path) -> None:
    def run(point: int) -> bool:
        folder = tmp_path / str(point)
        folder.mkdir()
        shell = Shell(folder, partners(), kill_at=point)
        file = shell.file("".join(f"TEA-{number:05}\n" for number in range(700)))
        stopped = shell.is_killed("import", SALE, file, "--job", "file")
        shell.kill_at = None
        shell.ok("import", SALE, file, "--job", "file")
        assert len(shell.facts) == shell.desk.coupons.jobs.issued(SALE).count == 700
        return stopped

    assert every_kill(run) == 6


def test_what_is_beyond_the_cap_is_told_line_by_line(tmp_path: Path) -> None:
    shell = Shell(tmp_path, partners(quantity=3))
    file = shell.file("TEA-0001\nTEA-0002\nTEA-0003\nTEA-0004\n")

    result = shell.run("import", SALE, file, "--job", "file", "--json")

    assert result.exit_code == ExitCode.REFUSED
    assert json.loads(result.stdout)["wrong"] == [
        {"line": 4, "reason": "the campaign may not have more coupons"},
    ]


def test_a_file_that_is_not_there_is_named(partner: Shell) -> None:
    result = partner.run("import", SALE, str(partner.out("none.csv")), "--job", "file")
    assert result.exit_code == ExitCode.FILE
    assert "none.csv" in result.output


# --- disable, export, usage -----------------------------------------------------------------------------------


@contextmanager
def _one_of_each(shell: Shell) -> Iterator[list[CouponFacts]]:
    """Six coupons: untouched, locked, redeemed, expired, disabled, and locked too long ago."""
    generated(shell, 6)
    made = sorted(shell.facts.values(), key=lambda facts: facts.source)
    stored = shell.desk.coupons.coupons
    now = shell.desk.clock()
    stored.states[made[1].id] = CouponState(UseState.LOCKED, "rdm_1", now, now + 60_000, version=1)
    stored.states[made[2].id] = CouponState(UseState.REDEEMED, "rdm_2", now, store="s1", version=2)
    stored.facts[made[3].id] = replace(made[3], valid_until=now)
    stored.states[made[4].id] = CouponState(disabled=True, version=1)
    stored.states[made[5].id] = CouponState(UseState.LOCKED, "rdm_3", now - 2, now, version=1)
    for number, (facts, status, discount) in enumerate(
        [(made[1], PartStatus.LOCKED, 500), (made[2], PartStatus.REDEEMED, 1000), (made[5], PartStatus.RELEASED, 700)]
    ):
        redemption = f"rdm_{number + 1}"
        stored.stored_parts[redemption, 0] = _part(redemption, facts, status, discount, now)
    yield made


def _part(redemption: str, facts: CouponFacts, status: PartStatus, discount: int, at: int) -> Part:
    return Part(
        redemption=redemption,
        number=0,
        of=1,
        campaign_id=SALE,
        code=facts.code,
        coupon_id=facts.id,
        claim=None,
        shopper="",
        order_id="o-1",
        status=status,
        at=at,
        expires_at=at + 60_000,
        discount=discount,
        currency="CNY",
        tag="tagtag",
        version=1,
    )


def test_usage_counts_each_coupon_once_and_what_was_given(shell: Shell) -> None:
    with _one_of_each(shell):
        told = json.loads(shell.ok("usage", SALE, "--json"))
        shown = shell.ok("usage", SALE)

    assert {name: told[name] for name in ("issued", "usable", "locked", "redeemed", "expired", "disabled")} == {
        "issued": 6,
        "usable": 2,
        "locked": 1,
        "redeemed": 1,
        "expired": 1,
        "disabled": 1,
    }
    assert told["discount"] == 1000
    assert told["uses"] == {"locked": 1, "redeemed": 1, "released": 1}
    assert (told["most"], told["currency"]) == (2000, "CNY")
    assert "1,000 minor units of CNY" in shown


def test_gifts_cost_what_they_are_worth(tmp_path: Path) -> None:
    mug = Benefit(BenefitKind.GIFT, (Tier(0),), gift="MUG", worth=1500)
    shell = Shell(tmp_path, operators(benefit=mug, budget=15_000))
    with _one_of_each(shell):
        told = json.loads(shell.ok("usage", SALE, "--json"))
    # The harness gives each use a discount as well: 1000 for the one that is redeemed.
    assert (told["cost"], told["budget"], told["most"]) == (1000 + 1500, 15_000, 10)


def test_an_export_has_every_coupon_with_what_it_is(shell: Shell) -> None:
    with _one_of_each(shell) as made:
        shell.ok("export", SALE, "--out", str(shell.out("all.csv")))

    found = {row["coupon_id"]: row for row in rows(shell.out("all.csv"))}
    assert [found[facts.id]["status"] for facts in made] == [
        "usable",
        "locked",
        "redeemed",
        "expired",
        "disabled",
        "usable",
    ]
    assert found[made[2].id]["store"] == "s1"
    assert {row["code"] for row in found.values()} == {show(facts.code) for facts in made}


def test_an_export_that_is_killed_leaves_the_file_of_before(shell: Shell) -> None:
    generated(shell, 6)
    shell.ok("export", SALE, "--out", str(shell.out("all.csv")))
    before = shell.out("all.csv").read_bytes()
    generated(shell, 6)
    shell.calls, shell.kill_at = 0, 9

    assert shell.is_killed("export", SALE, "--out", str(shell.out("all.csv")))
    assert shell.out("all.csv").read_bytes() == before


def test_codes_are_disabled_one_by_one_or_by_a_file(shell: Shell) -> None:
    generated(shell, 6)
    codes = [show(facts.code) for facts in shell.facts.values()]

    assert "1 coupons" in shell.ok("disable", SALE, codes[0], "--yes")
    told = shell.ok("disable", SALE, "--file", shell.file("\n".join(codes[:3])), "--yes", "--json")

    assert json.loads(told) == {"disabled": 2, "disabled_before": 1, "not_found": []}
    assert sum(state.disabled for state in shell.desk.coupons.coupons.states.values()) == 3


def test_a_code_that_is_none_is_told_and_the_others_are_disabled(shell: Shell) -> None:
    generated(shell, 6)
    code = next(iter(shell.facts.values())).code

    result = shell.run("disable", SALE, "NO-SUCH-CODE", code, "--yes")

    assert result.exit_code == ExitCode.REFUSED
    assert "NO-SUCH-CODE" in result.output
    assert sum(state.disabled for state in shell.desk.coupons.coupons.states.values()) == 1


def test_disabling_asks_and_needs_to_know_what(shell: Shell) -> None:
    assert shell.run("disable", SALE, "--yes").exit_code == ExitCode.USAGE
    assert shell.run("disable", SALE, "CODE-1").exit_code == ExitCode.USAGE
    assert shell.run("disable", SALE, "--file", shell.file("a,b,c\n"), "--yes").exit_code == ExitCode.FILE
