"""Every sale has exactly one reward, however the stream tells of it."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from brandday.adapters.stock_stream import read_change
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.reservation_id import parse_reservation_id, reservation_id
from brandday.domain.reward import RewardStatus
from brandday.domain.shard import Shard
from brandday.entrypoints.on_stock_changed import build_handler
from brandday.usecases.issue_rewards import IssueRewards
from brandday.usecases.project_stock import ShardChanged
from tests.fakes.backend import EXTENDED_MS, HOLD_MS, SALE
from tests.fakes.event_sources import Handler, Record, deliver_stream, stream_records
from tests.fakes.reward_backend import RewardBackend, prizes
from tests.fakes.tap import failing


def _busy_day(seed: int = 1) -> RewardBackend:
    """Claims at home and elsewhere, payments in time and late ones, cancellations; nothing was told of them yet."""
    backend = RewardBackend(prizes(stock=40, shards=4))
    chance = random.Random(seed)
    environment = backend.environment()
    late: list[str] = []
    for number in range(60):
        backend.clock.advance(chance.randint(1, 400))
        who = f"shopper-{number}"
        try:
            made = environment.reserve(who, quantity=chance.randint(1, 2)).reservation
        except Exception:  # noqa: S112  # refusals are part of the day
            continue
        match chance.choice(["pay", "pay", "cancel", "late", "leave"]):
            case "pay":
                environment.confirm(made.id, f"order-{number}")
            case "cancel":
                environment.cancel(who, made.id)
            case "late":
                late.append(made.id)
    backend.clock.advance(EXTENDED_MS)
    for shard in range(4):
        backend.expirer()(SALE, shard, backend.clock() - 1)
    for reservation in late:
        environment.confirm(reservation, f"late-{reservation[-8:]}")
    backend.check()
    return backend


def _handler(backend: RewardBackend) -> Handler:
    return build_handler(backend.issuer(), read_change, done="issued", write=lambda _: None)


def _deliver(backend: RewardBackend, records: Sequence[Record]) -> None:
    assert deliver_stream(_handler(backend), list(records)) == []


def _check(backend: RewardBackend) -> None:
    """Each sale has one reward that leads back to it, and there is no other."""
    sales = {reservation_id(SALE, who, claim): claim.entry for who, claim in backend.sales()}
    rewards = {reward.source: reward for reward in backend.rewards.rewards.values()}
    assert rewards.keys() == sales.keys()
    assert len(rewards) == len(backend.rewards.rewards)
    for source, reward in rewards.items():
        assert (reward.quantity, reward.order_id) == (sales[source].quantity, sales[source].order_id)


@pytest.mark.parametrize("seed", range(8))
def test_records_told_twice_and_out_of_order_come_to_one_reward_per_sale(seed: int) -> None:
    backend = _busy_day(seed)
    records = stream_records(backend.stock.stream)
    chance = random.Random(seed)
    told = records + chance.sample(records, k=len(records) // 2)
    chance.shuffle(told)

    while told:
        size = chance.randint(1, 9)
        _deliver(backend, told[:size])
        told = told[size:]

    _check(backend)
    assert any(reward.order_id and reward.order_id.startswith("late") for reward in backend.rewards.rewards.values())


def test_with_half_of_the_records_rewards_would_be_missing() -> None:
    """The negative control: the check can tell."""
    backend = _busy_day()
    _deliver(backend, stream_records(backend.stock.stream[: len(backend.stock.stream) // 2]))

    with pytest.raises(AssertionError):
        _check(backend)


def test_what_is_still_held_is_no_reward_and_becomes_one_when_it_is_paid() -> None:
    backend = RewardBackend()
    made = backend.environment().reserve("ann").reservation
    backend.issue()
    assert backend.rewards.rewards == {}

    backend.environment().confirm(made.id)
    backend.issue()

    (reward,) = backend.rewards.rewards.values()
    assert (reward.source, reward.status) == (made.id, RewardStatus.AWAITING_ADDRESS)


def test_a_late_payment_is_a_reward_of_the_claim_it_took_again() -> None:
    backend = RewardBackend(prizes(stock=1))
    environment = backend.environment()
    first = environment.reserve("ann").reservation
    backend.clock.advance(HOLD_MS)
    backend.expirer()(SALE, 0, backend.clock())
    again = environment.confirm(first.id).reservation
    backend.issue()

    (reward,) = backend.rewards.rewards.values()
    assert again.id != first.id
    assert parse_reservation_id(reward.source) == parse_reservation_id(again.id)


def test_a_reward_that_went_on_is_not_set_back_by_a_record_that_comes_again() -> None:
    backend = RewardBackend()
    reward_id = backend.win("ann")
    records = stream_records(backend.stock.stream)
    _deliver(backend, records)
    on_its_way = backend.alter(reward_id, status=RewardStatus.DISPATCHED)

    backend.clock.advance(5000)
    _deliver(backend, records)

    assert backend.reward(reward_id) == on_its_way


def test_one_record_with_two_new_sales_makes_two_rewards() -> None:
    """As a reader sees it that has missed what was in between."""
    backend = RewardBackend(prizes(stock=2, shards=1))
    backend.win("ann")
    backend.win("bob")
    (last,) = backend.stock.stream[-1:]

    backend.issuer()([ShardChanged(SALE, None, last.after)])

    _check(backend)
    assert len(backend.rewards.rewards) == 2


def test_a_shard_of_no_campaign_is_left_out_and_the_others_are_not() -> None:
    backend = RewardBackend()
    backend.win("ann")
    stray = backend.stock.stream[-1].after

    backend.issuer()([ShardChanged("nobody", None, stray), *backend.stock.stream])

    assert [reward.campaign_id for reward in backend.rewards.rewards.values()] == [SALE]


def test_a_table_that_was_too_busy_is_asked_again() -> None:
    backend = _busy_day()
    handler = _handler(backend)
    records = stream_records(backend.stock.stream)

    with failing(backend.tap, "rewards.create", TemporarilyOverloaded()):
        assert handler({"Records": records}, None) == {
            "batchItemFailures": [{"itemIdentifier": records[0]["dynamodb"]["SequenceNumber"]}]
        }
    assert handler({"Records": records}, None) == {"batchItemFailures": []}

    _check(backend)


def test_a_pool_of_threads_creates_the_same_and_passes_trouble_on() -> None:
    backend = _busy_day()
    with ThreadPoolExecutor(4) as pool:
        issue = IssueRewards(backend.live(), backend.rewards, backend.clock, each=pool.map)
        issue(backend.stock.stream)
        _check(backend)

        busy = IssueRewards(backend.live(), _Busy(), backend.clock, each=pool.map)  # type: ignore[arg-type]
        with pytest.raises(TemporarilyOverloaded):
            busy(backend.stock.stream)


class _Busy:
    def create(self, _: object) -> bool:
        raise TemporarilyOverloaded


# --- what the stream has lost ---


def test_rebuilding_creates_what_is_missing_and_says_how_much() -> None:
    backend = _busy_day()
    backend.issuer()(backend.stock.stream[: len(backend.stock.stream) // 2])
    there = len(backend.rewards.rewards)
    sales = len(backend.sales())
    assert 0 < there < sales

    assert backend.rebuilder()(SALE, range(4)) == sales - there
    assert backend.rebuilder()(SALE, range(4)) == 0

    _check(backend)


def test_many_shards_are_read_a_hundred_at_a_time() -> None:
    backend = RewardBackend(prizes(stock=250, shards=250))
    for home in (0, 120, 249):
        backend.win(backend.shopper_at(home))

    assert backend.rebuilder()(SALE, range(250)) == 3
    assert backend.tap.count("stock.read") >= 3
    _check(backend)


def test_rebuilding_an_empty_shard_finds_nothing() -> None:
    backend = RewardBackend()

    assert backend.rebuilder()(SALE, [0]) == 0
    assert backend.stock.shard(0) == Shard(0, 0, {}, {})
