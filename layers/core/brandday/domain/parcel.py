"""What a partner is told about a reward; the same whatever connector it leaves by."""

from collections.abc import Mapping
from typing import Any

from brandday.domain.campaign import Campaign
from brandday.domain.reward import Reward
from brandday.domain.times import to_rfc3339


def parcel_data(reward: Reward, campaign: Campaign, address: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the facts of a delivery, JSON-able; what does not apply is left out.

    `value` is what all its units together are worth. `shopper` is the name that a shopper has in all tables, the
    same in each campaign; `shopper_id` is there only where the reward knows it.
    """
    sku = campaign.sku(reward.sku)
    worth = None if sku is None else sku.reward.value
    facts: dict[str, Any] = {
        "reward_id": reward.id,
        "delivery_id": reward.delivery_id,
        "campaign_id": reward.campaign_id,
        "kind": str(reward.kind),
        "sku": reward.sku,
        "title": {} if sku is None else dict(sku.title),
        "quantity": reward.quantity,
        "value": None if worth is None else worth.to_document() | {"amount": worth.amount * reward.quantity},
        "order_id": reward.order_id,
        "shopper": reward.owner,
        "shopper_id": reward.shopper_id,
        "source": reward.source,
        "created_at": to_rfc3339(reward.created_at),
        "address": None if address is None else dict(address),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}
