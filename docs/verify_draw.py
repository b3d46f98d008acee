#!/usr/bin/env python3
"""Check a lottery of Brand Day yourself: python3 verify_draw.py RECEIPT.json [--commitment HEX] [--table HEX] [--root HEX]

Needs Python 3.11 or later and nothing else. It shares no code with the shop's own software: it computes every roll,
every winning moment and the whole ranking again from the published receipt. Give it the hashes that you saw before the
start (commitment, table) and after the seal (root); without them it can only say that the receipt agrees with itself.
With --entry ID (of your own entry) it also says what the receipt knows of it. Exit code 0: all of it holds.
"""

# ruff: noqa: T201 - it talks to a person
import argparse
import hashlib
import hmac
import json
import sys
from collections import defaultdict
from fractions import Fraction as F
from pathlib import Path

CLOCK_ERROR, MOMENT_GRACE, HOUR = 1000, 5000, 3_600_000  # milliseconds, like all times
problems = []  # of (where, what)


def no(where, what):
    problems.append((where, what))


def sha(data):
    return hashlib.sha256(data).digest()


def mac(seed, text):
    return hmac.new(seed, text.encode(), hashlib.sha256).digest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fraction(text):
    return None if text is None else F(*map(int, text.split("/")))


def tree(nodes):
    """The hash over a list of hashes: pairs are hashed together, level by level; an odd one goes up as it is."""
    while len(nodes) > 1:
        pairs = [nodes[i : i + 2] for i in range(0, len(nodes), 2)]
        nodes = [sha(b"\1" + pair[0] + pair[1]) if len(pair) == 2 else pair[0] for pair in pairs]
    return nodes[0] if nodes else sha(b"")


def leaf(row):
    value = [row["entrant"], row["tickets"]] if "tickets" in row else [row["entrant"], row["chances"], row["entries"]]
    return sha(b"\0" + canonical(value))


# --- 1. nothing was exchanged: everything has the hash that was promised ---


def check_promises(receipt, first, drawn):
    wanted = "format campaign seed beacon tables release sealed entrants".split()
    if sorted(receipt) != sorted(wanted + ("winners reserves moved_up".split() if drawn else [])):
        no("receipt", "fields are missing or were added")
    if receipt["format"] != "brandday-receipt-1":
        no("format", "unknown format")
    if receipt["campaign"] != first["campaign"]:
        no("campaign", "the receipt and its prize table name different campaigns")
    if hashlib.sha256(bytes.fromhex(receipt["seed"])).hexdigest() != first["commitment"]:
        no("seed", "the seed is not the one that was promised by its hash")
    before, since = None, None
    for number, part in enumerate(receipt["tables"], 1):
        table, where = part["table"], f"tables/{number}"
        if sha(canonical(table)).hex() != part["hash"]:
            no(where, "the prize table, or its hash, was changed")
            continue
        if table["algorithm"] != "brandday-lottery-1" or table["version"] != number:
            no(where, "wrong algorithm or number of version")
        if table["previous"] != (before and before["hash"]):
            no(where, "does not follow the version before it")
        if not before and table["since_ms"] != table["starts_ms"] or before and table["since_ms"] <= since:
            no(where, "wrong time of coming into force")
        for name in first:
            if name not in ("version", "since_ms", "previous", "prizes") and table[name] != first[name]:
                no(where, f"{name} must not change")
        odds = [fraction(prize["odds"]) for prize in table["prizes"]]
        if sum(chance or 0 for chance in odds) > 1:
            no(where, "odds are more than 1 together")
        for prize, start, chance in zip(table["prizes"], first["prizes"], odds, strict=True):
            low, high = map(fraction, start["odds_between"] or [start["odds"]] * 2)
            if {**prize, "odds": 0} != {**start, "odds": 0} or (chance is None) != (low is None):
                no(where, f"{prize['id']}: more than its odds was changed")
            elif chance is not None and not low <= chance <= high:
                no(where, f"{prize['id']}: odds outside the declared bounds")
        before, since = part, table["since_ms"]
    beacon = receipt["beacon"]
    if (beacon is None) != (not drawn or first["draw"]["beacon"] is None):
        no("beacon", "the prize table says otherwise")
    elif beacon and sha(bytes.fromhex(beacon["signature"])).hex() != beacon["randomness"] or beacon and len(beacon) > 2:
        no("beacon", "the random number does not belong to the signature")


