"""Every order of events in the life of one reward: workers, messages, partner, shopper, operator and sweeper.

Exhaustive within the bounds of a scenario, over the very rules of `brandday.domain.reward`. A step is a read, a write
or a call to the partner; whoever has read may write long after, or never. So a worker that died between any two steps,
or is slow until its lease is over, is among the states. Messages come as often and in whatever order they like, reports
too. Time is a counter that may stand still or go on between any two steps.

Each safeguard has a control further down, in which it is taken out and the search must find the harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pytest

from brandday.domain import reward as rules
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import Report, Reward, RewardStatus, begin

LEASE_MS = SILENT_MS = CLAIM_MS = 1
LIMIT_MS = 2
type Rule = Callable[[Reward, int], Reward | None]
type Recorder = Callable[[str, object], None]


class Worker(NamedTuple):
    """How far one worker is with one message: `step` is what it does next, `seen` what it has read or leased.

    `took` is what the partner answered: True, False (never) or None (nothing, or: later).
    """

    step: str = "receive"
    message: tuple[int, int] = (0, 0)
    seen: Reward | None = None
    holder: str = ""
    until: int = 0
    delivery_id: str = ""
    took: bool | None = None
    runs: int = 0


class World(NamedTuple):
    """All there is. `told` are the reports the partner has made, (what, when); `has` and `back` are delivery ids that
    it was given, and that came back to the brand; `plans` are changes that were read and are not written yet.
    """

    now: int
    reward: Reward
    messages: frozenset[tuple[int, int]] = frozenset()
    unsent: frozenset[tuple[int, int]] = frozenset()
    workers: tuple[Worker, ...] = ()
    plans: frozenset[tuple[str, Reward, Reward]] = frozenset()
    has: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()
    told: frozenset[tuple[Report, int]] = frozenset()
    units_back: bool = False
    left: tuple[tuple[str, int], ...] = ()

    def may(self, what: str) -> bool:
        """Whether this may still happen once more."""
        return dict(self.left).get(what, 0) > 0

    def once(self, what: str) -> World:
        """The world in which it may happen once less."""
        return self._replace(left=tuple((name, times - (name == what)) for name, times in self.left))


@dataclass(frozen=True)
class Scenario:
    """What may happen, and how the rules are. `times` bounds how often each kind of event happens, and the clock."""

    kind: RewardKind = RewardKind.DIGITAL
    workers: int = 2
    runs: int = 2
    clock: int = 2
    needs_approval: bool = False
    times: dict[str, int] = field(default_factory=dict)
    partner: tuple[str, ...] = ("takes", "loses_answer", "later", "refuses")
    versions: bool = True
    lease: Callable[[Reward, str, int, int], Reward | None] = rules.lease
    forfeit: Rule = rules.forfeit
    redrive: Callable[[Reward, int, int], Reward | None] = rules.redrive

    def first(self) -> World:
        """The world as the reward is created."""
        physical = self.kind.needs_address
        plain = Reward(
            "rwd_a", "a", "sale", self.kind, "HERO", 1, "rsv_a", 0, RewardStatus.PENDING, 0, LIMIT_MS,
            claim_until=CLAIM_MS if physical else None, version=1,
        )  # fmt: skip
        reward = begin(plain, 0, needs_approval=self.needs_approval, has_connector=True)
        world = World(0, reward, workers=(Worker(),) * self.workers, left=tuple(sorted(self.times.items())))
        return world._replace(unsent=_news(None, reward))


class Found(NamedTuple):
    """What a search came to: how many states, which statuses were met, and what is wrong, with the way to it."""

    states: int
    met: frozenset[str]
    violation: str | None = None
    way: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.violation} ({self.states:,} states)", *self.way])


def _news(before: Reward | None, after: Reward) -> frozenset[tuple[int, int]]:
    """What the stream makes of a change: a message that is to be sent."""
    told = (0, 0) if before is None else (before.cycle, before.sent)
    is_new = after.status is RewardStatus.PENDING and (after.cycle, after.sent) > told
    return frozenset({(after.cycle, after.sent)}) if is_new else frozenset()


class Search:
    """Walks through all worlds of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._finished: dict[Hashable, str | None] = {}

    def run(self) -> Found:
        """Visit every world, the nearest first."""
        first = self.scenario.first()
        origins: dict[World, tuple[World, str] | None] = {first: None}
        queue, met = [first], set()
        for world in queue:
            met.add(str(world.reward.status))
            violation = self.wrong(world)
            if violation is not None:
                return Found(len(queue), frozenset(met), violation, _way(origins, world))
            for label, after in self.steps(world):
                if after not in origins:
                    origins[after] = (world, label)
                    queue.append(after)
        return Found(len(queue), frozenset(met))

    # --- what may happen next ---

    def steps(self, world: World) -> Iterator[tuple[str, World]]:
        """Every step of everybody."""
        if world.now < self.scenario.clock:
            yield "time passes", world._replace(now=world.now + 1)
        for message in world.unsent:
            sent = world._replace(unsent=world.unsent - {message})
            yield f"message {message} is sent", sent._replace(messages=world.messages | {message})
            if world.may("lost"):
                yield f"message {message} is lost", sent.once("lost")
        for place in range(len(world.workers)):
            for label, after in self._work(world, place):
                # Workers are alike: only how far each is matters, not which is which.
                yield f"worker {place} {label}", after._replace(workers=tuple(sorted(after.workers, key=repr)))
        yield from self._partner_tells(world)
        for name, rule in self._rules(world):
            planned = rule(world.reward, world.now)
            if planned is not None and planned != world.reward and world.may(name):
                plan = (name, world.reward, planned)
                yield f"{name}: read", world.once(name)._replace(plans=world.plans | {plan})
        for plan in world.plans:
            name, before, planned = plan
            rest = world._replace(plans=world.plans - {plan})
            yield f"{name}: written as {planned.status}", self._saved(rest, before, planned)
        if world.reward.owes_units:
            yield "units go back", world._replace(units_back=True)

    def _rules(self, world: World) -> Iterator[tuple[str, Rule]]:
        yield "resend", lambda reward, now: rules.send_again(reward, now, SILENT_MS)
        yield "give_up", lambda reward, now: rules.fail(reward, None, "late", now) if _is_late(reward, now) else None
        yield "approve", lambda reward, now: rules.approve(reward, "olga", now)
        yield "address", lambda reward, now: rules.give_address(reward, b"here", now)
        yield "forfeit", self.scenario.forfeit
        yield "redrive", lambda reward, now: self.scenario.redrive(reward, now, CLAIM_MS)
        yield "forget", lambda reward, _: rules.forget_address(reward)
        if world.units_back:
            yield "mark", lambda reward, _: rules.units_returned(reward)
        for told, at in sorted(world.told):
            yield "report", _following(told, at)

    def _partner_tells(self, world: World) -> Iterator[tuple[str, World]]:
        """The partner reports what is true at that moment; reports arrive later, in any order, and repeatedly."""
        if not world.may("tell"):
            return
        at = max((when for _, when in world.told), default=0) + 1
        after = world.once("tell")
        if world.has:
            yield "partner has delivered", after._replace(told=world.told | {(Report.DELIVERED, at)})
            returned = after._replace(told=world.told | {(Report.RETURNED, at)})
            yield "it comes back", returned._replace(has=frozenset(), back=world.back | world.has)

    def _work(self, world: World, place: int) -> Iterator[tuple[str, World]]:
        worker = world.workers[place]

        def become(after: Worker, world: World = world) -> World:
            workers = world.workers
            return world._replace(workers=(*workers[:place], after, *workers[place + 1 :]))

        idle = Worker(runs=worker.runs)
        if worker.step != "receive" and worker.runs < self.scenario.runs:
            yield "dies", become(idle)
        match worker.step:
            case "receive" if worker.runs < self.scenario.runs:
                for message in world.messages:
                    reward = world.reward
                    if reward.status is not RewardStatus.PENDING or (reward.cycle, reward.sent) > message:
                        yield f"drops {message}", world._replace(messages=world.messages - {message})
                        continue
                    holder = f"{reward.cycle}.{reward.attempts + 1}.{worker.runs}.{place}"
                    leased = self.scenario.lease(reward, holder, world.now, LEASE_MS)
                    if leased is not None:
                        until = world.now + LEASE_MS
                        took = Worker(
                            "lease", message, reward, holder, until, reward.delivery_id, None, worker.runs + 1
                        )
                        yield f"reads {message}", become(took)
            case "lease":
                assert worker.seen is not None
                # The lease counts from when it was asked for, however long the write takes.
                leased = self.scenario.lease(worker.seen, worker.holder, worker.until - LEASE_MS, LEASE_MS)
                assert leased is not None
                saved = self._saved(world, worker.seen, leased)
                if saved is world:
                    yield "loses the race", become(idle)
                else:
                    yield "leases", become(worker._replace(step="send", seen=None), saved)
            case "send":
                yield from self._send(world, worker, become)
            case "record":
                reward = world.reward
                recorded = self._recorded(reward, worker, world.now)
                if recorded is None:
                    yield "has nothing to record", become(idle, self._handled(world, worker))
                else:
                    yield "reads again", become(worker._replace(step="write", seen=reward))
            case "write":
                assert worker.seen is not None
                recorded = self._recorded(worker.seen, worker, world.now)
                assert recorded is not None
                saved = self._saved(world, worker.seen, recorded)
                if saved is world:
                    yield "must read again", become(worker._replace(step="record", seen=None))
                else:
                    yield f"records {recorded.status}", become(idle, self._handled(saved, worker))

    def _send(self, world: World, worker: Worker, become: Callable[..., World]) -> Iterator[tuple[str, World]]:
        known = worker.delivery_id in world.has | world.back
        taken = world if known else world._replace(has=world.has | {worker.delivery_id})
        for answer in self.scenario.partner:
            if answer in ("takes", "loses_answer"):
                took = True if answer == "takes" else None
                yield f"sends, partner {answer}", become(worker._replace(step="record", took=took), taken)
            elif not known:
                took = False if answer == "refuses" else None
                yield f"sends, partner {answer}", become(worker._replace(step="record", took=took))

    def _recorded(self, reward: Reward, worker: Worker, now: int) -> Reward | None:
        if worker.took is None:
            return rules.put_off(reward, worker.holder, "later", now)
        if worker.took:
            return rules.accept(reward, worker.holder, None, now)
        return rules.fail(reward, worker.holder, "no", now)

    @staticmethod
    def _handled(world: World, worker: Worker) -> World:
        """The message goes, unless it has to come again; to die just before is to leave it there."""
        return world if worker.took is None else world._replace(messages=world.messages - {worker.message})

    def _saved(self, world: World, before: Reward, after: Reward) -> World:
        """The one conditional write; the same world if somebody else was faster."""
        if self.scenario.versions and world.reward.version != before.version:
            return world
        stored = replace(after, version=world.reward.version + 1)
        return world._replace(reward=stored, unsent=world.unsent | _news(world.reward, stored))

    # --- what must hold ---

    def wrong(self, world: World) -> str | None:
        """What is wrong with a world, or None."""
        reward = world.reward
        if len(world.has) > 1:
            return f"the partner has two shipments: {sorted(world.has)}"
        sending = [w for w in world.workers if w.step == "send" and world.now < w.until]
        if len(sending) > 1:
            return "two workers send at once"
        if reward.status is RewardStatus.FORFEITED and world.has:
            return "a forfeited reward was delivered"
        if world.units_back and reward.status is not RewardStatus.FORFEITED:
            return f"the units of a reward that is {reward.status} went back"
        if reward.accepted > 1:
            return "two deliveries were accepted"
        given = world.has | world.back
        if reward.status in (RewardStatus.DISPATCHED, RewardStatus.DELIVERED) and reward.delivery_id not in given:
            return f"it is {reward.status}, and nobody was given it"
        if reward.status is RewardStatus.RETURNED and reward.delivery_id not in world.back:
            return "it is returned, and has not come back"
        waits = reward.status in (RewardStatus.PENDING, RewardStatus.AWAITING_ADDRESS)
        if waits and reward.reported_at is not None and reward.shipment == 1:
            return "what came back leaves under the delivery id that it had"
        if reward.status is RewardStatus.PENDING and reward.address is None and reward.kind.needs_address:
            return "nobody knows where to send it"
        key = (reward, world.messages, world.unsent, world.has, world.back)
        if key not in self._finished:
            self._finished[key] = self._stuck(world)
        return self._finished[key]

    def _stuck(self, world: World) -> str | None:
        """From here on nobody but the sweeper, one worker and a good partner does anything: does it come to an end?"""
        late = max(world.now, self.scenario.clock) + 10
        reward = world.reward
        if reward.status is RewardStatus.PENDING:
            again = rules.send_again(reward, late, SILENT_MS)
            if again is None or not _news(reward, again):
                return "it is pending, and nothing will ever be sent"
            leased = rules.lease(again, "last", late, LEASE_MS)
            if leased is None or rules.accept(leased, "last", None, late) is None:
                return "it is pending, and nobody can ever deliver it"
        if reward.status is RewardStatus.AWAITING_ADDRESS and rules.forfeit(reward, late) is None:
            return "it waits for an address for ever"
        if reward.owes_units and rules.units_returned(reward) is None:
            return "its units never go back"
        return None


