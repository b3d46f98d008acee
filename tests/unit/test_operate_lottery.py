"""What publication freezes of a lottery, what may still change, and that nobody sees the seed before its time."""

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import pytest

from brandday.config.mechanics import parse_campaign, to_declaration
from brandday.domain.campaign import Campaign, State, Status
from brandday.domain.errors import (
    BrandDayError,
    CampaignChangeRefused,
    CampaignConflict,
    CampaignEnded,
    CampaignNotFound,
    ValidationFailed,
    WrongMechanic,
)
from brandday.domain.lottery import CHANGE_LEAD_MS, MAX_VERSIONS, table_at
from brandday.domain.lottery_state import LotteryState
from brandday.domain.luck import SEED_BYTES, commitment, digest
from brandday.domain.trail import Change
from brandday.usecases.browse_campaigns import BrowseCampaigns
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.operate_campaign import Act, OperateCampaign
from tests.fakes.declarations import BEFORE, DURING, ENDS_AT, STARTS_AT, declared
from tests.fakes.lottery_declarations import (
    COMPLIANCE,
    DRAW_AT,
    declared_draw,
    declared_instant,
    draw,
    instant,
)
from tests.fakes.operator_desk import WHO, Desk

LUCKY, TRIAL = "lucky-draw", "free-trial"
DAY_MS = 24 * 60 * 60 * 1000


