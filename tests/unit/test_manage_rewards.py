"""What a shopper sees of their rewards, and how a prize gets its address."""

import json
from dataclasses import replace

import pytest

from brandday.domain.errors import (
    FieldError,
    RewardClosed,
    RewardNotFound,
    TemporarilyOverloaded,
    ValidationFailed,
)
from brandday.domain.fulfilment import RewardKind
from brandday.domain.layout import shopper_name
from brandday.domain.reward import Reward, RewardStatus
from brandday.domain.reward import lease as leased
from brandday.usecases.manage_rewards import MAX_RACES, ManageRewards, Owners
from brandday.usecases.reward_ports import Dispatch
from tests.fakes.backend import SALE, SALT
from tests.fakes.memory_rewards import MemoryRewards
from tests.fakes.reward_backend import CLAIM_UNTIL, DAY_MS, RewardBackend, prizes
from tests.fakes.tap import failing

HOME = {"name": "Ann 安", "lines": ["1 High Street"], "country": "GB"}
WORK = HOME | {"lines": ["2 Mill Lane"]}


def _won(kind: RewardKind = RewardKind.PHYSICAL) -> tuple[RewardBackend, str]:
    backend = RewardBackend(prizes(kind))
    reward_id = backend.win("ann")
    backend.issue()
    return backend, reward_id


# --- looking ---


def test_a_shopper_sees_their_own_reward_under_its_name() -> None:
    backend, reward_id = _won()

    view = backend.manager().get("ann", reward_id)

    assert view.reward == backend.reward(reward_id)
    assert view.title == {"en": "HERO"}


@pytest.mark.parametrize("other", ["rwd_annannannann.0mrc9khs.brand-day-2026-07", "nonsense", "", "rwd_"])
def test_what_is_not_there_or_somebody_elses_looks_the_same(other: str) -> None:
    backend, reward_id = _won()
    manager = backend.manager()

    for shopper, asked in (("bob", reward_id), ("ann", other), ("ann", reward_id.replace(SALE, "other-sale"))):
        with pytest.raises(RewardNotFound):
            manager.get(shopper, asked)
        with pytest.raises(RewardNotFound):
            manager.give_address(shopper, asked, HOME)
    assert backend.tap.count("cipher") == 0


def test_of_somebody_elses_not_even_the_table_is_asked() -> None:
    backend, reward_id = _won()
    with pytest.raises(RewardNotFound):
        backend.manager().get("bob", reward_id)

    assert backend.tap.count("rewards.get") == 0


def _many(backend: RewardBackend, count: int) -> list[str]:
    made = []
    for _ in range(count):
        backend.clock.advance(1000)
        made.append(backend.win("ann"))
    backend.win("bob")
    backend.issue()
    return made


def test_the_list_is_the_shoppers_own_newest_first_page_by_page() -> None:
    backend = RewardBackend(prizes(stock=40))
    backend.change(skus=tuple(replace(sku, units_per_shopper=35) for sku in backend.campaign.skus))
    made = _many(backend, 7)
    manager = backend.manager()

    seen: list[str] = []
    after: str | None = None
    sizes = []
    while True:
        page = manager.list("ann", 3, after)
        seen += [view.reward.id for view in page.items]
        sizes.append(len(page.items))
        after = page.next
        if after is None:
            break

    assert seen == list(reversed(made))
    assert sizes == [3, 3, 1]


def test_a_cursor_that_is_none_of_ours_is_refused_by_name() -> None:
    backend, _ = _won()

    with pytest.raises(ValidationFailed) as refused:
        backend.manager().list("ann", 10, "not a cursor")

    assert refused.value.errors == (FieldError("query:after", "not_a_cursor"),)


def test_who_has_won_nothing_has_an_empty_list() -> None:
    backend, _ = _won()

    assert backend.manager().list("bob", 10, None).items == ()


def test_before_anything_was_published_nobody_has_a_reward() -> None:
    backend, reward_id = _won()
    backend.campaigns.salt = None
    manager = backend.manager()

    assert manager.list("ann", 10, None).items == ()
    with pytest.raises(RewardNotFound):
        manager.get("ann", reward_id)


def test_a_campaign_that_is_gone_leaves_the_name_of_what_was_won() -> None:
    backend, reward_id = _won()
    del backend.campaigns.campaigns[SALE]

    assert backend.manager().get("ann", reward_id).title == {"en": "HERO"}


def test_the_salt_is_asked_for_until_there_is_one_and_then_remembered() -> None:
    answers = iter([None, SALT])
    owners = Owners(lambda: next(answers))

    assert [owners("ann"), owners("ann"), owners("bob")] == [None, *(shopper_name(SALT, who) for who in ("ann", "bob"))]


# --- saying where it goes ---


def test_an_address_sets_a_prize_on_its_way_and_is_stored_as_ciphertext_only() -> None:
    backend, reward_id = _won()

    view = backend.manager().give_address("ann", reward_id, HOME)

    stored = backend.reward(reward_id)
    assert view.reward.status is stored.status is RewardStatus.PENDING
    assert stored.address is not None
    assert b"High" not in stored.address
    assert json.loads(backend.cipher.decrypt(reward_id, stored.address)) == HOME
    backend.dispatch()
    assert backend.fulfilments.messages == [Dispatch(reward_id, 1, 1)]


