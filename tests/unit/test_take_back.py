"""A unit whose prize nobody claimed is sold once more, everywhere within a second, and nobody is told lies about it."""

import random
from dataclasses import replace
from typing import Any

import pytest

from brandday.domain.errors import AllHeld, BrandDayError, ShopperLimitReached, SoldOut
from brandday.domain.fulfilment import Fulfilment, RewardKind, RewardTerms
from brandday.domain.protocols import take_back
from brandday.domain.reservation import Reservation, ReservationState
from brandday.domain.reservation_id import parse_reservation_id
from brandday.domain.shard import CANCELLED, CONFIRMED, EXPIRED, HELD, decode_record
from brandday.domain.stock import Changed, ChangeOutcome, ClaimRef, Missing, NotPossible
from brandday.domain.summary import Tally
from brandday.usecases.live_campaigns import REFRESH_MS, RETURN_NOTICE_MS
from tests.fakes.backend import CLOSES, HOLD_MS, OPENS, SALE, Backend, Environment, sale, sku

DEADLINE = OPENS + 60 * 60 * 1000


def prizes(stock: int = 1, *, claim_until: int | None = DEADLINE, **changes: Any) -> Backend:
    """A sale of prizes that can be won again after the deadline: campaigns of today end before it, but nothing here
    relies on that.
    """
    prize = replace(sku(stock=stock), reward=RewardTerms(RewardKind.PHYSICAL))
    return Backend(sale(prize, fulfilment=Fulfilment(claim_until=claim_until), **changes))


def bought(environment: Environment, shopper: str, key: str = "key-1") -> Reservation:
    """A shopper's sale."""
    return environment.confirm(environment.reserve(shopper, key=key).reservation.id, f"order-{shopper}").reservation


def taken_back(backend: Backend, reservation: Reservation) -> ChangeOutcome:
    """Take the units of a sale back."""
    parsed = parse_reservation_id(reservation.id)
    assert parsed is not None
    return backend.stock.run(take_back(parsed[1], backend.terms, backend.clock()), SALE)


# --- the claim ------------------------------------------------------------------------------------------------


def test_a_sale_that_is_taken_back_is_cancelled_and_its_unit_is_free_in_one_write() -> None:
    backend = prizes()
    sold = bought(backend.environment(), "ann")
    assert backend.counts() == Tally(0, 0, 1)

    outcome = taken_back(backend, sold)

    assert isinstance(outcome, Changed)
    assert (outcome.replayed, outcome.claim.entry.state, outcome.claim.entry.order_id) == (False, CANCELLED, None)
    assert backend.counts() == Tally(1, 0, 0)
    assert backend.environment().get("ann", sold.id).state is ReservationState.CANCELLED
    backend.check()


def test_taking_back_twice_gives_one_unit_back_also_when_it_was_sold_again() -> None:
    backend = prizes()
    sold = bought(backend.environment(), "ann")
    taken_back(backend, sold)
    again = taken_back(backend, sold)
    backend.clock.advance(1)
    second = bought(backend.environment(), "ann", "key-2")
    later = taken_back(backend, sold)

    for outcome in (again, later):
        assert isinstance(outcome, Changed)
        assert outcome.replayed
    assert backend.counts() == Tally(0, 0, 1)
    assert backend.environment().get("ann", second.id).state is ReservationState.CONFIRMED


@pytest.mark.parametrize("state", [HELD, CANCELLED, EXPIRED])
def test_only_a_sale_is_taken_back(state: str) -> None:
    backend = prizes()
    environment = backend.environment()
    held = environment.reserve("ann").reservation
    if state == CANCELLED:
        environment.cancel("ann", held.id)
    if state == EXPIRED:
        backend.clock.advance(HOLD_MS)
        environment.get("ann", held.id)
        environment.reserve("bob")
    before = backend.counts()

    outcome = taken_back(backend, held)

    assert isinstance(outcome, NotPossible if state == HELD else Changed)
    assert backend.counts() == before
    backend.check()


def test_a_claim_that_was_never_made_is_missing() -> None:
    backend = prizes()
    sold = bought(backend.environment(), "ann")
    elsewhere = replace(sold, id=sold.id[:-1] + ("0" if sold.id[-1] != "0" else "1"))

    assert taken_back(backend, elsewhere) == Missing()
    assert backend.counts() == Tally(0, 0, 1)


def test_who_has_lost_a_prize_may_win_again_and_is_not_told_of_a_limit() -> None:
    backend = prizes(stock=2)
    environment = backend.environment()
    sold = bought(environment, "ann")
    assert isinstance(environment.refused("ann", key="key-2"), ShopperLimitReached)

    taken_back(backend, sold)

    assert environment.reserve("ann", key="key-1").reservation.state is ReservationState.CANCELLED, "the same request"
    assert environment.reserve("ann", key="key-2").reservation.state is ReservationState.HELD


# --- who is told what ------------------------------------------------------------------------------------------


def sold_out(backend: Backend, *environments: Environment) -> Reservation:
    """Sell the only unit to ann, and let the environments refuse bob from memory."""
    sold = bought(backend.environment(), "ann")
    backend.settle()
    for environment in environments:
        assert [type(environment.refused("bob")) for _ in range(3)] == [SoldOut] * 3
    return sold


