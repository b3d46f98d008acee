"""The gate over real tables (moto), with the signals as they are read in Lambda: what it keeps of people is marks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from moto import mock_aws

from brandday.adapters.guard_table import GuardTable
from brandday.adapters.phone_number import to_e164
from brandday.domain.errors import AdmissionRefused
from brandday.domain.risk import RiskMode
from brandday.domain.signals import MARK_LENGTH, SignalKind
from brandday.domain.visit import Visit
from brandday.usecases.admission import Admission
from brandday.usecases.open_case import OpenCase
from brandday.usecases.read_signals import Marker, ReadSignals
from tests.engines import Engine, table_in
from tests.fakes.backend import OPENS, web_shopper
from tests.fakes.gate_world import BY_SHOPPER, CROWD, NEW, GateWorld, OneKey, protection, rules

CLAIMS = {
    "device": "DEVICE-4711",
    "phone": "+8613912345678",
    "email": "Ann.Example+shop@gmail.com",
    "address": "1 Long Road, Hangzhou",
    "payment": "card-fingerprint-0042",
    "account_created_at": str(OPENS // 1000 - 60),
}
ADDRESS = "203.0.113.77"
RAW = (
    "ann-4711", "device-4711", "13912345678", "gmail", "ann.example", "annexample", "long road", "hangzhou",
    "fingerprint", "203.0.113",
)  # fmt: skip


@pytest.fixture(params=list(RiskMode))
def kept(request: pytest.FixtureRequest) -> Iterator[list[dict[str, object]]]:
    """All items after many requests of one shopper, of which some are refused and some would have been."""
    limits = [replace(BY_SHOPPER, name=f"per-{kind}", by=kind) for kind in SignalKind]
    world = GateWorld(protection(*limits, risk=rules(CROWD, NEW, mode=request.param)))
    with mock_aws(), table_in(Engine("moto", None), "GuardTable") as one, closing(one.client) as client:
        table = GuardTable(client, one.name)
        reader = ReadSignals(Marker(OneKey(), to_e164), lambda *_: {})
        gate = Admission(table, OpenCase(table, OneKey(), world.clock), reader, OneKey(), world.clock)
        demanded = world.protection
        said = []
        for number in range(40):
            world.clock.advance(100)
            who = f"Ann-4711-{number % 4}"
            claims = CLAIMS if number % 2 else {**CLAIMS, "account_created_at": ""}
            visit = Visit(address=ADDRESS, claims=claims)
            try:
                gate.admit(world.environment().live, demanded, web_shopper(who), visit)
            except AdmissionRefused as refusal:
                said.append(refusal.code)
        assert said
        yield client.scan(TableName=one.name)["Items"]  # type: ignore[misc]


def test_nothing_raw_is_in_the_table(kept: list[dict[str, object]]) -> None:
    text = json.dumps(kept, ensure_ascii=False).lower()
    assert not [raw for raw in RAW if raw in text]
    assert any(str(item["pk"]).count("CASES#") for item in kept)
    assert any(str(item["pk"]).count("ACTIVITY#") for item in kept)


def test_every_item_is_forgotten_some_day_and_stays_small(kept: list[dict[str, object]]) -> None:
    for item in kept:
        assert int(item["forget_at"]["N"]) > OPENS // 1000  # type: ignore[index]
        assert len(json.dumps(item)) < 1024, "one write unit"


def test_a_mark_is_all_there_is_of_a_signal(kept: list[dict[str, object]]) -> None:
    marks = {str(item["pk"]["S"]).rpartition("#")[2] for item in kept if "ACTIVITY#" in str(item["pk"])}  # type: ignore[index]
    assert marks
    assert all(len(mark) == MARK_LENGTH for mark in marks)
