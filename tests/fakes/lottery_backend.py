"""The backend with a lottery in it, over fakes: entries, their stream, their rewards."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from brandday.domain.campaign import Campaign, Shopper, Sku
from brandday.domain.entrant import Entrant, Fate, claim_name, entry_id
from brandday.domain.entry_view import Entered, EntriesView, EntryView
from brandday.domain.errors import BrandDayError
from brandday.domain.fulfilment import RewardKind, RewardTerms
from brandday.domain.layout import plan_layout
from brandday.domain.lottery import Allowance, AtOnce, Compliance, Draw, Lottery, LotteryMode, Prize, ReleasePlan
from brandday.domain.lottery_state import freeze
from brandday.domain.money import Money
from brandday.domain.receipt import instant_receipt
from brandday.domain.receipt_check import verify
from brandday.domain.shard import CONFIRMED
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.enter_lottery import EnterLottery, GrantChances
from brandday.usecases.issue_wins import IssueWins, RebuildWins
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_lotteries import LiveLotteries
from brandday.usecases.settle_entries import Records, ReturnPrizes, SettleEntries
from brandday.usecases.sweep_rewards import SweepRewards
from tests.fakes.backend import CLOSES, OPENS, SALE, SALT, sale, web_shopper
from tests.fakes.memory_entrants import MemoryEntrants
from tests.fakes.memory_tallies import MemoryTallies
from tests.fakes.reward_backend import DAY_MS, FULFILMENT, RewardBackend
from tests.fakes.tap import tapped

SEED = hashlib.sha256(b"a seed for tests").digest()
COMPLIANCE = Compliance("Shop Ltd", "help@shop.example", {"en": "18 and over"}, {"en": "by e-mail"}, {"en": "redrawn"})
SURE = Fraction(1)
DAYS = tuple(range(OPENS, CLOSES, DAY_MS))


def prize(
    name: str = "mug",
    stock: int = 1,
    odds: Fraction | None = SURE,
    *,
    release: ReleasePlan = AtOnce(),  # noqa: B008
    kind: RewardKind = RewardKind.PHYSICAL,
    **changes: Any,
) -> Prize:
    """Return a prize; without further words every entry hits it."""
    return Prize(name, {"en": name}, stock, odds, release=release, reward=RewardTerms(kind), **changes)


def lottery(
    *prizes: Prize, per_day: int = 40, per_campaign: int = 40, earned: int = 0, shards: int | None = None, **rules: Any
) -> Campaign:
    """Return a published lottery; ``shards`` overrides how many shards its prizes would be split over."""
    chosen = prizes or (prize(),)
    declared = Lottery(
        rules.pop("mode", LotteryMode.INSTANT), chosen, Allowance(per_day, per_campaign, earned), COMPLIANCE, **rules
    )
    skus = tuple(_pool(each) for each in chosen)
    layout = plan_layout(skus, SALT)
    layout = replace(layout, shards=shards or layout.shards)
    luck = freeze(declared, SALE, (OPENS, CLOSES), DAYS, layout.shards, seed=SEED, entry_salt=bytes(16))
    campaign = sale(*skus, mechanic="lottery", limit=1, lottery=declared, luck=luck, layout=layout)
    return replace(campaign, fulfilment=FULFILMENT, hold_seconds=0, extend_seconds=0)


def draw(*prizes: Prize, **rules: Any) -> Campaign:
    """Return a published lottery with a draw at its end."""
    chosen = prizes or (prize("trip", odds=None),)
    return lottery(*chosen, mode=LotteryMode.DRAW, draw=Draw(CLOSES + 1), **rules)


def _pool(each: Prize) -> Sku:
    return Sku(each.id, each.title, Money(0, "XXX"), Money(0, "XXX"), each.stock, 1, each.reward)


@dataclass
class Desk:
    """One execution environment that takes entries, with its own memory."""

    live: LiveCampaigns
    lotteries: LiveLotteries
    use: EnterLottery
    grants: GrantChances

    def enter(self, shopper: str | Shopper, key: str = "key-1", visit: Visit = NO_VISIT) -> Entered:
        """Enter for a shopper of the web channel, or for the one given."""
        return self.use.enter(web_shopper(shopper) if isinstance(shopper, str) else shopper, SALE, key, visit)

    def refused(self, shopper: str | Shopper, key: str = "key-1", visit: Visit = NO_VISIT) -> BrandDayError:
        """Enter in vain; return the refusal."""
        try:
            entered = self.enter(shopper, key, visit)
        except BrandDayError as refusal:
            return refusal
        raise AssertionError(f"was not refused: {entered}")

    def get(self, shopper: str, entry: str) -> EntryView:
        """Look at an entry."""
        return self.use.get(web_shopper(shopper), entry)

    def list_entries(self, shopper: str) -> EntriesView:
        """Look at all entries of a shopper."""
        return self.use.list_entries(web_shopper(shopper), SALE)

    def grant(self, shopper: str, grant_id: str, chances: int = 1) -> bool:
        """Give a shopper earned chances."""
        return self.grants(SALE, shopper, grant_id, chances)


class LotteryBackend(RewardBackend):
    """One lottery's world; the tap sees the calls to its records, too."""

    def __init__(self, campaign: Campaign | None = None, *, now: int = OPENS) -> None:
        super().__init__(campaign or lottery(), now=now)
        self.campaigns.seeds[SALE] = SEED
        self.entrants = MemoryEntrants()
        self.tallies = MemoryTallies(self.stock, self.entrants)

    # --- who acts ---

    def desk(self) -> Desk:
        """Return a cold environment of the shoppers' entries."""
        live = self.live()
        lotteries, records = self._lotteries(live), self._records()
        entrants = tapped(self.entrants, "entrants", self.tap)
        return Desk(
            live,
            lotteries,
            EnterLottery(
                lotteries, entrants, records, self.clock, self.gate, tapped(self.tallies, "tallies", self.tap)
            ),
            GrantChances(lotteries, entrants, self.clock),
        )

    def warm_desk(self) -> Desk:
        """Return an environment that has its config and the seed already."""
        desk = self.desk()
        desk.lotteries.get(SALE)
        return desk

    def wins_issuer(self) -> IssueWins:
        """Return a cold environment of the entries' stream's consumer."""
        live = self.live()
        settle = SettleEntries(self._lotteries(live), self._records(), self.clock)
        return IssueWins(live, settle, tapped(self.rewards, "rewards", self.tap), self.clock)

    def wins_rebuilder(self) -> RebuildWins:
        """Return what makes good what the stream has lost."""
        return RebuildWins(self.live(), self.wins_issuer(), tapped(self.entrants, "entrants", self.tap))

    def reward_sweeper(self) -> SweepRewards:
        """Return a cold environment of the rewards' schedule."""
        return SweepRewards(
            self.live(),
            tapped(self.campaigns, "campaigns", self.tap),
            tapped(self.rewards, "rewards", self.tap),
            tapped(self.stock, "stock", self.tap),
            self.clock,
            ReturnPrizes(self._records()),
        )

    def _lotteries(self, live: LiveCampaigns) -> LiveLotteries:
        return LiveLotteries(live, tapped(self.campaigns, "campaigns", self.tap))

    def _records(self) -> Records:
        return Records(tapped(self.entrants, "entrants", self.tap), tapped(self.stock, "stock", self.tap))

    # --- what happens in the background, when a test says so ---

    def issue_wins(self) -> None:
        """Let the entries' stream be handled to its end; a batch leaves the stream when it was handled."""
        while self.entrants.stream:
            batch = self.entrants.stream[:100]
            self.wins_issuer()(batch)
            del self.entrants.stream[: len(batch)]

    # --- the truth ---

    def name(self, shopper: str) -> str:
        """Return the name of a shopper in this lottery."""
        assert self.campaign.luck is not None
        return self.campaign.luck.entrant(shopper)

    def record(self, shopper: str) -> Entrant:
        """Return a shopper's record."""
        return self.entrants.records[SALE, self.name(shopper)]

    def records(self) -> list[Entrant]:
        """Return all records in order."""
        return [record for _, record in sorted(self.entrants.records.items())]

    def taken(self) -> dict[tuple[str, str, int, int], int]:
        """Return every unit that is taken: (claim's name, slot, shard, attempt) -> how many."""
        found: dict[tuple[str, str, int, int], int] = {}
        for shard in self.shards():
            for who, entry in shard.entries():
                if entry.state == CONFIRMED:
                    key = (who, entry.slot, shard.number, entry.attempt)
                    found[key] = found.get(key, 0) + entry.units
        return found

    def check_entries(self, *, settled: bool = True) -> None:
        """Assert what must always hold: units and wins are the same thing, no shopper over an allowance.

        ``settled``: nothing is on its way any more, so each unit has its win; before, a pending entry may own one, and
        one whose prize goes back still does.
        """
        self.check()
        taken = self.taken()
        assert all(units == 1 for units in taken.values())
        assert len({who for who, *_ in taken}) == len(taken), "an entry has two units"
        recorded, on_the_way = set(), set()
        for record in self.records():
            for number, entry in enumerate(record.entries, 1):
                claim = claim_name(entry_id(SALE, record.name, number))
                if entry.won is not None and entry.won.fate is Fate.WON:
                    assert entry.won.shard is not None
                    assert entry.won.at is not None
                    recorded.add((claim, entry.won.slot, entry.won.shard, entry.won.at))
                if entry.pending or (not settled and entry.won and entry.won.fate is Fate.RETURNED):
                    on_the_way.add(claim)
        assert recorded <= set(taken), "a win has no unit"
        unrecorded = set(taken) - recorded
        assert all(who in on_the_way for who, *_ in unrecorded), "a unit is nobody's"
        assert not (settled and on_the_way)

    def problems(self) -> Sequence[object]:
        """Return what whoever verifies the receipt would find wrong."""
        lottery = self.desk().lotteries.get(SALE)
        return verify(instant_receipt(lottery.rules, self.records()))
