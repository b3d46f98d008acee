"""What operators see of a lottery's end, over HTTP: how far it is, who was drawn, what a draw would find now.

Nobody has to do anything for a draw to be held: it is, by a schedule. Every route needs a token with the scope
`operator`; none of them shows who an entrant is.
"""

from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import Field

from brandday.domain.beacon import out_at
from brandday.domain.errors import CampaignNotFound, ValidationFailed, WrongMechanic
from brandday.domain.lottery import LotteryMode, Next
from brandday.domain.times import to_rfc3339
from brandday.entrypoints.admin import AdminUseCases
from brandday.entrypoints.draw_bodies import ResultBody, SealBody
from brandday.entrypoints.http_input import wrong_query
from brandday.entrypoints.routes import OPERATOR, Answer, Output, Request, Route, Shape

if TYPE_CHECKING:
    from brandday.usecases.inspect_draw import DrawSight, PlaceSight
    from brandday.usecases.rehearse_draw import Rehearsal

_PAGE: Final = r"[0-9]{1,6}"


class RoundBody(Shape):
    """The round of a public randomness beacon (drand) that the draw waits for."""

    chain: str
    round: int
    out_at: str


class RehearsalBody(Shape):
    """What a draw would find if it were held now, with a made-up seed: how it works, and nothing about who will win."""

    entrants: int
    tickets: int
    prizes: Annotated[int, Field(description="Units of all prizes.")]
    winners: Annotated[
        dict[str, int] | None, Field(description="By prize; null if there was no time to read everybody.")
    ]
    reserves: int | None
    is_complete: Annotated[bool, Field(description="Whether everybody was read; the counts are of those who were.")]

    @classmethod
    def of(cls, rehearsal: "Rehearsal") -> Self:
        """The same, on the wire."""
        return cls(
            entrants=rehearsal.entrants,
            tickets=rehearsal.tickets,
            prizes=rehearsal.prizes,
            winners=rehearsal.winners,
            reserves=rehearsal.reserves,
            is_complete=rehearsal.is_complete,
        )


class DrawSightBody(Output):
    """How far a lottery is. Times are RFC 3339 in UTC."""

    campaign_id: str
    mode: LotteryMode
    sealed: SealBody | None
    drawn: Annotated[ResultBody | None, Field(description="Null until the draw is held; always for instant wins.")]
    next: Annotated[Next, Field(description="What it waits for; beacon: the time has come, and the round has not.")]
    due_at: Annotated[str | None, Field(description="When that is, or was, due.")]
    beacon: RoundBody | None
    awarded: Annotated[int, Field(description="Winners who have their prize.")]
    moved: Annotated[int, Field(description="Prizes that were not claimed and have gone to a reserve, or to nobody.")]
    dry_run: Annotated[RehearsalBody | None, Field(description="Only with `dry_run`.")] = None

    @classmethod
    def of(cls, sight: "DrawSight", rehearsal: "Rehearsal | None") -> Self:
        """The same, on the wire."""
        beacon = sight.beacon
        return cls(
            campaign_id=sight.campaign_id,
            mode=sight.mode,
            sealed=None if sight.seal is None else SealBody.of(sight.seal),
            drawn=None if sight.result is None else ResultBody.of(sight.result),
            next=sight.next,
            due_at=None if sight.due_at is None else to_rfc3339(sight.due_at),
            beacon=None
            if beacon is None
            else RoundBody(chain=beacon.chain, round=beacon.round, out_at=to_rfc3339(out_at(beacon))),
            awarded=sight.awarded,
            moved=sight.moved,
            dry_run=None if rehearsal is None else RehearsalBody.of(rehearsal),
        )


class PlaceBody(Shape):
    """One place of the ranking; winners come first."""

    rank: int
    entry: Annotated[str, Field(description="The winning ticket's id; a reward's `source` is the same.")]
    entrant: Annotated[str, Field(description="Opaque: the name a shopper has in this one lottery.")]
    prize: Annotated[str | None, Field(description="Null for a reserve.")]
    moved_up_to: Annotated[str | None, Field(description="The prize a reserve got that somebody else did not claim.")]
    forfeited: Annotated[bool, Field(description="Their prize was not claimed, and has gone on.")]

    @classmethod
    def of(cls, place: "PlaceSight") -> Self:
        """The same, on the wire."""
        return cls(
            rank=place.rank,
            entry=place.entry,
            entrant=place.entrant,
            prize=place.prize,
            moved_up_to=place.got,
            forfeited=place.forfeited,
        )


class PlaceListBody(Output):
    """A page of the ranking; nothing before the draw, nor for instant wins, whose winners are their rewards."""

    places: list[PlaceBody]
    next: Annotated[str | None, Field(description="Send it as `after` for the next page; null: this is the last.")]


def get_draw(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with how far it is; `?dry_run=true` also reads all entrants and draws with a made-up seed."""
    campaign_id = request.path["campaign_id"]
    value = request.query.get("dry_run", "false")
    if value not in ("true", "false"):
        raise wrong_query("dry_run", "not_true_or_false")
    sight = use_cases.draws.show(campaign_id)
    rehearsal = use_cases.draws.rehearse(campaign_id) if value == "true" else None
    return Answer(DrawSightBody.of(sight, rehearsal))


def list_places(use_cases: AdminUseCases, request: Request[None]) -> Answer:
    """200 with a page of winners and reserves in the order of the ranking."""
    after = request.query.get("after", "0")
    if not (after.isascii() and after.isdecimal() and len(after) < 7):
        raise wrong_query("after", "not_a_cursor")
    places, following = use_cases.draws.places(request.path["campaign_id"], int(after))
    return Answer(
        PlaceListBody(
            places=[PlaceBody.of(place) for place in places], next=None if following is None else str(following)
        )
    )


_DRAW: Final = "/v1/admin/campaigns/{campaign_id}/draw"

ROUTES: Final = (
    Route(
        "GET",
        _DRAW,
        get_draw,
        "See how far a lottery's draw is, or what it would find now",
        DrawSightBody,
        scope=OPERATOR,
        query={"dry_run": (bool, "True: also draw with a made-up seed, which changes nothing.")},
        errors=(CampaignNotFound, WrongMechanic),
    ),
    Route(
        "GET",
        f"{_DRAW}/places",
        list_places,
        "List winners and reserves of a draw",
        PlaceListBody,
        scope=OPERATOR,
        query={"after": (Annotated[str, Field(pattern=f"^{_PAGE}$")], "`next` of the page before.")},
        errors=(CampaignNotFound, WrongMechanic, ValidationFailed),
    ),
)
"""More routes of AdminFunction."""
