"""Units of a campaign's stock are claimed: the one way in which a warm environment takes some, whatever they are.

`reserve_units` sells with it, `take_coupon` gives coupons away.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from brandday.domain.campaign import Campaign, Shopper, Sku, State, check_may_buy
from brandday.domain.errors import (
    AdmissionRefused,
    AllHeld,
    CampaignClosed,
    IdempotencyKeyReused,
    InternalError,
    ShopperLimitReached,
    SoldOut,
    TemporarilyOverloaded,
)
from brandday.domain.layout import home_shard
from brandday.domain.protocols import Protocol, claim
from brandday.domain.shard import TAG_LENGTH, Shard, Written, decode_record
from brandday.domain.sight import Refusal
from brandday.domain.stock import (
    Claim,
    ClaimOutcome,
    ClaimRequest,
    Granted,
    KeyReused,
    LimitReached,
    LostRace,
    NothingFree,
    PassUsed,
    Replayed,
    Resumed,
    find,
    judge,
)
from brandday.domain.visit import NO_VISIT, Visit
from brandday.usecases.drive import Watcher, drive
from brandday.usecases.live_campaigns import WRITE_BY_MS, LiveCampaign, LiveCampaigns
from brandday.usecases.ports import Clock, Stock

if TYPE_CHECKING:
    from brandday.usecases.guard_ports import Gate, Tallies
    from brandday.usecases.guarded_writes import Guard

LOOK_AGAIN_MS = 1000
WAIT_AT_MOST_MS = 30_000
BUSY_MS = 300

type Check = Callable[[Campaign, int], None]
"""Raises what keeps the shopper from taking units of the campaign, as it is by then, at a time (epoch ms)."""


def key_tag(text: str) -> str:
    """Return the mark by which an idempotency key (or an order id) is recognised: 36 bits, per shopper and campaign."""
    return base64.urlsafe_b64encode(hashlib.blake2b(text.encode(), digest_size=6).digest())[:TAG_LENGTH].decode()


class Memory(Watcher):
    """Lets a campaign's memory learn from what a request meets, and keeps writes within reach of a pause.

    ``check`` raises if the campaign, as it is by now, does not allow the write any more.
    """

    def __init__(self, live: LiveCampaign, campaigns: LiveCampaigns, now: Clock, check: Check) -> None:
        self._live = live
        self._campaigns = campaigns
        self._now = now
        self._check = check

    def before_write(self) -> None:
        """Look at the campaign again if what is known of it may be out of date by the time the write happens.

        To refuse instead would be safe too, but where the database is slow, a claim that takes several steps would
        never come to its end.
        """
        now = self._now()
        if now - self._live.loaded_at > WRITE_BY_MS:
            self._live = self._campaigns.get(self._live.campaign.id)
            self._check(self._live.campaign, now)

    def saw(self, shard: Shard) -> None:
        """Remember the image."""
        self._live.sight.saw(shard, self._now())

    def wrote(self, shard: int, written: Written) -> None:
        """Remember what is left."""
        self._live.sight.saw_written(shard, written.free, self._now())


@dataclass(frozen=True, slots=True)
class Claimed:
    """The shopper's claim: new, or the one that the same request (`replayed`) or another one (`resumed`) had made."""

    claim: Claim
    replayed: bool = False
    resumed: bool = False


