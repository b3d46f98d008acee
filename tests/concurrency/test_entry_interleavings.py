"""Every interleaving of the protocols of entries on small instances: two shoppers and one unit of a prize.

Exhaustive, not sampled: the generators that run in production are driven through every order of their effects. Any of
them may be killed at any point and begin once more, or never; a write whose answer is lost is
one after which its actor was killed. Clocks are in any order, and in the smaller scenarios reads that are not
consistent may show what was there one version before.

Each promise has a negative control further down, in which one safeguard is taken out and the search must find the harm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, NamedTuple

import pytest

from brandday.domain.effects import run_within
from brandday.domain.entrant import (
    Entrant,
    Entry,
    Fate,
    Look,
    Rules,
    claim_name,
    entry_id,
    give_back,
)
from brandday.domain.entry_protocols import (
    Ask,
    Effect,
    Entered,
    EntryProtocol,
    Load,
    Plan,
    Present,
    Save,
    enter,
    finish,
    return_prize,
)
from brandday.domain.layout import Layout, home_shard, shopper_name
from brandday.domain.lottery import Allowance, Frozen, Lottery, LotteryMode, Prize, first_table
from brandday.domain.pacing import Pacing
from brandday.domain.protocols import Read, Write, take_back
from brandday.domain.shard import CANCELLED, CONFIRMED, Refused, Shard, Written, apply, decode_record
from brandday.domain.stock import ClaimRef, ClaimRequest, Terms
from tests.unit.lottery_world import COMPLIANCE

SHARDS = 2
CAMPAIGN = "spring"
ATTEMPTS = 2
"""How many attempts at one claim are followed; actors begin at whole thousands, or a bit before."""
type Saves = Callable[[Entrant | None, Save], bool]


def _named(home: int, number: int = 0) -> str:
    """A shopper whose first entry has its home in that shard."""
    names = (shopper_name(b"salt", f"{home}-{at}") for at in range(1000))
    found = (name for name in names if home_shard(claim_name(entry_id(CAMPAIGN, name, 1)), SHARDS) == home)
    for _ in range(number):
        next(found)
    return next(found)


ANN, BOB, CYN = _named(1), _named(0), _named(0, 1)  # the unit is in shard 0: Ann's has to be announced by a pointer


@dataclass(frozen=True)
class World:
    """Rules and terms of a lottery with one unit of a prize that every entry hits, in shard 0."""

    rules: Rules
    terms: Terms
    layout: Layout

    @classmethod
    def make(cls, *, sticker: int = 0, per_campaign: int = 1) -> World:
        mug, more = Prize("mug", {}, 1, Fraction(1)), (Prize("sticker", {}, sticker),) if sticker else ()
        lottery = Lottery(
            LotteryMode.INSTANT,
            (mug, *more),
            Allowance(per_campaign, per_campaign),
            COMPLIANCE,
            consolation="sticker" if sticker else None,
        )
        frozen = Frozen(CAMPAIGN, 0, 100_000, (0,), SHARDS, 1, "")
        pacing = Pacing(lottery, frozen, bytes(32))
        layout = Layout(b"", SHARDS, {"mug": "0", "sticker": "1"}, {"0": 1, "1": sticker})
        rules = Rules(lottery, frozen, (first_table(lottery, frozen),), pacing, bytes(32))
        return cls(rules, Terms(0, 0, layout.capacity, pacing), layout)

    def present(self, now: int, *, write_first: bool, rules: Rules | None = None) -> Present:
        def plan(request: ClaimRequest) -> Plan:
            return Plan(write_first, (1 - request.home,), lambda: [(0,), (1,)])

        return Present(now, rules or self.rules, self.terms, lambda _: Look(), plan, lambda *_: None)


class Actor(NamedTuple):
    """Somebody who runs one protocol for a shopper, at a time of their own, and again after an end or a kill: ``runs``.

    ``start`` returns None while there is nothing to begin with, given the shopper's record as it is.
    """

    name: str
    shopper: str
    start: Callable[[Entrant | None], EntryProtocol[Any] | None]
    present: Present
    runs: int = 2


class _State(NamedTuple):
    shards: tuple[int, ...]
    records: tuple[int, ...]
    earlier_shards: tuple[int, ...]
    earlier_records: tuple[int, ...]
    nodes: tuple[int, ...]
    runs: tuple[int, ...]


@dataclass(eq=False)
class _Node:
    number: int
    actor: int
    begun_with: int | None
    answers: tuple[object, ...]
    partial: tuple[int, ...]
    effect: Any
    children: dict[Hashable, int] = field(default_factory=dict)


type _Step = tuple[int, str, int]
"""An actor's place, what it did, and the number of the image or record it did it with."""


