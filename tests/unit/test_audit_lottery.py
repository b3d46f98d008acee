"""The audit of a lottery finds each planted fault, by name, and finds nothing where an honest operator ran it."""

import ast
import dataclasses
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from brandday.adapters.entry_table import encode_entrant
from brandday.domain.entrant import Entrant, Entry, Fate, Grant, Rules, Try, claim_name, entry_id
from brandday.domain.layout import SLOTS, home_shard, shopper_name, to_base64url
from brandday.domain.lottery_state import LotteryState
from brandday.domain.pacing import HOUR_MS
from brandday_cli import audit_lottery, audit_lottery_records, audit_lottery_rules
from brandday_cli.audit_campaign import audit_campaign
from brandday_cli.audit_lottery_records import decode_lottery
from brandday_cli.audit_lottery_rules import UNSETTLED_MS
from brandday_cli.audit_records import RawItem, UnreadableCampaign, decode_plan
from brandday_cli.audit_report import to_json, to_text
from brandday_cli.audit_reward_records import RewardKey
from brandday_cli.audit_rules import Findings
from tests.unit.audit_world import World, base36
from tests.unit.lottery_world import DAY_MS, play

ID = "spring"
OWNER_SALT = b"owner salt 16 by"
SEEDS = (3, 7, 11, 20, 21, 36)


