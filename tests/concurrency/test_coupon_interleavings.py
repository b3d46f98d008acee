"""Every interleaving of the protocols of redemptions on small instances: orders, sweepers, lost answers, any clock.

Exhaustive within the bounds of a scenario, over the generators that run in production. In every state that is met, the
books are checked, and that nothing is stuck: an order that comes after all locks have run out gets whatever is not
redeemed. Each promise has a negative control further down, in which one safeguard is taken out and the search must find
the harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from brandday.domain import protocols as stock_protocols
from brandday.domain.coupon_change import CouponChange, PartChange, StateChange
from brandday.domain.coupon_record import CouponFacts, CouponState, Part, PartStatus, UseState
from brandday.domain.redemption import Code, Pool, RedemptionStatus, Wanted, is_whole
from brandday.domain.redemption_id import claim_text, use_tag
from brandday.domain.redemption_protocols import (
    Done,
    Lapsed,
    Protocol,
    RedeemRequest,
    confirm,
    on_stock,
    redeem,
    release,
    roll_back,
)
from brandday.domain.shard import CONFIRMED, Shard
from brandday.domain.stock import ClaimRef, Terms
from tests.concurrency.coupon_explorer import (
    Actor,
    Commit,
    Item,
    Key,
    Scenario,
    Start,
    World,
    changed,
    commit,
    explore,
    key_of,
    run_alone,
)
from tests.concurrency.search import Report

EARLY, LATE, AFTER_ALL = 1000, 2000, 9000
BOTH = (EARLY, LATE)
LOCK_MS = 500
VALID_UNTIL = 5000
SHARED = "double-eleven"
HOMES = {"ann_________": 0, "bob_________": 0, "cyn_________": 1}
ANN, BOB, CYN = HOMES
type Recorder = Callable[[str, object], None]


def order(name: str) -> str:
    """The id of the redemption of an order."""
    return f"rdm_{name:_<20}"


ONE, TWO, THREE = order("1"), order("2"), order("3")


def coupon(name: str) -> CouponFacts:
    return CouponFacts(f"cpn_{name}", f"CODE{name}", "made", None, f"job:a.{name}", 0, VALID_UNTIL)


A, B = coupon("A"), coupon("B")


@dataclass(frozen=True)
class Cast:
    """Makes actors; `capacity` is the shared code's uses per shard, `limit` how many a shopper may have."""

    capacity: Sequence[int] = ()
    limit: int = 1
    returns: bool = True
    lock_ms: int = LOCK_MS

    @property
    def terms(self) -> Terms:
        return Terms(self.lock_ms, self.lock_ms, lambda _slot, shard: self.capacity[shard])

    def own(self, facts: CouponFacts) -> Code:
        """A coupon of its own."""
        return Code(facts.campaign_id, facts.code, self.lock_ms, coupon_id=facts.id, returns=self.returns)

    def shared(self, shopper: str) -> Code:
        """The shared code as it is for a shopper."""
        others = tuple(shard for shard in range(len(self.capacity)) if shard != HOMES[shopper])
        pool = Pool(shopper, HOMES[shopper], "0", self.limit, self.terms, lambda _: others)
        return Code(SHARED, "SHARED", self.lock_ms, pool=pool, returns=self.returns)

    def code_of(self, part: Part) -> Code:
        """The code of a stored part."""
        if part.claim is not None:
            return self.shared(part.claim.split(".")[1])
        return self.own(next(facts for facts in (A, B) if facts.id == part.coupon_id))

    def _redeem(self, of: str, codes: Sequence[Code], now: int, status: PartStatus, tag: str) -> Protocol[Any]:
        wanted = Wanted(of, tuple(sorted(codes, key=lambda code: code.code)), status, now)
        prices = {code.code: 100 for code in codes}
        return redeem(RedeemRequest(wanted, of, "", tag, "CNY", lambda _: prices, self.code_of))

    def locks(self, of: str, *codes: Code, times: Sequence[int] = (EARLY,), runs: int = 1) -> Actor:
        """Locks codes for an order, with a key of its own for each set of codes."""
        return self._wants("locks", of, codes, times, PartStatus.LOCKED, runs)

    def redeems(self, of: str, *codes: Code, times: Sequence[int] = (EARLY,), runs: int = 1) -> Actor:
        """Redeems codes for an order at once."""
        return self._wants("redeems", of, codes, times, PartStatus.REDEEMED, runs)

    def _wants(
        self, name: str, of: str, codes: Sequence[Code], times: Sequence[int], status: PartStatus, runs: int
    ) -> Actor:
        tag = (name[0] + "".join(code.code[-1] for code in codes)).ljust(6, "_")

        def start(now: int) -> Start:
            return lambda: self._redeem(of, codes, now, status, tag)

        starts: Mapping[Hashable, Start] = {now: start(now) for now in times}
        return Actor(f"{of[4]} {name} {tag}", of, starts, runs)

    def confirms(self, of: str, times: Sequence[int] = BOTH, *, runs: int = 1) -> Actor:
        """Confirms an order's lock, in time or late."""
        return self._acts("confirms", of, times, runs, lambda now: confirm(of, self.code_of, now, lambda _: None))

    def releases(self, of: str, times: Sequence[int] = (EARLY,), *, runs: int = 1) -> Actor:
        """Gives an order's lock up."""
        return self._acts("releases", of, times, runs, lambda now: release(of, self.code_of, now))

    def rolls_back(self, of: str, times: Sequence[int] = (LATE,), *, runs: int = 1) -> Actor:
        """Cancels a paid order."""
        return self._acts("rolls back", of, times, runs, lambda now: roll_back(of, self.code_of, now))

    def _acts(self, name: str, of: str, times: Sequence[int], runs: int, act: Callable[[int], Protocol[Any]]) -> Actor:
        def start(now: int) -> Start:
            return lambda: act(now)

        starts: Mapping[Hashable, Start] = {now: start(now) for now in times}
        return Actor(f"{of[4]} {name}", of, starts, runs)

    def sweeps(self, shard: int) -> Actor:
        """Gives back the uses that nobody has confirmed in time, as the existing machinery of stock does."""
        return Actor(
            f"sweeper {shard}", "", {0: lambda: on_stock(SHARED, stock_protocols.expire(shard, self.terms, LATE))}, 2
        )