class _Wrong(Exception):
    """A check has failed."""


@dataclass
class Explorer:
    """Visits every state, breadth first; raises nothing, but tells what is wrong and the way there."""

    world: World
    actors: Sequence[Actor]
    saves: Saves = lambda now, save: (
        (now is None) == (save.before is None)
        and (now is None or save.before is None or now.version == save.before.version)
    )
    stale: bool = False

    def __post_init__(self) -> None:
        self._images: list[Shard] = []
        self._image_numbers: dict[Hashable, int] = {}
        self._records: list[Entrant | None] = []
        self._record_numbers: dict[Entrant | None, int] = {}
        self._nodes = [_Node(at, at, None, (), (), None) for at in range(len(self.actors))]
        self._checked: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
        self._shoppers = tuple(dict.fromkeys(actor.shopper for actor in self.actors))
        self.outcomes: dict[str, set[str]] = defaultdict(set)
        self.states = self.steps = 0

    def run(self) -> str | None:
        shards = tuple(self._image(Shard(number, 0, {}, {})) for number in range(SHARDS))
        records = tuple(self._record(None) for _ in self._shoppers)
        runs = tuple(actor.runs for actor in self.actors)
        first = _State(shards, records, shards, records, tuple(range(len(self.actors))), runs)
        origin: dict[_State, tuple[_State, _Step] | None] = {first: None}
        queue = [first]
        for state in queue:
            if self._is_endless(state):
                continue
            try:
                for after, label in self._successors(state):
                    self.steps += 1
                    if after not in origin:
                        origin[after] = (state, label)
                        queue.append(after)
            except _Wrong as wrong:
                way, at = [str(wrong)], state
                while (before := origin[at]) is not None:
                    at, told = before
                    way.insert(0, self._tell(told))
                return "\n".join(way)
        self.states = len(queue)
        return None

    def _is_endless(self, state: _State) -> bool:
        """Two who claim elsewhere can make each other's announcements void again and again, up to a bound that is
        beyond any search: from here on nothing happens that has not happened before.
        """
        entries = (entry for number in state.shards for _, entry in self._images[number].entries())
        return any(ATTEMPTS <= entry.attempt % 1000 < 500 for entry in entries)

    def _successors(self, state: _State) -> Iterator[tuple[_State, Any]]:
        for place, number in enumerate(state.nodes):
            node = self._nodes[number]
            state_then = state
            if node.begun_with is None:
                if not state.runs[place]:
                    continue
                mine = state.records[self._shoppers.index(self.actors[place].shopper)]
                began = self._begin(place, mine)
                if began is None:
                    continue
                node, state_then = self._nodes[began], state
                state = state._replace(runs=_put(state.runs, place, state.runs[place] - 1))
            else:  # killed: what it did stays done
                yield state._replace(nodes=_put(state.nodes, place, place)), (place, "is killed", -1)
            for after, label in self._moves(state, place, node):
                if (after.shards, after.records) != (state.shards, state.records):
                    self._check(after, (place, *label))
                yield after, (place, *label)
            state = state_then

    def _moves(self, state: _State, place: int, node: _Node) -> Iterator[tuple[_State, Any]]:
        who = self._shoppers.index(self.actors[place].shopper)
        match node.effect:
            case Load(consistent):
                now, before = state.records[who], state.earlier_records[who]
                for record in {now} if consistent or not self.stale else {now, before}:
                    yield self._go(state, place, node, ("record", record)), ("loads", record)
            case Save() as save:
                if self.saves(self._records[state.records[who]], save):
                    version = 1 if save.before is None else save.before.version + 1
                    after = self._record(replace(save.after, version=version))
                    earlier = _put(state.earlier_records, who, state.records[who] if self.stale else 0)
                    written = state._replace(records=_put(state.records, who, after), earlier_records=earlier)
                    self._check_record(self._records[state.records[who]], save.after)
                    yield self._go(written, place, node, ("saved", True)), ("saves", after)
                else:
                    yield self._go(state, place, node, ("saved", False)), ("saves in vain", -1)
            case Read(shards, consistent):
                shard = shards[len(node.partial)]
                seen = {state.shards[shard]}
                for image in seen if consistent or not self.stale else seen | {state.earlier_shards[shard]}:
                    yield self._go(state, place, node, ("image", image)), ("reads", image)
            case Write(write):
                now = state.shards[write.shard]
                applied = apply(self._images[now], write)
                if applied is None:
                    yield self._go(state, place, node, ("refused", now)), ("is refused by", now)
                else:
                    earlier = _put(state.earlier_shards, write.shard, now if self.stale else 0)
                    shards = _put(state.shards, write.shard, self._image(applied))
                    written = state._replace(shards=shards, earlier_shards=earlier)
                    yield self._go(written, place, node, ("written", None)), ("writes", shards[write.shard])

    def _begin(self, place: int, record: int) -> int | None:
        idle = self._nodes[place]
        if record not in idle.children:
            if self.actors[place].start(self._records[record]) is None:
                return None
            idle.children[record] = self._advance(place, record, ())
        return idle.children[record]

    def _go(self, state: _State, place: int, node: _Node, answer: tuple[str, Any]) -> _State:
        if answer not in node.children:
            partial = (*node.partial, answer[1]) if answer[0] == "image" else ()
            assert node.begun_with is not None
            if answer[0] == "image" and len(partial) < len(node.effect.shards):
                child = _Node(len(self._nodes), place, node.begun_with, node.answers, partial, node.effect)
                self._nodes.append(child)
                node.children[answer] = child.number
            else:
                done = ("images", partial) if answer[0] == "image" else answer
                node.children[answer] = self._advance(place, node.begun_with, (*node.answers, done))
        return state._replace(nodes=_put(state.nodes, place, node.children[answer]))

    def _advance(self, place: int, begun_with: int, answers: tuple[Any, ...]) -> int:
        """Run the protocol anew with these answers, as a generator cannot be copied; return where it is then."""
        actor = self.actors[place]
        protocol = actor.start(self._records[begun_with])
        assert protocol is not None
        try:
            effect = _answered(protocol, None, actor.present)
            for answer in answers:
                effect = _answered(protocol, self._value(answer), actor.present)
        except StopIteration as end:
            self.outcomes[actor.name].add(type(end.value).__name__)
            if isinstance(end.value, Entered) and end.value.entrant.entries[end.value.number - 1].pending:
                raise _Wrong(f"{actor.name} was told of an entry that is pending") from None
            return place
        node = _Node(len(self._nodes), place, begun_with, answers, (), effect)
        self._nodes.append(node)
        return node.number

    def _value(self, answer: tuple[str, Any]) -> Any:
        match answer:
            case ("record", number):
                return self._records[number]
            case ("images", numbers):
                return tuple(self._images[number] for number in numbers)
            case ("refused", number):
                return Refused(self._images[number])
            case ("written", _):
                return Written({})
        return answer[1]

    def _image(self, shard: Shard) -> int:
        """Versions are left out: without caps per day no protocol looks at them."""
        key = (shard.number, tuple(sorted(shard.free.items())), tuple(sorted(shard.records.items())))
        if key not in self._image_numbers:
            self._image_numbers[key] = len(self._images)
            self._images.append(replace(shard, version=0))
        return self._image_numbers[key]

    def _record(self, record: Entrant | None) -> int:
        if record not in self._record_numbers:
            self._record_numbers[record] = len(self._records)
            self._records.append(record)
        return self._record_numbers[record]

    def _tell(self, step: _Step) -> str:
        place, what, number = step
        thing: object = (
            "" if number < 0 else self._records[number] if what in ("loads", "saves") else self._images[number]
        )
        return f"{self.actors[place].name} {what} {thing}"

    # --- what must hold ---

    def _check_record(self, now: Entrant | None, after: Entrant) -> None:
        """What was written of an entry stays: its time, its request, and every link of its chain that is decided."""
        for entry, then in zip(() if now is None else now.entries, (*after.entries, *[None] * 9), strict=False):
            decided = [link for link in entry.tries if link.fate not in (Fate.PENDING, Fate.WON)]
            if (
                then is None
                or (then.at, then.tag) != (entry.at, entry.tag)
                or list(then.tries)[: len(decided)] != decided
            ):
                raise _Wrong(f"what was written disappears: {entry} becomes {then}")

    def _check(self, state: _State, step: _Step) -> None:
        if (state.shards, state.records) in self._checked:
            return
        self._checked.add((state.shards, state.records))
        shards = [self._images[number] for number in state.shards]
        records = [record for number in state.records if (record := self._records[number]) is not None]
        problem = self._problem(shards, records) or self._problem_in_the_end(shards, records)
        if problem is not None:
            raise _Wrong(f"{self._tell(step)}\n{problem}")

    def _problem(self, shards: Sequence[Shard], records: Sequence[Entrant], *, settled: bool = False) -> str | None:
        units: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        for shard in shards:
            owned: dict[str, int] = defaultdict(int)
            for name, claim in shard.entries():
                owned[claim.slot] += claim.units
                if claim.state == CONFIRMED:
                    units[name].append((claim.slot, shard.number, claim.attempt))
            for slot in self.world.layout.stock:
                capacity = self.world.layout.capacity(slot, shard.number)
                free = shard.free.get(slot, capacity)
                if free < 0 or free + owned[slot] != capacity:
                    return f"shard {shard.number} has {free} free and {owned[slot]} owned units of {slot}"
        if any(len(claims) > 1 for claims in units.values()):
            return f"an entry has two units: {dict(units)}"
        won = 0
        for record in records:
            if len(record.entries) > self.world.rules.lottery.allowance.per_campaign:
                return f"{record.name} is over the allowance"
            for number, entry in enumerate(record.entries, 1):
                claims = units.pop(claim_name(entry_id(CAMPAIGN, record.name, number)), [])
                link = entry.won
                won += link is not None and link.fate is Fate.WON and link.slot == "0"
                recorded = [] if link is None else [(link.slot, link.shard, link.at)]
                is_back = link is not None and link.fate is Fate.RETURNED
                if claims and not (claims == recorded or (entry.pending and not settled)):
                    return f"a unit of {record.name} is not in the record: {claims}, {entry}"
                if settled and claims and is_back:
                    return f"a unit that went back is still taken: {entry}"
                if recorded and not claims and not is_back:
                    return f"{record.name} has won a unit that is not there: {entry}"
        if won > 1:
            return "the unit is two entries'"
        return f"units are nobody's: {dict(units)}" if units else None

    def _problem_in_the_end(self, shards: Sequence[Shard], records: Sequence[Entrant]) -> str | None:
        """Everybody is dead, and the stream's consumer comes by: is it all finished, and nothing left over?"""
        images, kept = list(shards), {record.name: record for record in records}
        for record in records:
            self._drive(finish(record, len(record.entries)), images, kept, record.name)
            link = kept[record.name].entries[-1].won
            if link is not None and link.fate is Fate.RETURNED:
                back = return_prize(CAMPAIGN, record.name, len(record.entries), self.world.terms, 90_000)
                self._drive(back, images, kept, record.name)
        left = [record for record in kept.values() if record.entries[-1].pending]
        if left:
            return f"cannot be finished: {left}"
        return self._problem(images, list(kept.values()), settled=True)

    def _drive(self, protocol: EntryProtocol[Any], images: list[Shard], kept: dict[str, Entrant], name: str) -> None:
        present = self.world.present(80_000, write_first=False)
        answer: object = None
        try:
            while True:
                effect = _answered(protocol, answer, present)
                match effect:
                    case Load():
                        answer = kept[name]
                    case Save(_, after):
                        kept[name] = replace(after, version=kept[name].version + 1)
                        answer = True
                    case Read(numbers, _):
                        answer = tuple(images[number] for number in numbers)
                    case Write(write):
                        applied = apply(images[write.shard], write)
                        answer = Refused(images[write.shard]) if applied is None else Written({})
                        images[write.shard] = applied or images[write.shard]
        except StopIteration:
            return


