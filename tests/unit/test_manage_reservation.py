"""What becomes of a reservation: given back, extended, paid, paid late, paid twice."""

from dataclasses import replace

import pytest

from brandday.domain.campaign import LatePayment, Status
from brandday.domain.errors import (
    BrandDayError,
    CampaignPaused,
    HoldNotExtendable,
    ReservationAlreadyConfirmed,
    ReservationExpired,
    ReservationNotFound,
    ReservationReleased,
    TemporarilyOverloaded,
)
from brandday.domain.reservation import Reservation, ReservationState
from brandday.domain.stock import FORGET_AFTER_MS
from tests.fakes.backend import EXTENDED_MS, HOLD_MS, OPENS, SALE, Backend, Environment, sale, sku
from tests.fakes.tap import failing

HELD, CONFIRMED = ReservationState.HELD, ReservationState.CONFIRMED
CANCELLED, EXPIRED = ReservationState.CANCELLED, ReservationState.EXPIRED
BOTH_POLICIES = pytest.mark.parametrize("policy", list(LatePayment))


def _held(backend: Backend, shopper: str = "ann", key: str = "tap") -> tuple[Environment, Reservation]:
    environment = backend.environment()
    return environment, environment.reserve(shopper, key=key).reservation


def _refund_due(environment: Environment, reservation_id: str, order_id: str = "order-1") -> BrandDayError:
    with pytest.raises((ReservationExpired, ReservationReleased, ReservationAlreadyConfirmed)) as refusal:
        environment.confirm(reservation_id, order_id)
    assert refusal.value.params == {"refund_due": True}
    return refusal.value


# --- paid in time ---------------------------------------------------------------------------------------------


def test_a_payment_makes_a_hold_a_sale_and_its_repetition_is_a_replay() -> None:
    backend = Backend()
    environment, made = _held(backend)

    first = environment.confirm(made.id)
    second = backend.environment().confirm(made.id)

    assert first.reservation.state is CONFIRMED
    assert (first.reservation.order_id, first.reservation.expires_at_ms) == ("order-1", None)
    assert (first.replayed, second.replayed) == (False, True)
    assert first.reservation == second.reservation == environment.get("ann", made.id)
    assert backend.counts() == (0, 0, 1)


def test_another_order_for_a_paid_reservation_is_refunded() -> None:
    backend = Backend()
    environment, made = _held(backend)
    environment.confirm(made.id, "order-1")

    assert isinstance(_refund_due(environment, made.id, "order-2"), ReservationAlreadyConfirmed)
    assert environment.get("ann", made.id).order_id == "order-1"


def test_a_payment_that_failed_can_be_tried_again_while_the_hold_lasts() -> None:
    backend = Backend()
    environment, made = _held(backend)
    environment.extend("ann", made.id)
    backend.clock.now = OPENS + EXTENDED_MS - 1

    assert environment.reserve("ann", key="other").resumed, "the shopper comes back to their own cart"
    assert environment.confirm(made.id).reservation.state is CONFIRMED
    backend.check()


@pytest.mark.parametrize("committed", [False, True], ids=["nothing_written", "answer_lost"])
def test_a_payment_whose_confirmation_timed_out_is_confirmed_by_the_retry(committed: bool) -> None:
    backend = Backend()
    environment, made = _held(backend)

    with (
        failing(backend.tap, "stock.write", TemporarilyOverloaded(), committed=committed),
        pytest.raises(TemporarilyOverloaded),
    ):
        environment.confirm(made.id)
    retry = backend.environment().confirm(made.id)

    assert retry.reservation.state is CONFIRMED
    assert retry.replayed is committed
    assert backend.counts() == (0, 0, 1)


def test_a_hold_is_the_shoppers_until_its_last_millisecond_and_not_one_longer() -> None:
    backend = Backend(sale(late_payment=LatePayment.REJECT))
    environment, made = _held(backend)

    backend.clock.now = OPENS + HOLD_MS - 1
    assert environment.get("ann", made.id).state is HELD
    backend.clock.now = OPENS + HOLD_MS
    assert environment.get("ann", made.id).state is EXPIRED
    _refund_due(environment, made.id)


def test_the_end_of_the_sale_does_not_take_a_hold_away() -> None:
    backend = Backend()
    environment, made = _held(backend)
    backend.clock.advance(1000)
    backend.change(status=Status.ENDED, ended_at=backend.clock())
    backend.clock.advance(1000)

    assert environment.confirm(made.id).reservation.state is CONFIRMED


