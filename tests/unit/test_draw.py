"""Sealed lists and rankings: inclusion can be shown, nothing else can; every place is open to everybody."""

import hashlib
import random
from collections import Counter
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from brandday.domain.draw import (
    Bucket,
    Ranked,
    Tickets,
    assign,
    climb,
    leaf,
    list_root,
    next_reserve,
    path,
    path_to,
    rank,
    root,
    ticket_leaf,
    units,
)
from brandday.domain.lottery import Prize
from brandday.domain.luck import ticket_key
from tests.unit.chi_squared import is_fair
from tests.unit.lottery_world import entrants

NAMES = entrants(10)
SEEDS = [hashlib.sha256(b"seed %d" % number).digest() for number in range(4000)]

hashes = some.lists(some.binary(min_size=32, max_size=32), min_size=1, max_size=40)


def by_levels(nodes: list[bytes]) -> bytes:
    """The tree as it is described: level by level."""
    while len(nodes) > 1:
        pairs = [nodes[at : at + 2] for at in range(0, len(nodes), 2)]
        nodes = [hashlib.sha256(b"\x01" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return nodes[0]


@given(hashes)
def test_the_root_is_the_one_of_a_tree_made_level_by_level(nodes: list[bytes]) -> None:
    assert root(nodes) == by_levels(nodes)


@given(hashes, some.data())
def test_a_path_leads_from_its_leaf_to_the_root_and_from_no_other(nodes: list[bytes], data: some.DataObject) -> None:
    index = data.draw(some.integers(0, len(nodes) - 1))
    steps = path(nodes, index)
    assert climb(nodes[index], steps) == root(nodes)
    assert climb(hashlib.sha256(nodes[index]).digest(), steps) != root(nodes)
    assert len(steps) <= (len(nodes) - 1).bit_length()


@given(some.lists(hashes, min_size=1, max_size=9), some.data())
def test_a_leaf_of_a_bucket_leads_to_the_root_of_the_list(buckets: list[list[bytes]], data: some.DataObject) -> None:
    bucket = data.draw(some.integers(0, len(buckets) - 1))
    index = data.draw(some.integers(0, len(buckets[bucket]) - 1))
    roots = [root(nodes) for nodes in buckets]
    whole = list_root(Bucket(str(at), each, 1) for at, each in enumerate(roots))
    assert climb(buckets[bucket][index], path_to(buckets[bucket], index, roots, bucket)) == whole


def test_the_list_of_nobody_has_a_root_and_empty_buckets_count_for_nothing() -> None:
    nothing = hashlib.sha256(b"").digest()
    assert root([]) == list_root([]) == list_root([Bucket("A", nothing, 0)]) == nothing
    one = Bucket("B", b"b" * 32, 1)
    assert list_root([Bucket("A", nothing, 0), one]) == one.root


def test_a_node_cannot_be_passed_off_as_a_leaf() -> None:
    left, right = ticket_leaf(Tickets(NAMES[0], 1)), ticket_leaf(Tickets(NAMES[1], 2))
    assert root([left, right]) != hashlib.sha256(b"\x00" + left + right).digest()
    assert leaf([NAMES[0], 1]) == hashlib.sha256(b'\x00["%s",1]' % NAMES[0].encode()).digest() == left


def ranking(seed: bytes, tickets: list[Tickets], places: int = 99) -> list[str]:
    return [ranked.entrant for ranked in rank(seed, "spring", tickets, places)]


def places_taken(rankings: list[list[str]]) -> list[int]:
    counted = Counter((name, place) for each in rankings for place, name in enumerate(each))
    return [counted[name, place] for name in NAMES for place in range(len(NAMES))]


EVEN = [Fraction(1, 100)] * 100


def test_every_entrant_takes_every_place_alike_the_first_and_the_last_of_the_list_too() -> None:
    taken = places_taken([ranking(seed, [Tickets(name, 1) for name in NAMES]) for seed in SEEDS])
    assert min(taken) > 0
    assert is_fair(taken, EVEN)
    first, last = taken[0], taken[90]
    assert first == pytest.approx(400, abs=80)
    assert last == pytest.approx(400, abs=80)


def test_rankings_by_name_by_a_remainder_and_without_the_last_fail_the_same_test() -> None:
    """Negative controls: three ways in which draws are wrong in the wild."""
    by_name = [sorted(NAMES) for _ in SEEDS]
    by_remainder = [sorted(NAMES, key=lambda name: ticket_key(seed, name)[0] % 6) for seed in SEEDS]
    never_the_last = []
    for number in range(len(SEEDS)):
        left, dice, picked = list(NAMES), random.Random(number), []
        while len(left) > 1:
            picked.append(left.pop(int(dice.random() * (len(left) - 1))))
        never_the_last.append(picked + left)
    for wrong in (by_name, by_remainder, never_the_last):
        assert not is_fair(places_taken(wrong), EVEN)


WEIGHTED = [Tickets(name, count) for name, count in zip(NAMES, (1, 2, 3, 4, 10), strict=False)]


def test_the_first_place_goes_by_the_number_of_tickets() -> None:
    first = Counter(ranking(seed, WEIGHTED, 1)[0] for seed in SEEDS)
    expected = [Fraction(tickets.number, 20) for tickets in WEIGHTED]
    assert is_fair([first[tickets.entrant] for tickets in WEIGHTED], expected)


def test_the_first_two_places_go_by_the_number_of_tickets() -> None:
    pairs = Counter(tuple(ranking(seed, WEIGHTED, 2)) for seed in SEEDS)
    expected = {
        (one.entrant, two.entrant): Fraction(one.number, 20) * Fraction(two.number, 20 - one.number)
        for one, two in permutations(WEIGHTED, 2)
    }
    assert is_fair([pairs[pair] for pair in expected], list(expected.values()))


def test_weights_by_drawing_tickets_and_skipping_only_the_next_fail_the_same_test() -> None:
    """Negative control: the key times a weight looks plausible, and is not proportional."""
    first: Counter[str] = Counter()
    for seed in SEEDS:
        keys = {each.entrant: int.from_bytes(ticket_key(seed, each.entrant)) // each.number for each in WEIGHTED}
        first[min(keys, key=lambda name: keys[name])] += 1
    expected = [Fraction(tickets.number, 20) for tickets in WEIGHTED]
    assert not is_fair([first[tickets.entrant] for tickets in WEIGHTED], expected)


@given(some.lists(some.integers(1, 5), min_size=1, max_size=30), some.integers(1, 40), some.randoms())
def test_the_ranking_is_the_same_in_any_order_and_the_beginning_of_the_whole_one(
    counts: list[int], places: int, dice: random.Random
) -> None:
    tickets = [Tickets(name, count) for name, count in zip(entrants(len(counts)), counts, strict=True)]
    whole = rank(SEEDS[0], "spring", tickets, len(tickets))
    shuffled = list(tickets)
    dice.shuffle(shuffled)
    assert rank(SEEDS[0], "spring", shuffled, places) == whole[:places]
    assert [ranked.rank for ranked in whole] == list(range(1, len(tickets) + 1))
    assert len({ranked.entrant for ranked in whole}) == len(tickets)
    keys = [ticket_key(SEEDS[0], f"ent_spring.{ranked.entrant}.{ranked.ticket}") for ranked in whole]
    assert keys == [ranked.key for ranked in whole] == sorted(keys)


def test_no_places_are_no_ranking() -> None:
    assert rank(SEEDS[0], "spring", [Tickets(NAMES[0], 1)], 0) == []


def test_prizes_go_tier_by_tier_and_reserves_follow_in_the_same_order() -> None:
    prizes = (Prize("trip", {}, 1), Prize("sample", {}, 3))
    ranked = rank(SEEDS[0], "spring", [Tickets(name, 1) for name in NAMES], 7)
    winners, reserves = assign(ranked, prizes)
    assert list(units(prizes)) == ["trip", "sample", "sample", "sample"]
    assert [prize for _, prize in winners] == ["trip", "sample", "sample", "sample"]
    assert [place.entrant for place, _ in winners] + [place.entrant for place in reserves] == [
        place.entrant for place in ranked
    ]
    assert next_reserve(reserves, 0) == ranked[4]
    assert next_reserve(reserves, 2) == ranked[6]
    assert next_reserve(reserves, 3) is None


def test_fewer_entrants_than_prizes_leave_prizes_and_no_reserves() -> None:
    winners, reserves = assign([Ranked(1, NAMES[0], 1, b"")], (Prize("trip", {}, 3),))
    assert len(winners) == 1
    assert reserves == []
