"""Every interleaving of claims that keep a limit over several shoppers, or use up a pass: the generators that run.

Three shoppers share a device. In every state that can be reached no more is live than the limit allows, every live
claim has its line, and were everybody to stop there, somebody new would get a unit exactly if the limit has room:
nobody is refused because of what was released. Each promise has its negative control further down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from brandday.domain.effects import run, run_within
from brandday.domain.protection import Counted, Limit
from brandday.domain.protocols import Protocol, Read, Write, claim
from brandday.domain.shard import LIVE, Entry, Refused, Shard, Written, apply, decode_record
from brandday.domain.signals import SignalKind
from brandday.domain.stock import ClaimOutcome, ClaimRequest, Granted, PassUsed, Terms
from brandday.domain.tally import Taken, Tally, TallyKey, Wanted
from brandday.domain.tally_protocols import (
    AskTerms,
    In,
    Keeping,
    ReadTallies,
    WriteTallied,
    claim_within_limits,
)
from tests.concurrency.explorer import Actor, Images, Scenario, explore, read_tally, show_tally
from tests.concurrency.search import Report
from tests.concurrency.test_interleavings import EARLY, LATE, WRITE_OR_READ, Cast, Recorder, kinds, terms

SHARDS = 2
CAMPAIGN = "sale"
KEY = TallyKey(CAMPAIGN, "per-device", "device")
HOMES = {"ann": 0, "bob": 0, "cyn": 1, "dee": 0}
NEWCOMER = "dee"


def limit_of(most: int) -> Limit:
    return Limit("per-device", SignalKind.DEVICE, Counted.WINS, most)


@dataclass(frozen=True)
class Guests(Cast):
    """Shoppers who share a device, with at most ``most`` units, and whose passes were issued by tag."""

    most: int | None = None
    passes: Mapping[str, int] = field(default_factory=dict)

    def _claim(
        self, shopper: str, tag: str, slot: str, quantity: int, now: int, order: str | None, first: bool
    ) -> Protocol[ClaimOutcome]:
        home = HOMES[shopper]
        request = self.request(
            shopper, home, slot, quantity, tag, now, self.slot_limit, self.limit, order, self.passes.get(tag)
        )
        protocol = claim(request, self.terms, write_first=first, elsewhere=lambda: (1 - home,))
        if self.most is None:
            return protocol
        wanted = (Wanted(limit_of(self.most), KEY),)
        limited: Protocol[Any] = claim_within_limits(
            protocol, home, Keeping(CAMPAIGN, shopper, wanted, now, forget_at=0)
        )
        return limited


@dataclass(frozen=True)
class Kept:
    """What must hold in every state of a limit: not too much, nothing unnamed, nobody refused for what is released."""

    guests: Guests
    only_the_limit: bool = False

    def of_images(self, images: Images) -> str | None:
        shards, (tally,) = images[:SHARDS], images[SHARDS:]
        live = [(name, entry) for shard in shards for name, entry in shard.entries() if entry.state in LIVE]
        units = sum(entry.units for _, entry in live)
        assert self.guests.most is not None
        if units > self.guests.most:
            return f"{units} units are live where {self.guests.most} may be"
        if self.only_the_limit:
            return None
        unnamed = [name for name, entry in live if f"{name}.{entry.attempt}" not in tally.records]
        if unnamed:
            return f"the tally does not name a claim of {unnamed}"
        return self._of_newcomer(images, live)

    def _of_newcomer(self, images: Images, live: Sequence[tuple[str, Entry]]) -> str | None:
        """Were everybody to stop here: does somebody new get what there is?"""
        terms, most = self.guests.terms, self.guests.most or 0
        counting = sum(entry.units for _, entry in live if not terms.is_due(entry, LATE))
        capacity = sum(terms.capacity("0", shard) for shard in range(SHARDS))
        to_be_had = counting < min(most, capacity)
        outcome = alone(self.guests._claim(NEWCOMER, "deedee", "0", 1, LATE, None, True), images, terms)
        if isinstance(outcome, Granted) != to_be_had:
            return f"{counting} of {most} units are live, and somebody new hears {outcome}"
        return None

    def of_change(self, *_: object) -> None:
        """Records are looked at in test_interleavings."""

    def of_outcome(self, *_: object) -> None:
        """The state says it all."""

    def of_end(self, *_: object) -> None:
        """The state says it all."""


@dataclass(frozen=True)
class OnePassOneClaim:
    """A pass brings one claim, whatever became of it: nobody is given a second one for the same pass."""

    guests: Guests

    def of_images(self, _: Images) -> None:
        """Released claims leave the records in time, so answers are counted."""

    def of_change(self, *_: object) -> None:
        """Do not look."""

    def of_outcome(self, actor: Actor, outcome: Any, _: Images) -> str | None:
        tag = actor.name.partition(":")[2]
        if isinstance(outcome, Granted) and outcome.claim.entry.attempt < self.guests.passes.get(tag, 0):
            return "a claim is before its pass"
        return None

    def of_end(self, outcomes: Sequence[tuple[Actor, Any]]) -> str | None:
        claims: dict[int, set[int]] = {}
        for actor, outcome in outcomes:
            passed_at = self.guests.passes.get(actor.name.partition(":")[2])
            if passed_at is not None and isinstance(outcome, Granted):
                claims.setdefault(passed_at, set()).add(outcome.claim.entry.attempt)
        twice = {passed_at for passed_at, attempts in claims.items() if len(attempts) > 1}
        return f"the pass of {min(twice)} brought two claims" if twice else None


def alone(protocol: Protocol[Any], images: Images, terms: Terms) -> object:
    """Run a protocol to its end with nobody else around; return its outcome."""
    items = {image.number: image for image in images}

    def do(effect: Any) -> object:
        match effect.effect if isinstance(effect, In) else effect:
            case AskTerms():
                return terms
            case Read(numbers):
                return tuple(items[number] for number in numbers)
            case ReadTallies():
                return {KEY: read_tally(items[SHARDS], CAMPAIGN, 1)}
            case Write(write) | WriteTallied(write):
                after = apply(items[write.shard], write)
                if after is None:
                    return Refused(items[write.shard])
                items[write.shard] = after
                return Written({})
            case _:
                raise AssertionError(effect)

    return run(protocol, do)


def explored(
    record_property: Recorder,
    guests: Guests,
    actors: Callable[[Guests], Sequence[Actor]],
    checks: Kept | OnePassOneClaim,
    *,
    terms: Terms | None = None,
    blind_tallies: bool = False,
    stale_reads: bool = False,
    lost_answers: bool = False,
) -> Report:
    """Explore a scenario and record how large it was."""
    scenario = Scenario(
        SHARDS,
        actors(guests),
        checks,
        tallies=() if guests.most is None else (KEY,),
        terms=terms or guests.terms,
        blind_tallies=blind_tallies,
        stale_reads=stale_reads,
        lost_answers=lost_answers,
    )
    began = time.perf_counter()
    report = explore(scenario)
    record_property("states", report.states)
    print(f"{report} ({time.perf_counter() - began:.1f} s)")
    return report


# --- The promises hold -------------------------------------------------------------------------------------


def three_and_cancellations(guests: Guests) -> list[Actor]:
    claims = [guests.buys(name, 2 * name) for name in ("ann", "bob", "cyn")]
    return [*claims, guests.cancels("ann"), guests.cancels("cyn")]


def lapsing(guests: Guests) -> list[Actor]:
    """Holds that lapse while somebody else is after the place, and one of them is paid by a clock that is behind."""
    claims = [guests.buys("ann", "annann"), guests.buys("cyn", "cyncyn", times=(LATE,), write_first=WRITE_OR_READ)]
    return [*claims, guests.pays("ann", "o1", times=(EARLY,), reclaim=False), guests.sweeps(0)]


def test_a_limit_of_one_over_three_shoppers(record_property: Recorder) -> None:
    guests = Guests(terms(1, 1), most=1)
    report = explored(record_property, guests, three_and_cancellations, Kept(guests))
    assert report.violation is None, report
    assert {"Granted", "LimitStands"} <= kinds(report, "cyn:cyncyn")


def test_a_limit_holds_over_claims_in_other_shards_too(record_property: Recorder) -> None:
    guests = Guests(terms(2, 0), most=1)

    def actors(guests: Guests) -> list[Actor]:
        return [
            guests.buys("ann", "annann"),
            guests.buys("cyn", "cyncyn"),
            guests.cancels("ann"),
            guests.cancels("cyn"),
        ]

    report = explored(record_property, guests, actors, Kept(guests))
    assert report.violation is None, report
    assert {"Granted", "LimitStands"} <= kinds(report, "cyn:cyncyn")


def test_a_limit_holds_though_reads_are_stale_and_answers_are_lost(record_property: Recorder) -> None:
    guests = Guests(terms(1, 1), most=1)

    def actors(guests: Guests) -> list[Actor]:
        return [guests.buys("ann", "annann"), guests.buys("cyn", "cyncyn"), guests.cancels("ann")]

    report = explored(record_property, guests, actors, Kept(guests), stale_reads=True, lost_answers=True)
    assert report.violation is None, report


def test_a_hold_that_lapses_makes_room_or_is_paid_but_never_both(record_property: Recorder) -> None:
    guests = Guests(terms(1, 1), most=1)
    report = explored(record_property, guests, lapsing, Kept(guests))
    assert report.violation is None, report
    assert {"Granted", "LimitStands"} <= kinds(report, "cyn:cyncyn")
    assert {"Changed", "NotPossible"} <= kinds(report, "ann-pays-o1")


@pytest.mark.soak
def test_a_limit_of_two_where_most_units_are_in_another_shard(record_property: Recorder) -> None:
    guests = Guests(terms(1, 2), most=2)

    def actors(guests: Guests) -> list[Actor]:
        claims = [guests.buys(name, 2 * name, write_first=WRITE_OR_READ) for name in ("ann", "bob", "cyn")]
        return [*claims, guests.cancels("ann"), guests.cancels("cyn"), guests.settles(0)]

    report = explored(record_property, guests, actors, Kept(guests), stale_reads=True)
    assert report.violation is None, report


def one_ticket_twice(guests: Guests) -> list[Actor]:
    """The same ticket with two keys, and a newer one, while another shopper is after the same units."""
    claims = [guests.buys("ann", tag) for tag in ("annann", "ANNANN", "newer-")]
    back = [guests.cancels(name, again=False) for name in ("ann", "bob")]
    return [*claims, guests.buys("bob", "bobbob"), *back]


PASSES = {"annann": EARLY - 1, "ANNANN": EARLY - 1, "newer-": EARLY}


@pytest.mark.soak
def test_no_ticket_brings_two_claims(record_property: Recorder) -> None:
    guests = Guests(terms(1, 1), limit=2, slot_limit=2, passes=PASSES)
    report = explored(record_property, guests, one_ticket_twice, OnePassOneClaim(guests))
    assert report.violation is None, report
    assert {"Granted", "PassUsed", "LostRace"} <= kinds(report, "ann:annann")


def test_no_ticket_brings_two_claims_though_a_newer_one_was_announced_in_vain(record_property: Recorder) -> None:
    guests = Guests(terms(0, 1), limit=2, slot_limit=2, passes=PASSES | {"newer-": EARLY + 1})

    def actors(guests: Guests) -> list[Actor]:
        claims = [guests.buys("ann", tag) for tag in ("annann", "ANNANN", "newer-")]
        return [*claims, guests.cancels("ann", again=False)]

    report = explored(record_property, guests, actors, OnePassOneClaim(guests))
    assert report.violation is None, report
    assert {"Granted", "PassUsed", "LostRace"} <= kinds(report, "ann:annann")


def test_no_ticket_brings_two_claims_though_the_clock_of_the_claim_is_behind(record_property: Recorder) -> None:
    passes = dict.fromkeys(("annann", "ANNANN"), LATE)
    guests = Guests(terms(1, 1), limit=2, slot_limit=2, passes=passes)
    report = explored(record_property, guests, late_ticket, OnePassOneClaim(guests), stale_reads=True)
    assert report.violation is None, report
    assert {"Granted", "PassUsed"} <= kinds(report, "ann:annann")


def late_ticket(guests: Guests) -> list[Actor]:
    claims = [guests.buys("ann", tag, write_first=WRITE_OR_READ) for tag in ("annann", "ANNANN")]
    return [*claims, guests.cancels("ann")]


@pytest.mark.soak
def test_no_ticket_brings_two_claims_though_others_are_after_the_same_unit(record_property: Recorder) -> None:
    guests = Guests(terms(0, 1), limit=2, slot_limit=2, passes=PASSES | {"newer-": EARLY + 1})

    def actors(guests: Guests) -> list[Actor]:
        claims = [guests.buys("ann", tag) for tag in ("annann", "ANNANN", "newer-")]
        back = [guests.cancels(name, again=False) for name in ("ann", "cyn")]
        return [*claims, guests.buys("cyn", "cyncyn"), *back]

    report = explored(record_property, guests, actors, OnePassOneClaim(guests))
    assert report.violation is None, report


@pytest.mark.soak
def test_a_limit_of_two_over_three_shoppers_who_cancel_and_lapse(record_property: Recorder) -> None:
    guests = Guests(terms(2, 1), most=2)

    def actors(guests: Guests) -> list[Actor]:
        claims = [guests.buys("ann", "annann"), guests.buys("bob", "bobbob", times=(EARLY, LATE))]
        return [*claims, guests.buys("cyn", "cyncyn", times=(LATE,)), guests.cancels("ann"), guests.sweeps(0)]

    report = explored(record_property, guests, actors, Kept(guests))
    assert report.violation is None, report


# --- Negative controls: one safeguard less, and the search finds the harm ----------------------------------


def test_without_the_version_in_the_condition_a_limit_is_exceeded(record_property: Recorder) -> None:
    guests = Guests(terms(1, 1), most=1)
    checks = Kept(guests, only_the_limit=True)
    report = explored(record_property, guests, three_and_cancellations, checks, blind_tallies=True)
    assert report.violation == "2 units are live where 1 may be", report


@dataclass(frozen=True)
class Counting(Guests):
    """Tallies that count: nobody looks at what became of the claims they name."""

    def _claim(self, *request: Any) -> Protocol[ClaimOutcome]:
        def do(effect: Any) -> Generator[Any, Any, object]:
            return None if isinstance(effect, AskTerms) else (yield effect)

        return run_within(super()._claim(*request), do)


def test_a_tally_that_counts_instead_of_naming_refuses_for_what_is_released(record_property: Recorder) -> None:
    guests = Counting(terms(1, 1), most=1)
    report = explored(record_property, guests, three_and_cancellations, Kept(guests))
    assert report.violation is not None
    assert "0 of 1 units are live, and somebody new hears LimitStands" in report.violation, report


@dataclass(frozen=True)
class BeforeMarking(Guests):
    """Counts a hold that is due as released before it is marked: drops all lines of the past."""

    def _claim(self, *request: Any) -> Protocol[ClaimOutcome]:
        def do(effect: Any) -> Generator[Any, Any, object]:
            answer = yield effect
            if isinstance(effect, In) and isinstance(effect.effect, Read):
                return tuple(Shard(image.number, image.version, image.free, {}) for image in answer)
            return answer

        return run_within(super()._claim(*request), do)


def test_without_marking_a_lapsed_hold_its_late_payment_exceeds_the_limit(record_property: Recorder) -> None:
    guests = BeforeMarking(terms(1, 1), most=1)
    report = explored(record_property, guests, lapsing, Kept(guests, only_the_limit=True))
    assert report.violation == "2 units are live where 1 may be", report


@dataclass(frozen=True)
class LiveOnly(Guests):
    """Looks for claims that have used the pass among those that are live."""

    def _claim(
        self, shopper: str, tag: str, slot: str, quantity: int, now: int, order: str | None, first: bool
    ) -> Protocol[ClaimOutcome]:
        images: Images = yield Read((0, 1), True)
        for image in images:
            for entry in decode_record(image.records.get(shopper)):
                if entry.units and entry.tag != tag and entry.attempt >= self.passes.get(tag, LATE):
                    return PassUsed(entry.attempt, (entry.tag,))
        unaware = Guests(self.terms, self.limit, self.slot_limit)
        return (yield from unaware._claim(shopper, tag, slot, quantity, now, order, first))


def test_looking_at_live_claims_only_a_ticket_brings_two(record_property: Recorder) -> None:
    guests = LiveOnly(terms(1, 1), limit=2, slot_limit=2, passes=PASSES)
    report = explored(record_property, guests, one_ticket_twice, OnePassOneClaim(guests))
    assert report.violation == f"the pass of {EARLY - 1} brought two claims", report


class AtItsOwnTime(ClaimRequest):
    """A claim has the time of the clock that makes it, also where that is before the pass."""

    def entry(self, known: Iterable[Entry] = ()) -> Entry:
        attempt = max([self.now, *(entry.attempt + 1 for entry in known)])
        return super().entry()._replace(attempt=attempt)


def test_without_lifting_the_attempt_to_the_pass_a_ticket_brings_two(record_property: Recorder) -> None:
    passes = dict.fromkeys(("annann", "ANNANN"), LATE)
    guests = Guests(terms(1, 1), limit=2, slot_limit=2, request=AtItsOwnTime, passes=passes)
    report = explored(record_property, guests, late_ticket, OnePassOneClaim(guests))
    assert report.violation in ("a claim is before its pass", f"the pass of {LATE} brought two claims"), report


def test_the_image_of_a_tally_says_what_is_in_it() -> None:
    lines = (Taken(CAMPAIGN, "ann", EARLY, 2, shard=1), Taken(CAMPAIGN, "bob", LATE, 1, shard=0))
    for tally in (Tally(), Tally(4, lines)):
        assert read_tally(show_tally(2, tally), CAMPAIGN, 4) == tally
