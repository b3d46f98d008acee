"""Which reward a claim becomes, and which claims of a shard are new sales."""

from dataclasses import replace

import pytest

from brandday.domain.campaign import Campaign
from brandday.domain.fulfilment import HOUR_MS, Fulfilment, RewardKind
from brandday.domain.money import Money
from brandday.domain.reservation_id import parse_reservation_id
from brandday.domain.reward import Reward, RewardStatus
from brandday.domain.reward_id import parse_reward_id
from brandday.domain.reward_rules import CLAIM_GRACE_MS, newly_confirmed, reward_of, with_deadline
from brandday.domain.shard import CANCELLED, CONFIRMED, HELD, POINTER, Entry, Shard, encode_record, restock_mark
from brandday.domain.stock import Claim, ClaimRef
from tests.fakes.backend import CLOSES, OPENS, SALE, sale
from tests.fakes.reward_backend import CLAIM_UNTIL, FULFILMENT, prizes

ANN = "annannannann"
SOLD = Entry(CONFIRMED, "0", 2, OPENS + 5, "tagtag", "order-1")
NOW = OPENS + 1000


def _reward(campaign: Campaign, entry: Entry = SOLD, now: int = NOW) -> Reward:
    assert campaign.layout is not None
    return reward_of(campaign, campaign.layout, ANN, Claim(3, entry), now)


def test_a_reward_says_whose_it_is_and_what_it_came_from() -> None:
    reward = _reward(prizes())

    assert parse_reward_id(reward.id) == (ANN, SOLD.attempt, SALE)
    assert parse_reservation_id(reward.source) == (SALE, ClaimRef(3, ANN, SOLD.attempt))
    assert (reward.owner, reward.campaign_id, reward.sku) == (ANN, SALE, "HERO")
    assert (reward.quantity, reward.order_id) == (2, "order-1")
    assert reward.time_limit_ms == 72 * HOUR_MS
    assert (reward.created_at, reward.version) == (NOW, 0)


def test_the_same_claim_has_the_same_id_whenever_it_is_asked() -> None:
    assert _reward(prizes(), now=NOW).id == _reward(prizes(), now=NOW + HOUR_MS).id
    assert _reward(prizes()).id != _reward(prizes(), SOLD._replace(attempt=SOLD.attempt + 1)).id


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (RewardKind.ORDER, RewardStatus.DISPATCHED),
        (RewardKind.PHYSICAL, RewardStatus.AWAITING_ADDRESS),
        (RewardKind.DIGITAL, RewardStatus.PENDING),
    ],
)
def test_what_a_kind_waits_for(kind: RewardKind, status: RewardStatus) -> None:
    reward = _reward(prizes(kind))

    assert reward.status is status
    assert reward.claim_until == (CLAIM_UNTIL if kind.needs_address else None)
    assert (reward.cycle, reward.sent, reward.due_at) == (
        (1, 1, NOW + 72 * HOUR_MS) if status is RewardStatus.PENDING else (0, 0, None)
    )


def test_orders_leave_by_a_connector_if_the_campaign_has_one_for_them() -> None:
    choice = next(iter(FULFILMENT.by_kind.values()))
    campaign = prizes(RewardKind.ORDER, fulfilment=replace(FULFILMENT, by_kind={RewardKind.ORDER: choice}))

    assert _reward(campaign).status is RewardStatus.PENDING


def test_a_campaign_that_says_nothing_of_rewards_sells_orders() -> None:
    reward = _reward(sale())

    assert (reward.kind, reward.status) == (RewardKind.ORDER, RewardStatus.DISPATCHED)


def test_a_prize_whose_connector_was_taken_out_is_not_passed_off_as_delivered() -> None:
    assert _reward(prizes(RewardKind.DIGITAL, fulfilment=Fulfilment())).status is RewardStatus.PENDING


@pytest.mark.parametrize(
    ("each", "waits"),
    [(Money(25_000, "CNY"), False), (Money(25_001, "CNY"), True), (Money(1, "EUR"), True), (None, False)],
)
def test_money_above_the_amount_waits_for_a_second_person(each: Money | None, waits: bool) -> None:
    """Two units, and an amount of 500.00: what counts is what leaves at once."""
    status = RewardStatus.AWAITING_APPROVAL if waits else RewardStatus.PENDING

    assert _reward(prizes(RewardKind.CASH, value=each)).status is status


def test_nothing_but_money_waits_for_a_second_person() -> None:
    assert _reward(prizes(RewardKind.DIGITAL, value=Money(90_000, "CNY"))).status is RewardStatus.PENDING
    unlimited = replace(FULFILMENT, approve_over=None)
    assert _reward(prizes(RewardKind.CASH, value=Money(90_000, "CNY"), fulfilment=unlimited)).status == "pending"


def test_who_is_told_after_the_deadline_has_a_day_to_say_where_it_goes() -> None:
    assert _reward(prizes(), now=CLAIM_UNTIL - 1).claim_until == CLAIM_UNTIL
    assert _reward(prizes(), now=CLAIM_UNTIL).claim_until == CLAIM_UNTIL + CLAIM_GRACE_MS
    assert CLAIM_UNTIL > CLOSES


def test_a_deadline_that_is_put_off_holds_for_all_and_one_that_is_brought_forward_for_new_ones_only() -> None:
    reward = _reward(prizes())
    later, sooner = (replace(FULFILMENT, claim_until=CLAIM_UNTIL + change) for change in (1, -1))

    assert with_deadline(reward, later).claim_until == CLAIM_UNTIL + 1
    for same in (sooner, FULFILMENT, Fulfilment()):
        assert with_deadline(reward, same) == reward
    digital = _reward(prizes(RewardKind.DIGITAL))
    assert with_deadline(digital, later) == digital


# --- which claims are new sales ---


def _shard(**records: str | None) -> Shard:
    return Shard(3, 1, {}, {name: text for name, text in records.items() if text is not None})


def _new(before: Shard | None, after: Shard) -> list[tuple[str, int]]:
    return [(name, claim.entry.attempt) for name, claim in newly_confirmed(before, after)]


HOLD = SOLD._replace(state=HELD, order_id=None)
OTHER = SOLD._replace(attempt=SOLD.attempt + 7)


def test_a_hold_that_was_paid_is_a_new_sale() -> None:
    after = _shard(annannannann=encode_record([SOLD]))

    assert _new(_shard(annannannann=encode_record([HOLD])), after) == [(ANN, SOLD.attempt)]
    assert _new(None, after) == [(ANN, SOLD.attempt)], "also if the record is all there is"
    assert [claim.shard for _, claim in newly_confirmed(None, after)] == [3]


def test_a_sale_that_was_one_before_is_no_new_one() -> None:
    before, both = _shard(annannannann=encode_record([SOLD])), _shard(annannannann=encode_record([SOLD, OTHER]))

    assert _new(before, before) == []
    assert _new(before, both) == [(ANN, OTHER.attempt)]


def test_what_is_held_or_given_back_or_elsewhere_or_a_restock_is_no_sale() -> None:
    entries = [HOLD, OTHER._replace(state=CANCELLED), SOLD._replace(state=POINTER, order_id=None, shard=2)]
    records = {ANN: encode_record(entries), restock_mark("0", "more"): "5"}

    assert _new(None, _shard(**records)) == []
