"""The lotteries an execution environment decides in: their rules, and what it remembers of their pools.

Built upon `LiveCampaigns`, which every function may have; here is the seed in addition, so only functions that decide
about entries make one of these.

What is remembered only saves calls. That a pool is empty is claimed with proof alone: every unit that was released has
been won, as the summary or a look at all shards says. Won units stay won until the campaign is over (the deadline for
claiming prizes is after it), so such a proof holds for all later entries until the next unit is released.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from brandday.domain.campaign import Campaign
from brandday.domain.entrant import Fate, Look, Rules
from brandday.domain.errors import TemporarilyOverloaded, WrongMechanic
from brandday.domain.layout import SLOTS
from brandday.domain.lottery import Lottery, LotteryMode, Moments
from brandday.domain.lottery_state import LotteryState
from brandday.domain.pacing import Pacing, day_of
from brandday.domain.stock import Terms
from brandday.usecases.live_campaigns import KEEP, LiveCampaign, LiveCampaigns
from brandday.usecases.lottery_ports import Seeds
from brandday.usecases.recent import Recent

GIVEN_MS = 1000
"""How long a unit that was given out here counts in addition to the summary: if that knows it, so long a unit more may
wait for somebody to meet it."""


class Proof(NamedTuple):
    """Nothing was to be had of a pool at `at` (epoch ms), when `released` units had had their time on day `day`."""

    fate: Fate
    at: int
    released: int
    day: int


@dataclass
class PoolMemory:
    """What one environment has met in the pools of one lottery, by slot: proofs, and when it gave out units."""

    proofs: dict[str, Proof] = field(default_factory=dict)
    given: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveLottery:
    """A lottery as of `live.loaded_at`, with its rules and the terms on which units are claimed."""

    live: LiveCampaign
    state: LotteryState
    rules: Rules
    terms: Terms
    memory: PoolMemory
    table_hashes: Mapping[int, str]

    @property
    def campaign(self) -> Campaign:
        """The campaign it is."""
        return self.live.campaign

    @property
    def is_draw(self) -> bool:
        """Whether entries are tickets that a draw decides about."""
        return self.rules.lottery.mode is LotteryMode.DRAW

    def table_hash(self, version: int) -> str:
        """The published hash of a version of the odds; TemporarilyOverloaded if it is too new to be known here."""
        if version not in self.table_hashes:
            raise TemporarilyOverloaded
        return self.table_hashes[version]

    def sold(self, slot: str) -> int:
        """How many units of a prize are won, as the summary says."""
        return self.live.summary.sold.get(slot, 0)

    def look(self, at: int) -> Look:
        """What is known of the pools for an entry of the time `at` (epoch ms)."""
        empty = {slot: fate for slot in self.rules.slots.values() if (fate := self._empty(slot, at)) is not None}
        moments = (
            self.rules.slots[prize.id] for prize in self.rules.lottery.prizes if isinstance(prize.release, Moments)
        )
        return Look(tuple(slot for slot in moments if self._is_open(slot, at)), empty)

    def _empty(self, slot: str, at: int) -> Fate | None:
        released = self.rules.released(slot, at)
        if released and self.live.summary.as_of <= at and self.sold(slot) >= released:
            return Fate.GONE
        proof = self.memory.proofs.get(slot)
        if proof is None or proof.at > at or proof.released != released:
            return None
        if proof.fate is Fate.DAY_FULL and proof.day != day_of(self.rules.frozen.days, at):
            return None
        return proof.fate

    def _is_open(self, slot: str, at: int) -> bool:
        """Whether a released unit seems to be untaken: of what this environment gave out itself, the summary may not
        know yet.
        """
        since = max(self.live.summary.as_of, at - GIVEN_MS)
        given = self.memory.given[slot] = [when for when in self.memory.given.get(slot, ()) if when >= since]
        return self.rules.released(slot, at) > self.sold(slot) + len(given)

    def saw_empty(self, slot: str, fate: Fate, *, seen_at: int, looked_at: int) -> None:
        """Take note of a proof of the units that had their time when it was looked for."""
        day = day_of(self.rules.frozen.days, looked_at)
        self.memory.proofs[slot] = Proof(fate, max(seen_at, looked_at), self.rules.released(slot, looked_at), day)

    def saw_won(self, slot: str, at: int) -> None:
        """Take note that a unit was given out here at `at` (epoch ms)."""
        if isinstance(self.rules.lottery.prizes[SLOTS.index(slot)].release, Moments):
            self.memory.given.setdefault(slot, []).append(at)


class _Kept(NamedTuple):
    """What is kept of a lottery from one look at its config to the next."""

    state: LotteryState
    rules: Rules
    terms: Terms
    memory: PoolMemory
    table_hashes: Mapping[int, str]


class LiveLotteries:
    """Makes the rules of lotteries when they are asked for, and keeps them as long as nothing about them changes."""

    def __init__(self, campaigns: LiveCampaigns, seeds: Seeds) -> None:
        self.campaigns = campaigns
        self._seeds = seeds
        self._kept = Recent[str, _Kept](KEEP)

    def get(self, campaign_id: str) -> LiveLottery:
        """Return a published lottery, about as fresh as `LiveCampaigns` has it.

        CampaignNotFound also for drafts; WrongMechanic for a campaign that is no lottery.
        """
        live = self.campaigns.get(campaign_id)
        lottery, luck = live.campaign.lottery, live.campaign.luck
        if lottery is None or luck is None:
            raise WrongMechanic(mechanic=live.campaign.mechanic)
        kept = self._kept.get(campaign_id)
        if kept is None or kept.state != luck:
            kept = self._make(live, lottery, luck, kept)
            self._kept[campaign_id] = kept
        return LiveLottery(live, *kept)

    def _make(self, live: LiveCampaign, lottery: Lottery, luck: LotteryState, before: _Kept | None) -> _Kept:
        frozen = luck.frozen
        if before is not None and before.state.frozen == frozen:  # only the odds have changed
            pacing, seed, terms, memory = before.rules.pacing, before.rules.seed, before.terms, before.memory
        else:
            # A draw is decided after the end, by another function: taking its tickets needs no secret.
            seed = None if lottery.mode is LotteryMode.DRAW else self._seed(frozen.campaign_id)
            pacing = Pacing(lottery, frozen, seed or b"")
            terms = Terms(live.terms.hold_ms, live.terms.extended_ms, live.layout.capacity, pacing)
            memory = PoolMemory()
        hashes = {table.version: table.hash(lottery, frozen) for table in luck.tables}
        return _Kept(luck, Rules(lottery, frozen, luck.tables, pacing, seed), terms, memory, hashes)

    def _seed(self, campaign_id: str) -> bytes:
        seed = self._seeds.seed(campaign_id)
        if seed is None:  # it was written with the publication that was just read: a replica is behind
            raise TemporarilyOverloaded
        return seed
