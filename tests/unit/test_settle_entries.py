"""Settling a pending entry: what is tried in which order, and what happens when others are faster."""

from __future__ import annotations

import pytest

from brandday.domain.entry_protocols import claim_request
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.shard import Refused
from brandday.usecases.ports import SHARDS_PER_READ
from brandday.usecases.settle_entries import SettleEntries, plan_claim
from tests.fakes.backend import SALE
from tests.fakes.lottery_backend import LotteryBackend, lottery, prize
from tests.fakes.tap import failing


def _settler(backend: LotteryBackend) -> SettleEntries:
    return SettleEntries(backend.desk().lotteries, backend._records(), backend.clock)


def _pending(backend: LotteryBackend, shopper: str = "ann") -> None:
    with failing(backend.tap, "stock.write", TemporarilyOverloaded()):
        backend.desk().refused(shopper)
    assert backend.record(shopper).entries[-1].pending


def test_a_pending_entry_is_settled_and_a_settled_one_needs_no_call() -> None:
    backend = LotteryBackend()
    _pending(backend)

    settled = _settler(backend)(SALE, backend.record("ann"))

    assert settled == backend.record("ann")
    assert settled.entries[0].won is not None
    backend.tap.calls.clear()
    assert _settler(backend)(SALE, settled) == settled
    assert backend.tap.calls == []


def test_an_old_image_of_an_entry_that_was_settled_meanwhile_is_one_read() -> None:
    backend = LotteryBackend()
    _pending(backend)
    old = backend.record("ann")
    new = _settler(backend)(SALE, old)
    settler = _settler(backend)
    backend.tap.calls.clear()

    assert settler(SALE, old) == new
    assert [call for call in backend.tap.calls if not call.startswith("campaigns.")] == ["entrants.load"]


def test_a_unit_that_was_claimed_before_the_crash_is_the_one_that_is_recorded() -> None:
    backend = LotteryBackend(lottery(prize("mug", 4), shards=2))
    with failing(backend.tap, "stock.write", TemporarilyOverloaded(), committed=True):
        backend.desk().refused("ann")
    backend.clock.advance(5000)

    _settler(backend)(SALE, backend.record("ann"))

    backend.check_entries()
    won = backend.record("ann").entries[0].won
    assert won is not None
    assert won.at == backend.clock() - 5000


def test_who_loses_every_race_for_a_shard_is_asked_to_come_again_and_the_entry_stays_pending() -> None:
    backend = LotteryBackend()
    _pending(backend)
    write = backend.stock.write
    image = backend.stock.shard(0, SALE)
    backend.stock.write = lambda *_: Refused(image)  # type: ignore[method-assign]

    with pytest.raises(TemporarilyOverloaded):
        _settler(backend)(SALE, backend.record("ann"))

    assert backend.record("ann").entries[0].pending
    backend.stock.write = write  # type: ignore[method-assign]
    _settler(backend)(SALE, backend.record("ann"))
    backend.check_entries()


def test_each_proof_looks_at_all_shards_with_released_units_anew() -> None:
    """A unit that was seen and lost to somebody else must not make the shards before it count as looked at."""
    backend = LotteryBackend(lottery(prize("mug", 250), shards=300))
    live = backend.desk().lotteries.get(SALE)
    request = claim_request(live.rules, backend.name("ann"), 1, "0", backend.clock())

    plan = plan_claim(live, request)

    for _ in range(2):
        pages = list(plan.pages())
        assert all(len(page) <= SHARDS_PER_READ for page in pages)
        assert sorted(shard for page in pages for shard in page) == list(range(250))
