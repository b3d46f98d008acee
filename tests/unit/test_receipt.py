"""Receipts: an honest one verifies, and each way to cheat is found and named, hashes made to fit or not."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from brandday.domain.draw import Tickets, path_to, ticket_leaf
from brandday.domain.entrant import Entry, Fate
from brandday.domain.luck import canonical, digest
from brandday.domain.receipt import entry_facts, entry_proof, instant_receipt, row_leaf, seal, ticket_row
from brandday.domain.receipt_check import CLOCK_ERROR_MS, check_proof, verify
from tests.unit.lottery_world import START, honest_draw, honest_instant, play

SEEDS = some.integers(0, 10_000)
Receipt = dict[str, Any]


@settings(max_examples=40, deadline=None)
@given(SEEDS)
@example(427)  # a moment that came while the consolation was pending
@example(100)  # a moment that was met while the prize of the roll was pending
def test_an_honest_receipt_verifies_also_after_a_way_through_a_file(seed: int) -> None:
    for receipt in (honest_instant(seed), honest_draw(seed)):
        assert verify(receipt) == []
        assert verify(json.loads(canonical(receipt))) == []


def test_honest_receipts_of_the_tests_have_every_fate() -> None:
    fates = Counter(
        link["fate"]
        for seed in range(20)
        for row in honest_instant(seed)["entrants"]
        for entry in row["entries"]
        for link in entry["tries"]
    )
    assert set(fates) == {"won", "returned", "gone", "day_full", "per_shopper", "not_released"}


def test_what_is_still_pending_does_not_verify() -> None:
    rules, records = play(3)
    record = next(each for each in records if each.entries[-1].tries)
    entry = record.entries[-1]
    waiting = entry._replace(
        tries=(*entry.tries[:-1], entry.tries[-1]._replace(fate=Fate.PENDING, at=None, shard=None))
    )
    records[records.index(record)] = record.replaced(len(record.entries), waiting)
    assert named(verify(instant_receipt(rules, records)), f"entrants/{record.name}/{len(record.entries)}")


# --- one field changed ---


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to everything in a JSON value that is neither an object nor a list."""
    if isinstance(value, dict):
        return [found for name, part in value.items() for found in leaves(part, (*path, name))]
    if isinstance(value, list):
        return [found for at, part in enumerate(value) for found in leaves(part, (*path, at))]
    return [path]


