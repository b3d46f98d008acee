"""Every interleaving of the stock protocols on small instances: three shoppers, two shards, everything that can happen.

Exhaustive, not sampled: within the bounds of a scenario there is no order of events that was not looked at. Each
promise has a negative control further down, in which one safeguard is taken out and the search must find the harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from brandday.domain.effects import run_within
from brandday.domain.protocols import (
    Effect,
    Protocol,
    Read,
    Write,
    cancel,
    claim,
    confirm,
    expire,
    extend,
    settle,
    take_back,
)
from brandday.domain.shard import (
    CANCELLED,
    CONFIRMED,
    EXPIRED,
    EXTENDED,
    HELD,
    POINTER,
    RELEASED,
    VOID,
    Entry,
    RecordChange,
    Shard,
    ShardWrite,
    Written,
    apply,
    decode_record,
)
from brandday.domain.stock import (
    SETTLE_AFTER_MS,
    Changed,
    ChangeOutcome,
    ClaimOutcome,
    ClaimRef,
    ClaimRequest,
    Granted,
    NotPossible,
    Replayed,
    Terms,
)
from tests.concurrency.explorer import Actor, Apply, Images, Scenario, Start, explore
from tests.concurrency.search import Report

EARLY, LATE = 1000, 2000
BOTH = (EARLY, LATE)
WRITE_OR_READ = (True, False)
HOLD_MS, EXTENDED_MS = 500, 800
HOMES = {"ann": 0, "bob": 0, "cyn": 1}
type Recorder = Callable[[str, object], None]

FORWARD: dict[str, set[str]] = {
    POINTER: {VOID},
    HELD: {EXTENDED, CONFIRMED, EXPIRED, CANCELLED},
    EXTENDED: {CONFIRMED, EXPIRED, CANCELLED},
    CONFIRMED: {CANCELLED},
}


@dataclass(frozen=True)
class Promises:
    """What must hold in every state: nothing lost, nothing doubled, nothing unreachable, nothing taken back.

    ``one_claim_per_key`` is asked for where shoppers use one key only: of a key whose claim was released long ago,
    and replaced by another key's that was released too, nothing is kept.
    """

    terms: Terms
    limit: int = 1
    slot_limit: int = 1
    one_claim_per_key: bool = False

    def of_images(self, images: Images) -> str | None:
        live: dict[str, list[tuple[int, Entry]]] = {}
        for shard in images:
            owned: dict[str, int] = dict.fromkeys(shard.free, 0)
            for name, entry in shard.entries():
                owned[entry.slot] = owned.get(entry.slot, 0) + entry.units
                if entry.units:
                    live.setdefault(name, []).append((shard.number, entry))
            for slot, units in owned.items():
                free = shard.free.get(slot, self.terms.capacity(slot, shard.number))
                if free < 0 or free + units != self.terms.capacity(slot, shard.number):
                    return f"shard {shard.number} has {free} free and {units} owned units of slot {slot}"
        for name, claims in live.items():
            problem = self._of_shopper(name, claims, images[HOMES[name]])
            if problem is not None:
                return f"{name} {problem}: {claims}"
        return None

    def _of_shopper(self, name: str, claims: list[tuple[int, Entry]], home: Shard) -> str | None:
        entries = [entry for _, entry in claims]
        if sum(entry.units for entry in entries) > self.limit:
            return "owns more than the limit"
        for slot in {entry.slot for entry in entries}:
            of_slot = [entry for entry in entries if entry.slot == slot]
            if sum(entry.units for entry in of_slot) > self.slot_limit:
                return "owns more of a slot than the limit"
            if sum(entry.is_held for entry in of_slot) > 1:
                return "has two holds of a slot"
        if len({entry.tag for entry in entries}) < len(entries):
            return "has two claims by one key"
        if len({entry.attempt for entry in entries}) < len(entries):
            return "has two claims of one attempt"
        orders = [entry.order_id for entry in entries if entry.order_id is not None]
        if len(set(orders)) < len(orders):
            return "has two sales of one order"
        record = decode_record(home.records.get(name))
        pointers = {(entry.shard, entry.attempt) for entry in record if entry.state == POINTER}
        if any(shard != home.number and (shard, entry.attempt) not in pointers for shard, entry in claims):
            return "has a claim that home does not point to"
        return None

    def of_change(self, name: str, before: str | None, after: str | None) -> str | None:
        """Entries only move forward and new ones have higher attempts, so no record ever looks as it did before."""
        old = {entry.attempt: entry for entry in decode_record(before)}
        new = {entry.attempt: entry for entry in decode_record(after)}
        for attempt, entry in old.items():
            now = new.get(attempt)
            if now is None:
                if entry.units:
                    return f"a live claim of {name} disappears: {before} -> {after}"
            elif now != entry and (
                now.state not in FORWARD.get(entry.state, ())
                or now._replace(state=entry.state, order_id=entry.order_id, shard=entry.shard) != entry
            ):
                return f"a claim of {name} moves backwards: {before} -> {after}"
        added = [entry for attempt, entry in new.items() if attempt not in old]
        if old and any(entry.attempt < max(old) and entry.state != VOID for entry in added):
            return f"a new attempt of {name} is not higher than those before: {before} -> {after}"
        if not added and all(new.get(attempt) in (None, entry) for attempt, entry in old.items()):
            return f"a record of {name} only loses entries, it may look as it did before: {before} -> {after}"
        return None

    def of_outcome(self, actor: Actor, outcome: Any, images: Images) -> str | None:
        match outcome:
            case Granted((shard, entry)) | Changed((shard, entry), False):
                if entry not in decode_record(images[shard].records.get(actor.shopper)):
                    return f"{actor.name} was promised what is not there: {outcome}"
            case Changed((shard, entry), True) if entry.state == CONFIRMED:
                if entry not in decode_record(images[shard].records.get(actor.shopper)):
                    return f"{actor.name} was told of a sale that is not there: {outcome}"
            case NotPossible((shard, entry)) if entry.state in RELEASED:
                record = decode_record(images[shard].records.get(actor.shopper))
                if any(found.attempt == entry.attempt and found.units for found in record):
                    return f"{actor.name} was told that a live claim is released: {outcome}"
        return None

    def of_end(self, outcomes: Sequence[tuple[Actor, Any]]) -> str | None:
        if not self.one_claim_per_key:
            return None
        claims: dict[tuple[str, str], tuple[int, int]] = {}
        for actor, outcome in outcomes:
            if isinstance(outcome, Granted | Replayed):
                key = (actor.shopper, outcome.claim.entry.tag)
                found = (outcome.claim.shard, outcome.claim.entry.attempt)
                if claims.setdefault(key, found) != found:
                    return f"one key of {actor.shopper} was given two claims: {claims[key]} and {found}"
        return None


@dataclass(frozen=True)
class OnlyTheLimit:
    """For negative controls: looks at nothing but the harm, a shopper who owns more than the limit."""

    terms: Terms
    limit: int = 1
    slot_limit: int = 1
    one_claim_per_key: bool = False

    def of_images(self, images: Images) -> str | None:
        owned: dict[str, int] = {}
        for shard in images:
            for name, entry in shard.entries():
                owned[name] = owned.get(name, 0) + entry.units
        return next((f"{name} owns {units} units" for name, units in owned.items() if units > self.limit), None)

    def of_change(self, *_: object) -> None:
        """Do not look."""

    def of_outcome(self, *_: object) -> None:
        """Do not look."""

    def of_end(self, *_: object) -> None:
        """Do not look."""


def terms(*capacity: int) -> Terms:
    return Terms(HOLD_MS, EXTENDED_MS, lambda _slot, shard: capacity[shard])


@dataclass(frozen=True)
class Cast:
    """Makes the actors of a scenario."""

    terms: Terms
    limit: int = 1
    slot_limit: int = 1
    request: type[ClaimRequest] = ClaimRequest

    def buys(
        self,
        shopper: str,
        tag: str,
        slot: str = "0",
        quantity: int = 1,
        times: Sequence[int] = (EARLY,),
        write_first: Sequence[bool] = (True,),
    ) -> Actor:
        """Claims units once, at any of the times, writing or reading first."""

        def start(now: int, first: bool) -> Start:
            return lambda: self._claim(shopper, tag, slot, quantity, now, None, first)

        starts: Mapping[Hashable, Start] = {(now, first): start(now, first) for now in times for first in write_first}
        return Actor(f"{shopper}:{tag}", shopper, lambda _: starts)

    def cancels(self, shopper: str, times: Sequence[int] = (EARLY,), again: bool = True) -> Actor:
        """Gives back any hold of a shopper, again and again."""
        return self._on_claims("cancels", shopper, {HELD, EXTENDED}, times, again, self._cancel)

    def extends(self, shopper: str, times: Sequence[int] = (EARLY,)) -> Actor:
        """Extends any hold of a shopper, again and again."""
        return self._on_claims("extends", shopper, {HELD}, times, True, self._extend)

    def pays(self, shopper: str, order: str, times: Sequence[int] = BOTH, reclaim: bool = True) -> Actor:
        """Confirms any claim of a shopper once; if it has lapsed, claims again for the order, as the use case does."""

        def start(ref: ClaimRef, now: int) -> Start:
            return lambda: self._pay(ref, order, now, reclaim)

        return self._on_claims(f"pays-{order}", shopper, {HELD, EXTENDED, EXPIRED}, times, False, start)

    def takes_back(self, shopper: str, tag: str) -> Actor:
        """Takes back a shopper's sale by one key, because its prize was forfeited, again and again."""

        def starts(images: Images) -> Mapping[Hashable, Start]:
            records = [(image.number, decode_record(image.records.get(shopper))) for image in images]
            refs = [
                ClaimRef(shard, shopper, entry.attempt)
                for shard, record in records
                for entry in record
                if entry.tag == tag and entry.state in (CONFIRMED, CANCELLED)
            ]
            return {ref: self._take_back(ref) for ref in refs}

        return Actor(f"{shopper}-takes-back", shopper, starts, again=True)

    def sweeps(self, shard: int, times: Sequence[int] = (LATE,)) -> Actor:
        """Gives back what is due in a shard, again and again."""

        def start(now: int) -> Start:
            return lambda: expire(shard, self.terms, now)

        starts: Mapping[Hashable, Start] = {now: start(now) for now in times}
        return Actor(f"sweep-{shard}", "", lambda _: starts, again=True)

    def settles(self, home: int) -> Actor:
        """Withdraws what was announced in a shard and not made, again and again; nobody is too young for it."""

        def start() -> Protocol[int]:
            (image,) = yield Read((home,))
            return (yield from settle(image, self.terms, EARLY + SETTLE_AFTER_MS))

        starts: Mapping[Hashable, Start] = {0: start}
        return Actor(f"settle-{home}", "", lambda _: starts, again=True)

    def _on_claims(
        self,
        name: str,
        shopper: str,
        states: set[str],
        times: Sequence[int],
        again: bool,
        start: Callable[[ClaimRef, int], Start],
    ) -> Actor:
        made: dict[Hashable, Start] = {}

        def starts(images: Images) -> Mapping[Hashable, Start]:
            found: dict[Hashable, Start] = {}
            for image in images:
                for entry in decode_record(image.records.get(shopper)):
                    for now in times if entry.state in states else ():
                        ref = ClaimRef(image.number, shopper, entry.attempt)
                        found[ref, now] = made.setdefault((ref, now), start(ref, now))
            return found

        return Actor(f"{shopper}-{name}", shopper, starts, again)

    def _claim(
        self, shopper: str, tag: str, slot: str, quantity: int, now: int, order: str | None, first: bool
    ) -> Protocol[ClaimOutcome]:
        home = HOMES[shopper]
        request = self.request(shopper, home, slot, quantity, tag, now, self.slot_limit, self.limit, order)
        return claim(request, self.terms, write_first=first, elsewhere=lambda: (1 - home,))

    def _cancel(self, ref: ClaimRef, now: int) -> Start:
        return lambda: cancel(ref, self.terms, now)

    def _take_back(self, ref: ClaimRef) -> Start:
        return lambda: take_back(ref, self.terms, EARLY)

    def _extend(self, ref: ClaimRef, now: int) -> Start:
        return lambda: extend(ref, self.terms, now)

    def _pay(self, ref: ClaimRef, order: str, now: int, reclaim: bool) -> Protocol[ChangeOutcome | ClaimOutcome]:
        outcome = yield from confirm(ref, order, self.terms, now, reclaim=reclaim)
        if reclaim and isinstance(outcome, NotPossible) and outcome.claim.entry.state == EXPIRED:
            entry = outcome.claim.entry
            return (
                yield from self._claim(ref.name, f"l{entry.attempt:05}", entry.slot, entry.quantity, now, order, False)
            )
        return outcome


