"""Forged tickets: some are free, the first few without any call; who has a good one is never asked anything."""

from __future__ import annotations

import pytest

from brandday.domain.errors import RateLimited, TicketInvalid
from brandday.usecases.back_off import UNSHARED, Guessed
from tests.fakes.gate_world import TICKET, GateEnvironment, GateWorld, protection, visit
from tests.fakes.memory_misses import MemoryMisses

FREE_OF_CALLS = UNSHARED[Guessed.TICKETS]
NOTED = ["misses.look", "misses.note"]


@pytest.fixture
def world() -> GateWorld:
    return GateWorld(protection(ticket=TICKET), misses=MemoryMisses())


def refused(gate: GateEnvironment, ticket: str, shopper: str = "mallory", network: str = "") -> str:
    with pytest.raises((TicketInvalid, RateLimited)) as refusal:
        gate.admit(shopper, visit(ticket=ticket, **({"network": network} if network else {})))
    return refusal.value.code


def test_a_forger_waits_and_costs_nothing_any_more(world: GateWorld) -> None:
    gate, other = world.environment(), world.environment()

    for number in range(FREE_OF_CALLS):
        assert refused(gate, f"tkt_first-{number}") == "ticket_invalid"
        assert not world.calls()
    for number in range(6):
        assert refused(gate, f"tkt_forged-{number}") == "ticket_invalid"
        assert world.calls()[:2] == NOTED
    for number in range(100):
        assert refused(gate, f"tkt_more-{number}") == "rate_limited"
        assert not world.calls()
    for number in range(FREE_OF_CALLS):
        assert refused(other, f"tkt_elsewhere-{number}") == "ticket_invalid"
        assert not world.calls()
    assert refused(other, "tkt_elsewhere") == "rate_limited"
    assert world.calls() == ["misses.look"]
    assert [case.reasons for case in world.guard.cases.values()] == [("wrong_tickets",)]


def test_the_same_wrong_ticket_again_is_one_mistake(world: GateWorld) -> None:
    """An app that has kept the ticket of another campaign tries it again and again."""
    gate = world.environment()
    for _ in range(50):
        assert refused(gate, "tkt_of-yesterday") == "ticket_invalid"
    assert world.calls() == [*NOTED, *["misses.look"] * (49 - FREE_OF_CALLS)]


def test_a_good_ticket_takes_no_call_whoever_has_been_wrong_before(world: GateWorld) -> None:
    gate = world.environment()
    for number in range(10):
        refused(gate, f"tkt_forged-{number}", network="a carrier")
    world.calls()

    for shopper in ("mallory", "ann"):
        assert gate.admit(shopper, visit(ticket=world.ticket(shopper), network="a carrier")).passed_at is not None
    assert not world.calls()


def test_no_ticket_and_one_that_is_too_old_are_no_forgeries(world: GateWorld) -> None:
    gate, old = world.environment(), world.ticket("ann", world.clock() - 700_000)
    for ticket in ("", old) * 10:
        assert refused(gate, ticket, "ann") == "ticket_invalid"
    assert not world.calls()


def test_many_forgers_in_one_network_are_counted_together(world: GateWorld) -> None:
    gate = world.environment()
    said = [refused(gate, f"tkt_forged-{number}", f"shopper-{number}", "one-network") for number in range(250)]
    assert said == ["ticket_invalid"] * (FREE_OF_CALLS + 201) + ["rate_limited"] * (49 - FREE_OF_CALLS)
