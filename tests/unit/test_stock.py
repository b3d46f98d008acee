"""The rules of stock, one sentence each: what a claim, a payment, a cancellation and a lapse do, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from brandday.domain.protocols import MAX_RACES, Protocol, Read, Write, cancel, claim, confirm, expire, extend, look_up
from brandday.domain.shard import (
    CANCELLED,
    CONFIRMED,
    EXPIRED,
    EXTENDED,
    HELD,
    POINTER,
    VOID,
    Entry,
    RecordChange,
    Refused,
    Shard,
    ShardWrite,
    apply,
    decode_record,
    encode_entry,
    restock_mark,
)
from brandday.domain.stock import (
    FORGET_AFTER_MS,
    MAX_CHANGES,
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
    expire_due,
    forget_released,
    next_due,
)
from tests.fakes.memory_stock import CAMPAIGN, MemoryStock

NOW = 1_793_000_000_000
HOLD, EXTENDED_HOLD = 600_000, 900_000
LAPSED = NOW + HOLD
CAPACITY = {"0": (2, 1), "1": (1, 1)}
TERMS = Terms(HOLD, EXTENDED_HOLD, lambda slot, shard: CAPACITY[slot][shard])
ANN, BOB, CYN = "annannannann", "bobbobbobbob", "cyncyncyncyn"


def wish(name: str = ANN, tag: str = "first_", **changed: object) -> ClaimRequest:
    """Return a claim of one unit of slot 0 by a shopper whose home is shard 0."""
    request = ClaimRequest(name, 0, "0", 1, tag, NOW, slot_limit=2, limit=2)
    return request._replace(**changed)  # type: ignore[arg-type]


class Shop:
    """Two shards in memory, and short ways to use them."""

    def __init__(self) -> None:
        self.stock = MemoryStock()

    def claim(
        self, request: ClaimRequest, *, write_first: bool = True, elsewhere: Sequence[int] = (1,)
    ) -> ClaimOutcome:
        self.stock.effects.clear()
        others = tuple(elsewhere)
        return self.stock.run(claim(request, TERMS, write_first=write_first, elsewhere=lambda: others))

    def granted(self, request: ClaimRequest) -> ClaimRef:
        outcome = self.claim(request)
        assert isinstance(outcome, Granted)
        return ClaimRef(outcome.claim.shard, request.name, outcome.claim.entry.attempt)

    def entries(self, shard: int, name: str = ANN) -> tuple[Entry, ...]:
        return decode_record(self.stock.shard(shard).records.get(name))

    def states(self, shard: int, name: str = ANN) -> str:
        return "".join(entry.state for entry in self.entries(shard, name))

    def free(self, shard: int, slot: str = "0") -> int:
        return self.stock.shard(shard).free[slot]

    @property
    def calls(self) -> list[str]:
        return [type(effect).__name__ for effect in self.stock.effects]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def full(shop: Shop) -> Shop:
    """A shop whose home shard has nothing of slot 0 left: bob and cyn hold it."""
    shop.granted(wish(BOB))
    shop.granted(wish(CYN))
    return shop


# --- Claiming ----------------------------------------------------------------------------------------------


def test_a_first_claim_is_one_write(shop: Shop) -> None:
    outcome = shop.claim(wish())
    assert outcome == Granted(Claim(0, Entry(HELD, "0", 1, NOW, "first_")))
    assert shop.calls == ["Write"]
    assert shop.free(0) == 1


def test_a_claim_that_is_not_likely_to_succeed_reads_first(shop: Shop) -> None:
    assert isinstance(shop.claim(wish(), write_first=False), Granted)
    assert shop.calls == ["Read", "Write"]


def test_the_same_key_gets_the_same_claim(shop: Shop) -> None:
    shop.granted(wish())
    outcome = shop.claim(wish(now=NOW + 5))
    assert outcome == Replayed(Claim(0, Entry(HELD, "0", 1, NOW, "first_")))
    assert shop.calls == ["Write"]
    assert shop.free(0) == 1


def test_the_same_key_gets_the_same_claim_after_it_was_released(shop: Shop) -> None:
    shop.stock.run(cancel(shop.granted(wish()), TERMS, NOW))
    outcome = shop.claim(wish())
    assert isinstance(outcome, Replayed)
    assert outcome.claim.entry.state == CANCELLED


def test_the_same_key_for_something_else_is_refused(shop: Shop) -> None:
    shop.granted(wish())
    assert shop.claim(wish(quantity=2)) == KeyReused()
    assert shop.claim(wish(slot="1")) == KeyReused()


def test_a_replay_is_recognised_though_the_first_read_was_a_moment_old(shop: Shop) -> None:
    shop.granted(wish())
    assert isinstance(shop.claim(wish(), write_first=False), Replayed)
    assert [effect.consistent for effect in shop.stock.effects if isinstance(effect, Read)] == [False, True]


def test_another_device_gets_the_hold_the_shopper_has(shop: Shop) -> None:
    shop.granted(wish())
    outcome = shop.claim(wish(tag="second"))
    assert outcome == Resumed(Claim(0, Entry(HELD, "0", 1, NOW, "first_")))
    assert shop.free(0) == 1


def test_a_new_attempt_after_a_release_has_a_higher_number_in_the_same_millisecond(shop: Shop) -> None:
    shop.stock.run(cancel(shop.granted(wish()), TERMS, NOW))
    again = shop.granted(wish(tag="second"))
    assert again.attempt == NOW + 1
    assert shop.states(0) == "dh"


def test_of_the_released_claims_of_a_sku_the_latest_is_kept(shop: Shop) -> None:
    for tag in ("first_", "second", "third_"):
        shop.stock.run(cancel(shop.granted(wish(tag=tag)), TERMS, NOW))
    assert [entry.tag for entry in shop.entries(0)] == ["second", "third_"]


# --- Limits ------------------------------------------------------------------------------------------------


def test_more_than_the_limit_is_refused_without_a_write(shop: Shop) -> None:
    assert shop.claim(wish(quantity=3)) == LimitReached(2, 0, "sku")
    assert "Write" not in shop.calls


def test_units_bought_before_count_for_the_limit_of_the_sku(shop: Shop) -> None:
    shop.stock.run(confirm(shop.granted(wish(slot_limit=1)), "order-1", TERMS, NOW, reclaim=True))
    assert shop.claim(wish(tag="second", slot_limit=1)) == LimitReached(1, 1, "sku")


def test_units_of_all_skus_count_for_the_limit_of_the_campaign(shop: Shop) -> None:
    shop.granted(wish(quantity=2))
    assert shop.claim(wish(tag="second", slot="1")) == LimitReached(2, 2, "campaign")


def test_units_in_other_shards_count_for_the_limits(full: Shop) -> None:
    ref = full.granted(wish(limit=1))
    assert ref.shard == 1
    assert full.claim(wish(tag="second", slot="1", limit=1)) == LimitReached(1, 1, "campaign")


def test_released_and_lapsed_units_do_not_count_for_the_limits(shop: Shop) -> None:
    shop.granted(wish(limit=1))
    assert isinstance(shop.claim(wish(tag="second", slot="1", limit=1, now=LAPSED)), Granted)
    assert shop.states(0) == "eh"
    assert shop.free(0) == 2


# --- Overflow ----------------------------------------------------------------------------------------------


def test_a_claim_elsewhere_is_announced_at_home_before_it_is_made(full: Shop) -> None:
    outcome = full.claim(wish())
    assert outcome == Granted(Claim(1, Entry(HELD, "0", 1, NOW, "first_")))
    assert full.entries(0) == (Entry(POINTER, "0", 1, NOW, "first_", shard=1),)
    written = [effect.write.shard for effect in full.stock.effects if isinstance(effect, Write)]
    assert written == [0, 0, 1]  # the first was refused


@pytest.mark.parametrize("looked_at", [(1, 2, 3), (3, 2, 1)])
def test_of_the_shards_looked_at_the_fullest_is_chosen(looked_at: tuple[int, ...]) -> None:
    stock = MemoryStock()
    terms = Terms(HOLD, EXTENDED_HOLD, lambda _, shard: (0, 1, 5, 3)[shard])

    outcome = stock.run(claim(wish(), terms, write_first=False, elsewhere=lambda: looked_at))

    assert isinstance(outcome, Granted)
    assert outcome.claim.shard == 2


def test_a_claim_elsewhere_is_replayed_and_resumed(full: Shop) -> None:
    full.granted(wish())
    found = Claim(1, Entry(HELD, "0", 1, NOW, "first_"))
    assert full.claim(wish()) == Replayed(found)
    assert full.claim(wish(tag="second")) == Resumed(found)


def test_nothing_is_free_when_no_shard_has_enough(full: Shop) -> None:
    assert full.claim(wish(quantity=2)) == NothingFree(looked=True)
    full.granted(wish())
    assert full.claim(wish("dandandandan")) == NothingFree(looked=True)


def test_nothing_is_written_where_nobody_looks(full: Shop) -> None:
    assert full.claim(wish(), elsewhere=()) == NothingFree()
    assert full.states(0) == ""


def test_a_pointer_to_a_released_claim_goes_with_the_next_attempt(full: Shop) -> None:
    full.stock.run(cancel(full.granted(wish()), TERMS, NOW))
    ref = full.granted(wish(tag="second"))
    assert (ref.shard, full.states(0), full.states(1)) == (1, ">", "dh")


def test_a_claim_that_was_announced_and_never_made_is_made_void_first(full: Shop) -> None:
    slow = claim(wish(), TERMS, write_first=False, elsewhere=lambda: (1,))
    last = run_until_write_to(full.stock, slow, 1)
    ref = full.granted(wish(tag="second"))
    assert (full.states(0), full.states(1)) == (">", "vh")
    assert isinstance(full.stock.write(CAMPAIGN, last.write), Refused)
    assert [entry.attempt for entry in full.entries(1) if entry.units] == [ref.attempt]


def test_a_claim_elsewhere_that_comes_too_late_is_withdrawn(full: Shop) -> None:
    slow = claim(wish(), TERMS, write_first=False, elsewhere=lambda: (1,))
    last = run_until_write_to(full.stock, slow, 1)
    full.granted(wish("dandandandan"))
    withdrawal = slow.send(full.stock.write(CAMPAIGN, last.write))
    assert isinstance(withdrawal, Write)
    with pytest.raises(StopIteration) as end:
        slow.send(full.stock.write(CAMPAIGN, withdrawal.write))
    assert end.value.value == LostRace()
    assert full.states(0) == VOID


def test_a_claim_elsewhere_whose_answer_was_lost_is_not_withdrawn(full: Shop) -> None:
    slow = claim(wish(), TERMS, write_first=False, elsewhere=lambda: (1,))
    last = run_until_write_to(full.stock, slow, 1)
    full.stock.write(CAMPAIGN, last.write)
    with pytest.raises(StopIteration) as end:
        slow.send(full.stock.write(CAMPAIGN, last.write))
    assert end.value.value == Replayed(Claim(1, Entry(HELD, "0", 1, NOW, "first_")))
    assert full.states(0) == POINTER


def run_until_write_to(stock: MemoryStock, protocol: Protocol[ClaimOutcome], shard: int) -> Write:
    """Drive a protocol until it asks for a write to this shard, and return that."""
    answer: object = None
    while True:
        effect = protocol.send(answer)
        if isinstance(effect, Read):
            answer = stock.read(CAMPAIGN, effect.shards, consistent=effect.consistent)
            continue
        assert isinstance(effect, Write)
        if effect.write.shard == shard:
            return effect
        answer = stock.write(CAMPAIGN, effect.write)


# --- Lapsed holds ------------------------------------------------------------------------------------------


def test_the_unit_of_a_lapsed_hold_is_taken_over_in_the_same_write(full: Shop) -> None:
    outcome = full.claim(wish(now=LAPSED), write_first=False)
    assert isinstance(outcome, Granted)
    assert outcome.claim.shard == 0
    assert full.calls == ["Read", "Write"]
    assert sorted(full.states(0, BOB) + full.states(0, CYN)) == [EXPIRED, HELD]


def test_a_hold_is_not_taken_over_one_millisecond_before_its_end(full: Shop) -> None:
    assert full.claim(wish(now=LAPSED - 1), elsewhere=()) == NothingFree()


def test_as_many_lapsed_holds_are_taken_over_as_are_needed(full: Shop) -> None:
    full.claim(wish(now=LAPSED, quantity=2))
    assert (full.states(0, BOB), full.states(0, CYN)) == (EXPIRED, EXPIRED)


def test_a_shoppers_own_lapsed_hold_makes_room_for_the_next(shop: Shop) -> None:
    shop.granted(wish(quantity=2))
    assert shop.granted(wish(tag="second", quantity=2, now=LAPSED)).shard == 0
    assert shop.states(0) == "eh"


def test_a_lapsed_hold_elsewhere_is_marked_before_a_new_attempt(full: Shop) -> None:
    ref = full.granted(wish())
    full.stock.run(cancel(ClaimRef(0, BOB, NOW), TERMS, NOW))
    assert full.granted(wish(tag="second", now=LAPSED)).shard == 0
    assert full.states(1) == EXPIRED
    assert full.stock.run(confirm(ref, "order-1", TERMS, LAPSED, reclaim=True)) == NotPossible(
        Claim(1, Entry(EXPIRED, "0", 1, NOW, "first_"))
    )


def test_expiring_gives_back_all_that_is_due_and_says_when_to_come_again(shop: Shop) -> None:
    shop.granted(wish(BOB))
    shop.granted(wish(CYN, now=NOW + 7))
    assert shop.stock.run(expire(0, TERMS, LAPSED)) == LAPSED + 7
    assert (shop.states(0, BOB), shop.states(0, CYN), shop.free(0)) == (EXPIRED, HELD, 1)


def test_expiring_again_changes_nothing(shop: Shop) -> None:
    shop.granted(wish())
    for _ in range(2):
        assert shop.stock.run(expire(0, TERMS, LAPSED)) is None
    assert (shop.states(0), shop.free(0), shop.stock.shard(0).version) == (EXPIRED, 2, 2)


def test_expiring_looks_again_when_a_payment_came_first(shop: Shop) -> None:
    ref = shop.granted(wish())
    worker = expire(0, TERMS, LAPSED)
    read = next(worker)
    assert isinstance(read, Read)
    write = worker.send(shop.stock.read(CAMPAIGN, read.shards, consistent=True))
    shop.stock.run(confirm(ref, "order-1", TERMS, LAPSED, reclaim=True))
    assert isinstance(write, Write)
    with pytest.raises(StopIteration):
        worker.send(shop.stock.write(CAMPAIGN, write.write))
    assert shop.states(0) == CONFIRMED


def test_one_write_expires_no_more_records_than_the_database_takes() -> None:
    text = encode_entry(Entry(HELD, "0", 1, NOW, "first_"))
    shard = Shard(0, 1, {"0": 0}, {f"shopper{number:05}": text for number in range(MAX_CHANGES + 1)})
    write = expire_due(shard, TERMS, LAPSED)
    assert write is not None
    assert len(write.changes) == MAX_CHANGES
    after = apply(shard, write)
    assert after is not None
    assert after.free == {"0": MAX_CHANGES}


def test_the_next_lapse_is_that_of_the_earliest_hold(shop: Shop) -> None:
    assert next_due(shop.stock.shard(0), TERMS) is None
    ref = shop.granted(wish(BOB))
    shop.granted(wish(CYN, now=NOW + 7))
    assert next_due(shop.stock.shard(0), TERMS) == LAPSED
    shop.stock.run(extend(ref, TERMS, NOW))
    assert next_due(shop.stock.shard(0), TERMS) == LAPSED + 7


# --- Paying, cancelling, extending -------------------------------------------------------------------------


def test_paying_makes_a_hold_a_sale_and_is_repeatable(shop: Shop) -> None:
    ref = shop.granted(wish())
    sold = Claim(0, Entry(CONFIRMED, "0", 1, NOW, "first_", "order-1"))
    assert shop.stock.run(confirm(ref, "order-1", TERMS, NOW, reclaim=False)) == Changed(sold, replayed=False)
    assert shop.stock.run(confirm(ref, "order-1", TERMS, LAPSED, reclaim=False)) == Changed(sold, replayed=True)
    assert shop.stock.run(confirm(ref, "order-2", TERMS, NOW, reclaim=True)) == NotPossible(sold)
    assert shop.free(0) == 1


def test_a_payment_at_the_very_end_of_the_hold_is_late(shop: Shop) -> None:
    ref = shop.granted(wish())
    outcome = shop.stock.run(confirm(ref, "order-1", TERMS, LAPSED, reclaim=False))
    assert outcome == NotPossible(Claim(0, Entry(EXPIRED, "0", 1, NOW, "first_")))
    assert (shop.states(0), shop.free(0)) == (EXPIRED, 2)


def test_a_late_payment_takes_the_units_of_its_own_hold_if_nobody_has_them(shop: Shop) -> None:
    ref = shop.granted(wish())
    outcome = shop.stock.run(confirm(ref, "order-1", TERMS, LAPSED, reclaim=True))
    assert isinstance(outcome, Changed)
    assert shop.states(0) == CONFIRMED


def test_a_late_payment_that_claims_again_is_a_sale_at_once(shop: Shop) -> None:
    shop.granted(wish())
    shop.stock.run(expire(0, TERMS, LAPSED))
    outcome = shop.claim(wish(tag="late__", order_id="order-1", now=LAPSED))
    assert outcome == Granted(Claim(0, Entry(CONFIRMED, "0", 1, LAPSED, "late__", "order-1")))


def test_a_late_payment_does_not_take_the_hold_of_another_purchase(shop: Shop) -> None:
    shop.granted(wish())
    late = wish(tag="late__", order_id="order-1")
    assert isinstance(shop.claim(late), Granted)
    assert sorted(shop.states(0)) == [CONFIRMED, HELD]
    assert shop.claim(wish(tag="later_", order_id="order-2")) == LimitReached(2, 2, "sku")


def test_cancelling_gives_the_units_back_once(shop: Shop) -> None:
    ref = shop.granted(wish(quantity=2))
    released = Claim(0, Entry(CANCELLED, "0", 2, NOW, "first_"))
    assert shop.stock.run(cancel(ref, TERMS, NOW)) == Changed(released, replayed=False)
    assert shop.stock.run(cancel(ref, TERMS, NOW)) == Changed(released, replayed=True)
    assert shop.free(0) == 2


def test_a_sale_cannot_be_cancelled(shop: Shop) -> None:
    ref = shop.granted(wish())
    shop.stock.run(confirm(ref, "order-1", TERMS, NOW, reclaim=False))
    assert isinstance(shop.stock.run(cancel(ref, TERMS, NOW)), NotPossible)
    assert shop.states(0) == CONFIRMED


def test_a_lapsed_hold_is_expired_not_cancelled(shop: Shop) -> None:
    ref = shop.granted(wish())
    outcome = shop.stock.run(cancel(ref, TERMS, LAPSED))
    assert outcome == NotPossible(Claim(0, Entry(EXPIRED, "0", 1, NOW, "first_")))


def test_extending_works_once_however_often_it_is_asked_for(shop: Shop) -> None:
    ref = shop.granted(wish())
    extended = Claim(0, Entry(EXTENDED, "0", 1, NOW, "first_"))
    for replayed in (False, True):
        assert shop.stock.run(extend(ref, TERMS, LAPSED - 1)) == Changed(extended, replayed)
    assert shop.stock.run(look_up(ref, TERMS, NOW + EXTENDED_HOLD - 1)) == extended
    assert isinstance(shop.stock.run(extend(ref, TERMS, NOW + EXTENDED_HOLD)), NotPossible)


def test_a_change_that_keeps_losing_gives_up(shop: Shop) -> None:
    ref = shop.granted(wish())
    payment = confirm(ref, "order-1", TERMS, NOW, reclaim=False)
    image = shop.stock.shard(0)
    next(payment)
    payment.send((image,))
    for _ in range(MAX_RACES - 1):
        payment.send(Refused(image))
    with pytest.raises(StopIteration) as end:
        payment.send(Refused(image))
    assert end.value.value == LostRace()


def test_a_hold_past_its_end_looks_expired_before_anybody_has_marked_it(shop: Shop) -> None:
    ref = shop.granted(wish())
    found = shop.stock.run(look_up(ref, TERMS, LAPSED))
    assert found == Claim(0, Entry(EXPIRED, "0", 1, NOW, "first_"))
    assert shop.states(0) == HELD


def test_what_does_not_exist_is_missing(shop: Shop) -> None:
    shop.granted(wish())
    for ref in (ClaimRef(0, ANN, NOW + 1), ClaimRef(1, ANN, NOW), ClaimRef(0, BOB, NOW)):
        assert shop.stock.run(look_up(ref, TERMS, NOW)) is None
        assert shop.stock.run(cancel(ref, TERMS, NOW)) == Missing()


def test_a_pointer_is_not_a_claim(full: Shop) -> None:
    ref = full.granted(wish())
    assert full.stock.run(cancel(ref._replace(shard=0), TERMS, NOW)) == Missing()


# --- Restocking and forgetting -----------------------------------------------------------------------------


def test_a_restock_is_added_once(full: Shop) -> None:
    change = RecordChange(restock_mark("0", "evening"), None, "2")
    write = ShardWrite(0, (change,), {"0": 2}, {"0": 2})
    for _ in range(2):
        full.stock.write(CAMPAIGN, write)
    assert full.free(0) == 2
    assert full.granted(wish(quantity=2)).shard == 0


def test_released_claims_are_forgotten_once_they_are_old(shop: Shop) -> None:
    shop.stock.run(cancel(shop.granted(wish()), TERMS, NOW))
    shop.stock.run(confirm(shop.granted(wish(BOB)), "order-1", TERMS, NOW, reclaim=False))
    shard, old = shop.stock.shard(0), NOW + FORGET_AFTER_MS + EXTENDED_HOLD
    assert forget_released(shard, frozenset(), TERMS, old) is None
    write = forget_released(shard, frozenset(), TERMS, old + 1)
    assert write is not None
    assert [change.name for change in write.changes] == [ANN]


def test_a_pointer_is_forgotten_only_when_its_claim_is_known_to_be_released(full: Shop) -> None:
    full.granted(wish())
    shard, old = full.stock.shard(0), NOW + FORGET_AFTER_MS + EXTENDED_HOLD + 1
    assert forget_released(shard, frozenset(), TERMS, old) is None
    write = forget_released(shard, frozenset({(ANN, NOW)}), TERMS, old)
    assert write is not None
    assert [change.name for change in write.changes] == [ANN]


def test_restock_marks_are_never_forgotten(full: Shop) -> None:
    change = RecordChange(restock_mark("0", "evening"), None, "2")
    full.stock.write(CAMPAIGN, ShardWrite(1, (change,), {"0": 2}, {"0": 1}))
    assert forget_released(full.stock.shard(1), frozenset(), TERMS, NOW * 2) is None
