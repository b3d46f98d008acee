"""One scheduled draw over fakes: its entrants, the function that holds it, and what must always be true of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from brandday.domain.beacon import round_at
from brandday.domain.campaign import Campaign, Status
from brandday.domain.draw import SEAL_AFTER_MS
from brandday.domain.draw_record import MOVES, RESULT, SEAL, Move, Place, Result, Seal, read_move
from brandday.domain.entrant import Entrant, Entry, Fate, claim_name, entry_id
from brandday.domain.layout import plan_layout
from brandday.domain.lottery import Frozen
from brandday.domain.lottery_state import freeze
from brandday.domain.receipt_page import join
from brandday.domain.reward import Reward, forfeit
from brandday.domain.shard import CONFIRMED
from brandday.usecases.award_prizes import AwardPrizes
from brandday.usecases.hold_draw import HoldDraw, due_at, ranked_places, result_of
from brandday.usecases.issue_wins import IssueWins
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_lotteries import LiveLotteries
from brandday.usecases.publish_receipt import PublishReceipt
from brandday.usecases.rehearse_draw import RehearseDraw
from brandday.usecases.run_draws import RunDraws
from brandday.usecases.seal_draw import SealDraw, sealed
from brandday.usecases.settle_entries import Records, SettleEntries
from tests.fakes.clock import SettableClock
from tests.fakes.fake_beacon import FakeBeacon
from tests.fakes.lottery_declarations import declared_draw, declared_instant
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_draws import MemoryDraws
from tests.fakes.memory_entrants import MemoryEntrants
from tests.fakes.memory_rewards import MemoryRewards
from tests.fakes.memory_stock import MemoryStock
from tests.fakes.tap import Tap, tapped

SALT = bytes(range(16))
SEED = hashlib.sha256(b"a seed").digest()


def prizes(*stocks: int, kind: str = "physical") -> list[dict[str, Any]]:
    """Return the declaration of prizes P0, P1 ... with that many units."""
    return [
        {"prize": f"P{at}", "title": {"en": f"Prize {at}"}, "stock": stock, "reward": {"kind": kind}}
        for at, stock in enumerate(stocks)
    ]


def drawn_campaign(*stocks: int, reserves: int = 4, beacon: bool = False, **fields: Any) -> Campaign:
    """Return a published draw of these prizes."""
    draw = {"at": "2026-11-12T12:00:00", "reserves": reserves, "beacon": "drand" if beacon else None}
    return published(declared_draw(prizes=prizes(*(stocks or (1, 3))), draw=draw, **fields))


def published(campaign: Campaign, *, shards: int = 2) -> Campaign:
    """Return a declared lottery as publication makes it, its stock over a few shards."""
    lottery = campaign.lottery
    assert lottery is not None
    layout = replace(plan_layout(campaign.skus, SALT), shards=shards)
    window = (campaign.starts_at, campaign.ends_at)
    days = tuple(range(campaign.starts_at, campaign.ends_at, 24 * 60 * 60 * 1000))
    luck = freeze(lottery, campaign.id, window, days, shards, seed=SEED, entry_salt=SALT)
    return replace(campaign, status=Status.PUBLISHED, version=1, layout=layout, luck=luck)


def instant_campaign(**fields: Any) -> Campaign:
    """Return a published instant win."""
    return published(declared_instant(**fields))


class DrawWorld:
    """A draw's world: data that all share, and as many execution environments as a test likes."""

    def __init__(self, campaign: Campaign | None = None, *, entrants: int = 12, careless: bool = False) -> None:
        self.campaign = campaign or drawn_campaign()
        self.clock = SettableClock(self.campaign.starts_at + 1)
        self.tap = Tap()
        self.campaigns = MemoryCampaigns(MemorySummaries())
        self.campaigns.campaigns[self.campaign.id] = self.campaign
        self.campaigns.seeds[self.campaign.id] = SEED
        self.stock = MemoryStock()
        self.entrants = MemoryEntrants()
        self.draws = MemoryDraws(careless=careless)
        self.rewards = MemoryRewards()
        self.beacon = FakeBeacon()
        self.lines: list[Mapping[str, Any]] = []
        for number in range(entrants):
            self.enter(f"shopper-{number}", 1 + number % 3)

    @property
    def id(self) -> str:
        """The campaign's id."""
        return self.campaign.id

    @property
    def frozen(self) -> Frozen:
        """What publication froze."""
        assert self.campaign.luck is not None
        return self.campaign.luck.frozen

    @property
    def draw_at(self) -> int:
        """When the draw can be held."""
        assert self.campaign.lottery is not None
        assert self.campaign.lottery.draw is not None
        return self.campaign.lottery.draw.at

    def enter(self, shopper: str, tickets: int) -> str:
        """Let a shopper have so many tickets; return the name of the entrant."""
        assert self.campaign.luck is not None
        name = self.campaign.luck.entrant(shopper)
        owner = hashlib.sha256(shopper.encode()).hexdigest()[:12]
        entries = tuple(Entry(self.campaign.starts_at + 1 + at, f"{at:06}", 1) for at in range(tickets))
        assert self.entrants.save(self.frozen, None, Entrant(name, owner, shopper, entries))
        return name

    # --- who acts ---

    def runner(self, tap: Tap | None = None) -> RunDraws:
        """Return a cold environment of the function that holds draws."""
        tap = tap or self.tap
        campaigns, entrants = tapped(self.campaigns, "campaigns", tap), tapped(self.entrants, "entrants", tap)
        draws, stock = tapped(self.draws, "draws", tap), tapped(self.stock, "stock", tap)
        live = LiveCampaigns(campaigns, self.clock)
        lotteries, records = LiveLotteries(live, campaigns), Records(entrants, stock)
        settle = SettleEntries(lotteries, records, self.clock)
        return RunDraws(
            live,
            campaigns,
            SealDraw(entrants, draws, settle, self.clock),
            HoldDraw(draws, campaigns, self.beacon, self.clock),
            AwardPrizes(lotteries, entrants, records, draws, tapped(self.rewards, "rewards", tap), self.clock),
            self.clock,
            self.lines.append,
        )

    def publisher(self) -> PublishReceipt:
        """Return what shows receipts."""
        return PublishReceipt(LiveCampaigns(self.campaigns, self.clock), self.entrants, self.draws, self.campaigns)

    def rehearser(self) -> RehearseDraw:
        """Return what operators ask before the draw."""
        live = LiveCampaigns(self.campaigns, self.clock)
        return RehearseDraw(live, self.entrants, self.draws, self.clock, bytes)

    def issue(self) -> None:
        """Let the wins become rewards."""
        live = LiveCampaigns(self.campaigns, self.clock)
        settle = SettleEntries(LiveLotteries(live, self.campaigns), Records(self.entrants, self.stock), self.clock)
        IssueWins(live, settle, self.rewards, self.clock)(self.entrants.stream)
        self.entrants.stream.clear()

    # --- what happens ---

    def seal(self) -> int:
        """Let it be time for the seal, and run."""
        self.clock.now = self.campaign.ends_at + SEAL_AFTER_MS
        return self.runner()()

    def draw(self) -> int:
        """Let it be time for the draw, and run until nothing is left to do; return the troubles of the last run."""
        self.clock.now = round_time(self.campaign)
        self.beacon.newest = round_at(self.draw_at).round
        self.runner()()
        troubles = self.runner()()
        self.issue()
        return troubles

    def claims_end(self) -> None:
        """Let the deadline for claiming prizes pass."""
        until = self.campaign.fulfilment.claim_until
        assert until is not None
        self.clock.now = until

    def forfeit(self, entrant: str) -> Reward:
        """Let a winner not claim their prize until its deadline."""
        reward = self.reward_of(entrant)
        assert reward.claim_until is not None
        self.clock.now = max(self.clock.now, reward.claim_until)
        forfeited = forfeit(reward, self.clock.now)
        assert forfeited is not None
        assert self.rewards.save(reward, forfeited)
        return forfeited

    # --- what there is ---

    def reward_of(self, entrant: str) -> Reward:
        """Return the reward of an entrant."""
        return next(each for each in self.rewards.rewards.values() if f".{entrant}." in each.source)

    def sealed(self) -> Seal | None:
        """Return the seal."""
        return sealed(self.draws, self.id)

    def result(self) -> Result | None:
        """Return the result."""
        return result_of(self.draws, self.id)

    def places(self) -> list[Place]:
        """Return the whole ranking."""
        result = self.result()
        assert result is not None
        return [place for page in range(result.pages) for place in ranked_places(self.draws, self.id, page)]

    def moves(self) -> list[Move]:
        """Return the prizes that came back."""
        return [read_move(text) for _, text in self.draws.list(self.id, MOVES)]

    def receipt(self) -> dict[str, Any]:
        """Return the receipt, put together of its pages."""
        publish, parts, after = self.publisher(), [], None
        while True:
            page = publish(self.id, after)
            assert page is not None
            parts.append(page.receipt)
            if page.next is None:
                return join(parts)
            after = page.next

    def holders(self) -> dict[str, str]:
        """Return entrant -> slot of everybody who has a prize, as the records say."""
        return {
            record.name: entry.won.slot
            for (_, _), record in self.entrants.records.items()
            for entry in record.entries
            if entry.won is not None and entry.won.fate is Fate.WON
        }

    def claimed(self) -> list[tuple[str, str]]:
        """Return (name of the claim, slot) of every unit that somebody has, as stock says."""
        return [
            (name, entry.slot)
            for shard in self.stock.shards.values()
            for name, entry in shard.entries()
            if entry.state == CONFIRMED
        ]

    def check(self) -> None:
        """Assert what must hold at any moment: no unit twice, no shopper two, no prize over its stock."""
        claimed, layout = self.claimed(), self.campaign.layout
        assert layout is not None
        assert max(Counter(name for name, _ in claimed).values(), default=0) <= 1
        for slot, units in Counter(slot for _, slot in claimed).items():
            assert units <= layout.stock[slot]
        names = {
            claim_name(entry_id(self.id, record.name, number)): record.name
            for (_, _), record in self.entrants.records.items()
            for number in range(1, len(record.entries) + 1)
        }
        assert max(Counter(names[name] for name, _ in claimed).values(), default=0) <= 1
        for record in self.entrants.records.values():
            assert sum(entry.won is not None for entry in record.entries) <= 1
        assert self.holders().keys() <= {names[name] for name, _ in claimed}

    def check_done(self) -> None:
        """Assert what must hold when nothing is left to do: who should hold a prize does, and nobody else."""
        self.check()
        result = self.result()
        assert result is not None
        should = {place.entrant: place.slot for place in self.places() if place.slot is not None}
        for move in self.moves():
            slot = should.pop(move.forfeited)
            if move.reserve is not None:
                should[move.reserve] = slot
        assert self.holders() == should
        assert sorted(slot for _, slot in self.claimed()) == sorted(slot for slot in should.values() if slot)
        assert len(self.claimed()) == len(should)

    def stored(self) -> dict[str, str | None]:
        """Return what never changes once it is there."""
        return {part: self.draws.read(self.id, part) for part in (SEAL, RESULT)}


def round_time(campaign: Campaign) -> int:
    """Return when the draw's round of the beacon is out, or its time."""
    assert campaign.lottery is not None
    assert campaign.lottery.draw is not None
    return due_at(campaign.lottery.draw)
