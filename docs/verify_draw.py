#!/usr/bin/env python3
"""Check a lottery of Brand Day yourself: python3 verify_draw.py RECEIPT.json.

Needs Python 3.11 and nothing else, and shares no code with the shop: every roll, every winning moment and the whole
ranking is computed again from the published receipt. Options --commitment, --table, --root: the hashes that you saw
before the start and after the seal; without them it can only say that the receipt agrees with itself. Option --entry:
the id of your own entry. Exit code 0: all of it holds. All times are milliseconds since 1970.
"""

# fmt: off
# ruff: noqa: D102, D103, T201, RET503 - one page to read from top to bottom, and it talks to a person
import argparse
import json
import sys
from bisect import bisect_left, bisect_right
from collections import defaultdict
from fractions import Fraction
from hashlib import sha256
from hmac import digest
from pathlib import Path

CLOCK_ERROR, MOMENT_GRACE, HOUR = 1000, 5000, 3_600_000
FIELDS = {"format", "campaign", "seed", "beacon", "tables", "release", "sealed", "entrants"}
problems = []  # of (where, what)

def wrong(where, what, unless):
    problems.extend([] if unless else [(where, what)])
def sha(*parts):
    return sha256(b"".join(parts)).digest()
def mac(seed, text):
    return digest(seed, text.encode(), "sha256")
def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
def fraction(text):
    return None if text is None else Fraction(*map(int, text.split("/")))

def tree(nodes):
    """The hash over a list of hashes: pairs are hashed together, level by level; an odd one goes up as it is."""
    while len(nodes) > 1:
        nodes = [sha(b"\1", *nodes[i:i + 2]) if i + 1 < len(nodes) else nodes[i] for i in range(0, len(nodes), 2)]
    return nodes[0] if nodes else sha()

def leaf(row):
    return sha(b"\0", canonical([row[name] for name in ("entrant", "tickets", "chances", "entries") if name in row]))

# --- 1. Nothing was exchanged: seed, prize tables and list have the hashes that were promised.

def check_promises(receipt, first, drawn):
    wrong("receipt", "fields are missing or were added",
          unless=set(receipt) == FIELDS | ({"winners", "reserves", "moved_up"} if drawn else set()))
    wrong("format", "unknown format", unless=receipt["format"] == "brandday-receipt-1")
    wrong("campaign", "is not that of the prize table", unless=receipt["campaign"] == first["campaign"])
    seed = bytes.fromhex(receipt["seed"]) if isinstance(receipt["seed"], str) else b""
    wrong("seed", "is not the one that was promised by its hash",
          unless=sha(seed).hex() == first["commitment"] and seed.hex() == receipt["seed"])
    before, since = None, first["starts_ms"] - 1
    for number, part in enumerate(receipt["tables"], 1):
        table, where = part["table"], f"tables/{number}"
        wrong(where, "this prize table, or its hash, was changed", unless=sha(canonical(table)).hex() == part["hash"])
        wrong(where, "wrong algorithm, version, or version before it", unless=table["version"] == number and
              table["algorithm"] == "brandday-lottery-1" and table["previous"] == before)
        wrong(where, "in force from a wrong time on", unless=since < table["since_ms"] and
              (number > 1 or table["since_ms"] == table["starts_ms"]))
        for name in first.keys() - {"version", "since_ms", "previous", "prizes"}:
            wrong(where, f"{name} must not change", unless=table[name] == first[name])
        odds = [fraction(prize["odds"]) for prize in table["prizes"]]
        wrong(where, "odds are more than 1 together", unless=sum(chance or 0 for chance in odds) <= 1)
        for prize, start, chance in zip(table["prizes"], first["prizes"], odds, strict=True):
            low, high = map(fraction, start["odds_between"] or [start["odds"]] * 2)
            same = {**prize, "odds": 0} == {**start, "odds": 0} and (chance is None) == (low is None)
            wrong(where, f"{prize['id']}: wrong change", unless=same and (chance is None or low <= chance <= high))
        before, since = part["hash"], table["since_ms"]
    beacon = receipt["beacon"]
    wrong("beacon", "is or is not needed", unless=(beacon is None) != bool(drawn and first["draw"]["beacon"]))
    if beacon is not None:
        signature = bytes.fromhex(beacon["signature"]) if isinstance(beacon["signature"], str) else b""
        wrong("beacon", "the random number does not belong to the signature",
              unless=beacon == {"randomness": sha(signature).hex(), "signature": signature.hex()})

