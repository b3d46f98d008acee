"""`brandday draw`, `winners` and `verify` in front of the API, all real, with a draw in memory."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from brandday.connectors import CONNECTORS
from brandday.domain.reward import RewardStatus
from brandday.entrypoints import admin, admin_draws, draws, fulfilments
from brandday.entrypoints.http import build_app
from brandday.usecases.browse_campaigns import BrowseCampaigns
from brandday.usecases.inspect_campaign import InspectCampaign
from brandday.usecases.inspect_draw import InspectDraw
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.operate_rewards import OperateRewards
from brandday_cli.client import AdminClient
from brandday_cli.failures import ExitCode
from brandday_cli.main import app
from brandday_cli.target import Target
from tests.fakes.draw_world import DrawWorld, drawn_campaign
from tests.fakes.memory_entry_counts import MemoryEntryCounts
from tests.fakes.memory_refusals import MemoryRefusals
from tests.fakes.operator_desk import RecordedCampaigns
from tests.functional.test_cli import NARROW
from tests.http_gateway import Gateway


class Stand:
    """A terminal with the command and the API over a draw's world."""

    def __init__(self, world: DrawWorld) -> None:
        self.world = world

    def gateway(self) -> Any:
        world, anything = self.world, lambda *_: None
        nothing: Any = anything
        campaigns = RecordedCampaigns(world.campaigns.summaries, world.campaigns.campaigns, seeds=world.campaigns.seeds)
        live = LiveCampaigns(campaigns, world.clock)
        browse = BrowseCampaigns(live, campaigns, world.clock)
        operate = OperateRewards(world.rewards, nothing, campaigns, CONNECTORS, world.clock, bytes)
        served: tuple[tuple[Any, object], ...] = (
            (
                admin.ROUTES + admin_draws.ROUTES,
                admin.AdminUseCases(
                    nothing,
                    InspectCampaign(campaigns, MemoryRefusals(), MemoryEntryCounts(), world.clock),
                    InspectDraw(live, world.draws, world.rehearser(), world.clock),
                    nothing,
                ),
            ),
            (fulfilments.ROUTES, fulfilments.FulfilmentUseCases(operate, nothing, nothing)),
            (
                draws.ROUTES,
                draws.DrawUseCases(
                    get_draw=browse.draw,
                    get_seal=lambda _: world.sealed(),
                    get_result=lambda _: world.result(),
                    get_receipt=world.publisher(),
                    get_rules=browse.rules,
                ),
            ),
        )
        return Gateway(
            (route, build_app(routes, use_cases, now_ms=world.clock, jitter=lambda: 0.0, write=lambda _: None))
            for routes, use_cases in served
            for route in routes
        )

    def run(self, *arguments: str) -> Result:
        stand = self

        class HereTarget(Target):
            def operator(self) -> AdminClient:
                return AdminClient("http://api", "operator", httpx.WSGITransport(app=stand.gateway()), lambda _: None)

            def public(self) -> AdminClient:
                return AdminClient("http://api", "", httpx.WSGITransport(app=stand.gateway()), lambda _: None)

        return CliRunner().invoke(app, list(arguments), obj=HereTarget("http://api"), env=NARROW)

    def ok(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == ExitCode.DONE, result.output
        return result.stdout


@pytest.fixture
def stand() -> Stand:
    """Twelve entrants for one trip and three samples, with four reserves."""
    return Stand(DrawWorld(drawn_campaign(1, 3)))


@pytest.fixture
def drawn(stand: Stand) -> Stand:
    stand.world.seal()
    stand.world.draw()
    return stand


def facts(said: str) -> dict[str, str]:
    """What is said, by its heading."""
    lines = [line.strip().split("  ", 1) for line in said.splitlines() if line.strip()]
    return {line[0]: line[-1].strip() for line in lines}


def test_a_draw_is_followed_step_by_step(stand: Stand) -> None:
    world = stand.world
    told = facts(stand.ok("draw", world.id))
    assert (told["sealed"], told["drawn"]) == ("no", "no")
    assert told["next"].startswith("the list is sealed, due 2026-")
    world.seal()
    told = facts(stand.ok("draw", world.id))
    assert told["list"].startswith("12 entrants, 24 entries, root ")
    assert told["next"].startswith("the draw is held, due 2026-11-12 12:00")
    world.draw()
    told = facts(stand.ok("draw", world.id))
    assert told["winners"] == "4, of whom 4 have their prize"
    assert told["reserves"] == "4; 0 prizes not claimed have gone on"
    assert told["next"] == "nothing is due"


def test_a_draw_that_waits_for_its_beacon_says_so() -> None:
    stand = Stand(DrawWorld(drawn_campaign(1, 3, beacon=True)))
    stand.world.seal()
    assert "drand round" in facts(stand.ok("draw", stand.world.id))["beacon"]
    stand.world.clock.now = stand.world.draw_at + 60_000
    assert facts(stand.ok("draw", stand.world.id))["next"].startswith("the beacon's round is not there yet")


def test_a_dry_run_says_what_it_would_find_and_changes_nothing(stand: Stand) -> None:
    before = dict(stand.world.draws.parts)
    told = facts(stand.ok("draw", stand.world.id, "--dry-run"))
    assert told["now"] == "12 entrants with 24 tickets"
    assert told["would draw"] == "1 P0, 3 P1; 4 reserves"
    assert stand.world.draws.parts == before
    body = json.loads(stand.ok("draw", stand.world.id, "--dry-run", "--json"))
    assert body["dry_run"]["winners"] == {"P0": 1, "P1": 3}
    assert json.loads(stand.ok("draw", stand.world.id, "--json"))["dry_run"] is None


def test_prizes_that_would_find_nobody_are_seen_in_time() -> None:
    stand = Stand(DrawWorld(drawn_campaign(1, 30)))
    assert "19 prizes would find nobody" in stand.ok("draw", stand.world.id, "--dry-run")


def test_winners_come_by_rank_with_their_rewards(drawn: Stand) -> None:
    rows = json.loads(drawn.ok("winners", drawn.world.id, "--json"))
    places = drawn.world.places()
    assert [(row["rank"], row["prize"], row["entrant"]) for row in rows] == [
        (rank, prize, place.entrant)
        for rank, (prize, place) in enumerate(zip(["P0", *["P1"] * 3], places, strict=False), 1)
    ]
    assert [row["reward"] for row in rows] == [drawn.world.reward_of(place.entrant).id for place in places[:4]]
    assert {row["status"] for row in rows} == {str(RewardStatus.AWAITING_ADDRESS)}
    everybody = json.loads(drawn.ok("winners", drawn.world.id, "--reserves", "--json"))
    assert [row["prize"] for row in everybody[4:]] == [None] * 4
    assert "shopper-" not in json.dumps(everybody), "who somebody is leads only over the reward"


def test_a_reserve_who_moved_up_is_a_winner(drawn: Stand) -> None:
    world = drawn.world
    world.forfeit(world.places()[1].entrant)
    world.runner()()
    world.issue()
    rows = json.loads(drawn.ok("winners", world.id, "--json"))
    assert [(row["rank"], row["moved_up"]) for row in rows] == [
        (1, False),
        (2, False),
        (3, False),
        (4, False),
        (5, True),
    ]
    assert rows[1]["status"] == "forfeited"
    assert (rows[4]["entrant"], rows[4]["prize"]) == (world.places()[4].entrant, "P1")
    assert "P1 (moved up)" in drawn.ok("winners", world.id)
    assert "1 prizes not claimed have gone on" in drawn.ok("draw", world.id)


def test_winners_can_be_written_as_csv(drawn: Stand, tmp_path: Path) -> None:
    file = tmp_path / "winners.csv"
    assert "4 rows are in" in drawn.ok("winners", drawn.world.id, "--csv", str(file))
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    assert list(rows[0]) == ["rank", "prize", "entry", "entrant", "reward", "status", "moved_up"]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert list(csv.DictReader(io.StringIO(drawn.ok("winners", drawn.world.id, "--csv", "-")))) == rows


def test_before_the_draw_nobody_has_won(stand: Stand) -> None:
    assert "Nobody has won anything" in stand.ok("winners", stand.world.id)


def test_a_campaign_that_is_no_lottery_has_no_draw(stand: Stand) -> None:
    result = stand.run("draw", "no-such-one")
    assert result.exit_code == ExitCode.REFUSED
    assert "campaign_not_found" in result.stderr


def test_the_published_receipt_verifies_and_a_draw_without_one_says_so(stand: Stand) -> None:
    world = stand.world
    result = stand.run("verify", world.id)
    assert result.exit_code == ExitCode.REFUSED
    assert "receipt_not_ready" in result.stderr
    world.seal()
    world.draw()
    assert "All of it verifies." in stand.ok("verify", world.id)


def test_a_winner_who_was_exchanged_after_the_draw_does_not_verify(drawn: Stand) -> None:
    world = drawn.world
    part, text = next((key, text) for key, text in world.draws.parts.items() if key[1].startswith("place#"))
    first, second, *rest = text.split()
    swapped = second[:12] + first[12], first[:12] + second[12]
    exchanged = [f"{swapped[0]}{second[13:]}", f"{swapped[1]}{first[13:]}", *rest]
    world.draws.parts[part] = " ".join(exchanged)
    result = drawn.run("verify", world.id)
    assert result.exit_code == ExitCode.REFUSED
    assert "winners/1" in result.stdout
