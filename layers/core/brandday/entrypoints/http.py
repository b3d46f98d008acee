"""One way in and one way out for every HTTP request.

`build_app` serves a table of routes: it checks token, ids, Idempotency-Key and body before the handler runs,
turns whatever comes back (an answer, a refusal, a surprise) into one shape, and writes one line about it.

It does the routing itself: a resolver that could do more costs more than all the rest of a refusal
(docs/decisions/0010).
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

from brandday.domain.coupon_code import fold
from brandday.domain.errors import (
    BrandDayError,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RouteNotFound,
    SignatureInvalid,
)
from brandday.domain.times import to_rfc3339
from brandday.entrypoints.access_log import WriteLine, line_writer, unexpected
from brandday.entrypoints.client_address import EdgeSecrets, client_address
from brandday.entrypoints.http_input import (
    check_ids,
    check_query,
    check_token,
    read_body,
    read_headers,
    read_json,
    read_key,
    read_raw,
)
from brandday.entrypoints.json_text import json_text
from brandday.entrypoints.problem import pick_language, problem_headers, problem_text, spread
from brandday.entrypoints.routes import (
    BODY_LIMIT_BYTES,
    NOTHING,
    OPERATOR,
    PRIVATE,
    Answer,
    File,
    Input,
    Output,
    Request,
    Route,
    can_be,
)

__all__ = ["Answer", "Input", "LambdaHandler", "Output", "Request", "Route", "build_app"]

type LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]

write_request: Final = line_writer(json_text)
"""Writes the line about a request."""

SERVER_TIME_HEADER: Final = "Server-Time"
SHORTEST_SECRET: Final = 4
"""Characters: what is shorter is not blotted out of messages that it has come into."""
DEFAULT_STAGE: Final = "$default"

_SECRET_HEADERS: Final = (
    "authorization",
    "challenge-solution",
    "cookie",
    "edge-secret",
    "entry-ticket",
    "idempotency-key",
    "shop-signals",
)

_SECRET_CLAIMS: Final = ("address", "device", "email", "payment", "phone")
"""What tells somebody from others, besides the subject."""

_SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(slots=True)
class _Exchange:
    """One request on its way: what is needed to answer it whatever happens, and to write its line."""

    event: Mapping[str, Any]
    request_id: str
    began_ns: int
    headers: Mapping[str, str] = NOTHING
    route: str = ""
    campaign_id: str = ""
    reward_id: str = ""
    code: str | None = None
    replayed: bool = False
    who: str = ""
    noted: Mapping[str, Any] = NOTHING


def build_app(
    routes: Sequence[Route],
    use_cases: object,
    *,
    now_ms: Callable[[], int],
    jitter: Callable[[], float],
    write: WriteLine = write_request,
    edge_secrets: EdgeSecrets | None = None,
) -> LambdaHandler:
    """The Lambda handler that serves `routes` with `use_cases`.

    `now_ms` is the wall clock; `jitter` gives a number in [0, 1) and spreads retries; `edge_secrets` is None where no
    edge is in front of us. ValueError if a route is there twice.
    """
    if len({(route.method, route.path) for route in routes}) != len(routes):
        raise ValueError("a route is there twice")
    by_length: dict[int, list[tuple[_Form, Route]]] = {}
    for route in sorted(routes, key=lambda route: "{" in route.path):
        form = _Form.of(route.path)
        by_length.setdefault(form.length, []).append((form, route))

    def serve(current: _Exchange) -> dict[str, Any]:
        route, path = find(current.event)
        current.route, current.campaign_id, current.reward_id = route.path, _campaign_of(path), _reward_of(path)
        claims = check_token(current.event, route.scope)
        if route.scope == OPERATOR:  # never a shopper
            current.who = claims.get("sub", "")
        check_path(route, path)
        query = current.event.get("queryStringParameters") or {}
        check_query(query, route)
        request: Request[Any] = Request(
            path=path,
            idempotency_key=read_key(current.headers) if route.needs_key else "",
            body=read_raw(current.event, route.body_limit_bytes) if route.signed else read_body(current.event, route),
            query=query,
            headers=current.headers,
            claims=claims,
            subject=claims.get("sub", ""),
            address=client_address(
                current.event["requestContext"]["http"].get("sourceIp", ""), current.headers, edge_secrets
            ),
        )
        return succeed(current, route, route.handler(use_cases, request))

    def find(event: Mapping[str, Any]) -> tuple[Route, dict[str, str]]:
        method, parts = event["requestContext"]["http"]["method"], _path_of(event).split("/")
        others = []
        for form, route in by_length.get(len(parts), ()):
            if (found := form.match(parts)) is not None:
                if route.method == method:
                    return route, found
                others.append(route.method)
        raise MethodNotAllowed(allowed=tuple(sorted(others))) if others else RouteNotFound()

    def check_path(route: Route, path: Mapping[str, str]) -> None:
        try:
            check_ids(path)
        except NotFound:
            if route.signed:  # who cannot sign learns nothing, not even what an id looks like
                raise SignatureInvalid from None
            raise

    def succeed(current: _Exchange, route: Route, answer: Answer) -> dict[str, Any]:
        status = answer.status or route.statuses[0]
        current.replayed = "Idempotent-Replayed" in answer.headers
        current.noted = answer.noted
        server_time = to_rfc3339(now_ms())
        headers = {
            "Content-Type": "application/json",
            "Cache-Control": route.cache_control,
            SERVER_TIME_HEADER: server_time,
            **_SECURITY_HEADERS,
            **answer.headers,
        }
        if isinstance(answer.body, File):
            headers["Content-Type"] = answer.body.media_type
            return _response(status, b64encode(answer.body.content).decode(), headers, encoded=True)
        if route.etag:
            headers["ETag"] = etag = _etag(answer.body)
            if _is_known(etag, current.headers.get("if-none-match", "")):
                del headers["Content-Type"]
                return _response(304, "", headers)
        answer.body.server_time = server_time
        return _response(status, answer.body.model_dump_json(), headers)

    def refuse(current: _Exchange, error: BrandDayError) -> dict[str, Any]:
        current.code = error.code
        language = pick_language(current.headers.get("accept-language", ""))
        server_time = to_rfc3339(now_ms())
        retry_after_ms = spread(error.retry_after_ms, jitter)
        return _response(
            error.status,
            problem_text(
                error,
                language=language,
                request_id=current.request_id,
                server_time=server_time,
                retry_after_ms=retry_after_ms,
            ),
            {
                **problem_headers(error, language=language, retry_after_ms=retry_after_ms),
                "Cache-Control": PRIVATE,
                SERVER_TIME_HEADER: server_time,
                **_SECURITY_HEADERS,
            },
        )

    def fail(current: _Exchange, error: Exception) -> dict[str, Any]:
        write(unexpected(error, request_id=current.request_id, secrets=_secrets(current)))
        return refuse(current, InternalError())

    def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        current = _Exchange(event, _request_id(event, context), perf_counter_ns())
        try:
            current.headers = read_headers(event)
            try:
                response = serve(current)
            except BrandDayError as error:
                response = refuse(current, error)
        except Exception as error:  # a surprise, an event that is not one of an HTTP API, or a mistake in this module
            response = fail(current, error)
        write(_line(current, event, response["statusCode"]))
        return response

    return lambda_handler


class _Form(NamedTuple):
    """The form of a path: how many parts it has, which of them are fixed (the last first: they differ most), and which
    have names.
    """

    length: int
    fixed: tuple[tuple[int, str], ...]
    named: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, path: str) -> "_Form":
        """The form that a route's path says."""
        parts = list(enumerate(path.split("/")))
        return cls(
            len(parts),
            tuple((at, part) for at, part in reversed(parts) if not part.startswith("{")),
            tuple((at, part[1:-1]) for at, part in parts if part.startswith("{")),
        )

    def match(self, parts: Sequence[str]) -> dict[str, str] | None:
        """Path parameters by name, if these parts (as many as the form has) are of this form; None if they are not."""
        for at, part in self.fixed:
            if parts[at] != part:
                return None
        found = {name: parts[at] for at, name in self.named}
        return found if all(found.values()) else None


