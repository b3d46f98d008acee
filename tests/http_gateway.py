"""API Gateway for tests in one process: WSGI in, HTTP API events (payload 2.0) to the handlers, WSGI out.

It does what the real one does before a function is asked: routing and tokens. A token here is `Bearer` and the
scopes it has, joined by `+`.
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from brandday.entrypoints.http import LambdaHandler
from brandday.entrypoints.routes import Route
from tests.http_client import LambdaContext, openapi

type StartResponse = Callable[[str, list[tuple[str, str]]], object]

CLAIMS = {
    "sub": "shopper-1",
    "channel": "web",
    "tier": "gold",
    "region": "CN-SH",
    "new_customer": "false",
    "store": "hangzhou-1",
}


class Gateway:
    """A WSGI application over (route, handler) pairs; `/openapi.json` is the document they were made from."""

    def __init__(self, served: Iterable[tuple[Route, LambdaHandler]]) -> None:
        self._served = [
            (re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route.path)), route, handler) for route, handler in served
        ]

    def __call__(self, environ: Mapping[str, Any], start: StartResponse) -> list[bytes]:
        """Answer one request."""
        status, headers, body = self._answer(environ)
        start(f"{status} -", list(headers.items()))
        return [body]

    def _answer(self, environ: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        if path == "/openapi.json":
            return 200, {"Content-Type": "application/json"}, json.dumps(openapi()).encode()
        for form, route, handler in self._served:
            match = form.fullmatch(path)
            if match and method == route.method:
                return _invoke(environ, route, path, match.groupdict(), handler)
        return _own(404, "Not Found")


def _invoke(
    environ: Mapping[str, Any], route: Route, path: str, ids: dict[str, str], handler: LambdaHandler
) -> tuple[int, Mapping[str, str], bytes]:
    scopes = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").split("+")
    if route.scope and not environ.get("HTTP_AUTHORIZATION", "").startswith("Bearer "):
        return _own(401, "Unauthorized")
    if route.scope and route.scope not in scopes:
        return _own(403, "Forbidden")
    response = handler(_event(environ, route, path, ids, scopes), LambdaContext())
    body = response["body"] or ""
    return (
        response["statusCode"],
        response["headers"],
        b64decode(body) if response["isBase64Encoded"] else body.encode(),
    )


def _event(
    environ: Mapping[str, Any], route: Route, path: str, ids: dict[str, str], scopes: list[str]
) -> dict[str, Any]:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    query = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    context: dict[str, Any] = {
        "requestId": "gateway-1",
        "stage": "$default",
        "http": {"method": route.method, "path": path, "sourceIp": "203.0.113.24"},
    }
    if route.scope:
        context["authorizer"] = {"jwt": {"claims": {**CLAIMS, "scope": " ".join(scopes)}, "scopes": [route.scope]}}
    return {
        "version": "2.0",
        "routeKey": f"{route.method} {route.path}",
        "rawPath": path,
        "rawQueryString": environ.get("QUERY_STRING", ""),
        "headers": headers,
        "queryStringParameters": dict(query),
        "pathParameters": ids,
        "requestContext": context,
        "body": raw.decode("utf-8", "replace") if raw else None,
        "isBase64Encoded": False,
    }


def _own(status: int, message: str) -> tuple[int, Mapping[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps({"message": message}).encode()
