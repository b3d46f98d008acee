"""Hostile and clumsy requests: a clear refusal that names the place, and the handler never runs."""

import base64
import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, field_validator

from brandday.entrypoints.routes import BODY_LIMIT_BYTES, Answer, Input, Output, Request, Route
from tests.events import Event, http_event
from tests.http_client import Answered, Client

SECRET = "tok_4f9a2c"


class Part(Input):
    amount: Annotated[int, Field(ge=0)]


class Everything(Input):
    name: Annotated[str, Field(pattern=r"^[a-z]+$", max_length=8)] = "thing"
    quantity: Annotated[int, Field(ge=1, le=35)] = 1
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    parts: Annotated[list[Part], Field(max_length=2, default_factory=list)]
    checked: str = ""

    @field_validator("checked")
    @classmethod
    def never_x(cls, value: str) -> str:
        if value == "x":
            raise ValueError("x is taken")
        return value


def send(event: Event, **options: Any) -> Answered:
    """The answer of a route that takes `Everything`; the test fails if a refused request reached the handler."""
    reached = []

    def handler(_: object, request: Request[Everything]) -> Answer:
        reached.append(request.body)
        return Answer(Output())

    route = Route("POST", "/v1/things", handler, "Things", Output, **{"body": Everything, **options})
    event.update(routeKey="", rawPath="/v1/things")
    answer = Client([route], None).send(event)
    assert bool(reached) == (answer.status == 200)
    return answer


def send_body(text: str | None, **options: Any) -> Answered:
    event = http_event("reserve_units")
    event["body"] = text
    return send(event, **options)


def wrong_place(document: object) -> dict[str, Any]:
    answer = send_body(json.dumps(document))
    assert (answer.status, answer.code) == (422, "validation_failed")
    (place,) = answer.body["errors"]
    found: dict[str, Any] = place
    return found


# --- what is not JSON --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        " ",
        "{",
        "{}}",
        "{'name': 'x'}",
        '{"name": "x",}',
        '{"quantity": NaN}',
        '{"quantity": Infinity}',
        '{"quantity": -Infinity}',
        '{"quantity": 1, "quantity": 35}',
        '{"parts": [{"amount": 1, "amount": 2}]}',
        '{"quantity": 01}',
        "\ufeff{}",
        '{"name": "a\nb"}',
        "name=thing&quantity=1",
        "[" * 10_000,
        '{"parts":' * 1_500 + "1" + "}" * 1_500 + "}",
        '{"quantity": ' + "9" * 5_000 + "}",
        "\ud800",
    ],
    ids=range(20),
)
def test_what_is_not_one_json_document_is_malformed(text: str | None) -> None:
    answer = send_body(text)
    assert (answer.status, answer.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    "body", ["not base64!", "e30", base64.b64encode(b"\xff\xfe{}").decode(), base64.b64encode(b"{").decode()]
)
def test_what_does_not_decode_is_malformed(body: str) -> None:
    event = http_event("reserve_units", raw_body=body)
    event["isBase64Encoded"] = True
    assert send(event).code == "malformed_json"


def test_a_base64_body_is_read() -> None:
    event = http_event("reserve_units", raw_body=base64.b64encode(b'{"quantity": 2}').decode())
    event["isBase64Encoded"] = True
    assert send(event).status == 200


# --- what is too large -------------------------------------------------------------------------------------------


def padded(size: int) -> str:
    return "{" + " " * (size - 2) + "}"


def test_a_body_may_be_as_large_as_the_limit_and_no_larger() -> None:
    assert send_body(padded(BODY_LIMIT_BYTES)).status == 200
    answer = send_body(padded(BODY_LIMIT_BYTES + 1))
    assert (answer.status, answer.code, answer.body["params"]) == (413, "body_too_large", {"limit_bytes": 16384})


def test_bytes_count_and_not_characters() -> None:
    text = json.dumps({"name": "码" * 6000}, ensure_ascii=False)
    assert len(text) < BODY_LIMIT_BYTES < len(text.encode())
    assert send_body(text).code == "body_too_large"


@pytest.mark.parametrize(("extra", "status"), [(0, 200), (1, 413), (2, 413), (3, 413), (100_000, 413)])
def test_a_base64_body_counts_decoded(extra: int, status: int) -> None:
    raw = padded(BODY_LIMIT_BYTES + extra).encode()
    event = http_event("reserve_units", raw_body=base64.b64encode(raw).decode())
    event["isBase64Encoded"] = True
    assert send(event).status == status


def test_a_route_may_take_more() -> None:
    assert send_body(padded(BODY_LIMIT_BYTES + 1), body_limit_bytes=BODY_LIMIT_BYTES * 2).status == 200


