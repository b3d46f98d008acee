"""Every order of events: drives protocols over shards through all interleavings and checks each state it meets.

A state is what the shards hold and how far each actor is. Actors are protocols of `brandday.domain.protocols`, the very
generators that run in production; one step is one effect of one actor. As any actor may stay where it is while the
others go on, a state in which it crashed, or is slow, or its answer was lost, is among the states checked.

What the database may do is taken from the DynamoDB documentation, and from its worst side:

- reads of several shards are not one step, each shard is read at its own time;
- a read that is not consistent may return the shard as it was one version ago (`Scenario.stale_reads`);
- a write may commit while its answer is lost, and be sent again (`Scenario.lost_answers`).

Tallies (`brandday.domain.tally`) are images behind those of the shards: a line is a record named after its claim. What
a tally holds never repeats, as each write of it adds a new line, so that its contents are as good as its version.

Clocks are not trusted either: an actor starts with any of its times, in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from brandday.domain import protocols
from brandday.domain.protocols import Read, Write
from brandday.domain.shard import Refused, Shard, ShardWrite, Written, apply
from brandday.domain.stock import Terms
from brandday.domain.tally import Taken, TalliesMoved, Tally, TallyKey
from brandday.domain.tally_protocols import AskTerms, In, ReadTallies, WriteTallied
from tests.concurrency.search import Report, Wrong, search

type Images = tuple[Shard, ...]
type Start = Callable[[], protocols.Protocol[Any]]
type Apply = Callable[[Shard, ShardWrite], Shard | None]

_ACCEPTED = Written({})  # no protocol looks at what is left


class Actor(NamedTuple):
    """Somebody who runs one protocol for a shopper: one of ``starts``, which may depend on what the shards hold.

    ``again`` starts anew after each end. Listing one actor several times makes interchangeable copies of it.
    """

    name: str
    shopper: str
    starts: Callable[[Images], Mapping[Hashable, Start]]
    again: bool = False


class Checks(Protocol):
    """What must hold; each method returns what is wrong, or None."""

    def of_images(self, images: Images) -> str | None:
        """Check the shards of a state."""

    def of_change(self, name: str, before: str | None, after: str | None) -> str | None:
        """Check one step of a record."""

    def of_outcome(self, actor: Actor, outcome: Any, images: Images) -> str | None:
        """Check an answer, with the shards at the moment of it."""

    def of_end(self, outcomes: Sequence[tuple[Actor, Any]]) -> str | None:
        """Check all answers given so far against each other."""


@dataclass(frozen=True)
class Scenario:
    """What to explore, and what the database is allowed to do to us."""

    shards: int
    actors: Sequence[Actor]
    checks: Checks
    apply: Apply = apply
    stale_reads: bool = False
    lost_answers: bool = False
    tallies: Sequence[TallyKey] = ()
    terms: Terms | None = None
    blind_tallies: bool = False


def show_tally(number: int, tally: Tally) -> Shard:
    """Return a tally as an image; with dots in their names, its records are nobody's."""
    return Shard(number, 0, {}, {f"{one.name}.{one.at}": f"{one.units}@{one.shard}" for one in tally.taken})


def read_tally(image: Shard, campaign_id: str, version: int) -> Tally:
    """The reverse of `show_tally`."""
    lines = []
    for record, text in image.records.items():
        name, _, at = record.rpartition(".")
        units, _, shard = text.partition("@")
        lines.append(Taken(campaign_id, name, int(at), int(units), shard=int(shard)))
    return Tally(version if lines else 0, tuple(lines))


class _End(NamedTuple):
    outcome: Any


@dataclass(eq=False)
class _Node:
    """How far one run of a protocol is: which answers it got, and what it asks for or has come to."""

    number: int
    actor: Actor
    start: Start | None
    answers: tuple[object, ...] = ()
    partial: tuple[Shard, ...] = ()  # shards of a read that have been read so far
    effect: Read | Write | ReadTallies | WriteTallied | None = None
    end: _End | None = None
    next: dict[Hashable, _Node] = field(default_factory=dict)


type _Label = tuple[str | int, ...]
"""What a step was, in words and numbers of images: put into one text only when it is shown."""


class _Move(NamedTuple):
    """One step of one actor: the shards after it, and where the actor is then."""

    shards: tuple[int, ...]
    node: _Node
    label: _Label


class _State(NamedTuple):
    shards: tuple[int, ...]
    earlier: tuple[int, ...]
    nodes: tuple[int, ...]


