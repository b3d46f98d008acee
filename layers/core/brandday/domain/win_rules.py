"""Which reward a win becomes; pure, and the same however often it is asked."""

from collections.abc import Iterator

from brandday.domain.campaign import Campaign, Sku
from brandday.domain.entrant import Entrant, Fate, entry_id
from brandday.domain.fulfilment import RewardKind
from brandday.domain.reward import Reward, RewardStatus, begin
from brandday.domain.reward_id import reward_id
from brandday.domain.reward_rules import claim_deadline, needs_approval


def newly_won(before: Entrant | None, after: Entrant) -> Iterator[int]:
    """Yield the number of every entry that is a win in `after` and was none in `before`."""
    known = () if before is None else before.entries
    for number, entry in enumerate(after.entries, 1):
        was = known[number - 1].won if number <= len(known) else None
        if was is None and entry.won is not None and entry.won.fate is Fate.WON:
            yield number


def reward_of_win(campaign: Campaign, entrant: Entrant, number: int, now: int) -> Reward:
    """Return the reward of a won entry, in its first status; ValueError if it won nothing that the campaign has."""
    entry = entrant.entries[number - 1]
    slot = None if entry.won is None else entry.won.slot
    prize = None if slot is None or campaign.layout is None else campaign.sku(campaign.layout.skus[slot])
    if prize is None:
        raise ValueError(f"entry {number} of {entrant.name} won nothing of {campaign.id}")
    source = entry_id(campaign.id, entrant.name, number)
    return won_reward(campaign, prize, source, owner=entrant.owner, sub=entrant.sub, at=entry.at, now=now)


def won_reward(campaign: Campaign, prize: Sku, source: str, *, owner: str, sub: str, at: int, now: int) -> Reward:
    """Return the reward of a prize, won by the entry `source` of the time `at` (both times in epoch ms).

    `at` makes the reward's id, so that whoever makes it makes the same one; `now` is when its deadlines begin.
    """
    terms, fulfilment = prize.reward, campaign.fulfilment
    won = Reward(
        id=reward_id(owner, at, campaign.id),
        owner=owner,
        campaign_id=campaign.id,
        kind=terms.kind,
        sku=prize.sku,
        quantity=1,
        source=source,
        created_at=now,
        status=RewardStatus.PENDING,
        status_at=now,
        time_limit_ms=fulfilment.time_limit_ms,
        shopper_id=sub,
        claim_until=_claim_until(campaign, now) if terms.kind.needs_address else None,
    )
    return begin(
        won,
        now,
        needs_approval=needs_approval(terms, 1, fulfilment),
        has_connector=terms.kind in fulfilment.by_kind or terms.kind is not RewardKind.ORDER,
    )


def _claim_until(campaign: Campaign, now: int) -> int | None:
    """Until when a prize can be claimed that is won at `now`. Reserves move up when the deadline of the winners has
    passed, and have the time that the draw gives them.
    """
    draw = None if campaign.lottery is None else campaign.lottery.draw
    deadline = claim_deadline(campaign.fulfilment, now)
    if draw is None or deadline is None or deadline == campaign.fulfilment.claim_until:
        return deadline
    return now + draw.reserve_claim_ms
