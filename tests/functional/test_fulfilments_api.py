"""Receipts of partners and the operators' routes over HTTP events, with the whole backend in memory behind them."""

import base64
import json
from typing import Any

import pytest

from brandday.domain.fulfilment import RewardKind
from brandday.domain.money import Money
from brandday.domain.reward import RewardStatus
from brandday.domain.times import to_rfc3339
from brandday.entrypoints.fulfilments import ROUTES, FulfilmentUseCases
from brandday.usecases.dead_letter_ports import QueueName
from tests.events import Event, http_event
from tests.fakes.backend import SALE
from tests.fakes.reward_backend import prizes
from tests.fakes.reward_desk import APPLIER, COLLEAGUE, RewardDesk, signed
from tests.http_client import Answered, Client

RECEIPT = "/v1/fulfilments/{reward_id}/receipts"
ALL = "/v1/admin/fulfilments"
ONE = f"{ALL}/{{reward_id}}"
QUEUES = "/v1/admin/queues"
NOWHERE = f"rwd_AAAAAAAAAAAA.00000000.{SALE}"


class Api:
    """The fulfilments API in front of a desk."""

    def __init__(self, kind: RewardKind = RewardKind.DIGITAL, value: Money | None = None) -> None:
        self.desk = RewardDesk(prizes(kind, stock=40, value=value))
        self.client = Client(
            ROUTES, FulfilmentUseCases(self.desk.operate(), self.desk.redrive_queues(), self.desk.reports())
        )

    def win(self, shopper: str = "shopper-1", **changes: Any) -> str:
        """Let a shopper win, and something happen to the reward; return its id."""
        reward_id = self.desk.win(shopper)
        self.desk.issue()
        if changes:
            self.desk.alter(reward_id, **({"pending_since": None} | changes))
        return reward_id

    def event(self, method: str, route: str, path: dict[str, str], **changes: Any) -> Event:
        """Return an event like API Gateway's."""
        event = http_event("reserve_units", **changes)
        raw_path = route.format(**path)
        named = {name: value for name, value in path.items() if f"{{{name}}}" in route}
        event |= {"routeKey": f"{method} {route}", "rawPath": raw_path, "pathParameters": named}
        event["requestContext"]["http"] |= {"method": method, "path": raw_path}
        event["requestContext"]["routeKey"] = event["routeKey"]
        return event

    def call(
        self,
        method: str,
        route: str,
        *,
        who: str = COLLEAGUE,
        scope: str = "operator",
        query: dict[str, str] | None = None,
        body: object = None,
        headers: dict[str, str | None] | None = None,
        **path: str,
    ) -> Answered:
        """Ask as an operator."""
        event = self.event(method, route, path, body=body, headers=headers, claims={"sub": who, "scope": scope})
        event["queryStringParameters"] = query or {}
        return self.client.send(event)

    def report(
        self, to: str, body: bytes | None = None, headers: dict[str, str] | None = None, **fields: Any
    ) -> Answered:
        """Report as the partner; `headers` replace those of a good signature."""
        document = {"status": "delivered", "at": to_rfc3339(self.desk.clock())} | fields
        raw = json.dumps(document).encode() if body is None else body
        event = self.event("POST", RECEIPT, {"reward_id": to})
        del event["requestContext"]["authorizer"]
        event["body"], event["isBase64Encoded"] = base64.b64encode(raw).decode(), True
        event["headers"] = {"content-type": "application/json"} | (
            signed(raw, self.desk.clock()) if headers is None else headers
        )
        return self.client.send(event)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def sent(api: Api) -> str:
    """A reward that its partner has."""
    return api.win(status=RewardStatus.DISPATCHED, accepted=1)


# --- receipts --------------------------------------------------------------------------------------------------------


def test_a_signed_receipt_is_taken_without_token_and_key(api: Api, sent: str) -> None:
    answer = api.report(sent)
    assert (answer.status, answer.body["reward_id"], answer.body["status"]) == (200, sent, "delivered")
    assert api.desk.reward(sent).status is RewardStatus.DELIVERED


def test_a_replay_and_an_older_report_are_answered_with_what_stands(api: Api, sent: str) -> None:
    late = to_rfc3339(api.desk.clock())
    early = to_rfc3339(api.desk.clock() - 1000)
    assert api.report(sent, status="returned", at=late, note="unbekannt verzogen").body["status"] == "returned"
    assert api.report(sent, at=early).body["status"] == "returned"
    assert api.report(sent, status="returned", at=late).body["status"] == "returned"
    assert api.desk.reward(sent).words == "unbekannt verzogen"