def _path_of(event: Mapping[str, Any]) -> str:
    """The path below the stage, which API Gateway leaves in unless it is the default."""
    path, stage = str(event["rawPath"]), event["requestContext"].get("stage", DEFAULT_STAGE)
    return path if stage == DEFAULT_STAGE else path.removeprefix(f"/{stage}")


def _response(status: int, body: str, headers: dict[str, str], *, encoded: bool = False) -> dict[str, Any]:
    """An answer in API Gateway's form (payload 2.0); the body is base64 if it is ``encoded``."""
    return {"statusCode": status, "body": body, "isBase64Encoded": encoded, "headers": headers, "cookies": []}


def _line(current: _Exchange, event: Mapping[str, Any], status: int) -> dict[str, Any]:
    forged = current.code == SignatureInvalid.code
    return {
        "level": "WARNING" if forged else "INFO",
        "message": "request",
        "method": _method(event),
        "route": current.route,
        "status": status,
        "code": current.code,
        "ms": (perf_counter_ns() - current.began_ns) // 10_000 / 100,
        "request_id": current.request_id,
        "campaign_id": current.campaign_id,
        "replayed": current.replayed,
        **({"who": current.who} if current.who else {}),
        **({"reward_id": current.reward_id} if forged or (current.who and current.reward_id) else {}),
        **current.noted,
    }