def test_a_pause_does_not_take_a_hold_away() -> None:
    backend = Backend()
    environment, made = _held(backend)
    backend.change(status=Status.PAUSED)
    backend.clock.advance(1000)

    assert environment.confirm(made.id).reservation.state is CONFIRMED


# --- paid too late --------------------------------------------------------------------------------------------


@BOTH_POLICIES
@pytest.mark.parametrize("marked", [False, True], ids=["still_unmarked", "marked_expired"])
def test_a_late_payment_follows_the_policy_while_the_unit_is_still_there(policy: LatePayment, marked: bool) -> None:
    backend = Backend(sale(late_payment=policy))
    environment, made = _held(backend)
    backend.clock.now = OPENS + HOLD_MS
    if marked:
        backend.expirer()(SALE, 0, OPENS + HOLD_MS)

    if policy is LatePayment.REJECT:
        assert isinstance(_refund_due(environment, made.id), ReservationExpired)
        assert backend.counts() == (1, 0, 0), "refused for good, and on sale again at once"
        assert isinstance(_refund_due(environment, made.id), ReservationExpired)
    else:
        paid = environment.confirm(made.id)
        assert paid.reservation.state is CONFIRMED
        assert (paid.reservation.id == made.id) is not marked, "a reservation that was over gets another id"
        again = backend.environment().confirm(made.id)
        assert again.replayed
        assert again.reservation == paid.reservation
        assert backend.counts() == (0, 0, 1)
    backend.check()


@BOTH_POLICIES
def test_a_late_payment_whose_unit_is_somebody_elses_is_refunded(policy: LatePayment) -> None:
    backend = Backend(sale(late_payment=policy))
    environment, made = _held(backend)
    backend.clock.now = OPENS + HOLD_MS
    environment.reserve("bob")

    assert isinstance(_refund_due(environment, made.id), ReservationExpired)
    assert isinstance(_refund_due(backend.environment(), made.id), ReservationExpired)
    assert (backend.owned("ann"), backend.owned("bob")) == (0, 1)
    backend.check()


@pytest.mark.parametrize("projected", [False, True], ids=["unknown_to_the_summary", "known_to_the_summary"])
@pytest.mark.parametrize("shards", [2, 100, 120])
def test_a_late_payment_takes_a_free_unit_of_another_shard(projected: bool, shards: int) -> None:
    if shards > 101 and not projected:
        return  # beyond what one call can read, the summary has to know
    backend = Backend(sale(sku(stock=shards), shards=shards))
    ann = backend.shopper_at(0)
    _, made = _held(backend, ann)
    holders = {home: backend.shopper_at(home, 1) for home in range(1, shards)}
    held = {home: _held(backend, holder)[1] for home, holder in holders.items()}
    backend.clock.advance(1)
    for home, holder in holders.items():
        backend.environment().extend(holder, held[home].id)
    backend.settle()
    backend.clock.now = OPENS + HOLD_MS
    backend.environment().reserve(backend.shopper_at(0, 2))
    free = shards * 2 // 3
    backend.environment().cancel(holders[free], held[free].id)
    if projected:
        backend.settle()

    cold = backend.environment()
    paid = cold.confirm(made.id)

    assert paid.reservation.state is CONFIRMED
    assert paid.reservation.id.split(".")[1] == str(free)
    assert backend.environment().confirm(made.id).replayed
    assert backend.owned(ann) == 1
    backend.check()


def test_a_late_payment_is_not_refused_because_somebody_else_has_just_looked_in_vain() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    environment, made = _held(backend, backend.shopper_at(0))
    holder = backend.shopper_at(1)
    backend.clock.now = OPENS + HOLD_MS - 1
    held = environment.reserve(holder).reservation
    backend.clock.now = OPENS + HOLD_MS
    environment.reserve(backend.shopper_at(0, 1))
    environment.refused(backend.shopper_at(0, 2))
    environment.cancel(holder, held.id)

    assert environment.confirm(made.id).reservation.state is CONFIRMED


def test_a_second_order_for_the_same_late_reservation_is_refunded() -> None:
    backend = Backend(sale(sku(stock=30, per_shopper=3)))
    environment, made = _held(backend)
    backend.clock.now = OPENS + HOLD_MS
    backend.expirer()(SALE, 0, OPENS + HOLD_MS)
    environment.confirm(made.id, "order-1")

    assert isinstance(_refund_due(environment, made.id, "order-2"), ReservationAlreadyConfirmed)
    assert backend.owned("ann") == 1


