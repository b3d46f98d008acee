"""The backend with everything between a sale and the queue of deliveries, over fakes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from brandday.domain.campaign import Campaign
from brandday.domain.fulfilment import ConnectorChoice, Fulfilment, RewardKind, RewardTerms
from brandday.domain.money import Money
from brandday.domain.reward import Reward
from brandday.domain.shard import CONFIRMED
from brandday.domain.stock import Claim
from brandday.usecases.dispatch_rewards import DispatchRewards, RewardChanged
from brandday.usecases.issue_rewards import IssueRewards, RebuildRewards
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.manage_rewards import ManageRewards, Owners
from brandday.usecases.sweep_rewards import SweepRewards
from tests.fakes.backend import CLOSES, OPENS, SALE, SALT, Backend, sale, sku
from tests.fakes.memory_fulfilment_queue import MemoryFulfilmentQueue
from tests.fakes.memory_rewards import MemoryCipher, MemoryRewards
from tests.fakes.tap import tapped

DAY_MS = 24 * 60 * 60 * 1000
CLAIM_UNTIL = CLOSES + 7 * DAY_MS
PARTNER = ConnectorChoice("webhook", {"url": "https://partner.example/brandday", "secret": "brandday/partner"})
FULFILMENT = Fulfilment(
    by_kind={kind: PARTNER for kind in RewardKind if kind is not RewardKind.ORDER},
    claim_until=CLAIM_UNTIL,
    approve_over=Money(50_000, "CNY"),
)


def prizes(
    kind: RewardKind = RewardKind.PHYSICAL, *, stock: int = 4, value: Money | None = None, **changes: Any
) -> Campaign:
    """Return a published campaign whose one SKU is given away as `kind`."""
    what = replace(sku(stock=stock, per_shopper=2), reward=RewardTerms(kind, value))
    return sale(what, **({"fulfilment": FULFILMENT} | changes))


class RewardBackend(Backend):
    """One campaign's world with its rewards; the tap sees the calls to these, too."""

    def __init__(self, campaign: Campaign | None = None, *, now: int = OPENS) -> None:
        super().__init__(campaign or prizes(), now=now)
        self.campaigns.salt = SALT
        self.rewards = MemoryRewards()
        self.fulfilments = MemoryFulfilmentQueue()
        self.cipher = MemoryCipher()

    def win(self, shopper: str, quantity: int = 1, *, order: str | None = None) -> str:
        """Let a shopper buy (with prizes: win) units; return the id that the reward will have."""
        environment = self.environment()
        made = environment.reserve(shopper, quantity=quantity, key=f"key-{self.clock()}").reservation
        environment.confirm(made.id, order or f"order-{shopper}")
        _, _, name, attempt = made.id.split(".")
        return f"rwd_{name}.{attempt}.{SALE}"

    # --- who acts ---

    def issuer(self) -> IssueRewards:
        """Return a cold environment of the stock stream's second consumer."""
        return IssueRewards(self.live(), tapped(self.rewards, "rewards", self.tap), self.clock)

    def rebuilder(self) -> RebuildRewards:
        """Return what makes good what the stream has lost."""
        return RebuildRewards(self.issuer(), tapped(self.stock, "stock", self.tap))

    def dispatcher(self) -> DispatchRewards:
        """Return a cold environment of the rewards' stream's consumer."""
        return DispatchRewards(tapped(self.fulfilments, "fulfilments", self.tap))

    def reward_sweeper(self) -> SweepRewards:
        """Return a cold environment of the rewards' schedule."""
        return SweepRewards(
            self.live(),
            tapped(self.campaigns, "campaigns", self.tap),
            tapped(self.rewards, "rewards", self.tap),
            tapped(self.stock, "stock", self.tap),
            self.clock,
        )

    def manager(self) -> ManageRewards:
        """Return a cold environment of the shoppers' rewards."""
        return ManageRewards(
            tapped(self.rewards, "rewards", self.tap),
            self.live(),
            Owners(self.campaigns.known_salt),
            tapped(self.cipher, "cipher", self.tap),
            self.clock,
        )

    def live(self) -> LiveCampaigns:
        """Return a cold environment's campaigns."""
        return LiveCampaigns(tapped(self.campaigns, "campaigns", self.tap), self.clock)

    # --- what happens in the background, when a test says so ---

    def issue(self) -> None:
        """Let the stock stream become rewards, to its end; a batch leaves the stream when it was handled."""
        while self.stock.stream:
            batch = self.stock.stream[:100]
            self.issuer()(batch)
            del self.stock.stream[: len(batch)]

    def dispatch(self) -> None:
        """Let the rewards' stream become messages, to its end."""
        while self.rewards.changes:
            batch = self.rewards.changes[:100]
            self.dispatcher()([RewardChanged(before, after) for before, after in batch])
            del self.rewards.changes[: len(batch)]

    # --- the truth ---

    def reward(self, reward_id: str) -> Reward:
        """Return a reward as it is."""
        reward = self.rewards.get(reward_id)
        assert reward is not None
        return reward

    def sales(self) -> list[tuple[str, Claim]]:
        """Return every sale that stands, with its shopper's name."""
        return [
            (who, Claim(shard.number, entry))
            for shard in self.shards()
            for who, entry in shard.entries()
            if entry.state == CONFIRMED
        ]

    def alter(self, reward_id: str, **changes: Any) -> Reward:
        """Make something of a reward that others do to it (a worker, an operator)."""
        reward = self.reward(reward_id)
        assert self.rewards.save(reward, replace(reward, **changes))
        return self.reward(reward_id)
