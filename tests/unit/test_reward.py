"""The life of a reward: which step is possible when, and what holds after any row of steps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brandday.domain import reward as rules
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import MAX_WORDS, NO_ADDRESS, Lease, Report, Reward, RewardStatus, begin

NOW, LIMIT_MS, DEADLINE, LEASE_MS, CLAIM_MS = 1000, 100, 2000, 30, 50
ALL = frozenset(RewardStatus)
PENDING, FAILED, RETURNED = RewardStatus.PENDING, RewardStatus.FAILED, RewardStatus.RETURNED
AWAITING = RewardStatus.AWAITING_ADDRESS


def a_reward(status: RewardStatus = PENDING, kind: RewardKind = RewardKind.DIGITAL, **changes: Any) -> Reward:
    claim_until = DEADLINE if kind.needs_address else None
    plain = Reward("rwd_a", "a", "sale", kind, "HERO", 1, "rsv_a", NOW, status, NOW, LIMIT_MS, claim_until=claim_until)
    return replace(plain, pending_since=NOW if status is PENDING else None, cycle=1, sent=1, **changes)


def a_prize(status: RewardStatus = AWAITING, **changes: Any) -> Reward:
    return a_reward(status, RewardKind.PHYSICAL, **changes)


@pytest.mark.parametrize(
    ("kind", "needs_approval", "has_connector", "status"),
    [
        (RewardKind.DIGITAL, False, True, PENDING),
        (RewardKind.PHYSICAL, False, True, AWAITING),
        (RewardKind.CASH, True, True, RewardStatus.AWAITING_APPROVAL),
        (RewardKind.ORDER, False, True, PENDING),
        (RewardKind.ORDER, False, False, RewardStatus.DISPATCHED),
    ],
)
def test_a_reward_begins_with_what_it_waits_for(
    kind: RewardKind, needs_approval: bool, has_connector: bool, status: RewardStatus
) -> None:
    begun = begin(a_reward(kind=kind), NOW, needs_approval=needs_approval, has_connector=has_connector)
    assert begun.status is status


STEPS: dict[str, tuple[Callable[[Reward, int], Reward | None], set[RewardStatus]]] = {
    "approve": (lambda r, now: rules.approve(r, "olga", now), {RewardStatus.AWAITING_APPROVAL}),
    "lease": (lambda r, now: rules.lease(r, "w", now, LEASE_MS), {PENDING}),
    "send_again": (lambda r, now: rules.send_again(r, now, 0), {PENDING}),
    "give_up": (lambda r, now: rules.fail(r, None, "no", now), {PENDING}),
    "bury": (lambda r, _: rules.bury(r), {FAILED}),
    "redrive": (lambda r, now: rules.redrive(r, now, CLAIM_MS), {FAILED, RETURNED}),
    "units_returned": (lambda r, _: rules.units_returned(r), {RewardStatus.FORFEITED}),
    "report": (
        lambda r, now: rules.report(r, Report.RETURNED, now, now),
        {PENDING, RewardStatus.DISPATCHED, RewardStatus.DELIVERED, RETURNED, FAILED},
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_is_possible_in_its_statuses_only(name: str) -> None:
    step, possible = STEPS[name]
    assert {status for status in ALL if step(a_reward(status), NOW + 1) is not None} == possible


def test_an_address_can_be_put_right_until_somebody_begins_to_send_and_not_after_the_deadline() -> None:
    given_once = rules.give_address(a_prize(), b"here", DEADLINE - 1)
    assert given_once is not None
    assert (given_once.status, given_once.address, given_once.cycle) == (PENDING, b"here", 2)

    put_right = rules.give_address(given_once, b"there", DEADLINE - 1)
    assert put_right is not None
    assert (put_right.address, put_right.cycle, put_right.sent) == (b"there", 2, 1), "its message is on its way already"
    leased = rules.lease(put_right, "w", NOW, LEASE_MS)
    assert leased is not None
    assert rules.give_address(leased, b"late", NOW) is None
    assert rules.give_address(a_prize(), b"here", DEADLINE) is None
    assert rules.give_address(a_reward(AWAITING), b"here", NOW) is None, "it needs none"


def test_a_prize_is_forfeited_from_the_deadline_on_and_owes_its_units_until_they_are_back() -> None:
    assert rules.forfeit(a_prize(), DEADLINE - 1) is None
    forfeited = rules.forfeit(a_prize(), DEADLINE)
    assert forfeited is not None
    assert (forfeited.status, forfeited.owes_units) == (RewardStatus.FORFEITED, True)
    back = rules.units_returned(forfeited)
    assert back is not None
    assert not back.owes_units
    assert rules.units_returned(back) is None
    for status in ALL - {AWAITING}:
        assert rules.forfeit(a_prize(status), DEADLINE) is None


def test_what_a_partner_may_have_is_not_forfeited_but_fails() -> None:
    asked_again = rules.redrive(a_prize(FAILED, tried=True), DEADLINE, CLAIM_MS)
    assert asked_again is not None
    assert (asked_again.status, asked_again.claim_until) == (AWAITING, DEADLINE + CLAIM_MS)
    assert rules.forfeit(asked_again, DEADLINE + CLAIM_MS - 1) is None

    ended = rules.forfeit(asked_again, DEADLINE + CLAIM_MS)
    assert ended is not None
    assert (ended.status, ended.words, ended.owes_units) == (FAILED, NO_ADDRESS, False)
    told = rules.report(asked_again, Report.DELIVERED, NOW, NOW)
    assert told is not None
    assert told.status is RewardStatus.DELIVERED, "the partner had it"


def test_asking_again_never_brings_a_deadline_forward() -> None:
    asked_again = rules.redrive(a_prize(RETURNED), NOW, CLAIM_MS)
    assert asked_again is not None
    assert asked_again.claim_until == DEADLINE


def test_while_a_lease_runs_nobody_else_sends_or_gives_up_and_its_result_is_its_holders() -> None:
    leased = rules.lease(a_reward(), "one", NOW, LEASE_MS)
    assert leased is not None
    assert leased.lease == Lease("one", NOW + LEASE_MS)
    assert rules.lease(leased, "two", NOW + LEASE_MS - 1, LEASE_MS) is None
    assert rules.fail(leased, None, "late", NOW + LEASE_MS - 1) is None
    assert rules.send_again(leased, NOW + LEASE_MS, 1) is None, "not silent for long enough"
    taken_over = rules.lease(leased, "two", NOW + LEASE_MS, LEASE_MS)
    assert taken_over is not None
    assert taken_over.attempts == 2
    for outcome in (rules.accept(taken_over, "one", None, NOW), rules.put_off(taken_over, "one", "", NOW)):
        assert outcome is None
    assert rules.accept(leased, "one", "ref", NOW + 10 * LEASE_MS) is not None, "late, but nobody came between"


def test_once_it_is_accepted_the_address_is_gone() -> None:
    leased = rules.lease(a_prize(PENDING, address=b"here"), "w", NOW, LEASE_MS)
    assert leased is not None
    accepted = rules.accept(leased, "w", "ref", NOW)
    assert accepted is not None
    assert (accepted.status, accepted.address, accepted.reference) == (RewardStatus.DISPATCHED, None, "ref")
    assert (accepted.accepted, accepted.lease, accepted.due_at) == (1, None, None)


def test_the_partners_words_are_kept_within_bounds() -> None:
    leased = rules.lease(a_reward(), "w", NOW, LEASE_MS)
    assert leased is not None
    for after in (rules.fail(leased, "w", "x" * 9999, NOW), rules.put_off(leased, "w", "x" * 9999, NOW)):
        assert after is not None
        assert after.words == "x" * MAX_WORDS


@given(st.permutations([(Report.DELIVERED, 1), (Report.RETURNED, 2), (Report.DELIVERED, 3), (Report.RETURNED, 3)]))
def test_reports_come_to_the_same_in_any_order_however_often(order: list[tuple[Report, int]]) -> None:
    reward = a_reward(RewardStatus.DISPATCHED)
    for told, at in [*order, *order]:
        reward = rules.report(reward, told, at, NOW) or reward
    assert (reward.status, reward.reported_at) == (RETURNED, 3)


def test_a_report_of_the_first_shipment_says_nothing_of_the_second() -> None:
    returned = rules.report(a_reward(RewardStatus.DISPATCHED), Report.RETURNED, 7, NOW)
    assert returned is not None
    again = rules.redrive(returned, NOW, CLAIM_MS)
    assert again is not None
    assert (again.delivery_id, again.accepted) == ("rwd_a.2", 0)
    for told in Report:
        assert rules.report(again, told, 7, NOW) is None
        assert rules.report(again, told, 6, NOW) is None
        assert rules.report(again, told, 8, NOW) is not None


def test_what_failed_leaves_once_more_under_the_same_delivery_id() -> None:
    again = rules.redrive(a_reward(FAILED, attempts=3, words="no", tried=True), NOW, CLAIM_MS)
    assert again is not None
    assert (again.status, again.cycle, again.sent, again.attempts, again.words) == (PENDING, 2, 1, 0, None)
    assert (again.delivery_id, again.tried, again.due_at) == ("rwd_a", True, NOW + LIMIT_MS)


@pytest.mark.parametrize("status", sorted(ALL))
def test_an_address_is_forgotten_unless_it_is_about_to_be_used(status: RewardStatus) -> None:
    forgotten = rules.forget_address(a_prize(status, address=b"here"))
    assert (forgotten is None) == (status is PENDING)
    assert forgotten is None or forgotten.address is None
    assert rules.forget_address(a_prize(status)) is None


# --- any row of steps -------------------------------------------------------------------------------------------

HOLDERS = ("one", "two")
MOVES: dict[str, Callable[[Reward, int, int], Reward | None]] = {
    "approve": lambda r, now, _: rules.approve(r, "olga", now),
    "give_address": lambda r, now, _: rules.give_address(r, b"here", now),
    "forfeit": lambda r, now, _: rules.forfeit(r, now),
    "units_returned": lambda r, *_: rules.units_returned(r),
    "send_again": lambda r, now, _: rules.send_again(r, now, LEASE_MS),
    "lease": lambda r, now, n: rules.lease(r, HOLDERS[n % 2], now, LEASE_MS),
    "accept": lambda r, now, n: rules.accept(r, HOLDERS[n % 2], "ref", now),
    "put_off": lambda r, now, n: rules.put_off(r, HOLDERS[n % 2], "later", now),
    "refuse": lambda r, now, n: rules.fail(r, HOLDERS[n % 2], "no", now),
    "give_up": lambda r, now, _: rules.fail(r, None, "late", now),
    "bury": lambda r, *_: rules.bury(r),
    "report": lambda r, now, n: rules.report(r, list(Report)[n % 2], NOW + n, now),
    "redrive": lambda r, now, _: rules.redrive(r, now, CLAIM_MS),
    "forget": lambda r, *_: rules.forget_address(r),
}
moves = st.lists(st.tuples(st.sampled_from(sorted(MOVES)), st.integers(0, 40), st.integers(0, 9)), max_size=60)
FINAL = (RewardStatus.FORFEITED,)


@settings(max_examples=400)
@given(st.sampled_from(RewardKind), st.booleans(), moves)
def test_whatever_happens_a_reward_makes_sense(
    kind: RewardKind, needs_approval: bool, row: list[tuple[str, int, int]]
) -> None:
    now = NOW
    reward = begin(a_reward(kind=kind), now, needs_approval=needs_approval, has_connector=True)
    for name, passed, number in row:
        now += passed
        after = MOVES[name](reward, now, number)
        if after is None:
            continue
        _check(after)
        _check_step(name, reward, after)
        reward = after


def _check(reward: Reward) -> None:
    pending = reward.status is PENDING
    assert (reward.pending_since is not None) == pending == (reward.due_at is not None)
    assert reward.lease is None or pending
    assert reward.accepted <= 1
    assert not pending or not reward.kind.needs_address or reward.address is not None
    assert reward.address is None or reward.status in (PENDING, FAILED)
    assert reward.status is not AWAITING or (reward.kind.needs_address and reward.claim_until is not None)
    assert not reward.units_returned or reward.status is RewardStatus.FORFEITED
    assert reward.status is not RewardStatus.FORFEITED or not reward.tried
    assert reward.buried <= reward.cycle


def _check_step(name: str, before: Reward, after: Reward) -> None:
    assert (before.id, before.owner, before.source, before.quantity) == (
        after.id,
        after.owner,
        after.source,
        after.quantity,
    )
    assert (after.cycle, after.sent) >= (before.cycle, before.sent)
    assert after.shipment >= before.shipment
    if before.status is not PENDING and after.status is PENDING:
        assert after.cycle == before.cycle + 1, "or no message is sent"
    if (after.cycle, after.sent) > (before.cycle, before.sent):
        assert after.status is PENDING
    if after.shipment > before.shipment:
        assert (name, before.status) == ("redrive", RETURNED)
        assert after.delivery_id != before.delivery_id
    if before.status in FINAL:
        assert after == replace(before, units_returned=True)