@dataclass(frozen=True)
class Promises:
    """What must hold in every state."""

    cast: Cast
    coupons: Sequence[CouponFacts] = ()
    relocks: bool = False
    """Whether an order may begin again after it was told that its lock is lost."""

    def of_world(self, world: World) -> str | None:
        redemptions: dict[str, list[Part]] = {}
        for item in world.values():
            if isinstance(item, Part):
                redemptions.setdefault(item.redemption, []).append(item)
        for name, parts in redemptions.items():
            if not is_whole(sorted(parts, key=lambda part: part.number)):
                return f"the parts of {name} do not fit together: {parts}"
        parts = [part for of in redemptions.values() for part in of]
        return self._of_coupons(world, parts) or self._of_shards(world, parts) or self._of_stuck(world)

    def _of_coupons(self, world: World, parts: Sequence[Part]) -> str | None:
        for facts in self.coupons:
            state = world["state", facts.id, 0]
            assert isinstance(state, CouponState)
            taken = [part for part in parts if part.coupon_id == facts.id and _is_used(part)]
            if len(taken) > 1:
                return f"{facts.id} was redeemed twice: {taken}"
            if (state.use is UseState.REDEEMED) != bool(taken):
                return f"{facts.id} is {state.use}, and redeemed by {taken}"
            if taken and state.redemption != taken[0].redemption:
                return f"{facts.id} was redeemed by {state.redemption} and {taken[0].redemption}"
            holders = [part for part in parts if part.coupon_id == facts.id and part.redemption == state.redemption]
            if state.use is UseState.LOCKED and [part.status for part in holders] != [PartStatus.LOCKED]:
                return f"{facts.id} is locked by {state.redemption}, whose parts are {holders}"
        return None

    def _of_shards(self, world: World, parts: Sequence[Part]) -> str | None:
        owned: dict[str, int] = {}
        claims = {part.claim: part for part in parts if part.claim is not None}
        found = set()
        for shard in world.values():
            if not isinstance(shard, Shard):
                continue
            capacity = self.cast.capacity[shard.number]
            live = [(name, entry) for name, entry in shard.entries() if entry.units]
            if shard.free.get("0", capacity) < 0 or shard.free.get("0", capacity) + len(live) != capacity:
                return f"shard {shard.number} does not add up"
            for name, entry in live:
                owned[name] = owned.get(name, 0) + 1
                claim = claim_text(ClaimRef(shard.number, name, entry.attempt))
                part = claims.get(claim)
                if part is None or use_tag(part.redemption) != entry.tag:
                    return f"a use of {name} belongs to no part: {claim}"
                if (entry.state == CONFIRMED) != _is_used(part) or (
                    entry.is_held and part.status is not PartStatus.LOCKED
                ):
                    return f"a use is {entry.state}, and its part {part.status}"
                found.add(claim)
        if any(units > self.cast.limit for units in owned.values()):
            return f"more than {self.cast.limit} uses: {owned}"
        lost = [claim for claim, part in claims.items() if _is_used(part) and claim not in found]
        return f"redeemed uses are in no shard: {lost}" if lost else None

    def _of_stuck(self, world: World) -> str | None:
        """Whoever comes after all locks have run out gets what is not redeemed."""
        facts = {each.id: each for each in self.coupons}
        for each in self.coupons:
            state = world["state", each.id, 0]
            assert isinstance(state, CouponState)
            outcome = run_alone(self._late([self.cast.own(each)]), world, facts)
            if isinstance(outcome, Done) is (state.use is UseState.REDEEMED):
                return f"{each.id} is {state.use}, and a late order is told {outcome}"
        if not self.cast.capacity:
            return None
        shards = [item for item in world.values() if isinstance(item, Shard)]
        entries = [entry for shard in shards for _, entry in shard.entries()]
        left = sum(self.cast.capacity) - sum(entry.state == CONFIRMED for entry in entries)
        outcome = run_alone(self._late([_somebody(self.cast)]), world, facts)
        return None if isinstance(outcome, Done) is (left > 0) else f"{left} uses are left, and one is told {outcome}"

    def _late(self, codes: Sequence[Code]) -> Protocol[Any]:
        return self.cast._redeem(order("z"), codes, AFTER_ALL, PartStatus.REDEEMED, "late__")

    def of_outcome(self, actor: Actor, outcome: Any, world: World) -> str | None:
        if (
            isinstance(outcome, Done)
            and outcome.redemption.status is RedemptionStatus.REDEEMED
            and not outcome.replayed
        ):
            part = world["part", actor.redemption, 0]
            if not isinstance(part, Part) or part.status is not PartStatus.REDEEMED:
                return f"{actor.name} was told that its coupons are redeemed, and {part} is stored"
        return None

    def of_end(self, outcomes: Sequence[tuple[Actor, Any]], world: World) -> str | None:
        for actor, outcome in outcomes:
            part = world["part", actor.redemption, 0] if actor.redemption else None
            if isinstance(outcome, Lapsed) and isinstance(part, Part) and _is_used(part) and not self.relocks:
                return f"{actor.redemption} was told that it is too late, and is redeemed now"
        return None


