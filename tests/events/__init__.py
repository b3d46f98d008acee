"""Events as API Gateway's HTTP API (payload 2.0) sends them, one file per route, named after its handler."""

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

type Event = dict[str, Any]


def http_event(
    name: str,
    *,
    body: object = None,
    raw_body: str | None = None,
    headers: dict[str, str | None] | None = None,
    claims: dict[str, Any] | None = None,
    path: dict[str, str] | None = None,
) -> Event:
    """The event in `name`.json with what differs: a header or claim of None is left out, `body` becomes JSON."""
    event = deepcopy(_read(name))
    if body is not None:
        event["body"] = json.dumps(body)
    if raw_body is not None:
        event["body"] = raw_body
    _change(event["headers"], headers or {})
    if claims is not None:
        _change(event["requestContext"]["authorizer"]["jwt"]["claims"], claims)
    if path is not None:
        event["pathParameters"] = path
        event["rawPath"] = event["routeKey"].partition(" ")[2].format(**path)
    return event


@cache
def _read(name: str) -> Event:
    event: Event = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return event


def _change(there: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if value is None:
            there.pop(name, None)
        else:
            there[name] = value
