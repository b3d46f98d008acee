"""The protocols of redemptions: which reads, and which one transaction, each act takes.

A protocol is a generator, as in :mod:`brandday.domain.protocols`: it yields what it needs, is sent the answer and
returns an outcome. `usecases/drive_redemption.py` drives it against DynamoDB; the interleaving check in the tests
drives the very same generators through every order of events. Why it is right is in :mod:`brandday.domain.redemption`.

Each of them goes from what was read to what is wanted: reads, one :class:`Transact`, and again if that was refused.
Only what has lapsed anyway is marked beforehand, in a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from brandday.domain import protocols, stock
from brandday.domain.coupon_change import CouponChange, StockChange, StoredCoupon
from brandday.domain.coupon_record import Part, PartStatus
from brandday.domain.effects import run_within
from brandday.domain.errors import BrandDayError, CouponNotFound
from brandday.domain.redemption import (
    Code,
    Pool,
    Redemption,
    RedemptionStatus,
    Wanted,
    give_back,
    is_of,
    is_use_of,
    is_whole,
    let_go,
    moved,
    redeemed,
    replace_parts,
    unlock,
    use,
    view,
    why_no_room,
    why_not_free,
)
from brandday.domain.redemption_id import claim_text, parse_claim
from brandday.domain.shard import CANCELLED, CONFIRMED, POINTER, Entry, Refused, Written, decode_record
from brandday.domain.stock import Claim, ClaimRef, KeyReused, LostRace

MAX_TRIES = 4
"""How often one request tries again after another change of the same coupons came first."""


class ReadParts(NamedTuple):
    """Read all parts of a redemption, strongly consistent; answered with a tuple of ``Part`` in order."""

    redemption: str


class ReadCoupons(NamedTuple):
    """Read these coupons, strongly consistent; answered with a mapping from id to ``StoredCoupon``."""

    ids: tuple[str, ...]


class ReadShards(NamedTuple):
    """Read shards of a campaign, strongly consistent; answered with a tuple of ``Shard`` in the same order."""

    campaign_id: str
    shards: tuple[int, ...]


class Transact(NamedTuple):
    """Make all changes or none; answered with whether they were made."""

    changes: tuple[CouponChange, ...]


type Effect = ReadParts | ReadCoupons | ReadShards | Transact
type Protocol[Outcome] = Generator[Effect, Any, Outcome]


class Done(NamedTuple):
    """The redemption is as it was asked to be; ``replayed`` if it had been before."""

    redemption: Redemption
    replayed: bool


class Missing(NamedTuple):
    """There is no such redemption."""


class Closed(NamedTuple):
    """The redemption's status does not allow what was asked."""

    status: RedemptionStatus


class Lapsed(NamedTuple):
    """The lock ran out and another order has what was locked; this is final."""


class NotUsable(NamedTuple):
    """A code cannot be used, so nothing was."""

    code: str
    reason: BrandDayError


class NoUseFree(NamedTuple):
    """No use of a shared code was found; ``looked`` says whether other shards than the home shard were looked at."""

    code: Code
    looked: bool


type RedeemOutcome = Done | Closed | KeyReused | NotUsable | NoUseFree | LostRace
type ConfirmOutcome = Done | Closed | Missing | Lapsed | LostRace
type ChangeOutcome = Done | Closed | Missing | LostRace

type CodeOf = Callable[[Part], Code]
"""What is fixed about the code of a part that is stored."""


@dataclass(frozen=True)
class RedeemRequest:
    """An order's wish to have all of these codes locked or redeemed (``wanted``), or none.

    ``tag`` marks the idempotency key. ``price`` says what each code takes off the order, in minor units by code, given
    the coupons that have a code of their own; it raises what keeps the order from using them.
    """

    wanted: Wanted
    order_id: str
    shopper: str
    tag: str
    currency: str
    price: Callable[[Mapping[str, StoredCoupon]], Mapping[str, int]]
    code_of: CodeOf


class _Held(NamedTuple):
    """What has to change so that one redemption has the codes it wants; ``claims`` are by code."""

    changes: tuple[CouponChange, ...]
    claims: Mapping[str, str]


