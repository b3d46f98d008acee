"""Many rewards on the deployed stack, and trouble for those who move them: kills, repetitions, a partner's moods."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from brandday.adapters.campaign_table import CampaignTable
from brandday.adapters.fulfilment_queue import FulfilmentQueue
from brandday.adapters.reward_table import RewardTable
from brandday.adapters.stock_table import StockTable
from brandday.domain.layout import Layout, home_shard
from brandday.domain.reward import RewardStatus
from brandday.domain.reward_id import reward_id
from brandday.domain.shard import CONFIRMED, Entry, RecordChange, ShardWrite, Written, encode_entry
from brandday.usecases.reward_ports import Dispatch
from brandday_local.examples import command, environment
from brandday_local.places import ROOT
from brandday_local.stack import LocalStack
from tests.e2e.waiting import eventually
from tests.local_environments import environments_of

CLAIMS_PER_WRITE = 6


def brandday(stack: LocalStack, *arguments: str) -> str:
    """Run the operator's command on the stack; its output."""
    done = subprocess.run(
        [command(), *arguments], env=environment(stack), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"brandday {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def put_on_sale(stack: LocalStack, folder: Path, campaign_id: str, units: int) -> None:
    """Publish a campaign whose orders are handed over by the stack's partner."""
    file = folder / f"{campaign_id}.yaml"
    file.write_text(
        f"""\
id: {campaign_id}
title: {{en: Fulfilled}}
mechanic: flash_sale
status: published
time_zone: UTC
starts_at: 2025-01-01T00:00:00
ends_at: 2100-01-01T00:00:00
channels: [web]
limit_per_shopper: 1
hold_seconds: 600
late_payment: reclaim
skus:
  - sku: HERO
    title: {{en: Hero}}
    list_price: {{amount: 200, currency: CNY}}
    sale_price: {{amount: 100, currency: CNY}}
    stock: {units}
    units_per_shopper: 1
fulfilment:
  by_kind:
    order: {{connector: webhook, url: "{stack.receiver_url}/webhook", secret: brandday/partner}}
""",
        encoding="utf-8",
    )
    brandday(stack, "apply", str(file), "--yes")


@dataclass(frozen=True)
class Sale:
    """All units of a campaign, each to another shopper; `rewards` are the ids of what they become."""

    stack: LocalStack
    campaign_id: str
    layout: Layout
    owners: Mapping[int, Sequence[str]]
    at: int

    @classmethod
    def plan(cls, stack: LocalStack, campaign_id: str) -> Sale:
        """Return the sale of everything, before anything is sold."""
        layout = layout_of(stack, campaign_id)
        return cls(stack, campaign_id, layout, _owners(layout), int(time.time() * 1000))

    @property
    def rewards(self) -> list[str]:
        """Ids of the rewards."""
        return [reward_id(name, self.at, self.campaign_id) for names in self.owners.values() for name in names]

    def happen(self, pause_seconds: float, until: Callable[[], bool]) -> None:
        """Write paid claims of all these shoppers straight into the shards, a few at once and with pauses.

        The last write waits for `until`, so that there is something to follow afterwards.

        Two thousand purchases over HTTP would take minutes and prove nothing about what happens after them. The writes
        are the product's own: the same conditions, one record per shopper.
        """
        table = StockTable(self.stack.aws.tables, self.stack.stock_table)
        batches = [
            (shard, names[first : first + CLAIMS_PER_WRITE])
            for shard, names in self.owners.items()
            for first in range(0, len(names), CLAIMS_PER_WRITE)
        ]
        random.shuffle(batches)
        for number, (shard, names) in enumerate(batches):
            if number == len(batches) - 1:
                eventually(until)
            changes = tuple(
                RecordChange(
                    name, None, encode_entry(Entry(CONFIRMED, "0", 1, self.at, "aaaaaa", f"order-{number}-{nth}"))
                )
                for nth, name in enumerate(names)
            )
            write = ShardWrite(shard, changes, {"0": -len(names)}, {"0": self.layout.capacity("0", shard)})
            assert isinstance(table.write(self.campaign_id, write), Written)
            time.sleep(pause_seconds)


def _owners(layout: Layout) -> dict[int, list[str]]:
    """Names of made-up shoppers, as many per shard as it has units, each in their home shard."""
    owners: dict[int, list[str]] = {shard: [] for shard in range(layout.shards)}
    missing, number = sum(layout.stock.values()), 0
    while missing:
        name = layout.name_of(f"shopper-{number}")
        number += 1
        home = home_shard(name, layout.shards)
        if len(owners[home]) < layout.capacity("0", home):
            owners[home].append(name)
            missing -= 1
    return owners


def layout_of(stack: LocalStack, campaign_id: str) -> Layout:
    """Return a published campaign's layout."""
    campaign, _ = CampaignTable(stack.aws.tables, stack.campaign_table).load(campaign_id, consistent=True)
    assert campaign.layout is not None
    return campaign.layout


# --- trouble --------------------------------------------------------------------------------------------------------


@contextmanager
def trouble(makers: Sequence[Callable[[threading.Event], None]]) -> Iterator[None]:
    """Let each make trouble in a thread of its own until the block ends; their errors are raised then."""
    over, failures = threading.Event(), list[BaseException]()

    def run(make: Callable[[threading.Event], None]) -> None:
        try:
            make(over)
        except BaseException as error:  # raised below, where the test sees it
            failures.append(error)

    threads = [threading.Thread(target=run, args=(make,)) for make in makers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failures, failures


@dataclass
class Killer:
    """Kills environments of functions at random moments (SIGKILL: no clean-up, nothing said), each function as often.

    It ends: what is claimed is that everything arrives after trouble, and how long that takes while trouble goes on is
    a question to the machine.
    """

    stack: LocalStack
    functions: Sequence[str]
    pause_seconds: tuple[float, float]
    times: int
    kills: Counter[str] = field(default_factory=Counter)

    def __call__(self, over: threading.Event) -> None:
        """Kill until each function was killed so many times, or it is over."""
        while self._left() and not over.wait(random.uniform(*self.pause_seconds)):
            environments = [
                (function, pid)
                for pid, name in environments_of(self.stack)
                for function in self._left()
                if f"-{function}-" in name
            ]
            if environments:
                least = min(self.kills[function] for function, _ in environments)
                function, pid = random.choice([each for each in environments if self.kills[each[0]] == least])
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.kills[function] += 1

    def has_killed_each(self) -> bool:
        """Whether each function was killed at least once."""
        return all(self.kills[function] for function in self.functions)

    def _left(self) -> list[str]:
        return [function for function in self.functions if self.kills[function] < self.times]


@dataclass
class Doubler:
    """Sends messages a second time, at random moments while rewards move."""

    stack: LocalStack
    rewards: Sequence[str]
    pause_seconds: float
    sent: int = 0

    def __call__(self, over: threading.Event) -> None:
        """Send all of them, unless it is over before."""
        queue = FulfilmentQueue(self.stack.aws.queues, self.stack.fulfilment_queue_url)
        for reward in self.rewards:
            if over.wait(self.pause_seconds):
                return
            queue.send([Dispatch(reward, 1, 1)])
            self.sent += 1


def misbehave(stack: LocalStack, **faults: object) -> None:
    """Tell the stack's partner how to behave from now on."""
    answer = httpx.post(f"{stack.receiver_url}/faults", json=faults)
    assert answer.status_code == 200, answer.text


@contextmanager
def moods(stack: LocalStack, **faults: object) -> Iterator[None]:
    """Let the stack's partner misbehave until the block ends."""
    misbehave(stack, **faults)
    try:
        yield
    finally:
        misbehave(stack)


@contextmanager
def visibility(stack: LocalStack, seconds: int) -> Iterator[None]:
    """Let messages of killed workers come back sooner than after the template's 12 minutes, as an operator could."""
    attributes = stack.aws.queues.get_queue_attributes(
        QueueUrl=stack.fulfilment_queue_url, AttributeNames=["VisibilityTimeout"]
    )["Attributes"]
    try:
        stack.aws.queues.set_queue_attributes(
            QueueUrl=stack.fulfilment_queue_url, Attributes={"VisibilityTimeout": str(seconds)}
        )
        yield
    finally:
        stack.aws.queues.set_queue_attributes(QueueUrl=stack.fulfilment_queue_url, Attributes=attributes)


# --- what has come of it --------------------------------------------------------------------------------------------


def statuses(stack: LocalStack, campaign_id: str) -> Counter[str]:
    """How many rewards of a campaign are in which status."""
    table = RewardTable(stack.aws.tables, stack.reward_table)
    found: Counter[str] = Counter()
    for status in RewardStatus:
        after = None
        while True:
            page = table.in_status(campaign_id, status, limit=100, after=after)
            found[status.value] += len(page.rewards)
            after = page.next
            if after is None:
                break
    return +found


def wait_until(
    stack: LocalStack, campaign_id: str, wanted: Mapping[str, int], seconds: float, every: float = 2.0
) -> float:
    """Wait until the rewards are in these statuses; seconds it took. Fails with what there is instead."""
    table = RewardTable(stack.aws.tables, stack.reward_table)
    began = time.monotonic()
    while True:
        # to count them all is work for the engine that the rewards need more; one that is pending says enough
        is_moving = table.in_status(campaign_id, RewardStatus.PENDING, limit=1).rewards
        took = time.monotonic() - began
        if not is_moving or took >= seconds:
            there = dict(statuses(stack, campaign_id))
            if there == dict(wanted):
                return took
            assert took < seconds, f"after {took:.0f} s there are {there}, not {wanted}"
        time.sleep(every)


def deliveries(stack: LocalStack, campaign_id: str) -> list[dict[str, Any]]:
    """What the partner accepted of a campaign: one entry per idempotency key."""
    found = httpx.get(f"{stack.receiver_url}/deliveries", timeout=30).json()
    return [each for each in found["accepted"] if each["data"]["campaign_id"] == campaign_id]


def arrivals(stack: LocalStack, campaign_id: str) -> Counter[str]:
    """How the arrivals of a campaign ended at the partner, repetitions included."""
    lines = (Path(stack.folder) / "arrivals.jsonl").read_text(encoding="utf-8").splitlines()
    return Counter(
        arrival["outcome"] for arrival in map(json.loads, lines) if arrival["delivery_id"].endswith(f".{campaign_id}")
    )


def take_dead_letters(stack: LocalStack) -> list[str]:
    """Empty the dead-letter queue of fulfilments; the bodies."""
    bodies = []
    while messages := stack.aws.queues.receive_message(
        QueueUrl=stack.fulfilment_dead_letter_queue_url, MaxNumberOfMessages=10
    ).get("Messages", []):
        for message in messages:
            bodies.append(message["Body"])
            stack.aws.queues.delete_message(
                QueueUrl=stack.fulfilment_dead_letter_queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
    return bodies