def test_the_signature_is_over_the_bytes_as_they_were_sent(api: Api, sent: str) -> None:
    raw = f'{{ "at" : "{to_rfc3339(api.desk.clock())}",\r\n "status":"delivered", "note": "\\u00fc ü" }}'.encode()
    assert api.report(sent, raw).status == 200
    assert api.desk.reward(sent).words == "ü ü"


def test_a_body_that_comes_as_text_is_verified_as_well(api: Api, sent: str) -> None:
    text = json.dumps({"status": "delivered", "at": to_rfc3339(api.desk.clock()), "note": "ü"}, ensure_ascii=False)
    event = api.event("POST", RECEIPT, {"reward_id": sent})
    event["headers"] = signed(text.encode(), api.desk.clock())
    event["body"] = text
    assert api.client.send(event).status == 200


def test_whatever_is_wrong_with_a_signature_looks_the_same_and_is_logged(api: Api, sent: str) -> None:
    body = b'{"status":"delivered","at":"2026-07-09T00:00:00Z","note":"SECRET-BODY"}'
    good = signed(body, api.desk.clock())
    refusals = [
        api.report(sent, body, {}),
        api.report(sent, body, good | {"webhook-signature": "v1," + "A" * 43 + "="}),
        api.report(sent, body, signed(body, api.desk.clock() - 301_000)),
        api.report(sent, body, signed(body, api.desk.clock(), secret=b"whsec_Zm9yZ2Vk")),
        api.report(NOWHERE, body, good),
        api.report("rwd_AAAAAAAAAAAA.00000000.no-such-sale", body, good),
        api.report("nonsense", body, good),
        api.report("rwd_\x1b[31m", body, good),
    ]
    assert {(answer.status, answer.code) for answer in refusals} == {(401, "signature_invalid")}
    assert len({json.dumps(answer.body) for answer in refusals}) == 1
    assert {line["level"] for line in api.client.lines} == {"WARNING"}
    assert [line["reward_id"] for line in api.client.lines][-4:] == [
        NOWHERE,
        "rwd_AAAAAAAAAAAA.00000000.no-such-sale",
        "",
        "",
    ]
    assert "SECRET-BODY" not in json.dumps(api.client.lines)
    assert len(api.client.lines) == len(refusals)
    assert api.desk.reward(sent).status is RewardStatus.DISPATCHED


def test_who_cannot_sign_learns_nothing_about_the_body(api: Api, sent: str) -> None:
    assert api.report(sent, b"not JSON", {}).code == "signature_invalid"


def test_a_receipt_that_names_its_reward_is_good_for_that_one_only(api: Api, sent: str) -> None:
    other = api.win("shopper-2", status=RewardStatus.DISPATCHED)
    assert api.report(sent, reward_id=sent).status == 200
    assert api.report(other, reward_id=sent).code == "signature_invalid"
    assert api.desk.reward(other).status is RewardStatus.DISPATCHED


@pytest.mark.parametrize(
    ("fields", "pointer", "rule"),
    [
        ({"status": "lost"}, "/status", "not_one_of"),
        ({"status": None}, "/status", "not_one_of"),
        ({"at": "yesterday"}, "/at", "bad_format"),
        ({"at": "2026-07-09T00:00:00"}, "/at", "bad_format"),
        ({"at": "2026-02-30T00:00:00Z"}, "/at", "not_a_time"),
        ({"at": "0001-01-01T00:00:00+23:59"}, "/at", "not_a_time"),
        ({"at": "9999-12-31T23:59:59Z"}, "/at", "in_future"),
        ({"at": 1783526400}, "/at", "not_text"),
        ({"note": "x" * 501}, "/note", "too_long"),
        ({"note": "a\nb"}, "/note", "unprintable"),
        ({"tracking": "1Z"}, "/tracking", "unknown_field"),
    ],
    ids=str,
)
def test_a_signed_mistake_is_named(api: Api, sent: str, fields: dict[str, Any], pointer: str, rule: str) -> None:
    refused = api.report(sent, **fields)
    assert (refused.status, refused.body["errors"][0]["pointer"], refused.body["errors"][0]["rule"]) == (
        422,
        pointer,
        rule,
    )
    assert api.desk.reward(sent).status is RewardStatus.DISPATCHED