class Lottery(World):
    """A lottery as an honest operator has run it, as stored; tests plant faults in it. It is over a day ago."""

    def __init__(
        self,
        seed_number: int = 36,
        shoppers: int = 12,
        requests: int = 80,
        played: tuple[Rules, list[Entrant]] | None = None,
    ) -> None:
        super().__init__()
        self.rules, records = played or play(seed_number, shoppers, requests)
        salt = str(seed_number).encode()
        self.subjects = {shopper_name(salt, f"shopper-{n}"): f"shopper-{n}" for n in range(shoppers)}
        self.now = self.rules.frozen.ends_at + DAY_MS
        self.seed: bytes | None = self.rules.seed
        self.seed_reads = 0
        self.misfiled = ""
        self.parts: dict[str, str] = {}
        state = LotteryState(self.rules.frozen, self.rules.tables, salt)
        self.config: dict[str, Any] = {
            "document": {"S": json.dumps({"id": ID, "lottery": self.rules.lottery.to_document()})},
            "layout": {
                "S": json.dumps(
                    {
                        "salt": to_base64url(OWNER_SALT),
                        "shards": self.rules.frozen.shards,
                        "slots": {
                            prize.id: slot for prize, slot in zip(self.rules.lottery.prizes, SLOTS, strict=False)
                        },
                    }
                )
            },
            "luck": {"S": json.dumps(state.to_document())},
            "restocks": {"S": "[]"},
        }
        self.records = {
            record.name: dataclasses.replace(
                record, sub=self.subjects[record.name], owner=shopper_name(OWNER_SALT, self.subjects[record.name])
            )
            for record in records
        }
        self.at_moment: Callable[[], None] = lambda: None
        for name in self.records:
            for number, entry in enumerate(self.records[name].entries, 1):
                self._award(self.records[name], number, entry)

    def _award(self, record: Entrant, number: int, entry: Entry) -> None:
        won = entry.won
        if won is None or won.shard is None or won.at is None:
            return
        if won.fate is Fate.WON:
            self.claim(record.name, number, won.slot, won.shard, won.at)
        self.reward(record.name, number, won.slot, entry.at, returned=won.fate is Fate.RETURNED)

    # --- writing ---

    def shard(self, number: int) -> dict[str, Any]:
        plan, _ = decode_plan(ID, self.config)
        return self.items.setdefault(
            f"{ID}#{number}",
            {"pk": {"S": f"{ID}#{number}"}, "v": {"N": "1"}}
            | {f"f{slot}": {"N": str(plan.capacity(slot, number))} for slot in plan.sku_of_slot},
        )

    def claim(self, entrant: str, number: int, slot: str, shard: int, at: int, name: str = "") -> None:
        name = name or claim_name(entry_id(ID, entrant, number))
        item, home = self.shard(shard), home_shard(name, self.rules.frozen.shards)
        item[f"f{slot}"] = {"N": str(int(item[f"f{slot}"]["N"]) - 1)}
        text = f"c{slot}1{base36(at, 8)}abcDEF.{entrant}.{number}"
        item[name] = {"S": f"{item[name]['S']} {text}" if name in item else text}
        if home != shard:
            self.shard(home)[name] = {"S": f">{slot}1{base36(at, 8)}abcDEF@{shard}"}

    def give_unit_back(self, entrant: str, number: int) -> None:
        name, won = claim_name(entry_id(ID, entrant, number)), self.entry(entrant, number).won
        assert won is not None
        assert won.shard is not None
        item = self.shard(won.shard)
        item[f"f{won.slot}"] = {"N": str(int(item[f"f{won.slot}"]["N"]) + 1)}
        item[name] = {"S": f"d{item[name]['S'][1:].partition('.')[0]}"}

    def reward(self, entrant: str, number: int, slot: str, at: int, *, returned: bool = False, **changes: Any) -> None:
        owner = self.records[entrant].owner
        values: dict[str, Any] = {
            "pk": owner,
            "sk": f"{base36(at, 8)}.{ID}",
            "kind": "physical",
            "sku": self.rules.lottery.prizes[int(slot)].id,
            "quantity": 1,
            "source": entry_id(ID, entrant, number),
            "created_at": at,
            "status": "forfeited" if returned else "dispatched",
            "status_at": at,
            "time_limit_ms": 3_600_000,
            "cycle": 0 if returned else 1,
            "accepted": 0 if returned else 1,
            "version": 1,
            "units_returned": returned,
        } | changes
        owes = "!" if values["status"] == "forfeited" and not values["units_returned"] else ""
        values["gpk"] = f"{ID}#{sum(map(ord, owner)) % 16}"
        values["gsk"] = f"{values['status']}{owes}#{values['status_at']:013d}#{values['sk']}"
        kinds = {bool: "BOOL", int: "N", str: "S"}
        self.rewards[values["pk"], values["sk"]] = {
            name: {kinds[type(value)]: value if isinstance(value, bool) else str(value)}
            for name, value in values.items()
            if value is not None
        }

    def replace(self, entrant: str, number: int, **changes: Any) -> None:
        entry = self.entry(entrant, number)._replace(**changes)
        self.records[entrant] = self.records[entrant].replaced(number, entry)

    def entry(self, entrant: str, number: int) -> Entry:
        return self.records[entrant].entries[number - 1]

    def some(self, holds: Callable[[Entry], bool]) -> tuple[str, int]:
        """The first entry for which something holds."""
        return next(
            (name, number)
            for name, record in self.records.items()
            for number, entry in enumerate(record.entries, 1)
            if holds(entry)
        )

    def winner(self) -> tuple[str, int]:
        return self.some(lambda entry: entry.won is not None and entry.won.fate is Fate.WON)

    def returner(self) -> tuple[str, int]:
        return self.some(lambda entry: entry.won is not None and entry.won.fate is Fate.RETURNED)

    def loser(self) -> tuple[str, int]:
        return self.some(lambda entry: entry.won is None)

    def last_loser(self) -> tuple[str, int]:
        """Somebody whose last entry lost."""
        name = next(name for name, record in self.records.items() if record.entries[-1].won is None)
        return name, len(self.records[name].entries)

    def all_of(self, slot: str) -> list[tuple[str, int]]:
        """All entries that keep a prize."""
        return [
            (name, number)
            for name, record in self.records.items()
            for number, entry in enumerate(record.entries, 1)
            if entry.won is not None and (entry.won.slot, entry.won.fate) == (slot, Fate.WON)
        ]

    def move_claim(self, entrant: str, number: int, at: int) -> None:
        """Say everywhere that the unit was claimed at another time."""
        won, name = self.entry(entrant, number).won, claim_name(entry_id(ID, entrant, number))
        assert won is not None
        assert won.at is not None
        self.replace(entrant, number, tries=(*self.entry(entrant, number).tries[:-1], won._replace(at=at)))
        for item in self.items.values():
            if name in item:
                item[name] = {"S": item[name]["S"].replace(base36(won.at, 8), base36(at, 8))}

    def reward_key(self, entrant: str, number: int) -> tuple[str, str]:
        return self.records[entrant].owner, f"{base36(self.entry(entrant, number).at, 8)}.{ID}"

    # --- reading, as the audit does ---

    def read_config(self, _: str, /) -> RawItem | None:
        return self.config

    def read_seed(self, campaign_id: str, /) -> bytes | None:
        assert campaign_id == ID
        self.seed_reads += 1
        return self.seed

    def item(self, name: str) -> RawItem:
        record = self.records[name]
        key = f"{ID}#{name[: self.rules.frozen.bucket_chars] if name != self.misfiled else 'elsewhere'}"
        return {"pk": {"S": key}, **encode_entrant(record), "v": {"N": "1"}}

    def read_bucket(self, campaign_id: str, bucket: str) -> Iterator[RawItem]:
        assert campaign_id == ID
        yield from (self.item(name) for name in sorted(self.records) if name.startswith(bucket))

    def read_parts(self, campaign_id: str, prefix: str) -> Iterator[tuple[str, str]]:
        assert campaign_id == ID
        yield from sorted((name, text) for name, text in self.parts.items() if name.startswith(prefix))

    def read_records(self, keys: Sequence[RawItem]) -> Iterator[RawItem]:
        assert 1 <= len(keys) <= 100
        yield from (self.item(key["sk"]["S"]) for key in reversed(keys) if key["sk"]["S"] in self.records)

    def read_moment(
        self, campaign_id: str, record: RawItem, shards: Sequence[int], reward: RewardKey | None
    ) -> tuple[RawItem | None, dict[int, RawItem | None], RawItem | None]:
        self.at_moment()
        self.reads_together += 1
        name = record["sk"]["S"]
        return (
            self.item(name) if name in self.records else None,
            {shard: self.items.get(f"{campaign_id}#{shard}") for shard in shards},
            None if reward is None else self.rewards.get(reward),
        )


