"""What a load test may do to whom: this machine by default, another host only by its name and with a bound.

Load on a deployed API costs money and may hit somebody else. So the host has to be named twice, and a number of
requests ends the run whatever else was asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

ALLOW_HOST = "LOAD_ALLOW_HOST"
MOST_REQUESTS = "LOAD_MOST_REQUESTS"
BY_DEFAULT = 10_000
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class LoadRefused(Exception):
    """The run would not be safe; the message says what to set."""


@dataclass(frozen=True)
class Bounds:
    """Where load may go, and how many requests may be sent in all."""

    local: bool
    requests: int


def read_bounds(url: str, environment: Mapping[str, str]) -> Bounds:
    """Return the bounds of a run against `url`; raises LoadRefused where it may not go."""
    host = urlsplit(url).hostname
    if not host:
        raise LoadRefused(
            f"{url!r} is no base URL; give one with --host, like https://abc.execute-api.eu-west-1.amazonaws.com"
        )
    local = host in LOOPBACK
    if not local and environment.get(ALLOW_HOST) != host:
        raise LoadRefused(
            f"{host} is not this machine. Load costs money there and may hit others: if it is yours and you mean it, "
            f"set {ALLOW_HOST}={host}, and {MOST_REQUESTS} if {BY_DEFAULT:,} requests are not what you want."
        )
    text = environment.get(MOST_REQUESTS, str(BY_DEFAULT))
    if not text.isdecimal() or int(text) < 1:
        raise LoadRefused(f"{MOST_REQUESTS} has to be a whole number over 0, not {text!r}")
    return Bounds(local, int(text))
