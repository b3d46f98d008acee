"""Risk is a sum: more that speaks against a visit never makes it better, and the order of the rules does not matter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brandday.domain.risk import Facts, Listed, RiskMode, RiskRule, RiskTerms, Verdict, Weighed
from brandday.domain.risk_rules import RULES, read_rule
from brandday.domain.risk_rules.new_account import NewAccount
from brandday.domain.risk_rules.on_block_list import OnBlockList
from brandday.domain.risk_rules.phone_range import PhoneRange
from brandday.domain.risk_rules.shared_signal import SharedSignal
from brandday.domain.risk_rules.too_fast import TooFast
from brandday.domain.signals import SignalKind, Signals

NOW = 1_794_153_600_000
HOUR_MS = 3_600_000
MARKS = {kind: f"mark-of-{kind}" for kind in SignalKind}
UNKNOWN = Facts(Signals({}), NOW, opened_at=NOW - HOUR_MS, distinct={}, listed={})

ONE_OF_EACH: list[RiskRule] = [
    NewAccount(24),
    SharedSignal("device", 3),
    TooFast(300),
    PhoneRange(("+86170", "+1")),
    OnBlockList(),
]


def knowing(**of: Any) -> Facts:
    """What is known of a visit; the fields are those of Facts and of Signals."""
    signals = {name: of.pop(name) for name in ("account_created_at", "phone") if name in of}
    return replace(UNKNOWN, signals=Signals(MARKS, **signals), **of)


# --- each rule ---


@pytest.mark.parametrize("rule", ONE_OF_EACH, ids=lambda rule: rule.name)
def test_what_is_not_known_speaks_against_nobody(rule: RiskRule) -> None:
    assert not rule.hits(UNKNOWN)


@pytest.mark.parametrize("rule", ONE_OF_EACH, ids=lambda rule: rule.name)
def test_a_rule_is_kept_with_its_options_and_explained_in_a_sentence(rule: RiskRule) -> None:
    document = rule.to_document()
    assert read_rule(document | {"name": "mine", "weight": 7}) == rule
    assert document.keys() == {"rule", *type(rule).options()}  # type: ignore[attr-defined]
    said = rule.explain()
    assert said[0].isupper()
    assert said.endswith(".")
    assert "\n" not in said
    for option, value in document.items():
        if option != "rule":
            assert str(value if not isinstance(value, list) else value[0]) in said


def test_all_kinds_of_rules_are_tried_here() -> None:
    assert [rule.to_document()["rule"] for rule in ONE_OF_EACH] == list(RULES)


@pytest.mark.parametrize(
    ("created_at", "is_new"),
    [(NOW - 24 * HOUR_MS, False), (NOW - 24 * HOUR_MS + 1, True), (NOW, True), (NOW + HOUR_MS, True), (None, False)],
)
def test_an_account_is_new_up_to_the_last_millisecond(created_at: int | None, is_new: bool) -> None:
    assert NewAccount(24).hits(knowing(account_created_at=created_at)) is is_new


@pytest.mark.parametrize(
    ("distinct", "is_shared"),
    [({}, False), ({SignalKind.DEVICE: 3}, False), ({SignalKind.DEVICE: 4}, True), ({SignalKind.NETWORK: 99}, False)],
)
def test_a_signal_is_shared_by_more_than_so_many(distinct: Mapping[SignalKind, int], is_shared: bool) -> None:
    rule = SharedSignal("device", 3)
    assert rule.hits(knowing(distinct=distinct)) is is_shared
    assert rule.looks_at() == {SignalKind.DEVICE}


@pytest.mark.parametrize(("after", "is_fast"), [(-1, False), (0, True), (299, True), (300, False)])
def test_too_fast_is_within_so_many_milliseconds_of_the_opening(after: int, is_fast: bool) -> None:
    assert TooFast(300).hits(knowing(opened_at=NOW - after)) is is_fast


@pytest.mark.parametrize(
    ("phone", "is_disposable"),
    [("+8617012345678", True), ("+8613812345678", False), ("+12125550100", True), ("+86", False), ("", False)],
)
def test_a_phone_is_of_a_range_by_how_it_begins(phone: str, is_disposable: bool) -> None:
    assert PhoneRange(("+86170", "+1")).hits(knowing(phone=phone)) is is_disposable


@pytest.mark.parametrize(
    ("listed", "is_blocked"),
    [
        ({SignalKind.PHONE: Listed.BLOCK}, True),
        ({SignalKind.PHONE: Listed.ALLOW}, False),
        ({SignalKind.DEVICE: Listed.ALLOW, SignalKind.NETWORK: Listed.BLOCK}, True),
    ],
)
def test_anything_on_the_block_list_is_enough(listed: Mapping[SignalKind, Listed], is_blocked: bool) -> None:
    assert OnBlockList().hits(knowing(listed=listed)) is is_blocked


# --- what they come to together ---


@dataclass(frozen=True, slots=True)
class Says:
    """A rule that says what it is told to."""

    hit: bool

    def hits(self, facts: Facts) -> bool:
        """Whatever is known."""
        del facts
        return self.hit

    def looks_at(self) -> frozenset[SignalKind]:
        """Nothing."""
        return frozenset()

    def explain(self) -> str:
        """Nothing to explain."""
        return "It says so."

    def to_document(self) -> dict[str, Any]:
        """Never kept."""
        raise NotImplementedError


def weighed(hits: Sequence[tuple[bool, int]]) -> tuple[Weighed, ...]:
    return tuple(Weighed(f"rule-{index}", weight, Says(hit)) for index, (hit, weight) in enumerate(hits))


RULE_LISTS = st.lists(st.tuples(st.booleans(), st.integers(1, 100)), min_size=1, max_size=8)
THRESHOLDS = st.tuples(st.none() | st.integers(1, 200), st.none() | st.integers(1, 400))
SEVERITY = [Verdict.ALLOW, Verdict.CHALLENGE, Verdict.REFUSE]


@given(RULE_LISTS, THRESHOLDS, st.sampled_from(RiskMode), st.data())
def test_one_hit_more_never_makes_it_better(
    hits: list[tuple[bool, int]], at: tuple[int | None, int | None], mode: RiskMode, data: st.DataObject
) -> None:
    one_more = [(hit or data.draw(st.booleans()), weight) for hit, weight in hits]
    before = RiskTerms(mode, *at, weighed(hits)).assess(UNKNOWN)
    after = RiskTerms(mode, *at, weighed(one_more)).assess(UNKNOWN)
    assert SEVERITY.index(after.verdict) >= SEVERITY.index(before.verdict)
    assert after.score >= before.score
    assert set(after.hits) >= set(before.hits)


@given(RULE_LISTS, THRESHOLDS, st.data())
def test_the_order_of_the_rules_does_not_matter(
    hits: list[tuple[bool, int]], at: tuple[int | None, int | None], data: st.DataObject
) -> None:
    rules = weighed(hits)
    other = tuple(data.draw(st.permutations(rules)))
    one, two = (RiskTerms(RiskMode.ENFORCE, *at, order).assess(UNKNOWN) for order in (rules, other))
    assert (one.verdict, one.score, sorted(one.hits)) == (two.verdict, two.score, sorted(two.hits))


@given(RULE_LISTS, THRESHOLDS)
def test_the_score_is_the_weight_of_what_is_named(
    hits: list[tuple[bool, int]], at: tuple[int | None, int | None]
) -> None:
    rules = weighed(hits)
    said = RiskTerms(RiskMode.ENFORCE, *at, rules).assess(UNKNOWN)
    assert said.score == sum(rule.weight for rule in rules if rule.name in said.hits)
    assert said.hits == tuple(rule.name for rule, (hit, _) in zip(rules, hits, strict=True) if hit)


@given(RULE_LISTS, THRESHOLDS)
def test_shadow_and_enforce_come_to_the_same(hits: list[tuple[bool, int]], at: tuple[int | None, int | None]) -> None:
    """What shadow mode shows before the day is what will happen on it."""
    shadow, enforce = (RiskTerms(mode, *at, weighed(hits)).assess(UNKNOWN) for mode in RiskMode)
    assert shadow == enforce


@pytest.mark.parametrize(
    ("challenge_at", "refuse_at", "verdicts"),
    [
        (30, 60, "allow allow challenge challenge refuse"),
        (None, 60, "allow allow allow allow refuse"),
        (30, None, "allow allow challenge challenge challenge"),
        (None, None, "allow allow allow allow allow"),
    ],
)
def test_a_threshold_is_reached_by_its_own_score(
    challenge_at: int | None, refuse_at: int | None, verdicts: str
) -> None:
    assert [
        str(RiskTerms(RiskMode.ENFORCE, challenge_at, refuse_at, weighed([(True, score)])).assess(UNKNOWN).verdict)
        for score in (1, 29, 30, 59, 60)
    ] == verdicts.split()


def test_the_terms_look_at_what_any_rule_looks_at() -> None:
    rules = (SharedSignal("device", 3), SharedSignal("network", 3), NewAccount(1))
    terms = RiskTerms(RiskMode.SHADOW, None, 1, tuple(Weighed(str(rule), 1, rule) for rule in rules))
    assert terms.looks_at() == {SignalKind.DEVICE, SignalKind.NETWORK}
    assert RiskTerms.from_document(terms.to_document()) == terms
