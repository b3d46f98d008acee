#!/usr/bin/env python3
"""Check your own entry of a Brand Day lottery: python3 verify_entry.py PROOF.json DRAW.json [--kept FACTS.json].

PROOF.json is the answer of GET /v1/entries/{id}/proof after the end, DRAW.json that of GET /v1/campaigns/{id}/draw, and
FACTS.json the `facts` that you were answered when you entered. Needs Python 3.11 and nothing else. It says whether your
entry is in the sealed list as it was taken, and what the seed makes of it. Exit code 0: all of it holds. The whole
lottery is checked by verify_draw.py.
"""

# ruff: noqa: D103, T201 - one page to read from top to bottom, and it talks to a person
import argparse
import json
import sys
from hashlib import sha256
from hmac import digest
from pathlib import Path


def sha(*parts):
    return sha256(b"".join(parts)).digest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def unhex(text):
    raw = bytes.fromhex(text)
    if raw.hex() != text:
        raise ValueError("a hash is not written in small letters")
    return raw


def check(proof, draw, kept=None):
    """Return everything that does not hold, as sentences."""
    facts, row = proof["facts"], proof["row"]
    campaign, entrant, number = facts["entry"].removeprefix("ent_").split(".")
    is_ticket, seed = len(row) == 2, unhex(proof["seed"])
    hashes = [table["hash"] for table in draw["tables"]]

    # 1. The seed is the one that was promised, and the rules are those that were published.
    holds = {
        "the seed does not hash to the commitment": sha(seed).hex() == facts["commitment"] == draw["commitment"],
        "the prize table is another than was published": 1 <= facts["table"] <= len(hashes)
        and hashes[facts["table"] - 1] == facts["table_hash"],
        "these are not the facts that you were answered": kept is None or kept == facts,
    }

    # 2. The entry's luck is what the seed makes of it: a ticket's rank key, or the roll of an instant win.
    drawn_with = seed if proof["randomness"] is None else sha(seed, unhex(proof["randomness"]))
    text = facts["entry"] if is_ticket else f"{campaign}|{entrant}|{number}"
    holds["the luck is not what the seed makes of this entry"] = digest(
        drawn_with, text.encode(), "sha256"
    ).hex() == proof["luck"] and (is_ticket or proof["randomness"] is None)

    # 3. The row of the list has this entry, with its time and its prize table.
    count = row[1] if is_ticket else len(row[2])
    has_it = row[0] == entrant and number.isdecimal() and str(int(number)) == number and 1 <= int(number) <= count
    holds["the row of the list does not have this entry"] = has_it
    if has_it and not is_ticket:
        entry = row[2][int(number) - 1]
        holds["the list has this entry otherwise"] = (entry["at"], entry["table"]) == (facts["at"], facts["table"])

    # 4. The row is in the sealed list: hashed together with the others on its way, it gives the published root.
    node = sha(b"\0", canonical(row))
    for side, other in proof["path"]:
        if side not in ("left", "right"):
            raise ValueError("a step of the way is neither left nor right")
        node = sha(b"\1", unhex(other), node) if side == "left" else sha(b"\1", node, unhex(other))
    holds["the row is not in the sealed list"] = node.hex() == proof["root"] == draw["sealed"]["root"]
    return [what for what, is_so in holds.items() if not is_so]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("proof", type=Path)
    arguments.add_argument("draw", type=Path)
    arguments.add_argument("--kept", type=Path)
    given = arguments.parse_args()
    files = [given.proof, given.draw, *([given.kept] if given.kept else [])]
    try:
        problems = check(*(json.loads(file.read_text()) for file in files))
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        problems = [f"it cannot be read: {error!r}"]
    print("\n".join(problems) or "All of it holds: your entry is in the sealed list, as it was taken.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
