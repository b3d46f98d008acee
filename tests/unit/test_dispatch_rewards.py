"""A reward that is to be delivered is a message, once per time that it is to be sent."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from brandday.domain import reward as rules
from brandday.domain.fulfilment import HOUR_MS, RewardKind
from brandday.domain.reward import Report, Reward, RewardStatus
from brandday.entrypoints.on_reward_changed import build_handler
from brandday.usecases.dispatch_rewards import DispatchRewards, RewardChanged, dispatch_of
from brandday.usecases.reward_ports import Dispatch
from tests.fakes.backend import OPENS
from tests.fakes.memory_fulfilment_queue import MemoryFulfilmentQueue
from tests.fakes.reward_backend import RewardBackend, prizes

NOW = OPENS + 5000


def _pending() -> Reward:
    backend = RewardBackend(prizes(RewardKind.DIGITAL))
    reward_id = backend.win("ann")
    backend.issue()
    return backend.reward(reward_id)


def _awaiting() -> Reward:
    backend = RewardBackend()
    reward_id = backend.win("ann")
    backend.issue()
    return backend.reward(reward_id)


def _sure(reward: Reward | None) -> Reward:
    assert reward is not None
    return reward


PENDING = _pending()
LEASED = _sure(rules.lease(PENDING, "worker", NOW, 60_000))
FAILED = _sure(rules.fail(LEASED, "worker", "no", NOW))
AWAITING = _awaiting()


def test_a_new_reward_that_waits_for_nothing_is_sent() -> None:
    assert dispatch_of(RewardChanged(None, PENDING)) == Dispatch(PENDING.id, 1, 1)


def test_a_prize_is_sent_once_its_address_is_there_and_not_again_when_that_is_put_right() -> None:
    given = _sure(rules.give_address(AWAITING, b"1", NOW))
    corrected = _sure(rules.give_address(given, b"2", NOW + 1))

    assert dispatch_of(RewardChanged(None, AWAITING)) is None
    assert dispatch_of(RewardChanged(AWAITING, given)) == Dispatch(AWAITING.id, 1, 1)
    assert dispatch_of(RewardChanged(given, corrected)) is None


def test_a_redriven_one_is_sent_again_and_so_is_one_that_fell_silent() -> None:
    again = _sure(rules.redrive(FAILED, NOW, HOUR_MS))
    louder = _sure(rules.send_again(again, NOW + HOUR_MS, HOUR_MS))

    assert dispatch_of(RewardChanged(FAILED, again)) == Dispatch(PENDING.id, 2, 1)
    assert dispatch_of(RewardChanged(again, louder)) == Dispatch(PENDING.id, 2, 2)


def test_a_failure_that_says_so_is_sent_to_be_put_among_the_dead_letters() -> None:
    given_up = replace(FAILED, sent=FAILED.sent + 1)

    assert dispatch_of(RewardChanged(PENDING, given_up)) == Dispatch(PENDING.id, 1, 2)
    assert dispatch_of(RewardChanged(given_up, replace(given_up, buried=1))) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PENDING, LEASED),
        (LEASED, rules.put_off(LEASED, "worker", "busy", NOW)),
        (LEASED, rules.accept(LEASED, "worker", "ref", NOW)),
        (LEASED, FAILED),
        (FAILED, rules.report(FAILED, Report.DELIVERED, NOW, NOW)),
        (None, replace(PENDING, status=RewardStatus.DISPATCHED)),
        (None, replace(AWAITING, status=RewardStatus.AWAITING_APPROVAL)),
    ],
    ids=["leased", "put off", "accepted", "failed", "delivered", "with the shop", "awaiting approval"],
)
def test_nothing_else_that_happens_to_a_reward_is_a_message(before: Reward | None, after: Reward) -> None:
    assert dispatch_of(RewardChanged(before, after)) is None


def test_of_several_changes_of_a_reward_in_one_batch_the_last_one_is_sent() -> None:
    queue = MemoryFulfilmentQueue()
    louder = _sure(rules.send_again(PENDING, NOW + HOUR_MS, HOUR_MS))
    batch = [RewardChanged(None, PENDING), RewardChanged(PENDING, LEASED), RewardChanged(PENDING, louder)]

    DispatchRewards(queue)(batch)
    DispatchRewards(queue)(list(reversed(batch)))

    assert queue.messages == [Dispatch(PENDING.id, 1, 2)] * 2


def test_nothing_to_send_sends_nothing() -> None:
    DispatchRewards(MemoryFulfilmentQueue(full=True))([RewardChanged(None, AWAITING)])


# --- as the stream hands it over ---


def _read(record: Mapping[str, Any]) -> RewardChanged | None:
    """Read a record that is the change itself; what is no reward is None."""
    if "broken" in record:
        raise ValueError("rubbish")
    change: RewardChanged | None = record["change"]
    return change


def _records(*changes: RewardChanged | None) -> list[dict[str, Any]]:
    return [{"dynamodb": {"SequenceNumber": str(at), "change": change}} for at, change in enumerate(changes)]


def test_a_full_queue_makes_the_stream_come_again_and_nothing_is_lost() -> None:
    queue, lines = MemoryFulfilmentQueue(full=True), list[Any]()
    handler = build_handler(DispatchRewards(queue), _read, write=lines.append)
    event = {"Records": _records(None, RewardChanged(None, PENDING))}

    assert handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    queue.full = False
    assert handler(event, None) == {"batchItemFailures": []}

    assert queue.messages == [Dispatch(PENDING.id, 1, 1)]
    assert [(line["message"], line["records"], line["failed_from"]) for line in lines] == [
        ("dispatched", 1, "0"),
        ("dispatched", 1, None),
    ]


def test_rubbish_is_reported_and_what_was_before_it_is_sent() -> None:
    queue, lines = MemoryFulfilmentQueue(), list[Any]()
    records = [*_records(RewardChanged(None, PENDING)), {"dynamodb": {"SequenceNumber": "7", "broken": 1}}]
    handler = build_handler(DispatchRewards(queue), _read, write=lines.append)

    assert handler({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "7"}]}
    assert len(queue.messages) == 1
    assert lines[0]["level"] == "ERROR"


def test_trouble_that_nobody_foresaw_is_not_swallowed() -> None:
    handler = build_handler(DispatchRewards(_Broken()), _read, write=lambda _: None)

    with pytest.raises(LookupError):
        handler({"Records": _records(RewardChanged(None, PENDING))}, None)


class _Broken:
    def send(self, dispatches: object) -> None:
        raise LookupError(dispatches)
