"""Counts what shoppers are refused and why, for the operator's live view.

An environment adds up in memory and reports every few seconds, so that a refusal itself stays free. The counts are
for looking at: what an environment has not reported when it ends is lost, and nothing depends on it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from brandday.domain.errors import TemporarilyOverloaded
from brandday.usecases.ports import Clock

REPORT_MS = 5000
"""How often an environment reports."""


class Refusals(Protocol):
    """Where refusals are added up over all environments."""

    def add(self, campaign_id: str, counts: Mapping[str, int]) -> None:
        """Add counts by code; TemporarilyOverloaded if the table is too busy."""


class CountRefusals:
    """Takes note of refusals and reports them now and then, with the first refusal after the time is up."""

    def __init__(self, refusals: Refusals, now: Clock) -> None:
        self._refusals = refusals
        self._now = now
        self._counts: dict[str, Counter[str]] = {}
        self._reported_at = 0

    def __call__(self, campaign_id: str, code: str) -> None:
        """Count one refusal."""
        counts = self._counts.get(campaign_id)
        if counts is None:
            counts = self._counts[campaign_id] = Counter()
        counts[code] += 1
        now = self._now()
        if now - self._reported_at >= REPORT_MS:
            self._reported_at = now
            self._report()

    def _report(self) -> None:
        for campaign_id in list(self._counts):
            try:
                self._refusals.add(campaign_id, self._counts[campaign_id])
            except TemporarilyOverloaded:
                return  # a busy table has more important things to do; what is left is reported next time
            del self._counts[campaign_id]
