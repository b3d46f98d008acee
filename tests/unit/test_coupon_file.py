"""Coupon campaigns as operators declare them: what works, and what is refused, by field and with a way out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from brandday.config.mechanics import json_schema, parse_campaign, to_declaration
from brandday.config.problems import DocumentRefused
from brandday.domain.campaign import Campaign
from brandday.domain.coupon import POOL, BenefitKind, CodeKind, IssuedBy, OnCancel, Tier
from brandday.usecases.coupon_facts import valid_until
from tests.fakes.coupon_declarations import declared_coupons, imported, made, shared, taken
from tests.fakes.declarations import ENDS_AT, STARTS_AT

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ALL = {"shared": shared, "taken": taken, "made": made, "imported": imported}


def cny(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "CNY"}


def problems(document: dict[str, Any]) -> dict[str, str]:
    """Return what is refused, by field."""
    with pytest.raises(DocumentRefused) as refused:
        parse_campaign(document)
    return {problem.field: problem.message for problem in refused.value.problems}


def terms(document: dict[str, Any]) -> Any:
    return declared_coupons(document).coupon


# --- what works ---


def test_a_shared_code_is_folded_and_kept_as_it_is_shown() -> None:
    campaign = declared_coupons(shared())
    declared = terms(shared())

    assert (declared.code, declared.shown) == ("D0UB1E11", "DOUBLE-11")
    assert declared.benefit.tiers == (Tier(10_000, basis_points=1250),)
    assert (declared.benefit.max_discount, declared.currency) == (5000, "CNY")
    assert (declared.code_kind, declared.issued_by) == (CodeKind.SHARED, IssuedBy.OPERATORS)
    assert [(sku.sku, sku.stock, sku.units_per_shopper) for sku in campaign.skus] == [(POOL, 100, 1)]
    assert (campaign.limit_per_shopper, campaign.hold_seconds) == (1, 900)


def test_coupons_that_shoppers_take_are_as_many_as_the_budget_pays_for() -> None:
    campaign = declared_coupons(taken())
    declared = terms(taken())

    assert (declared.quantity, declared.units, campaign.skus[0].stock) == (300, 200, 200)
    assert declared.is_taken
    assert declared.scope.include_categories == ("tea",)
    assert declared.stacking.group == "tea"


def test_operators_coupons_and_a_partners_codes() -> None:
    gift, partner = terms(made()), terms(imported())

    assert (gift.benefit.kind, gift.benefit.gift, gift.benefit.worth) == (BenefitKind.GIFT, "MUG", 1500)
    assert (partner.prefix, partner.shown, partner.on_cancel) == ("TEAPA1", "TEAPAL", OnCancel.KEEP)
    assert not gift.is_taken
    assert not partner.is_taken


@pytest.mark.parametrize("kind", ALL)
def test_a_declaration_and_a_stored_campaign_are_the_same_thing(kind: str) -> None:
    campaign = declared_coupons(ALL[kind]())
    again = to_declaration(campaign)

    assert declared_coupons(again) == campaign
    assert Campaign.from_document(json.loads(json.dumps(campaign.to_document()))) == campaign


def test_tiers_are_declared_as_they_are_kept() -> None:
    benefit = {
        "kind": "percent_off",
        "tiers": [
            {"minimum_spend": cny(0), "percent": 5},
            {"minimum_spend": cny(20_000), "percent": "7.5"},
            {"minimum_spend": cny(50_000), "percent": "7.50"},
        ],
    }
    campaign = declared_coupons(shared(benefit=benefit))

    assert terms(shared(benefit=benefit)).benefit.tiers == (
        Tier(0, basis_points=500),
        Tier(20_000, basis_points=750),
        Tier(50_000, basis_points=750),
    )
    written = to_declaration(campaign)
    assert [tier["percent"] for tier in written["benefit"]["tiers"]] == ["5", "7.5", "7.5"]
    assert declared_coupons(written) == campaign


@given(st.integers(1, 10_000))
def test_every_percentage_is_exact_as_text_and_as_a_number(points: int) -> None:
    text = f"{points // 100}.{points % 100:02d}"
    for written in (text, float(text), f"{text} %"):
        campaign = declared_coupons(shared("benefit.percent", written))
        assert terms(to_declaration(campaign)).benefit.tiers == (Tier(10_000, basis_points=points),)


def test_free_shipping_needs_nothing_more() -> None:
    assert terms(shared(benefit={"kind": "free_shipping"})).benefit.tiers == (Tier(0),)


@pytest.mark.parametrize("kind", ALL)
def test_the_schema_that_editors_use_knows_what_works(kind: str) -> None:
    Draft202012Validator(json_schema()).validate(ALL[kind]())


# --- until when ---


def test_without_a_validity_coupons_can_be_used_as_long_as_the_campaign_lasts() -> None:
    assert terms(shared()).validity.starts_at == STARTS_AT
    assert terms(shared()).validity.ends_at is None  # with its campaign, also if that is lengthened
    assert terms(imported()).validity.ends_at == ENDS_AT


@pytest.mark.parametrize(
    ("validity", "issued_at", "until"),
    [
        ({"days": 2}, STARTS_AT + HOUR_MS, STARTS_AT + HOUR_MS + 2 * DAY_MS),
        ({"days": 2, "end_of_day": True}, STARTS_AT + HOUR_MS, STARTS_AT + 3 * DAY_MS),
        ({"days": 0, "end_of_day": True}, STARTS_AT + HOUR_MS, STARTS_AT + DAY_MS),
        ({"days": 0, "end_of_day": True}, STARTS_AT, STARTS_AT + DAY_MS),
        ({"days": 9, "ends_at": "2026-11-12T00:00:00"}, STARTS_AT, ENDS_AT),
        ({"days": 1, "starts_at": "2026-11-11T00:00:00"}, STARTS_AT, STARTS_AT + 3 * DAY_MS),
        ({"ends_at": "2026-11-13T00:00:00"}, STARTS_AT, ENDS_AT + DAY_MS),
    ],
    ids=["hours", "end of day", "today", "today from midnight on", "the earlier end", "not before it opens", "a time"],
)
def test_a_coupon_ends_when_it_says(validity: dict[str, Any], issued_at: int, until: int) -> None:
    declared = terms(taken(validity=validity))

    assert valid_until(declared, "Asia/Shanghai", issued_at) == until


def test_the_end_of_a_day_is_that_of_the_place_also_when_clocks_are_put_back() -> None:
    """In Berlin 25 October 2026 has 25 hours, and 29 March has 23."""
    declared = terms(taken(validity={"days": 0, "end_of_day": True, "starts_at": "2026-01-01T00:00:00"}))
    for midnight, hours in ((1_792_879_200_000, 25), (1_774_738_800_000, 23)):
        assert valid_until(declared, "Europe/Berlin", midnight) == midnight + hours * HOUR_MS
        assert valid_until(declared, "Europe/Berlin", midnight + 20 * HOUR_MS) == midnight + hours * HOUR_MS


# --- what is refused ---

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    # percentages
    "over 100 %": (shared("benefit.percent", "100.01"), "benefit.percent", "nothing can be taken off beyond 100 %"),
    "no discount": (shared("benefit.percent", 0), "benefit.percent", "must be 0.01 or more"),
    "below nothing": (shared("benefit.percent", "-5"), "benefit.percent", "must be 0.01 or more"),
    "too precise": (shared("benefit.percent", 12.345), "benefit.percent", "two digits behind the point"),
    "no number": (shared("benefit.percent", "half"), "benefit.percent", "must be a percentage"),
    "not a number": (shared("benefit.percent", "NaN"), "benefit.percent", "must be a percentage"),
    "endless": (shared("benefit.percent", "Infinity"), "benefit.percent", "must be a percentage"),
    "true": (shared("benefit.percent", True), "benefit.percent", "must be a percentage"),
    "an exponent": (shared("benefit.percent", "1e1000000000000000"), "benefit.percent", "beyond 100 %"),
    "a long one": (shared("benefit.percent", "1" * 1000), "benefit.percent", "must be a percentage"),
    # tiers
    "percent and tiers": (
        shared("benefit.tiers", [{"minimum_spend": cny(2), "percent": 5}]),
        "benefit.tiers",
        "two ways",
    ),
    "disordered tiers": (
        shared(
            benefit={
                "kind": "percent_off",
                "tiers": [{"minimum_spend": cny(2), "percent": 5}, {"minimum_spend": cny(2), "percent": 6}],
            }
        ),
        "benefit.tiers[1].minimum_spend",
        "lowest tier first",
    ),
    "a tier that gives less": (
        shared(
            benefit={
                "kind": "amount_off",
                "tiers": [{"minimum_spend": cny(1), "amount": cny(5)}, {"minimum_spend": cny(2), "amount": cny(4)}],
            }
        ),
        "benefit.tiers[1].amount",
        "gives less",
    ),
    "nothing given": (shared(benefit={"kind": "amount_off"}), "benefit.tiers", "say what the coupon gives"),
    "a spend beside tiers": (
        shared(
            benefit={
                "kind": "amount_off",
                "minimum_spend": cny(5),
                "tiers": [{"minimum_spend": cny(1), "amount": cny(5)}],
            }
        ),
        "benefit.tiers",
        "remove the one beside them",
    ),
    "an unknown benefit": (shared(benefit={"kind": "percent_of"}), "benefit.kind", "did you mean 'percent_off'?"),
    "two benefits": (shared("benefit.gift", "MUG"), "benefit.gift", "is not a field that exists here"),
    "an amount of nothing": (shared(benefit={"kind": "amount_off", "amount": cny(0)}), "benefit.amount.amount", "1 or"),
    # money
    "an unknown currency": (shared(currency="RMB"), "currency", "is not a currency of ISO 4217"),
    "two currencies": (
        shared("benefit.max_discount", {"amount": 1, "currency": "EUR"}),
        "benefit.max_discount.currency",
        "is EUR, but the campaign is in CNY",
    ),
    "a budget in another currency": (
        taken(budget={"amount": 9000, "currency": "EUR"}),
        "budget.currency",
        "is EUR, but the campaign is in CNY",
    ),
    "an amount without currency": (
        shared("benefit.max_discount", {"amount": 1}),
        "benefit.max_discount.currency",
        "add",
    ),
    "a negative spend": (
        shared("benefit.minimum_spend.amount", -1),
        "benefit.minimum_spend.amount",
        "must be 0 or more",
    ),
    "a budget without a bound": (
        shared(benefit={"kind": "percent_off", "percent": 10}, budget=cny(10_000)),
        "budget",
        "add benefit.max_discount",
    ),
    "a budget for gifts of no worth": (
        made(benefit={"kind": "gift", "sku": "MUG"}, budget=cny(10_000)),
        "budget",
        "add benefit.worth",
    ),
    "a budget smaller than one use": (taken(budget=cny(1999)), "budget.amount", "one use may cost 2000 already"),
    # codes
    "shared without code": (shared(code=None), "code", "say which code everybody uses"),
    "a short code": (shared(code="A-1"), "code", "must have 4 to 32 letters and digits"),
    "a code like a generated one": (shared(code="ABCD-EFGH-JKMN-1234"), "code", "looks like a generated code"),
    "a code with other characters": (shared(code="DOUBLE_11"), "code", "letters and digits, in groups"),
    "a code where each has its own": (taken(code="DOUBLE11"), "code", "has no place where codes are unique"),
    "imported without prefix": (imported(prefix=None), "prefix", "say what all codes of the partner begin with"),
    "a short prefix": (imported(prefix="TEA"), "prefix", "must have 4 to 16"),
    "a long prefix": (imported(prefix="T" * 17), "prefix", "must have 4 to 16"),
    "a prefix of a shared code": (shared(prefix="TEAPAL"), "prefix", "has no place where codes are shared"),
    "unique without issuer": (made(issued_by=None), "issued_by", "say whether shoppers take these coupons"),
    "shoppers who import": (imported(issued_by="shoppers"), "issued_by", "must be operators"),
    "an issuer of a shared code": (shared(issued_by="operators"), "issued_by", "remove it"),
    # when
    "days of a shared code": (shared(validity={"days": 3}), "validity.days", "a shared code never is; use ends_at"),
    "a shared code after its campaign": (
        shared(validity={"ends_at": "2026-11-12T00:00:01"}),
        "validity.ends_at",
        "a shared code is over with its campaign",
    ),
    "a shared code before its campaign": (
        shared(validity={"starts_at": "2026-11-08T23:59:59"}),
        "validity.starts_at",
        "must not be before starts_at",
    ),
    "over before the last is taken": (
        taken(validity={"ends_at": "2026-11-11T23:59:59"}),
        "validity.ends_at",
        "who takes the last coupon could not use it",
    ),
    "over before it begins": (
        made(validity={"starts_at": "2026-12-02T00:00:00", "ends_at": "2026-12-02T00:00:00"}),
        "validity.ends_at",
        "leaves no time",
    ),
    "begins when the campaign is over": (
        made(validity={"starts_at": "2026-11-12T00:00:00"}),
        "validity.starts_at",
        "leaves no time",
    ),
    "the end of no day": (made(validity={"end_of_day": True}), "validity.end_of_day", "add days, or remove this"),
    "no days at all": (taken(validity={"days": 0}), "validity.end_of_day", "must be true where days are 0"),
    "no such time": (made(validity={"ends_at": "2026-11-31T00:00:00"}), "validity.ends_at", "exists"),
    # for what, and with what
    "an SKU in and out": (
        taken(scope={"include_skus": ["A", "B"], "exclude_skus": ["C", "B"]}),
        "scope.exclude_skus[1]",
        "has 'B', which is in include_skus as well",
    ),
    "a category in and out": (
        taken(scope={"include_categories": ["tea"], "exclude_categories": ["tea"]}),
        "scope.exclude_categories[0]",
        "has 'tea', which is in include_categories as well",
    ),
    "an unknown channel": (shared(order_channels=["phone"]), "order_channels[0]", "must be"),
    "a group of one": (shared(stacking={"exclusive": True, "group": "tea"}), "stacking.group", "remove one of the two"),
    "an unknown policy": (shared(on_cancel="burn"), "on_cancel", "must be 'return' or 'keep'"),
    # how many
    "more per shopper than a shard can write": (shared(per_shopper=36), "per_shopper", "must be 35 or less"),
    "more per shopper than there are": (
        shared(quantity=3, per_shopper=4),
        "per_shopper",
        "more than the quantity of 3",
    ),
    "none at all": (shared(quantity=0), "quantity", "must be 1 or more"),
    "too many": (shared(quantity=1_000_001), "quantity", "must be 1000000 or less"),
    "a lock of a moment": (shared(lock_seconds=59), "lock_seconds", "must be 60 or more"),
    # whom to tell
    "a reward without connector": (
        taken(fulfilment={}),
        "fulfilment.by_kind.digital",
        "is missing, but the coupon is digital; choose its connector",
    ),
    "a reward that needs an address": (taken(reward={"kind": "physical"}), "reward.kind", "not sent anywhere"),
    "a reward of a shared code": (shared(reward={"kind": "digital"}), "reward.kind", "nobody gets a coupon"),
    "a reward of another currency": (
        taken(reward={"kind": "digital", "value": {"amount": 1, "currency": "EUR"}}),
        "reward.value.currency",
        "is EUR, but the campaign is in CNY",
    ),
    "fields of a sale": (shared(skus=[]), "skus", "is not a field that exists here"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_where_it_stands(name: str) -> None:
    document, field, words = REFUSED[name]
    found = problems(document)

    assert field in found, found
    assert words in found[field]


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = shared(currency="RMB", code="A", quantity=0, order_channels=["phone"], stacking={"priority": -1})

    assert problems(wrong).keys() >= {"currency", "code", "quantity", "order_channels[0]", "stacking.priority"}
