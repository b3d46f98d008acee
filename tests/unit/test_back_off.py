"""Guessers are slowed down in however many environments they ask, and nobody else notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from brandday.domain.backoff import HOUR_MS
from brandday.domain.errors import RateLimited
from brandday.domain.signals import SignalKind, Signals
from brandday.usecases.back_off import PATIENCE, BackOff, Guessed, Guesser, MissKey, Patiences
from brandday.usecases.open_case import OpenCase
from tests.fakes.clock import SettableClock
from tests.fakes.memory_guard import MemoryGuard
from tests.fakes.memory_misses import MemoryMisses
from tests.fakes.tap import Tap, tapped

NOON = 494_123 * HOUR_MS
ENVIRONMENTS = 4
FREE = PATIENCE[Guessed.CODES, SignalKind.SHOPPER].free


def guesser(shopper: str = "mark-of-mallory", network: str = "mark-of-network") -> Guesser:
    marks = {SignalKind.SHOPPER: shopper, SignalKind.NETWORK: network}
    return Guesser(Guessed.CODES, "coupon.codes", Signals(marks))


@dataclass
class World:
    """What all environments share."""

    clock: SettableClock = field(default_factory=lambda: SettableClock(NOON))
    misses: MemoryMisses = field(default_factory=MemoryMisses)
    guard: MemoryGuard = field(default_factory=MemoryGuard)
    tap: Tap = field(default_factory=Tap)

    patience: Patiences = field(default_factory=lambda: PATIENCE)

    def environment(self, **changes: Any) -> BackOff:
        """A cold one."""
        cases = OpenCase(self.guard, lambda: b"key of marks", self.clock)
        misses = tapped(self.misses, "misses", self.tap)
        return BackOff(misses, cases, self.clock, patience=self.patience, **changes)

    def calls(self, act: Callable[[], object]) -> list[str]:
        """The calls that something takes, refused or not."""
        before = len(self.tap.calls)
        try:
            act()
        except RateLimited:
            return [*self.tap.calls[before:], "refused"]
        return self.tap.calls[before:]


@pytest.fixture
def world() -> World:
    return World()


def block(world: World, back_off: BackOff, who: Guesser | None = None) -> int:
    """Guess until there is a wait; return how many guesses that took."""
    number = 0
    while world.calls(lambda: back_off.check(who or guesser())) == []:
        number += 1
        back_off.note(who or guesser(), [f"GUESS{number}"])
    return number


# --- what it costs ---


def test_a_miss_is_one_look_and_one_write_for_each_mark(world: World) -> None:
    back_off = world.environment()

    assert world.calls(lambda: back_off.check(guesser())) == []
    assert world.calls(lambda: back_off.note(guesser(), ["TYPO"])) == ["misses.look", "misses.note", "misses.note"]


def test_the_same_mistake_again_is_no_guess_and_is_not_written(world: World) -> None:
    """A cart asks again with every change."""
    back_off = world.environment()
    back_off.note(guesser(), ["TYPO"])

    for _ in range(100):
        assert world.calls(lambda: back_off.note(guesser(), ["TYPO"])) == ["misses.look"]


def test_a_mistake_that_is_made_again_by_others_counts_for_their_network(world: World) -> None:
    back_off = world.environment()
    for number in range(3):
        back_off.note(guesser(f"shopper-{number}"), ["SUMMER20"])

    network = MissKey(Guessed.CODES, SignalKind.NETWORK, "mark-of-network")
    assert world.misses.look([network])[network].count(NOON) == 3


def test_five_typos_an_hour_are_free(world: World) -> None:
    back_off = world.environment()
    for number in range(FREE):
        back_off.note(guesser(), [f"TYPO{number}"])
        assert world.calls(lambda: back_off.look(guesser())) == ["misses.look"]
    assert not world.guard.cases


def test_while_somebody_waits_their_guesses_cost_nothing_where_that_is_known_and_one_look_elsewhere(
    world: World,
) -> None:
    back_off, other = world.environment(), world.environment()
    assert block(world, back_off) == FREE + 1

    for _ in range(1000):
        assert world.calls(lambda: back_off.check(guesser())) == ["refused"]
    assert world.calls(lambda: other.note(guesser(), ["MORE"])) == ["misses.look", "refused"]
    for _ in range(1000):
        assert world.calls(lambda: other.note(guesser(), ["MORE"])) == ["refused"]


def test_a_refusal_says_how_long_and_has_a_case(world: World) -> None:
    back_off = world.environment()
    block(world, back_off)
    world.clock.advance(500)

    with pytest.raises(RateLimited) as refused:
        back_off.check(guesser())

    assert refused.value.retry_after_ms == 1500
    ((campaign, reference),) = world.guard.cases
    assert refused.value.params == {"reference": reference}
    assert campaign == "coupon.codes"
    assert world.guard.cases[campaign, reference].reasons == ("wrong_codes",)


def test_the_wait_ends_by_itself(world: World) -> None:
    back_off = world.environment()
    block(world, back_off)
    world.clock.advance(2000)

    assert world.calls(lambda: back_off.look(guesser())) == ["misses.look"]
    assert back_off.is_idle()


def test_what_is_remembered_has_a_bound(world: World) -> None:
    back_off = world.environment(remembered=3)
    for number in range(10):
        block(world, back_off, guesser(f"shopper-{number}", f"network-{number}"))
    assert len(back_off._blocked) == 3


# --- who does not wait ---


def test_wrong_tickets_are_another_matter(world: World) -> None:
    back_off = world.environment()
    block(world, back_off)
    forger = Guesser(Guessed.TICKETS, "tea", guesser().signals)

    assert world.calls(lambda: back_off.check(forger)) == []


def test_a_shopper_without_an_address_is_counted_alone(world: World) -> None:
    """The shop's backend names them, and its own address says nothing about them."""
    named = Guesser(Guessed.CODES, "coupon.codes", Signals({SignalKind.SHOPPER: "ann"}))
    calls = world.calls(lambda: world.environment().note(named, ["TYPO"]))
    assert calls == ["misses.look", "misses.note"]


