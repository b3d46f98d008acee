"""How hard a challenge is: as the campaign says, harder for odd visits and while many ask, never beyond its bounds."""

# ruff: noqa: ARG002 - fakes have the parameters of their ports

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from brandday.challenges.port import FindKey
from brandday.domain.campaign import Shopper
from brandday.domain.protection import Ask, ChallengeTerms, Protection
from brandday.domain.risk import RiskMode, RiskTerms
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.pose_challenge import PoseChallenge, by_load, by_risk
from tests.fakes.backend import SALE, Backend, sale, web_shopper
from tests.fakes.gate_world import OneKey

CHALLENGE = ChallengeTerms("counting", Ask.ALWAYS, difficulty=10, valid_ms=300_000, wait_ms=60_000)
RISK = RiskTerms(RiskMode.ENFORCE, 50, 100, ())


@dataclass
class Counting:
    """A challenge that is just its difficulty; `wait` gets there by the same way."""

    name: str = "counting"
    difficulties: range = range(1, 101)

    def pose(
        self, key_id: str, key: bytes, binding: str, terms: ChallengeTerms, difficulty: int, now: int
    ) -> Mapping[str, Any]:
        """Return the difficulty."""
        return {"difficulty": difficulty, "binding": binding}

    def knows(self, solution: str) -> bool:
        """It does not."""
        return False

    def solved_at(self, find_key: FindKey, binding: str, solution: str, now: int) -> int:
        """It is never solved."""
        raise ValueError("wrong")


@dataclass
class Scores:
    """A desk with a score for everybody; `asked` is who was looked at."""

    points: int = 0
    asked: list[str] = field(default_factory=list)

    def enter(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> int | None:
        """Let everybody in."""
        return None

    def score(self, live: LiveCampaign, protection: Protection, shopper: Shopper, visit: Visit) -> int:
        """Return the score."""
        self.asked.append(shopper.id)
        return self.points


@dataclass
class Posing:
    """An environment that poses challenges."""

    risk: RiskTerms | None = None
    desk: Scores = field(default_factory=Scores)

    def __post_init__(self) -> None:
        self.world = Backend(sale(protection=Protection(challenge=CHALLENGE, risk=self.risk)))
        live = LiveCampaigns(self.world.campaigns, self.world.clock)
        self.pose = PoseChallenge(live, self.desk, OneKey(), self.world.clock, lambda _: Counting())

    def difficulty(self, *, wait: bool = False) -> int:
        posed = self.pose(web_shopper("shopper-1"), SALE, NO_VISIT, wait=wait)
        return int(posed["difficulty"])


@pytest.mark.parametrize(("score", "difficulty"), [(0, 10), (49, 10), (50, 20), (74, 20), (75, 40), (500, 40)])
def test_an_odd_visit_works_harder(score: int, difficulty: int) -> None:
    assert Posing(RISK, Scores(score)).difficulty() == difficulty


@pytest.mark.parametrize("risk", [None, replace(RISK, mode=RiskMode.SHADOW), replace(RISK, challenge_at=None)])
def test_rules_that_never_ask_for_a_challenge_are_not_asked_themselves(risk: RiskTerms | None) -> None:
    posing = Posing(risk, Scores(500))

    assert posing.difficulty() == 10
    assert posing.desk.asked == []


def test_rules_that_never_refuse_have_their_last_step_at_twice_the_first() -> None:
    assert [by_risk(replace(RISK, refuse_at=None), score) for score in (49, 50, 99, 100)] == [1, 2, 2, 4]


def test_while_many_ask_everybody_works_harder_and_a_second_later_no_more() -> None:
    posing = Posing()

    asked = [posing.difficulty() for _ in range(60)]
    assert asked == [10] * 20 + [20] * 30 + [40] * 10
    posing.world.clock.advance(1000)
    assert posing.difficulty() == 10


def test_there_is_a_most() -> None:
    posing = Posing(RISK, Scores(500))

    assert [posing.difficulty() for _ in range(51)][-1] == 100  # not 10 x 4 x 4


def test_who_waits_is_not_looked_at_and_no_load() -> None:
    posing = Posing(RISK, Scores(500))

    assert {posing.difficulty(wait=True) for _ in range(60)} == {1}
    assert posing.desk.asked == []
    assert posing.difficulty() == 40


def test_load_is_told_in_three_steps() -> None:
    assert [by_load(posed) for posed in (1, 20, 21, 50, 51, 10_000)] == [1, 1, 2, 2, 4, 4]