def check_list(receipt, first):
    rows, sealed, chars = receipt["entrants"], receipt["sealed"], first["bucket_chars"]
    names = [row["entrant"] for row in rows]
    if names != sorted(set(names)):
        no("sealed", "entrants are out of order, or there twice")
    buckets = defaultdict(list)
    for row in rows:
        if leaf(row).hex()[:16] != row["leaf"] or len(row) != (3 if "tickets" in row else 4):
            no(f"entrants/{row['entrant']}", "what this entrant did, or its hash, was changed")
        buckets[row["entrant"][:chars]].append(leaf(row))
    found = [
        {"bucket": name, "root": tree(buckets[name]).hex(), "entrants": len(buckets[name])} for name in sorted(buckets)
    ]
    for name in {bucket["bucket"] for bucket in found + sealed["buckets"]}:
        if [b for b in found if b["bucket"] == name] != [b for b in sealed["buckets"] if b["bucket"] == name]:
            no(
                f"sealed/buckets/{name}",
                "somebody in this bucket was changed, added or left out, or its hash was changed",
            )
    if tree([bytes.fromhex(bucket["root"]) for bucket in sealed["buckets"]]).hex() != sealed["root"]:
        no("sealed/root", "is not the hash over the buckets")
    entries = sum(row["tickets"] if "tickets" in row else len(row["entries"]) for row in rows)
    for name, size in (("entrants", len(rows)), ("entries", entries)):
        if sealed[name] != size:
            no(f"sealed/{name}", f"says {sealed[name]}, but there are {size}")
    if len(sealed) != 4:
        no("sealed", "fields were added")


# --- 2. a draw: rank everybody again ---


def check_draw(receipt, first):
    seed = bytes.fromhex(receipt["seed"])
    if receipt["beacon"]:
        seed = sha(seed + bytes.fromhex(receipt["beacon"]["randomness"]))
    most = first["allowance"]["per_campaign"] + first["allowance"]["earned"]
    order = []
    for row in receipt["entrants"]:
        if not 1 <= row["tickets"] <= most:
            no(f"entrants/{row['entrant']}", "has more tickets than allowed, or none")
        keys = [mac(seed, f"ent_{first['campaign']}.{row['entrant']}.{n}").hex() for n in range(1, row["tickets"] + 1)]
        order += [(key, row["entrant"], n) for n, key in enumerate(keys, 1) if key == min(keys)]
    prizes = [prize["id"] for prize in first["prizes"] for _ in range(prize["stock"])]
    ranking = [{"rank": at, "entrant": e, "ticket": n, "key": key} for at, (key, e, n) in enumerate(sorted(order), 1)]
    winners = [{**place, "prize": prize} for place, prize in zip(ranking, prizes, strict=False)]
    reserves = ranking[len(prizes) : len(prizes) + first["draw"]["reserves"]]
    for part, should in (("winners", winners), ("reserves", reserves)):
        if len(receipt[part]) != len(should):
            no(part, f"there should be {len(should)}")
        for at, (one, other) in enumerate(zip(receipt[part], should, strict=False), 1):
            if one != other:
                no(f"{part}/{at}", f"should be {other}")
    holds = {winner["entrant"]: winner["prize"] for winner in winners}
    for at, moved in enumerate(receipt["moved_up"]):
        next_one = reserves[at]["entrant"] if at < len(reserves) else None
        if sorted(moved) != ["forfeited", "prize", "reserve"] or moved["reserve"] != next_one:
            no(f"moved_up/{at + 1}", f"the next reserve is {next_one}")
        elif holds.pop(moved["forfeited"], None) != moved["prize"]:
            no(f"moved_up/{at + 1}", f"{moved['forfeited']} did not hold this prize")
        holds[moved["reserve"]] = moved["prize"]


# --- 3. instant wins: judge every entry again ---