def at(receipt: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        receipt = receipt[step]
    return receipt


def tampered(receipt: Receipt, path: tuple[Any, ...], value: Any) -> Receipt:
    changed = copy.deepcopy(receipt)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def other_values(value: Any) -> list[Any]:
    if isinstance(value, int):
        return [value + 1, value - 1, value + 86_400_000, None, "x", -value - 5]
    if isinstance(value, str):
        flipped = value[:-1] + ("0" if value[-1:] != "0" else "1")
        return [flipped, value.upper() if value != value.upper() else value + "A", "", None, 7]
    return [1, "x", "00" * 32]


def place_of(receipt: Receipt, path: tuple[Any, ...]) -> str:
    """Where a problem with this field must be said to be."""
    match path:
        case ("tables", index, *_):
            return f"tables/{index + 1}"
        case ("release", prize, *_):
            return f"release/{prize}"
        case ("sealed", "buckets", index, *_):
            return f"sealed/buckets/{receipt['sealed']['buckets'][index]['bucket']}"
        case ("sealed", size):
            return f"sealed/{size}"
        case ("entrants", index, "entrant"):
            return (
                f"sealed/buckets/{receipt['entrants'][index]['entrant'][: bucket_chars(receipt)]} or entrants/{index}"
            )
        case ("entrants", index, *_):
            return f"entrants/{receipt['entrants'][index]['entrant']}"
        case ("winners" | "reserves" | "moved_up" as part, index, *_):
            return f"{part}/{index + 1}"
        case (name, *_):
            return str(name)
    raise AssertionError(path)


def bucket_chars(receipt: Receipt) -> int:
    return int(receipt["tables"][0]["table"]["bucket_chars"])


def named(problems: list[Any], where: str) -> bool:
    """Whether a problem is at this place, or above it when the whole cannot be read."""
    return any(
        each[0] == place or each[0].startswith(f"{place}/") or each[0] == "receipt"
        for each in problems
        for place in where.split(" or ")
    )


RECEIPTS: list[Receipt] = [honest_instant(5), honest_instant(11), honest_draw(1), honest_draw(2), honest_draw(4)]


@settings(max_examples=300, deadline=None)
@given(some.sampled_from(RECEIPTS), some.data())
def test_any_single_field_that_was_changed_is_found_and_named(receipt: Receipt, data: some.DataObject) -> None:
    path = data.draw(some.sampled_from(leaves(receipt)))
    value = data.draw(some.sampled_from(other_values(at(receipt, path))))
    problems = verify(tampered(receipt, path, value))
    assert problems, path
    assert named(problems, place_of(receipt, path)), (path, value, problems)


@pytest.mark.parametrize("number", range(len(RECEIPTS)))
def test_every_field_is_one_that_somebody_looks_at(number: int) -> None:
    receipt = RECEIPTS[number]
    seen = set()
    for path in leaves(receipt):
        shape = tuple("*" if isinstance(step, int) else step for step in path)
        if shape not in seen:
            seen.add(shape)
            value = other_values(at(receipt, path))[0]
            assert named(verify(tampered(receipt, path, value)), place_of(receipt, path)), (path, value)


def test_an_entrant_left_out_added_or_moved_is_found() -> None:
    receipt = honest_draw(1)
    rows = receipt["entrants"]
    bucket = f"sealed/buckets/{rows[4]['entrant'][: bucket_chars(receipt)]}"
    assert named(verify({**receipt, "entrants": rows[:4] + rows[5:]}), bucket)
    assert named(verify({**receipt, "entrants": [*rows, ticket_row(Tickets("z" * 12, 1))]}), "sealed/buckets/z")
    assert verify({**receipt, "entrants": [rows[1], rows[0], *rows[2:]]})
    assert named(verify({**receipt, "more": 1}), "receipt")


# --- cheating with care: all hashes fit ---


def resealed(receipt: Receipt) -> Receipt:
    """The receipt of an operator who makes all hashes fit what they changed."""
    for at_table, part in enumerate(receipt["tables"]):
        part["table"]["previous"] = receipt["tables"][at_table - 1]["hash"] if at_table else None
        part["hash"] = digest(part["table"])
    for row in receipt["entrants"]:
        row["leaf"] = row_leaf(row).hex()[:16]
    receipt["sealed"] = seal(receipt["entrants"], bucket_chars(receipt))
    return receipt


def found_with(fate: str, prize: str | None = None) -> tuple[Receipt, Any, int, int]:
    """A receipt, a row of it, an entry's index and the index of a link with this fate."""
    for seed in range(200):
        receipt = honest_instant(seed)
        for row in receipt["entrants"]:
            for number, entry in enumerate(row["entries"]):
                for index, link in enumerate(entry["tries"]):
                    if link["fate"] == fate and prize in (None, link["prize"]):
                        return receipt, row, number, index
    raise AssertionError(fate)


def cheat_win_denied(link: Any) -> None:
    link.update(fate="gone")
    link.pop("shard")


def cheat_loss_won(link: Any) -> None:
    link.update(fate="won", shard=0)


def cheat_too_early(link: Any) -> None:
    link["at"] -= 2 * CLOCK_ERROR_MS + 60 * 86_400_000


@pytest.mark.parametrize(
    ("fate", "cheat"),
    [
        ("won", cheat_win_denied),
        ("won", cheat_too_early),
        ("won", lambda link: link.update(shard=99)),
        ("gone", lambda link: link.update(fate="per_shopper")),
        ("gone", cheat_too_early),
        ("per_shopper", lambda link: link.update(fate="gone", at=1_793_000_000_001)),
        ("not_released", cheat_loss_won),
        ("won", lambda link: link.update(fate="pending")),
    ],
    ids=[
        "win denied",
        "won before the entry",
        "no such shard",
        "gone is no cap",
        "gone before the entry",
        "cap is not gone",
        "won before its release",
        "left pending",
    ],
)
def test_a_changed_fate_is_found_though_all_hashes_fit(fate: str, cheat: Callable[[Any], None]) -> None:
    receipt, row, number, index = found_with(fate)
    cheat(row["entries"][number]["tries"][index])
    assert named(verify(resealed(receipt)), f"entrants/{row['entrant']}/{number + 1}")


def test_a_win_taken_away_is_found_where_others_were_told_that_it_was_gone() -> None:
    for seed in range(200):
        rules, records = play(seed)
        slot = rules.slots["car"]
        gone = [r for r in records for e in r.entries for t in e.tries if (t.slot, t.fate) == (slot, "gone")]
        winners = [r for r in records if any(e.won and e.won.slot == slot for e in r.entries)]
        if gone and winners and winners[0] not in gone:
            records.remove(winners[0])
            problems = verify(instant_receipt(rules, records))
            assert any("had not been won" in each.what for each in problems)
            return
    raise AssertionError("no such lottery")


def test_more_wins_than_units_are_found() -> None:
    for seed in range(100):
        receipt = honest_instant(seed)
        gone = [
            (row, number, link)
            for row in receipt["entrants"]
            for number, entry in enumerate(row["entries"], 1)
            for link in entry["tries"]
            if link["fate"] == "gone" and link["prize"] == "sticker"
        ]
        if gone:
            *_, link = gone[0]
            link.update(fate="won", shard=0)
            problems = verify(resealed(receipt))
            assert any("units released" in each.what for each in problems)
            return
    raise AssertionError("no such lottery")


def test_an_entry_beyond_the_allowance_is_found() -> None:
    receipt = honest_instant(3)
    row = max(receipt["entrants"], key=lambda each: len(each["entries"]))
    allowance = receipt["tables"][0]["table"]["allowance"]
    last = row["entries"][-1]
    row["entries"] += [{"at": last["at"] + step, "table": last["table"], "tries": []} for step in range(1, 9)]
    assert allowance["per_day"] + row["chances"] < 9
    problems = verify(resealed(receipt))
    assert any("allowance" in each.what for each in problems)


def test_an_entry_judged_by_another_version_is_found() -> None:
    receipt = honest_instant(3)
    row = next(row for row in receipt["entrants"] if row["entries"][-1]["table"] == 2)
    row["entries"][-1]["table"] = 1
    assert named(verify(resealed(receipt)), f"entrants/{row['entrant']}/{len(row['entries'])}")


def test_a_winning_moment_that_is_passed_over_is_found() -> None:
    rules, records = play(3)
    slot = rules.slots["watch"]
    winners = [r for r in records if any(e.won and e.won.slot == slot for e in r.entries)]
    assert winners
    problems = verify(instant_receipt(rules, [each for each in records if each not in winners]))
    assert any("passed over" in each.what for each in problems)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table["prizes"][0].update(stock=99),
        lambda table: table["prizes"][0].update(odds="1/2"),
        lambda table: table["prizes"][1].update(odds="1/2"),
        lambda table: table["prizes"][0].update(title={"en": "A toy car"}),
        lambda table: table.update(since_ms=table["starts_ms"]),
        lambda table: table.update(consolation="car"),
    ],
    ids=["stock", "out of bounds", "odds that were fixed", "title", "at once", "consolation"],
)
def test_a_version_may_change_nothing_but_odds_within_their_bounds(change: Callable[[Any], None]) -> None:
    receipt = honest_instant(3)
    change(receipt["tables"][1]["table"])
    assert named(verify(resealed(receipt)), "tables/2")