@pytest.mark.parametrize(("early", "status"), [(300_000, 200), (300_001, 422)])
def test_a_partners_clock_may_be_five_minutes_ahead(api: Api, sent: str, early: int, status: int) -> None:
    assert api.report(sent, at=to_rfc3339(api.desk.clock() + early)).status == status


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 10_000, b'{"status":"delivered","status":"x"}'])
def test_a_signed_body_that_is_no_receipt_is_refused(api: Api, sent: str, raw: bytes) -> None:
    assert api.report(sent, raw).status in (400, 422)


def test_a_body_that_is_too_large_is_not_even_verified(api: Api, sent: str) -> None:
    assert api.report(sent, b" " * 16_385).code == "body_too_large"


# --- operators: rewards ----------------------------------------------------------------------------------------------


def test_an_operator_sees_what_was_said_and_where_it_goes(api: Api) -> None:
    reward_id = api.win(status=RewardStatus.FAILED, words="410 gone", attempts=3, address=b"SEALED")
    body = api.call("GET", ONE, reward_id=reward_id).body
    assert (body["status"], body["words"], body["attempts"], body["cycle"]) == ("failed", "410 gone", 3, 1)
    assert (body["connector"], body["destination"]) == ("webhook", "https://partner.example")
    assert (body["has_address"], body["due_at"], body["approved_by"]) == (True, None, None)
    assert "SEALED" not in json.dumps(body)


def test_rewards_are_listed_by_status_and_paged(api: Api) -> None:
    ids = [api.win(f"shopper-{number}") for number in range(5)]
    api.desk.alter(ids[0], status=RewardStatus.FAILED)
    listed = api.call("GET", ALL, query={"campaign_id": SALE, "status": "failed"}).body
    assert ([reward["id"] for reward in listed["fulfilments"]], listed["next"]) == ([ids[0]], None)
    found: list[str] = []
    query = {"campaign_id": SALE, "limit": "2"}
    while True:
        page = api.call("GET", ALL, query=query).body
        found += [reward["id"] for reward in page["fulfilments"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert sorted(found) == sorted(ids)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "campaign_id"),
        ({"campaign_id": ""}, "campaign_id"),
        ({"campaign_id": "Not An Id"}, "campaign_id"),
        ({"campaign_id": SALE, "status": "lost"}, "status"),
        ({"campaign_id": SALE, "limit": "101"}, "limit"),
        ({"campaign_id": SALE, "after": "nonsense"}, "after"),
        ({"campaign_id": SALE, "after": "failed~nonsense"}, "after"),
    ],
    ids=str,
)
def test_a_wrong_query_is_named(api: Api, query: dict[str, str], name: str) -> None:
    refused = api.call("GET", ALL, query=query)
    assert (refused.status, [place["query"] for place in refused.body["errors"]]) == (422, [name])


def test_rewards_of_a_campaign_that_is_not_there_are_not_found(api: Api) -> None:
    assert api.call("GET", ALL, query={"campaign_id": "no-such-sale"}).code == "campaign_not_found"


def test_a_second_person_approves_and_repeating_it_changes_nothing() -> None:
    api = Api(RewardKind.CASH, Money(60_000, "CNY"))
    reward_id = api.win()
    refused = api.call("POST", f"{ONE}/approve", who=APPLIER, reward_id=reward_id)
    assert (refused.status, refused.code) == (403, "second_person_required")
    first = api.call("POST", f"{ONE}/approve", reward_id=reward_id)
    assert (first.status, first.body["changed"], first.body["fulfilment"]["approved_by"]) == (200, True, COLLEAGUE)
    again = api.call("POST", f"{ONE}/approve", reward_id=reward_id)
    assert (again.body["changed"], again.headers["Idempotent-Replayed"]) == (False, "true")
    assert api.desk.trail() == [(COLLEAGUE, "approve", reward_id)]


def test_a_failed_reward_is_sent_anew_once(api: Api) -> None:
    reward_id = api.win(status=RewardStatus.FAILED)
    assert api.call("POST", f"{ONE}/redrive", reward_id=reward_id).body["changed"]
    again = api.call("POST", f"{ONE}/redrive", reward_id=reward_id)
    assert (again.body["changed"], again.body["fulfilment"]["status"]) == (False, "pending")


def test_what_does_not_wait_is_refused_with_its_status(api: Api, sent: str) -> None:
    for verb in ("approve", "redrive"):
        refused = api.call("POST", f"{ONE}/{verb}", reward_id=sent)
        assert (refused.status, refused.code, refused.body["params"]) == (
            409,
            "reward_not_waiting",
            {"status": "dispatched"},
        )


