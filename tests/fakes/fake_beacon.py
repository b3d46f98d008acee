"""A randomness beacon for tests: its rounds are made up, and come out when a test says so.

It is here and nowhere else on purpose: no setting of a deployment leads to it.
"""

import hashlib
from dataclasses import dataclass, field

from brandday.domain.lottery import Beacon
from brandday.domain.receipt import Randomness
from brandday.usecases.draw_ports import RoundMissing


@dataclass
class FakeBeacon:
    """The port `Beacons`. Rounds up to `newest` are out; `trouble` is what relays answer instead."""

    newest: int = 0
    trouble: str | None = None
    asked: list[Beacon] = field(default_factory=list)

    def fetch(self, beacon: Beacon) -> Randomness:
        """Return the round."""
        self.asked.append(beacon)
        if self.trouble is not None or beacon.round > self.newest:
            raise RoundMissing(self.trouble or "not out yet")
        return made_up_round(beacon.round)

    def is_genuine(self, beacon: Beacon, randomness: Randomness) -> bool:
        """Whether this is that round."""
        return randomness == made_up_round(beacon.round)


def made_up_round(number: int) -> Randomness:
    """Return a round that no chain has signed."""
    signature = hashlib.sha512(b"round %d" % number).digest()[:48]
    return Randomness(hashlib.sha256(signature).digest(), signature)
