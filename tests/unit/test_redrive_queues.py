"""Operators clear up dead letters: what has failed, reminders of holds, and what the stream has lost."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from brandday.domain.campaign import Status
from brandday.domain.errors import CampaignNotFound, TemporarilyOverloaded, ValidationFailed
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import RewardStatus
from brandday.usecases.dead_letter_ports import QueueName
from brandday.usecases.redrive_queues import BUDGET_MS, LATELY_MS, Redriven, RedriveQueues
from tests.fakes.backend import SALE
from tests.fakes.reward_backend import DAY_MS, prizes
from tests.fakes.reward_desk import COLLEAGUE, RewardDesk, busy_once
from tests.fakes.tap import Killed, every_kill, killed_at

GIFTS = prizes(RewardKind.DIGITAL, stock=40)


@pytest.fixture
def desk() -> RewardDesk:
    return RewardDesk(GIFTS)


def walk(
    redrive: RedriveQueues, name: QueueName, *, limit: int = 100, dry_run: bool = False, campaign_id: str | None = None
) -> Iterator[Redriven]:
    """Redrive a queue to its end, page by page."""
    cursor = None
    for _ in range(200):
        page = redrive(name, COLLEAGUE, limit=limit, cursor=cursor, campaign_id=campaign_id, dry_run=dry_run)
        yield page
        cursor = page.next
        if cursor is None:
            return
    raise AssertionError("the walk never ends")


# --- what has failed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_all_failed_rewards_are_sent_anew_and_their_dead_letters_go(desk: RewardDesk, limit: int) -> None:
    ids = desk.failed(8)
    pages = list(walk(desk.redrive_queues(), QueueName.FULFILMENTS, limit=limit))
    assert sorted(reward_id for page in pages for reward_id in page.rewards) == sorted(ids)
    assert all(page.looked_at <= limit and page.removed + page.left <= limit for page in pages)
    assert {desk.reward(reward_id).status for reward_id in ids} == {RewardStatus.PENDING}
    assert not desk.queues[QueueName.FULFILMENTS].dead
    assert sum(page.removed for page in pages) == 8
    assert len(desk.trail()) == 8


def test_a_dry_run_shows_it_and_changes_nothing(desk: RewardDesk) -> None:
    ids = desk.failed(5)
    before, dead = dict(desk.rewards.rewards), dict(desk.queues[QueueName.FULFILMENTS].dead)
    pages = list(walk(desk.redrive_queues(), QueueName.FULFILMENTS, limit=2, dry_run=True))
    assert sorted(reward_id for page in pages for reward_id in page.rewards) == sorted(ids)
    assert (sum(page.redriven for page in pages), pages[-1].left) == (5, 5)
    assert (desk.rewards.rewards, desk.queues[QueueName.FULFILMENTS].dead) == (before, dead)
    assert not desk.queues[QueueName.FULFILMENTS].hidden
    assert not desk.trail()


def test_only_one_campaigns_rewards_are_sent_anew_if_it_is_named(desk: RewardDesk) -> None:
    ids = desk.failed(2)
    desk.put(replace(GIFTS, id="another-sale"))
    assert [
        page.redriven for page in walk(desk.redrive_queues(), QueueName.FULFILMENTS, campaign_id="another-sale")
    ] == [0]
    assert {desk.reward(reward_id).status for reward_id in ids} == {RewardStatus.FAILED}
    with pytest.raises(CampaignNotFound):
        next(walk(desk.redrive_queues(), QueueName.FULFILMENTS, campaign_id="no-such-sale"))


def test_what_fails_again_meanwhile_is_not_sent_round_in_circles(desk: RewardDesk) -> None:
    ids = desk.failed(4)

    def fail_again(name: str) -> None:
        if name == "acts.save":
            desk.clock.advance(1)
            for reward_id in ids:
                if desk.reward(reward_id).status is RewardStatus.PENDING:
                    desk.alter(reward_id, status=RewardStatus.FAILED, status_at=desk.clock(), pending_since=None)

    desk.tap.after = fail_again
    pages = list(walk(desk.redrive_queues(), QueueName.FULFILMENTS, limit=1))
    assert sum(page.redriven for page in pages) == 4


def test_dead_letters_of_what_still_fails_stay_and_so_do_unreadable_ones(desk: RewardDesk) -> None:
    letters = desk.queues[QueueName.FULFILMENTS]
    (reward_id,) = desk.failed(1)
    for body in ("", "not JSON", "[]", "{}", json.dumps({"reward_id": 5, "cycle": 1}), "[" * 100_000):
        letters.bury(body, desk.clock())
    desk.alter(reward_id, status_at=desk.clock() + 1)  # failed after the walk began
    (page,) = walk(desk.redrive_queues(), QueueName.FULFILMENTS)
    assert (page.redriven, page.removed, page.left) == (0, 0, 7)
    letters.show()
    letters.bury(json.dumps({"reward_id": "rwd_gone", "cycle": 1, "sent": 1}), desk.clock())
    (page,) = walk(desk.redrive_queues(), QueueName.FULFILMENTS)
    assert (page.removed, page.left) == (1, 7)


def test_of_a_reward_that_has_failed_twice_the_newer_letter_stays(desk: RewardDesk) -> None:
    (reward_id,) = desk.failed(1)
    desk.alter(reward_id, cycle=2, status_at=desk.clock() + 1)
    desk.bury(reward_id)
    (page,) = walk(desk.redrive_queues(), QueueName.FULFILMENTS)
    assert (page.removed, page.left) == (1, 1)


# --- reminders of holds --------------------------------------------------------------------------------------


def test_reminders_go_back_to_their_queue(desk: RewardDesk) -> None:
    holds = desk.queues[QueueName.HOLDS]
    for number in range(25):
        holds.bury(f"reminder-{number}", desk.clock())
    pages = list(walk(desk.redrive_queues(), QueueName.HOLDS, limit=12))
    assert [page.redriven for page in pages] == [12, 12, 1]
    assert (sorted(holds.back), holds.dead) == (sorted(f"reminder-{number}" for number in range(25)), {})


def test_a_reminder_is_never_deleted_before_its_copy_is_there(desk: RewardDesk) -> None:
    def run(point: int) -> bool:
        desk = RewardDesk(GIFTS)
        holds = desk.queues[QueueName.HOLDS]
        for number in range(12):
            holds.bury(f"reminder-{number}", desk.clock())
        try:
            with killed_at(desk.tap, point):
                list(walk(desk.redrive_queues(), QueueName.HOLDS, limit=100))
            killed = False
        except Killed:
            killed = True
        there = {letter.body for letter in holds.dead.values()} | set(holds.back)
        assert there == {f"reminder-{number}" for number in range(12)}
        return killed

    assert every_kill(run) > 10


def test_what_the_queue_does_not_take_stays(desk: RewardDesk) -> None:
    holds = desk.queues[QueueName.HOLDS]
    holds.bury("reminder", desk.clock())
    holds.full = True
    with pytest.raises(TemporarilyOverloaded):
        next(walk(desk.redrive_queues(), QueueName.HOLDS))
    assert len(holds.dead) == 1
    assert desk.redrive_queues()(QueueName.HOLDS, COLLEAGUE, limit=5, dry_run=True).redriven == 1
    assert len(holds.dead) == 1


# --- the stream ----------------------------------------------------------------------------------------------


def lost(desk: RewardDesk, number: int) -> list[str]:
    """Let so many shoppers win something the stream never told of; one dead letter stands for all."""
    ids = [desk.win(f"shopper-{each}") for each in range(number)]
    desk.stock.stream.clear()
    desk.queues[QueueName.STREAM].bury("a batch", desk.clock() - 1)
    return ids


@pytest.mark.parametrize("limit", [1, 4, 100])
def test_rewards_that_the_stream_has_lost_are_made_from_the_shards(limit: int) -> None:
    desk = RewardDesk(prizes(RewardKind.DIGITAL, stock=40, shards=7))
    ids = lost(desk, 20)
    pages = list(walk(desk.redrive_queues(), QueueName.STREAM, limit=limit))
    assert sum(page.looked_at for page in pages) == 7
    assert sum(page.redriven for page in pages) == 20
    assert set(desk.rewards.rewards) == set(ids)
    assert not desk.queues[QueueName.STREAM].dead
    again = list(walk(desk.redrive_queues(), QueueName.STREAM, limit=limit))
    assert sum(page.redriven for page in again) == 0


def test_a_dead_letter_of_the_stream_stays_until_all_shards_were_looked_at() -> None:
    desk = RewardDesk(prizes(RewardKind.DIGITAL, stock=40, shards=7))
    lost(desk, 5)
    letters = desk.queues[QueueName.STREAM]
    pages = walk(desk.redrive_queues(), QueueName.STREAM, limit=3)
    assert next(pages).next
    assert len(letters.dead) == 1
    desk.clock.advance(10)
    letters.bury("came while the walk was going on", desk.clock())
    assert [page.left for page in pages][-1] == 1
    assert [letter.body for letter in letters.dead.values()] == ["came while the walk was going on"]


def test_a_dry_run_of_the_stream_makes_nothing() -> None:
    desk = RewardDesk(prizes(RewardKind.DIGITAL, stock=40, shards=7))
    lost(desk, 5)
    pages = list(walk(desk.redrive_queues(), QueueName.STREAM, limit=3, dry_run=True))
    assert (sum(page.looked_at for page in pages), pages[-1].left) == (7, 1)
    assert not desk.rewards.rewards
    assert len(desk.queues[QueueName.STREAM].dead) == 1


def test_campaigns_that_sell_nothing_any_more_or_not_yet_are_passed_over() -> None:
    desk = RewardDesk(prizes(RewardKind.DIGITAL, shards=2))
    desk.put(replace(desk.campaign, id="a-draft", status=Status.DRAFT, layout=None))
    desk.put(replace(desk.campaign, id="b-later", starts_at=desk.clock() + DAY_MS))
    desk.put(replace(desk.campaign, id="z-ended", status=Status.ENDED, ended_at=desk.clock() - LATELY_MS + 1))
    desk.put(replace(desk.campaign, id="z-long-over", status=Status.ENDED, ended_at=desk.clock() - LATELY_MS))
    assert [page.looked_at for page in walk(desk.redrive_queues(), QueueName.STREAM)] == [4]


def test_a_busy_database_leaves_the_dead_letters() -> None:
    desk = RewardDesk(prizes(RewardKind.DIGITAL, shards=2))
    lost(desk, 2)
    busy_once(desk, "rewards.create")
    with pytest.raises(TemporarilyOverloaded):
        list(walk(desk.redrive_queues(), QueueName.STREAM))
    assert len(desk.queues[QueueName.STREAM].dead) == 1
    list(walk(desk.redrive_queues(), QueueName.STREAM))
    assert len(desk.rewards.rewards) == 2


@pytest.mark.parametrize("name", [QueueName.FULFILMENTS, QueueName.STREAM])
def test_however_a_walk_is_killed_no_dead_letter_goes_before_its_rewards_are_on_their_way(name: QueueName) -> None:
    def run(point: int) -> bool:
        desk = RewardDesk(prizes(RewardKind.DIGITAL, stock=40, shards=7))
        ids = desk.failed(3) if name is QueueName.FULFILMENTS else lost(desk, 3)
        try:
            with killed_at(desk.tap, point):
                list(walk(desk.redrive_queues(), name, limit=2))
            killed = False
        except Killed:
            killed = True
        waiting = [each for each in ids if is_pending(desk, each)]
        gone = (3 if name is QueueName.FULFILMENTS else 1) - len(desk.queues[name].dead)
        assert waiting == ids or not gone
        desk.queues[name].show()
        list(walk(desk.redrive_queues(), name, limit=2))
        assert [each for each in ids if is_pending(desk, each)] == ids
        assert not desk.queues[name].dead
        return killed

    assert every_kill(run) > 10


def is_pending(desk: RewardDesk, reward_id: str) -> bool:
    reward = desk.rewards.get(reward_id)
    return reward is not None and reward.status is RewardStatus.PENDING


# --- walks -----------------------------------------------------------------------------------------------------------


def test_a_call_answers_in_time_and_goes_on_where_it_stood(desk: RewardDesk) -> None:
    ids = desk.failed(25)
    desk.tap.after = lambda name: desk.clock.advance(BUDGET_MS // 10) if name == "acts.save" else None
    pages = list(walk(desk.redrive_queues(), QueueName.FULFILMENTS))
    assert [page.redriven for page in pages] == [10, 10, 5]
    assert {desk.reward(reward_id).status for reward_id in ids} == {RewardStatus.PENDING}


@pytest.mark.parametrize("cursor", ["", "x", "bm9uZQ", "W10", "WzEsMl0", "eyJhIjoxfQ", "[" * 400])
def test_a_cursor_that_is_none_is_refused(desk: RewardDesk, cursor: str) -> None:
    with pytest.raises(ValidationFailed):
        desk.redrive_queues()(QueueName.HOLDS, COLLEAGUE, limit=1, cursor=cursor)


def test_a_cursor_of_another_walk_is_refused(desk: RewardDesk) -> None:
    desk.failed(3)
    cursor = next(walk(desk.redrive_queues(), QueueName.FULFILMENTS, limit=1)).next
    for name, campaign_id in ((QueueName.STREAM, None), (QueueName.FULFILMENTS, SALE)):
        with pytest.raises(ValidationFailed):
            desk.redrive_queues()(name, COLLEAGUE, limit=1, cursor=cursor, campaign_id=campaign_id)


def test_the_queues_are_counted(desk: RewardDesk) -> None:
    desk.failed(2)
    counts = desk.redrive_queues().counts()
    assert counts[QueueName.FULFILMENTS].dead_letters == 2
    assert counts[QueueName.STREAM].waiting is None
    assert counts.keys() == set(QueueName)
