"""Every order of events in redemptions: drives their protocols through all interleavings, checks each state it meets.

The sibling of `explorer.py` for protocols that read several kinds of items and change them in transactions. A state is
what is stored and how far each actor is. As any actor may stay where it is for ever, a state in which it crashed is
among those checked; an actor whose answer was lost begins anew.

What the database may do is taken from the DynamoDB documentation, and from its worst side:

- a read of several items is not one step: each is read at its own time, also the parts of one redemption
  (`Scenario.torn_reads`);
- a transaction may commit while its answer is lost, and the caller repeats the request (`Scenario.lost_answers`), as
  often as `Actor.runs` allows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from brandday.domain import redemption_protocols as protocols
from brandday.domain.coupon_change import CouponChange, PartChange, StateChange, StockChange, StoredCoupon
from brandday.domain.coupon_record import UNTOUCHED, CouponFacts, CouponState, Part
from brandday.domain.redemption_protocols import ReadCoupons, ReadParts, ReadShards, Transact
from brandday.domain.shard import Shard, apply
from tests.concurrency.search import Report, Wrong, search

type Key = tuple[str, str, int]
"""`("part", redemption, number)`, `("state", coupon, 0)` or `("shard", campaign, number)`."""

type Item = Part | CouponState | Shard | None
type World = Mapping[Key, Item]
type Start = Callable[[], protocols.Protocol[Any]]
type Commit = Callable[[Mapping[Key, Item], Sequence[CouponChange]], dict[Key, Item] | None]


class Actor(NamedTuple):
    """Somebody who runs one of several protocols on behalf of a redemption, and again after each end: `runs` times."""

    name: str
    redemption: str
    starts: Mapping[Hashable, Start]
    runs: int = 1


class Checks(Protocol):
    """What must hold; each method returns what is wrong, or None."""

    def of_world(self, world: World) -> str | None:
        """Check what is stored."""

    def of_outcome(self, actor: Actor, outcome: Any, world: World) -> str | None:
        """Check an answer, with what is stored at the moment of it."""

    def of_end(self, outcomes: Sequence[tuple[Actor, Any]], world: World) -> str | None:
        """Check all answers given so far, with what is stored by now."""


def key_of(change: CouponChange) -> Key:
    """The item that a change is of."""
    match change:
        case StockChange(campaign_id, write):
            return ("shard", campaign_id, write.shard)
        case StateChange(facts):
            return ("state", facts.id, 0)
        case PartChange(before, after):
            part = before or after
            assert part is not None
            return ("part", part.redemption, part.number)


def changed(stored: Item, change: CouponChange) -> tuple[bool, Item]:
    """Whether a change is possible on what is stored, and what is stored then."""
    match change:
        case StockChange(_, write):
            assert isinstance(stored, Shard)
            after = apply(stored, write)
            return after is not None, None if after is None else replace(after, version=0)
        case StateChange(_, before, wanted):
            assert isinstance(stored, CouponState)
            return before.version == stored.version, replace(wanted, version=before.version + 1)
        case PartChange(seen, part):
            assert stored is None or isinstance(stored, Part)
            version = 0 if seen is None else seen.version
            same = version == (0 if stored is None else stored.version)
            return same, None if part is None else replace(part, version=version + 1)


def commit(world: Mapping[Key, Item], changes: Sequence[CouponChange]) -> dict[Key, Item] | None:
    """All changes, or None if one of them is refused: what `Coupons.transact` has to be."""
    after: dict[Key, Item] = {}
    for change in changes:
        key = key_of(change)
        assert key not in after, "a transaction changes each item once"
        possible, after[key] = changed(world[key], change)
        if not possible:
            return None
    return after


@dataclass(frozen=True)
class Scenario:
    """What to explore: `coupons` and `shards` (campaign, number) are what there is, `parts` how many a redemption has
    at most.
    """

    coupons: Sequence[CouponFacts]
    shards: Sequence[tuple[str, int]]
    actors: Sequence[Actor]
    checks: Checks
    parts: int = 1
    torn_reads: bool = False
    lost_answers: bool = False
    commit: Commit = commit
    one_by_one: bool = False
    """For a negative control: each change is a step of its own, and the first that is refused is the last."""


@dataclass(eq=False)
class _Node:
    """How far one run of a protocol is: `answers` it got, `partial` of a read, and what it asks for or has come to."""

    number: int
    actor: Actor
    start: Start | None
    answers: tuple[object, ...] = ()
    partial: tuple[Item, ...] = ()
    effect: protocols.Effect | None = None
    outcome: Any = None
    ended: bool = False
    next: dict[Hashable, _Node] = field(default_factory=dict)


class _State(NamedTuple):
    items: tuple[int, ...]
    nodes: tuple[int, ...]
    runs: tuple[int, ...]


class _Move(NamedTuple):
    items: tuple[int, ...]
    node: _Node
    label: str


class _Explorer:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        redemptions = dict.fromkeys(actor.redemption for actor in scenario.actors)
        self._keys: list[Key] = [
            *(("part", each, number) for each in redemptions for number in range(scenario.parts)),
            *(("state", facts.id, 0) for facts in scenario.coupons),
            *(("shard", campaign, number) for campaign, number in scenario.shards),
        ]
        self._places = {key: place for place, key in enumerate(self._keys)}
        self._facts = {facts.id: facts for facts in scenario.coupons}
        self._items: list[Item] = []
        self._item_numbers: dict[Hashable, int] = {}
        self._nodes: list[_Node] = []
        self._ends: dict[Hashable, _Node] = {}
        self._checked: set[tuple[int, ...]] = set()
        self._outcomes: set[tuple[str, str]] = set()
        self._idle: dict[int, _Node] = {}
        for actor in scenario.actors:
            if id(actor) not in self._idle:
                self._idle[id(actor)] = self._add(_Node(0, actor, None))
        actors = {id(actor): actor for actor in scenario.actors}.values()
        copies = [[place for place, other in enumerate(scenario.actors) if other is actor] for actor in actors]
        self._twins = [places for places in copies if len(places) > 1]

    def explore(self) -> Report:
        """Visit every state, breadth first."""
        empty = tuple(self._intern(_nothing(key)) for key in self._keys)
        actors = self._scenario.actors
        first = _State(
            empty, tuple(self._idle[id(actor)].number for actor in actors), tuple(actor.runs for actor in actors)
        )
        return search(first, self._successors, self._outcomes)

    def _successors(self, state: _State) -> Iterator[tuple[_State, str]]:
        for place, number in enumerate(state.nodes):
            node = self._nodes[number]
            if not state.runs[place]:
                continue
            for ready in self._ready(node):
                for move in self._moves(ready, state):
                    label = f"{node.actor.name} {move.label}"
                    yield self._settle(state, place, move, label), label

    def _ready(self, node: _Node) -> Iterator[_Node]:
        if node.effect is not None:
            yield node
            return
        idle = self._idle[id(node.actor)]
        for key, start in node.actor.starts.items():
            if key not in idle.next:
                idle.next[key] = self._advance(_Node(0, node.actor, start), ())
            yield idle.next[key]

    def _moves(self, node: _Node, state: _State) -> Iterator[_Move]:
        effect = node.effect
        if not isinstance(effect, Transact):
            assert effect is not None
            wanted = self._wanted(effect)
            rest = wanted[len(node.partial) :]
            for key in rest[:1] if self._scenario.torn_reads else rest:
                node = self._read(node, wanted, state.items[self._places[key]])
            yield _Move(state.items, node, f"reads {wanted if not node.partial else wanted[len(node.partial) - 1]}")
            return
        if self._scenario.one_by_one:
            yield self._one_change(node, effect, state)
            return
        after = self._scenario.commit(_Lazy(self, state.items), effect.changes)
        if after is None:
            yield _Move(state.items, self._answer(node, answer=False), "is refused")
            return
        items = self._put(state.items, after)
        yield _Move(items, self._answer(node, answer=True), f"commits {after}")
        if self._scenario.lost_answers:
            yield _Move(items, self._idle[id(node.actor)], f"commits {after}, and does not hear of it")

    def _one_change(self, node: _Node, effect: Transact, state: _State) -> _Move:
        change = effect.changes[len(node.partial)]
        key = key_of(change)
        possible, item = changed(self._items[state.items[self._places[key]]], change)
        if not possible:
            return _Move(state.items, self._answer(node, answer=False), f"is refused {key}")
        items = self._put(state.items, {key: item})
        if len(node.partial) + 1 == len(effect.changes):
            return _Move(items, self._answer(node, answer=True), f"writes {item}")
        where = ("one", len(node.partial))
        if where not in node.next:
            partial = (*node.partial, None)
            node.next[where] = self._add(_Node(0, node.actor, node.start, node.answers, partial, effect))
        return _Move(items, node.next[where], f"writes {item}")

    def _wanted(self, effect: ReadParts | ReadCoupons | ReadShards) -> list[Key]:
        match effect:
            case ReadParts(redemption):
                return [("part", redemption, number) for number in range(self._scenario.parts)]
            case ReadCoupons(ids):
                return [("state", each, 0) for each in ids]
            case ReadShards(campaign, numbers):
                return [("shard", campaign, number) for number in numbers]

    def _read(self, node: _Node, wanted: Sequence[Key], item: int) -> _Node:
        if item not in node.next:
            partial = (*node.partial, self._items[item])
            if len(partial) < len(wanted):
                child = self._add(_Node(0, node.actor, node.start, node.answers, partial, node.effect))
            else:
                child = self._advance(node, (*node.answers, self._together(node.effect, partial)))
            node.next[item] = child
        return node.next[item]

    def _together(self, effect: protocols.Effect | None, items: Sequence[Item]) -> object:
        match effect:
            case ReadParts():
                return tuple(part for part in items if part is not None)
            case ReadCoupons(ids):
                states = dict(zip(ids, items, strict=True))
                return {
                    each: StoredCoupon(self._facts[each], state)
                    for each, state in states.items()
                    if isinstance(state, CouponState)
                }
            case _:
                return tuple(items)

    def _answer(self, node: _Node, *, answer: bool) -> _Node:
        if answer not in node.next:
            node.next[answer] = self._advance(node, (*node.answers, answer))
        return node.next[answer]

    def _advance(self, node: _Node, answers: tuple[object, ...]) -> _Node:
        """Run the protocol anew with these answers, as a generator cannot be copied, and return where it is then.

        Reads of nothing are answered at once.
        """
        assert node.start is not None
        protocol = node.start()
        try:
            effect = next(protocol)
            for answer in answers:
                effect = protocol.send(answer)
            if not isinstance(effect, Transact) and not self._wanted(effect):
                return self._advance(node, (*answers, ()))
        except StopIteration as stop:
            key = (id(node.actor), repr(stop.value))
            if key not in self._ends:
                self._ends[key] = self._add(_Node(0, node.actor, None, outcome=stop.value, ended=True))
            return self._ends[key]
        return self._add(_Node(0, node.actor, node.start, answers, (), effect))

    def _settle(self, state: _State, place: int, move: _Move, label: str) -> _State:
        """Check a move and return the state after it."""
        node = move.node
        nodes, runs = list(state.nodes), list(state.runs)
        nodes[place] = node.number
        if node.start is None:  # at its end, or begun anew
            runs[place] -= 1
        violation = None
        world = _Lazy(self, move.items)
        checks = self._scenario.checks
        if move.items not in self._checked:
            self._checked.add(move.items)
            violation = checks.of_world(dict(world))
        if node.ended:
            self._outcomes.add((node.actor.name, type(node.outcome).__name__))
            violation = violation or checks.of_outcome(node.actor, node.outcome, world)
        if violation is None and (node.ended or move.items != state.items):
            ended = [self._nodes[number] for number in nodes if self._nodes[number].ended]
            violation = checks.of_end([(each.actor, each.outcome) for each in ended], world)
        if violation is not None:
            raise Wrong(label, violation)
        for places in self._twins:
            for here, (number, left) in zip(
                places, sorted((nodes[there], runs[there]) for there in places), strict=True
            ):
                nodes[here], runs[here] = number, left
        return _State(move.items, tuple(nodes), tuple(runs))

    def _put(self, items: tuple[int, ...], after: Mapping[Key, Item]) -> tuple[int, ...]:
        put = list(items)
        for key, item in after.items():
            put[self._places[key]] = self._intern(item)
        return tuple(put)

    def _intern(self, item: Item) -> int:
        key: Hashable = item
        if isinstance(item, Shard):
            key = (item.number, tuple(sorted(item.free.items())), tuple(sorted(item.records.items())))
        if key not in self._item_numbers:
            self._item_numbers[key] = len(self._items)
            self._items.append(item)
        return self._item_numbers[key]

    def _add(self, node: _Node) -> _Node:
        node.number = len(self._nodes)
        self._nodes.append(node)
        return node


class _Lazy(Mapping[Key, Item]):
    """What is stored in a state, looked up as it is asked for."""

    def __init__(self, explorer: _Explorer, items: tuple[int, ...]) -> None:
        self._explorer = explorer
        self._numbers = items

    def __getitem__(self, key: Key) -> Item:
        return self._explorer._items[self._numbers[self._explorer._places[key]]]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._explorer._keys)

    def __len__(self) -> int:
        return len(self._numbers)


def _nothing(key: Key) -> Item:
    match key:
        case ("shard", _, number):
            return Shard(number, 0, {}, {})
        case ("state", _, _):
            return UNTOUCHED
        case _:
            return None


def explore(scenario: Scenario) -> Report:
    """Return what a walk through every state of the scenario finds."""
    return _Explorer(scenario).explore()


def run_alone(protocol: protocols.Protocol[Any], world: World, facts: Mapping[str, CouponFacts]) -> Any:
    """Run one protocol undisturbed on what is stored in a state, without changing that; return its outcome."""
    stored = dict(world)
    answer: object = None
    while True:
        try:
            effect = protocol.send(answer)
        except StopIteration as stop:
            return stop.value
        match effect:
            case ReadParts(redemption):
                numbers = sorted(number for kind, of, number in stored if (kind, of) == ("part", redemption))
                parts = [stored["part", redemption, number] for number in numbers]
                answer = tuple(part for part in parts if part is not None)
            case ReadCoupons(ids):
                states = {each: stored["state", each, 0] for each in ids}
                answer = {
                    each: StoredCoupon(facts[each], state)
                    for each, state in states.items()
                    if isinstance(state, CouponState)
                }
            case ReadShards(campaign, numbers_of):
                answer = tuple(stored["shard", campaign, number] for number in numbers_of)
            case Transact(changes):
                known = stored | {key_of(change): stored.get(key_of(change)) for change in changes}
                after = commit(known, changes)
                stored |= after or {}
                answer = after is not None
