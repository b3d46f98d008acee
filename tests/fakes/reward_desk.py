"""What operators and partners work with, over the rewards in memory: trails, dead letters, secrets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from brandday.connectors import CONNECTORS
from brandday.connectors.port import SecretMissing, SecretUnreadable
from brandday.domain.campaign import Campaign
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.reward import Reward, RewardStatus
from brandday.domain.trail import TrailEntry
from brandday.domain.webhook_signature import sign
from brandday.usecases.dead_letter_ports import DeadLetter, QueueCounts, QueueName
from brandday.usecases.operate_rewards import OperateRewards
from brandday.usecases.redrive_queues import RedriveQueues
from brandday.usecases.take_reports import TakeReports
from tests.fakes.memory_campaigns import MemoryCampaigns
from tests.fakes.memory_rewards import MemoryRewards
from tests.fakes.reward_backend import RewardBackend
from tests.fakes.tap import tapped

SECRET = b"whsec_c2VjcmV0LW9mLXRoZS1wYXJ0bmVyLTE="
APPLIER, COLLEAGUE = "operator-1", "operator-2"


@dataclass
class MemoryActs:
    """Rewards and trails written together: the port `RewardActs`."""

    rewards: MemoryRewards
    campaigns: MemoryCampaigns

    def save(self, before: Reward, after: Reward, entry: TrailEntry) -> bool:
        """Write both or neither."""
        saved = self.rewards.save(before, after)
        if saved:
            self.campaigns.trails.setdefault(after.campaign_id, []).append(entry)
        return saved

    def has_done(self, campaign_id: str, who: str, act: str) -> bool:
        """Look through the whole trail."""
        trail = self.campaigns.trails.get(campaign_id, [])
        return any((entry.who, entry.act) == (who, act) for entry in trail)


@dataclass
class MemoryOperatedQueue:
    """A queue and its dead letters; what was received is hidden until `show`. `full` refuses all that is sent."""

    dead: dict[str, DeadLetter] = field(default_factory=dict)
    back: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    full: bool = False
    live: bool = True

    def bury(self, body: str, sent_at: int) -> None:
        """Give a message up."""
        handle = f"handle-{len(self.dead)}-{sent_at}-{body}"
        self.dead[handle] = DeadLetter(handle, body, sent_at)

    def show(self) -> None:
        """Let the time pass after which hidden dead letters can be received again."""
        self.hidden.clear()

    def counts(self) -> QueueCounts:
        """Count them all."""
        return QueueCounts(len(self.dead), len(self.back), 0, 0) if self.live else QueueCounts(len(self.dead))

    def receive(self, limit: int) -> Sequence[DeadLetter]:
        """Receive some that are not hidden, and hide them."""
        assert 1 <= limit <= 10
        letters = [letter for handle, letter in self.dead.items() if handle not in self.hidden][:limit]
        self.hidden |= {letter.handle for letter in letters}
        return letters

    def send_back(self, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Put copies where they came from."""
        if self.full:
            return []
        self.back += [letter.body for letter in letters]
        return letters

    def delete(self, letters: Sequence[DeadLetter]) -> None:
        """Remove them."""
        for letter in letters:
            self.dead.pop(letter.handle, None)


@dataclass
class MemorySecrets:
    """Secrets by name, the newest first; `asked` are the names that were looked up."""

    values: dict[str, list[bytes]] = field(default_factory=lambda: {"brandday/partner": [SECRET]})
    unreadable: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def get(self, name: str, *, fresh: bool = False) -> Sequence[bytes]:  # noqa: ARG002 - always
        """Return the live values, which are always fresh."""
        self.asked.append(name)
        if name in self.unreadable:
            raise SecretUnreadable("is not ours to read")
        if name not in self.values:
            raise SecretMissing(name)
        return self.values[name]


class RewardDesk(RewardBackend):
    """A campaign's world with those who operate it and those who report on it. `APPLIER` has applied the campaign."""

    def __init__(self, campaign: Campaign | None = None) -> None:
        super().__init__(campaign)
        self.secrets = MemorySecrets()
        self.acts = MemoryActs(self.rewards, self.campaigns)
        self.queues = {name: MemoryOperatedQueue(live=name is not QueueName.STREAM) for name in QueueName}
        self.did(APPLIER, "apply")

    def did(self, who: str, act: str) -> None:
        """Add an act to the campaign's trail."""
        trail = self.campaigns.trails.setdefault(self.campaign.id, [])
        trail.append(TrailEntry(f"entry-{len(trail)}", self.clock(), who, act, len(trail), ()))

    def trail(self) -> list[tuple[str, str, str]]:
        """Return who did what to which reward."""
        trail = self.campaigns.trails[self.campaign.id]
        return [(entry.who, entry.act, entry.changes[0].path[1]) for entry in trail if entry.changes]

    def bury(self, reward_id: str) -> None:
        """Put the message of a reward among the dead letters, as a worker does."""
        body = json.dumps({"reward_id": reward_id, "cycle": self.reward(reward_id).cycle, "sent": 1})
        self.queues[QueueName.FULFILMENTS].bury(body, self.clock())

    def won(self, number: int) -> list[str]:
        """Let so many shoppers win; return their rewards' ids."""
        ids = [self.win(f"shopper-{each}") for each in range(number)]
        self.issue()
        return ids

    def failed(self, number: int) -> list[str]:
        """Let so many rewards fail, each with its dead letter."""
        ids = self.won(number)
        for reward_id in ids:
            self.alter(
                reward_id, status=RewardStatus.FAILED, words="404 gone", status_at=self.clock(), pending_since=None
            )
            self.bury(reward_id)
        return ids

    def operate(self) -> OperateRewards:
        """Return a cold environment of the operators' acts."""
        return OperateRewards(
            tapped(self.rewards, "rewards", self.tap),
            tapped(self.acts, "acts", self.tap),
            tapped(self.campaigns, "campaigns", self.tap),
            CONNECTORS,
            self.clock,
            bytes,
        )

    def redrive_queues(self) -> RedriveQueues:
        """Return a cold environment of what operators do about whole queues."""
        return RedriveQueues(
            {name: tapped(queue, f"queue.{name}", self.tap) for name, queue in self.queues.items()},
            tapped(self.campaigns, "campaigns", self.tap),
            tapped(self.rewards, "rewards", self.tap),
            self.operate().redrive_failed,
            self.rebuilder(),
            self.clock,
        )

    def reports(self) -> TakeReports:
        """Return a cold environment of the partners' reports."""
        return TakeReports(tapped(self.rewards, "rewards", self.tap), self.live(), self.secrets, CONNECTORS, self.clock)


def signed(body: bytes, now: int, *, secret: bytes = SECRET, message_id: str = "msg-1") -> dict[str, str]:
    """Return the headers of a report that was signed at `now` (epoch ms)."""
    seconds = now // 1000
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": sign([secret], message_id, seconds, body),
    }


def busy_once(desk: RewardDesk, name: str) -> None:
    """Let the next call of that name find the database too busy."""

    def fail(called: str) -> None:
        if called == name:
            desk.tap.before = lambda _: None
            raise TemporarilyOverloaded

    desk.tap.before = fail