def _following(told: Report, at: int) -> Rule:
    return lambda reward, now: rules.report(reward, told, at, now)


def _is_late(reward: Reward, now: int) -> bool:
    return reward.due_at is not None and now >= reward.due_at


def _way(origins: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    way = []
    while (origin := origins[world]) is not None:
        world, label = origin
        way.append(label)
    return tuple(reversed(way))


def searched(scenario: Scenario, record_property: Recorder) -> Found:
    """Search, and record how large it was."""
    began = time.perf_counter()
    found = Search(scenario).run()
    record_property("states", found.states)
    print(f"{found} ({time.perf_counter() - began:.1f} s)")
    return found


DELIVERY = Scenario(clock=1, times={"lost": 1, "resend": 1}, partner=("takes", "loses_answer", "refuses"))
REPORTS = Scenario(
    workers=1, partner=("takes", "loses_answer", "refuses"), times={"tell": 2, "report": 2, "redrive": 1}, clock=1
)
PRIZE = Scenario(RewardKind.PHYSICAL, workers=1, times={"address": 2, "forfeit": 2, "mark": 1, "give_up": 1})
ASKED_AGAIN = Scenario(
    RewardKind.PHYSICAL,
    workers=1,
    runs=1,
    clock=3,
    partner=("takes", "loses_answer"),
    times={"address": 1, "forfeit": 1, "mark": 1, "give_up": 1, "forget": 1, "redrive": 1, "tell": 1, "report": 1},
)


# --- what holds -----------------------------------------------------------------------------------------------


def test_two_workers_and_a_message_that_comes_as_often_as_it_likes_deliver_once(record_property: Recorder) -> None:
    found = searched(DELIVERY, record_property)
    assert found.violation is None, found
    assert found.met == {"pending", "dispatched", "failed"}


def test_reports_and_redrives_in_any_order_tell_the_truth(record_property: Recorder) -> None:
    found = searched(REPORTS, record_property)
    assert found.violation is None, found
    assert found.met == {"pending", "dispatched", "delivered", "returned", "failed"}


def test_a_prize_is_either_delivered_or_given_back(record_property: Recorder) -> None:
    found = searched(PRIZE, record_property)
    assert found.violation is None, found
    assert found.met == {"awaiting_address", "pending", "dispatched", "failed", "forfeited"}


def test_a_prize_whose_winner_is_asked_again_is_either_delivered_or_given_back(record_property: Recorder) -> None:
    found = searched(ASKED_AGAIN, record_property)
    assert found.violation is None, found
    assert {"awaiting_address", "pending", "dispatched", "failed", "forfeited", "returned"} <= found.met


def test_it_is_approved_once(record_property: Recorder) -> None:
    scenario = Scenario(RewardKind.CASH, workers=1, needs_approval=True, times={"approve": 2, "resend": 1, "lost": 1})
    found = searched(scenario, record_property)
    assert found.violation is None, found
    assert {"awaiting_approval", "pending", "dispatched"} <= found.met


@pytest.mark.soak
@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(Scenario(times={"lost": 1, "resend": 1, "give_up": 1}), id="until_it_is_given_up"),
        pytest.param(replace(REPORTS, times=REPORTS.times | {"report": 3}), id="with_more_reports"),
        pytest.param(replace(DELIVERY, runs=1, times={"tell": 1, "report": 2, "redrive": 1}), id="with_reports"),
        pytest.param(replace(ASKED_AGAIN, clock=4, times=ASKED_AGAIN.times | {"address": 2, "forfeit": 2}), id="prize"),
    ],
)
def test_all_of_it_in_longer_lives(record_property: Recorder, scenario: Scenario) -> None:
    found = searched(scenario, record_property)
    assert found.violation is None, found


