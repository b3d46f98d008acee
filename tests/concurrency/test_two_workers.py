"""The same message in several workers at once, in separate processes, on every engine that can be trusted with races.

Counted at the partner: requests, not what it recognises. So it is the lease that is proved here; that a crash after the
lease leads to a repetition, and a harmless one, is in `tests/functional/test_delivery_crash.py`.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from brandday.adapters.reward_table import RewardTable
from brandday.domain.reward import Reward, RewardStatus
from brandday.usecases.reward_ports import Dispatch
from brandday_local.template_tables import table_shape
from tests.concurrency.two_workers import WORKERS, Receiver, Workers
from tests.engines import Engine
from tests.fakes.delivery_world import DeliveryWorld

REWARDS = 40


@dataclass(frozen=True)
class Pending:
    """A table with rewards that are to be delivered, and their messages."""

    engine: Engine
    table: str
    dispatches: list[Dispatch]

    def rewards(self) -> list[Reward]:
        """All rewards as they are."""
        with closing(self.engine.client()) as client:
            found = [RewardTable(client, self.table).get(dispatch.reward_id) for dispatch in self.dispatches]
        return [reward for reward in found if reward is not None]


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """Three processes."""
    with closing(Workers()) as started:
        yield started


@pytest.fixture
def pending(engine: Engine) -> Iterator[Pending]:
    """Forty of them, in a table that is nobody else's."""
    world = DeliveryWorld(time.time_ns() // 1_000_000)
    rewards = [world.reward(number) for number in range(REWARDS)]
    name = f"RewardTable-{uuid.uuid4().hex[:12]}"
    with closing(engine.client()) as client:
        client.create_table(TableName=name, **table_shape("RewardTable"))
        try:
            table = RewardTable(client, name)
            assert all(table.create(replace(reward, version=0)) for reward in rewards)
            yield Pending(engine, name, [Dispatch(reward.id, reward.cycle, reward.sent) for reward in rewards])
        finally:
            client.delete_table(TableName=name)


def test_one_of_them_delivers(pending: Pending, workers: Workers) -> None:
    with Receiver() as partner:
        outcomes = workers.deliver_in_lockstep(pending.engine, pending.table, partner.port, pending.dispatches)

    assert dict(partner.requests) == {dispatch.reward_id: 1 for dispatch in pending.dispatches}
    for each in zip(*outcomes, strict=True):
        assert each.count("accepted") == 1
        assert set(each) <= {"accepted", "raced", "leased", "obsolete"}
    assert sum(outcome == "raced" for worker in outcomes for outcome in worker) >= REWARDS // 4  # they did meet
    states = [(reward.status, reward.accepted, reward.attempts) for reward in pending.rewards()]
    assert states == [(RewardStatus.DISPATCHED, 1, 1)] * REWARDS


def test_without_a_lease_all_of_them_deliver(pending: Pending, workers: Workers) -> None:
    """The control."""
    with Receiver() as partner:
        workers.deliver_in_lockstep(pending.engine, pending.table, partner.port, pending.dispatches, careless=True)

    assert sum(partner.requests.values()) > REWARDS * (WORKERS - 1)
