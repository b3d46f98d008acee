"""Why a coupon cannot be used: the one reason that counts, to the millisecond, and what would change it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from brandday.domain.campaign import Eligibility, Shopper, Status
from brandday.domain.coupon import Benefit, BenefitKind, CodeKind, Scope, Tier, Validity
from brandday.domain.coupon_record import UNTOUCHED, CouponFacts, CouponState, UseState
from brandday.domain.coupon_rules import Candidate, Use, why_not
from brandday.domain.messages import explain
from brandday.domain.order import Line, Order
from brandday.domain.times import to_rfc3339
from tests.fakes.backend import CLOSES, OPENS
from tests.fakes.coupon_backend import DAY_MS, coupon_terms, coupons

UNTIL = OPENS + 10 * DAY_MS
FACTS = CouponFacts("cpn_1", "A" * 16, "brand-day-2026-07", "name", "job:a.1", OPENS, UNTIL)
BEARER = replace(FACTS, owner=None)
TERMS = coupon_terms(
    benefit=Benefit(BenefitKind.AMOUNT_OFF, (Tier(3000, amount=500), Tier(9000, amount=2000))),
    validity=Validity(OPENS + 500, UNTIL),
)
ANYBODY = Shopper("shopper-1", channel="app")
ORDER = Order("CNY", (Line("TEA", "drink", 2, 1500), Line("MUG", "ware", 1, 200)), 800, "app")
LATER = OPENS + 1000


def candidate(facts: CouponFacts | None = FACTS, state: CouponState = UNTOUCHED, **changes: Any) -> Candidate:
    """A coupon (a shared code without facts); changes are those of the campaign, or of its terms."""
    names = {name: changes.pop(name) for name in list(changes) if hasattr(TERMS, name)}
    if facts is None:
        names |= {"code_kind": CodeKind.SHARED, "code": "SAVE10"}
    terms = replace(TERMS, **names)
    return Candidate("SAVE10" if facts is None else facts.code, coupons(terms, **changes), terms, facts, state)


def use(now: int = LATER, **changes: Any) -> Use:
    return replace(Use(now, ANYBODY, ORDER), **changes)


def reason(asked: Candidate, how: Use | None = None) -> tuple[str, dict[str, Any], int | None] | None:
    refusal = why_not(asked, how or use())
    return None if refusal is None else (refusal.code, refusal.params, refusal.retry_after_ms)


def code(asked: Candidate, how: Use | None = None) -> str | None:
    found = reason(asked, how)
    return None if found is None else found[0]


def test_a_coupon_that_nothing_keeps_from_it_can_be_used() -> None:
    assert reason(candidate()) is None
    assert reason(candidate(None)) is None
    assert reason(candidate(BEARER)) is None
    assert reason(candidate(), use(order=None)) is None


# --- the coupon ---

LOCKED = CouponState(UseState.LOCKED, "rdm_1", LATER - 10, LATER + 500, version=1)
USED = CouponState(UseState.REDEEMED, "rdm_1", OPENS + 700, version=2)


def test_a_lock_ends_to_the_millisecond_and_says_when() -> None:
    assert reason(candidate(state=LOCKED)) == ("coupon_locked", {}, 500)
    assert reason(candidate(state=LOCKED), use(LATER + 499)) == ("coupon_locked", {}, 1)
    assert reason(candidate(state=LOCKED), use(LATER + 500)) is None


def test_nobodys_own_lock_is_in_their_way() -> None:
    assert reason(candidate(state=LOCKED), use(redemption="rdm_1")) is None
    assert code(candidate(state=LOCKED), use(redemption="rdm_2")) == "coupon_locked"


def test_who_has_locked_a_coupon_in_time_may_use_it_though_its_time_is_over() -> None:
    late = replace(LOCKED, locked_until=UNTIL + 500)
    assert code(candidate(state=late), use(UNTIL + 499, redemption="rdm_1")) is None
    assert code(candidate(state=late), use(UNTIL + 499)) == "coupon_expired"
    assert code(candidate(state=late), use(UNTIL + 500, redemption="rdm_1")) == "coupon_expired"


def test_what_was_used_says_when_and_where() -> None:
    at = to_rfc3339(OPENS + 700)
    assert reason(candidate(state=USED)) == ("coupon_redeemed", {"at": at, "where": "online", "store": ""}, None)
    counter = replace(USED, store="hangzhou-1")
    refusal = why_not(candidate(state=counter), use())
    assert refusal is not None
    assert refusal.params == {"at": at, "where": "counter", "store": "hangzhou-1"}
    assert "hangzhou-1" in explain(refusal, "en").detail
    assert at in explain(refusal, "en").detail


def test_what_was_given_back_can_be_used_as_long_as_it_was_prolonged() -> None:
    back = CouponState(UseState.RETURNED, "rdm_1", OPENS, valid_until=UNTIL + DAY_MS, version=3)
    assert reason(candidate(state=back), use(UNTIL + DAY_MS - 1)) is None
    ended = {"ended_at": to_rfc3339(UNTIL + DAY_MS)}
    assert reason(candidate(state=back), use(UNTIL + DAY_MS)) == ("coupon_expired", ended, None)


def test_a_coupon_is_valid_up_to_its_end_and_not_at_it() -> None:
    assert reason(candidate(), use(UNTIL - 1)) is None
    assert reason(candidate(), use(UNTIL)) == ("coupon_expired", {"ended_at": to_rfc3339(UNTIL)}, None)


def test_a_disabled_coupon_is_of_no_use_to_anybody() -> None:
    assert code(candidate(state=CouponState(disabled=True, version=1))) == "coupon_disabled"
    assert code(candidate(state=replace(LOCKED, disabled=True)), use(redemption="rdm_1")) == "coupon_disabled"


# --- the campaign ---


def test_before_it_can_be_used_it_says_from_when_on() -> None:
    starts = {"starts_at": to_rfc3339(OPENS + 500)}
    for facts in (FACTS, None):
        assert reason(candidate(facts), use(OPENS + 400)) == ("coupon_not_started", starts, 100)
        assert reason(candidate(facts), use(OPENS + 500)) is None


def test_a_shared_code_opens_with_its_campaign_even_if_it_is_said_to_be_valid_before() -> None:
    early = Validity(OPENS - 500, UNTIL)
    assert code(candidate(None, validity=early), use(OPENS - 1)) == "coupon_not_started"
    assert code(candidate(validity=early), use(OPENS - 1)) is None


def test_the_end_of_the_campaign_ends_shared_codes_and_not_what_somebody_has() -> None:
    ended = {"ended_at": to_rfc3339(CLOSES)}
    assert reason(candidate(None), use(CLOSES)) == ("campaign_ended", ended, None)
    assert reason(candidate(), use(CLOSES)) is None
    stopped: dict[str, Any] = {"status": Status.ENDED, "ended_at": OPENS + 600}
    assert reason(candidate(None, **stopped)) == ("campaign_ended", {"ended_at": to_rfc3339(OPENS + 600)}, None)
    assert reason(candidate(**stopped)) is None


def test_a_shared_code_can_end_before_its_campaign() -> None:
    short = Validity(OPENS, OPENS + 2000)
    assert reason(candidate(None, validity=short), use(OPENS + 1999)) is None
    assert code(candidate(None, validity=short), use(OPENS + 2000)) == "coupon_expired"


def test_a_pause_stops_everything_also_after_the_campaign() -> None:
    paused: dict[str, Any] = {"status": Status.PAUSED}
    assert reason(candidate(**paused)) == ("campaign_paused", {}, 5000)
    assert code(candidate(None, **paused)) == "campaign_paused"
    assert code(candidate(**paused), use(CLOSES + 1)) == "campaign_paused"


def test_nobody_learns_of_a_draft() -> None:
    assert code(candidate(status=Status.DRAFT)) == "coupon_not_found"


# --- the shopper ---

GOLD = Eligibility(member_tiers=("gold",), regions=("CN",), new_customers_only=True)
GOLDEN = Shopper("shopper-1", "gold", "app", "CN", new_customer=True)


@pytest.mark.parametrize(
    ("shopper", "requirement"),
    [
        (GOLDEN, None),
        (GOLDEN._replace(channel="nowhere"), None),
        (GOLDEN._replace(tier="silver"), "member_tier"),
        (GOLDEN._replace(region="DE"), "region"),
        (GOLDEN._replace(new_customer=False), "new_customer"),
    ],
)
def test_who_is_not_eligible_hears_what_would_be(shopper: Shopper, requirement: str | None) -> None:
    """A campaign's channels are where its coupons are taken: no question when one is used."""
    for facts in (FACTS, BEARER, None):
        refusal = why_not(candidate(facts, eligibility=GOLD), use(shopper=shopper))
        assert (None if refusal is None else refusal.params["requirement"]) == requirement