@pytest.mark.parametrize("committed", [False, True], ids=["nothing_written", "answer_lost"])
def test_a_late_payment_whose_confirmation_timed_out_takes_one_unit(committed: bool) -> None:
    backend = Backend(sale(sku(stock=30, per_shopper=3)))
    environment, made = _held(backend)
    backend.clock.now = OPENS + HOLD_MS
    backend.expirer()(SALE, 0, OPENS + HOLD_MS)

    with (
        failing(backend.tap, "stock.write", TemporarilyOverloaded(), committed=committed),
        pytest.raises(TemporarilyOverloaded),
    ):
        environment.confirm(made.id)
    retry = backend.environment().confirm(made.id)

    assert retry.reservation.state is CONFIRMED
    assert backend.owned("ann") == 1
    backend.check()


def test_a_late_payment_takes_nothing_beyond_the_shoppers_limit() -> None:
    backend = Backend(sale(sku(stock=30)))
    environment, made = _held(backend)
    backend.clock.now = OPENS + HOLD_MS
    second = environment.reserve("ann", key="again").reservation

    assert isinstance(_refund_due(environment, made.id), ReservationExpired)
    environment.confirm(second.id, "order-2")
    assert isinstance(_refund_due(environment, made.id), ReservationExpired)
    assert backend.owned("ann") == 1


def test_a_late_payment_has_to_wait_while_the_sale_is_paused() -> None:
    backend = Backend()
    environment, made = _held(backend)
    backend.clock.now = OPENS + HOLD_MS
    backend.expirer()(SALE, 0, OPENS + HOLD_MS)
    backend.change(status=Status.PAUSED)

    with pytest.raises(CampaignPaused):
        environment.confirm(made.id)
    backend.change(status=Status.PUBLISHED)
    backend.clock.advance(1000)

    assert environment.confirm(made.id).reservation.state is CONFIRMED


