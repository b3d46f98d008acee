"""Thousands of entries by four processes: what the tables say, what the receipt says, what the shoppers were told.

The lottery has everything that races can break: a prize with a cap per shopper, one with a cap per day, one whose
winning moments come while the race is on, a consolation that runs out, pity, earned chances, and more requests than
the allowance has entries. Seed and names are fixed, so which prize an entry hits is the same in every run; who gets
the last unit is not.

The negative control comes first: the naive way has to give out too much in this very harness.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import batched, count, groupby
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ours import Shards
from brandday.adapters.stock_table import StockTable
from brandday.config.mechanics import parse_campaign
from brandday.domain.draw import path_to
from brandday.domain.draw_record import ALPHABET
from brandday.domain.entrant import Entrant, Rules, claim_name, entry_id, misses_in_a_row
from brandday.domain.luck import write_odds
from brandday.domain.pacing import day_of
from brandday.domain.receipt import entry_proof, instant_receipt, row_leaf
from brandday.domain.receipt_check import check_proof, verify
from brandday.usecases.enter_lottery import GrantChances
from brandday.usecases.live_campaigns import LiveCampaigns
from brandday.usecases.live_lotteries import LiveLotteries
from brandday.usecases.operate_campaign import OperateCampaign
from brandday.usecases.ports import SHARDS_PER_READ
from tests.concurrency.lottery_processes import (
    LotteryProcesses,
    LotteryTables,
    Reply,
    Request,
    lottery_tables,
    now,
    table_like,
)
from tests.concurrency.processes import PROCESSES
from tests.engines import Engine
from tests.fakes.declarations import FULFILMENT
from tests.fakes.destinations import all_reachable
from tests.fakes.lottery_declarations import COMPLIANCE
from tests.unit.chi_squared import is_fair

CAMPAIGN = "lucky-race"
VERIFIER = Path(__file__).parents[2] / "docs" / "verify_draw.py"
LIMIT = "entry_limit_reached"
DIGITAL = FULFILMENT | {"by_kind": {"digital": FULFILMENT["by_kind"]["order"]}}
PER_DAY, REQUESTS = 4, 5
CAR_ODDS, MUG_ODDS = Fraction(1, 50), Fraction(1, 10)
PITY_AFTER = 3
LASTS_MS = 20 * 60 * 1000
MOMENTS = 900
"""In twenty minutes: one every 1.3 seconds, so that some are met while the race is on."""

SMALL, FULL = 240, 2400
"""Shoppers, of whom each sends five requests, and one in five has an earned chance besides the allowance of four."""

sizes = pytest.mark.parametrize("shoppers", [SMALL, pytest.param(FULL, marks=pytest.mark.soak)])


@pytest.fixture(scope="module")
def processes() -> Iterator[LotteryProcesses]:
    """Four processes, started once for all races."""
    with closing(LotteryProcesses()) as four:
        yield four


@pytest.fixture
def tables(engine: Engine) -> Iterator[LotteryTables]:
    with lottery_tables(engine) as made:
        yield made


def declaration(shoppers: int) -> dict[str, Any]:
    """Twenty minutes of luck; prizes are fewer than hits, so that all of them run out or come to their cap."""
    return {
        "id": CAMPAIGN,
        "title": {"en": "Race"},
        "mechanic": "lottery",
        "mode": "instant",
        "time_zone": "UTC",
        "starts_at": _utc(now()),
        "ends_at": _utc(now() + LASTS_MS),
        "channels": ["app"],
        "compliance": COMPLIANCE,
        "prizes": [
            _prize("CAR", shoppers // 40, odds=CAR_ODDS, per_shopper=1),
            _prize("MUG", shoppers, odds=MUG_ODDS, per_day=shoppers // 5),
            _prize("WATCH", MOMENTS, release={"plan": "moments"}),
            _prize("STICKER", shoppers // 2),
        ],
        "consolation": "STICKER",
        "pity": {"after": PITY_AFTER, "prize": "MUG"},
        "entries": {"per_day": PER_DAY, "per_campaign": PER_DAY, "earned": 1},
        "fulfilment": DIGITAL,
    }


def _prize(name: str, stock: int, *, odds: Fraction | None = None, **others: Any) -> dict[str, Any]:
    rolled = {} if odds is None else {"odds": write_odds(odds)}
    return {
        "prize": name,
        "title": {"en": name.lower()},
        "stock": stock,
        "reward": {"kind": "digital"},
        **rolled,
        **others,
    }


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def open_lottery(client: Any, tables: LotteryTables, shoppers: int) -> None:
    """Publish the lottery with a seed and names that are the same in every run, and grant the earned chances."""
    numbers = count()
    operate = OperateCampaign(
        tables.campaigns(client),
        StockTable(client, tables.stock),
        now,
        lambda size: hashlib.shake_256(b"race %d" % next(numbers)).digest(size),
        all_reachable,
    )
    operate.apply(parse_campaign(declaration(shoppers)).to_campaign(), "operator", publish=True)
    campaigns = tables.campaigns(client)
    grant = GrantChances(LiveLotteries(LiveCampaigns(campaigns, now), campaigns), tables.entries(client), now)
    for number in range(0, shoppers, 5):
        assert not grant(CAMPAIGN, f"shopper-{number}", "check-in", 1)


def wishes(shoppers: int) -> list[Request]:
    """Five each: of every other shopper at the same moment, by four processes; some of them twice."""
    together = [Request(f"shopper-{one}", f"key-{key}") for one in range(0, shoppers, 2) for key in range(REQUESTS)]
    apart = [Request(f"shopper-{one}", f"key-{key}") for key in range(REQUESTS) for one in range(1, shoppers, 2)]
    twice = [wish for wish in together if wish.key == "key-0" for _ in range(2)]
    return twice + together[len(together) // 2 :] + apart + together[: len(together) // 2]


@dataclass(frozen=True)
class Outcome:
    """What is in the tables when all is over; `units` is (prize, name of a claim) -> units."""

    rules: Rules
    records: list[Entrant]
    receipt: dict[str, Any]
    units: Counter[tuple[str, str]]


def look(client: Any, tables: LotteryTables) -> Outcome:
    """Read the tables; fails at once if a shard does not add up."""
    campaigns, stock = tables.campaigns(client), StockTable(client, tables.stock)
    campaign = campaigns.load(CAMPAIGN, consistent=True)[0]
    lottery = LiveLotteries(LiveCampaigns(campaigns, now), campaigns).get(CAMPAIGN)
    assert campaign.layout is not None
    records = [each for name in ALPHABET for each in tables.entries(client).bucket(lottery.state.frozen, name)]
    units: Counter[tuple[str, str]] = Counter()
    for few in batched(range(campaign.layout.shards), SHARDS_PER_READ, strict=False):
        for shard in stock.read(CAMPAIGN, few, consistent=True):
            for slot, prize in campaign.layout.skus.items():
                mine = {name: entry.units for name, entry in shard.entries() if entry.slot == slot and entry.units}
                capacity = campaign.layout.capacity(slot, shard.number)
                assert shard.free.get(slot, capacity) + sum(mine.values()) == capacity, f"shard {shard.number}"
                units.update({(prize, name): many for name, many in mine.items()})
    played = [record for record in records if record.entries]
    return Outcome(lottery.rules, played, instant_receipt(lottery.rules, played), units)


# --- what must hold, of any way to run a lottery ---


def over_stock(replies: list[Reply], stock: dict[str, int]) -> dict[str, int]:
    """Prizes of which more were given away than there were, and how many."""
    given = Counter(prize for prize, _ in {(reply.prize, reply.entry_id) for reply in replies if reply.prize})
    return {prize: many for prize, many in given.items() if many > stock[prize]}


def over_allowance(replies: list[Reply], allowed: dict[str, int]) -> dict[str, int]:
    """Shoppers who entered more often than they may, and how often."""
    taken = {(reply.request.shopper, reply.entry_id) for reply in replies if reply.entry_id}
    entries = Counter(shopper for shopper, _ in taken)
    return {shopper: many for shopper, many in entries.items() if many > allowed[shopper]}


def test_control_look_then_write_gives_out_too_much(engine: Engine, processes: LotteryProcesses) -> None:
    stock, shoppers = 5, 20
    devices = [Request(f"shopper-{one}", f"{one}-{device}") for one in range(shoppers) for device in range(PROCESSES)]
    with closing(engine.client()) as client, table_like("CampaignTable", client) as table:
        replies = processes.enter_naively(table, engine, devices, stock)
    assert over_stock(replies, {"PRIZE": stock}), "the harness does not bite"
    assert over_allowance(replies, {f"shopper-{one}": 1 for one in range(shoppers)}), "the harness does not bite"


@sizes
def test_thousands_of_entries_by_four_processes(
    tables: LotteryTables, processes: LotteryProcesses, shoppers: int, tmp_path: Path
) -> None:
    sent = wishes(shoppers)
    with closing(tables.engine.client()) as client:
        open_lottery(client, tables, shoppers)
        project = Shards.of_tables(tables.stock, tables.campaign).background(client, now)
        with processes.entering(tables, CAMPAIGN, sent) as answers:
            while not answers.ready():
                project()
                time.sleep(0.1)
        replies = answers.get()
        again = processes.enter(tables, CAMPAIGN, list(dict.fromkeys(sent)), shift=1)
        outcome = look(client, tables)

    check_replies(replies, again, outcome)
    check_tables(replies, outcome, shoppers)
    check_frequencies(outcome)
    check_receipt(outcome.receipt, tmp_path)


def check_replies(replies: list[Reply], again: list[Reply], outcome: Outcome) -> None:
    """Each request has one answer, whoever gave it and however often, and it is what the receipt says."""
    said: dict[Request, set[tuple[str | None, str, str | None]]] = defaultdict(set)
    for reply in replies + again:
        said[reply.request].add((reply.entry_id, reply.code, reply.prize))
    for request, answers in said.items():
        taken = {answer for answer in answers if answer[0]}
        assert len(taken) <= 1, f"{request} was answered with {answers}"
        # Refused and then taken, by a request that came later: never the other way.
        assert not taken or {code for _, code, _ in answers - taken} <= {LIMIT}
    assert all(reply.replayed for reply in again if reply.entry_id)
    refused = {reply.request for reply in again if not reply.entry_id}
    assert {reply.code for reply in again if not reply.entry_id} == {LIMIT}
    assert not refused & {reply.request for reply in replies if reply.entry_id}
    assert {reply.code for reply in replies} == {"won", "lost", LIMIT}

    told = {entry: (code, prize) for answers in said.values() for entry, code, prize in answers if entry}
    prizes = {slot: prize for prize, slot in outcome.rules.slots.items()}
    kept = {
        entry_id(CAMPAIGN, record.name, number): ("won", prizes[entry.won.slot]) if entry.won else ("lost", None)
        for record in outcome.records
        for number, entry in enumerate(record.entries, 1)
    }
    assert told == kept


def check_tables(replies: list[Reply], outcome: Outcome, shoppers: int) -> None:
    """Every win has one unit and every unit one win; stocks, caps and allowances hold, and were put to the test."""
    stock = {prize.id: prize.stock for prize in outcome.rules.lottery.prizes}
    allowed = {f"shopper-{one}": PER_DAY + (one % 5 == 0) for one in range(shoppers)}
    assert over_stock(replies, stock) == {}
    assert over_allowance(replies, allowed) == {}
    assert len(outcome.records) == shoppers
    assert sum(len(record.entries) for record in outcome.records) == sum(allowed.values())

    prizes = {slot: prize for prize, slot in outcome.rules.slots.items()}
    wins, per_day, of_shopper = Counter[tuple[str, str]](), Counter[tuple[str, int]](), Counter[tuple[str, str]]()
    for record in outcome.records:
        for number, entry in enumerate(record.entries, 1):
            assert entry.pending is None
            if (won := entry.won) is not None and won.at is not None:
                prize = prizes[won.slot]
                wins[prize, claim_name(entry_id(CAMPAIGN, record.name, number))] += 1
                per_day[prize, day_of(outcome.rules.frozen.days, won.at)] += 1
                of_shopper[prize, record.name] += 1
    assert wins == outcome.units
    given = Counter(prize for prize, _ in wins.elements())
    assert all(given[prize] <= stock[prize] for prize in given)
    assert given["CAR"] == stock["CAR"], "cars were too many for a race"
    assert given["STICKER"] == stock["STICKER"], "stickers were too many for a race"
    assert max(many for (prize, _), many in per_day.items() if prize == "MUG") == shoppers // 5
    assert max(many for (prize, _), many in of_shopper.items() if prize == "CAR") == 1
    assert given["WATCH"], "no winning moment came while the race was on"
    fates = Counter(str(link.fate) for record in outcome.records for entry in record.entries for link in entry.tries)
    assert {"won", "gone", "day_full"} <= set(fates)


def check_frequencies(outcome: Outcome) -> None:
    """What entries hit by their roll is what the odds promise; a table with other odds is told apart."""
    slots = outcome.rules.slots
    hits: Counter[str] = Counter()
    for record in outcome.records:
        for number, entry in enumerate(record.entries):
            before = replace(record, entries=record.entries[:number])
            if misses_in_a_row(before, slots["STICKER"]) < PITY_AFTER:  # else it was pity, not luck
                first = entry.tries[0].slot if entry.tries else ""
                hits[first if first in (slots["CAR"], slots["MUG"]) else ""] += 1
    observed = [hits[slots["CAR"]], hits[slots["MUG"]], hits[""]]
    assert is_fair(observed, [CAR_ODDS, MUG_ODDS, 1 - CAR_ODDS - MUG_ODDS]), observed
    biased = 2 * MUG_ODDS
    assert not is_fair(observed, [CAR_ODDS, biased, 1 - CAR_ODDS - biased]), "the test tells nothing apart"


def check_receipt(receipt: dict[str, Any], folder: Path) -> None:
    """Both verifiers agree with it, and with no other; so does the proof of every single entry."""
    assert verify(receipt) == []
    assert _verified_by_the_script(receipt, folder) == ""
    tampered = deepcopy(receipt)
    row = next(row for row in tampered["entrants"] if any(entry["tries"] for entry in row["entries"]))
    entry = next(entry for entry in row["entries"] if entry["tries"])
    entry["tries"][-1]["fate"] = "gone" if entry["tries"][-1]["fate"] == "won" else "won"
    assert verify(tampered) != []
    assert row["entrant"] in _verified_by_the_script(tampered, folder)

    seed, table = bytes.fromhex(receipt["seed"]), receipt["tables"][0]
    roots = [bytes.fromhex(bucket["root"]) for bucket in receipt["sealed"]["buckets"]]
    published = receipt["sealed"]["root"]
    for number, (_, group) in enumerate(groupby(receipt["entrants"], lambda row: row["entrant"][:1])):
        rows = list(group)
        leaves = [row_leaf(row) for row in rows]
        for at, row in enumerate(rows):
            steps = path_to(leaves, at, roots, number)
            for play, entry in enumerate(row["entries"], 1):
                facts = {
                    "entry": entry_id(CAMPAIGN, row["entrant"], play),
                    "at": entry["at"],
                    "table": entry["table"],
                    "table_hash": table["hash"],
                    "commitment": table["table"]["commitment"],
                }
                proof = entry_proof(facts, row, seed, None, steps, bytes.fromhex(published))
                assert check_proof(proof, published, [table["hash"]]) == []


def _verified_by_the_script(receipt: dict[str, Any], folder: Path) -> str:
    """What docs/verify_draw.py, which shares no code with us, has against a receipt; nothing if it finds it right."""
    file = folder / "receipt.json"
    file.write_text(json.dumps(receipt), encoding="utf-8")
    done = subprocess.run([sys.executable, VERIFIER, file], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr if done.returncode else ""
