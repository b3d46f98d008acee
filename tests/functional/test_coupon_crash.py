"""The process is stopped between every two steps on the way from a coupon that was taken to its place in the wallet and
its reward.

As in `test_reward_crash`: each scenario is run once for every point before and after every call that leaves the
process; then the stream tells again, and coupons and rewards are counted.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count

import pytest

from brandday.domain.coupon import CodeKind, IssuedBy
from brandday.domain.coupon_rewards import reward_of_coupon
from tests.fakes.backend import OPENS, SALE
from tests.fakes.coupon_backend import CouponBackend, coupon_terms, coupons
from tests.fakes.tap import Killed, every_kill, killed_at, tapped

TAKERS = ("ann", "bob", "cyn", "ann", "dan")


def _taken() -> CouponBackend:
    """Coupons at home and elsewhere, two of them one shopper's; nothing was told of them yet."""
    backend = CouponBackend(coupons(coupon_terms(per_shopper=2), shards=3))
    environment = backend.taker()
    for number, shopper in enumerate(TAKERS):
        backend.clock.advance(7)
        environment.take(shopper, f"key-{number}")
    assert len(backend.taken()) == len(TAKERS)
    return backend


def _rebuild(backend: CouponBackend) -> None:
    backend.rebuilder()(SALE, range(3))


def _one_coupon_and_one_reward_each(backend: CouponBackend) -> None:
    taken = backend.taken()
    assert backend.coupons.facts == taken
    rewards = backend.rewards.rewards.values()
    assert sorted((reward.source, reward.owner) for reward in rewards) == sorted(
        (facts.id, facts.owner) for facts in taken.values()
    )


@pytest.mark.parametrize("act", [CouponBackend.issue, _rebuild], ids=["issue", "rebuild"])
def test_stopped_between_any_two_steps_nothing_is_lost_and_nothing_is_doubled(
    act: Callable[[CouponBackend], None],
) -> None:
    def run(point: int) -> bool:
        backend = _taken()
        stream = list(backend.stock.stream)
        stopped = True
        try:
            with killed_at(backend.tap, point):
                act(backend)
                stopped = False
        except Killed:
            pass
        assert _all_can_be_used(backend), "a reward told of a coupon that nobody could look up"
        act(backend)
        _one_coupon_and_one_reward_each(backend)
        backend.clock.advance(60_000)
        backend.issuer()(stream)
        _one_coupon_and_one_reward_each(backend)
        return stopped

    assert every_kill(run) >= 14


def _all_can_be_used(backend: CouponBackend) -> bool:
    return {reward.source for reward in backend.rewards.rewards.values()} <= backend.coupons.facts.keys()


@pytest.mark.parametrize("seed", range(4))
def test_what_is_told_twice_and_out_of_order_comes_to_the_same(seed: int) -> None:
    backend = _taken()
    chance = random.Random(seed)
    told = backend.stock.stream * 2
    chance.shuffle(told)
    for change in told:
        backend.clock.advance(5)
        backend.issuer()([change])

    _one_coupon_and_one_reward_each(backend)


def test_uses_of_a_shared_code_give_nobody_anything() -> None:
    backend = _taken()
    backend.change(coupon=coupon_terms(code_kind=CodeKind.SHARED, issued_by=IssuedBy.OPERATORS, code="BRANDDAY"))
    backend.issue()

    assert (backend.coupons.facts, backend.rewards.rewards) == ({}, {})


def test_a_coupon_whose_writing_failed_is_written_when_the_stream_tells_again() -> None:
    backend = _taken()
    issuer = backend.issuer()
    with pytest.raises(Killed), killed_at(backend.tap, 2):
        issuer(backend.stock.stream)
    assert not backend.rewards.rewards

    issuer(backend.stock.stream)

    _one_coupon_and_one_reward_each(backend)


# --- the searches find what they look for ---------------------------------------------------------------------


def _reward_first(backend: CouponBackend) -> None:
    """What would happen if rewards were made before their coupons are written down."""
    rewards, written = (
        tapped(backend.rewards, "rewards", backend.tap),
        tapped(backend.coupons, "coupons", backend.tap),
    )
    for facts in backend.taken().values():
        rewards.create(reward_of_coupon(backend.campaign, facts, facts.issued_at, backend.clock()))
    written.put_facts(backend.taken().values())


def test_control_rewards_first_would_tell_of_a_coupon_that_is_not_there() -> None:
    def is_found(point: int) -> bool:
        backend = _taken()
        try:
            with killed_at(backend.tap, point):
                _reward_first(backend)
        except Killed:
            return not _all_can_be_used(backend)
        return False

    assert any(is_found(point) for point in range(20))


def test_control_ids_of_their_own_would_make_two_rewards() -> None:
    backend = _taken()
    number = count(OPENS)

    def issue() -> None:
        for facts in backend.taken().values():
            reward = reward_of_coupon(backend.campaign, facts, next(number), backend.clock())
            backend.rewards.create(reward)

    issue()
    issue()

    with pytest.raises(AssertionError):
        _one_coupon_and_one_reward_each(backend)
