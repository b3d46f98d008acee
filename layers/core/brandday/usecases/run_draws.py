"""Looks at all lotteries, minute by minute, and does what is due: the seal, the draw, the prizes.

Every step can be stopped anywhere and done again by anybody, also by two at once; a run that is out of time leaves the
rest to the next. What disagrees with what was stored before stops its own lottery, and nothing else, and is told at
every run until a person has looked at it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from brandday.domain.errors import CampaignNotFound, TemporarilyOverloaded
from brandday.domain.lottery import LotteryMode
from brandday.usecases.award_prizes import AwardPrizes
from brandday.usecases.draw_ports import DrawDisagrees, RoundMissing
from brandday.usecases.hold_draw import HoldDraw, due_at
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Campaigns, Clock
from brandday.usecases.seal_draw import SealDraw, lottery_of, sealed_from

RUN_MS = 40 * 1000
"""How long one run begins new steps; the function has 60 s, and no step takes more than a few."""

SOON_MS = 60 * 1000
LOOK_AGAIN_MS = 15 * 60 * 1000
"""How long a draw is left alone whose prizes are handed out: so late at most is a forfeited one given to a reserve."""

REST_MS = 60 * 60 * 1000
"""The same for what needs nothing from here."""

BEACON_PATIENCE_MS = 5 * 60 * 1000
"""How late a round of the beacon may be until somebody is called."""

type Tell = Callable[[Mapping[str, Any]], None]
"""Writes a line of the log."""


class RunDraws:
    """Seals, draws and awards, whatever is due, in all lotteries."""

    def __init__(
        self,
        campaigns: LiveCampaigns,
        index: Campaigns,
        seal: SealDraw,
        hold: HoldDraw,
        award: AwardPrizes,
        now: Clock,
        tell: Tell,
    ) -> None:
        self._campaigns = campaigns
        self._index = index
        self._seal = seal
        self._hold = hold
        self._award = award
        self._now = now
        self._tell = tell
        self._next_at: dict[str, int] = {}

    def __call__(self) -> int:
        """Do what is due; return how many lotteries need a person."""
        stop_at = self._now() + RUN_MS
        troubles = 0
        due = sorted((self._next_at.get(campaign_id, 0), campaign_id) for campaign_id in self._index.list_ids())
        for next_at, campaign_id in due:
            now = self._now()
            if next_at > now or now >= stop_at:
                break
            self._next_at[campaign_id] = now  # behind the others, if this goes wrong
            try:
                self._next_at[campaign_id] = self._run(self._campaigns.get(campaign_id), stop_at)
            except CampaignNotFound:  # a draft: nothing of it can be due within a minute of its publication
                self._next_at[campaign_id] = now + SOON_MS
            except TemporarilyOverloaded:
                self._say("WARN", campaign_id, "the database is too busy")
            except RoundMissing as missing:
                troubles += self._missing(self._campaigns.get(campaign_id), str(missing))
            except DrawDisagrees as problem:
                self._say("ERROR", campaign_id, f"stopped for good: {problem}")
                troubles += 1
        return troubles

    def _run(self, live: LiveCampaign, stop_at: int) -> int:
        """Do what is due in one campaign; return when to look again."""
        now = self._now()
        if live.campaign.luck is None:
            return now + REST_MS
        if now < sealed_from(live):  # operators may end it earlier
            return min(sealed_from(live), now + SOON_MS)
        lottery, _ = lottery_of(live)
        seal = self._seal(live, stop_at)
        if seal is None:
            return now
        if lottery.draw is None or lottery.mode is LotteryMode.INSTANT:
            return now + REST_MS
        result = self._hold(live, seal, stop_at)
        if result is None:
            return max(now, due_at(lottery.draw))
        if result.drawn_at >= now:
            late = lottery.draw.beacon is not None and seal.sealed_at >= due_at(lottery.draw)
            self._say("INFO", live.campaign.id, f"drawn: {result.hash}")
            if late:
                self._say("WARN", live.campaign.id, "the list was sealed when the beacon's round was out already")
        awarded = self._award(live.campaign.id, result, stop_at)
        return now + LOOK_AGAIN_MS if awarded.is_done else now

    def _missing(self, live: LiveCampaign, reason: str) -> int:
        draw = lottery_of(live)[0].draw
        is_late = draw is not None and self._now() >= due_at(draw) + BEACON_PATIENCE_MS
        self._say("ERROR" if is_late else "WARN", live.campaign.id, f"waiting for the beacon: {reason}")
        return int(is_late)

    def _say(self, level: str, campaign_id: str, message: str) -> None:
        self._tell({"level": level, "message": message, "campaign_id": campaign_id})