class _Torn(NamedTuple):
    """What was read does not fit together: it has changed in between, and has to be read again."""


def redeem(request: RedeemRequest) -> Protocol[RedeemOutcome]:
    """Lock or redeem all codes of an order, or none.

    The same order finds what it has locked before: the same codes with the same end of the lock; if it wants others,
    those it drops are released and those it adds are taken, in one transaction.
    """
    redemption, codes, status, now, _ = request.wanted
    for _try in range(MAX_TRIES):
        parts: tuple[Part, ...] = yield ReadParts(redemption)
        before = view(parts, now)
        if not is_whole(parts):
            continue
        decided = _repeated(request, before)
        if decided is not None:
            return decided
        if parts and parts[0].status is PartStatus.LOCKED and parts[0].expires_at <= now:
            yield from _release(parts, request.code_of, now)
            continue
        kept = {part.code: part for part in parts if part.status is PartStatus.LOCKED}
        dropped = [part for part in kept.values() if part.code not in {code.code for code in codes}]
        coupons = yield from _read_coupons([*(code.coupon_id for code in codes), *(part.coupon_id for part in dropped)])
        found = _by_code(request.wanted, kept, coupons)
        if isinstance(found, NotUsable):
            return found
        if isinstance(found, _Torn):
            continue
        discounts = request.price(found)
        until = min(
            [now + code.lock_ms for code in codes if code.code not in kept]
            + [part.expires_at for part in parts if kept]
        )
        held = yield from _hold(request.wanted, kept, coupons, until)
        if isinstance(held, NotUsable | NoUseFree):
            return held
        freed = yield from _free(dropped, coupons, request.code_of, now)
        if isinstance(held, _Torn) or isinstance(freed, _Torn):
            continue
        after = tuple(
            Part(
                redemption=redemption,
                number=number,
                campaign_id=code.campaign_id,
                code=code.code,
                coupon_id=code.coupon_id,
                claim=held.claims.get(code.code),
                shopper=request.shopper,
                order_id=request.order_id,
                status=status,
                at=parts[0].at if kept and status is PartStatus.LOCKED else now,
                expires_at=until,
                discount=discounts[code.code],
                currency=request.currency,
                tag=request.tag,
                store=request.wanted.store,
                of=len(codes),
            )
            for number, code in enumerate(codes)
        )
        if kept and [replace(part, tag=request.tag, version=0) for part in parts] == list(after):
            return Done(_seen(parts, now), replayed=True)
        if (yield Transact((*held.changes, *freed, *replace_parts(parts, after)))):
            return Done(_seen(after, now), replayed=False)
    return LostRace()


def confirm(redemption: str, code_of: CodeOf, now: int, take_again: Callable[[Code], None]) -> Protocol[ConfirmOutcome]:
    """Redeem what an order has locked; repeatable.

    When the lock has run out, what others have taken meanwhile is taken again, if it is free; ``take_again`` raises
    what keeps a campaign from that. If it is not to be had, the rest is released as well, and the answer is final.
    """
    for _try in range(MAX_TRIES):
        parts: tuple[Part, ...] = yield ReadParts(redemption)
        if not is_whole(parts):
            continue
        before = view(parts, now)
        if before is None:
            return Missing()
        if before.status is RedemptionStatus.REDEEMED:
            return Done(before, replayed=True)
        if parts[0].status is not PartStatus.LOCKED:
            return Lapsed() if before.status is RedemptionStatus.EXPIRED else Closed(before.status)
        wanted = Wanted(redemption, tuple(map(code_of, parts)), PartStatus.REDEEMED, now, parts[0].store)
        coupons = yield from _read_coupons([part.coupon_id for part in parts])
        held = yield from _hold(wanted, {part.code: part for part in parts}, coupons, now, take_again)
        if isinstance(held, _Torn):
            continue
        if not isinstance(held, _Held):
            # Never before the lock's end, or it would look as if the shopper had given it back.
            if (yield from _release(parts, code_of, max(now, parts[0].expires_at))):
                return Lapsed()
            continue
        claimed = [replace(part, claim=held.claims.get(part.code)) for part in parts]
        after = moved(claimed, PartStatus.REDEEMED, now, {})
        if (yield Transact((*held.changes, *replace_parts(parts, after)))):
            return Done(_seen(after, now), replayed=False)
    return LostRace()


