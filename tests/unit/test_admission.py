"""The gate: who is let in, what is said to the others, and what each answer costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brandday.domain.activity import ActivityKey
from brandday.domain.errors import (
    ChallengeRequired,
    LimitReached,
    NotAdmitted,
    RateLimited,
    SignalMissing,
    TemporarilyOverloaded,
    TicketInvalid,
)
from brandday.domain.protection import Counted, Limit, Window
from brandday.domain.refusal_case import REFERENCE, reference_of
from brandday.domain.risk import Listed, RiskMode, Weighed
from brandday.domain.risk_rules.too_fast import TooFast
from brandday.domain.signals import SignalKind
from brandday.domain.tally import TallyKey, Wanted
from brandday.usecases.admission import FORGET_AFTER_MS, KEEP, REMEMBER_MS
from tests.fakes.backend import CLOSES, OPENS, SALE, sale, web_shopper
from tests.fakes.gate_world import (
    ALWAYS,
    BLOCKED,
    BY_DEVICE,
    BY_RISK,
    BY_SHOPPER,
    CROWD,
    HOUR,
    MARK_KEY,
    NEW,
    TICKET,
    GateWorld,
    mark,
    protection,
    rules,
    visit,
)
from tests.fakes.tap import failing

LOOK, NOTE, SAVE = "visits.look", "visits.note", "cases.save"
WINS = Limit("one-per-device", SignalKind.DEVICE, Counted.WINS, 1)
NEEDED = replace(WINS, required=True)
YOUNG = str(OPENS - HOUR)


def reference(shopper: str) -> str:
    return reference_of(MARK_KEY, SALE, mark(SignalKind.SHOPPER, shopper))


# --- tickets ------------------------------------------------------------------------------------------------


def test_a_ticket_lets_in_without_a_call() -> None:
    world = GateWorld(protection(BY_SHOPPER, BY_DEVICE, ticket=TICKET, risk=rules(CROWD)))
    gate = world.environment()
    admitted = gate.admit("ann", visit("pad", ticket=world.ticket("ann", OPENS - 5)))
    assert (admitted.passed_at, admitted.wanted, world.calls()) == (OPENS - 5, (), [])


def test_a_ticket_that_is_no_good_is_refused_without_a_call() -> None:
    world = GateWorld(protection(BY_SHOPPER, ticket=TICKET))
    gate = world.environment()
    for ticket, reason in (
        ("", "missing"),
        (world.ticket("bob"), "wrong"),
        ("tkt_made-up", "wrong"),
        (world.ticket("ann", OPENS - 600_000), "expired"),
    ):
        with pytest.raises(TicketInvalid) as refused:
            gate.admit("ann", visit(ticket=ticket))
        assert refused.value.params == {"reason": reason}
    assert world.calls() == []


def test_with_a_ticket_limits_on_wins_come_along_without_a_call() -> None:
    world = GateWorld(protection(WINS, BY_SHOPPER, ticket=TICKET, brand_day="spring"))
    gate = world.environment()
    ticket = world.ticket("ann")
    key = TallyKey("day.spring", "one-per-device", mark(SignalKind.DEVICE, "pad"))
    assert gate.admit("ann", visit("pad", ticket=ticket)).wanted == (Wanted(WINS, key),)
    assert gate.admit("ann", visit(ticket=ticket)).wanted == (), "who has no device is not counted by it"
    assert world.calls() == []


def test_a_signal_that_is_required_is_asked_for_at_the_claim_and_at_the_desk() -> None:
    world = GateWorld(protection(NEEDED, ticket=TICKET))
    gate = world.environment()
    with pytest.raises(SignalMissing) as refused:
        gate.admit("ann", visit(ticket=world.ticket("ann")))
    assert refused.value.params == {"by": "device"}
    with pytest.raises(SignalMissing):
        gate.enter("ann", visit())
    assert gate.enter("ann", visit("pad")) is None


# --- limits on attempts -------------------------------------------------------------------------------------


def test_an_attempt_costs_one_look_and_one_note() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    gate = world.environment()
    assert gate.admit("ann", visit()).passed_at is None
    assert world.calls() == [LOOK, NOTE]


def test_where_nothing_is_to_be_looked_at_nothing_is() -> None:
    world = GateWorld(protection(WINS))
    assert world.environment().admit("ann", visit("pad")).wanted[0].limit is WINS
    assert world.calls() == []


def test_a_limit_lets_as_many_in_as_it_says_and_says_when_the_next_one_may_come() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    gate = world.environment()
    assert [gate.said("ann", visit()) for _ in range(5)] == ["in"] * 3 + ["rate_limited"] * 2
    with pytest.raises(RateLimited) as refused:
        gate.enter("ann", visit())
    wait = refused.value.retry_after_ms
    assert wait is not None
    assert 60_000 <= wait <= 70_000
    world.clock.advance(wait - 1)
    assert gate.said("ann", visit()) == "rate_limited"
    world.clock.advance(1)
    assert gate.said("ann", visit()) == "in"


def test_a_fixed_window_begins_anew_at_its_anchor() -> None:
    hourly = replace(BY_SHOPPER, window=Window(HOUR, sliding=False, anchor=OPENS - 1000))
    world = GateWorld(protection(hourly))
    gate = world.environment()
    assert [gate.said("ann", visit()) for _ in range(4)] == ["in"] * 3 + ["rate_limited"]
    with pytest.raises(RateLimited) as refused:
        gate.enter("ann", visit())
    assert refused.value.retry_after_ms == HOUR - 1000
    world.clock.advance(HOUR - 1000)
    assert [gate.said("ann", visit()) for _ in range(4)] == ["in"] * 3 + ["rate_limited"]


def test_a_limit_without_a_window_lasts_as_long_as_the_campaign() -> None:
    world = GateWorld(protection(replace(BY_SHOPPER, window=None)))
    gate = world.environment()
    assert [gate.said("ann", visit()) for _ in range(3)] == ["in"] * 3
    world.clock.advance(24 * HOUR)
    with pytest.raises(RateLimited) as refused:
        gate.enter("ann", visit())
    assert refused.value.retry_after_ms == CLOSES - world.clock()


def test_who_was_refused_is_refused_again_without_a_call() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    gate = world.environment()
    for _ in range(3):
        gate.enter("ann", visit())
    world.calls()
    assert gate.answer("ann", visit()) == f"rate_limited reference='{reference('ann')}' 69999"
    assert world.calls() == [LOOK, SAVE]
    world.clock.advance(REMEMBER_MS - 1)
    assert gate.answer("ann", visit()) == f"rate_limited reference='{reference('ann')}' {69999 - REMEMBER_MS + 1}"
    assert world.calls() == []
    world.clock.advance(1)
    assert gate.said("ann", visit()) == "rate_limited"
    assert world.calls() == [LOOK], "a case is written down once a minute"


def test_others_on_the_same_device_are_refused_without_a_write_but_for_their_case() -> None:
    world = GateWorld(protection(BY_DEVICE))
    gate = world.environment()
    for number in range(6):
        assert gate.said(f"bot-{number}", visit("farm")) == "in"
    world.calls()
    assert gate.said("bot-7", visit("farm")) == "rate_limited"
    assert gate.said("bot-7", visit("farm")) == "rate_limited"
    assert world.calls() == [LOOK, SAVE]
    assert gate.said("ann", visit("pad")) == "in"
    assert gate.said("bob", visit()) == "in", "who has no device is not counted by it"


def test_an_environment_that_looked_too_early_refuses_after_all() -> None:
    world = GateWorld(protection(BY_DEVICE))
    gates = [world.environment() for _ in range(2)]
    real, stale = world.guard.look, world.guard.look({}, [], OPENS)
    for number in range(6):
        gates[0].enter(f"bot-{number}", visit("farm"))
    before = {key: type(kept)() for key, kept in world.guard.activity.items()}
    world.guard.look = lambda *_: stale._replace(activity=before)  # type: ignore[method-assign]
    world.calls()
    assert gates[1].said("bot-7", visit("farm")) == "rate_limited"
    assert world.calls() == [LOOK, NOTE, SAVE]
    world.guard.look = real  # type: ignore[method-assign]


def test_a_case_of_a_limit_names_it_and_everything_is_a_mark() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    gate = world.environment()
    for _ in range(4):
        gate.said("ann", visit("pad"))
    (case,) = world.guard.cases.values()
    assert (case.reference, case.code, case.reasons, case.mode) == (
        reference("ann"),
        RateLimited.code,
        ("per-shopper",),
        RiskMode.ENFORCE,
    )
    assert case.marks == {kind: mark(kind, raw) for kind, raw in (("shopper", "ann"), ("device", "pad"))}  # type: ignore[arg-type]


def test_activity_is_kept_until_nothing_can_count_it() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    world.environment().enter("ann", visit())
    assert list(world.guard.forget_at.values()) == [(CLOSES + FORGET_AFTER_MS) // 1000]


def test_campaigns_of_a_brand_day_share_what_is_counted() -> None:
    world = GateWorld(protection(BY_SHOPPER, brand_day="spring"))
    world.put(sale(id="other", protection=world.protection))
    gates = [world.environment(), world.environment("other")]
    assert [gates[at % 2].said("ann", visit()) for at in range(4)] == ["in"] * 3 + ["rate_limited"]
    alone = GateWorld(protection(BY_SHOPPER))
    alone.put(sale(id="other", protection=alone.protection))
    gates = [alone.environment(), alone.environment("other")]
    assert [gates[at % 2].said("ann", visit()) for at in range(6)] == ["in"] * 6


# --- lists --------------------------------------------------------------------------------------------------


def test_who_is_on_the_allow_list_is_exempt_from_limits_and_rules_and_costs_one_look() -> None:
    world = GateWorld(protection(BY_SHOPPER, WINS, risk=rules(NEW)))
    world.guard.put_on_list(Listed.ALLOW, SignalKind.SHOPPER, mark(SignalKind.SHOPPER, "ann"))
    gate = world.environment()
    for _ in range(10):
        assert gate.admit("ann", visit("pad", account_created_at=YOUNG)).wanted == ()
    assert world.calls() == [LOOK] * 10


def test_an_allowed_device_exempts_who_comes_with_it_unless_something_is_blocked() -> None:
    world = GateWorld(protection(risk=rules(BLOCKED, NEW)))
    world.guard.put_on_list(Listed.ALLOW, SignalKind.DEVICE, mark(SignalKind.DEVICE, "kiosk"))
    world.guard.put_on_list(Listed.BLOCK, SignalKind.SHOPPER, mark(SignalKind.SHOPPER, "eve"))
    gate = world.environment()
    assert gate.said("ann", visit("kiosk", account_created_at=YOUNG)) == "in"
    assert gate.said("eve", visit("kiosk", account_created_at=YOUNG)) == "not_admitted"


def test_who_was_exempted_after_a_refusal_is_let_in_once_the_memory_is_over() -> None:
    world = GateWorld(protection(risk=rules(NEW)))
    gate = world.environment()
    assert gate.said("ann", visit(account_created_at=YOUNG)) == "not_admitted"
    world.guard.put_on_list(Listed.ALLOW, SignalKind.SHOPPER, mark(SignalKind.SHOPPER, "ann"))
    world.clock.advance(REMEMBER_MS)
    assert gate.said("ann", visit(account_created_at=YOUNG)) == "in"


def test_an_exemption_is_asked_for_when_a_limit_on_wins_stands_in_the_way() -> None:
    world = GateWorld(protection(WINS, ticket=TICKET))
    gate = world.environment()
    ann, bob = web_shopper("ann"), web_shopper("bob")
    world.guard.put_on_list(Listed.ALLOW, SignalKind.SHOPPER, mark(SignalKind.SHOPPER, "ann"))
    for _ in range(2):
        assert gate.admission.is_exempt(gate.live, ann, visit("pad"))
        assert not gate.admission.is_exempt(gate.live, bob, visit("pad"))
    assert world.calls() == [LOOK, LOOK]
    world.guard.listings.clear()
    world.clock.advance(REMEMBER_MS)
    assert not gate.admission.is_exempt(gate.live, ann, visit("pad"))


def test_a_limit_on_wins_opens_a_case() -> None:
    world = GateWorld(protection(WINS, ticket=TICKET))
    gate = world.environment()
    refusal = gate.admission.limit_reached(gate.live, world.protection, web_shopper("ann"), visit("pad"), WINS)
    assert isinstance(refusal, LimitReached)
    assert refusal.params == {"by": "device", "limit": 1, "reference": reference("ann")}
    (case,) = world.guard.cases.values()
    assert (case.code, case.reasons) == (LimitReached.code, ("one-per-device",))


# --- rules --------------------------------------------------------------------------------------------------


def test_rules_refuse_with_a_case_and_then_from_memory() -> None:
    world = GateWorld(protection(BY_SHOPPER, risk=rules(NEW)))
    gate = world.environment()
    for _ in range(2):
        with pytest.raises(NotAdmitted) as refused:
            gate.enter("ann", visit(account_created_at=YOUNG))
        assert refused.value.params == {"reference": reference("ann")}
    assert world.calls() == [LOOK, SAVE]
    (case,) = world.guard.cases.values()
    assert (case.code, case.reasons, case.score, case.mode) == (NotAdmitted.code, ("new",), 50, RiskMode.ENFORCE)
    assert gate.said("ann", visit("other", account_created_at=str(OPENS - 100 * HOUR))) == "in", "another visit"


def test_many_accounts_on_a_device_are_seen_and_a_family_is_not() -> None:
    world = GateWorld(protection(risk=rules(CROWD)))
    gate = world.environment()
    said = [gate.said(f"bot-{number}", visit("farm")) for number in range(20)]
    assert "".join("+" if each == "in" else "-" for each in said).startswith("+++-")
    assert said.count("in") <= 4, "two may have the same place"
    for _ in range(5):
        for member in ("mum", "dad", "ann"):
            assert gate.said(member, visit("family")) == "in"


def test_what_only_rules_look_at_is_noted_once_per_shopper() -> None:
    world = GateWorld(protection(risk=rules(CROWD)))
    gate = world.environment()
    for _ in range(3):
        gate.enter("ann", visit("pad"))
    assert world.calls() == [LOOK, NOTE, LOOK, LOOK]


def test_the_shadow_records_and_changes_nothing() -> None:
    world = GateWorld(protection(risk=rules(NEW, mode=RiskMode.SHADOW)))
    gate = world.environment()
    assert [gate.said("ann", visit(account_created_at=YOUNG)) for _ in range(3)] == ["in"] * 3
    assert world.calls() == [LOOK, SAVE, LOOK, LOOK]
    (case,) = world.guard.cases.values()
    assert (case.code, case.reasons, case.mode) == (NotAdmitted.code, ("new",), RiskMode.SHADOW)


def test_a_challenge_that_would_have_been_is_recorded_as_one() -> None:
    shadow = rules(NEW, mode=RiskMode.SHADOW, challenge_at=50, refuse_at=None)
    world = GateWorld(protection(challenge=BY_RISK, risk=shadow))
    assert world.environment().said("ann", visit(account_created_at=YOUNG)) == "in"
    (case,) = world.guard.cases.values()
    assert (case.code, case.mode) == (ChallengeRequired.code, RiskMode.SHADOW)


# --- challenges ---------------------------------------------------------------------------------------------


def test_who_has_not_solved_what_everybody_has_to_solve_costs_no_call() -> None:
    world = GateWorld(protection(BY_SHOPPER, challenge=ALWAYS))
    gate = world.environment()
    others = world.waited("bob")
    posed_at, waited = world.clock(), world.waited("ann")
    assert gate.answer("ann", visit()) == "challenge_required reason='missing' None"
    assert gate.answer("ann", visit(solution="nonsense")) == "challenge_required reason='wrong' None"
    assert gate.answer("ann", visit(solution=waited)) == "challenge_required reason='early' None"
    world.clock.advance(30_000)
    assert gate.answer("ann", visit(solution=others)) == "challenge_required reason='wrong' None"
    assert world.calls() == []
    assert gate.admit("ann", visit(solution=waited)).passed_at == posed_at
    assert world.calls() == [LOOK, NOTE]


def test_a_shadow_does_not_make_a_solution_a_gift() -> None:
    shadow = rules(NEW, mode=RiskMode.SHADOW, challenge_at=10, refuse_at=None)
    world = GateWorld(protection(challenge=ALWAYS, risk=shadow))
    posed_at, waited = world.clock(), world.waited("ann")
    world.clock.advance(30_000)
    assert world.environment().enter("ann", visit(solution=waited, account_created_at=YOUNG)) == posed_at


def test_who_is_vouched_for_has_solved_it() -> None:
    world = GateWorld(protection(challenge=ALWAYS))
    assert world.environment().admit("ann", visit(vouched="yes")).passed_at is None
    assert world.calls() == []


def test_rules_send_to_a_challenge_and_only_those_they_hit() -> None:
    world = GateWorld(protection(challenge=BY_RISK, risk=rules(NEW, challenge_at=50, refuse_at=None)))
    gate = world.environment()
    waited, posed_at = world.waited("ann"), world.clock()
    assert gate.said("bob", visit()) == "in"
    assert gate.said("bob", visit(solution="left over from elsewhere")) == "in"
    world.calls()
    for _ in range(2):
        assert gate.answer("ann", visit(account_created_at=YOUNG)) == "challenge_required reason='missing' None"
    assert gate.answer("ann", visit(solution="x", account_created_at=YOUNG)) == "challenge_required reason='wrong' None"
    assert world.calls() == [LOOK]
    assert gate.said("ann", visit(account_created_at=YOUNG, vouched="yes")) == "in"
    world.clock.advance(30_000)
    assert gate.enter("ann", visit(solution=waited, account_created_at=YOUNG)) == posed_at
    assert world.environment().said("ann", visit(solution="x", account_created_at=YOUNG)) == "challenge_required"


def test_a_solution_does_not_help_whom_the_rules_refuse() -> None:
    world = GateWorld(protection(challenge=ALWAYS, risk=rules(NEW, challenge_at=10, refuse_at=50)))
    gate = world.environment()
    waited = world.waited("ann")
    world.clock.advance(30_000)
    assert gate.said("ann", visit(solution=waited, account_created_at=YOUNG)) == "not_admitted"
    assert gate.said("ann", visit(vouched="yes", account_created_at=YOUNG)) == "not_admitted"


def test_rules_that_send_to_a_challenge_that_is_not_there_let_nobody_in() -> None:
    world = GateWorld(protection(risk=rules(NEW, challenge_at=50, refuse_at=None)))
    assert world.environment().said("ann", visit(account_created_at=YOUNG)) == "challenge_required"


def test_the_score_is_for_the_difficulty_and_counts_nothing() -> None:
    world = GateWorld(protection(challenge=BY_RISK, risk=rules(NEW, BLOCKED, challenge_at=50, refuse_at=None)))
    gate = world.environment()

    def score(shopper: str, **claims: str) -> int:
        return gate.admission.score(gate.live, world.protection, web_shopper(shopper), visit(**claims))

    assert (score("ann", account_created_at=YOUNG), score("bob")) == (50, 0)
    assert world.calls() == [LOOK, LOOK]
    assert score("ann", account_created_at=YOUNG) == 50
    assert world.calls() == []
    world.guard.put_on_list(Listed.ALLOW, SignalKind.SHOPPER, mark(SignalKind.SHOPPER, "eve"))
    assert score("eve", account_created_at=YOUNG) == 0
    assert world.guard.activity == {}
    assert world.guard.cases == {}


def test_there_is_no_score_without_rules_or_in_their_shadow() -> None:
    for demanded in (protection(challenge=ALWAYS), protection(challenge=ALWAYS, risk=rules(NEW, mode=RiskMode.SHADOW))):
        world = GateWorld(demanded)
        gate = world.environment()
        young = visit(account_created_at=YOUNG)
        assert gate.admission.score(gate.live, demanded, web_shopper("ann"), young) == 0
        assert world.calls() == []


# --- trouble ------------------------------------------------------------------------------------------------


def test_nobody_is_let_in_unseen() -> None:
    for demanded in (protection(BY_SHOPPER), protection(risk=rules(NEW)), protection(NEEDED, risk=rules(NEW))):
        world = GateWorld(demanded)
        gate = world.environment()
        with failing(world.tap, LOOK, TemporarilyOverloaded()), pytest.raises(TemporarilyOverloaded):
            gate.enter("ann", visit("pad"))


def test_what_is_only_watched_stands_in_nobodys_way() -> None:
    world = GateWorld(protection(WINS, risk=rules(NEW, mode=RiskMode.SHADOW)))
    gate = world.environment()
    with failing(world.tap, LOOK, TemporarilyOverloaded()):
        assert gate.admit("ann", visit("pad")).wanted != ()


def test_a_note_that_is_lost_keeps_nobody_out() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    gate = world.environment()
    with failing(world.tap, NOTE, TemporarilyOverloaded()):
        assert gate.said("ann", visit()) == "in"


def test_a_case_that_cannot_be_written_is_written_the_next_time() -> None:
    world = GateWorld(protection(risk=rules(NEW)))
    gate = world.environment()
    with failing(world.tap, SAVE, TemporarilyOverloaded()):
        assert gate.said("ann", visit(account_created_at=YOUNG)) == "not_admitted"
    world.clock.advance(REMEMBER_MS)
    assert gate.said("ann", visit(account_created_at=YOUNG)) == "not_admitted"
    assert list(world.guard.cases) == [(SALE, reference("ann"))]


def test_a_refusal_is_written_down_even_if_the_shadow_was_a_moment_ago() -> None:
    world = GateWorld(protection(BY_SHOPPER, risk=rules(NEW, mode=RiskMode.SHADOW)))
    gate = world.environment()
    for _ in range(4):
        gate.said("ann", visit(account_created_at=YOUNG))
    (case,) = world.guard.cases.values()
    assert (case.code, case.mode) == (RateLimited.code, RiskMode.ENFORCE)


def test_items_stay_small_because_what_is_over_is_dropped() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    gate = world.environment()
    for _ in range(40):
        gate.enter("ann", visit())
        world.clock.advance(25_000)
    (activity,) = world.guard.activity.values()
    assert len(activity.counts) <= 5


def test_rules_about_haste_count_from_when_tickets_are_given_out() -> None:
    hasty = rules(Weighed("hasty", 50, TooFast(500)))
    opens = OPENS - TICKET.opens_before_ms
    for demanded, opened_at in ((protection(ticket=TICKET, risk=hasty), opens), (protection(risk=hasty), OPENS)):
        world = GateWorld(demanded)
        gate = world.environment()
        world.clock.now = opened_at + 499
        assert gate.said("bot", visit()) == "not_admitted"
        world.clock.now = opened_at + 500
        assert gate.said("ann", visit()) == "in"


def test_a_campaign_that_is_prolonged_is_remembered_longer() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    gate = world.environment()
    gate.enter("ann", visit())
    world.put(sale(protection=world.protection, ends_at=CLOSES + HOUR))
    world.clock.advance(1000)
    gate.enter("ann", visit())
    assert list(world.guard.forget_at.values()) == [(CLOSES + HOUR + FORGET_AFTER_MS) // 1000]


def test_memory_is_bounded() -> None:
    world = GateWorld(protection(risk=rules(NEW)))
    gate = world.environment()
    for number in range(KEEP + 5):
        gate.said(f"bot-{number}", visit(account_created_at=YOUNG))
    memory = gate.admission._refused
    assert len(memory) == KEEP


def test_what_one_campaign_refuses_another_does_not() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    world.put(sale(id="other", protection=world.protection))
    gate, other = world.environment(), world.environment("other")
    other.admission = gate.admission
    assert [gate.said("ann", visit()) for _ in range(4)] == ["in"] * 3 + ["rate_limited"]
    assert other.said("ann", visit()) == "in"


def test_new_terms_count_as_soon_as_they_are_known() -> None:
    world = GateWorld(protection(BY_SHOPPER))
    gate = world.environment()
    for _ in range(3):
        gate.enter("ann", visit())
    world.put(sale(protection=protection(replace(BY_SHOPPER, most=5))))
    world.clock.advance(1000)
    assert [gate.said("ann", visit()) for _ in range(3)] == ["in", "in", "rate_limited"]


def test_nothing_raw_is_kept() -> None:
    world = GateWorld(protection(BY_SHOPPER, BY_DEVICE, risk=rules(NEW, CROWD)))
    gate = world.environment()
    raw = ("ann@example.com", "device-4711", "+8613912345678")
    for _ in range(9):
        gate.said(raw[0], visit(raw[1], phone=raw[2], account_created_at=YOUNG))
        gate.said("bob", visit(raw[1], phone=raw[2]))
    kept = repr(world.guard)
    assert world.guard.cases
    assert ActivityKey(SALE, SignalKind.DEVICE, mark(SignalKind.DEVICE, raw[1])) in world.guard.activity
    assert not [each for each in raw if each in kept]


def test_a_reference_is_what_its_form_says() -> None:
    import re

    assert re.fullmatch(REFERENCE, reference("ann"))