# --- controls: one safeguard less -----------------------------------------------------------------------------


def _without_lease(reward: Reward, holder: str, now: int, lease_ms: int) -> Reward | None:
    return rules.lease(replace(reward, lease=None), holder, now, lease_ms)


def test_without_the_lease_two_workers_send_at_once(record_property: Recorder) -> None:
    found = searched(replace(DELIVERY, lease=_without_lease), record_property)
    assert found.violation == "two workers send at once", found


def test_without_versions_two_workers_send_at_once(record_property: Recorder) -> None:
    found = searched(replace(DELIVERY, versions=False), record_property)
    assert found.violation == "two workers send at once", found


def test_without_versions_units_go_back_of_a_prize_whose_address_was_just_given(record_property: Recorder) -> None:
    found = searched(replace(PRIZE, versions=False), record_property)
    assert found.violation == "the units of a reward that is pending went back", found


def test_a_forfeit_that_does_not_look_at_the_status_takes_a_prize_from_who_has_it(record_property: Recorder) -> None:
    def blindly(reward: Reward, now: int) -> Reward | None:
        late = reward.claim_until is not None and now >= reward.claim_until
        return replace(reward, status=RewardStatus.FORFEITED, status_at=now, lease=None) if late else None

    found = searched(replace(PRIZE, forfeit=blindly), record_property)
    assert found.violation == "a forfeited reward was delivered", found