def test_a_neighbour_of_a_guesser_is_let_alone(world: World) -> None:
    back_off = world.environment()
    block(world, back_off)
    assert world.calls(lambda: back_off.look(guesser("ann"))) == ["misses.look"]


# --- races ---


def test_of_two_who_looked_at_the_same_moment_the_second_learns_nothing(world: World) -> None:
    first, second = world.environment(), world.environment()
    first.note(guesser(), ["A", "B", "C", "D", "E"])
    seen = [each.look(guesser()) for each in (first, second)]

    first.note(guesser(), ["F"], seen[0])
    with pytest.raises(RateLimited):
        second.note(guesser(), ["G"], seen[1])


# --- how many guesses get through ---


def through(world: World, hours: int, who: Callable[[int], Guesser], codes: int = 1) -> list[int]:
    """Guess ten times a second, at each environment in turn; return by the hour how many guesses were looked at."""
    environments = [world.environment() for _ in range(ENVIRONMENTS)]
    looked_at = [0] * hours
    number = 0
    for step in range(hours * 36_000 // 10):  # one second at once: ten guesses, or ten requests of many codes
        for back_off in (environments[(step + each) % ENVIRONMENTS] for each in range(10)):
            number += 1
            try:
                back_off.check(who(number))
                back_off.note(who(number), [f"G{number}-{each}" for each in range(codes)])
            except RateLimited:
                continue
            looked_at[step * 1000 // HOUR_MS] += codes
        world.clock.advance(1000)
    return looked_at


def test_of_36_000_guesses_an_hour_by_one_shopper_some_twenty_get_through(world: World) -> None:
    hours = through(world, 2, lambda _: guesser())

    assert hours[0] <= 20
    assert max(hours[1:]) <= 20
    # the whole of it: a few dozen writes, and looks by environments that did not know of the wait yet
    assert world.tap.count("misses.note") <= 2 * sum(hours)
    assert world.tap.count("misses.look") <= ENVIRONMENTS * sum(hours)


def test_ten_codes_in_a_request_bring_a_guesser_little(world: World) -> None:
    assert max(through(world, 2, lambda _: guesser(), codes=10)) <= 40


def test_of_many_shoppers_in_one_network_a_few_hundred_an_hour_get_through(world: World) -> None:
    """Each of them guesses once and is never seen again."""
    hours = through(world, 2, lambda number: guesser(f"shopper-{number}"))

    assert max(hours) <= 320


def test_without_back_off_all_of_them_do() -> None:
    """The control."""
    assert through(World(patience={}), 1, lambda _: guesser()) == [36_000]
