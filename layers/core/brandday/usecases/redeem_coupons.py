"""Coupons are used: locked for an order, redeemed, given up, and rolled back when the order is cancelled."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from brandday.domain.campaign import Campaign, Shopper, State
from brandday.domain.combination import find_clashes
from brandday.domain.coupon import POOL, OnCancel
from brandday.domain.coupon_change import StoredCoupon
from brandday.domain.coupon_code import coupon_id
from brandday.domain.coupon_record import Part, PartStatus
from brandday.domain.coupon_rules import Candidate, Use, why_not
from brandday.domain.discount import Priced, price_order
from brandday.domain.errors import (
    BrandDayError,
    CampaignNotFound,
    CampaignPaused,
    CouponExhausted,
    CouponLocked,
    CouponNotFound,
    FieldError,
    IdempotencyKeyReused,
    NotCombinable,
    RedemptionClosed,
    RedemptionExpired,
    RedemptionNotFound,
    TemporarilyOverloaded,
    ValidationFailed,
)
from brandday.domain.layout import home_shard
from brandday.domain.order import Order
from brandday.domain.qr_content import read_content
from brandday.domain.redemption import Code, Pool, Redemption, Wanted
from brandday.domain.redemption_id import is_redemption_id, parse_claim, redemption_id
from brandday.domain.redemption_protocols import (
    ChangeOutcome,
    Closed,
    ConfirmOutcome,
    Done,
    Lapsed,
    Missing,
    NotUsable,
    NoUseFree,
    Protocol,
    RedeemRequest,
    confirm,
    look_up,
    redeem,
    release,
    roll_back,
)
from brandday.domain.shard import Shard
from brandday.domain.stock import ClaimRequest, KeyReused
from brandday.domain.visit import NO_VISIT
from brandday.usecases.back_off import CodeGuard
from brandday.usecases.claim_units import BUSY_MS, LOOK_AGAIN_MS, key_tag
from brandday.usecases.coupon_candidates import LiveCandidate, find_candidate
from brandday.usecases.coupon_ports import Codes, Coupons, Found, StockReader
from brandday.usecases.drive_redemption import Watcher, drive_redemption
from brandday.usecases.live_campaigns import WRITE_BY_MS, LiveCampaign, LiveCampaigns
from brandday.usecases.manage_rewards import OwnerOf
from brandday.usecases.ports import SHARDS_PER_READ, Clock


@dataclass(frozen=True, slots=True)
class Purchase:
    """What somebody is about to pay, as the caller tells: a shop's order, or a sale over the counter of a `store`.

    `namespace` is the caller's (`redemption_id.ORDERS`, or of a store): order ids mean something within it only.
    `shopper` is None where nobody says who it is. With `lock` the coupons are only set aside until it is confirmed.
    """

    namespace: str
    order_id: str
    order: Order
    shopper: Shopper | None
    idempotency_key: str
    lock: bool = False
    store: str | None = None


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The redemption as it stands; `replayed` if it had come to this before.

    `priced` is the order with its coupons, where the request has the order that they were priced for.
    """

    redemption: Redemption
    replayed: bool = False
    priced: Priced | None = None