def release(redemption: str, code_of: CodeOf, now: int) -> Protocol[ChangeOutcome]:
    """Give up what an order has locked; repeatable, also when the lock has run out."""
    for _try in range(MAX_TRIES):
        parts: tuple[Part, ...] = yield ReadParts(redemption)
        if not is_whole(parts):
            continue
        before = view(parts, now)
        if before is None:
            return Missing()
        if parts[0].status is PartStatus.RELEASED:
            return Done(before, replayed=True)
        if parts[0].status is not PartStatus.LOCKED:
            return Closed(before.status)
        after = yield from _release(parts, code_of, now)
        if after:
            return Done(_seen(after, now), replayed=False)
    return LostRace()


def roll_back(redemption: str, code_of: CodeOf, now: int) -> Protocol[ChangeOutcome]:
    """Undo what an order has redeemed, because it was cancelled: each coupon by its campaign's policy; repeatable."""
    for _try in range(MAX_TRIES):
        parts: tuple[Part, ...] = yield ReadParts(redemption)
        if not is_whole(parts):
            continue
        before = view(parts, now)
        if before is None:
            return Missing()
        if before.status is RedemptionStatus.ROLLED_BACK:
            return Done(before, replayed=True)
        if before.status is not RedemptionStatus.REDEEMED:
            return Closed(before.status)
        codes = {part.code: code_of(part) for part in parts}
        returning = [part for part in parts if codes[part.code].returns]
        coupons = yield from _read_coupons([part.coupon_id for part in returning])
        changes: list[CouponChange] = []
        for part in returning:
            pool, stored = codes[part.code].pool, coupons.get(part.coupon_id or "")
            change: CouponChange | None = None
            if pool is not None:
                _, change = yield from _change_use(part, pool, _cancelled)
            elif stored is not None and is_of(stored.state, redemption):
                change = give_back(stored, now)
            if change is None:
                break  # it was rolled back after the parts were read
            changes.append(change)
        if len(changes) < len(returning):
            continue
        after = moved(parts, PartStatus.ROLLED_BACK, now, {part.code: True for part in returning})
        if (yield Transact((*changes, *replace_parts(parts, after)))):
            return Done(_seen(after, now), replayed=False)
    return LostRace()


def look_up(redemption: str, now: int) -> Protocol[Redemption | None]:
    """Return a redemption as it stands at ``now``, or None if there is none."""
    parts: tuple[Part, ...] = yield ReadParts(redemption)
    return view(parts, now)


def _repeated(request: RedeemRequest, before: Redemption | None) -> Done | Closed | KeyReused | None:
    """Return the answer that what the order has done before already decides, or None if codes may be taken.

    A repeated request never takes again what was rolled back or released after it. A lock that has run out may be
    asked for with its old key, too: nobody has decided anything since.
    """
    if before is None:
        return None
    same_codes = [part.code for part in before.parts] == [code.code for code in request.wanted.codes]
    same_key = before.parts[0].tag == request.tag
    match before.status:
        case RedemptionStatus.EXPIRED:
            return None
        case RedemptionStatus.LOCKED:
            is_repeated = same_codes and request.wanted.status is PartStatus.LOCKED
            return None if is_repeated or not same_key else KeyReused()
        case RedemptionStatus.RELEASED if not same_key:
            return None
        case RedemptionStatus.ROLLED_BACK if not same_key:
            return Closed(before.status)
    if same_codes:
        return Done(before, replayed=True)
    return KeyReused() if same_key else Closed(before.status)


def _by_code(
    wanted: Wanted, kept: Mapping[str, Part], coupons: Mapping[str, StoredCoupon]
) -> dict[str, StoredCoupon] | NotUsable | _Torn:
    """Return the wanted coupons by code."""
    found = {}
    for code in wanted.codes:
        if code.coupon_id is None:
            continue
        stored = coupons.get(code.coupon_id)
        if stored is None:
            return NotUsable(code.code, CouponNotFound())
        if is_of(stored.state, wanted.redemption) and code.code not in kept:
            return _Torn()  # by this very order, after its parts were read
        found[code.code] = stored
    return found


