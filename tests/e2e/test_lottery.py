"""Lotteries on the deployed stack: entering, winning, what operators may change, and what nobody may know."""

import json
import time
from base64 import b64encode, urlsafe_b64encode
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from brandday.domain.luck import commitment
from brandday_local.stack import LocalStack
from tests.e2e.fulfilment_rush import brandday, misbehave
from tests.e2e.lotteries import Shopper, apply, declaration, logged, public, seed_of
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.stack

CAMPAIGN = "e2e-luck"
TAKES_EFFECT_SECONDS = 2.0
"""How long a pause may take."""

CHANGE_LEAD_SECONDS = 2.0
"""How long after it was written a new version of the odds comes into force."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lotteries")


@pytest.fixture(scope="module")
def luck(stack: LocalStack, folder: Path) -> dict[str, Any]:
    """An instant win that everybody wins, until its odds are changed."""
    misbehave(stack)
    document = declaration(stack, CAMPAIGN)
    apply(stack, folder, document)
    return document


def test_a_win_is_handed_over_by_the_partner_and_counted(stack: LocalStack, luck: dict[str, Any]) -> None:
    shopper = Shopper(stack, "lucky-one")
    entered = shopper.enter(CAMPAIGN, "once")
    assert entered.status_code == 201, entered.text
    won = entered.json()
    assert (won["state"], won["prize"]["id"]) == ("won", "CUP")
    again = shopper.enter(CAMPAIGN, "once")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["id"] == won["id"]

    (reward,) = eventually(lambda: shopper.read("/v1/rewards")["rewards"])
    assert reward["id"] == won["reward_id"]
    eventually(lambda: shopper.read(f"/v1/rewards/{reward['id']}")["status"] == "dispatched")
    received = httpx.get(f"{stack.receiver_url}/deliveries", timeout=30).json()["accepted"]
    (delivery,) = [each for each in received if each["data"]["reward_id"] == reward["id"]]
    assert delivery["data"]["sku"] == "CUP"
    statistics = eventually(lambda: found if (found := _statistics(stack))["lottery"]["entries"] else None)
    assert statistics["lottery"]["entries"] == 1


def _statistics(stack: LocalStack) -> Any:
    headers = {"authorization": f"Bearer {stack.token('op', 'operator')}"}
    return httpx.get(f"{stack.api_url}/v1/admin/campaigns/{CAMPAIGN}/statistics", headers=headers, timeout=30).json()


def test_what_an_entry_was_told_is_its_proof_so_far_and_nobody_elses(stack: LocalStack, luck: dict[str, Any]) -> None:
    shopper = Shopper(stack, "doubter")
    won = shopper.enter(CAMPAIGN, "once").json()
    promised = public(stack, f"/v1/campaigns/{CAMPAIGN}/draw")
    assert promised["seed"] is None
    assert promised["commitment"] == won["facts"]["commitment"] == commitment(seed_of(stack, CAMPAIGN))
    assert promised["tables"][0]["hash"] == won["facts"]["table_hash"]
    proof = shopper.read(f"/v1/entries/{won['id']}/proof")
    assert (proof["facts"], proof["seed"], proof["luck"]) == (won["facts"], None, None)
    assert shopper.read(f"/v1/entries/{won['id']}")["state"] == "won"
    assert [entry["id"] for entry in shopper.read(f"/v1/entries?campaign_id={CAMPAIGN}")["entries"]] == [won["id"]]
    for path in (f"/v1/entries/{won['id']}", f"/v1/entries/{won['id']}/proof"):
        assert Shopper(stack, "thief").ask("GET", path).status_code == 404
    early = httpx.get(f"{stack.api_url}/v1/campaigns/{CAMPAIGN}/draw/receipt", timeout=30)
    assert (early.status_code, early.json()["code"]) == (409, "receipt_not_ready")


def test_a_pause_stops_entries_within_two_seconds(stack: LocalStack, luck: dict[str, Any]) -> None:
    shopper = Shopper(stack, "hasty")
    assert shopper.enter(CAMPAIGN, "before").status_code == 201
    brandday(stack, "pause", CAMPAIGN)
    paused_at = time.monotonic()
    time.sleep(TAKES_EFFECT_SECONDS)
    try:
        for number in range(5):
            refused = shopper.enter(CAMPAIGN, f"paused-{number}")
            assert (refused.status_code, refused.json()["code"]) == (409, "campaign_paused")
        assert time.monotonic() - paused_at < 30
        assert shopper.enter(CAMPAIGN, "before").status_code == 201, "what was taken before can be looked up"
    finally:
        brandday(stack, "resume", CAMPAIGN)
    eventually(lambda: shopper.enter(CAMPAIGN, "after").status_code == 201)


def test_odds_that_change_live_are_promised_first_and_named_by_every_entry(
    stack: LocalStack, luck: dict[str, Any], folder: Path
) -> None:
    shopper = Shopper(stack, "patient")
    assert shopper.enter(CAMPAIGN, "before").json()["state"] == "won"
    (prize,) = luck["prizes"]
    apply(stack, folder, luck | {"prizes": [prize | {"odds": "0/1"}]})
    applied_at = time.monotonic()
    versions = eventually(
        lambda: found if len(found := public(stack, f"/v1/campaigns/{CAMPAIGN}/draw")["tables"]) == 2 else None
    )
    assert versions[1]["document"]["previous"] == versions[0]["hash"]
    since = int(datetime.fromisoformat(versions[1]["since"]).timestamp() * 1000)

    entries = []
    for number in range(25):
        entries.append(shopper.enter(CAMPAIGN, f"around-{number}").json())
        time.sleep(0.1)
    assert time.monotonic() - applied_at > CHANGE_LEAD_SECONDS
    assert entries[-1]["state"] == "lost"
    for entry in entries:
        late = entry["facts"]["at"] >= since
        assert entry["facts"]["table"] == (2 if late else 1)
        assert entry["facts"]["table_hash"] == versions[int(late)]["hash"]
        assert entry["state"] == ("lost" if late else "won")

    shown = brandday(stack, "history", CAMPAIGN, "--json")
    assert versions[1]["hash"] in shown
    assert brandday(stack, "audit", CAMPAIGN)


def test_chances_are_granted_by_the_shop_and_once_each(stack: LocalStack, folder: Path) -> None:
    campaign = "e2e-chances"
    entries = {"per_day": 1, "per_campaign": 1, "earned": 2}
    apply(stack, folder, declaration(stack, campaign, entries=entries))
    shopper = Shopper(stack, "sharer")
    assert shopper.enter(campaign, "one").status_code == 201
    assert shopper.enter(campaign, "two").json()["code"] == "entry_limit_reached"
    headers = {"authorization": f"Bearer {stack.token('shop', 'orders')}", "idempotency-key": "grant"}
    grant = {"id": "order-1", "shopper_id": "sharer", "chances": 1, "reason": "purchase"}
    for _ in range(2):
        url = f"{stack.api_url}/v1/campaigns/{campaign}/chances"
        assert httpx.post(url, json=grant, headers=headers, timeout=30).status_code == 200
    assert shopper.enter(campaign, "two").status_code == 201
    assert shopper.enter(campaign, "three").json()["code"] == "entry_limit_reached"


def test_the_seed_of_a_running_lottery_is_nowhere_to_be_seen(stack: LocalStack, luck: dict[str, Any]) -> None:
    seed = seed_of(stack, CAMPAIGN)
    shopper = Shopper(stack, "spy")
    entry = shopper.enter(CAMPAIGN, "once").json()
    operator = {"authorization": f"Bearer {stack.token('op', 'operator')}"}

    def look(path: str, headers: dict[str, str]) -> str:
        return httpx.get(f"{stack.api_url}/v1/{path}", headers=headers, timeout=30).text

    pages = [look(f"campaigns/{CAMPAIGN}{page}", {}) for page in ("", "/draw", "/rules")]
    pages += [
        look(f"admin/campaigns{page}", operator)
        for page in (
            "",
            f"/{CAMPAIGN}",
            f"/{CAMPAIGN}/history",
            f"/{CAMPAIGN}/statistics",
            f"/{CAMPAIGN}/draw",
        )
    ]
    pages += [shopper.ask("GET", f"/v1/entries/{entry['id']}{page}").text for page in ("", "/proof")]
    pages += [json.dumps(entry), logged(stack)]
    assert all(CAMPAIGN in page for page in pages), "one of these is about something else"

    files = [file for file in Path(stack.folder).iterdir() if file.is_file()]
    assert "emulator.log" in {file.name for file in files}
    pages += [file.read_text(encoding="utf-8", errors="replace") for file in files]
    for table in (stack.entry_table, stack.reward_table, stack.stock_table, stack.campaign_table):
        items = stack.aws.tables.scan(TableName=table)["Items"]
        pages += [str(item) for item in items if item["pk"]["S"] != f"SEED#{CAMPAIGN}"]  # the trail among them
    written = (seed.hex(), seed.hex().upper(), repr(seed)[2:-1])
    encoded = (encode(seed).decode().rstrip("=") for encode in (b64encode, urlsafe_b64encode))
    for words in (*written, *encoded):
        assert not [page for page in pages if words in page]
