"""Asks a Lambda handler like API Gateway does and checks on every answer what holds for all of them."""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from brandday.entrypoints.http import build_app
from brandday.entrypoints.routes import Route
from tests.events import Event

NOW_MS = 1_794_182_403_120
NOW = "2026-11-09T00:00:03.120Z"


class LambdaContext:
    """What Lambda passes beside the event."""

    aws_request_id = "7e1f0c1a-5f0e-4c0e-9d3b-1c2d3e4f5a6b"


@dataclass
class Answered:
    """One answer; `code` is that of a refusal, `body` is bytes if it is no JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str:
        code: str = self.body["code"]
        return code


@dataclass
class Client:
    """Sends events to the app made of `routes`, with a still clock; `lines` is what was logged."""

    routes: Sequence[Route]
    use_cases: object
    lines: list[Mapping[str, Any]] = field(default_factory=list)
    jitter: float = 0.0

    def __post_init__(self) -> None:
        self._handler = build_app(
            self.routes, self.use_cases, now_ms=lambda: NOW_MS, jitter=lambda: self.jitter, write=self.lines.append
        )

    def send(self, event: Event) -> Answered:
        """The answer, which has to be what docs/openapi.json says about the route."""
        response = self._handler(event, LambdaContext())
        headers, text = response["headers"], response["body"]
        decode = b64decode if response["isBase64Encoded"] else json.loads
        answer = Answered(response["statusCode"], headers, decode(text) if text else None)
        check_always(answer)
        if event.get("routeKey"):
            check_documented(event["routeKey"], answer)
        return answer


def check_always(answer: Answered) -> None:
    """What holds for every answer there is."""
    assert answer.headers["Server-Time"] == NOW
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] in {"no-store", "public, max-age=1"}
    if answer.body is not None and not isinstance(answer.body, bytes):
        assert answer.body["server_time"] == NOW
    if answer.status >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Content-Language"] in {"en", "zh-CN"}
        assert answer.body["status"] == answer.status
        assert ("Retry-After" in answer.headers) == (answer.body["retry_after_ms"] is not None)
        check_schema({"$ref": "#/components/schemas/Problem"}, answer.body)


def check_documented(route_key: str, answer: Answered) -> None:
    """The answer is one that docs/openapi.json promises for this route (other paths promise nothing)."""
    method, _, path = route_key.partition(" ")
    operation = openapi()["paths"].get(path, {}).get(method.lower())
    if operation is None:
        return
    promised = operation["responses"][str(answer.status)]
    if answer.body is not None:
        content = promised["content"][answer.headers["Content-Type"]]
        if not isinstance(answer.body, bytes):
            check_schema(content["schema"], answer.body)


def check_schema(schema: Mapping[str, Any], value: object) -> None:
    """`value` is as `schema` (of docs/openapi.json) says."""
    _validator(json.dumps(schema)).validate(value)


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": openapi()["components"]})


@cache
def openapi() -> dict[str, Any]:
    """The committed OpenAPI document."""
    text = (Path(__file__).parents[1] / "docs/openapi.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