def _answered(protocol: Generator[Any, Any, Any], answer: Any, present: Present) -> Any:
    effect = protocol.send(answer)
    while isinstance(effect, Ask):
        effect = protocol.send(present)
    return effect


def _put(numbers: tuple[int, ...], place: int, number: int) -> tuple[int, ...]:
    return (*numbers[:place], number, *numbers[place + 1 :])


# --- actors ---


@dataclass(frozen=True)
class Cast:
    """Makes the actors of a scenario."""

    world: World

    def taps(self, shopper: str, now: int, tag: str = "tapone", *, runs: int = 1, write_first: bool = True) -> Actor:
        newcomer = Entrant(shopper, "owner", "sub")
        name = f"{ {ANN: 'ann', BOB: 'bob', CYN: 'cyn'}[shopper] } ({tag}, {now})"
        return Actor(
            name, shopper, lambda _: enter(newcomer, tag), self.world.present(now, write_first=write_first), runs
        )

    def consumes(self, shopper: str, now: int) -> Actor:
        def start(record: Entrant | None) -> EntryProtocol[Any] | None:
            if record is None or not record.entries[-1].pending:
                return None
            return finish(record, len(record.entries), consistent=False)

        return Actor("stream", shopper, start, self.world.present(now, write_first=False), runs=1)

    def forfeits(self, shopper: str, now: int) -> Actor:
        return Actor(
            "sweeper",
            shopper,
            lambda record: self._returning(record, now),
            self.world.present(now, write_first=False),
            1,
        )

    def _returning(self, record: Entrant | None, now: int) -> EntryProtocol[Any] | None:
        if record is None or not _is_won(record.entries[0]):
            return None
        return return_prize(CAMPAIGN, record.name, 1, self.world.terms, now)


