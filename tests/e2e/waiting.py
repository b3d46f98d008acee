"""Waiting for what happens by itself a moment later: streams, queues and schedules of the deployed stack."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 120
"""Nothing takes so long, and no test says how long anything may take: this only ends a wait for what never comes."""


def eventually[Found](look: Callable[[], Found | None]) -> Found:
    """Look until something is found, and return it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)
    return found
