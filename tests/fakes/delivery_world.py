"""Rewards on their way to partners, over fakes: the queue keeps time as SQS does, and workers are as many as wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from types import SimpleNamespace
from typing import Any

from brandday.adapters.fulfilment_queue import dispatch_body, read_dispatch
from brandday.connectors import CONNECTORS
from brandday.connectors.port import Tools
from brandday.domain.campaign import Campaign
from brandday.domain.fulfilment import ConnectorChoice, Fulfilment, RewardKind
from brandday.domain.reward import Reward, RewardStatus, begin
from brandday.domain.reward_id import reward_id
from brandday.entrypoints.on_fulfilment_due import LambdaHandler, build_handler
from brandday.usecases.circuit_breakers import CircuitBreakers
from brandday.usecases.deliver_rewards import DeliverRewards
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.reward_ports import Dispatch
from tests.fakes.backend import OPENS, SALE, sale
from tests.fakes.clock import SettableClock
from tests.fakes.memory_breakers import MemoryBreakers, MemoryDeadLetters
from tests.fakes.memory_campaigns import MemoryCampaigns, MemorySummaries
from tests.fakes.memory_rewards import MemoryCipher, MemoryRewards
from tests.fakes.outside_world import OutsideWorld
from tests.fakes.tap import Tap, tapped

HOST = "partner.example"
TIMEOUT_MS = 10_000
LAMBDA_MS = 120_000
VISIBILITY_MS = 720_000
HOUR_MS = 3_600_000
ADDRESS = {"name": "Ann", "line1": "1 Long Lane", "country": "NL"}


def webhook(host: str = HOST) -> ConnectorChoice:
    """Return the choice of a partner's webhook."""
    return ConnectorChoice("webhook", {"url": f"https://{host}/brandday?x=1", "secret": "brandday/partner"})


@dataclass
class Message:
    """One message as SQS keeps it."""

    number: int
    body: str
    visible_at: int
    receives: int = 0


