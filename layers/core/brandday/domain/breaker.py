"""Circuit breakers: a destination that is down is left alone for a while, so that it does not keep others waiting.

After a number of failures in a row a breaker opens. When its cool-down is over, one delivery may try (the probe): if it
gets through, the breaker closes; if not, it stays open for twice as long. A breaker is one item, saved on condition
of its version, so of many who want to probe one may.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When it opens and for how long, in milliseconds; `probe_ms` is how long a probe may take to report back."""

    failures: int = 5
    cool_down_ms: int = 30_000
    longest_ms: int = 10 * 60_000
    probe_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Breaker:
    """One destination's; times are epoch milliseconds, 0 for none.

    `failures` are those in a row, `openings` those since it was last closed. It is closed while `openings` is 0.
    `version` is 0 until it is stored.
    """

    failures: int = 0
    openings: int = 0
    open_until: int = 0
    probe_until: int = 0
    version: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether deliveries may pass."""
        return self.openings == 0

    def cleared(self) -> Breaker:
        """Return it closed, with nothing counted, under the same version."""
        return Breaker(version=self.version)

    def at_version(self, version: int) -> Breaker:
        """Return it as it is stored under another version."""
        return replace(self, version=version)


class Gate(StrEnum):
    """What a breaker says to somebody who wants to deliver."""

    PASS = "pass"  # noqa: S105 # no password
    PROBE = "probe"
    WAIT = "wait"


def gate(breaker: Breaker, now: int) -> Gate:
    """Return whether a delivery may pass, may ask to be the probe (`probe`), or has to wait (`wait_ms`)."""
    if breaker.is_closed:
        return Gate.PASS
    return Gate.PROBE if now >= max(breaker.open_until, breaker.probe_until) else Gate.WAIT


def wait_ms(breaker: Breaker, now: int) -> int:
    """Return how long it is until somebody may try again."""
    return max(0, breaker.open_until - now, breaker.probe_until - now)


def probe(breaker: Breaker, now: int, rules: BreakerRules) -> Breaker | None:
    """Return the breaker with a probe on its way, or None if there can be none now."""
    if gate(breaker, now) is not Gate.PROBE:
        return None
    return replace(breaker, probe_until=now + rules.probe_ms)


def failed(breaker: Breaker, now: int, rules: BreakerRules, *, probing: bool) -> Breaker | None:
    """Return the breaker after a delivery found the destination down; None if that changes nothing.

    While it is open only the probe counts: others began before it opened.
    """
    if breaker.is_closed:
        counted = replace(breaker, failures=breaker.failures + 1)
        return counted if counted.failures < rules.failures else _open(counted, now, rules)
    return _open(replace(breaker, failures=breaker.failures + 1), now, rules) if probing else None


def succeeded(breaker: Breaker) -> Breaker | None:
    """Return the breaker after a delivery got an answer, whoever it was; None if that changes nothing."""
    return None if breaker.is_closed and breaker.failures == 0 else breaker.cleared()


def _open(breaker: Breaker, now: int, rules: BreakerRules) -> Breaker:
    cool_down = min(rules.longest_ms, rules.cool_down_ms << min(breaker.openings, 20))
    return replace(breaker, openings=breaker.openings + 1, open_until=now + cool_down, probe_until=0)
