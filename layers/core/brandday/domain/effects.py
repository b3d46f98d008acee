"""Runs protocols: generators that yield what has to be done (an effect), are sent what came of it, end in an outcome.

So the rules stay free of I/O: who runs a protocol decides what doing means.
"""

from collections.abc import Callable, Generator
from typing import Any


def run[Effect, Outcome](protocol: Generator[Effect, Any, Outcome], do: Callable[[Effect], object]) -> Outcome:
    """Do what a protocol asks for, one thing after the other; return its outcome."""
    answer: object = None
    while True:
        try:
            effect = protocol.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        answer = do(effect)


def run_within[Effect, Outcome](
    protocol: Generator[Effect, Any, Outcome], do: Callable[[Effect], Generator[Any, Any, object]]
) -> Generator[Any, Any, Outcome]:
    """The same as part of another protocol, which may have to ask for something else to do what is asked for."""
    answer: object = None
    while True:
        try:
            effect = protocol.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        answer = yield from do(effect)
