"""The process is stopped between every two steps of everything: nothing is lost, nothing is done twice.

A step is a call that leaves the process. Each scenario is run once for every point before and after every call, until
a run gets through; then what always follows happens (the caller tries again, the stream and the queue deliver again,
the sweeper comes round), and the books are checked: right after the stop, and at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from brandday.domain.errors import BrandDayError
from brandday.domain.shard import RecordChange, Refused, ShardWrite, Written, encode_entry
from brandday.domain.stock import FORGET_AFTER_MS
from brandday.domain.tally import TalliesMoved, TallyWrite
from brandday.usecases.sweep_stock import FORGET_FROM
from tests.fakes.backend import EXTENDED_MS, HOLD_MS, OPENS, SALE, Backend, sale, sku
from tests.fakes.memory_tallies import MemoryTallies
from tests.fakes.plain_gate import PlainGate, per_device, visit_with
from tests.fakes.tap import Killed, every_kill, killed_at


@dataclass(frozen=True)
class Scenario:
    """`prepare` sets the scene, `act` is what is stopped, `again` is what follows, `promise` is what must be then.

    `fewest` is how many points there are at least: a scenario that skips its steps proves nothing.
    """

    prepare: Callable[[], Backend]
    act: Callable[[Backend], None]
    promise: Callable[[Backend], None]
    fewest: int
    again: Callable[[Backend], None] | None = None


def _stop_everywhere(scenario: Scenario) -> int:
    def run(point: int) -> bool:
        backend = scenario.prepare()
        stopped = False
        try:
            with killed_at(backend.tap, point):
                scenario.act(backend)
        except Killed:
            stopped = True
        backend.check(finished_restocks=False)
        (scenario.again or scenario.act)(backend)
        scenario.promise(backend)
        _let_the_dust_settle(backend)
        return stopped

    return every_kill(run)


def _let_the_dust_settle(backend: Backend) -> None:
    """Everything is delivered, every hold lapses, the sweeper comes round twice: now all accounts have to agree."""
    backend.project()
    backend.clock.advance(backend.terms.extended_ms)
    backend.remind()
    backend.sweeper()()
    backend.project()
    backend.sweeper()()
    backend.check()
    for name in backend.layout.slots:
        counts = backend.counts(name)
        assert counts.held == 0
        assert backend.summary_counts(name) == counts


# --- the scenes -----------------------------------------------------------------------------------------------


def _two_shards() -> Backend:
    """Ann's home shard is empty, the other one has a unit."""
    backend = Backend(sale(sku(stock=2, per_shopper=1), shards=2))
    backend.environment().reserve(_bob(backend), key="bob")
    return backend


def _ann(backend: Backend) -> str:
    return backend.shopper_at(0)


def _bob(backend: Backend) -> str:
    return backend.shopper_at(0, 1)


def _ann_holds() -> Backend:
    backend = _two_shards()
    backend.environment().reserve(_ann(backend), key="ann")
    return backend


def _ann_came_too_late() -> Backend:
    backend = _ann_holds()
    backend.clock.now = OPENS + HOLD_MS + 1000
    for shard in (0, 1):
        backend.expirer()(SALE, shard, OPENS + HOLD_MS)
    return backend


def _only_another_shard_is_left() -> Backend:
    backend = _ann_came_too_late()
    backend.environment().reserve(backend.shopper_at(1), key="cyn")
    return backend


def _id(backend: Backend) -> str:
    """The id of Ann's first reservation, from the stored record."""
    name = backend.layout.name_of(_ann(backend))
    images = backend.shards()
    entries = [(shard.number, entry) for shard in images for who, entry in shard.entries() if who == name]
    shard, entry = min((of for of in entries if of[1].shard is None), key=lambda of: of[1].attempt)
    attempt = encode_entry(entry)[3:11]
    return f"rsv_{SALE}.{shard}.{name}.{attempt}"


def _reserve(backend: Backend) -> None:
    backend.environment().reserve(_ann(backend), key="ann")


def _confirm(backend: Backend) -> None:
    backend.environment().confirm(_id(backend), "order-1")


def _cancel(backend: Backend) -> None:
    backend.environment().cancel(_ann(backend), _id(backend))


def _extend(backend: Backend) -> None:
    backend.environment().extend(_ann(backend), _id(backend))


def _owns(units: int) -> Callable[[Backend], None]:
    def promise(backend: Backend) -> None:
        assert backend.owned(_ann(backend)) == units

    return promise


def _free_home() -> Backend:
    return Backend(sale(sku(stock=2, per_shopper=1), shards=2))


def _sold_one(backend: Backend) -> None:
    assert backend.counts().sold == 1
    assert backend.owned(_ann(backend)) == 1


def _crowd_in_the_stream() -> Backend:
    backend = Backend(sale(sku("HERO", 300, 2), sku("MUG", 300, 2), shards=300))
    for number in range(12):
        environment = backend.environment()
        who = backend.shopper_at(number * 26)  # shards of two groups
        made = environment.reserve(who, ["HERO", "MUG"][number % 2], key="tap").reservation
        if number % 3 == 0:
            environment.confirm(made.id, f"order-{number}")
        backend.clock.advance(900)
    return backend


