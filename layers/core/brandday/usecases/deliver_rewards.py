"""Hands one reward over to its partner: read, lease, send, record.

Each step can be the last one of a process, and the message comes again then. Before the lease nothing has happened.
With the lease but without a record, nobody knows whether the partner has it: the next worker waits until the lease is
over and sends the same delivery id again. Recorded, the message is obsolete. A failure is recorded first, put among the
dead letters then, and marked as put there: whoever finds it failed and not marked does the rest.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from brandday.connectors.port import Accepted, Connector, Parcel, Refused, Tools, TryLater, Verdict
from brandday.domain import reward as rules
from brandday.domain.campaign import Campaign
from brandday.domain.errors import CampaignNotFound, TemporarilyOverloaded
from brandday.domain.parcel import parcel_data
from brandday.domain.reward import Reward, RewardStatus
from brandday.usecases.circuit_breakers import CircuitBreakers, Wait
from brandday.usecases.delivery_ports import DeadLetters, Jitter, NewHolder
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.ports import Clock
from brandday.usecases.reward_ports import Cipher, Dispatch, Rewards

BASE_MS = 5000
LONGEST_MS = 15 * 60_000
"""Back-off: 5 s, doubled with each attempt, 15 minutes at most, with full jitter."""

PATIENT_AFTER = 100
PATIENT_MS = 25 * 60_000
"""A message that was received this often is put off for longer: SQS buries one that was received 1,000 times, and that
must not happen within a time limit of two weeks: 900 x 25 minutes are more."""

LEASE_MARGIN_MS = 5000
"""How much longer a lease runs than the process that takes it can: for clocks that disagree."""

START_MARGIN_MS = 5000
"""What is left, besides the delivery's own time limit, for reading, leasing and recording."""

SETTLE_MS = 60_000
"""How long whoever failed a reward has to put it among the dead letters, before somebody else does."""

MAX_RACES = 5
NO_TIME_WAIT_MS = 1000
RACE_WAIT_MS = 1000


class Handled(NamedTuple):
    """What became of a message: it is done, or comes again after `wait_ms`.

    `outcome` is one word for the log. `destination` and `attempt` are there if there was a delivery.
    """

    outcome: str
    wait_ms: int | None = None
    destination: str = ""
    attempt: int = 0


class _Route(NamedTuple):
    campaign: Campaign
    connector: type[Connector]
    options: Any
    destination: str


class _NoRoute(NamedTuple):
    words: str


