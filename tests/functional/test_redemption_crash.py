"""The process is stopped between every two steps of what orders do with codes: nothing is stuck, nothing half done.

As in `test_crash`: each scenario is run once for every point before and after every call that leaves the process. Then
either the caller tries again, or nobody ever does; in that case the next order gets the coupons once the lock is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from brandday.domain.coupon_record import Part, PartStatus, UseState
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.redemption import is_whole
from brandday.domain.shard import CONFIRMED
from tests.fakes.coupon_api import CONFIRM, GIFTS, PERCENT, PERCENT_CODE, REDEMPTION, ROLL_BACK, CouponApi
from tests.fakes.memory_coupons import MemoryCoupons
from tests.fakes.tap import Killed, Tap, every_kill, failing, killed_at, tapped
from tests.http_client import Answered

LOCK_MS = 900_000


class World:
    """A mug that belongs to whoever has its code, a shared code, and an order that wants both."""

    def __init__(self) -> None:
        self.api = CouponApi()
        self.mug = self.api.issue(GIFTS)
        self.tap = Tap()
        self.stored: MemoryCoupons = self.api.coupons
        self.api.coupons = tapped(self.stored, "coupons", self.tap)

    def lock(self, order_id: str = "SO-1") -> Answered:
        return self.api.lock(self.mug.code, PERCENT_CODE, order_id=order_id, key=f"lock {order_id}")

    def redeem(self, order_id: str = "SO-1") -> Answered:
        shopper = {"id": f"shopper of {order_id}"}
        return self.api.redeem(self.mug.code, PERCENT_CODE, order_id=order_id, key=f"pay {order_id}", shopper=shopper)

    def confirm(self) -> Answered:
        return self._act("POST", CONFIRM)

    def release(self) -> Answered:
        return self._act("DELETE", REDEMPTION)

    def roll_back(self) -> Answered:
        return self._act("POST", ROLL_BACK)

    def _act(self, method: str, route: str) -> Answered:
        (redemption,) = {part.redemption for part in self.stored.stored_parts.values()}
        key = None if method == "DELETE" else "key-2"
        return self.api.as_shop(method, route, redemption_id=redemption, key=key)

    def pass_the_lock(self) -> None:
        self.api.clock.advance(LOCK_MS)

    @property
    def is_used(self) -> bool:
        """Whether the mug is redeemed."""
        state = self.stored.states.get(self.mug.id)
        return state is not None and state.use is UseState.REDEEMED

    def check(self) -> None:
        """The books: parts, states and shards agree, whatever has happened."""
        of: dict[str, list[Part]] = {}
        for _, part in sorted(self.stored.stored_parts.items()):
            of.setdefault(part.redemption, []).append(part)
        assert all(is_whole(parts) for parts in of.values())
        used = [part for parts in of.values() for part in parts if part.status is PartStatus.REDEEMED]
        assert len([part for part in used if part.coupon_id == self.mug.id]) == self.is_used
        sold = [
            entry
            for (campaign, _), shard in self.stored.stock.shards.items()
            if campaign == PERCENT
            for _, entry in shard.entries()
            if entry.state == CONFIRMED
        ]
        assert len(sold) == len([part for part in used if part.claim is not None]) == self.is_used


def _new() -> World:
    return World()


def _locked() -> World:
    world = World()
    assert world.lock().status == 201
    return world


def _lapsed() -> World:
    world = _locked()
    world.pass_the_lock()
    return world


def _redeemed() -> World:
    world = World()
    assert world.redeem().status == 201
    return world


@dataclass(frozen=True)
class Scenario:
    """`prepare` sets the scene, `act` is what is stopped; `status` is what it leaves behind, tried again."""

    prepare: Callable[[], World]
    act: Callable[[World], Answered]
    status: str
    fewest: int = 6


SCENARIOS = {
    "lock": Scenario(_new, World.lock, "locked"),
    "redeem": Scenario(_new, World.redeem, "redeemed"),
    "redeem what is locked": Scenario(_locked, World.redeem, "redeemed"),
    "lock again what has lapsed": Scenario(_lapsed, World.lock, "locked"),
    "confirm": Scenario(_locked, World.confirm, "redeemed"),
    "confirm late": Scenario(_lapsed, World.confirm, "redeemed"),
    "release": Scenario(_locked, World.release, "released"),
    "roll back": Scenario(_redeemed, World.roll_back, "rolled_back"),
}
scenarios = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())


def _stopped(scenario: Scenario, point: int) -> tuple[World, bool]:
    world = scenario.prepare()
    try:
        with killed_at(world.tap, point):
            scenario.act(world)
    except Killed:
        world.check()
        return world, True
    world.check()
    return world, False


@scenarios
def test_whoever_tries_again_gets_it_done_once(scenario: Scenario) -> None:
    def run(point: int) -> bool:
        world, stopped = _stopped(scenario, point)
        answer = scenario.act(world)
        assert answer.body["status"] == scenario.status, answer.body
        world.check()
        return stopped

    assert every_kill(run) >= scenario.fewest


@scenarios
def test_if_nobody_ever_does_the_next_order_gets_what_is_not_redeemed(scenario: Scenario) -> None:
    def run(point: int) -> bool:
        world, stopped = _stopped(scenario, point)
        was_used = world.is_used
        world.pass_the_lock()
        answer = world.redeem("SO-2")
        expected = (409, "coupon_redeemed") if was_used else (201, None)
        assert (answer.status, answer.body.get("code")) == expected, answer.body
        world.check()
        return stopped

    assert every_kill(run) >= scenario.fewest


def test_between_lock_and_payment_nothing_is_lost_by_a_kill() -> None:
    """The kill of the specification: locked, the shop is gone; another order; then the payment after all."""
    world = _lapsed()
    assert world.redeem("SO-2").status == 201
    (first,) = {part.redemption for part in world.stored.stored_parts.values() if part.order_id == "SO-1"}
    late = world.api.as_shop("POST", CONFIRM, redemption_id=first, key="key-2")
    again = world.api.as_shop("POST", CONFIRM, redemption_id=first, key="key-2")
    assert (late.code, again.code) == ("redemption_expired", "redemption_expired")
    world.check()


def test_a_conflict_of_transactions_is_a_503_and_nothing_is_half_done() -> None:
    """What `adapters/coupon_table.py` makes of TransactionConflict (tests/contract) goes to the caller as it is."""
    world = _new()
    with failing(world.tap, "coupons.transact", TemporarilyOverloaded()):
        refused = world.redeem()
    assert (refused.status, refused.code) == (503, "temporarily_overloaded")
    assert "Retry-After" in refused.headers
    assert world.stored.stored_parts == {}
    world.check()
    assert world.redeem().status == 201


def test_a_lost_answer_is_a_503_and_the_same_request_hears_what_was_done() -> None:
    world = _new()
    with failing(world.tap, "coupons.transact", TemporarilyOverloaded(), committed=True):
        refused = world.redeem()
    assert refused.status == 503
    again = world.redeem()
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    world.check()