def check_list(receipt, first):
    rows, sealed, buckets = receipt["entrants"], receipt["sealed"], defaultdict(list)
    for at, row in enumerate(rows):
        name, size = row["entrant"], 3 if first["mode"] == "draw" else 4
        wrong(f"entrants/{name}", "was changed, or its hash was", unless=leaf(row).hex()[:16] == row["leaf"])
        wrong(f"entrants/{name}", "out of order", unless=at == 0 or rows[at - 1]["entrant"] < name)
        wrong(f"entrants/{name}", "fields are missing or were added", unless=len(row) == size)
        buckets[name[:first["bucket_chars"]]].append(leaf(row))
    found = [{"bucket": key, "root": tree(rows).hex(), "entrants": len(rows)} for key, rows in sorted(buckets.items())]
    for key in {bucket["bucket"] for bucket in found + sealed["buckets"]} if found != sealed["buckets"] else ():
        one, other = ([bucket for bucket in part if bucket["bucket"] == key] for part in (found, sealed["buckets"]))
        wrong(f"sealed/buckets/{key}", "somebody in it was changed, added or left out", unless=one == other)
    entries = sum(row["tickets"] if "tickets" in row else len(row["entries"]) for row in rows)
    root = tree([bytes.fromhex(bucket["root"]) for bucket in sealed["buckets"]]).hex()
    for name, value in {"root": root, "entrants": len(rows), "entries": entries}.items():
        wrong(f"sealed/{name}", f"should be {value}", unless=sealed[name] == value and len(sealed) == 4)

# --- 2. A draw: rank everybody again.

def check_draw(receipt, first):
    seed, beacon, best = bytes.fromhex(receipt["seed"]), receipt["beacon"], []
    seed = sha(seed, bytes.fromhex(beacon["randomness"])) if beacon else seed
    most, start = first["allowance"]["per_campaign"] + first["allowance"]["earned"], f"ent_{first['campaign']}."
    for name, count in ((row["entrant"], row["tickets"]) for row in receipt["entrants"]):
        wrong(f"entrants/{name}", "has more tickets than allowed, or none", unless=1 <= count <= most)
        best.append(min((mac(seed, f"{start}{name}.{n}").hex(), name, n) for n in range(1, count + 1)))
    prizes = [prize["id"] for prize in first["prizes"] for _ in range(prize["stock"])]
    places = [{"rank": r, "entrant": name, "ticket": n, "key": key} for r, (key, name, n) in enumerate(sorted(best), 1)]
    winners = [{**place, "prize": prize} for place, prize in zip(places, prizes, strict=False)]
    reserves = places[len(prizes):len(prizes) + first["draw"]["reserves"]]
    for part, should in (("winners", winners), ("reserves", reserves)):
        wrong(part, f"there should be {len(should)}", unless=len(receipt[part]) == len(should))
        for at, (one, other) in enumerate(zip(receipt[part], should, strict=False), 1):
            wrong(f"{part}/{at}", f"should be {other}", unless=one == other)
    wrong("release", "has no place in a draw", unless=receipt["release"] == {})
    holds = {winner["entrant"]: winner["prize"] for winner in winners}
    for at, moved in enumerate(receipt["moved_up"]):
        reserve, prize = reserves[at]["entrant"] if at < len(reserves) else None, holds.pop(moved["forfeited"], None)
        wrong(f"moved_up/{at + 1}", f"the next reserve is {reserve}, the prize given up is {prize}",
              unless=reserve and prize and moved == {**moved, "reserve": reserve, "prize": prize} and len(moved) == 3)
        holds[reserve] = prize

# --- 3. Instant wins: judge every entry again.

