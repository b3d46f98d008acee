"""The shoppers' rewards over HTTP events, with the whole backend in memory behind them."""

import json
from typing import Any

import pytest

from brandday.domain.fulfilment import RewardKind
from brandday.domain.money import Money
from brandday.domain.reward import RewardStatus
from brandday.domain.times import to_rfc3339
from brandday.entrypoints.rewards import ROUTES, RewardUseCases
from tests.events import http_event
from tests.fakes.backend import OPENS, SALE
from tests.fakes.reward_backend import CLAIM_UNTIL, RewardBackend, prizes
from tests.http_client import Answered, Client

ADDRESS = {
    "recipient": "欧阳娜娜",
    "phone": "+86 138 0013 8000",
    "country": "CN",
    "region": "上海市",
    "city": "上海市",
    "district": "黄浦区",
    "lines": ["南京东路100号"],
    "postal_code": "200001",
}
ALL = "/v1/rewards"
ONE = f"{ALL}/{{reward_id}}"


class Api:
    """The rewards API in front of a backend."""

    def __init__(self, backend: RewardBackend | None = None) -> None:
        self.backend = backend or RewardBackend()
        manage = self.backend.manager()
        use_cases = RewardUseCases(manage.list, manage.get, manage.give_address)
        self.client = Client(ROUTES, use_cases)

    def call(
        self,
        method: str,
        route: str,
        reward_id: str = "",
        *,
        body: object = None,
        raw_body: str | None = None,
        query: dict[str, str] | None = None,
        shopper: str = "shopper-1",
        headers: dict[str, str | None] | None = None,
        scope: str = "shopper",
    ) -> Answered:
        """Ask as a shopper, like API Gateway would."""
        event = http_event(
            "reserve_units", body=body, raw_body=raw_body, headers=headers, claims={"sub": shopper, "scope": scope}
        )
        path = {"reward_id": reward_id} if "{" in route else {}
        raw_path = route.format(**path)
        event |= {"routeKey": f"{method} {route}", "rawPath": raw_path, "pathParameters": path}
        event["requestContext"]["http"] |= {"method": method, "path": raw_path}
        event["requestContext"]["routeKey"] = event["routeKey"]
        event["queryStringParameters"] = query or {}
        return self.client.send(event)

    def win(self, shopper: str = "shopper-1") -> str:
        """Let a shopper win; return the reward's id."""
        reward_id = self.backend.win(shopper)
        self.backend.issue()
        return reward_id

    def give(self, reward_id: str, body: object = ADDRESS, **changes: Any) -> Answered:
        """Say where it shall be sent."""
        return self.call("PUT", f"{ONE}/address", reward_id, body=body, **changes)

    def get(self, reward_id: str, **changes: Any) -> Answered:
        """Look at one."""
        return self.call("GET", ONE, reward_id, **changes)


@pytest.fixture
def api() -> Api:
    return Api()


def test_a_prize_is_shown_with_what_to_do_next(api: Api) -> None:
    reward_id = api.win()
    body = api.get(reward_id).body
    del body["server_time"]
    assert body == {
        "id": reward_id,
        "campaign_id": SALE,
        "kind": "physical",
        "sku": "HERO",
        "title": {"en": "HERO"},
        "quantity": 1,
        "status": "awaiting_address",
        "next": "give_address",
        "created_at": to_rfc3339(OPENS),
        "claim_until": to_rfc3339(CLAIM_UNTIL),
        "has_address": False,
        "dispatched_at": None,
        "delivered_at": None,
        "order_id": "order-shopper-1",
    }


def test_an_address_sends_it_on_its_way_and_is_never_shown_or_logged(api: Api) -> None:
    reward_id = api.win()
    answer = api.give(reward_id)
    assert (answer.status, answer.body["status"], answer.body["has_address"]) == (200, "pending", True)
    assert answer.body["next"] == "wait"
    told = json.dumps([answer.body, api.get(reward_id).body, api.client.lines], ensure_ascii=False)
    for secret in ("欧阳娜娜", "138", "南京东路", "200001"):
        assert secret not in told
    sealed = api.backend.reward(reward_id).address
    assert sealed is not None
    assert json.loads(api.backend.cipher.decrypt(reward_id, sealed)) == ADDRESS


def test_giving_it_again_puts_it_right_and_needs_no_key(api: Api) -> None:
    reward_id = api.win()
    api.give(reward_id)
    assert api.give(reward_id, ADDRESS | {"postal_code": "200002"}, headers={"idempotency-key": None}).status == 200
    sealed = api.backend.reward(reward_id).address
    assert sealed is not None
    assert b"200002" in api.backend.cipher.decrypt(reward_id, sealed)


def test_after_the_deadline_it_is_too_late(api: Api) -> None:
    reward_id = api.win()
    api.backend.clock.now = CLAIM_UNTIL
    refused = api.give(reward_id)
    assert (refused.status, refused.code, refused.body["params"]) == (
        409,
        "reward_closed",
        {"status": "awaiting_address"},
    )


