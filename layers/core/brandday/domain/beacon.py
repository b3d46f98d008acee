"""The public randomness beacon that draws can be bound to: drand's chain "quicknet".

A round of it comes every three seconds, signed by a threshold of independent organisations; nobody knows it before its
time. Parameters: https://docs.drand.love/dev-guide/developer/http-api (chain info of quicknet).
"""

from brandday.domain.lottery import Beacon

CHAIN = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
PUBLIC_KEY = (
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
)
GENESIS_MS = 1_692_803_367_000
PERIOD_MS = 3_000


def round_at(at: int) -> Beacon:
    """Return the first round that is not out before `at` (epoch ms, after the chain's beginning)."""
    return Beacon(CHAIN, -(-(at - GENESIS_MS) // PERIOD_MS) + 1)


def out_at(beacon: Beacon) -> int:
    """Return when the round comes out, in epoch ms."""
    return GENESIS_MS + (beacon.round - 1) * PERIOD_MS
