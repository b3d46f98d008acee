"""A shopper asks for the challenge of a campaign: as hard as their visit is odd, and as many ask.

Nothing is stored, and nothing counted but in this environment's memory: to ask is free, to solve is not.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from brandday.challenges import WAIT, binding_of, challenger
from brandday.challenges.port import Challenger
from brandday.domain.campaign import Shopper, check_eligible, check_open
from brandday.domain.errors import NoChallengeNeeded
from brandday.domain.protection import ChallengeTerms, Protection
from brandday.domain.risk import RiskMode, RiskTerms
from brandday.domain.visit import Visit
from brandday.usecases.guard_ports import Desk, PassKeys
from brandday.usecases.issue_ticket import check_left
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Clock

LOADS = ((20, 1), (50, 2))
"""Up to how many challenges this environment has posed within a second, and by how much harder that makes the next."""

MOST_LOAD = 4


class PoseChallenge:
    """Poses challenges; one instance serves an execution environment. `find` returns what poses those of a kind."""

    def __init__(
        self,
        campaigns: LiveCampaigns,
        desk: Desk,
        keys: PassKeys,
        now: Clock,
        find: Callable[[str], Challenger] = challenger,
    ) -> None:
        self._campaigns = campaigns
        self._desk = desk
        self._keys = keys
        self._now = now
        self._find = find
        self._posed: deque[int] = deque(maxlen=LOADS[-1][0] + 1)

    def __call__(self, shopper: Shopper, campaign_id: str, visit: Visit, *, wait: bool) -> Mapping[str, Any]:
        """Return the campaign's challenge in the form its widget takes, or the one to ``wait``.

        Raises what keeps the shopper from it: see the errors of ``GET /v1/campaigns/{id}/challenge``.
        """
        live = self._campaigns.get(campaign_id)
        campaign, protection = live.campaign, live.campaign.protection
        if protection is None or protection.challenge is None:
            raise NoChallengeNeeded
        terms = protection.challenge
        now = self._now()
        # So early that it can be solved when the desk opens, and is still good then.
        check_open(campaign, protection.opens_at(campaign.starts_at) - terms.valid_ms, now)
        check_eligible(campaign, shopper)
        check_left(live)
        posing = self._find(WAIT.name if wait else terms.kind)
        difficulty = 1 if wait else self._difficulty(live, protection, terms, shopper, visit, now)
        key_id, key = self._keys.current()
        return posing.pose(key_id, key, binding_of(campaign.id, shopper.id), terms, difficulty, now)

    def _difficulty(
        self,
        live: LiveCampaign,
        protection: Protection,
        terms: ChallengeTerms,
        shopper: Shopper,
        visit: Visit,
        now: int,
    ) -> int:
        odd = 1
        if protection.risk is not None and counts(protection.risk):
            odd = by_risk(protection.risk, self._desk.score(live, protection, shopper, visit))
        self._posed.append(now)
        load = by_load(sum(at > now - 1000 for at in self._posed))
        return min(terms.difficulty * odd * load, max(self._find(terms.kind).difficulties))


def counts(terms: RiskTerms) -> bool:
    """Whether these rules make challenges harder: not in shadow, where they change nothing, or if none ever asks."""
    return terms.mode is RiskMode.ENFORCE and terms.challenge_at is not None


def by_risk(terms: RiskTerms, score: int) -> int:
    """Return by how much harder a visit of this score has it: 2 where rules ask for a challenge, 4 half-way from there
    to where they refuse (or at twice that score, if they never do).
    """
    first = terms.challenge_at
    if first is None or score < first:
        return 1
    half_way = 2 * first if terms.refuse_at is None else (first + terms.refuse_at) / 2
    return 4 if score >= half_way else 2


def by_load(posed: int) -> int:
    """Return by how much harder challenges are that one environment poses so many of within a second."""
    return next((factor for most, factor in LOADS if posed <= most), MOST_LOAD)
