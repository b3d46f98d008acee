"""A reward is handed over once, in time, or given up with the partner's words; nobody waits for a dead partner."""

import json
from dataclasses import replace
from typing import Any

import pytest

from brandday.connectors.port import HttpAnswer
from brandday.domain.campaign import Status
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.fulfilment import ConnectorChoice, Fulfilment, RewardKind
from brandday.domain.reward import Lease, RewardStatus
from brandday.usecases.deliver_rewards import LONGEST_MS, SETTLE_MS, Handled
from brandday.usecases.reward_ports import Dispatch
from tests.fakes.backend import CLOSES, OPENS, SALE
from tests.fakes.delivery_world import ADDRESS, HOST, HOUR_MS, LAMBDA_MS, TIMEOUT_MS, DeliveryWorld, webhook
from tests.fakes.outside_world import Answer, Delivery, Partner, hangs, says, takes, takes_and_drops
from tests.fakes.tap import failing

DAY_MS = 24 * HOUR_MS


def _one(world: DeliveryWorld, *, receives: int = 1, remaining_ms: int = LAMBDA_MS, number: int = 0) -> Handled:
    reward = next(each for each in world.rewards.rewards.values() if each.owner == f"owner{number:07d}")
    return world.deliver()(Dispatch(reward.id, reward.cycle, reward.sent), receives, remaining_ms)


def _world(*answers: Answer) -> DeliveryWorld:
    world = DeliveryWorld()
    world.outside.partner(HOST, *answers)
    return world


def test_a_reward_arrives_signed_with_all_its_facts_and_its_address() -> None:
    world = _world()
    reward = world.reward(kind=RewardKind.PHYSICAL)

    handled = _one(world)

    assert (handled.outcome, handled.wait_ms, handled.attempt) == ("accepted", None, 1)
    assert handled.destination == f"https://{HOST}"
    partner = world.outside.partners[HOST]
    assert partner.accepted == {reward.id: 1}
    assert partner.received[0].url == f"https://{HOST}/brandday?x=1"
    assert partner.received[0].data == {
        "reward_id": reward.id,
        "delivery_id": reward.id,
        "campaign_id": SALE,
        "kind": "physical",
        "sku": "HERO",
        "title": {"en": "HERO"},
        "quantity": 2,
        "order_id": "order-0",
        "shopper": reward.owner,
        "source": reward.source,
        "created_at": "2026-07-08T16:00:00.000Z",
        "address": ADDRESS,
    }
    now = world.now(reward)
    assert (now.status, now.accepted, now.address, now.lease) == (RewardStatus.DISPATCHED, 1, None, None)
    assert now.reference == f"ref-{reward.id}"


def test_a_message_that_was_done_says_nothing_any_more() -> None:
    world = _world()
    reward = world.reward()

    assert [_one(world).outcome for _ in range(3)] == ["accepted", "obsolete", "obsolete"]
    assert world.deliver()(Dispatch("rwd_nobody", 1, 1), 1, LAMBDA_MS) == Handled("obsolete")
    assert world.outside.partners[HOST].accepted == {reward.id: 1}


@pytest.mark.parametrize("newer", [{"cycle": 2}, {"sent": 2}], ids=["next cycle", "sent again"])
def test_a_message_of_which_there_is_a_newer_one_is_obsolete(newer: dict[str, int]) -> None:
    world = _world()
    reward = world.reward()
    world.alter(reward, **newer)

    handled = world.deliver()(Dispatch(reward.id, 1, 1), 1, LAMBDA_MS)

    assert handled == Handled("obsolete")
    assert world.outside.partners[HOST].received == []


def test_what_a_partner_refuses_has_failed_with_their_words_and_is_among_the_dead_letters_once() -> None:
    world = _world(says(422, "no such\x00 prize\r\n" + "x" * 1000))
    reward = world.reward()

    assert _one(world).outcome == "refused"
    assert [_one(world).outcome for _ in range(2)] == ["obsolete", "obsolete"]

    now = world.now(reward)
    assert now.status is RewardStatus.FAILED
    assert now.words is not None
    assert now.words.startswith("422 no such prize xxx")
    assert len(now.words) <= 300
    assert world.dead_letters.letters == [(Dispatch(reward.id, 1, 1), now.words)]
    assert len(world.outside.partners[HOST].received) == 1