class RedeemCoupons:
    """Everything that orders do with coupons; one instance serves an execution environment, one request at a time.

    Whoever calls is trusted with prices and with who the shopper is: the shop's backend, or a store.
    """

    def __init__(
        self,
        codes: Codes,
        campaigns: LiveCampaigns,
        coupons: Coupons,
        stock: StockReader,
        owner_of: OwnerOf,
        now: Clock,
        guard: CodeGuard | None = None,
    ) -> None:
        self._guard = guard
        self._codes = codes
        self._campaigns = campaigns
        self._coupons = coupons
        self._stock = stock
        self._owner_of = owner_of
        self._now = now

    def redeem(self, purchase: Purchase, codes: Sequence[str]) -> Redeemed:
        """Use all codes (folded, none twice, at most `MAX_CODES`) for a purchase, or none of them.

        Raises what keeps one of them from it, with a pointer to it: see the errors of ``POST /v1/redemptions``.
        RateLimited is for a shopper who guesses; where they are is not known here: it is the shop that asks.
        """
        shopper = purchase.shopper
        if self._guard is not None and shopper is not None:
            self._guard.check(shopper)
        owner = None if shopper is None else self._owner_of(shopper.id)
        found = self._codes.resolve(owner, codes)
        if self._guard is not None and shopper is not None:
            known = [find_candidate(self._campaigns, what) for what in found]
            candidates = [None if one is None else one.candidate for one in known]
            self._guard.weigh(shopper, NO_VISIT, dict(zip(codes, candidates, strict=True)))
        return self._redeem(purchase, owner or "", found, {code: f"/codes/{at}" for at, code in enumerate(codes)})

    def redeem_scan(self, purchase: Purchase, content: str) -> Redeemed:
        """Use the coupon whose QR code was shown over the counter: who shows it may use it.

        CouponNotFound for a content that we have not signed, and that costs no look-up.
        """
        keys = self._codes.keys()
        code = read_content(keys, content)
        if code is None:
            raise _at("/content", CouponNotFound())
        coupon = self._coupons.load([coupon_id(keys, code)], consistent=True).get(coupon_id(keys, code))
        owner = "" if coupon is None else coupon.facts.owner or ""
        return self._redeem(purchase, owner, [coupon], {code: "/content"})

    def get(self, redemption: str) -> Redemption:
        """Return a redemption as it stands now."""
        found = self._drive(look_up(_checked(redemption), self._now()))
        if found is None:
            raise RedemptionNotFound
        return found

    def confirm(self, redemption: str) -> Redeemed:
        """Redeem what was locked, because its order is paid.

        A payment after the lock's end takes again what others have taken meanwhile, if it is to be had; otherwise
        RedemptionExpired, which is final.
        """
        return _changed(self._drive(confirm(_checked(redemption), self._code_of, self._now(), self._take_again)))

    def release(self, redemption: str) -> Redeemed:
        """Give up what was locked; RedemptionClosed if it is redeemed by now."""
        return _changed(self._drive(release(_checked(redemption), self._code_of, self._now())))

    def roll_back(self, redemption: str) -> Redeemed:
        """Undo what was redeemed, because its order is cancelled, by the policy of each campaign."""
        return _changed(self._drive(roll_back(_checked(redemption), self._code_of, self._now())))

    def _redeem(
        self, purchase: Purchase, shopper: str, found: Sequence[Found | None], pointers: Mapping[str, str]
    ) -> Redeemed:
        now = self._now()
        redemption = redemption_id(self._codes.keys(), purchase.namespace, purchase.order_id)
        known: dict[str, LiveCandidate] = {}
        for what, pointer in zip(found, pointers.values(), strict=True):
            candidate = find_candidate(self._campaigns, what)
            if candidate is None:
                raise _at(pointer, CouponNotFound())
            known[candidate.candidate.code] = candidate
        use = Use(now, purchase.shopper, purchase.order, redemption)

        def price(coupons: Mapping[str, StoredCoupon]) -> Mapping[str, int]:
            seen = [_as_stored(one.candidate, coupons) for one in known.values()]
            return _price(seen, use, purchase.order, pointers)

        request = RedeemRequest(
            wanted=Wanted(
                redemption,
                tuple(self._code(known[code], purchase.shopper) for code in sorted(known)),
                PartStatus.LOCKED if purchase.lock else PartStatus.REDEEMED,
                now,
                purchase.store,
            ),
            order_id=purchase.order_id,
            shopper=shopper,
            tag=key_tag(purchase.idempotency_key),
            currency=purchase.order.currency,
            price=price,
            code_of=self._code_of,
        )
        outcome = self._drive(redeem(request), _Memory(known.values(), self._campaigns, self._now, use))
        match outcome:
            case Done(done, replayed):
                return Redeemed(done, replayed, _priced_as(done, purchase.order, known.values()))
            case Closed(status):
                raise RedemptionClosed(status=str(status))
            case KeyReused():
                raise IdempotencyKeyReused
            case NotUsable(code, reason):
                raise _at(pointers[code], reason)
            case NoUseFree(code, looked):
                raise _at(pointers[code.code], _none_left(known[code.code].live, code, looked=looked, now=now))
            case _:
                raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)

    def _code(self, known: LiveCandidate, shopper: Shopper | None) -> Code:
        live, candidate = known
        if candidate.facts is not None:
            return _coupon_code(live.campaign, candidate.code, candidate.facts.id)
        if shopper is None:  # the limit per shopper could not be kept
            raise ValidationFailed(errors=[FieldError("/shopper", "required")])
        name = live.layout.name_of(shopper.id)
        return _shared_code(live, candidate.code, name, live.sight.elsewhere)

    def _code_of(self, part: Part) -> Code:
        try:
            live = self._campaigns.get(part.campaign_id)
        except CampaignNotFound:  # a replica that is behind
            raise TemporarilyOverloaded from None
        if part.claim is None:
            return _coupon_code(live.campaign, part.code, part.coupon_id)

        def elsewhere(request: ClaimRequest) -> tuple[int, ...]:
            """As many other shards as one call can read, the most promising first: this order is paid already."""
            others = (number for number in range(live.layout.shards) if number != request.home)
            return tuple(dict.fromkeys([*live.sight.elsewhere(request), *others]))[:SHARDS_PER_READ]

        return _shared_code(live, part.code, parse_claim(part.claim).name, elsewhere)

    def _take_again(self, code: Code) -> None:
        """A payment that is late may take a coupon after the campaign's end, but not during a pause."""
        if self._campaigns.get(code.campaign_id).campaign.state_at(self._now()) is State.PAUSED:
            raise CampaignPaused

    def _drive[Outcome](self, protocol: Protocol[Outcome], watcher: Watcher | None = None) -> Outcome:
        return drive_redemption(protocol, self._coupons, self._stock, watcher or Watcher())


