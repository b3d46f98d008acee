"""Whole days of a sale in which everything goes wrong at once, and one day told over HTTP.

The chance is seeded: a day that fails can be played again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from moto import mock_aws

from brandday.domain.campaign import Status
from brandday.domain.errors import BrandDayError, SoldOut, TemporarilyOverloaded
from tests.fakes.aws_backend import AwsBackend, ask, reserve
from tests.fakes.backend import HOLD_MS, OPENS, SALE, Backend, sale, sku
from tests.fakes.event_sources import queue_event
from tests.fakes.tap import Killed

SHOPPERS = 30


class Day:
    """One day: shoppers, payments, operators, background work, stopped processes and lost answers, in any order."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.backend = Backend(sale(sku("HERO", 7), sku("MUG", 20, 3), limit=3, shards=3))
        self.environments = [self.backend.environment() for _ in range(4)]
        self.known: dict[str, str] = {}
        self.paid: dict[str, str] = {}
        self.restocks = 0
        self.said: set[str] = set()

    def play(self, steps: int) -> None:
        """Let so many things happen; the books are checked after each."""
        acts = [self._reserve] * 8 + [self._pay] * 4 + [self._cancel, self._extend, self._wait, self._wait]
        acts += [self._project, self._remind, self._sweep, self._operate, self._replace_environment]
        for _ in range(steps):
            act = self.chance.choice(acts)
            if self.chance.random() < 0.15:
                self._bring_trouble()
            try:
                act()
            except BrandDayError as refusal:
                self.said.add(refusal.code)
            except Killed:
                self.said.add("killed")
            finally:
                self.backend.tap.before = self.backend.tap.after = lambda _: None
            self.backend.check(finished_restocks=False)

    def finish(self) -> None:
        """Let everything be delivered and every hold lapse; then the accounts have to agree."""
        backend = self.backend
        backend.change(status=Status.PUBLISHED)
        for restock in backend.campaign.restocks:
            backend.operator().restock(SALE, restock.id, restock.sku, restock.quantity, "op")
        for _ in range(2):
            backend.project()
            backend.clock.advance(backend.terms.extended_ms)
            backend.remind()
            backend.sweeper()()
        backend.check()
        for name in ("HERO", "MUG"):
            assert backend.counts(name).held == 0
            assert backend.summary_counts(name) == backend.counts(name)
        for order_id, reservation_id in self.paid.items():
            outcome = backend.environment().confirm(reservation_id, order_id)
            assert outcome.replayed, "what was paid stays paid"

    def _bring_trouble(self) -> None:
        left = self.chance.randint(0, 4)
        trouble: BaseException = self.chance.choice([Killed(), TemporarilyOverloaded()])

        def strike(_: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise trouble

        if self.chance.random() < 0.5:
            self.backend.tap.before = strike
        else:
            self.backend.tap.after = strike

    def _reserve(self) -> None:
        who = f"shopper-{self.chance.randrange(SHOPPERS)}"
        name, quantity = self.chance.choice([("HERO", 1), ("MUG", 1), ("MUG", 2), ("HERO", 2)])
        key = f"key-{name}-{quantity}-{self.chance.randrange(3)}"
        environment = self.chance.choice(self.environments)
        try:
            made = environment.reserve(who, name, quantity, key).reservation
        except SoldOut:
            assert self.backend.counts(name)[:2] == (0, 0) or self._restocked_lately(), "a wrong sold out"
            raise
        self.known[made.id] = who

    def _restocked_lately(self) -> bool:
        return any(self.backend.clock() - restock.at < 1000 for restock in self.backend.campaign.restocks)

    def _pay(self) -> None:
        if self.known:
            reservation_id = self.chance.choice(list(self.known))
            order_id = f"order-{self.chance.randrange(3)}-{reservation_id}"
            paid = self.chance.choice(self.environments).confirm(reservation_id, order_id).reservation
            self.known[paid.id] = self.known[reservation_id]
            self.paid[order_id] = reservation_id

    def _cancel(self) -> None:
        if self.known:
            reservation_id, who = self.chance.choice(list(self.known.items()))
            self.chance.choice(self.environments).cancel(who, reservation_id)

    def _extend(self) -> None:
        if self.known:
            reservation_id, who = self.chance.choice(list(self.known.items()))
            self.chance.choice(self.environments).extend(who, reservation_id)

    def _wait(self) -> None:
        self.backend.clock.advance(self.chance.choice([1, 50, 999, 1000, 20_000, HOLD_MS // 3]))

    def _project(self) -> None:
        """A batch, perhaps shuffled, perhaps one that was projected already."""
        stream = self.backend.stock.stream
        batch = stream[: self.chance.randint(0, 20)]
        self.backend.projector()(self.chance.sample(batch, k=len(batch)))
        if self.chance.random() < 0.7:
            del stream[: len(batch)]

    def _remind(self) -> None:
        for reminder in self.backend.queue.due(self.backend.clock()):
            self.backend.expirer()(*reminder)
            if self.chance.random() < 0.8:
                self.backend.queue.delete(reminder)

    def _sweep(self) -> None:
        self.backend.sweeper()()

    def _operate(self) -> None:
        act = self.chance.random()
        operator = self.backend.operator()
        if act < 0.4:
            operator.pause(SALE, "op")
        elif act < 0.9:
            operator.resume(SALE, "op")
        elif self.restocks < 3:
            self.restocks += 1
            operator.restock(SALE, f"restock-{self.restocks}", "HERO", 2, "op")

    def _replace_environment(self) -> None:
        self.environments[self.chance.randrange(4)] = self.backend.environment()


@pytest.mark.parametrize("seed", [*range(25), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(25, 325))])
def test_a_day_on_which_everything_goes_wrong_ends_with_books_that_agree(seed: int) -> None:
    day = Day(seed)

    day.play(300)
    day.finish()


def test_over_all_these_days_everything_was_met() -> None:
    """The control: days on which nothing happens would prove nothing."""
    said: set[str] = set()
    for seed in range(5):
        day = Day(seed)
        day.play(300)
        said |= day.said

    assert said >= {
        "all_held",
        "campaign_paused",
        "killed",
        "reservation_already_confirmed",
        "reservation_expired",
        "shopper_limit_reached",
        "temporarily_overloaded",
    }


# --- over HTTP, on the real adapters --------------------------------------------------------------------------


@pytest.fixture
def moto() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.mark.usefixtures("moto")
def test_the_last_unit_over_http_from_two_taps_to_a_late_payment() -> None:
    backend = AwsBackend(sale(sku(stock=1)))
    phone, laptop = backend.reservations(), backend.reservations()

    first = reserve(phone, "ann", key="tap-00000001")
    again = reserve(phone, "ann", key="tap-00000001")
    other = reserve(laptop, "ann", key="tap-00000002")
    assert [answer["statusCode"] for answer in (first, again, other)] == [201, 201, 200]
    assert again["headers"]["Idempotent-Replayed"] == "true"
    assert other["body"]["resumed"] is True
    assert first["body"]["id"] == again["body"]["id"] == other["body"]["id"]

    reused = reserve(laptop, "ann", key="tap-00000001", quantity=2)
    assert (reused["statusCode"], reused["body"]["code"]) == (422, "idempotency_key_reused")
    held = reserve(laptop, "bob")
    assert (held["statusCode"], held["body"]["code"]) == (409, "all_held")
    assert int(held["headers"]["Retry-After"]) >= 1

    backend.clock.now = OPENS + HOLD_MS
    backend.hold_expiry()(queue_event((SALE, 0, OPENS + HOLD_MS)), None)
    path = {"reservation_id": first["body"]["id"]}
    late = ask(phone, "confirm_reservation", "shop", path=path, body={"order_id": "order-1"})
    assert (late["statusCode"], late["body"]["state"]) == (200, "confirmed")
    assert late["body"]["id"] != first["body"]["id"]
    second = ask(laptop, "confirm_reservation", "shop", path=path, body={"order_id": "order-2"})
    assert (second["statusCode"], second["body"]["params"]) == (409, {"refund_due": True})

    backend.stock_sweeper()({}, None)
    backend.clock.advance(1000)
    sold = reserve(laptop, "bob")
    assert (sold["statusCode"], sold["body"]["code"]) == (409, "sold_out")
    assert "Retry-After" not in sold["headers"]
    backend.books().check()
    assert backend.books().counts() == (0, 0, 1)
