"""Entry tickets and challenges over HTTP: what a shopper gets before a protected campaign lets them take something."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Protocol

from pydantic import ConfigDict, Field

from brandday.domain.campaign import Shopper
from brandday.domain.errors import (
    CampaignEnded,
    CampaignNotStarted,
    CampaignPaused,
    ChallengeRequired,
    NoChallengeNeeded,
    NotAdmitted,
    NotEligible,
    NoTicketNeeded,
    RateLimited,
    ShopSignalsInvalid,
    SignalMissing,
    SoldOut,
)
from brandday.domain.times import to_rfc3339
from brandday.domain.visit import Visit
from brandday.entrypoints.http_input import read_choice
from brandday.entrypoints.routes import SHOPPER, Answer, Output, Request, Route
from brandday.entrypoints.shopper import shopper_of
from brandday.entrypoints.visit import AT_THE_DESK, visit_of


class PosesChallenges(Protocol):
    """Answers with a challenge in the form its widget takes, or with the one to wait."""

    def __call__(self, shopper: Shopper, campaign_id: str, visit: Visit, *, wait: bool) -> Mapping[str, Any]:
        """Return it."""


class IssuedTicket(Protocol):
    """A ticket and until when (epoch ms) it is good."""

    @property
    def text(self) -> str:
        """What is shown at the claim."""

    @property
    def expires_at(self) -> int:
        """When it is over."""


@dataclass(frozen=True, slots=True)
class TicketUseCases:
    """What these routes ask for: issue_ticket(shopper, campaign id, visit). Neither changes anything."""

    issue_ticket: Callable[[Shopper, str, Visit], IssuedTicket]
    pose_challenge: PosesChallenges


class TicketBody(Output):
    """An entry ticket: good for one claim of this shopper in this campaign."""

    ticket: Annotated[str, Field(description="To be sent in the header Entry-Ticket, as it is.")]
    expires_at: Annotated[str, Field(description="When it is over, RFC 3339.")]


class ChallengeBody(Output):
    """A challenge in the form its widget takes: the fields are those of its kind, and not to be changed."""

    model_config = ConfigDict(extra="allow")


class Kind(StrEnum):
    """Which challenge is asked for, if not the campaign's own."""

    WAIT = "wait"


def issue_ticket(use_cases: TicketUseCases, request: Request[None]) -> Answer:
    """201 with a ticket; each request brings a new one, and which of them is used does not matter."""
    ticket = use_cases.issue_ticket(shopper_of(request), request.path["campaign_id"], visit_of(request))
    return Answer(TicketBody(ticket=ticket.text, expires_at=to_rfc3339(ticket.expires_at)))


def pose_challenge(use_cases: TicketUseCases, request: Request[None]) -> Answer:
    """200 with the campaign's challenge, or with one that is solved by waiting."""
    wait = read_choice(request.query, "kind", Kind) is Kind.WAIT
    posed = use_cases.pose_challenge(shopper_of(request), request.path["campaign_id"], visit_of(request), wait=wait)
    return Answer(ChallengeBody(**posed))


_NOT_OPEN: Final = (CampaignNotStarted, CampaignPaused, CampaignEnded, NotEligible)

ROUTES: Final = (
    Route(
        "POST",
        "/v1/campaigns/{campaign_id}/tickets",
        issue_ticket,
        "Get an entry ticket",
        TicketBody,
        scope=SHOPPER,
        statuses=(201,),
        shows=AT_THE_DESK,
        errors=(
            NoTicketNeeded,
            *_NOT_OPEN,
            SoldOut,
            ShopSignalsInvalid,
            SignalMissing,
            ChallengeRequired,
            NotAdmitted,
            RateLimited,
        ),
    ),
    Route(
        "GET",
        "/v1/campaigns/{campaign_id}/challenge",
        pose_challenge,
        "Get a challenge to solve",
        ChallengeBody,
        scope=SHOPPER,
        query={
            "kind": (Kind, "`wait`: a challenge that is solved by waiting, for those who cannot run the other one.")
        },
        shows={"Shop-Signals": AT_THE_DESK["Shop-Signals"]},
        errors=(NoChallengeNeeded, *_NOT_OPEN, SoldOut, ShopSignalsInvalid),
    ),
)
"""The routes of TicketsFunction."""