def _is_won(entry: Entry) -> bool:
    return entry.won is not None


def _scenarios() -> dict[str, tuple[World, Callable[[Cast], list[Actor]]]]:
    one, sticky, many = World.make(), World.make(sticker=1), World.make(per_campaign=2)
    return {
        "two_shoppers_one_unit": (
            one,
            lambda cast: [cast.taps(ANN, 1000, runs=3), cast.taps(BOB, 1001, runs=3, write_first=False)],
        ),
        "killed_and_repeated_while_the_stream_goes_on": (
            one,
            lambda cast: [cast.taps(ANN, 1000), cast.consumes(ANN, 2000)],
        ),
        "a_tap_twice_at_once": (
            one,
            lambda cast: [cast.taps(BOB, 1000), cast.taps(BOB, 990), cast.consumes(BOB, 2000)],
        ),
        "two_devices": (
            many,
            lambda cast: [cast.taps(BOB, 1000), cast.taps(BOB, 1001, "taptwo")],
        ),
        "a_prize_goes_back_while_others_look": (
            one,
            lambda cast: [
                cast.taps(BOB, 1000),
                cast.forfeits(BOB, 1900),
                cast.taps(CYN, 1001),
                cast.consumes(CYN, 2000),
            ],
        ),
        "the_consolation_is_one_too_few": (
            sticky,
            lambda cast: [cast.taps(BOB, 1000), cast.taps(CYN, 1001)],
        ),
    }