@pytest.mark.parametrize(
    "answer",
    [hangs, takes_and_drops, says(500), says(503, "busy"), says(429), says(408), says(425)],
    ids=["hangs", "drops", "500", "503", "429", "408", "425"],
)
def test_what_may_work_later_is_tried_later_with_the_same_id(answer: Answer) -> None:
    world = _world(answer, takes)
    reward = world.reward()

    first = _one(world)
    assert (first.outcome, world.now(reward).status) == ("put_off", RewardStatus.PENDING)
    assert world.now(reward).lease is None
    assert first.wait_ms == 2500  # half of 5 s: jitter is handed in
    second = _one(world)

    assert (second.outcome, second.attempt) == ("accepted", 2)
    received = world.outside.partners[HOST].received
    assert {delivery.id for delivery in received} == {reward.id}
    assert len({delivery.body for delivery in received}) == 1
    assert world.dead_letters.letters == []


def test_back_off_doubles_up_to_a_quarter_of_an_hour_with_full_jitter() -> None:
    world = DeliveryWorld()
    most, least = world.deliver(lambda: 1.0), world.deliver(lambda: 0.0)

    assert [most.back_off(attempt, 1) for attempt in (1, 2, 3, 8, 9, 100)] == [
        5_000,
        10_000,
        20_000,
        640_000,
        LONGEST_MS,
        LONGEST_MS,
    ]
    assert least.back_off(9, 1) == 1000


def test_a_message_outlives_a_time_limit_of_two_weeks_before_sqs_would_bury_it() -> None:
    deliver = DeliveryWorld().deliver(lambda: 0.0)

    assert sum(deliver.back_off(receives, receives) for receives in range(1, 1000)) > 14 * DAY_MS


@pytest.mark.parametrize(
    ("header", "wait_ms"),
    [
        ("120", 120_000),
        ("86400", LONGEST_MS),
        ("Wed, 08 Jul 2026 16:01:00 GMT", 60_000),
        ("Wed, 08 Jul 2020 16:01:00 GMT", 2500),
        ("soon", 2500),
        ("-5", 2500),
        ("Wed, 08 Jul 2026 16:01:00", 2500),
        ("9" * 400, LONGEST_MS),
    ],
    ids=["seconds", "capped", "date", "past", "words", "negative", "no zone", "huge"],
)
def test_retry_after_is_honoured_within_reason(header: str, wait_ms: int) -> None:
    world = _world(says(503, retry_after=header))
    world.reward()

    assert _one(world).wait_ms == wait_ms


def test_a_reward_that_another_worker_is_sending_is_left_to_it() -> None:
    world = _world()
    reward = world.reward()
    world.alter(reward, lease=Lease("somebody", world.clock() + 7000))

    assert _one(world) == Handled("leased", 7000)
    assert world.outside.partners[HOST].received == []
    world.clock.advance(7000)
    assert _one(world).outcome == "accepted"


def test_the_lease_runs_longer_than_the_process_that_holds_it() -> None:
    world = _world()
    seen = []
    reward = world.reward()

    def looks(*asked: Any) -> Any:
        seen.append(world.now(reward).lease)
        return takes(*asked)

    world.outside.partners[HOST].answers = [looks]

    _one(world, remaining_ms=90_000)

    assert seen == [Lease("worker-1", world.clock() + 95_000)]


def test_a_reward_past_its_time_limit_is_given_up() -> None:
    world = _world(says(500, "down for maintenance"))
    reward = world.reward()
    _one(world)
    world.clock.advance(72 * HOUR_MS)

    assert _one(world) == Handled("given_up")

    assert world.now(reward).words == "not accepted within its time limit (last: 500 down for maintenance)"
    assert [dispatch.reward_id for dispatch, _ in world.dead_letters.letters] == [reward.id]
    assert len(world.outside.partners[HOST].received) == 1


def test_an_ended_campaign_still_delivers() -> None:
    world = _world()
    world.put(world.campaign(status=Status.ENDED, ended_at=OPENS))
    world.reward()
    world.clock.now = CLOSES + 365 * DAY_MS
    world.reward(1)

    assert _one(world, number=1).outcome == "accepted"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (None, "its campaign is gone"),
        ({"status": Status.DRAFT}, "its campaign is gone"),
        ({"fulfilment": Fulfilment()}, "the campaign names no connector for rewards of kind digital"),
        (
            {"fulfilment": Fulfilment({RewardKind.DIGITAL: ConnectorChoice("fax")})},
            "there is no connector called 'fax'",
        ),
        (
            {"fulfilment": Fulfilment({RewardKind.DIGITAL: ConnectorChoice("webhook", {"url": "x"})})},
            "the campaign's options for connector webhook are not valid",
        ),
    ],
    ids=["gone", "draft", "no choice", "unknown connector", "bad options"],
)
def test_a_reward_that_cannot_leave_any_more_fails_and_says_why(change: dict[str, Any] | None, words: str) -> None:
    world = _world()
    reward = world.reward()
    if change is None:
        world.campaigns.campaigns.clear()
    else:
        world.put(replace(world.campaign(), **change))

    assert _one(world).outcome == "given_up"
    assert (world.now(reward).status, world.now(reward).words) == (RewardStatus.FAILED, words)
    assert len(world.dead_letters.letters) == 1


