"""What operators do about whole queues: see how long they are, and do again what was given up.

A walk over a queue goes page by page, under a cursor that says where it stands; every step of it can be repeated, and
no dead letter is deleted before what it stood for is done.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from brandday.domain.campaign import State
from brandday.domain.errors import CampaignNotFound, FieldError, TemporarilyOverloaded, ValidationFailed
from brandday.domain.reward import RewardStatus
from brandday.usecases.dead_letter_ports import DeadLetter, OperatedQueue, QueueCounts, QueueName
from brandday.usecases.ports import Campaigns, Clock
from brandday.usecases.reward_ports import Rewards

LATELY_MS: Final = 30 * 24 * 60 * 60 * 1000
"""How long after its end a campaign's shards are looked at again: twice as long as SQS keeps a dead letter."""

BUDGET_MS: Final = 15_000
"""How long one call goes on before it answers with a cursor; API Gateway waits 29 s, and a step takes a few."""

_LETTERS: Final = 10
_REWARDS_PER_STEP: Final = 10
_SHARDS_PER_STEP: Final = 5


class Redriven(NamedTuple):
    """What one call came to, or would: `looked_at` and `redriven` are rewards (fulfilments), messages (holds), or
    shards and the rewards that were missing in them (stream). `rewards` names the redriven of fulfilments.

    `removed` are dead letters that are gone; `left` are those that stand for something that is still not done. `next`
    is where to go on; None: that was all.
    """

    looked_at: int = 0
    redriven: int = 0
    removed: int = 0
    left: int = 0
    rewards: tuple[str, ...] = ()
    next: str | None = None


@dataclass(frozen=True, slots=True)
class RedriveQueues:
    """Counts the queues, and does again what was given up.

    `redrive_failed(reward_id, who)` sends a reward anew if it has failed, and returns whether it was.
    `rebuild(campaign_id, shards)` makes the rewards that are missing of shards, and returns how many that were.
    """

    queues: Mapping[QueueName, OperatedQueue]
    campaigns: Campaigns
    rewards: Rewards
    redrive_failed: Callable[[str, str], bool]
    rebuild: Callable[[str, Sequence[int]], int]
    now: Clock

    def counts(self) -> Mapping[QueueName, QueueCounts]:
        """Return how long the queues are, about."""
        return {name: queue.counts() for name, queue in self.queues.items()}

    def __call__(
        self,
        name: QueueName,
        who: str,
        *,
        limit: int,
        cursor: str | None = None,
        campaign_id: str | None = None,
        dry_run: bool = False,
    ) -> Redriven:
        """Do again what was given up, `limit` things at most; go on with the same arguments and `next` as cursor.

        holds: dead letters go back to their queue. fulfilments: failed rewards (of one campaign, if it is named) are
        sent anew, and dead letters of rewards that have not failed any more are removed. stream: the rewards of all
        campaigns that are live or ended lately are made again from the shards, where they are missing, and then the
        dead letters that were there at the beginning are removed. ValidationFailed for a cursor of another walk.
        """
        now = self.now()
        walk = _Walk.read(cursor, name, campaign_id, now) or _Walk(name, now, campaign_id)
        if campaign_id is not None:
            self.campaigns.load(campaign_id)
        page = _Page(walk, who, limit, dry_run, now + BUDGET_MS)
        match name:
            case QueueName.HOLDS:
                return self._redrive_holds(page)
            case QueueName.FULFILMENTS:
                return self._redrive_fulfilments(page)
            case QueueName.STREAM:
                return self._redrive_stream(page)

    def _redrive_holds(self, page: "_Page") -> Redriven:
        queue = self.queues[QueueName.HOLDS]
        if page.dry_run:
            return Redriven(looked_at=(dead := queue.counts().dead_letters), redriven=dead)
        sent = 0
        while sent < page.limit and self.now() < page.until:
            letters = queue.receive(min(_LETTERS, page.limit - sent))
            if not letters:
                return Redriven(looked_at=sent, redriven=sent, removed=sent)
            back = queue.send_back(letters)
            if back:
                queue.delete(back)  # never before the copy is there: twice does no harm, not at all does
            sent += len(back)
            if len(back) < len(letters):
                raise TemporarilyOverloaded
        return Redriven(looked_at=sent, redriven=sent, removed=sent, next=page.walk.text())

    def _redrive_fulfilments(self, page: "_Page") -> Redriven:
        walk, looked_at = page.walk, 0
        redriven: list[str] = []
        campaign_ids = self._campaign_ids(walk)
        while walk.phase == "rewards":
            campaign_id = walk.next_campaign(campaign_ids)
            if campaign_id is None:
                walk = walk.at(phase="letters")
                break
            room = min(_REWARDS_PER_STEP, page.limit - looked_at)
            if room <= 0 or self.now() >= page.until:
                return Redriven(looked_at, len(redriven), rewards=tuple(redriven), next=walk.text())
            try:
                found = self.rewards.in_status(
                    campaign_id, RewardStatus.FAILED, until=walk.began, limit=room, after=walk.inner
                )
            except ValueError:
                raise _not_a_cursor() from None
            looked_at += len(found.rewards)
            redriven += [reward.id for reward in found.rewards if self._redrive_reward(reward.id, page)]
            walk = walk.in_campaign(campaign_id, found.next)
        if page.dry_run:
            dead = self.queues[QueueName.FULFILMENTS].counts().dead_letters
            return Redriven(looked_at, len(redriven), left=dead, rewards=tuple(redriven))
        removed, left, more = self._remove_letters(QueueName.FULFILMENTS, page, self._has_not_failed)
        return Redriven(looked_at, len(redriven), removed, left, tuple(redriven), next=walk.text() if more else None)

    def _redrive_reward(self, reward_id: str, page: "_Page") -> bool:
        if not page.dry_run:
            return self.redrive_failed(reward_id, page.who)
        reward = self.rewards.get(reward_id)  # the list may be behind
        return reward is not None and reward.status is RewardStatus.FAILED

    def _redrive_stream(self, page: "_Page") -> Redriven:
        walk, looked_at, made = page.walk, 0, 0
        campaign_ids = self._campaign_ids(walk)
        while walk.phase == "rewards":
            campaign_id = walk.next_campaign(campaign_ids)
            if campaign_id is None:
                walk = walk.at(phase="letters")
                break
            if looked_at >= page.limit or self.now() >= page.until:
                return Redriven(looked_at, made, next=walk.text())
            shards = self._shards(campaign_id, walk.began)
            begin = int(walk.inner or "0")
            step = range(begin, min(shards, begin + _SHARDS_PER_STEP, begin + page.limit - looked_at))
            if step:
                looked_at += len(step)
                made += 0 if page.dry_run else self.rebuild(campaign_id, step)
            walk = walk.in_campaign(campaign_id, str(step.stop) if step and step.stop < shards else None)
        if page.dry_run:
            return Redriven(looked_at, left=self.queues[QueueName.STREAM].counts().dead_letters)
        # What was given up after the walk began may be about shards that were looked at before: it needs another walk.
        removed, left, more = self._remove_letters(QueueName.STREAM, page, lambda letter: letter.sent_at < walk.began)
        return Redriven(looked_at, made, removed, left, next=walk.text() if more else None)

    def _remove_letters(
        self, name: QueueName, page: "_Page", is_done: Callable[[DeadLetter], bool]
    ) -> tuple[int, int, bool]:
        """Delete dead letters that are done with; return how many, how many are left, and whether there may be more.

        What is left is hidden for a while, so that a walk comes to an end.
        """
        queue, removed, left = self.queues[name], 0, 0
        while removed + left < page.limit and self.now() < page.until:
            letters = queue.receive(min(_LETTERS, page.limit - removed - left))
            if not letters:
                return removed, left, False
            done = [letter for letter in letters if is_done(letter)]
            if done:
                queue.delete(done)
            removed += len(done)
            left += len(letters) - len(done)
        return removed, left, True

    def _has_not_failed(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is about a reward that nobody has to see to, or has a newer one; one that cannot be
        read stays.
        """
        try:
            told = json.loads(letter.body)
            reward_id, cycle = told["reward_id"], told["cycle"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return False
        if not isinstance(reward_id, str) or not isinstance(cycle, int):
            return False
        reward = self.rewards.get(reward_id)
        return reward is None or reward.status is not RewardStatus.FAILED or cycle < reward.cycle

    def _campaign_ids(self, walk: "_Walk") -> Sequence[str]:
        """Return what a walk goes over, in its order."""
        return sorted(self.campaigns.list_ids()) if walk.only is None else [walk.only]

    def _shards(self, campaign_id: str, now: int) -> int:
        """Return how many shards may have sold something whose reward is missing."""
        try:
            campaign, _ = self.campaigns.load(campaign_id, consistent=True)
        except CampaignNotFound:
            return 0
        if campaign.layout is None or campaign.state_at(now) in (State.DRAFT, State.SCHEDULED):
            return 0
        return campaign.layout.shards if now < campaign.over_at() + LATELY_MS else 0


@dataclass(frozen=True, slots=True)
class _Walk:
    """Where redriving a queue stands: `began` (epoch ms) bounds what it is about, so that it comes to an end.

    `only` is the one campaign it is about, if it is only one; `campaign` the one it is at, from `inner` on; `after` the
    last one that is done. `phase` is "rewards", then "letters".
    """

    queue: str
    began: int
    only: str | None = None
    phase: str = "rewards"
    campaign: str | None = None
    after: str | None = None
    inner: str | None = None

    def next_campaign(self, ordered: Sequence[str]) -> str | None:
        """Return the campaign it is at or, of those in order, comes to next; None after the last."""
        return self.campaign or next((each for each in ordered if self.after is None or each > self.after), None)

    def in_campaign(self, campaign_id: str, inner: str | None) -> "_Walk":
        """Return the walk at a place in a campaign, or behind it if there is none left."""
        if inner is not None:
            return self.at(campaign=campaign_id, inner=inner)
        return self.at(campaign=None, after=campaign_id, inner=None)

    def at(self, **changes: Any) -> "_Walk":
        """Return the same walk elsewhere."""
        return replace(self, **changes)

    def text(self) -> str:
        """Return the cursor that it is read from again."""
        values = [self.queue, self.began, self.only, self.phase, self.campaign, self.after, self.inner]
        return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str | None, queue: QueueName, only: str | None, now: int) -> "_Walk | None":
        """Return the walk of a cursor, None without one; ValidationFailed if it is not one of this walk."""
        if cursor is None:
            return None
        try:
            values = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
            name, began, *texts = values
            walk = cls(name, began, *texts)
        except (ValueError, TypeError, RecursionError, binascii.Error):
            raise _not_a_cursor() from None
        fits = (
            name == queue
            and type(began) is int
            and 0 <= began <= now
            and len(texts) == 5
            and all(text is None or (isinstance(text, str) and text.isascii()) for text in texts)
            and walk.only == only
            and walk.phase in ("rewards", "letters")
            and (queue is not QueueName.STREAM or walk.inner is None or walk.inner.isdecimal())
        )
        if not fits:
            raise _not_a_cursor()
        return walk


class _Page(NamedTuple):
    """One call of a walk: at most `limit` things, until then (epoch ms)."""

    walk: _Walk
    who: str
    limit: int
    dry_run: bool
    until: int


def _not_a_cursor() -> ValidationFailed:
    return ValidationFailed(errors=[FieldError("/cursor", "not_a_cursor")])
