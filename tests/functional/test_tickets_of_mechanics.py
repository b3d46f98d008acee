"""A ticket is the same at every door: units, coupons and entries; refused with its reason, replayed whatever it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import pytest

from brandday.domain.campaign import Shopper
from brandday.domain.entry_ticket import key_id, make_ticket
from brandday.domain.protection import Protection, TicketTerms
from brandday.domain.visit import Visit
from brandday.usecases.admission import Admission
from brandday.usecases.guard_ports import Admitted
from brandday.usecases.live_campaigns import LiveCampaign
from brandday.usecases.open_case import OpenCase
from tests.fakes.backend import OPENS, SALE
from tests.fakes.clock import SettableClock
from tests.fakes.coupon_api import CouponApi, taken
from tests.fakes.gate_world import PASS_KEY, OneKey, read_signals
from tests.fakes.lottery_api import LotteryApi
from tests.fakes.lottery_backend import LotteryBackend, lottery, prize
from tests.fakes.memory_guard import MemoryGuard
from tests.fakes.ticket_api import TicketApi
from tests.http_client import Answered

PROTECTED = Protection(ticket=TicketTerms(opens_before_ms=60_000, valid_ms=300_000))


class Door(Protocol):
    """One mechanic's way of taking something."""

    clock: SettableClock

    def take(self, ticket: str | None, key: str, shopper: str) -> Answered:
        """Take one."""


def admission(clock: SettableClock, kind: type[Admission] = Admission) -> Admission:
    guard = MemoryGuard()
    return kind(guard, OpenCase(guard, OneKey(), clock), read_signals, OneKey(), clock)


class Forgetful(Admission):
    """The same gate, but for one thing: it does not say how old a pass is."""

    def admit(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> Admitted:
        """Let whoever has a ticket in, as often as they like."""
        return replace(super().admit(live, protection, shopper, visit), passed_at=None)


class Units:
    """A flash sale."""

    def __init__(self) -> None:
        self._api = TicketApi(PROTECTED)
        self._api.secrets.values = {"passes": [PASS_KEY]}
        self.clock = self._api.world.clock

    def take(self, ticket: str | None, key: str, shopper: str) -> Answered:
        """Reserve a unit."""
        return self._api.reserve(shopper, key=key, ticket=ticket)


class Coupons:
    """Coupons that shoppers take, two each."""

    def __init__(self, kind: type[Admission] = Admission) -> None:
        self._api = CouponApi(published=(replace(taken(), protection=PROTECTED),))
        self.clock = self._api.clock
        self._api.gate = admission(self.clock, kind)

    def take(self, ticket: str | None, key: str, shopper: str) -> Answered:
        """Take a coupon."""
        return self._api.take(shopper, key, headers={"entry-ticket": ticket})


class Entries:
    """A lottery with three entries a day."""

    def __init__(self, kind: type[Admission] = Admission) -> None:
        world = LotteryBackend(replace(lottery(prize("mug", 5), per_day=3), protection=PROTECTED))
        self.clock = world.clock
        self._api = LotteryApi(world, SALE, gate=admission(self.clock, kind))

    def take(self, ticket: str | None, key: str, shopper: str) -> Answered:
        """Enter."""
        return self._api.enter(shopper, key, headers={"entry-ticket": ticket})


@pytest.fixture(params=[Units, Coupons, Entries])
def door(request: pytest.FixtureRequest) -> Door:
    made: Door = request.param()
    return made


def ticket(at: int = OPENS, shopper: str = "shopper-1", campaign: str = SALE) -> str:
    return make_ticket(key_id(PASS_KEY), PASS_KEY, campaign, shopper, at, at + 300_000, "n")


def said(answer: Answered) -> tuple[int, str, object]:
    return answer.status, answer.code, answer.body["params"].get("reason")


def test_one_ticket_is_one_claim(door: Door) -> None:
    door.clock.advance(1000)
    first = door.take(ticket(), "key-1", "shopper-1")

    assert first.status == 201
    again = door.take(ticket(), "key-1", "shopper-1")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert said(door.take(ticket(), "key-2", "shopper-1")) == (403, "ticket_invalid", "used")
    assert said(door.take(ticket(OPENS + 500), "key-2", "shopper-1")) == (403, "ticket_invalid", "used")


@pytest.mark.parametrize("mechanic", [Coupons, Entries])
def test_the_age_of_the_pass_is_what_makes_it_so(mechanic: type[Coupons | Entries]) -> None:
    door = mechanic(Forgetful)
    door.clock.advance(1000)

    assert [door.take(ticket(), f"key-{number}", "shopper-1").status for number in range(2)] == [201, 201]


def test_with_another_ticket_there_is_another_claim(door: Door) -> None:
    assert door.take(ticket(), "key-1", "shopper-1").status == 201
    door.clock.advance(1000)

    # a sale resumes the reservation that is held already
    assert door.take(ticket(OPENS + 1000), "key-2", "shopper-1").status in (200, 201)


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        ("tkt_made-up", "wrong"),
        (ticket()[:-1], "wrong"),
        (ticket(shopper="shopper-2"), "wrong"),
        (ticket(campaign="another-one"), "wrong"),
        (ticket(OPENS - 300_000), "expired"),
    ],
    ids=["none", "empty", "made-up", "cut", "another shopper's", "another campaign's", "expired"],
)
def test_whatever_else_is_shown_brings_nothing(door: Door, shown: str | None, reason: str) -> None:
    assert said(door.take(shown, "key-1", "shopper-1")) == (403, "ticket_invalid", reason)
    assert door.take(ticket(), "key-1", "shopper-1").status == 201  # nothing was taken
