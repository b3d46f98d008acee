"""Operators make coupons: as many as the campaign may have, the same ones however often a step is repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from brandday.domain.campaign import Campaign, Status
from brandday.domain.coupon import CodeKind, IssuedBy
from brandday.domain.coupon_code import coupon_id, fold, show
from brandday.domain.coupon_job import BATCH, Disabled, Issued, JobKind, Row, RowProblem
from brandday.domain.coupon_record import CouponFacts
from brandday.domain.errors import (
    CampaignChangeRefused,
    CampaignEnded,
    CampaignNotFound,
    CampaignNotPublished,
    CouponJobConflict,
    CouponJobNotFound,
    CouponsExceeded,
    TemporarilyOverloaded,
    ValidationFailed,
    WrongMechanic,
)
from brandday.domain.reward import RewardStatus
from brandday.domain.trail import TrailEntry
from brandday.usecases.coupon_jobs import ADD_AT_ONCE, ManageCoupons
from brandday.usecases.coupon_ports import CAMPAIGN_PARTS
from tests.fakes.backend import OPENS, SALE, SALT, sale, sku
from tests.fakes.clock import SettableClock
from tests.fakes.coupon_backend import coupon_terms, coupons
from tests.fakes.coupon_desk import CouponDesk
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_stock import MemoryStock
from tests.fakes.tap import Killed, every_kill, failing, killed_at

WHO = "operator-1"
DIGEST = "a" * 64
GENERATE, TARGET, IMPORT = JobKind.GENERATE, JobKind.TARGET, JobKind.IMPORT


def made_by_operators(quantity: int = 1200, **changes: Any) -> Campaign:
    """A campaign whose coupons operators generate."""
    return coupons(coupon_terms(issued_by=IssuedBy.OPERATORS, quantity=quantity, **changes))


def of_a_partner(quantity: int = 1200, prefix: str = "TEA") -> Campaign:
    """A campaign whose codes come from a partner."""
    terms = coupon_terms(
        issued_by=IssuedBy.OPERATORS, code_kind=CodeKind.IMPORTED, quantity=quantity, prefix=fold(prefix)
    )
    return coupons(terms)


def desk(campaign: Campaign | None = None) -> CouponDesk:
    """Return an operator's desk with this one campaign, published."""
    chosen = campaign or made_by_operators()
    campaigns = MemoryCampaigns(MemorySummaries(), salt=SALT, secret=bytes(range(32)))
    campaigns.save(chosen, 0, TrailEntry("0", OPENS - 1, WHO, "published", 1, ()))
    return CouponDesk(campaigns, MemoryStock(), SettableClock(OPENS))


def facts(of: CouponDesk) -> dict[str, CouponFacts]:
    """Return all coupons by source."""
    return {one.source: one for one in of.coupons.facts.values()}


def run(manage: ManageCoupons, name: str, size: int) -> list[CouponFacts]:
    """Generate all coupons of a job."""
    manage.start(SALE, name, GENERATE, size, "", WHO)
    return [one for start in range(0, size, BATCH) for one in manage.make(SALE, name, start)]


# --- generate -------------------------------------------------------------------------------------------------


def test_a_job_makes_each_of_its_coupons_once_however_often_its_steps_are_repeated() -> None:
    world = desk()
    made = run(world.manage(), "spring", 1100)

    again = run(world.manage(), "spring", 1100)

    assert again == made
    assert facts(world) == {f"job:spring.{number}": one for number, one in enumerate(made)}
    assert len({one.code for one in made}) == 1100
    assert {one.owner for one in made} == {None}
    assert world.jobs.issued(SALE) == Issued(1100, OPENS + 1100)
    assert world.jobs.jobs[SALE, "spring"].done == 1100
    assert [entry.act for entry in world.jobs.trail] == ["coupons_generate"]
    assert world.rewards.rewards == {}, "a bearer coupon is nobody's"


def test_two_jobs_have_no_code_and_no_moment_in_common() -> None:
    world = desk()
    first, second = run(world.manage(), "spring", 600), run(world.manage(), "autumn", 600)

    assert not {one.code for one in first} & {one.code for one in second}
    jobs = {job.name: job for job in world.manage().list_jobs(SALE)}
    assert jobs["autumn"].at >= jobs["spring"].at + 600


def test_coupons_stop_exactly_at_what_there_may_be() -> None:
    world = desk(made_by_operators(quantity=1000))
    manage = world.manage()
    manage.start(SALE, "one", GENERATE, 600, "", WHO)

    with pytest.raises(CouponsExceeded) as refused:
        manage.start(SALE, "two", GENERATE, 401, "", WHO)
    assert refused.value.params["left"] == 400
    manage.start(SALE, "two", GENERATE, 400, "", WHO)
    with pytest.raises(CouponsExceeded):
        manage.start(SALE, "three", GENERATE, 1, "", WHO)

    assert world.jobs.issued(SALE).count == 1000


