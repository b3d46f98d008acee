"""Shuffled random histories against a model that knows nothing of shards: who owns what, and what was promised."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, invariant, multiple, rule

from brandday.domain.protocols import Read, cancel, claim, confirm, expire, extend, look_up
from brandday.domain.shard import (
    CANCELLED,
    CONFIRMED,
    EXPIRED,
    EXTENDED,
    HELD,
    POINTER,
    RELEASED,
    RecordChange,
    ShardWrite,
    Written,
    decode_record,
    restock_mark,
    to_base36,
)
from brandday.domain.stock import (
    FORGET_AFTER_MS,
    Changed,
    Claim,
    ClaimOutcome,
    ClaimRef,
    ClaimRequest,
    Granted,
    KeyReused,
    LimitReached,
    LostRace,
    Missing,
    NothingFree,
    NotPossible,
    Replayed,
    Resumed,
    Terms,
    find,
    forget_released,
)
from tests.fakes.memory_stock import CAMPAIGN, MemoryStock

SHARDS = 3
CAPACITY = {"0": (2, 1, 0), "1": (0, 2, 1)}
HOMES = {"annannannann": 0, "bobbobbobbob": 0, "cyncyncyncyn": 1, "dandandandan": 2}
HOLD_MS, EXTENDED_MS = 60_000, 90_000
LIMIT, SLOT_LIMIT = 3, 2
START = 1_793_000_000_000
TERMS = Terms(HOLD_MS, EXTENDED_MS, lambda slot, shard: CAPACITY[slot][shard])

shoppers = st.sampled_from(sorted(HOMES))
slots = st.sampled_from(sorted(CAPACITY))


@dataclass(frozen=True)
class Owned:
    """A claim as the model sees it: who has how much of what, until when, and in which state."""

    shopper: str
    slot: str
    quantity: int
    until: int
    state: str = HELD
    order: str | None = None

    def is_live(self, now: int) -> bool:
        return self.state == CONFIRMED or (self.state in (HELD, EXTENDED) and now < self.until)


class History(RuleBasedStateMachine):
    """One campaign of two SKUs over three shards, four shoppers, and a clock that only moves forward."""

    claims: Bundle[ClaimRef] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.stock = MemoryStock()
        self.now = START
        self.owned: dict[ClaimRef, Owned] = {}
        self.total = {slot: sum(shares) for slot, shares in CAPACITY.items()}
        self.keys = 0

    # --- what the model says

    def live(self, shopper: str | None = None, slot: str | None = None) -> list[Owned]:
        return [
            owned
            for owned in self.owned.values()
            if owned.is_live(self.now)
            and (shopper is None or owned.shopper == shopper)
            and (slot is None or owned.slot == slot)
        ]

    def units(self, owned: list[Owned]) -> int:
        return sum(one.quantity for one in owned)

    def is_free_in_one_shard(self, slot: str, quantity: int) -> bool:
        """Whether a shard has enough, counting what holds that are due would give back."""
        for number in range(SHARDS):
            shard = self.stock.shard(number)
            due = sum(e.quantity for _, e in shard.entries() if e.slot == slot and TERMS.is_due(e, self.now))
            if shard.free.get(slot, CAPACITY[slot][number]) + due >= quantity:
                return True
        return False

    # --- what happens

    def request(self, shopper: str, slot: str, quantity: int, tag: str, order: str | None = None) -> ClaimRequest:
        return ClaimRequest(shopper, HOMES[shopper], slot, quantity, tag, self.now, SLOT_LIMIT, LIMIT, order)

    def tag(self) -> str:
        self.keys += 1
        return f"k{self.keys:05}"

    def run_claim(self, request: ClaimRequest, write_first: bool) -> ClaimOutcome:
        others = tuple(number for number in range(SHARDS) if number != request.home)
        return self.stock.run(claim(request, TERMS, write_first=write_first, elsewhere=lambda: others))

    def check_claim(self, request: ClaimRequest, outcome: ClaimOutcome) -> Claim | None:
        """Compare an answer to a new key with what the model knows, and note what was granted."""
        mine, of_slot = self.live(request.name), self.live(request.name, request.slot)
        over = self.units(of_slot) + request.quantity > SLOT_LIMIT or self.units(mine) + request.quantity > LIMIT
        held = [owned for owned in of_slot if owned.state in (HELD, EXTENDED)]
        match outcome:
            case Granted(claimed):
                assert not over
                assert request.order_id is not None or not held
                ref = ClaimRef(claimed.shard, request.name, claimed.entry.attempt)
                assert ref not in self.owned, "a reservation id was given twice"
                state = HELD if request.order_id is None else CONFIRMED
                until = claimed.entry.attempt + HOLD_MS
                self.owned[ref] = Owned(request.name, request.slot, request.quantity, until, state, request.order_id)
                return claimed
            case Resumed(claimed):
                assert self.owned[ClaimRef(claimed.shard, request.name, claimed.entry.attempt)] in held
            case LimitReached():
                assert over
                assert request.order_id is not None or not held
            case NothingFree():
                assert not over
                assert not self.is_free_in_one_shard(request.slot, request.quantity)
                if request.quantity == 1:
                    everyone = self.units(self.live(slot=request.slot))
                    assert everyone == self.total[request.slot], "sold out is said only when all is owned"
            case _:
                raise AssertionError(outcome)
        return None

    @rule(target=claims, shopper=shoppers, slot=slots, quantity=st.integers(1, 3), first=st.booleans())
    def claims_units(self, shopper: str, slot: str, quantity: int, first: bool) -> ClaimRef | MultipleResults[ClaimRef]:
        request = self.request(shopper, slot, quantity, self.tag())
        claimed = self.check_claim(request, self.run_claim(request, first))
        if claimed is None:
            return multiple()
        assert self.run_claim(request, first) == Replayed(claimed)
        assert self.run_claim(request._replace(quantity=3 - quantity), first) == KeyReused()
        return ClaimRef(claimed.shard, shopper, claimed.entry.attempt)

    @rule(target=claims, shopper=shoppers, slot=slots, wait=st.sampled_from([0, HOLD_MS]), first=st.booleans())
    def buys_and_comes_again(
        self, shopper: str, slot: str, wait: int, first: bool
    ) -> ClaimRef | MultipleResults[ClaimRef]:
        """Claims, pays (perhaps too late) after having claimed again, as impatient shoppers do."""
        bought = self.claims_units(shopper, slot, 1, first)
        if not isinstance(bought, ClaimRef):
            return bought
        if not wait:
            self.pays(bought, f"o{bought.attempt}", reclaim=True)
        self.now += wait
        again = self.claims_units(shopper, slot, 1, first)
        if wait:
            self.pays(bought, f"o{bought.attempt}", reclaim=True)
        return again

    @rule(shopper=shoppers, slot=slots, first=st.booleans(), effects=st.integers(0, 5))
    def claims_and_is_killed_and_retries(self, shopper: str, slot: str, first: bool, effects: int) -> None:
        """The request ends after any of its effects, as a killed or timed-out one does, and comes again."""
        request = self.request(shopper, slot, 1, self.tag())
        others = tuple(number for number in range(SHARDS) if number != request.home)
        protocol = claim(request, TERMS, write_first=first, elsewhere=lambda: others)
        answer: object = None
        for _ in range(effects):
            try:
                effect = protocol.send(answer)
            except StopIteration:
                break
            if isinstance(effect, Read):
                answer = self.stock.read(CAMPAIGN, effect.shards, consistent=effect.consistent)
            else:
                answer = self.stock.write(CAMPAIGN, effect.write)
        outcome = self.run_claim(request, first)
        if isinstance(outcome, Replayed):
            outcome = Granted(outcome.claim)
        self.check_claim(request, outcome)

    @rule(ref=claims, order=st.sampled_from(["o1", "o2", "o3"]), reclaim=st.booleans())
    def pays(self, ref: ClaimRef, order: str, reclaim: bool) -> None:
        owned = self.owned.get(ref)
        outcome = self.stock.run(confirm(ref, order, TERMS, self.now, reclaim=reclaim))
        match outcome:
            case Missing():
                assert owned is None or owned.state in RELEASED or not owned.is_live(self.now)
            case Changed(_, replayed):
                assert owned is not None
                assert replayed == (owned.state == CONFIRMED)
                assert owned.order in (None, order)
                assert owned.is_live(self.now) or reclaim
                self.owned[ref] = replace(owned, state=CONFIRMED, order=order)
            case NotPossible(late) if late.entry.state == CONFIRMED:
                assert owned is not None
                assert owned.order not in (None, order)
            case NotPossible(late):
                assert owned is not None
                assert not owned.is_live(self.now)
                if owned.state != CANCELLED:
                    self.owned[ref] = replace(owned, state=EXPIRED)
                    if reclaim:
                        self.pays_late(ref, self.owned[ref], order)
            case LostRace():
                raise AssertionError("nobody was there to race with")

    def pays_late(self, ref: ClaimRef, owned: Owned, order: str) -> None:
        tag = f"l{to_base36(ref.attempt - START, 5)}"
        request = self.request(ref.name, owned.slot, owned.quantity, tag, order)
        outcome = self.run_claim(request, write_first=False)
        if isinstance(outcome, Replayed):
            found = self.owned[ClaimRef(outcome.claim.shard, ref.name, outcome.claim.entry.attempt)]
            assert found.state == CONFIRMED
        else:
            self.check_claim(request, outcome)

    @rule(ref=claims)
    def cancels(self, ref: ClaimRef) -> None:
        owned = self.owned.get(ref)
        outcome = self.stock.run(cancel(ref, TERMS, self.now))
        match outcome:
            case Missing():
                assert owned is None or not owned.is_live(self.now)
            case Changed(_, replayed):
                assert owned is not None
                assert replayed == (owned.state == CANCELLED)
                self.owned[ref] = replace(owned, state=CANCELLED)
            case NotPossible(late):
                assert owned is not None
                assert late.entry.state == (CONFIRMED if owned.is_live(self.now) else EXPIRED)
                if not owned.is_live(self.now):
                    self.owned[ref] = replace(owned, state=EXPIRED)
            case LostRace():
                raise AssertionError("nobody was there to race with")

    @rule(ref=claims)
    def extends(self, ref: ClaimRef) -> None:
        owned = self.owned.get(ref)
        outcome = self.stock.run(extend(ref, TERMS, self.now))
        if isinstance(outcome, Changed):
            assert owned is not None
            assert owned.is_live(self.now)
            assert outcome.replayed == (owned.state == EXTENDED)
            self.owned[ref] = replace(owned, state=EXTENDED, until=ref.attempt + EXTENDED_MS)
        elif isinstance(outcome, NotPossible):
            assert owned is not None
            if outcome.claim.entry.state == EXPIRED:
                assert not owned.is_live(self.now)
                self.owned[ref] = replace(owned, state=EXPIRED)

    @rule(ref=claims)
    def looks(self, ref: ClaimRef) -> None:
        owned, found = self.owned.get(ref), self.stock.run(look_up(ref, TERMS, self.now))
        if owned is not None and owned.is_live(self.now):
            assert found is not None
            assert (found.entry.state, found.entry.order_id) == (owned.state, owned.order)
        elif found is not None:
            assert found.entry.state in RELEASED

    @rule(ms=st.sampled_from([1, HOLD_MS - 1, HOLD_MS, EXTENDED_MS]))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(shard=st.integers(0, SHARDS - 1))
    def sweeps(self, shard: int) -> None:
        due = self.stock.run(expire(shard, TERMS, self.now))
        assert due is None or due > self.now
        for ref, owned in self.owned.items():
            if ref.shard == shard and owned.state in (HELD, EXTENDED) and owned.until <= self.now:
                self.owned[ref] = replace(owned, state=EXPIRED)

    @rule(slot=slots, shard=st.integers(0, SHARDS - 1), units=st.integers(1, 2), name=st.sampled_from(["a", "b"]))
    def restocks(self, slot: str, shard: int, units: int, name: str) -> None:
        change = RecordChange(restock_mark(slot, name), None, str(units))
        write = ShardWrite(shard, (change,), {slot: units}, {slot: CAPACITY[slot][shard]})
        if isinstance(self.stock.write(CAMPAIGN, write), Written):
            self.total[slot] += units

    @rule(shard=st.integers(0, SHARDS - 1), long=st.booleans())
    def forgets(self, shard: int, long: bool) -> None:
        """Drops old records, as the sweeper does; ``long`` after all of them have become old."""
        if long:
            self.now += FORGET_AFTER_MS + 2 * EXTENDED_MS
        image = self.stock.shard(shard)
        released = set()
        for name, entry in image.entries():
            if entry.state == POINTER and entry.shard is not None:
                target = find(self.stock.shard(entry.shard), name, entry.attempt)
                if target is None or target.state in RELEASED:
                    released.add((name, entry.attempt))
        write = forget_released(image, frozenset(released), TERMS, self.now)
        if write is not None:
            assert isinstance(self.stock.write(CAMPAIGN, write), Written)

    # --- what always holds

    @invariant()
    def nothing_is_lost_and_nothing_is_doubled(self) -> None:
        for slot, total in self.total.items():
            shards = [self.stock.shard(number) for number in range(SHARDS)]
            free = sum(shard.free.get(slot, CAPACITY[slot][shard.number]) for shard in shards)
            owned = sum(entry.units for shard in shards for _, entry in shard.entries() if entry.slot == slot)
            assert free + owned == total
            assert all(units >= 0 for shard in shards for units in shard.free.values())

    @invariant()
    def the_shards_say_what_the_model_says(self) -> None:
        found = {
            ClaimRef(number, name, entry.attempt): entry
            for number in range(SHARDS)
            for name, entry in self.stock.shard(number).entries()
            if entry.units and not TERMS.is_due(entry, self.now)
        }
        live = {ref: owned for ref, owned in self.owned.items() if owned.is_live(self.now)}
        assert found.keys() == live.keys()
        for ref, owned in live.items():
            entry = found[ref]
            assert (entry.slot, entry.quantity, entry.state) == (owned.slot, owned.quantity, owned.state)

    @invariant()
    def every_live_claim_is_known_at_home(self) -> None:
        for number in range(SHARDS):
            for name, entry in self.stock.shard(number).entries():
                if entry.units and number != HOMES[name]:
                    home = decode_record(self.stock.shard(HOMES[name]).records.get(name))
                    assert any(p.state == POINTER and (p.shard, p.attempt) == (number, entry.attempt) for p in home)

    @invariant()
    def nobody_owns_more_than_allowed(self) -> None:
        for shopper in HOMES:
            assert self.units(self.live(shopper)) <= LIMIT
            for slot in CAPACITY:
                assert self.units(self.live(shopper, slot)) <= SLOT_LIMIT


TestHistories = History.TestCase
TestHistories.settings = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
