"""For people who cannot run a challenge, or do not want to: they wait. A token that is good once the time has passed.

The form is ``wait_<key id>.<posed at>.<good from>.<good until>.<nonce>.<mac>``, times in base 36. A robot may wait,
too, but is no faster than people: a claim uses up all that was posed to its shopper before it.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any

from brandday.challenges.port import EARLY, EXPIRED, WRONG, FindKey
from brandday.domain.protection import ChallengeTerms
from brandday.domain.shard import to_base36
from brandday.domain.times import to_rfc3339

_PURPOSE = b"brandday wait 1"
_PREFIX = "wait_"
_MAC_BYTES = 24  # without a remainder in base64: one text for each MAC
_TIME = r"([0-9a-z]{1,10})"
_FORM = re.compile(rf"wait_([A-Za-z0-9_-]{{8}})\.{_TIME}\.{_TIME}\.{_TIME}\.[A-Za-z0-9_-]{{8}}\.[A-Za-z0-9_-]{{32}}")


class WaitChallenger:
    """Poses the challenge to wait: for `wait_ms` of the terms, however difficult another one would be."""

    name = "wait"
    difficulties = range(1, 2)

    def pose(
        self,
        key_id: str,
        key: bytes,
        binding: str,
        terms: ChallengeTerms,
        difficulty: int,  # noqa: ARG002 - to wait is as hard for everybody
        now: int,
    ) -> Mapping[str, Any]:
        """Return the token, which is the solution, and from when to when it is one."""
        good_from = now + terms.wait_ms
        good_until = now + terms.valid_ms
        times = ".".join(map(to_base36, (now, good_from, good_until)))
        said = f"{_PREFIX}{key_id}.{times}.{secrets.token_urlsafe(6)}"
        return {
            "kind": self.name,
            "solution": f"{said}.{_mac(key, said, binding)}",
            "good_from": to_rfc3339(good_from),
            "good_until": to_rfc3339(good_until),
        }

    def knows(self, solution: str) -> bool:
        """Whether this can be such a token."""
        return solution.startswith(_PREFIX)

    def solved_at(self, find_key: FindKey, binding: str, solution: str, now: int) -> int:
        """Return when the token was made; ValueError ``wrong``, ``early`` or ``expired``."""
        form = _FORM.fullmatch(solution)
        if form is None:
            raise ValueError(WRONG)
        key = find_key(form[1])
        said, _, mac = solution.rpartition(".")
        if key is None or not hmac.compare_digest(mac, _mac(key, said, binding)):
            raise ValueError(WRONG)
        posed_at, good_from, good_until = (int(form[at], 36) for at in (2, 3, 4))
        if now < good_from:
            raise ValueError(EARLY)
        if now >= good_until:
            raise ValueError(EXPIRED)
        return posed_at


def _mac(key: bytes, said: str, binding: str) -> str:
    content = b"\0".join((_PURPOSE, said.encode(), binding.encode("utf-8", "surrogatepass")))
    return base64.urlsafe_b64encode(hmac.digest(key, content, hashlib.sha256)[:_MAC_BYTES]).decode()
