"""What publication makes and freezes of a coupon campaign, what may still change, and that other mechanics keep out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from brandday.domain.campaign import Campaign, Shopper, State
from brandday.domain.coupon import POOL
from brandday.domain.coupon_code import SECRET_BYTES
from brandday.domain.errors import (
    BrandDayError,
    CampaignChangeRefused,
    CampaignConflict,
    CouponsHandedOut,
    ReservationNotFound,
    ValidationFailed,
    WrongMechanic,
)
from brandday.domain.reservation_id import reservation_id
from brandday.domain.shard import HELD, Entry, RecordChange, ShardWrite, encode_record
from brandday.domain.stock import Claim
from brandday.usecases.browse_campaigns import BrowseCampaigns
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_lotteries import LiveLotteries
from brandday.usecases.manage_reservation import ManageReservation
from brandday.usecases.operate_campaign import OperateCampaign
from brandday.usecases.reserve_units import ReserveUnits
from brandday.usecases.take_coupon import TakeCoupon
from tests.fakes.coupon_backend import KEYS
from tests.fakes.coupon_declarations import declared_coupons, imported, made, shared, taken
from tests.fakes.declarations import BEFORE, DURING, ENDS_AT, declared
from tests.fakes.lottery_declarations import declared_instant
from tests.fakes.operator_desk import WHO, Desk

DAY_MS = 24 * 60 * 60 * 1000
ANN = Shopper("ann", channel="app")


@dataclass
class CouponDesk(Desk):
    """A desk where what is random is all different, and known."""

    made: list[bytes] = field(default_factory=list)

    @property
    def operate(self) -> OperateCampaign:
        """Return the acts."""
        return OperateCampaign(self.campaigns, self.stock, self.clock, self.random, self.check_destinations)

    def random(self, count: int) -> bytes:
        """Return bytes that tell where they were made."""
        self.made.append(bytes([len(self.made) + 1]) * count)
        return self.made[-1]

    def publish(self, document: dict[str, Any]) -> Campaign:
        """Declare and publish a campaign."""
        return self.operate.apply(declared_coupons(document), WHO, publish=True).campaign

    def again(self, document: dict[str, Any]) -> Campaign:
        """Apply a changed declaration."""
        return self.operate.apply(declared_coupons(document), WHO).campaign

    def refused(self, document: dict[str, Any]) -> set[str]:
        """Apply a changed declaration in vain; return the places that were refused."""
        with pytest.raises(CampaignChangeRefused) as refusal:
            self.again(document)
        return {error.pointer for error in refusal.value.errors}

    def live_campaigns(self) -> LiveCampaigns:
        """The campaigns of a cold environment."""
        return LiveCampaigns(self.campaigns, self.clock)


@pytest.fixture
def desk() -> CouponDesk:
    return CouponDesk()


# --- the secret of all codes ---


def test_the_first_publication_of_coupons_makes_the_secret_and_no_later_one_another(desk: CouponDesk) -> None:
    desk.operate.apply(declared(), WHO, publish=True)
    desk.operate.apply(declared_coupons(shared()), WHO)
    assert desk.campaigns.code_secret() is None

    desk.operate.publish("double-eleven", WHO)
    secret = desk.campaigns.code_secret()
    assert secret is not None
    assert len(secret) == SECRET_BYTES

    desk.publish(taken())
    assert desk.campaigns.code_secret() == secret


def test_a_dry_run_makes_no_secret_and_claims_no_word(desk: CouponDesk) -> None:
    desk.operate.apply(declared_coupons(shared()), WHO, publish=True, dry_run=True)

    assert desk.campaigns.code_secret() is None
    assert desk.campaigns.words() == []


def test_the_secret_is_in_no_campaign_and_no_trail(desk: CouponDesk) -> None:
    campaign = desk.publish(shared())
    secret = desk.campaigns.code_secret()
    assert secret is not None

    told = repr((campaign, campaign.to_document(), desk.campaigns.trails))
    assert secret.hex() not in told
    assert repr(secret) not in told


# --- words of codes ---


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        (shared(), shared(id="other", code="D0UBLE II"), "/code"),
        (shared(), imported(prefix="DOUBL"), "/prefix"),
        (imported(), shared(code="TEAPA1-99"), "/code"),
        (imported(), imported(id="other"), "/prefix"),
        (imported(), imported(id="other", prefix="TEAP"), "/prefix"),
        (imported(), imported(id="other", prefix="TEAPALS"), "/prefix"),
    ],
    ids=["same code", "begins a code", "begins like codes", "same prefix", "shorter prefix", "longer prefix"],
)
@pytest.mark.parametrize("act", ["apply", "publish"])
def test_codes_that_cannot_be_told_from_those_of_another_campaign_are_refused(
    desk: CouponDesk, first: dict[str, Any], second: dict[str, Any], place: str, act: str
) -> None:
    """As drafts both may be there until one of them is published."""
    if act == "publish":
        desk.again(second)
    desk.publish(first)

    acts: dict[str, Callable[[], object]] = {
        "apply": lambda: desk.again(second),
        "publish": lambda: desk.operate.publish(second["id"], WHO),
    }
    with pytest.raises(ValidationFailed) as refused:
        acts[act]()

    (error,) = refused.value.errors
    assert error.pointer == place
    assert first["id"] in str(error.params["reason"])


def test_two_who_publish_the_same_code_at_the_same_moment_do_not_both_succeed(desk: CouponDesk) -> None:
    """Neither sees the other's word before it is written: the write decides."""
    desk.again(shared(id="other"))
    desk.again(shared())
    blind = CouponDesk(campaigns=desk.campaigns)
    words = desk.campaigns.words
    blind.campaigns.words = list  # type: ignore[method-assign]

    blind.operate.publish("other", WHO)
    with pytest.raises(ValidationFailed) as refused:
        blind.operate.publish("double-eleven", WHO)

    assert refused.value.errors[0].pointer == "/code"
    assert [word.campaign_id for word in words()] == ["other"]
    assert blind.operate.show("double-eleven").state_at(BEFORE) is State.DRAFT


