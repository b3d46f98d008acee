"""What a shopper can do with their rewards: look at them, and say where a prize shall be sent."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from brandday.domain.campaign import Campaign
from brandday.domain.errors import (
    CampaignNotFound,
    FieldError,
    RewardClosed,
    RewardNotFound,
    TemporarilyOverloaded,
    ValidationFailed,
)
from brandday.domain.layout import shopper_name
from brandday.domain.reward import Reward, give_address
from brandday.domain.reward_id import parse_reward_id
from brandday.domain.reward_rules import with_deadline
from brandday.domain.reward_view import RewardView
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.ports import Clock
from brandday.usecases.reward_ports import Cipher, Rewards

MAX_RACES = 3
"""How often an address is saved again because something else happened to the reward meanwhile."""

type OwnerOf = Callable[[str], str | None]
"""Returns the name a shopper's id goes by in all tables, or None as long as nobody can have a reward."""


class Owners:
    """Names of shoppers. The salt never changes, so it is asked for until there is one, and then remembered."""

    def __init__(self, known_salt: Callable[[], bytes | None]) -> None:
        self._known_salt = known_salt
        self._salt: bytes | None = None

    def __call__(self, shopper_id: str) -> str | None:
        """Return the name of a shopper, or None before anything was ever published."""
        if self._salt is None:
            self._salt = self._known_salt()
        return None if self._salt is None else shopper_name(self._salt, shopper_id)


@dataclass(frozen=True, slots=True)
class RewardViews:
    """A page of a shopper's rewards, and where the next one begins (None after the last)."""

    items: tuple[RewardView, ...]
    next: str | None


class ManageRewards:
    """A shopper sees their own rewards; for others' the answer is the same as for ones that do not exist."""

    def __init__(
        self, rewards: Rewards, campaigns: LiveCampaigns, owner_of: OwnerOf, cipher: Cipher, now: Clock
    ) -> None:
        self._rewards = rewards
        self._campaigns = campaigns
        self._owner_of = owner_of
        self._cipher = cipher
        self._now = now

    def list(self, shopper_id: str, limit: int, after: str | None) -> RewardViews:
        """Return a page of the shopper's rewards, the newest first; ValidationFailed if `after` is none of their
        cursors.
        """
        owner = self._owner_of(shopper_id)
        if owner is None:
            return RewardViews((), None)
        try:
            page = self._rewards.of_owner(owner, limit=limit, after=after)
        except ValueError:
            raise ValidationFailed(errors=[FieldError("query:after", "not_a_cursor")]) from None
        return RewardViews(tuple(self._view(self._current(reward)) for reward in page.rewards), page.next)

    def get(self, shopper_id: str, reward_id: str) -> RewardView:
        """Return the shopper's reward as it is now."""
        return self._view(self._find(shopper_id, reward_id))

    def give_address(self, shopper_id: str, reward_id: str, address: Mapping[str, Any]) -> RewardView:
        """Say where a prize shall be sent, or put it right; RewardClosed once it is too late for that.

        `address` was validated. It can be repeated as long as no delivery has begun.
        """
        reward = self._find(shopper_id, reward_id)
        self._check_open(reward)  # what will be refused needs no encryption
        # The same text for the same address, whatever order its fields came in.
        plain = json.dumps(address, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        sealed = self._cipher.encrypt(reward.id, plain.encode())
        for _ in range(MAX_RACES):
            given = self._check_open(reward, sealed)
            if self._rewards.save(reward, given):
                return self._view(given)
            reward = self._find(shopper_id, reward_id)
        raise TemporarilyOverloaded

    def _check_open(self, reward: Reward, sealed: bytes = b"") -> Reward:
        given = give_address(reward, sealed, self._now())
        if given is None:
            raise RewardClosed(status=str(reward.status))
        return given

    def _find(self, shopper_id: str, reward_id: str) -> Reward:
        parsed = parse_reward_id(reward_id)
        if parsed is None or parsed[0] != self._owner_of(shopper_id):
            raise RewardNotFound
        reward = self._rewards.get(reward_id)
        if reward is None:
            raise RewardNotFound
        return self._current(reward)

    def _current(self, reward: Reward) -> Reward:
        """The reward with the deadline that its campaign gives it now."""
        campaign = self._campaign(reward)
        return reward if campaign is None else with_deadline(reward, campaign.fulfilment)

    def _view(self, reward: Reward) -> RewardView:
        return RewardView(reward, self._title(reward))

    def _title(self, reward: Reward) -> Mapping[str, str]:
        """What the SKU is called now; a campaign that is gone leaves nothing but its name."""
        campaign = self._campaign(reward)
        sku = None if campaign is None else campaign.sku(reward.sku)
        return {"en": reward.sku} if sku is None else sku.title

    def _campaign(self, reward: Reward) -> Campaign | None:
        try:
            return self._campaigns.get(reward.campaign_id).campaign
        except CampaignNotFound:
            return None
