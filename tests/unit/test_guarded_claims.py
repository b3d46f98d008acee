"""Claims of protected campaigns: what comes before the gate, what a pass is good for, and limits over shoppers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brandday.domain.errors import (
    AllHeld,
    ChallengeRequired,
    InternalError,
    LimitReached,
    NotEligible,
    RateLimited,
    ShopperLimitReached,
    SoldOut,
    TemporarilyOverloaded,
    TicketInvalid,
)
from brandday.domain.protection import Protection, Window
from brandday.domain.stock import FORGET_AFTER_MS
from brandday.domain.tally import Tally, TallyKey
from tests.fakes.backend import EXTENDED_MS, HOLD_MS, OPENS, SALE, Backend, Environment, sale, sku, web_shopper
from tests.fakes.plain_gate import TICKETS, PlainGate, per_device, visit_with
from tests.fakes.tap import failing

PHONE = visit_with("phone")
TABLET = visit_with("tablet")
TALLY = TallyKey(SALE, "per-device", "phone")


def guarded(protection: Protection, *, stock: int = 20, per_shopper: int = 2, shards: int | None = None) -> Backend:
    backend = Backend(sale(sku(stock=stock, per_shopper=per_shopper), shards=shards, protection=protection))
    backend.gate = PlainGate()
    return backend


def asked(backend: Backend) -> int:
    assert isinstance(backend.gate, PlainGate)
    return backend.gate.asked


def calls(backend: Backend, environment: Environment, who: str, key: str = "key-1", **visit: int | str) -> list[str]:
    """Return the calls of a request that is refused."""
    before = len(backend.tap.calls)
    environment.refused(who, key=key, visit=visit_with(**visit))  # type: ignore[arg-type]
    return backend.tap.calls[before:]


# --- before the gate ------------------------------------------------------------------------------------------


def test_a_protected_campaign_without_a_gate_lets_nobody_in() -> None:
    backend = Backend(sale(sku(stock=20), protection=per_device(ticket=TICKETS)))
    assert isinstance(backend.environment().refused("ann", visit=visit_with("phone", ticket=OPENS)), InternalError)
    assert backend.counts().held == 0


def test_who_may_not_buy_and_what_memory_refuses_does_not_get_to_the_gate() -> None:
    backend = guarded(per_device(9), stock=1, per_shopper=1)
    environment = backend.warm_environment()
    assert isinstance(environment.refused(web_shopper("ann")._replace(channel="kiosk")), NotEligible)
    assert asked(backend) == 0

    environment.reserve("bob", visit=PHONE)
    environment.refused("ann", visit=PHONE)
    before = asked(backend)
    assert isinstance(environment.refused("ann", visit=PHONE), AllHeld)
    environment.confirm(environment.reserve("bob", visit=PHONE).reservation.id)
    backend.settle()
    environment.refused("ann", visit=PHONE)
    assert isinstance(environment.refused("ann", visit=PHONE), SoldOut)
    assert asked(backend) == before + 1, "bob, and nobody of those whom memory refuses"


def test_whom_the_gate_refuses_hears_of_the_claim_that_this_very_request_has_made() -> None:
    backend = guarded(per_device(9))
    gate = PlainGate()
    backend.gate = gate
    first = backend.environment().reserve("ann", key="tap", visit=PHONE)
    gate.tired = True

    again = backend.environment().reserve("ann", key="tap", visit=PHONE)

    assert again.replayed
    assert again.reservation == first.reservation
    assert isinstance(backend.environment().refused("ann", key="another", visit=PHONE), RateLimited)


def test_who_knocks_and_knocks_at_a_closed_gate_costs_one_read_a_second_at_most() -> None:
    backend = guarded(per_device(9))
    backend.gate = PlainGate(tired=True)
    environment = backend.warm_environment()
    assert calls(backend, environment, "bot", device="phone") == ["stock.read"]
    for number in range(20):
        assert calls(backend, environment, "bot", key=f"key-{number}", device="phone") == []


# --- passes ---------------------------------------------------------------------------------------------------


def test_a_ticket_brings_one_claim_and_its_repetition_the_same() -> None:
    backend = guarded(Protection(ticket=TICKETS))
    ticket = visit_with(ticket=OPENS - 1000)
    first = backend.environment().reserve("ann", key="tap", visit=ticket)

    assert backend.environment().reserve("ann", key="tap", visit=ticket).reservation == first.reservation
    refusal = backend.environment().refused("ann", key="another", visit=ticket)

    assert isinstance(refusal, TicketInvalid)
    assert refusal.params["reason"] == "used"
    assert backend.owned("ann") == 1


def test_a_ticket_is_used_up_by_a_claim_that_was_released_too() -> None:
    backend = guarded(Protection(ticket=TICKETS))
    ticket = visit_with(ticket=OPENS - 1000)
    environment = backend.environment()
    environment.cancel("ann", environment.reserve("ann", visit=ticket).reservation.id)
    assert isinstance(environment.refused("ann", key="another", visit=ticket), TicketInvalid)

    backend.clock.advance(1)
    environment.reserve("ann", key="another", visit=visit_with(ticket=backend.clock()))


def test_a_used_challenge_asks_for_another_one() -> None:
    backend = guarded(Protection())
    solved = visit_with(ticket=OPENS - 1000)
    backend.environment().reserve("ann", visit=solved)
    refusal = backend.environment().refused("ann", key="another", visit=solved)
    assert isinstance(refusal, ChallengeRequired)
    assert refusal.params["reason"] == "used"


def test_a_pass_of_a_clock_that_is_ahead_is_used_up_as_well() -> None:
    backend = guarded(Protection(ticket=TICKETS))
    ahead = visit_with(ticket=OPENS + 900)
    backend.environment().reserve("ann", visit=ahead)
    assert isinstance(backend.environment().refused("ann", key="another", visit=ahead), TicketInvalid)


def test_a_replayed_ticket_costs_no_call_once_this_environment_has_seen_it_used() -> None:
    backend = guarded(Protection(ticket=TICKETS))
    environment = backend.warm_environment()
    environment.reserve("ann", key="tap", visit=visit_with(ticket=OPENS))
    assert calls(backend, environment, "ann", "key-0", ticket=OPENS) == ["stock.write"]
    for number in range(1, 20):
        assert calls(backend, environment, "ann", f"key-{number}", ticket=OPENS - number) == []
    assert environment.reserve("ann", key="tap", visit=visit_with(ticket=OPENS)).replayed


def test_a_replayed_ticket_is_no_failed_transaction_whatever_device_it_comes_from() -> None:
    backend = guarded(per_device(9, ticket=TICKETS))
    backend.environment().reserve("ann", key="tap", visit=visit_with("phone", ticket=OPENS))
    met = calls(backend, backend.warm_environment(), "ann", key="again", device="tablet", ticket=OPENS)
    assert met == ["stock.read", "stock.read"], "once more, as the answer must not be a moment old"


def test_a_used_ticket_is_known_as_long_as_it_would_be_valid() -> None:
    backend = guarded(Protection(ticket=TICKETS), stock=600, shards=1)
    environment = backend.environment()
    environment.cancel("ann", environment.reserve("ann", visit=visit_with(ticket=OPENS)).reservation.id)
    for number in range(300):
        environment.cancel(
            who := f"shopper-{number}", environment.reserve(who, visit=visit_with(ticket=OPENS)).reservation.id
        )
    backend.clock.advance(TICKETS.valid_ms + 60_000)
    backend.sweeper()()
    assert isinstance(
        backend.environment().refused("ann", key="another", visit=visit_with(ticket=OPENS)), TicketInvalid
    )

    backend.clock.advance(FORGET_AFTER_MS + EXTENDED_MS)
    backend.sweeper()()
    assert backend.layout.name_of("ann") not in backend.stock.shard(0, SALE).records


# --- limits ---------------------------------------------------------------------------------------------------


def test_a_limit_holds_over_all_shoppers_of_a_device_and_over_no_others() -> None:
    backend = guarded(per_device(2))
    for who in ("ann", "bob"):
        backend.environment().reserve(who, visit=PHONE)

    refusal = backend.environment().refused("cyn", visit=PHONE)

    assert isinstance(refusal, LimitReached)
    backend.environment().reserve("cyn", visit=TABLET)
    assert backend.counts().held == 3
    assert [one.units for one in backend.tallies.kept[TALLY].taken] == [1, 1]


def test_who_has_not_the_signal_is_not_counted() -> None:
    backend = guarded(per_device(1))
    for number in range(3):
        backend.environment().reserve(f"shopper-{number}")
    assert backend.tallies.kept == {}


def test_units_count_not_claims() -> None:
    backend = guarded(per_device(3))
    backend.environment().reserve("ann", quantity=2, visit=PHONE)
    assert isinstance(backend.environment().refused("bob", quantity=2, visit=PHONE), LimitReached)
    backend.environment().reserve("bob", visit=PHONE)


def test_who_holds_units_hears_of_them_though_the_limit_is_reached() -> None:
    backend = guarded(per_device(1))
    held = backend.environment().reserve("ann", key="tap", visit=PHONE).reservation

    again = backend.environment().reserve("ann", key="tap", visit=PHONE)
    other_device = backend.environment().reserve("ann", key="another", visit=PHONE)

    assert (again.replayed, again.reservation.id) == (True, held.id)
    assert (other_device.resumed, other_device.reservation.id) == (True, held.id)


def test_the_limit_of_the_shopper_comes_before_that_of_the_device() -> None:
    backend = guarded(per_device(1), per_shopper=1)
    environment = backend.environment()
    environment.confirm(environment.reserve("ann", visit=PHONE).reservation.id)
    assert isinstance(environment.refused("ann", key="another", visit=PHONE), ShopperLimitReached)


@pytest.mark.parametrize("how", ["cancelled", "lapsed", "lapsed and swept", "released long ago"])
def test_what_is_released_makes_room(how: str) -> None:
    backend = guarded(per_device(1))
    environment = backend.environment()
    held = environment.reserve("ann", visit=PHONE).reservation
    if how == "cancelled":
        environment.cancel("ann", held.id)
    else:
        backend.clock.advance(HOLD_MS)
        backend.project()
    if how == "lapsed and swept":
        backend.sweeper()()
    if how == "released long ago":
        backend.clock.advance(FORGET_AFTER_MS + EXTENDED_MS)

    backend.environment().reserve("bob", visit=PHONE)
    assert isinstance(backend.environment().refused("cyn", visit=PHONE), LimitReached)
    assert len(backend.tallies.kept[TALLY].taken) == 1, "what is released is dropped"
    backend.check()


def test_a_sale_makes_no_room_however_old_it_is() -> None:
    backend = guarded(per_device(1))
    environment = backend.environment()
    environment.confirm(environment.reserve("ann", visit=PHONE).reservation.id)
    backend.clock.advance(FORGET_AFTER_MS + EXTENDED_MS)
    assert isinstance(backend.environment().refused("bob", visit=PHONE), LimitReached)


def test_a_window_makes_room_when_it_is_over() -> None:
    backend = guarded(per_device(1, window=Window(3_600_000, sliding=True)))
    environment = backend.environment()
    environment.confirm(environment.reserve("ann", visit=PHONE).reservation.id)
    backend.clock.advance(3_599_999)
    assert isinstance(backend.environment().refused("bob", visit=PHONE), LimitReached)
    backend.clock.advance(1)
    backend.environment().reserve("bob", visit=PHONE)
    assert len(backend.tallies.kept[TALLY].taken) == 2, "clocks differ: a line stays a minute longer than it counts"


def test_campaigns_of_a_brand_day_count_together() -> None:
    protection = per_device(1, brand_day="double-eleven")
    backend = guarded(protection)
    backend.put(replace(backend.campaign, id="another-sale"))
    environment = backend.environment()
    held = environment.reserve("ann", campaign="another-sale", visit=PHONE).reservation
    assert isinstance(environment.refused("bob", visit=PHONE), LimitReached)

    environment.cancel("ann", held.id)
    backend.environment().reserve("bob", visit=PHONE)


def only_other_shards_have_units() -> Backend:
    """The home of whoever comes next is empty, and another shard is not."""
    backend = guarded(per_device(1), stock=3, per_shopper=1, shards=3)
    backend.environment().reserve(backend.shopper_at(0), visit=TABLET)
    return backend


def test_a_limit_that_stands_is_found_before_anything_is_announced_in_another_shard() -> None:
    backend = only_other_shards_have_units()
    backend.environment().reserve(backend.shopper_at(1), visit=PHONE)
    before = len(backend.tap.calls)

    refusal = backend.environment().refused(backend.shopper_at(0, 1), visit=PHONE)

    assert isinstance(refusal, LimitReached)
    assert "stock.read" in backend.tap.calls[before:]
    assert not {"stock.write", "tallies.write_shard"} & set(backend.tap.calls[before:])
    backend.check()


def test_a_limit_that_is_reached_on_the_way_to_another_shard_leaves_no_pointer_behind() -> None:
    backend = only_other_shards_have_units()
    late, announced = backend.shopper_at(0, 1), 0

    def meanwhile(call: str) -> None:
        nonlocal announced
        record = backend.stock.shard(0, SALE).records.get(backend.layout.name_of(late), "")
        if call == "stock.write" and ">" in record:
            backend.tap.after = lambda _: None
            announced = int(record.partition("@")[2])
            backend.environment().reserve(backend.shopper_at(3 - announced), visit=PHONE)

    backend.tap.after = meanwhile
    refusal = backend.environment().refused(late, visit=PHONE)

    assert announced
    assert isinstance(refusal, LimitReached)
    assert ">" not in backend.stock.shard(0, SALE).records[backend.layout.name_of(late)]
    assert backend.owned(late) == 0
    backend.check()


def test_a_tally_that_is_read_a_moment_late_is_looked_at_again() -> None:
    backend = guarded(per_device(2))
    backend.environment().reserve("ann", visit=PHONE)
    backend.tallies.behind[TALLY] = Tally()
    backend.environment().reserve("bob", visit=PHONE)
    assert len(backend.tallies.kept[TALLY].taken) == 2
    assert isinstance(backend.environment().refused("cyn", visit=PHONE), LimitReached)
    backend.check()


def test_a_device_that_is_full_is_refused_with_one_read_for_a_second() -> None:
    backend = guarded(per_device(1))
    environment = backend.warm_environment()
    environment.reserve("ann", visit=PHONE)
    assert calls(backend, environment, "bot-0", device="phone") == [
        "stock.read",
        "tallies.tallies",
        *["stock.read"] * 2,
    ]
    for number in range(1, 9):
        refused = calls(backend, environment, f"bot-{number}", device="phone")
        assert set(refused) <= {"stock.read"}
        assert len(refused) <= 1


def test_an_answer_that_got_lost_is_given_again() -> None:
    backend = guarded(per_device(1))
    with failing(backend.tap, "tallies.write_shard", TemporarilyOverloaded(), committed=True):
        assert isinstance(backend.environment().refused("ann", key="tap", visit=PHONE), TemporarilyOverloaded)
    assert backend.environment().reserve("ann", key="tap", visit=PHONE).replayed
    assert backend.counts().held == 1


def test_tallies_are_kept_a_month_beyond_the_end() -> None:
    backend = guarded(per_device(1))
    backend.environment().reserve("ann", visit=PHONE)
    assert backend.tallies.kept[TALLY].forget_at == backend.campaign.ends_at // 1000 + 30 * 24 * 3600


def test_whom_an_operator_has_exempted_no_limit_stops() -> None:
    backend = guarded(per_device(1))
    backend.gate = PlainGate(exempt=frozenset({"cyn"}))
    backend.environment().reserve("ann", visit=PHONE)
    backend.environment().reserve("cyn", visit=PHONE)
    assert isinstance(backend.environment().refused("bob", visit=PHONE), LimitReached)
    assert backend.counts().held == 2
