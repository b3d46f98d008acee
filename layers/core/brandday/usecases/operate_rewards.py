"""What operators do about rewards on their way: look, approve, send again, and clear up dead letters.

Acts on a reward are written together with their entry in the campaign's audit trail, so there is none that nobody has
done. Redriving a queue goes page by page, under a cursor that says where it stands; every step of it can be repeated,
and no dead letter is deleted before what it stood for is done.
"""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol

from pydantic import ValidationError

from brandday.connectors.port import Connector
from brandday.domain import reward as rules
from brandday.domain.campaign import Campaign, State
from brandday.domain.errors import (
    CampaignNotFound,
    FieldError,
    RewardNotFound,
    RewardNotWaiting,
    SecondPersonRequired,
    TemporarilyOverloaded,
    ValidationFailed,
)
from brandday.domain.reward import Reward, RewardStatus
from brandday.domain.trail import Change, TrailEntry
from brandday.usecases.dead_letter_ports import DeadLetter, OperatedQueue, QueueCounts, QueueName
from brandday.usecases.ports import Clock
from brandday.usecases.reward_ports import Page, Rewards

CLAIM_AGAIN_MS: Final = 7 * 24 * 60 * 60 * 1000
"""How long an address can be given again for a prize that is sent anew."""

LATELY_MS: Final = 30 * 24 * 60 * 60 * 1000
"""How long after its end a campaign's shards are looked at again: twice as long as SQS keeps a dead letter."""

BUDGET_MS: Final = 15_000
"""How long one call goes on before it answers with a cursor; API Gateway waits 29 s, and a step takes a few."""

APPLY: Final = "apply"

_TRIES: Final = 5
_LETTERS: Final = 10
_REWARDS_PER_STEP: Final = 10
_SHARDS_PER_STEP: Final = 5
_SEPARATOR: Final = "~"


class RewardActs(Protocol):
    """Rewards and their campaigns' audit trails, written together."""

    def save(self, before: Reward, after: Reward, entry: TrailEntry) -> bool:
        """Replace `before` and add the entry, or neither: False if somebody else has replaced it meanwhile."""

    def has_done(self, campaign_id: str, who: str, act: str) -> bool:
        """Return whether `who` ever did `act` on the campaign, however long ago."""


class CampaignRecords(Protocol):
    """Campaigns as stored."""

    def load(self, campaign_id: str, *, consistent: bool = False) -> tuple[Campaign, Mapping[str, str]]:
        """Return a campaign and the attributes of its summary; CampaignNotFound if there is none."""

    def list_ids(self) -> Sequence[str]:
        """Return the ids of all campaigns, in alphabetical order."""


@dataclass(frozen=True, slots=True)
class RewardSight:
    """A reward and where its campaign sends it now; both None if the shop itself hands it over."""

    reward: Reward
    connector: str | None
    destination: str | None


class RewardSights(NamedTuple):
    """A page of rewards, and where the next one begins (None after the last)."""

    items: tuple[RewardSight, ...]
    next: str | None


