"""What keeps a robot busy: one file for each kind of challenge, and this list of them."""

from collections.abc import Mapping

from brandday.challenges.altcha import AltchaChallenger
from brandday.challenges.port import WRONG, Challenger, FindKey
from brandday.challenges.wait import WaitChallenger

CHALLENGERS: Mapping[str, Challenger] = {challenger.name: challenger for challenger in (AltchaChallenger(),)}
"""Every kind of challenge by the name that campaigns choose it by. A new one is a file beside these and a name here."""

WAIT = WaitChallenger()
"""The way that is open to everybody, in every campaign: to wait."""


def challenger(kind: str) -> Challenger:
    """Return what poses challenges of a kind that campaigns choose, or the one of those who wait instead."""
    return WAIT if kind == WAIT.name else CHALLENGERS[kind]


def binding_of(campaign_id: str, shopper: str) -> str:
    """Return what a challenge is for; a campaign's id has no NUL, so two never make the same text."""
    return f"{campaign_id}\0{shopper}"


def solved_at(kind: str, find_key: FindKey, binding: str, solution: str, now: int) -> int:
    """Return when the challenge was posed that this solves, in a campaign of this kind: its own or that of waiting.

    Raises ValueError as `Challenger.solved_at` does.
    """
    for one in (WAIT, CHALLENGERS[kind]):
        if one.knows(solution):
            return one.solved_at(find_key, binding, solution, now)
    raise ValueError(WRONG)
