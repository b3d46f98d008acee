"""A rush: many shoppers within one second, spread at random over warm or cold environments, in virtual time."""

import random
import statistics
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.engine import client_of
from benchmarks.meter import Meter, Usage
from benchmarks.patterns import Answer, Pattern
from benchmarks.virtual_time import VirtualTime

START_MS = 1_700_000_000_000.0
"""When the sale of every simulated rush starts; any moment would do."""

STREAM_DELAY_MS = 200.0
"""How long a change takes to reach the stream's consumer, and how often that looks."""


@dataclass(frozen=True)
class Scenario:
    """So many shoppers, each asking once for one of `stock` units, over so many environments within a second."""

    shoppers: int
    environments: int
    stock: int = 1000
    arrival_ms: float = 1000.0

    @property
    def is_cold(self) -> bool:
        """Whether most environments see only a handful of requests."""
        return self.environments * 10 >= self.shoppers

    @property
    def demand(self) -> float:
        """Shoppers per unit."""
        return self.shoppers / self.stock

    @property
    def name(self) -> str:
        """As in the tables."""
        cold = ", cold" if self.is_cold else ""
        return f"{self.shoppers:,} shoppers, {self.environments:,} environments{cold}"


@dataclass(frozen=True)
class Outcome:
    """What one rush came to; units and calls are sums over all its requests, without the stream's consumer."""

    answers: dict[str, int]
    owners: int
    """Units owned at the end by what is in the tables."""
    shoppers_with_two: int
    requests: Usage
    consumer: Usage
    granted: Usage
    refused: Usage
    """The same sums apart, for those who got a unit and for those who did not."""
    calls_granted: list[int]
    calls_refused: list[int]
    """Calls per request, without the pattern's reads of its config (see `Pattern.config_operation`)."""

    @property
    def cost_per_sale(self) -> float:
        """Write units + 0.2 x read units for all requests, per unit sold."""
        return self.requests.cost / max(1, self.owners)

    @property
    def consumer_cost_per_sale(self) -> float:
        """The same for the stream's consumer."""
        return self.consumer.cost / max(1, self.owners)


def replay(make_pattern: Callable[[str], Pattern], scenario: Scenario, endpoint_url: str, seed: int) -> Outcome:
    """Play one rush with fresh tables; the same seed gives every pattern the same shoppers at the same moments."""
    rush = _Rush(make_pattern(uuid.uuid4().hex[:10]), scenario, endpoint_url, seed)
    try:
        return rush.play()
    finally:
        rush.end()


class _Rush:
    def __init__(self, pattern: Pattern, scenario: Scenario, endpoint_url: str, seed: int) -> None:
        self.pattern = pattern
        self.scenario = scenario
        self.time = VirtualTime(START_MS - 1)
        self.account = "preparation"
        self.unmetered = client_of(endpoint_url, user_agent="benchmark")
        self.client = client_of(endpoint_url, user_agent="benchmark")
        self.meter = Meter(lambda: self.account, self.unmetered)
        self.meter.attach(self.client)
        self.latency = random.Random(seed)
        dice = random.Random(seed)
        arrivals = sorted(dice.uniform(0, scenario.arrival_ms) for _ in range(scenario.shoppers))
        self.queues: dict[int, list[tuple[float, str]]] = {}
        for number, arrival in enumerate(arrivals):
            queue = self.queues.setdefault(dice.randrange(scenario.environments), [])
            queue.append((START_MS + arrival, f"shopper-{seed}-{number}"))
        self.requests: list[tuple[str, Answer, int]] = []

    def play(self) -> Outcome:
        self.pattern.create(self.unmetered, self.scenario.stock, int(START_MS))
        actors: list[Callable[[], None]] = [self._environment(queue) for queue in self.queues.values()]
        consume = self.pattern.background(self.client, self._now)
        if consume is not None:
            actors.append(self._consumer(consume))
        self.client.meta.events.register("before-call.dynamodb", self._on_the_way)
        self.client.meta.events.register("after-call.dynamodb", self._on_the_way)
        self.time.run(actors)
        return self._outcome()

    def end(self) -> None:
        self.pattern.drop(self.unmetered)
        self.client.close()
        self.unmetered.close()

    def _now(self) -> int:
        return int(self.time.now_ms)

    def _on_the_way(self, **_: Any) -> None:
        """Half of a call's time passes before the engine does it, half after; meanwhile others go on."""
        account, self.account = self.account, "somebody else"
        self.time.sleep(self.latency.uniform(1, 3))
        self.account = account

    def _environment(self, queue: list[tuple[float, str]]) -> Callable[[], None]:
        def serve() -> None:
            environment = self.pattern.environment(self.client, self._now)
            for arrival, shopper in queue:
                self.time.sleep_until(arrival)
                self.account = shopper
                answer = environment.claim(shopper, self._now()).answer
                usage = self.meter.usage(shopper)
                calls = usage.calls - usage.operations[self.pattern.config_operation]
                self.requests.append((shopper, answer, calls))

        return serve

    def _consumer(self, consume: Callable[[], None]) -> Callable[[], None]:
        def follow() -> None:
            while self.time.others_wait:
                self.time.sleep(STREAM_DELAY_MS)
                self.account = "consumer"
                consume()

        return follow

    def _outcome(self) -> Outcome:
        consumer = self.meter.accounts.pop("consumer", Usage())
        granted, refused = Usage(), Usage()
        for shopper, answer, _ in self.requests:
            (granted if answer is Answer.GRANTED else refused).add(self.meter.usage(shopper))
        requests = Usage()
        for usage in self.meter.accounts.values():  # also of calls that nobody thought of
            requests.add(usage)
        owners = Counter(self.pattern.claims(self.unmetered))
        return Outcome(
            answers=dict(Counter(str(answer) for _, answer, _ in self.requests)),
            owners=owners.total(),
            shoppers_with_two=sum(1 for units in owners.values() if units > 1),
            requests=requests,
            consumer=consumer,
            granted=granted,
            refused=refused,
            calls_granted=[calls for _, answer, calls in self.requests if answer is Answer.GRANTED],
            calls_refused=[calls for _, answer, calls in self.requests if answer is not Answer.GRANTED],
        )


def median_and_spread(values: list[float]) -> tuple[float, float, float]:
    """Return the median, the least and the largest."""
    return statistics.median(values), min(values), max(values)