@pytest.mark.parametrize("later", [60_000, 2 * FORGET_AFTER_MS + EXTENDED_MS], ids=["soon", "after_it_was_forgotten"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["at_home", "in_another_shard"])
def test_a_late_payment_that_took_a_unit_is_a_replay_whatever_happens_to_the_old_reservation(
    later: int, elsewhere: bool
) -> None:
    backend = Backend(sale(sku(stock=30, per_shopper=3), shards=1))
    if elsewhere:
        backend = Backend(sale(sku(stock=4, per_shopper=3), shards=2))
        for number in (1, 2):
            backend.environment().reserve(backend.shopper_at(0, number))
    ann = backend.shopper_at(0)
    environment, made = _held(backend, ann)
    backend.clock.now = OPENS + HOLD_MS
    for number in range(backend.layout.shards):
        backend.expirer()(SALE, number, OPENS + HOLD_MS)
    paid = environment.confirm(made.id).reservation
    # Two more carts of the same shopper come and go; only the latest released one is remembered.
    for key in ("second", "third"):
        cart = environment.reserve(ann, key=key).reservation
        environment.cancel(ann, cart.id)
    backend.clock.advance(later)
    _tidy(backend)

    again = backend.environment().confirm(made.id)

    assert again.replayed
    assert again.reservation == paid
    assert isinstance(_refund_due(environment, made.id, "order-2"), ReservationAlreadyConfirmed)
    backend.check()


def test_a_payment_for_a_reservation_that_was_forgotten_is_refunded() -> None:
    backend = Backend(sale(sku(stock=30)))
    environment, made = _held(backend)
    backend.clock.now = OPENS + HOLD_MS
    for key in ("second", "third"):
        environment.cancel("ann", environment.reserve("ann", key=key).reservation.id)

    assert isinstance(_refund_due(environment, made.id), ReservationExpired)


def _tidy(backend: Backend) -> None:
    """Let the sweeper forget what it may, as if all shards were crowded."""
    sweeper = backend.sweeper()
    live = backend.environment().live.get(SALE)
    for number in range(backend.layout.shards):
        sweeper._tidy(live, number)


# --- given back -----------------------------------------------------------------------------------------------


def test_a_cancelled_unit_is_on_sale_at_once_and_cancelling_again_changes_nothing() -> None:
    backend = Backend()
    environment, made = _held(backend)

    first, second = environment.cancel("ann", made.id), backend.environment().cancel("ann", made.id)

    assert first.state is second.state is CANCELLED
    assert environment.reserve("bob").reservation.state is HELD
    assert environment.cancel("ann", made.id).state is CANCELLED, "and does not take it away from the next"
    assert backend.counts() == (0, 1, 0)
    backend.check()


def test_a_payment_after_the_shopper_has_cancelled_is_refunded_under_both_policies() -> None:
    for policy in LatePayment:
        backend = Backend(sale(late_payment=policy))
        environment, made = _held(backend)
        environment.cancel("ann", made.id)

        assert isinstance(_refund_due(environment, made.id), ReservationReleased)
        backend.clock.advance(HOLD_MS)
        assert isinstance(_refund_due(environment, made.id), ReservationReleased)
        assert backend.counts() == (1, 0, 0)


def test_a_paid_reservation_cannot_be_cancelled_or_extended() -> None:
    backend = Backend()
    environment, made = _held(backend)
    environment.confirm(made.id)

    for act in (environment.cancel, environment.extend):
        with pytest.raises(ReservationAlreadyConfirmed) as refusal:
            act("ann", made.id)
        assert refusal.value.params == {"refund_due": False}
    assert backend.counts() == (0, 0, 1)


def test_cancelling_a_lapsed_hold_says_that_it_has_expired() -> None:
    backend = Backend()
    environment, made = _held(backend)
    backend.clock.now = OPENS + HOLD_MS

    assert environment.cancel("ann", made.id).state is EXPIRED
    assert backend.counts() == (1, 0, 0)


# --- extended -------------------------------------------------------------------------------------------------


def test_a_hold_is_extended_once_however_often_it_is_asked() -> None:
    backend = Backend()
    environment, made = _held(backend)
    backend.clock.advance(1000)

    first = environment.extend("ann", made.id)
    backend.clock.advance(HOLD_MS)
    second = backend.environment().extend("ann", made.id)

    assert first.extended
    assert first.expires_at_ms == second.expires_at_ms == OPENS + EXTENDED_MS
    backend.clock.now = OPENS + EXTENDED_MS
    with pytest.raises(ReservationExpired):
        environment.extend("ann", made.id)
    assert environment.get("ann", made.id).state is EXPIRED


def test_a_hold_that_has_lapsed_or_was_cancelled_is_not_extended() -> None:
    backend = Backend(sale(sku(stock=2)))
    environment, made = _held(backend)
    other = environment.reserve("bob").reservation
    environment.cancel("bob", other.id)
    backend.clock.now = OPENS + HOLD_MS

    with pytest.raises(ReservationExpired) as expired:
        environment.extend("ann", made.id)
    with pytest.raises(ReservationReleased):
        environment.extend("bob", other.id)
    assert expired.value.params == {"refund_due": False}
    assert backend.counts() == (2, 0, 0)


def test_a_campaign_without_extensions_says_so() -> None:
    backend = Backend(sale(extend_seconds=0))
    environment, made = _held(backend)

    with pytest.raises(HoldNotExtendable):
        environment.extend("ann", made.id)


# --- whose it is ----------------------------------------------------------------------------------------------


def test_somebody_elses_reservation_looks_like_none() -> None:
    backend = Backend()
    environment, made = _held(backend)

    for act in (environment.get, environment.cancel, environment.extend):
        with pytest.raises(ReservationNotFound):
            act("mallory", made.id)
    assert environment.get("ann", made.id).state is HELD


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: [parts[0].replace("07", "08"), *parts[1:]],
        lambda parts: [parts[0], "1", *parts[2:]],
        lambda parts: [parts[0], "999999999", *parts[2:]],
        lambda parts: [*parts[:2], "zzzzzzzzzzzz", parts[3]],
        lambda parts: [*parts[:2], "!!!!!!!!!!!!", parts[3]],
        lambda parts: [*parts[:3], "zzzzzzzz"],
        lambda parts: parts[:1],
    ],
    ids=["campaign", "shard", "huge_shard", "name", "no_name", "attempt", "rubbish"],
)
def test_a_made_up_reservation_does_not_exist(change: object) -> None:
    backend = Backend()
    environment, made = _held(backend)
    assert callable(change)
    forged = ".".join(change(made.id.split(".")))

    with pytest.raises(ReservationNotFound):
        environment.confirm(forged)
    with pytest.raises(ReservationNotFound):
        environment.get("ann", forged)
    backend.check()


def test_a_claim_in_another_shard_is_changed_there_with_one_read_and_one_write() -> None:
    backend = Backend(sale(sku(stock=2), shards=2))
    backend.environment().reserve(backend.shopper_at(0, 1))
    ann = backend.shopper_at(0)
    environment, made = _held(backend, ann)
    backend.tap.calls.clear()

    environment.confirm(made.id)

    assert backend.tap.calls == ["stock.read", "stock.write"]
    assert replace(environment.get(ann, made.id), order_id=None).state is CONFIRMED
    backend.check()
