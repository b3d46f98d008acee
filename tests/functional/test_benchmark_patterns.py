"""The patterns that are compared, at a tiny size: each is as correct, and costs as much, as the docs say."""

import uuid
from collections.abc import Callable

import pytest

from benchmarks.cost import PATTERNS, check
from benchmarks.engine import client_of
from benchmarks.ours import Shards
from benchmarks.patterns import (
    Answer,
    CounterByToken,
    CounterThenClaim,
    CounterWithClaim,
    GetThenPut,
    OptimisticLock,
    Pattern,
    SetOfTakers,
)
from benchmarks.rush import Scenario, replay
from tests.engines import Engine

RUSH = Scenario(shoppers=60, environments=8, stock=20, arrival_ms=40.0)
NOW = 1_700_000_000_000

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_in_a_rush_only_the_control_oversells(pattern: type[Pattern], dynamodb_local: Engine) -> None:
    outcome = replay(pattern, RUSH, dynamodb_local.endpoint_url or "", seed=1)

    assert pattern.oversells == (pattern is GetThenPut)
    assert sum(outcome.answers.values()) == RUSH.shoppers
    if pattern.oversells:
        assert outcome.owners > RUSH.stock
    elif pattern is OptimisticLock:
        assert 0 < outcome.owners <= RUSH.stock, "who loses too many races is told to come back"
    else:
        assert outcome.owners == RUSH.stock
    check({RUSH: {pattern.name: [outcome]}})
    other = RUSH.shoppers if pattern.oversells else outcome.owners - 1
    with pytest.raises(AssertionError):  # the same outcome, had there been more or less stock
        check({Scenario(60, 8, stock=other): {pattern.name: [outcome]}})


@pytest.mark.parametrize(
    ("pattern", "units", "calls"),
    [
        (CounterThenClaim, 2, 2),
        (OptimisticLock, 2.1, 3),
        (CounterByToken, 3, 2),
        (CounterWithClaim, 4, 1),
        (SetOfTakers, 1, 1),
        (Shards, 1, 1),
    ],
)
def test_an_undisturbed_sale_costs_what_its_idea_costs(
    pattern: type[Pattern], units: float, calls: int, dynamodb_local: Engine
) -> None:
    quiet = Scenario(shoppers=3, environments=1, stock=20)

    outcome = replay(pattern, quiet, dynamodb_local.endpoint_url or "", seed=1)

    assert outcome.answers == {"granted": 3}
    config = outcome.requests.operations["Query"] if pattern is Shards else 0
    assert outcome.calls_granted == [calls] * 3
    assert outcome.requests.calls - config == calls * 3
    assert outcome.requests.cost == pytest.approx(3 * units, abs=0.2 if config else 1e-9)


@pytest.mark.parametrize("pattern", [CounterThenClaim, OptimisticLock, CounterByToken, CounterWithClaim, SetOfTakers])
def test_a_shopper_who_asks_again_elsewhere_gets_no_second_unit(
    pattern: Callable[[str], Pattern], dynamodb_local: Engine
) -> None:
    made = pattern(uuid.uuid4().hex)
    client = client_of(dynamodb_local.endpoint_url or "")
    made.create(client, 2, NOW)

    first = made.environment(client, lambda: NOW).claim("ann", NOW)
    again = made.environment(client, lambda: NOW).claim("ann", NOW)
    other = made.environment(client, lambda: NOW).claim("ben", NOW)

    assert [first.answer, again.answer, other.answer] == [Answer.GRANTED, Answer.REFUSED, Answer.GRANTED]
    assert sorted(made.claims(client)) == ["ann", "ben"]
    made.drop(client)