def _is_used(part: Part) -> bool:
    return part.status is PartStatus.REDEEMED or (part.status is PartStatus.ROLLED_BACK and not part.returned)


def _somebody(cast: Cast) -> Code:
    """The shared code for a shopper who is nobody of the others."""
    code = cast.shared(ANN)
    assert code.pool is not None
    return replace(code, pool=replace(code.pool, name="zoe_________"))


def played(
    record_property: Recorder,
    cast: Cast,
    actors: Sequence[Actor],
    coupons: Sequence[CouponFacts] = (),
    **changes: Any,
) -> Report:
    """Explore, and record how much that was."""
    shards = [(SHARED, number) for number in range(len(cast.capacity))]
    relocks = changes.pop("relocks", False)
    scenario = Scenario(coupons, shards, actors, Promises(cast, coupons, relocks), **changes)
    began = time.perf_counter()
    report = explore(scenario)
    record_property("states", report.states)
    print(f"{report.states:,} states, {report.steps:,} steps, {time.perf_counter() - began:.1f} s")
    return report


def outcomes(report: Report, name: str) -> set[str]:
    return {outcome for actor, outcome in report.outcomes if actor.startswith(name)}


# --- what must hold ---------------------------------------------------------------------------------------------


def test_two_orders_want_one_coupon(record_property: Recorder) -> None:
    cast = Cast()
    actors = [
        cast.locks(ONE, cast.own(A)),
        cast.confirms(ONE, runs=2),
        cast.redeems(TWO, cast.own(A), times=BOTH, runs=2),
        cast.rolls_back(TWO),
    ]
    report = played(record_property, cast, actors, [A], lost_answers=True)
    assert report.violation is None, str(report)
    assert {"Done", "NotUsable"} <= outcomes(report, "2 redeems")
    assert {"Done", "Lapsed", "Missing"} <= outcomes(report, "1 confirms")