def test_a_code_that_is_over_can_be_used_again_next_year(desk: CouponDesk) -> None:
    desk.publish(shared())
    desk.clock.now = ENDS_AT

    next_year = shared(id="next-year", starts_at="2027-11-09T00:00:00", ends_at="2027-11-12T00:00:00")
    desk.publish(next_year)

    assert [word.campaign_id for word in desk.campaigns.words()] == ["next-year"]


def test_an_old_campaign_does_not_take_its_code_back(desk: CouponDesk) -> None:
    """How its gifts are sent may change after the end; its word is somebody else's by then."""
    desk.publish(shared())
    desk.clock.now = ENDS_AT
    desk.publish(shared(id="next-year", starts_at="2027-11-09T00:00:00", ends_at="2027-11-12T00:00:00"))

    desk.again(shared(fulfilment={"time_limit_hours": 5}))

    assert [word.campaign_id for word in desk.campaigns.words()] == ["next-year"]


def test_a_code_is_kept_as_long_as_its_campaign_is_put_off(desk: CouponDesk) -> None:
    desk.publish(shared())
    desk.again(shared(ends_at="2026-11-13T00:00:00"))
    desk.clock.now = ENDS_AT

    with pytest.raises(ValidationFailed):
        desk.publish(shared(id="other", starts_at="2026-11-20T00:00:00", ends_at="2026-11-21T00:00:00"))


# --- what is frozen ---