def audit(world: Lottery, *, strict: bool = False) -> Findings:
    return audit_campaign(
        world, ID, rewards=world, entries=world, strict=strict, now_ms=lambda: world.now, sleep=world.sleep
    )


def codes(findings: Findings) -> list[str]:
    return sorted(violation.code for violation in findings.violations if violation.code != "summary_stale")


def shown(findings: Findings) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(to_text(ID, findings))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


# --- honest lotteries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_an_honest_lottery_has_no_violation(seed: int) -> None:
    world = Lottery(seed)
    findings = audit(world)
    assert findings.ok, findings.violations
    assert (world.naps, world.reads_together) == ([], 0), "nothing looked wrong, so nothing was read twice"


def test_what_was_entered_and_won_is_counted() -> None:
    world = Lottery()
    entries = [entry for record in world.records.values() for entry in record.entries]
    won = [entry.won for entry in entries if entry.won]
    told = json.loads(to_json(audit(world)))
    assert told["ok"] is True
    assert told["entries"] == {
        "entrants": len(world.records),
        "entries": len(entries),
        "pending": 0,
        "returned": sum(link.fate is Fate.RETURNED for link in won),
        "units": sum(link.fate is Fate.WON for link in won),
        "won": {
            prize.id: count
            for prize, slot in sorted(zip(world.rules.lottery.prizes, SLOTS, strict=False), key=lambda pair: pair[0].id)
            if (count := sum(link.slot == slot for link in won))
        },
    }
    assert sum(told["rewards"]["by_status"].values()) == len(won)
    assert "Each win has its unit, each unit its win" in shown(audit(world))