@dataclass
class SqsInVirtualTime:
    """A standard queue: receiving hides a message, deleting ends it; `postpone` says when it comes again."""

    clock: SettableClock
    messages: dict[int, Message] = field(default_factory=dict)
    numbers: Any = field(default_factory=count)

    def add(self, body: str) -> None:
        """Put a message in."""
        number = next(self.numbers)
        self.messages[number] = Message(number, body, self.clock())

    def receive(self, limit: int) -> list[Message]:
        """Take what is visible; it is hidden for the queue's visibility time-out."""
        visible = [message for message in self.messages.values() if message.visible_at <= self.clock()][:limit]
        for message in visible:
            message.receives += 1
            message.visible_at = self.clock() + VISIBILITY_MS
        return visible

    def postpone(self, receipt_handle: str, wait_ms: int) -> None:
        """Let a received message come again."""
        message = self.messages.get(int(receipt_handle))
        if message is not None:
            message.visible_at = self.clock() + -(-wait_ms // 1000) * 1000

    def delete(self, number: int) -> None:
        """It is done."""
        self.messages.pop(number, None)


class DeliveryWorld:
    """Campaigns, rewards, a queue and what is outside; `tap` sees every call that leaves a worker."""

    def __init__(self, now: int = OPENS) -> None:
        self.clock = SettableClock(now)
        self.tap = Tap()
        self.rewards = MemoryRewards()
        self.campaigns = MemoryCampaigns(MemorySummaries())
        self.cipher = MemoryCipher()
        self.breakers = MemoryBreakers()
        self.dead_letters = MemoryDeadLetters()
        self.outside = OutsideWorld(self.clock)
        self.queue = SqsInVirtualTime(self.clock)
        self.lines: list[Mapping[str, Any]] = []
        self._holders = count(1)
        self.put(self.campaign())

    # --- what there is ---

    @staticmethod
    def campaign(campaign_id: str = SALE, choice: ConnectorChoice | None = None, **changes: Any) -> Campaign:
        """Return a campaign all of whose rewards go to one destination."""
        chosen = choice or webhook()
        fulfilment = Fulfilment(by_kind=dict.fromkeys(RewardKind, chosen), claim_until=OPENS + 1000 * HOUR_MS)
        return replace(sale(**changes), id=campaign_id, fulfilment=fulfilment)

    def put(self, campaign: Campaign) -> None:
        """Let there be a campaign."""
        self.campaigns.campaigns[campaign.id] = campaign

    def reward(self, number: int = 0, *, kind: RewardKind = RewardKind.DIGITAL, campaign_id: str = SALE) -> Reward:
        """Let there be a pending reward, and its message in the queue."""
        owner = f"owner{number:07d}"
        at = self.clock() + number
        identity = reward_id(owner, at, campaign_id)
        new = Reward(
            id=identity,
            owner=owner,
            campaign_id=campaign_id,
            kind=kind,
            sku="HERO",
            quantity=2,
            source=f"rsv_{campaign_id}.0.{owner}.0000000{number % 10}",
            created_at=self.clock(),
            status=RewardStatus.PENDING,
            status_at=self.clock(),
            time_limit_ms=72 * HOUR_MS,
            order_id=f"order-{number}",
        )
        pending = begin(replace(new, kind=RewardKind.ORDER), self.clock(), needs_approval=False, has_connector=True)
        sealed = self.cipher.encrypt(identity, json.dumps(ADDRESS).encode()) if kind.needs_address else None
        assert self.rewards.create(replace(pending, kind=kind, address=sealed))
        stored = self.now(identity)
        self.queue.add(dispatch_body(Dispatch(stored.id, stored.cycle, stored.sent)))
        return stored

    def now(self, reward: Reward | str) -> Reward:
        """Return a reward as it is."""
        found = self.rewards.get(reward if isinstance(reward, str) else reward.id)
        assert found is not None
        return found

    def alter(self, reward: Reward, **changes: Any) -> Reward:
        """Make something of a reward that others do to it."""
        known = self.now(reward)
        assert self.rewards.save(known, replace(known, **changes))
        return self.now(reward)

    # --- who acts ---

    def deliver(self, jitter: Callable[[], float] = lambda: 0.5) -> DeliverRewards:
        """Return a cold environment of the worker."""
        outside = tapped(self.outside, "outside", self.tap)
        return DeliverRewards(
            tapped(self.rewards, "rewards", self.tap),
            LiveCampaigns(tapped(self.campaigns, "campaigns", self.tap), self.clock),
            CONNECTORS,
            Tools(outside, outside, outside, TIMEOUT_MS, email_sender="brandday@shop.example"),
            tapped(self.cipher, "cipher", self.tap),
            CircuitBreakers(tapped(self.breakers, "breakers", self.tap), self.clock),
            tapped(self.dead_letters, "dead_letters", self.tap),
            self.clock,
            jitter,
            lambda: f"worker-{next(self._holders)}",
        )

    def worker(self) -> LambdaHandler:
        """Return a cold environment of the whole function."""
        return build_handler(
            self.deliver(),
            tapped(self.queue, "queue", self.tap),
            tapped(self.dead_letters, "dead_letters", self.tap),
            read_dispatch,
            write=self.lines.append,
        )

    def poll(self, worker: LambdaHandler, limit: int = 5, *, delete_first: bool = False) -> int:
        """Let Lambda receive a batch, call the worker, and delete what has succeeded; return how many there were.

        `delete_first` is how Lambda does not do it.
        """
        batch = self.queue.receive(limit)
        for message in batch if delete_first else ():
            self.queue.delete(message.number)
        if batch:
            ends_at = self.clock() + LAMBDA_MS
            context = SimpleNamespace(get_remaining_time_in_millis=lambda: ends_at - self.clock())
            answer = worker({"Records": [_record(message) for message in batch]}, context)
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            for message in batch:
                if f"message-{message.number}" not in failed:
                    tapped(self.queue, "queue", self.tap).delete(message.number)
        return len(batch)

    def run(self, until: int, worker: LambdaHandler | None = None) -> None:
        """Work until the queue is empty or it is `until`; where nothing is visible, time passes."""
        working = worker or self.worker()
        while self.queue.messages and self.clock() < until:
            if not self.poll(working):
                self.clock.now = max(self.clock() + 1, min(each.visible_at for each in self.queue.messages.values()))


def _record(message: Message) -> dict[str, Any]:
    return {
        "messageId": f"message-{message.number}",
        "receiptHandle": str(message.number),
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receives)},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }
