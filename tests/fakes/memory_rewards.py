"""Rewards in memory: the ports `Rewards` and `Cipher` without AWS."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from brandday.domain.reward import Reward, RewardStatus
from brandday.domain.reward_id import parse_reward_id
from brandday.usecases.reward_ports import Page


@dataclass
class MemoryRewards:
    """All rewards by id, and every change there was, in order: (before, or None if it is new; after)."""

    rewards: dict[str, Reward] = field(default_factory=dict)
    changes: list[tuple[Reward | None, Reward]] = field(default_factory=list)

    def create(self, reward: Reward) -> bool:
        """Store a new reward unless it is there."""
        return self._store(None, reward) if reward.id not in self.rewards else False

    def get(self, reward_id: str) -> Reward | None:
        """Return a reward as it is."""
        return self.rewards.get(reward_id)

    def save(self, before: Reward, after: Reward) -> bool:
        """Replace a reward on condition of its version."""
        known = self.rewards.get(before.id)
        return known is not None and known.version == before.version and self._store(known, after)

    def of_owner(self, owner: str, *, limit: int, after: str | None = None) -> Page:
        """Return a shopper's rewards, the newest first."""
        mine = sorted((each for each in self.rewards.values() if each.owner == owner), key=_moment, reverse=True)
        return _page(mine, limit, after, _moment, newest_first=True)

    def in_status(
        self, campaign_id: str, status: RewardStatus, *, until: int | None = None, limit: int, after: str | None = None
    ) -> Page:
        """Return a campaign's rewards in a status, the oldest first: here a campaign has one part."""
        return self._listed(
            lambda each: (
                each.campaign_id == campaign_id and each.status is status and (until is None or each.status_at <= until)
            ),
            limit,
            after,
        )

    def owing(self, campaign_id: str, *, limit: int, after: str | None = None) -> Page:
        """Return a campaign's forfeited rewards whose units have not gone back."""
        return self._listed(lambda each: each.campaign_id == campaign_id and each.owes_units, limit, after)

    def _listed(self, wanted: Callable[[Reward], bool], limit: int, after: str | None) -> Page:
        return _page(sorted(filter(wanted, self.rewards.values()), key=_place), limit, after, _place)

    def _store(self, before: Reward | None, after: Reward) -> bool:
        stored = replace(after, version=1 if before is None else before.version + 1)
        self.rewards[stored.id] = stored
        self.changes.append((before, stored))
        return True


class MemoryCipher:
    """Encrypts so that a test can tell: the plain text is not in it, and it opens for its own reward only."""

    def encrypt(self, reward_id: str, plain: bytes) -> bytes:
        """Return the ciphertext."""
        return json.dumps([reward_id, plain.hex()]).encode()

    def decrypt(self, reward_id: str, cipher: bytes) -> bytes:
        """Return the plain text."""
        sealed_for, plain = json.loads(cipher)
        if sealed_for != reward_id:
            raise ValueError("sealed for another reward")
        return bytes.fromhex(plain)


def _moment(reward: Reward) -> tuple[Any, ...]:
    parsed = parse_reward_id(reward.id)
    assert parsed is not None
    return parsed[1:]


def _place(reward: Reward) -> tuple[Any, ...]:
    return (reward.status_at, *_moment(reward), reward.owner)


def _page(
    found: list[Reward],
    limit: int,
    after: str | None,
    place: Callable[[Reward], tuple[Any, ...]],
    *,
    newest_first: bool = False,
) -> Page:
    if after is not None:
        seen = _read(after)
        found = [each for each in found if (place(each) < seen if newest_first else place(each) > seen)]
    following = json.dumps(place(found[limit - 1])) if len(found) > limit else None
    return Page(tuple(found[:limit]), following)


def _read(cursor: str) -> tuple[Any, ...]:
    try:
        place = json.loads(cursor)
    except ValueError as error:
        raise ValueError("not a cursor") from error
    if not isinstance(place, list) or not place or not isinstance(place[0], int):
        raise ValueError("not a cursor")
    return tuple(place)