def test_a_reserve_out_of_turn_is_found() -> None:
    receipt = next(each for each in map(honest_draw, range(50)) if each["moved_up"])
    receipt["moved_up"][0]["reserve"] = receipt["reserves"][-1]["entrant"]
    assert named(verify(receipt), "moved_up/1")


def test_what_is_no_receipt_is_a_problem_and_no_crash() -> None:
    broken: list[Receipt] = [{}, {"tables": []}, {**honest_draw(1), "entrants": 5}, {**honest_instant(1), "sealed": {}}]
    for nonsense in broken:
        assert verify(nonsense)


# --- the proof of one entry ---


def proof_of_ticket() -> tuple[dict[str, Any], str, list[str]]:
    receipt = honest_draw(2)
    table, chars = receipt["tables"][0], bucket_chars(receipt)
    row = receipt["entrants"][7]
    names = [bucket["bucket"] for bucket in receipt["sealed"]["buckets"]]
    bucket = [each for each in receipt["entrants"] if each["entrant"][:chars] == row["entrant"][:chars]]
    steps = path_to(
        [ticket_leaf(Tickets(each["entrant"], each["tickets"])) for each in bucket],
        bucket.index(row),
        [bytes.fromhex(each["root"]) for each in receipt["sealed"]["buckets"]],
        names.index(row["entrant"][:chars]),
    )
    taken = Entry(START, "tagtag", 1)
    facts = entry_facts("spring", row["entrant"], 1, taken, table["hash"], table["table"]["commitment"])
    beacon = receipt["beacon"] and bytes.fromhex(receipt["beacon"]["randomness"])
    root = receipt["sealed"]["root"]
    proof = entry_proof(facts, row, bytes.fromhex(receipt["seed"]), beacon, steps, bytes.fromhex(root))
    return proof, root, [table["hash"]]


def proof_of_entry() -> tuple[dict[str, Any], str, list[str]]:
    rules, records = play(3)
    receipt = instant_receipt(rules, records)
    chars = bucket_chars(receipt)
    record, row = records[2], receipt["entrants"][2]
    names = [bucket["bucket"] for bucket in receipt["sealed"]["buckets"]]
    bucket = [each for each in receipt["entrants"] if each["entrant"][:chars] == row["entrant"][:chars]]
    steps = path_to(
        [row_leaf(each) for each in bucket],
        bucket.index(row),
        [bytes.fromhex(each["root"]) for each in receipt["sealed"]["buckets"]],
        names.index(row["entrant"][:chars]),
    )
    hashes = [part["hash"] for part in receipt["tables"]]
    entry = record.entries[0]
    facts = entry_facts("spring", record.name, 1, entry, hashes[entry.version - 1], rules.frozen.commitment)
    root = receipt["sealed"]["root"]
    return entry_proof(facts, row, rules.seed or b"", None, steps, bytes.fromhex(root)), root, hashes


@pytest.mark.parametrize("make", [proof_of_ticket, proof_of_entry])
def test_an_entry_is_proven_by_its_facts_and_the_way_to_the_root(
    make: Callable[[], tuple[dict[str, Any], str, list[str]]],
) -> None:
    proof, root, hashes = make()
    assert check_proof(proof, root, hashes) == []
    assert check_proof(proof, "00" * 32, hashes)
    ignored = {("facts", "at"), ("facts", "table")} if make is proof_of_ticket else set()
    for path in leaves(proof):
        for value in other_values(at(proof, path)):
            changed = check_proof(tampered(proof, path, value), root, hashes)
            assert changed or path in ignored, (path, value)
