"""Activity: how often, and by how many shoppers, something was tried; approximate, and one small item per signal.

Counts are kept per part of a window, so that a window can slide (the sliding-window counter). How many shoppers share a
signal is estimated from which of 64 places were marked (linear counting: Whang, Vander-Zanden, Taylor, 1990).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from brandday.domain.signals import SignalKind

PLACES = 64


class ActivityKey(NamedTuple):
    """Of what the activity is: the campaign or brand day (`Protection.scope`), the kind of signal, and its mark."""

    scope: str
    kind: SignalKind
    mark: str


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity item as read: weighted attempts by the second in which a part began, and the places marked."""

    counts: Mapping[int, int] = field(default_factory=dict)
    places: frozenset[int] = frozenset()
