"""What a draw would find if it were held now: for operators, and without its seed.

The seed is made up for the occasion, so what comes out says how the real draw works and nothing about who will win.
"""

from collections.abc import Callable
from dataclasses import dataclass

from brandday.domain.draw import Tickets, assign, rank
from brandday.domain.draw_record import ALPHABET, Seal, bucket_names
from brandday.domain.lottery import LotteryMode
from brandday.domain.luck import SEED_BYTES
from brandday.usecases.draw_ports import Draws
from brandday.usecases.hold_draw import due_at, places_of, result_of
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.lottery_ports import Entrants
from brandday.usecases.ports import Clock
from brandday.usecases.seal_draw import lottery_of, sealed, sealed_from


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What there is now: `next` is what is due next (`seal`, `draw`, `award`) and at what time (epoch ms).

    `winners` is prize -> how many winners it would have; `reserves` is how many would stand behind them. Both are
    None, and the counts are what was read so far, if the time was up before everybody was read (`is_complete`).
    """

    entrants: int
    tickets: int
    prizes: int
    winners: dict[str, int] | None
    reserves: int | None
    next: str
    due_at: int
    seal: Seal | None
    is_complete: bool


class RehearseDraw:
    """Draws with a made-up seed."""

    def __init__(
        self,
        campaigns: LiveCampaigns,
        entrants: Entrants,
        draws: Draws,
        now: Clock,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._campaigns = campaigns
        self._entrants = entrants
        self._draws = draws
        self._now = now
        self._random_bytes = random_bytes

    def __call__(self, campaign_id: str, stop_at: int) -> Rehearsal | None:
        """Return what a draw would find, looking until `stop_at` (epoch ms); None if the campaign has no draw."""
        live = self._campaigns.get(campaign_id)
        if live.campaign.lottery is None or live.campaign.lottery.mode is not LotteryMode.DRAW:
            return None
        lottery, frozen = lottery_of(live)
        tickets: list[Tickets] = []
        is_complete = True
        for group in ALPHABET:
            if self._now() >= stop_at:
                is_complete = False
                break
            for bucket in bucket_names(group, frozen.bucket_chars):
                records = self._entrants.bucket(frozen, bucket)
                tickets += (Tickets(each.name, len(each.entries)) for each in records if each.entries)
        winners: dict[str, int] | None = None
        reserves: int | None = None
        if is_complete:
            ranking = rank(self._random_bytes(SEED_BYTES), frozen.campaign_id, tickets, places_of(lottery))
            placed, behind = assign(ranking, lottery.prizes)
            winners = {prize.id: sum(of == prize.id for _, of in placed) for prize in lottery.prizes}
            reserves = len(behind)
        seal = sealed(self._draws, campaign_id)
        result = result_of(self._draws, campaign_id)
        when = sealed_from(live) if seal is None or lottery.draw is None else due_at(lottery.draw)
        return Rehearsal(
            entrants=len(tickets),
            tickets=sum(each.number for each in tickets),
            prizes=sum(prize.stock for prize in lottery.prizes),
            winners=winners,
            reserves=reserves,
            next="seal" if seal is None else "draw" if result is None else "award",
            due_at=when,
            seal=seal,
            is_complete=is_complete,
        )