def test_an_order_goes_where_the_campaign_says_today() -> None:
    world = _world()
    reward = world.reward()
    other = world.outside.partner("other.example")
    world.put(world.campaign(choice=webhook("other.example")))

    assert _one(world).destination == "https://other.example"
    assert (other.accepted, world.outside.partners[HOST].accepted) == ({reward.id: 1}, {})


def test_a_missing_secret_is_waited_for() -> None:
    world = _world()
    reward = world.reward()
    secrets, world.outside.secrets = world.outside.secrets, {}

    assert _one(world).outcome == "put_off"
    assert world.now(reward).words == "cannot sign: there is no secret 'brandday/partner' in Secrets Manager"
    world.outside.secrets = secrets
    assert _one(world).outcome == "accepted"


def test_trouble_of_our_own_does_not_make_a_dead_partner_look_alive() -> None:
    world = _world(hangs)
    for number in range(6):
        world.reward(number)
    for number in range(5):
        _one(world, number=number)
    world.clock.advance(30_000)
    world.outside.secrets = {}

    assert _one(world, number=5).outcome == "put_off"  # as the probe

    assert _one(world, number=5).outcome == "breaker_open"


def test_a_failure_somebody_else_recorded_is_seen_to_after_a_minute_and_once() -> None:
    world = _world()
    reward = world.reward()
    world.alter(reward, status=RewardStatus.FAILED, status_at=world.clock(), words="time limit", pending_since=None)

    assert _one(world) == Handled("failing", SETTLE_MS)
    assert world.dead_letters.letters == []
    world.clock.advance(SETTLE_MS)
    assert _one(world) == Handled("given_up")
    assert _one(world) == Handled("obsolete")
    assert world.dead_letters.letters == [(Dispatch(reward.id, 1, 1), "time limit")]


def test_the_outcome_survives_a_busy_database_and_a_lost_race() -> None:
    world = _world()
    reward = world.reward()
    partner = world.outside.partners[HOST]

    def takes_while_the_database_gets_busy(*asked: Any) -> Any:
        answer = takes(*asked)
        world.alter(reward, sent=2)  # somebody else writes in between
        saves = iter((TemporarilyOverloaded(), None))

        def busy(name: str) -> None:
            error = next(saves, None) if name == "rewards.save" else None
            if error:
                raise error

        world.tap.before = busy
        return answer

    partner.answers = [takes_while_the_database_gets_busy]

    assert _one(world).outcome == "accepted"
    assert world.now(reward).status is RewardStatus.DISPATCHED


def test_a_receipt_that_overtakes_the_answer_stands() -> None:
    world = _world()
    reward = world.reward()

    def reports_first(*asked: Any) -> Any:
        world.alter(reward, status=RewardStatus.DELIVERED, lease=None, pending_since=None, reported_at=1)
        return says(500)(*asked)

    world.outside.partners[HOST].answers = [reports_first]

    _one(world)

    assert world.now(reward).status is RewardStatus.DELIVERED
    world.run(world.clock() + DAY_MS)
    assert len(world.outside.partners[HOST].received) == 1


def test_no_delivery_begins_that_the_process_might_not_live_to_record() -> None:
    world = _world(hangs)
    for number in range(12):
        world.reward(number)
    worker = world.worker()
    received = world.outside.partners[HOST].received

    world.clock.advance(1)
    begins = world.clock()
    world.poll(worker, limit=12)

    assert world.clock() - begins <= LAMBDA_MS - TIMEOUT_MS
    assert len(received) == 5  # then the breaker is open
    assert [line["outcome"] for line in world.lines] == ["put_off"] * 5 + ["breaker_open"] * 7


def test_what_there_is_no_time_for_comes_again_at_once() -> None:
    def takes_half_a_minute(partner: Partner, delivery: Delivery, timeout_ms: int) -> HttpAnswer:
        partner.clock.advance(30_000)
        return takes(partner, delivery, timeout_ms)

    world = _world(takes_half_a_minute)
    for number in range(5):
        world.reward(number)
    world.poll(world.worker())
    assert [line["outcome"] for line in world.lines] == ["accepted"] * 4 + ["no_time"]
    assert min(message.visible_at for message in world.queue.messages.values()) <= world.clock() + 1000


