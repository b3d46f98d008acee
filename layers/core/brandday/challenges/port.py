"""What a challenger is: it poses challenges and tells when one was posed that was solved.

Challengers keep nothing: what they need to know later is in the challenge itself, signed. That a solution brings one
claim only is the business of the claim's own write, which is never before `solved_at` (`domain/stock.judge`). A new one
is a file here and a name in `CHALLENGERS`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from brandday.domain.protection import ChallengeTerms

WRONG, EARLY, EXPIRED = "wrong", "early", "expired"
"""Why a solution is no good."""

type FindKey = Callable[[str], bytes | None]
"""Returns a live key by its id."""


class Challenger(Protocol):
    """Something that poses challenges; the secret and the time are handed in.

    `binding` is what a challenge is for: a text that names campaign and shopper; a solution is good for nothing else.
    `difficulties` are those that campaigns may ask for, in the challenger's own unit.
    """

    name: str
    difficulties: range

    def pose(
        self, key_id: str, key: bytes, binding: str, terms: ChallengeTerms, difficulty: int, now: int
    ) -> Mapping[str, Any]:
        """Return a challenge in the form its widget takes: JSON, without a field `server_time`."""

    def knows(self, solution: str) -> bool:
        """Whether this looks like the solution of a challenge of this kind at all."""

    def solved_at(self, find_key: FindKey, binding: str, solution: str, now: int) -> int:
        """Return when (epoch ms) the challenge was posed that this solves; raises ValueError with the reason as its
        only argument: ``wrong``, ``early`` or ``expired``.
        """
