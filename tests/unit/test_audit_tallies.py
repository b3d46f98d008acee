"""The audit of limits on wins: what it finds, and that it is not fooled by a sale that goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
import pytest
from moto import mock_aws

from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_records import RawItem
from brandday_cli.audit_tallies import DynamoTallyTables, Line, WinLimit
from brandday_local.template_tables import table_shape
from tests.unit.audit_world import HOLD_MS, NOW_MS, World, base36, entry, name_at_home

PK = "TALLY#sale#per-device#mark-of-a-device"
ANN, BOB = name_at_home(0, 4), name_at_home(1, 4)
PROTECTION = {
    "brand_day": None,
    "limits": [
        {"name": "per-device", "by": "device", "counts": "wins", "most": 1, "window": None, "required": False},
        {"name": "tries", "by": "device", "counts": "attempts", "most": 1, "window": None, "required": False},
    ],
}


class Limited(World):
    """A campaign where a device may have one unit, and its tallies as written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.document["protection"] = PROTECTION
        self.tallies: dict[str, RawItem] = {}
        self.then: Callable[[], None] = lambda: None

    def tally(self, *lines: str, campaigns: str = "sale") -> None:
        self.tallies[PK] = {"pk": {"S": PK}, "c": {"S": campaigns}, "t": {"S": " ".join(lines)}, "v": {"N": "1"}}

    def take(self, shard: int, name: str, text: str) -> None:
        free = {0: 3, 1: 3}[shard] - (text[0] in "hxc")
        self.items[f"sale#{shard}"] = {
            "pk": {"S": f"sale#{shard}"},
            "v": {"N": "1"},
            "f0": {"N": str(free)},
            name: {"S": text},
        }

    def read_tallies(self, prefix: str) -> Iterator[RawItem]:
        yield from [item for pk, item in self.tallies.items() if pk.startswith(prefix)]
        self.then()

    def read_moment(self, pk: str, campaign_id: str, shards: Sequence[int]) -> tuple[RawItem | None, Any]:
        self.then()
        return self.tallies.get(pk), [self.items.get(f"{campaign_id}#{shard}") for shard in shards]

    def codes(self) -> list[str]:
        findings = audit_campaign(self, "sale", tallies=self, now_ms=lambda: NOW_MS)
        return [violation.code for violation in findings.violations]


def line(name: str, shard: int, at: int = NOW_MS, units: int = 1, campaign: int = 0) -> str:
    return f"{base36(at, 8)}{units}s{base36(shard, 1)}.{campaign}:{name}"


def two_claims(first: str = "h", second: str = "h") -> Limited:
    world = Limited()
    for shard, name, state in ((0, ANN, first), (1, BOB, second)):
        world.take(shard, name, entry(state, suffix=".order-1" if state == "c" else ""))
    world.tally(line(ANN, 0), line(BOB, 1))
    return world


def test_what_is_released_does_not_count() -> None:
    assert two_claims("d").codes() == []
    assert two_claims("e", "c").codes() == []


def test_two_live_claims_where_one_may_be_are_found() -> None:
    assert two_claims().codes() == ["limit_exceeded"]
    assert two_claims("c", "h").codes() == ["limit_exceeded"]


def test_what_was_released_while_the_audit_read_is_looked_at_again() -> None:
    world = two_claims()
    world.then = lambda: world.take(0, ANN, entry("d"))
    assert world.codes() == []


def test_a_line_without_a_claim_is_found_unless_it_is_old() -> None:
    world = Limited()
    world.tally(line(ANN, 0))
    assert world.codes() == ["tally_without_claim"]
    world.tally(line(ANN, 0, NOW_MS - 16 * 60_000 - HOLD_MS))
    assert world.codes() == []


def test_a_line_that_a_newer_claim_has_pushed_out_is_in_order() -> None:
    world = Limited()
    world.take(0, ANN, entry("h"))
    world.tally(line(ANN, 0, NOW_MS - 1), line(ANN, 0))
    assert world.codes() == []


def test_a_line_of_other_units_than_the_claim_is_found() -> None:
    world = Limited()
    world.take(0, ANN, entry("h"))
    world.tally(line(ANN, 0, units=2))
    assert "tally_without_claim" in world.codes()


def test_lines_of_other_campaigns_of_the_day_are_theirs() -> None:
    world = two_claims()
    world.tally(line(ANN, 0), line(BOB, 1, campaign=1), campaigns="sale another")
    assert world.codes() == []


@pytest.mark.parametrize("text", ["", "nonsense", "00000000", line(ANN, 0, campaign=3)])
def test_what_cannot_be_read_is_named(text: str) -> None:
    world = Limited()
    world.tally(text)
    assert world.codes() == ["tally_malformed"]


def test_without_the_table_it_says_so() -> None:
    notes = audit_campaign(Limited(), "sale", now_ms=lambda: NOW_MS).notes
    assert any("GUARD_TABLE" in note for note in notes)
    assert not any("GUARD_TABLE" in note for note in audit_campaign(World(), "sale", now_ms=lambda: NOW_MS).notes)


@pytest.mark.parametrize(
    ("limit", "moments", "beyond"),
    [
        (WinLimit("l", 2), (0, 5_000, 9_000), 1),
        (WinLimit("l", 2, 1000, slides=True), (0, 999, 1000), 0),
        (WinLimit("l", 2, 1001, slides=True), (0, 999, 1000), 1),
        (WinLimit("l", 2, 1000), (1000, 1500, 1999), 1),
        (WinLimit("l", 2, 1000), (999, 1000, 1999), 0),
        (WinLimit("l", 2, 1000, anchor=999), (999, 1000, 1998), 1),
    ],
)
def test_the_fullest_window_tells(limit: WinLimit, moments: Sequence[int], beyond: int) -> None:
    assert limit.exceeds([Line("sale", "ann", at, 1, 0) for at in moments]) == beyond


def test_the_tables_are_read_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("dynamodb")
        for table in ("GuardTable", "StockTable"):
            client.create_table(TableName=table, **table_shape(table))
        item = {"pk": {"S": PK}, "sk": {"S": "-"}, "v": {"N": "1"}}
        client.put_item(TableName="GuardTable", Item=item)
        client.put_item(TableName="GuardTable", Item=item | {"pk": {"S": "TALLY#other#l#m"}})
        client.put_item(TableName="StockTable", Item={"pk": {"S": "sale#1"}})
        tables = DynamoTallyTables(client, "GuardTable", "StockTable")

        assert list(tables.read_tallies("TALLY#sale#")) == [item]
        assert tables.read_moment(PK, "sale", (1, 2)) == (item, [{"pk": {"S": "sale#1"}}, None])
