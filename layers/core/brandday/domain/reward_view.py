"""A reward as its owner sees it."""

from collections.abc import Mapping
from dataclasses import dataclass

from brandday.domain.reward import Reward


@dataclass(frozen=True, slots=True)
class RewardView:
    """A reward and what it is called, by language tag."""

    reward: Reward
    title: Mapping[str, str]