def played(
    record_property: Recorder,
    capacity: tuple[int, int],
    actors: Callable[[Cast], Sequence[Actor]],
    promises: type[Promises | OnlyTheLimit] = Promises,
    *,
    limit: int = 1,
    slot_limit: int = 1,
    request: type[ClaimRequest] = ClaimRequest,
    one_claim_per_key: bool = False,
    apply: Apply = apply,
    stale_reads: bool = False,
    lost_answers: bool = False,
) -> Report:
    """Explore a scenario and record how large it was."""
    rules = terms(*capacity)
    scenario = Scenario(
        len(capacity),
        actors(Cast(rules, limit, slot_limit, request)),
        promises(rules, limit, slot_limit, one_claim_per_key),
        apply,
        stale_reads,
        lost_answers,
    )
    began = time.perf_counter()
    report = explore(scenario)
    record_property("states", report.states)
    record_property("steps", report.steps)
    print(f"{report} ({time.perf_counter() - began:.1f} s)")
    return report


def kinds(report: Report, *actors: str) -> set[str]:
    """Return the kinds of answers these actors got, so that a test can tell that what it is about did happen."""
    return {kind for name, kind in report.outcomes if name in actors}


# --- The promises hold -------------------------------------------------------------------------------------


def test_three_shoppers_and_one_unit_whatever_the_database_does(record_property: Recorder) -> None:
    report = played(
        record_property,
        (1, 0),
        lambda cast: [cast.buys(name, 2 * name, write_first=WRITE_OR_READ) for name in HOMES],
        one_claim_per_key=True,
        stale_reads=True,
        lost_answers=True,
    )
    assert report.violation is None, report
    assert {"Granted", "NothingFree"} <= kinds(report, "cyn:cyncyn")