class RewardAct(NamedTuple):
    """A reward after an act; `changed` is False if it was done before."""

    sight: RewardSight
    changed: bool


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
class OperateRewards:
    """The operators' acts. `who` is the token's subject throughout.

    `rebuild` makes the rewards that are missing of a campaign's shards, and returns how many that were.
    """

    rewards: Rewards
    acts: RewardActs
    campaigns: CampaignRecords
    rebuild: Callable[[str, Sequence[int]], int]
    queues_by_name: Mapping[QueueName, OperatedQueue]
    connectors: Mapping[str, type[Connector]]
    now: Clock
    random_bytes: Callable[[int], bytes]

    def list(self, campaign_id: str, status: RewardStatus | None, limit: int, after: str | None) -> RewardSights:
        """Return a page of a campaign's rewards in one status, or in all of them, one status after the other.

        It may be a moment behind. ValidationFailed if `after` is not the `next` of such a page.
        """
        campaign, _ = self.campaigns.load(campaign_id)
        statuses = list(RewardStatus) if status is None else [status]
        try:
            at, inner = _read_place(after, statuses)
            page = self._in_statuses(campaign_id, statuses[at:], limit, inner)
        except ValueError:
            raise ValidationFailed(errors=[FieldError("query:after", "not_a_cursor")]) from None
        return RewardSights(tuple(_sight(reward, campaign, self.connectors) for reward in page.rewards), page.next)

    def get(self, reward_id: str) -> RewardSight:
        """Return a reward as it is now."""
        return self._see(self._find(reward_id))

    def approve(self, reward_id: str, who: str) -> RewardAct:
        """Let a reward go that waits for a second person: anybody but those who have ever applied its campaign.

        Raises SecondPersonRequired, RewardNotWaiting. Whoever has approved it before may say so again.
        """
        for _ in range(_TRIES):
            reward = self._find(reward_id)
            if reward.approved_by == who:
                return RewardAct(self._see(reward), changed=False)
            now = self.now()
            after = rules.approve(reward, who, now)
            if after is None:
                raise RewardNotWaiting(status=str(reward.status))
            if self.acts.has_done(reward.campaign_id, who, APPLY):
                raise SecondPersonRequired
            if self._save(reward, after, who, "approve", now):
                return RewardAct(self._see(after), changed=True)
        raise TemporarilyOverloaded

    def redrive(self, reward_id: str, who: str) -> RewardAct:
        """Send a reward anew that has failed or come back; one that is on its way again already stays as it is.

        Raises RewardNotWaiting for one that nobody has to send again.
        """
        for _ in range(_TRIES):
            reward = self._find(reward_id)
            if reward.status in (RewardStatus.PENDING, RewardStatus.AWAITING_ADDRESS):
                return RewardAct(self._see(reward), changed=False)
            now = self.now()
            after = rules.redrive(reward, now, CLAIM_AGAIN_MS)
            if after is None:
                raise RewardNotWaiting(status=str(reward.status))
            if self._save(reward, after, who, "redrive", now):
                return RewardAct(self._see(after), changed=True)
        raise TemporarilyOverloaded

    def queues(self) -> Mapping[QueueName, QueueCounts]:
        """Return how long the queues are, about."""
        return {name: queue.counts() for name, queue in self.queues_by_name.items()}

    def redrive_queue(
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
        steps = {
            QueueName.HOLDS: self._redrive_holds,
            QueueName.FULFILMENTS: self._redrive_fulfilments,
            QueueName.STREAM: self._redrive_stream,
        }
        return steps[name](_Page(walk, who, limit, dry_run, now + BUDGET_MS))

    # --- the pages of a walk ---

    def _redrive_holds(self, page: "_Page") -> Redriven:
        queue = self.queues_by_name[QueueName.HOLDS]
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
        while walk.phase == "rewards":
            campaign_id = walk.campaign or next(iter(self._campaigns_after(walk)), None)
            if campaign_id is None:
                walk = walk.at(phase="letters", campaign=None)
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
            redriven += [
                reward.id for reward in found.rewards if self._redrive_failed(reward.id, page.who, dry_run=page.dry_run)
            ]
            if found.next is not None:
                walk = walk.at(campaign=campaign_id, inner=found.next)
            else:
                walk = walk.at(campaign=None, after=campaign_id, inner=None)
        if page.dry_run:
            dead = self.queues_by_name[QueueName.FULFILMENTS].counts().dead_letters
            return Redriven(looked_at, len(redriven), left=dead, rewards=tuple(redriven))
        removed, left, more = self._remove_letters(QueueName.FULFILMENTS, page, self._has_not_failed)
        return Redriven(looked_at, len(redriven), removed, left, tuple(redriven), next=walk.text() if more else None)

    def _redrive_stream(self, page: "_Page") -> Redriven:
        walk, looked_at, made = page.walk, 0, 0
        while walk.phase == "rewards":
            campaign_id = walk.campaign or next(iter(self._campaigns_after(walk)), None)
            if campaign_id is None:
                walk = walk.at(phase="letters", campaign=None)
                break
            if looked_at >= page.limit or self.now() >= page.until:
                return Redriven(looked_at, made, next=walk.text())
            shards = self._shards(campaign_id, walk.began)
            begin = int(walk.inner or "0")
            step = range(begin, min(shards, begin + _SHARDS_PER_STEP, begin + page.limit - looked_at))
            if step:
                looked_at += len(step)
                made += 0 if page.dry_run else self.rebuild(campaign_id, step)
            if step and step.stop < shards:
                walk = walk.at(campaign=campaign_id, inner=str(step.stop))
            else:
                walk = walk.at(campaign=None, after=campaign_id, inner=None)
        if page.dry_run:
            return Redriven(looked_at, left=self.queues_by_name[QueueName.STREAM].counts().dead_letters)
        # What was given up after the walk began may be about shards that were looked at before: it needs another walk.
        removed, left, more = self._remove_letters(QueueName.STREAM, page, lambda letter: letter.sent_at < walk.began)
        return Redriven(looked_at, made, removed, left, next=walk.text() if more else None)

    def _remove_letters(
        self, name: QueueName, page: "_Page", is_done: Callable[[DeadLetter], bool]
    ) -> tuple[int, int, bool]:
        """Delete dead letters that are done with; return how many, how many are left, and whether there may be more.

        What is left is hidden for a while, so that a walk comes to an end.
        """
        queue, removed, left = self.queues_by_name[name], 0, 0
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

    def _redrive_failed(self, reward_id: str, who: str, *, dry_run: bool) -> bool:
        """Send a reward anew if it has failed, whatever the list said; return whether it was (or would be)."""
        for _ in range(_TRIES):
            reward = self.rewards.get(reward_id)
            if reward is None or reward.status is not RewardStatus.FAILED:
                return False
            now = self.now()
            after = rules.redrive(reward, now, CLAIM_AGAIN_MS)
            if after is not None and (dry_run or self._save(reward, after, who, "redrive", now)):
                return True
        raise TemporarilyOverloaded

    def _campaigns_after(self, walk: "_Walk") -> Sequence[str]:
        """Return the campaigns that are still to be looked at."""
        ids = self.campaigns.list_ids() if walk.only is None else [walk.only]
        return [campaign_id for campaign_id in ids if walk.after is None or campaign_id > walk.after]

    def _shards(self, campaign_id: str, now: int) -> int:
        """Return how many shards may have sold something whose reward is missing."""
        try:
            campaign, _ = self.campaigns.load(campaign_id, consistent=True)
        except CampaignNotFound:
            return 0
        if campaign.layout is None or campaign.state_at(now) in (State.DRAFT, State.SCHEDULED):
            return 0
        return campaign.layout.shards if now < campaign.over_at() + LATELY_MS else 0

    # --- one reward ---

    def _in_statuses(self, campaign_id: str, statuses: Sequence[RewardStatus], limit: int, inner: str | None) -> Page:
        found: list[Reward] = []
        for number, status in enumerate(statuses):
            while True:
                page = self.rewards.in_status(campaign_id, status, limit=limit - len(found), after=inner)
                found += page.rewards
                inner = page.next
                if len(found) >= limit:
                    if inner is not None:
                        return Page(tuple(found), f"{status}{_SEPARATOR}{inner}")
                    rest = statuses[number + 1 :]
                    return Page(tuple(found), f"{rest[0]}{_SEPARATOR}" if rest else None)
                if inner is None:
                    break
        return Page(tuple(found), None)

    def _find(self, reward_id: str) -> Reward:
        reward = self.rewards.get(reward_id)
        if reward is None:
            raise RewardNotFound
        return reward

    def _see(self, reward: Reward) -> RewardSight:
        try:
            campaign, _ = self.campaigns.load(reward.campaign_id)
        except CampaignNotFound:
            return RewardSight(reward, None, None)
        return _sight(reward, campaign, self.connectors)

    def _save(self, before: Reward, after: Reward, who: str, act: str, now: int) -> bool:
        """Save the act on a reward; its entry has no version, because the campaign itself stays as it is."""
        change = Change(("rewards", before.id, "status"), str(before.status), str(after.status))
        entry = TrailEntry(self.random_bytes(6).hex(), now, who, act, 0, (change,))
        return self.acts.save(before, after, entry)


class _Page(NamedTuple):
    """One call of a walk: at most `limit` things, until then (epoch ms)."""

    walk: "_Walk"
    who: str
    limit: int
    dry_run: bool
    until: int


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


def _not_a_cursor() -> ValidationFailed:
    return ValidationFailed(errors=[FieldError("/cursor", "not_a_cursor")])


def _read_place(after: str | None, statuses: Sequence[RewardStatus]) -> tuple[int, str | None]:
    """Return in which of the statuses a page begins, and where in it; ValueError if it is in none of them."""
    if after is None:
        return 0, None
    status, _, inner = after.partition(_SEPARATOR)
    return statuses.index(RewardStatus(status)), inner or None


def _sight(reward: Reward, campaign: Campaign, connectors: Mapping[str, type[Connector]]) -> RewardSight:
    choice = campaign.fulfilment.by_kind.get(reward.kind)
    connector = None if choice is None else connectors.get(choice.connector)
    if choice is None or connector is None:
        return RewardSight(reward, None, None)
    try:
        return RewardSight(reward, choice.connector, connector.destination(connector.Options(**choice.options)))
    except ValidationError:  # declared for a connector as it was once
        return RewardSight(reward, choice.connector, None)
