"""When shoppers come: shares of the crowd in stretches of time, each of them even."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

PRESETS = {
    "herd": "1s=50%,9s=30%,50s=20%",
    "rush": "10s=40%,50s=30%,9m=30%",
    "even": "10m=100%",
}
"""Curves that have a name: everybody at the stroke of the hour, a rush, or no rush at all."""

_STRETCH = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)=(\d+(?:\.\d+)?)%")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_WHOLE = 100.0
_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many seconds in which this share (0 to 1) of the crowd comes, evenly."""

    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Stretches one after the other, from the opening on."""

    stretches: tuple[Stretch, ...]

    @property
    def seconds(self) -> float:
        """How long it takes until everybody has come."""
        return sum(stretch.seconds for stretch in self.stretches)

    def peak_share(self) -> float:
        """Return the largest share of the crowd that comes within any one second."""
        return max(self.arrived(start + 1) - self.arrived(start) for start in self._starts())

    def arrived(self, seconds: float) -> float:
        """Return the share that has come by a time."""
        share = 0.0
        for stretch in self.stretches:
            part = min(1.0, max(0.0, seconds / stretch.seconds))
            share += part * stretch.share
            seconds -= stretch.seconds
        return share

    def until(self, share: float) -> float | None:
        """Return when that share of the crowd has come, in seconds; None if it never does."""
        passed = 0.0
        for stretch in self.stretches:
            if share <= stretch.share:
                return passed + stretch.seconds * (share / stretch.share if stretch.share else 0.0)
            share -= stretch.share
            passed += stretch.seconds
        return passed if share < _TOLERANCE / _WHOLE else None

    def _starts(self) -> Iterator[float]:
        # The largest second begins where a stretch does, or ends where one does.
        passed = 0.0
        for stretch in self.stretches:
            yield passed
            yield max(0.0, passed + stretch.seconds - 1)
            passed += stretch.seconds


def parse_curve(text: str) -> Curve:
    """Return the curve of a preset's name or of a text like ``10s=40%,50s=30%,9m=30%``; raise ValueError."""
    stretches = []
    for part in PRESETS.get(text, text).split(","):
        found = _STRETCH.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"{part.strip()!r} is no stretch of time; write it like 10s=40% (s, m or h)")
        length, unit, share = found.groups()
        if not float(length):
            raise ValueError("a stretch of time is longer than nothing")
        stretches.append(Stretch(float(length) * _SECONDS[unit], float(share) / _WHOLE))
    total = sum(stretch.share for stretch in stretches) * _WHOLE
    if abs(total - _WHOLE) > _TOLERANCE:
        raise ValueError(f"the shares add up to {total:g} %, not 100 %")
    return Curve(tuple(stretches))


def draw_arrivals(curve: Curve, shoppers: int, dice: random.Random) -> Iterator[int]:
    """Yield how many shoppers come in each millisecond, `shoppers` in all; memory does not grow with them."""
    left, share_left = shoppers, 1.0
    for stretch in curve.stretches:
        here = left if stretch.share >= share_left else dice.binomialvariate(left, stretch.share / share_left)
        left -= here
        share_left -= stretch.share
        steps = max(1, round(stretch.seconds * 1000))
        for step in range(steps):
            come = dice.binomialvariate(here, 1 / (steps - step)) if here else 0
            here -= come
            yield come