def test_two_taps_are_one_claim_though_answers_are_lost(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        tap = cast.buys("ann", "annann")
        return [tap, tap]

    report = played(record_property, (0, 1), actors, one_claim_per_key=True, lost_answers=True)
    assert report.violation is None, report
    assert {"Granted", "Replayed", "LostRace"} <= kinds(report, "ann:annann")


def test_two_taps_are_one_claim_though_reads_are_stale(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        tap = cast.buys("ann", "annann", write_first=WRITE_OR_READ)
        return [tap, tap, cast.buys("bob", "bobbob"), cast.cancels("bob"), cast.cancels("ann")]

    report = played(record_property, (1, 1), actors, one_claim_per_key=True, stale_reads=True)
    assert report.violation is None, report
    assert {"Granted", "Replayed", "LostRace", "NothingFree"} <= kinds(report, "ann:annann")


def test_two_devices_and_a_slow_retry_are_one_claim(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        tap = cast.buys("ann", "annann")
        return [tap, tap, cast.buys("ann", "ANNANN"), cast.buys("bob", "bobbob"), cast.cancels("bob")]

    report = played(record_property, (1, 1), actors)
    assert report.violation is None, report
    assert {"Granted", "Replayed", "Resumed"} <= kinds(report, "ann:annann")


def test_what_was_announced_is_made_or_withdrawn_but_never_both(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        tap = cast.buys("ann", "annann", write_first=WRITE_OR_READ)
        return [tap, tap, cast.buys("cyn", "cyncyn"), cast.settles(0), cast.cancels("ann")]

    report = played(record_property, (0, 1), actors, one_claim_per_key=True, stale_reads=True)
    assert report.violation is None, report
    assert {"Granted", "Replayed", "LostRace", "NothingFree"} <= kinds(report, "ann:annann")


def test_units_of_lapsed_holds_go_to_one_shopper_only(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        tap = cast.buys("ann", "annann", times=BOTH)
        others = [cast.buys(name, 2 * name, times=BOTH) for name in ("bob", "cyn")]
        return [tap, tap, *others, cast.sweeps(0), cast.sweeps(1)]

    report = played(record_property, (1, 1), actors, one_claim_per_key=True)
    assert report.violation is None, report
    assert "Granted" in kinds(report, "cyn:cyncyn")


def test_a_late_payment_told_twice_is_one_sale(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        payment = cast.pays("ann", "o1", times=(LATE,))
        claims = [cast.buys("ann", "annann"), cast.buys("ann", "ANNANN", times=(LATE,))]
        return [*claims, cast.buys("bob", "bobbob"), payment, payment, cast.sweeps(0), cast.sweeps(1)]

    report = played(record_property, (1, 1), actors)
    assert report.violation is None, report
    assert {"Changed", "Granted", "Replayed", "LimitReached"} <= kinds(report, "ann-pays-o1")


def test_a_hold_is_either_paid_or_cancelled_or_expired(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        return [
            cast.buys("ann", "annann"),
            cast.buys("bob", "bobbob"),
            cast.extends("ann", times=BOTH),
            cast.cancels("ann", times=BOTH),
            cast.pays("ann", "o1", reclaim=False),
            cast.pays("ann", "o2", reclaim=False),
            cast.sweeps(1),
        ]

    report = played(record_property, (1, 1), actors, one_claim_per_key=True)
    assert report.violation is None, report
    for actor in ("ann-pays-o1", "ann-cancels", "ann-extends"):
        assert {"Changed", "NotPossible"} <= kinds(report, actor)


@dataclass(frozen=True)
class OthersStaySold(Promises):
    """Where the sale by the key `annann` is forfeited: no other sale may be taken back."""

    def of_change(self, name: str, before: str | None, after: str | None) -> str | None:
        kept = {entry.attempt for entry in decode_record(after) if entry.state == CONFIRMED}
        for entry in decode_record(before):
            if entry.state == CONFIRMED and entry.attempt not in kept and entry.tag != "annann":
                return f"a sale that was not forfeited is taken back from {name}"
        return super().of_change(name, before, after)


def forfeited(cast: Cast) -> list[Actor]:
    """One sale is taken back by two who know of it, while its shopper and another one are after units."""
    claims = [cast.buys("ann", tag) for tag in ("annann", "ANNANN")]
    sales = [cast.pays("ann", order, times=(EARLY,), reclaim=False) for order in ("o1", "o2")]
    back = cast.takes_back("ann", "annann")
    return [*claims, cast.buys("bob", "bobbob"), *sales, back, back]


def test_a_sale_is_taken_back_once_and_its_unit_is_sold_again(record_property: Recorder) -> None:
    report = played(record_property, (1, 1), forfeited, OthersStaySold)
    assert report.violation is None, report
    assert kinds(report, "ann-takes-back") == {"Changed"}
    assert {"Granted", "LimitReached", "NothingFree"} <= kinds(report, "ann:ANNANN")


def test_limits_hold_over_several_units(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        claims = [cast.buys("ann", "annann", quantity=2), cast.buys("ann", "ANNANN"), cast.buys("bob", "bobbob")]
        sales = [cast.pays("ann", order, times=(EARLY,)) for order in ("o1", "o2")]
        return [*claims, *sales, cast.cancels("bob"), cast.cancels("ann")]

    report = played(record_property, (2, 1), actors, limit=2, slot_limit=2)
    assert report.violation is None, report
    assert "LimitReached" in kinds(report, "ann:ANNANN")


def test_limits_hold_over_several_skus(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        claims = [cast.buys(name, f"{name}{slot:>03}", slot=slot) for name in ("ann", "bob") for slot in "01"]
        return [*claims, cast.cancels("bob"), cast.cancels("ann")]

    report = played(record_property, (1, 1), actors)
    assert report.violation is None, report
    assert {"Granted", "LimitReached"} <= kinds(report, "ann:ann001")


def test_everything_at_once(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        tap = cast.buys("ann", "annann", times=BOTH)
        others = [cast.buys(name, 2 * name, times=BOTH) for name in ("bob", "cyn")]
        return [tap, cast.buys("ann", "ANNANN", times=BOTH), *others, cast.cancels("bob"), cast.sweeps(0)]

    report = played(record_property, (1, 1), actors)
    assert report.violation is None, report


@pytest.mark.soak
def test_two_taps_are_one_claim_though_reads_are_stale_and_answers_are_lost(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        tap = cast.buys("ann", "annann")
        return [tap, tap]

    report = played(record_property, (0, 1), actors, one_claim_per_key=True, stale_reads=True, lost_answers=True)
    assert report.violation is None, report


@pytest.mark.soak
def test_a_sale_is_taken_back_once_wherever_it_is(record_property: Recorder) -> None:
    report = played(record_property, (1, 1), lambda cast: [*forfeited(cast), cast.sweeps(0)], OthersStaySold)
    assert report.violation is None, report


@pytest.mark.soak
def test_two_orders_for_whatever_the_shopper_has(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        claims = [cast.buys("ann", "annann", times=BOTH), cast.buys("ann", "ANNANN", times=BOTH)]
        return [*claims, cast.buys("bob", "bobbob"), cast.pays("ann", "o1"), cast.pays("ann", "o2"), cast.sweeps(1)]

    report = played(record_property, (1, 1), actors)
    assert report.violation is None, report


# --- Negative controls: one safeguard less, and the search finds the harm ----------------------------------


class WithoutAttempts(ClaimRequest):
    """All claims of a shopper have the same attempt number."""

    def entry(self, known: Iterable[Entry] = ()) -> Entry:
        return super().entry(known)._replace(attempt=EARLY)


class WithTimesForAttempts(ClaimRequest):
    """Attempts are times, but not made higher than what was seen: two in one millisecond are the same."""

    def entry(self, known: Iterable[Entry] = ()) -> Entry:  # noqa: ARG002 - that it is not used is the point
        return super().entry()


@pytest.mark.parametrize("request_type", [WithoutAttempts, WithTimesForAttempts])
def test_without_attempt_numbers_a_shopper_gets_two(
    record_property: Recorder, request_type: type[ClaimRequest]
) -> None:
    def actors(cast: Cast) -> list[Actor]:
        claims = [cast.buys("ann", tag) for tag in ("annann", "ANNANN", "AnnAnn")]
        return [*claims, cast.buys("bob", "bobbob"), cast.cancels("bob"), cast.cancels("ann")]

    report = played(record_property, (1, 1), actors, OnlyTheLimit, request=request_type)
    assert report.violation == "ann owns 2 units", report


def test_without_conditions_a_unit_is_sold_twice(record_property: Recorder) -> None:
    def apply_blindly(shard: Shard, write: ShardWrite) -> Shard | None:
        return apply(shard, write) or apply(
            shard, ShardWrite(write.shard, tuple(_as_it_is(shard, write)), {}, write.capacity)
        )

    def actors(cast: Cast) -> list[Actor]:
        return [cast.buys(name, 2 * name, write_first=(False,)) for name in ("ann", "bob")]

    report = played(record_property, (1, 0), actors, apply=apply_blindly)
    assert report.violation is not None
    assert "shard 0 has 0 free and 2 owned units" in report.violation, report


def _as_it_is(shard: Shard, write: ShardWrite) -> Iterable[RecordChange]:
    return (change._replace(before=shard.records.get(change.name)) for change in write.changes)


class WithoutNamingTheAttempt(Cast):
    """Takes back the shopper's latest claim in the shard, instead of the very one that was forfeited."""

    def _take_back(self, ref: ClaimRef) -> Start:
        def start() -> Protocol[ChangeOutcome]:
            (image,) = yield Read((ref.shard,), True)
            latest = max(entry.attempt for entry in decode_record(image.records.get(ref.name)))
            return (yield from take_back(ref._replace(attempt=latest), self.terms, EARLY))

        return start


def test_without_naming_the_attempt_a_later_sale_is_taken_back(record_property: Recorder) -> None:
    careless = WithoutNamingTheAttempt(terms(1, 0))
    report = played(record_property, (1, 0), lambda _: forfeited(careless), OthersStaySold)
    assert report.violation == "a sale that was not forfeited is taken back from ann", report


def test_without_conditions_a_unit_that_was_taken_back_comes_back_twice(record_property: Recorder) -> None:
    def apply_blindly(shard: Shard, write: ShardWrite) -> Shard | None:
        blind = replace(write, changes=tuple(_as_it_is(shard, write))) if sum(write.free.values()) > 0 else write
        return apply(shard, blind)

    report = played(record_property, (1, 0), forfeited, OthersStaySold, apply=apply_blindly)
    assert report.violation is not None
    assert "shard 0 has 2 free and 0 owned units" in report.violation, report


class Careless(Cast):
    """Leaves out some of the writes to other shards than home, as if they had been done."""

    def skips(self, write: ShardWrite) -> bool:
        raise NotImplementedError

    def _claim(
        self, shopper: str, tag: str, slot: str, quantity: int, now: int, order: str | None, first: bool
    ) -> Protocol[ClaimOutcome]:
        def do(effect: Effect) -> Generator[Effect, Any, object]:
            skipped = isinstance(effect, Write) and effect.write.shard != HOMES[shopper] and self.skips(effect.write)
            return Written({}) if skipped else (yield effect)

        return run_within(super()._claim(shopper, tag, slot, quantity, now, order, first), do)


class WithoutMarking(Careless):
    """Counts a lapsed hold in another shard as released before it is marked."""

    def skips(self, write: ShardWrite) -> bool:
        return any(units > 0 for units in write.free.values())


class WithoutVoiding(Careless):
    """Counts a claim that was announced and is not there as one that will never be there."""

    def skips(self, write: ShardWrite) -> bool:
        return not write.free


def test_without_marking_lapsed_holds_elsewhere_a_late_payment_exceeds_the_limit(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        claims = [cast.buys("ann", tag, times=BOTH) for tag in ("annann", "ANNANN")]
        return [*claims, cast.buys("bob", "bobbob"), cast.cancels("bob"), cast.pays("ann", "o1")]

    careless = WithoutMarking(terms(1, 1))
    report = played(record_property, (1, 1), lambda _: actors(careless), OnlyTheLimit)
    assert report.violation == "ann owns 2 units", report
    assert played(record_property, (1, 1), actors, OnlyTheLimit).violation is None


def test_without_voiding_what_was_announced_a_slow_request_makes_a_second_claim(record_property: Recorder) -> None:
    def actors(cast: Cast) -> list[Actor]:
        tap = cast.buys("ann", "annann")
        return [tap, tap, cast.buys("bob", "bobbob"), cast.cancels("bob")]

    careless = WithoutVoiding(terms(1, 1))
    report = played(record_property, (1, 1), lambda _: actors(careless), OnlyTheLimit)
    assert report.violation == "ann owns 2 units", report
    assert played(record_property, (1, 1), actors, OnlyTheLimit).violation is None