def test_before_the_end_the_seed_is_not_read_and_that_is_said() -> None:
    world = Lottery()
    world.now = world.rules.frozen.ends_at - 1
    world.seed = None
    findings = audit(world)
    assert findings.ok, findings.violations
    assert world.seed_reads == 0
    assert "The lottery is not over" in shown(findings)
    name, number = world.last_loser()
    world.replace(name, number, tries=(Try("0", Fate.GONE, world.entry(name, number).at),))
    assert audit(world).ok, "an outcome can only be judged with the seed"


def test_a_lottery_that_an_operator_ended_is_over() -> None:
    world = Lottery()
    world.now = world.rules.frozen.ends_at - 1
    world.config["ended_at"] = {"S": "2020-01-01T00:00:00.000Z"}
    audit(world)
    assert world.seed_reads == 1


def test_without_their_tables_entries_and_rewards_are_left_out() -> None:
    world = Lottery()
    findings = audit_campaign(world, ID, now_ms=lambda: world.now)
    assert findings.ok
    assert (findings.entries, findings.rewards) == (None, None)
    findings = audit_campaign(world, ID, entries=world, now_ms=lambda: world.now)
    assert findings.ok, findings.violations
    assert findings.entries is not None
    assert findings.rewards is None


def test_a_malformed_lottery_is_no_campaign_to_judge() -> None:
    world = Lottery()
    del world.config["luck"]
    with pytest.raises(UnreadableCampaign, match="malformed"):
        audit(world)


def test_the_tables_are_put_together_as_they_are_published() -> None:
    for seed in SEEDS:
        world = Lottery(seed)
        plan, _ = decode_plan(ID, world.config)
        lottery = decode_lottery(plan, world.config)
        assert lottery is not None
        assert list(lottery.tables) == [
            table.document(world.rules.lottery, world.rules.frozen) for table in world.rules.tables
        ]


# --- one planted fault each ---------------------------------------------------------------------------------------


def lost_claim(world: Lottery) -> None:
    world.give_unit_back(*world.winner())


def claim_of_a_lost_entry(world: Lottery) -> None:
    name, number = world.loser()
    world.claim(name, number, "3", home_shard(claim_name(entry_id(ID, name, number)), 3), world.now)


def claim_of_an_entry_that_nobody_took(world: Lottery) -> None:
    world.claim(next(iter(world.records)), 39, "3", 1, world.now)


def claim_of_nobody(world: Lottery) -> None:
    world.claim("nobodynobody", 1, "3", 1, world.now)


def second_claim_of_one_entry(world: Lottery) -> None:
    name, number = world.winner()
    won = world.entry(name, number).won
    assert won is not None
    assert won.shard is not None
    world.claim(name, number, won.slot, won.shard, world.now)


def claim_under_another_name(world: Lottery) -> None:
    name, number = world.loser()
    alias = claim_name("something else")
    world.claim(name, number, "3", home_shard(alias, 3), world.now, alias)


def unit_in_a_cart(world: Lottery) -> None:
    alias = claim_name("a cart")
    item = world.shard(home_shard(alias, 3))
    item["f3"] = {"N": str(int(item["f3"]["N"]) - 1)}
    item[alias] = {"S": f"h31{base36(world.now, 8)}abcDEF"}


def returned_unit_is_still_claimed(world: Lottery) -> None:
    name, number = world.returner()
    won = world.entry(name, number).won
    assert won is not None
    assert won.shard is not None
    assert won.at is not None
    world.claim(name, number, won.slot, won.shard, won.at)


def lost_reward(world: Lottery) -> None:
    del world.rewards[world.reward_key(*world.winner())]


