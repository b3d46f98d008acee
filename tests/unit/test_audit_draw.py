"""The audit of a draw holds the records against the sealed list, and the winners against what the seed makes of it."""

import dataclasses
import hashlib
import json
import random
from collections.abc import Callable
from itertools import groupby

import pytest

from brandday.domain.draw import SEAL_AFTER_MS, Bucket, Tickets, assign, rank, root, ticket_leaf
from brandday.domain.draw_record import (
    RESULT,
    SEAL,
    Group,
    Move,
    Place,
    Result,
    as_sealed,
    group_part,
    move_part,
    place_part,
    ranking_hash,
    seal_of,
    write_group,
    write_move,
    write_places,
    write_result,
    write_seal,
)
from brandday.domain.entrant import Entrant, Entry, Fate, Rules, Try, claim_name, entry_id
from brandday.domain.layout import home_shard, shopper_name
from brandday.domain.lottery import Allowance, Beacon, Draw, Lottery, LotteryMode, Prize, first_table
from brandday.domain.luck import draw_seed
from brandday.domain.pacing import HOUR_MS, Pacing
from brandday.domain.receipt import Randomness, record_row, row_leaf
from brandday_cli.audit_draw import AWARDED_MS
from tests.unit.lottery_world import COMPLIANCE, frozen_of
from tests.unit.test_audit_lottery import ID, audit, codes
from tests.unit.test_audit_lottery import Lottery as World

SIGNATURE = hashlib.sha512(b"a round").digest()


class DrawWorld(World):
    """A draw that an honest operator has held: 30 entrants, 4 prizes, 3 reserves, one of whom has moved up."""

    def __init__(self, *, beacon: bool = True, bucket_chars: int = 1) -> None:
        dice, seed = random.Random(5), hashlib.sha256(b"draw").digest()
        frozen = frozen_of(seed, bucket_chars=bucket_chars)
        lottery = Lottery(
            LotteryMode.DRAW,
            (Prize("trip", {"en": "A trip"}, 1), Prize("sample", {"en": "A sample"}, 3)),
            Allowance(6, 6),
            COMPLIANCE,
            draw=Draw(frozen.ends_at + HOUR_MS, 3, Beacon("52db9ba7", 4_242_424) if beacon else None),
        )
        rules = Rules(lottery, frozen, (first_table(lottery, frozen),), Pacing(lottery, frozen, seed), None)
        names = sorted(shopper_name(b"5", f"shopper-{n}") for n in range(30))
        records = [
            Entrant(name, "", "", tuple(Entry(frozen.starts_at + n, "abcdef", 1) for n in range(dice.randint(1, 5))))
            for name in names
        ]
        super().__init__(5, 30, played=(rules, records))
        self.seed = seed
        self.now = frozen.ends_at + 2 * HOUR_MS
        randomness = Randomness(hashlib.sha256(SIGNATURE).digest(), SIGNATURE) if beacon else None
        ranking = rank(
            draw_seed(seed, None if randomness is None else randomness.value),
            ID,
            [Tickets(record.name, len(record.entries)) for record in records],
            7,
        )
        winners, reserves = assign(ranking, lottery.prizes)
        self.places = [Place(one.entrant, one.ticket, rules.slots[prize]) for one, prize in winners]
        self.places += [Place(one.entrant, one.ticket, None) for one in reserves]
        self.randomness = randomness
        self.seal()
        self.draw()
        for place in self.places[:4]:
            self.award(place)
        last, reserve = self.places[3], self.places[4]
        self.take_back(last)
        self.award(reserve._replace(slot=last.slot))
        self.parts[move_part(0)] = write_move(Move(last.entrant, "sample", reserve.entrant))

    def seal(self) -> None:
        chars, groups = self.rules.frozen.bucket_chars, []
        for letter, of_group in groupby(sorted(self.records), lambda name: name[0]):
            buckets, entries = [], 0
            for bucket, of_bucket in groupby(of_group, lambda name: name[:chars]):
                rows = [Tickets(name, len(self.records[name].entries)) for name in of_bucket]
                buckets.append(Bucket(bucket, root(map(ticket_leaf, rows)), len(rows)))
                entries += sum(row.number for row in rows)
            groups.append(Group(letter, tuple(buckets), entries, 1))
            self.parts[group_part(letter)] = write_group(groups[-1])
        self.sealed = seal_of(groups, self.rules.frozen.ends_at + SEAL_AFTER_MS)
        self.parts[SEAL] = write_seal(self.sealed)

    def draw(self) -> None:
        self.parts[place_part(0)] = write_places(self.places)
        drawn_at = self.now - HOUR_MS
        result = Result(self.sealed.root, ranking_hash(self.places), 4, 3, self.randomness, drawn_at)
        self.parts[RESULT] = write_result(result)

    def award(self, place: Place) -> None:
        slot = place.slot or "1"
        shard = home_shard(claim_name(entry_id(ID, place.entrant, place.ticket)), 3)
        plan_free = [at for at in (shard, 0, 1, 2) if int(self.shard(at)[f"f{slot}"]["N"]) > 0]
        at = self.now - HOUR_MS + 5
        self.replace(place.entrant, place.ticket, tries=(Try(slot, Fate.WON, at, plan_free[0]),))
        self.claim(place.entrant, place.ticket, slot, plan_free[0], at)
        self.reward(place.entrant, place.ticket, slot, self.entry(place.entrant, place.ticket).at)

    def take_back(self, place: Place) -> None:
        won = self.entry(place.entrant, place.ticket).won
        assert won is not None
        self.give_unit_back(place.entrant, place.ticket)
        back = won._replace(fate=Fate.RETURNED, returned_at=self.now)
        self.replace(place.entrant, place.ticket, tries=(back,))
        self.reward(place.entrant, place.ticket, won.slot, self.entry(place.entrant, place.ticket).at, returned=True)


