"""Entries over HTTP events, with a whole lottery in memory behind them."""

import json
from fractions import Fraction
from typing import Any

import pytest

from brandday.domain.campaign import Eligibility, Status
from brandday.domain.draw import SEAL_AFTER_MS
from brandday.domain.lottery import MAX_ENTRIES
from brandday.domain.receipt_check import check_proof
from brandday.domain.times import to_rfc3339
from tests.fakes.backend import CLOSES, OPENS, SALE, sale, sku
from tests.fakes.lottery_api import CHANCES, DRAW, ENTER, ENTRY, MINE, PROOF, LotteryApi
from tests.fakes.lottery_backend import DAYS, LotteryBackend, draw, lottery, prize

NEVER = Fraction(0)


def api_of(campaign: Any = None) -> LotteryApi:
    return LotteryApi(LotteryBackend(campaign), SALE)


@pytest.fixture
def api() -> LotteryApi:
    return api_of(lottery(prize("mug", 2), per_day=2, per_campaign=3, earned=4))


# --- entering -------------------------------------------------------------------------------------------------


def test_a_win_tells_the_prize_its_reward_and_what_is_left(api: LotteryApi) -> None:
    """GIVEN a lottery that every entry wins WHEN somebody enters THEN all of it is answered, and where it is."""
    answer = api.enter()
    body = answer.body
    entry_id = body["id"]
    assert answer.status == 201
    assert answer.headers["Location"] == f"/v1/entries/{entry_id}"
    facts = body.pop("facts")
    assert facts | {"table_hash": "", "commitment": ""} == {
        "entry": entry_id,
        "at": OPENS,
        "table": 1,
        "table_hash": "",
        "commitment": "",
    }
    reward_id = body.pop("reward_id")
    assert reward_id.endswith(f".{SALE}")
    assert {**body, "server_time": ""} == {
        "server_time": "",
        "id": entry_id,
        "campaign_id": SALE,
        "number": 1,
        "entered_at": to_rfc3339(OPENS),
        "table_version": 1,
        "state": "won",
        "prize": {"id": "mug", "title": {"en": "mug"}},
        "consolation": False,
        "chain": [{"prize": "mug", "fate": "won"}],
        "entries_left": {"today": 1, "in_all": 2, "next_at": to_rfc3339(DAYS[1])},
    }


def test_an_entry_says_why_it_won_nothing_better() -> None:
    """GIVEN one mug that is gone, and stickers for everybody WHEN somebody enters THEN the chain tells."""
    api = api_of(lottery(prize("mug", 1), prize("sticker", 5, None), consolation="sticker"))
    api.enter("shopper-1")
    body = api.enter("shopper-2").body
    assert (body["state"], body["prize"]["id"], body["consolation"]) == ("won", "sticker", True)
    assert body["chain"] == [{"prize": "mug", "fate": "gone"}, {"prize": "sticker", "fate": "won"}]


def test_a_miss_has_no_prize_and_an_empty_chain() -> None:
    body = api_of(lottery(prize("mug", 1, NEVER), prize("pen", 1))).enter(key="a").body
    assert body["prize"]["id"] == "pen"
    body = api_of(lottery(prize("mug", 1, Fraction(1, 10**30)))).enter().body
    assert (body["state"], body["prize"], body["reward_id"], body["chain"]) == ("lost", None, None, [])


def test_a_ticket_waits_for_its_draw() -> None:
    body = api_of(draw()).enter().body
    assert (body["state"], body["prize"], body["chain"]) == ("ticket", None, [])


def test_the_same_key_gets_the_same_answer_and_says_so(api: LotteryApi) -> None:
    first, again, other = api.enter(), api.enter(), api.enter(key="key-2")
    assert "Idempotent-Replayed" not in first.headers
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.body == first.body
    assert (other.body["number"], "Idempotent-Replayed" in other.headers) == (2, False)


