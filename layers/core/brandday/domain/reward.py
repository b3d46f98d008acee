"""Rewards: what a shopper has won or bought, on its way to whoever hands it over.

A reward is one item, so its whole life is a row of conditional writes to that item: every function here takes the
reward as it was read and returns it as it shall be, or None when its state does not allow that. Whoever saves the
result says which version it was made from; if another came first, nothing is written and the rule is asked again.

    awaiting_approval ──> pending <── awaiting_address ──> forfeited
                             │ ^
                  (delivery) │ │ redrive
                             v │
                        dispatched ──> delivered <──> returned
                             ^ │
                             │ v
                            failed

Why nothing is delivered twice: a worker takes a *lease* before it sends and gives it back with the result. Nobody else
sends while the lease runs, and it runs longer than a worker can. A worker that dies in between leaves the question
open whether the partner has it; the next one sends the same `delivery_id` again, and the partner tells by it that it
has this one already.

Why nothing is both delivered and given back: only what no worker has ever begun to send (`tried`) is forfeited. What a
partner may have after all, because its answer was lost, fails instead, and stays the winner's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from brandday.domain.fulfilment import RewardKind

MAX_WORDS = 500
"""How much of a partner's answer is kept."""

NO_ADDRESS = "no address was given in time"
"""The words of a reward that failed because its winner was asked for the address again, and gave none."""


class RewardStatus(StrEnum):
    """Where a reward is on its way."""

    AWAITING_APPROVAL = "awaiting_approval"
    AWAITING_ADDRESS = "awaiting_address"
    PENDING = "pending"
    DISPATCHED = "dispatched"
    DELIVERED = "delivered"
    RETURNED = "returned"
    FAILED = "failed"
    FORFEITED = "forfeited"


class Report(StrEnum):
    """What a partner tells of a reward that it was given."""

    DELIVERED = "delivered"
    RETURNED = "returned"


class Lease(NamedTuple):
    """One worker's exclusive right to send, until `until` (epoch ms)."""

    holder: str
    until: int


@dataclass(frozen=True, slots=True)
class Reward:
    """One reward; times are epoch milliseconds.

    `owner` is the shopper's name in all tables. `source` is what it comes from (a reservation's id), and where its
    units go back to. `due_at` is when a pending one is given up, counted from `pending_since`. `cycle` counts the
    times it became pending, `sent` the messages of this cycle, `attempts` the deliveries tried in it. `shipment`
    counts the things that left: only when one has come back, there is a second; `tried` says that a worker has begun to
    send this one. `reported_at` is the time of the last report, also of an earlier shipment. `address` is ciphertext.
    `buried` is the last cycle whose failure was put among the dead letters.
    `version` is 0 until it is stored, and 1 more with every change.
    """

    id: str
    owner: str
    campaign_id: str
    kind: RewardKind
    sku: str
    quantity: int
    source: str
    created_at: int
    status: RewardStatus
    status_at: int
    time_limit_ms: int
    order_id: str | None = None
    shopper_id: str | None = None
    claim_until: int | None = None
    pending_since: int | None = None
    cycle: int = 0
    sent: int = 0
    attempts: int = 0
    shipment: int = 1
    tried: bool = False
    accepted: int = 0
    lease: Lease | None = None
    words: str | None = None
    reference: str | None = None
    address: bytes | None = None
    approved_by: str | None = None
    reported_at: int | None = None
    units_returned: bool = False
    buried: int = 0
    version: int = 0

    @property
    def due_at(self) -> int | None:
        """When it is given up if nobody has taken it by then; None unless it is pending."""
        return None if self.pending_since is None else self.pending_since + self.time_limit_ms

    @property
    def delivery_id(self) -> str:
        """What the partner recognises a repetition by: the same for all attempts, another for another shipment."""
        return self.id if self.shipment == 1 else f"{self.id}.{self.shipment}"

    def is_leased(self, now: int) -> bool:
        """Whether a worker is sending it right now."""
        return self.lease is not None and now < self.lease.until

    @property
    def owes_units(self) -> bool:
        """Whether its units still have to go back to their pool."""
        return self.status is RewardStatus.FORFEITED and not self.units_returned


def begin(reward: Reward, now: int, *, needs_approval: bool, has_connector: bool) -> Reward:
    """Return a new reward in its first status: what it waits for, or already on its way.

    Without a connector nobody has to be told: the shop itself hands over what it has sold.
    """
    if needs_approval:
        return _to(reward, RewardStatus.AWAITING_APPROVAL, now)
    if reward.kind.needs_address:
        return _to(reward, RewardStatus.AWAITING_ADDRESS, now)
    return _pend(reward, now) if has_connector else _to(reward, RewardStatus.DISPATCHED, now)


def approve(reward: Reward, who: str, now: int) -> Reward | None:
    """Return the reward after a second person agreed; who that may be is the caller's business."""
    if reward.status is not RewardStatus.AWAITING_APPROVAL:
        return None
    approved = replace(reward, approved_by=who)
    return _to(approved, RewardStatus.AWAITING_ADDRESS, now) if reward.kind.needs_address else _pend(approved, now)


def give_address(reward: Reward, address: bytes, now: int) -> Reward | None:
    """Return the reward with the (encrypted) address, on its way.

    It can be put right until a worker has begun to send it, and not after the claim deadline.
    """
    if not reward.kind.needs_address or (reward.claim_until is not None and now >= reward.claim_until):
        return None
    if reward.status is RewardStatus.AWAITING_ADDRESS:
        return _pend(replace(reward, address=address), now)
    if reward.status is RewardStatus.PENDING and reward.attempts == 0:
        return replace(reward, address=address)
    return None


