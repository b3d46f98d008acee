"""Coupons in memory: the port `Coupons` without a database, by the very rules that adapters have to follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from brandday.adapters.keys import coupon_group, owner_sort_key, parse_owner_sort_key
from brandday.domain.coupon_record import UNTOUCHED, CouponFacts, CouponState, Part
from brandday.domain.shard import apply
from brandday.usecases.coupon_ports import (
    CAMPAIGN_PARTS,
    CampaignPage,
    CouponChange,
    PartChange,
    StateChange,
    StockChange,
    StoredCoupon,
)
from tests.fakes.memory_stock import MemoryStock


@dataclass
class MemoryCoupons:
    """All coupons and parts; the shards that transactions write are those of `stock`."""

    stock: MemoryStock = field(default_factory=MemoryStock)
    facts: dict[str, CouponFacts] = field(default_factory=dict)
    states: dict[str, CouponState] = field(default_factory=dict)
    stored_parts: dict[tuple[str, int], Part] = field(default_factory=dict)

    def load(self, ids: Sequence[str], *, consistent: bool) -> Mapping[str, StoredCoupon]:  # noqa: ARG002 - a port
        """Return the coupons that exist."""
        return {
            each: StoredCoupon(self.facts[each], self.states.get(each, UNTOUCHED)) for each in ids if each in self.facts
        }

    def parts(self, redemption: str) -> tuple[Part, ...]:
        """Return a redemption's parts in order."""
        return tuple(part for (of, _), part in sorted(self.stored_parts.items()) if of == redemption)

    def transact(self, changes: Sequence[CouponChange]) -> bool:
        """Make all changes or none."""
        targets = [_target(change) for change in changes]
        if len(set(targets)) < len(targets):
            raise ValueError(f"a transaction changes each item once: {targets}")  # as DynamoDB does
        shards = dict(self.stock.shards)
        for change in changes:
            match change:
                case StockChange(campaign_id, write):
                    after = apply(self.stock.shard(write.shard, campaign_id), write)
                    if after is None:
                        return False
                    shards[campaign_id, write.shard] = after
                case StateChange(facts, before, _):
                    if self.states.get(facts.id, UNTOUCHED).version != before.version:
                        return False
                case PartChange():
                    stored = self.stored_parts.get(_part_of(change))
                    seen = change.before
                    if (0 if stored is None else stored.version) != (0 if seen is None else seen.version):
                        return False
        self.stock.shards = shards
        for change in changes:
            if isinstance(change, StateChange):
                self.states[change.facts.id] = replace(change.after, version=change.before.version + 1)
            elif isinstance(change, PartChange):
                self._put_part(change)
        return True

    def _put_part(self, change: PartChange) -> None:
        if change.after is None:
            del self.stored_parts[_part_of(change)]
        else:
            version = 0 if change.before is None else change.before.version
            self.stored_parts[_part_of(change)] = replace(change.after, version=version + 1)

    def put_facts(self, coupons: Iterable[CouponFacts]) -> None:
        """Write facts."""
        self.facts |= {coupon.id: coupon for coupon in coupons}

    def of_owner(self, owner: str, limit: int, after: str | None) -> tuple[Sequence[str], str | None]:
        """Return an owner's coupons, the newest first."""
        if after is not None:
            parse_owner_sort_key(after)
            if not after.isprintable():
                raise ValueError("not a cursor")
        owned = [coupon for coupon in self.facts.values() if coupon.owner == owner]
        keys = sorted((owner_sort_key(coupon.issued_at, coupon.id) for coupon in owned), reverse=True)
        rest = [key for key in keys if after is None or key < after]
        following = rest[limit - 1] if len(rest) > limit else None
        return tuple(parse_owner_sort_key(key)[1] for key in rest[:limit]), following

    def of_campaign(self, campaign_id: str, part: int, after: str | None) -> CampaignPage:
        """Return all of a part of a campaign; here it is one page."""
        if after is not None:
            raise ValueError("there is one page only")
        facts = [
            coupon
            for coupon in self.facts.values()
            if coupon.campaign_id == campaign_id and coupon_group(coupon.id, CAMPAIGN_PARTS) == part
        ]
        parts = [
            stored
            for stored in self.stored_parts.values()
            if stored.campaign_id == campaign_id and coupon_group(stored.redemption, CAMPAIGN_PARTS) == part
        ]
        states = {coupon.id: self.states[coupon.id] for coupon in facts if coupon.id in self.states}
        return CampaignPage(facts, states, parts, None)


def _part_of(change: PartChange) -> tuple[str, int]:
    part = change.before or change.after
    if part is None:
        raise ValueError("a change from nothing to nothing")
    return part.redemption, part.number


def _target(change: CouponChange) -> tuple[object, ...]:
    match change:
        case StockChange(campaign_id, write):
            return ("shard", campaign_id, write.shard)
        case StateChange(facts):
            return ("state", facts.id)
        case PartChange():
            return ("part", *_part_of(change))
