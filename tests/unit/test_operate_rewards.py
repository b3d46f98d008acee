"""Operators look at rewards, approve them and send them anew."""

from dataclasses import replace

import pytest

from brandday.domain.errors import (
    CampaignNotFound,
    RewardNotFound,
    RewardNotWaiting,
    SecondPersonRequired,
    ValidationFailed,
)
from brandday.domain.fulfilment import RewardKind
from brandday.domain.money import Money
from brandday.domain.reward import RewardStatus
from tests.fakes.backend import SALE
from tests.fakes.reward_backend import CLAIM_UNTIL, prizes
from tests.fakes.reward_desk import APPLIER, COLLEAGUE, RewardDesk
from tests.fakes.tap import Killed, every_kill, killed_at

CASH = prizes(RewardKind.CASH, stock=40, value=Money(60_000, "CNY"))
GIFTS = prizes(RewardKind.DIGITAL, stock=40)


@pytest.fixture
def desk() -> RewardDesk:
    return RewardDesk(GIFTS)


# --- looking ---------------------------------------------------------------------------------------------------------


def test_a_reward_is_shown_with_where_it_goes(desk: RewardDesk) -> None:
    (reward_id,) = desk.won(1)
    sight = desk.operate().get(reward_id)
    assert (sight.reward.id, sight.connector, sight.destination) == (reward_id, "webhook", "https://partner.example")


def test_an_order_that_the_shop_hands_over_goes_nowhere(desk: RewardDesk) -> None:
    desk.put(prizes(RewardKind.ORDER))
    sight = desk.operate().get(desk.won(1)[0])
    assert (sight.connector, sight.destination) == (None, None)


def test_a_deadline_that_was_put_off_is_the_one_that_is_shown() -> None:
    desk = RewardDesk(prizes(RewardKind.PHYSICAL))
    (reward_id,) = desk.won(1)
    desk.change(fulfilment=replace(desk.campaign.fulfilment, claim_until=CLAIM_UNTIL + 1))
    assert desk.operate().get(reward_id).reward.claim_until == CLAIM_UNTIL + 1
    (sight,) = desk.operate().list(SALE, None, 1, None).items
    assert sight.reward.claim_until == CLAIM_UNTIL + 1


def test_what_is_not_there_is_not_found(desk: RewardDesk) -> None:
    with pytest.raises(RewardNotFound):
        desk.operate().get(f"rwd_AAAAAAAAAAAA.00000000.{SALE}")
    with pytest.raises(CampaignNotFound):
        desk.operate().list("no-such-campaign", None, 10, None)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_all_statuses_are_listed_one_after_the_other_each_reward_once(desk: RewardDesk, limit: int) -> None:
    ids = desk.won(9)
    for number, status in enumerate((RewardStatus.DELIVERED, RewardStatus.FAILED, RewardStatus.DISPATCHED)):
        for reward_id in ids[number::4]:
            desk.alter(reward_id, status=status)
    found, after = [], None
    while True:
        page = desk.operate().list(SALE, None, limit, after)
        assert len(page.items) <= limit
        found += [sight.reward for sight in page.items]
        after = page.next
        if after is None:
            break
    assert sorted(reward.id for reward in found) == sorted(ids)
    order = [list(RewardStatus).index(reward.status) for reward in found]
    assert order == sorted(order)


def test_one_status_is_listed_alone(desk: RewardDesk) -> None:
    ids = desk.won(3)
    desk.alter(ids[1], status=RewardStatus.FAILED)
    page = desk.operate().list(SALE, RewardStatus.FAILED, 10, None)
    assert [sight.reward.id for sight in page.items] == [ids[1]]
    assert page.next is None


@pytest.mark.parametrize("after", ["", "~", "pending", "failed~nonsense", "lost~[1]", "delivered~"])
def test_a_cursor_of_another_list_is_refused(desk: RewardDesk, after: str) -> None:
    with pytest.raises(ValidationFailed):
        desk.operate().list(SALE, RewardStatus.FAILED, 10, after)


# --- the second person -----------------------------------------------------------------------------------------------


def test_a_colleague_lets_a_reward_go_and_the_trail_says_who() -> None:
    desk = RewardDesk(CASH)
    (reward_id,) = desk.won(1)
    assert desk.reward(reward_id).status is RewardStatus.AWAITING_APPROVAL
    act = desk.operate().approve(reward_id, COLLEAGUE)
    assert act.changed
    reward = desk.reward(reward_id)
    assert (reward.status, reward.approved_by) == (RewardStatus.PENDING, COLLEAGUE)
    assert desk.trail() == [(COLLEAGUE, "approve", reward_id)]


