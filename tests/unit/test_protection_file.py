"""A protection that cannot work is refused, with the field and the way out; one that can is kept as declared."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from brandday.challenges import CHALLENGERS
from brandday.config.mechanics import json_schema, parse_campaign, to_declaration
from brandday.config.problems import DocumentRefused
from brandday.domain.campaign import Campaign
from brandday.domain.protection import Ask, ChallengeTerms, Counted, Limit, Protection, TicketTerms, Window
from brandday.domain.risk import RiskMode, RiskTerms, Weighed
from brandday.domain.risk_rules import RULES
from brandday.domain.risk_rules.new_account import NewAccount
from brandday.domain.risk_rules.phone_range import PhoneRange
from brandday.domain.signals import SignalKind
from brandday.domain.trail import changes_between
from brandday_cli.campaign_yaml import FileRefused, read_campaign_file
from tests.fakes.coupon_declarations import imported, shared, taken
from tests.fakes.coupon_declarations import made as made_by_operators
from tests.fakes.declarations import declared, document
from tests.fakes.lottery_declarations import draw, instant

DAY_MS = 86_400_000
LIMIT: dict[str, Any] = {"name": "per-device", "by": "device", "counts": "wins", "most": 2}
ALTCHA: dict[str, Any] = {"kind": "altcha", "ask": "always"}
NEW: dict[str, Any] = {"rule": "new_account", "weight": 30, "younger_than_hours": 24}
FAST: dict[str, Any] = {"rule": "too_fast", "weight": 40, "within_ms": 300}
RISK: dict[str, Any] = {"mode": "shadow", "rules": [NEW, FAST], "refuse_at": 60}


def guarded(**protection: object) -> dict[str, Any]:
    return document(late_payment="reject", protection=protection)


def limited(**of: object) -> dict[str, Any]:
    limit = {name: value for name, value in (LIMIT | of).items() if value is not ...}
    return guarded(limits=[limit])


def ticket(**of: object) -> dict[str, Any]:
    return guarded(ticket=of)


def challenge(**of: object) -> dict[str, Any]:
    return guarded(challenge=ALTCHA | of)


def risk(**of: object) -> dict[str, Any]:
    return guarded(challenge=ALTCHA, risk=RISK | of)


def rule(**of: object) -> dict[str, Any]:
    return guarded(risk={"mode": "shadow", "refuse_at": 1, "rules": [{"weight": 1} | of]})


def problems(wrong: object) -> list[str]:
    with pytest.raises(DocumentRefused) as refused:
        parse_campaign(wrong)
    return [str(problem) for problem in refused.value.problems]


WRONG: list[tuple[dict[str, Any], str]] = [
    (guarded(), "protection: demands nothing; add limits, ticket, challenge or risk, or remove it"),
    (guarded(brand_day="november"), "protection: demands nothing"),
    (guarded(tickets={}), "protection.tickets: is not a field that exists here; did you mean 'ticket'?"),
    (guarded(brand_day="No Spaces", ticket={}), "protection.brand_day: must be 3 to 40 small letters, digits"),
    (guarded(brand_day="x" * 41, ticket={}), "protection.brand_day: must be 3 to 40 small letters"),
    # limits
    (guarded(limits=[LIMIT] * 11), "protection.limits: must have at most 10"),
    (
        guarded(limits=[LIMIT, LIMIT | {"by": "phone"}]),
        "protection.limits[1].name: repeats the limit 'per-device'; each may be there once",
    ),
    (limited(name="Per Device"), "protection.limits[0].name: must be 1 to 40 small letters, digits and hyphens"),
    (limited(name=...), "protection.limits[0].name: is missing"),
    (limited(by="cookie"), "protection.limits[0].by: must be 'shopper', 'device', 'network', 'phone', 'email', "),
    (limited(counts="clicks"), "protection.limits[0].counts: must be 'attempts' or 'wins'"),
    (limited(most=0), "protection.limits[0].most: must be 1 or more"),
    (limited(most=51), "protection.limits[0].most: is 51, but a limit on wins can be 50 at most, as each is named"),
    (limited(counts="attempts", most=10_001), "protection.limits[0].most: must be 10000 or less"),
    (limited(by="shopper", required=True), "protection.limits[0].required: has no place where shoppers are counted"),
    (
        limited(window={"kind": "fixed"}),
        "protection.limits[0].window: must have one of days, hours, minutes and seconds, and only one",
    ),
    (limited(window={"days": 1, "hours": 1, "kind": "fixed"}), "protection.limits[0].window: must have one of days"),
    (limited(window={"days": 1}), "protection.limits[0].window.kind: is missing"),
    (limited(window={"days": 1, "kind": "rolling"}), "protection.limits[0].window.kind: must be 'fixed' or 'sliding'"),
    (limited(window={"minutes": 0, "kind": "fixed"}), "protection.limits[0].window.minutes: must be 1 or more"),
    (limited(window={"weeks": 1, "kind": "fixed"}), "protection.limits[0].window.weeks: is not a field that exists"),
    (limited(window="1 day"), "protection.limits[0].window: must be a mapping of fields, not text"),
    (
        limited(window={"hours": 73, "kind": "sliding"}),
        "protection.limits[0].window: is longer than the campaign; leave it out, or name the brand_day over which",
    ),
    (
        document(protection={"limits": [LIMIT]}),
        "late_payment: must be reject where protection limits wins: a unit that is taken again after its hold has",
    ),
    (document(late_payment="reclaim", protection={"limits": [LIMIT]}), "late_payment: must be reject"),
    # tickets
    (ticket(valid_seconds=601), "protection.ticket.valid_seconds: must be 600 or less"),
    (ticket(valid_seconds=29), "protection.ticket.valid_seconds: must be 30 or more"),
    (ticket(opens_before_seconds=-1), "protection.ticket.opens_before_seconds: must be 0 or more"),
    (ticket(opens_before_seconds=571), "protection.ticket.opens_before_seconds: must be 570 or less"),
    (
        ticket(opens_before_seconds=300, valid_seconds=329),
        "protection.ticket.valid_seconds: is 329, but the first tickets are given out 300 seconds before the start, wh",
    ),
    (ticket(valid_seconds=300), "protection.ticket.valid_seconds: is 300, but the first tickets are given out 300"),
    # the challenge
    (challenge(kind="riddle"), "protection.challenge.kind: must be 'altcha'"),
    (challenge(ask="never"), "protection.challenge.ask: must be 'always' or 'risk'"),
    (challenge(difficulty=0), "protection.challenge.difficulty: must be 100 to 100000 where the kind is altcha"),
    (challenge(difficulty=100_001), "protection.challenge.difficulty: must be 100 to 100000"),
    (challenge(valid_seconds=601), "protection.challenge.valid_seconds: must be 600 or less"),
    (
        challenge(valid_seconds=60, wait_seconds=31),
        "protection.challenge.wait_seconds: is 31, but the challenge is over after 60 seconds; make it 30 or less",
    ),
    (challenge(wait_seconds=4), "protection.challenge.wait_seconds: must be 5 or more"),
    (
        challenge(ask="risk"),
        "protection.challenge.ask: is risk, but no rules send anybody to it; add risk.challenge_at, or make it always",
    ),
    (
        guarded(challenge=ALTCHA | {"ask": "risk"}, risk=RISK),
        "protection.challenge.ask: is risk, but no rules send anybody to it",
    ),
    (
        guarded(challenge=ALTCHA | {"valid_seconds": 301}, ticket={}),
        "protection.challenge.valid_seconds: is 301, and tickets are valid for 600 seconds; both together can be 900",
    ),
    # risk
    (
        guarded(risk=RISK | {"challenge_at": 20}),
        "protection.risk.challenge_at: needs a challenge to send to; add one beside risk",
    ),
    (risk(mode="on"), "protection.risk.mode: must be 'shadow' or 'enforce'"),
    (risk(rules=[]), "protection.risk.rules: must have at least 1"),
    (risk(refuse_at=None), "protection.risk.refuse_at: is missing, and so is challenge_at; say from which sum on"),
    (risk(challenge_at=60), "protection.risk.refuse_at: must be more than challenge_at, which is 60, or nobody gets"),
    (risk(challenge_at=61), "protection.risk.refuse_at: must be more than challenge_at, which is 61"),
    (risk(refuse_at=71), "protection.risk.refuse_at: is 71, but all rules together weigh 70; lower it, or raise"),
    (risk(challenge_at=71, refuse_at=None), "protection.risk.challenge_at: is 71, but all rules together weigh 70"),
    (risk(challenge_at=0), "protection.risk.challenge_at: must be 1 or more"),
    (
        risk(rules=[NEW, NEW | {"weight": 50}]),
        "protection.risk.rules[1].name: repeats 'new_account'; give this rule another name than its kind's",
    ),
    (risk(rules=[NEW, FAST | {"name": "new_account"}]), "protection.risk.rules[1].name: repeats 'new_account'"),
    (rule(rule="new_acount"), "protection.risk.rules[0].rule: is not one that exists; did you mean 'new_account'?"),
    (rule(), "protection.risk.rules[0].rule: is missing; add it, there are: new_account, shared_signal, too_fast, "),
    (rule(rule="new_account"), "protection.risk.rules[0].younger_than_hours: is missing; add it"),
    (rule(rule="new_account", younger_than_hours=0), "protection.risk.rules[0].younger_than_hours: must be 1 or more"),
    (rule(rule="too_fast", within_ms=60_001), "protection.risk.rules[0].within_ms: must be 60000 or less"),
    (
        rule(rule="too_fast", within_ms=1, than="x"),
        "protection.risk.rules[0].than: is not a field that exists here; there are: name, rule, weight, within_ms",
    ),
    (rule(rule="shared_signal", by="shopper", more_than=3), "protection.risk.rules[0].by: must be 'device', 'network"),
    (rule(rule="shared_signal", by="device", more_than=101), "protection.risk.rules[0].more_than: must be 100 or less"),
    (rule(rule="phone_range", prefixes=[]), "protection.risk.rules[0].prefixes: must have at least 1"),
    (
        rule(rule="phone_range", prefixes=["+86170", "0170"]),
        "protection.risk.rules[0].prefixes[1]: must be the beginning of a number with its country, in quotes",
    ),
    (rule(rule="phone_range", prefixes=[86170]), "protection.risk.rules[0].prefixes[0]: must be text, not a number"),
    (rule(rule="phone_range", prefixes=["+86"] * 2), "protection.risk.rules[0].prefixes[1]: repeats '+86'"),
    (rule(rule="on_block_list", weight=1001), "protection.risk.rules[0].weight: must be 1000 or less"),
    (rule(rule="on_block_list", name="No!"), "protection.risk.rules[0].name: must be 1 to 40 small letters, digits,"),
]


@pytest.mark.parametrize(
    ("wrong", "expected"), WRONG, ids=[f"{index} {expected[:50]}" for index, (_, expected) in enumerate(WRONG)]
)
def test_what_cannot_work_is_refused_once_with_field_and_advice(wrong: dict[str, Any], expected: str) -> None:
    said = problems(wrong)
    assert len(said) == 1
    assert said[0].startswith(expected)


@pytest.mark.parametrize("made", [shared, made_by_operators, imported])
def test_coupons_that_nobody_takes_have_no_gate(made: Callable[..., dict[str, Any]]) -> None:
    (said,) = problems(made(protection={"limits": [LIMIT]}))
    assert said.startswith("protection: has no place where shoppers do not take coupons themselves")


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = problems(
        guarded(
            limits=[LIMIT | {"most": 99}, LIMIT | {"by": "x"}], ticket={"valid_seconds": 9}, risk=RISK | {"mode": 1}
        )
    )
    assert [problem.partition(":")[0].removeprefix("protection.") for problem in said] == [
        "limits[0].most",
        "limits[1].by",
        "ticket.valid_seconds",
        "risk.mode",
    ]


def test_a_problem_is_found_at_its_line(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "campaigns/guarded-drop.yaml"
    lines = example.read_text(encoding="utf-8").splitlines()
    at = next(index for index, line in enumerate(lines) if "more_than:" in line)
    lines[at] = re.sub("more_than: [0-9]+", "more_than: 0", lines[at])
    bent = tmp_path / "bent.yaml"
    bent.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(FileRefused) as refused:
        read_campaign_file(bent)
    problem = str(refused.value.problems[0])
    assert problem.startswith(f"{bent}:{at + 1}: protection.risk.rules[")
    assert problem.endswith("].more_than: must be 1 or more")


# --- what works ---


def kept(**protection: object) -> Protection:
    campaign = declared(late_payment="reject", protection=protection)
    assert campaign.protection is not None
    return campaign.protection


def test_a_declaration_becomes_terms() -> None:
    window = {"hours": 2, "kind": "sliding"}
    rules = [NEW | {"name": "young"}, {"rule": "phone_range", "weight": 5, "prefixes": ["+86170"]}]
    assert kept(
        brand_day="november",
        limits=[LIMIT | {"window": window, "required": True}],
        ticket={},
        challenge=ALTCHA,
        risk={"mode": "enforce", "rules": rules, "challenge_at": 10, "refuse_at": 35},
    ) == Protection(
        brand_day="november",
        limits=(Limit("per-device", SignalKind.DEVICE, Counted.WINS, 2, Window(7_200_000, True), True),),
        ticket=TicketTerms(300_000, 600_000),
        challenge=ChallengeTerms("altcha", Ask.ALWAYS, 2000, 300_000, 30_000),
        risk=RiskTerms(
            RiskMode.ENFORCE,
            10,
            35,
            (Weighed("young", 30, NewAccount(24)), Weighed("phone_range", 5, PhoneRange(("+86170",)))),
        ),
    )


def test_a_campaign_without_protection_has_none_and_so_have_documents_of_before_there_was_any() -> None:
    campaign = declared()
    assert campaign.protection is None
    assert to_declaration(campaign)["protection"] is None
    stored = campaign.to_document()
    del stored["protection"]
    assert Campaign.from_document(stored) == campaign
    assert changes_between(to_declaration(Campaign.from_document(stored)), to_declaration(campaign)) == ()


def test_a_lottery_and_coupons_have_no_late_payments_to_think_of() -> None:
    for made in (instant, draw, taken):
        assert parse_campaign(made(protection={"limits": [LIMIT]})).to_campaign().protection is not None


def test_a_window_of_a_brand_day_may_be_longer_than_one_of_its_campaigns() -> None:
    limit = LIMIT | {"window": {"days": 30, "kind": "fixed"}}
    assert kept(brand_day="november", limits=[limit]).limits[0].window is not None


ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "UTC"]


def day_window(zone: str, starts_at: str, days: int = 1) -> Window:
    limit = LIMIT | {"window": {"days": days, "kind": "fixed"}}
    campaign = declared(
        late_payment="reject",
        time_zone=zone,
        starts_at=starts_at,
        ends_at="2026-12-24T00:00:00",
        protection={"brand_day": "winter", "limits": [limit]},
    )
    window = campaign.protection.limits[0].window if campaign.protection else None
    assert window is not None
    return window


@pytest.mark.parametrize("zone", ZONES)
@given(st.integers(0, 40 * DAY_MS))
def test_a_window_of_a_day_is_the_campaigns_own_day(zone: str, after: int) -> None:
    window = day_window(zone, "2026-11-09T10:30:00")
    start = int(datetime(2026, 11, 9, 10, 30, tzinfo=ZoneInfo(zone)).timestamp() * 1000)
    begins = datetime.fromtimestamp(window.begins_at(start + after) / 1000, ZoneInfo(zone))
    moment = datetime.fromtimestamp((start + after) / 1000, ZoneInfo(zone))
    assert begins.timetuple()[:6] == (*moment.timetuple()[:3], 0, 0, 0)
    assert window.anchor >= 0


def test_a_naive_anchor_in_greenwich_would_begin_the_day_at_eight_in_shanghai() -> None:
    window = day_window("Asia/Shanghai", "2026-11-09T10:30:00")
    naive = Window(window.ms, sliding=False, anchor=0)
    assert datetime.fromtimestamp(naive.begins_at(1_794_200_000_000) / 1000, ZoneInfo("Asia/Shanghai")).hour == 8


@pytest.mark.parametrize("days", [1, 3, 7])
def test_campaigns_of_a_brand_day_agree_about_its_days_whenever_they_start(days: int) -> None:
    assert day_window("Asia/Shanghai", "2026-11-01T00:00:00", days) == day_window(
        "Asia/Shanghai", "2026-11-11T20:00:00", days
    )


def test_weeks_begin_on_a_monday() -> None:
    window = day_window("UTC", "2026-11-11T00:00:00", 7)
    begins = datetime.fromtimestamp(window.begins_at(1_794_600_000_000) / 1000, UTC)
    assert (begins.weekday(), begins.hour) == (0, 0)


# --- and back ---

WINDOWS = st.one_of(
    st.none(),
    st.builds(
        lambda unit, count, kind: {unit: count, "kind": kind},
        st.sampled_from(["days", "hours", "minutes", "seconds"]),
        st.integers(1, 366),
        st.sampled_from(["fixed", "sliding"]),
    ),
)
LIMITS = st.builds(
    lambda by, counts, most, window, required: {
        "by": by,
        "counts": counts,
        "most": most,
        "window": window,
        "required": required and by != "shopper",
    },
    st.sampled_from([str(kind) for kind in SignalKind]),
    st.sampled_from(["attempts", "wins"]),
    st.integers(1, 50),
    WINDOWS,
    st.booleans(),
)
ALL_RULES = [
    NEW,
    FAST,
    {"rule": "shared_signal", "weight": 9, "by": "network", "more_than": 7},
    {"rule": "phone_range", "weight": 8, "prefixes": ["+86170", "+1"]},
    {"rule": "on_block_list", "weight": 100},
]
PROTECTIONS = st.builds(
    lambda limits, ticket, challenge, rules: {
        "brand_day": "november",
        "limits": [limit | {"name": f"limit-{index}"} for index, limit in enumerate(limits)],
        "ticket": ticket,
        "challenge": challenge,
        "risk": {"mode": "enforce", "rules": rules, "refuse_at": 5} if rules else None,
    },
    st.lists(LIMITS, min_size=1, max_size=3),
    st.sampled_from([None, {}, {"opens_before_seconds": 0, "valid_seconds": 60}]),
    st.sampled_from([None, ALTCHA, ALTCHA | {"difficulty": 100, "wait_seconds": 60}]),
    st.lists(st.sampled_from(ALL_RULES), unique_by=lambda rule: str(rule["rule"])),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(PROTECTIONS, st.sampled_from([instant, draw, taken, document]))
def test_what_is_shown_can_be_declared_again_and_changes_nothing(protection: dict[str, Any], made: Any) -> None:
    fields = {"late_payment": "reject"} if made is document else {}
    campaign = parse_campaign(made(protection=protection, **fields)).to_campaign()
    stored = Campaign.from_document(campaign.to_document())
    assert stored == campaign

    again = parse_campaign(to_declaration(stored)).to_campaign()

    assert again == campaign
    assert changes_between(to_declaration(stored), to_declaration(again)) == ()


def test_every_rule_and_every_challenge_of_the_registries_can_be_chosen_and_is_described() -> None:
    schema = json_schema()["$defs"]
    shown = schema["RiskPart"]["properties"]["rules"]["items"]["discriminator"]["mapping"]
    assert shown.keys() == RULES.keys() == {rule["rule"] for rule in ALL_RULES}
    assert schema["ChallengePart"]["properties"]["kind"].get("enum", ["altcha"]) == list(CHALLENGERS)
    for name in shown.values():
        part = schema[name.rpartition("/")[2]]
        assert part["description"]
        assert all(field.get("description") for field in part["properties"].values()), name


def test_editors_refuse_what_the_model_refuses_by_shape() -> None:
    schema = Draft202012Validator(json_schema())
    assert schema.is_valid(guarded(limits=[LIMIT], ticket={}, challenge=ALTCHA, risk=RISK))
    assert not schema.is_valid(ticket(valid_seconds=601))
    assert not schema.is_valid(challenge(kind="riddle"))
    assert not schema.is_valid(rule(rule="phone_range", prefixes=["0170"]))
