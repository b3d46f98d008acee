"""The search that both explorers do: every state that can be reached, breadth first."""

from array import array
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """What was found: number of states and steps, which outcomes, and the shortest way to what is wrong."""

    states: int
    steps: int
    outcomes: frozenset[tuple[str, str]]
    violation: str | None = None
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.violation is None:
            return f"{self.states:,} states, {self.steps:,} steps, nothing found"
        return "\n".join([f"{self.violation} after {len(self.trace)} steps:", *self.trace])


class Wrong(Exception):
    """A check has failed: the step after which it did, in words, and what is wrong."""


type Successors[State] = Callable[[State], Iterator[tuple[Any, ...]]]
"""The steps from a state: the state after each, then whatever tells which step it was."""


def search[State: Hashable](
    first: State,
    successors: Successors[State],
    outcomes: set[tuple[str, str]],
    tell: Callable[..., str] = str,
) -> Report:
    """Visit every state from ``first`` on, so that what is found (`Wrong`) is found on a shortest way.

    ``outcomes`` fills while the search goes on; ``tell`` puts a step into words, which only the shown ones need.
    """
    seen: dict[State, int] = {first: 0}
    queue, origins = [first], array("l", [-1])
    steps = at = 0
    try:
        for at, state in enumerate(queue):  # the queue grows while it is worked off
            for after, *_ in successors(state):
                steps += 1
                if after not in seen:
                    seen[after] = len(queue)
                    queue.append(after)
                    origins.append(at)
    except Wrong as wrong:
        label, violation = wrong.args
        way = (*_way(queue, origins, at, successors, tell), label)
        return Report(len(queue), steps, frozenset(outcomes), violation, way)
    return Report(len(queue), steps, frozenset(outcomes))


def _way[State: Hashable](
    queue: Sequence[State], origins: array[int], at: int, successors: Successors[State], tell: Callable[..., str]
) -> list[str]:
    way: list[str] = []
    while origins[at] >= 0:
        before = origins[at]
        way.append(next(tell(*step) for after, *step in successors(queue[before]) if after == queue[at]))
        at = before
    return way[::-1]