def test_a_budget_stops_them_exactly_at_the_cap() -> None:
    world = desk(made_by_operators(quantity=1000, budget=30_999))  # thirty times ten yuan, and nearly another
    manage = world.manage()

    with pytest.raises(CouponsExceeded):
        manage.start(SALE, "one", GENERATE, 31, "", WHO)
    manage.start(SALE, "one", GENERATE, 30, "", WHO)


def test_two_jobs_at_the_same_moment_are_both_counted() -> None:
    world = desk(made_by_operators(quantity=1000))
    slow, quick = world.manage(), world.manage()
    world.tap.before = lambda name: _once(
        world, name, "jobs.create", lambda: quick.start(SALE, "b", GENERATE, 600, "", WHO)
    )

    with pytest.raises(CouponsExceeded):
        slow.start(SALE, "a", GENERATE, 600, "", WHO)

    assert world.jobs.issued(SALE).count == 600


def _once(world: CouponDesk, name: str, at: str, act: Any) -> None:
    if name == at:
        world.tap.before = lambda _: None
        act()


@pytest.mark.parametrize(("kind", "size", "digest"), [(GENERATE, 11, ""), (TARGET, 10, DIGEST), (GENERATE, 10, DIGEST)])
def test_a_name_stands_for_one_job(kind: JobKind, size: int, digest: str) -> None:
    world = desk()
    manage = world.manage()
    manage.start(SALE, "spring", GENERATE, 10, "", WHO)

    with pytest.raises(CouponJobConflict):
        manage.start(SALE, "spring", kind, size, digest, WHO)
    assert not manage.start(SALE, "spring", GENERATE, 10, "", WHO).is_new


def test_a_job_that_was_begun_goes_on_when_the_campaign_has_ended_and_no_new_one_begins() -> None:
    world = desk()
    manage = world.manage()
    manage.start(SALE, "spring", GENERATE, 10, "", WHO)
    world.campaigns.campaigns[SALE] = replace(world.campaigns.campaigns[SALE], status=Status.ENDED, ended_at=OPENS)

    assert len(manage.make(SALE, "spring", 0)) == 10
    with pytest.raises(CampaignEnded):
        manage.start(SALE, "late", GENERATE, 10, "", WHO)


