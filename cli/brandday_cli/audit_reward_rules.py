"""What the audit proves of rewards: pure checks of one reward, and of a reward and its claim side by side.

A reward is one item, and reading one item is atomic: what it says of itself stands. What it has to do with its claim
spans two items of two tables, and is believed only of both as they were at one moment (see ``audit_rewards``).
"""

from brandday_cli.audit_records import Entry, Plan, Violation
from brandday_cli.audit_reward_records import ClaimKey, StoredReward, reward_id, reward_key

SWEEPER_GRACE_MS = 5 * 60 * 1000
"""By then the sweeper, which comes every minute, has dealt with whatever is past its time."""

IDLE_LEASE_MS = 15 * 60 * 1000
"""How long after its lease has ended a reward that nobody else has taken up is worth a note."""

_LEFT = ("dispatched", "delivered", "returned")
_NOT_LEFT = ("awaiting_approval", "awaiting_address", "pending", "failed")


def check_reward(plan: Plan, reward: StoredReward, now_ms: int) -> list[Violation]:
    """Check what one reward says of itself: at most one delivery of it, and nothing past its time."""
    return [
        Violation(code, f"reward {reward.id}: {detail}", _shard(reward), reward.sku, reward.key.pk)
        for code, detail in (*_filing(reward), *_deliveries(reward), *_times(plan, reward, now_ms))
    ]


def is_idle(reward: StoredReward, now_ms: int) -> bool:
    """Say whether a worker began to send it, and nobody has come back to it for long."""
    return (
        reward.status == "pending"
        and reward.lease_until is not None
        and _late(reward.lease_until, now_ms, IDLE_LEASE_MS)
    )


def check_pair(plan: Plan, reward: StoredReward, claim: Entry | None) -> list[Violation]:
    """Check a reward against its claim, both as of one moment; ``claim`` is ``None`` if the shard knows of none."""
    return [
        Violation(code, f"reward {reward.id}: {detail}", _shard(reward), reward.sku, reward.key.pk)
        for code, detail in _against_claim(plan, reward, claim)
    ]


def missing_reward(plan: Plan, claim: ClaimKey, entry: Entry) -> Violation:
    """Say that a confirmed claim has no reward."""
    sku = plan.sku_of_slot[entry.slot]
    detail = f"{entry.quantity} confirmed units have no reward {_id_of(plan, claim)}"
    return Violation("reward_missing", detail, claim.shard, sku, claim.shopper)


type Fault = tuple[str, str]
"""A violation's code and its words."""


def _filing(reward: StoredReward) -> list[Fault]:
    return [("reward_misfiled", fault) for fault in reward.faults]


def _deliveries(reward: StoredReward) -> list[Fault]:
    faults: list[Fault] = []
    if reward.accepted > 1:
        faults.append(("delivered_twice", f"its partner has accepted one shipment {reward.accepted} times"))
    if reward.accepted and reward.status in _NOT_LEFT:
        faults.append(
            ("delivered_twice", f"it was accepted, and is {reward.status} all the same: it would leave again")
        )
    if reward.status in _LEFT and not reward.accepted and not _may_leave_unaccepted(reward):
        faults.append(("delivery_unproven", f"it is {reward.status}, but nobody has accepted it or reported on it"))
    return faults


def _may_leave_unaccepted(reward: StoredReward) -> bool:
    """Say whether a partner's report proves it, or the shop itself hands over what it sold (it never was pending)."""
    return reward.reported_at is not None or (reward.kind == "order" and reward.cycle == 0)


def _times(plan: Plan, reward: StoredReward, now_ms: int) -> list[Fault]:
    # A deadline that was put off holds for rewards of before, and units come back after it only.
    claim_until = max(reward.claim_until or 0, plan.claim_until)
    owed_since = max(reward.status_at, plan.claim_until)
    match reward.status:
        case "pending":
            return _pending_too_long(reward, now_ms)
        case "awaiting_address" if reward.claim_until is not None and _late(claim_until, now_ms):
            late = (now_ms - claim_until) // 60_000
            return [("claim_overdue", f"it waits for an address {late:,} min after the claim deadline")]
        case "forfeited" if not reward.units_returned and _late(owed_since, now_ms):
            late = (now_ms - owed_since) // 60_000
            return [("units_owed", f"forfeited, its {reward.quantity} units are not back on sale {late:,} min later")]
    return []


def _pending_too_long(reward: StoredReward, now_ms: int) -> list[Fault]:
    if reward.pending_since is None:
        return [("reward_malformed", "it is pending, and nothing says since when")]
    if not _late(reward.pending_since + reward.time_limit_ms, now_ms):
        return []
    minutes, limit = (now_ms - reward.pending_since) // 60_000, reward.time_limit_ms // 60_000
    return [("pending_overdue", f"it has been pending for {minutes:,} min, and its time limit is {limit:,} min")]


def _against_claim(plan: Plan, reward: StoredReward, claim: Entry | None) -> list[Fault]:
    if reward.source is None:
        return [("reward_mismatch", "its source is no claim of this campaign")]
    if (reward.source.shopper, _id_of(plan, reward.source)) != (reward.key.pk, reward.id):
        return [("reward_mismatch", f"its source is the claim of reward {_id_of(plan, reward.source)}")]
    confirmed = claim is not None and claim.is_confirmed
    if reward.was_given_up:
        if reward.units_returned and confirmed:
            return [("units_not_back", "it says that its units are back on sale, but its claim is confirmed")]
        return []
    if not confirmed or claim is None:
        state = "there is none" if claim is None else f"its state is {claim.state!r}"
        return [("reward_without_claim", f"it is {reward.status}, but no confirmed claim stands behind it: {state}")]
    sold = (plan.sku_of_slot[claim.slot], claim.quantity)
    if sold != (reward.sku, reward.quantity):
        return [("reward_mismatch", f"it is for {reward.quantity} of {reward.sku}, its claim {sold[1]} of {sold[0]}")]
    return []


def _id_of(plan: Plan, claim: ClaimKey) -> str:
    return reward_id(reward_key(plan.campaign_id, claim))


def _late(deadline: int, now_ms: int, grace_ms: int = SWEEPER_GRACE_MS) -> bool:
    return deadline + grace_ms < now_ms


def _shard(reward: StoredReward) -> int | None:
    return None if reward.source is None else reward.source.shard