def test_a_wrong_address_names_the_field_and_does_not_repeat_it(api: Api) -> None:
    reward_id = api.win()
    refused = api.give(reward_id, ADDRESS | {"postal_code": "secret-77"}, headers={"accept-language": "zh-CN"})
    assert (refused.status, [place["pointer"] for place in refused.body["errors"]]) == (422, ["/postal_code"])
    assert "secret-77" not in json.dumps([refused.body, api.client.lines])
    assert api.backend.reward(reward_id).address is None


@pytest.mark.parametrize("raw", ["", "[]", '"x"', "null", "{", '{"lines": {}}', '{"recipient": "\\ud800"}'])
def test_what_is_no_address_is_refused(api: Api, raw: str) -> None:
    assert api.give(api.win(), None, raw_body=raw).status in (400, 422)


@pytest.mark.parametrize(
    ("status", "shown", "step"),
    [
        ("awaiting_approval", "pending", "wait"),
        ("pending", "pending", "wait"),
        ("dispatched", "dispatched", "wait"),
        ("delivered", "delivered", "nothing"),
        ("returned", "returned", "contact_shop"),
        ("failed", "failed", "contact_shop"),
        ("forfeited", "forfeited", "nothing"),
    ],
)
def test_what_partners_and_operators_say_is_not_shown(api: Api, status: str, shown: str, step: str) -> None:
    reward_id = api.win()
    api.backend.alter(
        reward_id,
        status=RewardStatus(status),
        words="PARTNER-WORDS",
        approved_by="OPERATOR",
        reference="PARTNER-REFERENCE",
        status_at=OPENS + 5,
    )
    body = api.get(reward_id).body
    assert (body["status"], body["next"]) == (shown, step)
    assert (body["dispatched_at"] is not None) == (status == "dispatched")
    assert (body["delivered_at"] is not None) == (status == "delivered")
    refused = api.give(reward_id) if status != "pending" else api.get(reward_id)
    for secret in ("PARTNER", "OPERATOR", "approv"):
        assert secret not in json.dumps([body, refused.body])


def test_a_reward_that_waits_for_approval_looks_pending() -> None:
    api = Api(RewardBackend(prizes(RewardKind.CASH, value=Money(60_000, "CNY"))))
    assert api.get(api.win()).body["status"] == "pending"


def test_the_rewards_of_others_look_like_ones_that_do_not_exist(api: Api) -> None:
    reward_id = api.win("shopper-2")
    one, other = api.get(reward_id), api.get(reward_id[:-1] + "x")
    assert (one.status, one.code) == (404, "reward_not_found")
    assert {**one.body, "instance": ""} == {**other.body, "instance": ""}
    assert api.give(reward_id).code == "reward_not_found"


@pytest.mark.parametrize("reward_id", ["rwd_", "x", "rsv_a.1.b.c", "rwd_short.00000000.sale", "rwd_é"])
def test_what_cannot_be_an_id_is_not_found_without_looking(api: Api, reward_id: str) -> None:
    api.backend.tap.calls.clear()
    assert api.get(reward_id).code == "reward_not_found"
    assert api.backend.tap.calls == []


def test_the_list_is_paged_newest_first(api: Api) -> None:
    api = Api(RewardBackend(prizes(RewardKind.DIGITAL, stock=9)))
    first = api.win()
    api.backend.clock.advance(1000)
    second = api.win("shopper-1")
    others = api.win("shopper-2")
    page = api.call("GET", ALL, query={"limit": "1"})
    assert [reward["id"] for reward in page.body["rewards"]] == [second]
    rest = api.call("GET", ALL, query={"limit": "1", "after": page.body["next"]})
    assert [reward["id"] for reward in rest.body["rewards"]] == [first]
    assert rest.body["next"] is None
    assert others not in json.dumps([page.body, rest.body])


def test_somebody_who_has_nothing_sees_an_empty_list(api: Api) -> None:
    assert api.call("GET", ALL, shopper="nobody").body["rewards"] == []


@pytest.mark.parametrize(
    ("query", "name", "rule"),
    [
        ({"limit": "0"}, "limit", "too_small"),
        ({"limit": "51"}, "limit", "too_large"),
        ({"limit": "1,2"}, "limit", "not_a_whole_number"),
        ({"limit": "٣"}, "limit", "not_a_whole_number"),
        ({"limit": ""}, "limit", "not_a_whole_number"),
        ({"limit": "9" * 5000}, "limit", "not_a_whole_number"),
        ({"after": ""}, "after", "not_a_cursor"),
        ({"after": "x" * 501}, "after", "not_a_cursor"),
        ({"after": "é"}, "after", "not_a_cursor"),
        ({"after": "made-up"}, "after", "not_a_cursor"),
    ],
    ids=str,
)
def test_a_wrong_query_is_named(api: Api, query: dict[str, str], name: str, rule: str) -> None:
    refused = api.call("GET", ALL, query=query)
    assert (refused.status, refused.body["errors"][0]["query"], refused.body["errors"][0]["rule"]) == (422, name, rule)


def test_only_shoppers_are_served(api: Api) -> None:
    assert api.call("GET", ALL, scope="operator").code == "forbidden"