class _Memory(Watcher):
    """Lets the campaigns' memories learn from what a request meets, and keeps its writes within reach of a pause."""

    def __init__(self, known: Iterable[LiveCandidate], campaigns: LiveCampaigns, now: Clock, use: Use) -> None:
        self._known = {one.live.campaign.id: one for one in known}
        self._campaigns = campaigns
        self._now = now
        self._use = use

    def before_transaction(self) -> None:
        """Look again at campaigns that may be out of date by the time the transaction happens."""
        now = self._now()
        for campaign_id, (live, candidate) in self._known.items():
            if now - live.loaded_at <= WRITE_BY_MS:
                continue
            live = self._campaigns.get(campaign_id)
            candidate = candidate._replace(campaign=live.campaign)
            self._known[campaign_id] = LiveCandidate(live, candidate)
            state = live.campaign.state_at(now)
            if state is State.PAUSED:
                raise CampaignPaused
            if candidate.facts is None:
                refusal = why_not(candidate, replace(self._use, now=now))
                if refusal is not None:
                    raise refusal

    def saw(self, campaign_id: str, shard: Shard) -> None:
        """Remember the image; the shards of a code that is dropped are not of interest."""
        if campaign_id in self._known:
            self._known[campaign_id].live.sight.saw(shard, self._now())


def _as_stored(candidate: Candidate, coupons: Mapping[str, StoredCoupon]) -> Candidate:
    stored = coupons.get(candidate.code)
    return candidate if stored is None else candidate._replace(facts=stored.facts, state=stored.state)


def _price(candidates: Sequence[Candidate], use: Use, order: Order, pointers: Mapping[str, str]) -> Mapping[str, int]:
    for candidate in candidates:
        refusal = why_not(candidate, use)
        if refusal is not None:
            raise _at(pointers[candidate.code], refusal)
    shown = {candidate.code: candidate.shown for candidate in candidates}
    offers = [candidate.offer for candidate in candidates]
    priced = price_order(order, offers)
    useful = tuple(code for code in priced.codes if code not in priced.idle)
    for code, others in (*find_clashes(offers).items(), *((idle, useful) for idle in priced.idle)):
        raise _at(pointers[code], NotCombinable(clashes_with=tuple(shown[other] for other in others)))
    return {applied.code: applied.discount for applied in priced.applied}


def _priced_as(done: Redemption, order: Order, known: Iterable[LiveCandidate]) -> Priced | None:
    """The order with its coupons; None if it is not the one that the redemption was made for."""
    priced = price_order(order, [one.candidate.offer for one in known])
    stored = {part.code: part.discount for part in done.parts}
    same = {applied.code: applied.discount for applied in priced.applied} == stored
    return priced if same and done.parts[0].currency == order.currency else None


def _at(pointer: str, refusal: BrandDayError) -> BrandDayError:
    """The same refusal, which also says of which code it is."""
    refusal.errors = (FieldError(pointer, "invalid"),)
    return refusal


def _coupon_code(campaign: Campaign, code: str, coupon_id: str | None) -> Code:
    return Code(campaign.id, code, campaign.hold_ms, coupon_id=coupon_id, returns=_returns(campaign))


def _shared_code(
    live: LiveCampaign, code: str, name: str, elsewhere: Callable[[ClaimRequest], tuple[int, ...]]
) -> Code:
    pool = Pool(
        name=name,
        home=home_shard(name, live.layout.shards),
        slot=live.layout.slots[POOL],
        limit=live.campaign.limit_per_shopper,
        terms=live.terms,
        elsewhere=elsewhere,
    )
    return Code(live.campaign.id, code, live.campaign.hold_ms, pool=pool, returns=_returns(live.campaign))


def _returns(campaign: Campaign) -> bool:
    return campaign.coupon is not None and campaign.coupon.on_cancel is OnCancel.RETURN


def _none_left(live: LiveCampaign, code: Code, *, looked: bool, now: int) -> BrandDayError:
    if looked and code.pool is not None:  # who has not looked must not keep others from looking
        live.sight.saw_nothing_free(code.pool.slot, now)
    return CouponExhausted() if live.is_sold_out(POOL) else CouponLocked(retry_after_ms=LOOK_AGAIN_MS)


def _changed(outcome: ConfirmOutcome | ChangeOutcome) -> Redeemed:
    match outcome:
        case Done(done, replayed):
            return Redeemed(done, replayed)
        case Closed(status):
            raise RedemptionClosed(status=str(status))
        case Missing():
            raise RedemptionNotFound
        case Lapsed():
            raise RedemptionExpired
        case _:
            raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)


def _checked(redemption: str) -> str:
    if not is_redemption_id(redemption):
        raise RedemptionNotFound
    return redemption
