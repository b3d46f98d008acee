"""HTTP servers of this machine: started as services, and ready when they answer."""

import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path

from brandday_local.processes import Service

READY_SECONDS = 60.0

# the user's proxy is not for addresses of this machine
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServerDidNotStart(RuntimeError):
    """A server ended, or did not answer in time; the message ends with the last lines it wrote."""


def start_server(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    ready: str,
    any_status: bool = False,
    folder: Path | None = None,
) -> Service:
    """Start a server and return it once it answers at `ready`; ServerDidNotStart, with nothing left, if it does not.

    `folder` is where it runs; `any_status` takes a refusal for an answer, too.
    """
    service = Service.start(name, command, environment, log, folder)
    try:
        wait_for(ready, service, READY_SECONDS, any_status=any_status)
    except BaseException:
        service.stop()
        raise
    return service


def wait_for(url: str, service: Service, seconds: float, *, any_status: bool = False) -> None:
    """Wait until a GET of the address is answered (with 200); ServerDidNotStart with what was seen if it never is."""
    deadline = time.monotonic() + seconds
    seen = "no answer"
    while time.monotonic() < deadline:
        answered = False
        try:
            with _direct.open(url, timeout=10):
                answered = True
        except urllib.error.HTTPError as error:
            answered = any_status
            seen = f"{error.code} {error.read(500).decode(errors='replace')}"
            error.close()
        except (OSError, HTTPException) as error:
            seen = str(error)
        if service.ended():  # looked at last: what answered may be another program on the same port
            raise ServerDidNotStart(f"{service.name} stopped:\n{service.last_words()}\n(all of it: {service.log})")
        if answered:
            return
        time.sleep(0.05)
    raise ServerDidNotStart(
        f"{service.name} did not answer at {url} within {seconds:.0f} s (last: {seen}). "
        f"It wrote:\n{service.last_words()}\n(all of it: {service.log})"
    )