def test_cancelling_against_confirming(record_property: Recorder) -> None:
    cast = Cast((1,))
    actors = [
        cast.locks(ONE, cast.own(A), cast.shared(ANN)),
        cast.confirms(ONE),
        cast.rolls_back(ONE),
        cast.releases(ONE),
        cast.redeems(TWO, cast.own(A), times=(LATE,)),
    ]
    report = played(record_property, cast, actors, [A], parts=2)
    assert report.violation is None, str(report)
    assert {"Done", "Closed"} <= outcomes(report, "1 rolls")


def test_a_small_pool_over_two_shards(record_property: Recorder) -> None:
    cast = Cast((1, 1))
    actors = [
        cast.locks(ONE, cast.shared(ANN)),
        cast.confirms(ONE, times=(LATE,)),
        cast.redeems(TWO, cast.shared(BOB)),
        cast.rolls_back(TWO),
        cast.redeems(THREE, cast.shared(CYN), times=(LATE,)),
    ]
    report = played(record_property, cast, actors)
    assert report.violation is None, str(report)
    assert {"Done", "NoUseFree"} <= outcomes(report, "2 redeems")
    assert {"Done", "Missing"} <= outcomes(report, "1 confirms")


def test_an_order_changes_its_mind(record_property: Recorder) -> None:
    cast = Cast()
    actors = [
        cast.locks(ONE, cast.own(A)),
        cast.locks(ONE, cast.own(B)),
        cast.confirms(ONE),
        cast.redeems(TWO, cast.own(A), times=BOTH),
    ]
    report = played(record_property, cast, actors, [A, B])
    assert report.violation is None, str(report)


def test_parts_are_never_confirmed_by_halves(record_property: Recorder) -> None:
    cast = Cast()
    actors = [cast.locks(ONE, cast.own(A)), cast.locks(ONE, cast.own(A), cast.own(B)), cast.confirms(ONE)]
    report = played(record_property, cast, actors, [A, B], parts=2, torn_reads=True)
    assert report.violation is None, str(report)


@pytest.mark.soak
def test_an_order_with_two_kinds_of_codes_against_others(record_property: Recorder) -> None:
    cast = Cast((1,))
    actors = [
        cast.locks(ONE, cast.own(A), cast.shared(ANN)),
        cast.confirms(ONE),
        cast.redeems(TWO, cast.own(A), times=BOTH),
        cast.redeems(THREE, cast.shared(BOB), times=BOTH),
        cast.sweeps(0),
    ]
    report = played(record_property, cast, actors, [A], parts=2)
    assert report.violation is None, str(report)


