"""What operators may still do to a campaign: what publication freezes, and which act fits which status."""

from collections.abc import Iterable, Sequence

from brandday.domain.campaign import Campaign, State
from brandday.domain.coupon_freezes import frozen_of_coupons, restock_problem
from brandday.domain.errors import (
    CampaignChangeRefused,
    CampaignEnded,
    CampaignNotPublished,
    FieldError,
    ValidationFailed,
)
from brandday.domain.lottery_rules import CONTACT, brought_forward, frozen_of_lottery
from brandday.domain.times import to_rfc3339
from brandday.domain.trail import Change

MAX_RESTOCKS = 100
"""Every restock leaves a mark in the shards it added to, and a line in the campaign that each request reads.
"""

MAX_UNITS_PER_SHARD = 1000
"""Keeps a shard far under DynamoDB's 400 KB, however often its campaign is restocked."""

_PROMISED = "cannot change once the campaign is published: shoppers may hold or own units on these terms"
_ENDED = "cannot change, but for `fulfilment` and a lottery's contact: the campaign has ended; declare a new one"
_FROZEN = {
    "mechanic": _PROMISED,
    "time_zone": "cannot change once the campaign is published: its times were announced in this zone",
    "limit_per_shopper": _PROMISED,
    "hold_seconds": "cannot change once the campaign is published: it decides when holds that exist run out",
    "extend_seconds": "cannot change once the campaign is published: it decides when holds that exist run out",
}
_FROZEN_OF_SKU = {
    "stock": "cannot change once the campaign is published; add units with a restock",
    "list_price": _PROMISED,
    "sale_price": _PROMISED,
    "units_per_shopper": _PROMISED,
    "reward": _PROMISED,
}


def check_changes(live: Campaign, declared: Campaign, changes: Sequence[Change], now_ms: int) -> None:
    """Raise unless `live` may become `declared` at `now_ms`; every place that stands in the way is named.

    CampaignChangeRefused for what is frozen, ValidationFailed for times that are over. How rewards are handed over
    may change even after the end: they are on their way for weeks, and a partner may move meanwhile. So may whom to
    ask about a lottery.
    """
    claim_until = declared.fulfilment.claim_until
    if claim_until is not None and claim_until != live.fulfilment.claim_until and claim_until <= now_ms:
        raise ValidationFailed(errors=[FieldError("/fulfilment/claim_until", "not_in_future")])
    state = live.state_at(now_ms)
    refused = [] if state is State.DRAFT else list(brought_forward(live, declared))
    if state is State.ENDED:
        if not all(change.path[0] == "fulfilment" or change.path == CONTACT for change in changes):
            refused.append(("", _ENDED))
    elif state is not State.DRAFT:
        refused += _frozen(live, declared, changes, now_ms)
        if any(change.path[0] == "protection" for change in changes):
            from brandday.domain.protection_freezes import frozen_of_protection  # most campaigns have no use for it

            refused += frozen_of_protection(live, declared)
    if refused:
        raise _refused(refused)
    if state is not State.ENDED:
        check_not_over(declared, now_ms)


def check_not_over(campaign: Campaign, now_ms: int) -> None:
    """Raise ValidationFailed if the campaign's window is over already."""
    if campaign.ends_at <= now_ms:
        raise ValidationFailed(errors=[FieldError("/ends_at", "not_in_future")])


def check_published(campaign: Campaign, now_ms: int) -> None:
    """Raise CampaignNotPublished or CampaignEnded unless the campaign is between publication and its end."""
    match campaign.state_at(now_ms):
        case State.DRAFT:
            raise CampaignNotPublished
        case State.ENDED:
            raise CampaignEnded(ended_at=to_rfc3339(campaign.over_at()))


def check_restock(campaign: Campaign, sku_id: str, quantity: int) -> None:
    """Raise unless the campaign sells `sku_id` and can carry `quantity` more units of it."""
    if campaign.sku(sku_id) is None:
        raise ValidationFailed(errors=[FieldError("/sku", "unknown_sku")])
    if campaign.lottery is not None:
        raise _refused([("", "prizes cannot be added: their number was promised, and is part of the published hash")])
    if campaign.coupon is not None and (problem := restock_problem(campaign, campaign.coupon, quantity)):
        raise _refused([problem])
    if len(campaign.restocks) >= MAX_RESTOCKS:
        raise _refused([("", f"the campaign was restocked {MAX_RESTOCKS} times, which is all it can record")])
    if campaign.layout is not None:
        units = sum(sku.stock + campaign.restocked(sku.sku) for sku in campaign.skus)
        room = campaign.layout.shards * MAX_UNITS_PER_SHARD - units
        if quantity > room:
            raise _refused([("/quantity", f"the campaign can carry {room} more units; declare another one")])


def _frozen(live: Campaign, declared: Campaign, changes: Iterable[Change], now_ms: int) -> Iterable[tuple[str, str]]:
    """The JSON pointer and the reason of each change that comes too late."""
    if live.lottery is not None:
        yield from frozen_of_lottery(live, declared, changes, now_ms)
        return
    if live.coupon is not None:
        yield from frozen_of_coupons(live, declared, changes, now_ms)
        return
    if declared.mechanic != live.mechanic:
        yield "/mechanic", _FROZEN["mechanic"]
        return
    index = {sku.sku: at for at, sku in enumerate(declared.skus)}
    known = [sku.sku for sku in live.skus]
    for sku, at in index.items():
        if sku not in known:
            yield f"/skus/{at}", "cannot be added once the campaign is published; declare another campaign"
    gone = [sku for sku in known if sku not in index]
    if gone:
        yield "/skus", f"cannot lose {', '.join(gone)} once the campaign is published: shoppers may own units"
    for change in changes:
        match change.path:
            case ("skus", sku, field, *inner) if sku in index and sku in known and field in _FROZEN_OF_SKU:
                yield "/".join((f"/skus/{index[sku]}/{field}", *inner)), _FROZEN_OF_SKU[field]
            case ("starts_at",) if now_ms >= live.starts_at:
                yield "/starts_at", "cannot change any more: the campaign has started"
            case ("starts_at",) if declared.starts_at <= now_ms:
                yield "/starts_at", "must be in the future"
            case (field,) if field in _FROZEN:
                yield f"/{field}", _FROZEN[field]


def _refused(places: Iterable[tuple[str, str]]) -> CampaignChangeRefused:
    return CampaignChangeRefused(
        errors=[FieldError(pointer, "refused", {"reason": reason}) for pointer, reason in places]
    )