@dataclass
class LotteryDesk(Desk):
    """A desk where what is random is all different, and known."""

    made: list[bytes] = field(default_factory=list)

    @property
    def operate(self) -> OperateCampaign:
        """Return the acts."""
        return OperateCampaign(self.campaigns, self.stock, self.clock, self.random, self.check_destinations)

    def random(self, count: int) -> bytes:
        """Return bytes that tell where they were made."""
        self.made.append(bytes([0xA5, len(self.made) + 1]) * (count // 2))
        return self.made[-1]

    def publish(self, campaign: Campaign | None = None) -> Campaign:
        """Declare and publish a lottery."""
        return self.operate.apply(campaign or declared_instant(), WHO, publish=True).campaign

    def browse(self, held: Callable[[str], bool] = lambda _: False) -> BrowseCampaigns:
        """Return the public pages of a new environment."""
        live = LiveCampaigns(self.campaigns, self.clock)
        return BrowseCampaigns(live, self.campaigns, self.clock, seeds=self.campaigns.seed, draw_held=held)


@pytest.fixture
def desk() -> LotteryDesk:
    return LotteryDesk()


def luck(campaign: Campaign) -> LotteryState:
    assert campaign.luck is not None
    return campaign.luck


def pointers(error: BrandDayError) -> list[str]:
    return [place.pointer for place in error.errors]


def with_odds(odds: str) -> Campaign:
    return declared_instant("prizes.0.odds", odds)


# --- publication ---


def test_publication_freezes_seed_days_odds_and_shards(desk: LotteryDesk) -> None:
    campaign = desk.publish()
    seed = desk.campaigns.seed(LUCKY)
    assert seed is not None
    assert len(seed) == SEED_BYTES
    frozen = luck(campaign).frozen
    assert frozen.commitment == commitment(seed)
    assert (frozen.starts_at, frozen.ends_at) == (STARTS_AT, ENDS_AT)
    assert frozen.days == (STARTS_AT, STARTS_AT + DAY_MS, STARTS_AT + 2 * DAY_MS)
    assert campaign.layout is not None
    assert frozen.shards == campaign.layout.shards
    assert campaign.layout.slots == {"CAR": "0", "MUG": "1", "WATCH": "2", "STICKER": "3"}
    assert [(table.version, table.since) for table in luck(campaign).tables] == [(1, STARTS_AT)]
    assert luck(campaign).tables[0].odds == {"CAR": Fraction(1, 5000), "MUG": Fraction(1, 20)}
    assert luck(campaign).entry_salt not in (seed[:16], campaign.layout.salt)


@pytest.mark.parametrize("way", ["apply", "publish"])
def test_the_promises_are_in_the_trail(desk: LotteryDesk, way: str) -> None:
    if way == "apply":
        act = desk.operate.apply(declared_instant(), WHO, publish=True)
    else:
        desk.operate.apply(declared_instant(), WHO)
        act = desk.operate.publish(LUCKY, WHO)
    frozen, tables = luck(act.campaign).frozen, luck(act.campaign).tables
    assert act.campaign.lottery is not None
    said = {change.field: change.after for change in desk.campaigns.trails[LUCKY][-1].changes}
    assert said["commitment"] == frozen.commitment
    assert said["table.version"] == 1
    assert said["table.hash"] == tables[0].hash(act.campaign.lottery, frozen)
    assert said["table.in_force_from"] == "2026-11-08T16:00:00.000Z"


def test_what_was_published_is_read_again_as_it_is(desk: LotteryDesk) -> None:
    desk.publish()
    desk.operate.apply(with_odds("1/2000"), WHO)
    state = luck(desk.campaigns.campaigns[LUCKY])
    assert LotteryState.from_document(json.loads(json.dumps(state.to_document()))) == state


def test_published_late_it_counts_from_now_on(desk: LotteryDesk) -> None:
    """Nobody may have entered before the commitment could be seen."""
    desk.clock.now = STARTS_AT + DAY_MS + 5
    frozen = luck(desk.publish()).frozen
    assert frozen.starts_at == STARTS_AT + DAY_MS + 5
    assert frozen.days == (STARTS_AT + DAY_MS, STARTS_AT + 2 * DAY_MS)


def test_published_so_late_that_moments_have_no_hour_left_it_is_refused(desk: LotteryDesk) -> None:
    night = declared_instant("prizes.2.release.hour_weights", [1] + [0] * 23)
    desk.operate.apply(night, WHO)
    desk.clock.now = ENDS_AT - 20 * 60 * 60 * 1000
    acts: list[Callable[[], Act]] = [
        lambda: desk.operate.publish(LUCKY, WHO),
        lambda: desk.operate.apply(night, WHO, publish=True),
    ]
    for act in acts:
        with pytest.raises(ValidationFailed) as refused:
            act()
        assert pointers(refused.value) == ["/prizes/2/release/hour_weights"]
    assert desk.campaigns.seeds == {}


def test_two_lotteries_have_nothing_in_common(desk: LotteryDesk) -> None:
    one, other = luck(desk.publish()), luck(desk.publish(declared_draw()))
    assert one.frozen.commitment != other.frozen.commitment
    assert one.entrant("shopper-1") != other.entrant("shopper-1")


def test_the_seed_of_a_lottery_is_written_once(desk: LotteryDesk) -> None:
    campaign = desk.publish()
    seed = desk.campaigns.seed(LUCKY)
    desk.operate.publish(LUCKY, WHO)
    desk.operate.pause(LUCKY, WHO)
    desk.operate.apply(with_odds("1/3000"), WHO, publish=True)
    entry = desk.campaigns.trails[LUCKY][-1]
    with pytest.raises(CampaignConflict):
        desk.campaigns.save(replace(campaign, version=9), entry.version, entry, seed=bytes(SEED_BYTES))
    assert desk.campaigns.seed(LUCKY) == seed


def test_a_flash_sale_has_no_luck(desk: LotteryDesk) -> None:
    assert desk.operate.apply(declared(), WHO, publish=True).campaign.luck is None
    assert desk.campaigns.seeds == {}


def test_a_dry_run_promises_nothing(desk: LotteryDesk) -> None:
    act = desk.operate.apply(declared_instant(), WHO, publish=True, dry_run=True)
    assert act.campaign.luck is None
    assert act.changes[-1] == Change(("status",), "draft", "published")
    assert (desk.campaigns.campaigns, desk.campaigns.seeds) == ({}, {})


# --- odds ---


def test_odds_within_their_bounds_make_a_new_version(desk: LotteryDesk) -> None:
    desk.publish()
    desk.clock.now = DURING
    first = luck(desk.campaigns.campaigns[LUCKY]).tables[0]
    act = desk.operate.apply(with_odds("1/1000"), WHO)
    state, lottery = luck(act.campaign), act.campaign.lottery
    assert lottery is not None
    assert [table.version for table in state.tables] == [1, 2]
    assert state.tables[1].since == DURING + CHANGE_LEAD_MS
    assert state.tables[1].previous == first.hash(lottery, state.frozen)
    assert table_at(state.tables, DURING + CHANGE_LEAD_MS - 1) == first
    assert table_at(state.tables, DURING + CHANGE_LEAD_MS).odds["CAR"] == Fraction(1, 1000)
    assert desk.campaigns.trails[LUCKY][-1].changes == (
        Change(("prizes", "CAR", "odds"), "1/5000", "1/1000"),
        Change(("table", "version"), 1, 2),
        Change(("table", "hash"), first.hash(lottery, state.frozen), state.tables[1].hash(lottery, state.frozen)),
        Change(("table", "in_force_from"), "2026-11-08T16:00:00.000Z", "2026-11-08T17:00:02.000Z"),
    )


def test_the_first_version_stays_what_was_promised(desk: LotteryDesk) -> None:
    before = desk.publish()
    assert before.lottery is not None
    promised = luck(before).tables[0].hash(before.lottery, luck(before).frozen)
    desk.clock.now = DURING
    for odds in ("1/1000", "0/1", "1/5000"):
        after = desk.operate.apply(with_odds(odds), WHO).campaign
        assert after.lottery is not None
        assert luck(after).tables[0].hash(after.lottery, luck(after).frozen) == promised
    assert [table.odds["CAR"] for table in luck(desk.campaigns.campaigns[LUCKY]).tables] == [
        Fraction(1, 5000),
        Fraction(1, 1000),
        Fraction(0),
        Fraction(1, 5000),
    ]


def test_the_same_odds_again_change_nothing(desk: LotteryDesk) -> None:
    desk.publish()
    desk.operate.apply(with_odds("1/1000"), WHO)
    assert desk.operate.apply(with_odds("2/2000"), WHO).changes == ()
    assert len(luck(desk.campaigns.campaigns[LUCKY]).tables) == 2


def test_odds_change_while_paused_too(desk: LotteryDesk) -> None:
    desk.publish()
    desk.clock.now = DURING
    desk.operate.pause(LUCKY, WHO)
    act = desk.operate.apply(with_odds("0/1"), WHO)
    assert act.campaign.status is Status.PAUSED
    assert luck(act.campaign).tables[-1].odds["CAR"] == 0


def test_a_dry_run_of_new_odds_shows_them_and_promises_nothing(desk: LotteryDesk) -> None:
    desk.publish()
    act = desk.operate.apply(with_odds("1/1000"), WHO, dry_run=True)
    assert act.changes == (Change(("prizes", "CAR", "odds"), "1/5000", "1/1000"),)
    assert len(luck(act.campaign).tables) == 1


def test_more_versions_than_a_record_can_name_are_refused(desk: LotteryDesk) -> None:
    desk.publish()
    for version in range(2, MAX_VERSIONS + 1):
        desk.operate.apply(with_odds(f"1/{1000 + version}"), WHO)
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(with_odds("1/1000"), WHO)
    assert pointers(refused.value) == ["/prizes/0/odds"]


def test_odds_that_could_not_come_into_force_are_refused(desk: LotteryDesk) -> None:
    desk.publish()
    desk.clock.now = ENDS_AT - CHANGE_LEAD_MS
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(with_odds("1/1000"), WHO)
    assert pointers(refused.value) == ["/prizes/0/odds"]
    desk.clock.now -= 1
    desk.operate.apply(with_odds("1/1000"), WHO)


# --- what is frozen ---


def with_wider_bounds() -> list[Any]:
    return [instant()["prizes"][0] | {"odds": "1/500", "odds_between": ["0/1", "1/500"]}, *instant()["prizes"][1:]]


def with_another_prize() -> list[Any]:
    return [*instant()["prizes"], instant()["prizes"][0] | {"prize": "BIKE"}]


REFUSED: list[tuple[Campaign, list[str]]] = [
    (declared_instant("prizes.0.odds_between", ["0/1", "1/2"]), ["/prizes/0/odds_between"]),
    (declared_instant(prizes=with_wider_bounds()), ["/prizes/0/odds_between", "/prizes/0/odds"]),
    (declared_instant("prizes.1.odds", "1/21"), ["/prizes/1/odds"]),
    (declared_instant("prizes.1.odds", None), ["/prizes/1/odds"]),
    (declared_instant("prizes.0.stock", 3), ["/prizes/0/stock"]),
    (declared_instant("prizes.0.title", "A bike"), ["/prizes/0/title/en"]),
    (declared_instant("prizes.0.per_shopper", 2), ["/prizes/0/per_shopper"]),
    (declared_instant("prizes.1.per_day", 9), ["/prizes/1/per_day"]),
    (declared_instant("prizes.1.release.every_hours", 3), ["/prizes/1/release/every_hours"]),
    (declared_instant("prizes.2.release.hour_weights", [1] * 24), ["/prizes/2/release/hour_weights"]),
    (declared_instant("prizes.3.reward.value", {"amount": 1, "currency": "CNY"}), ["/prizes/3/reward/value"]),
    (declared_instant(prizes=instant()["prizes"][::-1]), ["/prizes"]),
    (declared_instant(prizes=with_another_prize()), ["/prizes/4"]),
    (declared_instant(prizes=[*instant()["prizes"][:2], instant()["prizes"][3]]), ["/prizes"]),
    (declared_instant(consolation=None, pity={"after": 5, "prize": "STICKER"}), ["/consolation", "/pity/prize"]),
    (declared_instant("pity.after", 6), ["/pity/after"]),
    (declared_instant("entries.per_day", 2), ["/entries/per_day"]),
    (declared_instant(starts_at="2026-11-09T01:00:00"), ["/starts_at"]),
    (declared_instant(ends_at="2026-11-13T00:00:00"), ["/ends_at"]),
    (declared_instant(time_zone="Asia/Macau"), ["/time_zone"]),
    (declared_instant(expected_entrants=5), ["/expected_entrants"]),
    (declared_instant("compliance.organiser", "Somebody else"), ["/compliance/organiser"]),
    (declared_instant("compliance.claim_rules.en", "Come on Sunday"), ["/compliance/claim_rules/en"]),
    (declared_instant("fulfilment.claim_until", "2026-11-29T00:00:00"), ["/fulfilment/claim_until"]),
    (declared(id=LUCKY), ["/fulfilment/claim_until", "/mechanic"]),
]


@pytest.mark.parametrize(
    ("changed", "places"),
    REFUSED,
    ids=[f"{number:02} {' '.join(places)}" for number, (_, places) in enumerate(REFUSED)],
)
@pytest.mark.parametrize("now", [BEFORE, DURING], ids=["before the start", "while it runs"])
def test_what_was_promised_cannot_change(desk: LotteryDesk, changed: Campaign, places: list[str], now: int) -> None:
    desk.publish()
    desk.clock.now = now
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(changed, WHO)
    assert pointers(refused.value) == places
    assert desk.campaigns.campaigns[LUCKY].version == 1


def test_a_sale_does_not_become_a_lottery(desk: LotteryDesk) -> None:
    desk.operate.apply(declared(), WHO, publish=True)
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.apply(declared_instant(id=declared().id), WHO)
    assert pointers(refused.value) == ["/mechanic"]


def test_everything_about_a_draft_may_change(desk: LotteryDesk) -> None:
    desk.operate.apply(declared(id=LUCKY), WHO)
    desk.operate.apply(declared_draw(id=LUCKY), WHO)
    act = desk.operate.apply(declared_instant(ends_at="2026-11-13T00:00:00"), WHO)
    assert act.campaign.luck is None
    assert desk.operate.publish(LUCKY, WHO).campaign.mechanic == "lottery"


@pytest.mark.parametrize(
    "change",
    [
        declared_instant(title="Other words"),
        declared_instant(channels=["store"]),
        declared_instant(eligibility={"member_tiers": ["gold"]}),
        declared_instant("compliance.contact", "new@shop.example"),
        declared_instant("fulfilment.claim_until", "2026-12-01T00:00:00"),
        declared_instant("fulfilment.time_limit_hours", 5),
    ],
    ids=["title", "channels", "eligibility", "contact", "more time to claim", "fulfilment"],
)
def test_what_decides_about_nothing_may_change(desk: LotteryDesk, change: Campaign) -> None:
    before = desk.publish()
    desk.clock.now = DURING
    after = desk.operate.apply(change, WHO).campaign
    assert to_declaration(after) == to_declaration(change)
    assert after.luck == before.luck


def test_after_the_end_contact_and_fulfilment_may_still_change(desk: LotteryDesk) -> None:
    desk.publish()
    desk.clock.now = ENDS_AT
    moved = declared_instant("compliance.contact", "new@shop.example")
    assert desk.operate.apply(moved, WHO).campaign.lottery == moved.lottery
    for changed in (
        declared_instant(compliance=COMPLIANCE | {"contact": "new@shop.example", "organiser": "Nobody"}),
        with_odds("1/1000"),
        parse_campaign(
            instant("compliance.contact", "new@shop.example")
            | {"fulfilment": instant()["fulfilment"] | {"claim_until": "2026-11-20T00:00:00"}}
        ).to_campaign(),
    ):
        with pytest.raises(CampaignChangeRefused):
            desk.operate.apply(changed, WHO)


def test_prizes_are_not_restocked(desk: LotteryDesk) -> None:
    desk.publish()
    with pytest.raises(CampaignChangeRefused) as refused:
        desk.operate.restock(LUCKY, "more", "CAR", 1, WHO)
    assert "cannot be added" in str(refused.value.errors[0].params["reason"])
    assert desk.stock.shards == {}


def test_a_lottery_goes_through_its_life(desk: LotteryDesk) -> None:
    desk.operate.apply(declared_instant(), WHO)
    desk.clock.now = DURING
    for act, state in (
        (desk.operate.publish, State.RUNNING),
        (desk.operate.pause, State.PAUSED),
        (desk.operate.resume, State.RUNNING),
        (desk.operate.end, State.ENDED),
    ):
        assert act(LUCKY, WHO).campaign.state_at(DURING) is state
    with pytest.raises(CampaignEnded):
        desk.operate.resume(LUCKY, WHO)


# --- public pages ---


def test_the_page_shows_the_odds_in_force_and_those_to_come(desk: LotteryDesk) -> None:
    desk.publish()
    desk.clock.now = DURING
    desk.operate.apply(with_odds("1/1000"), WHO)
    seen = []
    for now in (DURING, DURING + CHANGE_LEAD_MS - 1, DURING + CHANGE_LEAD_MS):
        desk.clock.now = now
        view = desk.browse().get_campaign(LUCKY).lottery
        assert view is not None
        coming = None if view.next_table is None else view.next_table.version
        seen.append((view.prizes[0].odds, view.table.version, coming))
    assert seen == [(Fraction(1, 5000), 1, 2), (Fraction(1, 5000), 1, 2), (Fraction(1, 1000), 2, None)]


def test_the_rules_are_public_as_soon_as_it_is_published(desk: LotteryDesk) -> None:
    desk.operate.apply(declared_instant(), WHO)
    with pytest.raises(CampaignNotFound):
        desk.browse().rules(LUCKY)
    campaign = desk.operate.publish(LUCKY, WHO).campaign
    rules = desk.browse().rules(LUCKY)
    assert campaign.lottery is not None
    assert rules.compliance == campaign.lottery.compliance
    assert (rules.starts_at, rules.ends_at, rules.over_at, rules.draw_at) == (STARTS_AT, ENDS_AT, ENDS_AT, None)
    assert rules.claim_until == campaign.fulfilment.claim_until
    assert [(prize.prize.id, prize.prize.stock, prize.odds) for prize in rules.lottery.prizes] == [
        ("CAR", 2, Fraction(1, 5000)),
        ("MUG", 300, Fraction(1, 20)),
        ("WATCH", 9, None),
        ("STICKER", 5000, None),
    ]
    assert rules.lottery.commitment == luck(campaign).frozen.commitment


def test_everybody_can_compute_the_hashes_again(desk: LotteryDesk) -> None:
    desk.publish()
    desk.clock.now = DURING
    desk.operate.apply(with_odds("1/1000"), WHO)
    view = desk.browse().draw(LUCKY)
    assert [table.version for table in view.tables] == [1, 2]
    assert all(digest(table.document) == table.hash for table in view.tables)
    assert view.tables[1].document["previous"] == view.tables[0].hash
    assert {table.document["commitment"] for table in view.tables} == {view.commitment}


def test_a_sale_has_neither_rules_nor_draw(desk: LotteryDesk) -> None:
    desk.operate.apply(declared(), WHO, publish=True)
    for look in (desk.browse().rules, desk.browse().draw):
        with pytest.raises(WrongMechanic):
            look(declared().id)


@pytest.mark.parametrize(
    ("now", "is_shown"),
    [(BEFORE, False), (DURING, False), (ENDS_AT, False), (ENDS_AT + 59_999, False), (ENDS_AT + 60_000, True)],
)
def test_the_seed_of_an_instant_win_is_shown_a_minute_after_the_end(
    desk: LotteryDesk, now: int, is_shown: bool
) -> None:
    desk.publish()
    desk.clock.now = now
    view = desk.browse().draw(LUCKY)
    assert view.seed_from == ENDS_AT + 60_000
    assert view.seed == (desk.campaigns.seed(LUCKY) if is_shown else None)
    if view.seed is not None:
        assert commitment(view.seed) == view.commitment


def test_ended_early_its_seed_is_shown_a_minute_later(desk: LotteryDesk) -> None:
    desk.publish()
    desk.clock.now = DURING
    desk.operate.end(LUCKY, WHO)
    assert desk.browse().rules(LUCKY).over_at == DURING
    desk.clock.now = DURING + 59_999
    assert desk.browse().draw(LUCKY).seed is None
    desk.clock.now += 1
    assert desk.browse().draw(LUCKY).seed == desk.campaigns.seed(LUCKY)


def test_the_seed_of_a_draw_is_shown_when_it_was_held(desk: LotteryDesk) -> None:
    desk.publish(declared_draw())
    asked: list[str] = []

    def held(campaign_id: str) -> bool:
        asked.append(campaign_id)
        return True

    desk.clock.now = DRAW_AT - 1
    assert desk.browse(held).draw(TRIAL).seed is None
    assert asked == []
    desk.clock.now = DRAW_AT + 10 * DAY_MS
    assert desk.browse().draw(TRIAL).seed is None
    view = desk.browse(held).draw(TRIAL)
    assert (view.seed, asked) == (desk.campaigns.seed(TRIAL), [TRIAL])
    assert view.beacon is not None
    assert DRAW_AT <= view.beacon.out_at < DRAW_AT + 3000


def test_a_draw_that_is_ended_early_keeps_its_time(desk: LotteryDesk) -> None:
    desk.publish(declared_draw())
    desk.clock.now = DURING
    desk.operate.end(TRIAL, WHO)
    view = desk.browse(lambda _: True).draw(TRIAL)
    assert (view.over_at, view.draw_at, view.seed_from, view.seed) == (DURING, DRAW_AT, DRAW_AT, None)
    desk.clock.now = DRAW_AT
    assert desk.browse(lambda _: True).draw(TRIAL).seed == desk.campaigns.seed(TRIAL)


def test_without_being_told_otherwise_pages_show_no_seed(desk: LotteryDesk) -> None:
    desk.publish()
    desk.clock.now = ENDS_AT + DAY_MS
    bare = BrowseCampaigns(LiveCampaigns(desk.campaigns, desk.clock), desk.campaigns, desk.clock)
    assert bare.draw(LUCKY).seed is None


# --- the seed is nowhere else ---


def spellings(secret: bytes) -> set[str]:
    """The ways in which bytes may be written down by mistake."""
    texts = {secret.hex(), repr(secret)[2:-1], str(list(secret))[1:-1], str(int.from_bytes(secret, "big"))}
    texts |= {base64.b64encode(secret).decode().rstrip("="), base64.urlsafe_b64encode(secret).decode().rstrip("=")}
    return texts | {text.upper() for text in texts}


def test_nothing_that_is_answered_kept_or_logged_has_the_seed(
    desk: LotteryDesk, caplog: pytest.LogCaptureFixture
) -> None:
    """GIVEN the life of a lottery WHEN all of its traces are put together THEN the seed is in none of them."""
    caplog.set_level(logging.DEBUG)
    acts: list[Act] = [desk.operate.apply(declared_instant(), WHO, publish=True, dry_run=True)]
    acts += [desk.operate.apply(declared_instant(), WHO), desk.operate.publish(LUCKY, WHO)]
    desk.clock.now = DURING
    acts += [desk.operate.apply(with_odds("1/1000"), WHO), desk.operate.pause(LUCKY, WHO)]
    acts += [desk.operate.resume(LUCKY, WHO), desk.operate.end(LUCKY, WHO)]
    campaign = desk.campaigns.campaigns[LUCKY]
    pages = desk.browse()
    traces = [
        repr(acts),
        repr(desk.campaigns.trails),
        repr(campaign),
        json.dumps(campaign.to_document()),
        json.dumps(luck(campaign).to_document()),
        json.dumps(to_declaration(campaign)),
        repr([pages.get_campaign(LUCKY), pages.rules(LUCKY), pages.draw(LUCKY), pages.list_campaigns()]),
        caplog.text,
    ]
    desk.clock.now = ENDS_AT + DAY_MS
    traces.append(repr(desk.browse().draw(LUCKY)))
    seed = desk.campaigns.seed(LUCKY)
    assert seed is not None
    rehearsed = [made for made in desk.made if len(made) == SEED_BYTES]
    assert len(rehearsed) == 2, "one of the dry run, one that counts"
    for secret in rehearsed:
        found = [text for text in spellings(secret) for trace in traces if text in trace]
        assert found == []


def test_the_search_for_the_seed_would_find_it() -> None:
    """Negative control: each way of writing a secret down is found."""
    secret = bytes([0xA5, 3]) * 16
    for leak in (repr(secret), secret.hex(), json.dumps(list(secret)), base64.b64encode(secret).decode()):
        assert any(text in leak for text in spellings(secret))


def test_draws_are_declared_again_as_they_are_shown(desk: LotteryDesk) -> None:
    desk.publish(declared_draw())
    shown = to_declaration(desk.campaigns.campaigns[TRIAL])
    assert desk.operate.apply(parse_campaign(shown).to_campaign(), WHO).changes == ()
    assert shown["draw"] == draw()["draw"] | {"at": "2026-11-12T12:00:00+08:00", "reserve_claim_hours": 168}