def test_at_the_counter_only_the_owner_of_a_coupon_is_known_to_be_eligible() -> None:
    assert reason(candidate(FACTS, eligibility=GOLD), use(shopper=None)) is None
    assert code(candidate(BEARER, eligibility=GOLD), use(shopper=None)) == "not_eligible"
    assert code(candidate(None, eligibility=GOLD), use(shopper=None)) == "not_eligible"
    assert reason(candidate(BEARER), use(shopper=None)) is None


# --- the order ---


def test_a_channel_only_coupon_says_which() -> None:
    refused = ("not_eligible", {"requirement": "order_channel", "accepted": ("app",)}, None)
    only_app = candidate(order_channels=("app",))
    assert reason(only_app) is None
    assert reason(only_app, use(order=replace(ORDER, channel="web"))) == refused
    assert reason(only_app, use(order=replace(ORDER, channel=""))) == refused


def test_another_currency() -> None:
    assert reason(candidate(currency="EUR")) == ("currency_not_accepted", {"currency": "EUR"}, None)


def test_nothing_in_the_order_that_it_applies_to() -> None:
    assert code(candidate(scope=Scope(include_skus=("COLA",)))) == "no_matching_items"
    assert code(candidate(scope=Scope(exclude_skus=("TEA", "MUG")))) == "no_matching_items"