def test_whoever_applied_the_campaign_cannot_approve_however_long_ago_that_was() -> None:
    desk = RewardDesk(CASH)
    (reward_id,) = desk.won(1)
    for _ in range(600):  # more than the newest acts that a trail shows
        desk.did(COLLEAGUE, "restock")
    with pytest.raises(SecondPersonRequired):
        desk.operate().approve(reward_id, APPLIER)
    assert desk.reward(reward_id).status is RewardStatus.AWAITING_APPROVAL
    assert desk.operate().approve(reward_id, COLLEAGUE).changed


def test_an_approval_can_be_repeated_by_the_same_person_only() -> None:
    desk = RewardDesk(CASH)
    (reward_id,) = desk.won(1)
    desk.operate().approve(reward_id, COLLEAGUE)
    assert not desk.operate().approve(reward_id, COLLEAGUE).changed
    with pytest.raises(RewardNotWaiting) as refused:
        desk.operate().approve(reward_id, "operator-3")
    assert refused.value.params == {"status": "pending"}
    assert len(desk.trail()) == 1


def test_what_waits_for_nobody_cannot_be_approved(desk: RewardDesk) -> None:
    with pytest.raises(RewardNotWaiting):
        desk.operate().approve(desk.won(1)[0], COLLEAGUE)


def test_of_two_who_approve_at_once_one_is_late() -> None:
    desk = RewardDesk(CASH)
    (reward_id,) = desk.won(1)

    def other_first(name: str) -> None:
        if name == "acts.save":
            desk.tap.before = lambda _: None
            desk.operate().approve(reward_id, "operator-3")

    desk.tap.before = other_first
    with pytest.raises(RewardNotWaiting):
        desk.operate().approve(reward_id, COLLEAGUE)
    assert desk.trail() == [("operator-3", "approve", reward_id)]
    assert desk.reward(reward_id).approved_by == "operator-3"


def test_however_it_is_killed_there_is_no_approval_without_a_trail_entry() -> None:
    def run(point: int) -> bool:
        desk = RewardDesk(CASH)
        (reward_id,) = desk.won(1)
        try:
            with killed_at(desk.tap, point):
                desk.operate().approve(reward_id, COLLEAGUE)
            killed = False
        except Killed:
            killed = True
        approved = desk.reward(reward_id).approved_by is not None
        assert approved == (desk.trail() == [(COLLEAGUE, "approve", reward_id)])
        desk.operate().approve(reward_id, COLLEAGUE)
        assert desk.trail() == [(COLLEAGUE, "approve", reward_id)]
        return killed

    assert every_kill(run) >= 6


# --- one reward anew -------------------------------------------------------------------------------------------------


def test_a_failed_reward_is_sent_anew_once_however_often_it_is_asked(desk: RewardDesk) -> None:
    (reward_id,) = desk.failed(1)
    cycle = desk.reward(reward_id).cycle
    assert desk.operate().redrive(reward_id, COLLEAGUE).changed
    assert not desk.operate().redrive(reward_id, COLLEAGUE).changed
    reward = desk.reward(reward_id)
    assert (reward.status, reward.cycle, reward.shipment) == (RewardStatus.PENDING, cycle + 1, 1)
    assert desk.trail() == [(COLLEAGUE, "redrive", reward_id)]


def test_what_has_come_back_leaves_as_another_shipment(desk: RewardDesk) -> None:
    (reward_id,) = desk.won(1)
    desk.alter(reward_id, status=RewardStatus.RETURNED, accepted=1)
    assert desk.operate().redrive(reward_id, COLLEAGUE).sight.reward.shipment == 2


@pytest.mark.parametrize(
    "status",
    [
        RewardStatus.DISPATCHED,
        RewardStatus.DELIVERED,
        RewardStatus.FORFEITED,
        RewardStatus.AWAITING_APPROVAL,
    ],
)
def test_what_has_not_failed_is_not_sent_anew(desk: RewardDesk, status: RewardStatus) -> None:
    (reward_id,) = desk.won(1)
    desk.alter(reward_id, status=status)
    with pytest.raises(RewardNotWaiting) as refused:
        desk.operate().redrive(reward_id, COLLEAGUE)
    assert refused.value.params == {"status": status}