def _method(event: Mapping[str, Any]) -> str:
    try:
        return str(event["requestContext"]["http"]["method"])
    except (KeyError, TypeError):
        return ""


def _request_id(event: Mapping[str, Any], context: Any) -> str:
    try:
        return str(event["requestContext"]["requestId"])
    except (KeyError, TypeError):
        return str(getattr(context, "aws_request_id", "unknown"))


def _campaign_of(path: Mapping[str, str]) -> str:
    """For the log: the ids of reservations and entries begin with their campaign's, a reward's ends with it."""
    if reward_id := _reward_of(path):
        return reward_id.rpartition(".")[2]
    of_campaign = path.get("reservation_id") or path.get("entry_id", "")
    return (path.get("campaign_id") or of_campaign[len("rsv_") :].partition(".")[0])[:40]


def _reward_of(path: Mapping[str, str]) -> str:
    """For the log: a reward's id if it can be one, never what else somebody has written there."""
    reward_id = path.get("reward_id", "")
    return reward_id if reward_id and can_be("reward_id", reward_id) else ""


def _secrets(current: _Exchange) -> list[str]:
    headers = current.headers
    found = [headers.get(name, "") for name in _SECRET_HEADERS]
    with suppress(KeyError, TypeError, AttributeError):
        claims = current.event["requestContext"]["authorizer"]["jwt"]["claims"]
        found.append(str(claims["sub"]))
        found += [
            text for text in (str(claims.get(name, "")) for name in _SECRET_CLAIMS) if len(text) >= SHORTEST_SECRET
        ]
    # Codes, addresses and the like, also as codes are compared. The longest first: it may contain others.
    with suppress(BrandDayError):
        said = sorted(_texts(read_json(current.event, BODY_LIMIT_BYTES * 8)), key=len, reverse=True)
        found += [form for text in said if len(text) >= SHORTEST_SECRET for form in (text, fold(text))]
    return found


def _texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, but for names of fields."""
    match value:
        case str():
            yield value
        case dict() | list():
            for part in value.values() if isinstance(value, dict) else value:
                yield from _texts(part)


def _etag(body: Output) -> str:
    content = body.model_dump_json(exclude={"server_time"}).encode()
    return f'W/"{blake2b(content, digest_size=12).hexdigest()}"'


def _is_known(etag: str, if_none_match: str) -> bool:
    return if_none_match.strip() == "*" or etag.removeprefix("W/") in if_none_match
