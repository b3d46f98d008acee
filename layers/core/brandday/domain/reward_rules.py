"""Which reward a shopper's claim becomes; pure, and the same however often it is asked."""

from collections.abc import Iterator
from dataclasses import replace

from brandday.domain.campaign import Campaign
from brandday.domain.fulfilment import HOUR_MS, ORDERED, Fulfilment, RewardKind, RewardTerms
from brandday.domain.layout import Layout
from brandday.domain.reservation_id import reservation_id
from brandday.domain.reward import Reward, RewardStatus, begin
from brandday.domain.reward_id import reward_id
from brandday.domain.shard import CONFIRMED, Shard, decode_record, is_restock_mark
from brandday.domain.stock import Claim

CLAIM_GRACE_MS = 24 * HOUR_MS
"""How long there is to give an address when the claim deadline had passed before the reward was there: a late payment,
or a stream that stood still."""


def newly_confirmed(before: Shard | None, after: Shard) -> Iterator[tuple[str, Claim]]:
    """Yield the shopper's name and the claim of every sale in `after` that was none in `before`."""
    known = {} if before is None else before.records
    for name, text in after.records.items():
        if text == known.get(name) or is_restock_mark(name):
            continue
        sold = {entry.attempt for entry in decode_record(known.get(name)) if entry.state == CONFIRMED}
        for entry in decode_record(text):
            if entry.state == CONFIRMED and entry.attempt not in sold:
                yield name, Claim(after.number, entry)


def reward_of(campaign: Campaign, layout: Layout, owner: str, claim: Claim, now: int) -> Reward:
    """Return the reward that a confirmed claim becomes, in its first status.

    A claim has one reward, whatever its quantity. The time comes from outside: of two rewards made of the same claim
    the one that is stored first counts.
    """
    entry = claim.entry
    name = layout.skus[entry.slot]
    sku = campaign.sku(name)
    terms = ORDERED if sku is None else sku.reward
    fulfilment = campaign.fulfilment
    drawn = Reward(
        id=reward_id(owner, entry.attempt, campaign.id),
        owner=owner,
        campaign_id=campaign.id,
        kind=terms.kind,
        sku=name,
        quantity=entry.quantity,
        source=reservation_id(campaign.id, owner, claim),
        created_at=now,
        status=RewardStatus.PENDING,
        status_at=now,
        time_limit_ms=fulfilment.time_limit_ms,
        order_id=entry.order_id,
        claim_until=claim_deadline(fulfilment, now) if terms.kind.needs_address else None,
    )
    return begin(
        drawn,
        now,
        needs_approval=needs_approval(terms, entry.quantity, fulfilment),
        # Only the shop's own orders may go without one: anything else would silently never arrive.
        has_connector=terms.kind in fulfilment.by_kind or terms.kind is not RewardKind.ORDER,
    )


def claim_deadline(fulfilment: Fulfilment, now: int) -> int | None:
    """Return until when an address can be given: who is told after the campaign's deadline still has a day."""
    if fulfilment.claim_until is None or now < fulfilment.claim_until:
        return fulfilment.claim_until
    return now + CLAIM_GRACE_MS


def with_deadline(reward: Reward, fulfilment: Fulfilment) -> Reward:
    """Return a reward with the campaign's claim deadline, if that was put off since; one that was promised stays."""
    if reward.claim_until is None or fulfilment.claim_until is None or fulfilment.claim_until <= reward.claim_until:
        return reward
    return replace(reward, claim_until=fulfilment.claim_until)


def needs_approval(terms: RewardTerms, quantity: int, fulfilment: Fulfilment) -> bool:
    """Whether a second person has to agree: money above the campaign's amount."""
    limit = fulfilment.approve_over
    if terms.kind is not RewardKind.CASH or terms.value is None or limit is None:
        return False
    return terms.value.currency != limit.currency or terms.value.amount * quantity > limit.amount