def _hold(
    wanted: Wanted,
    kept: Mapping[str, Part],
    coupons: Mapping[str, StoredCoupon],
    until: int,
    take_again: Callable[[Code], None] | None = None,
) -> Protocol[_Held | NotUsable | NoUseFree | _Torn]:
    """Return what has to change so that the redemption has all the codes; ``kept`` are those it has locked before."""
    changes: list[CouponChange] = []
    claims: dict[str, str] = {}
    for code in wanted.codes:
        part = kept.get(code.code)
        result = (
            _hold_coupon(wanted, code, coupons, until)
            if code.pool is None
            else (yield from _hold_use(wanted, code, code.pool, part))
        )
        if not isinstance(result, _Got):
            return result
        if part is not None and result.is_new and take_again is not None:
            take_again(code)
        changes += result.changes
        if result.claim is not None:
            claims[code.code] = claim_text(result.claim)
    return _Held(tuple(changes), claims)


class _Got(NamedTuple):
    changes: tuple[CouponChange, ...]
    is_new: bool
    claim: ClaimRef | None = None


def _hold_coupon(
    wanted: Wanted, code: Code, coupons: Mapping[str, StoredCoupon], until: int
) -> _Got | NotUsable | _Torn:
    stored = coupons.get(code.coupon_id or "")
    if stored is None:
        return NotUsable(code.code, CouponNotFound())
    if is_of(stored.state, wanted.redemption):
        if wanted.status is PartStatus.REDEEMED:
            return _Got((use(stored, wanted, until),), is_new=False)
        return _Got((), is_new=False)
    refused = why_not_free(stored.state, wanted.now)
    if refused is not None:
        return NotUsable(code.code, refused)
    return _Got((use(stored, wanted, until),), is_new=True)


def _hold_use(
    wanted: Wanted, code: Code, pool: Pool, part: Part | None
) -> Protocol[_Got | NotUsable | NoUseFree | _Torn]:
    if part is not None and part.claim is not None:
        ref = parse_claim(part.claim)
        if wanted.status is PartStatus.LOCKED:
            return _Got((), is_new=False, claim=ref)
        entry, change = yield from _change_use(part, pool, redeemed)
        if entry is not None and is_use_of(entry, wanted.redemption):
            if entry.state == CONFIRMED or change is None:
                return _Torn()  # redeemed after the parts were read
            return _Got((change,), is_new=False, claim=ref)
    return (yield from _claim_use(wanted, code, pool))


def _claim_use(wanted: Wanted, code: Code, pool: Pool) -> Protocol[_Got | NotUsable | NoUseFree | _Torn]:
    """Return what takes one more use for the shopper: from the home shard, or from another that home then points to.

    It is `protocols.claim` with the writes collected: pointer and claim come into being together.
    """
    request = pool.request(wanted.redemption, wanted.status, wanted.now)
    (home,) = yield ReadShards(code.campaign_id, (pool.home,))
    record = decode_record(home.records.get(pool.name))
    claims = yield from on_stock(
        code.campaign_id, protocols.find_claims(pool.name, record, pool.home, pool.terms, wanted.now)
    )
    if any(is_use_of(claim.entry, wanted.redemption) and not _is_lapsed(claim, pool, wanted) for claim in claims):
        return _Torn()  # by this very order, after its parts were read
    refused = why_no_room(pool.limit, pool.terms, claims, wanted.now)
    if refused is not None:
        return NotUsable(code.code, refused)
    live_pointers = frozenset(claim.entry.attempt for claim in claims if claim.entry.units)
    added = request.entry([*record, *(claim.entry for claim in claims)])
    write = stock.take(home, request, added, live_pointers, pool.terms)
    if write is not None:
        ref = ClaimRef(home.number, pool.name, added.attempt)
        return _Got((StockChange(code.campaign_id, write),), is_new=True, claim=ref)
    candidates = pool.elsewhere(request)
    away = yield from on_stock(
        code.campaign_id, protocols.look_elsewhere(request, candidates, added.attempt, pool.terms)
    )
    if away is None:
        return NoUseFree(code, looked=bool(candidates))
    shard, placed, taking = away
    pointer = placed._replace(state=POINTER, order_id=None, shard=shard)
    announced = stock.point(home, request, pointer, live_pointers, pool.terms)
    changes = (StockChange(code.campaign_id, announced), StockChange(code.campaign_id, taking))
    return _Got(changes, is_new=True, claim=ClaimRef(shard, pool.name, placed.attempt))


