"""drand's chain "quicknet" over HTTP: any relay may be asked, because none is believed.

What a relay sends counts if, and only if, it is the chain's signature of the very round that was asked for (scheme
bls-unchained-g1-rfc9380: a point of G1, over the SHA-256 of the round's number as 8 bytes, big-endian; the chain's
public key is a point of G2). Source: https://drand.love/docs/cryptography and drand's crypto/schemes.go.

The pairing is done by py_arkworks_bls12381, bindings of the arkworks curves that Ethereum's specifications are tested
with: 2 ms for one signature and 1.6 MB, in a layer of its own, which only the function that draws has.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Final

from py_arkworks_bls12381 import GT, G1Point, G2Point

from brandday.connectors.port import AddressRefused, HttpAnswer, NoAnswer
from brandday.domain.beacon import CHAIN, PUBLIC_KEY
from brandday.domain.lottery import Beacon
from brandday.domain.receipt import Randomness
from brandday.usecases.draw_ports import RoundMissing

RELAYS: Final = (
    "https://api.drand.sh",
    "https://api2.drand.sh",
    "https://api3.drand.sh",
    "https://drand.cloudflare.com",
)
TIMEOUT_MS: Final = 3000
"""For one relay: all of them together are done before a run has to be."""

_DST: Final = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
_SIGNATURE_BYTES: Final = 48

type Get = Callable[[str, int], HttpAnswer]
"""Asks a URL within a time limit in ms; raises NoAnswer or AddressRefused."""


class DrandBeacon:
    """The port `Beacons`; what chain it believes in is not a setting."""

    def __init__(self, get: Get, relays: Sequence[str] = RELAYS) -> None:
        self._get = get
        self._relays = relays

    def fetch(self, beacon: Beacon) -> Randomness:
        """Return the round, its signature verified; RoundMissing says what each relay had to offer instead."""
        if beacon.chain != CHAIN:
            raise RoundMissing(f"the chain {beacon.chain} is none that we can verify")
        reasons = []
        for relay in self._relays:
            try:
                return self._ask(relay, beacon)
            except (NoAnswer, AddressRefused, ValueError) as problem:
                reasons.append(f"{relay.removeprefix('https://')}: {problem}")
        raise RoundMissing("; ".join(reasons))

    def is_genuine(self, beacon: Beacon, randomness: Randomness) -> bool:
        """Whether this is that round, signed by the chain."""
        return (
            beacon.chain == CHAIN
            and hashlib.sha256(randomness.signature).digest() == randomness.value
            and is_signed(beacon.round, randomness.signature)
        )

    def _ask(self, relay: str, beacon: Beacon) -> Randomness:
        answer = self._get(f"{relay}/{beacon.chain}/public/{beacon.round}", TIMEOUT_MS)
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        document = json.loads(answer.body)
        if not isinstance(document, dict) or document.get("round") != beacon.round:
            raise ValueError("another round, or none")
        signature = bytes.fromhex(str(document.get("signature")))
        found = Randomness(hashlib.sha256(signature).digest(), signature)
        if document.get("randomness", found.value.hex()) != found.value.hex():
            raise ValueError("a random number that is not the signature's")
        if not self.is_genuine(beacon, found):
            raise ValueError("a signature that is not the chain's")
        return found


def is_signed(round_number: int, signature: bytes) -> bool:
    """Whether a signature is quicknet's for the round of that number: e(signature, g2) == e(H(round), public key)."""
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        point = G1Point.from_compressed_bytes(signature)  # also refuses points outside the subgroup
    except ValueError:
        return False
    message = G1Point.hash_to_curve(hashlib.sha256(round_number.to_bytes(8, "big")).digest(), _DST)
    public_key = G2Point.from_compressed_bytes(bytes.fromhex(PUBLIC_KEY))
    return GT.pairing_check([point, -message], [G2Point(), public_key])