def reward_of_a_lost_entry(world: Lottery) -> None:
    name, number = world.loser()
    world.reward(name, number, "3", world.entry(name, number).at)


def reward_of_an_entry_that_nobody_took(world: Lottery) -> None:
    world.reward(next(iter(world.records)), 39, "3", world.now)


def second_reward_of_one_win(world: Lottery) -> None:
    name, number = world.winner()
    world.reward(name, number, "3", world.now)


def reward_of_a_reservation(world: Lottery) -> None:
    name, _ = world.winner()
    owner = world.records[name].owner
    world.reward(name, 1, "3", world.now, source=f"rsv_{ID}.0.{owner}.{base36(world.now, 8)}")


def reward_of_another_prize(world: Lottery) -> None:
    name, number = world.winner()
    won = world.entry(name, number).won
    world.reward(name, number, "0" if won and won.slot != "0" else "1", world.entry(name, number).at)


def reward_of_two_units(world: Lottery) -> None:
    name, number = world.winner()
    won = world.entry(name, number).won
    assert won is not None
    world.reward(name, number, won.slot, world.entry(name, number).at, quantity=2)


def reward_of_a_returned_prize_on_its_way(world: Lottery) -> None:
    name, number = world.returner()
    won = world.entry(name, number).won
    assert won is not None
    world.reward(name, number, won.slot, world.entry(name, number).at)


def reward_settled_and_the_win_not_returned(world: Lottery) -> None:
    name, number = world.winner()
    won = world.entry(name, number).won
    assert won is not None
    world.reward(name, number, won.slot, world.entry(name, number).at, returned=True)


def reward_delivered_twice(world: Lottery) -> None:
    name, number = world.winner()
    won = world.entry(name, number).won
    assert won is not None
    world.reward(name, number, won.slot, world.entry(name, number).at, accepted=2)


def left_pending_for_long(world: Lottery) -> None:
    name, number = world.last_loser()
    world.replace(name, number, tries=(Try("3", Fate.PENDING),))


def entry_before_the_start(world: Lottery) -> None:
    name = next(name for name, record in world.records.items() if record.entries[0].won is None)
    world.replace(name, 1, at=world.rules.frozen.starts_at - 1)


def entry_at_the_end(world: Lottery) -> None:
    name, number = world.last_loser()
    world.replace(name, number, at=world.rules.frozen.ends_at, version=2)


def judged_by_another_version(world: Lottery) -> None:
    name, number = world.loser()
    world.replace(name, number, version=3 - world.entry(name, number).version)


def more_entries_than_allowed(world: Lottery) -> None:
    name, number = world.last_loser()
    entry = world.entry(name, number)
    more = tuple(entry._replace(at=entry.at + extra) for extra in range(1, 20))
    record = world.records[name]
    world.records[name] = dataclasses.replace(record, entries=(*record.entries, *more))


def more_chances_than_allowed(world: Lottery) -> None:
    name = next(iter(world.records))
    world.records[name] = dataclasses.replace(world.records[name], grants=(Grant("abcdef", 30),))


def alias_of_another_shopper(world: Lottery) -> None:
    name = next(iter(world.records))
    world.records[name] = dataclasses.replace(world.records[name], sub="somebody else")


def another_seed(world: Lottery) -> None:
    world.seed = bytes(32)


def no_seed(world: Lottery) -> None:
    world.seed = None


def a_win_written_over(world: Lottery) -> None:
    """The unit, the reward and the record fit each other; the seed says something else."""
    name, number = world.some(lambda entry: not entry.tries)
    at = world.entry(name, number).at
    shard = home_shard(claim_name(entry_id(ID, name, number)), 3)
    world.replace(name, number, tries=(Try("3", Fate.WON, at, shard),))
    world.claim(name, number, "3", shard, at)
    world.reward(name, number, "3", at)