@pytest.mark.parametrize("beacon", [True, False])
@pytest.mark.parametrize("bucket_chars", [1, 2])
def test_an_honest_draw_has_no_violation(beacon: bool, bucket_chars: int) -> None:
    findings = audit(DrawWorld(beacon=beacon, bucket_chars=bucket_chars))
    assert findings.ok, findings.violations
    assert findings.notes == []
    assert findings.entries is not None
    assert (findings.entries.entrants, findings.entries.won.total(), findings.entries.units) == (30, 5, 4)


def test_before_the_seal_there_is_nothing_to_hold_the_records_against() -> None:
    world = DrawWorld()
    world.parts.clear()
    world.records = {
        name: dataclasses.replace(record, entries=tuple(entry._replace(tries=()) for entry in record.entries))
        for name, record in world.records.items()
    }
    world.rewards.clear()
    world.items.clear()
    findings = audit(world)
    assert findings.ok, findings.violations
    assert "The list of entrants is not sealed yet, so it was not held against one." in findings.notes


def test_between_seal_and_draw_only_the_list_is_judged() -> None:
    world = DrawWorld()
    world.parts = {name: text for name, text in world.parts.items() if name[:5] in ("group", "seal")}
    world.records = {
        name: dataclasses.replace(record, entries=tuple(entry._replace(tries=()) for entry in record.entries))
        for name, record in world.records.items()
    }
    world.rewards.clear()
    world.items.clear()
    assert audit(world).ok


# --- one planted fault each ---------------------------------------------------------------------------------------


def without_prize(world: DrawWorld) -> str:
    winners = {place.entrant for place in world.places}
    return next(name for name in world.records if name not in winners)


def another_ticket_since(world: DrawWorld) -> None:
    name = without_prize(world)
    record = world.records[name]
    last = record.entries[-1]
    world.records[name] = dataclasses.replace(record, entries=(*record.entries[:5], last._replace(at=last.at + 1)))


def somebody_left_out_since(world: DrawWorld) -> None:
    del world.records[without_prize(world)]


def another_root_sealed(world: DrawWorld) -> None:
    world.parts[SEAL] = write_seal(dataclasses.replace(world.sealed, root="00" * 32))
    result = Result("00" * 32, ranking_hash(world.places), 4, 3, world.randomness, world.now)
    world.parts[RESULT] = write_result(result)


def more_entries_sealed(world: DrawWorld) -> None:
    world.parts[SEAL] = write_seal(dataclasses.replace(world.sealed, entries=1))


def drawn_from_another_list(world: DrawWorld) -> None:
    world.parts[RESULT] = write_result(Result("00" * 32, "", 4, 3, world.randomness, world.now))


def two_reserves_exchanged(world: DrawWorld) -> None:
    world.places[5:7] = reversed(world.places[5:7])
    world.draw()


def a_reserve_left_out(world: DrawWorld) -> None:
    world.places.pop()
    world.draw()


def moved_up_out_of_turn(world: DrawWorld) -> None:
    """The second reserve has got the prize instead of the first."""
    first, second = world.places[4], world.places[5]
    won = world.entry(first.entrant, first.ticket).won
    assert won is not None
    world.give_unit_back(first.entrant, first.ticket)
    world.replace(first.entrant, first.ticket, tries=())
    del world.rewards[world.reward_key(first.entrant, first.ticket)]
    world.award(second._replace(slot=won.slot))
    world.parts[move_part(0)] = write_move(Move(world.places[3].entrant, "sample", second.entrant))


def prize_for_somebody_who_was_not_drawn(world: DrawWorld) -> None:
    first = world.places[2]
    world.give_unit_back(first.entrant, first.ticket)
    world.replace(first.entrant, first.ticket, tries=())
    del world.rewards[world.reward_key(first.entrant, first.ticket)]
    world.award(Place(without_prize(world), 1, first.slot))


def prize_not_given(world: DrawWorld) -> None:
    first = world.places[0]
    world.give_unit_back(first.entrant, first.ticket)
    world.replace(first.entrant, first.ticket, tries=())
    del world.rewards[world.reward_key(first.entrant, first.ticket)]