class ClaimUnits:
    """Claims units for shoppers; one instance serves an execution environment, one request at a time."""

    def __init__(
        self,
        campaigns: LiveCampaigns,
        stock: Stock,
        now: Clock,
        gate: "Gate | None" = None,
        tallies: "Tallies | None" = None,
    ) -> None:
        self._campaigns = campaigns
        self._stock = stock
        self._now = now
        self._gate = gate
        self._tallies = tallies
        self._made_guard: Guard | None = None

    def take(self, live: LiveCampaign, request: ClaimRequest, shopper: Shopper, visit: Visit = NO_VISIT) -> Claimed:
        """Claim the units that are asked for, or return what this very request was given before.

        What memory refuses is refused before the gate of a protected campaign is asked. Raises what keeps the shopper
        from buying, SoldOut, AllHeld, ShopperLimitReached, AdmissionRefused, IdempotencyKeyReused or
        TemporarilyOverloaded.
        """

        def check(campaign: Campaign, at: int) -> None:
            check_may_buy(campaign, shopper, at)

        try:
            check(live.campaign, request.now)
        except CampaignClosed:
            replayed = self._replay_when_closed(live, request)
            if replayed is None:
                raise
            return replayed
        sku = live.layout.skus[request.slot]
        refusal = live.sight.refusal(request)
        if live.is_sold_out(sku):
            if refusal is Refusal.SOLD_OUT:
                raise SoldOut(sku=sku)
            return self._close(live, request)
        if refusal is Refusal.ALL_HELD:
            raise self._nothing_free(live, request)
        memory = Memory(live, self._campaigns, self._now, check)
        if live.campaign.protection is not None:
            return self._take_guarded(live, request, memory, shopper, visit)
        return self._answer(live, request, drive(_claim(live, request), self._stock, live.campaign.id, memory))

    def _take_guarded(
        self, live: LiveCampaign, request: ClaimRequest, memory: Memory, shopper: Shopper, visit: Visit
    ) -> Claimed:
        try:
            visitor = self._guard().let_in(live, shopper, visit)
        except AdmissionRefused as refusal:
            return self._replay_or_raise(live, request, refusal)
        visitor.check_pass(request.name, request.tag)
        request = request._replace(passed_at=visitor.admitted.passed_at)
        within = _claim(live, request, write_first=visitor.need_not_look_first())
        protocol = visitor.claim(within, request.name, request.home, request.now, memory)
        limited = drive(protocol, self._stock, live.campaign.id, memory)
        if visitor.is_exempt_from(limited):
            limited = drive(_claim(live, request), self._stock, live.campaign.id, memory)
        outcome: ClaimOutcome | Exception = visitor.judged(limited, request.name, request.quantity)
        if isinstance(outcome, Exception):
            return self._replay_or_raise(live, request, outcome)
        return self._answer(live, request, outcome)

    def _replay_or_raise(self, live: LiveCampaign, request: ClaimRequest, refusal: Exception) -> Claimed:
        """Return the answer this very request was given before, whatever stands against it by now."""
        if live.sight.has_no_record(request.home, request.name, request.now):
            raise refusal  # seen a moment ago: who knocks and knocks costs no call
        replay = self._replay(live, request)
        if replay is None:
            raise refusal
        return replay

    def _guard(self) -> "Guard":
        if self._made_guard is None:
            from brandday.usecases.guarded_writes import Guard  # only protected campaigns need it

            self._made_guard = Guard(self._campaigns, self._stock, self._now, self._gate, self._tallies)
        return self._made_guard

    def _answer(self, live: LiveCampaign, request: ClaimRequest, outcome: ClaimOutcome) -> Claimed:
        match outcome:
            case Granted(claimed):
                return Claimed(claimed)
            case Replayed(claimed):
                return Claimed(claimed, replayed=True)
            case Resumed(claimed):
                return Claimed(claimed, resumed=True)
            case KeyReused():
                raise IdempotencyKeyReused
            case PassUsed():  # protected campaigns answer it before it gets here
                raise InternalError
            case LimitReached(limit, owned, per):
                raise ShopperLimitReached(limit=limit, owned=owned, per=per)
            case NothingFree(looked):
                if looked:  # who has not looked must not keep others from looking
                    live.sight.saw_nothing_free(request.slot, request.now)
                raise self._nothing_free(live, request)
            case LostRace():
                raise TemporarilyOverloaded(retry_after_ms=BUSY_MS)

    def _nothing_free(self, live: LiveCampaign, request: ClaimRequest) -> SoldOut | AllHeld:
        sku = live.layout.skus[request.slot]
        if live.is_sold_out(sku):
            return SoldOut(sku=sku)
        wait = LOOK_AGAIN_MS
        if live.summary.free(request.slot, live.total(sku)) == 0:
            due = live.sight.next_due(request.home, request.now)
            wait = min(max(LOOK_AGAIN_MS, (due or 0) - request.now), WAIT_AT_MOST_MS)
        return AllHeld(sku=sku, retry_after_ms=wait)

    def _close(self, live: LiveCampaign, request: ClaimRequest) -> Claimed:
        """Remember who has a record in the home shard of a sold-out pool: nobody else ever will, until a restock or the
        claim deadline of prizes that may come back.

        Shoppers who are not among them are refused without the database from now on; the others hear of their claims.
        """
        (home,) = self._stock.read(live.campaign.id, (request.home,), consistent=True)
        live.sight.saw_closed(request.slot, home)
        claims = read_claims(self._stock, live.campaign.id, home, request.name)
        return self._answer(live, request, judge(request, claims, live.terms) or NothingFree())

    def _replay_when_closed(self, live: LiveCampaign, request: ClaimRequest) -> Claimed | None:
        """Return the answer this very request got before the campaign was paused or ended, if it did."""
        campaign = live.campaign
        state = campaign.state_at(request.now)
        if state is State.ENDED and request.now > campaign.over_at() + campaign.extended_hold_ms:
            return None
        if state not in (State.ENDED, State.PAUSED):
            return None
        return self._replay(live, request)

    def _replay(self, live: LiveCampaign, request: ClaimRequest) -> Claimed | None:
        """Return the answer this very request was given before, if it was."""
        (home,) = self._stock.read(live.campaign.id, (request.home,), consistent=True)
        live.sight.saw(home, request.now)
        claims = read_claims(self._stock, live.campaign.id, home, request.name)
        outcome = judge(request, [found for found in claims if found.entry.tag == request.tag], live.terms)
        return self._answer(live, request, outcome) if isinstance(outcome, Replayed | KeyReused) else None


