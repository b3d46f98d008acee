"""Laws of the gate, over many requests at random: limits hold in all environments together, shadows change nothing.

What an environment looks at is some notes old here, as eventually consistent reads may be. The law that rests on the
note's own answer shows that it fails without.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from brandday.domain.activity import Activity, ActivityKey, Note, margin, weights
from brandday.domain.protection import Protection
from brandday.domain.risk import RiskMode
from brandday.domain.signals import SignalKind
from brandday.usecases.guard_ports import Seen
from tests.fakes.backend import OPENS
from tests.fakes.gate_world import (
    BLOCKED,
    BY_DEVICE,
    BY_RISK,
    BY_SHOPPER,
    CROWD,
    HOUR,
    NEW,
    GateEnvironment,
    GateWorld,
    mark,
    protection,
    rules,
    visit,
)
from tests.fakes.memory_guard import MemoryGuard

WINDOW_MS = 60_000
ENVIRONMENTS = 4


@dataclass
class LaggingGuard(MemoryGuard):
    """Reads are up to `lag` notes old; with `blind`, also what a note answers."""

    lag: int = 100
    blind: bool = False
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    _versions: defaultdict[ActivityKey, list[Activity]] = field(default_factory=lambda: defaultdict(list))

    def look(self, marks: Mapping[SignalKind, str], activity: Sequence[ActivityKey], now: int) -> Seen:
        """Return what was known a while ago."""
        return super().look(marks, activity, now)._replace(activity={key: self._old(key) for key in activity})

    def note(self, key: ActivityKey, note: Note) -> Activity:
        """Add an attempt."""
        before = self._old(key)
        noted = super().note(key, note)
        self._versions[key].append(noted)
        return before if self.blind else noted

    def _old(self, key: ActivityKey) -> Activity:
        versions = self._versions[key]
        at = len(versions) - 1 - self.chance.randrange(self.lag + 1)
        return versions[at] if at >= 0 else Activity()


def most_in_a_window(moments: Sequence[int]) -> int:
    """Return how many of the moments (in order) are within the busiest window."""
    first, most = 0, 0
    for index, moment in enumerate(moments):
        while moments[first] <= moment - WINDOW_MS:
            first += 1
        most = max(most, index - first + 1)
    return most


def let_in(world: GateWorld, requests: int, *, pause_ms: int, shoppers: int, seed: int) -> list[int]:
    """Let shoppers on one device try at any of the environments; return when they were let in."""
    gates = [world.environment() for _ in range(ENVIRONMENTS)]
    chance = random.Random(seed)
    moments = []
    for _ in range(requests):
        world.clock.advance(chance.randrange(2 * pause_ms))
        who = f"bot-{chance.randrange(shoppers)}"
        if chance.choice(gates).said(who, visit("farm")) == "in":
            moments.append(world.clock())
    return moments


@pytest.mark.parametrize("seed", range(4))
def test_a_limit_alone_holds_exactly_in_all_environments_and_every_window(seed: int) -> None:
    world = GateWorld(protection(replace(BY_DEVICE, most=20)), guard=LaggingGuard())
    assert most_in_a_window(let_in(world, 1500, pause_ms=200, shoppers=5000, seed=seed)) == 20


@pytest.mark.parametrize("seed", range(4))
def test_nor_does_it_keep_out_more_than_it_says(seed: int) -> None:
    """As many in each window and a sixth, also if they come without a pause, if reads are not older than the next."""
    world = GateWorld(protection(replace(BY_DEVICE, most=20)), guard=LaggingGuard(lag=1))
    moments = let_in(world, 3000, pause_ms=200, shoppers=5000, seed=seed)
    assert most_in_a_window(moments) == 20
    assert len(moments) >= 20 * (3000 * 200 / (WINDOW_MS * 7 / 6)) * 0.85


def test_without_the_answer_of_the_note_it_would_not() -> None:
    world = GateWorld(protection(replace(BY_DEVICE, most=20)), guard=LaggingGuard(blind=True))
    assert most_in_a_window(let_in(world, 1500, pause_ms=200, shoppers=5000, seed=0)) > 40


@pytest.mark.parametrize("most", [20, 60])
def test_a_limit_among_others_holds_within_its_margin(most: int) -> None:
    """A note stands for two attempts under either; so many more are let in as chance leaves out, and as reads lag."""
    demanded = protection(replace(BY_DEVICE, most=most), replace(BY_SHOPPER, most=most))
    (weight, _), lag = weights((most, most)), 2
    enough = most + margin(most, weight, weight)
    busiest = []
    for seed in range(8):
        world = GateWorld(demanded, guard=LaggingGuard(lag=lag))
        busiest.append(most_in_a_window(let_in(world, 500, pause_ms=200, shoppers=5000, seed=seed)))
    spread = math.sqrt(enough * (weight - 1))
    assert max(busiest) <= enough + lag * weight + 4 * spread
    assert sum(busiest) / len(busiest) <= enough + lag * weight + spread
    assert min(busiest) >= most


def test_people_who_keep_to_half_of_the_limits_are_never_refused() -> None:
    demanded = protection(
        replace(BY_SHOPPER, most=10), replace(BY_DEVICE, most=10), risk=rules(CROWD, NEW, refuse_at=100)
    )
    world = GateWorld(demanded, guard=LaggingGuard(lag=3))
    gates = [world.environment() for _ in range(ENVIRONMENTS)]
    chance = random.Random(5)
    for number in range(600):
        for _ in range(5):
            world.clock.advance(chance.randrange(5000))
            assert chance.choice(gates).said(f"person-{number}", visit(f"phone-{number}")) == "in"


def test_who_waits_as_long_as_was_said_is_let_in() -> None:
    world = GateWorld(protection(BY_SHOPPER, BY_DEVICE))
    gates = [world.environment() for _ in range(ENVIRONMENTS)]
    chance = random.Random(3)
    waited = 0
    for _ in range(600):
        gate = chance.choice(gates)
        answer = gate.answer("ann", visit("pad"))
        if answer.startswith("rate_limited"):
            waited += 1
            world.clock.advance(int(answer.rpartition(" ")[2]))
            assert gate.said("ann", visit("pad")) == "in"
        world.clock.advance(chance.randrange(5000))
    assert waited > 20


# --- the shadow ---------------------------------------------------------------------------------------------

LIMITS = [
    (),
    (BY_SHOPPER,),
    (BY_SHOPPER, BY_DEVICE),
    (replace(BY_DEVICE, most=40), replace(BY_SHOPPER, window=None, most=9)),
]
RULES = (CROWD, NEW, BLOCKED)


def answers(demanded: Protection, seed: int) -> tuple[list[str], int]:
    """Return what a crowd is told, and how many cases of a shadow there are."""
    world = GateWorld(demanded)
    world.guard.listings.clear()
    gates: list[GateEnvironment] = [world.environment() for _ in range(ENVIRONMENTS)]
    chance = random.Random(seed)
    told = []
    for _ in range(400):
        world.clock.advance(chance.randrange(800))
        number = chance.randrange(40)
        claims = {"account_created_at": str(OPENS - HOUR)} if number % 3 else {}
        told.append(chance.choice(gates).answer(f"shopper-{number}", visit(f"device-{number % 5}", **claims)))
    return told, sum(case.mode is RiskMode.SHADOW for case in world.guard.cases.values())


@pytest.mark.parametrize("limits", LIMITS, ids=["no_limits", "one", "two", "large_and_lasting"])
@pytest.mark.parametrize("seed", range(3))
def test_a_shadow_changes_no_answer(limits: tuple[object, ...], seed: int) -> None:
    plain = protection(*limits, challenge=BY_RISK)  # type: ignore[arg-type]
    shadow = replace(plain, risk=rules(*RULES, mode=RiskMode.SHADOW, challenge_at=50, refuse_at=100))
    without, none = answers(plain, seed)
    with_rules, cases = answers(shadow, seed)
    assert with_rules == without
    assert none == 0
    assert cases > 0


def test_the_same_rules_in_force_do_change_answers() -> None:
    plain = protection(BY_SHOPPER, challenge=BY_RISK)
    enforced = replace(plain, risk=rules(*RULES, challenge_at=50, refuse_at=100))
    assert answers(enforced, 0)[0] != answers(plain, 0)[0]


def test_a_shadow_sees_what_the_rules_would_see() -> None:
    """What is noted for rules in the shadow is noted as if they were in force."""
    kept = []
    for mode in RiskMode:
        world = GateWorld(protection(BY_SHOPPER, risk=rules(CROWD, mode=mode, refuse_at=100)))
        gate = world.environment()
        for number in range(60):
            gate.enter(f"bot-{number}", visit("farm"))
        key = ActivityKey(gate.campaign_id, SignalKind.DEVICE, mark(SignalKind.DEVICE, "farm"))
        kept.append(world.guard.activity[key].places)
    assert kept[0] == kept[1]
    assert len(kept[0]) > 10
