"""What the gate refused, counted, explained and lifted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.adapters import keys
from brandday.domain.errors import CampaignNotFound, CaseNotFound, TemporarilyOverloaded
from brandday.domain.listing import Listing, ListingKey
from brandday.domain.protection import Counted, Limit, Protection, Window
from brandday.domain.refusal_case import Case, reference_of
from brandday.domain.risk import Listed, RiskMode, RiskTerms, Weighed
from brandday.domain.risk_rules.new_account import NewAccount
from brandday.domain.risk_rules.shared_signal import SharedSignal
from brandday.domain.signals import SignalKind
from brandday.domain.trail import TrailEntry
from brandday.usecases import review_risk
from brandday.usecases.guard_desk_ports import CASE_PARTS
from brandday.usecases.keep_lists import DAY_MS, Row, end_of_day
from brandday.usecases.review_risk import Grounds, ReviewRisk, Threshold, explain, limit_text, thresholds
from tests.fakes.declarations import DURING, declared
from tests.fakes.memory_desk import MemoryGuardDesk, RiskDesk

CAMPAIGN = declared().id
TERMS = RiskTerms(
    RiskMode.SHADOW,
    challenge_at=50,
    refuse_at=80,
    rules=(Weighed("new_account", 50, NewAccount(24)), Weighed("farm", 40, SharedSignal("device", 3))),
)
LIMITS = (
    Limit("per-device", SignalKind.DEVICE, Counted.WINS, 2),
    Limit("rate", SignalKind.NETWORK, Counted.ATTEMPTS, 30, Window(60_000, sliding=True)),
)


@pytest.fixture
def desk() -> RiskDesk:
    return RiskDesk(Protection(limits=LIMITS, risk=TERMS))


def case_of(number: int, **changes: object) -> Case:
    """The case of a shopper; every third device is one of a farm."""
    case = Case(
        reference=reference_of(b"key", CAMPAIGN, str(number)),
        campaign_id=CAMPAIGN,
        at=DURING + number,
        mode=RiskMode.SHADOW,
        code="not_admitted",
        score=90,
        reasons=("new_account", "farm"),
        marks={
            SignalKind.SHOPPER: f"shopper-{number:08}",
            SignalKind.DEVICE: f"device-{number if number % 3 else 0:08}-",
        },
        forget_at=DURING + 30 * DAY_MS,
    )
    return replace(case, **changes)  # type: ignore[arg-type]


def test_cases_are_counted_by_mode_code_and_reason(desk: RiskDesk) -> None:
    for number in range(6):
        desk.open(case_of(number))
    desk.open(case_of(6, mode=RiskMode.ENFORCE, code="limit_reached", score=0, reasons=("per-device",)))
    desk.open(case_of(7, mode=RiskMode.ENFORCE, code="rate_limited", score=0, reasons=("gone",)))
    report = desk.review.report(CAMPAIGN)
    assert report.cases == 8
    assert report.is_complete
    assert (report.first_at, report.last_at) == (DURING, DURING + 7)
    assert report.by_mode == {RiskMode.SHADOW: 6, RiskMode.ENFORCE: 2}
    assert report.by_code == {"not_admitted": 6, "limit_reached": 1, "rate_limited": 1}
    reasons = {counted.reason.name: (counted.reason.grounds, counted.cases) for counted in report.reasons}
    assert reasons == {
        "new_account": (Grounds.RULE, 6),
        "farm": (Grounds.RULE, 6),
        "per-device": (Grounds.LIMIT, 1),
        "gone": (Grounds.GONE, 1),
    }
    assert report.terms == TERMS


def test_marks_that_most_cases_share_come_first_and_no_shopper_is_among_them(desk: RiskDesk) -> None:
    for number in range(9):
        desk.open(case_of(number))
    desk.lists.put([Row("block", "device", mark="device-00000000-")], "ann", "key")
    (shared,) = desk.review.report(CAMPAIGN).marks
    assert shared.key == ListingKey(SignalKind.DEVICE, "device-00000000-")
    assert shared.cases == 3
    assert shared.listed is Listed.BLOCK


def test_what_is_forgotten_by_now_is_not_counted(desk: RiskDesk) -> None:
    desk.open(case_of(1))
    desk.open(case_of(2, forget_at=DURING))
    assert desk.review.report(CAMPAIGN).cases == 1
    with pytest.raises(CaseNotFound):
        desk.review.explain(case_of(2).reference)


def test_a_report_of_more_than_it_looks_at_says_so(desk: RiskDesk) -> None:
    for number in range(200):
        desk.open(case_of(number))
    assert desk.review.report(CAMPAIGN).is_complete
    report = replace(desk.review, most=40).report(CAMPAIGN)
    assert not report.is_complete
    assert 40 <= report.cases < 200


def test_a_campaign_that_is_not_there_has_no_report(desk: RiskDesk) -> None:
    with pytest.raises(CampaignNotFound):
        desk.review.report("nowhere")


def test_a_campaign_without_protection_has_an_empty_report() -> None:
    report = RiskDesk().review.report(CAMPAIGN)
    assert report.cases == 0
    assert report.terms is None
    assert report.thresholds == ()


def test_other_thresholds_are_told_from_the_lowest_in_force_on() -> None:
    scores = {40: 7, 50: 5, 60: 3, 90: 2}
    assert thresholds(scores, TERMS) == (Threshold(50, 10), Threshold(60, 5), Threshold(80, 2), Threshold(90, 2))
    assert thresholds(scores, None) == ()
    enforced = replace(TERMS, mode=RiskMode.ENFORCE)
    assert thresholds(scores, enforced) == (Threshold(80, 2), Threshold(90, 2)), "who is challenged leaves no case"
    assert thresholds(scores, replace(enforced, refuse_at=None)) == ()
    assert thresholds(scores, replace(TERMS, challenge_at=None)) == (Threshold(80, 2), Threshold(90, 2))


@given(st.dictionaries(st.integers(0, 300), st.integers(1, 50)), st.integers(1, 100), st.integers(101, 200))
def test_thresholds_are_few_and_never_let_more_in_by_being_higher(
    scores: dict[int, int], challenge_at: int, refuse_at: int
) -> None:
    rows = thresholds(scores, replace(TERMS, challenge_at=challenge_at, refuse_at=refuse_at))
    assert len(rows) <= review_risk.THRESHOLDS
    assert rows[0].score == challenge_at
    assert refuse_at in [row.score for row in rows]
    assert [row.score for row in rows] == sorted({row.score for row in rows})
    assert [row.shoppers for row in rows] == sorted((row.shoppers for row in rows), reverse=True)
    assert rows[0].shoppers == sum(count for score, count in scores.items() if score >= challenge_at)


def test_a_case_is_explained_in_words(desk: RiskDesk) -> None:
    case = desk.open(case_of(3))
    desk.lists.put([Row("block", "device", mark="device-00000000-", reason="a farm")], "ann", "key")
    explained = desk.review.explain(case.reference)
    assert explained.case == case
    assert [(reason.name, reason.weight) for reason in explained.reasons] == [("new_account", 50), ("farm", 40)]
    assert explained.reasons[1].text == "More than 3 shoppers came with the same device."
    listed = {sight.key.kind: sight.listing for sight in explained.marks}
    assert listed[SignalKind.SHOPPER] is None
    device = listed[SignalKind.DEVICE]
    assert device is not None
    assert device.reason == "a farm"


@pytest.mark.parametrize(
    ("code", "name", "grounds"),
    [
        ("not_admitted", "farm", Grounds.RULE),
        ("challenge_required", "new_account", Grounds.RULE),
        ("limit_reached", "per-device", Grounds.LIMIT),
        ("rate_limited", "rate", Grounds.LIMIT),
        ("rate_limited", "farm", Grounds.RULE),
        ("not_admitted", "dropped", Grounds.GONE),
    ],
)
def test_every_code_with_a_reference_has_reasons_in_words(
    desk: RiskDesk, code: str, name: str, grounds: Grounds
) -> None:
    case = desk.open(case_of(1, code=code, reasons=(name,)))
    (reason,) = desk.review.explain(case.reference).reasons
    assert reason.grounds is grounds
    assert reason.text.endswith(".")
    assert "d-1" not in reason.text


def test_a_limit_and_a_rule_of_one_name_are_told_apart_by_the_code() -> None:
    limit = replace(LIMITS[0], name="farm")
    campaign = replace(declared(), protection=Protection(limits=(limit,), risk=TERMS))
    assert explain(campaign, "limit_reached", "farm").grounds is Grounds.LIMIT
    assert explain(campaign, "not_admitted", "farm").grounds is Grounds.RULE


def test_limits_in_words() -> None:
    assert limit_text(LIMITS[0]) == "At most 2 wins per device, as long as it lasts."
    assert limit_text(LIMITS[1]) == "At most 30 attempts per network in the last 60 seconds."
    fixed = replace(LIMITS[1], window=Window(DAY_MS, sliding=False))
    assert limit_text(fixed) == "At most 30 attempts per network in each window of 86,400 seconds."


def test_the_case_of_a_guesser_is_found_and_explained_though_it_is_of_no_campaign(desk: RiskDesk) -> None:
    case = desk.open(case_of(1, campaign_id="coupon.codes", code="rate_limited", reasons=("wrong_codes",)))

    (reason,) = desk.review.explain(case.reference).reasons

    assert reason.grounds is Grounds.GUESSING
    assert "ends by itself" in reason.text


def test_a_case_whose_campaign_is_not_to_be_loaded_is_still_explained(desk: RiskDesk) -> None:
    case = desk.open(case_of(1))

    @dataclass
    class Ids:
        """Knows the id of a campaign that is gone."""

        def load(self, campaign_id: str, *, consistent: bool = False) -> tuple[object, Mapping[str, str]]:
            del campaign_id, consistent
            raise CampaignNotFound

        def list_ids(self) -> list[str]:
            return [CAMPAIGN]

    review = ReviewRisk(Ids(), desk.kept, desk.kept, desk.clock)  # type: ignore[arg-type]
    assert {reason.grounds for reason in review.explain(case.reference).reasons} == {Grounds.GONE}


def test_lifting_puts_the_shopper_on_the_allow_list_and_says_so_in_the_trail(desk: RiskDesk) -> None:
    case = desk.open(case_of(1))
    lifted = desk.review.allow(case.reference, 30, "called us", "ann", "key")
    assert lifted.changed
    assert lifted.case.lifted_at == DURING
    assert desk.kept.guard.cases[CAMPAIGN, case.reference].lifted_at == DURING
    key = ListingKey(SignalKind.SHOPPER, case.marks[SignalKind.SHOPPER])
    assert lifted.listing == desk.kept.guard.listings[key]
    assert (lifted.listing.listed, lifted.listing.until) == (Listed.ALLOW, end_of_day(DURING, 30))
    (entry,) = desk.kept.trail
    assert (entry.who, entry.act) == ("ann", "allow")
    assert [change.field for change in entry.changes] == [
        f"cases.{CAMPAIGN}.{case.reference}",
        f"lists.shopper.{key.mark}",
    ]


def test_lifting_again_on_the_same_day_changes_nothing(desk: RiskDesk) -> None:
    case = desk.open(case_of(1))
    desk.review.allow(case.reference, 30, "called us", "ann", "key")
    desk.clock.advance(3_600_000)
    again = desk.review.allow(case.reference, 30, "called again", "bob", "another key")
    assert not again.changed
    assert again.listing.who == "ann"
    assert not desk.review.allow(case.reference, 7, "shorter", "bob", "a third key").changed
    assert len(desk.kept.trail) == 1
    assert desk.review.allow(case.reference, 60, "longer", "bob", "a fourth key").changed


def test_another_case_of_somebody_who_is_allowed_is_lifted_and_shortens_nothing(desk: RiskDesk) -> None:
    case = desk.open(case_of(1))
    desk.review.allow(case.reference, 30, "called us", "ann", "key")
    other = desk.open(replace(case, reference="0000000000"))
    lifted = desk.review.allow(other.reference, 1, "again", "bob", "another key")
    assert lifted.changed
    assert lifted.listing.until == end_of_day(DURING, 30)


def test_somebody_on_the_block_list_is_allowed_instead(desk: RiskDesk) -> None:
    case = desk.open(case_of(1))
    mark = "shopper-00000001"
    desk.open(replace(case, marks={**case.marks, SignalKind.SHOPPER: mark}))
    desk.lists.put([Row("block", "shopper", mark=mark)], "ann", "key")
    desk.review.allow(case.reference, 30, "a mistake", "bob", "another key")
    assert desk.kept.guard.listings[ListingKey(SignalKind.SHOPPER, mark)].listed is Listed.ALLOW
    assert desk.kept.trail[-1].changes[1].before["list"] == "block"


def test_who_is_allowed_no_more_can_be_allowed_again(desk: RiskDesk) -> None:
    case = desk.open(case_of(1))
    desk.review.allow(case.reference, 1, "called us", "ann", "key")
    desk.clock.advance(3 * DAY_MS)
    assert desk.review.allow(case.reference, 1, "called again", "ann", "another key").changed


class _Losing(MemoryGuardDesk):
    """Somebody else is always faster."""

    def lift(self, case: Case, at: int, change: tuple[Listing | None, Listing], entry: TrailEntry) -> bool:
        del case, at, change, entry
        return False


def test_who_is_always_slower_is_told_to_try_again() -> None:
    desk = RiskDesk(kept=_Losing())
    case = desk.open(case_of(1))
    with pytest.raises(TemporarilyOverloaded):
        desk.review.allow(case.reference, 30, "", "ann", "key")


def test_a_reference_of_nothing_is_not_found(desk: RiskDesk) -> None:
    for act in (desk.review.explain, lambda reference: desk.review.allow(reference, 1, "", "ann", "key")):
        with pytest.raises(CaseNotFound):
            act("0000000000")


def test_cases_are_looked_for_where_they_are_kept() -> None:
    assert CASE_PARTS == keys.CASE_PARTS
    parts = Counter(keys.case_key(CAMPAIGN, case_of(number).reference) for number in range(1600))
    assert set(parts) == {keys.cases_key(CAMPAIGN, part) for part in range(CASE_PARTS)}
    assert min(parts.values()) > 50, "each part is a fair sample"