def _claim(live: LiveCampaign, request: ClaimRequest, *, write_first: bool = True) -> Protocol[ClaimOutcome]:
    return claim(
        request,
        live.terms,
        write_first=write_first and live.sight.is_likely(request),
        elsewhere=lambda: live.sight.elsewhere(request),
    )


def read_claims(stock: Stock, campaign_id: str, home: Shard, name: str) -> list[Claim]:
    """Return a shopper's claims, given the image of their home shard: those in it and those it points to."""
    record = decode_record(home.records.get(name))
    pointers = [(entry.shard, entry.attempt) for entry in record if entry.shard is not None]
    targets = tuple(sorted({shard for shard, _ in pointers}))
    images = {away.number: away for away in stock.read(campaign_id, targets, consistent=True)} if targets else {}
    away = [(shard, find(images[shard], name, attempt)) for shard, attempt in pointers]
    return [
        *(Claim(home.number, entry) for entry in record if entry.is_claim),
        *(Claim(shard, entry) for shard, entry in away if entry is not None),
    ]


def claim_request(
    live: LiveCampaign, shopper_id: str, sku: Sku, quantity: int, tag: str, now: int, *, order_id: str | None = None
) -> ClaimRequest:
    """Return a shopper's wish for units of a SKU; with an ``order_id`` they are the shopper's at once."""
    name = live.layout.name_of(shopper_id)
    return ClaimRequest(
        name=name,
        home=home_shard(name, live.layout.shards),
        slot=live.layout.slots[sku.sku],
        quantity=quantity,
        tag=tag,
        now=now,
        slot_limit=sku.units_per_shopper,
        limit=live.campaign.limit_per_shopper,
        order_id=order_id,
    )
