"""Entries and coupons of protected campaigns: what a pass is good for, and limits over shoppers and mechanics."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from brandday.domain.campaign import Status
from brandday.domain.errors import (
    CampaignPaused,
    InternalError,
    LimitReached,
    RateLimited,
    TemporarilyOverloaded,
    TicketInvalid,
)
from brandday.domain.protection import Protection
from brandday.domain.tally import Taken, Tally, TallyKey
from tests.fakes.backend import OPENS, SALE, sale, sku
from tests.fakes.coupon_backend import CouponBackend
from tests.fakes.lottery_backend import LotteryBackend, lottery, prize
from tests.fakes.plain_gate import TICKETS, PlainGate, per_device, visit_with
from tests.fakes.tap import failing

PHONE = visit_with("phone")
TALLY = TallyKey(SALE, "per-device", "phone")


def guarded(protection: Protection) -> LotteryBackend:
    campaign = lottery(prize("mug", 100))
    backend = LotteryBackend(replace(campaign, protection=protection))
    backend.gate = PlainGate()
    return backend


def guarded_coupons(protection: Protection) -> CouponBackend:
    backend = CouponBackend()
    backend.change(protection=protection)
    backend.gate = PlainGate()
    return backend


# --- entries --------------------------------------------------------------------------------------------------


def test_a_protected_lottery_without_a_gate_lets_nobody_in() -> None:
    backend = guarded(Protection(ticket=TICKETS))
    backend.gate = None
    assert isinstance(backend.desk().refused("ann", visit=visit_with(ticket=OPENS)), InternalError)
    assert backend.records() == []


def test_a_ticket_brings_one_entry_and_its_repetition_the_same() -> None:
    backend = guarded(Protection(ticket=TICKETS))
    ticket = visit_with(ticket=OPENS + 500)
    first = backend.desk().enter("ann", "tap", ticket)

    again = backend.desk().enter("ann", "tap", ticket)
    refusal = backend.desk().refused("ann", "another", ticket)

    assert (again.replayed, again.entry) == (True, first.entry)
    assert isinstance(refusal, TicketInvalid)
    assert refusal.params["reason"] == "used"
    assert [entry.at for entry in backend.record("ann").entries] == [OPENS + 500]
    backend.check_entries()


def test_a_replayed_ticket_costs_no_call_once_this_environment_has_seen_it_used() -> None:
    backend = guarded(Protection(ticket=TICKETS))
    desk = backend.warm_desk()
    desk.enter("ann", "tap", visit_with(ticket=OPENS))
    desk.refused("ann", "another", visit_with(ticket=OPENS))
    before = len(backend.tap.calls)
    for number in range(5):
        desk.refused("ann", f"key-{number}", visit_with(ticket=OPENS))
    assert len(backend.tap.calls) == before


def test_whom_the_gate_refuses_hears_of_the_entry_that_this_very_request_has_made() -> None:
    backend = guarded(per_device(9))
    first = backend.desk().enter("ann", "tap", PHONE)
    backend.gate = PlainGate(tired=True)
    assert backend.desk().enter("ann", "tap", PHONE).entry == first.entry
    assert isinstance(backend.desk().refused("ann", "another", PHONE), RateLimited)


def test_entries_of_a_device_are_limited_and_never_make_room() -> None:
    backend = guarded(per_device(2))
    backend.desk().enter("ann", "1", PHONE)
    backend.desk().enter("bob", "1", PHONE)

    assert isinstance(backend.desk().refused("ann", "2", PHONE), LimitReached)
    assert isinstance(backend.desk().refused("cyn", "1", PHONE), LimitReached)

    names = [backend.name(who) for who in ("ann", "bob")]
    assert backend.tallies.kept[TALLY].taken == tuple(Taken(SALE, name, OPENS, 1, entry=1) for name in names)
    assert backend.desk().enter("ann", "1", PHONE).replayed


def test_a_tally_that_is_read_a_moment_late_is_looked_at_again() -> None:
    backend = guarded(per_device(2))
    backend.desk().enter("ann", "1", PHONE)
    backend.tallies.behind[TALLY] = Tally()
    backend.desk().enter("ann", "2", PHONE)
    assert [one.entry for one in backend.tallies.kept[TALLY].taken] == [1, 2]
    assert isinstance(backend.desk().refused("ann", "3", PHONE), LimitReached)


def test_an_entry_whose_answer_got_lost_is_given_again() -> None:
    backend = guarded(per_device(1))
    with failing(backend.tap, "tallies.save_entrant", TemporarilyOverloaded(), committed=True):
        backend.desk().refused("ann", "tap", PHONE)
    assert backend.desk().enter("ann", "tap", PHONE).replayed


def test_a_pause_holds_while_tallies_are_read() -> None:
    backend = guarded(per_device(1))
    desk = backend.warm_desk()

    def paused(call: str) -> None:
        if call == "tallies.tallies":
            backend.change(status=Status.PAUSED)
            backend.clock.advance(2000)

    backend.tap.after = paused
    assert isinstance(desk.refused("ann", "tap", PHONE), CampaignPaused)
    assert backend.records() == []


def test_a_sale_and_a_lottery_of_one_brand_day_count_together() -> None:
    protection = per_device(1, brand_day="double-eleven")
    backend = guarded(protection)
    shop = sale(sku(stock=20), id="sale-of-the-day", protection=protection)
    backend.put(shop)
    environment = backend.environment()
    held = environment.reserve("ann", campaign=shop.id, visit=PHONE).reservation
    assert isinstance(backend.desk().refused("bob", "1", PHONE), LimitReached)

    environment.cancel("ann", held.id)

    assert backend.desk().enter("bob", "1", PHONE).entry.number == 1
    with pytest.raises(LimitReached):
        backend.environment().reserve("cyn", campaign=shop.id, visit=PHONE)


def test_an_entry_with_a_limit_takes_one_call_more_and_one_with_a_ticket_none() -> None:
    never = lottery(prize("mug", 100, odds=Fraction(0)))
    calls = {}
    for name, protection in (("open", None), ("ticket", Protection(ticket=TICKETS)), ("limit", per_device())):
        backend = LotteryBackend(replace(never, protection=protection))
        backend.gate = PlainGate()
        desk = backend.warm_desk()
        before = len(backend.tap.calls)
        desk.enter("ann", "tap", visit_with("phone", ticket=OPENS))
        calls[name] = backend.tap.calls[before:]
    assert calls["open"] == calls["ticket"] == ["entrants.load", "entrants.save"]
    assert calls["limit"] == ["entrants.load", "tallies.tallies", "tallies.save_entrant"]


# --- coupons --------------------------------------------------------------------------------------------------


def test_coupons_of_a_device_are_limited() -> None:
    backend = guarded_coupons(per_device(1))
    first = backend.taker().take("ann", "tap", PHONE)
    assert isinstance(backend.taker().refused("bob", "tap", PHONE), LimitReached)
    assert backend.taker().take("ann", "tap", PHONE) == replace(first, replayed=True)
    assert backend.taker().take("bob", "tap", visit_with("tablet")).facts.id != first.facts.id


def test_a_ticket_brings_one_coupon() -> None:
    backend = guarded_coupons(Protection(ticket=TICKETS))
    backend.taker().take("ann", "tap", visit_with(ticket=OPENS))
    assert isinstance(backend.taker().refused("ann", "another", visit_with(ticket=OPENS)), TicketInvalid)