def two_prizes_for_one_shopper(world: DrawWorld) -> None:
    first = next(place for place in world.places[:3] if len(world.records[place.entrant].entries) > 1)
    other = 1 if first.ticket != 1 else 2
    world.replace(first.entrant, other, tries=(Try("1", Fate.RETURNED, world.now, 0, world.now),))
    world.reward(first.entrant, other, "1", world.entry(first.entrant, other).at, returned=True)


def a_ticket_that_tried_something(world: DrawWorld) -> None:
    name = without_prize(world)
    world.replace(name, 1, tries=(Try("0", Fate.GONE, world.now),))


def unit_claimed_and_never_written_down(world: DrawWorld) -> None:
    name = without_prize(world)
    shard = home_shard(claim_name(entry_id(ID, name, 1)), 3)
    world.claim(name, 1, "1", shard, world.now - HOUR_MS)


@pytest.mark.parametrize(
    ("plant", "codes_found"),
    [
        (another_ticket_since, {"sealed_list_changed"}),
        (somebody_left_out_since, {"sealed_list_changed"}),
        (another_root_sealed, {"sealed_list_changed"}),
        (more_entries_sealed, {"sealed_list_changed"}),
        (drawn_from_another_list, {"wrong_winner"}),
        (two_reserves_exchanged, {"wrong_winner"}),
        (a_reserve_left_out, {"wrong_winner"}),
        (moved_up_out_of_turn, {"wrong_winner"}),
        (prize_for_somebody_who_was_not_drawn, {"wrong_winner", "prize_not_given"}),
        (prize_not_given, {"prize_not_given"}),
        (two_prizes_for_one_shopper, {"over_prize_limit", "wrong_winner"}),
        (a_ticket_that_tried_something, {"wrong_outcome"}),
        (unit_claimed_and_never_written_down, {"unit_without_win"}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_each_planted_fault_is_found_by_name(plant: Callable[[DrawWorld], None], codes_found: set[str]) -> None:
    world = DrawWorld()
    plant(world)
    findings = audit(world)
    possible = codes_found | {"free_negative", "stock_not_conserved"} if "claimed" in plant.__name__ else codes_found
    assert codes_found <= set(codes(findings)) <= possible, findings.violations


def test_the_winners_of_another_seed_are_others() -> None:
    """Negative control: with the beacon's round left out of the seed, nobody is who should have won."""
    world = DrawWorld()
    ranking = rank(
        world.seed or b"", ID, [Tickets(record.name, len(record.entries)) for record in world.records.values()], 7
    )
    world.places = [
        Place(one.entrant, one.ticket, place.slot) for one, place in zip(ranking, world.places, strict=True)
    ]
    world.draw()
    assert "wrong_winner" in codes(audit(world))


def test_prizes_are_being_handed_out_for_a_while_after_the_draw() -> None:
    world = DrawWorld()
    prize_not_given(world)
    drawn_at = json.loads(world.parts[RESULT])[5]
    del world.parts[move_part(0)]
    last, reserve = world.places[3], world.places[4]
    world.give_unit_back(reserve.entrant, reserve.ticket)
    for place in (last, reserve):
        world.rewards.pop(world.reward_key(place.entrant, place.ticket))
        world.replace(place.entrant, place.ticket, tries=())
    world.now = drawn_at + AWARDED_MS
    assert codes(audit(world)) == []
    world.now += 1
    assert set(codes(audit(world))) == {"prize_not_given"}


def test_the_sealed_list_of_instant_wins_is_held_against_the_records_too() -> None:
    world = World()
    sealed_from = world.rules.frozen.ends_at + SEAL_AFTER_MS
    slots = {slot: prize for prize, slot in world.rules.slots.items()}
    groups = []
    for letter, of_group in groupby(sorted(world.records), lambda name: name[0]):
        buckets, entries = [], 0
        for bucket, of_bucket in groupby(of_group, lambda name: name[: world.rules.frozen.bucket_chars]):
            names = list(of_bucket)
            leaves = [row_leaf(record_row(as_sealed(world.records[name], sealed_from), slots)) for name in names]
            buckets.append(Bucket(bucket, root(leaves), len(leaves)))
            entries += sum(len(world.records[name].entries) for name in names)
        groups.append(Group(letter, tuple(buckets), entries, 0))
        world.parts[group_part(letter)] = write_group(groups[-1])
    world.parts[SEAL] = write_seal(seal_of(groups, sealed_from))
    assert audit(world).ok, audit(world).violations
    assert audit(world).notes == []
    name, number = world.winner()
    entry = world.entry(name, number)
    won = entry.won
    assert won is not None
    world.replace(name, number, tries=(*entry.tries[:-1], won._replace(fate=Fate.RETURNED, returned_at=sealed_from)))
    world.give_unit_back(name, number)
    world.reward(name, number, won.slot, entry.at, returned=True)
    assert audit(world).ok, "what comes back after the seal was won when the list was sealed"
    record = world.records[name]
    world.records[name] = dataclasses.replace(record, entries=record.entries[:-1])
    assert "sealed_list_changed" in codes(audit(world))
