"""A draw as it is deployed: the function from the composition root, on tables with the template's shapes, stopped at
every tenth of its calls; and what it publishes, held against the script for those who trust nobody.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from brandday.adapters import aws
from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.clock import now_ms
from brandday.adapters.draw_table import DrawTable
from brandday.adapters.entry_table import EntryTable
from brandday.adapters.stock_table import StockTable
from brandday.bootstrap import environment, lottery_functions
from brandday.domain.campaign import Campaign
from brandday.domain.entrant import Entrant, Entry, Fate
from brandday.domain.receipt_page import join
from brandday.domain.shard import CONFIRMED
from brandday.domain.trail import TrailEntry
from brandday.entrypoints.on_draw_due import DrawsNeedAttention, build_handler
from brandday.usecases.hold_draw import ranked_places, result_of
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.publish_receipt import PublishReceipt
from brandday_local.template_tables import table_shape
from tests.engines import Engine
from tests.fakes.draw_world import SEED, drawn_campaign, published
from tests.fakes.tap import Killed

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_draw.py"
TABLES = ("StockTable", "CampaignTable", "EntryTable", "RewardTable")
QUEUES = (
    "HOLD_QUEUE_URL",
    "FULFILMENT_QUEUE_URL",
    "FULFILMENT_DEAD_LETTER_QUEUE_URL",
    "HOLD_DEAD_LETTER_QUEUE_URL",
    "STREAM_DEAD_LETTER_QUEUE_URL",
)
ENTRANTS = 15


class World:
    """A draw whose time has come, in tables."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names = {table: f"{table}-{uuid.uuid4().hex[:12]}" for table in TABLES}
        for table, name in self.names.items():
            monkeypatch.setenv(table.replace("Table", "_TABLE").upper(), name)
        for queue in QUEUES:
            monkeypatch.setenv(queue, "https://sqs.example/queue")
        monkeypatch.setenv("ADDRESS_KEY_ID", "alias/nobody")
        self.client = aws.dynamodb_client(5000)
        for table, name in self.names.items():
            self.client.create_table(TableName=name, **table_shape(table))
        self.campaign = _just_over()
        assert self.campaign.luck is not None
        self.frozen = self.campaign.luck.frozen
        self.campaigns, self.entrants = (
            CampaignTable(self.client, self.names["CampaignTable"]),
            EntryTable(self.client, self.names["EntryTable"]),
        )
        self.campaigns.save(self.campaign, 0, TrailEntry("0", 0, "op", "publish", 1, ()), seed=SEED)
        for number in range(ENTRANTS):
            name = self.campaign.luck.entrant(f"shopper-{number}")
            entries = tuple(Entry(self.campaign.starts_at + at, f"{at:06}", 1) for at in range(1 + number % 3))
            self.entrants.save(self.frozen, None, Entrant(name, f"owner{number:07}", "sub", entries))

    def receipt(self) -> dict[str, Any]:
        """The published receipt, put together."""
        live = LiveCampaigns(self.campaigns, now_ms)
        publish = PublishReceipt(
            live, self.entrants, DrawTable(self.client, self.names["CampaignTable"]), self.campaigns
        )
        parts, after = [], None
        while True:
            page = publish(self.campaign.id, after)
            assert page is not None
            parts.append(json.loads(json.dumps(page.receipt)))  # as it goes over the wire
            after = page.next
            if after is None:
                return join(parts)

    def check(self) -> dict[str, str]:
        """Assert that each winner has one unit of their prize, and nobody else has any; return entrant -> slot."""
        draws = DrawTable(self.client, self.names["CampaignTable"])
        result = result_of(draws, self.campaign.id)
        assert result is not None
        should = {
            place.entrant: place.slot
            for page in range(result.pages)
            for place in ranked_places(draws, self.campaign.id, page)
            if place.slot is not None
        }
        held: dict[str, str] = {}
        for number in range(ENTRANTS):
            assert self.campaign.luck is not None
            record = self.entrants.load(self.frozen, self.campaign.luck.entrant(f"shopper-{number}"), consistent=True)
            assert record is not None
            for entry in record.entries:
                if entry.won is not None and entry.won.fate is Fate.WON:
                    assert record.name not in held
                    held[record.name] = entry.won.slot
        assert held == should
        shards = StockTable(self.client, self.names["StockTable"]).read(self.campaign.id, (0, 1), consistent=True)
        live = [
            (entry.order_id, entry.slot) for shard in shards for _, entry in shard.entries() if entry.state == CONFIRMED
        ]
        assert sorted((str(order).partition(".")[0], slot) for order, slot in live) == sorted(held.items())
        return should