def test_acts_need_a_key_and_the_scope(api: Api, sent: str) -> None:
    for route in (f"{ONE}/approve", f"{ONE}/redrive", f"{QUEUES}/{{queue}}/redrive"):
        keyless = api.call("POST", route, body={}, headers={"idempotency-key": None}, reward_id=sent, queue="holds")
        assert keyless.code == "idempotency_key_missing"
        shopper = api.call("POST", route, body={}, scope="shopper", reward_id=sent, queue="holds")
        assert shopper.code == "forbidden"


def test_what_is_not_there_is_not_found(api: Api) -> None:
    for reward_id in (NOWHERE, "nonsense"):
        assert api.call("GET", ONE, reward_id=reward_id).code == "reward_not_found"
        assert api.call("POST", f"{ONE}/redrive", reward_id=reward_id).code == "reward_not_found"


# --- operators: queues -----------------------------------------------------------------------------------------------


def test_the_queues_show_what_waits_and_what_was_given_up(api: Api) -> None:
    api.desk.queues[QueueName.STREAM].bury("batch", 0)
    assert api.call("GET", QUEUES).body["queues"] == [
        {"name": "holds", "waiting": 0, "in_flight": 0, "delayed": 0, "dead_letters": 0},
        {"name": "fulfilments", "waiting": 0, "in_flight": 0, "delayed": 0, "dead_letters": 0},
        {"name": "stream", "waiting": None, "in_flight": None, "delayed": None, "dead_letters": 1},
    ]


def redrive(api: Api, queue: str, **body: Any) -> Answered:
    return api.call("POST", f"{QUEUES}/{{queue}}/redrive", body=body, queue=queue)


def test_a_queue_is_redriven_page_by_page(api: Api) -> None:
    ids = [api.win(f"shopper-{number}", status=RewardStatus.FAILED) for number in range(3)]
    planned = redrive(api, "fulfilments", dry_run=True).body
    assert (planned["dry_run"], planned["redriven"], sorted(planned["rewards"])) == (True, 3, sorted(ids))
    assert api.desk.reward(ids[0]).status is RewardStatus.FAILED
    first = redrive(api, "fulfilments", limit=2).body
    assert (first["queue"], first["redriven"]) == ("fulfilments", 2)
    rest = redrive(api, "fulfilments", limit=2, cursor=first["next"]).body
    assert (rest["redriven"], rest["next"]) == (1, None)
    assert {api.desk.reward(reward_id).status for reward_id in ids} == {RewardStatus.PENDING}


def test_who_redrives_a_queue_leaves_a_trace_also_when_it_goes_wrong(api: Api) -> None:
    api.desk.queues[QueueName.HOLDS].bury("reminder", api.desk.clock())
    redrive(api, "holds")
    done = api.client.lines[-1]
    assert (done["who"], done["queue"], done["dry_run"], done["redriven"]) == (COLLEAGUE, "holds", False, 1)
    api.desk.queues[QueueName.HOLDS].bury("another reminder", api.desk.clock())
    api.desk.queues[QueueName.HOLDS].full = True
    assert redrive(api, "holds").code == "temporarily_overloaded"
    assert api.client.lines[-1]["who"] == COLLEAGUE


def test_holds_and_stream_are_redriven(api: Api) -> None:
    api.desk.queues[QueueName.HOLDS].bury("reminder", 0)
    assert redrive(api, "holds").body["redriven"] == 1
    reward_id = api.desk.win("shopper-9")
    assert redrive(api, "stream").body["redriven"] == 1
    assert api.desk.reward(reward_id).status is RewardStatus.PENDING


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"limit": 0}, "/limit"),
        ({"limit": 101}, "/limit"),
        ({"limit": True}, "/limit"),
        ({"cursor": "bm90IG91cnM"}, "/cursor"),
        ({"cursor": ""}, "/cursor"),
        ({"campaign_id": SALE}, "/campaign_id"),
        ({"campaign_id": "NO"}, "/campaign_id"),
        ({"dry_run": "yes"}, "/dry_run"),
        ({"all": True}, "/all"),
    ],
    ids=str,
)
def test_a_wrong_field_is_named(api: Api, body: dict[str, Any], pointer: str) -> None:
    refused = redrive(api, "holds", **body)
    assert (refused.status, [place["pointer"] for place in refused.body["errors"]]) == (422, [pointer])


@pytest.mark.parametrize("queue", ["Holds", "dead", "x" * 500, "hold\ns"])
def test_there_are_no_other_queues(api: Api, queue: str) -> None:
    assert redrive(api, queue).code == "queue_not_found"
