"""Looks at the rewards of all campaigns: ends what is over, and moves again what has come to a stop.

Prizes that nobody claimed are forfeited here, and their units go back to their pool. Everything else is a net under
the stream and the queue: a message that was lost is sent again, a reward that nobody delivers in time is given up, and
an address that nobody needs any more is forgotten.

What has to be done is asked of the rewards, not of the campaign's times: rewards move long after a campaign's end. An
environment remembers when the next look at a campaign is worth it. One in which nothing moves costs 64 queries of the
index (four questions, 16 parts; 32 read units) every 15 minutes, and every hour once it is over.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from brandday.domain.entrant import parse_entry_id
from brandday.domain.errors import CampaignNotFound, TemporarilyOverloaded
from brandday.domain.fulfilment import HOUR_MS
from brandday.domain.lottery import LotteryMode
from brandday.domain.protocols import take_back
from brandday.domain.reservation_id import parse_reservation_id
from brandday.domain.reward import (
    Reward,
    RewardStatus,
    fail,
    forfeit,
    forget_address,
    send_again,
    units_returned,
)
from brandday.domain.reward_rules import with_deadline
from brandday.domain.stock import LostRace
from brandday.usecases.drive import drive
from brandday.usecases.live_campaigns import LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Campaigns, Clock, Stock
from brandday.usecases.reward_ports import Page, Rewards
from brandday.usecases.settle_entries import ReturnPrizes

SILENT_MS = HOUR_MS
"""How long nothing was heard of a message until another one is sent."""

KEEP_ADDRESS_MS = 30 * 24 * HOUR_MS
"""How long the address of a failed reward is kept, in case it is sent once more."""

LOOK_AGAIN_MS = 15 * 60 * 1000
"""How long a campaign is left alone in which nothing is due: what came meanwhile is that much late at most."""

REST_MS = HOUR_MS
"""The same for a campaign that is over and in which nothing moves."""

RUN_MS = 40 * 1000
"""How long one run begins new campaigns; the function has 55 s."""

SLICE_MS = 10 * 1000
"""How long one campaign keeps a run busy, give or take a page; the next run takes it up where this one left off."""

PAGE = 100
MAX_PAGES = 20
"""How many pages of rewards one run reads of a campaign, per question."""


@dataclass(slots=True)
class _Look:
    """One look at a campaign: `next_at` is when something will be due, as far as is known."""

    live: LiveCampaign
    stop_at: int
    next_at: int
    changed: int = 0
    is_moving: bool = False


type _Ask = Callable[[str | None], Page]
"""Returns the page of rewards at a cursor that a question is answered with."""

type _Answer = Callable[[_Look, Reward], None]
"""Does what is due with one of them."""


class SweepRewards:
    """Forfeits, gives back, sends again, gives up and forgets, whatever is due, in all campaigns."""

    def __init__(
        self,
        campaigns: LiveCampaigns,
        index: Campaigns,
        rewards: Rewards,
        stock: Stock,
        now: Clock,
        return_prize: ReturnPrizes | None = None,
    ) -> None:
        self._campaigns = campaigns
        self._index = index
        self._rewards = rewards
        self._stock = stock
        self._now = now
        self._return_prize = return_prize
        self._next_at: dict[str, int] = {}
        self._cursors: dict[tuple[str, str], str] = {}

    def __call__(self) -> int:
        """Sweep; return how many rewards were changed.

        Whoever has waited longest comes first, and what is not reached now is reached by the next run. A campaign
        whose tables are too busy does not keep the others waiting; TemporarilyOverloaded comes after them.
        """
        began = self._now()
        due = [(self._next_at.get(campaign_id, 0), campaign_id) for campaign_id in self._index.list_ids()]
        changed = 0
        busy: TemporarilyOverloaded | None = None
        for next_at, campaign_id in sorted(due):
            now = self._now()
            if next_at > now or now - began >= RUN_MS:
                break
            self._next_at[campaign_id] = now  # behind the others, if this goes wrong
            try:
                look = self._begin(campaign_id, now)
            except CampaignNotFound:
                self._next_at[campaign_id] = now + LOOK_AGAIN_MS
                continue
            except TemporarilyOverloaded as error:
                busy = error
                continue
            busy = self._look(look) or busy
            changed += look.changed
            self._next_at[campaign_id] = look.next_at
        if busy is not None:
            raise busy
        return changed

    def _begin(self, campaign_id: str, now: int) -> _Look:
        return _Look(self._campaigns.get(campaign_id), now + SLICE_MS, now + LOOK_AGAIN_MS)

    def _look(self, look: _Look) -> TemporarilyOverloaded | None:
        campaign = look.live.campaign
        if self._now() < campaign.starts_at:
            look.next_at = min(look.next_at, campaign.starts_at)
            return None
        busy: TemporarilyOverloaded | None = None
        for question, ask, answer in self._chores(campaign.id):
            try:
                self._go_through(look, question, ask, answer)
            except TemporarilyOverloaded as error:
                busy, look.next_at = error, self._now()
        now, claim_until = self._now(), campaign.fulfilment.claim_until
        if claim_until is not None and claim_until > now:  # of rewards that are still to come
            look.next_at = min(look.next_at, claim_until)
        elif busy is None and not look.is_moving and now >= campaign.over_at() + campaign.extended_hold_ms:
            look.next_at = max(look.next_at, now + REST_MS)
        return busy

    def _chores(self, campaign_id: str) -> tuple[tuple[str, _Ask, _Answer], ...]:
        def in_status(status: RewardStatus, until: int | None = None) -> _Ask:
            return lambda after: self._rewards.in_status(campaign_id, status, until=until, limit=PAGE, after=after)

        return (
            ("owing", lambda after: self._rewards.owing(campaign_id, limit=PAGE, after=after), self._give_back),
            ("awaiting_address", in_status(RewardStatus.AWAITING_ADDRESS), self._forfeit),
            ("pending", in_status(RewardStatus.PENDING), self._push),
            # Of all that has left or ended, only what has failed still has its address.
            ("failed", in_status(RewardStatus.FAILED, self._now() - KEEP_ADDRESS_MS), self._forget),
        )

    def _go_through(self, look: _Look, question: str, ask: _Ask, answer: _Answer) -> None:
        key = (look.live.campaign.id, question)
        for _ in range(MAX_PAGES):
            if self._now() >= look.stop_at:
                break
            page = ask(self._cursors.get(key))
            for reward in page.rewards:
                answer(look, reward)
            if page.next is None:
                self._cursors.pop(key, None)
                return
            self._cursors[key] = page.next
        look.next_at = self._now()

    # --- what is done with a reward that a question has brought up; the index may be behind, so it is read again ---

    def _give_back(self, look: _Look, seen: Reward) -> None:
        """First the units, then the mark: a claim that was taken back already says so. Forfeited is final, so there is
        no need to read the reward again before.
        """
        look.is_moving = True
        give_back = self._way_back(look.live, seen.source)
        if give_back is None:
            return
        now = self._now()
        if now < look.live.units_return_at:  # environments still count on it that none comes back
            look.next_at = min(look.next_at, look.live.units_return_at)
            return
        if give_back(now):
            self._change(look, seen, units_returned)
        else:
            look.next_at = now

    def _way_back(self, live: LiveCampaign, source: str) -> Callable[[int], bool] | None:
        """Return what gives the units of a reward back, and tells whether it is done; None if they came from nowhere.

        Of a claim that is missing nothing is left, because its units went back long ago.
        """
        entry, reservation = parse_entry_id(source), parse_reservation_id(source)
        if reservation is not None:
            campaign_id, claim = reservation
            return lambda now: (
                not isinstance(drive(take_back(claim, live.terms, now), self._stock, campaign_id), LostRace)
            )
        lottery = live.campaign.lottery
        if entry and self._return_prize and lottery and lottery.mode is LotteryMode.INSTANT:  # a draw's have reserves
            return_prize, (_, entrant, number) = self._return_prize, entry
            return lambda now: return_prize(live, entrant, number, now)
        return None

    def _forfeit(self, look: _Look, seen: Reward) -> None:
        look.is_moving = True
        fulfilment, now = look.live.campaign.fulfilment, self._now()
        claim_until = with_deadline(seen, fulfilment).claim_until
        if claim_until is None:
            return
        if now < claim_until:
            look.next_at = min(look.next_at, claim_until)
            return
        after = self._change(look, seen, lambda reward: forfeit(with_deadline(reward, fulfilment), now))
        if after is not None and after.owes_units:
            self._give_back(look, after)

    def _push(self, look: _Look, seen: Reward) -> None:
        look.is_moving = True
        now = self._now()
        leased_until = 0 if seen.lease is None else seen.lease.until
        silent_at = max(seen.status_at, leased_until) + SILENT_MS
        worth_it = silent_at if seen.due_at is None else min(silent_at, max(seen.due_at, leased_until))
        if now < worth_it:
            look.next_at = min(look.next_at, worth_it)
        else:
            self._change(look, seen, lambda reward: _pushed(reward, now))

    def _forget(self, look: _Look, seen: Reward) -> None:
        if seen.address is not None:
            self._change(look, seen, forget_address)

    def _change(self, look: _Look, seen: Reward, rule: Callable[[Reward], Reward | None]) -> Reward | None:
        """Apply a rule to the reward as it is now; if somebody was faster, the next run sees what has come of it."""
        reward = self._rewards.get(seen.id)
        after = None if reward is None else rule(reward)
        if reward is None or after is None:
            return None
        if not self._rewards.save(reward, after):
            look.next_at = self._now()
            return None
        look.changed += 1
        return after


def _pushed(reward: Reward, now: int) -> Reward | None:
    if reward.due_at is not None and now >= reward.due_at:
        words = f"Nobody took it within its time limit of {reward.time_limit_ms // HOUR_MS} h."
        last = "" if reward.words is None else f" The last answer was: {reward.words}"
        # Its message may be lost: another one brings it to the dead letters.
        return fail(replace(reward, sent=reward.sent + 1), None, words + last, now)
    return send_again(reward, now, SILENT_MS)