def test_what_is_missing_of_the_minimum_spend_is_said_to_the_cent() -> None:
    tea = Scope(include_categories=("drink",))
    assert reason(candidate(scope=tea)) is None
    less = replace(ORDER, lines=(Line("TEA", "drink", 1, 2200), Line("MUG", "ware", 9, 9000)))
    refusal = why_not(candidate(scope=tea), use(order=less))
    assert refusal is not None
    assert (refusal.code, refusal.params) == (
        "minimum_spend_not_reached",
        {"missing": 800, "currency": "CNY", "spend": "8.00"},
    )
    assert explain(refusal, "en").detail == "Spend CNY 8.00 more on items that the coupon applies to."
    one_short = replace(ORDER, lines=(Line("TEA", "drink", 1, 2999),))
    assert reason(candidate(scope=tea), use(order=one_short)) == (
        "minimum_spend_not_reached",
        {"missing": 1, "currency": "CNY", "spend": "0.01"},
        None,
    )


# --- which of several ---


def test_what_can_never_change_is_said_before_what_can() -> None:
    """Each fault is put right in turn; the next one shows."""
    poor = replace(ORDER, lines=(Line("TEA", "drink", 1, 1),), channel="web", currency="EUR")
    broken: dict[str, Any] = {"status": Status.PAUSED, "eligibility": GOLD, "order_channels": ("app",)}
    late, soon = UNTIL, OPENS + 400
    assert code(candidate(state=replace(USED, disabled=True), **broken), use(late, order=poor)) == "coupon_disabled"
    assert code(candidate(state=USED, **broken), use(late, order=poor)) == "coupon_redeemed"
    lasting = replace(LOCKED, locked_until=UNTIL + 1)
    assert code(candidate(state=lasting, **broken), use(late, order=poor)) == "coupon_expired"
    assert code(candidate(state=lasting, **broken), use(soon, order=poor)) == "coupon_locked"
    assert code(candidate(**broken), use(soon, order=poor)) == "campaign_paused"
    del broken["status"]
    assert code(candidate(**broken), use(soon, order=poor)) == "coupon_not_started"
    assert code(candidate(**broken), use(order=poor)) == "not_eligible"
    assert reason(candidate(**broken), use(order=poor, shopper=GOLDEN)) == (
        "not_eligible",
        {"requirement": "order_channel", "accepted": ("app",)},
        None,
    )
    poor = replace(poor, channel="app")
    assert code(candidate(**broken), use(order=poor, shopper=GOLDEN)) == "currency_not_accepted"
    poor = replace(poor, currency="CNY")
    assert code(candidate(**broken), use(order=poor, shopper=GOLDEN)) == "minimum_spend_not_reached"
    assert code(candidate(**broken), use(shopper=GOLDEN)) is None