def test_a_dead_partner_does_not_keep_the_others_waiting() -> None:
    """Virtual time: one worker, batches of five, a hundred rewards for each of three partners, one of whom hangs."""

    def takes_a_while(partner: Partner, delivery: Delivery, timeout_ms: int) -> HttpAnswer:
        partner.clock.advance(50)
        return takes(partner, delivery, timeout_ms)

    world = DeliveryWorld()
    hosts = ("dead.example", "two.example", "three.example")
    for number, host in enumerate(hosts):
        world.outside.partner(host, hangs if number == 0 else takes_a_while)
        world.put(world.campaign(f"sale-{number}", webhook(host)))
    for number in range(300):
        world.reward(number, campaign_id=f"sale-{number % 3}")
    begins = world.clock()

    world.run(begins + 600_000)

    dead, *alive = (world.outside.partners[host] for host in hosts)
    done = [max(delivery.at for delivery in partner.received) - begins for partner in alive]
    assert [len(partner.accepted) for partner in alive] == [100, 100]
    assert max(done) < 5 * TIMEOUT_MS + 200 * 50 + 2 * TIMEOUT_MS  # five time-outs to learn it, a probe or two
    assert len(dead.received) <= 5 + 6  # of 100 that would each have cost ten seconds, again and again

    dead.answers = [takes]
    world.run(begins + DAY_MS)
    assert (len(dead.accepted), set(dead.accepted.values()), world.queue.messages) == (100, {1}, {})


def test_without_a_breaker_the_dead_partner_does_keep_them_waiting() -> None:
    """The control of the test above."""
    world = DeliveryWorld()
    world.breakers.save = lambda *_: False  # type: ignore[method-assign] # a breaker that never learns
    hosts = ("dead.example", "two.example")
    for number, host in enumerate(hosts):
        world.outside.partner(host, hangs if number == 0 else takes)
        world.put(world.campaign(f"sale-{number}", webhook(host)))
    for number in range(60):
        world.reward(number, campaign_id=f"sale-{number % 2}")
    begins = world.clock()

    world.run(begins + 600_000)

    assert max(delivery.at for delivery in world.outside.partners["two.example"].received) - begins > 25 * TIMEOUT_MS


def test_messages_that_make_no_sense_are_put_aside_and_stop_nobody() -> None:
    world = _world()
    reward = world.reward()
    bodies = [
        "{",
        "[]",
        "{}",
        json.dumps({"reward_id": 1, "cycle": 1, "sent": 1}),
        '{"reward_id":"a","cycle":true,"sent":1}',
    ]
    for body in bodies:
        world.queue.add(body)

    world.poll(world.worker(), limit=10)

    assert [body for body, _ in world.dead_letters.unreadable] == bodies
    assert world.outside.partners[HOST].accepted == {reward.id: 1}
    assert world.queue.messages == {}


def test_trouble_of_ours_puts_a_message_off_and_the_next_one_is_handled() -> None:
    world = _world()
    world.reward(0)
    world.reward(1)
    with failing(world.tap, "rewards.get", RuntimeError("address: 1 Long Lane")):
        world.poll(world.worker())

    assert [line.get("outcome") for line in world.lines] == [None, "unexpected", "accepted"]
    assert "Long Lane" not in json.dumps(world.lines)
    with failing(world.tap, "rewards.get", TemporarilyOverloaded()):
        world.clock.advance(10_000)
        world.poll(world.worker())
    assert world.lines[-1]["outcome"] == "overloaded"
    world.clock.advance(60_000)
    world.poll(world.worker())
    assert world.lines[-1]["outcome"] == "accepted"


def test_a_line_is_written_about_each_delivery_and_nothing_about_a_person() -> None:
    world = _world()
    reward = world.alter(world.reward(kind=RewardKind.PHYSICAL), shopper_id="ann@example.com")

    world.poll(world.worker())

    (line,) = world.lines
    assert {**line, "duration_ms": 0} == {
        "level": "INFO",
        "message": "delivery",
        "reward_id": reward.id,
        "destination": f"https://{HOST}",
        "outcome": "accepted",
        "attempt": 1,
        "receives": 1,
        "wait_ms": None,
        "duration_ms": 0,
    }
    assert world.outside.partners[HOST].received[0].data["shopper_id"] == "ann@example.com"


def test_a_second_shipment_has_another_id() -> None:
    world = _world()
    reward = world.reward()
    _one(world)
    world.alter(reward, status=RewardStatus.PENDING, shipment=2, cycle=2, pending_since=world.clock())
    _one(world)

    assert world.outside.partners[HOST].accepted == {reward.id: 1, f"{reward.id}.2": 1}
