"""Cases are opened: a refusal gets the reference under which an operator can explain and lift it."""

from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.refusal_case import SAVE_EVERY_MS, Case, reference_of
from brandday.domain.risk import RiskMode
from brandday.domain.signals import SignalKind, Signals
from brandday.usecases.guard_ports import Cases, MarkKeys
from brandday.usecases.ports import Clock
from brandday.usecases.recent import Recent

KEEP_MS = 90 * 24 * 60 * 60 * 1000
"""How long a case can be looked at."""

KEEP = 4096
"""How many cases an environment remembers to have written."""


class OpenCase:
    """Opens cases, saving at most one per shopper, campaign and minute; one instance serves an environment. What others
    have saved in that minute is for `Cases.save` to see.
    """

    def __init__(self, cases: Cases, mark_keys: MarkKeys, now: Clock) -> None:
        self._cases = cases
        self._mark_keys = mark_keys
        self._now = now
        self._saved = Recent[str, tuple[int, RiskMode]](KEEP)

    def reference(self, campaign_id: str, signals: Signals) -> str:
        """Return the reference of the shopper's case, whether there is one or not."""
        return reference_of(self._mark_keys(), campaign_id, signals.marks[SignalKind.SHOPPER])

    def __call__(
        self,
        campaign_id: str,
        signals: Signals,
        code: str,
        reasons: tuple[str, ...],
        *,
        score: int = 0,
        mode: RiskMode = RiskMode.ENFORCE,
    ) -> str:
        """Keep what has happened, unless that was done a moment ago; return the reference.

        A refusal is told apart from what would have been one, and written down even if that was a moment ago. A
        database that is too busy does not stand in the way of a refusal: the next one is written down.
        """
        now = self._now()
        reference = self.reference(campaign_id, signals)
        saved_at, saved_mode = self._saved.get(reference, (None, None))
        if saved_at is not None and now - saved_at < SAVE_EVERY_MS and mode in (saved_mode, RiskMode.SHADOW):
            return reference
        case = Case(reference, campaign_id, now, mode, code, score, reasons, signals.marks, now + KEEP_MS)
        try:
            self._cases.save(case)
        except TemporarilyOverloaded:
            return reference
        self._saved[reference] = (now, mode)
        return reference