class DeliverRewards:
    """Delivers what messages ask for; in doubt twice with the same id, and never to nobody."""

    def __init__(
        self,
        rewards: Rewards,
        campaigns: LiveCampaigns,
        connectors: Mapping[str, type[Connector]],
        tools: Tools,
        cipher: Cipher,
        breakers: CircuitBreakers,
        dead_letters: DeadLetters,
        now: Clock,
        jitter: Jitter,
        new_holder: NewHolder,
    ) -> None:
        self._rewards = rewards
        self._campaigns = campaigns
        self._connectors = connectors
        self._tools = tools
        self._cipher = cipher
        self._breakers = breakers
        self._dead_letters = dead_letters
        self._now = now
        self._jitter = jitter
        self._new_holder = new_holder

    def __call__(self, dispatch: Dispatch, receives: int, remaining_ms: int) -> Handled:
        """Deliver a reward, if that is still wanted.

        `receives` counts how often the message was received, this time included; `remaining_ms` is how long this
        process may still run. TemporarilyOverloaded if the database is too busy: the message has to come again.
        """
        reward = self._rewards.get(dispatch.reward_id)
        if reward is None or (reward.cycle, reward.sent) > (dispatch.cycle, dispatch.sent):
            return Handled("obsolete")
        if reward.status is RewardStatus.FAILED:
            return self._see_to_burial(reward, dispatch)
        if reward.status is not RewardStatus.PENDING:
            return Handled("obsolete")
        now = self._now()
        if reward.lease is not None and reward.is_leased(now):
            return Handled("leased", reward.lease.until - now)
        if reward.due_at is not None and now >= reward.due_at:
            told = f" (last: {reward.words})" if reward.words else ""
            return self._give_up(reward, dispatch, f"not accepted within its time limit{told}")
        route = self._route(reward)
        if isinstance(route, _NoRoute):
            return self._give_up(reward, dispatch, route.words)
        return self._deliver(reward, dispatch, route, receives, remaining_ms)

    def back_off(self, attempt: int, receives: int) -> int:
        """Return how long to wait after so many attempts, in milliseconds."""
        full = min(LONGEST_MS, BASE_MS << min(max(attempt, 1) - 1, 20))
        return max(1000, int(full * self._jitter()), self._patience(receives))

    def _patience(self, receives: int) -> int:
        return int(PATIENT_MS * (1 + self._jitter() / 5)) if receives > PATIENT_AFTER else 0

    def _route(self, reward: Reward) -> _Route | _NoRoute:
        try:
            campaign = self._campaigns.get(reward.campaign_id).campaign
        except CampaignNotFound:
            return _NoRoute("its campaign is gone")
        choice = campaign.fulfilment.by_kind.get(reward.kind)
        if choice is None:
            return _NoRoute(f"the campaign names no connector for rewards of kind {reward.kind}")
        connector = self._connectors.get(choice.connector)
        if connector is None:
            return _NoRoute(f"there is no connector called {choice.connector!r}")
        try:
            options = connector.Options(**choice.options)
        except ValueError:
            return _NoRoute(f"the campaign's options for connector {choice.connector} are not valid")
        return _Route(campaign, connector, options, connector.destination(options))

    def _deliver(self, reward: Reward, dispatch: Dispatch, route: _Route, receives: int, remaining_ms: int) -> Handled:
        if remaining_ms < self._tools.timeout_ms + START_MARGIN_MS:
            return Handled("no_time", NO_TIME_WAIT_MS)
        address = self._address(reward)
        permit = self._breakers.ask(route.destination)
        if isinstance(permit, Wait):
            wait = permit.wait_ms + int(BASE_MS * self._jitter())  # not all in the same moment
            return Handled("breaker_open", max(wait, self._patience(receives)), route.destination)
        holder = self._new_holder()
        leased = rules.lease(reward, holder, self._now(), remaining_ms + LEASE_MARGIN_MS)
        if leased is None or not self._rewards.save(reward, leased):
            # A probe that does not happen blocks others until it lapses; so rare that it needs no better.
            return Handled("raced", RACE_WAIT_MS, route.destination)
        data = parcel_data(reward, route.campaign, address)
        parcel = Parcel(reward.delivery_id, reward.created_at, data)
        verdict = route.connector.deliver(parcel, route.options, self._tools, self._now())
        recorded = self._record(reward.id, holder, verdict)
        if not isinstance(verdict, TryLater) or verdict.is_down:  # other trouble tells nothing of the destination
            self._breakers.tell(route.destination, permit, is_down=isinstance(verdict, TryLater))
        tried = Handled("", None, route.destination, leased.attempts)
        match verdict:
            case Accepted():
                return tried._replace(outcome="accepted")
            case Refused(words):
                if recorded is not None:
                    self._bury(recorded, dispatch, words)
                return tried._replace(outcome="refused")
            case TryLater(_, asked_ms):
                wait = max(self.back_off(leased.attempts, receives), min(asked_ms or 0, LONGEST_MS))
                return tried._replace(outcome="put_off", wait_ms=wait)

    def _address(self, reward: Reward) -> Mapping[str, Any] | None:
        if not reward.kind.needs_address or reward.address is None:
            return None
        address: Mapping[str, Any] = json.loads(self._cipher.decrypt(reward.id, reward.address))
        return address

    def _record(self, reward_id: str, holder: str, verdict: Verdict) -> Reward | None:
        """Write down how it went; None if the reward has moved on without us.

        The outcome is known and must not be lost to a busy database while there is time to say it again: each try is
        made from the reward as it is, so a write whose answer was lost is not made twice.
        """
        busy: TemporarilyOverloaded | None = None
        for _ in range(MAX_RACES):
            try:
                reward = self._rewards.get(reward_id)
                after = None if reward is None else self._after(reward, holder, verdict)
                if reward is None or after is None:
                    return reward if reward is not None and reward.status is RewardStatus.FAILED else None
                if self._rewards.save(reward, after):
                    return after
            except TemporarilyOverloaded as error:
                busy = error
        raise busy or TemporarilyOverloaded

    def _after(self, reward: Reward, holder: str, verdict: Verdict) -> Reward | None:
        now = self._now()
        match verdict:
            case Accepted(reference):
                return rules.accept(reward, holder, reference, now)
            case Refused(words):
                return rules.fail(reward, holder, words, now)
            case TryLater(words):
                return rules.put_off(reward, holder, words, now)

    def _give_up(self, reward: Reward, dispatch: Dispatch, words: str) -> Handled:
        failed = rules.fail(reward, None, words, self._now())
        if failed is None or not self._rewards.save(reward, failed):
            return Handled("raced", RACE_WAIT_MS)
        self._bury(failed, dispatch, words)
        return Handled("given_up")

    def _see_to_burial(self, reward: Reward, dispatch: Dispatch) -> Handled:
        if reward.buried == reward.cycle:
            return Handled("obsolete")
        settled_in = reward.status_at + SETTLE_MS - self._now()
        if settled_in > 0:
            return Handled("failing", settled_in)
        self._bury(reward, dispatch, reward.words or "")
        return Handled("given_up")

    def _bury(self, reward: Reward, dispatch: Dispatch, words: str) -> None:
        self._dead_letters.bury(dispatch, words)
        for _ in range(MAX_RACES):
            current = self._rewards.get(reward.id)
            buried = None if current is None else rules.bury(current)
            if current is None or buried is None or self._rewards.save(current, buried):
                return
