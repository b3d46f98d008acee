"""`brandday verify`: honest receipts verify in words, any that was touched does not, whoever sends it."""

import copy
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from brandday_cli import verify, verify_draw
from brandday_cli.client import AdminClient
from brandday_cli.failures import ExitCode
from brandday_cli.main import app
from brandday_cli.target import Target
from tests.unit.lottery_world import honest_draw, honest_instant

ROOT = Path(__file__).parents[2]
INSTANT, DRAW = honest_instant(7), honest_draw(3)
ENV = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
ID = "spring"


def draw_page(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """What `GET /v1/campaigns/{id}/draw` says of the lottery of a receipt."""
    return {
        "commitment": receipt["tables"][0]["table"]["commitment"],
        "tables": [{"hash": table["hash"]} for table in receipt["tables"]],
        "sealed": {"root": receipt["sealed"]["root"]},
        "seed": receipt["seed"],
    }


class Site:
    """The public routes of a lottery: a receipt in pages of a few rows, its parts as the API cuts them."""

    def __init__(self, receipt: Mapping[str, Any], rows: int = 4) -> None:
        self.draw = draw_page(receipt)
        rest = {name: value for name, value in receipt.items() if name not in ("entrants", "release")}
        sealed = {**receipt["sealed"], "buckets": []}
        self.pages: list[dict[str, Any]] = [{**rest, "sealed": sealed, "release": {}, "entrants": []}]
        self.pages += [{"release": {prize: steps}} for prize, steps in receipt["release"].items()]
        for at in range(0, len(receipt["entrants"]), rows):
            self.pages.append({"entrants": receipt["entrants"][at : at + rows]})
        self.pages += [{"sealed": {"buckets": [bucket]}} for bucket in receipt["sealed"]["buckets"]]
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path == f"/v1/campaigns/{ID}/draw":
            return httpx.Response(200, json=self.draw)
        if request.url.path != f"/v1/campaigns/{ID}/draw/receipt":
            return httpx.Response(404, json={"code": "campaign_not_found", "title": "No such campaign", "status": 404})
        at = int(request.url.params.get("after", "0"))
        following = str(at + 1) if at + 1 < len(self.pages) else None
        return httpx.Response(200, json={"receipt": self.pages[at], "next": following, "server_time": "now"})


def run(*arguments: str, site: Site | None = None) -> Result:
    class HereTarget(Target):
        def public(self) -> AdminClient:
            assert site is not None
            return AdminClient("http://api", "", httpx.MockTransport(site), lambda _: None)

    return CliRunner().invoke(app, ["verify", *arguments], obj=HereTarget("http://api"), env=ENV)


def file(folder: Path, receipt: object) -> str:
    path = folder / "receipt.json"
    path.write_text(json.dumps(receipt), encoding="utf-8")
    return str(path)


def tampered(receipt: Mapping[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(dict(receipt))
    changed["entrants"][0]["leaf"] = "0" * 16
    return changed


def test_there_is_one_script_and_the_command_runs_it() -> None:
    assert Path(verify_draw.__file__).resolve() == ROOT / "docs" / "verify_draw.py"


@pytest.mark.parametrize(
    ("receipt", "told"),
    [
        (INSTANT, "Every entry was rolled for again"),
        (DRAW, "Every ticket was ranked again: the same"),
    ],
    ids=["instant", "draw"],
)
def test_an_honest_receipt_verifies_and_is_put_into_words(tmp_path: Path, receipt: Any, told: str) -> None:
    result = run(file(tmp_path, receipt))
    assert result.exit_code == ExitCode.DONE, result.output
    assert told in result.stdout
    assert "All of it verifies." in result.stdout
    assert f"{receipt['sealed']['entrants']} entrants" in result.stdout
    assert receipt["tables"][0]["table"]["commitment"] in result.stdout


@pytest.mark.parametrize("receipt", [INSTANT, DRAW], ids=["instant", "draw"])
def test_a_receipt_that_was_touched_does_not_and_what_was_changed_is_named(tmp_path: Path, receipt: Any) -> None:
    result = run(file(tmp_path, tampered(receipt)))
    assert result.exit_code == ExitCode.REFUSED
    assert f"entrants/{receipt['entrants'][0]['entrant']}" in result.stdout
    assert "Does not verify." in result.stdout
    assert "All of it verifies" not in result.stdout


def test_hashes_that_were_seen_before_are_compared(tmp_path: Path) -> None:
    first = INSTANT["tables"][0]
    seen = ("--commitment", first["table"]["commitment"], "--table", first["hash"], "--root", INSTANT["sealed"]["root"])
    path = file(tmp_path, INSTANT)
    result = run(path, *seen)
    assert result.exit_code == ExitCode.DONE
    assert "Compare these" not in result.stdout
    for at in (1, 3, 5):
        other = [*seen[:at], "00" * 32, *seen[at + 1 :]]
        result = run(path, *other)
        assert result.exit_code == ExitCode.REFUSED
        assert "is not the one that you saw" in result.stdout


def test_a_whole_lottery_that_was_exchanged_is_noticed_by_the_hashes_alone(tmp_path: Path) -> None:
    """Another receipt that agrees with itself: only who has kept the hashes sees it."""
    other = honest_instant(8)
    path = file(tmp_path, other)
    assert run(path).exit_code == ExitCode.DONE
    promised = INSTANT["tables"][0]["table"]["commitment"]
    assert run(path, "--commitment", promised).exit_code == ExitCode.REFUSED


@pytest.mark.parametrize("receipt", [INSTANT, DRAW], ids=["instant", "draw"])
def test_a_receipt_is_fetched_page_by_page_without_a_token_and_can_be_kept(tmp_path: Path, receipt: Any) -> None:
    site, kept = Site(receipt), tmp_path / "kept.json"
    result = run(ID, "--save", str(kept), site=site)
    assert result.exit_code == ExitCode.DONE, result.output
    assert json.loads(kept.read_text()) == receipt
    assert len(site.asked) == len(site.pages) + 1
    assert not [request for request in site.asked if "authorization" in request.headers]
    alone = subprocess.run(
        [sys.executable, "-I", ROOT / "docs/verify_draw.py", kept], check=False, capture_output=True, text=True
    )
    assert alone.returncode == 0, alone.stdout + alone.stderr


@pytest.mark.parametrize("name", ["commitment", "tables", "sealed", "seed"])
def test_a_receipt_that_is_not_that_of_the_lotterys_page_is_named(name: str) -> None:
    site = Site(INSTANT)
    site.draw[name] = draw_page(honest_instant(8))[name]
    result = run(ID, site=site)
    assert result.exit_code == ExitCode.REFUSED
    assert "on the lottery's page" in result.stdout


def test_a_page_that_was_left_out_is_noticed() -> None:
    site = Site(INSTANT)
    del site.pages[-1]
    assert run(ID, site=site).exit_code == ExitCode.REFUSED


def test_json_says_all_of_it(tmp_path: Path) -> None:
    told = json.loads(run(file(tmp_path, tampered(INSTANT)), "--json").stdout)
    assert list(told) == ["ok", "campaign_id", "commitment", "table", "root", "problems"]
    assert told["ok"] is False
    assert list(told["problems"][0]) == ["where", "what"]
    assert json.loads(run(file(tmp_path, INSTANT), "--json").stdout) == {
        "ok": True,
        "campaign_id": ID,
        **verify.hashes(INSTANT),
        "problems": [],
    }


@pytest.mark.parametrize("content", ["", "[]", "{", "1"])
def test_what_is_no_receipt_is_said_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(content)
    result = run(str(path))
    assert result.exit_code == ExitCode.FILE
    assert result.stderr.startswith("✗")


def test_a_file_that_is_not_there_and_a_campaign_that_is_not_there() -> None:
    assert run("nowhere/receipt.json").exit_code == ExitCode.FILE
    assert run("no-such-campaign", site=Site(INSTANT)).exit_code == ExitCode.REFUSED


def test_an_object_that_is_no_receipt_does_not_verify(tmp_path: Path) -> None:
    result = run(file(tmp_path, {"winners": "everybody"}))
    assert result.exit_code == ExitCode.REFUSED
    assert "cannot be read" in result.stdout
