"""What a request brings along for a campaign's gate to look at."""

from typing import Any, Final

from brandday.domain.errors import (
    BrandDayError,
    CampaignEnded,
    CampaignNotStarted,
    CampaignPaused,
    ChallengeRequired,
    LimitReached,
    NotAdmitted,
    NotEligible,
    RateLimited,
    ShopSignalsInvalid,
    SignalMissing,
    TicketInvalid,
)
from brandday.domain.visit import Visit
from brandday.entrypoints.routes import Request

_SIGNALS: Final = {"Shop-Signals": "What the shop has signed about this visit (a JWT)."}
_SOLUTION: Final = {"Challenge-Solution": "The solution of a challenge of this campaign."}
_TICKET: Final = {"Entry-Ticket": "A ticket for this campaign."}

AT_THE_DESK: Final = {**_SOLUTION, **_SIGNALS}
AT_THE_CLAIM: Final = {**_TICKET, **_SOLUTION, **_SIGNALS}
"""The headers of a visit, for the documentation of routes."""

NOT_LET_IN: Final[tuple[type[BrandDayError], ...]] = (
    CampaignNotStarted,
    CampaignPaused,
    CampaignEnded,
    NotEligible,
    ShopSignalsInvalid,
    SignalMissing,
    TicketInvalid,
    ChallengeRequired,
    NotAdmitted,
    LimitReached,
    RateLimited,
)
"""What keeps a shopper from taking something, before anybody looks whether there is something left."""


def visit_of(request: Request[Any]) -> Visit:
    """The visit as it came: nothing of it is checked here."""
    of = request.headers.get
    return Visit(
        request.address, request.claims, of("shop-signals", ""), of("entry-ticket", ""), of("challenge-solution", "")
    )