class Pool:
    """A prize's units: unit k comes at times[k] and lies in shard (7 * place of the prize + k) % shards."""

    def __init__(self, place, prize, table, seed):
        self.prize, self.first, self.shards, self.days = prize, 7 * place, table["shards"], table["days_ms"]
        self.cap, plan, stock = prize["per_day"], prize["release"], prize["stock"]
        self.wins, self.moments, self.judged = [], plan["plan"] == "moments", {}  # wins: (time, shard, back at, where)
        self.claimed, self.returned = defaultdict(list), defaultdict(list)  # their times by (shard, day); None: of all
        if self.moments:
            hours = list(hours_of(table, plan["hour_weights"]))
            self.times = sorted(moment(mac(seed, f"moment|{prize['id']}|{k}"), hours) for k in range(stock))
            self.steps = [[at, k + 1] for k, at in enumerate(self.times)]
        else:
            rounds = plan.get("times_ms", [table["starts_ms"]])
            self.times = sorted(rounds[k * len(rounds) // stock] for k in range(stock))
            self.steps = [[at, self.released(at)] for at in rounds]

    def among(self, count, shard):
        """How many of the first `count` units are in a shard; and of the wins that the days' caps allow."""
        return count if shard is None else -(-(count - (shard - self.first) % self.shards) // self.shards)
    def released(self, at, shard=None):
        return self.among(bisect_right(self.times, at), shard)
    def share(self, shard, day):
        return self.among((day + 1) * self.cap, shard) - self.among(day * self.cap, shard)
    def day(self, at):
        return bisect_right(self.days, at) - 1

    def taken(self, until, since, shard=None, day=None):
        """Wins claimed until a time and not returned before another."""
        return bisect_right(self.claimed[shard, day], until) - bisect_left(self.returned[shard, day], since)

    def check_wins(self):
        for at, shard, back, _ in self.wins:
            for where in ((None, None), (shard, None), (shard, self.day(at))):
                self.claimed[where].append(at)
                self.returned[where].append(back)
        for times in (*self.claimed.values(), *self.returned.values()):
            times.sort()
        for at, shard, _, where in self.wins:
            wrong(where, f"won {self.prize['id']} when no unit was there: before its time, or over the stock",
                  unless=self.taken(at, at + CLOCK_ERROR, shard) <= self.released(at, shard))
            wrong(where, f"won {self.prize['id']} over the cap of the day", unless=not self.cap or
                  self.taken(at, at + CLOCK_ERROR, shard, self.day(at)) <= self.share(shard, self.day(at)))

    def was_gone(self, since, until):
        """Whether all units whose time had come at `since` had been won by others at `until`."""
        return self.taken(until + CLOCK_ERROR, since - CLOCK_ERROR) >= self.released(since)

    def was_full(self, since, until):
        """The same for each shard, or the shard had given out its share of the day."""
        when, days = (until + CLOCK_ERROR, since - CLOCK_ERROR), {self.day(since), self.day(until)} if self.cap else ()
        key = (bisect_right(self.claimed[None, None], when[0]), bisect_left(self.returned[None, None], when[1]),
               self.released(since), *days)  # entries that found the same are judged together
        if key not in self.judged:
            self.judged[key] = all(self.taken(*when, shard) >= self.released(since, shard) or
                                   any(self.taken(*when, shard, day) >= self.share(shard, day) for day in days)
                                   for shard in range(self.shards))
        return self.judged[key]

    def was_met(self, since, turn):
        """Whether all winning moments that had been there for a while at `since` had been met by somebody at `turn`."""
        return self.released(since - MOMENT_GRACE) <= self.taken(turn + CLOCK_ERROR, turn - MOMENT_GRACE - CLOCK_ERROR)

def hours_of(table, weights):
    """The schedule, hour by hour since midnight: (start, milliseconds, weight)."""
    for midnight, end in zip(table["days_ms"], [*table["days_ms"][1:], table["ends_ms"]], strict=True):
        for hour, start in enumerate(range(midnight, end, HOUR)):
            begin, stop = max(start, table["starts_ms"]), min(start + HOUR, end, table["ends_ms"])
            yield begin, max(0, stop - begin), weights[min(hour, 23)]

def moment(roll, hours):
    place = int.from_bytes(roll, "big") * sum(length * weight for _, length, weight in hours) >> 256
    for start, length, weight in hours:
        if place < length * weight:
            return start + place // weight
        place -= length * weight

def check_instant(receipt, first):
    seed, tables, looks = bytes.fromhex(receipt["seed"]), [part["table"] for part in receipt["tables"]], []
    pools = {prize["id"]: Pool(place, prize, first, seed) for place, prize in enumerate(first["prizes"])}
    for name in {*pools, *receipt["release"]}:
        wrong(f"release/{name}", "is not what seed and prize table give",
              unless=name in pools and receipt["release"].get(name) == pools[name].steps)
    for row in receipt["entrants"]:
        check_entrant(row, first, tables, seed, pools, looks)
    for pool in pools.values():
        pool.check_wins()
    for holds, since, until, where, what in looks:  # what could only be judged when all wins were known
        wrong(where, what, unless=holds(since, until))

def check_entrant(row, first, tables, seed, pools, looks):
    rules, pity, consolation, chances = first["allowance"], first["pity"], first["consolation"], row["chances"]
    won, misses, free, today, last = defaultdict(int), 0, 0, defaultdict(int), first["starts_ms"] - 1
    wrong(f"entrants/{row['entrant']}", "earned chances beyond what is allowed", unless=0 <= chances <= rules["earned"])
    for number, entry in enumerate(row["entries"], 1):
        where, at = f"entrants/{row['entrant']}/{number}", entry["at"]
        wrong(where, "outside the schedule, or not after the entry before", unless=last < at < first["ends_ms"])
        last, day = at, sum(midnight <= at for midnight in first["days_ms"])
        is_free = today[day] < rules["per_day"] and free < rules["per_campaign"]
        today[day], free, chances = today[day] + is_free, free + is_free, chances - (not is_free)
        wrong(where, "the allowance was used up", unless=chances >= 0 and number <= 40)
        table = [table for table in tables if table["since_ms"] <= at or table is tables[0]][-1]
        wrong(where, "judged by a wrong version", unless=entry["table"] == table["version"] and len(entry) == 3)
        capped = {name for name, pool in pools.items() if won[name] >= (pool.prize["per_shopper"] or number)}
        tries, hit, total = entry["tries"], None, Fraction(0)
        roll = Fraction(int.from_bytes(mac(seed, f"{first['campaign']}|{row['entrant']}|{number}"), "big"), 2**256)
        for prize in table["prizes"]:
            total += fraction(prize["odds"]) or 0
            hit = prize["id"] if hit is None and roll < total else hit
        hit = pity["prize"] if pity and misses >= pity["after"] and pity["prize"] not in capped else hit
        tried, prize = [link["prize"] for link in tries], tries[-1]["prize"] if tries and "shard" in tries[-1] else None
        moments = [name for name in pools if pools[name].moments and pools[name].released(at) and name not in capped]
        chain = [hit] * (hit is not None) + [name for name in moments if name in tried]
        chain += [consolation] * (consolation not in (None, hit))
        wrong(where, f"tried {tried}, by the rules {chain}", unless=tried == (chain[:len(tried)] if prize else chain))
        for place, link in enumerate(tries, 1):
            name, fate, pool = link["prize"], link["fate"], pools[link["prize"]]
            fields, fits = {"prize", "fate", "at"}, False
            if fate in ("gone", "day_full") and "at" in link:
                fits, judge = link["at"] >= at, pool.was_gone if fate == "gone" else pool.was_full
                looks.append((judge, at, link["at"], where, f"says {name} was {fate}, but a unit could have been won"))
            elif fate in ("won", "returned") and {"at", "shard"} <= set(link) and place == len(tries):
                fields |= {"shard", "returned_at"} if fate == "returned" else {"shard"}
                back = link.get("returned_at", link["at"])
                fits = back >= link["at"] >= at - CLOCK_ERROR and 0 <= link["shard"] < first["shards"]
                back = max(back, link["at"] + CLOCK_ERROR) if fate == "returned" else float("inf")
                pool.wins.append((link["at"], link["shard"], back, where))
            if name in capped or not pool.released(at):
                fields, fits = {"prize", "fate"}, fate == ("per_shopper" if name in capped else "not_released")
            wrong(where, f"{name} cannot be {fate} like this", unless=fits and set(link) == fields)
        after = moments.index(prize) if prize in moments else len(moments) if prize in (None, consolation) else 0
        for name in [name for name in moments[:after] if name not in tried]:
            earlier = [hit, *moments[:moments.index(name)]]  # its turn came when these had been found empty
            turn = max([at, *(link["at"] for link in tries if link["prize"] in earlier and "at" in link)])
            looks.append((pools[name].was_met, at, turn, where, f"passed over a moment of {name} nobody met"))
        won[prize], misses = won[prize] + 1, 0 if prize not in (None, consolation) else misses + 1

def check(receipt):
    """Return every (where, what) that does not hold of a receipt."""
    problems.clear()
    try:
        first = receipt["tables"][0]["table"]
        drawn = first["mode"] == "draw"
        check_promises(receipt, first, drawn)
        check_list(receipt, first)
        if not problems:  # what is not the promised data needs no judging
            (check_draw if drawn else check_instant)(receipt, first)
    except Exception as error:  # whatever it is, the receipt is not what it should be
        wrong("receipt", f"cannot be read: {error!r}", unless=False)
    return list(problems)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("receipt", "--commitment", "--table", "--root", "--entry"):
        parser.add_argument(name)
    given = vars(parser.parse_args())
    receipt = json.loads(Path(given["receipt"]).read_text(encoding="utf-8"))
    check(receipt)
    if "receipt" not in dict(problems):
        table, root = receipt["tables"][0], receipt["sealed"]["root"]
        for name, value in {"commitment": table["table"]["commitment"], "table": table["hash"], "root": root}.items():
            print(f"{name:10} {value}" + ("" if given[name] else "   <- compare with what was published"))
            wrong(name, f"is not the one you saw: {given[name]}", unless=given[name] in (None, value))
        if given["entry"]:
            _, entrant, number = given["entry"].split(".")
            row = next((row for row in receipt["entrants"] if row["entrant"] == entrant), {"tickets": 0})
            mine = row.get("entries", range(1, row.get("tickets", 0) + 1))[int(number) - 1:int(number)]
            wrong("entry", "your entry is not in the list", unless=mine)
            print(f"your entry {list(mine)}")
    for where, what in problems:
        print(f"WRONG {where}: {what}")
    print("Does not verify." if problems else "All of it verifies.")
    return 1 if problems else 0

if __name__ == "__main__":
    sys.exit(main())