def _just_over() -> Campaign:
    """A draw that ended two minutes ago and is to be held now."""
    made = drawn_campaign(1, 4, reserves=3)
    now = now_ms() // 1000 * 1000
    assert made.lottery is not None
    assert made.lottery.draw is not None
    lottery = replace(made.lottery, draw=replace(made.lottery.draw, at=now - 1000))
    return published(replace(made, starts_at=now - 86_400_000, ends_at=now - 120_000, lottery=lottery))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One world per test; moto knows no threads, so prizes are handed out one after the other."""
    monkeypatch.setattr(environment, "REWARDS_AT_ONCE", 1)
    with mock_aws():
        yield World(monkeypatch)


def test_the_deployed_function_holds_a_draw_and_anybody_can_check_it(world: World, tmp_path: Path) -> None:
    handler = lottery_functions.draw_holder()
    assert handler({}, None) == {"troubles": 0}
    winners = world.check()
    assert sorted(winners.values()) == ["0", "1", "1", "1", "1"]
    receipt = world.receipt()
    said = _script(receipt, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr
    for tamper in (_swap_winners, _drop_an_entrant, _one_ticket_more, _another_seed, _another_reserve):
        changed = copy.deepcopy(receipt)
        tamper(changed)
        said = _script(changed, tmp_path)
        assert said.returncode == 1, tamper.__name__
        assert "WRONG" in said.stdout


@pytest.mark.parametrize("part", range(10))
def test_stopped_on_the_way_it_comes_to_the_same(world: World, part: int) -> None:
    calls = 0
    stop_at = part * 40 + 5

    def count(**_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise Killed

    handler = lottery_functions.draw_holder()
    client = _client_of(handler)
    client.meta.events.register("after-call", count)
    stopped = False
    try:
        handler({}, None)
    except Killed:
        stopped = True
    client.meta.events.unregister("after-call", count)
    assert stopped or calls < stop_at
    assert lottery_functions.draw_holder()({}, None) == {"troubles": 0}
    world.check()


def test_several_functions_that_run_at_once_come_to_one_draw(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert engine.endpoint_url is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", engine.endpoint_url)
    monkeypatch.setenv("DATABASE_TIMEOUT_MS", "20000")
    world = World(monkeypatch)
    handlers = [lottery_functions.draw_holder() for _ in range(3)]
    with ThreadPoolExecutor(len(handlers)) as pool:
        answers = list(pool.map(lambda handler: handler({}, None), handlers))
    assert answers == [{"troubles": 0}] * len(handlers)
    assert lottery_functions.draw_holder()({}, None) == {"troubles": 0}
    world.check()
    for name in world.names.values():
        world.client.delete_table(TableName=name)


def test_a_draw_that_needs_a_person_fails_the_run_so_that_the_alarm_sees_it() -> None:
    lines: list[Any] = []
    with pytest.raises(DrawsNeedAttention):
        build_handler(lambda: 2, write=lines.append)({}, None)
    assert lines[-1]["troubles"] == 2


# --- ways to cheat ---


def _swap_winners(receipt: dict[str, Any]) -> None:
    first, second = receipt["winners"][:2]
    first["entrant"], second["entrant"] = second["entrant"], first["entrant"]


def _drop_an_entrant(receipt: dict[str, Any]) -> None:
    receipt["entrants"].pop()


def _one_ticket_more(receipt: dict[str, Any]) -> None:
    receipt["entrants"][0]["tickets"] += 1


def _another_seed(receipt: dict[str, Any]) -> None:
    receipt["seed"] = "00" * 32


def _another_reserve(receipt: dict[str, Any]) -> None:
    receipt["moved_up"].append(
        {
            "forfeited": receipt["winners"][0]["entrant"],
            "reserve": receipt["reserves"][1]["entrant"],
            "prize": receipt["winners"][0]["prize"],
        }
    )


def _script(receipt: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "RECEIPT.json"
    file.write_text(json.dumps(receipt))
    return subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(file)], capture_output=True, text=True, timeout=60, check=False
    )


def _client_of(handler: Any) -> Any:
    """The client that all of a function's tables share."""
    run = handler.__closure__[0].cell_contents
    return run._campaigns._store._client