def test_a_forfeit_that_does_not_ask_whether_it_was_sent_takes_a_prize_from_who_has_it(
    record_property: Recorder,
) -> None:
    def carelessly(reward: Reward, now: int) -> Reward | None:
        return rules.forfeit(replace(reward, tried=False), now)

    found = searched(replace(ASKED_AGAIN, forfeit=carelessly), record_property)
    assert found.violation == "a forfeited reward was delivered", found


def test_a_redrive_that_forgets_what_was_told_believes_old_reports(record_property: Recorder) -> None:
    def forgetting(reward: Reward, now: int, claim_ms: int) -> Reward | None:
        again = rules.redrive(reward, now, claim_ms)
        return None if again is None else replace(again, reported_at=None)

    found = searched(replace(REPORTS, redrive=forgetting), record_property)
    assert found.violation is not None
    assert "nobody was given it" in found.violation or "has not come back" in found.violation, found


def test_a_returned_reward_under_its_old_delivery_id_never_leaves_again(record_property: Recorder) -> None:
    def same_id(reward: Reward, now: int, claim_ms: int) -> Reward | None:
        again = rules.redrive(reward, now, claim_ms)
        return None if again is None else replace(again, shipment=reward.shipment)

    found = searched(replace(REPORTS, redrive=same_id), record_property)
    assert found.violation == "what came back leaves under the delivery id that it had", found