@pytest.mark.parametrize("claim_until", [DEADLINE, None], ids=["deadline", "no_deadline"])
def test_within_a_second_every_warm_environment_sells_the_unit_again(claim_until: int | None) -> None:
    for number in range(3):
        backend = prizes(claim_until=claim_until)
        warm = [backend.warm_environment() for _ in range(3)]
        sold = sold_out(backend, *warm)
        backend.clock.now = max(DEADLINE, backend.clock())
        for environment in warm:
            environment.refused("bob")
        taken_back(backend, sold)
        backend.project()
        backend.clock.advance(REFRESH_MS)

        assert warm[number].reserve("bob").reservation.state is ReservationState.HELD


def test_once_it_is_sold_again_its_owner_is_recognised_by_who_had_refused_them() -> None:
    backend = prizes()
    slow, quick = backend.warm_environment(), backend.warm_environment()
    sold = sold_out(backend, slow, quick)
    backend.clock.now = DEADLINE
    taken_back(backend, sold)
    backend.settle()
    won = bought(quick, "bob", "tap")
    backend.settle()  # sold out again; `slow` has not looked in between

    assert slow.reserve("bob", key="tap").reservation == won
    assert isinstance(slow.refused("cyn"), SoldOut)


def test_also_in_the_second_in_which_it_is_sold_again() -> None:
    backend = prizes()
    slow, quick = backend.warm_environment(), backend.warm_environment()
    sold = sold_out(backend, quick, slow)
    backend.clock.now = DEADLINE
    slow.refused("cyn")  # config and summary of this moment: sold out
    taken_back(backend, sold)
    backend.project()
    quick.live.get(SALE)
    held = quick.reserve("bob", key="tap").reservation

    assert slow.reserve("bob", key="tap").reservation == held


def test_up_to_the_deadline_a_sold_out_answer_costs_nothing_and_from_then_on_one_read() -> None:
    backend = prizes()
    environment = backend.warm_environment()
    sold_out(backend, environment)
    for now, reads in ((DEADLINE - RETURN_NOTICE_MS - 1, 0), (DEADLINE - RETURN_NOTICE_MS, 10), (CLOSES - 1, 10)):
        backend.clock.now = now
        before = backend.tap.count("stock")
        for _ in range(10):
            assert isinstance(environment.refused("bob"), SoldOut)
        assert backend.tap.count("stock") - before == reads


def test_what_is_never_forfeited_is_sold_out_for_good() -> None:
    backend = Backend(sale(sku(stock=1), fulfilment=Fulfilment(claim_until=DEADLINE)))
    environment = backend.warm_environment()
    sold_out(backend, environment)
    backend.clock.now = CLOSES - 1
    before = backend.tap.count("stock")

    assert isinstance(environment.refused("bob"), SoldOut)
    assert backend.tap.count("stock") == before


def test_a_deadline_that_is_put_off_makes_environments_look_again() -> None:
    backend = prizes()
    environment = backend.warm_environment()
    sold = sold_out(backend, environment)
    backend.clock.now = DEADLINE
    taken_back(backend, sold)
    backend.project()
    bought(backend.environment(), "bob", "tap")
    backend.change(fulfilment=Fulfilment(claim_until=CLOSES))
    backend.settle()

    assert environment.reserve("bob", key="tap").replayed


# --- all of it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_nobody_who_owns_a_unit_hears_sold_out_whatever_happens_when(seed: int) -> None:
    assert lies(random.Random(seed), DEADLINE) == 0


def test_without_the_deadline_the_same_days_bring_lies() -> None:
    """The control: units come back while environments count on it that they do not."""
    assert sum(lies(random.Random(seed), CLOSES) for seed in range(10)) > 0


def lies(dice: random.Random, claim_until: int) -> int:
    """Play a day after DEADLINE in which prizes are forfeited all the time; return how many owners hear "sold out"."""
    backend = prizes(stock=3, shards=3, claim_until=claim_until)
    environments = [backend.warm_environment() for _ in range(3)]
    shoppers = [f"shopper-{number}" for number in range(8)]
    backend.clock.now = DEADLINE
    told = 0
    seen: set[type[BrandDayError] | type[Reservation]] = set()
    for _ in range(300):
        backend.clock.advance(dice.choice((1, 20, 300)))
        if dice.random() < 0.5:
            backend.project()
        if dice.random() < 0.06:
            _forfeit_one(backend, dice)
        shopper = dice.choice(shoppers)
        try:
            made = dice.choice(environments).reserve(shopper, key=f"key-{dice.randrange(10**9)}").reservation
        except BrandDayError as refusal:
            seen.add(type(refusal))
            told += isinstance(refusal, SoldOut) and backend.owned(shopper) > 0
        else:
            seen.add(Reservation)
            if made.state is ReservationState.HELD and dice.random() < 0.9:
                backend.environment().confirm(made.id, f"order-{made.id[-8:]}")
        backend.check()
    assert {SoldOut, AllHeld, ShopperLimitReached, Reservation} <= seen, "too tame a day to prove anything"
    return told


def _forfeit_one(backend: Backend, dice: random.Random) -> None:
    sales = [
        (shard.number, name, entry)
        for shard in backend.shards()
        for name, text in shard.records.items()
        for entry in decode_record(text)
        if entry.state == CONFIRMED
    ]
    if sales:
        number, name, entry = dice.choice(sales)
        backend.stock.run(take_back(ClaimRef(number, name, entry.attempt), backend.terms, backend.clock()), SALE)
