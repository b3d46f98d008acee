"""What operators do about rewards on their way: look, approve, and send again.

Acts on a reward are written together with their entry in the campaign's audit trail, so there is none that nobody has
done. What is done with whole queues is in `redrive_queues.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from pydantic import ValidationError

from brandday.connectors.port import Connector
from brandday.domain import reward as rules
from brandday.domain.campaign import Campaign
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
from brandday.domain.reward_rules import with_deadline
from brandday.domain.trail import Change, TrailEntry
from brandday.usecases.ports import Campaigns, Clock
from brandday.usecases.reward_ports import Page, Rewards

CLAIM_AGAIN_MS: Final = 7 * 24 * 60 * 60 * 1000
"""How long an address can be given again for a prize that is sent anew."""

APPLY: Final = "apply"

_TRIES: Final = 5
_SEPARATOR: Final = "~"


class RewardActs(Protocol):
    """Rewards and their campaigns' audit trails, written together."""

    def save(self, before: Reward, after: Reward, entry: TrailEntry) -> bool:
        """Replace `before` and add the entry, or neither: False if somebody else has replaced it meanwhile."""

    def has_done(self, campaign_id: str, who: str, act: str) -> bool:
        """Return whether `who` ever did `act` on the campaign, however long ago."""


@dataclass(frozen=True, slots=True)
class RewardSight:
    """A reward, with the claim deadline that holds for it, and where its campaign sends it now; both None if the shop
    itself hands it over.
    """

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


@dataclass(frozen=True, slots=True)
class OperateRewards:
    """The operators' acts. `who` is the token's subject throughout, `connectors` are by name."""

    rewards: Rewards
    acts: RewardActs
    campaigns: Campaigns
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
            if reward.status not in (RewardStatus.FAILED, RewardStatus.RETURNED):
                raise RewardNotWaiting(status=str(reward.status))
            after = self._sent_anew(reward, who)
            if after is not None:
                return RewardAct(self._see(after), changed=True)
        raise TemporarilyOverloaded

    def redrive_failed(self, reward_id: str, who: str) -> bool:
        """Send a reward anew if it has failed, whatever a list said of it; return whether it was."""
        for _ in range(_TRIES):
            reward = self.rewards.get(reward_id)
            if reward is None or reward.status is not RewardStatus.FAILED:
                return False
            if self._sent_anew(reward, who) is not None:
                return True
        raise TemporarilyOverloaded

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

    def _sent_anew(self, reward: Reward, who: str) -> Reward | None:
        """Send a reward anew that has failed or come back; None if somebody else was faster."""
        now = self.now()
        after = rules.redrive(reward, now, CLAIM_AGAIN_MS)
        return after if after is not None and self._save(reward, after, who, "redrive", now) else None

    def _save(self, before: Reward, after: Reward, who: str, act: str, now: int) -> bool:
        """Save the act on a reward; its entry has no version, because the campaign itself stays as it is."""
        change = Change(("rewards", before.id, "status"), str(before.status), str(after.status))
        entry = TrailEntry(self.random_bytes(6).hex(), now, who, act, 0, (change,))
        return self.acts.save(before, after, entry)


def _read_place(after: str | None, statuses: Sequence[RewardStatus]) -> tuple[int, str | None]:
    """Return in which of the statuses a page begins, and where in it; ValueError if it is in none of them."""
    if after is None:
        return 0, None
    status, _, inner = after.partition(_SEPARATOR)
    return statuses.index(RewardStatus(status)), inner or None


def _sight(reward: Reward, campaign: Campaign, connectors: Mapping[str, type[Connector]]) -> RewardSight:
    reward = with_deadline(reward, campaign.fulfilment)
    choice = campaign.fulfilment.by_kind.get(reward.kind)
    connector = None if choice is None else connectors.get(choice.connector)
    if choice is None or connector is None:
        return RewardSight(reward, None, None)
    try:
        return RewardSight(reward, choice.connector, connector.destination(connector.Options(**choice.options)))
    except ValidationError:  # declared for a connector as it was once
        return RewardSight(reward, choice.connector, None)