def _is_lapsed(claim: Claim, pool: Pool, wanted: Wanted) -> bool:
    return pool.terms.is_due(claim.entry, wanted.now)


def _release(parts: Sequence[Part], code_of: CodeOf, at: int) -> Protocol[tuple[Part, ...]]:
    """Give up what is left of a lock; return the parts as they are then, or none if somebody else came first."""
    coupons = yield from _read_coupons([part.coupon_id for part in parts])
    freed = yield from _free(parts, coupons, code_of, at)
    if isinstance(freed, _Torn):
        return ()
    after = moved(parts, PartStatus.RELEASED, at, {})
    return after if (yield Transact((*freed, *replace_parts(parts, after)))) else ()


def _free(
    parts: Sequence[Part], coupons: Mapping[str, StoredCoupon], code_of: CodeOf, now: int
) -> Protocol[tuple[CouponChange, ...] | _Torn]:
    """Return what frees the coupons and uses that these locked parts still have; others may have some by now."""
    changes: list[CouponChange] = []
    for part in parts:
        pool = code_of(part).pool
        if pool is not None:
            terms = pool.terms

            def freed(entry: Entry, terms: stock.Terms = terms) -> Entry:
                return let_go(entry, terms, now)

            entry, change = yield from _change_use(part, pool, freed)
            if entry is not None and entry.state == CONFIRMED:
                return _Torn()
            if change is not None:
                changes.append(change)
            continue
        stored = coupons.get(part.coupon_id or "")
        if stored is not None and is_of(stored.state, part.redemption):
            changes.append(unlock(stored, now))
    return tuple(changes)


def _change_use(
    part: Part, pool: Pool, to: Callable[[Entry], Entry]
) -> Protocol[tuple[Entry | None, StockChange | None]]:
    """Return a part's claim on a use, and the write that makes it what it shall be, if it still takes a use."""
    if part.claim is None:
        return None, None
    ref = parse_claim(part.claim)
    (shard,) = yield ReadShards(part.campaign_id, (ref.shard,))
    entry = stock.find(shard, ref.name, ref.attempt)
    if entry is None or not is_use_of(entry, part.redemption):
        return entry, None
    return entry, StockChange(part.campaign_id, stock.move(shard, ref.name, entry, to(entry), pool.terms))


def _cancelled(entry: Entry) -> Entry:
    return entry._replace(state=CANCELLED, order_id=None)


def _read_coupons(ids: Sequence[str | None]) -> Protocol[Mapping[str, StoredCoupon]]:
    wanted = tuple(dict.fromkeys(each for each in ids if each is not None))
    if not wanted:
        return {}
    coupons: Mapping[str, StoredCoupon] = yield ReadCoupons(wanted)
    return coupons


def on_stock[Outcome](campaign_id: str, protocol: protocols.Protocol[Outcome]) -> Protocol[Outcome]:
    """Run a protocol of stock on the shards of a campaign; its writes only mark what has lapsed."""

    def do(effect: protocols.Effect) -> Protocol[object]:
        if isinstance(effect, protocols.Read):
            return (yield ReadShards(campaign_id, effect.shards))
        if (yield Transact((StockChange(campaign_id, effect.write),))):
            return Written({})
        (image,) = yield ReadShards(campaign_id, (effect.write.shard,))
        return Refused(image)

    return run_within(protocol, do)


def _seen(parts: Sequence[Part], now: int) -> Redemption:
    redemption = view(parts, now)
    if redemption is None:
        raise AssertionError("a redemption without parts")
    return redemption
