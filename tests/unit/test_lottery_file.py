"""A lottery that cannot work is refused, and its author learns where, why, and what to do."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from brandday.config.local_time import full_hours, write_local_time
from brandday.config.lottery_file import DAY_MS, HOUR_MS, MAX_DAYS
from brandday.config.mechanics import json_schema, parse_campaign, to_declaration
from brandday.config.problems import DocumentRefused
from brandday.domain.beacon import out_at
from brandday.domain.campaign import Campaign
from brandday.domain.lottery import MAX_PLACES, AtOnce, LotteryMode, Moments, Rounds
from brandday.domain.money import Money
from tests.fakes.declarations import ENDS_AT, FULFILMENT, STARTS_AT
from tests.fakes.lottery_declarations import (
    COMPLIANCE,
    DRAW_AT,
    declared_draw,
    declared_instant,
    draw,
    instant,
    without,
)

CASH = {"kind": "cash", "value": {"amount": 100, "currency": "CNY"}}
YEN = {"kind": "digital", "value": {"amount": 100, "currency": "JPY"}}


def refused(wrong: object) -> list[str]:
    with pytest.raises(DocumentRefused) as error:
        parse_campaign(wrong)
    return [str(problem) for problem in error.value.problems]


def rounds(*times: str, **more: Any) -> dict[str, Any]:
    return instant("prizes.1.release", {"plan": "rounds", "times": list(times), **more})


def fulfilled(base: dict[str, Any], **fulfilment: Any) -> dict[str, Any]:
    return base | {"fulfilment": base["fulfilment"] | fulfilment}


NO_FRACTION = 'must be an exact fraction of whole numbers in quotes, like "1/200"'

WRONG: list[tuple[dict[str, Any], str]] = [
    # odds
    (instant("prizes.1.odds", "1/1"), "prizes: have odds of 5001/5000 together, more than 1"),
    (instant("prizes.1.odds", "3/2"), "prizes[1].odds: is 3/2, which is more than 1"),
    (instant("prizes.1.odds", "0.05"), f"prizes[1].odds: {NO_FRACTION}"),
    (instant("prizes.1.odds", 0.05), f"prizes[1].odds: {NO_FRACTION}"),
    (instant("prizes.1.odds", 1), f"prizes[1].odds: {NO_FRACTION}"),
    (instant("prizes.1.odds", "1/0"), f"prizes[1].odds: {NO_FRACTION}"),
    (instant("prizes.1.odds", "-1/20"), f"prizes[1].odds: {NO_FRACTION}"),
    (instant("prizes.1.odds", "\uff11/20"), f"prizes[1].odds: {NO_FRACTION}"),
    (instant("prizes.1.odds", "1/" + "9" * 5000), f"prizes[1].odds: {NO_FRACTION}"),
    (without(instant(pity=None), "prizes.1.odds"), "prizes[1].odds: must be above 0, or nobody wins it"),
    (instant("prizes.1.odds", "0/20", pity=None), "prizes[1].odds: must be above 0, or nobody wins it"),
    (instant("prizes.0.odds_between", ["1/1000", "0/1"]), "prizes[0].odds_between: must have the lower one first"),
    (instant("prizes.0.odds_between", ["1/10", "1/5"]), "prizes[0].odds_between: must include the odds, which are 1/5"),
    (instant("prizes.0.odds_between", ["1/10"]), "prizes[0].odds_between: must have at least 2"),
    (instant("prizes.0.odds_between", ["0/1", 1]), f"prizes[0].odds_between[1]: {NO_FRACTION}"),
    (instant("prizes.3.odds_between", ["0/1", "1/2"]), "prizes[3].odds_between: has no place on a prize without odds"),
    # prizes
    (instant("prizes.0.stock", 0), "prizes[0].stock: must be 1 or more"),
    (without(instant(), "prizes.0.stock"), "prizes[0].stock: is missing"),
    (instant("prizes.3.stock", 999_999), "prizes: have 1000310 units together, but a campaign can give away 1000000"),
    (instant("prizes.3.prize", "MUG"), "prizes[3].prize: repeats the prize 'MUG'"),
    (instant(prizes=[]), "prizes: must have at least 1"),
    (instant("prizes.1.reward", {"kind": "order"}), "prizes[1].reward.kind: must be physical, digital or cash"),
    (instant("prizes.1.reward", {}), "prizes[1].reward.kind: must be physical, digital or cash"),
    (without(instant(), "prizes.1.reward"), "prizes[1].reward: is missing"),
    (instant("prizes.1.reward", {"kind": "cash"}), "prizes[1].reward.value: is missing"),
    (instant("prizes.1.reward", CASH), "fulfilment.by_kind.cash: is missing, but the prize 'MUG' is cash; choose"),
    (fulfilled(instant(), by_kind={}), "fulfilment.by_kind.physical: is missing, but the prize 'CAR' is physical"),
    (fulfilled(instant(), claim_until=None), "fulfilment.claim_until: is missing, but the prize 'CAR' is physical"),
    (
        instant("prizes.1.reward", YEN, prizes=[*instant("prizes.0.reward.value", CASH["value"])["prizes"]]),
        "prizes[1].reward.value.currency: is JPY, but 'CAR' is worth CNY",
    ),
    (instant("prizes.1.per_day", 301), "prizes[1].per_day: is 301, more than the stock of 300"),
    (instant("prizes.1.per_day", 0), "prizes[1].per_day: must be 1 or more"),
    (instant("prizes.0.per_shopper", 41), "prizes[0].per_shopper: must be 40 or less"),
    (instant("prizes.0.per_shoper", 1), "prizes[0].per_shoper: is not a field that exists here; did you mean 'per_sh"),
    # when units can be won
    (
        instant("prizes.1.release", {"plan": "round"}),
        "prizes[1].release.plan: is not one that exists; did you mean 'ro",
    ),
    (instant("prizes.1.release", {}), "prizes[1].release.plan: is missing; add it, there are: all, rounds, moments"),
    (
        instant("prizes.1.release", {"plan": "rounds"}),
        "prizes[1].release.every_hours: is for rounds without times: give",
    ),
    (rounds("2026-11-09T08:00:00", every_hours=3), "prizes[1].release.every_hours: is for rounds without times"),
    (rounds("2026-11-09T08:00:00", "2026-11-12T00:00:00"), "prizes[1].release.times[1]: is outside the schedule"),
    (rounds("2026-11-08T23:59:59"), "prizes[1].release.times[0]: is outside the schedule"),
    (rounds("2026-11-10T08:00:00", "2026-11-10T08:00:00"), "prizes[1].release.times[1]: must be later than the round"),
    (rounds("2026-11-31T08:00:00"), "prizes[1].release.times[0]: is not a date and time that exists"),
    (rounds("tomorrow"), "prizes[1].release.times[0]: must be a date and time like"),
    (instant("prizes.1.release.every_hours", 0), "prizes[1].release.every_hours: must be 1 or more"),
    (
        instant(starts_at="2026-11-11T23:30:00", ends_at="2026-11-11T23:59:00"),
        "prizes[1].release.every_hours: finds no full hour within the schedule",
    ),
    (
        instant("prizes.1.release.every_hours", 1, ends_at="2027-03-09T00:00:00"),
        "prizes: have 2880 rounds together, but there can be 1000",
    ),
    (instant("prizes.2.release.hour_weights", [1] * 23), "prizes[2].release.hour_weights: must have at least 24"),
    (instant("prizes.2.release.hour_weights", [0] * 24), "prizes[2].release.hour_weights: must have an hour above 0"),
    (instant("prizes.2.release.hour_weights", [-1] + [1] * 23), "prizes[2].release.hour_weights[0]: must be 0 or more"),
    (
        instant(starts_at="2026-11-11T02:00:00", ends_at="2026-11-11T07:00:00"),
        "prizes[2].release.hour_weights: must have an hour above 0 that is within the schedule",
    ),
    (instant("prizes.2.odds", "1/2"), "prizes[2].release.plan: cannot be moments, which are all the luck of a prize"),
    (instant("prizes.2.stock", 10_001), "prizes[2].release.plan: cannot be moments for more than 10000 units"),
    (instant("prizes.2.per_day", 1), "prizes[2].per_day: has no place on a prize with winning moments"),
    # consolation and pity
    (
        instant(consolation="STIKER"),
        "consolation: is 'STIKER', which is none of the prizes; there are: CAR, MUG, WATCH",
    ),
    (instant(consolation="WATCH"), "consolation: is 'WATCH', which has winning moments"),
    (instant(consolation="CAR"), "consolation: is 'CAR', which has odds"),
    (instant(pity={"after": 5, "prize": "MUGG"}), "pity.prize: is 'MUGG', which is none of the prizes"),
    (instant(pity={"after": 5, "prize": "WATCH"}), "pity.prize: is 'WATCH', which has winning moments"),
    (instant(pity={"after": 5, "prize": "STICKER"}), "pity.prize: is the consolation, which everybody gets without it"),
    (instant(pity={"after": 0, "prize": "MUG"}), "pity.after: must be 1 or more"),
    (instant(pity={"after": 40, "prize": "MUG"}), "pity.after: must be 39 or less"),
    (
        instant(pity={"after": 13, "prize": "MUG"}),
        "entries: allow 13 in all, so nobody misses 13 times and enters again",
    ),
    # allowance
    (without(instant(), "entries"), "entries: is missing"),
    (instant("entries.per_day", 0), "entries.per_day: must be 1 or more"),
    (instant("entries.per_day", 10), "entries.per_campaign: is 9, less than 10 of one day"),
    (
        instant("entries.earned", 32),
        "entries.earned: makes 41 entries of a shopper with per_campaign, but there can be 4",
    ),
    (instant("entries.per_campaign", 41), "entries.per_campaign: must be 40 or less"),
    # mode and draw
    (instant(mode="raffle"), "mode: must be 'instant' or 'draw'"),
    (without(draw(), "draw"), "draw: is missing; say when the draw takes place"),
    (instant(draw=draw()["draw"]), "draw: has no place in an instant win"),
    (
        draw("draw.at", "2026-11-12T00:00:59"),
        "draw.at: must be at least a minute later than ends_at, which is 2026-11-12",
    ),
    (draw("draw.at", "2026-11-31T00:00:00"), "draw.at: is not a date and time that exists"),
    (draw("draw.at", "later"), "draw.at: must be a date and time like"),
    (draw("draw.reserves", 10_001), "draw.reserves: must be 10000 or less"),
    (draw("draw.reserve_claim_hours", 0), "draw.reserve_claim_hours: must be 1 or more"),
    (draw("draw.beacon", "nist"), "draw.beacon: must be 'drand'"),
    (draw("prizes.0.odds", "1/2"), "prizes[0].odds: has no place in a draw"),
    (draw("prizes.0.per_day", 1), "prizes[0].per_day: has no place in a draw"),
    (draw("prizes.0.per_shopper", 1), "prizes[0].per_shopper: has no place in a draw"),
    (draw("prizes.0.release", {"plan": "moments"}), "prizes[0].release.plan: must be all"),
    (draw("prizes.0.release", {"plan": "rounds", "every_hours": 3}), "prizes[0].release.plan: must be all"),
    (draw(consolation="TRIP"), "consolation: has no place in a draw"),
    (draw(pity={"after": 1, "prize": "TRIP"}), "pity: has no place in a draw"),
    (
        fulfilled(draw(), claim_until="2026-11-12T12:00:00"),
        "fulfilment.claim_until: must be later than draw.at, which is 2026-11-12T12:00:00",
    ),
    (fulfilled(draw(), claim_until="2026-11-12T00:00:00"), "fulfilment.claim_until: must be later than ends_at"),
    # schedule
    (
        instant("prizes.1.release", {"plan": "all"}, ends_at="2027-12-14T00:00:00.001"),
        "ends_at: is more than 400 days after starts_at; declare several lotteries",
    ),
    # what the law wants to be public
    (without(instant(), "compliance"), "compliance: is missing"),
    *((without(instant(), f"compliance.{fact}"), f"compliance.{fact}: is missing; add it") for fact in COMPLIANCE),
    *((instant(f"compliance.{fact}", " "), f"compliance.{fact}: must be ") for fact in ("organiser", "contact")),
    (instant("compliance.conditions", {}), "compliance.conditions: must have at least 1"),
    (instant("compliance.conditions.en", " \n"), "compliance.conditions.en: must be "),
    (instant("compliance.forfeiture", {"english": "x"}), "compliance.forfeiture.english: must be a language tag"),
    # what is a flash sale's
    (instant(limit_per_shopper=3), "limit_per_shopper: is not a field that exists here"),
    (instant(skus=[]), "skus: is not a field that exists here"),
]


@pytest.mark.parametrize(
    ("wrong", "expected"), WRONG, ids=[f"{number:02} {said.split(':')[0]}" for number, (_, said) in enumerate(WRONG)]
)
def test_a_lottery_that_cannot_work_is_refused_with_place_and_remedy(wrong: dict[str, Any], expected: str) -> None:
    said = refused(wrong)
    assert any(problem.startswith(expected) for problem in said), said


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = instant(
        "prizes.1.odds",
        "1/1",
        consolation="NOTHING",
        pity={"after": 20, "prize": "NOBODY"},
        draw=draw()["draw"],
        compliance=without(instant(), "compliance.contact")["compliance"],
        fulfilment={"by_kind": {}},
    )
    wrong["prizes"][0]["release"] = {"plan": "rounds", "times": ["2026-11-01T00:00:00"]}
    wrong["entries"]["per_day"] = 12
    places = [problem.split(":")[0] for problem in refused(wrong)]
    assert places == [
        "prizes[0].release.times[0]",
        "prizes",
        "entries.per_campaign",
        "draw",
        "compliance.contact",
    ]
    # Prizes that are wrong name nothing: consolation, pity and fulfilment are judged by them, next.
    wrong["prizes"] = instant()["prizes"]
    places = [problem.split(":")[0] for problem in refused(wrong)]
    assert places == [
        "consolation",
        "pity.prize",
        "entries.per_campaign",
        "draw",
        "compliance.contact",
        "fulfilment.by_kind.physical",
        "fulfilment.claim_until",
        "fulfilment.by_kind.digital",
    ]


def test_problems_within_a_plan_point_into_the_document() -> None:
    with pytest.raises(DocumentRefused) as error:
        parse_campaign(rounds("2026-11-01T00:00:00"))
    assert [problem.pointer for problem in error.value.problems] == ["/prizes/1/release/times/0"]


def test_what_is_declared_is_what_is_run() -> None:
    campaign = declared_instant()
    lottery = campaign.lottery
    assert lottery is not None
    assert (lottery.mode, lottery.consolation, lottery.pity) == (LotteryMode.INSTANT, "STICKER", (5, "MUG"))
    assert lottery.allowance == (3, 9, 4)
    car, mug, watch, sticker = lottery.prizes
    assert (car.odds, car.odds_between) == (Fraction(1, 5000), (Fraction(0), Fraction(1, 1000)))
    assert mug.release == Rounds(tuple(range(STARTS_AT, ENDS_AT, 6 * HOUR_MS)))
    assert isinstance(watch.release, Moments)
    assert sticker.release == AtOnce()
    assert [(sku.sku, sku.stock, sku.sale_price.amount) for sku in campaign.skus] == [
        ("CAR", 2, 0),
        ("MUG", 300, 0),
        ("WATCH", 9, 0),
        ("STICKER", 5000, 0),
    ]


def test_a_draw_is_bound_to_a_round_that_nobody_knows_before_its_time() -> None:
    lottery = declared_draw().lottery
    assert lottery is not None
    assert lottery.draw is not None
    assert lottery.draw.at == DRAW_AT
    assert lottery.draw.beacon is not None
    assert DRAW_AT <= out_at(lottery.draw.beacon) < DRAW_AT + 3000


def test_a_draw_has_as_many_places_as_are_held_in_memory_units_and_reserves() -> None:
    fields = draw("draw.reserves", 10)
    others = sum(prize["stock"] for prize in fields["prizes"][1:])
    fields["prizes"][0]["stock"] = MAX_PLACES - 10 - others
    parse_campaign(fields)
    fields["draw"]["reserves"] = 11
    assert refused(fields) == [
        "draw: ranks 99990 units and 11 reserves, but a draw has at most 100000 places",
    ]


def test_fractions_are_kept_in_lowest_terms() -> None:
    campaign = declared_instant("prizes.1.odds", "10/200")
    assert to_declaration(campaign)["prizes"][1]["odds"] == "1/20"
    assert campaign == declared_instant()


def test_worth_and_approval_go_together() -> None:
    over = fulfilled(
        instant("prizes.0.reward.value", {"amount": 20_000_000, "currency": "CNY"}),
        approve_over={"amount": 100, "currency": "CNY"},
    )
    assert parse_campaign(over).to_campaign().fulfilment.approve_over == Money(100, "CNY")


@pytest.mark.parametrize(
    ("zone", "start", "first"),
    [
        ("Asia/Kolkata", "2026-11-09T00:10:00", "2026-11-09T01:00:00+05:30"),
        ("Asia/Kathmandu", "2026-11-09T00:00:00", "2026-11-09T00:00:00+05:45"),
        ("America/St_Johns", "2026-11-09T09:59:59.999", "2026-11-09T10:00:00-03:30"),
        ("UTC", "2026-11-09T09:00:00", "2026-11-09T09:00:00+00:00"),
    ],
)
def test_rounds_are_on_the_full_hour_of_the_place(zone: str, start: str, first: str) -> None:
    lottery = declared_instant(time_zone=zone, starts_at=start).lottery
    assert lottery is not None
    plan = lottery.prizes[1].release
    assert isinstance(plan, Rounds)
    assert write_local_time(plan.times[0], zone) == first


def test_hourly_rounds_are_shown_as_they_were_written() -> None:
    shown = to_declaration(declared_instant())["prizes"][1]["release"]
    assert shown == {"plan": "rounds", "every_hours": 6}
    assert to_declaration(parse_campaign(rounds("2026-11-10T08:00:00")).to_campaign())["prizes"][1]["release"] == {
        "plan": "rounds",
        "times": ["2026-11-10T08:00:00+08:00"],
    }


@pytest.mark.parametrize("base", [instant(), draw()], ids=["instant", "draw"])
def test_editors_agree(base: dict[str, Any]) -> None:
    schema = Draft202012Validator(json_schema())
    schema.validate(base)
    schema.validate(to_declaration(parse_campaign(base).to_campaign()))
    assert not schema.is_valid(base | {"prizes": []})
    assert not schema.is_valid(base | {"compliance": {}})
    assert not schema.is_valid(base | {"prizes": [base["prizes"][0] | {"odds": 0.5}]})
    assert not schema.is_valid(base | {"prizes": [base["prizes"][0] | {"release": {"plan": "never"}}]})


# --- whatever works can be declared again ---

ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
TEXT = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=9)
TEXTS = st.dictionaries(st.sampled_from(["en", "zh-CN", "de"]), TEXT, min_size=1)


@st.composite
def lotteries(make: st.DrawFn) -> dict[str, Any]:
    """Lotteries that work, over clock changes too."""
    zone = make(st.sampled_from(ZONES))
    start = STARTS_AT + make(st.integers(-400 * 24 * 60, 400 * 24 * 60)) * 60_000
    end = start + make(st.integers(4 * HOUR_MS, MAX_DAYS * DAY_MS))
    is_draw = make(st.booleans())
    names = [f"P{number}" for number in range(make(st.integers(1, 5)))]

    def local(at: int) -> str:
        return write_local_time(at, zone)

    def release() -> dict[str, Any]:
        match make(st.sampled_from(["all", "times", "hours"])):
            case "times":
                times = make(st.sets(st.integers(start, end - 1), min_size=1, max_size=5))
                return {"plan": "rounds", "times": [local(at) for at in sorted(times)]}
            case "hours":
                return {"plan": "rounds", "every_hours": make(st.integers(60, 168))}
            case _:
                return {"plan": "all"}

    def prize(name: str) -> dict[str, Any]:
        part: dict[str, Any] = {
            "prize": name,
            "title": make(TEXTS),
            "stock": make(st.integers(1, 9999)),
            "reward": make(st.sampled_from([{"kind": "digital"}, {"kind": "physical"}, CASH])),
        }
        if is_draw:
            return part
        if name != "P0" and make(st.booleans()):
            weights = make(st.lists(st.integers(0, 999), min_size=24, max_size=24))
            return part | {"release": {"plan": "moments", "hour_weights": [weight + 1 for weight in weights]}}
        odds = make(st.fractions(0, Fraction(1, 5), max_denominator=10**6).filter(bool))
        bounds = [f"{bound.numerator}/{bound.denominator}" for bound in (odds / 2, odds, odds * 2)]
        return part | {
            "odds": bounds[1],
            "odds_between": make(st.sampled_from([None, bounds[::2]])),
            "release": release(),
            "per_day": make(st.none() | st.integers(1, part["stock"])),
            "per_shopper": make(st.none() | st.integers(1, 40)),
        }

    prizes = [prize(name) for name in names]
    extra: dict[str, Any] = {}
    if is_draw:
        at = end + make(st.integers(60_000, 9 * DAY_MS))
        hours = make(st.integers(1, 24 * 60))
        beacon = make(st.sampled_from([None, "drand"]))
        extra["draw"] = {"at": local(at), "reserves": 7, "reserve_claim_hours": hours, "beacon": beacon}
    else:
        if make(st.booleans()):
            prizes.append({"prize": "LAST", "title": "Last", "stock": 9, "reward": {"kind": "digital"}})
            extra["consolation"] = "LAST"
        extra["pity"] = make(st.sampled_from([None, {"after": 3, "prize": "P0"}]))
    claim_until = write_local_time(end + 20 * DAY_MS, zone)
    kinds = ("physical", "digital", "cash")
    return (
        instant(
            id="any-lottery",
            mode="draw" if is_draw else "instant",
            title=make(TEXTS),
            time_zone=zone,
            starts_at=local(start),
            ends_at=local(end),
            prizes=prizes,
            entries={"per_day": 2, "per_campaign": make(st.integers(4, 30)), "earned": make(st.integers(0, 10))},
            compliance=COMPLIANCE | {"conditions": make(TEXTS)},
            fulfilment={
                "claim_until": claim_until,
                "by_kind": dict.fromkeys(kinds, FULFILMENT["by_kind"]["order"]),
            },
        )
        | {"consolation": None, "pity": None}
        | extra
    )


@settings(max_examples=150, deadline=None)
@given(lotteries())
def test_what_a_lottery_shows_of_itself_can_be_declared_again(document: dict[str, Any]) -> None:
    campaign = parse_campaign(document).to_campaign()
    assert Campaign.from_document(campaign.to_document()) == campaign
    shown = to_declaration(campaign)
    assert parse_campaign(shown).to_campaign() == campaign
    assert to_declaration(parse_campaign(shown).to_campaign()) == shown


@given(st.integers(0, 2**41), st.integers(1, 40 * HOUR_MS), st.integers(1, 168), st.sampled_from(ZONES))
def test_full_hours_are_full_within_and_all(start: int, length: int, every: int, zone: str) -> None:
    times = full_hours(start, start + length, every, zone)
    assert all(start <= at < start + length for at in times)
    assert all(later - at == every * HOUR_MS for at, later in pairwise(times))
    if times:
        assert times[0] - start < HOUR_MS
    else:
        assert length <= HOUR_MS
