"""The command `brandday` in front of the admin API, both real, with campaigns and stock in memory."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner, Result

from brandday.domain.errors import FieldError
from brandday.entrypoints.admin import ROUTES
from brandday.entrypoints.http import build_app
from brandday_cli.client import MOST_TRIES, AdminClient
from brandday_cli.failures import ExitCode
from brandday_cli.main import app
from brandday_cli.target import Target
from tests.fakes.declarations import DURING, FULFILMENT, document
from tests.fakes.lottery_declarations import draw, instant
from tests.fakes.operator_desk import Desk
from tests.http_gateway import Gateway

ID = document()["id"]
NARROW = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


@dataclass
class Shell:
    """A terminal with the command, its API, and files to apply."""

    folder: Path
    desk: Desk = field(default_factory=Desk)
    token: str = "operator"
    transport: httpx.BaseTransport | None = None
    naps: list[float] = field(default_factory=list)

    def run(self, *arguments: str) -> Result:
        """Run `brandday` with these arguments; nobody sits in front of it."""
        shell = self

        class HereTarget(Target):
            def operator(self) -> AdminClient:
                gateway = httpx.WSGITransport(app=shell.gateway())
                return AdminClient("http://api", shell.token, shell.transport or gateway, shell.naps.append)

        return CliRunner().invoke(app, list(arguments), obj=HereTarget("http://api"), env=NARROW)

    def ok(self, *arguments: str) -> str:
        """Run it, expect success, and return what it wrote."""
        result = self.run(*arguments)
        assert result.exit_code == ExitCode.DONE, result.output
        return result.stdout

    def gateway(self) -> Any:
        """Return the API as a WSGI application."""
        handler = build_app(
            ROUTES, self.desk.use_cases, now_ms=self.desk.clock, jitter=lambda: 0.0, write=lambda _: None
        )
        return Gateway((route, handler) for route in ROUTES)

    def file(self, content: object, name: str = "campaign.yaml") -> str:
        """Write a campaign file: text as it is, a document as YAML."""
        path = self.folder / name
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        path.write_text(text, encoding="utf-8")
        return str(path)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def live(shell: Shell) -> Shell:
    """A shell with a published campaign whose sale is on."""
    shell.ok("apply", "--yes", shell.file(document()))
    shell.ok("publish", ID)
    shell.desk.clock.now = DURING
    return shell


# --- apply ---


def test_apply_shows_what_is_new_and_makes_it_so(shell: Shell) -> None:
    said = shell.ok("apply", "--yes", shell.file(document()))
    assert f"{ID} is new" in said
    assert "+ skus.HERO-1.sale_price: CNY 299.00" in said
    assert "✓ november-brand-day is at version 1" in said
    assert shell.desk.live().skus[0].stock == 100


def test_apply_shows_the_difference_to_what_is_live(live: Shell) -> None:
    changed = document(ends_at="2026-11-13T00:00:00", eligibility={"member_tiers": ["gold", "black"]})
    said = live.ok("apply", "--yes", live.file(changed))
    assert "~ ends_at: 2026-11-12T00:00:00+08:00 → 2026-11-13T00:00:00+08:00" in said
    assert "~ eligibility.member_tiers: (nothing) → gold, black" in said
    assert "skus" not in said


def test_apply_says_so_when_there_is_nothing_to_do(live: Shell) -> None:
    assert "live as declared; nothing to do" in live.ok("apply", live.file(document()))


def test_a_dry_run_changes_nothing(live: Shell) -> None:
    before = live.desk.live()
    assert "~ late_payment: reclaim → reject" in live.ok(
        "apply", "--dry-run", live.file(document(late_payment="reject"))
    )
    assert live.desk.live() == before


def test_apply_asks_nobody_where_nobody_is(shell: Shell) -> None:
    result = shell.run("apply", shell.file(document()))
    assert result.exit_code == ExitCode.USAGE
    assert "--yes" in result.stderr
    assert shell.desk.acts() == []


def test_a_file_that_cannot_work_is_refused_with_line_and_field_and_nothing_is_sent(shell: Shell) -> None:
    broken = shell.file(yaml.safe_dump(document(), sort_keys=False).replace("stock: 100", "stock: 1.5"), "broken.yaml")
    fine = shell.file(document(), "fine.yaml")
    result = shell.run("apply", "--yes", fine, broken)
    assert result.exit_code == ExitCode.FILE
    line = 1 + Path(broken).read_text(encoding="utf-8").split("\n").index("  stock: 1.5")
    assert f"{broken}:{line}: skus[0].stock: must be a whole number, not a number with decimals" in result.stderr
    assert shell.desk.acts() == []


def test_what_the_api_refuses_is_shown_with_its_line_too(live: Shell) -> None:
    file = live.file(document("skus.1.stock", 51))
    result = live.run("apply", "--yes", file)
    assert result.exit_code == ExitCode.REFUSED
    assert "campaign_change_refused" in result.stderr
    line = 1 + Path(file).read_text(encoding="utf-8").split("\n").index("  stock: 51")
    assert f"{file}:{line}: skus.1.stock: cannot change once the campaign is published" in result.stderr


def test_a_destination_that_the_api_refuses_is_told_with_its_line(shell: Shell) -> None:
    shell.desk.check_destinations = lambda _: [
        FieldError("/fulfilment/by_kind/physical/secret", "destination_refused", {"reason": "there is no such secret"})
    ]
    file = shell.file(document(fulfilment=FULFILMENT))
    result = shell.run("apply", "--dry-run", file)
    assert result.exit_code == ExitCode.REFUSED
    lines = Path(file).read_text(encoding="utf-8").split("\n")
    line = 1 + lines.index("      secret: brandday/partner", lines.index("    physical:"))
    assert (
        f"{file}:{line}: fulfilment.by_kind.physical.secret: Nothing can be delivered there: there is no such secret."
        in result.stderr
    )
    assert shell.desk.acts() == []


def test_two_files_for_one_campaign_are_refused(shell: Shell) -> None:
    result = shell.run("apply", "--yes", shell.file(document(), "a.yaml"), shell.file(document(), "b.yaml"))
    assert result.exit_code == ExitCode.FILE
    assert "is the id of" in result.stderr


def test_a_folder_means_its_campaign_files(shell: Shell) -> None:
    shell.file(document())
    shell.file("not a campaign", "notes.txt")
    shell.ok("apply", "--yes", str(shell.folder))
    assert shell.desk.acts() == ["apply"]


def test_a_folder_without_campaigns_is_a_mistake(shell: Shell) -> None:
    assert shell.run("apply", "--yes", str(shell.folder)).exit_code == ExitCode.FILE


def test_a_file_may_ask_to_be_published_at_once(shell: Shell) -> None:
    said = shell.ok("apply", "--yes", shell.file(document(status="published")))
    assert "~ status: draft → published" in said
    assert shell.desk.live().layout is not None


def test_apply_tells_programs_in_json(shell: Shell) -> None:
    (result,) = json.loads(shell.ok("apply", "--yes", "--json", shell.file(document())))
    assert (result["id"], result["applied"], result["version"]) == (ID, True, 1)


# --- the other verbs ---


def test_a_campaign_is_steered_through_its_life(live: Shell) -> None:
    assert "is paused" in live.ok("pause", ID)
    assert "that was done before, nothing changed" in live.ok("pause", ID)
    assert "is running" in live.ok("resume", ID)
    assert "is ended" in live.ok("end", "--yes", ID)
    assert live.desk.acts() == ["apply", "publish", "pause", "resume", "end"]


def test_ending_for_good_is_asked_for(live: Shell) -> None:
    assert live.run("end", ID).exit_code == ExitCode.USAGE
    assert "end" not in live.desk.acts()


def test_a_restock_with_the_same_id_adds_nothing(live: Shell) -> None:
    restock = ("restock", ID, "--sku", "HERO-1", "--quantity", "40", "--id", "extra-1")
    assert "has 40 more of HERO-1" in live.ok(*restock)
    assert "nothing changed" in live.ok(*restock)
    assert live.desk.live().restocked("HERO-1") == 40


def test_show_tells_terms_and_stock(live: Shell) -> None:
    live.ok("restock", ID, "--sku", "HERO-1", "--quantity", "40", "--id", "extra-1")
    said = live.ok("show", ID)
    for words in (
        "2026-11-09 00:00 to 2026-11-12 00:00  Asia/Shanghai",
        "running",
        "CNY 598.00",
        "十一月品牌日",
        "extra-1: +40 HERO-1",
        "5 shards",
    ):
        assert words in said
    shown = json.loads(live.ok("show", ID, "--json"))
    assert shown["statistics"]["skus"][0]["free"] == 140


def test_show_tells_a_lottery_with_its_promises(shell: Shell) -> None:
    shell.ok("apply", "--yes", shell.file(instant()))
    assert "its SHA-256" not in shell.ok("show", "lucky-draw")
    shell.ok("publish", "lucky-draw")
    said = shell.ok("show", "lucky-draw")
    luck = shell.desk.campaigns.campaigns["lucky-draw"].luck
    assert luck is not None
    for words in (
        "2026-11-09 00:00 to 2026-11-12 00:00  Asia/Shanghai",
        "3 a day, 9 in all, and 4 more that can be earned",
        "MUG after 5 misses in a row",
        "1/5000  0.02 %",
        "0/1 to 1/1000",
        "every 6 hours",
        "120 a day",
        "at secret moments",
        "for missing",
        "physical reward",
        f"{luck.frozen.commitment}  its SHA-256",
        "version 1 from 2026-11-09 00:00",
    ):
        assert words in said
    assert "price" not in said


def test_show_tells_when_a_draw_takes_place(shell: Shell) -> None:
    shell.ok("apply", "--yes", shell.file(draw()))
    said = shell.ok("show", "free-trial")
    for words in (
        "2026-11-12 12:00, bound to drand's randomness of that moment",
        "20; one who moves up has 168 hours to claim",
        "1 a day, 3 in all",
    ):
        assert words in said
    assert "odds" not in said


def test_new_odds_are_applied_and_told(shell: Shell) -> None:
    shell.ok("apply", "--yes", shell.file(instant()))
    shell.ok("publish", "lucky-draw")
    said = shell.ok("apply", "--yes", shell.file(instant("prizes.0.odds", "1/1000")))
    assert "~ prizes.CAR.odds: 1/5000 → 1/1000" in said
    assert "version 2 from" in shell.ok("show", "lucky-draw")
    told = shell.ok("history", "lucky-draw")
    for words in ("+ commitment: ", "~ prizes.CAR.odds: 1/5000 → 1/1000", "~ table.version: 1 → 2"):
        assert words in told


def test_odds_out_of_bounds_are_refused_with_their_line(shell: Shell) -> None:
    shell.ok("apply", "--yes", shell.file(instant()))
    shell.ok("publish", "lucky-draw")
    wider = instant("prizes.0.odds_between", ["0/1", "1/2"])
    wider["prizes"][0]["odds"] = "1/900"
    path = shell.file(wider)
    refused = shell.run("apply", "--yes", path)
    assert refused.exit_code != ExitCode.DONE
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    for name in ("odds", "odds_between"):
        line = next(at for at, text in enumerate(lines, 1) if f" {name}:" in text)
        assert f"campaign.yaml:{line}: prizes.0.{name}: " in refused.output.replace("\n", "")


def test_show_tells_who_hands_over_what(shell: Shell) -> None:
    over = {"amount": 5000, "currency": "CNY"}
    cash = {"kind": "cash", "value": {"amount": 8800, "currency": "CNY"}}
    shell.ok(
        "apply", "--yes", shell.file(document("skus.0.reward", cash, fulfilment=FULFILMENT | {"approve_over": over}))
    )
    said = shell.ok("show", ID)
    for words in (
        "cash reward, worth CNY 88.00",
        "physical rewards  webhook: url https://partner.example/brandday, secret brandday/partner",
        "2026-11-30 00:00",
        "for rewards worth more than CNY 50.00",
        "72 hours after a reward was to leave",
    ):
        assert words in said


def test_show_tells_that_the_shop_hands_over_what_no_connector_takes(live: Shell) -> None:
    assert "handed over by the shop itself" in live.ok("show", ID)


def test_list_shows_all_campaigns_with_their_state(live: Shell) -> None:
    said = live.ok("list")
    assert ID in said
    assert "running" in said
    assert [line["id"] for line in json.loads(live.ok("list", "--json"))] == [ID]


def test_an_empty_list_says_how_to_begin(shell: Shell) -> None:
    assert "brandday apply FILE" in shell.ok("list")


def test_history_tells_who_did_what(live: Shell) -> None:
    live.ok("pause", ID)
    said = live.ok("history", ID)
    assert [line.split()[4] for line in said.splitlines()[1:]] == ["pause", "publish", "apply"]
    assert "~ status: published → paused" in said
    assert "declared" in said


def test_url_is_the_apis_and_schema_is_json(shell: Shell) -> None:
    assert shell.ok("url") == "http://api\n"
    assert json.loads(shell.ok("schema"))["title"] == "Brand Day campaign"


# --- what can go wrong ---


@pytest.mark.parametrize(
    ("arguments", "code", "advice"),
    [
        (("show", "nowhere"), "campaign_not_found", "brandday list"),
        (("show", "../../v1/health"), "cannot be the id of a campaign", "brandday list"),
        (("pause", ID), "campaign_not_published", "brandday publish"),
        (("restock", ID, "--sku", "A", "--quantity", "1", "--id", "x"), "campaign_not_published", "brandday publish"),
    ],
    ids=["unknown", "no id at all", "pause a draft", "restock a draft"],
)
def test_a_refusal_says_what_to_do_next(shell: Shell, arguments: tuple[str, ...], code: str, advice: str) -> None:
    shell.ok("apply", "--yes", shell.file(document()))
    result = shell.run(*arguments)
    assert result.exit_code == ExitCode.REFUSED
    assert code in result.stderr
    assert advice in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("token", "word"), [("shopper", "forbidden")])
def test_a_token_without_the_scope_is_refused(shell: Shell, token: str, word: str) -> None:
    shell.token = token
    result = shell.run("list")
    assert result.exit_code == ExitCode.REFUSED
    assert word in result.stderr


def transport(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.BaseTransport:
    return httpx.MockTransport(answer)


def test_an_api_that_is_too_busy_is_asked_again(shell: Shell) -> None:
    keys: list[str | None] = []

    def busy(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers.get("Idempotency-Key"))
        if len(keys) < 3:
            return httpx.Response(503, headers={"Retry-After": "2"}, json={"code": "temporarily_overloaded"})
        return httpx.Response(200, json={"campaign": {"state": "paused"}, "changes": [{}]})

    shell.transport = transport(busy)
    assert "is paused" in shell.ok("pause", ID)
    assert shell.naps == [2.0, 2.0]
    assert len(set(keys)) == 1, "a repetition carries the key of the first try"


def test_an_api_that_stays_too_busy_ends_with_its_own_exit_code(shell: Shell) -> None:
    problem = {"code": "temporarily_overloaded", "title": "Too busy", "detail": "Later.", "status": 503}
    shell.transport = transport(lambda _: httpx.Response(503, json=problem))
    result = shell.run("list")
    assert result.exit_code == ExitCode.UNAVAILABLE
    assert len(shell.naps) == MOST_TRIES - 1


def test_an_api_that_cannot_be_reached_is_named(shell: Shell) -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    shell.transport = transport(nobody)
    result = shell.run("list")
    assert result.exit_code == ExitCode.UNAVAILABLE
    assert "No answer from http://api: connection refused" in result.stderr


@pytest.mark.parametrize("body", ["<html>", '"text"', "[]", "{}"])
def test_something_else_that_answers_is_not_mistaken_for_the_api(shell: Shell, body: str) -> None:
    shell.transport = transport(lambda _: httpx.Response(404, text=body))
    result = shell.run("list")
    assert result.exit_code == ExitCode.UNAVAILABLE
    assert "not as this API does" in result.stderr


@pytest.mark.parametrize("status", [401, 403])
def test_the_gateways_own_refusal_is_understood(shell: Shell, status: int) -> None:
    shell.transport = transport(lambda _: httpx.Response(status, json={"message": "Unauthorized"}))
    result = shell.run("list")
    assert result.exit_code == ExitCode.REFUSED
    assert "token" in result.stderr


@pytest.mark.parametrize("status", [429, 503])
def test_a_gateway_that_lets_nobody_through_is_no_mystery(shell: Shell, status: int) -> None:
    shell.transport = transport(lambda _: httpx.Response(status, json={"message": "Too Many Requests"}))
    result = shell.run("list")
    assert result.exit_code == ExitCode.UNAVAILABLE
    assert "too busy" in result.stderr


def test_a_remote_api_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRANDDAY_TOKEN", raising=False)
    result = CliRunner().invoke(app, ["--api-url", "http://api", "list"], env=NARROW)
    assert result.exit_code == ExitCode.USAGE
    assert "BRANDDAY_TOKEN" in result.stderr


def test_without_an_api_the_command_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRANDDAY_LOCAL", str(tmp_path))
    monkeypatch.delenv("BRANDDAY_API_URL", raising=False)
    for arguments in (["list"], ["url"], ["token"]):
        result = CliRunner().invoke(app, arguments, env=NARROW)
        assert result.exit_code == ExitCode.UNAVAILABLE
        assert "make run" in result.stderr


def test_every_exit_code_is_in_the_help() -> None:
    said = " ".join(CliRunner().invoke(app, ["--help"], env=NARROW).output.split())
    for code in ExitCode:
        assert f"{int(code)} " in said.partition("Exit codes:")[2]