def test_the_order_of_fields_makes_no_other_address() -> None:
    backend, reward_id = _won()
    manager = backend.manager()
    manager.give_address("ann", reward_id, HOME)
    first = backend.reward(reward_id).address
    manager.give_address("ann", reward_id, dict(reversed(HOME.items())))

    assert backend.reward(reward_id).address == first


def test_the_same_again_is_fine_and_another_one_corrects_it_without_a_second_message() -> None:
    backend, reward_id = _won()
    for address in (HOME, HOME, WORK):
        assert backend.manager().give_address("ann", reward_id, address).reward.status is RewardStatus.PENDING
    backend.dispatch()

    stored = backend.reward(reward_id)
    assert stored.address is not None
    assert json.loads(backend.cipher.decrypt(reward_id, stored.address)) == WORK
    assert len(backend.fulfilments.messages) == 1


@pytest.mark.parametrize("status", [RewardStatus.DISPATCHED, RewardStatus.FORFEITED, RewardStatus.FAILED])
def test_too_late_is_said_with_the_status_and_nothing_is_encrypted(status: RewardStatus) -> None:
    backend, reward_id = _won()
    backend.alter(reward_id, status=status)

    with pytest.raises(RewardClosed) as refused:
        backend.manager().give_address("ann", reward_id, HOME)

    assert refused.value.params == {"status": str(status)}
    assert backend.tap.count("cipher") == 0
    assert backend.reward(reward_id).address is None


def test_the_claim_deadline_is_the_first_moment_that_is_too_late() -> None:
    backend, reward_id = _won()
    backend.clock.now = CLAIM_UNTIL - 1
    backend.manager().give_address("ann", reward_id, HOME)

    backend.clock.now = CLAIM_UNTIL
    with pytest.raises(RewardClosed):
        backend.manager().give_address("ann", reward_id, WORK)


def test_a_deadline_that_was_put_off_gives_more_time() -> None:
    backend, reward_id = _won()
    backend.change(fulfilment=replace(backend.campaign.fulfilment, claim_until=CLAIM_UNTIL + 1))
    backend.clock.now = CLAIM_UNTIL

    manager = backend.manager()
    assert manager.get("ann", reward_id).reward.claim_until == CLAIM_UNTIL + 1
    assert manager.list("ann", 1, None).items[0].reward.claim_until == CLAIM_UNTIL + 1
    assert manager.give_address("ann", reward_id, HOME).reward.status is RewardStatus.PENDING


def test_what_needs_no_address_takes_none() -> None:
    backend, reward_id = _won(RewardKind.DIGITAL)

    with pytest.raises(RewardClosed):
        backend.manager().give_address("ann", reward_id, HOME)


class _Racing(MemoryRewards):
    """Something else happens to a reward just before it is saved, `races` times."""

    races = 0

    def save(self, before: Reward, after: Reward) -> bool:
        """Lose the race as long as there are any left."""
        if self.races:
            self.races -= 1
            current = self.rewards[before.id]
            self.rewards[before.id] = self.meanwhile(replace(current, version=current.version + 1))
        return super().save(before, after)

    def meanwhile(self, reward: Reward) -> Reward:
        """What happens to it: nothing that matters."""
        return reward


class _Taken(_Racing):
    def meanwhile(self, reward: Reward) -> Reward:
        """A worker begins to send it."""
        taken = leased(replace(reward, status=RewardStatus.PENDING), "worker", reward.created_at, DAY_MS)
        assert taken is not None
        return taken


def _race(rewards: _Racing) -> tuple[ManageRewards, str]:
    backend, reward_id = _won()
    rewards.rewards = backend.rewards.rewards
    return ManageRewards(rewards, backend.live(), lambda _: reward_id[4:16], backend.cipher, backend.clock), reward_id


@pytest.mark.parametrize("races", [1, MAX_RACES - 1])
def test_a_lost_race_is_run_again(races: int) -> None:
    rewards = _Racing()
    rewards.races = races
    manager, reward_id = _race(rewards)

    assert manager.give_address("ann", reward_id, HOME).reward.status is RewardStatus.PENDING
    assert rewards.rewards[reward_id].address is not None


def test_who_loses_every_race_may_try_again() -> None:
    rewards = _Racing()
    rewards.races = MAX_RACES
    manager, reward_id = _race(rewards)

    with pytest.raises(TemporarilyOverloaded):
        manager.give_address("ann", reward_id, HOME)


def test_a_worker_that_was_faster_makes_it_too_late() -> None:
    rewards = _Taken()
    rewards.races = 1
    manager, reward_id = _race(rewards)

    with pytest.raises(RewardClosed) as refused:
        manager.give_address("ann", reward_id, HOME)
    assert refused.value.params == {"status": "pending"}


def test_an_answer_that_was_lost_is_got_by_asking_again() -> None:
    backend, reward_id = _won()
    with (
        failing(backend.tap, "rewards.save", TemporarilyOverloaded(), committed=True),
        pytest.raises(TemporarilyOverloaded),
    ):
        backend.manager().give_address("ann", reward_id, HOME)

    assert backend.manager().give_address("ann", reward_id, HOME).reward.status is RewardStatus.PENDING


def test_no_refusal_repeats_the_address() -> None:
    backend, reward_id = _won()
    backend.alter(reward_id, status=RewardStatus.DISPATCHED)
    with pytest.raises(RewardClosed) as refused:
        backend.manager().give_address("ann", reward_id, HOME)

    assert "High" not in f"{refused.value!r}{refused.value}{refused.value.params}"