def _all_told(backend: Backend) -> None:
    due = {(shard, at) for _, (_, shard, at) in backend.queue.messages}
    for shard in backend.shards():
        for _, entry in shard.entries():
            if entry.is_held:
                assert (shard.number, -(-backend.terms.expires_at(entry) // 1000) * 1000) in due
    for name in ("HERO", "MUG"):
        assert backend.summary_counts(name) == backend.counts(name)


def _holds_are_due() -> Backend:
    backend = Backend(sale(sku(stock=6), shards=2))
    for number in range(6):
        backend.environment().reserve(f"shopper-{number}")
    backend.project()
    backend.clock.now = OPENS + HOLD_MS
    return backend


def _reminder_is_early() -> Backend:
    backend = Backend(sale(hold_seconds=3600, extend_seconds=0))
    backend.environment().reserve("ann")
    backend.project()
    backend.clock.advance(900_000)
    return backend


def _reminders_are_lost() -> Backend:
    backend = _holds_are_due()
    backend.queue.messages.clear()
    return backend


def _old_records() -> Backend:
    backend = Backend(sale(sku(stock=FORGET_FROM), shards=1))
    environment = backend.environment()
    for number in range(FORGET_FROM):
        who = f"shopper-{number}"
        environment.cancel(who, environment.reserve(who).reservation.id)
    backend.project()
    backend.clock.advance(2 * FORGET_AFTER_MS + EXTENDED_MS)
    return backend


def _sweep(backend: Backend) -> None:
    backend.sweeper()()


def _all_free(backend: Backend) -> None:
    assert backend.counts() == (sum(backend.layout.stock.values()), 0, 0)


def _restock(backend: Backend) -> None:
    backend.operator().restock(SALE, "more", "HERO", 5, "op")


def _restocked_once(backend: Backend) -> None:
    assert sum(backend.counts()) == 3 + 5
    assert [(restock.id, restock.done) for restock in backend.campaign.restocks] == [("more", True)]
    backend.check()


class LimitedBackend(Backend):
    """A sale with a limit of one per device: claims and tallies have to agree at every moment."""

    def check(self, *, finished_restocks: bool = True) -> None:
        """Besides the books of the stock: each live claim has its line, and no device has more than one."""
        super().check(finished_restocks=finished_restocks)
        live = {
            (shard.number, name, entry.attempt)
            for shard in self.shards()
            for name, entry in shard.entries()
            if entry.units
        }
        lines = [{(one.shard, one.name, one.at) for one in tally.taken} for tally in self.tallies.kept.values()]
        assert live <= {one for of_device in lines for one in of_device}
        assert all(len(of_device & live) <= 1 for of_device in lines)


def _limited() -> Backend:
    backend = LimitedBackend(sale(sku(stock=2, per_shopper=1), shards=2, protection=per_device(1)))
    backend.gate = PlainGate()
    return backend


def _limited_elsewhere() -> Backend:
    backend = _limited()
    backend.environment().reserve(_bob(backend), key="bob", visit=visit_with("tablet"))
    return backend


def _limited_by_a_lapsed_hold() -> Backend:
    backend = _limited()
    backend.environment().reserve(backend.shopper_at(1), key="cyn", visit=visit_with("phone"))
    backend.clock.now = OPENS + HOLD_MS
    return backend


def _reserve_by_phone(backend: Backend) -> None:
    backend.environment().reserve(_ann(backend), key="ann", visit=visit_with("phone"))


SCENARIOS = {
    "claim_within_a_limit": Scenario(_limited, _reserve_by_phone, _owns(1), fewest=6),
    "claim_within_a_limit_in_another_shard": Scenario(_limited_elsewhere, _reserve_by_phone, _owns(1), fewest=12),
    "claim_after_dropping_a_lapsed_hold": Scenario(_limited_by_a_lapsed_hold, _reserve_by_phone, _owns(1), fewest=12),
    "claim_within_a_limit_is_given_up_after_the_stop": Scenario(
        _limited_elsewhere, _reserve_by_phone, lambda _: None, fewest=12, again=lambda _: None
    ),
    "claim_at_home": Scenario(_free_home, _reserve, _owns(1), fewest=4),
    "claim_in_another_shard": Scenario(_two_shards, _reserve, _owns(1), fewest=10),
    "claim_is_given_up_after_the_stop": Scenario(
        _two_shards, _reserve, lambda _: None, fewest=10, again=lambda _: None
    ),
    "claim_again_with_another_key": Scenario(
        _two_shards,
        _reserve,
        _owns(1),
        fewest=10,
        again=lambda backend: (backend.environment().reserve(_ann(backend), key="other"), None)[1],
    ),
    "cancel": Scenario(_ann_holds, _cancel, _owns(0), fewest=6),
    "extend": Scenario(_ann_holds, _extend, _owns(1), fewest=6),
    "confirm": Scenario(_ann_holds, _confirm, _sold_one, fewest=6),
    "late_payment_takes_a_unit_again": Scenario(_ann_came_too_late, _confirm, _sold_one, fewest=8),
    "late_payment_takes_a_unit_of_another_shard": Scenario(_only_another_shard_is_left, _confirm, _sold_one, fewest=8),
    "project_the_stream": Scenario(_crowd_in_the_stream, Backend.project, _all_told, fewest=16),
    "expire_holds": Scenario(_holds_are_due, Backend.remind, _all_free, fewest=6),
    "send_an_early_reminder_again": Scenario(
        _reminder_is_early,
        Backend.remind,
        lambda backend: None if backend.queue.messages else pytest.fail("the reminder is lost"),
        fewest=2,
    ),
    "sweep_lost_reminders": Scenario(_reminders_are_lost, _sweep, _all_free, fewest=10),
    "tidy_old_records": Scenario(_old_records, _sweep, _all_free, fewest=10),
    "restock": Scenario(lambda: Backend(sale(sku(stock=3), shards=3)), _restock, _restocked_once, fewest=12),
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_stopped_between_any_two_steps_nothing_is_lost_and_nothing_is_doubled(scenario: Scenario) -> None:
    assert _stop_everywhere(scenario) >= scenario.fewest


def test_stopped_twice_in_a_row_a_claim_in_another_shard_is_still_one() -> None:
    """The retry is stopped too, at every point, after the first try was stopped at every point."""

    def first(point: int) -> bool:
        stopped = False

        def second(inner: int) -> bool:
            nonlocal stopped
            backend = _two_shards()
            stopped = _stopped(backend, point)
            again = _stopped(backend, inner)
            _reserve(backend)
            _owns(1)(backend)
            _let_the_dust_settle(backend)
            return again

        every_kill(second)
        return stopped

    assert every_kill(first) >= 10


def _stopped(backend: Backend, point: int) -> bool:
    try:
        with killed_at(backend.tap, point):
            _reserve(backend)
    except Killed:
        return True
    finally:
        backend.check()
    return False


# --- negative controls ----------------------------------------------------------------------------------------


def test_a_claim_in_two_writes_would_lose_a_unit() -> None:
    """Take a unit here, record the claim there: what most sales do. The check has to notice."""

    def naive(backend: Backend) -> None:
        stock, name = backend.environment().reserve_units._claim._stock, backend.layout.name_of(_ann(backend))
        taken = stock.write(SALE, ShardWrite(0, (), {"0": -1}, {"0": 1}))
        if isinstance(taken, Written):
            stock.write(SALE, ShardWrite(0, (RecordChange(name, None, "h01mrc9khs0oPzrVc"),), {}, {}))

    with pytest.raises(AssertionError):
        _stop_everywhere(Scenario(_free_home, naive, lambda _: None, fewest=0, again=lambda _: None))


def test_a_tally_that_is_written_after_the_claim_would_miss_it() -> None:
    class InTwoWrites(MemoryTallies):
        def write_shard(
            self, campaign_id: str, write: ShardWrite, tallies: Sequence[TallyWrite]
        ) -> Written | Refused | TalliesMoved:
            written = backend.tap.run("stock.write", lambda: self.stock.write(campaign_id, write))
            if isinstance(written, Written):
                backend.tap.run("tallies.write", lambda: self._save(tallies))
            assert isinstance(written, Written | Refused)
            return written

    backend = _limited()

    def prepare() -> Backend:
        nonlocal backend
        backend = _limited()
        backend.tallies = InTwoWrites(backend.stock)
        return backend

    with pytest.raises(AssertionError):
        _stop_everywhere(Scenario(prepare, _reserve_by_phone, lambda _: None, fewest=0, again=lambda _: None))


def test_a_stream_that_is_not_delivered_again_would_lose_reminders() -> None:
    def give_up(backend: Backend) -> None:
        backend.stock.stream.clear()

    with pytest.raises(AssertionError):
        _stop_everywhere(replace(SCENARIOS["project_the_stream"], again=give_up))


def test_a_restock_without_its_mark_would_add_units_twice() -> None:
    def naive(backend: Backend) -> None:
        stock = backend.environment().reserve_units._claim._stock
        for shard in range(3):
            stock.write(SALE, ShardWrite(shard, (), {"0": 1}, {"0": 1}))

    def promise(backend: Backend) -> None:
        assert sum(backend.counts()) == 6

    with pytest.raises(AssertionError):
        _stop_everywhere(Scenario(lambda: Backend(sale(sku(stock=3), shards=3)), naive, promise, fewest=0))


def test_a_refusal_leaves_nothing_behind_that_a_crash_could_hurt() -> None:
    def refused(backend: Backend) -> None:
        try:
            backend.environment().reserve(backend.shopper_at(0, 2), key="late")
        except BrandDayError:
            return

    assert _stop_everywhere(Scenario(_ann_holds, refused, _owns(1), fewest=4)) >= 4