def test_a_used_allowance_says_when_the_next_day_begins(api: LotteryApi) -> None:
    api.enter(key="1")
    api.enter(key="2")
    refused = api.enter(key="3")
    assert (refused.status, refused.code) == (409, "entry_limit_reached")
    assert refused.body["params"] == {"allowance": "day", "until": to_rfc3339(DAYS[1])}
    assert refused.body["retry_after_ms"] == DAYS[1] - OPENS
    api.world.clock.now = DAYS[1]
    assert api.enter(key="3").status == 201
    refused = api.enter(key="4", headers={"accept-language": "zh-CN"})
    assert (refused.body["params"], refused.body["retry_after_ms"]) == ({"allowance": "campaign", "until": None}, None)
    assert refused.headers["Content-Language"] == "zh-CN"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": Status.PAUSED}, "campaign_paused"),
        ({"status": Status.DRAFT}, "campaign_not_found"),
        ({"starts_at": OPENS + 1}, "campaign_not_started"),
        ({"ends_at": OPENS}, "campaign_ended"),
        ({"eligibility": Eligibility(member_tiers=("gold",))}, "not_eligible"),
    ],
    ids=str,
)
def test_who_may_not_enter_hears_why(changes: dict[str, Any], code: str) -> None:
    backend = LotteryBackend()
    backend.change(**changes)
    assert LotteryApi(backend, SALE).enter(claims={"tier": "silver"}).code == code


def test_nobody_enters_a_flash_sale() -> None:
    backend = LotteryBackend()
    backend.put(sale(sku("HERO")))
    api = LotteryApi(backend, SALE)
    for refused in (api.enter(), api.mine(), api.grant()):
        assert (refused.status, refused.code, refused.body["params"]) == (
            409,
            "wrong_mechanic",
            {"mechanic": "flash_sale"},
        )


def test_an_entry_needs_a_key_and_a_shopper(api: LotteryApi) -> None:
    assert api.enter(headers={"idempotency-key": None}).code == "idempotency_key_missing"
    for route, method in ((ENTER, "POST"), (MINE, "GET"), (ENTRY, "GET"), (PROOF, "GET")):
        assert api.call(method, route, scope="orders", entry_id=f"ent_{SALE}.{'a' * 12}.1").code == "forbidden"


# --- looking --------------------------------------------------------------------------------------------------


def test_an_entry_can_be_looked_at_by_its_owner_alone(api: LotteryApi) -> None:
    entered = api.enter().body
    shown = api.get(entered["id"])
    del entered["entries_left"]
    assert (shown.status, shown.body) == (200, entered)
    one = api.get(entered["id"], shopper="shopper-2")
    other = api.get(entered["id"][:-1] + "2")
    assert (one.status, one.code) == (404, "entry_not_found")
    assert {**one.body, "instance": ""} == {**other.body, "instance": ""}
    assert api.proof(entered["id"], shopper="shopper-2").code == "entry_not_found"


@pytest.mark.parametrize(
    "entry_id",
    [
        "ent_",
        "x",
        f"rsv_{SALE}.{'a' * 12}.1",
        f"ent_{SALE}.{'a' * 12}.0",
        f"ent_{SALE}.{'a' * 12}.{MAX_ENTRIES + 1}",
        f"ent_{SALE}.{'a' * 12}.01",
        f"ent_{SALE}.{'a' * 11}.1",
        f"ent_{SALE}.{'a' * 12}.1\n",
        f"ent_{SALE}.{'é' * 12}.1",
        f"ent_no-such-campaign.{'a' * 12}.1",
    ],
)
def test_what_cannot_be_an_entry_is_not_found(api: LotteryApi, entry_id: str) -> None:
    assert api.get(entry_id).code == "entry_not_found"
    assert api.proof(entry_id).code == "entry_not_found"


def test_the_list_has_ones_own_entries_and_what_is_left(api: LotteryApi) -> None:
    first = api.enter(key="1").body["id"]
    api.world.clock.advance(1000)
    second = api.enter(key="2").body["id"]
    others = api.enter("shopper-2").body["id"]
    body = api.mine().body
    assert [entry["id"] for entry in body["entries"]] == [first, second]
    assert body["entries_left"] == {"today": 0, "in_all": 1, "next_at": to_rfc3339(DAYS[1])}
    assert others not in json.dumps(body)


def test_who_has_not_entered_sees_the_whole_allowance(api: LotteryApi) -> None:
    body = api.mine(shopper="nobody").body
    assert (body["entries"], body["earned"]) == ([], 0)
    assert body["entries_left"] == {"today": 2, "in_all": 3, "next_at": to_rfc3339(DAYS[1])}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "validation_failed"),
        ({"campaign_id": ""}, "validation_failed"),
        ({"campaign_id": "No Campaign!"}, "campaign_not_found"),
        ({"campaign_id": "no-such-campaign"}, "campaign_not_found"),
    ],
    ids=str,
)
def test_the_list_is_of_one_campaign(api: LotteryApi, query: dict[str, str], code: str) -> None:
    assert api.call("GET", MINE, query=query).code == code


