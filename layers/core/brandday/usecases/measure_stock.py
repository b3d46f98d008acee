"""Counts what the stream of shard images tells of a sale: how many units were held, sold and given back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from brandday.domain.stock_moves import Moves, moves_between
from brandday.usecases.project_stock import ShardChanged


class Measure(Protocol):
    """Takes measurements that belong together."""

    def __call__(self, counts: Mapping[str, int], *, campaign_id: str) -> None:
        """Record counts by name, of one campaign."""


class MeasureStock:
    """Passes changes on, and measures them afterwards: what is repeated because it failed is counted once."""

    def __init__(self, handle: Callable[[Sequence[ShardChanged]], None], measure: Measure) -> None:
        self._handle = handle
        self._measure = measure

    def __call__(self, changes: Sequence[ShardChanged]) -> None:
        """Handle the changes, then record the units they moved, per campaign."""
        self._handle(changes)
        moved: dict[str, Moves] = {}
        for change in changes:
            moves = moves_between(change.before, change.after)
            moved[change.campaign_id] = moved.get(change.campaign_id, Moves()).plus(moves)
        for campaign_id, moves in moved.items():
            if any(moves):
                self._measure(
                    {"UnitsHeld": moves.held, "UnitsSold": moves.sold, "UnitsReleased": moves.released},
                    campaign_id=campaign_id,
                )