CHANGES: dict[str, tuple[Callable[..., dict[str, Any]], dict[str, Any], str]] = {
    "a better benefit": (shared, {"path": "benefit.percent", "value": "50"}, "/benefit/percent"),
    "a lower spend": (shared, {"path": "benefit.minimum_spend", "value": None}, "/benefit/minimum_spend"),
    "another code": (shared, {"code": "TRIPLE11"}, "/code"),
    "another prefix": (imported, {"prefix": "CUPPAL"}, "/prefix"),
    "another kind of code": (made, {"code_kind": "imported", "issued_by": None, "prefix": "MADE"}, "/code_kind"),
    "another issuer": (made, {"issued_by": "shoppers"}, "/issued_by"),
    "more uses": (shared, {"quantity": 101}, "/quantity"),
    "fewer uses": (shared, {"quantity": 99}, "/quantity"),
    "a budget": (shared, {"budget": {"amount": 500_000, "currency": "CNY"}}, "/budget"),
    "another limit": (shared, {"per_shopper": 2}, "/per_shopper"),
    "other items": (taken, {"path": "scope.include_categories", "value": ["tea", "cups"]}, "/scope/include_categories"),
    "other channels to use it": (shared, {"order_channels": ["app"]}, "/order_channels"),
    "other company": (taken, {"path": "stacking.group", "value": "cups"}, "/stacking/group"),
    "another lock": (shared, {"lock_seconds": 60}, "/lock_seconds"),
    "another policy": (shared, {"on_cancel": "keep"}, "/on_cancel"),
    "more days": (taken, {"path": "validity.days", "value": 9}, "/validity/days"),
    "another end of coupons": (made, {"path": "validity.ends_at", "value": "2026-12-24T00:00:00"}, "/validity/ends_at"),
    "an earlier end": (shared, {"ends_at": "2026-11-11T00:00:00"}, "/ends_at"),
    "a start that is over": (shared, {"starts_at": "2026-11-08T00:00:00"}, "/starts_at"),
    "another time zone": (shared, {"time_zone": "Asia/Hong_Kong"}, "/time_zone"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_promised_is_frozen(desk: CouponDesk, name: str) -> None:
    declare, change, pointer = CHANGES[name]
    desk.publish(declare())

    assert pointer in desk.refused(declare(**change))


@pytest.mark.parametrize("name", CHANGES)
def test_a_draft_can_still_become_anything(desk: CouponDesk, name: str) -> None:
    declare, change, _ = CHANGES[name]
    desk.again(declare())

    assert desk.again(declare(**change)) is not None


def test_another_mechanic_is_refused(desk: CouponDesk) -> None:
    desk.publish(shared())
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(declared(id="double-eleven"), WHO)
    assert {error.pointer for error in refused.value.errors} == {"/mechanic"}

    desk.operate.apply(declared(), WHO, publish=True)
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.again(shared(id=declared().id))
    assert {error.pointer for error in refused.value.errors} == {"/mechanic"}


@pytest.mark.parametrize(
    "change",
    [
        {"title": {"en": "Another title"}},
        {"channels": ["app", "web", "store"]},
        {"eligibility": {"member_tiers": ["gold"]}},
        {"ends_at": "2026-11-20T00:00:00"},
        {"starts_at": "2026-11-10T00:00:00"},
        {"fulfilment": {"time_limit_hours": 5}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_nobody_counts_on_may_change_and_times_may_be_put_off(desk: CouponDesk, change: dict[str, Any]) -> None:
    desk.publish(shared())

    desk.again(shared(**change))


def test_the_end_of_a_shared_code_may_be_put_off_and_not_brought_forward(desk: CouponDesk) -> None:
    desk.publish(shared(validity={"ends_at": "2026-11-11T00:00:00"}))

    desk.again(shared(validity={"ends_at": "2026-11-11T12:00:00"}))
    assert desk.refused(shared(validity={"ends_at": "2026-11-11T11:59:59"})) == {"/validity/ends_at"}


def test_once_coupons_can_be_used_their_start_stays(desk: CouponDesk) -> None:
    desk.publish(shared(validity={"starts_at": "2026-11-10T00:00:00"}))
    desk.again(shared(validity={"starts_at": "2026-11-09T12:00:00"}))

    desk.clock.now = DURING + DAY_MS
    assert desk.refused(shared(validity={"starts_at": "2026-11-11T00:00:00"})) == {"/validity/starts_at"}


def test_every_act_is_in_the_trail(desk: CouponDesk) -> None:
    desk.again(shared())
    desk.again(shared("benefit.percent", "20"))
    desk.operate.publish("double-eleven", WHO)

    assert [entry.act for entry in desk.campaigns.trails["double-eleven"]] == ["apply", "apply", "publish"]
    (change,) = desk.campaigns.trails["double-eleven"][1].changes
    assert (change.field, change.before, change.after) == ("benefit.percent", "12.5", "20")


# --- restock ---


def test_uses_are_added_as_long_as_the_budget_pays_for_each(desk: CouponDesk) -> None:
    """The budget pays for 200 at 2,000 each; 50 were declared."""
    desk.publish(taken(quantity=50))

    desk.operate.restock("take-one", "more", POOL, 100, WHO)
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.restock("take-one", "too-many", POOL, 51, WHO)
    assert "50 more" in str(refused.value.errors[0].params["reason"])
    desk.operate.restock("take-one", "the-rest", POOL, 50, WHO)

    assert desk.operate.show("take-one").restocked(POOL) == 150
    with pytest.raises(CampaignChangeRefused):
        desk.operate.restock("take-one", "one", POOL, 1, WHO)


def test_without_a_budget_uses_of_a_shared_code_are_added_freely(desk: CouponDesk) -> None:
    desk.publish(shared())

    assert desk.operate.restock("double-eleven", "more", POOL, 1000, WHO).campaign.restocked(POOL) == 1000


@pytest.mark.parametrize("declare", [made, imported])
def test_coupons_that_operators_make_are_no_stock(desk: CouponDesk, declare: Callable[[], dict[str, Any]]) -> None:
    desk.publish(declare())

    with pytest.raises(CampaignChangeRefused):
        desk.operate.restock(declare()["id"], "more", POOL, 1, WHO)


# --- what the public sees ---


def test_a_page_shows_what_coupons_give_and_how_many_are_left(desk: CouponDesk) -> None:
    desk.publish(shared())
    desk.publish(made())
    browse = BrowseCampaigns(desk.live_campaigns(), desk.campaigns, desk.clock)

    one, none = browse.get_campaign("double-eleven").coupon, browse.get_campaign("made-ones").coupon

    assert one is not None
    assert (one.terms.shown, one.left, one.availability) == ("DOUBLE-11", 100, "available")
    assert none is not None
    assert (none.left, none.availability) == (None, None)


# --- other mechanics keep out ---


def _refusal(ask: Callable[[], object]) -> BrandDayError:
    with pytest.raises(BrandDayError) as refused:
        ask()
    return refused.value


@pytest.mark.parametrize("declare", [shared, taken, made, imported])
def test_coupons_are_neither_sold_nor_won(desk: CouponDesk, declare: Callable[[], dict[str, Any]]) -> None:
    campaign_id = desk.publish(declare()).id
    desk.clock.now = DURING
    live = desk.live_campaigns()

    for ask in (
        lambda: ReserveUnits(live, desk.stock, desk.clock)(ANN, campaign_id, POOL, 1, "key-1"),
        lambda: LiveLotteries(live, desk.campaigns).get(campaign_id),
        lambda: BrowseCampaigns(live, desk.campaigns, desk.clock).rules(campaign_id),
        lambda: BrowseCampaigns(live, desk.campaigns, desk.clock).draw(campaign_id),
    ):
        refusal = _refusal(ask)
        assert isinstance(refusal, WrongMechanic)
        assert refusal.params == {"mechanic": "coupon"}


@pytest.mark.parametrize("campaign", [declared(), declared_instant()], ids=["sale", "lottery"])
def test_nobody_takes_a_coupon_of_what_has_none(desk: CouponDesk, campaign: Campaign) -> None:
    desk.operate.apply(campaign, WHO, publish=True)
    desk.clock.now = DURING
    take = TakeCoupon(desk.live_campaigns(), desk.stock, lambda: KEYS, desk.clock)

    assert isinstance(_refusal(lambda: take(ANN, campaign.id, "key-1")), WrongMechanic)


@pytest.mark.parametrize("declare", [shared, made, imported])
def test_nobody_takes_what_is_handed_out(desk: CouponDesk, declare: Callable[[], dict[str, Any]]) -> None:
    campaign_id = desk.publish(declare()).id
    desk.clock.now = DURING
    take = TakeCoupon(desk.live_campaigns(), desk.stock, lambda: KEYS, desk.clock)

    assert isinstance(_refusal(lambda: take(ANN, campaign_id, "key-1")), CouponsHandedOut)


def test_the_lock_of_a_shared_code_is_no_reservation(desk: CouponDesk) -> None:
    """Shoppers could make up its id: their name is in those of their reservations."""
    layout = desk.publish(shared()).layout
    assert layout is not None
    name, home = layout.name_of("ann"), layout.home_of("ann")
    desk.clock.now = DURING
    held = Claim(home, Entry(HELD, "0", 1, DURING, "tagtag"))
    slot = layout.slots[POOL]
    desk.stock.write(
        "double-eleven",
        ShardWrite(
            home,
            (RecordChange(name, None, encode_record([held.entry])),),
            {slot: -1},
            {slot: layout.capacity(slot, home)},
        ),
    )
    manage = ManageReservation(desk.live_campaigns(), desk.stock, desk.clock)
    made_up = reservation_id("double-eleven", name, held)

    for ask in (
        lambda: manage.get(ANN, made_up),
        lambda: manage.cancel(ANN, made_up),
        lambda: manage.extend(ANN, made_up),
        lambda: manage.confirm(made_up, "order-1"),
    ):
        assert isinstance(_refusal(ask), ReservationNotFound)


def test_two_operators_do_not_overwrite_each_other(desk: CouponDesk) -> None:
    version = desk.again(shared()).version
    desk.again(shared(quantity=101))

    with pytest.raises(CampaignConflict):
        desk.operate.apply(declared_coupons(shared(quantity=102)), WHO, expected_version=version)
