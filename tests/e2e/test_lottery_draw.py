"""Two lotteries on the deployed stack, from the first entry to the receipt that anybody can verify; two minutes."""

import csv
import json
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from brandday.domain.receipt_page import join
from brandday_local.places import ROOT
from brandday_local.stack import LocalStack
from tests.e2e.fulfilment_rush import brandday, misbehave
from tests.e2e.lotteries import Shopper, apply, declaration, local, public, seed_of
from tests.e2e.waiting import eventually

pytestmark = [pytest.mark.stack, pytest.mark.soak]

LUCK, TRIAL = "e2e-over", "e2e-drawn"
SHOPPERS = 24
CUPS, RESERVES = 5, 4
OPEN_SECONDS = 60
SEAL_AFTER_SECONDS = 60


def declarations(stack: LocalStack, ends_at: datetime) -> list[dict[str, Any]]:
    """An instant win and a draw that end at the same time; the draw is a minute later, as soon as it may be."""
    over = {"ends_at": local(ends_at)}
    luck = declaration(stack, LUCK, **over)
    (cup,) = luck["prizes"]
    prizes = [
        cup | {"stock": CUPS, "odds": "1/3"},
        {"prize": "POINTS", "title": {"en": "Points"}, "stock": SHOPPERS // 3, "reward": {"kind": "digital"}},
    ]
    luck |= {"prizes": prizes, "consolation": "POINTS"}
    drawn = {"prize": "CUP", "title": {"en": "Cup"}, "stock": CUPS, "reward": {"kind": "digital"}}
    draw = {"at": local(ends_at + timedelta(seconds=SEAL_AFTER_SECONDS)), "reserves": RESERVES}
    return [luck, declaration(stack, TRIAL, mode="draw", prizes=[drawn], draw=draw, **over)]


def hold_draws(stack: LocalStack) -> dict[str, Any]:
    """Call the function of the schedule now, instead of waiting for the next minute."""
    answer = stack.aws.functions.invoke(FunctionName=stack.draw_holder, Payload=b"{}")
    said = answer["Payload"].read().decode()
    assert not answer.get("FunctionError"), said
    found: dict[str, Any] = json.loads(said)
    return found


def receipt_of(stack: LocalStack, campaign: str) -> dict[str, Any]:
    """The whole receipt, page by page."""
    path, parts = f"/v1/campaigns/{campaign}/draw/receipt", []
    page = public(stack, path)
    while True:
        parts.append(page["receipt"])
        if page["next"] is None:
            return join(parts)
        page = public(stack, f"{path}?after={page['next']}")


def script_says(file: Path, *options: str) -> tuple[int, str]:
    """What the script of the docs has to say, which shares no code with the stack."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "verify_draw.py", file, *options], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_from_the_first_entry_to_the_receipt(stack: LocalStack, tmp_path: Path) -> None:
    misbehave(stack)
    ends_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=OPEN_SECONDS)
    for document in declarations(stack, ends_at):
        apply(stack, tmp_path, document)
    before = {campaign: public(stack, f"/v1/campaigns/{campaign}/draw") for campaign in (LUCK, TRIAL)}

    # Tickets and tries: the first shopper has one of each, others up to three.
    shoppers = [Shopper(stack, f"member-{number}-of-{ends_at:%H%M%S}") for number in range(SHOPPERS)]
    told: dict[str, list[dict[str, Any]]] = {LUCK: [], TRIAL: []}
    for number, shopper in enumerate(shoppers):
        for campaign, entries in told.items():
            for key in range(1 + number % 3):
                entered = shopper.enter(campaign, f"{key}")
                assert entered.status_code == 201, entered.text
                entries.append(entered.json())
    assert datetime.now(UTC) < ends_at, "this machine is too slow for a lottery of a minute"
    assert {entry["state"] for entry in told[TRIAL]} == {"ticket"}

    time.sleep((ends_at - datetime.now(UTC)).total_seconds() + 1)
    late = shoppers[0].enter(LUCK, "too late")
    assert (late.status_code, late.json()["code"]) == (409, "campaign_ended")
    assert hold_draws(stack) == {"troubles": 0}
    assert public(stack, f"/v1/campaigns/{TRIAL}/draw")["state"] == "ended", "somebody may still be on the way"
    time.sleep(max(0, (ends_at - datetime.now(UTC)).total_seconds() + SEAL_AFTER_SECONDS + 1))
    assert hold_draws(stack) == {"troubles": 0}

    receipts = {}
    for campaign, state in ((LUCK, "sealed"), (TRIAL, "drawn")):
        after = public(stack, f"/v1/campaigns/{campaign}/draw")
        assert (after["state"], after["seed"]) == (state, seed_of(stack, campaign).hex())
        promised = {"commitment", "tables"}
        assert {name: after[name] for name in promised} == {name: before[campaign][name] for name in promised}
        receipt = receipts[campaign] = receipt_of(stack, campaign)
        check_receipt(receipt, before[campaign], after, told[campaign], tmp_path)
        check_names(receipt, [shopper.name for shopper in shoppers], stack, campaign)
        assert "verif" in brandday(stack, "verify", campaign, "--commitment", before[campaign]["commitment"])
    check_draw(stack, shoppers, told[TRIAL])
    assert hold_draws(stack) == {"troubles": 0}
    assert receipt_of(stack, TRIAL) == receipts[TRIAL], "a draw that is held again comes to the same"
    for campaign in (LUCK, TRIAL):
        brandday(stack, "audit", campaign)
    listed = list(csv.DictReader(brandday(stack, "winners", TRIAL, "--csv", "-").splitlines()))
    assert sum(row["prize"] == "CUP" for row in listed) == CUPS


def check_receipt(
    receipt: dict[str, Any], before: dict[str, Any], after: dict[str, Any], told: list[dict[str, Any]], folder: Path
) -> None:
    """It verifies against what was promised, holds what every shopper was told, and no other receipt verifies."""
    file = folder / "receipt.json"
    file.write_text(json.dumps(receipt), encoding="utf-8")
    promised = ("--commitment", before["commitment"], "--table", before["tables"][0]["hash"])
    options = (*promised, "--root", after["sealed"]["root"])
    for entry in told:
        code, said = script_says(file, *options, "--entry", entry["id"])
        assert code == 0, said
    rows = {row["entrant"]: row for row in receipt["entrants"]}
    for entry in told:
        entrant, number = entry["id"].split(".")[1:]
        if "entries" in rows[entrant]:
            kept = rows[entrant]["entries"][int(number) - 1]
            assert (kept["at"], kept["table"]) == (entry["facts"]["at"], entry["facts"]["table"])
            assert [(link["prize"], link["fate"]) for link in kept["tries"]] == [
                (link["prize"], link["fate"]) for link in entry["chain"]
            ]
        else:
            assert int(number) <= rows[entrant]["tickets"]
    assert after["sealed"]["entries"] == len(told)

    file.write_text(json.dumps(receipt | {"entrants": receipt["entrants"][1:]}), encoding="utf-8")
    assert script_says(file, *options)[0] == 1


def check_names(receipt: dict[str, Any], names: list[str], stack: LocalStack, campaign: str) -> None:
    """Nothing that is published leads to a shopper: neither their id nor the name that rewards go by."""
    items = stack.aws.tables.scan(TableName=stack.entry_table)["Items"]
    owners = [item["o"]["S"] for item in items if item["pk"]["S"].startswith(campaign)]
    assert len(owners) == SHOPPERS
    pages = [json.dumps(receipt)]
    pages += [json.dumps(public(stack, f"/v1/campaigns/{campaign}{page}")) for page in ("", "/draw", "/rules")]
    for page in pages:
        assert not [name for name in (*names, *owners) if name in page]


def check_draw(stack: LocalStack, shoppers: list[Shopper], told: list[dict[str, Any]]) -> None:
    """Each winner has one reward, which reaches the partner; each entry has a proof that leads to the sealed list."""
    root = public(stack, f"/v1/campaigns/{TRIAL}/draw")["sealed"]["root"]
    receipt = receipt_of(stack, TRIAL)
    winners = {winner["entrant"] for winner in receipt["winners"]}
    assert (len(winners), len(receipt["reserves"])) == (CUPS, RESERVES)

    def rewards() -> Counter[str] | None:
        found: Counter[str] = Counter()
        for shopper in shoppers:
            mine = [each for each in shopper.read("/v1/rewards")["rewards"] if each["campaign_id"] == TRIAL]
            found[shopper.name] += sum(each["status"] == "dispatched" for each in mine)
        return +found if found.total() >= CUPS else None

    assert set(eventually(rewards).values()) == {1}
    accepted = httpx.get(f"{stack.receiver_url}/deliveries", timeout=30).json()["accepted"]
    delivered = [each["data"]["reward_id"] for each in accepted if each["data"]["campaign_id"] == TRIAL]
    assert len(delivered) == len(set(delivered)) == CUPS

    entry = told[0]
    proof = shoppers[0].read(f"/v1/entries/{entry['id']}/proof")
    assert (proof["facts"], proof["root"]) == (entry["facts"], root)
    assert proof["seed"] == seed_of(stack, TRIAL).hex()
    assert proof["path"]
