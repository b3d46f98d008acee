"""What holds for every route, shown on small routes of the test's own."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from brandday.domain.errors import CampaignNotStarted, SoldOut, TemporarilyOverloaded, Unauthenticated
from brandday.entrypoints.access_log import write_line
from brandday.entrypoints.http import build_app
from brandday.entrypoints.json_text import json_text
from brandday.entrypoints.problem import pick_language, spread
from brandday.entrypoints.routes import Answer, File, Input, Output, Request, Route
from tests.events import Event, http_event
from tests.http_client import NOW, Client, LambdaContext


class ThingBody(Input):
    name: str


class CodesBody(Input):
    codes: list[str]
    order: dict[str, str]


class ThingAnswer(Output):
    name: str = "thing"


def event(method: str = "GET", path: str = "/v1/things", **changes: Any) -> Event:
    """An event for a route that exists only here."""
    made = http_event("get_health", **changes)
    made["routeKey"] = ""
    made["rawPath"] = made["requestContext"]["http"]["path"] = path
    made["requestContext"]["http"]["method"] = method
    return made


def client(answer: Callable[[Request[Any]], Answer] | Exception | None = None, /, **options: Any) -> Client:
    """A client of one route, GET /v1/things unless `options` say otherwise."""

    def handler(_: object, request: Request[Any]) -> Answer:
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if answer else Answer(ThingAnswer())

    route = Route(
        **{
            "method": "GET",
            "path": "/v1/things",
            "handler": handler,
            "summary": "Things",
            "answer": ThingAnswer,
            **options,
        }
    )
    return Client([route], None)


# --- one shape ---------------------------------------------------------------------------------------------------


def test_an_answer_carries_the_servers_time_and_is_private() -> None:
    answer = client().send(event())
    assert (answer.status, answer.body) == (200, {"server_time": NOW, "name": "thing"})
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_answer_that_is_no_json_arrives_as_it_is() -> None:
    """GIVEN a file WHEN it is answered THEN its bytes arrive unharmed, with the headers of all answers."""
    file = File("image/png", bytes(range(256)))
    answer = client(lambda _: Answer(file, headers={"Vary": "Accept"}), answer=("image/png",)).send(event())
    assert (answer.status, answer.body) == (200, bytes(range(256)))
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Accept"


def test_a_route_of_files_refuses_like_all_others() -> None:
    answer = client(SoldOut(sku="HERO-1"), answer=("image/png",)).send(event())
    assert (answer.status, answer.headers["Content-Type"]) == (409, "application/problem+json")


def test_a_refusal_is_a_problem_document() -> None:
    answer = client(SoldOut(sku="HERO-1")).send(event())
    assert answer.body == {
        "type": "urn:brandday:error:sold_out",
        "title": "Sold out",
        "status": 409,
        "detail": "Nothing is left of HERO-1. Only a restock would change that.",
        "instance": "urn:brandday:request:JKJaXmPLvHcESHA=",
        "code": "sold_out",
        "params": {"sku": "HERO-1"},
        "errors": [],
        "request_id": "JKJaXmPLvHcESHA=",
        "retry_after_ms": None,
        "server_time": NOW,
    }


def test_an_unknown_path_and_an_unknown_method_look_like_every_refusal() -> None:
    things = client()
    assert things.send(event(path="/v1/nothing")).code == "route_not_found"
    answer = things.send(event("PATCH"))
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET"
    assert answer.body["params"] == {"allowed": ["GET"]}


@pytest.mark.parametrize("path", ["/v1/things/", "//v1/things", "/v1/things/../things", "/v1/thíngs", "/", ""])
def test_a_path_that_is_almost_right_is_not_found(path: str) -> None:
    assert client().send(event(path=path)).code == "route_not_found"


@pytest.mark.parametrize("odd", ["a\nb", "a`b", 'a"b', "a\\b", "a\x00b", "a#b"])
def test_an_id_with_a_character_that_no_route_matches_is_still_that_things_id(odd: str) -> None:
    things = client(path="/v1/campaigns/{campaign_id}")
    assert things.send(event(path=f"/v1/campaigns/{odd}")).code == "campaign_not_found"
    assert things.send(event("POST", path=f"/v1/campaigns/{odd}")).code == "method_not_allowed"


def test_the_stage_is_no_part_of_the_path() -> None:
    made = event(path="/rehearsal/v1/things")
    made["requestContext"]["stage"] = "rehearsal"
    assert client().send(made).status == 200
    assert client().send(event(path="/rehearsal/v1/things")).code == "route_not_found"


def test_a_path_that_is_spelt_out_comes_before_one_with_a_placeholder() -> None:
    def say(text: str) -> Callable[[object, Request[Any]], Answer]:
        return lambda _, __: Answer(ThingAnswer(name=text))

    one, own = (
        replace(client().routes[0], path=path, handler=say(path))
        for path in ("/v1/campaigns/{campaign_id}", "/v1/campaigns/mine")
    )
    things = Client([one, own], None)
    assert things.send(event(path="/v1/campaigns/mine")).body["name"] == own.path
    assert things.send(event(path="/v1/campaigns/yours")).body["name"] == one.path


def test_half_a_character_in_the_name_of_a_field_is_answered_like_any_other() -> None:
    things = client(method="POST", body=ThingBody)
    answer = things.send(event("POST", raw_body='{"\\ud800": 1, "name": "x"}'))
    assert (answer.code, answer.body["errors"][0]["rule"]) == ("validation_failed", "bad_format")


@pytest.mark.parametrize("text", ["\ud800", "a\nb", "品牌日", '"', "\x00"])
def test_whatever_is_written_down_is_one_line_of_json(text: str) -> None:
    written = json_text({"reason": text, "at": object, "none": None})
    assert "\n" not in written
    assert json.loads(written) == {"reason": text, "at": str(object), "none": None}


def test_a_missing_token_says_how_to_authenticate() -> None:
    assert client(Unauthenticated()).send(event()).headers["WWW-Authenticate"] == "Bearer"


# --- surprises ---------------------------------------------------------------------------------------------------


def test_a_surprise_is_answered_without_its_details_and_logged_without_secrets() -> None:
    key, token = "key-123456", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2VjcmV0"
    surprise = RuntimeError(f"cannot do {key} for {token} of shopper-8f14e45f in shard 7")
    things = client(surprise, scope="shopper")
    made = http_event("get_reservation", headers={"idempotency-key": key})
    made.update(routeKey="", rawPath="/v1/things")
    answer = things.send(made)
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "shard" not in json.dumps(answer.body)
    logged = json.dumps(things.lines)
    for secret in (key, token, "shopper-8f14e45f"):
        assert secret not in logged
    error, line = things.lines
    assert (error["error"], error["request_id"]) == ("RuntimeError", "JKJaXmPLvHcESHA=")
    assert error["reason"] == "cannot do *** for *** of *** in shard 7"
    assert any("test_http.py" in frame for frame in error["stack"])
    assert (line["status"], line["code"]) == (500, "internal_error")


def test_what_a_visit_shows_is_not_logged_either() -> None:
    shown = {"entry-ticket": "tkt_12345678", "challenge-solution": "eyJhYmMi", "shop-signals": "aaaa.bbbb.cccc"}
    claims = {"device": "device-77", "phone": "+8613812345678", "email": "li@example.com"}
    surprise = RuntimeError(" ".join([*shown.values(), *claims.values()]))
    things = client(surprise, scope="shopper")
    made = http_event("get_reservation", headers={**shown}, claims={**claims})
    made.update(routeKey="", rawPath="/v1/things")

    assert things.send(made).code == "internal_error"
    assert things.lines[0]["reason"] == " ".join(["***"] * 6)
    assert not [text for text in (*shown.values(), *claims.values()) if text in json.dumps(things.lines)]


@pytest.mark.parametrize("broken", [{}, {"requestContext": None}, {"requestContext": {"http": {}}}, {"headers": 5}])
def test_an_event_of_another_kind_is_an_internal_error_in_the_same_shape(broken: dict[str, Any]) -> None:
    answer = client().send(broken)
    assert (answer.status, answer.code) == (500, "internal_error")
    assert answer.body["request_id"] == LambdaContext.aws_request_id


def test_one_requests_failure_leaves_nothing_to_the_next() -> None:
    things = client()
    things.send({})
    assert things.send(event()).status == 200
    assert things.lines[-1]["code"] is None


# --- retrying ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("jitter", "wait_ms", "seconds"), [(0.0, 500, "1"), (0.5, 625, "1"), (0.999, 749, "1")])
def test_retries_are_spread(jitter: float, wait_ms: int, seconds: str) -> None:
    things = client(TemporarilyOverloaded())
    spreading = Client(things.routes, None, jitter=jitter)
    answer = spreading.send(event())
    assert (answer.body["retry_after_ms"], answer.headers["Retry-After"]) == (wait_ms, seconds)


def test_a_long_wait_is_not_made_much_longer() -> None:
    assert spread(86_400_000, lambda: 0.999) == 86_401_998
    assert spread(0, lambda: 0.999) == 0
    assert spread(None, lambda: 0.999) is None


def test_a_sale_that_has_not_begun_says_when() -> None:
    answer = client(CampaignNotStarted(starts_at=NOW, retry_after_ms=61_001)).send(event())
    assert answer.headers["Retry-After"] == "62"
    assert answer.body["params"] == {"starts_at": NOW}


# --- languages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("zh-CN", "zh-CN"),
        ("zh", "zh-CN"),
        ("ZH-hans-cn;q=0.9, en;q=0.8", "zh-CN"),
        ("en;q=0.8, zh-CN;q=0.9", "zh-CN"),
        ("en-US,en;q=0.9,zh;q=0.5", "en"),
        ("fr, zh;q=0.1", "zh-CN"),
        ("fr, *", "en"),
        ("zh;q=0", "en"),
        ("zh;q=nan", "en"),
        ("zh;q=99", "en"),
        ("zh;q=x;;,,=", "en"),
        ("," * 5000 + "zh", "en"),
    ],
)
def test_the_best_of_our_languages_is_picked(accept: str, language: str) -> None:
    assert pick_language(accept) == language


def test_a_refusal_speaks_chinese_when_asked() -> None:
    answer = client(SoldOut(sku="HERO-1")).send(event(headers={"Accept-Language": "zh-CN,zh;q=0.9"}))
    assert answer.headers["Content-Language"] == "zh-CN"
    assert answer.headers["Vary"] == "Accept-Language"
    assert (answer.body["title"], answer.code) == ("已售罄", "sold_out")


# --- tokens ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorizer", [None, {}, {"jwt": None}, {"jwt": {"claims": None}}, {"jwt": {"claims": {}}}, []]
)
def test_without_claims_nobody_is_known(authorizer: object) -> None:
    made = event()
    made["requestContext"]["authorizer"] = authorizer
    answer = client(scope="shopper").send(made)
    assert (answer.status, answer.code) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"sub": "u1", "scope": "shopper"}, 200),
        ({"sub": "u1", "scope": "orders shopper"}, 200),
        ({"sub": "u1", "scope": "orders"}, 403),
        ({"sub": "u1", "scope": "shoppers"}, 403),
        ({"sub": "u1", "scope": ""}, 403),
        ({"sub": "u1"}, 403),
        ({"sub": "", "scope": "shopper"}, 401),
        ({"sub": 7, "scope": "shopper"}, 401),
        ({"sub": None, "scope": "shopper"}, 401),
        ({"sub": "u" * 256, "scope": "shopper"}, 401),
        ({"sub": "u1", "scope": ["shopper"]}, 401),
        ({"scope": "shopper"}, 401),
    ],
)
def test_a_token_must_say_who_and_what_for(claims: dict[str, Any], status: int) -> None:
    made = event()
    made["requestContext"]["authorizer"] = {"jwt": {"claims": claims}}
    assert client(scope="shopper").send(made).status == status


def test_claims_that_are_no_text_are_as_good_as_missing() -> None:
    seen: list[Request[Any]] = []

    def remember(request: Request[Any]) -> Answer:
        seen.append(request)
        return Answer(ThingAnswer())

    made = event()
    claims = {"sub": "u1", "scope": "shopper", "tier": ["gold"], "new_customer": True, "channel": "web"}
    made["requestContext"]["authorizer"] = {"jwt": {"claims": claims}}
    client(remember, scope="shopper").send(made)
    assert seen[0].claims == {"sub": "u1", "scope": "shopper", "channel": "web"}
    assert seen[0].subject == "u1"


def test_a_public_route_reads_no_token() -> None:
    seen: list[Request[Any]] = []

    def remember(request: Request[Any]) -> Answer:
        seen.append(request)
        return Answer(ThingAnswer())

    made = event()
    made["requestContext"]["authorizer"] = {"jwt": {"claims": {"sub": "u1"}}}
    assert client(remember).send(made).status == 200
    assert (seen[0].claims, seen[0].subject) == ({}, "")


# --- caching -----------------------------------------------------------------------------------------------------


def test_what_has_not_changed_is_not_sent_again() -> None:
    things = client(etag=True)
    etag = things.send(event()).headers["ETag"]
    for known in (etag, f'"other", {etag}', etag.removeprefix("W/"), "*"):
        again = things.send(event(headers={"If-None-Match": known}))
        assert (again.status, again.body) == (304, None)
        assert again.headers["ETag"] == etag
    assert things.send(event(headers={"If-None-Match": '"other"'})).status == 200


# --- the log -----------------------------------------------------------------------------------------------------


def test_one_line_is_written_per_request() -> None:
    things = client()
    things.send(event())
    (line,) = things.lines
    assert line == {
        "level": "INFO",
        "message": "request",
        "method": "GET",
        "route": "/v1/things",
        "status": 200,
        "code": None,
        "ms": line["ms"],
        "request_id": "JKJaXmPLvHcESHA=",
        "campaign_id": "",
        "replayed": False,
    }
    assert 0 <= line["ms"] < 1000


@pytest.mark.parametrize("said", ["SAVE-1O", "SAVE10"], ids=["as sent", "as compared"])
def test_a_surprise_about_a_body_is_logged_without_what_is_in_it(said: str) -> None:
    things = client(RuntimeError(f"nobody expected {said} of Li Na"), method="POST", body=CodesBody)
    answer = things.send(event("POST", raw_body='{"codes": ["SAVE-1O"], "order": {"name": "Li Na"}}'))
    assert (answer.status, answer.code) == (500, "internal_error")
    assert things.lines[0]["reason"] == "nobody expected *** of ***"


def test_a_surprise_about_a_body_that_is_none_is_logged() -> None:
    things = client(RuntimeError("oh"), method="POST")
    assert things.send(event("POST", raw_body="{")).status == 500
    assert things.lines[0]["reason"] == "oh"


def test_a_line_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    write_line({"message": "two\nlines", "other": object})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out)["message"] == "two\nlines"


def test_the_same_route_twice_is_a_mistake_of_ours() -> None:
    route = client().routes[0]
    with pytest.raises(ValueError, match="twice"):
        build_app([route, route], None, now_ms=lambda: 0, jitter=lambda: 0.0)
