"""What lotteries publish, over HTTP events: promises, receipts, rules; and that none of it says who somebody is."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from brandday.domain.campaign import Status
from brandday.domain.draw import SEAL_AFTER_MS
from brandday.domain.entrant import Entrant
from brandday.domain.layout import to_base64url
from brandday.domain.luck import commitment, digest
from brandday.domain.receipt_check import check_proof, verify
from brandday.domain.receipt_page import join
from brandday.domain.times import to_rfc3339
from tests.fakes.backend import CLOSES, OPENS, SALE, sale, sku
from tests.fakes.draw_world import SEED, DrawWorld, drawn_campaign, instant_campaign
from tests.fakes.lottery_api import DRAW, PROOF, RECEIPT, RULES, LotteryApi, played_lottery
from tests.fakes.lottery_backend import SEED as INSTANT_SEED
from tests.fakes.lottery_backend import LotteryBackend
from tests.fakes.memory_entrants import MemoryEntrants

PUBLIC = (DRAW, RECEIPT, RULES)


def drawn_api(*stocks: int, beacon: bool = False, entrants: int = 12) -> tuple[LotteryApi, DrawWorld]:
    world = DrawWorld(drawn_campaign(*stocks, beacon=beacon), entrants=entrants)
    return LotteryApi(world, world.id, world.draws), world


# --- promises -------------------------------------------------------------------------------------------------


def test_before_the_start_the_promise_is_there_and_the_seed_is_not() -> None:
    backend = LotteryBackend(now=OPENS - 1)
    body = LotteryApi(backend, SALE).public(DRAW).body
    assert (body["state"], body["mode"], body["algorithm"]) == ("scheduled", "instant", "brandday-lottery-1")
    assert body["commitment"] == commitment(INSTANT_SEED)
    assert [body[name] for name in ("seed", "sealed", "drawn", "beacon", "draw_at")] == [None] * 5
    assert body["seed_from"] == to_rfc3339(CLOSES + SEAL_AFTER_MS)


def test_anybody_can_hash_the_prize_table_again() -> None:
    table = LotteryApi(LotteryBackend(), SALE).public(DRAW).body["tables"][0]
    assert digest(table["document"]) == table["hash"]
    changed = table["document"] | {"prizes": [table["document"]["prizes"][0] | {"stock": 2}]}
    assert digest(changed) != table["hash"]


def test_a_draw_goes_from_running_to_drawn_and_shows_its_seed_last() -> None:
    """GIVEN a draw with a beacon WHEN time goes by THEN list, ranking and seed are shown, each when it is final."""
    api, world = drawn_api(beacon=True)
    running = api.public(DRAW).body
    assert (running["state"], running["seed"], running["sealed"]) == ("running", None, None)
    assert running["beacon"]["chain"].startswith("52db9ba7")
    world.clock.now = world.campaign.ends_at
    assert api.public(DRAW).body["state"] == "ended"
    world.seal()
    sealed = api.public(DRAW).body
    assert (sealed["state"], sealed["seed"], sealed["drawn"]) == ("sealed", None, None)
    assert (sealed["sealed"]["entrants"], len(sealed["sealed"]["root"])) == (12, 64)
    assert world.draw() == 0
    drawn = api.public(DRAW).body
    assert (drawn["state"], drawn["seed"], drawn["sealed"]) == ("drawn", SEED.hex(), sealed["sealed"])
    result = world.result()
    assert result is not None
    assert result.randomness is not None
    assert drawn["drawn"] == {
        "ranking_hash": result.hash,
        "winners": 4,
        "reserves": 4,
        "randomness": result.randomness.value.hex(),
        "signature": result.randomness.signature.hex(),
        "drawn_at": to_rfc3339(result.drawn_at),
    }


def test_the_seed_of_a_draw_that_is_late_stays_secret() -> None:
    api, world = drawn_api(beacon=True)
    world.seal()
    world.clock.now = world.draw_at + 3_600_000
    assert api.public(DRAW).body["seed"] is None
    assert api.public(RECEIPT).code == "receipt_not_ready"
    assert SEED.hex() not in json.dumps(everything(api))


def test_a_paused_lottery_says_so() -> None:
    backend = LotteryBackend()
    backend.change(status=Status.PAUSED)
    assert LotteryApi(backend, SALE).public(DRAW).body["state"] == "paused"


# --- receipts -------------------------------------------------------------------------------------------------


def test_a_receipt_is_not_there_before_the_end_and_says_when_to_ask_again() -> None:
    refused = LotteryApi(LotteryBackend(), SALE).public(RECEIPT)
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (409, "receipt_not_ready", "60")


def test_the_receipt_of_an_instant_win_verifies_and_a_changed_one_does_not() -> None:
    pages = played_lottery().receipt_pages()
    receipt = join(page.body["receipt"] for page in pages)
    assert len(pages) > 3
    assert len(receipt["entrants"]) == 30
    assert verify(receipt) == []
    receipt["entrants"][3]["entries"][0]["at"] += 1
    assert verify(receipt) != []


@pytest.mark.parametrize("beacon", [False, True])
def test_the_receipt_of_a_draw_verifies(beacon: bool) -> None:
    api, world = drawn_api(1, 3, beacon=beacon)
    world.seal()
    world.draw()
    receipt = join(page.body["receipt"] for page in api.receipt_pages())
    assert (len(receipt["entrants"]), len(receipt["winners"])) == (12, 4)
    assert verify(receipt) == []
    assert receipt["sealed"]["root"] == api.public(DRAW).body["sealed"]["root"]


@pytest.mark.parametrize(
    "after",
    ["", "x", "list", "list.", "list.~.", "list.a.~~~", "release.99", "release.-1", "release.٣", "places.0", "x" * 501],
)
def test_a_cursor_of_no_page_is_named(after: str) -> None:
    refused = played_lottery().public(RECEIPT, query={"after": after})
    assert (refused.status, refused.body["errors"][0]["query"]) == (422, "after")


# --- the rules ------------------------------------------------------------------------------------------------


def test_the_rules_have_all_that_has_to_be_published() -> None:
    world = DrawWorld(instant_campaign(), entrants=0)
    body = LotteryApi(world, world.id).public(RULES).body
    assert (body["organiser"], body["contact"]) == ("Shop Ltd, 1 Nanjing Road, Shanghai", "help@shop.example")
    assert body["conditions"] == {"en": "Members of 18 years and over", "zh-CN": "限18岁以上会员"}
    assert body["claim_rules"]["en"].startswith("Give your address")
    assert body["forfeiture"]["en"].startswith("What nobody claims")
    assert (body["time_zone"], body["starts_at"]) == ("Asia/Shanghai", to_rfc3339(world.campaign.starts_at))
    assert body["claim_until"] is not None
    car, mug, watch, sticker = body["lottery"]["prizes"]
    assert (car["quantity"], car["odds"], car["odds_between"]) == (2, "1/5000", ["0/1", "1/1000"])
    assert (mug["per_day"], mug["release"]["plan"], watch["release"]["plan"]) == (120, "rounds", "moments")
    assert (sticker["quantity"], body["lottery"]["consolation"]) == (5000, "STICKER")
    assert body["lottery"]["allowance"] == {"per_day": 3, "per_campaign": 9, "earned": 4}


def test_the_rules_of_a_draw_say_when_it_is() -> None:
    api, world = drawn_api(beacon=True)
    draw = api.public(RULES).body["lottery"]["draw"]
    assert (draw["at"], draw["reserves"]) == (to_rfc3339(world.draw_at), 4)


# --- who sees what --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", PUBLIC)
def test_drafts_do_not_exist_and_sales_are_no_lotteries(route: str) -> None:
    backend = LotteryBackend()
    backend.change(status=Status.DRAFT)
    assert LotteryApi(backend, SALE).public(route).code == "campaign_not_found"
    assert LotteryApi(backend, SALE).public(route, campaign_id="no-such-campaign").code == "campaign_not_found"
    backend.put(sale(sku("HERO")))
    assert LotteryApi(backend, SALE).public(route).code == "wrong_mechanic"


@pytest.mark.parametrize("route", PUBLIC)
def test_public_pages_can_be_cached_for_a_second_and_revalidated(route: str) -> None:
    api = played_lottery()
    first = api.public(route)
    assert first.headers["Cache-Control"] == "public, max-age=1"
    again = api.public(route, headers={"if-none-match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, None)


def everything(api: LotteryApi) -> list[Any]:
    """The bodies of all public answers."""
    pages = [api.public(DRAW), api.public(RULES), api.public(RECEIPT)]
    return [page.body for page in pages] + ([] if pages[-1].status != 200 else [p.body for p in api.receipt_pages()])


def worlds() -> Iterator[tuple[str, LotteryApi, MemoryEntrants]]:
    """Lotteries in every state that shows something, with the records of their entrants."""
    backend = LotteryBackend()
    running = LotteryApi(backend, SALE)
    running.enter("shopper-1")
    yield "running", running, backend.entrants
    over = played_lottery()
    assert isinstance(over.world, LotteryBackend)
    yield "over", over, over.world.entrants
    api, world = drawn_api(1, 3)
    world.seal()
    yield "sealed", api, world.entrants
    api, world = drawn_api(1, 3)
    world.seal()
    world.draw()
    winner = next(place.entrant for place in world.places() if place.slot == "1")
    world.claims_end()
    world.forfeit(winner)
    world.runner()()
    assert world.moves()
    yield "moved up", api, world.entrants


def found(pages: list[Any], api: LotteryApi, records: list[Entrant]) -> set[str]:
    """What of the entrants' secrets stands in the pages: ids, owners, keys' marks, the salt of their names."""
    luck = api.world.campaigns.campaigns[api.campaign_id].luck
    assert luck is not None
    texts = set(strings(pages))
    whole = json.dumps(pages)
    secrets = {secret for record in records for secret in (record.sub, record.owner) if secret}
    marks = {entry.tag for record in records for entry in record.entries}
    salts = {luck.entry_salt.hex(), to_base64url(luck.entry_salt)}
    return {secret for secret in secrets | salts if secret in whole} | (marks & texts)


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    match value:
        case str():
            yield value
        case dict():
            yield from (text for pair in value.items() for part in pair for text in strings(part))
        case list():
            yield from (text for part in value for text in strings(part))


@pytest.mark.parametrize(("api", "entrants"), [(a, e) for _, a, e in worlds()], ids=[name for name, *_ in worlds()])
def test_nothing_public_says_who_somebody_is(api: LotteryApi, entrants: MemoryEntrants) -> None:
    """GIVEN a lottery with entrants WHEN all of its pages are read THEN no id, owner, key or salt is in any of them."""
    records = list(entrants.records.values())
    assert records
    assert found(everything(api), api, records) == set()


def test_the_search_would_find_each_of_them() -> None:
    """The negative control of the test above: pages with one thing too much."""
    name, api, entrants = next(worlds())
    assert name == "running"
    record = next(iter(entrants.records.values()))
    for secret in (record.sub, record.owner, record.entries[0].tag):
        assert found([*everything(api), {"by": [f"{secret}"]}], api, [record]) == {secret}


# --- a ticket's own proof -------------------------------------------------------------------------------------


def test_a_ticket_is_proven_in_the_list_before_the_draw_and_with_its_key_afterwards() -> None:
    api, world = drawn_api(1, 3, beacon=True)
    assert world.campaign.luck is not None
    name = world.campaign.luck.entrant("shopper-4")
    entry_id = f"ent_{world.id}.{name}.2"
    before = api.call("GET", PROOF, shopper="shopper-4", entry_id=entry_id).body
    assert (before["row"], before["path"], before["seed"]) == (None, None, None)
    world.seal()
    sealed = api.call("GET", PROOF, shopper="shopper-4", entry_id=entry_id).body
    assert sealed["row"] == [name, 2]
    assert (sealed["seed"], sealed["randomness"], sealed["luck"]) == (None, None, None)
    assert sealed["root"] == api.public(DRAW).body["sealed"]["root"]
    world.draw()
    public = api.public(DRAW).body
    proof = api.call("GET", PROOF, shopper="shopper-4", entry_id=entry_id).body
    hashes = [table["hash"] for table in public["tables"]]
    assert check_proof(proof, public["sealed"]["root"], hashes) == []
    assert proof["facts"] == before["facts"]
    assert proof["randomness"] == public["drawn"]["randomness"]
    assert check_proof(proof | {"luck": "00" * 32}, public["sealed"]["root"], hashes) != []


def test_records_that_were_changed_after_the_seal_prove_nothing() -> None:
    """GIVEN a sealed list WHEN a record of the bucket is not what it was THEN no proof is made up."""
    api, world = drawn_api(1, 3, entrants=300)
    world.seal()
    assert world.campaign.luck is not None
    name = world.campaign.luck.entrant("shopper-4")
    entry_id = f"ent_{world.id}.{name}.1"
    assert api.call("GET", PROOF, shopper="shopper-4", entry_id=entry_id).status == 200
    other = next(record for (_, of), record in world.entrants.records.items() if of[0] == name[0] and of != name)
    world.entrants.records[world.id, other.name] = replace(other, entries=(*other.entries, other.entries[-1]))
    assert api.call("GET", PROOF, shopper="shopper-4", entry_id=entry_id).code == "internal_error"