class _Explorer:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._shards: list[Shard] = []
        self._shard_numbers: dict[Hashable, int] = {}
        self._nodes: list[_Node] = []
        self._ends: dict[Hashable, _Node] = {}
        self._applied: dict[tuple[int, Hashable], int | None] = {}
        self._checked: set[tuple[int, ...]] = set()
        self._changed: set[tuple[int, int]] = set()
        self._outcomes: set[tuple[str, str]] = set()
        self._places = {key: scenario.shards + at for at, key in enumerate(scenario.tallies)}
        idle: dict[int, _Node] = {}
        for actor in scenario.actors:
            if id(actor) not in idle:
                idle[id(actor)] = self._add(_Node(0, actor, None))
        self._idle = idle
        self._twins = [
            tuple(place for place, other in enumerate(scenario.actors) if other is actor)
            for actor in {id(actor): actor for actor in scenario.actors}.values()
            if sum(other is actor for other in scenario.actors) > 1
        ]

    def explore(self) -> Report:
        """Visit every state, breadth first, so that what is found is found on a shortest way."""
        empty = tuple(
            self._intern(Shard(number, 0, {}, {})) for number in range(self._scenario.shards + len(self._places))
        )
        earlier = empty if self._scenario.stale_reads else ()
        first = _State(empty, earlier, tuple(self._idle[id(actor)].number for actor in self._scenario.actors))
        return search(first, self._successors, self._outcomes, self._tell)

    def _successors(self, state: _State) -> Iterator[tuple[_State, str, _Label]]:
        for place, number in enumerate(state.nodes):
            node = self._nodes[number]
            if node.end is not None:
                continue
            for ready in self._ready(node, state):
                for move in self._moves(ready, state):
                    yield self._settle(state, place, move), node.actor.name, move.label

    def _ready(self, node: _Node, state: _State) -> list[_Node]:
        """Return the node itself, or the first nodes of the runs it may start now."""
        if node.effect is not None:
            return [node]
        starts = node.actor.starts(self._images(state.shards))
        ready = []
        for key, start in starts.items():
            if key not in node.next:
                node.next[key] = self._advance(_Node(0, node.actor, start), ())
            ready.append(node.next[key])
        return ready

    def _moves(self, node: _Node, state: _State) -> Iterator[_Move]:
        match node.effect:
            case Read(_, consistent):
                yield from self._reads(node, state, consistent=consistent)
            case ReadTallies():
                yield from self._reads(node, state, consistent=False)
            case WriteTallied():
                yield from self._tallied(node, node.effect, state)
            case Write(write):
                current = state.shards[write.shard]
                after = self._apply(current, write)
                if after is None:
                    refused = self._answer(node, current, Refused(self._shards[current]))
                    yield _Move(state.shards, refused, ("is refused by", current))
                    return
                shards = _put(state.shards, write.shard, after)
                yield _Move(shards, self._answer(node, "accepted", _ACCEPTED), ("writes", after))
                if self._scenario.lost_answers:
                    yield _Move(shards, node, ("loses the answer to its write", after))

    def _reads(self, node: _Node, state: _State, *, consistent: bool) -> Iterator[_Move]:
        for image in self._visible(state, self._read_by(node)[len(node.partial)], consistent=consistent):
            yield _Move(state.shards, self._read(node, image), ("reads", image))

    def _read_by(self, node: _Node) -> tuple[int, ...]:
        match node.effect:
            case Read(numbers):
                return numbers
            case ReadTallies(keys):
                return tuple(map(self._places.__getitem__, keys))
        raise AssertionError(node.effect)

    def _tallied(self, node: _Node, effect: WriteTallied, state: _State) -> Iterator[_Move]:
        current = state.shards[effect.write.shard]
        after = self._apply(current, effect.write)
        if after is None:
            refused = self._answer(node, current, Refused(self._shards[current]))
            yield _Move(state.shards, refused, ("is refused by", current))
            return
        there = {one.key: state.shards[self._places[one.key]] for one in effect.tallies}
        now = {key: self._tally(key, image) for key, image in there.items()}
        moved = {one.key: now[one.key] for one in effect.tallies if one.version != now[one.key].version}
        if moved and not self._scenario.blind_tallies:
            key = ("moved", tuple(there[each] for each in moved))
            yield _Move(state.shards, self._answer(node, key, TalliesMoved(moved)), ("finds moved", *key[1]))
            return
        shards = _put(state.shards, effect.write.shard, after)
        for one in effect.tallies:
            place = self._places[one.key]
            shards = _put(shards, place, self._intern(show_tally(place, Tally(1, one.after))))
        yield _Move(shards, self._answer(node, "accepted", _ACCEPTED), ("writes with tallies", after))
        if self._scenario.lost_answers:
            yield _Move(shards, node, ("loses the answer to its write", after))

    def _tally(self, key: TallyKey, image: int) -> Tally:
        return read_tally(self._shards[image], key.scope, image + 1)

    def _visible(self, state: _State, shard: int, *, consistent: bool) -> set[int]:
        now = state.shards[shard]
        return {now} if consistent or not state.earlier else {now, state.earlier[shard]}

    def _read(self, node: _Node, image: int) -> _Node:
        if image not in node.next:
            partial = (*node.partial, self._shards[image])
            if len(partial) < len(self._read_by(node)):
                child = self._add(_Node(0, node.actor, node.start, node.answers, partial, node.effect))
            elif isinstance(node.effect, ReadTallies):
                keys = zip(node.effect.keys, partial, strict=True)
                tallies = {key: self._tally(key, self._intern(shown)) for key, shown in keys}
                child = self._advance(node, (*node.answers, tallies))
            else:
                child = self._advance(node, (*node.answers, partial))
            node.next[image] = child
        return node.next[image]

    def _answer(self, node: _Node, key: Hashable, answer: object) -> _Node:
        if key not in node.next:
            node.next[key] = self._advance(node, (*node.answers, answer))
        return node.next[key]

    def _advance(self, node: _Node, answers: tuple[object, ...]) -> _Node:
        """Run the protocol anew with these answers, as a generator cannot be copied, and return where it is then."""
        assert node.start is not None
        protocol = node.start()
        try:
            effect = self._send(protocol, None)
            for answer in answers:
                effect = self._send(protocol, answer)
        except StopIteration as stop:
            key = (id(node.actor), repr(stop.value))
            if key not in self._ends:
                self._ends[key] = self._add(_Node(0, node.actor, None, end=_End(stop.value)))
            return self._ends[key]
        return self._add(_Node(0, node.actor, node.start, answers, (), effect))

    def _send(self, protocol: protocols.Protocol[Any], answer: object) -> Any:
        effect: Any = protocol.send(answer)
        while isinstance(effect, AskTerms):
            effect = protocol.send(self._scenario.terms)
        return effect.effect if isinstance(effect, In) else effect

    def _settle(self, state: _State, place: int, move: _Move) -> _State:
        """Check a move and return the state after it."""
        node = move.node
        nodes = list(state.nodes)
        nodes[place] = node.number
        violation = None if move.shards == state.shards else self._check_shards(state.shards, move.shards)
        if node.end is not None:
            violation = violation or self._check_outcome(node, nodes, move.shards)
            if node.actor.again:
                nodes[place] = self._idle[id(node.actor)].number
        if violation is not None:
            raise Wrong(self._tell(node.actor.name, move.label), violation)
        for places in self._twins:
            for here, number in zip(places, sorted(nodes[there] for there in places), strict=True):
                nodes[here] = number
        earlier = state.earlier
        if earlier and move.shards != state.shards:
            versions = zip(earlier, state.shards, move.shards, strict=True)
            earlier = tuple(was if now == before else before for was, before, now in versions)
        return _State(move.shards, earlier, tuple(nodes))

    def _check_outcome(self, node: _Node, nodes: Sequence[int], shards: tuple[int, ...]) -> str | None:
        assert node.end is not None
        outcome = node.end.outcome
        self._outcomes.add((node.actor.name, type(outcome).__name__))
        ended = [(other.actor, other.end.outcome) for other in map(self._nodes.__getitem__, nodes) if other.end]
        checks = self._scenario.checks
        return checks.of_outcome(node.actor, outcome, self._images(shards)) or checks.of_end(ended)

    def _check_shards(self, before: tuple[int, ...], after: tuple[int, ...]) -> str | None:
        violation = None
        for old, new in zip(before, after, strict=True):
            if old != new and (old, new) not in self._changed:
                self._changed.add((old, new))
                violation = violation or self._check_records(self._shards[old], self._shards[new])
        if after not in self._checked:
            self._checked.add(after)
            violation = violation or self._scenario.checks.of_images(self._images(after))
        return violation

    def _check_records(self, old: Shard, new: Shard) -> str | None:
        for name in old.records.keys() | new.records.keys():
            before, after = old.records.get(name), new.records.get(name)
            if before != after:
                violation = self._scenario.checks.of_change(name, before, after)
                if violation is not None:
                    return violation
        return None

    def _images(self, shards: tuple[int, ...]) -> Images:
        return tuple(map(self._shards.__getitem__, shards))

    def _apply(self, shard: int, write: ShardWrite) -> int | None:
        key = (shard, (write.changes, tuple(write.free.items())))
        if key not in self._applied:
            after = self._scenario.apply(self._shards[shard], write)
            self._applied[key] = None if after is None else self._intern(after)
        return self._applied[key]

    def _intern(self, shard: Shard) -> int:
        """Return the number of this image. Versions are left out: they never repeat, and no protocol looks at them."""
        free, records = sorted(shard.free.items()), sorted(shard.records.items())
        key = (shard.number, tuple(free), tuple(records))
        if key not in self._shard_numbers:
            self._shard_numbers[key] = len(self._shards)
            self._shards.append(Shard(shard.number, 0, dict(free), dict(records)))
        return self._shard_numbers[key]

    def _add(self, node: _Node) -> _Node:
        node.number = len(self._nodes)
        self._nodes.append(node)
        return node

    def _tell(self, who: str, label: _Label) -> str:
        return " ".join([who, *(self._show(part) if isinstance(part, int) else part for part in label)])

    def _show(self, image: int) -> str:
        shard = self._shards[image]
        records = ", ".join(f"{name}: {text}" for name, text in shard.records.items())
        return f"{shard.number}{{free {dict(shard.free)}; {records}}}"


def _put(shards: tuple[int, ...], number: int, image: int) -> tuple[int, ...]:
    return (*shards[:number], image, *shards[number + 1 :])


def explore(scenario: Scenario) -> Report:
    """Return what a walk through every state of the scenario finds."""
    return _Explorer(scenario).explore()