STALE = ("a_tap_twice_at_once", "two_devices", "the_consolation_is_one_too_few")
"""Where reads may be behind; in the others that is more than can be searched."""


@pytest.mark.parametrize("name", _scenarios())
def test_no_order_of_events_loses_a_unit_or_gives_two(name: str) -> None:
    world, actors = _scenarios()[name]
    explorer = Explorer(world, actors(Cast(world)), stale=name in STALE)

    wrong = explorer.run()

    assert wrong is None, wrong
    assert explorer.states > 100, explorer.states
    taps = [said for actor, said in explorer.outcomes.items() if "tap" in actor]
    assert all("Entered" in said for said in taps)
    print(f"{name}: {explorer.states:,} states, {explorer.steps:,} steps")


# --- negative controls: one safeguard is taken out, and the search finds the harm --------------------------------


def _wrong(name: str, change: Callable[[Actor], Actor] = lambda actor: actor, **options: Any) -> str | None:
    world, actors = _scenarios()[name]
    return Explorer(world, [change(actor) for actor in actors(Cast(world))], **options).run()


def _altered(alter: Callable[[Any], Any]) -> Callable[[Actor], Actor]:
    """Let every effect of an actor be another one, or its answer if that is not to happen (`_Instead`)."""

    def change(actor: Actor) -> Actor:
        def start(record: Entrant | None) -> EntryProtocol[Any] | None:
            protocol = actor.start(record)
            return None if protocol is None else run_within(protocol, do)

        def do(asked: Effect) -> Generator[Effect, Any, object]:
            effect = alter(asked)
            return effect.answer if isinstance(effect, _Instead) else (yield effect)

        return actor._replace(start=start)

    return change


