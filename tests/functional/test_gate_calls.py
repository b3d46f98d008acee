"""What a gate costs a request in calls: none where memory can refuse, none with a ticket, a look and a note without."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from brandday.domain.errors import BrandDayError
from brandday.domain.protection import Counted, Limit, Protection
from brandday.domain.risk import Listed
from brandday.domain.signals import SignalKind
from brandday.domain.visit import Visit
from brandday.usecases.admission import REMEMBER_MS, Admission
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.open_case import OpenCase
from brandday.usecases.reserve_units import ReserveUnits
from tests.fakes.backend import OPENS, SALE, Backend, sale, sku, web_shopper
from tests.fakes.gate_world import (
    ALWAYS,
    BLOCKED,
    BY_DEVICE,
    BY_SHOPPER,
    CROWD,
    HOUR,
    NEW,
    PASS_KEY,
    TICKET,
    OneKey,
    mark,
    protection,
    read_signals,
    rules,
    visit,
)
from tests.fakes.memory_guard import MemoryGuard
from tests.fakes.memory_tallies import MemoryTallies
from tests.fakes.tap import tapped

LOOK, NOTE, SAVE, WRITE, READ = "visits.look", "visits.note", "cases.save", "stock.write", "stock.read"
PER_DEVICE = Limit("one-per-device", SignalKind.DEVICE, Counted.WINS, 1)
EVERYTHING = protection(
    BY_SHOPPER,
    BY_DEVICE,
    replace(BY_DEVICE, name="net", by=SignalKind.NETWORK, most=300),
    risk=rules(CROWD, NEW, BLOCKED),
)
YOUNG = str(OPENS - HOUR)


class Shop:
    """One campaign that is guarded, and an execution environment that sells."""

    def __init__(self, demanded: Protection, stock: int = 900) -> None:
        self.backend = Backend(sale(sku(stock=stock), protection=demanded))
        self.guard = MemoryGuard()
        self.environment()

    def environment(self) -> None:
        """Begin with an environment that has nothing in its memory but the campaign."""
        backend, clock, tap = self.backend, self.backend.clock, self.backend.tap
        live = LiveCampaigns(tapped(backend.campaigns, "campaigns", tap), clock)
        visits, cases = tapped(self.guard, "visits", tap), tapped(self.guard, "cases", tap)
        gate = Admission(visits, OpenCase(cases, OneKey(), clock), read_signals, OneKey(), clock)
        stock = tapped(backend.stock, "stock", tap)
        tallies = tapped(MemoryTallies(backend.stock), "tallies", tap)
        self._reserve = ReserveUnits(live, stock, clock, gate, tallies)
        live.get(SALE)
        tap.calls.clear()

    def reserve(self, shopper: str, visit: Visit, key: str = "key-1") -> tuple[str, list[str]]:
        """Return what came of a request and the calls it took, but for looking at the campaign once a second."""
        tap = self.backend.tap
        before = len(tap.calls)
        try:
            outcome = self._reserve(web_shopper(shopper), SALE, "HERO", 1, key, visit)
            said = "replayed" if outcome.replayed else "granted"
        except BrandDayError as refusal:
            said = refusal.code
        return said, [call for call in tap.calls[before:] if call != "campaigns.load"]

    def ticket(self, shopper: str) -> str:
        """Return a ticket."""
        from brandday.domain.entry_ticket import key_id, make_ticket

        now = self.backend.clock()
        return make_ticket(key_id(PASS_KEY), PASS_KEY, SALE, shopper, now, now + 600_000, "nonce")


def test_a_claim_with_a_ticket_is_one_write() -> None:
    shop = Shop(replace(EVERYTHING, ticket=TICKET, challenge=ALWAYS))
    for number in range(50):
        who = f"shopper-{number}"
        assert shop.reserve(who, visit("farm", ticket=shop.ticket(who))) == ("granted", [WRITE])


def test_a_script_without_a_ticket_costs_at_most_the_look_whether_it_is_a_repetition() -> None:
    shop = Shop(replace(EVERYTHING, ticket=TICKET))
    first = [shop.reserve(f"bot-{number}", visit("farm"))[1] for number in range(100)]
    again = [shop.reserve(f"bot-{number}", visit("farm"), key=f"key-{number}") for number in range(100)]
    assert not [calls for calls in first if set(calls) - {READ}]
    assert again == [("ticket_invalid", [])] * 100


def test_a_claim_without_a_ticket_is_one_look_and_one_note_more_at_most() -> None:
    shop = Shop(EVERYTHING)
    costs: Counter[str] = Counter()
    for number in range(200):
        said, calls = shop.reserve(f"shopper-{number}", visit(f"pad-{number}", network=f"net-{number % 7}"))
        assert said == "granted"
        assert calls in ([LOOK, NOTE, WRITE], [LOOK, WRITE])
        costs.update(calls)
    assert costs[LOOK] == costs[WRITE] == 200
    assert costs[NOTE] > 100


def test_sold_out_is_said_without_asking_the_gate() -> None:
    shop = Shop(EVERYTHING, stock=60)
    backend = shop.backend
    plain = backend.environment()
    backend.change(protection=None)
    for number in range(400):
        try:
            plain.confirm(plain.reserve(f"buyer-{number}").reservation.id, f"order-{number}")
        except BrandDayError:
            backend.settle()
    backend.change(protection=EVERYTHING)
    shop.environment()
    for home in range(backend.layout.shards):  # each shard is looked at once, for those who hold units
        said, calls = shop.reserve(backend.shopper_at(home, 500), visit("farm"))
        assert (said, calls) == ("sold_out", [READ])
    for number in range(1000, 1300):
        assert shop.reserve(f"bot-{number}", visit("farm", account_created_at=YOUNG)) == ("sold_out", [])
    assert shop.guard.activity == {}
    assert shop.guard.cases == {}


def test_all_held_is_said_without_asking_the_gate() -> None:
    shop = Shop(protection(BY_SHOPPER, BY_DEVICE), stock=1)
    assert shop.reserve("ann", visit("pad"))[0] == "granted"
    shop.backend.project()
    shop.environment()
    shop.reserve("bob", visit("tab"))
    assert shop.reserve("bot", visit("farm")) == ("all_held", [])


@pytest.mark.parametrize("by", ["limit", "rules"])
def test_who_was_refused_a_moment_ago_is_refused_without_a_call(by: str) -> None:
    shop = Shop(protection(BY_DEVICE) if by == "limit" else protection(risk=rules(NEW)))
    if by == "limit":
        for number in range(6):
            assert shop.reserve(f"bot-{number}", visit("farm"))[0] == "granted"
    shop.backend.settle()
    young = visit("farm", account_created_at=YOUNG)
    code = "rate_limited" if by == "limit" else "not_admitted"
    said, calls = shop.reserve("bot-9", young)
    assert said == code
    assert calls[:2] == [LOOK, SAVE]
    assert set(calls[2:]) <= {READ}, "whether this very request was granted before"
    for number in range(100):
        assert shop.reserve("bot-9", young, key=f"key-{number}") == (code, [])
        shop.backend.clock.advance(REMEMBER_MS // 1000)


def test_who_repeats_a_request_hears_what_it_got_whatever_the_gate_says() -> None:
    shop = Shop(protection(BY_SHOPPER))
    assert shop.reserve("ann", visit())[0] == "granted"
    for _ in range(2):
        shop.reserve("ann", visit())
    said, calls = shop.reserve("ann", visit())
    assert said == "replayed"
    assert calls == [LOOK, SAVE, READ]


def test_an_exemption_counts_for_limits_on_wins_too_and_is_asked_for_only_then() -> None:
    shop = Shop(protection(PER_DEVICE, ticket=TICKET))
    said, calls = shop.reserve("ann", visit("pad", ticket=shop.ticket("ann")))
    assert (said, LOOK in calls, WRITE in calls) == ("granted", False, False)
    bob = visit("pad", ticket=shop.ticket("bob"))
    said, calls = shop.reserve("bob", bob)
    assert said == "limit_reached"
    assert calls.count(LOOK) == calls.count(SAVE) == 1
    assert LOOK not in shop.reserve("bob", bob)[1]
    shop.guard.put_on_list(Listed.ALLOW, SignalKind.SHOPPER, mark(SignalKind.SHOPPER, "bob"))
    shop.backend.clock.advance(REMEMBER_MS)
    said, calls = shop.reserve("bob", bob)
    assert said == "granted"
    assert calls.count(LOOK) == 1