@pytest.mark.soak
def test_one_shopper_with_two_orders_has_one_use(record_property: Recorder) -> None:
    cast = Cast((1, 1))
    actors = [
        cast.locks(ONE, cast.shared(ANN), times=BOTH),
        cast.confirms(ONE),
        cast.redeems(TWO, cast.shared(ANN), times=BOTH),
        cast.redeems(THREE, cast.shared(BOB)),
    ]
    report = played(record_property, cast, actors)
    assert report.violation is None, str(report)


@pytest.mark.soak
def test_an_order_begins_again_after_its_lock_was_lost(record_property: Recorder) -> None:
    cast = Cast()
    actors = [
        cast.locks(ONE, cast.own(A), times=BOTH, runs=2),
        cast.confirms(ONE),
        cast.releases(ONE),
        cast.redeems(TWO, cast.own(A), times=BOTH),
        cast.rolls_back(TWO),
    ]
    report = played(record_property, cast, actors, [A], lost_answers=True, relocks=True)
    assert report.violation is None, str(report)


# --- negative controls: a safeguard taken out, and the harm found -----------------------------------------------


def careless(*kinds: type) -> Commit:
    """A transaction that does not look whether what it replaces is still what was seen, for these kinds of changes."""

    def transact(world: Mapping[Key, Item], changes: Sequence[CouponChange]) -> dict[Key, Item] | None:
        after = commit(world, [change for change in changes if not isinstance(change, kinds)])
        if after is not None:
            after |= {
                key_of(change): changed(world[key_of(change)], change)[1]
                for change in changes
                if isinstance(change, kinds)
            }
        return after

    return transact


def test_without_the_version_of_a_coupon_it_is_redeemed_twice(record_property: Recorder) -> None:
    cast = Cast()
    actors = [cast.redeems(ONE, cast.own(A)), cast.redeems(TWO, cast.own(A))]
    report = played(record_property, cast, actors, [A], commit=careless(StateChange))
    assert report.violation is not None
    assert "was redeemed twice" in report.violation, str(report)
    assert played(record_property, cast, actors, [A]).violation is None


def test_without_the_versions_of_the_parts_an_order_is_cancelled_and_redeemed(record_property: Recorder) -> None:
    cast = Cast((1,))
    actors = [cast.locks(ONE, cast.shared(ANN)), cast.locks(ONE, cast.own(A)), cast.confirms(ONE)]
    report = played(record_property, cast, actors, [A], commit=careless(PartChange))
    assert report.violation is not None, str(report)
    assert played(record_property, cast, actors, [A]).violation is None


def test_without_one_transaction_parts_and_coupons_disagree(record_property: Recorder) -> None:
    cast = Cast()
    actors = [cast.redeems(ONE, cast.own(A))]
    report = played(record_property, cast, actors, [A], one_by_one=True)
    assert report.violation is not None
    assert "is redeemed, and redeemed by []" in report.violation, str(report)


def test_an_order_that_repeats_itself_under_another_id_takes_two_uses(record_property: Recorder) -> None:
    cast = Cast((2,), limit=2)
    one_use = replace(cast, limit=1)
    try_again = cast.redeems(ONE, cast.shared(ANN), runs=3)
    assert played(record_property, one_use, [try_again], lost_answers=True).violation is None
    report = played(record_property, one_use, [try_again, cast.redeems(TWO, cast.shared(ANN))])
    assert report.violation == "more than 1 uses: {'ann_________': 2}", str(report)


def test_without_an_end_of_locks_coupons_are_stuck(record_property: Recorder) -> None:
    cast = Cast(lock_ms=10 * AFTER_ALL)
    report = played(record_property, cast, [cast.locks(ONE, cast.own(A))], [A])
    assert report.violation is not None
    assert "is locked, and a late order is told NotUsable" in report.violation, str(report)
