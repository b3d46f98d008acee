"""Redemptions: what becomes of an order's coupons, and why each of them is used once and none is lost.

Here are the rules, pure functions over what was read; :mod:`brandday.domain.redemption_protocols` has the order in
which a request reads and writes.

The invariant, which `brandday audit` checks: **parts, states and the claims in stock shards always agree, because they
change in one transaction.** A coupon is redeemed exactly if a part says that its redemption has redeemed it (or rolled
it back and kept it); a use of a shared code is taken exactly if a part names its claim. Nobody writes one without the
others, so nothing can be half done, and whoever repeats a request finds in the parts what it has done.

Why it is right:

1. Every transaction is on condition of all that it was made from: the version of each coupon's state that it changes,
   the shopper's record and the free units of each shard, and the version of *every* part of the redemption, whether it
   changes or not. So the requests of one order are serialised in its parts, and those for one coupon in its state.
2. A part says of how many it is one (`of`). A read may meet some parts before and others after a change; then the
   count is wrong, or the transaction made from it is refused.
3. A lock is a time: after it the coupon is free again without any write, for everybody. Nothing has to run for that, so
   nothing is stuck when a process dies. Who locked it may still confirm it as long as nobody else has taken it.
4. A refusal to confirm is final: the redemption is released in the same breath. Otherwise the shop refunds the payment,
   repeats the request, and this time burns the coupon.
5. A shared code is stock (`domain/stock.py`): its uses are units in shards of about 30, so that no item is hot, and the
   limit per shopper is that of stock. A lock is a hold, which the machinery of stock gives back when it has lapsed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from brandday.domain.coupon_change import PartChange, StateChange, StoredCoupon
from brandday.domain.coupon_record import CouponState, Part, PartStatus, UseState
from brandday.domain.coupon_rules import redeemed as was_redeemed
from brandday.domain.errors import BrandDayError, CouponDisabled, CouponLocked, ShopperLimitReached
from brandday.domain.redemption_id import use_tag
from brandday.domain.shard import CANCELLED, CONFIRMED, EXPIRED, Entry
from brandday.domain.stock import Claim, ClaimRequest, Terms

USED = "r"
"""What stands in the claim on a use for the order that paid for it. Which redemption it is, its tag says: a whole order
id would make the shard larger than what one write unit pays for."""


class RedemptionStatus(StrEnum):
    """What a redemption is at a moment: the status of its parts and the clock together."""

    LOCKED = "locked"
    REDEEMED = "redeemed"
    ROLLED_BACK = "rolled_back"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Redemption:
    """What one order does with its codes; times are epoch ms.

    `at` is when the status came about; `expires_at` is when the lock runs out, or ran out, None if nothing is locked.
    """

    id: str
    order_id: str
    shopper: str
    store: str | None
    status: RedemptionStatus
    at: int
    expires_at: int | None
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Pool:
    """The uses of a shared code, as they are for one shopper: under which name, in which shard, how many at most.

    `elsewhere` names a few other shards worth a look when the home shard has no use left.
    """

    name: str
    home: int
    slot: str
    limit: int
    terms: Terms
    elsewhere: Callable[[ClaimRequest], tuple[int, ...]]

    def request(self, redemption: str, status: PartStatus, now: int) -> ClaimRequest:
        """Return the wish for one use: set aside, or redeemed at once."""
        order_id = USED if status is PartStatus.REDEEMED else None
        tag = use_tag(redemption)
        return ClaimRequest(self.name, self.home, self.slot, 1, tag, now, self.limit, self.limit, order_id)


@dataclass(frozen=True)
class Code:
    """One code of an order and what is fixed about it: either a coupon of its own (`coupon_id`) or a shared `pool`.

    `lock_ms` is how long it is locked at most; `returns` is whether it comes back when its order is cancelled.
    """

    campaign_id: str
    code: str
    lock_ms: int
    coupon_id: str | None = None
    pool: Pool | None = None
    returns: bool = True


class Wanted(NamedTuple):
    """Which codes a redemption shall have, and in which status: locked or redeemed."""

    redemption: str
    codes: tuple[Code, ...]
    status: PartStatus
    now: int
    store: str | None = None


def is_whole(parts: Sequence[Part]) -> bool:
    """Return whether these are all parts of a redemption at one moment, as far as they can tell; none are whole."""
    return all(
        part.number == number and part.of == len(parts) and part.status is parts[0].status
        for number, part in enumerate(parts)
    )


def view(parts: Sequence[Part], now: int) -> Redemption | None:
    """Return the redemption that these parts are, as it stands at ``now``; None if there are none."""
    if not parts:
        return None
    first = parts[0]
    status = RedemptionStatus(first.status)
    ended = first.status is PartStatus.RELEASED and first.at >= first.expires_at
    if ended or (first.status is PartStatus.LOCKED and first.expires_at <= now):
        status = RedemptionStatus.EXPIRED
    was_locked = first.status in (PartStatus.LOCKED, PartStatus.RELEASED)
    return Redemption(
        id=first.redemption,
        order_id=first.order_id,
        shopper=first.shopper,
        store=first.store,
        status=status,
        at=first.at,
        expires_at=first.expires_at if was_locked else None,
        parts=tuple(parts),
    )


# --- coupons of their own -----------------------------------------------------------------------------------


def is_of(state: CouponState, redemption: str) -> bool:
    """Return whether a coupon is in the hands of this redemption: redeemed by it, or locked by it and by no other since
    (even if that lock has run out).
    """
    return state.redemption == redemption and state.use in (UseState.LOCKED, UseState.REDEEMED)


def why_not_free(state: CouponState, now: int) -> BrandDayError | None:
    """Return what keeps everybody from using a coupon in this state, or None."""
    if state.disabled:
        return CouponDisabled()
    if state.use is UseState.REDEEMED:
        return was_redeemed(state)
    if state.use is UseState.LOCKED and state.locked_until > now:
        return CouponLocked(retry_after_ms=state.locked_until - now)
    return None


def use(stored: StoredCoupon, wanted: Wanted, locked_until: int) -> StateChange:
    """Return the change by which a redemption locks or redeems a coupon."""
    is_redeemed = wanted.status is PartStatus.REDEEMED
    after = replace(
        stored.state,
        use=UseState.REDEEMED if is_redeemed else UseState.LOCKED,
        redemption=wanted.redemption,
        at=wanted.now,
        locked_until=0 if is_redeemed else locked_until,
        store=wanted.store,
    )
    return StateChange(stored.facts, stored.state, after)


def unlock(stored: StoredCoupon, now: int) -> StateChange:
    """Return the change by which a lock is given up."""
    after = replace(stored.state, use=None, redemption=None, at=now, locked_until=0, store=None)
    return StateChange(stored.facts, stored.state, after)


def give_back(stored: StoredCoupon, now: int) -> StateChange:
    """Return the change by which a redeemed coupon is its owner's again, with the validity it had left when it was
    redeemed.
    """
    state = stored.state
    until = stored.facts.valid_until if state.valid_until is None else state.valid_until
    after = replace(
        state,
        use=UseState.RETURNED,
        redemption=None,
        at=now,
        locked_until=0,
        store=None,
        valid_until=max(until, now + (until - state.at)),
    )
    return StateChange(stored.facts, stored.state, after)


# --- uses of shared codes -----------------------------------------------------------------------------------


def why_no_room(limit: int, terms: Terms, claims: Iterable[Claim], now: int) -> BrandDayError | None:
    """Return what keeps the shopper from one more use, given all their claims on uses: the limit, or None.

    If uses that are only set aside count in it, it is a matter of time.
    """
    live = [claim.entry for claim in claims if claim.entry.units and not terms.is_due(claim.entry, now)]
    owned = sum(entry.units for entry in live)
    if owned < limit:
        return None
    lapse = min((terms.expires_at(entry) for entry in live if entry.is_held), default=None)
    if lapse is not None:
        return CouponLocked(retry_after_ms=lapse - now)
    return ShopperLimitReached(limit=limit, owned=owned, per="campaign")


def is_use_of(entry: Entry | None, redemption: str) -> bool:
    """Return whether this is a redemption's own claim on a use, set aside (perhaps for too long) or redeemed."""
    return entry is not None and entry.units > 0 and entry.tag == use_tag(redemption)


def redeemed(entry: Entry) -> Entry:
    """Return a use that was set aside as it is once its order is paid."""
    return entry._replace(state=CONFIRMED, order_id=USED)


def let_go(entry: Entry, terms: Terms, now: int) -> Entry:
    """Return a use as it is once its redemption has given it back; a lapsed hold is one, whoever asks for it."""
    return entry._replace(state=EXPIRED if terms.is_due(entry, now) else CANCELLED, order_id=None)


# --- parts --------------------------------------------------------------------------------------------------


def replace_parts(before: Sequence[Part], after: Sequence[Part]) -> tuple[PartChange, ...]:
    """Return the changes from all parts of a redemption to others; each of the old ones has to be as it was seen."""
    known = {part.number: part for part in before}
    changes = [PartChange(known.pop(part.number, None), part) for part in after]
    return (*changes, *(PartChange(part, None) for part in known.values()))


def moved(parts: Iterable[Part], status: PartStatus, at: int, returned: Mapping[str, bool]) -> tuple[Part, ...]:
    """Return all parts of a redemption in another status since ``at``; ``returned`` is by code, False if absent."""
    return tuple(replace(part, status=status, at=at, returned=returned.get(part.code, False)) for part in parts)