class Pool:
    """A prize's units: unit k comes at times[k] and lies in shard (7 * place of the prize + k) % shards."""

    def __init__(self, place, prize, table, seed):
        self.prize, self.first, self.shards, self.days = prize, 7 * place, table["shards"], table["days_ms"]
        self.wins, plan, stock = [], prize["release"], prize["stock"]  # wins: (time, shard, returned at, where)
        self.moments = plan["plan"] == "moments"
        if self.moments:
            hours = list(hours_of(table, plan["hour_weights"]))
            self.times = sorted(moment(mac(seed, f"moment|{prize['id']}|{k}"), hours) for k in range(stock))
            self.steps = [[at, k + 1] for k, at in enumerate(self.times)]
        else:
            rounds = plan.get("times_ms", [table["starts_ms"]])
            self.times = [rounds[k * len(rounds) // stock] for k in range(stock)]
            self.steps = [[at, self.released(at)] for at in rounds]

    def released(self, at, shard=None):
        return sum(time <= at and shard in (None, (self.first + k) % self.shards) for k, time in enumerate(self.times))

    def share(self, shard, day):
        """How many units may leave a shard on a day: the day's cap goes round the shards, on from where it ended."""
        cap = self.prize["per_day"]
        return sum((self.first + k) % self.shards == shard for k in range(day * cap, day * cap + cap))

    def taken(self, until, since, shard=None, day=None):
        """Wins claimed until a time and not returned before another."""
        return sum(
            at <= until
            and (back is None or back >= since)
            and shard in (None, in_shard)
            and day in (None, self.day(at))
            for at, in_shard, back, _ in self.wins
        )

    def day(self, at):
        return sum(midnight <= at for midnight in self.days) - 1

    def check_wins(self):
        for at, shard, _, where in self.wins:
            if self.taken(at, at + CLOCK_ERROR, shard) > self.released(at, shard):
                no(where, f"won {self.prize['id']} when no unit was there: before its time, or over the stock")
            day = self.day(at)
            if self.prize["per_day"] and self.taken(at, at + CLOCK_ERROR, shard, day) > self.share(shard, day):
                no(where, f"won {self.prize['id']} over the cap of the day")

    def was_gone(self, since, until):
        return self.taken(until + CLOCK_ERROR, since - CLOCK_ERROR) >= self.released(since)

    def was_full(self, since, until):
        period = (until + CLOCK_ERROR, since - CLOCK_ERROR)
        return all(
            self.taken(*period, shard) >= self.released(since, shard)
            or self.prize["per_day"]
            and any(
                self.taken(*period, shard, day) >= self.share(shard, day) for day in (self.day(since), self.day(until))
            )
            for shard in range(self.shards)
        )

    def was_open(self, at):
        """Whether a winning moment had been there for a while, and nobody had met it."""
        long_ago = at - MOMENT_GRACE
        return self.released(long_ago) > self.taken(at + CLOCK_ERROR, long_ago - CLOCK_ERROR)


def hours_of(table, weights):
    """The schedule, hour by hour since midnight: (start, milliseconds, weight)."""
    for midnight, end in zip(table["days_ms"], [*table["days_ms"][1:], table["ends_ms"]], strict=True):
        for hour, start in enumerate(range(midnight, end, HOUR)):
            begin, stop = max(start, table["starts_ms"]), min(start + HOUR, end, table["ends_ms"])
            if begin < stop:
                yield begin, stop - begin, weights[min(hour, 23)]


def moment(roll, hours):
    place = int.from_bytes(roll, "big") * sum(length * weight for _, length, weight in hours) >> 256
    for start, length, weight in hours:
        if place < length * weight:
            return start + place // weight
        place -= length * weight


def check_instant(receipt, first):
    seed, tables = bytes.fromhex(receipt["seed"]), [part["table"] for part in receipt["tables"]]
    pools = {prize["id"]: Pool(place, prize, first, seed) for place, prize in enumerate(first["prizes"])}
    for name in {*pools, *receipt["release"]}:
        if name not in pools or receipt["release"].get(name) != pools[name].steps:
            no(f"release/{name}", "is not what seed and prize table give")
    looks = []  # what can only be judged when all wins are known
    for row in receipt["entrants"]:
        check_entrant(row, first, tables, seed, pools, looks)
    for pool in pools.values():
        pool.check_wins()
    for fate, name, since, until, where in looks:
        pool = pools[name]
        if fate == "gone" and not pool.was_gone(since, until):
            no(where, f"says {name} was gone, but a unit was there")
        if fate == "day_full" and not pool.was_full(since, until):
            no(where, f"says the day's {name} were gone, but one was there")
        if fate == "passed" and pool.was_open(since):
            no(where, f"passed over a winning moment of {name} that nobody had met")


def check_entrant(row, first, tables, seed, pools, looks):
    rules, pity, consolation = first["allowance"], first["pity"], first["consolation"]
    won, misses, free, per_day, last = defaultdict(int), 0, 0, defaultdict(int), first["starts_ms"] - 1
    chances = row["chances"]
    if not 0 <= chances <= rules["earned"]:
        no(f"entrants/{row['entrant']}", "has more earned chances than allowed")
    for number, entry in enumerate(row["entries"], 1):
        where, at = f"entrants/{row['entrant']}/{number}", entry["at"]
        if not last < at < first["ends_ms"] or set(entry) != {"at", "table", "tries"}:
            no(where, "its time is outside the schedule, or not after the entry before")
        today, last = sum(midnight <= at for midnight in first["days_ms"]), at
        if per_day[today] < rules["per_day"] and free < rules["per_campaign"]:
            per_day[today], free = per_day[today] + 1, free + 1
        else:
            chances -= 1
        if chances < 0 or number > 40:
            no(where, "the allowance was used up")
        table = max((table for table in tables if table["since_ms"] <= at), key=lambda t: t["since_ms"], default=first)
        if entry["table"] != table["version"]:
            no(where, f"judged by version {entry['table']}, but {table['version']} was in force")

        def capped(name):
            most = pools[name].prize["per_shopper"]
            return most is not None and won[name] >= most

        if pity and misses >= pity["after"] and not capped(pity["prize"]):
            hit = pity["prize"]
        else:
            roll, total, hit = (
                F(int.from_bytes(mac(seed, f"{first['campaign']}|{row['entrant']}|{number}"), "big"), 2**256),
                F(0),
                None,
            )
            for prize in table["prizes"]:
                total += fraction(prize["odds"]) or 0
                hit = prize["id"] if hit is None and roll < total else hit
        tried = [link["prize"] for link in entry["tries"]]
        open_moments = [name for name in pools if pools[name].moments and pools[name].released(at) and not capped(name)]
        chain = [hit] if hit else []
        chain += [name for name in open_moments if name in tried]
        chain += [consolation] if consolation and consolation != hit else []
        prize = entry["tries"][-1]["prize"] if entry["tries"] and "shard" in entry["tries"][-1] else None
        if tried != (chain[: len(tried)] if prize else chain):
            no(where, f"tried {tried}, but it should be {chain}")
        for place, link in enumerate(entry["tries"], 1):
            name, fate, fields = link["prize"], link["fate"], {"prize", "fate"}
            should = "per_shopper" if capped(name) else "won" if pools[name].released(at) else "not_released"
            if should == "won":
                should, fields = fate, fields | {"at"}
                if fate in ("gone", "day_full") and link["at"] >= at:
                    looks.append((fate, name, at, link["at"], where))
                elif fate in ("won", "returned") and place == len(tried) and link["at"] >= at - CLOCK_ERROR:
                    fields |= {"shard", "returned_at"} if fate == "returned" else {"shard"}
                    if not 0 <= link["shard"] < first["shards"]:
                        no(where, "there is no such shard")
                    pools[name].wins.append((link["at"], link["shard"], link.get("returned_at"), where))
                else:
                    should = "something else"
            if fate != should or set(link) != fields:
                no(where, f"{name} cannot be {fate}")
        for name in open_moments:
            if name not in tried and (
                not prize
                or prize == consolation
                or pools[prize].moments
                and [*pools].index(name) < [*pools].index(prize)
            ):
                looks.append(("passed", name, at, at, where))
        misses = 0 if prize and prize != consolation else misses + 1
        won[prize] += 1


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
    except Exception as error:  # noqa: BLE001 - whatever it is, the receipt is not what it should be
        no("receipt", f"cannot be read: {error!r}")
    return list(problems)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("receipt", type=Path)
    for name in ("commitment", "table", "root", "entry"):
        parser.add_argument(f"--{name}")
    given = parser.parse_args()
    receipt = json.loads(given.receipt.read_text(encoding="utf-8"))
    found = check(receipt)
    if not any(where == "receipt" for where, _ in found):
        part = receipt["tables"][0]
        published = {
            "commitment": part["table"]["commitment"],
            "table": part["hash"],
            "root": receipt["sealed"]["root"],
        }
        for name, value in published.items():
            seen = getattr(given, name)
            print(f"{name:10} {value}" + ("" if seen else "   <- compare with what was published"))
            if seen and seen != value:
                found.append((name, f"is not the one you saw, {seen}"))
        if given.entry:
            _, entrant, number = given.entry.split(".")
            row = next((row for row in receipt["entrants"] if row["entrant"] == entrant), {})
            mine = row.get("entries", range(1, row.get("tickets", 0) + 1))[int(number) - 1 : int(number)]
            print(f"your entry {json.dumps(list(mine)[0]) if mine else 'IS NOT IN THE LIST'}")
            found += [] if mine else [("entry", "your entry is not in the list")]
    for where, what in found:
        print(f"WRONG {where}: {what}")
    print("Does not verify." if found else "All of it verifies.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
