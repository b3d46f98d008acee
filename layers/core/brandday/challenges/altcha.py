"""ALTCHA: proof of work in the browser, without cookies or pictures (https://altcha.org/docs/v2/).

The widget (version 3) takes `{"parameters", "signature"}`, derives keys (PBKDF2) for one counter after another until
one begins as `keyPrefix` says, and hands back the base64 of `{"challenge", "solution"}`. We draw the counter, so that
the work is at most twice what is expected, and checking a solution takes no derivation but an HMAC (`keySignature`).

What a challenge is bound to is not in it but in the key that signs it: one of another shopper or campaign looks exactly
like one that was made up.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from brandday.challenges.port import EXPIRED, WRONG, FindKey
from brandday.domain.protection import ChallengeTerms

ALGORITHM: Final = "PBKDF2/SHA-256"
ITERATIONS: Final = 1000
"""Of one derivation: about 0.2 ms on a computer, 1 ms on a phone. We make one for each challenge."""

SOLUTION_LENGTH: Final = 4096
"""Characters; a real one has about 900."""


class AltchaChallenger:
    """Poses proofs of work; difficulty is how many derivations one takes on average, at most twice as many."""

    name = "altcha"
    difficulties = range(100, 100_001)

    def pose(
        self, key_id: str, key: bytes, binding: str, terms: ChallengeTerms, difficulty: int, now: int
    ) -> Mapping[str, Any]:
        """Return what the widget takes as its `challenge`."""
        from altcha import create_challenge  # only where somebody asks for a challenge

        expires_at = now + terms.valid_ms
        posed = create_challenge(
            ALGORITHM,
            ITERATIONS,
            counter=secrets.randbelow(2 * difficulty),
            data={"key": key_id, "posed_at": now, "expires_at": expires_at},
            hmac_secret=_secret(key, b"brandday altcha 1", binding),
            hmac_key_secret=_secret(key, b"brandday altcha key 1", binding),
        ).to_dict()
        # For the widget only, to ask for a new one in time. The library would compare it with a clock of its own.
        posed["parameters"]["expiresAt"] = expires_at // 1000
        return posed

    def knows(self, solution: str) -> bool:
        """Whether this can be base64 of JSON."""
        return solution.startswith("ey") and len(solution) <= SOLUTION_LENGTH

    def solved_at(self, find_key: FindKey, binding: str, solution: str, now: int) -> int:
        """Return when the challenge was posed; ValueError ``wrong`` or ``expired``."""
        from altcha import Payload, verify_solution

        try:
            payload = Payload.from_dict(json.loads(base64.b64decode(solution, validate=True)))
            payload.challenge.parameters.expires_at = None  # was not signed
            data: Any = payload.challenge.parameters.data
            key = find_key(str(data["key"]))
            verified = (
                key is not None
                and verify_solution(
                    payload,
                    _secret(key, b"brandday altcha 1", binding),
                    hmac_key_secret=_secret(key, b"brandday altcha key 1", binding),
                ).verified
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # what anybody may send
            raise ValueError(WRONG) from None
        if not verified:
            raise ValueError(WRONG)
        posed_at, expires_at = int(data["posed_at"]), int(data["expires_at"])
        if now >= expires_at:
            raise ValueError(EXPIRED)
        return posed_at


def _secret(key: bytes, purpose: bytes, binding: str) -> bytes:
    return hmac.digest(key, purpose + b"\0" + binding.encode("utf-8", "surrogatepass"), hashlib.sha256)
