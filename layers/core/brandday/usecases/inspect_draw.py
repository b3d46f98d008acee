"""What operators see of a lottery's end: what is due next, who was drawn, and what a draw would find now."""

from dataclasses import dataclass

from brandday.domain.draw_record import PAGE_ROWS, Result, Seal
from brandday.domain.entrant import entry_id
from brandday.domain.errors import WrongMechanic
from brandday.domain.lottery import Beacon, LotteryMode, Next
from brandday.usecases.award_prizes import MOVED, WINNERS, moves_of
from brandday.usecases.draw_ports import Draws
from brandday.usecases.hold_draw import due_at, ranked_places, result_of
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Clock
from brandday.usecases.rehearse_draw import Rehearsal, RehearseDraw
from brandday.usecases.seal_draw import lottery_of, sealed, sealed_from

REHEARSAL_MS = 15_000
"""How long a dry run reads entrants; the function has 29 s."""


@dataclass(frozen=True, slots=True)
class DrawSight:
    """How far a lottery is. `due_at` (epoch ms) is when its next step is, or was, due; None if there is none.

    `awarded` winners have their prize; `moved` prizes that were not claimed have gone to a reserve, or to nobody.
    """

    campaign_id: str
    mode: LotteryMode
    seal: Seal | None
    result: Result | None
    next: Next
    due_at: int | None
    beacon: Beacon | None
    awarded: int
    moved: int


@dataclass(frozen=True, slots=True)
class PlaceSight:
    """One place of a ranking. `prize` is what it has won, None for a reserve; `got` is the prize of somebody who did
    not claim it, which this reserve moved up to; `forfeited` says that theirs went on to somebody else.
    """

    rank: int
    entrant: str
    ticket: int
    entry: str
    prize: str | None
    got: str | None
    forfeited: bool


class InspectDraw:
    """Looks at lotteries on behalf of operators. Raises CampaignNotFound for drafts too, WrongMechanic for sales."""

    def __init__(self, campaigns: LiveCampaigns, draws: Draws, rehearsal: RehearseDraw, now: Clock) -> None:
        self._campaigns = campaigns
        self._draws = draws
        self._rehearsal = rehearsal
        self._now = now

    def show(self, campaign_id: str) -> DrawSight:
        """How far it is."""
        live = self._lottery(campaign_id)
        lottery, _ = lottery_of(live)
        seal, result = sealed(self._draws, campaign_id), result_of(self._draws, campaign_id)
        awarded, moved = (self._draws.count(campaign_id, what) for what in (WINNERS, MOVED))
        step, due = Next.NOTHING, None
        if seal is None:
            step, due = Next.SEAL, sealed_from(live)
        elif lottery.draw is not None and result is None:
            due = due_at(lottery.draw)
            # Nothing but the beacon keeps a draw waiting whose time has come, as soon as its round is overdue.
            step = Next.BEACON if lottery.draw.beacon is not None and self._now() >= due else Next.DRAW
        elif result is not None and awarded < result.winners:
            step, due = Next.AWARD, result.drawn_at
        beacon = None if lottery.draw is None else lottery.draw.beacon
        return DrawSight(campaign_id, lottery.mode, seal, result, step, due, beacon, awarded, moved)

    def rehearse(self, campaign_id: str) -> Rehearsal:
        """What a draw would find if it were held now, with a made-up seed."""
        self._lottery(campaign_id)
        found = self._rehearsal(campaign_id, self._now() + REHEARSAL_MS)
        if found is None:
            raise WrongMechanic(mechanic="lottery")
        return found

    def places(self, campaign_id: str, page: int = 0) -> tuple[list[PlaceSight], int | None]:
        """A page of the ranking, winners first, and the next page; nothing before the draw, nor for instant wins."""
        live = self._lottery(campaign_id)
        result = result_of(self._draws, campaign_id)
        if result is None or page >= result.pages:
            return [], None
        moves = moves_of(self._draws, campaign_id)
        forfeited = {move.forfeited for move in moves}
        got = {move.reserve: move.prize for move in moves if move.reserve is not None}
        places = [
            PlaceSight(
                rank=rank,
                entrant=place.entrant,
                ticket=place.ticket,
                entry=entry_id(campaign_id, place.entrant, place.ticket),
                prize=None if place.slot is None else live.layout.skus[place.slot],
                got=got.get(place.entrant) if place.slot is None else None,
                forfeited=place.entrant in forfeited,
            )
            for rank, place in enumerate(ranked_places(self._draws, campaign_id, page), page * PAGE_ROWS + 1)
        ]
        return places, page + 1 if page + 1 < result.pages else None

    def _lottery(self, campaign_id: str) -> LiveCampaign:
        live = self._campaigns.get(campaign_id)
        if live.campaign.luck is None:
            raise WrongMechanic(mechanic=live.campaign.mechanic)
        return live