# --- earned chances -------------------------------------------------------------------------------------------


def test_earned_chances_are_entries_on_top(api: LotteryApi) -> None:
    answer = api.grant(chances=2)
    assert (answer.status, answer.body["chances"], answer.body["reason"]) == (200, 2, "share")
    assert "shopper-1" not in json.dumps(answer.body)
    assert [api.enter(key=str(number)).status for number in range(5)] == [201, 201, 201, 201, 409]
    assert api.mine().body["earned"] == 2


def test_the_same_grant_counts_once(api: LotteryApi) -> None:
    api.grant(chances=2)
    again = api.grant(chances=2, key="another-key")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert api.mine().body["earned"] == 2
    reused = api.grant(chances=3)
    assert (reused.status, reused.code) == (422, "idempotency_key_reused")


def test_no_more_chances_than_the_lottery_allows(api: LotteryApi) -> None:
    api.grant(chances=3)
    refused = api.grant(grant_id="g-2", chances=2)
    assert (refused.status, refused.code, refused.body["params"]) == (409, "chances_exhausted", {"left": 1})
    api.world.clock.now = CLOSES
    assert api.grant(grant_id="g-3").code == "campaign_ended"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chances", 0),
        ("chances", 36),
        ("chances", True),
        ("chances", 1.0),
        ("reason", "bribe"),
        ("id", ""),
        ("id", "a b"),
        ("id", "x" * 65),
        ("shopper_id", ""),
        ("shopper_id", "x" * 256),
        ("more", 1),
    ],
)
def test_a_wrong_grant_names_the_field(api: LotteryApi, field: str, value: object) -> None:
    body = {"id": "g-1", "shopper_id": "shopper-1", "chances": 1, "reason": "check_in", field: value}
    refused = api.grant(body=body)
    assert (refused.status, [place["pointer"] for place in refused.body["errors"]]) == (422, [f"/{field}"])
    assert api.mine().body["earned"] == 0


def test_shoppers_grant_themselves_nothing(api: LotteryApi) -> None:
    body = {"id": "g-1", "shopper_id": "shopper-1", "chances": 1}
    assert api.call("POST", CHANCES, body=body).code == "forbidden"


# --- proofs ---------------------------------------------------------------------------------------------------


def test_while_it_runs_a_proof_is_what_was_told_and_no_more(api: LotteryApi) -> None:
    entered = api.enter().body
    body = api.proof(entered["id"]).body
    assert body["facts"] == entered["facts"]
    assert all(body[name] is None for name in ("seed", "randomness", "luck", "row", "path", "root"))
    public = api.public(DRAW).body
    assert body["facts"]["commitment"] == public["commitment"]
    assert body["facts"]["table_hash"] == public["tables"][0]["hash"]


def test_after_the_end_everybody_can_check_their_own_entries() -> None:
    """GIVEN a lottery of 30 entrants WHEN it is over and sealed THEN each entry's proof leads to the public root."""
    api = api_of(lottery(prize("mug", 7, Fraction(1, 3)), prize("sticker", 9, None), consolation="sticker"))
    told = {}
    for number in range(30):
        for key in range(1 + number % 3):
            api.world.clock.advance(7)
            body = api.enter(f"shopper-{number}", key=str(key)).body
            told[body["id"]] = (f"shopper-{number}", body["facts"])
    api.world.clock.now = CLOSES + SEAL_AFTER_MS
    api.seal()
    public = api.public(DRAW).body
    hashes = [table["hash"] for table in public["tables"]]
    for entry_id, (shopper, facts) in told.items():
        body = api.proof(entry_id, shopper=shopper).body
        assert body["facts"] == facts
        assert check_proof(body, public["sealed"]["root"], hashes) == []
        assert check_proof(body, "00" * 32, hashes) != []


def test_nothing_about_entries_is_logged(api: LotteryApi) -> None:
    entry_id = api.enter(key="a-secret-key").body["id"]
    api.proof(entry_id)
    api.grant()
    text = json.dumps(api.lines)
    for secret in ("shopper-1", "a-secret-key", entry_id):
        assert secret not in text
    assert [line["campaign_id"] for line in api.lines] == [SALE] * 3


def test_what_cannot_be_a_campaign_is_not_looked_for(api: LotteryApi) -> None:
    api.world.campaigns.campaigns["brand#day"] = lottery()
    assert api.call("GET", MINE, query={"campaign_id": "brand#day"}).code == "campaign_not_found"
