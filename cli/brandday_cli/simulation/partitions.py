"""DynamoDB's partitions: each gives 1,000 write units and 3,000 read units a second, and throttles what is beyond.

Source: Developer Guide, "Best practices for designing and using partition keys effectively". Keys are spread over the
partitions by their hash. What a partition has saved up for bursts, and that DynamoDB splits a hot one after some
minutes, is left out: both help, neither is promised.
"""

import math
import zlib
from array import array
from collections import defaultdict
from dataclasses import dataclass, field

from brandday.domain.errors import TemporarilyOverloaded
from brandday_cli.simulation.ticks import Ticks

WRITE_UNITS = 1000
READ_UNITS = 3000
"""What one partition gives in a second."""


@dataclass
class Usage:
    """What somebody has asked a table for: calls, throttled ones among them, and units; units per second, too."""

    calls: int = 0
    throttled: int = 0
    write_units: float = 0.0
    read_units: float = 0.0
    refused_writes: int = 0
    writes_by_second: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    reads_by_second: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))


class Partitions:
    """The partitions of one table that was warmed up for so many units per second."""

    def __init__(self, ticks: Ticks, write_units: int, read_units: int) -> None:
        self.count = max(1, math.ceil(write_units / WRITE_UNITS), math.ceil(read_units / READ_UNITS))
        self._ticks = ticks
        self._start_ms = ticks.now_ms
        self._writes = array("d", [WRITE_UNITS]) * self.count
        self._reads = array("d", [READ_UNITS]) * self.count
        self._written_at = array("q", [ticks.now_ms]) * self.count
        self._read_at = array("q", [ticks.now_ms]) * self.count

    @property
    def second(self) -> int:
        """The second of the day that it is now, from 0."""
        return (self._ticks.now_ms - self._start_ms) // 1000

    def place(self, key: str) -> int:
        """Return which partition has this key."""
        return zlib.crc32(key.encode()) % self.count

    def write(self, key: str, units: float, usage: Usage) -> None:
        """Take write units; raises TemporarilyOverloaded if the key's partition has none."""
        self._take(self._writes, self._written_at, self.place(key), units, WRITE_UNITS, usage)
        usage.write_units += units
        usage.writes_by_second[self.second] += units

    def read(self, key: str, units: float, usage: Usage) -> None:
        """Take read units; raises TemporarilyOverloaded if the key's partition has none."""
        self._take(self._reads, self._read_at, self.place(key), units, READ_UNITS, usage)
        usage.read_units += units
        usage.reads_by_second[self.second] += units

    def _take(
        self, levels: "array[float]", moments: "array[int]", place: int, units: float, a_second: int, usage: Usage
    ) -> None:
        now = self._ticks.now_ms
        level = min(a_second, levels[place] + (now - moments[place]) * a_second / 1000)
        moments[place] = now
        if level < units:
            levels[place] = level
            usage.throttled += 1
            raise TemporarilyOverloaded
        levels[place] = level - units