@pytest.mark.parametrize(
    ("campaign", "kind", "expected"),
    [
        (made_by_operators(), IMPORT, CampaignChangeRefused),
        (of_a_partner(), GENERATE, CampaignChangeRefused),
        (of_a_partner(), TARGET, CampaignChangeRefused),
        (coupons(), GENERATE, CampaignChangeRefused),
        (coupons(coupon_terms(code_kind=CodeKind.SHARED, code="TEA")), GENERATE, CampaignChangeRefused),
        (sale(sku()), GENERATE, WrongMechanic),
        (replace(made_by_operators(), status=Status.DRAFT, layout=None), GENERATE, CampaignNotPublished),
    ],
)
def test_coupons_come_into_the_world_as_their_campaign_says(
    campaign: Campaign, kind: JobKind, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        desk(campaign).manage().start(SALE, "job", kind, 10, "", WHO)


def test_what_is_not_there_is_named() -> None:
    manage = desk().manage()
    with pytest.raises(CampaignNotFound):
        manage.start("another", "job", GENERATE, 10, "", WHO)
    with pytest.raises(CouponJobNotFound):
        manage.make(SALE, "job", 0)
    with pytest.raises(CouponJobNotFound):
        manage.take_in(SALE, "job", [Row(1, "TEA-1")])
    manage.start(SALE, "job", GENERATE, 10, "", WHO)
    with pytest.raises(ValidationFailed):
        manage.make(SALE, "job", 10)
    with pytest.raises(ValidationFailed):
        manage.make(SALE, "job", 0, ["ann"] * 10)
    with pytest.raises(CouponJobConflict):
        manage.take_in(SALE, "job", [Row(1, "TEA-1")])


# --- for a list of shoppers -----------------------------------------------------------------------------------


def _target(world: CouponDesk, shoppers: list[str], name: str = "vip") -> list[CouponFacts]:
    manage = world.manage()
    manage.start(SALE, name, TARGET, len(shoppers), DIGEST, WHO)
    return [
        one
        for start in range(0, len(shoppers), BATCH)
        for one in manage.make(SALE, name, start, shoppers[start : start + BATCH])
    ]


def test_each_shopper_of_a_list_has_a_coupon_and_its_reward() -> None:
    world = desk()
    shoppers = [f"shopper-{number % 600}" for number in range(700)]  # some are in the list twice, and get two

    made = _target(world, shoppers)
    again = _target(world, shoppers)

    layout = world.campaigns.campaigns[SALE].layout
    assert layout is not None
    assert again == made
    assert [one.owner for one in made] == [layout.name_of(shopper) for shopper in shoppers]
    rewards = world.rewards.rewards.values()
    assert sorted((reward.source, reward.owner) for reward in rewards) == sorted((one.id, one.owner) for one in made)
    assert {reward.status for reward in rewards} == {RewardStatus.PENDING}


def test_the_same_list_in_two_jobs_gives_each_shopper_two_rewards() -> None:
    world = desk()
    _target(world, ["ann", "bob"], "one")
    _target(world, ["ann", "bob"], "two")

    assert len(world.rewards.rewards) == 4


def test_a_batch_has_as_many_shoppers_as_coupons() -> None:
    manage = desk().manage()
    manage.start(SALE, "vip", TARGET, 3, DIGEST, WHO)
    for shoppers in (None, ["ann"], ["ann"] * 4):
        with pytest.raises(ValidationFailed):
            manage.make(SALE, "vip", 0, shoppers)


def test_wherever_a_list_is_stopped_the_next_run_completes_it() -> None:
    shoppers = ["ann", "bob", "cyn"]

    def killed(point: int) -> bool:
        world = desk()
        stopped = True
        try:
            with killed_at(world.tap, point):
                _target(world, shoppers)
                stopped = False
        except Killed:
            pass
        made = _target(world, shoppers)
        assert len(made) == len(world.coupons.facts) == len(world.rewards.rewards) == 3
        assert world.jobs.issued(SALE).count == 3
        return stopped

    assert every_kill(killed) >= 14


# --- a partner's file -----------------------------------------------------------------------------------------


def _start_import(world: CouponDesk, name: str = "file", lines: int = 2000) -> ManageCoupons:
    manage = world.manage()
    manage.start(SALE, name, IMPORT, lines, DIGEST, WHO)
    return manage


def test_good_lines_are_kept_and_each_bad_one_is_told_with_its_reason() -> None:
    world = desk(of_a_partner())
    manage = _start_import(world)
    lines = ["TEA-0001", "tea 0oo1", "", "TEA!", "COF-0001", "TEA-0002", "T" * 300, "TEA-0003", "茶-0001"]

    told = manage.take_in(SALE, "file", [Row(number, code) for number, code in enumerate(lines, 1)])

    assert [taken.problem for taken in told] == [
        None,
        RowProblem.DUPLICATE,  # the same, as it is folded
        RowProblem.MALFORMED,
        RowProblem.MALFORMED,
        RowProblem.FOREIGN,
        None,
        RowProblem.MALFORMED,
        None,
        RowProblem.MALFORMED,
    ]
    assert sorted(one.code for one in world.coupons.facts.values()) == [fold(f"TEA-000{n}") for n in (1, 2, 3)]
    assert world.jobs.issued(SALE).count == world.jobs.jobs[SALE, "file"].count == 3


def test_a_file_that_is_sent_again_adds_nothing_and_is_told_the_same() -> None:
    world = desk(of_a_partner())
    rows = [Row(number, f"TEA-{number % 250:04}") for number in range(1, 501)]

    first = _start_import(world).take_in(SALE, "file", rows)
    again = _start_import(world).take_in(SALE, "file", rows)

    assert [taken.problem for taken in first] == [None] * 250 + [RowProblem.DUPLICATE] * 250
    assert again == first
    assert world.jobs.issued(SALE).count == 250


def test_a_code_that_another_file_brought_is_a_duplicate_and_stays_as_it_is() -> None:
    world = desk(of_a_partner())
    _start_import(world, "one").take_in(SALE, "one", [Row(1, "TEA-0001", "ann")])
    before = dict(world.coupons.facts)

    told = _start_import(world, "two").take_in(SALE, "two", [Row(1, "TEA-0001", "bob"), Row(2, "TEA-0002")])

    assert [taken.problem for taken in told] == [RowProblem.DUPLICATE, None]
    assert world.coupons.facts.items() >= before.items()


def test_imports_stop_exactly_at_what_there_may_be() -> None:
    world = desk(of_a_partner(quantity=150))
    manage = _start_import(world)
    rows = [Row(number, f"TEA-{number:04}") for number in range(1, 201)]

    told = manage.take_in(SALE, "file", rows)

    assert [taken.problem for taken in told] == [None] * 150 + [RowProblem.EXCEEDED] * 50
    assert len(world.coupons.facts) == world.jobs.issued(SALE).count == 150
    assert manage.take_in(SALE, "file", rows) == told, "what was taken in before is no new one"


def test_two_files_at_the_same_moment_never_count_a_code_twice() -> None:
    world = desk(of_a_partner(quantity=120))
    slow = _start_import(world, "slow")
    quick = _start_import(world, "quick")
    rows = [Row(number, f"TEA-{number:04}") for number in range(1, 91)]
    world.tap.before = lambda name: _once(world, name, "jobs.add", lambda: quick.take_in(SALE, "quick", rows[40:]))

    told = slow.take_in(SALE, "slow", rows)

    assert [taken.problem for taken in told] == [None] * 40 + [RowProblem.DUPLICATE] * 50
    assert len(world.coupons.facts) == world.jobs.issued(SALE).count == 90


def test_a_line_for_a_shopper_gives_the_reward() -> None:
    world = desk(of_a_partner())
    rows = [Row(1, "TEA-0001", "ann"), Row(2, "TEA-0002")]
    for _ in range(2):
        _start_import(world).take_in(SALE, "file", rows)

    (reward,) = world.rewards.rewards.values()
    (coupon,) = [one for one in world.coupons.facts.values() if one.owner is not None]
    assert (reward.source, reward.owner) == (coupon.id, coupon.owner)


def test_wherever_an_import_is_stopped_the_next_run_completes_it() -> None:
    lines = range(1, ADD_AT_ONCE + 3)  # two transactions
    rows = [Row(number, f"TEA-{number:04}", "ann" if number > ADD_AT_ONCE - 2 else None) for number in lines]

    def killed(point: int) -> bool:
        world = desk(of_a_partner())
        stopped = True
        try:
            with killed_at(world.tap, point):
                _start_import(world).take_in(SALE, "file", rows)
                stopped = False
        except Killed:
            pass
        told = _start_import(world).take_in(SALE, "file", rows)
        assert {taken.problem for taken in told} == {None}
        assert len(world.coupons.facts) == world.jobs.issued(SALE).count == len(rows)
        assert len(world.rewards.rewards) == 4
        return stopped

    assert every_kill(killed) >= 26


def test_an_answer_of_the_table_that_got_lost_counts_nothing_twice() -> None:
    world = desk(of_a_partner())
    manage = _start_import(world)
    rows = [Row(1, "TEA-0001")]
    with (
        failing(world.tap, "jobs.add", TemporarilyOverloaded(), committed=True),
        pytest.raises(TemporarilyOverloaded),
    ):
        manage.take_in(SALE, "file", rows)

    (taken,) = manage.take_in(SALE, "file", rows)

    assert taken.problem is None
    assert world.jobs.issued(SALE).count == 1


# --- disable, and look ----------------------------------------------------------------------------------------


def test_disabling_tells_of_each_code_and_can_be_repeated() -> None:
    world = desk()
    made = run(world.manage(), "spring", 3)
    codes = [show(made[0].code).lower(), made[1].code, "0000-0000-0000-0000", made[0].code]

    told = world.manage().disable(SALE, codes, WHO)

    assert told == [Disabled.DISABLED, Disabled.DISABLED, Disabled.NOT_FOUND, Disabled.DISABLED]
    assert world.manage().disable(SALE, codes[:2], WHO) == [Disabled.BEFORE] * 2
    assert {key for key, state in world.coupons.states.items() if state.disabled} == {made[0].id, made[1].id}
    assert [entry.act for entry in world.jobs.trail][-1] == "coupons_disable"
    assert not any(code in str(world.jobs.trail) for code in codes), "codes are no business of the trail's readers"


def test_a_coupon_of_another_campaign_is_not_found() -> None:
    world = desk()
    (coupon,) = run(world.manage(), "spring", 1)
    other = replace(world.campaigns.campaigns[SALE], id="another")
    world.campaigns.campaigns["another"] = other

    assert world.manage().disable("another", [coupon.code], WHO) == [Disabled.NOT_FOUND]


def test_pages_have_everything_and_name_a_code_that_its_source_does_not_make() -> None:
    world = desk()
    made = run(world.manage(), "spring", 40)
    keys = world.manage().codes.keys()
    false = replace(made[7], code=made[8].code)
    strange = replace(made[9], code=made[10].code, id=coupon_id(keys, made[10].code) + "x")
    del world.coupons.facts[made[9].id]
    world.coupons.put_facts([false, strange])

    sights = [world.manage().page(SALE, part, None) for part in range(CAMPAIGN_PARTS)]

    assert sum(len(sight.page.facts) for sight in sights) == 40
    assert {key for sight in sights for key in sight.forged} == {false.id, strange.id}
    for part in (-1, CAMPAIGN_PARTS):
        with pytest.raises(ValueError, match="part"):
            world.manage().page(SALE, part, None)