# --- what does not fit -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "pointer", "rule"),
    [
        ([], "", "not_an_object"),
        (None, "", "not_an_object"),
        ("{}", "", "not_an_object"),
        (7, "", "not_an_object"),
        ({"quantity": True}, "/quantity", "not_a_whole_number"),
        ({"quantity": 1.0}, "/quantity", "not_a_whole_number"),
        ({"quantity": "1"}, "/quantity", "not_a_whole_number"),
        ({"quantity": None}, "/quantity", "not_a_whole_number"),
        ({"quantity": [1]}, "/quantity", "not_a_whole_number"),
        ({"quantity": 0}, "/quantity", "too_small"),
        ({"quantity": -(2**70)}, "/quantity", "too_small"),
        ({"quantity": 2**70}, "/quantity", "too_large"),
        ({"quantity": 10**1000}, "/quantity", "too_large"),
        ({"name": 7}, "/name", "not_text"),
        ({"name": None}, "/name", "not_text"),
        ({"name": "A"}, "/name", "bad_format"),
        ({"name": "a\n"}, "/name", "bad_format"),
        ({"name": "a\u0000"}, "/name", "bad_format"),
        ({"name": "\ud800"}, "/name", "bad_format"),
        ({"name": "\uff41"}, "/name", "bad_format"),
        ({"name": "a" * 9}, "/name", "too_long"),
        ({"kind": "c"}, "/kind", "not_one_of"),
        ({"flag": "true"}, "/flag", "not_true_or_false"),
        ({"flag": 1}, "/flag", "not_true_or_false"),
        ({"parts": {}}, "/parts", "not_a_list"),
        ({"parts": [{"amount": 1}] * 3}, "/parts", "too_long"),
        ({"parts": [{"amount": 1}, {}]}, "/parts/1/amount", "required"),
        ({"parts": [{"amount": -1}]}, "/parts/0/amount", "too_small"),
        ({"parts": [7]}, "/parts/0", "not_an_object"),
        ({"checked": "x"}, "/checked", "refused"),
        ({"__proto__": 1}, "/__proto__", "unknown_field"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown_field"),
        ({"": 1}, "/", "unknown_field"),
    ],
    ids=range(33),
)
def test_the_place_and_the_rule_are_named(document: object, pointer: str, rule: str) -> None:
    place = wrong_place(document)
    assert (place["pointer"], place["rule"]) == (pointer, rule)
    assert place["detail"]


def test_a_number_beyond_all_numbers_is_no_whole_number() -> None:
    (place,) = send_body('{"quantity": 1e400}').body["errors"]
    assert (place["pointer"], place["rule"]) == ("/quantity", "not_a_whole_number")


def test_all_wrong_places_are_named_at_once_but_not_without_end() -> None:
    both = send_body('{"quantity": 0, "name": 1}').body["errors"]
    assert {place["pointer"] for place in both} == {"/quantity", "/name"}
    many = send_body(json.dumps({f"f{n}": 1 for n in range(500)})).body["errors"]
    assert len(many) == 20


def test_a_long_name_is_not_sent_back_whole() -> None:
    assert len(wrong_place({"n" * 9_000: 1})["pointer"]) == 200


def test_a_refused_value_is_never_sent_back() -> None:
    answer = send_body(json.dumps({"name": SECRET, "quantity": SECRET, "kind": SECRET, "flag": SECRET}))
    assert len(answer.body["errors"]) == 4
    assert SECRET not in json.dumps(answer.body)


def test_limits_are_told_in_the_readers_language() -> None:
    event = http_event("reserve_units", body={"quantity": 36}, headers={"accept-language": "zh-CN"})
    (place,) = send(event).body["errors"]
    assert place["detail"] == "不能大于 35。"


# --- Idempotency-Key ---------------------------------------------------------------------------------------------


def with_key(key: str | None, name: str = "idempotency-key") -> Answered:
    event = http_event("reserve_units", body={}, headers={"idempotency-key": None})
    if key is not None:
        event["headers"][name] = key
    return send(event, needs_key=True)


@pytest.mark.parametrize("key", [None, "", "   "])
def test_a_missing_key_is_told(key: str | None) -> None:
    answer = with_key(key)
    assert (answer.status, answer.code) == (400, "idempotency_key_missing")


@pytest.mark.parametrize("key", ["k" * 256, "ключ", "a\x00b", "a\tb", "a\x7f", "ok\u2028"])
def test_a_key_that_cannot_be_one_is_named(key: str) -> None:
    answer = with_key(key)
    assert (answer.status, answer.code) == (422, "validation_failed")
    (place,) = answer.body["errors"]
    assert (place["header"], place["rule"]) == ("Idempotency-Key", "not_printable")
    assert "pointer" not in place


@pytest.mark.parametrize("key", ["k", "k" * 255, '"8e03978e-40d5"', "a b", "~!"])
def test_any_printable_key_will_do(key: str) -> None:
    assert with_key(key).status == 200


@pytest.mark.parametrize("name", ["Idempotency-Key", "IDEMPOTENCY-KEY", "idempotency-Key"])
def test_headers_may_be_written_in_any_case(name: str) -> None:
    assert with_key("k", name).status == 200


def test_an_event_without_headers_has_no_key() -> None:
    event = http_event("reserve_units", body={})
    event["headers"] = None
    assert send(event, needs_key=True).code == "idempotency_key_missing"
