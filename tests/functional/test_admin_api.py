"""The operators' routes over HTTP events, with the whole backend in memory behind them."""

import base64
import json
from typing import Any

import pytest

from brandday.domain.campaign import Status
from brandday.domain.errors import TemporarilyOverloaded
from brandday.domain.luck import commitment
from brandday.domain.summary import Subtotal, Tally
from brandday.domain.trail import TrailEntry
from brandday.entrypoints.admin import ROUTES
from tests.events import Event, http_event
from tests.fakes.declarations import DURING, document
from tests.fakes.lottery_declarations import instant
from tests.fakes.operator_desk import Desk, RecordedCampaigns
from tests.http_client import NOW_MS, Answered, Client

ID = document()["id"]
ALL = "/v1/admin/campaigns"
ONE = f"{ALL}/{{campaign_id}}"


class Api:
    """The admin API in front of a desk; its clock stands in the first day of the sale."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.desk.clock.now = NOW_MS
        self._client = Client(ROUTES, self.desk.use_cases)

    def call(
        self,
        method: str,
        route: str,
        body: object = None,
        *,
        campaign_id: str = ID,
        query: dict[str, str] | None = None,
        raw_body: str | None = None,
        headers: dict[str, str | None] | None = None,
        claims: dict[str, Any] | None = None,
    ) -> Answered:
        """Ask as an operator, like API Gateway would."""
        path = {"campaign_id": campaign_id} if "{" in route else {}
        event: Event = http_event(
            "reserve_units",
            body=body,
            raw_body=raw_body,
            headers=headers,
            claims={"sub": "operator-7", "scope": "operator", **(claims or {})},
        )
        raw_path = route.format(**path)
        event |= {"routeKey": f"{method} {route}", "rawPath": raw_path, "pathParameters": path}
        event["requestContext"]["http"] |= {"method": method, "path": raw_path}
        event["requestContext"]["routeKey"] = event["routeKey"]
        if query:
            event["queryStringParameters"] = query
        return self._client.send(event)

    def apply(self, body: dict[str, Any], **changes: Any) -> Answered:
        """Declare a campaign."""
        return self.call("PUT", ONE, body, **changes)

    def act(self, verb: str, body: object = None, **changes: Any) -> Answered:
        """Publish, pause, resume, end or restock."""
        return self.call("POST", f"{ONE}/{verb}", body or {}, **changes)

    def get(self, rest: str = "", **changes: Any) -> Answered:
        """Look at one campaign."""
        return self.call("GET", ONE + rest, **changes)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def live(api: Api) -> Api:
    """An API with a published campaign."""
    assert api.apply(document(status="published")).status == 200
    return api


def test_a_declared_campaign_is_a_draft_and_shows_what_was_declared(api: Api) -> None:
    answer = api.apply(document())
    assert answer.status == 200
    campaign = answer.body["campaign"]
    assert (campaign["status"], campaign["state"], campaign["version"], campaign["shards"]) == (
        "draft",
        "draft",
        1,
        None,
    )
    assert campaign["document"]["starts_at"] == "2026-11-09T00:00:00+08:00"
    assert {"path": ["skus", "HERO-1", "stock"], "before": None, "after": 100} in answer.body["changes"]
    assert "Idempotent-Replayed" not in answer.headers


def test_what_is_shown_can_be_applied_again_and_changes_nothing(api: Api) -> None:
    shown = api.apply(document()).body["campaign"]["document"]
    answer = api.apply(shown)
    assert answer.body["changes"] == []
    assert answer.headers["Idempotent-Replayed"] == "true"


def test_a_dry_run_writes_nothing(api: Api) -> None:
    answer = api.apply(document(), query={"dry_run": "true"})
    assert (answer.status, answer.body["dry_run"], answer.body["campaign"]["version"]) == (200, True, 0)
    assert api.get().code == "campaign_not_found"


def test_a_campaign_is_applied_only_to_the_version_that_was_looked_at(api: Api) -> None:
    assert api.apply(document(), query={"version": "0"}).status == 200
    refused = api.apply(document(hold_seconds=60), query={"version": "0"})
    assert (refused.status, refused.code, refused.body["params"]) == (409, "campaign_conflict", {"version": 1})


@pytest.mark.parametrize(
    "query",
    [{"dry_run": "yes"}, {"version": "-1"}, {"version": "1.0"}, {"version": "٣"}, {"version": "9" * 40}],
    ids=str,
)
def test_a_wrong_query_is_refused(api: Api, query: dict[str, str]) -> None:
    assert api.apply(document(), query=query).code == "validation_failed"
    assert api.desk.acts() == []


def test_every_wrong_field_is_named_by_its_pointer_and_its_remedy(api: Api) -> None:
    refused = api.apply(document("skus.1.stock", 0, titel="x"))
    assert (refused.status, refused.code) == (422, "validation_failed")
    assert {place["pointer"]: place["detail"] for place in refused.body["errors"]} == {
        "/titel": "is not a field that exists here; did you mean 'title'?",
        "/skus/1/stock": "must be 1 or more",
    }
    assert api.desk.acts() == []


def test_the_id_in_the_address_is_the_campaigns(api: Api) -> None:
    refused = api.apply(document(), campaign_id="another-campaign")
    assert [place["pointer"] for place in refused.body["errors"]] == ["/id"]


@pytest.mark.parametrize("raw", ["", "{", "[]", "3", '{"id": "a", "id": "b"}', '{"hold_seconds": NaN}'], ids=str)
def test_what_is_no_document_is_refused(api: Api, raw: str) -> None:
    assert api.call("PUT", ONE, raw_body=raw).status in (400, 422)


def test_a_document_that_is_too_large_is_refused(api: Api) -> None:
    assert api.apply(document(title="x" * 200_000)).code == "body_too_large"


def test_a_campaign_lives_and_its_trail_tells(api: Api) -> None:
    api.apply(document())
    states = [api.act(verb).body["campaign"]["state"] for verb in ("publish", "pause", "resume", "end")]
    assert states == ["running", "paused", "running", "ended"]
    entries = api.get("/history").body["entries"]
    assert [entry["act"] for entry in entries] == ["end", "resume", "pause", "publish", "apply"]
    assert {entry["who"] for entry in entries} == {"operator-7"}
    assert entries[0]["changes"] == [{"path": ["status"], "before": "published", "after": "ended"}]


def test_an_act_that_was_done_before_says_so(live: Api) -> None:
    assert "Idempotent-Replayed" not in live.act("pause").headers
    again = live.act("pause")
    assert (again.status, again.headers["Idempotent-Replayed"], again.body["changes"]) == (200, "true", [])


def test_frozen_fields_are_refused_with_the_reason(live: Api) -> None:
    refused = live.apply(document("skus.0.stock", 200, hold_seconds=60))
    assert (refused.status, refused.code) == (409, "campaign_change_refused")
    details = {place["pointer"]: place["detail"] for place in refused.body["errors"]}
    assert details["/skus/0/stock"] == "cannot change once the campaign is published; add units with a restock"
    assert set(details) == {"/skus/0/stock", "/hold_seconds"}


def test_a_lottery_shows_its_promises_and_never_its_seed(api: Api) -> None:
    """GIVEN the whole life of a lottery WHEN all answers are put together THEN the seed is in none of them."""
    one = {"campaign_id": "lucky-draw"}
    answers = [
        api.apply(instant(), query={"dry_run": "true"}, **one),
        api.apply(instant(), **one),
        api.act("publish", **one),
        api.apply(instant("prizes.0.odds", "1/1000"), **one),
        *(api.act(verb, **one) for verb in ("pause", "resume", "end")),
        *(api.get(rest, **one) for rest in ("", "/history", "/statistics")),
        api.call("GET", ALL),
    ]
    assert {answer.status for answer in answers} == {200}
    assert answers[1].body["campaign"]["lottery"] is None
    lottery = answers[3].body["campaign"]["lottery"]
    seed = api.desk.campaigns.seed("lucky-draw")
    assert seed is not None
    assert lottery["commitment"] == commitment(seed)
    assert [(table["version"], table["odds"]["CAR"]) for table in lottery["tables"]] == [(1, "1/5000"), (2, "1/1000")]
    said = json.dumps([(answer.body, answer.headers) for answer in answers])
    for secret in (seed.hex(), base64.b64encode(seed).decode(), "entry_salt"):
        assert secret not in said


def test_what_was_promised_of_a_lottery_is_refused_with_its_place(api: Api) -> None:
    one = {"campaign_id": "lucky-draw"}
    api.apply(instant(status="published"), **one)
    for path, value, pointer in (
        ("prizes.0.odds", "1/999", "/prizes/0/odds_between"),
        ("prizes.1.stock", 301, "/prizes/1/stock"),
        ("compliance.organiser", "Somebody", "/compliance/organiser"),
    ):
        refused = api.apply(instant(path, value), **one)
        assert [place["pointer"] for place in refused.body["errors"]] == [pointer]
    more = api.act("restocks", {"id": "x", "sku": "CAR", "quantity": 1}, **one)
    assert (more.status, more.code) == (409, "campaign_change_refused")


def test_a_restock_is_added_once_and_shown(live: Api) -> None:
    body = {"id": "extra-1", "sku": "HERO-1", "quantity": 40}
    first, again = live.act("restocks", body), live.act("restocks", body)
    assert (first.status, again.status) == (200, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert live.act("restocks", body | {"quantity": 41}).code == "restock_conflict"
    shown = live.get().body["campaign"]
    assert shown["restocks"] == [body | {"at": "2026-11-09T00:00:03.120Z", "done": True}]
    assert shown["units"] == 190


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"id": "extra-1", "sku": "HERO-1", "quantity": 0}, "/quantity"),
        ({"id": "extra-1", "sku": "HERO-1", "quantity": "1"}, "/quantity"),
        ({"id": "extra-1", "sku": "HERO-1"}, "/quantity"),
        ({"id": "a b", "sku": "HERO-1", "quantity": 1}, "/id"),
        ({"id": "a" * 41, "sku": "HERO-1", "quantity": 1}, "/id"),
        ({"id": "extra-1", "sku": "NOWHERE", "quantity": 1}, "/sku"),
        ({"id": "extra-1", "sku": "HERO-1", "quantity": 1, "note": "x"}, "/note"),
    ],
    ids=str,
)
def test_a_restock_that_cannot_be_is_refused(live: Api, body: dict[str, Any], pointer: str) -> None:
    refused = live.act("restocks", body)
    assert refused.code == "validation_failed"
    assert [place["pointer"] for place in refused.body["errors"]] == [pointer]
    assert live.desk.live().restocks == ()


def test_statistics_add_up(live: Api) -> None:
    live.act("restocks", {"id": "extra-1", "sku": "HERO-1", "quantity": 40})
    total = Subtotal(9, {"0": Tally(1, 20, 30)}, {}, None)
    live.desk.campaigns.summaries.save_subtotal(ID, 0, total, DURING)
    answer = live.get("/statistics").body
    hero, cream = answer["skus"]
    assert hero == {"sku": "HERO-1", "initial": 100, "restocked": 40, "free": 90, "held": 20, "sold": 30}
    assert cream == {"sku": "CREAM-2", "initial": 50, "restocked": 0, "free": 50, "held": 0, "sold": 0}
    assert (answer["state"], answer["as_of"]) == ("running", "2026-11-08T17:00:00.000Z")


def test_nothing_was_sold_before_anything_has_happened(api: Api) -> None:
    api.apply(document())
    answer = api.get("/statistics").body
    assert answer["as_of"] is None
    assert [sku["free"] for sku in answer["skus"]] == [100, 50]


def test_all_campaigns_are_listed_drafts_too_the_latest_first(live: Api) -> None:
    later = document(id="december", starts_at="2026-12-09T00:00:00", ends_at="2026-12-12T00:00:00")
    live.apply(later, campaign_id="december")
    campaigns = live.call("GET", ALL).body["campaigns"]
    assert [(line["id"], line["state"], line["units"]) for line in campaigns] == [
        ("december", "draft", 150),
        (ID, "running", 150),
    ]


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("GET", ""),
        ("GET", "/history"),
        ("GET", "/statistics"),
        ("POST", "/publish"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/end"),
    ],
)
def test_a_campaign_that_does_not_exist_is_not_found(api: Api, method: str, rest: str) -> None:
    assert api.call(method, ONE + rest).code == "campaign_not_found"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_for_operators_only(api: Api, route: Any) -> None:
    refused = api.call(route.method, route.path, document(), claims={"scope": "shopper orders"})
    assert (refused.status, refused.code) == (403, "forbidden")


@pytest.mark.parametrize("verb", ["publish", "pause", "resume", "end", "restocks"])
def test_every_act_needs_an_idempotency_key(live: Api, verb: str) -> None:
    refused = live.act(verb, headers={"idempotency-key": None})
    assert refused.code == "idempotency_key_missing"
    assert live.desk.live().status is Status.PUBLISHED


def test_a_database_that_is_too_busy_is_a_503_that_can_be_repeated(live: Api) -> None:
    class Busy(RecordedCampaigns):
        def save(self, *_: object, **__: object) -> None:
            raise TemporarilyOverloaded(retry_after_ms=500)

    calm = live.desk.campaigns
    live.desk.campaigns = Busy(calm.summaries, calm.campaigns, calm.trails)
    busy = Client(ROUTES, live.desk.use_cases)
    live._client, was = busy, live._client
    refused = live.act("pause")
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (503, "temporarily_overloaded", "1")
    live._client = was
    assert live.act("pause").body["campaign"]["state"] == "paused"


def test_whoever_writes_at_the_same_time_is_told_the_version(live: Api) -> None:
    class Racing(RecordedCampaigns):
        def save(self, campaign: Any, expected_version: int, entry: TrailEntry, **seed: Any) -> None:
            super().save(campaign, expected_version - 1, entry, **seed)

    calm = live.desk.campaigns
    live.desk.campaigns = Racing(calm.summaries, calm.campaigns, calm.trails)
    live._client = Client(ROUTES, live.desk.use_cases)
    refused = live.act("pause")
    assert (refused.status, refused.body["params"]) == (409, {"version": 1})
