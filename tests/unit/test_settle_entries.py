"""Settling a pending entry: what is tried in which order, and what happens when others are faster."""

from __future__ import annotations

import pytest

from brandday.domain.entrant import Fate
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.shard import Refused
from brandday.usecases.settle_entries import SettleEntries
from tests.fakes.backend import SALE
from tests.fakes.lottery_backend import LotteryBackend, lottery, prize
from tests.fakes.tap import failing


def _settler(backend: LotteryBackend) -> SettleEntries:
    return SettleEntries(backend.desk().lotteries, backend._records(), backend.clock)  # noqa: SLF001 - its own fakes


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


def test_each_proof_looks_at_all_shards_anew() -> None:
    """A unit that was seen and lost to somebody else must not make the shards before it count as looked at."""
    backend = LotteryBackend(lottery(prize("mug", 6), shards=6))
    desk, rival = backend.warm_desk(), backend.warm_desk()
    for number in range(5):
        desk.enter(f"winner-{number}")
    reads = 0

    def take_it_away(name: str) -> None:
        nonlocal reads
        if name == "stock.read":
            reads += 1
            if reads == 3:  # after all shards were looked at, before the one with the last unit is claimed
                backend.tap.before = lambda _: None
                rival.enter("rival")

    backend.tap.before = take_it_away
    entry = backend.warm_desk().enter("ann").entry.entry

    assert [link.fate for link in entry.tries] in ([Fate.GONE], [Fate.WON])
    backend.check_entries()
    assert backend.problems() == []