class _Instead(NamedTuple):
    answer: object


def test_without_a_condition_on_the_version_entries_are_lost() -> None:
    assert "disappears" in str(_wrong("two_devices", saves=lambda _, __: True))


def test_a_claim_that_is_not_in_the_name_of_the_entry_takes_a_second_unit() -> None:
    def in_ones_own_name(actor: Actor) -> Actor:
        rules = actor.present.rules
        frozen = replace(rules.frozen, campaign_id=f"by-{actor.present.now}")
        return actor._replace(present=actor.present._replace(rules=replace(rules, frozen=frozen)))

    assert "nobody's" in str(_wrong("a_tap_twice_at_once", in_ones_own_name))


def test_a_name_that_is_not_closed_gets_a_unit_that_came_back_and_nobody_has_it() -> None:
    def unclosed(effect: Any) -> Any:
        if isinstance(effect, Write) and not effect.write.free:
            texts = [change.after for change in effect.write.changes]
            if any(decode_record(text)[-1].state == CANCELLED for text in texts):
                return _Instead(Written({}))
        return effect

    found = _wrong("a_prize_goes_back_while_others_look", _altered(unclosed))
    assert "is not in the record" in str(found), found


def test_a_unit_that_goes_back_before_the_record_says_so_is_two_entries() -> None:
    world = World.make()

    def unit_first(record: Entrant | None) -> EntryProtocol[Any] | None:
        if record is None or not _is_won(record.entries[0]):
            return None
        return returning(record)

    def returning(record: Entrant) -> EntryProtocol[Any]:
        won = record.entries[0].won
        assert won is not None
        assert won.shard is not None
        assert won.at is not None
        name = claim_name(entry_id(CAMPAIGN, record.name, 1))
        yield from take_back(ClaimRef(won.shard, name, won.at), world.terms, 1900)
        after = give_back(record, 1, 1900)
        if after is not None:
            yield Save(record, after)
        return None

    def change(actor: Actor) -> Actor:
        return actor._replace(start=unit_first) if actor.name == "sweeper" else actor

    found = _wrong("a_prize_goes_back_while_others_look", change)
    assert "has won a unit that is not there" in str(found), found