def forfeit(reward: Reward, now: int) -> Reward | None:
    """Return the reward forfeited because nobody said where to send it in time; its units are still owed.

    One that a partner may have already, and that only wants its address again, is failed instead.
    """
    late = reward.claim_until is not None and now >= reward.claim_until
    if not late or reward.status is not RewardStatus.AWAITING_ADDRESS:
        return None
    if reward.tried:
        return replace(_to(reward, RewardStatus.FAILED, now), words=NO_ADDRESS)
    return _to(reward, RewardStatus.FORFEITED, now)


def units_returned(reward: Reward) -> Reward | None:
    """Return the forfeited reward after its units went back to their pool."""
    return replace(reward, units_returned=True) if reward.owes_units else None


def send_again(reward: Reward, now: int, silent_ms: int) -> Reward | None:
    """Return the reward with a new message on its way, if nothing was heard of the last one for `silent_ms`."""
    silent = now - max(reward.status_at, reward.lease.until if reward.lease else 0) >= silent_ms
    if reward.status is not RewardStatus.PENDING or not silent:
        return None
    return replace(reward, sent=reward.sent + 1, status_at=now)


def lease(reward: Reward, holder: str, now: int, lease_ms: int) -> Reward | None:
    """Return the reward with the right to send it given to `holder`, or None: somebody has it, or it has left."""
    if reward.status is not RewardStatus.PENDING or reward.is_leased(now):
        return None
    return replace(reward, lease=Lease(holder, now + lease_ms), attempts=reward.attempts + 1, tried=True, status_at=now)


def accept(reward: Reward, holder: str, reference: str | None, now: int) -> Reward | None:
    """Return the reward after the partner has taken it; the address is needed no longer."""
    if not _sends(reward, holder):
        return None
    return replace(
        _to(reward, RewardStatus.DISPATCHED, now),
        accepted=reward.accepted + 1,
        reference=reference,
        address=None,
        words=None,
    )


def put_off(reward: Reward, holder: str, words: str, now: int) -> Reward | None:
    """Return the reward after an attempt that may work later."""
    if not _sends(reward, holder):
        return None
    return replace(reward, lease=None, words=words[:MAX_WORDS], status_at=now)


def fail(reward: Reward, holder: str | None, words: str, now: int) -> Reward | None:
    """Return the reward given up for good, with the partner's words; `holder` is None if nobody was sending."""
    may = (
        reward.status is RewardStatus.PENDING and not reward.is_leased(now)
        if holder is None
        else _sends(reward, holder)
    )
    return replace(_to(reward, RewardStatus.FAILED, now), words=words[:MAX_WORDS]) if may else None


def bury(reward: Reward) -> Reward | None:
    """Return the failed reward after it was put among the dead letters, so that it is put there once."""
    if reward.status is not RewardStatus.FAILED or reward.buried == reward.cycle:
        return None
    return replace(reward, buried=reward.cycle)


def report(reward: Reward, told: Report, at: int, now: int) -> Reward | None:
    """Return the reward after a partner's report, or None if it tells nothing new.

    The report with the latest `at` counts, in whatever order they come; of two with the same, `returned`. A report on
    a reward that is still being sent proves that the partner has it. What was told of an earlier shipment stays told:
    repeated, it says nothing of the next one.
    """
    known = (-1, False)
    if reward.reported_at is not None:
        known = (reward.reported_at, reward.status is not RewardStatus.DELIVERED)
    asked_again = reward.tried and reward.status is RewardStatus.AWAITING_ADDRESS
    if not (asked_again or reward.status in _TOLD_OF) or (at, told is Report.RETURNED) <= known:
        return None
    reported = replace(reward, reported_at=at, address=None)
    return _to(reported, RewardStatus(told), now)


_TOLD_OF = frozenset(
    (
        RewardStatus.PENDING,
        RewardStatus.DISPATCHED,
        RewardStatus.DELIVERED,
        RewardStatus.RETURNED,
        RewardStatus.FAILED,
    )
)


def redrive(reward: Reward, now: int, claim_ms: int) -> Reward | None:
    """Return a failed or returned reward on its way once more.

    What has come back leaves as another shipment. An address that is gone has to be given again, within `claim_ms`;
    a deadline that is later than that stays.
    """
    if reward.status not in (RewardStatus.FAILED, RewardStatus.RETURNED):
        return None
    came_back = reward.status is RewardStatus.RETURNED
    again = replace(reward, shipment=reward.shipment + 1, tried=False, accepted=0) if came_back else reward
    if reward.kind.needs_address and reward.address is None:
        claim_until = max(reward.claim_until or 0, now + claim_ms)
        return _to(replace(again, claim_until=claim_until), RewardStatus.AWAITING_ADDRESS, now)
    return _pend(again, now)


def forget_address(reward: Reward) -> Reward | None:
    """Return the reward without its address, if it has one that is not needed for a delivery."""
    if reward.address is None or reward.status is RewardStatus.PENDING:
        return None
    return replace(reward, address=None)


def _sends(reward: Reward, holder: str) -> bool:
    return reward.status is RewardStatus.PENDING and reward.lease is not None and reward.lease.holder == holder


def _pend(reward: Reward, now: int) -> Reward:
    return replace(
        _to(reward, RewardStatus.PENDING, now),
        pending_since=now,
        cycle=reward.cycle + 1,
        sent=1,
        attempts=0,
        words=None,
    )


def _to(reward: Reward, status: RewardStatus, now: int) -> Reward:
    return replace(reward, status=status, status_at=now, pending_since=None, lease=None)
