"""One reward as tests begin with it."""

from dataclasses import replace
from typing import Any

from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import Reward, RewardStatus
from brandday.domain.reward_id import reward_id
from brandday.domain.shard import ATTEMPT_LENGTH, to_base36


def plain_reward(campaign_id: str, owner: str, at: int, **changes: Any) -> Reward:
    """Return a digital reward of a claim of the moment `at` (epoch ms), pending since then; `changes` are of fields."""
    plain = Reward(
        id=reward_id(owner, at, campaign_id),
        owner=owner,
        campaign_id=campaign_id,
        kind=RewardKind.DIGITAL,
        sku="HERO",
        quantity=1,
        source=f"rsv_{campaign_id}.0.{owner}.{to_base36(at, ATTEMPT_LENGTH)}",
        created_at=at,
        status=RewardStatus.PENDING,
        status_at=at,
        time_limit_ms=1000,
    )
    return replace(plain, **changes)
