"""What a request brings along for a campaign's gate to look at."""

from typing import Final

from brandday.domain.visit import Visit
from brandday.entrypoints.routes import Request

TICKET_HEADER: Final = "Entry-Ticket"
SOLUTION_HEADER: Final = "Challenge-Solution"
SIGNALS_HEADER: Final = "Shop-Signals"


def visit_of(request: Request[object]) -> Visit:
    """The visit as it came: nothing of it is checked here."""
    headers = request.headers
    return Visit(
        address=request.address,
        claims=request.claims,
        shop_signals=headers.get("shop-signals", ""),
        ticket=headers.get("entry-ticket", ""),
        solution=headers.get("challenge-solution", ""),
    )