def a_hit_called_gone(world: Lottery) -> None:
    name, number = world.some(lambda entry: not entry.tries)
    world.replace(name, number, tries=(Try("0", Fate.GONE, world.entry(name, number).at),))


def won_too_often(world: Lottery) -> None:
    """The mug may be won once by a shopper."""
    name, number = world.some(lambda entry: entry.won is not None and entry.won.slot == "1")
    other = next(at for at in range(1, 9) if at != number)
    world.now = world.rules.frozen.ends_at - 1
    entry = world.entry(name, other)
    world.replace(name, other, tries=(Try("1", Fate.RETURNED, entry.at, 0, entry.at + 5),))
    world.reward(name, other, "1", entry.at, returned=True)


def over_the_cap_of_a_day(world: Lottery) -> None:
    """All mugs that were won leave on one day."""
    days = world.rules.frozen.days
    for name, number in world.all_of("1"):
        link = world.entry(name, number).won
        assert link is not None
        at = days[2] + 3 * HOUR_MS + number
        world.move_claim(name, number, at)
    world.now = world.rules.frozen.ends_at - 1


def before_its_time(world: Lottery) -> None:
    name, number = world.all_of("2")[0]
    world.move_claim(name, number, world.rules.frozen.starts_at)


def lies_in_another_bucket(world: Lottery) -> None:
    world.misfiled = next(iter(world.records))


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (won_too_often, "over_prize_limit"),
        (over_the_cap_of_a_day, "over_day_cap"),
        (before_its_time, "unit_before_its_time"),
        (lies_in_another_bucket, "record_malformed"),
        (lost_claim, "win_without_unit"),
        (claim_of_a_lost_entry, "unit_without_win"),
        (claim_of_an_entry_that_nobody_took, "unit_without_win"),
        (claim_of_nobody, "unit_without_win"),
        (second_claim_of_one_entry, "unit_without_win"),
        (claim_under_another_name, "claim_misnamed"),
        (unit_in_a_cart, "claim_misnamed"),
        (returned_unit_is_still_claimed, "unit_without_win"),
        (lost_reward, "reward_missing"),
        (reward_of_a_lost_entry, "reward_without_win"),
        (reward_of_an_entry_that_nobody_took, "reward_mismatch"),
        (second_reward_of_one_win, "reward_mismatch"),
        (reward_of_a_reservation, "reward_mismatch"),
        (reward_of_another_prize, "reward_mismatch"),
        (reward_of_two_units, "reward_mismatch"),
        (reward_of_a_returned_prize_on_its_way, "reward_mismatch"),
        (reward_settled_and_the_win_not_returned, "return_unrecorded"),
        (reward_delivered_twice, "delivered_twice"),
        (left_pending_for_long, "entry_unsettled"),
        (entry_before_the_start, "entry_out_of_time"),
        (entry_at_the_end, "entry_out_of_time"),
        (judged_by_another_version, "wrong_prize_table"),
        (more_entries_than_allowed, "over_allowance"),
        (more_chances_than_allowed, "over_allowance"),
        (alias_of_another_shopper, "entrant_misnamed"),
        (another_seed, "seed_changed"),
        (no_seed, "seed_changed"),
        (a_win_written_over, "wrong_outcome"),
        (a_hit_called_gone, "wrong_outcome"),
    ],
    ids=lambda value: value.__name__ if callable(value) else value,
)
def test_each_planted_fault_is_found_by_name(plant: Callable[[Lottery], None], code: str) -> None:
    world = Lottery()
    plant(world)
    found = set(codes(audit(world)))
    assert found - ALSO.get(plant, set()) == {code}, audit(world).violations


ALSO: dict[Callable[[Lottery], None], set[str]] = {
    # A unit too many breaks what the stock promises as well.
    second_claim_of_one_entry: {"shopper_over_sku_limit", "shopper_over_campaign_limit"},
    returned_unit_is_still_claimed: {"over_day_cap"},
    before_its_time: {"wrong_outcome"},
}


