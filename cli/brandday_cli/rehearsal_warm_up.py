"""Before the doors open: harmless reads, so that the rush does not wait for environments to start.

A backend that nobody used for a while starts an execution environment per request in flight. Locally these share
the machine's few processors, and a rush on them measures little but that. The reads go through the function that
takes the reservations. They are no part of the rush, and no figure of the verdict contains them.
"""

import asyncio
import time

import httpx

# Nobody's reservation in a campaign that does not exist: looked for in the database, found by nobody, and
# counted as a refusal of no campaign.
PATH = "/v1/reservations/rsv_rehearsal-warm-up.0.AAAAAAAAAAAA.00000000"

AT_LEAST_SECONDS = 1.0
"""How long each lane reads: all have to be in flight at the same time, or two would share an environment."""

TIMEOUT_SECONDS = 60.0
"""For the start of all environments at once."""


async def warm_up(url: str, token: str, lanes: int) -> int:
    """Keep ``lanes`` reads in flight until each had its answer; return how many lanes did.

    An API that does not answer is no error yet: that is the rush's to report.
    """
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=lanes, max_keepalive_connections=lanes)
    until = time.monotonic() + AT_LEAST_SECONDS

    async def read() -> bool:
        while True:
            try:
                await client.get(PATH, headers=headers)
            except httpx.TransportError:
                return False
            if time.monotonic() >= until:
                return True

    # The environment's proxies are not for loopback addresses, and a rehearsal goes nowhere else.
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS, limits=limits, trust_env=False) as client:
        return sum(await asyncio.gather(*(read() for _ in range(lanes))))
