"""Appeals: who was refused reads out a reference, an operator explains and lifts it, and the gate lets them in.

The gate, its cases and the operators' desk are the real ones, over what they keep in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from brandday.domain.errors import AdmissionRefused, LimitReached, NotAdmitted, RateLimited
from brandday.domain.protection import Counted, Limit, Protection
from brandday.domain.risk import RiskMode
from brandday.domain.signals import SignalKind
from brandday.domain.visit import Visit
from brandday.usecases.admission import REMEMBER_MS
from brandday.usecases.keep_lists import DAY_MS, KeepLists, Row
from brandday.usecases.review_risk import Explained, Grounds, ReviewRisk
from tests.fakes.backend import SALE, web_shopper
from tests.fakes.gate_world import (
    BLOCKED,
    BY_SHOPPER,
    CROWD,
    NEW,
    TICKET,
    GateEnvironment,
    GateWorld,
    mark,
    protection,
    rules,
    visit,
)
from tests.fakes.memory_desk import MemoryGuardDesk

WINS = Limit("one-per-device", SignalKind.DEVICE, Counted.WINS, 1)


@dataclass
class Shop:
    """A gate, and the desk over the same."""

    demanded: Protection
    world: GateWorld = field(init=False)
    gate: GateEnvironment = field(init=False)

    def __post_init__(self) -> None:
        self.world = GateWorld(self.demanded)
        self.gate = self.world.environment()
        kept = MemoryGuardDesk(self.world.guard)
        self.review = ReviewRisk(self.world.campaigns, kept, kept, self.world.clock)
        self.lists = KeepLists(kept, mark, self.world.clock)

    def refused(self, shopper: str, shown: Visit) -> AdmissionRefused:
        """Ask at the gate, and return why not."""
        with pytest.raises(AdmissionRefused) as refusal:
            self.gate.enter(shopper, shown)
        return refusal.value

    def explained(self, refusal: AdmissionRefused) -> Explained:
        """Return what an operator sees who was told the reference."""
        return self.review.explain(str(refusal.params["reference"]))

    def lift(self, refusal: AdmissionRefused, days: int = 30) -> None:
        """Lift it, as an operator."""
        self.review.allow(str(refusal.params["reference"]), days, "called us", "ann", "key")

    def let_environments_forget(self) -> None:
        """Let as much time pass as an environment remembers."""
        self.world.clock.advance(REMEMBER_MS)


def by_rules() -> tuple[Shop, str, Visit]:
    """Somebody whose account is too new."""
    shop = Shop(protection(risk=rules(NEW)))
    return shop, "bo", visit("pad", account_created_at=str(shop.world.clock()))


def by_a_limit_on_attempts() -> tuple[Shop, str, Visit]:
    """Somebody who has tried as often as they may, for as long as the campaign lasts."""
    shop = Shop(protection(Limit("tries", SignalKind.SHOPPER, Counted.ATTEMPTS, 3)))
    for _ in range(3):
        shop.gate.enter("bo", visit("pad"))
    return shop, "bo", visit("pad")


def by_the_block_list() -> tuple[Shop, str, Visit]:
    """Somebody whose device is on the block list."""
    shop = Shop(protection(risk=rules(BLOCKED)))
    shop.lists.put([Row("block", "device", "pad", reason="a farm")], "ann", "block")
    return shop, "bo", visit("pad")


@pytest.mark.parametrize(
    ("situation", "kind", "reason"),
    [
        (by_rules, NotAdmitted, "new"),
        (by_a_limit_on_attempts, RateLimited, "tries"),
        (by_the_block_list, NotAdmitted, "blocked"),
    ],
)
def test_who_was_refused_is_explained_and_let_in_once_it_is_lifted(
    situation: Callable[[], tuple[Shop, str, Visit]], kind: type[AdmissionRefused], reason: str
) -> None:
    shop, shopper, shown = situation()
    # GIVEN somebody who was refused with a reference
    refusal = shop.refused(shopper, shown)
    assert type(refusal) is kind
    # WHEN an operator looks
    explained = shop.explained(refusal)
    # THEN it says why, in words
    assert (explained.case.campaign_id, explained.case.mode, explained.case.code) == (SALE, RiskMode.ENFORCE, kind.code)
    assert [one.name for one in explained.reasons] == [reason]
    assert all(one.grounds is not Grounds.GONE for one in explained.reasons)
    # AND to wait does not help (or the test could not fail)
    shop.let_environments_forget()
    assert type(shop.refused(shopper, shown)) is kind
    # WHEN it is lifted
    shop.lift(refusal)
    # THEN they are in as soon as environments have forgotten, again and again
    shop.let_environments_forget()
    assert [shop.gate.said(shopper, shown) for _ in range(9)] == ["in"] * 9
    assert shop.world.environment().said(shopper, shown) == "in"


def test_to_lift_one_refusal_lets_in_nobody_else() -> None:
    shop, shopper, shown = by_the_block_list()
    shop.lift(shop.refused(shopper, shown))
    shop.let_environments_forget()
    assert shop.gate.said("eve", shown) == "not_admitted"


def test_a_cold_environment_lets_in_at_once() -> None:
    shop, shopper, shown = by_rules()
    shop.lift(shop.refused(shopper, shown))
    assert shop.world.environment().said(shopper, shown) == "in"


@pytest.mark.parametrize("with_ticket", [True, False])
def test_who_has_reached_a_limit_on_wins_is_not_counted_once_it_is_lifted(with_ticket: bool) -> None:
    shop = Shop(protection(WINS, BY_SHOPPER, ticket=TICKET if with_ticket else None))
    live, shopper, shown = shop.gate.live, web_shopper("bo"), visit("pad")
    refusal = shop.gate.admission.limit_reached(live, shop.demanded, shopper, shown, WINS)
    assert isinstance(refusal, LimitReached)
    assert shop.explained(refusal).reasons[0].text == "At most 1 win per device, as long as it lasts."
    assert not shop.gate.admission.is_exempt(live, shopper, shown)
    shop.lift(refusal)
    shop.let_environments_forget()
    assert shop.gate.admission.is_exempt(live, shopper, shown)
    if not with_ticket:
        assert shop.gate.admit("bo", shown).wanted == ()
        assert shop.gate.admit("eve", shown).wanted != ()


def test_a_lifted_refusal_ends_with_its_days_and_stays_lifted_in_the_books() -> None:
    shop, shopper, _ = by_rules()
    always_new = visit("pad", account_created_at=str(shop.world.clock() + 3 * DAY_MS))
    refusal = shop.refused(shopper, always_new)
    shop.lift(refusal, days=1)
    shop.let_environments_forget()
    assert shop.gate.said(shopper, always_new) == "in"
    shop.world.clock.advance(2 * DAY_MS)
    again = shop.refused(shopper, always_new)
    assert again.params == refusal.params, "the same shopper has the same reference"
    assert shop.explained(again).case.lifted_at is not None


def test_a_report_before_the_day_shows_what_rules_in_shadow_would_have_done() -> None:
    shop = Shop(protection(risk=rules(CROWD, NEW, mode=RiskMode.SHADOW, challenge_at=50, refuse_at=100)))
    created_at = str(shop.world.clock())
    for number in range(20):
        assert shop.gate.said(f"farm-{number}", visit("pad", account_created_at=created_at)) == "in"
    for number in range(20):
        assert shop.gate.said(f"person-{number}", visit(f"phone-{number}")) == "in"
    report = shop.review.report(SALE)
    assert report.by_mode == {RiskMode.SHADOW: 20, RiskMode.ENFORCE: 0}
    assert [one.key.kind for one in report.marks] == [SignalKind.DEVICE]
    by_score = {row.score: row.shoppers for row in report.thresholds}
    assert by_score[50] == 20
    assert 10 <= by_score[100] < 20, "the first ones shared their device with nobody yet"
