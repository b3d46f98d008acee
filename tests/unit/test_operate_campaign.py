"""What operators may do when, what it leaves behind, and that every act can be repeated."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from brandday.domain.campaign import Campaign, State, Status
from brandday.domain.errors import (
    BrandDayError,
    CampaignChangeRefused,
    CampaignConflict,
    CampaignEnded,
    CampaignNotFound,
    CampaignNotPublished,
    FieldError,
    RestockConflict,
    TemporarilyOverloaded,
    ValidationFailed,
)
from brandday.domain.shard import Refused, Shard, ShardWrite, Written
from brandday.domain.trail import Change, TrailEntry
from brandday.usecases.operate_campaign import OperateCampaign
from tests.fakes.declarations import BEFORE, DURING, ENDS_AT, FULFILMENT, WEBHOOK, declared, document
from tests.fakes.destinations import all_reachable
from tests.fakes.memory_stock import MemoryStock
from tests.fakes.operator_desk import WHO, Desk, RecordedCampaigns

ID = declared().id


@pytest.fixture
def desk() -> Desk:
    return Desk()


def pointers(error: BrandDayError) -> list[str]:
    return [place.pointer for place in error.errors]


# --- apply ---


def test_a_new_campaign_is_a_draft_at_version_one(desk: Desk) -> None:
    act = desk.operate.apply(declared(), WHO)
    assert act.campaign == desk.live() == replace(declared(), version=1, applied_at=BEFORE)
    assert act.campaign.state_at(DURING) is State.DRAFT
    assert Change(("skus", "HERO-1", "stock"), None, 100) in act.changes


def test_applying_the_same_again_changes_nothing(desk: Desk) -> None:
    desk.operate.apply(declared(), WHO)
    assert desk.operate.apply(declared(), WHO).changes == ()
    assert desk.live().version == 1
    assert desk.acts() == ["apply"]


def test_a_dry_run_tells_all_and_writes_nothing(desk: Desk) -> None:
    desk.operate.apply(declared(), WHO)
    act = desk.operate.apply(declared("skus.0.stock", 200), WHO, dry_run=True)
    assert act.changes == (Change(("skus", "HERO-1", "stock"), 100, 200),)
    assert desk.live().skus[0].stock == 100
    assert desk.acts() == ["apply"]


def test_everything_about_a_draft_may_change(desk: Desk) -> None:
    desk.operate.apply(declared(), WHO)
    changed = declared(
        time_zone="Asia/Tokyo", hold_seconds=60, limit_per_shopper=9, skus=document()["skus"][:1], mechanic="flash_sale"
    )
    act = desk.operate.apply(changed, WHO)
    assert {change.field for change in act.changes} >= {"time_zone", "starts_at", "hold_seconds", "skus.CREAM-2.stock"}
    assert desk.live() == replace(changed, version=2, applied_at=BEFORE)


def test_another_order_of_skus_is_a_change(desk: Desk) -> None:
    desk.operate.apply(declared(), WHO)
    act = desk.operate.apply(declared(skus=document()["skus"][::-1]), WHO)
    assert act.changes == (Change(("skus",), ["HERO-1", "CREAM-2"], ["CREAM-2", "HERO-1"]),)


def test_apply_publishes_what_is_declared_as_published(desk: Desk) -> None:
    act = desk.operate.apply(declared(), WHO, publish=True)
    assert act.campaign.status is Status.PUBLISHED
    assert act.campaign.layout is not None
    assert desk.acts() == ["apply"]
    assert act.changes[-1] == Change(("status",), "draft", "published")


def test_a_sale_that_is_over_cannot_be_declared(desk: Desk) -> None:
    desk.clock.now = ENDS_AT
    with pytest.raises(ValidationFailed) as refused:
        desk.operate.apply(declared(), WHO)
    assert pointers(refused.value) == ["/ends_at"]
    assert desk.acts() == []


def test_who_has_looked_at_an_older_version_is_told(desk: Desk) -> None:
    desk.operate.apply(declared(), WHO)
    desk.operate.apply(declared(hold_seconds=60), WHO, expected_version=1)
    with pytest.raises(CampaignConflict) as refused:
        desk.operate.apply(declared(hold_seconds=90), WHO, expected_version=1)
    assert refused.value.params == {"version": 2}


def test_repeating_an_apply_whose_answer_was_lost_succeeds(desk: Desk) -> None:
    desk.operate.apply(declared(), WHO, expected_version=0)
    assert desk.operate.apply(declared(), WHO, expected_version=0).changes == ()


PUBLISHED_MAY_CHANGE: list[dict[str, Any]] = [
    {"title": "New words"},
    {"ends_at": "2026-11-13T00:00:00"},
    {"ends_at": "2026-11-10T00:00:00"},
    {"channels": ["store"]},
    {"eligibility": {"member_tiers": ["gold"], "regions": ["CN"], "new_customers_only": True}},
    {"late_payment": "reject"},
    {"skus": document()["skus"][::-1]},
    {"fulfilment": FULFILMENT},
    {"fulfilment": {"time_limit_hours": 1}},
]


@pytest.mark.parametrize("change", PUBLISHED_MAY_CHANGE, ids=lambda change: str(change)[:40])
@pytest.mark.parametrize("now", [BEFORE, DURING], ids=["before the start", "while it runs"])
def test_what_was_not_promised_may_change_after_publication(desk: Desk, change: dict[str, Any], now: int) -> None:
    before = desk.published()
    desk.clock.now = now
    desk.operate.apply(declared(**change), WHO)
    assert desk.live() == replace(
        declared(**change),
        status=Status.PUBLISHED,
        version=2,
        layout=before.layout,
        applied_at=now,
        published_at=before.published_at,
    )


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        (declared(hold_seconds=60), "/hold_seconds"),
        (declared(extend_seconds=60), "/extend_seconds"),
        (declared(limit_per_shopper=5), "/limit_per_shopper"),
        (declared(time_zone="Asia/Macau"), "/time_zone"),
        (declared("skus.0.stock", 101), "/skus/0/stock"),
        (declared("skus.1.sale_price.amount", 1), "/skus/1/sale_price"),
        (declared("skus.1.list_price.amount", 99999), "/skus/1/list_price"),
        (declared("skus.1.units_per_shopper", 1), "/skus/1/units_per_shopper"),
        (declared("skus.0.reward", {"kind": "physical"}, fulfilment=FULFILMENT), "/skus/0/reward/kind"),
        (declared(skus=document()["skus"][:1]), "/skus"),
        (declared(skus=[*document()["skus"], document()["skus"][0] | {"sku": "NEW-3"}]), "/skus/2"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_was_promised_is_frozen_and_the_reason_is_given(desk: Desk, changed: Campaign, pointer: str) -> None:
    before = desk.published()
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(changed, WHO)
    assert pointers(refused.value) == [pointer]
    assert "once the campaign is published" in str(refused.value.errors[0].params["reason"])
    assert desk.live() == before


def test_every_frozen_field_is_named_at_once(desk: Desk) -> None:
    desk.published()
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(declared("skus.0.stock", 5, hold_seconds=60, limit_per_shopper=4), WHO)
    assert pointers(refused.value) == ["/skus/0/stock", "/limit_per_shopper", "/hold_seconds"]


def test_the_start_may_move_until_the_sale_has_started(desk: Desk) -> None:
    desk.published()
    desk.operate.apply(declared(starts_at="2026-11-08T23:30:00"), WHO)
    with pytest.raises(CampaignChangeRefused):
        desk.operate.apply(declared(starts_at="2026-11-08T22:00:00"), WHO)  # that is over
    desk.clock.now = DURING
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(declared(starts_at="2026-11-09T12:00:00"), WHO)
    assert pointers(refused.value) == ["/starts_at"]


def test_the_end_cannot_move_into_the_past(desk: Desk) -> None:
    desk.published()
    desk.clock.now = DURING
    with pytest.raises(ValidationFailed) as refused:
        desk.operate.apply(declared(ends_at="2026-11-09T00:30:00"), WHO)
    assert pointers(refused.value) == ["/ends_at"]


@pytest.mark.parametrize("by_clock", [True, False], ids=["by the clock", "by an operator"])
def test_an_ended_campaign_stays_as_it_is(desk: Desk, by_clock: bool) -> None:
    desk.published()
    if by_clock:
        desk.clock.now = ENDS_AT
    else:
        desk.operate.end(ID, WHO)
    with pytest.raises(CampaignChangeRefused):
        desk.operate.apply(declared(ends_at="2026-11-20T00:00:00"), WHO)


def test_what_a_reward_is_worth_is_frozen_too(desk: Desk) -> None:
    def worth(amount: int) -> Campaign:
        value = {"amount": amount, "currency": "CNY"}
        return declared("skus.0.reward", {"kind": "cash", "value": value}, fulfilment=FULFILMENT)

    desk.operate.apply(worth(8800), WHO, publish=True)
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(worth(1), WHO)
    assert pointers(refused.value) == ["/skus/0/reward/value"]


@pytest.mark.parametrize("by_clock", [True, False], ids=["by the clock", "by an operator"])
def test_a_partner_may_move_after_the_end(desk: Desk, by_clock: bool) -> None:
    """Rewards are on their way for weeks."""
    desk.operate.apply(declared(fulfilment=FULFILMENT), WHO, publish=True)
    if by_clock:
        desk.clock.now = ENDS_AT
    else:
        desk.operate.end(ID, WHO)
    moved = FULFILMENT | {"by_kind": {"order": WEBHOOK | {"url": "https://new.example/"}}}
    act = desk.operate.apply(declared(fulfilment=moved), WHO)
    assert Change(("fulfilment", "by_kind", "order", "url"), WEBHOOK["url"], "https://new.example/") in act.changes
    with pytest.raises(CampaignChangeRefused):
        desk.operate.apply(declared(fulfilment=FULFILMENT, title="Other words, too"), WHO)


def test_the_claim_deadline_cannot_move_into_the_past(desk: Desk) -> None:
    desk.operate.apply(declared(fulfilment=FULFILMENT), WHO, publish=True)
    desk.clock.now = ENDS_AT + 3_600_000
    with pytest.raises(ValidationFailed) as refused:
        desk.operate.apply(declared(fulfilment=FULFILMENT | {"claim_until": "2026-11-12T00:30:00"}), WHO)
    assert pointers(refused.value) == ["/fulfilment/claim_until"]
    desk.operate.apply(declared(fulfilment=FULFILMENT | {"claim_until": "2026-11-12T01:30:00"}), WHO)


# --- where rewards leave to ---

NOWHERE = FieldError("/fulfilment/by_kind/order/secret", "destination_refused", {"reason": "there is no such secret"})


@pytest.mark.parametrize("dry_run", [False, True], ids=["in earnest", "dry run"])
@pytest.mark.parametrize("is_new", [True, False], ids=["a new campaign", "a live one"])
def test_a_destination_that_cannot_work_is_refused_before_anything_is_written(
    desk: Desk, is_new: bool, dry_run: bool
) -> None:
    if not is_new:
        desk.published()
    acts = desk.acts()
    desk.check_destinations = lambda fulfilment: [NOWHERE] if fulfilment.by_kind else []
    with pytest.raises(ValidationFailed) as refused:
        desk.operate.apply(declared(fulfilment=FULFILMENT), WHO, dry_run=dry_run)
    assert refused.value.errors == (NOWHERE,)
    assert desk.acts() == acts


def test_a_partner_who_is_unreachable_keeps_nobody_from_changing_something_else(desk: Desk) -> None:
    desk.operate.apply(declared(fulfilment=FULFILMENT), WHO)
    desk.check_destinations = lambda _: [NOWHERE]
    desk.operate.apply(declared(fulfilment=FULFILMENT, title="New words"), WHO)
    with pytest.raises(ValidationFailed):
        desk.operate.apply(declared(fulfilment=FULFILMENT, title="New words"), WHO, publish=True)


# --- publish, pause, resume, end ---


def test_publishing_freezes_salt_and_split(desk: Desk) -> None:
    desk.operate.apply(declared(), WHO)
    layout = desk.operate.publish(ID, WHO).campaign.layout
    assert layout is not None
    assert (layout.shards, layout.slots, layout.salt) == (5, {"HERO-1": "0", "CREAM-2": "1"}, bytes(16))
    assert desk.operate.publish(ID, WHO).changes == ()
    assert desk.live().layout == layout


def test_a_campaign_goes_through_its_life(desk: Desk) -> None:
    operate = desk.operate
    operate.apply(declared(), WHO)
    for act, state in (
        (operate.publish, State.RUNNING),
        (operate.pause, State.PAUSED),
        (operate.resume, State.RUNNING),
        (operate.end, State.ENDED),
    ):
        assert act(ID, WHO).campaign.state_at(DURING) is state
    assert desk.acts() == ["apply", "publish", "pause", "resume", "end"]
    assert [entry.version for entry in desk.campaigns.trails[ID]] == [1, 2, 3, 4, 5]
    assert {entry.who for entry in desk.campaigns.trails[ID]} == {WHO}


@pytest.mark.parametrize("verb", ["publish", "pause", "resume", "end"])
def test_an_act_that_was_done_before_succeeds_and_leaves_no_trace(desk: Desk, verb: str) -> None:
    desk.published()
    if verb == "resume":
        desk.operate.pause(ID, WHO)
    act: Callable[[str, str], Any] = getattr(desk.operate, verb)
    act(ID, WHO)
    acts = desk.acts()
    assert act(ID, WHO).changes == ()
    assert desk.acts() == acts


@pytest.mark.parametrize("verb", ["pause", "resume", "end"])
def test_a_draft_has_to_be_published_first(desk: Desk, verb: str) -> None:
    desk.operate.apply(declared(), WHO)
    with pytest.raises(CampaignNotPublished):
        getattr(desk.operate, verb)(ID, WHO)


@pytest.mark.parametrize("verb", ["publish", "pause", "resume"])
def test_what_has_ended_does_not_come_back(desk: Desk, verb: str) -> None:
    desk.published()
    desk.operate.end(ID, WHO)
    with pytest.raises(CampaignEnded):
        getattr(desk.operate, verb)(ID, WHO)


def test_a_draft_whose_time_is_over_cannot_be_published(desk: Desk) -> None:
    desk.operate.apply(declared(), WHO)
    desk.clock.now = ENDS_AT
    with pytest.raises(ValidationFailed):
        desk.operate.publish(ID, WHO)


@pytest.mark.parametrize("verb", ["publish", "pause", "resume", "end"])
def test_nobody_acts_on_a_campaign_that_does_not_exist(desk: Desk, verb: str) -> None:
    with pytest.raises(CampaignNotFound):
        getattr(desk.operate, verb)("nowhere", WHO)


def test_of_two_operators_at_once_one_is_told(desk: Desk) -> None:
    """GIVEN an operator who has read the campaign WHEN another one acts meanwhile THEN the first write is refused."""
    desk.published()

    class Interrupted(RecordedCampaigns):
        def save(
            self, campaign: Campaign, expected_version: int, entry: TrailEntry, *, seed: bytes | None = None
        ) -> None:
            desk.operate.end(ID, "operator-2")
            super().save(campaign, expected_version, entry, seed=seed)

    slow = OperateCampaign(
        Interrupted(desk.campaigns.summaries, desk.campaigns.campaigns, desk.campaigns.trails),
        desk.stock,
        desk.clock,
        bytes,
        all_reachable,
    )
    with pytest.raises(CampaignConflict):
        slow.pause(ID, WHO)
    assert desk.live().status is Status.ENDED


# --- restock ---


def units_added(stock: MemoryStock, restock_id: str) -> int:
    marks = (shard.records.get(f"r0.{restock_id}", "0") for shard in stock.shards.values())
    return sum(map(int, marks))


def free_of_hero(desk: Desk) -> int:
    layout = desk.live().layout
    assert layout is not None
    shards = [desk.stock.shard(number, ID) for number in range(layout.shards)]
    return sum(shard.free.get("0", layout.capacity("0", shard.number)) for shard in shards)


def test_a_restock_adds_its_units_once_however_often_it_is_asked(desk: Desk) -> None:
    desk.published()
    acts = [desk.operate.restock(ID, "extra-1", "HERO-1", 37, WHO) for _ in range(3)]
    assert [len(act.changes) for act in acts] == [1, 0, 0]
    assert units_added(desk.stock, "extra-1") == 37
    assert free_of_hero(desk) == 137
    assert [(restock.quantity, restock.done) for restock in desk.live().restocks] == [(37, True)]
    assert desk.acts() == ["apply", "restock", "finish_restock"]


def test_the_same_id_for_another_restock_is_refused(desk: Desk) -> None:
    desk.published()
    desk.operate.restock(ID, "extra-1", "HERO-1", 37, WHO)
    for sku, quantity in (("HERO-1", 38), ("CREAM-2", 37)):
        with pytest.raises(RestockConflict):
            desk.operate.restock(ID, "extra-1", sku, quantity, WHO)
    assert free_of_hero(desk) == 137


def test_a_sku_that_is_not_sold_cannot_be_restocked(desk: Desk) -> None:
    desk.published()
    with pytest.raises(ValidationFailed) as refused:
        desk.operate.restock(ID, "extra-1", "NOWHERE", 1, WHO)
    assert pointers(refused.value) == ["/sku"]


def test_a_restock_beyond_what_the_shards_can_carry_is_refused(desk: Desk) -> None:
    desk.published()
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.restock(ID, "extra-1", "HERO-1", 4_851, WHO)
    assert "can carry 4850 more" in str(refused.value.errors[0].params["reason"])
    desk.operate.restock(ID, "extra-1", "HERO-1", 4_850, WHO)


def test_drafts_and_ended_campaigns_are_not_restocked(desk: Desk) -> None:
    desk.operate.apply(declared(), WHO)
    with pytest.raises(CampaignNotPublished):
        desk.operate.restock(ID, "extra-1", "HERO-1", 1, WHO)
    desk.operate.publish(ID, WHO)
    desk.operate.end(ID, WHO)
    with pytest.raises(CampaignEnded):
        desk.operate.restock(ID, "extra-1", "HERO-1", 1, WHO)


class Crash(Exception):
    """The process was killed."""


@dataclass
class CrashingStock(MemoryStock):
    """Lives for so many writes, and dies before or after the next one."""

    lives: int = 0
    after: bool = False

    def write(self, campaign_id: str, write: ShardWrite) -> Written | Refused:
        if self.lives == 0 and not self.after:
            raise Crash
        written = super().write(campaign_id, write)
        if self.lives == 0:
            raise Crash
        self.lives -= 1
        return written


@dataclass
class CrashingCampaigns(RecordedCampaigns):
    """Dies before or after saving for the n-th time."""

    saves: int = 0
    after: bool = False
    done: int = field(default=0)

    def save(self, campaign: Campaign, expected_version: int, entry: TrailEntry, *, seed: bytes | None = None) -> None:
        if self.done == self.saves and not self.after:
            raise Crash
        super().save(campaign, expected_version, entry, seed=seed)
        if self.done == self.saves:
            raise Crash
        self.done += 1


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
@pytest.mark.parametrize("lives", range(5))
def test_a_restock_killed_between_any_two_shards_is_taken_up_again(desk: Desk, lives: int, after: bool) -> None:
    desk.published()
    stock = CrashingStock(desk.stock.shards, lives=lives, after=after)
    with pytest.raises(Crash):
        OperateCampaign(desk.campaigns, stock, desk.clock, bytes, all_reachable).restock(
            ID, "extra-1", "HERO-1", 37, WHO
        )
    assert not desk.live().restocks[0].done
    desk.operate.restock(ID, "extra-1", "HERO-1", 37, WHO)
    assert free_of_hero(desk) == 137
    assert desk.live().restocks[0].done


@pytest.mark.parametrize("after", [False, True], ids=["before a write", "after a write"])
@pytest.mark.parametrize("saves", [0, 1])
def test_a_restock_killed_around_its_record_is_taken_up_again(desk: Desk, saves: int, after: bool) -> None:
    desk.published()
    campaigns = CrashingCampaigns(
        desk.campaigns.summaries, desk.campaigns.campaigns, desk.campaigns.trails, saves=saves, after=after
    )
    with pytest.raises(Crash):
        OperateCampaign(campaigns, desk.stock, desk.clock, bytes, all_reachable).restock(
            ID, "extra-1", "HERO-1", 37, WHO
        )
    desk.operate.restock(ID, "extra-1", "HERO-1", 37, WHO)
    assert free_of_hero(desk) == 137
    assert desk.live().restocks[0].done


def test_a_restock_is_finished_even_if_the_campaign_was_ended_meanwhile(desk: Desk) -> None:
    desk.published()
    with pytest.raises(Crash):
        OperateCampaign(
            desk.campaigns, CrashingStock(desk.stock.shards, lives=2), desk.clock, bytes, all_reachable
        ).restock(ID, "extra-1", "HERO-1", 37, WHO)
    desk.operate.end(ID, WHO)
    desk.operate.restock(ID, "extra-1", "HERO-1", 37, WHO)
    assert free_of_hero(desk) == 137


def test_other_acts_do_not_disturb_a_restock_that_is_finishing(desk: Desk) -> None:
    """GIVEN a restock WHEN an operator pauses just before it is marked done THEN both happen."""
    desk.published()

    @dataclass
    class Interrupted(RecordedCampaigns):
        interruptions: int = 1

        def save(
            self, campaign: Campaign, expected_version: int, entry: TrailEntry, *, seed: bytes | None = None
        ) -> None:
            if entry.act == "finish_restock" and self.interruptions:
                self.interruptions -= 1
                desk.operate.pause(ID, "operator-2")
            super().save(campaign, expected_version, entry, seed=seed)

    campaigns = Interrupted(desk.campaigns.summaries, desk.campaigns.campaigns, desk.campaigns.trails)
    OperateCampaign(campaigns, desk.stock, desk.clock, bytes, all_reachable).restock(ID, "extra-1", "HERO-1", 37, WHO)
    assert desk.live().status is Status.PAUSED
    assert desk.live().restocks[0].done


def test_a_shard_that_refuses_without_the_mark_is_tried_again_later(desk: Desk) -> None:
    desk.published()

    class BusyStock(MemoryStock):
        def write(self, campaign_id: str, write: ShardWrite) -> Written | Refused:
            del campaign_id
            return Refused(Shard(write.shard, 1, {}, {}))

    with pytest.raises(TemporarilyOverloaded):
        OperateCampaign(desk.campaigns, BusyStock(), desk.clock, bytes, all_reachable).restock(
            ID, "extra-1", "HERO-1", 37, WHO
        )
    assert not desk.live().restocks[0].done