# --- a lottery that goes on while it is audited -------------------------------------------------------------------


def test_what_looked_wrong_between_two_reads_is_judged_as_of_one_moment() -> None:
    world = Lottery()
    name, number = world.winner()
    won, entry = world.entry(name, number).won, world.entry(name, number)
    assert won is not None
    world.replace(name, number, tries=(Try(won.slot, Fate.GONE, entry.at),))

    def settle() -> None:
        world.replace(name, number, tries=entry.tries)

    world.at_moment = settle
    world.now = world.rules.frozen.ends_at - 1
    findings = audit(world)
    assert "unit_without_win" not in codes(findings)
    assert world.reads_together == 1


@pytest.mark.parametrize("has_its_unit", [True, False])
def test_an_entry_may_wait_for_its_unit_for_a_while(has_its_unit: bool) -> None:
    world = Lottery()
    name, number = world.last_loser()
    world.now = world.entry(name, number).at + UNSETTLED_MS
    world.replace(name, number, tries=(Try("3", Fate.PENDING),))
    if has_its_unit:
        world.claim(name, number, "3", home_shard(claim_name(entry_id(ID, name, number)), 3), world.now)
    findings = audit(world)
    assert findings.ok, findings.violations
    assert "1 entries wait for their unit." in findings.notes
    world.now += 1
    assert codes(audit(world)) == ["entry_unsettled"]


def test_the_unit_of_another_prize_than_the_one_waited_for_is_none_of_its() -> None:
    world = Lottery()
    name, number = world.last_loser()
    world.now = world.entry(name, number).at + UNSETTLED_MS
    world.replace(name, number, tries=(Try("0", Fate.PENDING),))
    world.claim(name, number, "3", home_shard(claim_name(entry_id(ID, name, number)), 3), world.now)
    assert codes(audit(world)) == ["unit_without_win"]


def test_a_reward_that_comes_late_is_waited_for() -> None:
    world = Lottery()
    key = world.reward_key(*world.winner())
    late = world.rewards.pop(key)

    def arrive() -> None:
        if len(world.naps) == 2:
            world.rewards[key] = late

    world.on_nap = arrive
    assert audit(world).ok
    assert len(world.naps) == 2


def test_strict_does_not_wait() -> None:
    world = Lottery()
    del world.rewards[world.reward_key(*world.winner())]
    assert codes(audit(world, strict=True)) == ["reward_missing"]
    assert world.naps == []


def test_a_forfeited_prize_on_its_way_back_is_no_fault() -> None:
    """The reward is forfeited, then the entry says that its unit goes back, then it does, then the reward says so."""
    world = Lottery()
    name, number = world.winner()
    entry = world.entry(name, number)
    won = entry.won
    assert won is not None
    world.reward(name, number, won.slot, entry.at, status="forfeited", accepted=0, cycle=0, status_at=world.now)
    assert audit(world).ok
    world.replace(name, number, tries=(*entry.tries[:-1], won._replace(fate=Fate.RETURNED, returned_at=world.now)))
    assert audit(world).ok
    world.now += UNSETTLED_MS
    assert audit(world).ok
    world.now += 1
    assert set(codes(audit(world))) == {"unit_without_win", "units_owed"}
    world.give_unit_back(name, number)
    world.reward(name, number, won.slot, entry.at, returned=True)
    assert audit(world).ok


def test_many_entrants_are_read_in_batches() -> None:
    world = Lottery(24, shoppers=130, requests=900)
    findings = audit(world)
    assert findings.ok, findings.violations
    assert findings.entries is not None
    assert findings.entries.entrants > 100


# --- a judge of its own -------------------------------------------------------------------------------------------


def test_the_audit_of_lotteries_shares_no_code_with_what_it_judges() -> None:
    for module in (audit_lottery, audit_lottery_records, audit_lottery_rules):
        path = Path(module.__file__ or "")
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "brandday"], (path, names)
